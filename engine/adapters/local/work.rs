//! A phase's command: started in a scope of its own, awaited, and swept up after.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::endpoints::{Endpoint, Endpoints};
use super::lease::{Lease, Leases};
use crate::adapters::process::end::StopPolicy;
use crate::adapters::process::identity::ProcessId;
use crate::adapters::process::launch::{Launch, SpawnError};
use crate::adapters::process::limits::{Enforcement, Limit, Limits as ScopeLimits};
use crate::adapters::process::running::{Exit as ProcessExit, Running};
use crate::adapters::process::scope::ScopeError;
use crate::adapters::process::usage::Usage as ProcessUsage;
use crate::adapters::suspects::lookout::Lookout;
use crate::base::digest::Digest;
use crate::base::name::Name;
use crate::base::owner::Owner;
use crate::base::time::Span;
use crate::kernel::action::{Artifact, EffectId, Exit, ProcessMark, Seen};
use crate::kernel::fault::Fault;
use crate::kernel::input::Input;
use crate::kernel::usage::Usage;
use crate::manifest::policy::{Enforce, Limits};
use crate::plan::explain::limits::Limit as Declared;
use crate::ports::job::{Collect, Command, WorkJob};
use crate::ports::runtime::Tell;
use indexmap::IndexMap;

/// How long what a command leaves behind may take to end after SIGTERM.
const LEFTOVER_GRACE: Span = Span::seconds(5);

/// How large the file of outputs may be, in bytes: it goes into the journal.
const MAX_OUTPUTS: u64 = 1 << 20;

/// Why a command was not started or could not be watched.
#[derive(Debug, thiserror::Error)]
pub(super) enum WorkError {
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    #[error(transparent)]
    Scope(#[from] ScopeError),
    #[error("failed to enforce {0}, and the manifest says `enforce: strict`")]
    Limits(String),
    #[error("port {0} is held by {1}")]
    PortTaken(String, String),
    #[error("processes of its command would not end: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))]
    Survivors(Vec<u32>),
    #[error("failed to end what its command made in the container engine: {0}")]
    LeftInEngine(String),
    #[error("its {0} command took longer than {1}")]
    Late(&'static str, Span),
    #[error("failed to {step}: {source}")]
    Io { step: String, source: std::io::Error },
}

impl WorkError {
    pub(super) fn io(step: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let step = step.into();
        move |source| Self::Io { step, source }
    }

    pub(super) fn fault(&self) -> Fault {
        match self {
            Self::Spawn(SpawnError::NotFound { .. }) => Fault::MissingCommand,
            Self::Spawn(SpawnError::PermissionDenied { .. } | SpawnError::NotRoot(_)) => Fault::Permission,
            Self::Spawn(SpawnError::BadCwd { .. }) => Fault::MissingFile,
            Self::Limits(_) => Fault::Limits,
            Self::PortTaken(..) => Fault::PortTaken,
            Self::Survivors(_) | Self::LeftInEngine(_) => Fault::Survivors,
            Self::Late(..) => Fault::TimedOut,
            Self::Io { source, .. } => match source.kind() {
                std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Fault::DiskFull,
                std::io::ErrorKind::PermissionDenied => Fault::Permission,
                std::io::ErrorKind::NotFound => Fault::MissingFile,
                _ => Fault::System,
            },
            Self::Spawn(_) | Self::Scope(_) => Fault::System,
        }
    }

    pub(super) fn seen(&self) -> Seen {
        Seen::Failed { fault: self.fault(), evidence: self.to_string() }
    }
}

/// What ended, and what it left behind.
pub(super) struct Swept {
    pub(super) exit: Exit,
    pub(super) leftovers: u32,
    pub(super) survivors: Vec<u32>,
    /// What all of it used.
    pub(super) usage: Usage,
}

/// Starts a command in a scope. Of its limits, what could not be set is told first.
pub(super) fn start(
    leases: &Leases,
    lease: &Lease,
    command: &Command,
    endpoint: Option<&Endpoint>,
    tell: impl FnMut(Seen),
) -> Result<Running, WorkError> {
    set_limits(leases, lease, command)?.into_iter().for_each(tell);
    spawn(leases, lease, &mut launch(command, command.log.clone()), endpoint)
}

/// Starts it, with its endpoint of the container engine where it has one.
pub(super) fn spawn(leases: &Leases, lease: &Lease, launch: &mut Launch, endpoint: Option<&Endpoint>) -> Result<Running, WorkError> {
    if let Some(endpoint) = endpoint {
        endpoint.lead(launch)?;
        launch.view = endpoint.view(leases.containment())?;
    }
    let running = leases.containment().spawn(lease.scope(), launch)?;
    if let (Some(endpoint), Some(view)) = (endpoint, &launch.view)
        && let Err(error) = endpoint.follow(view, running.id())
    {
        lease.scope().kill()?;
        return Err(error);
    }
    Ok(running)
}

/// A command as the process adapter takes it, with its standard error going there.
pub(super) fn launch(command: &Command, stderr: PathBuf) -> Launch {
    Launch {
        argv: command.argv.clone(),
        env: command.env.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
        cwd: command.cwd.clone(),
        user: command.user.clone(),
        group: command.group.clone(),
        files: command.limits.files,
        view: None,
        stdout: command.log.clone(),
        stderr,
    }
}

fn set_limits(leases: &Leases, lease: &Lease, command: &Command) -> Result<Option<Seen>, WorkError> {
    let wanted = scope_limits(&command.limits);
    if wanted.declared().next().is_none() {
        return Ok(None);
    }
    check(leases, &command.limits, leases.containment().limit(lease.scope(), &wanted))
}

/// A limit that must be enforced and cannot be is an error. One that may be missed was said by the plan, or is told now where this host
/// was to enforce it.
pub(super) fn check(leases: &Leases, limits: &Limits, enforcement: Enforcement) -> Result<Option<Seen>, WorkError> {
    let told = |refused: &[(Limit, String)]| {
        let reasons = refused.iter().map(|(limit, why)| format!("{}: {why}", Declared::from(*limit).word()));
        reasons.collect::<Vec<_>>().join("; ")
    };
    let mut refused = enforcement.refused;
    let wanted = scope_limits(limits);
    if limits.enforce == Some(Enforce::Strict) && refused.iter().any(|(limit, _)| wanted.declared().any(|declared| declared == *limit)) {
        return Err(WorkError::Limits(told(&refused)));
    }
    let foreseen = &leases.containment().report().limits;
    refused.retain(|(limit, _)| foreseen.contains(limit));
    let limits = refused.iter().map(|(limit, _)| Declared::from(*limit)).collect();
    Ok((!refused.is_empty()).then(|| Seen::Unenforced { limits, why: told(&refused) }))
}

pub(super) fn scope_limits(limits: &Limits) -> ScopeLimits {
    ScopeLimits { memory: limits.memory, cpus: limits.cpus, pids: limits.pids.map(u64::from) }
}

/// The mark of a running process, for the journal.
pub(super) fn mark(id: &ProcessId, lease: &Lease) -> ProcessMark {
    ProcessMark {
        pid: id.pid,
        start: id.start,
        boot: id.boot.clone(),
        unique: id.unique,
        scope: lease.scope().name().to_owned(),
        container: None,
    }
}

/// Waits for a process, and ends whatever it leaves behind in its scope.
pub(super) async fn await_and_sweep(mut running: Running, lease: &Arc<Lease>) -> Result<Swept, WorkError> {
    let exit = told(running.wait().await.map_err(WorkError::io("wait for the command"))?);
    sweep_up(exit, running.usage(), lease).await
}

/// Kills all of a scope, and says what would not end.
pub(super) async fn kill(lease: &Arc<Lease>) -> Result<Vec<u32>, WorkError> {
    let lease = Arc::clone(lease);
    let killed = tokio::task::spawn_blocking(move || lease.scope().kill()).await;
    let killed = killed.map_err(|error| WorkError::io("kill what is there")(std::io::Error::other(error)))??;
    Ok(killed.survivors.iter().map(|process| process.id.pid).collect())
}

/// An exit in the words of the journal.
pub(super) const fn told(exit: ProcessExit) -> Exit {
    match exit {
        ProcessExit::Code(code) => Exit::Code(code),
        ProcessExit::Signal(signal) => Exit::Signal(signal),
    }
}

/// Ends whatever is left in the scope of a process that has ended and used so much. What is left has used something too: its scope, where
/// that counts, is asked once nobody is in it any more.
pub(super) async fn sweep_up(exit: Exit, command: ProcessUsage, lease: &Arc<Lease>) -> Result<Swept, WorkError> {
    let usage = |lease: &Lease| Usage::from(lease.scope().usage().or_of_command(command).of_ended(exit));
    if lease.scope().is_empty()? {
        return Ok(Swept { exit, leftovers: 0, survivors: Vec::new(), usage: usage(lease) });
    }
    let all = Arc::clone(lease);
    let swept = tokio::task::spawn_blocking(move || {
        let left = all.scope().look()?.len();
        let ended = all.scope().end(&StopPolicy::term(LEFTOVER_GRACE), None)?;
        Ok::<_, ScopeError>((left, ended))
    });
    let (left, ended) = swept.await.map_err(|error| WorkError::Io { step: "sweep up".into(), source: std::io::Error::other(error) })??;
    let survivors = ended.survivors.iter().map(|process| process.id.pid).collect();
    Ok(Swept { exit, leftovers: u32::try_from(left).unwrap_or(u32::MAX), survivors, usage: usage(lease) })
}

/// Runs a phase's command to its end.
pub(super) async fn work(
    leases: Arc<Leases>,
    lookout: Arc<Lookout>,
    endpoints: Arc<Endpoints>,
    (id, owner): (EffectId, Owner),
    job: WorkJob,
    tell: Tell,
) {
    let seen = match leases.attempt(&owner) {
        Ok(lease) => {
            let around = Around { leases: &leases, lookout: &lookout, endpoints: &endpoints, lease: &lease, tell: &tell };
            let seen = carry_out(around, (id, &owner), job).await.unwrap_or_else(|error| error.seen());
            release(&leases, &owner, &lease);
            seen
        }
        Err(error) => WorkError::from(error).seen(),
    };
    tell.say(Input::Seen { id, seen });
}

/// Gives a scope back. Where something in it would not end, the place keeps it, so that a later end finds it.
pub(super) fn release(leases: &Leases, owner: &Owner, lease: &Arc<Lease>) {
    if lease.scope().is_empty().unwrap_or(false) {
        leases.drop_from(owner, lease);
    }
}

/// What a command has around it.
struct Around<'a> {
    leases: &'a Leases,
    lookout: &'a Lookout,
    endpoints: &'a Arc<Endpoints>,
    lease: &'a Arc<Lease>,
    tell: &'a Tell,
}

async fn carry_out(around: Around<'_>, (id, owner): (EffectId, &Owner), job: WorkJob) -> Result<Seen, WorkError> {
    let Around { leases, lookout, endpoints, lease, tell } = around;
    let WorkJob { command, collect, endpoint } = job;
    if command.user.is_some() {
        prepare_output(&command, &collect)?;
    }
    let before = lookout.before(&command.env);
    let endpoint = endpoints.open(lease.scope().name(), (id, owner), endpoint, tell)?;
    let running = start(leases, lease, &command, endpoint.as_ref(), |seen| tell.say(Input::Seen { id, seen }))?;
    tell.say(Input::Seen { id, seen: Seen::Started { process: mark(running.id(), lease) } });
    let Swept { exit, leftovers, survivors, usage } = await_and_sweep(running, lease).await?;
    let contained = close(endpoint).await;
    let suspects = lookout.after(&before, leases.containment());
    let outputs = read_outputs(&collect.output)?;
    let artifacts = keep_artifacts(&collect)?;
    Ok(Seen::Exited { exit, leftovers, survivors, outputs, artifacts, usage, suspects, contained })
}

/// Closes the endpoint of a command that has ended.
pub(super) async fn close(endpoint: Option<Endpoint>) -> Option<u32> {
    match endpoint {
        Some(endpoint) => endpoint.close().await,
        None => None,
    }
}

/// The same where nothing of what it made may be left.
pub(super) async fn end(endpoint: Option<Endpoint>) -> Result<(), WorkError> {
    match endpoint {
        Some(endpoint) => endpoint.end().await,
        None => Ok(()),
    }
}

/// Another user cannot make the file of outputs in the engine's folder: it is made for that user.
fn prepare_output(command: &Command, collect: &Collect) -> Result<(), WorkError> {
    let step = || format!("prepare {}", collect.output.display());
    super::files::write(&collect.output, b"", Some(0o600)).map_err(WorkError::io(step()))?;
    let owner = match (&command.user, &command.group) {
        (Some(user), Some(group)) => format!("{user}:{group}"),
        (Some(user), None) => user.clone(),
        _ => return Ok(()),
    };
    super::files::change_owner(&collect.output, &owner).map_err(WorkError::io(step()))
}

/// Reads `name=value` lines. A value of several lines is written as `name<<END`, the lines, and `END`, as in GitHub Actions.
pub(super) fn read_outputs(path: &Path) -> Result<IndexMap<Name, String>, WorkError> {
    let failed = || WorkError::io(format!("read the outputs in {}", path.display()));
    let size = match fs::metadata(path) {
        Ok(metadata) => metadata.len(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(IndexMap::new()),
        Err(error) => return Err(failed()(error)),
    };
    if size > MAX_OUTPUTS {
        return Err(failed()(std::io::Error::other(format!("{size} bytes are more than {MAX_OUTPUTS}"))));
    }
    let text = fs::read_to_string(path).map_err(failed())?;
    parse_outputs(&text).map_err(|why| failed()(std::io::Error::other(why)))
}

fn parse_outputs(text: &str) -> Result<IndexMap<Name, String>, String> {
    let mut outputs = IndexMap::new();
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        if line.trim().is_empty() {
            continue;
        }
        let wrong = || format!("line {} is not `name=value`", number + 1);
        let marker = line.find('=').map_or(usize::MAX, |at| at);
        if let Some((name, end)) = line.split_once("<<").filter(|(name, _)| name.len() < marker) {
            let mut value = Vec::new();
            loop {
                match lines.next() {
                    Some((_, line)) if line == end => break,
                    Some((_, line)) => value.push(line),
                    None => return Err(format!("`{name}` does not end: there is no line `{end}`")),
                }
            }
            outputs.insert(output_name(name).ok_or_else(wrong)?, value.join("\n"));
        } else {
            let (name, value) = line.split_once('=').ok_or_else(wrong)?;
            outputs.insert(output_name(name).ok_or_else(wrong)?, value.to_owned());
        }
    }
    Ok(outputs)
}

fn output_name(name: &str) -> Option<Name> {
    let name = name.trim();
    let good = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    (!name.is_empty() && name.len() <= 64 && name.chars().all(good)).then(|| Name::from(name))
}

/// Keeps the files that the manifest names, each with its hash.
pub(super) fn keep_artifacts(job: &Collect) -> Result<Vec<Artifact>, WorkError> {
    let mut kept: BTreeMap<String, Artifact> = BTreeMap::new();
    for pattern in &job.artifacts {
        let whole = job.workspace.join(pattern);
        let paths = glob::glob(&whole.to_string_lossy())
            .map_err(|error| WorkError::Io { step: format!("read the pattern `{pattern}`"), source: std::io::Error::other(error) })?;
        for path in paths.flatten().filter(|path| path.is_file()) {
            let Ok(relative) = path.strip_prefix(&job.workspace) else { continue };
            let failed = || WorkError::io(format!("keep {}", path.display()));
            let content = fs::read(&path).map_err(failed())?;
            super::files::write(&job.artifacts_to.join(relative), &content, Some(0o600)).map_err(failed())?;
            let name = relative.to_string_lossy().into_owned();
            let sha256 = String::from_utf8_lossy(&Digest::of(&content).hex()).into_owned();
            kept.insert(name.clone(), Artifact { path: name, sha256, size: content.len() as u64 });
        }
    }
    Ok(kept.into_values().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_are_lines_or_blocks() {
        let read = |text: &str| parse_outputs(text).map(|outputs| outputs.into_iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>());
        assert_eq!(read("a=1\n\nb=x=y\n"), Ok(vec!["a=1".into(), "b=x=y".into()]));
        assert_eq!(read("text<<END\none\ntwo\nEND\nb=2\n"), Ok(vec!["text=one\ntwo".into(), "b=2".into()]));
        assert_eq!(read("a=1<<2\n"), Ok(vec!["a=1<<2".into()]));
        assert!(read("nonsense\n").is_err());
        assert!(read("a<<END\nx\n").is_err());
        assert!(read("a b=1\n").is_err());
    }
}
