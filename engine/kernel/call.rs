//! What a command makes in the container engine, through the endpoint of its attempt.
//!
//! | a changing call | where the command, or the service, is at work | where it is being ended, or has ended |
//! |---|---|---|
//! | is | permitted, and recorded before and after | refused |
//!
//! So are those of the other commands: of a check while it is asked, of what makes or removes a custom resource, and of secrets.
//!
//! | seen of it | then |
//! |---|---|
//! | it made a container, a network or a volume | that is a resource of the phase, `docker:NAME`: with the scope of the attempt, or of the service, that made it; of the goal where the phase may `keep` it |
//! | the command that creates a custom resource made one | it is that resource's: it has its scope, is kept as it is, and goes after it at the latest |
//! | the command of a check, of a secret, or one that destroys made one | it is ended with that very command, and is nobody's resource |
//! | it removed one, by its name or its id, or by the beginning of that: which one it meant was looked up before | that resource is gone, and no other |
//! | the command has ended, and a look shows nothing more of its own | what the attempt had made, and may not keep, is gone |

use serde::{Deserialize, Serialize};

use super::action::{Effect, EffectId, RunId, Seen};
use super::input::At;
use super::live::Waiter;
use super::resource::ResourceState;
use super::state::{Goal, State};
use super::stock::{Kind, Resource};
use super::turn::Turn;
use crate::base::name::Name;
use crate::base::owner::Owner;
use crate::base::time::Timestamp;
use crate::manifest::resource::Scope;
use crate::plan::sealed::PhaseIx;

/// The word in `capabilities: { docker: [...] }` that lets a phase leave what it makes, until its goal goes down.
pub const KEEP: &str = "keep";

/// Begins the name of a resource that a command made: no resource of a manifest can have such a name.
const PREFIX: &str = "docker:";

/// A call that waits for its permit; lives only as long as the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CallId(pub u64);

/// What a call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verb {
    /// It makes a container, a network or a volume.
    Create(Kind),
    /// It removes one.
    Remove(Kind),
    /// It changes anything else.
    Change,
}

/// A call of the container engine that changes something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// What it does.
    pub verb: Verb,
    /// The same as it was asked for: `POST /v1.41/containers/create`.
    pub request: String,
    /// The id or the name that it is about, as it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The whole id of what that is, where it was there before the call; of a volume, its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The name that is wanted for what it makes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// What a command made in the container engine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caught {
    /// By what the container engine knows it: an id; of a volume, its name.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Whose command made it: the phase, or a service of it.
    pub by: Owner,
    /// Whether it stays once that has ended.
    pub keeps: bool,
}

impl Turn<'_> {
    /// Somebody's command wants to change something in the container engine.
    pub(super) fn call(&mut self, by: EffectId, id: CallId, call: Call) {
        match self.caller(by) {
            Some(owner) => {
                self.request(owner, Effect::Call { by, id, call }, Waiter::Nobody);
            }
            None => self.decision.denied.push(id),
        }
    }

    /// The place of a command that is at work, and is not being ended.
    fn caller(&mut self, by: EffectId) -> Option<Owner> {
        let open = self.state.effects.get(&by)?;
        let (owner, effect) = (open.owner.clone(), open.effect.clone());
        let may = match effect {
            Effect::Work { run, phase, attempt } => {
                let at = At { run, phase };
                let current = self.run(&at.run).is_some_and(|run| run.phase(at.phase).attempt == attempt);
                current && self.live.attempt(&at).is_some_and(|attempt| attempt.ending.is_none())
            }
            Effect::Serve { .. } => {
                let serves = |resource: &Resource| resource.made_by == by && resource.state.is_live();
                self.state.resource(&owner).is_some_and(|resource| serves(resource) && resource.state != ResourceState::Stopping)
            }
            // A command of a question that is dismissed is about to be killed.
            Effect::Ask { question, .. } => self.live.questions.get(&question).is_some_and(|question| question.is_asked_by(by)),
            // Nobody ends these: whoever asked for them waits for their end.
            Effect::Make { .. } | Effect::Remove | Effect::Prepare { .. } => true,
            _ => false,
        };
        may.then_some(owner)
    }
}

impl State {
    /// A call is about to be made.
    pub(super) fn calls(&mut self, owner: &Owner) {
        if let Some(goal) = self.goals.get_mut(&owner.goal) {
            goal.called = true;
        }
    }

    /// A call was answered.
    pub(super) fn called(&mut self, at: Timestamp, id: EffectId, by: EffectId, call: &Call, seen: &Seen) {
        let Seen::Called { status, id: made } = seen else { return };
        match (call.verb, made, status) {
            (Verb::Create(kind), Some(made), _) => {
                let name = call.name.clone().filter(|name| !name.is_empty());
                let name = name.unwrap_or_else(|| made.chars().take(12).collect());
                self.catch(at, id, by, kind, (made.clone(), name));
            }
            (Verb::Remove(kind), _, Some(200..=299)) => {
                let Some(subject) = &call.subject else { return };
                // One that was not there is at most what had exactly this name, and had gone before.
                let is = |caught: &Caught| match &call.id {
                    Some(id) => caught.id == *id,
                    None => caught.name == *subject || caught.id == *subject,
                };
                // Other places of this workspace may have made it: whoever removes it, it is gone.
                let of = |resource: &Resource| resource.kind == kind && resource.caught.as_ref().is_some_and(is);
                self.goals.values_mut().for_each(|goal| goal.vanish(at, of, "removed by a command of the goal"));
            }
            _ => {}
        }
    }

    fn catch(&mut self, at: Timestamp, id: EffectId, by: EffectId, kind: Kind, (engines, name): (String, String)) {
        let Some(open) = self.effects.get(&by) else { return };
        let (Effect::Work { run, phase, attempt } | Effect::Serve { run, phase, attempt, .. } | Effect::Make { run, phase, attempt, .. }) =
            &open.effect
        else {
            return;
        };
        let caught = Caught { id: engines, name, by: open.owner.clone(), keeps: false };
        let (run, phase, attempt) = (run.clone(), *phase, *attempt);
        let Some(mut resource) = self.run(&run).and_then(|begun| Resource::caught(begun, phase, attempt, kind, caught, at)) else { return };
        resource.made_by = id;
        let Some(goal) = self.goals.get_mut(&resource.owner.goal) else { return };
        let same = |other: &Resource| {
            other.kind == kind && other.caught.as_ref().map(|caught| &caught.id) == resource.caught.as_ref().map(|caught| &caught.id)
        };
        if goal.live_resources().any(same) {
            return; // A volume that is there is not made by whoever asks for it again.
        }
        // Two things of different kinds may have one name, and what has a name again is another thing.
        if goal.resources.get(&resource.owner).is_some_and(|other| other.state.is_live()) {
            let name = resource.owner.resource.take().unwrap_or_else(|| Name::from(PREFIX));
            resource.owner.resource = Some(Name::new(format!("{name}.{}", id.0)));
        }
        goal.resources.shift_remove(&resource.owner);
        goal.leaks.shift_remove(&resource.owner);
        goal.resources.insert(resource.owner.clone(), resource);
    }

    /// The command of an attempt, or a service, has ended, and so has what it had made and may not keep.
    pub(super) fn caught_gone(&mut self, at: Timestamp, owner: &Owner, (run, phase, attempt): (&RunId, PhaseIx, u32)) {
        let Some(goal) = self.goals.get_mut(&owner.goal) else { return };
        let of = |resource: &Resource| {
            let of = resource.run == *run && resource.phase == phase && resource.attempt == attempt;
            of && resource.caught.as_ref().is_some_and(|caught| caught.by == *owner && !caught.keeps)
        };
        goal.vanish(at, of, "ended with the command that had made it");
    }
}

impl Goal {
    /// Such things of it are gone, without this engine having done anything to them; and so is what leaks there.
    pub(super) fn vanish(&mut self, at: Timestamp, of: impl Fn(&Resource) -> bool, evidence: &str) {
        for resource in self.resources.values_mut().filter(|resource| resource.state.is_live() && of(resource)) {
            resource.state = ResourceState::Gone;
            resource.since = at;
            evidence.clone_into(&mut resource.evidence);
            self.leaks.shift_remove(&resource.owner);
        }
    }

    /// What commands of a phase made in the container engine.
    pub(super) fn caught_of<'g>(&'g self, phase: &'g Owner) -> impl Iterator<Item = &'g Resource> {
        // Looked through only where there can be any: a goal may have thousands of resources.
        let all = self.called.then(|| self.resources.values()).into_iter().flatten();
        all.filter(|resource| resource.caught.is_some() && resource.owner.phase == phase.phase)
    }
}

impl Resource {
    /// What a command of an attempt made in the container engine.
    fn caught(run: &super::state::Run, phase: PhaseIx, attempt: u32, kind: Kind, mut caught: Caught, now: Timestamp) -> Option<Self> {
        let planned = run.plan.phases.get(phase.at())?;
        caught.keeps = planned.spec.capabilities.as_ref().is_some_and(|capabilities| capabilities.docker.iter().any(|word| word == KEEP));
        let name = Name::new(format!("{PREFIX}{}", caught.name.replace('/', "_")));
        let mut resource = Self::at(Owner::resource(&run.plan.goal, &planned.name, &name), kind, &run.id, phase, attempt, now);
        resource.state = ResourceState::Ready;
        // What a service makes lives as long as that does.
        let maker = caught.by.resource.as_ref().and_then(|name| Self::declared(&run.plan, phase, name, &run.id, attempt, now));
        resource.created = true;
        if let Some(custom) = maker.as_ref().filter(|maker| maker.kind == Kind::Custom) {
            // Its own command may say how it is destroyed.
            (resource.scope, resource.keep, caught.keeps) = (custom.scope, custom.keep, true);
            resource.rank = custom.rank;
        } else {
            resource.scope = if caught.keeps { Scope::Goal } else { maker.map_or(Scope::Phase, |service| service.scope) };
            resource.keep = caught.keeps && kind.holds_data();
            // After the command's own end, and each kind after what uses it.
            let step = u32::MAX - if kind.runs() { 1 } else { 2 + u32::from(kind == Kind::Volume) };
            resource.rank = (planned.wave, step);
        }
        resource.process = (kind == Kind::Container).then(|| super::action::ProcessMark::of_container(&run.plan.goal, &caught.id));
        resource.fingerprint.clone_from(&run.phase(phase).brief.fingerprint);
        resource.evidence = format!("made by a command of {}", caught.by);
        resource.caught = Some(caught);
        Some(resource)
    }
}
