//! Bytes → text → tree, and back.

use std::sync::Arc;

use super::{compose::Composer, explain};
use crate::base::diagnostic::{Diagnostic, Source};
use crate::manifest::node::{Data, Node, Place, SourceId};

/// The largest manifest that is read, in bytes. A goal of 10,000 phases has about 2 MB.
pub const MAX_BYTES: usize = 8 << 20;

/// Takes a file's bytes as text.
///
/// A byte order mark is dropped, so that places count from the first visible character.
///
/// # Errors
/// A diagnostic for a file that is too big or not UTF-8.
pub fn source(path: &str, bytes: Vec<u8>) -> Result<Source, Box<Diagnostic>> {
    if bytes.len() > MAX_BYTES {
        let message = format!("the file has {} bytes, a manifest has at most {MAX_BYTES}", bytes.len());
        let hint = "split it with `include:`, or move data into a file that a phase reads";
        return Err(whole_file(path, "file-too-big", message).hint(hint).into());
    }
    let mut text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..at].split(|byte| *byte == b'\n').count();
        whole_file(path, "not-utf-8", format!("the file is not UTF-8: byte {at}, in line {line}, starts no character"))
            .hint("save it as UTF-8 (most editors have \"Save with encoding\")")
    })?;
    if text.starts_with('\u{feff}') {
        text.drain(..'\u{feff}'.len_utf8());
    }
    Ok(Source { path: path.to_owned(), text })
}

/// A finding about a file as a whole.
fn whole_file(path: &str, rule: &'static str, message: String) -> Diagnostic {
    let source = Source { path: path.to_owned(), text: String::new() };
    explain::at(&Arc::new(source), 0..0, rule, message)
}

/// Reads a text into a tree.
///
/// # Errors
/// The first error of syntax, and every duplicate key and unknown alias before it.
pub fn parse(source: &Arc<Source>, id: SourceId) -> Result<Node, Vec<Diagnostic>> {
    match read(source, id) {
        Read { node: Some(node), found, .. } if found.is_empty() => Ok(node),
        Read { found, .. } => Err(found),
    }
}

/// A text that was read as far as it could be.
#[derive(Debug)]
pub struct Read {
    /// The tree, also where the text has duplicate keys and unknown aliases: the first of a key counts, and such an alias is nothing. None
    /// where the syntax ends it.
    pub node: Option<Node>,
    /// What is wrong.
    pub found: Vec<Diagnostic>,
    /// Where the tree lacks something for that: the place of a key, or of a value.
    pub lost: Vec<Place>,
}

/// The same, with all that could be read.
pub fn read(source: &Arc<Source>, id: SourceId) -> Read {
    Composer::new(source, id).document()
}

/// Reads one value as YAML would read it unquoted: for `--set key=value`.
///
/// What is not one scalar is the text itself.
pub fn scalar(text: &str) -> serde_json::Value {
    let source = Arc::new(Source { path: String::new(), text: text.to_owned() });
    match parse(&source, SourceId(0)) {
        Ok(node) if !matches!(node.data, Data::Map(_) | Data::List(_) | Data::Null) => node.to_value(),
        _ => serde_json::Value::String(text.to_owned()),
    }
}

/// Why a value cannot be written as YAML.
#[derive(Debug, thiserror::Error)]
#[error("failed to write YAML: {0}")]
pub struct WriteError(String);

/// Writes a value as YAML.
///
/// # Errors
/// For values that YAML cannot hold, such as a map with lists as keys.
pub fn write(value: &impl serde::Serialize) -> Result<String, WriteError> {
    serde_yaml::to_string(value).map_err(|error| WriteError(error.to_string()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::manifest::node::{Aim, Document};

    fn document(text: &str) -> Result<Document, Vec<Diagnostic>> {
        let source = Arc::new(source("t.yaml", text.as_bytes().to_vec()).map_err(|error| vec![*error])?);
        Ok(Document { root: parse(&source, SourceId(0))?, sources: vec![source] })
    }

    #[test]
    fn places_are_those_of_the_text() {
        let text = "é: { k: 'v w' }\nlist:\n- a\n- { b: \"c\" }\nblock: |\n  x\n  y\n";
        let document = super::tests::document(text).expect("it is YAML");
        for (path, aim, expected) in [
            (vec!["é"], Aim::Key, "é"),
            (vec!["é", "k"], Aim::Value, "'v w'"),
            (vec!["list", "0"], Aim::Value, "a"),
            (vec!["list", "1", "b"], Aim::Value, "\"c\""),
            (vec!["list", "1"], Aim::Value, "b"),
            (vec!["list"], Aim::Value, "list"),
            (vec!["list", "7"], Aim::Value, "list"),
            (vec!["nothing"], Aim::Key, "é"),
        ] {
            assert_eq!(&text[document.place(&path, aim).range()], expected, "{path:?}");
        }
        assert_eq!(document.root.to_value(), json!({ "é": { "k": "v w" }, "list": ["a", { "b": "c" }], "block": "x\ny\n" }));
    }

    #[test]
    fn a_value_of_the_command_line_is_one_scalar() {
        for (text, value) in [
            ("9000", json!(9000)),
            ("true", json!(true)),
            ("a b", json!("a b")),
            ("[1]", json!("[1]")),
            ("", json!("")),
            ("a: b", json!("a: b")),
        ] {
            assert_eq!(scalar(text), value, "{text}");
        }
    }

    #[test]
    fn reads_what_the_serde_crate_reads() {
        // The crate's own reader resolves words by YAML 1.1 unless told otherwise; structure, quotes and blocks must be the same.
        for text in [
            "a: { b: [1, two, 'three'], c: \"d\\te\" }\n",
            "a: &x { b: 1 }\nc: *x\nd: { <<: *x, e: 2 }\n",
            "a: >-\n  folded\n  text\n\n  more\nb: |+\n  kept\n\n",
            "- - 1\n  - 2\n- a: b\n  c: d\n",
            "? a\n: b\n\"q\": ~\n",
            "a: plain\n  over lines\nb: 'it''s'\nc: # comment\n  d\n",
        ] {
            let theirs: serde_json::Value = serde_yaml::from_str(text).expect(text);
            assert_eq!(document(text).expect(text).root.to_value(), theirs, "{text}");
        }
    }

    #[test]
    fn what_is_written_reads_back() {
        let value = json!({ "a": "no", "b": "1m30s", "c": "010", "d": ["x: y", "", " z ", "é\n"], "e": { "f": null, "g": 1.5 }, "h": "~", "i": "{{ x }}" });
        let text = write(&value).expect("it can be written");
        assert_eq!(document(&text).expect(&text).root.to_value(), value, "{text}");
    }
}
