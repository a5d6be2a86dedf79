//! Groups: of the runs whose plans name one `concurrency_group`, at most one has its turn.
//!
//! | a run of a group | input                                                          | then                       |
//! |------------------|----------------------------------------------------------------|----------------------------|
//! | waits            | no other has the turn, and none that came before waits for it  | has the turn: it opens, or goes on |
//! | waits, unopened  | stop                                                           | ended: nothing of it has begun, so `finally` has nothing to do |
//! | has the turn     | only a person is waited for                                    | waits, once the person has answered |
//! | has the turn     | it ended                                                       | –                          |
//!
//! A person may take days: whoever waits for one lets the others go on. A run that was begun within another is part of that one's turn.

use super::action::RunId;
use super::record::Record;
use super::requests::is_parked;
use super::state::{Run, State};
use super::turn::Turn;
use crate::base::time::Timestamp;

impl State {
    /// The run of its group that another waits for: the one that has the turn, or else the first in the line before it.
    pub fn ahead_of(&self, run: &Run) -> Option<&Run> {
        let group = run.plan.concurrency_group.as_ref()?;
        if run.ended.is_some() || run.has_turn {
            return None;
        }
        // What runs within a run of the group has that one's turn, and shares it only with what else runs within.
        let outer = self.around(run.options.parent.as_ref()).find(|parent| {
            let around = self.run(&parent.run);
            around.is_some_and(|around| around.plan.concurrency_group.as_ref() == Some(group))
        });
        let latest = self.goals.values().filter_map(|goal| goal.run.as_ref());
        let others = latest.filter(|other| other.plan.concurrency_group.as_ref() == Some(group));
        let others = others.filter(|other| other.ended.is_none() && other.id != run.id && !self.is_within(run, &other.id));
        let others: Vec<&Run> = others.filter(|other| outer.is_none_or(|outer| self.is_within(other, &outer.run))).collect();
        let before = |other: &&&Run| other.arrival < run.arrival && other.open > 0 && !is_parked(other);
        let has_turn = others.iter().find(|other| other.has_turn);
        has_turn.or_else(|| others.iter().filter(before).min_by_key(|other| other.arrival)).copied()
    }
}

impl Run {
    /// Whether it must not go on: its group's turn is another's.
    pub fn is_held_back(&self) -> bool {
        self.plan.concurrency_group.is_some() && !self.has_turn
    }

    /// Whether it has not even opened for that.
    pub(super) fn is_unopened(&self) -> bool {
        self.is_held_back() && self.first_turn.is_none()
    }

    pub(super) fn take_turn(&mut self, at: Timestamp) {
        self.has_turn = true;
        self.first_turn.get_or_insert(at);
    }
}

impl Turn<'_> {
    /// Takes the turn from those that only wait for a person, and gives it to those that are next.
    pub(super) fn settle_groups(&mut self) {
        let mut members: Vec<(u64, RunId)> = self
            .live
            .runs
            .keys()
            .filter_map(|id| self.state.run(id))
            .filter(|run| run.plan.concurrency_group.is_some() && run.ended.is_none())
            .map(|run| (run.arrival, run.id.clone()))
            .collect();
        members.sort_unstable();
        for (_, id) in &members {
            let idle = self.live.runs.get(id).is_some_and(|live| !live.is_busy());
            if idle && self.run(id).is_some_and(|run| run.has_turn && is_parked(run)) {
                self.record(Record::Yielded { run: id.clone() });
            }
        }
        for (_, id) in members {
            let wants = self.run(&id).is_some_and(|run| !run.has_turn && run.open > 0 && !is_parked(run));
            let unopened = self.run(&id).is_some_and(Run::is_unopened);
            if wants && self.run(&id).is_some_and(|run| self.state.ahead_of(run).is_none()) {
                self.record(Record::Admitted { run: id.clone() });
                self.watch_budget(&id);
                if unopened && self.live.runs.get(&id).is_some_and(|live| live.opening.is_some()) {
                    self.prepare(&id);
                }
            }
        }
    }
}
