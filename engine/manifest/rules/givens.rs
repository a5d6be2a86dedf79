//! `wrong-default`, `bad-pattern`, `secret-without-source`, `env-name`, `number-as-text`: what a run is given.

use indexmap::IndexMap;

use super::Facts;
use crate::base::diagnostic::Diagnostic;
use crate::manifest::goal::EnvValue;
use crate::manifest::node::Aim;
use crate::manifest::param::{self, Param, ParamError, ParamType};
use crate::manifest::process::Process;

pub(super) fn check(facts: &Facts<'_>, found: &mut Vec<Diagnostic>) {
    let document = facts.document;
    for (name, param) in &facts.goal.params {
        default(facts, name.as_str(), param, found);
    }
    for (name, secret) in &facts.goal.secrets {
        if secret.env.is_none() && secret.file.is_none() && secret.command.is_none() && secret.generate.is_none() {
            found.push(
                document
                    .error_at_key(
                        &["secrets", name.as_str()],
                        "secret-without-source",
                        format!("nothing says where the secret `{name}` comes from"),
                    )
                    .hint("give it `env`, `file`, `command` or `generate`"),
            );
        }
    }
    env(facts, &["env"], &facts.goal.env, found);
    for phase in facts.phases.values() {
        env(facts, &phase.path(&["env"]), &phase.phase.env, found);
        for (name, resource) in &phase.phase.resources {
            if let Some(Process::Full(process)) = &resource.process {
                env(facts, &phase.path(&["resources", name.as_str(), "process", "env"]), &process.env, found);
            }
        }
    }
}

fn default(facts: &Facts<'_>, name: &str, param: &Param, found: &mut Vec<Diagnostic>) {
    if let Some(pattern) = &param.pattern
        && let Err(error) = regex::Regex::new(pattern)
    {
        found.push(super::checks::bad_regex(facts, &["params", name, "pattern"], &error));
        return;
    }
    match param.default.as_ref().map(|value| param::check(param, value)) {
        None | Some(Ok(()) | Err(ParamError::BadPattern(_))) => {}
        Some(Err(why)) => {
            let path = ["params", name, "default"];
            let wrong = facts.document.error_at(&path, "wrong-default", format!("the default of `{name}` {why}"));
            let quotable = matches!(why, ParamError::WrongType { .. }) && param.kind == ParamType::String;
            found.push(match written(facts, &path).filter(|_| quotable) {
                Some(written) => wrong.hint("quote it, or declare its `type`").replace_with(format!("\"{written}\"")),
                None => wrong,
            });
        }
    }
}

fn env(facts: &Facts<'_>, path: &[&str], variables: &IndexMap<String, EnvValue>, found: &mut Vec<Diagnostic>) {
    for (name, value) in variables {
        let at: Vec<&str> = path.iter().copied().chain([name.as_str()]).collect();
        if name.is_empty() || name.contains(['=', '\0']) {
            found.push(facts.document.error_at_key(&at, "env-name", format!("`{name}` cannot be the name of an environment variable")));
        }
        // `1.10` is the number 1.1, and the program would see that.
        let number = matches!(value, EnvValue::Integer(_) | EnvValue::Number(_));
        if let Some(written) = written(facts, &at).filter(|written| number && *written != value.to_string()) {
            let message = format!("YAML reads `{written}` as the number {value}, and so would the program");
            let warning = facts.document.warning_at(&at, "number-as-text", message);
            found.push(warning.hint("quote it").replace_with(format!("\"{written}\"")));
        }
    }
}

/// A scalar as it stands in the file.
fn written<'a>(facts: &Facts<'a>, path: &[&str]) -> Option<&'a str> {
    let place = facts.document.place(path, Aim::Value);
    facts.document.sources.get(place.source.0 as usize)?.text.get(place.range()).map(str::trim)
}
