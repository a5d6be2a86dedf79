//! The course of a run.
//!
//! | stage   | input                                     | next    |
//! |---------|-------------------------------------------|---------|
//! | waiting | its group's turn is its own                | opening |
//! | opening | it is prepared; what the plan no longer has is gone; the checks of phases without work are asked | open |
//! | opening | it cannot be prepared                     | closing |
//! | open    | a phase ended, others are open            | open    |
//! | open    | the last phase ended                      | closing |
//! | open    | stop                                      | open: what runs is ended, what waits is cancelled, `finally` runs |
//! | closing | what must go is gone                      | ended   |

use std::collections::BTreeSet;

use super::action::{Effect, Look, RunId, Seen};
use super::answer::Stage;
use super::attempt::Ending;
use super::fault::Fault;
use super::input::At;
use super::live::{LiveRun, Waiter};
use super::outcome::{Outcome, Proof, Verdict};
use super::phase::PhaseState;
use super::record::{Record, StopReason};
use super::state::Run;
use super::stock::Resource;
use super::teardown::{For, kill, trouble};
use super::turn::Turn;
use crate::base::name::Name;
use crate::base::owner::Owner;
use crate::manifest::resource::Scope;
use crate::manifest::verify::Tier;
use crate::plan::sealed::{Part, PhaseIx, PlannedPhase};

impl Turn<'_> {
    /// Opens a run: what it carries over ends, and it is prepared; in a group once it has the turn.
    pub(super) fn open_run(&mut self, id: &RunId) {
        self.live.runs.insert(id.clone(), LiveRun { opening: Some(0), ..LiveRun::default() });
        self.carry_over(id);
        if !self.run(id).is_some_and(Run::is_unopened) {
            self.watch_budget(id);
            self.prepare(id);
        }
    }

    /// Has the run prepared.
    pub(super) fn prepare(&mut self, id: &RunId) {
        let Some(owner) = self.run(id).map(|run| Owner::goal(&run.plan.goal)) else { return };
        self.request(owner, Effect::Prepare { run: id.clone() }, Waiter::Prepare(id.clone()));
    }

    /// The run is prepared, or cannot be.
    pub(super) fn prepared(&mut self, id: &RunId, seen: Seen) {
        if !self.is_opening(id) {
            return;
        }
        match seen {
            Seen::Done => {
                self.live.unlimited.remove(super::state::goal_of(id));
                self.end_removed(id);
            }
            Seen::Failed { fault, evidence } => {
                if let Some(live) = self.live.runs.get_mut(id) {
                    live.opening = None;
                    live.forced = true;
                }
                self.stop_for(id, StopReason::Unprepared, fault, &evidence);
            }
            _ => {}
        }
    }

    fn is_opening(&self, id: &RunId) -> bool {
        self.live.runs.get(id).is_some_and(|live| live.opening.is_some())
    }

    /// What earlier runs started and the plan no longer has is ended before anything begins.
    pub(super) fn end_removed(&mut self, id: &RunId) {
        let Some(run) = self.run(id) else { return };
        let plan = std::sync::Arc::clone(&run.plan);
        let has = |owner: &Owner| {
            let (Some(phase), Some(resource)) = (&owner.phase, &owner.resource) else { return false };
            plan.find(phase.as_str()).is_some_and(|(_, planned)| planned.resource(resource).is_some())
        };
        // What a command made is its phase's: it stands as long as that does, and goes when it is done anew.
        let has = |made: &Resource| match &made.caught {
            Some(caught) => caught.by.phase.as_ref().is_some_and(|phase| plan.find(phase.as_str()).is_some()),
            None => has(&made.owner),
        };
        let targets =
            self.targets(&plan.goal, |resource| resource.kind.is_remade() && !resource.keep && resource.run != *id && !has(resource));
        // Of a phase that is still there it is a part: what is lost of it with a replacement that fails is had back with the rest.
        for (ix, planned) in plan.indexed() {
            let names = targets
                .iter()
                .filter_map(|(_, target)| target.owner().resource.clone().filter(|_| target.owner().phase.as_ref() == Some(&planned.name)));
            let names: Vec<Name> = names.collect();
            if !names.is_empty() {
                self.note_replaced(&At { run: id.clone(), phase: ix }, names, |_| true);
            }
        }
        self.tear_down(For::Removed(id.clone()), targets);
    }

    /// What the plan no longer has is gone; where it is not, the run ends with it.
    pub(super) fn removed(&mut self, id: &RunId, survivors: &[u32], unremoved: &[String]) {
        if let Some((_, trouble)) = trouble(survivors, unremoved) {
            self.note_survivors(id, survivors);
            if let Some(live) = self.live.runs.get_mut(id) {
                live.regressed = Some(format!("what the manifest no longer has is still there: {trouble}"));
            }
        }
        if self.is_opening(id) {
            self.ask_workless(id);
        }
    }

    /// Remembers what would not end: the run says so at its own end.
    pub(super) fn note_survivors(&mut self, id: &RunId, survivors: &[u32]) {
        if let Some(live) = self.live.runs.get_mut(id) {
            live.survivors.extend(survivors);
        }
    }

    /// A phase that does nothing itself checks the work of others: its checks are asked before any of that begins.
    fn ask_workless(&mut self, id: &RunId) {
        let Some(run) = self.run(id) else { return };
        let asks =
            |ix: PhaseIx, planned: &PlannedPhase| !planned.works() && planned.checks() > 0 && run.phase(ix).state.outcome().is_none();
        let workless: Vec<PhaseIx> = run.plan.indexed().filter(|(ix, planned)| asks(*ix, planned)).map(|(ix, _)| ix).collect();
        if let Some(live) = self.live.runs.get_mut(id) {
            live.opening = Some(workless.len());
        }
        for phase in &workless {
            self.look(Look::Brief { run: id.clone(), phase: *phase });
        }
        if workless.is_empty() {
            self.opened(id);
        }
    }

    /// A phase without work is briefed while the run opens. What cannot be rendered yet is asked when the phase begins.
    pub(super) fn briefed_early(&mut self, at: &At, brief: Result<super::action::Brief, (Fault, String)>) {
        let unasked = match brief {
            Ok(brief) if brief.wanted => {
                self.record(Record::Briefed { run: at.run.clone(), phase: at.phase, brief });
                self.run(&at.run).map(|run| run.phase(at.phase).unasked()).unwrap_or_default()
            }
            _ => Vec::new(),
        };
        if let Some(opening) = self.live.runs.get_mut(&at.run).and_then(|live| live.opening.as_mut()) {
            *opening += unasked.len();
        }
        for check in unasked {
            self.ask_check(at, check, Stage::Before);
        }
        self.answered_early(&at.run);
    }

    /// One of the things that the opening waits for is there.
    pub(super) fn answered_early(&mut self, id: &RunId) {
        let Some(opening) = self.live.runs.get_mut(id).and_then(|live| live.opening.as_mut()) else { return };
        *opening = opening.saturating_sub(1);
        if *opening == 0 {
            self.opened(id);
        }
    }

    /// The first phases may begin.
    pub(super) fn opened(&mut self, id: &RunId) {
        let Some(run) = self.state.run(id) else { return };
        let ready = run.phases.iter().zip((0..).map(PhaseIx)).filter(|(phase, _)| phase.state == PhaseState::Ready).map(|(_, ix)| ix);
        let ready: Vec<PhaseIx> = ready.collect();
        if let Some(live) = self.live.runs.get_mut(id) {
            live.opening = None;
            live.queue.extend(ready);
        }
        self.carried_over(id);
        self.close_run_if_over(id);
    }

    /// Stops a run: what runs is ended, what waits is cancelled, and `finally` phases run. Forced: all of it at once.
    pub(super) fn stop_run(&mut self, id: &RunId, reason: StopReason, why: &str) {
        let fault = if reason == StopReason::Budget { Fault::Budget } else { Fault::Stopped };
        self.stop_for(id, reason, fault, why);
    }

    pub(super) fn stop_for(&mut self, id: &RunId, reason: StopReason, fault: Fault, why: &str) {
        let Some(run) = self.run(id).filter(|run| run.ended.is_none()) else { return };
        let plan = std::sync::Arc::clone(&run.plan);
        let (first, unopened) = (run.stopping.is_none(), run.is_unopened());
        if first {
            self.record(Record::Stopping { run: id.clone(), reason, why: why.to_owned() });
        }
        let Some(live) = self.live.runs.get_mut(id) else { return };
        // Nothing of it has begun: `finally` has nothing to do.
        live.forced |= unopened;
        let forced = live.forced;
        if live.opening.take().is_some() {
            live.dismissing = true;
            self.dismiss(&plan.goal, Stage::Before);
        }
        let stops = |ix: &PhaseIx| forced || plan.phase(*ix).part != Part::Finally;
        let Some(run) = self.run(id) else { return };
        let open: Vec<PhaseIx> =
            plan.indexed().map(|(ix, _)| ix).filter(stops).filter(|ix| run.phase(*ix).state.outcome().is_none()).collect();
        // What waits is cancelled first: the end of what runs must find nothing left to skip or to start.
        let (at_work, waiting): (Vec<PhaseIx>, Vec<PhaseIx>) =
            open.into_iter().partition(|ix| self.live.runs.get(id).is_some_and(|live| live.attempts.contains_key(ix)));
        let (outcome, proof, fault) = (Outcome::Cancelled, Proof::None, Some(fault));
        let (owing, waiting): (Vec<PhaseIx>, Vec<PhaseIx>) =
            waiting.into_iter().partition(|&phase| self.owes_rollback(&At { run: id.clone(), phase }, outcome));
        for &phase in &waiting {
            let (run, why) = (id.clone(), why.to_owned());
            self.record(Record::PhaseEnded { run, phase, outcome, proof, fault, why });
            if let Some(live) = self.live.runs.get_mut(id) {
                live.queue.remove(&phase);
                live.pausing.remove(&phase);
            }
        }
        if forced {
            self.hurry(&plan.goal);
            self.force_within(id);
            self.hurry_all_back(id);
        }
        for &phase in &at_work {
            self.close(&At { run: id.clone(), phase }, Ending::Phase { outcome, proof, fault, why: why.to_owned() });
        }
        for phase in owing {
            self.end_now(&At { run: id.clone(), phase }, outcome, proof, fault, why.to_owned());
        }
        // What the cancelled phases unlock, or lock for good: `finally`.
        for phase in waiting {
            self.phase_over(&At { run: id.clone(), phase });
        }
        // A `finally` phase that needs nothing, or was ready before, has nobody whose end would queue it.
        let Some(run) = self.state.run(id) else { return };
        let ready: Vec<PhaseIx> = run.plan.indexed().map(|(ix, _)| ix).filter(|ix| run.phase(*ix).state == PhaseState::Ready).collect();
        if let Some(live) = self.live.runs.get_mut(id) {
            let attempts = &live.attempts;
            live.queue.extend(ready.into_iter().filter(|ix| !attempts.contains_key(ix)));
        }
        self.close_run_if_over(id);
    }

    /// Closes a run whose last phase has ended: tears down what must not outlive it.
    pub(super) fn close_run_if_over(&mut self, id: &RunId) {
        let Some(run) = self.run(id).filter(|run| run.open == 0 && run.ended.is_none()) else { return };
        // What is promised and away is waited for, as long as it may take.
        let awaiting = run.stopping.is_none() && run.plan.indexed().any(|(phase, _)| self.is_good_and_away(run, phase));
        if let Some(live) = self.live.runs.get_mut(id) {
            live.awaiting = awaiting;
        }
        if awaiting {
            return self.await_returns(id);
        }
        let Some(run) = self.run(id) else { return };
        let (goal, once, stopping) = (run.plan.goal.clone(), run.options.once, run.stopping.as_ref().map(|(reason, _)| *reason));
        // Before the teardown, which ends what is promised.
        let regressed = self.regressed(run);
        let Some(live) = self.live.runs.get_mut(id).filter(|live| !live.closing && !live.dismissing) else { return };
        live.closing = true;
        live.regressed = live.regressed.take().or(regressed);
        let forced = live.forced;
        let mut targets = match (once, stopping) {
            // `--once` ends everything of the goal; a stop ends what this run started.
            (true, _) => self.targets(&goal, |resource| !resource.keep || resource.scope == Scope::Phase),
            (false, Some(_)) => {
                // What a person has given to the goal, this run has not started.
                self.targets(&goal, |resource| resource.run == *id && !resource.keep && resource.adopted.is_none())
            }
            (false, None) => Vec::new(),
        };
        if once || stopping.is_some() {
            targets.extend(self.targets_within_run(id));
        }
        if forced {
            kill(targets.iter_mut().map(|(_, target)| target));
        }
        self.tear_down(For::Run(id.clone()), targets);
    }

    /// What must not outlive the run is gone; where a stop has ended it, what it had replaced is given back.
    pub(super) fn run_torn_down(&mut self, id: &RunId, survivors: &[u32], unremoved: &[String]) {
        let Some(live) = self.live.runs.get_mut(id) else { return };
        live.left.extend(survivors);
        live.unremoved.extend_from_slice(unremoved);
        if self.give_back(id) {
            return;
        }
        let Some(run) = self.run(id) else { return };
        let Some(live) = self.live.runs.get(id) else { return };
        let (mut verdict, mut why) = verdict(run, live.regressed.as_deref());
        let left: Vec<u32> = live.left.iter().copied().collect();
        if let Some((_, trouble)) = trouble(&left, &live.unremoved) {
            verdict = verdict.max(Verdict::Failed);
            why = if verdict == Verdict::Verified { trouble } else { format!("{why}; {trouble}") };
        }
        for (phase, note) in &live.given_back {
            why = format!("{why}; {}: {note}", run.plan.phase(*phase).name);
        }
        let all: BTreeSet<u32> = live.survivors.union(&live.left).copied().collect();
        let survivors = u32::try_from(all.len()).unwrap_or(u32::MAX);
        self.record(Record::RunEnded { run: id.clone(), verdict, why, survivors });
        self.live.runs.remove(id);
        self.over_within(id);
        self.promise_reverify(id);
    }

    /// Whether a green phase has promised a service that is being started again.
    fn is_good_and_away(&self, run: &Run, phase: PhaseIx) -> bool {
        run.phase(phase).state.outcome().is_some_and(Outcome::is_good) && self.promises_return(run, phase)
    }

    /// A promise of a green phase that is no longer kept.
    fn regressed(&self, run: &Run) -> Option<String> {
        run.plan.indexed().find_map(|(phase, _)| {
            let green = run.phase(phase).state.outcome().is_some_and(Outcome::is_good);
            let (_, dead) = green.then(|| self.dead_promise(&At { run: run.id.clone(), phase })).flatten()?;
            Some(format!("regressed: {dead}"))
        })
    }
}

/// How a run ended, and in words: of several verdicts the one that is highest in the table of [`Verdict`].
fn verdict(run: &Run, regressed: Option<&str>) -> (Verdict, String) {
    let mut worst = (Verdict::Verified, "all phases ended as they should".to_owned());
    let mut weigh = |verdict: Verdict, why: &dyn Fn() -> String| {
        if verdict > worst.0 {
            worst = (verdict, why());
        }
    };
    if let Some((reason, why)) = &run.stopping {
        let verdict = match reason {
            StopReason::Person | StopReason::Parent => Verdict::Cancelled,
            StopReason::Budget => Verdict::Budget,
            StopReason::Unattended => Verdict::Waiting,
            StopReason::Unprepared => Verdict::Failed,
        };
        weigh(verdict, &|| why.clone());
    }
    for (ix, planned) in run.plan.indexed() {
        let phase = run.phase(ix);
        let verdict = match (phase.state.outcome(), phase.fault) {
            (Some(Outcome::Failed | Outcome::Cancelled), Some(Fault::EngineDied)) => Verdict::Interrupted,
            (Some(Outcome::Cancelled), Some(Fault::Budget)) => Verdict::Budget,
            (Some(Outcome::Failed | Outcome::Unknown), _) => Verdict::Failed,
            (Some(Outcome::Unverified), _) if run.options.strict || planned.tier() != Tier::None => Verdict::Unproven,
            _ => Verdict::Verified,
        };
        weigh(verdict, &|| format!("{} is {}: {}", planned.name, phase.state.word(), phase.why));
    }
    if let Some(regressed) = regressed {
        weigh(Verdict::Failed, &|| regressed.to_owned());
    }
    worst
}
