//! How a record of a run changes that run. As in all folding, no decision is made here.

use indexmap::IndexMap;

use super::answer::Stage;
use super::fold::Misfit;
use super::outcome::{Outcome, Proof};
use super::phase::{PhaseInput, PhaseState};
use super::record::Record;
use super::state::{Failure, PhaseRun, Proved, Replaced, Reply, RunEnd, State};
use super::stock::Resource;
use super::usage::Usage;
use crate::base::name::Name;
use crate::base::owner::Owner;
use crate::base::time::Timestamp;

impl State {
    pub(super) fn apply_to_run(&mut self, at: Timestamp, record: &Record) -> Result<(), Misfit> {
        let Some(id) = record.run() else { return Ok(()) };
        let misfit = |why: String| Misfit { event: record.event(), why };
        let goal = self.goals.get_mut(super::state::goal_of(id)).ok_or_else(|| misfit(format!("no run {id}")))?;
        let run = goal.run.as_mut().filter(|run| run.id == *id).ok_or_else(|| misfit(format!("no run {id}")))?;
        if let Some(ix) = record.phase()
            && ix.at() >= run.phases.len()
        {
            return Err(misfit(format!("the plan of {id} has no phase {}", ix.0)));
        }
        match record {
            Record::Admitted { .. } => run.take_turn(at),
            Record::Yielded { .. } => run.has_turn = false,
            Record::Held { phase, .. } => run.phases[phase.at()].unadmitted = Some(at),
            Record::Briefed { phase, brief, .. } => run.phases[phase.at()].brief = brief.clone(),
            Record::Replacing { phase, resources, .. } => {
                let made = who_made(&goal.resources, &run.owner(*phase), resources).map_err(misfit)?;
                for (name, made) in made {
                    run.phases[phase.at()].replaced.entry(name).or_insert(made);
                }
            }
            Record::AttemptStarted { phase, attempt, .. } => {
                begin_attempt(at, record, &mut run.phases[phase.at()], *attempt)?;
            }
            Record::Worked { phase, outputs, .. } => {
                let entry = &mut run.phases[phase.at()];
                step(record, entry, PhaseInput::Worked)?;
                entry.outputs.extend(outputs.iter().map(|(name, value)| (name.clone(), value.clone())));
            }
            Record::Answered { stage: Stage::Gone, .. } => {}
            Record::Answered { phase, check, stage: Stage::Again, answer, .. } => {
                run.answer_again(at, *phase, usize::from(*check), answer).ok_or_else(|| misfit(format!("no check {check}")))?;
            }
            Record::Answered { phase, check, stage, answer, .. } => {
                let (entry, slot) = (&mut run.phases[phase.at()], usize::from(*check));
                let answers = if *stage == Stage::Before { &mut entry.before } else { &mut entry.after };
                *answers.get_mut(slot).ok_or_else(|| misfit(format!("no check {check}")))? = Some(answer.clone());
                if *stage == Stage::Before && answer.is_red() {
                    goal.reds.extend(entry.brief.checks.get(slot).cloned());
                }
            }
            Record::Asked { phase, question, .. } => {
                let entry = &mut run.phases[phase.at()];
                step(record, entry, PhaseInput::Asked)?;
                entry.question = Some(question.clone());
                entry.asked_at = Some(at);
            }
            Record::Replied { phase, yes, text, by, .. } => {
                run.phases[phase.at()].reply = Some(Reply { yes: *yes, text: text.clone(), by: by.clone(), at });
            }
            Record::Closing { phase, ending, .. } => run.phases[phase.at()].closing = Some(ending.clone()),
            Record::AttemptFailed { phase, attempt, fault, why, retry_at, .. } => {
                let entry = &mut run.phases[phase.at()];
                entry.closing = None;
                step(record, entry, PhaseInput::Again)?;
                entry.failures.push(Failure { attempt: *attempt, fault: *fault, why: why.clone(), at, usage: entry.usage });
                entry.retry_at = Some(*retry_at);
            }
            Record::PhaseEnded { phase, outcome, proof, fault, why, .. } => {
                let entry = &mut run.phases[phase.at()];
                step(record, entry, PhaseInput::Ended(*outcome))?;
                entry.end(at, *proof, *fault, why);
                if *proof == Proof::Already
                    && let Some(proved) = goal.proofs.get(&run.plan.phase(*phase).name)
                {
                    entry.outputs.clone_from(&proved.outputs);
                }
                if *outcome == Outcome::Verified && *proof != Proof::Already && !entry.brief.fingerprint.is_empty() {
                    let proved =
                        Proved { run: id.clone(), fingerprint: entry.brief.fingerprint.clone(), outputs: entry.outputs.clone(), at };
                    goal.proofs.insert(run.plan.phase(*phase).name.clone(), proved);
                }
                run.open -= 1;
                run.unlock(*phase);
            }
            Record::Carried { .. } => run.carry(at, record)?,
            Record::Reverified { .. } => run.hold_again(at),
            Record::Stopping { reason, why, .. } => run.stopping = Some((*reason, why.clone())),
            Record::RunEnded { verdict, why, survivors, .. } => {
                run.ended = Some(RunEnd { at, verdict: *verdict, why: why.clone(), survivors: *survivors });
                goal.past.push(run.past(at, *verdict, why));
            }
            _ => {}
        }
        Ok(())
    }
}

/// A phase's next attempt begins: what the one before left in its entry is over.
fn begin_attempt(at: Timestamp, record: &Record, entry: &mut PhaseRun, attempt: u32) -> Result<(), Misfit> {
    if matches!(entry.state, PhaseState::BackingOff) {
        step(record, entry, PhaseInput::Unlocked)?;
    }
    step(record, entry, PhaseInput::Admitted)?;
    entry.attempt = attempt;
    entry.started.get_or_insert(at);
    entry.attempt_started = Some(at);
    entry.unadmitted = None;
    entry.interrupted = false;
    entry.broken = None;
    entry.written.clear();
    entry.outputs.clone_from(&entry.brief.outputs);
    entry.retry_at = None;
    entry.exit = None;
    entry.usage = Usage::default();
    entry.leftovers = 0;
    entry.contained = 0;
    entry.after.fill(None);
    Ok(())
}

/// Who made resources of a phase that are about to be replaced.
fn who_made(resources: &IndexMap<Owner, Resource>, place: &Owner, names: &[Name]) -> Result<Vec<(Name, Replaced)>, String> {
    let made = names.iter().map(|name| {
        let owner = Owner { resource: Some(name.clone()), ..place.clone() };
        let made = resources.get(&owner).ok_or_else(|| format!("nothing was made at {owner}"))?;
        Ok((name.clone(), Replaced { run: made.run.clone(), phase: made.phase, attempt: made.attempt }))
    });
    made.collect()
}

pub(super) fn step(record: &Record, entry: &mut PhaseRun, input: PhaseInput) -> Result<(), Misfit> {
    let next = entry
        .state
        .on(input)
        .ok_or_else(|| Misfit { event: record.event(), why: format!("the phase is {} and cannot be {input:?}", entry.state.word()) })?;
    entry.state = next;
    Ok(())
}
