//! The images that were built for a goal: removed when all that it keeps goes.

use super::fleets::Fleets;
use crate::base::name::Name;
use crate::kernel::action::Seen;
use crate::kernel::fault::Fault;
use crate::ports::container::Reach;

/// Removes a goal's images from each of the container engines that its runs have met. One that is used stays, and what the container engine
/// says of it is told.
pub(super) async fn forget(fleets: &Fleets, goal: &Name, reaches: &[Reach]) -> Seen {
    let mut left = Vec::new();
    for reach in reaches {
        let removed = match fleets.find(reach).await {
            Ok(fleet) => fleet.remove_built(goal).await.map_err(|error| error.to_string()),
            Err(none) => Err(none.to_string()),
        };
        match removed {
            Ok(used) => left.extend(used.iter().map(ToString::to_string)),
            Err(error) => left.push(format!("failed to look for its images: {error}")),
        }
    }
    if left.is_empty() {
        return Seen::Done;
    }
    Seen::Failed { fault: Fault::System, evidence: left.join("; ") }
}
