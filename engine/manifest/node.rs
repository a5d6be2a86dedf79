//! The tree of a manifest: values that know their place, also across included files.

use std::ops::Range;
use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::{Map, Value};

use crate::base::diagnostic::{Diagnostic, Severity, Source};

/// Which of a document's sources a node comes from: its index in [`Document::sources`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceId(pub u32);

/// A stretch of one source, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The text.
    pub source: SourceId,
    /// The first byte.
    pub start: u32,
    /// The byte after the last; the same as `start` for a mapping or a list.
    pub end: u32,
}

impl Place {
    /// The start of the file that was named: for what stands in no text.
    pub const NOWHERE: Self = Self { source: SourceId(0), start: 0, end: 0 };

    /// Its first byte only: a mapping and a list are pointed at by their start.
    pub fn point(self) -> Self {
        Self { end: self.start, ..self }
    }

    /// The stretch as a range of bytes.
    pub fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// What a node holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Data {
    /// Nothing, or `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(serde_json::Number),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A mapping, in the order of the file.
    Map(IndexMap<String, Entry>),
}

/// A value and its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// The value.
    pub data: Data,
    /// Where the value stands; where an alias was followed, where the anchor stands.
    pub place: Place,
}

/// A value under a key.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Where the key stands.
    pub key: Place,
    /// The value.
    pub node: Node,
}

impl Node {
    /// The entries, where this is a mapping.
    pub fn map(&self) -> Option<&IndexMap<String, Entry>> {
        if let Data::Map(map) = &self.data { Some(map) } else { None }
    }

    /// The entries, to change them, where this is a mapping.
    pub fn map_mut(&mut self) -> Option<&mut IndexMap<String, Entry>> {
        if let Data::Map(map) = &mut self.data { Some(map) } else { None }
    }

    /// The value under a key, where this is a mapping that has it.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.map()?.get(key).map(|entry| &entry.node)
    }

    /// The text, where this is one.
    pub fn text(&self) -> Option<&str> {
        if let Data::Text(text) = &self.data { Some(text) } else { None }
    }

    /// The value without its places.
    pub fn to_value(&self) -> Value {
        match &self.data {
            Data::Null => Value::Null,
            Data::Bool(value) => Value::Bool(*value),
            Data::Number(number) => Value::Number(number.clone()),
            Data::Text(text) => Value::String(text.clone()),
            Data::List(items) => Value::Array(items.iter().map(Node::to_value).collect()),
            Data::Map(map) => Value::Object(map.iter().map(|(key, entry)| (key.clone(), entry.node.to_value())).collect::<Map<_, _>>()),
        }
    }

    /// Calls `f` with the path of every entry and element below this node, and its places: that of the key where it has one, and its own.
    pub fn each_path(&self, path: &mut Vec<String>, f: &mut impl FnMut(&[String], &[Place])) {
        let mut step = |step: String, places: &[Place], node: &Self| {
            path.push(step);
            f(path, places);
            node.each_path(path, f);
            path.pop();
        };
        match &self.data {
            Data::List(items) => items.iter().enumerate().for_each(|(index, item)| step(index.to_string(), &[item.place], item)),
            Data::Map(map) => map.iter().for_each(|(key, entry)| step(key.clone(), &[entry.key, entry.node.place], &entry.node)),
            _ => {}
        }
    }

    /// Calls `f` with every text at or below this node, and the keys that lead to it.
    pub fn each_text<'a>(&'a self, path: &mut Vec<&'a str>, f: &mut impl FnMut(&[&'a str], &'a str, Place)) {
        match &self.data {
            Data::Text(text) => f(path, text, self.place),
            Data::List(items) => items.iter().for_each(|item| item.each_text(path, f)),
            Data::Map(map) => {
                for (key, entry) in map {
                    path.push(key);
                    entry.node.each_text(path, f);
                    path.pop();
                }
            }
            Data::Null | Data::Bool(_) | Data::Number(_) => {}
        }
    }
}

/// A whole manifest: the file that was named and everything it includes, as one tree.
#[derive(Clone, Debug)]
pub struct Document {
    /// The texts that were read; the first is the file that was named.
    pub sources: Vec<Arc<Source>>,
    /// The tree.
    pub root: Node,
}

/// Where a diagnostic points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aim {
    /// At the key of the entry.
    Key,
    /// At its value, or its key where the value is a mapping or a list over several lines.
    Value,
}

impl Document {
    /// The node at a path of keys and list indices.
    pub fn node(&self, path: &[&str]) -> Option<&Node> {
        path.iter().try_fold(&self.root, |node, step| match &node.data {
            Data::Map(map) => map.get(*step).map(|entry| &entry.node),
            Data::List(items) => items.get(step.parse::<usize>().ok()?),
            _ => None,
        })
    }

    /// The place of what stands at a path; the nearest parent's where nothing does.
    pub fn place(&self, path: &[&str], aim: Aim) -> Place {
        let mut node = &self.root;
        let mut key = None;
        for step in path {
            let next = match &node.data {
                Data::Map(map) => map.get(*step).map(|entry| (Some(entry.key), &entry.node)),
                Data::List(items) => step.parse().ok().and_then(|index: usize| items.get(index)).map(|item| (None, item)),
                _ => None,
            };
            let Some((next_key, next_node)) = next else { break };
            // An element of a list has no key: its own start is the best that a point can be.
            key = next_key.or_else(|| if next_node.place.end > next_node.place.start { None } else { first_key(next_node).or(key) });
            node = next_node;
        }
        let scalar = node.place.end > node.place.start && !matches!(node.data, Data::Map(_) | Data::List(_));
        match (aim, key) {
            (Aim::Value, _) if scalar => node.place,
            (_, Some(key)) => key,
            (_, None) => first_key(node).unwrap_or(node.place),
        }
    }

    /// A diagnostic at a place of this document.
    pub fn diagnostic(&self, severity: Severity, rule: &'static str, place: Place, message: impl Into<String>) -> Diagnostic {
        let source = self.sources.get(place.source.0 as usize).cloned();
        Diagnostic {
            severity,
            rule,
            message: message.into(),
            source,
            span: place.range(),
            label: None,
            hints: Vec::new(),
            replacement: None,
        }
    }

    /// An error at the value of a path.
    pub fn error_at(&self, path: &[&str], rule: &'static str, message: impl Into<String>) -> Diagnostic {
        self.diagnostic(Severity::Error, rule, self.place(path, Aim::Value), message)
    }

    /// An error at the key of a path.
    pub fn error_at_key(&self, path: &[&str], rule: &'static str, message: impl Into<String>) -> Diagnostic {
        self.diagnostic(Severity::Error, rule, self.place(path, Aim::Key), message)
    }

    /// A warning at the value of a path.
    pub fn warning_at(&self, path: &[&str], rule: &'static str, message: impl Into<String>) -> Diagnostic {
        self.diagnostic(Severity::Warning, rule, self.place(path, Aim::Value), message)
    }

    /// `file:line` of a place, to name the other end of a clash.
    pub fn name_place(&self, place: Place) -> String {
        match self.sources.get(place.source.0 as usize) {
            Some(source) => format!("{}:{}", source.path, source.position(place.range().start).0),
            None => "elsewhere".to_owned(),
        }
    }
}

fn first_key(node: &Node) -> Option<Place> {
    match &node.data {
        Data::Map(map) => map.first().map(|(_, entry)| entry.key),
        _ => None,
    }
}
