//! `check-kind`, `bad-regex`, `bad-json-path`, `bad-glob`, `bad-url`, `unknown-resource`, `log-without-text`, `tcp-target`: questions that can be asked.

use super::{Facts, Located, suggest};
use crate::base::diagnostic::Diagnostic;
use crate::base::name::Name;
use crate::manifest::check::{CheckKind, ContainerCheck, Exec, FileCheck, Http, Json, Tcp};
use crate::manifest::resource::HealthCheck;
use crate::manifest::template::has_template;

const KINDS: &str = "`http`, `tcp`, `exec`, `file`, `log`, `container`, `browser`";

pub(super) fn check(facts: &Facts<'_>, found: &mut Vec<Diagnostic>) {
    facts.each_check(|path, kind, phase| {
        one_kind(facts, path, kind, health(path, phase), found);
        At { facts, path }.inside(kind, phase, found);
    });
    let globs = |path: &[&str], list: &[String], found: &mut Vec<Diagnostic>| {
        for (index, pattern) in list.iter().enumerate().filter(|(_, pattern)| !has_template(pattern)) {
            if let Err(error) = glob::Pattern::new(pattern) {
                let index = index.to_string();
                let path: Vec<&str> = path.iter().copied().chain([index.as_str()]).collect();
                found.push(facts.document.error_at(&path, "bad-glob", format!("`{pattern}` is not a glob: {}", error.msg)));
            }
        }
    };
    globs(&["protect"], &facts.goal.protect, found);
    for phase in facts.phases.values() {
        globs(&phase.path(&["inputs"]), &phase.phase.inputs, found);
        globs(&phase.path(&["artifacts"]), &phase.phase.artifacts, found);
    }
}

/// The health check at a path, where the check is one: it may also have Compose's `test`, or be switched off.
fn health<'a>(path: &[&str], phase: Option<Located<'a>>) -> Option<&'a HealthCheck> {
    match (path, phase) {
        ([_, _, "resources", name, "healthcheck"], Some(phase)) => phase.phase.resources.get(*name)?.healthcheck.as_ref(),
        _ => None,
    }
}

fn one_kind(facts: &Facts<'_>, path: &[&str], kind: &CheckKind, health: Option<&HealthCheck>, found: &mut Vec<Diagnostic>) {
    let mut kinds = kinds(kind);
    if health.is_some_and(|health| health.test.is_some()) {
        kinds.push("test");
    }
    match kinds.as_slice() {
        [_] => {}
        [] if health.is_some_and(HealthCheck::is_off) => {}
        [] => {
            found.push(facts.document.error_at_key(path, "check-kind", "this check asks nothing").hint(format!("give it one of {KINDS}")));
        }
        [_, second, ..] => {
            let path: Vec<&str> = path.iter().copied().chain([*second]).collect();
            found.push(
                facts
                    .document
                    .error_at_key(&path, "check-kind", format!("one check asks several things: `{}`", kinds.join("`, `")))
                    .hint("make it several checks: all of them must pass"),
            );
        }
    }
}

fn kinds(kind: &CheckKind) -> Vec<&'static str> {
    [
        ("http", kind.http.is_some()),
        ("tcp", kind.tcp.is_some()),
        ("exec", kind.exec.is_some()),
        ("file", kind.file.is_some()),
        ("log", kind.log.is_some()),
        ("container", kind.container.is_some()),
        ("browser", kind.browser.is_some()),
    ]
    .into_iter()
    .filter_map(|(name, there)| there.then_some(name))
    .collect()
}

/// A check under inspection.
struct At<'a, 'f> {
    facts: &'a Facts<'f>,
    path: &'a [&'a str],
}

impl At<'_, '_> {
    fn inside(&self, kind: &CheckKind, phase: Option<Located<'_>>, found: &mut Vec<Diagnostic>) {
        match &kind.http {
            Some(Http::Url(url)) => self.url(&["http"], url, found),
            Some(Http::Request(request)) => {
                self.url(&["http", "url"], &request.url, found);
                self.regex(&["http", "matches"], request.matches.as_deref(), found);
                if let Some(json) = &request.json {
                    self.json(json, found);
                }
            }
            None => {}
        }
        match &kind.tcp {
            Some(Tcp::Address(address)) => self.address(&["tcp"], address, found),
            Some(Tcp::Talk(talk)) => match (&talk.address, &talk.unix) {
                (Some(address), None) => self.address(&["tcp", "address"], address, found),
                (None, Some(_)) => {}
                (Some(_), Some(_)) => {
                    found.push(self.key(&["tcp", "unix"], "tcp-target", "a `tcp` check has `address` or `unix`, not both"));
                }
                (None, None) => found.push(self.key(&["tcp"], "tcp-target", "this `tcp` check has neither `address` nor `unix`")),
            },
            None => {}
        }
        if let Some(Exec::Full(exec)) = &kind.exec {
            self.regex(&["exec", "matches"], exec.matches.as_deref(), found);
        }
        if let Some(FileCheck::Full(file)) = &kind.file {
            self.regex(&["file", "matches"], file.matches.as_deref(), found);
            if file
                .sha256
                .as_ref()
                .is_some_and(|sum| !has_template(sum) && (sum.len() != 64 || !sum.bytes().all(|byte| byte.is_ascii_hexdigit())))
            {
                found.push(self.value(&["file", "sha256"], "bad-sha256", "a SHA-256 has 64 hexadecimal digits"));
            }
        }
        if let Some(log) = &kind.log {
            self.regex(&["log", "matches"], log.matches.as_deref(), found);
            if log.contains.is_none() && log.matches.is_none() {
                found.push(
                    self.key(&["log"], "log-without-text", "this `log` check looks for nothing").hint("give it `contains` or `matches`"),
                );
            }
            if let Some(name) = &log.resource {
                self.resource(&["log", "resource"], name, phase, found);
            }
        }
        match &kind.container {
            Some(ContainerCheck::Name(name)) => self.resource(&["container"], name, phase, found),
            Some(ContainerCheck::Full(expect)) => self.resource(&["container", "resource"], &expect.resource, phase, found),
            None => {}
        }
        if let Some(browser) = &kind.browser {
            self.url(&["browser", "url"], &browser.url, found);
        }
    }

    fn url(&self, keys: &[&str], url: &str, found: &mut Vec<Diagnostic>) {
        if url.starts_with("http://") || url.starts_with("https://") || url.starts_with("{{") {
            return;
        }
        let wrong = self.value(keys, "bad-url", format!("`{url}` is not a URL"));
        found.push(if url.contains("://") {
            wrong.hint("only `http://` and `https://` are asked")
        } else {
            wrong.hint(format!("write `http://{url}`")).replace_with(format!("\"http://{url}\""))
        });
    }

    fn address(&self, keys: &[&str], address: &str, found: &mut Vec<Diagnostic>) {
        let well = address.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port != 0));
        if !well && !has_template(address) {
            let wrong = self.value(keys, "bad-address", format!("`{address}` is not `host:port`"));
            found.push(if address.parse::<u16>().is_ok() {
                wrong.hint(format!("write `127.0.0.1:{address}`")).replace_with(format!("\"127.0.0.1:{address}\""))
            } else {
                wrong
            });
        }
    }

    fn regex(&self, keys: &[&str], pattern: Option<&str>, found: &mut Vec<Diagnostic>) {
        if let Some(Err(error)) = pattern.filter(|pattern| !has_template(pattern)).map(regex::Regex::new) {
            found.push(bad_regex(self.facts, &self.full(keys), &error));
        }
    }

    fn json(&self, json: &Json, found: &mut Vec<Diagnostic>) {
        self.regex(&["http", "json", "matches"], json.matches.as_deref(), found);
        if has_template(&json.path) {
            return;
        }
        if let Err(error) = serde_json_path::JsonPath::parse(&json.path) {
            let wrong =
                self.value(&["http", "json", "path"], "bad-json-path", format!("`{}` is not a JSONPath: {}", json.path, error.message()));
            found.push(if json.path.starts_with('$') {
                wrong
            } else {
                let mended = format!("$.{}", json.path.trim_start_matches('.'));
                wrong.hint(format!("a path starts at `$`: `{mended}`")).replace_with(mended)
            });
        }
    }

    fn resource(&self, keys: &[&str], name: &Name, phase: Option<Located<'_>>, found: &mut Vec<Diagnostic>) {
        let Some(phase) = phase else {
            found.push(self.value(keys, "unknown-resource", format!("`{name}` is a resource of a phase, and this check belongs to none")));
            return;
        };
        if !phase.phase.resources.contains_key(name) {
            let unknown = self.value(keys, "unknown-resource", format!("`{}` has no resource `{name}`", phase.name));
            found.push(suggest(unknown, name.as_str(), phase.phase.resources.keys().map(Name::as_str), "resources in this phase"));
        }
    }

    fn full<'b>(&'b self, keys: &[&'b str]) -> Vec<&'b str> {
        self.path.iter().copied().chain(keys.iter().copied()).collect()
    }

    fn value(&self, keys: &[&str], rule: &'static str, message: impl Into<String>) -> Diagnostic {
        self.facts.document.error_at(&self.full(keys), rule, message)
    }

    fn key(&self, keys: &[&str], rule: &'static str, message: impl Into<String>) -> Diagnostic {
        self.facts.document.error_at_key(&self.full(keys), rule, message)
    }
}

/// A regular expression that is none.
pub(super) fn bad_regex(facts: &Facts<'_>, path: &[&str], error: &regex::Error) -> Diagnostic {
    // The crate draws a picture of several lines; its last says what is wrong.
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default().trim_start_matches("error: ");
    let found = facts.document.error_at(path, "bad-regex", format!("this is not a regular expression: {last}"));
    if last.contains("look-around") || last.contains("backreferences") {
        return found.hint("look-around and backreferences are not supported, so that no pattern can hang a check");
    }
    found
}
