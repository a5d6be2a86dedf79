//! Events of the parser → nodes: anchors, aliases, merge keys, duplicate keys, and the limits that keep a hostile file cheap.
//!
//! Frames on an explicit stack, so that depth costs no stack of ours. Every node counts against one budget, also those that an
//! alias repeats: a bomb ends where it would explode.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use indexmap::IndexMap;
use serde_yaml::granit_parser::{Event, Options, Parser, ScalarStyle, Span, Tag};

use super::explain;
use super::read::Read;
use super::scalar::{NoSuchNumber, resolve};
use crate::base::diagnostic::{Diagnostic, Source, nearest};
use crate::manifest::node::{Data, Entry, Node, Place, SourceId};

/// How deep a manifest may nest. The deepest the schema knows is about 14.
pub(super) const MAX_DEPTH: usize = 32;
/// How many nodes a manifest may have, those that aliases repeat included. A goal of 10,000 phases has about 200,000.
const MAX_NODES: usize = 1_000_000;

/// How many bytes of text aliases may repeat: a bomb of long texts ends here.
const MAX_REPEATED: usize = 16 << 20;

/// What ends the reading.
type Fatal = Box<Diagnostic>;

/// A finished node under its anchor.
struct Anchored {
    node: Node,
    size: Size,
}

/// How big a tree is.
#[derive(Clone, Copy)]
struct Size {
    nodes: usize,
    height: usize,
    bytes: usize,
}

/// A collection that is still open.
enum Frame {
    List { items: Vec<Node>, place: Place, anchor: usize },
    Map { entries: IndexMap<String, Entry>, merged: Vec<(Place, Node)>, key: Option<(String, Place, bool)>, place: Place, anchor: usize },
}

/// Builds the tree of one text.
pub(super) struct Composer<'a> {
    source: &'a Arc<Source>,
    id: SourceId,
    stack: Vec<Frame>,
    anchors: HashMap<usize, Anchored>,
    anchor_names: Vec<String>,
    nodes: usize,
    repeated: usize,
    root: Option<Node>,
    found: Vec<Diagnostic>,
    lost: Vec<Place>,
}

impl<'a> Composer<'a> {
    pub(super) fn new(source: &'a Arc<Source>, id: SourceId) -> Self {
        Self {
            source,
            id,
            stack: Vec::new(),
            anchors: HashMap::new(),
            anchor_names: Vec::new(),
            nodes: 0,
            repeated: 0,
            root: None,
            found: Vec::new(),
            lost: Vec::new(),
        }
    }

    /// Reads the one document of the text.
    pub(super) fn document(mut self) -> Read {
        let mut options = Options::default();
        options.strict_indentation = true;
        options.emit_unresolved_aliases = true;
        options.emit_anchor_events = true;
        options.flow_nesting_limit = MAX_DEPTH;
        options.block_nesting_limit = MAX_DEPTH;
        options.set_emit_comments(false);
        let source = self.source;
        for event in Parser::new_from_str_with_options(&source.text, options) {
            let step = match event {
                Ok((event, span)) => self.event(event, span),
                Err(error) => Err(explain::syntax(source, &error).into()),
            };
            if let Err(fatal) = step {
                self.found.push(*fatal);
                return Read { node: None, found: self.found, lost: self.lost };
            }
        }
        let root = self.root.take().filter(|root| !(root.data == Data::Null && root.place.start == root.place.end));
        if root.is_none() && self.found.is_empty() {
            self.found.push(
                explain::at(source, 0..0, "empty-file", "the file is empty")
                    .hint("a manifest needs at least `version`, `name` and `phases`; `sculpt init` writes one"),
            );
        }
        Read { node: root, found: self.found, lost: self.lost }
    }

    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), Fatal> {
        let place = self.place(span);
        match event {
            Event::DocumentStart(..) if self.root.is_some() => Err(self
                .error(place, "several-documents", "the file holds more than one YAML document")
                .hint("a goal is one document: split the file at `---`")
                .into()),
            Event::Scalar(text, style, anchor, tag) => self.scalar(text, style, anchor, tag.as_deref(), place),
            Event::SequenceStart(_, anchor, tag) => {
                self.collection_tag(tag.as_deref(), "seq", place)?;
                self.open(Frame::List { items: Vec::new(), place: place.point(), anchor }, place)
            }
            Event::MappingStart(_, anchor, tag) => {
                self.collection_tag(tag.as_deref(), "map", place)?;
                self.open(Frame::Map { entries: IndexMap::new(), merged: Vec::new(), key: None, place: place.point(), anchor }, place)
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::Anchor(_, name) => {
                self.anchor_names.push(name.into_owned());
                Ok(())
            }
            Event::Alias(anchor) => self.alias(anchor, place),
            Event::UnresolvedAlias(name) => self.unknown_alias(&name, place),
            _ => Ok(()),
        }
    }

    fn scalar(&mut self, text: Cow<'_, str>, style: ScalarStyle, anchor: usize, tag: Option<&Tag>, place: Place) -> Result<(), Fatal> {
        let plain = style == ScalarStyle::Plain;
        if self.wants_key() && tag.is_none() {
            let merge = plain && text == "<<";
            self.count(1, place)?;
            self.key(&text, place, merge);
            return Ok(());
        }
        let is_text = match tag.map(|tag| (tag.core_suffix(), tag)) {
            None => !plain,
            Some((Some("str"), _)) => true,
            Some((Some("int" | "float" | "bool" | "null"), _)) => false,
            Some((_, tag)) => return Err(self.unknown_tag(tag, place).into()),
        };
        let data = if is_text {
            Data::Text(text.into_owned())
        } else {
            resolve(&text).map_err(|NoSuchNumber| {
                self.error(place, "number-range", format!("`{text}` is a number that JSON does not have")).hint("quote it if it is a text")
            })?
        };
        self.finish(Node { data, place }, anchor)
    }

    fn alias(&mut self, anchor: usize, place: Place) -> Result<(), Fatal> {
        let Some(anchored) = self.anchors.get(&anchor) else {
            return Err(self
                .error(place, "recursive-alias", "this alias stands inside its own anchor")
                .hint("a manifest has no cycles: write the value out")
                .into());
        };
        let size = anchored.size;
        if self.stack.len() + size.height > MAX_DEPTH {
            return Err(explain::too_deep(self.source, place.range()).into());
        }
        self.repeat(size, place)?;
        let node = self.anchors[&anchor].node.clone();
        if self.wants_key() {
            return match node.data {
                Data::Text(text) => {
                    self.key(&text, place, false);
                    Ok(())
                }
                _ => Err(self.not_a_key(place).into()),
            };
        }
        self.put(node)
    }

    fn unknown_alias(&mut self, name: &str, place: Place) -> Result<(), Fatal> {
        let mut found = self.error(place, "unknown-anchor", format!("no anchor `&{name}` stands before this alias"));
        match nearest(name, self.anchor_names.iter().map(String::as_str)) {
            Some(near) => found = found.hint(format!("did you mean `*{near}`?")).replace_with(format!("*{near}")),
            None => found = found.hint(format!("write `&{name}` at the value, above its first use; quote the text if it is not an alias")),
        }
        self.found.push(found);
        self.lost.push(place);
        if self.wants_key() {
            self.key(name, place, false);
            return Ok(());
        }
        self.put(Node { data: Data::Null, place })
    }

    fn open(&mut self, frame: Frame, place: Place) -> Result<(), Fatal> {
        if self.wants_key() {
            return Err(self.not_a_key(place).into());
        }
        if self.stack.len() >= MAX_DEPTH {
            return Err(explain::too_deep(self.source, place.range()).into());
        }
        self.count(1, place)?;
        self.stack.push(frame);
        Ok(())
    }

    fn close(&mut self) -> Result<(), Fatal> {
        match self.stack.pop() {
            Some(Frame::List { items, place, anchor }) => self.finish_open(Node { data: Data::List(items), place }, anchor),
            Some(Frame::Map { mut entries, merged, place, anchor, .. }) => {
                for (at, value) in merged {
                    self.merge(&mut entries, value, at)?;
                }
                self.finish_open(Node { data: Data::Map(entries), place }, anchor)
            }
            None => Ok(()),
        }
    }

    /// Adds what `<<` brings: keys written out win over merged ones, earlier ones over later ones.
    fn merge(&mut self, entries: &mut IndexMap<String, Entry>, value: Node, at: Place) -> Result<(), Fatal> {
        match value.data {
            Data::Map(map) => {
                for (key, entry) in map {
                    entries.entry(key).or_insert(entry);
                }
                Ok(())
            }
            Data::List(items) if items.iter().all(|item| item.map().is_some()) => {
                items.into_iter().try_for_each(|item| self.merge(entries, item, at))
            }
            _ => Err(self
                .error(at, "merge-key", "`<<` takes a mapping or a list of mappings")
                .hint("write `<<: *anchor` or `<<: [*one, *two]`")
                .into()),
        }
    }

    fn finish(&mut self, node: Node, anchor: usize) -> Result<(), Fatal> {
        self.count(1, node.place)?;
        self.finish_open(node, anchor)
    }

    /// Keeps a finished node under its anchor and hands it to its parent.
    fn finish_open(&mut self, node: Node, anchor: usize) -> Result<(), Fatal> {
        if anchor != 0 {
            let size = measure(&node);
            // The copy under the anchor is memory too.
            self.repeat(size, node.place)?;
            self.anchors.insert(anchor, Anchored { node: node.clone(), size });
        }
        self.put(node)
    }

    fn put(&mut self, node: Node) -> Result<(), Fatal> {
        match self.stack.last_mut() {
            Some(Frame::List { items, .. }) => items.push(node),
            Some(Frame::Map { entries, merged, key, place, .. }) => match key.take() {
                Some((_, at, true)) => merged.push((at, node)),
                Some((name, at, false)) => {
                    entries.entry(name).or_insert(Entry { key: at, node });
                }
                None => {
                    let place = *place;
                    return Err(self.not_a_key(place).into());
                }
            },
            None => self.root = Some(node),
        }
        Ok(())
    }

    fn key(&mut self, text: &str, at: Place, merge: bool) {
        let mut first = None;
        if let Some(Frame::Map { entries, key, .. }) = self.stack.last_mut() {
            first = entries.get(text).filter(|_| !merge).map(|entry| entry.key);
            *key = Some((text.to_owned(), at, merge));
        }
        if let Some(first) = first {
            let (line, _) = self.source.position(first.range().start);
            let found = self
                .error(at, "duplicate-key", format!("the key `{text}` is written twice"))
                .label(format!("first written in line {line}"))
                .hint("keep one of them: the other would be lost without a word");
            self.found.push(found);
            self.lost.push(first);
        }
    }

    fn wants_key(&self) -> bool {
        matches!(self.stack.last(), Some(Frame::Map { key: None, .. }))
    }

    /// Counts a copy of an anchor's tree.
    fn repeat(&mut self, size: Size, place: Place) -> Result<(), Fatal> {
        self.repeated += size.bytes;
        self.count(if self.repeated > MAX_REPEATED { MAX_NODES } else { size.nodes }, place)
    }

    fn count(&mut self, nodes: usize, place: Place) -> Result<(), Fatal> {
        self.nodes += nodes;
        if self.nodes <= MAX_NODES {
            return Ok(());
        }
        Err(self
            .error(place, "too-many-values", "the file, its aliases followed, is bigger than a manifest may be")
            .hint("use fewer aliases (`*name`), or `for_each:` and `uses:`")
            .into())
    }

    fn collection_tag(&self, tag: Option<&Tag>, own: &str, place: Place) -> Result<(), Fatal> {
        match tag {
            Some(tag) if tag.core_suffix() != Some(own) => Err(self.unknown_tag(tag, place).into()),
            _ => Ok(()),
        }
    }

    fn unknown_tag(&self, tag: &Tag, place: Place) -> Diagnostic {
        self.error(place, "unknown-tag", format!("the tag `{}` means nothing here", tag.original()))
            .hint("quote the text if the exclamation mark belongs to it")
    }

    /// A mapping, a list or nothing where a key should stand. Mostly a template that was not quoted.
    fn not_a_key(&self, place: Place) -> Diagnostic {
        let text = &self.source.text;
        let start = place.range().start;
        let brace = if text[..start].ends_with('{') { start - 1 } else { start };
        if text[brace..].starts_with("{{") {
            let line_end = text[brace..].find(['\n', '\r']).map_or(text.len(), |end| brace + end);
            let span = brace..text[brace..line_end].rfind("}}").map_or(line_end, |end| brace + end + 2);
            return explain::at(self.source, span.clone(), "unquoted-template", "a template must be quoted")
                .hint("quote it: YAML reads a bare `{` as the start of a mapping")
                .replace_with(format!("\"{}\"", text[span].replace('"', "'")));
        }
        self.error(place, "yaml-syntax", "this is not YAML: a key must be a plain text")
    }

    fn error(&self, place: Place, rule: &'static str, message: impl Into<String>) -> Diagnostic {
        explain::at(self.source, place.range(), rule, message)
    }

    fn place(&self, span: Span) -> Place {
        let bound = |byte: usize| u32::try_from(byte).unwrap_or(u32::MAX);
        let start = explain::byte(&self.source.text, span.start);
        let end = explain::byte(&self.source.text, span.end);
        Place { source: self.id, start: bound(start), end: bound(end.max(start)) }
    }
}

/// How big a tree is. Trees are at most `MAX_DEPTH` high.
fn measure(node: &Node) -> Size {
    let sum = |total: Size, (key, node): (usize, &Node)| {
        let below = measure(node);
        Size { nodes: total.nodes + below.nodes, height: total.height.max(below.height + 1), bytes: total.bytes + key + below.bytes }
    };
    let own = Size { nodes: 1, height: 1, bytes: 0 };
    match &node.data {
        Data::List(items) => items.iter().map(|item| (0, item)).fold(own, sum),
        Data::Map(map) => map.iter().map(|(key, entry)| (key.len(), &entry.node)).fold(own, sum),
        Data::Text(text) => Size { nodes: 1, height: 0, bytes: text.len() },
        _ => Size { nodes: 1, height: 0, bytes: 0 },
    }
}
