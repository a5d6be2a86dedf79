//! The virtual clock: waiting lets the next thing of the world happen.

use std::future::poll_fn;
use std::task::Poll;

use super::simulation::Simulation;
use crate::base::time::Timestamp;
use crate::ports::clock::{Clock, Wait};

impl Clock for Simulation {
    fn now(&self) -> Timestamp {
        self.world().now()
    }

    /// Ends at once, with the time of whatever came first. Where nothing will ever come, or the engine has died, it never ends; that is
    /// seen with [`Simulation::is_stalled`] and [`Simulation::is_dead`].
    fn until(&self, due: Option<Timestamp>) -> Wait<'_> {
        Box::pin(poll_fn(move |_| if self.world().wait(due) { Poll::Ready(()) } else { Poll::Pending }))
    }
}
