//! Why a phase stands as it does.

use super::super::check::describe;
use super::super::memory::{is_elsewhere, waits_for_memory};
use super::super::outside::Outside;
use super::super::phase::{fault_word, list, returning, roots, summary, unlock_words, unmet};
use super::super::replay::Replay;
use super::super::standing::{GoalOutcome, judge, waits_for_turn};
use super::super::suspects::{SuspectStatus, suspected};
use super::{AnswerStory, AttemptStory, CheckStory, Explanation};
use crate::base::owner::Owner;
use crate::kernel::action::{Effect, Exit};
use crate::kernel::answer::{Answer, Said};
use crate::kernel::outcome::{Outcome, Proof};
use crate::kernel::phase::PhaseState;
use crate::kernel::state::{PhaseRun, Run};
use crate::kernel::suspect::Rank;
use crate::plan::sealed::PhaseIx;

pub(super) fn explain(explanation: &mut Explanation, run: &Run, ix: PhaseIx, replay: &Replay, outside: &Outside<'_>) {
    let (planned, phase) = (run.plan.phase(ix), run.phase(ix));
    let owner = run.owner(ix);
    phase.state.word().clone_into(&mut explanation.state);
    explanation.fault = phase.fault.map(fault_word);
    match phase.state {
        PhaseState::Pending => pending(explanation, run, ix),
        PhaseState::Ready if run.is_held_back() => {
            let waits = waits_for_turn(run, replay).unwrap_or_else(|| "it waits for its group's turn".to_owned());
            explanation.say(format!("{owner} could start, but {waits}."));
        }
        PhaseState::Ready | PhaseState::BackingOff if held(explanation, run, ix, replay) => {}
        PhaseState::Ready => {
            let used = run.phases.iter().filter(|phase| phase.state.holds_slot()).count();
            let slot = || format!("a slot: {used} of {} are in use", run.plan.concurrency);
            let waits = returning(&replay.state, run, ix).unwrap_or_else(slot);
            explanation.say(format!("{owner} could start, and waits for {waits}."));
        }
        PhaseState::Running => running(explanation, run, ix, replay, outside),
        PhaseState::Verifying => {
            let answered = phase.after.iter().flatten().count();
            explanation
                .say(format!("The work of {owner} is done; its checks are asked: {answered} of {} have an answer.", phase.after.len()));
        }
        PhaseState::Waiting => {
            explanation.say(format!("{owner} asks a person: {}", phase.question.as_deref().unwrap_or("yes or no?")));
            if let Some(asked) = phase.asked_at {
                explanation.say(format!(
                    "It has waited for {}; waiting costs nothing, and never turns into a yes.",
                    (outside.now - asked).human()
                ));
            }
            explanation.hint(format!("answer it: `sculpt answer {owner} yes` or `sculpt answer {owner} no`"));
        }
        PhaseState::BackingOff => explanation.say(format!("{owner} waits before its next attempt: {}.", summary(&replay.state, run, ix))),
        PhaseState::Done(outcome) => done(explanation, run, ix, outcome, outside),
    }
    let interrupted = replay
        .state
        .goals
        .get(&run.plan.goal)
        .is_some_and(|goal| judge(&run.plan.goal, goal, replay, outside).0 == GoalOutcome::Interrupted);
    if interrupted && phase.state.outcome().is_none() {
        explanation.say("No engine is at work here: the one that ran it has died.");
        explanation.hint(format!("carry it out again: `sculpt run {}`", run.plan.manifest));
    }
    let goal = replay.state.goals.get(&run.plan.goal);
    super::resource::leak_at(explanation, goal, &owner, outside);
    tell_suspects(explanation, goal.map(|goal| suspected(goal, outside)).unwrap_or_default(), &owner);
    explanation.checks = checks(planned.spec.verify.iter().flat_map(|verify| &verify.checks).map(describe), phase);
    explanation.attempts = phase
        .failures
        .iter()
        .map(|failure| AttemptStory { attempt: failure.attempt, fault: fault_word(failure.fault), why: failure.why.clone() })
        .collect();
}

/// Each thing that carries its mark or names its workspace, and what of a phase's resources does; the others are only counted, since they
/// may be anybody's.
pub(super) fn tell_suspects(explanation: &mut Explanation, mut suspects: Vec<SuspectStatus>, of: &Owner) {
    let (whole, inside) = (of.to_string(), format!("{of}/"));
    suspects.retain(|suspect| suspect.owner == whole || suspect.owner.starts_with(&inside));
    let (marked, others): (Vec<_>, Vec<_>) = suspects.into_iter().partition(|suspect| suspect.rank == Rank::Marked);
    for SuspectStatus { owner, kind, what, evidence, look, remove, adopt, .. } in marked {
        let who = owner.strip_prefix(&inside).map_or_else(|| "It".to_owned(), |resource| format!("Its {resource}"));
        explanation.say(format!("{who} may have left {kind} {what}, which runs on outside of it: it {evidence}."));
        explanation.hint(format!("sculpt leaves it alone; look at it with `{look}`, remove it with `{remove}`"));
        if let Some(adopt) = adopt {
            explanation.hint(format!("to have its goal remove it: `{adopt}`"));
        }
    }
    if !others.is_empty() {
        let changed = count(u32::try_from(others.len()).unwrap_or(u32::MAX), "other thing", "other things");
        explanation.say(format!("Meanwhile {changed} appeared on the host that may be anybody's: `sculpt ps`."));
    }
}

/// Tells what a phase waits for that is not admitted; false where it is.
fn held(explanation: &mut Explanation, run: &Run, ix: PhaseIx, replay: &Replay) -> bool {
    let state = &replay.state;
    let Some(memory) = waits_for_memory(state, run, ix) else { return false };
    explanation.say(format!("{} could start, and waits for {memory}.", run.owner(ix)));
    if state.memory.short().is_some() {
        if is_elsewhere(state) {
            explanation.say("Nothing of this workspace is at work: somebody else uses the memory.");
        }
        explanation.hint("end something that uses memory; `sculpt top` shows what is used by this workspace");
    } else {
        explanation.hint("end what is promised memory, with `sculpt stop` or `sculpt down`, or lower a `limits: { memory: … }`");
    }
    true
}

fn pending(explanation: &mut Explanation, run: &Run, ix: PhaseIx) {
    let owner = run.owner(ix);
    explanation.say(format!("{owner} has not begun."));
    for edge in unmet(run, ix) {
        let needed = run.plan.phase(edge.phase);
        let state = run.phase(edge.phase).state.word();
        explanation.say(format!("It needs {} {}, which is {state}.", needed.name, unlock_words(edge.unlock)));
    }
    let direct: Vec<PhaseIx> = unmet(run, ix).map(|edge| edge.phase).collect();
    let roots: Vec<PhaseIx> = roots(run, ix).into_iter().filter(|root| !direct.contains(root)).collect();
    if !roots.is_empty() {
        let names: Vec<String> = roots.iter().map(|ix| format!("{} ({})", run.owner(*ix), run.phase(*ix).state.word())).collect();
        explanation.say(format!("In the end all of this waits for {}.", list(&names)));
    }
    let asking = super::super::phase::roots(run, ix).into_iter().find(|ix| run.phase(*ix).state == PhaseState::Waiting);
    if let Some(asking) = asking {
        explanation.hint(format!("answer what is asked: `sculpt answer {} yes` or `… no`", run.owner(asking)));
    }
}

fn running(explanation: &mut Explanation, run: &Run, ix: PhaseIx, replay: &Replay, outside: &Outside<'_>) {
    let (owner, phase) = (run.owner(ix), run.phase(ix));
    let tries = run.plan.phase(ix).spec.retry.as_ref().map_or(1, |retry| retry.attempts);
    let since = phase.started.map(|at| format!(", {} after the first began", (outside.now - at).human())).unwrap_or_default();
    explanation.say(format!("{owner} is at work: attempt {} of {}{since}.", phase.attempt, tries.max(phase.attempt)));
    for open in replay.state.effects.values().filter(|open| open.owner.goal == owner.goal && open.owner.phase == owner.phase) {
        let pid = open.process.as_ref().map(|process| format!(" (pid {})", process.pid)).unwrap_or_default();
        let doing = match &open.effect {
            Effect::Work { .. } => format!("Its command runs{pid}."),
            Effect::Serve { resource, .. } => format!("Its service {resource} is started{pid}."),
            Effect::Make { resource, .. } => format!("{resource} is being made."),
            Effect::End { .. } => format!("What {} has left is being ended.", open.owner),
            _ => continue,
        };
        explanation.say(doing);
    }
}

fn done(explanation: &mut Explanation, run: &Run, ix: PhaseIx, outcome: Outcome, outside: &Outside<'_>) {
    let (owner, phase) = (run.owner(ix), run.phase(ix));
    explanation.say(format!("{owner} is {}: {}.", outcome.word(), phase.why));
    match (outcome, phase.proof) {
        (Outcome::Verified | Outcome::Unverified, Some(proof)) => {
            let age = phase.ended.map(|at| format!(" That was {} ago.", (outside.now - at).human())).unwrap_or_default();
            explanation.say(format!("Proof: {}; {}.{age}", proof.word(), proof.words()));
            if proof == Proof::Unproven {
                explanation.hint("a check must be red before the work: let it ask for what the work makes, or remove what an earlier run left with `sculpt down --volumes`");
                explanation.hint("`red_before_green: once` accepts a red of an earlier run; `red_before_green: false` waives the proof, and the report says so");
            }
        }
        (Outcome::Failed | Outcome::Unknown, _) => {
            let tries = phase.attempt;
            if let Some(exit) = phase.exit.filter(|exit| !exit.is_success()) {
                explanation.say(format!("Its command ended with {}.", exit_words(exit)));
            }
            if tries > 1 {
                explanation.say(format!("It was tried {tries} times."));
            }
            if phase.leftovers > 0 {
                explanation
                    .say(format!("Its command left {} behind, which were ended with it.", count(phase.leftovers, "process", "processes")));
            }
            if phase.contained > 0 {
                let things = count(phase.contained, "container, network or volume", "containers, networks and volumes");
                explanation.say(format!("Its command left {things} behind, which were ended with it."));
            }
            if outcome == Outcome::Unknown {
                explanation.say("What it started is still there, for you to look at: `sculpt ps`.");
            }
            if let Some(hint) = phase.fault.and_then(crate::kernel::fault::Fault::hint) {
                explanation.hint(hint);
            }
            if phase.attempt > 0 {
                explanation.hint(format!("see what it said: `sculpt logs {owner}`"));
            }
        }
        (Outcome::Skipped, _) => skipped(explanation, run, ix),
        _ => {}
    }
}

/// What a skipped phase was skipped for, in the end.
fn skipped(explanation: &mut Explanation, run: &Run, ix: PhaseIx) {
    let mut at = ix;
    // Each step goes to an earlier phase of the plan, so this ends.
    while let Some(edge) = unmet(run, at).find(|edge| run.phase(edge.phase).state.outcome() == Some(Outcome::Skipped)) {
        at = edge.phase;
    }
    let Some(cause) = unmet(run, at).next().map(|edge| edge.phase) else { return };
    if at != ix {
        explanation.say(format!("It began with {}: {}.", run.plan.phase(cause).name, run.phase(cause).why));
    }
    explanation.hint(format!("look there: `sculpt why {}`", run.owner(cause)));
}

fn checks(asks: impl Iterator<Item = String>, phase: &PhaseRun) -> Vec<CheckStory> {
    let story = |answers: &[Option<Answer>], index: usize| {
        let answer = answers.get(index)?.as_ref()?;
        Some(AnswerStory { said: answer.said, evidence: answer.evidence.clone() })
    };
    asks.enumerate()
        .map(|(index, asks)| CheckStory { check: index + 1, asks, before: story(&phase.before, index), after: story(&phase.after, index) })
        .collect()
}

/// `1 process`, `3 processes`.
fn count(number: u32, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// How a command ended, in words.
pub(super) fn exit_words(exit: Exit) -> String {
    match exit {
        Exit::Code(126) => "status 126 (it may not be executed)".to_owned(),
        Exit::Code(127) => "status 127 (a program was not found)".to_owned(),
        Exit::Code(code) => format!("status {code}"),
        Exit::Signal(9) => "signal 9 (SIGKILL)".to_owned(),
        Exit::Signal(11) => "signal 11 (SIGSEGV)".to_owned(),
        Exit::Signal(15) => "signal 15 (SIGTERM)".to_owned(),
        Exit::Signal(signal) => format!("signal {signal}"),
        Exit::Unseen => "a status that nobody saw".to_owned(),
    }
}

impl Said {
    /// The word for it on a screen.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Unknown => "unknown",
        }
    }
}
