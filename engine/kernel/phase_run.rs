//! A phase in a run, as the journal knows it.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::action::{Artifact, Brief, Exit, RunId};
use super::answer::Answer;
use super::attempt::Ending;
use super::fault::Fault;
use super::outcome::Proof;
use super::phase::PhaseState;
use super::usage::Usage;
use crate::base::name::Name;
use crate::base::time::Timestamp;
use crate::plan::sealed::PhaseIx;

/// A phase in a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PhaseRun {
    /// Where it stands.
    pub state: PhaseState,
    /// How many of its needs are not met yet.
    pub unmet: u32,
    /// The latest attempt, from 1; 0 before the first.
    pub attempt: u32,
    /// When its first attempt began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started: Option<Timestamp>,
    /// Since when it waits for admission, where it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unadmitted: Option<Timestamp>,
    /// When its latest attempt began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt_started: Option<Timestamp>,
    /// True where an engine died during the latest attempt and nobody knows how far it came.
    pub interrupted: bool,
    /// What of its latest attempt could not be done, as recorded, and why: the attempt fails by it, whichever engine says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub broken: Option<(Fault, String)>,
    /// What the latest attempt has written.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub written: IndexMap<Name, String>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    /// What it amounts to.
    pub brief: Brief,
    /// What its checks said before the work, and then after it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub before: Vec<Option<Answer>>,
    /// What its checks said after the work of the latest attempt.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<Option<Answer>>,
    /// Since when each of its checks says what it says.
    pub since: Vec<Option<Timestamp>>,
    /// When all of its checks that must hold were last seen to pass, after its end.
    pub held: Option<Timestamp>,
    /// What it put out.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub outputs: IndexMap<Name, String>,
    /// How its command ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit: Option<Exit>,
    /// What its command used in the latest attempt.
    #[serde(skip_serializing_if = "Usage::is_unknown")]
    pub usage: Usage,
    /// How many processes its command left behind.
    pub leftovers: u32,
    /// How many containers, networks and volumes it left behind.
    pub contained: u32,
    /// What was kept of its latest attempt.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub artifacts: Vec<Artifact>,
    /// What a person is asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub question: Option<String>,
    /// When a person was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asked_at: Option<Timestamp>,
    /// What a person said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply: Option<Reply>,
    /// How the latest attempt will have ended, once what it must not leave is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closing: Option<Ending>,
    /// What an earlier run made of it and this one has ended, or written anew, in the order in which that was decided.
    pub replaced: IndexMap<Name, Replaced>,
    /// The attempts that failed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<Failure>,
    /// When the next attempt may start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Timestamp>,
    /// The run that did it, where it was carried over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub carried: Option<RunId>,
    /// Why it may be believed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proof: Option<Proof>,
    /// What went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<Fault>,
    /// In words.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub why: String,
}

/// Who made what a later run replaces.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replaced {
    /// The run.
    pub run: RunId,
    /// The phase, in that run's plan.
    pub phase: PhaseIx,
    /// The attempt.
    pub attempt: u32,
}

/// A person's answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// Yes or no.
    pub yes: bool,
    /// What else the person wrote.
    pub text: Option<String>,
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// An attempt that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The attempt.
    pub attempt: u32,
    /// The fault.
    pub fault: Fault,
    /// The evidence.
    pub why: String,
    /// When.
    pub at: Timestamp,
    /// What its command used.
    #[serde(default, skip_serializing_if = "Usage::is_unknown")]
    pub usage: Usage,
}

impl PhaseRun {
    /// Its checks that have no answer from before the work, by their index.
    pub fn unasked(&self) -> Vec<usize> {
        without_answer(&self.before)
    }

    /// Its checks that have no answer from after the latest attempt's work, by their index.
    pub fn unchecked(&self) -> Vec<usize> {
        without_answer(&self.after)
    }

    /// It has ended.
    pub(super) fn end(&mut self, at: Timestamp, proof: Proof, fault: Option<Fault>, why: &str) {
        self.ended = Some(at);
        self.closing = None;
        self.unadmitted = None;
        self.proof = Some(proof);
        self.fault = fault;
        why.clone_into(&mut self.why);
    }

    /// How many of its attempts were lost with an engine: they do not count as tries.
    pub fn lost_attempts(&self) -> u32 {
        let lost = self.failures.iter().filter(|failure| failure.fault == Fault::EngineDied).count();
        u32::try_from(lost).unwrap_or(u32::MAX)
    }
}

fn without_answer(answers: &[Option<Answer>]) -> Vec<usize> {
    answers.iter().enumerate().filter(|(_, answer)| answer.is_none()).map(|(index, _)| index).collect()
}
