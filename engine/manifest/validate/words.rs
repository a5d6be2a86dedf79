//! What the schema's disagreements are called, and what mends them.

use jsonschema::JsonType;
use serde_json::Value;

use crate::base::diagnostic::{Diagnostic, nearest};
use crate::manifest::node::{Aim, Document};
use crate::manifest::{schema, yaml};

/// What people from Compose, Actions and Make write, and what it is called here.
const SYNONYMS: [(&str, &str); 22] = [
    ("depends_on", "needs"),
    ("dependsOn", "needs"),
    ("dependencies", "needs"),
    ("command", "run"),
    ("cmd", "run"),
    ("script", "run"),
    ("steps", "run"),
    ("environment", "env"),
    ("jobs", "phases"),
    ("tasks", "phases"),
    ("stages", "phases"),
    ("services", "phases"),
    ("if", "when"),
    ("foreach", "for_each"),
    ("with_items", "for_each"),
    ("cwd", "working_dir"),
    ("dir", "working_dir"),
    ("working-directory", "working_dir"),
    ("health", "healthcheck"),
    ("variables", "params"),
    ("inputs", "params"),
    ("test", "exec"),
];

/// The part of the schema that disagrees.
pub(super) struct Owner {
    /// The schema that holds the keyword.
    pub(super) schema: &'static Value,
    /// The type it belongs to: `Phase`.
    pub(super) name: String,
}

/// One disagreement: where, with what, by which schema.
pub(super) struct Finding<'a> {
    pub(super) document: &'a Document,
    pub(super) path: &'a [&'a str],
    pub(super) value: &'a Value,
    pub(super) schema: Owner,
}

impl Finding<'_> {
    pub(super) fn unknown_key(&self, key: &str) -> Diagnostic {
        let mut path = self.path.to_vec();
        path.push(key);
        let found = self.document.error_at_key(&path, "unknown-key", format!("unknown key `{key}` in {}", self.thing()));
        let known: Vec<&str> = self.keys().collect();
        let written = |name: &str| self.value.get(name).is_some();
        let synonym = SYNONYMS.iter().find(|(other, ours)| *other == key && known.contains(ours)).map(|(_, ours)| *ours);
        if let Some(near) = synonym.or_else(|| nearest(key, known.iter().copied())) {
            if written(near) {
                return found.hint(format!("`{near}` is the name here, and it is already there"));
            }
            return found.hint(format!("did you mean `{near}`?")).replace_with(near);
        }
        found.hint(format!("known keys: {}; keys that start with `x-` are free", list(known.iter().copied())))
    }

    pub(super) fn missing(&self, key: &str) -> Diagnostic {
        let found = self.document.error_at_key(self.path, "missing-key", format!("{} has no `{key}`", self.thing()));
        let description = self.schema.schema.pointer(&format!("/properties/{key}/description")).and_then(Value::as_str);
        match (self.schema.name.as_str(), key, description) {
            ("Goal", "version", _) => found.hint("write `version: \"1\"`"),
            (_, _, Some(description)) => found.hint(format!("`{key}`: {}", lower(description.trim_end_matches('.')))),
            _ => found,
        }
    }

    pub(super) fn wrong_type(&self, wanted: &[JsonType]) -> Diagnostic {
        let what = self.what(wanted);
        if self.value.is_null() {
            let name = self.path.last().copied().unwrap_or("the file");
            return self.document.error_at_key(self.path, "wrong-type", format!("`{name}` is empty, {what} is wanted"));
        }
        let found = self.error("wrong-type", format!("{what} is wanted, {} was found", describe(self.value)));
        self.mend(found, wanted)
    }

    pub(super) fn not_one_of(&self, options: &[Value]) -> Diagnostic {
        let names: Vec<String> = options.iter().map(ToString::to_string).map(|text| text.trim_matches('"').to_owned()).collect();
        let names = || names.iter().map(String::as_str);
        let unquoted = || (!self.value.is_string()).then(|| self.value.to_string());
        if let [Value::String(only)] = options
            && unquoted().as_ref() == Some(only)
        {
            let found = self.error("wrong-type", format!("the text \"{only}\" is wanted, {} was found", describe(self.value)));
            return found.hint("quote it").replace_with(format!("\"{only}\""));
        }
        let found = self.error("unknown-value", format!("{} is not {}", describe(self.value), one_of(names())));
        match self.value.as_str().and_then(|text| nearest(text, names())) {
            // What would be read as something else than a text stays quoted.
            Some(near) if !yaml::scalar(near).is_string() => {
                found.hint(format!("did you mean `\"{near}\"`?")).replace_with(format!("\"{near}\""))
            }
            Some(near) => found.hint(format!("did you mean `{near}`?")).replace_with(near),
            None => found,
        }
    }

    /// The description of the schema that holds a pattern says it in words.
    pub(super) fn pattern(&self) -> Diagnostic {
        let text = self.value.as_str().unwrap_or_default();
        let what = match self.schema.name.as_str() {
            "Duration" => "a duration",
            "Size" => "a size",
            "Name" => "a name",
            _ => "right here",
        };
        let found = self.error("wrong-form", format!("`{text}` is not {what}"));
        let number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if self.schema.name == "Duration" && number {
            return found.hint(format!("write `{text}s` for seconds")).replace_with(format!("{text}s"));
        }
        match self.words() {
            Some(words) => found.hint(lower(words)),
            None => found,
        }
    }

    pub(super) fn bad_name(&self, name: &str) -> Diagnostic {
        let mut path = self.path.to_vec();
        path.push(name);
        let found = self.document.error_at_key(&path, "wrong-form", format!("`{name}` is not a name"));
        match self.words() {
            Some(words) => found.hint(lower(words)),
            None => found,
        }
    }

    pub(super) fn out_of_range(&self, bound: &str, limit: &Value) -> Diagnostic {
        self.error("out-of-range", format!("{} is out of range: it must be {bound} {limit}", self.value))
    }

    pub(super) fn empty(&self) -> Diagnostic {
        self.error("empty", "this must not be empty".to_owned())
    }

    pub(super) fn other(&self, message: &str) -> Diagnostic {
        self.error("schema", message.to_owned())
    }

    fn error(&self, rule: &'static str, message: String) -> Diagnostic {
        self.document.error_at(self.path, rule, message)
    }

    /// What stands in the file, where it is a scalar.
    fn written(&self) -> Option<String> {
        let place = self.document.place(self.path, Aim::Value);
        let text = &self.document.sources.get(place.source.0 as usize)?.text;
        let node = self.document.node(self.path)?;
        (node.place == place).then(|| text.get(place.range()).map(str::to_owned)).flatten()
    }

    /// The wanted types in words: `a duration`, `a text or a list`.
    fn what(&self, wanted: &[JsonType]) -> String {
        match self.schema.name.as_str() {
            "Duration" => "a duration".to_owned(),
            "Size" => "a size".to_owned(),
            "Name" => "a name".to_owned(),
            _ => or(wanted.iter().map(|kind| match kind {
                JsonType::Array => "a list",
                JsonType::Boolean => "`true` or `false`",
                JsonType::Integer => "a whole number",
                JsonType::Null => "nothing",
                JsonType::Number => "a number",
                JsonType::Object => "a mapping",
                JsonType::String => "a text",
            })),
        }
    }

    fn mend(&self, found: Diagnostic, wanted: &[JsonType]) -> Diagnostic {
        let wants = |kind: JsonType| wanted.contains(&kind);
        let Some(written) = self.written() else { return found };
        match self.value {
            Value::Number(number) if self.schema.name == "Duration" => {
                found.hint(format!("write `{number}s` for seconds")).replace_with(format!("{number}s"))
            }
            Value::Number(_) | Value::Bool(_) if wants(JsonType::String) => {
                found.hint("quote it").replace_with(format!("\"{}\"", written.trim()))
            }
            Value::String(text) if wants(JsonType::Boolean) => match text.to_ascii_lowercase().as_str() {
                "yes" | "on" | "y" => found.hint("write `true`").replace_with("true"),
                "no" | "off" | "n" => found.hint("write `false`").replace_with("false"),
                "true" | "false" => found.hint("leave out the quotes").replace_with(text.to_ascii_lowercase()),
                _ => found,
            },
            Value::String(text) if (wants(JsonType::Integer) || wants(JsonType::Number)) && text.parse::<f64>().is_ok() => {
                found.hint("leave out the quotes").replace_with(text)
            }
            Value::String(_) if wants(JsonType::Integer) && written.contains("{{") => {
                found.hint("templates give texts: this key takes a plain number")
            }
            Value::String(_) if self.schema.name == "Phase" && !written.contains('\n') => {
                found.hint("a command is the `run` of a phase").replace_with(format!("{{ run: {} }}", written.trim()))
            }
            Value::String(_) | Value::Number(_) if wants(JsonType::Array) && !written.contains('\n') => {
                found.hint("write a list").replace_with(format!("[{}]", written.trim()))
            }
            _ => found,
        }
    }

    /// What the value belongs to: `a phase`, `an http request`.
    fn thing(&self) -> String {
        match self.schema.name.as_str() {
            "Custom" => return "a custom resource".to_owned(),
            "HttpRequest" => return "an HTTP request".to_owned(),
            _ => {}
        }
        let mut words = String::new();
        for c in self.schema.name.chars() {
            if c.is_uppercase() && !words.is_empty() {
                words.push(' ');
            }
            words.extend(c.to_lowercase());
        }
        let words = words.trim_end_matches(" full").trim_end_matches(" expect");
        let article = if words.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
        format!("{article} {words}")
    }

    fn keys(&self) -> impl Iterator<Item = &'static str> {
        self.schema.schema.get("properties").and_then(Value::as_object).into_iter().flat_map(|map| map.keys().map(String::as_str))
    }

    /// What is wanted here, as the schema describes it; where the part that failed does not, its type does.
    fn words(&self) -> Option<&'static str> {
        let of_type = || schema::goal().pointer(&format!("/$defs/{}/description", self.schema.name));
        let description = self.schema.schema.get("description").or_else(of_type)?;
        description.as_str().map(|text| text.trim_end_matches('.'))
    }
}

/// A value, short enough for a message.
fn describe(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(truth) => format!("`{truth}`"),
        Value::Number(number) => format!("the number {number}"),
        Value::String(text) if text.chars().count() <= 40 && !text.contains('\n') => format!("the text `{text}`"),
        Value::String(_) => "a text".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a mapping".to_owned(),
    }
}

fn one_of<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.collect();
    match names.as_slice() {
        [only] => format!("`{only}`"),
        _ => format!("one of {}", list(names.into_iter())),
    }
}

fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn or<'a>(words: impl Iterator<Item = &'a str>) -> String {
    let words: Vec<&str> = words.collect();
    match words.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => "something else".to_owned(),
    }
}

fn lower(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_lowercase().chain(chars).collect(),
        None => String::new(),
    }
}
