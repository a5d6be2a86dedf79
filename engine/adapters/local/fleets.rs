//! The container engines that this engine has met, and what is being started in them.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::container_meter::ContainerMeter;
use crate::adapters::docker::connection::{Engine, NoEngine};
use crate::adapters::docker::fleet::Fleet;
use crate::base::owner::Owner;
use crate::kernel::action::ProcessMark;
use crate::ports::container::Reach;

/// What stands in the way of a start.
type Stop = oneshot::Sender<()>;

/// The container engines of this workspace's runs.
pub(super) struct Fleets {
    workspace: String,
    met: Mutex<HashMap<Reach, Fleet>>,
    starting: Mutex<HashMap<Owner, Stop>>,
    meters: Mutex<HashMap<String, Arc<ContainerMeter>>>,
}

impl Fleets {
    pub(super) fn new(workspace: &str) -> Self {
        Self { workspace: workspace.to_owned(), met: Mutex::default(), starting: Mutex::default(), meters: Mutex::default() }
    }

    /// The workspace's id, as labels carry it.
    pub(super) fn workspace(&self) -> &str {
        &self.workspace
    }

    /// What this workspace has in the engine that is found there.
    ///
    /// # Errors
    /// Where none is. The next call looks again.
    pub(super) async fn find(&self, reach: &Reach) -> Result<Fleet, NoEngine> {
        if let Some(met) = lock(&self.met).get(reach) {
            return Ok(met.clone());
        }
        let fleet = Engine::find(&reach.env()).await?.fleet(&self.workspace);
        lock(&self.met).insert(reach.clone(), fleet.clone());
        Ok(fleet)
    }

    /// Says that something is being started at a place. The other end hears when it is to be stopped.
    pub(super) fn begin(&self, owner: &Owner) -> oneshot::Receiver<()> {
        let (stop, stopped) = oneshot::channel();
        lock(&self.starting).insert(owner.clone(), stop);
        stopped
    }

    /// It is started, or is not.
    pub(super) fn begun(&self, owner: &Owner) {
        lock(&self.starting).remove(owner);
    }

    /// Begins to measure a container that is followed to its end.
    pub(super) fn measure(&self, process: &ProcessMark) -> Arc<ContainerMeter> {
        let meter = Arc::new(ContainerMeter::of(process));
        if let Some(id) = &process.container {
            lock(&self.meters).insert(id.clone(), Arc::clone(&meter));
        }
        meter
    }

    /// The meter of a container that is followed to its end.
    pub(super) fn meter(&self, id: &str) -> Option<Arc<ContainerMeter>> {
        lock(&self.meters).get(id).cloned()
    }

    /// A container has ended.
    pub(super) fn measured(&self, process: &ProcessMark) {
        process.container.as_ref().and_then(|id| lock(&self.meters).remove(id));
    }

    /// Stops what is being started at a place.
    pub(super) fn stop(&self, owner: &Owner) {
        if let Some(stop) = lock(&self.starting).remove(owner) {
            // It may have come to its end in this very moment.
            let _ = stop.send(());
        }
    }
}

impl fmt::Debug for Fleets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fleets").field("workspace", &self.workspace).finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
