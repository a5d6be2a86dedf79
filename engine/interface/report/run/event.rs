//! What happened, as far as people and programs that watch are concerned. With `--json` each is a line; fields are only ever added.

use serde::Serialize;

use crate::base::time::Timestamp;
use crate::kernel::action::{Effect, Seen};
use crate::kernel::answer::{Said, Stage};
use crate::kernel::fault::Fault;
use crate::kernel::outcome::{Outcome, Proof, Verdict};
use crate::kernel::pressure::Pressure;
use crate::kernel::record::{Record, StopReason};
use crate::kernel::state::{Goal, Run, State};
use crate::plan::sealed::PhaseIx;
use crate::views::chosen::PortStatus;
use crate::views::memory::waits_for_memory;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A run began.
    RunStarted {
        /// The run.
        run: String,
        /// Its goal.
        goal: String,
        /// How many phases it has.
        phases: usize,
    },
    /// The host's memory is shorter than it was, or less short.
    Pressure {
        /// How short; none where that is unknown.
        level: Option<Pressure>,
        /// What makes it so, or why it cannot be seen.
        why: String,
    },
    /// A phase that could start waits for memory.
    Held {
        /// The phase.
        phase: String,
        /// What it waits for.
        why: String,
    },
    /// Other ports were chosen than are declared.
    PortsChosen {
        /// The phase.
        phase: String,
        /// Which, for whom, and who has the declared ones.
        ports: Vec<PortStatus>,
    },
    /// An attempt of a phase began.
    PhaseStarted {
        /// The phase.
        phase: String,
        /// From 1.
        attempt: u32,
    },
    /// The work of a phase is done; its checks are asked.
    PhaseVerifying {
        /// The phase.
        phase: String,
    },
    /// A service is ready.
    ResourceReady {
        /// Its place.
        resource: String,
        /// The evidence.
        evidence: String,
    },
    /// A service that was ready is no longer well, and runs on.
    ResourceUnhealthy {
        /// Its place.
        resource: String,
        /// The evidence.
        evidence: String,
    },
    /// A service ended and is started again.
    ResourceRestarting {
        /// Its place.
        resource: String,
        /// How it ended.
        why: String,
        /// How many of its restarts count against its limits with this one.
        count: u32,
        /// In how many milliseconds it is started again.
        restart_in_ms: u64,
    },
    /// A service ended and stays down, although its policy says that it is started again.
    ResourceNotRestarted {
        /// Its place.
        resource: String,
        /// Why.
        why: String,
    },
    /// A resource is gone.
    ResourceGone {
        /// Its place.
        resource: String,
        /// How: ended, removed, or the evidence.
        evidence: String,
        /// True where it could not be ended or removed.
        failed: bool,
        /// Processes that would not end.
        survivors: Vec<u32>,
    },
    /// A check was asked again, on demand.
    Answered {
        /// The phase.
        phase: String,
        /// Which of its checks, from 1.
        check: u16,
        /// The answer.
        said: Said,
        /// The evidence.
        evidence: String,
    },
    /// A person is asked.
    Asked {
        /// The phase.
        phase: String,
        /// The question.
        question: String,
    },
    /// A person answered.
    Replied {
        /// The phase.
        phase: String,
        /// Yes or no.
        yes: bool,
        /// Who.
        by: String,
    },
    /// An attempt failed and there will be another.
    AttemptFailed {
        /// The phase.
        phase: String,
        /// The attempt.
        attempt: u32,
        /// The fault.
        fault: Fault,
        /// The evidence.
        why: String,
        /// In how many milliseconds the next may start.
        retry_in_ms: u64,
    },
    /// A phase ended.
    PhaseEnded {
        /// The phase.
        phase: String,
        /// How.
        outcome: Outcome,
        /// Why that may be believed.
        proof: Proof,
        /// The fault, where there is one.
        fault: Option<Fault>,
        /// In words.
        why: String,
        /// How many attempts were begun.
        attempts: u32,
        /// From the first attempt to the end, in milliseconds.
        elapsed_ms: u64,
    },
    /// A run stops before its plan is done.
    Stopping {
        /// Why.
        reason: StopReason,
        /// In words.
        why: String,
    },
    /// A run ended.
    RunEnded {
        /// The run.
        run: String,
        /// How.
        verdict: Verdict,
        /// In words.
        why: String,
        /// Processes that could not be ended, by the last look.
        survivors: u32,
        /// From its beginning, in milliseconds.
        elapsed_ms: u64,
    },
    /// A goal is being torn down.
    DownStarted {
        /// The goal.
        goal: String,
    },
    /// A goal is down.
    DownEnded {
        /// The goal.
        goal: String,
        /// Processes that could not be ended, by the last look.
        survivors: u32,
        /// What is kept.
        kept: Vec<String>,
        /// What is still there, and tried again by the supervisor until it is gone.
        leaks: Vec<String>,
        /// Checks that still pass although what they are about is gone, in words.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        liars: Vec<String>,
    },
}

/// An event with its time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Moment {
    /// When, RFC 3339.
    pub at: String,
    /// What.
    #[serde(flatten)]
    pub event: Event,
}

/// What a record means to those that watch; none where it is only for the engine. The state is the one after the record.
pub fn event(at: Timestamp, record: &Record, state: &State) -> Option<Event> {
    match record {
        Record::RunStarted { run, plan, .. } => {
            Some(Event::RunStarted { run: run.to_string(), goal: plan.goal.to_string(), phases: plan.phases.len() })
        }
        // Where only the room has changed, it is as short as before.
        Record::Pressure { level, vitals, .. } => {
            let since = state.memory.known.as_ref().map(|known| known.since);
            (since == Some(at)).then(|| Event::Pressure { level: Some(*level), why: level.cause(vitals) })
        }
        Record::PressureUnknown { why } => Some(Event::Pressure { level: None, why: why.clone() }),
        Record::ResourceReady { owner, evidence } => Some(Event::ResourceReady { resource: owner.to_string(), evidence: evidence.clone() }),
        Record::ResourceGone { owner, evidence } => {
            Some(Event::ResourceGone { resource: owner.to_string(), evidence: evidence.clone(), failed: false, survivors: Vec::new() })
        }
        Record::Restarting { owner, why, count, at: then } => {
            Some(Event::ResourceRestarting { resource: owner.to_string(), why: why.clone(), count: *count, restart_in_ms: (*then - at).0 })
        }
        Record::ResourceUnhealthy { owner, evidence } => {
            Some(Event::ResourceUnhealthy { resource: owner.to_string(), evidence: evidence.clone() })
        }
        Record::NotRestarted { owner, why } => Some(Event::ResourceNotRestarted { resource: owner.to_string(), why: why.clone() }),
        Record::DownStarted { goal, .. } => Some(Event::DownStarted { goal: goal.to_string() }),
        Record::DownEnded { goal, survivors, kept, liars } => {
            let liars = liars.iter().map(|lie| format!("{} check {}: {}", lie.phase, lie.check + 1, lie.evidence)).collect();
            let kept = kept.iter().map(ToString::to_string).collect();
            let leaks = state.goals.get(goal).into_iter().flat_map(Goal::leaks).map(|(owner, _)| owner.to_string()).collect();
            Some(Event::DownEnded { goal: goal.to_string(), survivors: *survivors, kept, leaks, liars })
        }
        _ => {
            let run = state.run(record.run()?)?;
            match record.phase() {
                Some(ix) if matches!(record, Record::Held { .. }) => {
                    // What is admitted before it may not have begun yet, and is not in the records then.
                    let why = waits_for_memory(state, run, ix).unwrap_or_else(|| "memory, behind what is about to begin".to_owned());
                    Some(Event::Held { phase: run.owner(ix).to_string(), why })
                }
                Some(ix) => phase_event(at, record, run, ix),
                None => run_event(at, record, run),
            }
        }
    }
}

fn phase_event(at: Timestamp, record: &Record, run: &Run, ix: PhaseIx) -> Option<Event> {
    let phase = run.owner(ix).to_string();
    Some(match record {
        Record::Briefed { brief, .. } => {
            let moved = brief.ports.iter().filter(|chosen| chosen.taken_by.is_some());
            let ports: Vec<PortStatus> = moved.map(PortStatus::from).collect();
            return (!ports.is_empty()).then_some(Event::PortsChosen { phase, ports });
        }
        Record::AttemptStarted { attempt, .. } => Event::PhaseStarted { phase, attempt: *attempt },
        Record::Worked { .. } if run.plan.phase(ix).checks() > 0 => Event::PhaseVerifying { phase },
        Record::Answered { check, stage: Stage::Again, answer, .. } => {
            Event::Answered { phase, check: check + 1, said: answer.said, evidence: answer.evidence.clone() }
        }
        Record::Asked { question, .. } => Event::Asked { phase, question: question.clone() },
        Record::Replied { yes, by, .. } => Event::Replied { phase, yes: *yes, by: by.clone() },
        Record::AttemptFailed { attempt, fault, why, retry_at, .. } => {
            Event::AttemptFailed { phase, attempt: *attempt, fault: *fault, why: why.clone(), retry_in_ms: (*retry_at - at).0 }
        }
        Record::PhaseEnded { outcome, proof, fault, why, .. } => {
            let entry = run.phase(ix);
            let elapsed_ms = entry.started.map_or(0, |started| (at - started).0);
            let (outcome, proof, fault, why, attempts) = (*outcome, *proof, *fault, why.clone(), entry.attempt);
            Event::PhaseEnded { phase, outcome, proof, fault, why, attempts, elapsed_ms }
        }
        Record::Carried { outcome, proof, fault, why, .. } => {
            let (outcome, proof, fault, why) = (*outcome, *proof, *fault, why.clone());
            Event::PhaseEnded { phase, outcome, proof, fault, why, attempts: 0, elapsed_ms: 0 }
        }
        _ => return None,
    })
}

fn run_event(at: Timestamp, record: &Record, run: &Run) -> Option<Event> {
    match record {
        Record::Stopping { reason, why, .. } => Some(Event::Stopping { reason: *reason, why: why.clone() }),
        Record::RunEnded { run: id, verdict, why, survivors } => Some(Event::RunEnded {
            run: id.to_string(),
            verdict: *verdict,
            why: why.clone(),
            survivors: *survivors,
            elapsed_ms: (at - run.started).0,
        }),
        _ => None,
    }
}

/// What has become of secrets and images.
const FORGOTTEN: &str = "forgotten";

/// Follows the effects that end things, so that their ends can be told with their places.
#[derive(Debug, Default)]
pub struct Endings {
    open: std::collections::HashMap<crate::kernel::action::EffectId, (String, &'static str)>,
}

impl Endings {
    /// What a record means as the end of a resource; none where it means nothing of the kind.
    pub fn event(&mut self, record: &Record) -> Option<Event> {
        match record {
            Record::Requested { id, owner, effect } if owner.resource.is_some() => {
                let evidence = match effect {
                    Effect::End { .. } => "ended",
                    Effect::Remove => "removed",
                    _ => return None,
                };
                self.open.insert(*id, (owner.to_string(), evidence));
                None
            }
            Record::Requested { id, owner, effect: Effect::Forget } => {
                self.open.insert(*id, (owner.to_string(), FORGOTTEN));
                None
            }
            Record::Observed { id, seen } => {
                let (resource, done) = self.open.remove(id)?;
                let (evidence, failed, survivors) = match seen {
                    Seen::Ended { survivors, .. } if !survivors.is_empty() => {
                        ("some of its processes would not end".to_owned(), true, survivors.clone())
                    }
                    // The next engine ends it.
                    Seen::Failed { fault: Fault::EngineDied, .. } => return None,
                    Seen::Failed { evidence, .. } if done == FORGOTTEN => (evidence.clone(), true, Vec::new()),
                    _ if done == FORGOTTEN => return None,
                    Seen::Failed { evidence, .. } => (format!("it could not be {done}: {evidence}"), true, Vec::new()),
                    _ => (done.to_owned(), false, Vec::new()),
                };
                Some(Event::ResourceGone { resource, evidence, failed, survivors })
            }
            _ => None,
        }
    }
}
