//! The paths in an expression: what it refers to, and where.

use std::fmt::Write as _;
use std::ops::Range;

/// The variables that a template may start from.
pub const ROOTS: [&str; 8] = ["params", "secrets", "env", "phases", "outputs", "resources", "item", "matrix"];

/// Words of the language that look like variables.
const KEYWORDS: [&str; 11] = ["and", "or", "not", "in", "is", "if", "else", "true", "false", "none", "null"];

/// One path in a template: `phases.server.outputs.url`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The variable and the keys after it, up to the first that is computed.
    pub path: Vec<String>,
    /// Where it stands in the template's text, in bytes.
    pub span: Range<usize>,
}

/// The filters that an expression names.
pub(super) fn filters(expression: &str) -> Vec<&str> {
    let mut found = Vec::new();
    scan(expression, 0, &mut found);
    found
}

/// The paths of an expression, and the expression in minijinja's spelling (`a.b-c` → `a["b-c"]`).
pub(super) fn paths(expression: &str, offset: usize) -> (Vec<Reference>, String) {
    scan(expression, offset, &mut Vec::new())
}

fn scan<'a>(expression: &'a str, offset: usize, filters: &mut Vec<&'a str>) -> (Vec<Reference>, String) {
    let bytes = expression.as_bytes();
    let mut found = Vec::new();
    let mut spelled = String::with_capacity(expression.len());
    let mut at = 0;
    let mut before = Before::Nothing;
    while at < bytes.len() {
        let start = at;
        match bytes[at] {
            b'\'' | b'"' => {
                at = end_of_string(bytes, at);
                before = Before::Nothing;
            }
            b'.' => {
                at += 1;
                before = Before::Dot;
            }
            b'|' => {
                at += 1;
                before = Before::Filter;
            }
            byte if byte.is_ascii_digit() => {
                at = end_of(bytes, at, |byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'.');
                before = Before::Nothing;
            }
            byte if is_word(byte) => {
                at = end_of(bytes, at, is_word);
                let word = &expression[start..at];
                if before == Before::Nothing
                    && !KEYWORDS.contains(&word.to_ascii_lowercase().as_str())
                    && !is_call_or_keyword_argument(bytes, at)
                {
                    let (end, path, needs_spelling) = follow(expression, at, word);
                    at = end;
                    if needs_spelling {
                        spell(&path, &mut spelled);
                    } else {
                        spelled.push_str(&expression[start..at]);
                    }
                    found.push(Reference { path, span: offset + start..offset + at });
                    continue;
                }
                if before == Before::Filter {
                    filters.push(word);
                }
                before = match (word, before) {
                    ("is", _) | ("not", Before::Test) => Before::Test,
                    _ => Before::Nothing,
                };
            }
            byte => {
                at += 1;
                while at < bytes.len() && !expression.is_char_boundary(at) {
                    at += 1;
                }
                if !byte.is_ascii_whitespace() {
                    before = Before::Nothing;
                }
            }
        }
        spelled.push_str(&expression[start..at]);
    }
    (found, spelled)
}

/// What stands before a word and makes it something else than a variable.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    Nothing,
    Dot,
    Filter,
    Test,
}

/// Follows `.key`, `["key"]` and `[0]` after a variable.
fn follow(expression: &str, mut at: usize, root: &str) -> (usize, Vec<String>, bool) {
    let bytes = expression.as_bytes();
    let mut path = vec![root.to_owned()];
    let mut needs_spelling = false;
    loop {
        match bytes.get(at) {
            Some(b'.') => {
                let end = end_of_key(bytes, at + 1);
                if end == at + 1 {
                    return (at, path, needs_spelling);
                }
                let key = &expression[at + 1..end];
                needs_spelling |= key.contains('-') || key.starts_with(|c: char| c.is_ascii_digit());
                path.push(key.to_owned());
                at = end;
            }
            Some(b'[') => {
                let Some((key, end)) = literal_index(expression, at) else { return (at, path, needs_spelling) };
                path.push(key);
                at = end;
            }
            _ => return (at, path, needs_spelling),
        }
    }
}

/// The end of a key: words, joined by dashes that have a word on both sides.
fn end_of_key(bytes: &[u8], start: usize) -> usize {
    let mut end = end_of(bytes, start, is_word);
    while end > start && bytes.get(end) == Some(&b'-') && bytes.get(end + 1).is_some_and(|byte| is_word(*byte)) {
        end = end_of(bytes, end + 1, is_word);
    }
    end
}

/// `["key"]` or `[0]`: the key and the end. None where the index is computed.
fn literal_index(expression: &str, open: usize) -> Option<(String, usize)> {
    let close = open + expression[open..].find(']')?;
    let inner = expression[open + 1..close].trim();
    if let Some(quote @ ('"' | '\'')) = inner.chars().next() {
        // The key itself may hold brackets: find its end by the quote.
        let start = open + expression[open..].find(quote)? + 1;
        let end = start + expression[start..].find(quote)?;
        let close = end + expression[end..].find(']')?;
        let key = &expression[start..end];
        let plain = expression[end + 1..close].trim().is_empty() && !key.contains('\\');
        return plain.then(|| (key.to_owned(), close + 1));
    }
    let index = !inner.is_empty() && inner.bytes().all(|byte| byte.is_ascii_digit());
    index.then(|| (inner.to_owned(), close + 1))
}

fn spell(path: &[String], spelled: &mut String) {
    for (index, key) in path.iter().enumerate() {
        // Writing to a String cannot fail.
        let _ = match index {
            0 => write!(spelled, "{key}"),
            _ => write!(spelled, "[{key:?}]"),
        };
    }
}

fn is_call_or_keyword_argument(bytes: &[u8], at: usize) -> bool {
    let next = at + bytes[at..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    match bytes.get(next) {
        Some(b'(') => true,
        Some(b'=') => bytes.get(next + 1) != Some(&b'='),
        _ => false,
    }
}

pub(super) fn end_of_string(bytes: &[u8], start: usize) -> usize {
    let quote = bytes[start];
    let mut at = start + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            byte if byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

fn end_of(bytes: &[u8], start: usize, mut belongs: impl FnMut(u8) -> bool) -> usize {
    start + bytes[start..].iter().take_while(|byte| belongs(**byte)).count()
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_paths_and_spells_them() {
        for (expression, expected, spelled) in [
            ("params.port", vec!["params.port"], "params.port"),
            ("phases.init-db.outputs.url", vec!["phases.init-db.outputs.url"], r#"phases["init-db"]["outputs"]["url"]"#),
            (r#"phases["a[b]"].outputs.x"#, vec!["phases.a[b].outputs.x"], r#"phases["a[b]"].outputs.x"#),
            ("params.a - params.b", vec!["params.a", "params.b"], "params.a - params.b"),
            ("params.x | default('params.y') | upper", vec!["params.x"], "params.x | default('params.y') | upper"),
            ("range(params.n)", vec!["params.n"], "range(params.n)"),
            ("params.x is defined and not item", vec!["params.x", "item"], "params.x is defined and not item"),
            ("params.x is not divisibleby(3)", vec!["params.x"], "params.x is not divisibleby(3)"),
            ("dict(a=item)", vec!["item"], "dict(a=item)"),
            ("phases[item].outputs.x", vec!["phases", "item"], "phases[item].outputs.x"),
            ("'a' ~ item[0] ~ \"é\"", vec!["item.0"], "'a' ~ item[0] ~ \"é\""),
            ("1.5e3 + x", vec!["x"], "1.5e3 + x"),
        ] {
            let (found, text) = paths(expression, 0);
            let names: Vec<String> = found.iter().map(|reference| reference.path.join(".")).collect();
            assert_eq!(names, expected, "{expression}");
            assert_eq!(text, spelled, "{expression}");
        }
    }
}
