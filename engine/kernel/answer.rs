//! A check's answer.

use serde::{Deserialize, Serialize};

use super::fault::Fault;
use crate::base::owner::Owner;

/// What a check said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Said {
    /// What was asked is so.
    Pass,
    /// What was asked is not so.
    Fail,
    /// The checker itself could not run: never green, never red.
    Unknown,
}

/// A check's answer with its evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// What it said.
    pub said: Said,
    /// Evidence for a person, short: `connection refused by 127.0.0.1:8081`.
    pub evidence: String,
    /// The fault it points to, where it did not pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<Fault>,
}

impl Answer {
    /// It is so.
    pub fn pass(evidence: impl Into<String>) -> Self {
        Self { said: Said::Pass, evidence: evidence.into(), fault: None }
    }

    /// It is not so.
    pub fn fail(fault: Fault, evidence: impl Into<String>) -> Self {
        Self { said: Said::Fail, evidence: evidence.into(), fault: Some(fault) }
    }

    /// True where, given before the work, it makes a later pass a proof: a fail, or a program that the work is to install.
    pub fn is_red(&self) -> bool {
        match self.said {
            Said::Pass => false,
            Said::Fail => true,
            Said::Unknown => self.fault == Some(Fault::MissingCommand),
        }
    }

    /// The checker could not run.
    pub fn unknown(fault: Fault, evidence: impl Into<String>) -> Self {
        Self { said: Said::Unknown, evidence: evidence.into(), fault: Some(fault) }
    }
}

/// When a check was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Before the work: a fail here is what makes a later pass a proof.
    Before,
    /// After the work.
    After,
    /// After teardown: a pass here is a lie.
    Gone,
    /// On demand: `sculpt verify`.
    Again,
}

/// A check that still passes although what it is about is gone: it never proved anything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lie {
    /// The phase.
    pub phase: Owner,
    /// Which of its checks, from 0.
    pub check: u16,
    /// What it said.
    pub evidence: String,
}
