//! A container: started, watched to its end, and removed. Its output goes to the file of its log on the way.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;

use super::container_spec;
use super::fleets::Fleets;
use super::work::{WorkError, keep_artifacts, read_outputs};
use crate::adapters::docker::connection::NoEngine;
use crate::adapters::docker::error::DockerError;
use crate::adapters::docker::fleet::Fleet;
use crate::adapters::docker::list::{Found, Kind};
use crate::adapters::docker::name::{name_of, tag_of};
use crate::adapters::docker::spec::ContainerSpec;
use crate::adapters::docker::stop::Ended;
use crate::adapters::process::identity::ProcessId;
use crate::base::label::Origin;
use crate::base::name::Name;
use crate::base::owner::Owner;
use crate::base::time::Span;
use crate::kernel::action::{EffectId, Exit, ProcessMark, Seen, StopPolicy};
use crate::kernel::fault::Fault;
use crate::kernel::input::Input;
use crate::kernel::object::Object;
use crate::kernel::stock::Kind as Known;
use crate::ports::container::{ContainJob, Container, Image, ObjectJob, Reach, RemoveObjectJob};
use crate::ports::job::{Collect, EndJob};
use crate::ports::runtime::Tell;

/// How long to wait for a container engine that is gone, between two looks.
const AGAIN: Duration = Duration::from_secs(1);

/// How long the last of a log may take once its container has ended.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// Why a container was not started, or is not watched.
#[derive(Debug, thiserror::Error)]
pub(super) enum ContainError {
    #[error(transparent)]
    NoEngine(#[from] NoEngine),
    #[error(transparent)]
    Docker(#[from] DockerError),
    #[error(transparent)]
    Work(#[from] WorkError),
    #[error("port {port} is held by {holder}: {error}")]
    Held { port: u16, holder: String, error: DockerError },
    #[error("its start was stopped")]
    Stopped,
    #[error("`{0}` is no address of this host")]
    Address(String),
    #[error("the container engine does not limit it together with the rest of its goal, whose limits are strict")]
    Apart,
    #[error("{0} of what it made in the container engine would not go")]
    Left(usize),
}

impl ContainError {
    fn fault(&self) -> Fault {
        match self {
            Self::Work(error) => error.fault(),
            Self::Docker(DockerError::PortTaken { .. }) | Self::Held { .. } => Fault::PortTaken,
            Self::Docker(DockerError::Unlimited { .. }) | Self::Apart => Fault::Limits,
            Self::Stopped => Fault::Stopped,
            _ => Fault::System,
        }
    }

    pub(super) fn seen(&self) -> Seen {
        Seen::Failed { fault: self.fault(), evidence: self.to_string() }
    }
}

/// Runs a container to its end.
pub(super) async fn contain(fleets: Arc<Fleets>, id: EffectId, owner: Owner, job: ContainJob, tell: Tell) {
    let stopped = fleets.begin(&owner);
    // Only this part may take long, and leaves nothing where it is broken off. What is being created is waited for: nobody could find it.
    let prepared = tokio::select! {
        biased;
        _ = stopped => Err(ContainError::Stopped),
        prepared = prepare(&fleets, &owner, &job.container) => prepared,
    };
    fleets.begun(&owner);
    let started = match prepared {
        Ok((fleet, spec)) => start(fleet, &owner, &job.container, &spec).await,
        Err(error) => Err(error),
    };
    let seen = match started {
        Ok((fleet, process)) => {
            tell.say(Input::Seen { id, seen: Seen::Started { process: process.clone() } });
            to_its_end(&fleets, &fleet, &process, &job.container.log, job.collect.as_ref()).await
        }
        Err(error) => error.seen(),
    };
    tell.say(Input::Seen { id, seen });
}

/// Goes on watching a container that an earlier engine started.
pub(super) async fn watch(
    fleets: Arc<Fleets>,
    id: EffectId,
    process: ProcessMark,
    (reach, log): (Reach, PathBuf),
    collect: Option<Result<Collect, (Fault, String)>>,
    tell: Tell,
) {
    let fleet = loop {
        match fleets.find(&reach).await {
            Ok(fleet) => break fleet,
            // What lives in an engine that is gone is told when it is back.
            Err(_) => tokio::time::sleep(AGAIN).await,
        }
    };
    let seen = match collect.transpose() {
        Ok(collect) => to_its_end(&fleets, &fleet, &process, &log, collect.as_ref()).await,
        Err((fault, evidence)) => Seen::Failed { fault, evidence },
    };
    tell.say(Input::Seen { id, seen });
}

/// Finds the container engine, and sees that the image is there.
async fn prepare(fleets: &Fleets, owner: &Owner, container: &Container) -> Result<(Fleet, ContainerSpec), ContainError> {
    let fleet = fleets.find(&container.made.reach).await?;
    let label = container_spec::label(fleets, owner, &container.made);
    let image = match &container.image {
        Image::Named(name) => {
            if fleet.engine().image(name).await?.is_none() {
                let mut log = open(&container.log)?;
                // What cannot be written is said by what follows.
                fleet.engine().pull(name, |said| drop(writeln!(log, "{said}"))).await?;
            }
            name.clone()
        }
        Image::Built(folder) => {
            let tag = tag_of(fleets.workspace(), owner);
            fleet.build(folder, None, &tag, &label, &open(&container.log)?).await?
        }
    };
    let mut spec = container_spec::spec(fleets, owner, container, label, image)?;
    spec.cgroup_parent = fleets.parent_in(&fleet, &owner.goal).await;
    if spec.cgroup_parent.is_none() {
        if container.together {
            return Err(ContainError::Apart);
        }
        spec.limits.memory = spec.limits.memory.or(fleets.share().map(|share| share.0));
    }
    Ok((fleet, spec))
}

async fn start(fleet: Fleet, owner: &Owner, container: &Container, spec: &ContainerSpec) -> Result<(Fleet, ProcessMark), ContainError> {
    let running = Box::pin(fleet.ensure(spec, |_| {})).await.map_err(|error| taken(container, error))?;
    if matches!(container.image, Image::Built(_)) {
        fleet.remove_outbuilt(owner).await?;
    }
    let mark = mark(&fleet, &owner.goal, &running.id).await?;
    Ok((fleet, mark))
}

/// The container engine says which port is taken; who holds it is seen here.
fn taken(container: &Container, error: DockerError) -> ContainError {
    let held = container.ports.iter().find_map(|listen| Some((listen.port, super::ports::holder(listen.into())?)));
    match (&error, held) {
        (DockerError::PortTaken { .. }, Some((port, holder))) => ContainError::Held { port, holder: holder.words, error },
        _ => error.into(),
    }
}

/// The scope's name of a container: its goal's, and the beginning of its id.
pub(super) fn scope(owner: &Owner, id: &str) -> String {
    ProcessMark::of_container(&owner.goal, id).scope
}

/// The mark of a container that runs: its main process, where that is one of this host's.
pub(super) async fn mark(fleet: &Fleet, goal: &Name, id: &str) -> Result<ProcessMark, ContainError> {
    let pid = fleet.standing(id).await?.map_or(0, |standing| standing.pid);
    let process = ProcessId::of(pid).filter(|_| pid != 0 && is_of(pid, id));
    let mark = ProcessMark::of_container(goal, id);
    Ok(match process {
        Some(process) => ProcessMark { pid: process.pid, start: process.start, boot: process.boot, unique: process.unique, ..mark },
        None => mark,
    })
}

/// Whether a process of this host is in a container: an engine elsewhere, or in a namespace of its own, counts other processes.
fn is_of(pid: u32, id: &str) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/cgroup")).is_ok_and(|groups| groups.contains(id))
}

/// Follows a container to its end, keeps what is to be kept of it, and removes it.
async fn to_its_end(fleets: &Fleets, fleet: &Fleet, process: &ProcessMark, log: &Path, collect: Option<&Collect>) -> Seen {
    let meter = fleets.measure(process);
    let followed = tokio::select! {
        followed = followed(fleet, process, log) => followed,
        never = meter.keep_looking() => match never {},
    };
    fleets.measured(process);
    let ended = followed.and_then(|ended| {
        let (outputs, artifacts) = match collect {
            Some(collect) => (read_outputs(&collect.output)?, keep_artifacts(collect)?),
            None => Default::default(),
        };
        Ok((ended, outputs, artifacts))
    });
    match ended {
        Ok((ended, outputs, artifacts)) => {
            let exit = ended.map_or(Exit::Unseen, |ended| Exit::Code(i32::try_from(ended.code).unwrap_or(i32::MAX)));
            let usage = meter.used(ended);
            Seen::Exited { exit, leftovers: 0, survivors: Vec::new(), outputs, artifacts, usage, suspects: Vec::new(), contained: None }
        }
        Err(error) => error.seen(),
    }
}

/// Follows what a container says, also over the death of its container engine, until it has ended or is gone.
async fn follow(fleet: Fleet, id: String, log: PathBuf) {
    while let Err(DockerError::Lost { .. } | DockerError::Answer { .. }) = fleet.logs_to(&id, &log).await {
        tokio::time::sleep(AGAIN).await;
    }
}

async fn followed(fleet: &Fleet, process: &ProcessMark, log: &Path) -> Result<Option<Ended>, ContainError> {
    let Some(id) = &process.container else { return Ok(None) };
    let following = tokio::spawn(follow(fleet.clone(), id.clone(), log.to_owned()));
    let ended = loop {
        match fleet.wait(id).await {
            Ok(ended) => break Some(ended),
            Err(DockerError::Missing { .. }) => break None,
            // An engine that is gone may come back, and with it the container, or its end.
            Err(DockerError::Lost { .. } | DockerError::Answer { .. }) => tokio::time::sleep(AGAIN).await,
            Err(error) => return Err(error.into()),
        }
    };
    // What it said last is worth a moment; a log that cannot be had is no reason to keep a container.
    drop(tokio::time::timeout(LAST_WORDS, following).await);
    fleet.remove(id).await?;
    Ok(ended)
}

/// Ends the containers of a place. What is told is what is left after a look.
pub(super) async fn end(fleets: &Fleets, job: &EndJob, reach: &Reach) -> Seen {
    fleets.stop(&job.owner);
    let ended = async {
        let fleet = fleets.find(reach).await?;
        let caught = job.processes.iter().filter_map(|process| process.container.clone());
        clear(fleets, &fleet, &job.owner, &caught.collect::<Vec<_>>(), job.stop).await
    };
    ended.await.unwrap_or_else(|error: ContainError| error.seen())
}

/// Ends and removes whatever is labelled as this place's, and those of this workspace that are known to be its by their ids.
async fn clear(fleets: &Fleets, fleet: &Fleet, owner: &Owner, known: &[String], stop: StopPolicy) -> Result<Seen, ContainError> {
    let mut killed = 0;
    let declared = |found: &Found| found.label.as_ref().is_none_or(|label| label.origin == Origin::Declared);
    let ours = |found: &Found| known.contains(&found.id) || found.owner.as_ref() == Some(owner) && declared(found);
    for found in fleet.list().await?.into_iter().filter(|found| found.kind == Kind::Container && ours(found)) {
        // One that a command made says itself how it wants to be ended.
        let own = found.stop_signal.as_deref().filter(|_| known.contains(&found.id));
        let signal = own.unwrap_or_else(|| stop.signal.word());
        let (signal, grace) = if stop == StopPolicy::KILL { ("SIGKILL", Span(0)) } else { (signal, stop.grace) };
        if let Some(meter) = fleets.meter(&found.id) {
            meter.look();
        }
        let stopped = fleet.stop(&found.id, signal, grace).await?;
        killed += u32::from(stopped.killed);
        fleet.remove(&found.id).await?;
    }
    Ok(Seen::Ended { survivors: Vec::new(), killed })
}

/// The effect of nobody: they are counted from 1.
const NO_EFFECT: u64 = 0;

/// Ends what an engine that died had started and not recorded: by the scope's name.
pub(super) async fn sweep(fleets: &Fleets, reach: &Reach, name: &str) -> Seen {
    let swept = async {
        let fleet = fleets.find(reach).await?;
        for found in fleet.list().await?.into_iter().filter(|found| scope_of(found).is_some_and(|scope| scope == name)) {
            match found.kind {
                Kind::Container => {
                    fleet.stop(&found.id, "SIGKILL", Span(0)).await?;
                    fleet.remove(&found.id).await?;
                }
                Kind::Network => fleet.remove_network(&found.id).await?,
                Kind::Volume if found.nameless => fleet.remove_nameless(&found.id).await?,
                Kind::Volume => fleet.remove_volume(&found.id).await?,
            }
        }
        Ok(Seen::Ended { survivors: Vec::new(), killed: 1 })
    };
    swept.await.unwrap_or_else(|error: ContainError| error.seen())
}

/// The name under which something is told of and swept; of a network or a volume only where a command made it: what is declared is recorded
/// before it is made.
fn scope_of(found: &Found) -> Option<String> {
    let kind = match found.kind {
        Kind::Container => return Some(scope(found.owner.as_ref()?, &found.id)),
        Kind::Network => Known::Network,
        Kind::Volume => Known::Volume,
    };
    let label = found.label.as_ref().filter(|label| label.origin == Origin::Caught)?;
    // One without a name that no container has any more is nobody's data, whoever made it.
    let effect = label.effect.or_else(|| found.nameless.then_some(NO_EFFECT));
    Some(Object { goal: label.owner.goal.clone(), kind, effect, id: found.id.clone() }.scope())
}

/// The scopes of all that this workspace has there.
pub(super) async fn scopes(fleets: &Fleets, reach: &Reach) -> Result<Vec<String>, ContainError> {
    let fleet = fleets.find(reach).await?;
    // A network can be removed once nobody is in it, a volume once nobody uses it: in this order.
    let mut scopes = Vec::new();
    for found in fleet.list().await? {
        // Whoever's container has one without a name, it is told of with the last of them.
        if let Some(scope) = scope_of(&found)
            && !(found.nameless && fleet.is_had(&found.id).await?)
        {
            scopes.push(scope);
        }
    }
    Ok(scopes)
}

/// Makes a network or a volume, once it is recorded that it is about to be made.
pub(super) async fn make(fleets: &Fleets, owner: &Owner, job: &ObjectJob, announced: impl Future<Output = ()>) -> Seen {
    let made = async {
        let fleet = fleets.find(&job.made.reach).await?;
        let (name, label) = (name_of(fleets.workspace(), owner), container_spec::label(fleets, owner, &job.made));
        announced.await;
        let made = if job.volume {
            fleet.ensure_volume(&name, &label, job.driver.as_deref()).await?
        } else {
            fleet.ensure_network(&name, &label, job.driver.as_deref()).await?
        };
        Ok(Seen::Made { created: made.owned, path: None, outputs: IndexMap::new() })
    };
    made.await.unwrap_or_else(|error: ContainError| error.seen())
}

/// Removes a network or a volume.
pub(super) async fn remove(fleets: &Fleets, owner: &Owner, job: &RemoveObjectJob) -> Seen {
    let wanted = if job.volume { Kind::Volume } else { Kind::Network };
    let removed = async {
        let fleet = fleets.find(&job.reach).await?;
        let ours = |found: &Found| match &job.id {
            Some(id) => found.id == *id,
            None => found.owner.as_ref() == Some(owner),
        };
        for found in fleet.list().await?.into_iter().filter(|found| found.kind == wanted && ours(found)) {
            if job.volume { fleet.remove_volume(&found.id).await? } else { fleet.remove_network(&found.id).await? }
        }
        Ok(Seen::Done)
    };
    removed.await.unwrap_or_else(|error: ContainError| error.seen())
}

/// The log of a container, 0600.
fn open(path: &Path) -> Result<File, WorkError> {
    let failed = || WorkError::io(format!("write {}", path.display()));
    if let Some(folder) = path.parent() {
        crate::adapters::workspace::make_passable(folder).map_err(|error| failed()(std::io::Error::other(error)))?;
    }
    #[expect(clippy::disallowed_methods, reason = "the log of a permitted start")]
    let opened = std::fs::OpenOptions::new().create(true).append(true).mode(0o600).open(path);
    opened.map_err(failed())
}
