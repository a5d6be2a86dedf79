//! Document against schema: every disagreement, with its place and the fix. The only file that knows the `jsonschema` crate.

use std::sync::OnceLock;

use jsonschema::error::{TypeKind, ValidationErrorKind as Kind};
use jsonschema::{JsonType, PatternOptions, ValidationError, Validator};
use serde_json::Value;

use super::node::Document;
use super::schema;
use crate::base::diagnostic::Diagnostic;

mod words;

use words::Finding;

/// The schema of a goal, compiled once.
fn validator() -> &'static Validator {
    static VALIDATOR: OnceLock<Validator> = OnceLock::new();
    VALIDATOR.get_or_init(|| compile(schema::goal()))
}

fn compile(schema: &Value) -> Validator {
    jsonschema::options()
        // Linear in the text, whatever the pattern.
        .with_pattern_options(PatternOptions::regex())
        .build(schema)
        .expect("the schema is generated from our types and tested")
}

/// Whether the schema accepts a value.
pub fn is_valid(value: &Value) -> bool {
    validator().is_valid(value)
}

/// One disagreement with the schema.
#[derive(Clone, Debug)]
pub struct Refused {
    /// Where: keys and numbers of elements.
    pub path: Vec<String>,
    /// What there is refused.
    pub what: What,
    /// What is told.
    pub finding: Diagnostic,
}

/// What of an entry is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// Its key.
    Key,
    /// Its value.
    Value,
    /// That it is not there.
    Missing,
}

/// Everything in a document that the schema does not accept.
pub fn validate(document: &Document, value: &Value) -> Vec<Refused> {
    if is_valid(value) {
        return Vec::new();
    }
    let mut found = Vec::new();
    for error in validator().iter_errors(value) {
        explain(document, &error, &mut found);
    }
    found
}

fn explain(document: &Document, error: &ValidationError<'_>, found: &mut Vec<Refused>) {
    let steps = steps(error.instance_path().as_str());
    let path: Vec<&str> = steps.iter().map(String::as_str).collect();
    let at = Finding { document, path: &path, value: error.instance(), schema: owner(error) };
    let below = |key: &str| steps.iter().cloned().chain([key.to_owned()]).collect();
    let mut refuse = |path: Vec<String>, what: What, finding: Diagnostic| found.push(Refused { path, what, finding });
    let finding = match error.kind() {
        Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => {
            for key in unexpected {
                refuse(below(key), What::Key, at.unknown_key(key));
            }
            return;
        }
        Kind::AnyOf { context } | Kind::OneOfNotValid { context } => return branches(&at, context, found),
        Kind::Required { property } => {
            let key = property.as_str().unwrap_or_default();
            return refuse(below(key), What::Missing, at.missing(key));
        }
        Kind::PropertyNames { error } => {
            let name = error.instance().as_str().unwrap_or_default();
            return refuse(below(name), What::Key, at.bad_name(name));
        }
        Kind::Type { kind } => at.wrong_type(&types(kind)),
        Kind::Enum { options } => at.not_one_of(options.as_array().map_or(&[], Vec::as_slice)),
        Kind::Constant { expected_value } => at.not_one_of(std::slice::from_ref(expected_value)),
        Kind::Pattern { .. } => at.pattern(),
        Kind::Minimum { limit } | Kind::ExclusiveMinimum { limit } => at.out_of_range("at least", limit),
        Kind::Maximum { limit } | Kind::ExclusiveMaximum { limit } => at.out_of_range("at most", limit),
        Kind::MinLength { .. } | Kind::MinItems { .. } | Kind::MinProperties { .. } => at.empty(),
        _ => at.other(&error.masked_with("the value").to_string()),
    };
    refuse(steps.clone(), What::Value, finding);
}

/// Descends into the branch that the author most likely meant.
fn branches(at: &Finding<'_>, context: &[Vec<ValidationError<'static>>], found: &mut Vec<Refused>) {
    let here_is = |finding| Refused { path: at.path.iter().map(ToString::to_string).collect(), what: What::Value, finding };
    let constants: Vec<Value> = context
        .iter()
        .flatten()
        .filter_map(|error| match error.kind() {
            Kind::Constant { expected_value } => Some((**expected_value).clone()),
            _ => None,
        })
        .collect();
    if constants.len() == context.len() {
        found.push(here_is(at.not_one_of(&constants)));
        return;
    }
    let here = at.path.len();
    let of_other_type = |errors: &[ValidationError<'_>]| {
        errors.iter().any(|error| matches!(error.kind(), Kind::Type { .. }) && steps(error.instance_path().as_str()).len() == here)
    };
    let fitting = context.iter().filter(|errors| !of_other_type(errors) && !hopeless(errors, here)).min_by_key(|errors| errors.len());
    if let Some(errors) = fitting {
        for error in errors {
            explain(at.document, error, found);
        }
        return;
    }
    let mut wanted = Vec::new();
    collect_types(context, here, &mut wanted);
    found.push(here_is(at.wrong_type(&wanted)));
}

/// Whether all that a branch says is that none of its own branches takes this type.
fn hopeless(errors: &[ValidationError<'_>], here: usize) -> bool {
    errors.iter().any(|error| match error.kind() {
        Kind::AnyOf { context } | Kind::OneOfNotValid { context } => {
            steps(error.instance_path().as_str()).len() == here
                && context.iter().all(|errors| {
                    errors
                        .iter()
                        .any(|error| matches!(error.kind(), Kind::Type { .. }) && steps(error.instance_path().as_str()).len() == here)
                        || hopeless(errors, here)
                })
        }
        _ => false,
    })
}

fn collect_types(context: &[Vec<ValidationError<'static>>], here: usize, wanted: &mut Vec<JsonType>) {
    for error in context.iter().flatten().filter(|error| steps(error.instance_path().as_str()).len() == here) {
        match error.kind() {
            Kind::Type { kind } => wanted.extend(types(kind).into_iter().filter(|kind| !wanted.contains(kind)).collect::<Vec<_>>()),
            Kind::AnyOf { context } | Kind::OneOfNotValid { context } => collect_types(context, here, wanted),
            _ => {}
        }
    }
}

fn types(kind: &TypeKind) -> Vec<JsonType> {
    match kind {
        TypeKind::Single(kind) => vec![*kind],
        TypeKind::Multiple(kinds) => kinds.iter().collect(),
    }
}

/// The part of the schema that holds the keyword that failed, and the name of the type it belongs to.
fn owner(error: &ValidationError<'_>) -> words::Owner {
    let path = error.schema_path().as_str();
    let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
    let name = path.strip_prefix("/$defs/").and_then(|rest| rest.split('/').next()).unwrap_or("Goal");
    words::Owner { schema: schema::goal().pointer(parent).unwrap_or(&Value::Null), name: name.to_owned() }
}

/// A JSON pointer as keys and indices.
fn steps(pointer: &str) -> Vec<String> {
    pointer.split('/').skip(1).map(|step| step.replace("~1", "/").replace("~0", "~")).collect()
}
