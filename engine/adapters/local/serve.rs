//! A service: its ports are looked at, then it is started in the scope of its resource and watched as long as the engine lives.

use std::sync::Arc;

use super::endpoints::Endpoints;
use super::lease::{Lease, Leases};
use super::work::{Swept, WorkError, await_and_sweep, close, mark, start};
use crate::base::owner::Owner;
use crate::kernel::action::{EffectId, Seen};
use crate::kernel::input::Input;
use crate::ports::job::ServeJob;
use crate::ports::runtime::Tell;

/// Runs a service to its end.
pub(super) async fn serve(leases: Arc<Leases>, endpoints: Arc<Endpoints>, (id, owner): (EffectId, Owner), job: ServeJob, tell: Tell) {
    leases.until_free(&owner).await;
    let seen = match leases.resource(&owner) {
        Ok(lease) => {
            let seen = to_its_end(&leases, &endpoints, &lease, (id, &owner), job, &tell).await.unwrap_or_else(|error| error.seen());
            super::work::release(&leases, &owner, &lease);
            seen
        }
        Err(error) => WorkError::from(error).seen(),
    };
    tell.say(Input::Seen { id, seen });
}

async fn to_its_end(
    leases: &Leases,
    endpoints: &Arc<Endpoints>,
    lease: &Arc<Lease>,
    (id, owner): (EffectId, &Owner),
    job: ServeJob,
    tell: &Tell,
) -> Result<Seen, WorkError> {
    let ServeJob { command, ports, endpoint } = job;
    // What an engine that is no more left of this very resource would be a second copy of it.
    if !lease.scope().is_empty()? {
        lease.scope().kill()?;
    }
    for port in ports {
        if let Some(holder) = super::ports::parse(&port).and_then(super::ports::holder) {
            return Err(WorkError::PortTaken(port, holder.words));
        }
    }
    let endpoint = endpoints.open(lease.scope().name(), (id, owner), endpoint, tell)?;
    let running = start(leases, lease, &command, endpoint.as_ref(), |seen| tell.say(Input::Seen { id, seen }))?;
    tell.say(Input::Seen { id, seen: Seen::Started { process: mark(running.id(), lease) } });
    let Swept { exit, leftovers, survivors, usage } = await_and_sweep(running, lease).await?;
    let contained = close(endpoint).await;
    let (outputs, artifacts, suspects) = Default::default();
    Ok(Seen::Exited { exit, leftovers, survivors, outputs, artifacts, usage, suspects, contained })
}
