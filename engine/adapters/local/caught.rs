//! What commands made in the container engine: found by its labels, ended, removed.

use futures_util::future::try_join_all;

use super::contain::ContainError;
use super::fleets::Fleets;
use crate::adapters::docker::fleet::Fleet;
use crate::adapters::docker::list::{Found, Kind};
use crate::base::label::Origin;
use crate::base::owner::Owner;
use crate::base::time::Span;
use crate::kernel::action::EffectId;
use crate::ports::container::EndpointJob;

/// How long what a command leaves behind may take to end after SIGTERM: as for its processes.
const GRACE: Span = Span::seconds(5);

/// Ends and removes all that the command of an effect made and left. Gives how many things that were.
pub(super) async fn sweep(fleets: &Fleets, (id, owner): (EffectId, &Owner), job: &EndpointJob) -> Result<u32, ContainError> {
    let fleet = fleets.find(&job.reach).await?;
    let of = |found: &Found| {
        found.label.as_ref().is_some_and(|label| {
            let attempt = label.run == job.run.0 && label.attempt == job.attempt && label.effect == Some(id.0);
            label.origin == Origin::Caught && label.owner == *owner && attempt
        })
    };
    let found: Vec<Found> = fleet.list().await?.into_iter().filter(of).collect();
    try_join_all(found.iter().filter(|found| found.kind == Kind::Container).map(|found| end(&fleet, found))).await?;
    // What used them is gone.
    for found in &found {
        match found.kind {
            Kind::Container => {}
            Kind::Network => fleet.remove_network(&found.id).await?,
            // Somebody else's container may have it by now: it goes with that.
            Kind::Volume if found.nameless => fleet.remove_nameless(&found.id).await?,
            Kind::Volume => fleet.remove_volume(&found.id).await?,
        }
    }
    let left = fleet.list().await?.iter().filter(|found| of(found) && !found.nameless).count();
    if left > 0 {
        return Err(ContainError::Left(left));
    }
    Ok(u32::try_from(found.len()).unwrap_or(u32::MAX))
}

async fn end(fleet: &Fleet, found: &Found) -> Result<(), ContainError> {
    fleet.stop(&found.id, found.stop_signal.as_deref().unwrap_or("SIGTERM"), GRACE).await?;
    fleet.remove(&found.id).await?;
    Ok(())
}
