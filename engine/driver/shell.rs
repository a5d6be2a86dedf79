//! Commands as people write them → argument vectors.

use crate::manifest::work::Run;

/// Words that a shell handles itself: a script that begins with one is no program that could take the shell's place.
const BUILTINS: [&str; 38] = [
    "!", ".", ":", "[", "alias", "bg", "break", "case", "cd", "command", "continue", "echo", "eval", "exec", "exit", "export", "false",
    "for", "if", "jobs", "kill", "local", "printf", "pwd", "read", "readonly", "return", "set", "shift", "test", "time", "trap", "true",
    "ulimit", "umask", "unset", "until", "while",
];

/// Programs that start another one, named by their first argument that is no option.
const LAUNCHERS: [&str; 16] =
    ["exec", "env", "nohup", "time", "nice", "sh", "bash", "dash", "zsh", "python", "python3", "node", "ruby", "perl", "command", "."];

/// The words of a command that may name a script of the workspace: `./init.sh`, `python3 seed.py`. A file that the command only writes is none.
pub(super) fn programs(run: &Run) -> Vec<String> {
    match run {
        Run::Argv(argv) => program(argv.iter().map(String::as_str)).into_iter().collect(),
        Run::Script(script) => {
            script.split(['\n', ';', '|', '&', '(', ')']).filter_map(|command| program(command.split_whitespace())).collect()
        }
    }
}

fn program<'a>(mut words: impl Iterator<Item = &'a str>) -> Option<String> {
    let is_program = |word: &&str| !word.starts_with('-') && !word.contains('=') && !LAUNCHERS.contains(word);
    words.find(is_program).filter(|word| !word.contains("{{")).map(str::to_owned)
}

/// The argument vector of a command. A text runs under `/bin/sh -e`, or under the interpreter that `shell` names.
pub(super) fn argv(run: &Run, shell: Option<&str>) -> Vec<String> {
    match run {
        Run::Argv(argv) => argv.clone(),
        Run::Script(script) => interpreter(shell).into_iter().chain([script.clone()]).collect(),
    }
}

/// The argument vector of a service: one simple command takes the shell's place, so that signals reach it.
pub(super) fn service_argv(run: &Run, shell: Option<&str>) -> Vec<String> {
    match run {
        Run::Script(script) if shell.is_none() && is_simple(script) => argv(&Run::Script(format!("exec {}", script.trim())), None),
        other => argv(other, shell),
    }
}

/// The interpreter with the options that make it read a script from its next argument and stop at the first failure.
fn interpreter(shell: Option<&str>) -> Vec<String> {
    let words: Vec<&str> = shell.unwrap_or("/bin/sh").split_whitespace().collect();
    let name = words.first().map_or("", |word| word.rsplit('/').next().unwrap_or(word));
    let options: &[&str] = match (name, words.len()) {
        ("sh" | "dash" | "ash", 1) => &["-e", "-c"],
        ("bash" | "zsh" | "ksh", 1) => &["-eo", "pipefail", "-c"],
        ("node" | "perl" | "ruby" | "lua", 1) => &["-e"],
        _ => &["-c"],
    };
    words.iter().chain(options).map(|word| (*word).to_owned()).collect()
}

/// Whether a script is one simple command: no operator of the shell outside quotes, no assignment, no word that only a shell knows.
fn is_simple(script: &str) -> bool {
    let script = script.trim();
    let first = script.split_whitespace().next().unwrap_or_default();
    if first.is_empty() || first.contains('=') || BUILTINS.contains(&first) {
        return false;
    }
    let mut quote = None;
    let mut escaped = false;
    for c in script.chars() {
        match (quote, c) {
            _ if escaped => escaped = false,
            (None | Some('"'), '\\') => escaped = true,
            (Some(open), c) if c == open => quote = None,
            (None, '\'' | '"') => quote = Some(c),
            (None, '|' | '&' | ';' | '\n' | '(' | ')' | '{' | '}' | '`' | '#') => return false,
            _ => {}
        }
    }
    quote.is_none() && !escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_simple_command_takes_the_shells_place() {
        for simple in ["nginx -g 'daemon off;'", "pocket-crm --port 81 --data \"a b\"", "./serve > log 2>&1 < in", "x $HOME a\\;b"] {
            let redirects = simple.contains('&');
            assert_eq!(is_simple(simple), !redirects, "{simple}");
        }
        for not in ["a | b", "a; b", "A=1 b", "cd x", "a &", "if a; then b; fi", "a\nb", "exec a", "a $(b)", "", "'a"] {
            assert!(!is_simple(not), "{not}");
        }
    }

    #[test]
    fn scripts_are_found_where_a_program_stands() {
        let named = |script: &str| programs(&Run::Script(script.into()));
        assert_eq!(named("./init.sh data && echo x > out/y"), ["./init.sh", "echo"]);
        assert_eq!(named("A=1 exec python3 -u seed.py | tee log"), ["seed.py", "tee"]);
        assert_eq!(programs(&Run::Argv(vec!["bin/x".into(), "in/y".into()])), ["bin/x"]);
    }

    #[test]
    fn shells_have_their_options() {
        let script = Run::Script("a | b".into());
        assert_eq!(argv(&script, None), ["/bin/sh", "-e", "-c", "a | b"]);
        assert_eq!(argv(&script, Some("bash")), ["bash", "-eo", "pipefail", "-c", "a | b"]);
        assert_eq!(argv(&script, Some("bash -x")), ["bash", "-x", "-c", "a | b"]);
        assert_eq!(argv(&script, Some("python3")), ["python3", "-c", "a | b"]);
        assert_eq!(service_argv(&Run::Script(" a b ".into()), None), ["/bin/sh", "-e", "-c", "exec a b"]);
    }
}
