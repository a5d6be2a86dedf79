//! Phases → instances: profiles choose, loops multiply.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use indexmap::IndexMap;
use serde_json::Value;

use super::compile::Inputs;
use super::error::{MAX_PHASES, PlanError};
use crate::base::name::Name;
use crate::manifest::goal::{EnvValue, Goal};
use crate::manifest::phase::{ForEach, Phase};
use crate::manifest::template::{self, Context};

/// How long the values in an instance's name may be: the name is also that of a directory.
const MAX_LABEL: usize = 100;

/// A phase that takes part, or one turn of its loop.
pub(super) struct Instance<'a> {
    pub(super) name: Name,
    pub(super) origin: &'a Name,
    pub(super) spec: &'a Phase,
    pub(super) bindings: BTreeMap<String, Value>,
}

/// The instances of one section of the manifest, in its order.
pub(super) struct Section<'a> {
    pub(super) declared: &'a IndexMap<Name, Phase>,
    pub(super) instances: Vec<Instance<'a>>,
    /// The instances of each phase that takes part.
    pub(super) of: HashMap<&'a Name, Range<usize>>,
}

/// Expands `phases` or `finally`.
pub(super) fn expand<'a>(
    goal: &'a Goal,
    declared: &'a IndexMap<Name, Phase>,
    inputs: &Inputs,
    already: usize,
    errors: &mut Vec<PlanError>,
) -> Section<'a> {
    let mut instances = Vec::with_capacity(declared.len());
    let mut of = HashMap::with_capacity(declared.len());
    for (origin, spec) in declared {
        if !spec.profiles.is_empty() && !spec.profiles.iter().any(|profile| inputs.profiles.contains(profile)) {
            continue;
        }
        let first = instances.len();
        match turns(goal, origin, spec, inputs, MAX_PHASES.saturating_sub(already + first)) {
            Ok(Turns::One) => instances.push(Instance { name: origin.clone(), origin, spec, bindings: BTreeMap::new() }),
            Ok(Turns::Many(turns)) => {
                instances.extend(named(origin, turns).map(|(name, bindings)| Instance { name, origin, spec, bindings }));
            }
            Err(error) => errors.push(error),
        }
        of.insert(origin, first..instances.len());
    }
    Section { declared, instances, of }
}

enum Turns {
    /// No loop.
    One,
    /// For each turn its values, for the name, and its binding.
    Many(Vec<(Vec<Value>, (String, Value))>),
}

fn turns(goal: &Goal, origin: &Name, spec: &Phase, inputs: &Inputs, room: usize) -> Result<Turns, PlanError> {
    let too_many = || PlanError::TooManyPhases { phase: origin.clone() };
    if let Some(values) = &spec.for_each {
        let values = match values {
            ForEach::Values(values) => values.clone(),
            ForEach::Expression(expression) => {
                let value = template::evaluate(expression, &context(goal, spec, inputs))
                    .map_err(|source| PlanError::Loop { phase: origin.clone(), source })?;
                let Value::Array(values) = value else {
                    return Err(PlanError::NotAList { phase: origin.clone(), found: described(&value) });
                };
                values
            }
        };
        if values.len() > room {
            return Err(too_many());
        }
        return Ok(Turns::Many(values.into_iter().map(|value| (vec![value.clone()], ("item".to_owned(), value))).collect()));
    }
    if spec.matrix.is_empty() {
        return if room == 0 { Err(too_many()) } else { Ok(Turns::One) };
    }
    let count = spec.matrix.values().try_fold(1_usize, |count, values| count.checked_mul(values.len()));
    if count.is_none_or(|count| count > room) {
        return Err(too_many());
    }
    // As nested loops, the first axis outermost.
    let mut combinations: Vec<Vec<Value>> = vec![Vec::new()];
    for values in spec.matrix.values() {
        combinations =
            combinations.iter().flat_map(|earlier| values.iter().map(|value| earlier.iter().chain([value]).cloned().collect())).collect();
    }
    let bound = combinations.into_iter().map(|values| {
        let axes = spec.matrix.keys().map(|axis| axis.as_str().to_owned()).zip(values.iter().cloned()).collect();
        (values, ("matrix".to_owned(), Value::Object(axes)))
    });
    Ok(Turns::Many(bound.collect()))
}

/// Names such as `build[a]` and `pack[1,name]`. Values that look alike are told apart: `build[a~2]`.
fn named(origin: &Name, turns: Vec<(Vec<Value>, (String, Value))>) -> impl Iterator<Item = (Name, BTreeMap<String, Value>)> {
    let mut seen: HashMap<String, usize> = HashMap::new();
    turns.into_iter().map(move |(values, binding)| {
        let mut label = values.iter().map(label).collect::<Vec<_>>().join(",");
        label.truncate(MAX_LABEL);
        let times = seen.entry(label.clone()).or_default();
        *times += 1;
        let name = if *times == 1 { format!("{origin}[{label}]") } else { format!("{origin}[{label}~{times}]") };
        (Name::new(name), BTreeMap::from([binding]))
    })
}

/// A value as a part of a name: ASCII, safe as a file name.
fn label(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    text.chars().map(|char| if char.is_ascii_alphanumeric() || matches!(char, '.' | '_' | '-') { char } else { '-' }).collect()
}

fn described(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(truth) => format!("`{truth}`"),
        Value::Number(number) => format!("the number {number}"),
        Value::String(_) => "a text".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a map".to_owned(),
    }
}

/// What a `for_each` sees: params, and the environment as far as it is known before the run.
fn context(goal: &Goal, spec: &Phase, inputs: &Inputs) -> Context {
    let context = Context::new().with("params", &inputs.params);
    let mut env: BTreeMap<&str, String> = inputs.env.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
    let templates = goal.templates != Some(false) && spec.templates != Some(false);
    for (name, value) in goal.env.iter().chain(&spec.env) {
        // What only the run knows stays undefined: an expression that names it has an error.
        match value {
            EnvValue::Text(text) if templates => match template::render(text, &context) {
                Ok(text) => env.insert(name, text),
                Err(_) => env.remove(name.as_str()),
            },
            value => env.insert(name, value.to_string()),
        };
    }
    context.with("env", &env)
}
