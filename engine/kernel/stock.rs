//! A resource as the journal knows it: what was made, by which attempt, and how it is ended.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::action::{EffectId, Exit, ProcessMark, RunId, StopPolicy};
use super::adoption::Adoption;
use super::call::Caught;
use super::resource::ResourceState;
use super::restart::Restarts;
use super::usage::Usage;
use crate::base::name::Name;
use crate::base::owner::Owner;
use crate::base::time::Timestamp;
pub use crate::manifest::kind::Kind;
use crate::manifest::process::DEFAULT_GRACE;
use crate::manifest::resource::{Resource as Declared, Scope};
use crate::plan::sealed::{PhaseIx, Plan};

/// A resource that was made or started.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Resource {
    /// Its place.
    pub owner: Owner,
    /// What it is.
    pub kind: Kind,
    /// Where it stands.
    pub state: ResourceState,
    /// The run that made it.
    pub run: RunId,
    /// The phase, in that run's plan.
    pub phase: PhaseIx,
    /// The attempt that made it.
    pub attempt: u32,
    /// The effect that made it.
    #[serde(default)]
    pub made_by: EffectId,
    /// How long it lives.
    pub scope: Scope,
    /// Whether `down` leaves it.
    pub keep: bool,
    /// False where it was there before: then it is used, but not owned.
    pub created: bool,
    /// The directories and files that sculpt made at this place, in that order. Another path may be declared here by now:
    /// what was made at an earlier one is removed with the rest, and what was there before at the later one is not.
    pub paths: Vec<String>,
    /// The topmost folders that were made on the way to these paths: from there down, what is empty goes with them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub above: Vec<String>,
    /// Its main process.
    pub process: Option<ProcessMark>,
    /// How its main process ended.
    pub exit: Option<Exit>,
    /// What it used, once its process has ended.
    #[serde(default, skip_serializing_if = "Usage::is_unknown")]
    pub usage: Usage,
    /// True once sculpt has begun to end it: that it is gone then breaks no promise.
    #[serde(default)]
    pub ended_by_us: bool,
    /// Why it was evicted, where it was: its goal's promise is broken, and that is why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evicted: Option<String>,
    /// Its place in the order of teardown: wave and step; higher ends first.
    pub rank: (u32, u32),
    /// How it is ended.
    pub stop: StopPolicy,
    /// What its phase amounted to when it was made.
    pub fingerprint: String,
    /// The latest evidence of its state.
    pub evidence: String,
    /// Since when it is in this state.
    pub since: Timestamp,
    /// What a custom resource put out.
    pub outputs: IndexMap<Name, String>,
    /// How often it was started again, and whether it will be.
    #[serde(default, skip_serializing_if = "Restarts::is_none")]
    pub restarts: Restarts,
    /// What it is in the container engine, where no manifest declares it and a command made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caught: Option<Caught>,
    /// What it is on the host, where it was suspected and a person has adopted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adopted: Option<Box<Adoption>>,
}

impl Resource {
    /// A resource that an attempt is about to make; none where the plan does not know it.
    pub fn declared(plan: &Plan, phase: PhaseIx, name: &Name, run: &RunId, attempt: u32, now: Timestamp) -> Option<Self> {
        let planned = plan.phases.get(phase.at())?;
        let declared = planned.resource(name)?;
        let kind = Kind::of(declared);
        let step = planned.steps.iter().position(|step| step.resource() == Some(name))?;
        let kept_by_default = declared.scope == Scope::Goal && kind.holds_data();
        let mut made = Self::at(Owner::resource(&plan.goal, &planned.name, name), kind, run, phase, attempt, now);
        made.scope = declared.scope;
        made.keep = declared.keep.unwrap_or(kept_by_default);
        made.rank = (planned.wave, u32::try_from(step).unwrap_or(u32::MAX));
        made.stop = stop_policy(declared);
        Some(made)
    }

    /// Something at a place, of which nothing more is known yet.
    pub(super) fn at(owner: Owner, kind: Kind, run: &RunId, phase: PhaseIx, attempt: u32, now: Timestamp) -> Self {
        Self {
            owner,
            kind,
            state: ResourceState::Declared,
            run: run.clone(),
            phase,
            attempt,
            made_by: EffectId::default(),
            scope: Scope::Phase,
            keep: false,
            created: false,
            paths: Vec::new(),
            above: Vec::new(),
            process: None,
            exit: None,
            usage: Usage::default(),
            ended_by_us: false,
            evicted: None,
            rank: (0, 0),
            stop: StopPolicy::TERM,
            fingerprint: String::new(),
            evidence: String::new(),
            since: now,
            outputs: IndexMap::new(),
            restarts: Restarts::default(),
            caught: None,
            adopted: None,
        }
    }

    /// Takes over what an earlier run owns at this place: a directory that it made is still sculpt's, at its path and at no other.
    pub(super) fn succeed(&mut self, old: Self) {
        if !old.state.is_live() {
            return;
        }
        if matches!(self.kind, Kind::Directory | Kind::File) {
            self.paths = old.paths;
            self.above = old.above;
        } else if self.kind == old.kind {
            self.created = old.created;
            // What it put out when it was created is still so; who only finds it is not told again.
            self.outputs = old.outputs;
        }
    }

    /// It is about to be made, with the folders from this one down to it.
    pub(super) fn begun(&mut self, path: Option<&str>, above: Option<&str>) {
        self.made(true, path);
        if let Some(above) = above {
            self.has_above(above);
        }
    }

    /// With it go the folders from this one down to it, where they are empty.
    pub(super) fn has_above(&mut self, above: &str) {
        if self.above.iter().all(|known| known != above) {
            self.above.push(above.to_owned());
        }
    }

    /// It is there: made now, or found.
    pub(super) fn made(&mut self, created: bool, path: Option<&str>) {
        match path {
            Some(path) => {
                let known = self.paths.iter().any(|made| made == path);
                if created && !known {
                    self.paths.push(path.to_owned());
                }
                self.created = created || known;
            }
            None => self.created |= created,
        }
    }

    /// Its turn among what is ended with it; the highest goes first. What the command of a custom resource made has that resource's rank, and
    /// goes after it, each kind after what uses it.
    pub(super) fn turn(&self) -> (u32, u32) {
        let (wave, step) = self.rank;
        let after = match (&self.caught, self.kind) {
            (None, _) => 0,
            (Some(_), Kind::Network) => 2,
            (Some(_), Kind::Volume) => 3,
            (Some(_), _) => 1,
        };
        // Above all steps is what other commands made, in the order of its ranks.
        step.checked_mul(4).map_or(self.rank, |step| (wave, step + 3 - after))
    }

    /// True where there is something at this place that sculpt made, be it at a path that is no longer declared.
    pub fn is_owned(&self) -> bool {
        self.created || !self.paths.is_empty()
    }
}

/// How a declared resource is ended: SIGTERM to its main process and 10 s where the manifest says nothing.
pub fn stop_policy(declared: &Declared) -> StopPolicy {
    let stop = declared.stop.clone().unwrap_or_default();
    StopPolicy { signal: stop.signal, to: stop.to, grace: stop.grace.unwrap_or(DEFAULT_GRACE) }
}
