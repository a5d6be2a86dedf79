//! This host as a probe: looks, and commands of checks.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use super::custom::Around;
use super::end::identity;
use super::inquiry::Inquiry;
use super::lease::{Lease, Leases};
use super::runtime::LocalRuntime;
use super::work::{WorkError, await_and_sweep, end, kill, launch, spawn};
use crate::adapters::probes::surroundings::Surroundings;
use crate::adapters::probes::{file, http, log, tcp};
use crate::adapters::process::launch::SpawnError;
use crate::adapters::process::listener::{listeners, users};
use crate::base::owner::Owner;
use crate::base::time::Span;
use crate::journal::permit::Permit;
use crate::kernel::action::{EffectId, Exit, ProcessMark, Shown};
use crate::kernel::answer::Answer;
use crate::kernel::fault::Fault;
use crate::kernel::input::Input;
use crate::manifest::check::CheckKind;
use crate::ports::container::EndpointJob;
use crate::ports::job::Command;
use crate::ports::probe::{Asked, Probe, Probing};
use crate::ports::runtime::Tell;

/// How long the end of a command inside a container may take.
const GIVE_UP: Duration = Duration::from_secs(5);

/// How much of a command's output is searched, in bytes.
const MAX_OUTPUT: usize = 8 << 20;

impl Probe for LocalRuntime {
    fn ask(&self, probing: Probing, permit: Option<&Permit>, tell: &Tell) {
        let executes = matches!(probing.asked, Asked::Execute { .. } | Asked::Inside { .. });
        let place = permit.filter(|_| executes).map(|permit| (permit.id(), permit.owner().clone(), self.inquiries.begin(permit.owner())));
        tokio::spawn(answer(self.clone(), probing, place, tell.clone()));
    }
}

async fn answer(runtime: LocalRuntime, probing: Probing, place: Option<(EffectId, Owner, Inquiry)>, tell: Tell) {
    let Probing { question, timeout, asked, .. } = probing;
    let answer = match asked {
        Asked::Look { kind, workspace, log } => {
            let authorities = std::env::var_os("SSL_CERT_FILE").map(Into::into);
            look(&kind, &Surroundings { root: workspace, authorities }, log.as_deref(), timeout).await
        }
        Asked::Serving { process, ports } => {
            let serving = tokio::task::spawn_blocking(move || is_serving(&runtime.leases, process.as_ref(), &ports)).await;
            serving.unwrap_or_else(|error| Answer::unknown(Fault::CheckerBroken, error.to_string()))
        }
        Asked::Contained { reach, container, state, .. } => {
            super::container_probe::stands(&runtime.fleets, &reach, container.as_deref(), state.as_deref(), timeout).await
        }
        Asked::Inside { reach, container, argv } => match place {
            Some((_, owner, mut inquiry)) => {
                let asked = super::container_probe::execute(&runtime.fleets, &reach, container.as_deref(), &argv);
                let answer = tokio::select! {
                    biased;
                    _ = &mut inquiry.stopped => Answer::unknown(Fault::Stopped, "its command was stopped"),
                    answer = asked => answer,
                    () = tokio::time::sleep(timeout.std()) => Answer::unknown(Fault::TimedOut, format!("its command took longer than {timeout}")),
                };
                if matches!(answer.fault, Some(Fault::TimedOut | Fault::Stopped)) {
                    let gives_up = super::container_probe::give_up(&runtime.fleets, &reach, container.as_deref());
                    // Whoever ends the place waits for this; what goes on is found by the next one.
                    drop(tokio::time::timeout(GIVE_UP, gives_up).await);
                }
                runtime.inquiries.end(&owner, inquiry);
                answer
            }
            None => Answer::unknown(Fault::CheckerBroken, "the command of this check has no permit"),
        },
        Asked::Execute { command, contains, matches, endpoint } => match place {
            Some((permit, owner, mut inquiry)) => {
                let stopped = &mut inquiry.stopped;
                let wanted = Wanted { contains, matches, timeout };
                let around = Around { leases: &runtime.leases, endpoints: &runtime.endpoints, by: (permit, &owner), tell: &tell };
                let answer = execute(&around, &command, endpoint.map(|endpoint| *endpoint), &wanted, stopped).await;
                runtime.inquiries.end(&owner, inquiry);
                answer
            }
            None => Answer::unknown(Fault::CheckerBroken, "the command of this check has no permit"),
        },
    };
    tell.say(Input::Shown(Shown::Answer { question, answer }));
}

async fn look(kind: &CheckKind, surroundings: &Surroundings, log_file: Option<&Path>, timeout: Span) -> Answer {
    if let Some(check) = &kind.http {
        http::look(check, surroundings, timeout).await
    } else if let Some(check) = &kind.tcp {
        tcp::look(check, surroundings, timeout).await
    } else if let Some(check) = &kind.file {
        file::look(check, surroundings, timeout).await
    } else if let Some(check) = &kind.log {
        let files: Vec<_> = log_file.map(Path::to_owned).into_iter().collect();
        log::look(check, &files, timeout).await
    } else {
        Answer::unknown(Fault::CheckerBroken, "this build cannot ask this kind of check")
    }
}

/// A service serves when every port of it has a listener among its own processes; without ports, when it runs.
fn is_serving(leases: &Leases, process: Option<&ProcessMark>, ports: &[String]) -> Answer {
    let Some(process) = process else { return Answer::fail(Fault::NotReady, "it was not started") };
    if !identity(process).alive() {
        return Answer::fail(Fault::ServiceExited, format!("process {} is gone", process.pid));
    }
    let scope = match leases.find(&process.scope) {
        Ok(scope) => scope,
        Err(error) => return Answer::unknown(Fault::CheckerBroken, error.to_string()),
    };
    for text in ports {
        let Some(port) = super::ports::parse(text) else {
            return Answer::unknown(Fault::CheckerBroken, format!("`{text}` is not a port"));
        };
        let listening = listeners(port.number, port.protocol);
        let ours = |lease: &Arc<Lease>| listening.iter().any(|listener| lease.scope().contains(listener.id.pid).unwrap_or(false));
        if listening.is_empty() && !super::ports::is_taken(port) {
            return Answer::fail(Fault::NotReady, format!("nothing listens on port {text}"));
        }
        if !scope.as_ref().is_some_and(ours) {
            let who = super::ports::describe(listening.first(), &users(port.number, port.protocol));
            return Answer::fail(Fault::PortTaken, format!("port {text} is held by {who}, not by this service"));
        }
    }
    let ports = if ports.is_empty() { "it runs".to_owned() } else { format!("it listens on {}", ports.join(", ")) };
    Answer::pass(ports)
}

/// What the output of a check's command must have, and when.
struct Wanted {
    contains: Option<String>,
    matches: Option<String>,
    timeout: Span,
}

/// Runs the command of a check. Exit 0 is pass, 1 to 125 fail; anything else is no answer.
async fn execute(
    around: &Around<'_>,
    command: &Command,
    endpoint: Option<EndpointJob>,
    wanted: &Wanted,
    stopped: &mut oneshot::Receiver<()>,
) -> Answer {
    let Around { leases, endpoints, by, tell } = around;
    let (owner, timeout) = (by.1, wanted.timeout);
    let broken = |error: WorkError| Answer::unknown(error.fault(), error.to_string());
    let lease = match leases.attempt(owner) {
        Ok(lease) => lease,
        Err(error) => return broken(error.into()),
    };
    let errors = command.log.with_extension("err");
    let (endpoint, started) = match endpoints.open(lease.scope().name(), *by, endpoint, tell) {
        Ok(endpoint) => {
            let started = spawn(leases, &lease, &mut launch(command, errors.clone()), endpoint.as_ref());
            (endpoint, started)
        }
        Err(error) => (None, Err(error)),
    };
    let ended = match started {
        Err(WorkError::Spawn(error @ SpawnError::NotFound { .. })) => {
            Ok((Answer::unknown(Fault::MissingCommand, error.to_string()), Vec::new()))
        }
        Err(error) => Ok((broken(error), Vec::new())),
        Ok(running) => tokio::select! {
            biased;
            _ = stopped => kill(&lease).await.map(|left| (Answer::unknown(Fault::Stopped, "its command was stopped"), left)),
            swept = await_and_sweep(running, &lease) => {
                swept.map(|swept| (weigh(swept.exit, &command.log, &errors, wanted), swept.survivors))
            }
            () = tokio::time::sleep(timeout.std()) => {
                let late = format!("its command took longer than {timeout}");
                kill(&lease).await.map(|left| (Answer::unknown(Fault::TimedOut, late), left))
            }
        },
    };
    let left = end(endpoint).await;
    for file in [&command.log, &errors] {
        forget(file);
    }
    match ended {
        Ok((answer, survivors)) if survivors.is_empty() => {
            leases.drop_from(owner, &lease);
            left.map_or_else(broken, |()| answer)
        }
        // The place holds the scope on: whoever ends the place meets, and reports, what would not end.
        Ok((answer, survivors)) => {
            let list = survivors.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            Answer::unknown(Fault::Survivors, format!("{}; of its processes would not end: {list}", answer.evidence))
        }
        Err(error) => broken(error),
    }
}

fn weigh(exit: Exit, output: &Path, errors: &Path, wanted: &Wanted) -> Answer {
    let text = read(output);
    let last_line = || {
        let told = [read(errors), text.clone()].concat();
        let last = told.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or_default();
        let short: String = last.chars().take(200).collect();
        if short.is_empty() { String::new() } else { format!(": {short}") }
    };
    match exit {
        Exit::Code(0) => {}
        Exit::Code(127) => return Answer::unknown(Fault::MissingCommand, format!("its command was not found{}", last_line())),
        Exit::Code(126) => return Answer::unknown(Fault::Permission, format!("its command cannot be executed{}", last_line())),
        Exit::Code(code @ 1..=125) => return Answer::fail(Fault::CheckFailed, format!("exit {code}{}", last_line())),
        other => return Answer::unknown(Fault::CheckerBroken, format!("its command ended with {other}{}", last_line())),
    }
    if let Some(missing) = wanted.contains.as_ref().filter(|wanted| !text.contains(wanted.as_str())) {
        return Answer::fail(Fault::WrongAnswer, format!("its output does not contain `{missing}`{}", last_line()));
    }
    if let Some(pattern) = &wanted.matches {
        match regex::Regex::new(pattern) {
            Ok(regex) if regex.is_match(&text) => {}
            Ok(_) => return Answer::fail(Fault::WrongAnswer, format!("its output does not match `{pattern}`{}", last_line())),
            Err(error) => return Answer::unknown(Fault::CheckerBroken, error.to_string()),
        }
    }
    Answer::pass("exit 0")
}

fn read(path: &Path) -> String {
    let bytes = fs::read(path).unwrap_or_default();
    String::from_utf8_lossy(&bytes[..bytes.len().min(MAX_OUTPUT)]).into_owned()
}

#[expect(clippy::disallowed_methods, reason = "the output of the check's own command, under its standing permit")]
fn forget(path: &Path) {
    drop(fs::remove_file(path));
}
