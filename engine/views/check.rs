//! A check in a few words: its name, or what it asks.

use crate::manifest::check::{Check, Exec, FileCheck, Http, Tcp};
use crate::manifest::work::Run;

/// What a check asks: `http GET http://127.0.0.1:8081/health`, `file var/greeting.txt`. Templates stay as they are written.
pub fn describe(check: &Check) -> String {
    let kind = &check.kind;
    let what = if let Some(http) = &kind.http {
        match http {
            Http::Url(url) => format!("http GET {url}"),
            Http::Request(request) => format!("http {} {}", request.method.as_deref().unwrap_or("GET"), request.url),
        }
    } else if let Some(tcp) = &kind.tcp {
        match tcp {
            Tcp::Address(address) => format!("tcp {address}"),
            Tcp::Talk(talk) => format!("tcp {}", talk.address.as_deref().or(talk.unix.as_deref()).unwrap_or_default()),
        }
    } else if let Some(exec) = &kind.exec {
        let run = match exec {
            Exec::Run(run) => run,
            Exec::Full(full) => &full.run,
        };
        format!("exec {}", command(run))
    } else if let Some(file) = &kind.file {
        match file {
            FileCheck::Path(path) => format!("file {path}"),
            FileCheck::Full(expect) => format!("file {}", expect.path),
        }
    } else if let Some(log) = &kind.log {
        let text = log.contains.as_deref().or(log.matches.as_deref()).unwrap_or_default();
        match &log.resource {
            Some(resource) => format!("log of {resource}: {text}"),
            None => format!("log: {text}"),
        }
    } else {
        "check".to_owned()
    };
    match &check.name {
        Some(name) => format!("{name} ({what})"),
        None => what,
    }
}

/// A command in one line.
fn command(run: &Run) -> String {
    match run {
        Run::Script(script) => {
            let mut lines = script.trim().lines();
            let first = lines.next().unwrap_or_default();
            if lines.next().is_some() { format!("{first} …") } else { first.to_owned() }
        }
        Run::Argv(argv) => argv.join(" "),
    }
}
