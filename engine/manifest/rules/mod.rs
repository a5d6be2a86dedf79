//! What a schema cannot say: one rule, or a few of one kind, in a file. Every finding has a stable name.

pub mod capabilities;
mod checks;
mod commands;
mod daemons;
mod fallbacks;
mod givens;
mod joined;
mod needs;
mod paths;
mod phases;
mod ports;
mod resources;
mod supported;
pub(crate) mod templates;
mod variables;
mod without_effect;

pub use supported::not_in_this_build;
pub use without_effect::without_effect;

use std::cell::{OnceCell, RefCell};
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use indexmap::IndexMap;

use super::check::CheckKind;
use super::goal::Goal;
use super::node::Document;
use super::phase::Phase;
use crate::base::diagnostic::Diagnostic;

/// Applies every rule to a goal that the schema accepts.
pub fn check(goal: &Goal, document: &Document) -> Vec<Diagnostic> {
    let facts = Facts::new(goal, document);
    let mut found = Vec::new();
    givens::check(&facts, &mut found);
    phases::check(&facts, &mut found);
    needs::check(&facts, &mut found);
    resources::check(&facts, &mut found);
    paths::check(&facts, &mut found);
    joined::check(&facts, &mut found);
    ports::check(&facts, &mut found);
    fallbacks::check(&facts, &mut found);
    checks::check(&facts, &mut found);
    commands::check(&facts, &mut found);
    capabilities::check(&facts, &mut found);
    daemons::check(&facts, &mut found);
    found.extend(templates::syntax(document));
    variables::check(&facts, &mut found);
    found
}

/// A goal with what several rules ask for.
pub(super) struct Facts<'a> {
    pub(super) goal: &'a Goal,
    pub(super) document: &'a Document,
    /// All phases, those of `finally` included, in the order of the manifest.
    pub(super) phases: IndexMap<&'a str, Located<'a>>,
    dependents: OnceCell<HashMap<&'a str, Vec<&'a str>>>,
    after: RefCell<HashMap<&'a str, Rc<HashSet<&'a str>>>>,
}

/// A phase and the section it stands in.
#[derive(Clone, Copy)]
pub(super) struct Located<'a> {
    /// `phases` or `finally`.
    pub(super) section: &'static str,
    pub(super) name: &'a str,
    pub(super) phase: &'a Phase,
}

impl<'a> Facts<'a> {
    fn new(goal: &'a Goal, document: &'a Document) -> Self {
        let mut phases = IndexMap::with_capacity(goal.phases.len() + goal.finally.len());
        for (section, map) in [("finally", &goal.finally), ("phases", &goal.phases)] {
            for (name, phase) in map {
                // A name in both sections is an error of its own; here the phase wins.
                phases.insert(name.as_str(), Located { section, name: name.as_str(), phase });
            }
        }
        Self { goal, document, phases, dependents: OnceCell::new(), after: RefCell::default() }
    }

    /// The phases that a phase names in `needs`, where they exist.
    pub(super) fn needs(&self, phase: &Located<'a>) -> impl Iterator<Item = Located<'a>> {
        phase.phase.needs.iter().filter_map(|(name, _)| self.phases.get(name.as_str()).copied())
    }

    /// Whether `earlier` has always ended before `later` starts.
    pub(super) fn is_before(&self, earlier: &str, later: &Located<'_>) -> bool {
        let Some(earlier) = self.phases.get(earlier) else { return false };
        // Whatever runs at the end runs after everything else.
        let at_the_end = later.section == "finally" && earlier.section == "phases";
        let needs = || later.phase.needs.iter().any(|(name, _)| name.as_str() == earlier.name);
        at_the_end || needs() || self.after(earlier.name).contains(later.name)
    }

    /// All phases that wait for a phase, near and far. Kept, since many phases ask for the outputs of one.
    fn after(&self, earlier: &'a str) -> Rc<HashSet<&'a str>> {
        if let Some(known) = self.after.borrow().get(earlier) {
            return Rc::clone(known);
        }
        let dependents = self.dependents.get_or_init(|| {
            let mut dependents: HashMap<&str, Vec<&str>> = HashMap::with_capacity(self.phases.len());
            for phase in self.phases.values() {
                for need in self.needs(phase) {
                    dependents.entry(need.name).or_default().push(phase.name);
                }
            }
            dependents
        });
        let mut after = HashSet::new();
        let mut open = vec![earlier];
        while let Some(name) = open.pop() {
            open.extend(dependents.get(name).into_iter().flatten().copied().filter(|next| after.insert(*next)));
        }
        let after = Rc::new(after);
        self.after.borrow_mut().insert(earlier, Rc::clone(&after));
        after
    }

    /// Calls `f` with every check: of phases, of health checks, of the goal, of daemons; and the path that leads to it.
    pub(super) fn each_check(&self, mut f: impl FnMut(&[&str], &CheckKind, Option<Located<'a>>)) {
        let indices: Vec<String> = (0..self.longest()).map(|index| index.to_string()).collect();
        if let Some(verify) = &self.goal.verify {
            for (check, index) in verify.checks.iter().zip(&indices) {
                f(&["verify", "checks", index], &check.kind, None);
            }
        }
        for phase in self.phases.values() {
            for (check, index) in phase.phase.verify.iter().flat_map(|verify| &verify.checks).zip(&indices) {
                f(&[phase.section, phase.name, "verify", "checks", index], &check.kind, Some(*phase));
            }
            for (name, resource) in &phase.phase.resources {
                if let Some(health) = &resource.healthcheck {
                    f(&[phase.section, phase.name, "resources", name.as_str(), "healthcheck"], &health.kind, Some(*phase));
                }
            }
        }
        for (name, daemon) in &self.goal.daemons {
            f(&["daemons", name.as_str(), "check"], &daemon.check.kind, None);
        }
    }

    fn longest(&self) -> usize {
        let of_phases = self.phases.values().filter_map(|phase| phase.phase.verify.as_ref());
        of_phases.chain(&self.goal.verify).map(|verify| verify.checks.len()).max().unwrap_or(0)
    }
}

impl<'a> Located<'a> {
    /// The path of something in this phase.
    pub(super) fn path<'b>(&self, rest: &[&'b str]) -> Vec<&'b str>
    where
        'a: 'b,
    {
        let mut path = Vec::with_capacity(rest.len() + 2);
        path.push(self.section);
        path.push(self.name);
        path.extend_from_slice(rest);
        path
    }

    /// Whether a loop makes several instances of it.
    pub(super) fn is_loop(&self) -> bool {
        self.phase.for_each.is_some() || !self.phase.matrix.is_empty()
    }

    /// Whether work of it may write outputs that the manifest does not name.
    pub(super) fn may_write_outputs(&self) -> bool {
        self.phase.run.is_some() || self.phase.agent.is_some() || self.phase.resources.values().any(|resource| resource.custom.is_some())
    }
}

/// Adds a did-you-mean, or else what there is.
pub(super) fn suggest<'a>(found: Diagnostic, written: &str, known: impl Iterator<Item = &'a str> + Clone, kind: &str) -> Diagnostic {
    if let Some(near) = crate::base::diagnostic::nearest(written, known.clone()) {
        return found.hint(format!("did you mean `{near}`?")).replace_with(near);
    }
    let names: Vec<String> = known.take(12).map(|name| format!("`{name}`")).collect();
    match names.len() {
        0 => found.hint(format!("the goal has no {kind}")),
        12 => found,
        _ => found.hint(format!("there is {}", names.join(", "))),
    }
}
