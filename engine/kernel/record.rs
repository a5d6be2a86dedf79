//! What happened: the only thing that state is made of. A record is never changed once a release has written it.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::action::{Brief, Effect, EffectId, RunId, Seen};
pub use super::answer::Lie;
use super::answer::{Answer, Stage};
use super::attempt::Ending;
use super::collection::Reason;
use super::fault::Fault;
pub use super::options::{RunOptions, StopReason};
use super::outcome::{Outcome, Proof, Verdict};
use super::pressure::{Pressure, Vitals};
use super::suspect::{Suspect, Suspected};
use super::told::Told;
use crate::base::name::Name;
use crate::base::owner::Owner;
use crate::base::time::Timestamp;
use crate::plan::sealed::{PhaseIx, Plan};

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Record {
    /// An engine opened the journal.
    EngineStarted {
        /// Its version.
        version: String,
        /// Its process id.
        pid: u32,
        /// Bytes of a torn last line that it dropped.
        #[serde(default)]
        torn: u64,
    },
    /// A run began.
    RunStarted {
        /// The run.
        run: RunId,
        /// Its sealed plan.
        plan: Box<Plan>,
        /// How it was asked for.
        options: RunOptions,
    },
    /// A run of a group has its turn.
    Admitted {
        /// The run.
        run: RunId,
    },
    /// A run of a group lets the others go on: it only waits for a person.
    Yielded {
        /// The run.
        run: RunId,
    },
    /// The host's memory is this short from here on, or another part of it may be promised.
    Pressure {
        /// How short.
        level: Pressure,
        /// What was seen.
        vitals: Vitals,
        /// How much may be promised to everything of the workspace together, in bytes.
        room: u64,
    },
    /// How short the host's memory is cannot be seen.
    PressureUnknown {
        /// Why not.
        why: String,
    },
    /// A phase that could start waits for admission from here on: memory is short, or promised to others.
    Held {
        /// The run.
        run: RunId,
        /// The phase.
        phase: PhaseIx,
    },
    /// A phase's texts were rendered; written only where there is something to remember.
    Briefed {
        /// The run.
        run: RunId,
        /// The phase.
        phase: PhaseIx,
        /// What the phase amounts to.
        brief: Brief,
    },
    /// What an earlier run made of a phase is ended, or written anew, for its successor. Where that fails, it is what to go back to.
    Replacing {
        /// The run.
        run: RunId,
        /// The phase.
        phase: PhaseIx,
        /// What served until now, and the files that it was given.
        resources: Vec<Name>,
    },
    /// An attempt began.
    AttemptStarted {
        /// The run.
        run: RunId,
        /// The phase.
        phase: PhaseIx,
        /// From 1.
        attempt: u32,
    },
    /// A change to the world was asked for; its permit exists from here on.
    Requested {
        /// The effect's number.
        id: EffectId,
        /// Who answers for it.
        owner: Owner,
        /// What is to be done.
        effect: Effect,
    },
    /// An engine goes on watching what an earlier one started: from here on the permit is its own.
    Adopted {
        /// The effect's number.
        id: EffectId,
        /// Who answers for it.
        owner: Owner,
        /// What was asked for.
        effect: Effect,
    },
    /// Something was seen of an effect.
    Observed {
        /// The effect's number.
        id: EffectId,
        /// What was seen.
        seen: Seen,
    },
    /// A process resource is ready.
    ResourceReady {
        /// The resource.
        owner: Owner,
        /// The evidence.
        evidence: String,
    },
    /// A service that was ready is no longer well, and runs on.
    ResourceUnhealthy {
        /// The resource.
        owner: Owner,
        /// The evidence.
        evidence: String,
    },
    /// A service, or a command of a custom resource, may have started this outside of everything that is held.
    Suspected {
        /// The resource.
        owner: Owner,
        /// The run.
        run: RunId,
        /// The attempt, from 1.
        attempt: u32,
        /// What is suspected.
        suspects: Vec<Suspect>,
    },
    /// A person has adopted what was suspected: from here on it is the goal's, and goes with it.
    SuspectAdopted {
        /// Its place.
        owner: Owner,
        /// What it is, and around which attempt it was seen.
        suspected: Box<Suspected>,
        /// Who adopted it.
        by: String,
    },
    /// A resource is no longer there, or no longer ours, without anything having been done to it.
    ResourceGone {
        /// The resource.
        owner: Owner,
        /// The evidence.
        evidence: String,
    },
    /// The container engine has told of a container that a command made.
    Told {
        /// Its place.
        owner: Owner,
        /// What became of it.
        told: Told,
    },
    /// A service has ended, or could not be started again, and will be started again.
    Restarting {
        /// The service.
        owner: Owner,
        /// How it ended.
        why: String,
        /// How many of its restarts count against its limits with this one.
        count: u32,
        /// When it is started again.
        at: Timestamp,
    },
    /// A service has ended and is not started again, although its policy says so.
    NotRestarted {
        /// The service.
        owner: Owner,
        /// Why not.
        why: String,
    },
    /// It was looked who is there that no record explains. Written where something else cannot be looked into than before.
    LookedAround {
        /// What could not be looked into, in words: what is there is unknown, and stays.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        unseen: Vec<String>,
    },
    /// Something that nobody wants, or that its manifest lets go, is collected: what follows ends it.
    Collected {
        /// Its place.
        owner: Owner,
        /// Why.
        reason: Reason,
        /// The same in words.
        why: String,
    },
    /// Tries to end or to remove something were given up: it is still there, and tried again.
    Leaked {
        /// Its place.
        owner: Owner,
        /// How often it was tried now.
        tries: u32,
        /// The evidence.
        why: String,
        /// When it is tried again.
        retry_at: Timestamp,
        /// The scope that holds what is left, where no place explains it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        scope: Option<String>,
    },
    /// All steps of an attempt are done; its checks are asked now.
    Worked {
        /// The run.
        run: RunId,
        /// The phase.
        phase: PhaseIx,
        /// The outputs that the work wrote.
        #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
        outputs: IndexMap<Name, String>,
    },
    /// A check was answered.
    Answered {
        /// The run.
        run: RunId,
        /// The phase.
        phase: PhaseIx,
        /// Which of its checks.
        check: u16,
        /// When it was asked.
        stage: Stage,
        /// The answer.
        answer: Answer,
    },
    /// A person is asked.
    Asked {
        /// The run.
        run: RunId,
        /// The phase.
        phase: PhaseIx,
        /// The question.
        question: String,
    },
    /// A person answered.
    Replied {
        /// The run.
        run: RunId,
        /// The phase.
        phase: PhaseIx,
        /// Yes or no.
        yes: bool,
        /// What else the person wrote.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<String>,
        /// Who.
        by: String,
    },
    /// How an attempt ends is decided, and what it must not leave is ended first. Not written where nothing is to be ended.
    Closing {
        /// The run.
        run: RunId,
        /// The phase.
        phase: PhaseIx,
        /// How it will have ended.
        ending: Ending,
    },
    /// An attempt failed and there will be another.
    AttemptFailed {
        /// The run.
        run: RunId,
        /// The phase.
        phase: PhaseIx,
        /// The attempt.
        attempt: u32,
        /// The fault.
        fault: Fault,
        /// The evidence.
        why: String,
        /// When the next attempt may start.
        retry_at: Timestamp,
    },
    /// A phase ended.
    PhaseEnded {
        /// The run.
        run: RunId,
        /// The phase.
        phase: PhaseIx,
        /// How.
        outcome: Outcome,
        /// Why it may be believed.
        proof: Proof,
        /// The fault, where there is one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fault: Option<Fault>,
        /// In words.
        why: String,
    },
    /// A phase ended as it had in an earlier run: what it proved, put out and made there stands.
    Carried {
        /// The run.
        run: RunId,
        /// The phase.
        phase: PhaseIx,
        /// The run that did it.
        from: RunId,
        /// How it ended there.
        outcome: Outcome,
        /// Why it may be believed.
        proof: Proof,
        /// The fault, where there is one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fault: Option<Fault>,
        /// In words.
        why: String,
    },
    /// A run stops before its plan is done.
    Stopping {
        /// The run.
        run: RunId,
        /// Why.
        reason: StopReason,
        /// In words.
        why: String,
    },
    /// A run ended.
    RunEnded {
        /// The run.
        run: RunId,
        /// How.
        verdict: Verdict,
        /// In words.
        why: String,
        /// Processes that could not be ended, by the last look.
        survivors: u32,
    },
    /// All lasting checks of a run were asked again, and what is known of them is still so.
    Reverified {
        /// The run.
        run: RunId,
    },
    /// A goal is being torn down.
    DownStarted {
        /// The goal.
        goal: Name,
        /// Whether what is kept goes too.
        volumes: bool,
    },
    /// A goal is down.
    DownEnded {
        /// The goal.
        goal: Name,
        /// Processes that could not be ended, by the last look.
        survivors: u32,
        /// What is kept.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        kept: Vec<Owner>,
        /// Checks that still pass although what they are about is gone.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        liars: Vec<Lie>,
    },
    /// The oldest runs of some goals are no longer kept in their history: the journal's own keeping.
    Forgotten {
        /// How many of the oldest that are over, for each goal.
        runs: IndexMap<Name, u32>,
    },
    /// Whole segments of the journal are no longer kept: the journal's own keeping.
    Pruned {
        /// The first line that goes.
        first: u64,
        /// The last line that goes.
        last: u64,
        /// The hash of that line.
        hash: String,
    },
    /// Lines of the journal were damaged, and a person has set them aside.
    Quarantined {
        /// The first line that is set aside.
        first: u64,
        /// The last line.
        last: u64,
        /// The hash of that line, as what came behind it has it; empty where nothing did.
        hash: String,
        /// What was wrong.
        why: String,
        /// The folder where it is kept, from the workspace's.
        kept: String,
    },
}
