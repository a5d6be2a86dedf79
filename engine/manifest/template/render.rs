//! Templates and expressions → values.

use std::ops::Range;
use std::sync::OnceLock;

use minijinja::value::ValueKind;
use minijinja::{Environment, ErrorKind, UndefinedBehavior};
use serde_json::Value;

use super::TemplateError;
use super::context::Context;
use super::path::{filters, paths};
use super::scan::{Piece, expression, has_template, pieces};

const FILTERS: &str = "the filters are minijinja's built-in ones (`default`, `upper`, `join`, …) and `json`";

/// How many steps one expression may take: enough for thousands of items, and over in milliseconds.
const FUEL: u64 = 100_000;

fn environment() -> &'static Environment<'static> {
    static ENVIRONMENT: OnceLock<Environment<'static>> = OnceLock::new();
    ENVIRONMENT.get_or_init(|| {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_fuel(Some(FUEL));
        environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        // `tojson` escapes for HTML; what is written into a file or a request wants plain JSON.
        environment.add_filter("json", |value: minijinja::Value| {
            serde_json::to_string(&value).map_err(|error| minijinja::Error::new(ErrorKind::BadSerialization, error.to_string()))
        });
        environment
    })
}

/// Renders a template.
///
/// # Errors
/// For wrong syntax, for what is not defined, and for what takes too long.
pub fn render(template: &str, context: &Context) -> Result<String, TemplateError> {
    if !has_template(template) {
        return Ok(template.to_owned());
    }
    let mut text = String::with_capacity(template.len());
    for piece in pieces(template)? {
        match piece {
            Piece::Text(plain) => text.push_str(plain),
            Piece::Expression(inner, span) => {
                let value = compute(template, inner, span.clone(), context)?;
                // JSON in a text, not Python's notation, which is minijinja's.
                match value.kind() {
                    ValueKind::Seq | ValueKind::Map | ValueKind::Iterable | ValueKind::Bool | ValueKind::None => {
                        let json = serde_json::to_string(&value).map_err(|error| TemplateError::new(template, span, error.to_string()))?;
                        text.push_str(&json);
                    }
                    _ => text.push_str(&value.to_string()),
                }
            }
        }
    }
    Ok(text)
}

/// Renders every text in a value; keys stay as they are.
///
/// # Errors
/// The first text that does not render.
pub fn render_value(value: &Value, context: &Context) -> Result<Value, TemplateError> {
    Ok(match value {
        Value::String(text) => Value::String(render(text, context)?),
        Value::Array(items) => Value::Array(items.iter().map(|item| render_value(item, context)).collect::<Result<_, _>>()?),
        Value::Object(map) => Value::Object(
            map.iter().map(|(key, value)| Ok((key.clone(), render_value(value, context)?))).collect::<Result<_, TemplateError>>()?,
        ),
        other => other.clone(),
    })
}

/// The value of an expression (`for_each:`); it may stand in `{{ }}`.
///
/// # Errors
/// As for [`render`].
pub fn evaluate(text: &str, context: &Context) -> Result<Value, TemplateError> {
    let (inner, offset) = expression(text);
    let value = compute(text, inner, offset..offset + inner.len(), context)?;
    serde_json::to_value(&value).map_err(|error| TemplateError::new(text, 0..text.len(), error.to_string()))
}

/// Whether an expression (`when:`) holds. The texts `true` and `false`, which outputs are, count as what they say.
///
/// # Errors
/// As for [`render`].
pub fn condition(text: &str, context: &Context) -> Result<bool, TemplateError> {
    let (inner, offset) = expression(text);
    let value = compute(text, inner, offset..offset + inner.len(), context)?;
    Ok(match value.as_str() {
        Some("false") => false,
        Some("true") => true,
        _ => value.is_true(),
    })
}

fn compute(template: &str, inner: &str, span: Range<usize>, context: &Context) -> Result<minijinja::Value, TemplateError> {
    if inner.trim().is_empty() {
        return Err(empty(template, span));
    }
    let (references, spelled) = paths(inner, span.start);
    let undefined = || references.iter().find(|reference| context.at(&reference.path).is_none());
    let environment: &Environment<'_> = environment();
    let result = environment.compile_expression(&spelled).and_then(|expression| expression.eval(context.value()));
    match result {
        Ok(value) if value.is_undefined() => Err(not_defined(template, undefined(), span)),
        Ok(value) => Ok(value),
        Err(error) if error.kind() == ErrorKind::UndefinedError => Err(not_defined(template, undefined(), span)),
        Err(error) => Err(explain(template, span, &error)),
    }
}

fn not_defined(template: &str, reference: Option<&super::Reference>, span: Range<usize>) -> TemplateError {
    match reference {
        Some(reference) => {
            let name = reference.path.join(".");
            TemplateError::new(template, reference.span.clone(), format!("`{name}` is not defined"))
        }
        None => TemplateError::new(template, span, "a value in it is not defined"),
    }
}

/// Checks the syntax of one expression.
pub(super) fn syntax(template: &str, inner: &str, span: Range<usize>) -> Result<(), TemplateError> {
    if inner.trim().is_empty() {
        return Err(empty(template, span));
    }
    let (_, spelled) = paths(inner, span.start);
    let environment: &Environment<'_> = environment();
    environment.compile_expression(&spelled).map_err(|error| explain(template, span.clone(), &error))?;
    // Compiling does not look filters up; without arguments one that exists complains about those.
    for name in filters(inner) {
        let unknown = environment.empty_state().apply_filter(name, &[]).is_err_and(|error| error.kind() == ErrorKind::UnknownFilter);
        if unknown {
            let start = span.start + inner.find(name).unwrap_or(0);
            return Err(TemplateError::new(template, start..start + name.len(), format!("there is no filter `{name}`")).hint(FILTERS));
        }
    }
    Ok(())
}

fn empty(template: &str, span: Range<usize>) -> TemplateError {
    TemplateError::new(template, span, "the expression is empty")
}

fn explain(template: &str, span: Range<usize>, error: &minijinja::Error) -> TemplateError {
    let detail = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
    match error.kind() {
        ErrorKind::OutOfFuel => TemplateError::new(template, span, format!("the expression takes more than {FUEL} steps")),
        ErrorKind::SyntaxError => TemplateError::new(template, span, format!("this is not an expression: {detail}")),
        ErrorKind::UnknownFilter => TemplateError::new(template, span, detail).hint(FILTERS),
        _ => TemplateError::new(template, span, detail),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::manifest::template::{SecretValue, bind, check};

    fn context() -> Context {
        let mut context = Context::new()
            .with("params", &json!({ "port": 8081, "name": "crm", "flag": false, "list": ["a", "b"] }))
            .with("phases", &json!({ "init-db": { "outputs": { "url": "http://x", "changed": "false" } } }));
        context.set_secrets([("pass".to_owned(), SecretValue { text: "p&w".into(), file: "/run/pass".into() })]);
        context
    }

    #[test]
    fn renders() {
        for (template, expected) in [
            ("--port {{ params.port }}", "--port 8081"),
            ("{{ phases.init-db.outputs.url }}/x", "http://x/x"),
            ("{{ secrets.pass }} {{ secrets.pass.file }}", "p&w /run/pass"),
            ("{{ secrets.pass | urlencode }} {{ secrets.pass | json }}", "p%26w \"p&w\""),
            ("awk '{% print %}' {# not a comment #}", "awk '{% print %}' {# not a comment #}"),
            ("{{ '{{' }} {{ \"}}\" }}", "{{ }}"),
            ("{{ {'a': {'b': 1}}.a.b }}", "1"),
            ("{{ params.list }}", r#"["a","b"]"#),
            ("{{ params.flag }} {{ params.name | upper }}", "false CRM"),
            ("a {{- params.port -}} b", "a8081b"),
            ("${{ params.port + 1 }}", "$8082"),
            ("{{ params.none | default('x') }}", "x"),
        ] {
            assert_eq!(render(template, &context()).as_deref(), Ok(expected), "{template}");
        }
    }

    #[test]
    fn says_what_is_wrong_and_where() {
        for (template, message, at) in [
            ("{{ params.prt }}", "`params.prt` is not defined", "params.prt"),
            ("x {{ nothing }}", "`nothing` is not defined", "nothing"),
            ("{{ params.port", "`{{` is never closed", "{{"),
            ("{{ }}", "the expression is empty", " "),
            ("{{ range(9999999) | list | length }}", "range has too many elements", " range(9999999) | list | length "),
        ] {
            let error = render(template, &context()).expect_err(template);
            assert_eq!((error.message.as_str(), &template[error.span.clone()]), (message, at), "{template}");
        }
        assert!(check("docker inspect --format '{{.State.Status}}'").is_err_and(|error| error.hint.is_some()));
        assert!(check("{{ params.x | default(3) }}").is_ok());
    }

    #[test]
    fn decides() {
        for (text, expected) in [
            ("params.port == 8081", true),
            ("{{ params.flag }}", false),
            ("phases.init-db.outputs.changed", false),
            ("not params.flag and params.name in ['crm']", true),
        ] {
            assert_eq!(condition(text, &context()), Ok(expected), "{text}");
        }
        assert_eq!(evaluate("params.list", &context()), Ok(json!(["a", "b"])));
    }

    #[test]
    fn binds_the_params_of_a_reusable_phase() {
        let values = |name: &str| match name {
            "port" => Some(json!(5432)),
            "host" => Some(json!("{{ params.outer }}")),
            "url" => Some(json!("http://{{ params.outer }}/x")),
            _ => None,
        };
        for (template, expected) in [
            ("-p {{ params.port }}", "-p 5432"),
            ("{{ params.port + 1 }}", "{{ 5432 + 1 }}"),
            ("{{ params.host }}", "{{ (params.outer) }}"),
            ("{{ params.url | upper }}", "{{ (\"http://\" ~ (params.outer) ~ \"/x\") | upper }}"),
            ("{{ outputs.url }}", "{{ outputs.url }}"),
        ] {
            assert_eq!(bind(template, &values), expected);
        }
    }
}
