//! Who may work now: slots, the queue, and what the end of a phase means for those that need it.

use super::action::RunId;
use super::admission::{Admission, Ledger};
use super::attempt::Doing;
use super::fault::Fault;
use super::input::At;
use super::outcome::{Outcome, Proof};
use super::phase::PhaseState;
use super::record::Record;
use super::turn::Turn;
use crate::manifest::needs::Unlock;
use crate::plan::sealed::{Part, PhaseIx};

/// How many phases of a run are looked at that wait for admission: those behind them wait as they would for a slot.
const HELD: u32 = 64;

impl Turn<'_> {
    /// Gives free slots to the phases of all runs that wait for one: memory is given in the order in which the runs came.
    pub(super) fn fill_all_slots(&mut self) {
        let mut ledger = Ledger::default();
        for run in self.runs_in_order() {
            self.fill_slots(&run, &mut ledger);
        }
    }

    /// Gives free slots to the phases that wait for one, in the order of the plan. One that is not admitted yet lets others go first.
    fn fill_slots(&mut self, id: &RunId, ledger: &mut Ledger) {
        let (mut from, mut held) = (PhaseIx(0), 0);
        while held < HELD {
            let Some(run) = self.state.run(id) else { return };
            let concurrency = run.plan.concurrency;
            let (stopping, held_back) = (run.stopping.is_some(), run.is_held_back());
            let Some(live) = self.live.runs.get_mut(id) else { return };
            if held_back || live.opening.is_some() || live.dismissing || live.working >= concurrency {
                return;
            }
            let Some(phase) = live.queue.range(from..).next().copied() else { return };
            let at = At { run: id.clone(), phase };
            let resumes = live.attempts.get(&phase).map(|attempt| attempt.doing);
            match resumes {
                Some(Doing::Stepping(index)) => {
                    live.queue.remove(&phase);
                    live.working += 1;
                    if let Some(attempt) = live.attempts.get_mut(&phase) {
                        attempt.slot = true;
                    }
                    self.take_step(&at, index);
                }
                Some(_) => {
                    live.queue.remove(&phase);
                }
                None => {
                    let startable = matches!(run.phase(phase).state, PhaseState::Ready | PhaseState::BackingOff);
                    let allowed = !stopping || run.plan.phase(phase).part == Part::Finally;
                    if !startable || !allowed {
                        live.queue.remove(&phase);
                        continue;
                    }
                    if let Some(why) = self.broken_need(&at) {
                        self.unqueue(&at);
                        self.end_unmet(&at, why);
                        continue;
                    }
                    if self.awaits_return(&at) {
                        (from, held) = (PhaseIx(phase.0 + 1), held + 1);
                        continue;
                    }
                    match self.admission(&at, ledger) {
                        Admission::Starts => {
                            self.unqueue(&at);
                            if let Some(live) = self.live.runs.get_mut(id) {
                                live.working += 1;
                            }
                            ledger.changed();
                            self.begin(&at);
                        }
                        Admission::Waits => {
                            self.hold(&at);
                            (from, held) = (PhaseIx(phase.0 + 1), held + 1);
                        }
                        Admission::NeverFits(why) => {
                            self.unqueue(&at);
                            self.end_now(&at, Outcome::Failed, Proof::None, Some(Fault::TooLarge), why);
                        }
                    }
                }
            }
        }
    }

    /// Takes a phase out of the queue: it begins, or ends without.
    fn unqueue(&mut self, at: &At) {
        if let Some(live) = self.live.runs.get_mut(&at.run) {
            live.queue.remove(&at.phase);
            live.held.remove(&at.phase);
        }
    }

    /// Ends a phase that what it needs has left: one that never began is skipped, one that has failed before stays failed.
    fn end_unmet(&mut self, at: &At, why: String) {
        let failed = self.run(&at.run).and_then(|run| run.phase(at.phase).failures.last().cloned());
        match failed {
            Some(failure) => {
                let why = format!("{}; and {why}", failure.why);
                self.end_now(at, Outcome::Failed, Proof::None, Some(failure.fault), why);
            }
            None => self.end_now(at, Outcome::Skipped, Proof::None, None, why),
        }
    }

    /// A promise of a needed phase that is no longer kept: `needs` means ready now.
    fn broken_need(&self, at: &At) -> Option<String> {
        let run = self.run(&at.run)?;
        let planned = run.plan.phase(at.phase);
        if planned.part != Part::Phase {
            return None;
        }
        planned.needs.iter().find_map(|edge| {
            // Where it may have ended badly, what it has left need not be well either.
            let must_be_well = matches!(edge.unlock, Unlock::Verified | Unlock::Unverified);
            if !must_be_well || !run.plan.phase(edge.phase).promises() {
                return None;
            }
            let needed = At { run: at.run.clone(), phase: edge.phase };
            self.dead_promise(&needed).map(|(_, dead)| format!("it needs {dead}"))
        })
    }

    /// Holds a slot for an attempt; where none is free the attempt waits in the queue.
    pub(super) fn hold_slot(&mut self, at: &At) -> bool {
        let Some(concurrency) = self.run(&at.run).map(|run| run.plan.concurrency) else { return false };
        let Some(live) = self.live.runs.get_mut(&at.run) else { return false };
        let Some(attempt) = live.attempts.get_mut(&at.phase) else { return false };
        if attempt.slot {
            return true;
        }
        if live.working >= concurrency {
            live.queue.insert(at.phase);
            return false;
        }
        attempt.slot = true;
        live.working += 1;
        true
    }

    /// Gives an attempt's slot back. Who waits for one gets it at the end of the turn.
    pub(super) fn free_slot(&mut self, at: &At) {
        let Some(live) = self.live.runs.get_mut(&at.run) else { return };
        live.queue.remove(&at.phase);
        let Some(attempt) = live.attempts.get_mut(&at.phase) else { return };
        if std::mem::take(&mut attempt.slot) {
            live.working = live.working.saturating_sub(1);
        }
    }

    /// A phase has ended: those that it unlocks are queued, those that it locks for good are skipped.
    ///
    /// Nobody is admitted here: slots are filled once, at the end of the turn, however long the line of the skipped is.
    pub(super) fn phase_over(&mut self, at: &At) {
        let mut ended = vec![at.phase];
        while let Some(phase) = ended.pop() {
            let Some(dependents) = self.state.run(&at.run).map(|run| std::sync::Arc::clone(&run.dependents)) else { return };
            for edge in &dependents[phase.at()] {
                let Some(run) = self.state.run(&at.run) else { return };
                match run.phase(edge.phase).state {
                    PhaseState::Ready => {
                        if let Some(live) = self.live.runs.get_mut(&at.run) {
                            live.queue.insert(edge.phase);
                        }
                    }
                    PhaseState::Pending if !run.unlocks(phase, edge.unlock) => {
                        let outcome = run.phase(phase).state.word();
                        let why = format!("it needs {}, which ended {outcome}", run.plan.phase(phase).name);
                        let skipped = At { run: at.run.clone(), phase: edge.phase };
                        let (run, outcome, proof) = (at.run.clone(), Outcome::Skipped, Proof::None);
                        if self.live.attempt(&skipped).is_some() {
                            continue; // It goes back to what it has replaced, and is skipped then.
                        }
                        if self.owes_rollback(&skipped, outcome) {
                            self.end_now(&skipped, outcome, proof, None, why);
                            continue;
                        }
                        self.record(Record::PhaseEnded { run, phase: edge.phase, outcome, proof, fault: None, why });
                        ended.push(edge.phase);
                    }
                    _ => {}
                }
            }
        }
        self.close_run_if_over(&at.run);
    }
}
