//! Ending the processes of a place: stop signal, grace, kill, and a look at what is left.

use std::sync::Arc;

use super::lease::{Lease, Leases};
use super::work::WorkError;
use crate::adapters::process::end::{StopPolicy as ScopeStop, StopTo as ScopeStopTo};
use crate::adapters::process::identity::ProcessId;
use crate::kernel::action::{ProcessMark, Seen, StopPolicy};
use crate::manifest::process::StopTo;
use crate::ports::job::EndJob;

/// Ends a place. Blocks until it is empty, or the grace and the time for killing are over.
pub(super) fn end(leases: &Leases, job: &EndJob) -> Seen {
    end_all(leases, job).unwrap_or_else(|error| error.seen())
}

/// Kills everybody in a scope that nobody of this engine uses.
pub(super) fn sweep(leases: &Leases, scope: &str) -> Seen {
    let kill = || -> Result<Seen, WorkError> {
        let Some(lease) = leases.find_unused(scope)? else { return Ok(Seen::Ended { survivors: Vec::new(), killed: 0 }) };
        let ended = lease.scope().kill()?;
        let survivors = ended.survivors.iter().map(|process| process.id.pid).collect();
        Ok(Seen::Ended { survivors, killed: u32::try_from(ended.killed).unwrap_or(u32::MAX) })
    };
    kill().unwrap_or_else(|error| error.seen())
}

fn end_all(leases: &Leases, job: &EndJob) -> Result<Seen, WorkError> {
    let mut scopes: Vec<Arc<Lease>> = leases.of(&job.owner);
    for mark in &job.processes {
        if scopes.iter().all(|lease| lease.scope().name() != mark.scope)
            && let Some(found) = leases.find(&mark.scope)?
        {
            scopes.push(found);
        }
    }
    let (mut survivors, mut killed) = (Vec::new(), 0);
    for lease in &scopes {
        let main = job.processes.iter().rfind(|mark| mark.scope == lease.scope().name()).map(identity);
        let ended =
            if job.stop == StopPolicy::KILL { lease.scope().kill()? } else { lease.scope().end(&policy(job.stop)?, main.as_ref())? };
        survivors.extend(ended.survivors.iter().map(|process| process.id.pid));
        killed += ended.killed;
    }
    // A main process outside every scope that was found: it is known by its start time, and still ours.
    survivors.extend(job.processes.iter().filter(|mark| identity(mark).alive()).map(|mark| mark.pid));
    survivors.sort_unstable();
    survivors.dedup();
    Ok(Seen::Ended { survivors, killed: u32::try_from(killed).unwrap_or(u32::MAX) })
}

/// The process that a mark names.
pub(super) fn identity(mark: &ProcessMark) -> ProcessId {
    ProcessId { pid: mark.pid, start: mark.start, boot: mark.boot.clone(), unique: mark.unique }
}

fn policy(stop: StopPolicy) -> Result<ScopeStop, WorkError> {
    let to = match stop.to {
        StopTo::Main => ScopeStopTo::Main,
        StopTo::All => ScopeStopTo::All,
    };
    ScopeStop::new(stop.signal.word(), to, stop.grace)
        .map_err(|error| WorkError::Io { step: "stop".into(), source: std::io::Error::other(error) })
}
