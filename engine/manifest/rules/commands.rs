//! Warnings about commands: `cannot-fail`, `pipe-under-sh`, `secret-in-command`.

use super::{Facts, Located};
use crate::base::diagnostic::Diagnostic;
use crate::manifest::check::{CheckKind, Exec, Http};
use crate::manifest::process::Process;
use crate::manifest::template;
use crate::manifest::work::Run;

pub(super) fn check(facts: &Facts<'_>, found: &mut Vec<Diagnostic>) {
    facts.each_check(|path, kind, _| vacuous(facts, path, kind, found));
    for phase in facts.phases.values() {
        if let Some(run) = &phase.phase.run {
            work(facts, &phase.path(&["run"]), run, phase.phase.shell.as_deref(), phase, found);
        }
        for (name, resource) in &phase.phase.resources {
            match &resource.process {
                Some(Process::Run(run)) => work(facts, &phase.path(&["resources", name.as_str(), "process"]), run, None, phase, found),
                Some(Process::Full(process)) => {
                    let path = phase.path(&["resources", name.as_str(), "process", "run"]);
                    work(facts, &path, &process.run, process.shell.as_deref(), phase, found);
                }
                None => {}
            }
        }
    }
}

fn vacuous(facts: &Facts<'_>, path: &[&str], kind: &CheckKind, found: &mut Vec<Diagnostic>) {
    let mut warn = |keys: &[&str], why: String| {
        let path: Vec<&str> = path.iter().chain(keys).copied().collect();
        found.push(
            facts
                .document
                .warning_at(&path, "cannot-fail", format!("this check can never fail: {why}"))
                .hint("what has not been seen to fail proves nothing: ask for what the work changes"),
        );
    };
    let (run, keys): (Option<&Run>, &[&str]) = match &kind.exec {
        Some(Exec::Run(run)) => (Some(run), &["exec"]),
        // Its output is looked at: that can fail.
        Some(Exec::Full(exec)) if exec.contains.is_none() && exec.matches.is_none() => (Some(&exec.run), &["exec", "run"]),
        _ => (None, &[]),
    };
    if let Some(why) = run.and_then(never_fails) {
        warn(keys, why);
    }
    if let Some(Http::Request(request)) = &kind.http
        && let Some(json) = &request.json
        && json.min_count == Some(0)
        && json.equals.is_none()
        && json.contains.is_none()
        && json.matches.is_none()
        && request.status.is_none()
    {
        warn(&["http", "json", "min_count"], "it wants no value at all".to_owned());
    }
    if let Some(log) = &kind.log
        && log.contains.as_deref() == Some("")
    {
        warn(&["log", "contains"], "every log contains the empty text".to_owned());
    }
}

/// Why a command always exits with 0.
fn never_fails(run: &Run) -> Option<String> {
    match run {
        Run::Argv(words) => {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            match words.as_slice() {
                ["sh" | "bash" | "/bin/sh" | "/bin/bash", "-c" | "-ec" | "-ce", script, ..] => script_never_fails(script),
                [program, ..] => always(program.rsplit('/').next().unwrap_or_default()),
                [] => None,
            }
        }
        Run::Script(script) => script_never_fails(script),
    }
}

fn script_never_fails(script: &str) -> Option<String> {
    let lines: Vec<&str> = script.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    let last = lines.last()?.trim_end_matches(';').trim_end();
    for end in ["|| true", "|| :", "|| exit 0", "|| /bin/true"] {
        if last.ends_with(end) && (lines.len() == 1 || !last.contains(';')) && lines.len() == 1 {
            return Some(format!("it ends in `{end}`"));
        }
    }
    // With `sh -e` an earlier line can fail; a single simple command decides alone.
    let [only] = lines.as_slice() else { return None };
    let only = only.trim_end_matches(';').trim_end();
    if only.contains(['|', '&', ';', '`', '>', '<']) || only.contains("$(") {
        return None;
    }
    let mut words = only.split_whitespace();
    match (words.next()?, words.next()) {
        ("exit", Some("0")) => Some("`exit 0` always succeeds".to_owned()),
        (program, _) => always(program.rsplit('/').next().unwrap_or_default()),
    }
}

fn always(program: &str) -> Option<String> {
    matches!(program, "true" | ":" | "echo" | "printf" | "pwd" | "sleep").then(|| format!("`{program}` always succeeds"))
}

fn work(facts: &Facts<'_>, path: &[&str], run: &Run, shell: Option<&str>, phase: &Located<'_>, found: &mut Vec<Diagnostic>) {
    if phase.phase.templates != Some(false) && facts.goal.templates != Some(false) {
        let texts = match run {
            Run::Script(script) => std::slice::from_ref(script),
            Run::Argv(words) => words.as_slice(),
        };
        let secret = texts.iter().flat_map(|text| template::references(text)).find(|reference| {
            matches!(reference.path.as_slice(), [root, name] if root == "secrets" && facts.goal.secrets.contains_key(name.as_str()))
        });
        if let Some(secret) = secret {
            let name = secret.path.join(".");
            found.push(
                facts
                    .document
                    .warning_at(
                        path,
                        "secret-in-command",
                        format!("`{name}` stands in a command: every user of the host can see it while it runs"),
                    )
                    .hint(format!("give it in `env`, or as a file: `{{{{ {name}.file }}}}`")),
            );
        }
    }
    let plain = shell.is_none_or(|shell| matches!(shell.rsplit('/').next(), Some("sh" | "dash")));
    if let (Run::Script(script), true) = (run, plain)
        && let Some(line) = pipe(script)
    {
        found.push(
            facts
                .document
                .warning_at(
                    path,
                    "pipe-under-sh",
                    format!("in `{line}` only the last command of the pipe decides: a failure before it is lost"),
                )
                .hint("say `shell: bash`, which runs with `pipefail`"),
        );
    }
}

/// The first line of a script with a pipe outside of quotes and comments.
fn pipe(script: &str) -> Option<&str> {
    if script.contains("pipefail") {
        return None;
    }
    let mut quote = None;
    for line in script.lines() {
        let mut before = ' ';
        let mut chars = line.char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            match (quote, c) {
                (Some('"') | None, '\\') => {
                    chars.next();
                }
                // The pipe of a template is a filter.
                (_, '{') if line[at..].starts_with("{{") => {
                    let end = line[at..].find("}}").map_or(line.len(), |close| at + close + 2);
                    while chars.next_if(|(next, _)| *next < end).is_some() {}
                }
                (Some(open), c) if c == open => quote = None,
                (None, '\'' | '"') => quote = Some(c),
                (None, '#') if before.is_whitespace() => break,
                (None, '|') => {
                    let doubled = chars.next_if(|(_, next)| *next == '|').is_some();
                    // A pattern of `case`: `a | b)`.
                    let pattern = line[at..].find(')').is_some_and(|close| !line[at..at + close].contains('('));
                    if !doubled && !pattern && before != '>' {
                        return Some(line.trim());
                    }
                }
                _ => {}
            }
            before = c;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_what_cannot_fail() {
        let script = |text: &str| never_fails(&Run::Script(text.to_owned())).is_some();
        for text in ["true", ":", "/bin/true", "exit 0", "echo ok", "curl -f http://x || true", "# a comment\ntrue\n", "echo done;"] {
            assert!(script(text), "{text}");
        }
        for text in [
            "test -f x",
            "echo x | grep y",
            "echo $(false)",
            "false\necho ok",
            "exit 1",
            "truex",
            "a || true\nb",
            "echo x > /y",
            "true && test -f x",
        ] {
            assert!(!script(text), "{text}");
        }
        let argv = |words: &[&str]| never_fails(&Run::Argv(words.iter().map(|&word| word.to_owned()).collect())).is_some();
        assert!(argv(&["true"]) && argv(&["sh", "-c", "exit 0"]) && argv(&["/usr/bin/echo", "x"]));
        assert!(!argv(&["test", "-f", "true"]) && !argv(&["sh", "-c", "exit 1"]));
    }

    #[test]
    fn finds_pipes() {
        for text in ["a | b", "x=1\ncurl -s y | tar xz", "a |& b"] {
            assert!(pipe(text).is_some(), "{text}");
        }
        for text in [
            "a || b",
            "echo 'a | b'",
            "echo \"a | b\"",
            "# a | b",
            "a >| b",
            "case $x in a | b) ;; esac",
            "set -o pipefail\na | b",
            "echo \\| x",
            "awk '{\na | b\n}'",
        ] {
            assert!(pipe(text).is_none(), "{text}");
        }
    }
}
