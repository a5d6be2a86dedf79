//! Custom resources: commands that create, find and destroy something. What a command leaves behind is ended with it; where that would not
//! end, the place holds its scope on, and nothing there is destroyed, or said to be, before it is empty.

use std::path::Path;
use std::sync::Arc;

use super::endpoints::Endpoints;
use super::lease::Leases;
use super::work::{WorkError, await_and_sweep, end, kill, read_outputs, release, start};
use crate::base::owner::Owner;
use crate::base::time::Span;
use crate::kernel::action::{EffectId, Exit, Seen};
use crate::kernel::fault::Fault;
use crate::ports::container::EndpointJob;
use crate::ports::job::{Command, CustomJob};
use crate::ports::runtime::Tell;

/// What a command has around it.
pub(super) struct Around<'a> {
    pub(super) leases: &'a Arc<Leases>,
    pub(super) endpoints: &'a Arc<Endpoints>,
    /// By what it is permitted, and where.
    pub(super) by: (EffectId, &'a Owner),
    pub(super) tell: &'a Tell,
}

/// Creates what is not there. What is there is used, and not owned.
///
/// `announced` waits until it is recorded that it is about to be created.
pub(super) async fn create(around: &Around<'_>, job: &CustomJob, announced: impl Future<Output = ()>) -> Seen {
    match exists(around, job).await {
        Ok(true) => return made(false, &job.output),
        Ok(false) => {}
        Err(seen) => return seen,
    }
    announced.await;
    match run(around, &job.act, job.endpoint.clone(), ("create", job.timeout)).await {
        Ok(exit) if exit.is_success() => made(true, &job.output),
        Ok(exit) => Seen::Failed { fault: Fault::WorkFailed, evidence: format!("its create command ended with {exit}") },
        Err(error) => error.seen(),
    }
}

/// Destroys it, and looks that it is gone. What failed to be created may not exist: then there is nothing to destroy.
pub(super) async fn destroy(around: &Around<'_>, job: &CustomJob) -> Seen {
    if let Err(seen) = empty(around.leases, around.by.1).await {
        return seen;
    }
    // Without an answer it may exist: only a clear no spares the command.
    if matches!(exists(around, job).await, Ok(false)) {
        return Seen::Done;
    }
    match run(around, &job.act, job.endpoint.clone(), ("destroy", job.timeout)).await {
        Ok(exit) if exit.is_success() => {}
        Ok(exit) => return Seen::Failed { fault: Fault::WorkFailed, evidence: format!("its destroy command ended with {exit}") },
        Err(error) => return error.seen(),
    }
    match exists(around, job).await {
        Ok(false) => Seen::Done,
        Ok(true) => Seen::Failed { fault: Fault::WorkFailed, evidence: "it still exists after its destroy command".to_owned() },
        Err(seen) => seen,
    }
}

fn made(created: bool, output: &Path) -> Seen {
    match read_outputs(output) {
        Ok(outputs) => Seen::Made { created, path: None, outputs },
        Err(error) => error.seen(),
    }
}

/// Exit 0 is yes, 1 is no, and anything else is no answer.
async fn exists(around: &Around<'_>, job: &CustomJob) -> Result<bool, Seen> {
    let endpoint = job.endpoint.clone().map(|endpoint| EndpointJob { keeps: false, ..endpoint });
    match run(around, &job.exists, endpoint, ("exists", job.timeout)).await {
        Ok(Exit::Code(0)) => Ok(true),
        Ok(Exit::Code(1)) => Ok(false),
        Ok(exit) => Err(Seen::Failed { fault: Fault::CheckerBroken, evidence: format!("its exists command ended with {exit}") }),
        Err(error) => Err(error.seen()),
    }
}

/// Runs a command to its end, which it has by then, or is given.
pub(super) async fn run(
    around: &Around<'_>,
    command: &Command,
    endpoint: Option<EndpointJob>,
    (name, timeout): (&'static str, Span),
) -> Result<Exit, WorkError> {
    let Around { leases, endpoints, by, tell } = around;
    let lease = leases.attempt(by.1)?;
    let (endpoint, started) = match endpoints.open(lease.scope().name(), *by, endpoint, tell) {
        Ok(endpoint) => {
            // A command of a custom resource declares no limits that could be missed.
            let started = start(leases, &lease, command, endpoint.as_ref(), drop);
            (endpoint, started)
        }
        Err(error) => (None, Err(error)),
    };
    let ended = match started {
        Ok(running) => tokio::select! {
            biased;
            swept = await_and_sweep(running, &lease) => swept.map(|swept| (Ok(swept.exit), swept.survivors)),
            () = tokio::time::sleep(timeout.std()) => kill(&lease).await.map(|left| (Err(WorkError::Late(name, timeout)), left)),
        },
        Err(error) => Err(error),
    };
    let left = end(endpoint).await;
    release(leases, by.1, &lease);
    match ended? {
        (exit, survivors) if survivors.is_empty() => {
            left?;
            exit
        }
        (_, survivors) => Err(WorkError::Survivors(survivors)),
    }
}

/// Kills what an earlier command left at the place and would not end.
async fn empty(leases: &Arc<Leases>, owner: &Owner) -> Result<(), Seen> {
    for lease in leases.of(owner) {
        let survivors = kill(&lease).await.map_err(|error| error.seen())?;
        if !survivors.is_empty() {
            return Err(WorkError::Survivors(survivors).seen());
        }
        release(leases, owner, &lease);
    }
    Ok(())
}
