//! Watching what an earlier engine started: it is not our child, so that its end is seen, but how it ended only where the kernel tells.

use std::sync::Arc;

use super::end::identity;
use super::endpoints::Endpoints;
use super::lease::Leases;
use super::work::{Swept, WorkError, keep_artifacts, read_outputs, release, sweep_up, told};
use crate::adapters::process::usage::Usage;
use crate::adapters::process::witness::end_of;
use crate::base::owner::Owner;
use crate::kernel::action::{EffectId, Exit, Seen};
use crate::kernel::input::Input;
use crate::kernel::usage::Usage as Used;
use crate::ports::job::WatchJob;
use crate::ports::runtime::Tell;

/// Watches a process to its end, and ends whatever it leaves behind in its scope.
pub(super) async fn watch(leases: Arc<Leases>, endpoints: Arc<Endpoints>, (id, owner): (EffectId, Owner), job: WatchJob, tell: Tell) {
    let seen = to_its_end(&leases, &endpoints, (id, &owner), job, &tell).await.unwrap_or_else(|error| error.seen());
    tell.say(Input::Seen { id, seen });
}

async fn to_its_end(
    leases: &Leases,
    endpoints: &Arc<Endpoints>,
    (id, owner): (EffectId, &Owner),
    job: WatchJob,
    tell: &Tell,
) -> Result<Seen, WorkError> {
    // Held from now on: whoever ends this place finds it.
    let lease = leases.adopt(owner, &job.process.scope)?;
    // It has its socket's path in its environment, and is served there again. Where it cannot be, its calls reach nobody.
    let endpoint = endpoints.open(&job.process.scope, (id, owner), job.endpoint.clone(), tell).ok().flatten();
    if let Some(endpoint) = &endpoint {
        // Where this fails, what stands in the place of the real sockets is one that nobody serves: past it nothing gets either.
        drop(endpoint.stand_again(leases.containment(), &identity(&job.process)));
    }
    let ended = end_of(&identity(&job.process)).await.map_err(WorkError::io("watch a process of an earlier engine"))?;
    let exit = ended.map_or(Exit::Unseen, told);
    let swept = match &lease {
        Some(lease) => {
            let swept = sweep_up(exit, Usage::default(), lease).await?;
            release(leases, owner, lease);
            swept
        }
        None => Swept { exit, leftovers: 0, survivors: Vec::new(), usage: Used::default() },
    };
    let Swept { exit, leftovers, survivors, usage } = swept;
    let contained = match (endpoint, &job.endpoint) {
        (Some(endpoint), _) => endpoint.close().await,
        (None, Some(job)) => endpoints.sweep((id, owner), job).await,
        (None, None) => None,
    };
    let (outputs, artifacts) = match job.collect {
        Some(Ok(collect)) => (read_outputs(&collect.output)?, keep_artifacts(&collect)?),
        Some(Err((fault, evidence))) => return Ok(Seen::Failed { fault, evidence }),
        None => Default::default(),
    };
    Ok(Seen::Exited { exit, leftovers, survivors, outputs, artifacts, usage, suspects: Vec::new(), contained })
}
