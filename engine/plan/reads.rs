//! Whose outputs a phase reads: the phases that its texts name.

use std::collections::{BTreeSet, HashMap};

use serde_json::Value;

use super::sealed::{PhaseIx, PlannedPhase};
use crate::manifest::phase::{Condition, Phase};
use crate::manifest::template::{self, Reference};

/// The keys of a phase whose texts are no templates.
const PLAIN: [&str; 8] = ["description", "profiles", "uses", "with", "timeout", "retry", "budget", "when"];

/// What the texts of one declared phase read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Mentions {
    /// Names of phases or instances.
    names: BTreeSet<String>,
    /// Names that only the run knows: computed, or in a template file.
    any: bool,
}

/// What a declared phase reads. Cheap for the many that read nothing: their text is searched once, and never parsed.
/// A phase that is no JSON, which none from a manifest is, counts as one that may read anything.
pub(super) fn mentions(spec: &Phase, buffer: &mut Vec<u8>) -> Mentions {
    let mut mentions = Mentions::default();
    if spec.templates == Some(false) {
        return mentions;
    }
    if let Some(Condition::Expression(expression)) = &spec.when {
        mentions.add(template::expression_references(expression));
    }
    mentions.any |= spec.resources.values().any(|resource| resource.file.as_ref().is_some_and(|file| file.template.is_some()));
    buffer.clear();
    if serde_json::to_writer(&mut *buffer, spec).is_err() {
        mentions.any = true;
        return mentions;
    }
    let text = String::from_utf8_lossy(buffer);
    if !text.contains("{{") || !text.contains("phases") {
        return mentions;
    }
    match serde_json::from_str(&text) {
        Ok(Value::Object(keys)) => {
            for (_, value) in keys.iter().filter(|(key, _)| !PLAIN.contains(&key.as_str())) {
                each_text(value, &mut |text| mentions.add(template::references(text)));
            }
        }
        _ => mentions.any = true,
    }
    mentions
}

fn each_text(value: &Value, f: &mut impl FnMut(&str)) {
    match value {
        Value::String(text) => f(text),
        Value::Array(items) => items.iter().for_each(|item| each_text(item, f)),
        Value::Object(map) => map.values().for_each(|value| each_text(value, f)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

impl Mentions {
    fn add(&mut self, references: Vec<Reference>) {
        for reference in references {
            match reference.path.as_slice() {
                [root] if root == "phases" => self.any = true,
                [root, name, ..] if root == "phases" => {
                    self.names.insert(name.clone());
                }
                _ => {}
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        !self.any && self.names.is_empty()
    }
}

/// Finds planned phases by name: one instance, or all of a phase.
pub(super) struct Index<'a> {
    instances: HashMap<&'a str, PhaseIx>,
    origins: HashMap<&'a str, Vec<PhaseIx>>,
}

impl<'a> Index<'a> {
    pub(super) fn new(phases: &'a [PlannedPhase]) -> Self {
        let mut index = Self { instances: HashMap::with_capacity(phases.len()), origins: HashMap::with_capacity(phases.len()) };
        for (ix, phase) in (0..).map(PhaseIx).zip(phases) {
            index.instances.insert(phase.name.as_str(), ix);
            index.origins.entry(phase.origin.as_str()).or_default().push(ix);
        }
        index
    }

    /// The phases that a planned phase reads, in the order of the plan.
    pub(super) fn reads(&self, phases: &[PlannedPhase], reader: PhaseIx, mentions: &Mentions) -> Vec<PhaseIx> {
        let mut reads: BTreeSet<PhaseIx> = BTreeSet::new();
        for name in &mentions.names {
            reads.extend(self.instances.get(name.as_str()));
            reads.extend(self.origins.get(name.as_str()).into_iter().flatten());
        }
        if mentions.any {
            reads.extend(before(phases, reader));
        }
        reads.into_iter().collect()
    }
}

/// All phases that a phase comes after.
fn before(phases: &[PlannedPhase], of: PhaseIx) -> impl Iterator<Item = PhaseIx> {
    let mut seen = vec![false; of.at()];
    let mut open = vec![of];
    while let Some(ix) = open.pop() {
        for edge in &phases[ix.at()].needs {
            if !std::mem::replace(&mut seen[edge.phase.at()], true) {
                open.push(edge.phase);
            }
        }
    }
    (0..).map(PhaseIx).zip(seen).filter_map(|(ix, seen)| seen.then_some(ix))
}
