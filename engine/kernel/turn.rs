//! A turn: what one input makes the kernel decide. Decisions are taken on the state that the turn itself has changed.

use super::action::{Effect, EffectId, Look, QuestionId, RunId};
use super::call::CallId;
use super::deadline::Deadline;
use super::fold::Misfit;
use super::input::{At, Refusal};
use super::live::{Live, Waiter};
use super::record::Record;
use super::state::{Run, State};
use crate::base::name::Name;
use crate::base::owner::Owner;
use crate::base::time::Timestamp;

/// What a turn has decided: records to commit, looks to take once they are committed.
#[derive(Debug, Default, PartialEq)]
pub struct Decision {
    /// When.
    pub at: Timestamp,
    /// What happened, in order. Permits come from the `Requested` among them.
    pub records: Vec<Record>,
    /// What to look at.
    pub looks: Vec<Look>,
    /// Questions that are over: their standing permits end.
    pub closed: Vec<QuestionId>,
    /// Why the request was refused.
    pub refused: Option<Refusal>,
    /// Calls of the container engine that get no permit: who makes them is being ended.
    pub denied: Vec<CallId>,
}

/// The scratch of one turn.
pub struct Turn<'k> {
    pub(super) now: Timestamp,
    pub(super) state: &'k mut State,
    pub(super) live: &'k mut Live,
    pub(super) decision: Decision,
    pub(super) misfit: Option<Misfit>,
}

impl<'k> Turn<'k> {
    pub(super) fn new(now: Timestamp, state: &'k mut State, live: &'k mut Live) -> Self {
        Self { now, state, live, decision: Decision { at: now, ..Decision::default() }, misfit: None }
    }

    /// Says that something happened. The state changes at once; the world only after the commit.
    pub(super) fn record(&mut self, record: Record) {
        if self.misfit.is_some() {
            return;
        }
        match self.state.apply(self.now, &record) {
            Ok(()) => self.decision.records.push(record),
            Err(misfit) => self.misfit = Some(misfit),
        }
    }

    /// Asks for a change to the world. Whoever waits for its end is told of it.
    pub(super) fn request(&mut self, owner: Owner, effect: Effect, waiter: Waiter) -> EffectId {
        let id = self.permit(owner, effect);
        self.live.waiters.insert(id, waiter);
        id
    }

    /// Asks for a service: it ends when it ends, and nobody waits for that.
    pub(super) fn request_service(&mut self, owner: Owner, effect: Effect, at: At, name: Name) -> EffectId {
        let id = self.permit(owner, effect);
        self.live.services.insert(id, (at, name));
        id
    }

    pub(super) fn permit(&mut self, owner: Owner, effect: Effect) -> EffectId {
        let id = EffectId(self.state.last_effect + 1);
        self.record(Record::Requested { id, owner, effect });
        id
    }

    /// Asks for a look at the world.
    pub(super) fn look(&mut self, look: Look) {
        self.decision.looks.push(look);
    }

    pub(super) fn refuse(&mut self, refusal: Refusal) {
        self.decision.refused = Some(refusal);
    }

    pub(super) fn set_deadline(&mut self, at: Timestamp, deadline: Deadline) {
        self.live.deadlines.insert((at, deadline));
    }

    pub(super) fn run(&self, id: &RunId) -> Option<&Run> {
        self.state.run(id)
    }

    /// The place of a phase.
    pub(super) fn owner(&self, at: &At) -> Option<Owner> {
        self.run(&at.run).map(|run| run.owner(at.phase))
    }

    pub(super) fn finish(self) -> Result<Decision, Misfit> {
        match self.misfit {
            Some(misfit) => Err(misfit),
            None => Ok(self.decision),
        }
    }
}
