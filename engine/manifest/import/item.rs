//! A value of the file with the keys that lead to it.

use crate::manifest::node::{Data, Node, Place};

/// A value of the file, the keys that lead to it, and where to point for it.
#[derive(Clone, Debug)]
pub(super) struct Item<'a> {
    /// The keys: `services.web.ports[0]`.
    pub(super) path: String,
    /// The key, or the value where it stands under none.
    pub(super) place: Place,
    /// The value.
    pub(super) node: &'a Node,
}

impl<'a> Item<'a> {
    /// The whole file.
    pub(super) fn root(node: &'a Node) -> Self {
        Self { path: String::new(), place: node.place, node }
    }

    /// The value under a key; none where it is missing or `null`.
    pub(super) fn get(&self, key: &str) -> Option<Self> {
        self.entries().find(|(name, item)| *name == key && item.node.data != Data::Null).map(|(_, item)| item)
    }

    /// The value at the end of several keys.
    pub(super) fn at(&self, keys: &[&str]) -> Option<Self> {
        keys.iter().try_fold(self.clone(), |item, key| item.get(key))
    }

    /// The entries, where this is a mapping.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&'a str, Self)> + use<'a> {
        let path = self.path.clone();
        self.node.map().into_iter().flatten().map(move |(key, entry)| {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            (key.as_str(), Self { path, place: entry.key, node: &entry.node })
        })
    }

    /// The elements, where this is a list.
    pub(super) fn elements(&self) -> impl Iterator<Item = Self> + use<'a> {
        let path = self.path.clone();
        let elements = if let Data::List(elements) = &self.node.data { elements.as_slice() } else { &[] };
        elements.iter().enumerate().map(move |(index, node)| {
            let place = node.map().and_then(|map| map.first()).map_or(node.place, |(_, entry)| entry.key);
            Self { path: format!("{path}[{index}]"), place, node }
        })
    }

    /// The elements of a list, or the one value itself.
    pub(super) fn one_or_many(&self) -> Vec<Self> {
        match self.node.data {
            Data::List(_) => self.elements().collect(),
            Data::Null => Vec::new(),
            _ => vec![self.clone()],
        }
    }

    /// A scalar as the text that it is written as.
    pub(super) fn scalar(&self) -> Option<String> {
        match &self.node.data {
            Data::Text(text) => Some(text.clone()),
            Data::Number(number) => Some(number.to_string()),
            Data::Bool(truth) => Some(truth.to_string()),
            Data::Null | Data::List(_) | Data::Map(_) => None,
        }
    }

    /// Whether it is a list.
    pub(super) fn is_list(&self) -> bool {
        matches!(self.node.data, Data::List(_))
    }

    /// Whether it asks for nothing: nothing, `false`, or empty.
    pub(super) fn asks_for_nothing(&self) -> bool {
        match &self.node.data {
            Data::Null | Data::Bool(false) => true,
            Data::Text(text) => text.is_empty(),
            Data::List(items) => items.is_empty(),
            Data::Map(map) => map.is_empty(),
            Data::Bool(true) | Data::Number(_) => false,
        }
    }
}
