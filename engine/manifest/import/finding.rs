//! What the import has to say: what is not mapped, what is mapped to something a little different, what is wrong.

use super::interpolate::Template;
use super::item::Item;
use super::keys::{Fate, Table, fate};
use crate::base::diagnostic::{Diagnostic, Severity, nearest};
use crate::manifest::node::{Document, Place};

/// What a finding says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The goal does not say it.
    NotMapped,
    /// The goal says something that is a little different.
    Differs,
}

/// A key that is not mapped, or not quite.
#[derive(Clone, Debug)]
pub struct Finding {
    /// Which of the two.
    pub kind: Kind,
    /// The keys: `services.web.labels`.
    pub path: String,
    /// Where it stands.
    pub place: Place,
    /// Why.
    pub why: String,
    /// What to do.
    pub hint: Option<String>,
}

impl Finding {
    /// The finding as a warning.
    pub fn diagnostic(&self, document: &Document) -> Diagnostic {
        let (rule, verb) = match self.kind {
            Kind::NotMapped => ("not-mapped", "is not mapped"),
            Kind::Differs => ("mapped-otherwise", "is not quite the same"),
        };
        let found = document.diagnostic(Severity::Warning, rule, self.place, format!("`{}` {verb}: {}", self.path, self.why));
        match &self.hint {
            Some(hint) => found.hint(hint),
            None => found,
        }
    }
}

/// Everything found so far.
pub(super) struct Findings<'a> {
    /// The file.
    pub(super) document: &'a Document,
    /// What is not mapped, or not quite.
    pub(super) list: Vec<Finding>,
    /// Why it is no Compose file.
    pub(super) errors: Vec<Diagnostic>,
}

impl<'a> Findings<'a> {
    pub(super) fn new(document: &'a Document) -> Self {
        Self { document, list: Vec::new(), errors: Vec::new() }
    }

    /// The goal does not say it.
    pub(super) fn not_mapped(&mut self, item: &Item<'_>, why: impl Into<String>, hint: &str) {
        self.say(Kind::NotMapped, item, why.into(), hint);
    }

    /// The goal says something a little different.
    pub(super) fn differs(&mut self, item: &Item<'_>, why: impl Into<String>, hint: &str) {
        self.say(Kind::Differs, item, why.into(), hint);
    }

    fn say(&mut self, kind: Kind, item: &Item<'_>, why: String, hint: &str) {
        let hint = Some(hint).filter(|hint| !hint.is_empty()).map(str::to_owned);
        let known = self.list.iter().any(|known| known.kind == kind && known.path == item.path && known.why == why);
        if !known {
            self.list.push(Finding { kind, path: item.path.clone(), place: item.place, why, hint });
        }
    }

    /// It is wrong in a Compose file too.
    pub(super) fn error(&mut self, item: &Item<'_>, rule: &'static str, message: impl Into<String>, hint: &str) {
        let error = self.document.diagnostic(Severity::Error, rule, item.place, message);
        self.errors.push(if hint.is_empty() { error } else { error.hint(hint) });
    }

    /// It should have been something else.
    pub(super) fn wrong_type(&mut self, item: &Item<'_>, wanted: &str) {
        self.error(item, "wrong-type", format!("`{}` must be {wanted}", item.path), "");
    }

    /// Lists every entry of a mapping that its table says is lost, and every one that it does not have.
    pub(super) fn sort_out(&mut self, item: &Item<'_>, table: Table) {
        for (key, entry) in item.entries() {
            match fate(table, key) {
                Some(Fate::Lost(why, hint)) if !entry.asks_for_nothing() => self.not_mapped(&entry, why, hint),
                Some(_) => {}
                None if key.starts_with("x-") => {}
                None => {
                    let near = nearest(key, table.iter().map(|(name, _)| *name));
                    let hint = near.map(|near| format!("did you mean `{near}`?")).unwrap_or_default();
                    self.not_mapped(&entry, "Compose has no such key", &hint);
                }
            }
        }
    }

    /// A scalar with its variables, as Compose would put them in.
    pub(super) fn template(&mut self, item: &Item<'_>) -> Option<Template> {
        let Some(text) = item.scalar() else {
            self.wrong_type(item, "a text");
            return None;
        };
        self.parse(item, &text)
    }

    /// A text at a place, with its variables.
    pub(super) fn parse(&mut self, item: &Item<'_>, text: &str) -> Option<Template> {
        match Template::parse(text) {
            Ok(template) => Some(template),
            Err(error) => {
                let hint = "a variable is `${NAME}`, `${NAME:-default}` or `${NAME:?message}`; a dollar sign is `$$`";
                self.error(item, "interpolation", format!("`{}`: {error}", item.path), hint);
                None
            }
        }
    }

    /// A scalar as a text of the goal, its variables as templates.
    pub(super) fn text(&mut self, item: &Item<'_>) -> Option<String> {
        self.template(item).map(|template| template.render())
    }

    /// A scalar where the goal takes no template: its variables have their defaults, and that is said.
    pub(super) fn fixed(&mut self, item: &Item<'_>) -> Option<String> {
        let template = self.template(item)?;
        if let Some(plain) = template.plain() {
            return Some(plain);
        }
        if let Some(text) = template.with_defaults() {
            self.differs(item, format!("the goal takes no variable here: it says `{text}`, the default"), "edit it in the goal");
            Some(text)
        } else {
            self.not_mapped(item, "the goal takes no variable here, and this one has no default", "write the value into the goal");
            None
        }
    }
}
