//! A service: its ports are looked at, then it is started in the scope of its resource and watched as long as the engine lives.

use std::sync::Arc;

use super::lease::{Lease, Leases};
use super::work::{Swept, WorkError, await_and_sweep, mark, start};
use crate::adapters::process::running::Running;
use crate::base::owner::Owner;
use crate::kernel::action::{EffectId, Seen};
use crate::kernel::input::Input;
use crate::ports::job::ServeJob;
use crate::ports::runtime::Tell;

/// Runs a service to its end.
pub(super) async fn serve(leases: Arc<Leases>, id: EffectId, owner: Owner, job: ServeJob, tell: Tell) {
    let seen = match begin(&leases, &owner, &job) {
        Ok((running, lease)) => {
            tell.say(Input::Seen { id, seen: Seen::Started { process: mark(running.id(), &lease) } });
            let seen = match await_and_sweep(running, &lease).await {
                Ok(Swept { exit, leftovers, survivors, usage }) => Seen::Exited {
                    exit,
                    leftovers,
                    survivors,
                    outputs: indexmap::IndexMap::new(),
                    artifacts: Vec::new(),
                    usage,
                    suspects: Vec::new(),
                },
                Err(error) => error.seen(),
            };
            super::work::release(&leases, &owner, &lease);
            seen
        }
        Err(error) => error.seen(),
    };
    tell.say(Input::Seen { id, seen });
}

fn begin(leases: &Leases, owner: &Owner, job: &ServeJob) -> Result<(Running, Arc<Lease>), WorkError> {
    let lease = leases.resource(owner)?;
    match start_in(leases, &lease, job) {
        Ok(running) => Ok((running, lease)),
        Err(error) => {
            leases.drop_from(owner, &lease);
            Err(error)
        }
    }
}

fn start_in(leases: &Leases, lease: &Lease, job: &ServeJob) -> Result<Running, WorkError> {
    // What an engine that is no more left of this very resource would be a second copy of it.
    if !lease.scope().is_empty()? {
        lease.scope().kill()?;
    }
    for port in &job.ports {
        if let Some(holder) = super::ports::parse(port).and_then(super::ports::holder) {
            return Err(WorkError::PortTaken(port.clone(), holder));
        }
    }
    start(leases, lease, &job.command)
}
