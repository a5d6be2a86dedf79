//! The container engines that this engine has met, and what is being started in them.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::container_meter::ContainerMeter;
use crate::adapters::docker::cgroups::Cgroups;
use crate::adapters::docker::connection::{Engine, NoEngine, socket_of};
use crate::adapters::docker::fleet::Fleet;
use crate::adapters::process::cgroup::containers::CgroupParent;
use crate::adapters::process::containment::Containment;
use crate::base::name::Name;
use crate::base::owner::Owner;
use crate::base::size::ByteSize;
use crate::kernel::action::ProcessMark;
use crate::ports::container::Reach;

/// What stands in the way of a start.
type Stop = oneshot::Sender<()>;

/// The container engines of this workspace's runs.
pub(super) struct Fleets {
    workspace: String,
    containment: Arc<Containment>,
    met: Mutex<HashMap<Reach, Fleet>>,
    starting: Mutex<HashMap<Owner, Stop>>,
    meters: Mutex<HashMap<String, Arc<ContainerMeter>>>,
    /// The commands that ask inside of containers, by the containers.
    inside: Mutex<HashMap<String, String>>,
}

impl Fleets {
    pub(super) fn new(workspace: &str, containment: Arc<Containment>) -> Self {
        let (met, starting, meters, inside) = (Mutex::default(), Mutex::default(), Mutex::default(), Mutex::default());
        Self { workspace: workspace.to_owned(), containment, met, starting, meters, inside }
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
        let socket = socket_of(&reach.env());
        // Another engine may have begun since, to which it leads now.
        if let Some(met) = lock(&self.met).get(reach).filter(|met| socket.is_none() || met.engine().socket() == socket.as_deref()) {
            return Ok(met.clone());
        }
        let fleet = Engine::find(&reach.env()).await?.fleet(&self.workspace);
        lock(&self.met).insert(reach.clone(), fleet.clone());
        Ok(fleet)
    }

    /// The group below which an engine of this host may be told to put a goal's containers.
    pub(super) fn parent(&self, goal: &Name) -> Option<CgroupParent> {
        self.containment.parent_of_containers(goal)
    }

    /// The same, where this engine takes it.
    pub(super) async fn parent_in(&self, fleet: &Fleet, goal: &Name) -> Option<String> {
        let parent = self.parent(goal)?;
        let cgroups = Cgroups::ask(fleet.engine().socket()?).await?;
        cgroups.takes_parent(parent.version).then_some(parent.path)
    }

    /// What a goal may use that declares no limit, where nothing limits its containers together: then each has it for itself.
    pub(super) fn share(&self) -> Option<ByteSize> {
        let shares = self.containment.shares();
        shares.goal.into_iter().chain(shares.workspace).min()
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
        process.container.iter().for_each(|id| self.forget_meter(id));
    }

    /// The same of one that is known by its id.
    pub(super) fn forget_meter(&self, id: &str) {
        lock(&self.meters).remove(id);
    }

    /// The last command that asked inside of a container, where it was not seen to end.
    pub(super) fn asked_inside(&self, id: &str) -> Option<String> {
        lock(&self.inside).get(id).cloned()
    }

    /// A command begins to ask inside of a container.
    pub(super) fn asks_inside(&self, id: &str, command: &str) {
        lock(&self.inside).insert(id.to_owned(), command.to_owned());
    }

    /// It has ended.
    pub(super) fn asked_no_more(&self, id: &str) {
        lock(&self.inside).remove(id);
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
