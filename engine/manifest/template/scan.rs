//! A template as pieces: text as it is, and expressions between `{{` and `}}`.

use std::fmt::Write as _;
use std::ops::Range;

use serde_json::Value;

use super::TemplateError;
use super::path::{Reference, end_of_string, paths};
use super::render::syntax;

const BRACES: &str = "to write braces, write `{{ '{{' }}`, or set `templates: false` for the phase";

/// A piece of a template.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// A text as it is.
    Text(&'a str),
    /// What stands between the braces, and where.
    Expression(&'a str, Range<usize>),
}

/// Whether a text holds a template at all.
pub fn has_template(text: &str) -> bool {
    text.contains("{{")
}

/// Cuts a template into its pieces.
pub(super) fn pieces(template: &str) -> Result<Vec<Piece<'_>>, TemplateError> {
    let mut pieces = Vec::new();
    let mut rest = 0;
    while let Some(found) = template[rest..].find("{{") {
        let open = rest + found;
        let inner = open + 2;
        let Some(close) = end_of_expression(template, inner) else {
            return Err(TemplateError::new(template, open..open + 2, "`{{` is never closed").hint(BRACES));
        };
        // `{{-` and `-}}` take the white space beside them, as everywhere in Jinja.
        let mut text = &template[rest..open];
        let mut start = inner;
        let mut end = close;
        if template[inner..close].starts_with('-') {
            text = text.trim_end();
            start += 1;
        }
        let trims_after = end > start && template[start..end].ends_with('-');
        end -= usize::from(trims_after);
        if !text.is_empty() {
            pieces.push(Piece::Text(text));
        }
        pieces.push(Piece::Expression(&template[start..end], start..end));
        rest = close + 2;
        if trims_after {
            rest += template[rest..].len() - template[rest..].trim_start().len();
        }
    }
    if rest < template.len() {
        pieces.push(Piece::Text(&template[rest..]));
    }
    Ok(pieces)
}

/// The byte where `}}` stands, outside of strings and inner braces.
fn end_of_expression(template: &str, start: usize) -> Option<usize> {
    let bytes = template.as_bytes();
    let mut depth = 0_usize;
    let mut at = start;
    while at < bytes.len() {
        match bytes[at] {
            b'\'' | b'"' => {
                at = end_of_string(bytes, at);
                continue;
            }
            b'{' => depth += 1,
            b'}' if depth > 0 => depth -= 1,
            b'}' if bytes.get(at + 1) == Some(&b'}') => return Some(at),
            _ => {}
        }
        at += 1;
    }
    None
}

/// What a template refers to. Nothing where its syntax is wrong: [`check`] says why.
pub fn references(template: &str) -> Vec<Reference> {
    if !has_template(template) {
        return Vec::new();
    }
    pieces(template)
        .unwrap_or_default()
        .into_iter()
        .filter_map(|piece| match piece {
            Piece::Expression(expression, span) => Some(paths(expression, span.start).0),
            Piece::Text(_) => None,
        })
        .flatten()
        .collect()
}

/// What an expression (`when:`, `for_each:`) refers to; it may stand in `{{ }}`.
pub fn expression_references(text: &str) -> Vec<Reference> {
    let (expression, offset) = expression(text);
    paths(expression, offset).0
}

/// The expression of a text that may stand in `{{ }}`, and where it starts.
pub fn expression(text: &str) -> (&str, usize) {
    match pieces(text.trim_end()).as_deref() {
        Ok([Piece::Expression(inner, span)]) => (inner, span.start),
        _ => (text, 0),
    }
}

/// Checks the syntax of a template.
///
/// # Errors
/// The first expression that is none.
pub fn check(template: &str) -> Result<(), TemplateError> {
    if !has_template(template) {
        return Ok(());
    }
    for piece in pieces(template)? {
        if let Piece::Expression(expression, span) = piece {
            syntax(template, expression, span).map_err(|error| if error.hint.is_none() { error.hint(BRACES) } else { error })?;
        }
    }
    Ok(())
}

/// Checks the syntax of an expression.
///
/// # Errors
/// Where it is none.
pub fn check_expression(text: &str) -> Result<(), TemplateError> {
    let (inner, offset) = expression(text);
    syntax(text, inner, offset..offset + inner.len())
}

/// Puts values in the place of `params.NAME`: so is a reusable phase given its params.
///
/// A value that is itself a template becomes its expression, so that `{{ params.port + 1 }}` with `"{{ params.base }}"` for `port` reads
/// `{{ (params.base) + 1 }}`. A template that is nothing but one literal becomes its text.
pub fn bind(template: &str, value_of: &impl Fn(&str) -> Option<Value>) -> String {
    let Ok(parts) = pieces(template) else { return template.to_owned() };
    let mut text = String::with_capacity(template.len());
    for part in parts {
        match part {
            Piece::Text(plain) => text.push_str(plain),
            Piece::Expression(expression, _) => {
                let bound = bind_expression(expression, value_of);
                match literal_text(expression, value_of) {
                    Some(literal) if !literal.contains("{{") => text.push_str(&literal),
                    _ => text.extend(["{{", &bound, "}}"]),
                }
            }
        }
    }
    text
}

/// The same for an expression.
pub fn bind_expression(expression: &str, value_of: &impl Fn(&str) -> Option<Value>) -> String {
    let mut text = String::with_capacity(expression.len());
    let mut rest = 0;
    for reference in paths(expression, 0).0 {
        if reference.path.len() < 2 || reference.path[0] != "params" {
            continue;
        }
        let Some(value) = value_of(&reference.path[1]) else { continue };
        text.push_str(&expression[rest..reference.span.start]);
        text.push_str(&as_expression(&value));
        for key in &reference.path[2..] {
            // Writing to a String cannot fail.
            let _ = write!(text, "[{key:?}]");
        }
        rest = reference.span.end;
    }
    text.push_str(&expression[rest..]);
    text
}

/// `params.port` alone, with a value that is no template: its text.
fn literal_text(expression: &str, value_of: &impl Fn(&str) -> Option<Value>) -> Option<String> {
    let references = paths(expression.trim(), 0).0;
    match references.as_slice() {
        [only] if only.span == (0..expression.trim().len()) && only.path.len() == 2 && only.path[0] == "params" => {
            match value_of(&only.path[1])? {
                Value::String(text) => Some(text),
                Value::Number(number) => Some(number.to_string()),
                Value::Bool(truth) => Some(truth.to_string()),
                _ => None,
            }
        }
        _ => None,
    }
}

/// A value as an expression: a literal, or what its templates compute.
fn as_expression(value: &Value) -> String {
    let Value::String(text) = value else { return value.to_string() };
    match pieces(text) {
        Ok(parts) if has_template(text) => {
            let parts: Vec<String> = parts
                .iter()
                .map(|part| match part {
                    Piece::Text(plain) => Value::from(*plain).to_string(),
                    Piece::Expression(inner, _) => format!("({})", inner.trim()),
                })
                .collect();
            if let [only] = parts.as_slice() { only.clone() } else { format!("({})", parts.join(" ~ ")) }
        }
        _ => value.to_string(),
    }
}
