//! Compose's variables → templates of a goal.
//!
//! | Compose | template |
//! |---|---|
//! | `$V`, `${V}` | `{{ env.V \| default('') }}` |
//! | `${V-d}`, `${V:-d}` | `{{ env.V \| default('d') }}`, `{{ env.V \| default('d', true) }}` |
//! | `${V?m}`, `${V:?m}` | `{{ env.V }}`: what is not set is an error |
//! | `${V+r}`, `${V:+r}` | `{{ 'r' if env.V is defined else '' }}`, `{{ 'r' if env.V \| default('') else '' }}` |
//! | `$$` | `$` |

use std::sync::Arc;

/// A text with variables, cut where a person would cut it: a variable is one unit, whatever its value holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Template {
    units: Vec<Unit>,
}

/// A part of a text that is never cut.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Unit {
    /// A character.
    Char(char),
    /// The value of a variable.
    Variable(Arc<Variable>),
}

/// A variable.
#[derive(Debug, PartialEq)]
pub(super) struct Variable {
    /// Its expression in a template.
    expression: String,
    /// Its value where nothing is set; none where that is an error, or empty for want of one.
    default: Option<String>,
}

/// Why a text is none that Compose would take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum InterpolationError {
    /// `$` stands before something else.
    #[error("a `$` starts no variable")]
    NoVariable,
    /// `${` is not closed.
    #[error("a `${{` is never closed")]
    NotClosed,
    /// Defaults stand in defaults in defaults…
    #[error("variables stand too deep in each other")]
    TooDeep,
}

/// How deep a variable may stand in the default of another.
const MAX_DEPTH: usize = 8;

impl Template {
    /// Reads a text as Compose does.
    ///
    /// # Errors
    /// For what Compose refuses.
    pub(super) fn parse(text: &str) -> Result<Self, InterpolationError> {
        Self::parse_at(text, 0)
    }

    fn parse_at(text: &str, depth: usize) -> Result<Self, InterpolationError> {
        if depth > MAX_DEPTH {
            return Err(InterpolationError::TooDeep);
        }
        let mut units = Vec::new();
        let mut rest = text;
        while let Some(char) = rest.chars().next() {
            rest = &rest[char.len_utf8()..];
            if char != '$' {
                units.push(Unit::Char(char));
            } else if let Some(after) = rest.strip_prefix('$') {
                units.push(Unit::Char('$'));
                rest = after;
            } else if let Some(inner) = rest.strip_prefix('{') {
                let end = closing(inner).ok_or(InterpolationError::NotClosed)?;
                units.push(Unit::Variable(Arc::new(braced(&inner[..end], depth)?)));
                rest = &inner[end + 1..];
            } else {
                let (name, after) = name(rest).ok_or(InterpolationError::NoVariable)?;
                units.push(Unit::Variable(Arc::new(Variable { expression: format!("env.{name} | default('')"), default: None })));
                rest = after;
            }
        }
        Ok(Self { units })
    }

    /// A text without variables.
    pub(super) fn literal(text: &str) -> Self {
        Self { units: text.chars().map(Unit::Char).collect() }
    }

    /// Its parts.
    pub(super) fn units(&self) -> &[Unit] {
        &self.units
    }

    /// A text of parts.
    pub(super) fn of(units: &[Unit]) -> Self {
        Self { units: units.to_vec() }
    }

    /// The parts between a character that no variable holds.
    pub(super) fn split(&self, at: char) -> Vec<Self> {
        self.units.split(|unit| *unit == Unit::Char(at)).map(Self::of).collect()
    }

    /// What stands before and after the first of a character.
    pub(super) fn split_once(&self, at: char) -> Option<(Self, Self)> {
        let found = self.units.iter().position(|unit| *unit == Unit::Char(at))?;
        Some((Self::of(&self.units[..found]), Self::of(&self.units[found + 1..])))
    }

    /// The text, where it has no variables.
    pub(super) fn plain(&self) -> Option<String> {
        self.units.iter().map(|unit| if let Unit::Char(char) = unit { Some(*char) } else { None }).collect()
    }

    /// The text with every variable at its default; none where one has none.
    pub(super) fn with_defaults(&self) -> Option<String> {
        let mut text = String::new();
        for unit in &self.units {
            match unit {
                Unit::Char(char) => text.push(*char),
                Unit::Variable(variable) => text.push_str(variable.default.as_deref()?),
            }
        }
        Some(text)
    }

    /// The text as a goal writes it.
    pub(super) fn render(&self) -> String {
        let mut text = String::new();
        let mut run = String::new();
        for unit in &self.units {
            match unit {
                Unit::Char(char) => run.push(*char),
                Unit::Variable(variable) => {
                    text.push_str(&braces(&run, true));
                    run.clear();
                    text.push_str("{{ ");
                    text.push_str(&variable.expression);
                    text.push_str(" }}");
                }
            }
        }
        text.push_str(&braces(&run, false));
        text
    }

    /// The text as an expression.
    fn expression(&self) -> String {
        let mut terms = Vec::new();
        let mut run = String::new();
        for unit in &self.units {
            match unit {
                Unit::Char(char) => run.push(*char),
                Unit::Variable(variable) => {
                    if !run.is_empty() {
                        terms.push(quoted(&run));
                        run.clear();
                    }
                    terms.push(format!("({})", variable.expression));
                }
            }
        }
        if !run.is_empty() || terms.is_empty() {
            terms.push(quoted(&run));
        }
        terms.join(" ~ ")
    }
}

/// A template with the value that a variable has outside; empty where it has none.
pub(super) fn passed(variable: &str) -> String {
    match name(variable) {
        Some((name, "")) => format!("{{{{ env.{name} | default('') }}}}"),
        _ => format!("{{{{ env[{}] | default('') }}}}", quoted(variable)),
    }
}

/// Text between variables: braces that would open a template are written as one.
fn braces(run: &str, before_a_variable: bool) -> String {
    let run = run.replace("{{", "{{ '{{' }}");
    match run.strip_suffix('{') {
        // `{` and the `{{` of the variable would be read as `{{` and `{`.
        Some(start) if before_a_variable => format!("{start}{{{{ '{{' }}}}"),
        _ => run,
    }
}

fn quoted(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('\'', "\\'").replace('\n', "\\n").replace('\t', "\\t");
    format!("'{text}'")
}

/// What stands between `${` and its `}`.
fn braced(inner: &str, depth: usize) -> Result<Variable, InterpolationError> {
    let (name, rest) = name(inner).ok_or(InterpolationError::NoVariable)?;
    let (or_empty, rest) = match rest.strip_prefix(':') {
        Some(rest) => (true, rest),
        None => (false, rest),
    };
    let mut chars = rest.chars();
    let (operator, word) = (chars.next(), chars.as_str());
    match operator {
        None if !or_empty => Ok(Variable { expression: format!("env.{name} | default('')"), default: None }),
        Some('-') => {
            let word = Template::parse_at(word, depth + 1)?;
            let flag = if or_empty { ", true" } else { "" };
            let expression = format!("env.{name} | default({}{flag})", word.expression());
            Ok(Variable { expression, default: word.with_defaults() })
        }
        Some('?') => Ok(Variable { expression: format!("env.{name}"), default: None }),
        Some('+') => {
            let word = Template::parse_at(word, depth + 1)?.expression();
            let test = if or_empty { format!("env.{name} | default('')") } else { format!("env.{name} is defined") };
            Ok(Variable { expression: format!("{word} if {test} else ''"), default: Some(String::new()) })
        }
        _ => Err(InterpolationError::NoVariable),
    }
}

/// The name at the start of a text, and what stands after it.
fn name(text: &str) -> Option<(&str, &str)> {
    let end = text.find(|char: char| !char.is_ascii_alphanumeric() && char != '_').unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    name.starts_with(|char: char| char.is_ascii_alphabetic() || char == '_').then_some((name, rest))
}

/// The byte of the `}` that closes a text, past those that close variables in it.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut before = '\0';
    for (at, char) in text.char_indices() {
        match char {
            '{' if before == '$' => depth += 1,
            '}' if depth == 0 => return Some(at),
            '}' => depth -= 1,
            _ => {}
        }
        before = char;
    }
    None
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::manifest::template::{self, Context};

    #[test]
    fn a_template_gives_what_compose_would_put_in() {
        let context = Context::new().with("env", &json!({ "SET": "s", "EMPTY": "", "PATHS": "/a:/b" }));
        for (compose, value) in [
            ("plain", "plain"),
            ("$SET-${SET}", "s-s"),
            ("[$NOT][${NOT}][${EMPTY}]", "[][][]"),
            ("${NOT:-d}${NOT-d}${EMPTY:-e}${EMPTY-e}", "dde"),
            ("${NOT:-${SET}x}", "sx"),
            ("${NOT:-${NO:-it's \\ {}}", "it's \\ {"),
            ("${SET:?must}", "s"),
            ("${SET:+yes}${EMPTY:+no}${EMPTY+yes}${NOT+no}${SET+${SET}}", "yesyess"),
            ("$$SET $${SET}", "$SET ${SET}"),
            ("{{.Name}} {$SET} }}", "{{.Name}} {s} }}"),
            ("{${SET}}", "{s}"),
        ] {
            let written = Template::parse(compose).expect(compose).render();
            assert_eq!(template::render(&written, &context).as_deref(), Ok(value), "{compose}: {written}");
        }
        let must = Template::parse("${NOT:?must}").expect("it is a variable").render();
        assert!(template::render(&must, &context).is_err(), "what must be set and is not is an error");
        for wrong in ["$", "$1", "a$ b", "${", "${A", "${}", "${A:}", "${A!b}", "${A:-${B}"] {
            assert!(Template::parse(wrong).is_err(), "{wrong}");
        }
        let deep = format!("{}x{}", "${A:-".repeat(100), "}".repeat(100));
        assert_eq!(Template::parse(&deep), Err(InterpolationError::TooDeep));
    }

    #[test]
    fn defaults_are_known_where_they_are_texts() {
        let defaults = |text: &str| Template::parse(text).expect(text).with_defaults();
        assert_eq!(defaults("${A:-1}${B-2}s").as_deref(), Some("12s"));
        assert_eq!(defaults("${A:-${B:-3}}").as_deref(), Some("3"));
        assert_eq!((defaults("${A}"), defaults("${A:?}")), (None, None));
    }
}
