//! Templates: `{{ expression }}` in values, and nothing else, so that shell, awk and `docker --format` keep their `{%` and `{#`.
//!
//! The expressions are minijinja's, with undefined as an error and a fuel limit. A name may hold dashes, as names of phases do:
//! `phases.init-db.outputs.url` is one path; a subtraction is written with spaces.

mod context;
mod path;
mod render;
mod scan;

pub use context::{Context, SecretValue};
pub use path::{ROOTS, Reference};
pub use render::{condition, evaluate, render, render_value};
pub use scan::{bind, bind_expression, check, check_expression, expression, expression_references, has_template, references};

use std::ops::Range;

/// Why a template or an expression has no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("failed to render `{template}`: {message}")]
pub struct TemplateError {
    /// The template, or its first line.
    pub template: String,
    /// What is wrong, without a full stop.
    pub message: String,
    /// Where in the template, in bytes.
    pub span: Range<usize>,
    /// What to do.
    pub hint: Option<String>,
}

impl TemplateError {
    fn new(template: &str, span: Range<usize>, message: impl Into<String>) -> Self {
        let first = template.lines().next().unwrap_or_default();
        Self { template: first.chars().take(80).collect(), message: message.into(), span, hint: None }
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}
