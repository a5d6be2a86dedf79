//! Who is there that no record explains: scopes in which somebody runs, and what carries our labels in container engines. Looks only.
//!
//! What cannot be seen is unknown, and unknown is not dead: nothing is done about it.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt as _;

use super::engine::Engine;
use super::host::engine_containment;
use crate::adapters::local::prepare::{Vaults, read_environment};
use crate::adapters::local::runtime::LocalRuntime;
use crate::adapters::workspace::Workspace;
use crate::kernel::action::{RunId, Shown};
use crate::kernel::input::Input;
use crate::kernel::object::Object;
use crate::kernel::state::{Goal, State};
use crate::ports::container::Reach;
use crate::ports::runtime::Runtime;

/// Where containers that nobody knows were seen, by their scopes' names.
pub(super) type SeenIn = Arc<Mutex<HashMap<String, Reach>>>;

/// What was seen in container engines.
#[derive(Debug, Default)]
pub(super) struct Looked {
    /// The scopes of containers, with the engine that has them.
    pub(super) there: Vec<(String, Reach)>,
    /// Why an engine could not be looked into.
    pub(super) unseen: Vec<String>,
}

/// The scopes and containers of a workspace in which somebody is, for whoever only wants to know.
#[derive(Debug, Default)]
pub struct Crowd {
    /// Their names.
    pub scopes: Vec<String>,
    /// What could not be seen, in words.
    pub unseen: Vec<String>,
    /// Volumes that no record knows: data, which nobody removes by guess.
    pub data: Vec<Object>,
}

impl Crowd {
    /// Looks who is there on this host, for a workspace and whatever runs it knows. Nothing is made or changed.
    pub async fn look(workspace: &Workspace, id: &str, state: &State) -> Self {
        let runtime = LocalRuntime::new(workspace.clone(), id, Arc::new(engine_containment(workspace, id)), Vaults::default());
        let mut crowd = Self::default();
        match runtime.populated() {
            Ok(scopes) => crowd.scopes.extend(scopes),
            Err(error) => crowd.unseen.push(error.to_string()),
        }
        let looked = look_into(&runtime, reaches(workspace, state)).await;
        crowd.scopes.extend(looked.there.into_iter().map(|(scope, _)| scope));
        let objects = crowd.scopes.iter().filter_map(|scope| Object::of(scope));
        crowd.data = objects.filter(|object| object.is_data() && !state.knows(object, false)).collect();
        crowd.unseen.extend(looked.unseen);
        crowd
    }
}

/// The container engines of all runs that have containers, or whose commands have asked for some.
pub(super) fn reaches(workspace: &Workspace, state: &State) -> Vec<Reach> {
    let of = |goal: &'_ Goal| {
        let runs = goal.run.iter().chain(&goal.older).filter(|run| goal.called || run.plan.has_containers());
        runs.map(|run| run.id.clone()).collect::<Vec<RunId>>()
    };
    let runs: Vec<RunId> = state.goals.values().flat_map(of).collect();
    let mut reaches: Vec<Reach> = Vec::new();
    for run in &runs {
        // An environment that cannot be read leads nowhere; whatever needs it says so.
        if let Ok(env) = read_environment(&workspace.run(run)) {
            let reach = Reach::of(&env);
            if !reaches.contains(&reach) {
                reaches.push(reach);
            }
        }
    }
    reaches
}

/// The scopes of all containers of the workspace in these container engines.
pub(super) async fn look_into(runtime: &dyn Runtime, reaches: Vec<Reach>) -> Looked {
    let mut looked = Looked::default();
    for reach in reaches {
        match runtime.contained(&reach).await {
            Ok(scopes) => looked.there.extend(scopes.into_iter().map(|scope| (scope, reach.clone()))),
            Err(error) => looked.unseen.push(error.to_string()),
        }
    }
    looked
}

/// Remembers where containers were seen, for whoever is to sweep them.
pub(super) fn remember(seen_in: &SeenIn, seen: Vec<(String, Reach)>) {
    seen_in.lock().unwrap_or_else(PoisonError::into_inner).extend(seen);
}

/// Where a container was seen.
pub(super) fn seen_at(seen_in: &SeenIn, scope: &str) -> Option<Reach> {
    seen_in.lock().unwrap_or_else(PoisonError::into_inner).get(scope).cloned()
}

impl Engine {
    /// Looks who is there that no record explains. What is told at once is answered at once.
    pub(super) fn look_for_unexplained(&self, queue: &mut VecDeque<Input>) {
        let state = self.kernel.state();
        let (mut scopes, mut unseen) = match self.runtime.populated() {
            Ok(scopes) => (scopes, Vec::new()),
            Err(error) => (Vec::new(), vec![error.to_string()]),
        };
        scopes.retain(|scope| !state.explains(scope, false));
        let (runtime, reaches) = (Arc::clone(&self.runtime), reaches(&self.workspace, state));
        let (tell, seen_in) = (self.tell.clone(), Arc::clone(&self.seen_in));
        let mut look = Box::pin(async move {
            let looked = look_into(&*runtime, reaches).await;
            scopes.extend(looked.there.iter().map(|(scope, _)| scope.clone()));
            remember(&seen_in, looked.there);
            unseen.extend(looked.unseen);
            Input::Shown(Shown::Unexplained { scopes, unseen })
        });
        match (&mut look).now_or_never() {
            Some(shown) => queue.push_back(shown),
            None => drop(tokio::spawn(async move { tell.say(look.await) })),
        }
    }
}
