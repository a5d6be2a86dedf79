//! How an engine begins: the journal is taken and replayed, and what an engine that died left is gone on with.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use tokio::sync::mpsc::unbounded_channel;
use tokio::sync::watch;

use super::engine::{Engine, EngineError};
use super::handle::Handle;
use super::host::{containment, shares};
use super::unexplained::{look_into, reaches, remember};
use crate::adapters::clock::HostClock;
use crate::adapters::local::prepare::Vaults;
use crate::adapters::local::runtime::LocalRuntime;
use crate::adapters::vault::Mask;
use crate::adapters::vitals::host::HostGauge;
use crate::adapters::workspace::Workspace;
use crate::base::name::Name;
use crate::journal::commit::{Journal, Open};
use crate::journal::disk::{Disk, HostDisk};
use crate::journal::log::Opening;
use crate::kernel::action::EffectId;
use crate::kernel::engine::Kernel;
use crate::kernel::input::{Input, Request};
use crate::kernel::state::State;
use crate::kernel::stock::{Kind, Resource};
use crate::manifest::config::Config;
use crate::ports::clock::Clock;
use crate::ports::container::{Known, Reach};
use crate::ports::probe::Probe;
use crate::ports::runtime::{LookError, Runtime, Tell};
use crate::ports::vitals::Gauge;

/// The world that an engine works on.
#[derive(Clone)]
pub struct World {
    /// What changes it.
    pub runtime: Arc<dyn Runtime>,
    /// What looks at it.
    pub probe: Arc<dyn Probe>,
    /// Its time.
    pub clock: Arc<dyn Clock>,
    /// Its memory.
    pub gauge: Arc<dyn Gauge>,
    /// The secrets that are known.
    pub vaults: Vaults,
    /// What the journal is written to.
    pub disk: Arc<dyn Disk>,
    /// The process that the engine is.
    pub pid: u32,
}

impl World {
    /// This host.
    pub fn host(workspace: &Workspace, id: &str, config: &Config) -> Self {
        let vaults = Vaults::default();
        let gauge = Arc::new(HostGauge::here());
        // What cannot be seen now is looked at again, and said; a share of it is no size that could be set.
        let total = gauge.read().ok().map(|vitals| vitals.total);
        let containment = Arc::new(containment(id).with_shares(shares(&config.limits, total)));
        let runtime = Arc::new(LocalRuntime::new(workspace.clone(), id, containment, vaults.clone()));
        Self {
            runtime: Arc::clone(&runtime) as Arc<dyn Runtime>,
            probe: runtime,
            clock: Arc::new(HostClock::default()),
            gauge,
            vaults,
            disk: Arc::new(HostDisk),
            pid: std::process::id(),
        }
    }
}

impl Engine {
    /// Takes the workspace's journal, replays it, and goes on with what an engine that died left.
    ///
    /// `doing` tells others that find the journal held. Where it begins because a person stops a goal, nothing of that goal is begun first.
    ///
    /// # Errors
    /// Where another engine holds the workspace, or its journal cannot be read or written.
    pub async fn open(workspace: &Workspace, doing: &str, stop: Option<Name>) -> Result<Self, EngineError> {
        let id = workspace.establish()?.id;
        let world = World::host(workspace, &id, &workspace.config()?);
        Self::over(world, workspace, &id, doing, stop).await
    }

    /// The same over any world.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub async fn over(world: World, workspace: &Workspace, id: &str, doing: &str, stop: Option<Name>) -> Result<Self, EngineError> {
        let World { runtime, probe, clock, gauge, vaults, disk, pid } = world;
        let Config { retention, limits } = workspace.config()?;
        let Open { mut journal, state, opened, ignored } =
            Journal::open(&workspace.folder(), &Opening { workspace: id, doing, now: clock.now() })?;
        journal.set_disk(disk);
        let (tell, heard) = unbounded_channel();
        let (ask, asked) = unbounded_channel();
        let (written, reading) = watch::channel(journal.last());
        let mut engine = Self {
            kernel: Kernel::new(state),
            journal,
            retention,
            ignored: ignored.iter().map(ToString::to_string).collect(),
            workspace: workspace.clone(),
            runtime,
            probe,
            clock,
            gauge,
            limits,
            vaults,
            mask: Mask::of_workspace(workspace).map_err(EngineError::Secrets)?,
            envs: HashMap::new(),
            standing: HashMap::new(),
            tell: Tell::new(tell),
            heard,
            handle: Handle::new(ask, reading),
            asked,
            touched: BTreeSet::new(),
            watches: Vec::new(),
            written,
            released: false,
            survivors: Vec::new(),
            seen_in: Arc::default(),
        };
        let torn = opened.torn.map_or(0, |torn| torn.bytes);
        let version = env!("CARGO_PKG_VERSION").to_owned();
        let mut leftovers = engine.leftovers()?;
        leftovers.extend(engine.unknown_containers().await);
        let ended = engine.ended();
        let memory = Some(engine.sighting());
        let opening = Request::Open { version, pid, torn, leftovers, ended, memory, stop };
        engine.take(vec![Input::Request(opening)], &mut |_, _, _| {})?;
        while engine.kernel.is_recovering() {
            engine.hear(&mut |_, _, _| {}).await?;
        }
        engine.listen();
        Ok(engine)
    }

    /// Listens to the container engines in which there are containers. Those are looked at where it is plain which engine has them.
    fn listen(&self) {
        let known = |resource: &Resource| {
            let caught = resource.caught.as_ref().map(|caught| &caught.id);
            let id = caught.or_else(|| resource.process.as_ref()?.container.as_ref()).filter(|_| resource.kind == Kind::Container)?;
            Some(Known { goal: resource.owner.goal.clone(), id: id.clone(), caught: resource.caught.is_some() })
        };
        let known: Vec<_> = self.kernel.state().live_resources().filter_map(known).collect();
        if known.is_empty() {
            return;
        }
        let reaches = reaches(&self.workspace, self.kernel.state());
        // That one which a command has made is not there says that it is gone only where there is one engine to ask.
        let known: Vec<_> = known.into_iter().filter(|known| reaches.len() == 1 || !known.caught).collect();
        for reach in &reaches {
            self.runtime.listen(reach, known.clone(), &self.tell);
        }
    }

    /// The effects whose process is not there any more: what they promised is not to be relied on until their ends are told.
    fn ended(&self) -> Vec<EffectId> {
        let open = self.kernel.state().effects.iter();
        open.filter(|(_, open)| open.process.as_ref().is_some_and(|process| self.runtime.has_ended(process))).map(|(id, _)| *id).collect()
    }

    /// The scopes of containers of which no record knows. Where a container engine is not there now nothing is known of it, and nothing is
    /// done.
    async fn unknown_containers(&mut self) -> Vec<String> {
        let looked = look_into(&*self.runtime, reaches(&self.workspace, self.kernel.state())).await;
        self.ignored
            .extend(looked.unseen.into_iter().map(|error| format!("what an earlier engine left in containers cannot be seen: {error}")));
        let state = self.kernel.state();
        let known = known_scopes(state);
        let unknown: Vec<(String, Reach)> =
            looked.there.into_iter().filter(|(scope, _)| !known.contains(scope.as_str()) && !state.explains_object(scope, true)).collect();
        let names = unknown.iter().map(|(scope, _)| scope.clone()).collect();
        remember(&self.seen_in, unknown);
        names
    }

    /// The scopes in which somebody runs and of whom no record knows: an engine that died had started them and not yet written it down.
    fn leftovers(&self) -> Result<Vec<String>, LookError> {
        let known = known_scopes(self.kernel.state());
        let mut scopes = self.runtime.populated()?;
        scopes.retain(|scope| !known.contains(scope.as_str()));
        Ok(scopes)
    }
}

/// The scopes that records know of.
fn known_scopes(state: &State) -> HashSet<&str> {
    let resources = state.live_resources().filter_map(|resource| resource.process.as_ref());
    let at_work = state.effects.values().filter_map(|open| open.process.as_ref());
    resources.chain(at_work).map(|process| process.scope.as_str()).collect()
}
