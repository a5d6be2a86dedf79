//! What the container engine tells of a container that a command made: nobody waits for it, so that its life is heard of only so.
//!
//! | told    | its resource                                                       |
//! |---------|--------------------------------------------------------------------|
//! | started | is ready, and known by its main process                            |
//! | ended   | is unhealthy, with how it ended, what it used, and whether memory was wanting |
//! | renamed | is the same under another name                                     |
//! | removed | is gone                                                            |
//!
//! What is told of others, or of one that is gone already, is nobody's business; what is told again changes nothing.

use serde::{Deserialize, Serialize};

use super::action::{Exit, ProcessMark};
use super::record::Record;
use super::resource::ResourceState;
use super::state::State;
use super::stock::{Kind, Resource};
use super::turn::Turn;
use super::usage::Usage;
use crate::base::owner::Owner;
use crate::base::time::Timestamp;

/// What became of a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Told {
    /// It runs.
    Started {
        /// Its main process.
        process: ProcessMark,
    },
    /// It has ended, and is still there.
    Ended {
        /// How.
        exit: Exit,
        /// What it used.
        #[serde(default, skip_serializing_if = "Usage::is_unknown")]
        usage: Usage,
    },
    /// It has another name.
    Renamed {
        /// The new one.
        name: String,
    },
    /// It is not there any more.
    Removed,
}

impl Turn<'_> {
    /// The container engine tells of a container, by its id.
    pub(super) fn told(&mut self, container: &str, told: Told) {
        let found = self.state.live_resources().find(|resource| resource.is_caught_container(container));
        let Some(resource) = found.filter(|resource| resource.is_news(&told)) else { return };
        if matches!(told, Told::Ended { .. } | Told::Removed) {
            self.live.sick.remove(container);
        }
        self.record(Record::Told { owner: resource.owner.clone(), told });
    }
}

impl State {
    /// Folds what was told.
    pub(super) fn fold_told(&mut self, at: Timestamp, owner: &Owner, told: &Told) {
        let want = match (self.resource(owner), told) {
            // The limits of its phase are its own.
            (Some(made), Told::Ended { usage, .. }) => self.want_of_memory(&made.run, made.phase, None, usage),
            _ => None,
        };
        let made = self.goals.get_mut(&owner.goal).and_then(|goal| goal.resources.get_mut(owner));
        let Some(made) = made.filter(|made| made.state.is_live()) else { return };
        match told {
            Told::Started { process } => {
                (made.process, made.exit, made.usage) = (Some(process.clone()), None, Usage::default());
                made.restarts.away = None;
                made.stands(at, ResourceState::Ready, "it runs");
            }
            Told::Ended { exit, usage } => {
                made.recovers_no_more();
                (made.exit, made.usage) = (Some(*exit), *usage);
                let how = want.map_or_else(|| format!("it ended with {exit}"), |want| format!("{want} ({exit})"));
                made.stands(at, ResourceState::Unhealthy, &how);
            }
            Told::Renamed { name } => {
                if let Some(caught) = &mut made.caught {
                    name.clone_into(&mut caught.name);
                }
            }
            Told::Removed => {
                let removed = made.exit.map_or_else(|| "it was removed".to_owned(), |_| format!("{}, and was removed", made.evidence));
                made.stands(at, ResourceState::Gone, &removed);
                // Nothing is left there to be tried again.
                self.goals.get_mut(&owner.goal).and_then(|goal| goal.leaks.shift_remove(owner));
            }
        }
    }
}

impl Resource {
    fn is_caught_container(&self, id: &str) -> bool {
        self.kind == Kind::Container && self.caught.as_ref().is_some_and(|caught| caught.id == id)
    }

    fn is_news(&self, told: &Told) -> bool {
        match told {
            Told::Started { process } => self.process.as_ref() != Some(process) || self.exit.is_some(),
            Told::Ended { .. } => self.exit.is_none(),
            Told::Renamed { name } => self.caught.as_ref().is_some_and(|caught| caught.name != *name),
            Told::Removed => true,
        }
    }

    /// It stands so now. One that is being ended stays that until it is gone.
    fn stands(&mut self, at: Timestamp, state: ResourceState, evidence: &str) {
        if self.state == ResourceState::Stopping && state != ResourceState::Gone {
            return;
        }
        (self.state, self.since) = (state, at);
        evidence.clone_into(&mut self.evidence);
    }
}
