//! `sculpt runs`: what was.

use serde::Serialize;

use super::outside::Outside;
use super::replay::Replay;
use super::standing::{GoalOutcome, judge};
use super::within::Within;
use crate::base::name::Name;
use crate::kernel::outcome::Verdict;

/// All runs, oldest first.
#[derive(Clone, Debug, Serialize)]
pub struct Runs {
    /// The runs.
    pub runs: Vec<RunStatus>,
    /// How many older ones are no longer kept.
    pub pruned: u32,
}

/// A run.
#[derive(Clone, Debug, Serialize)]
pub struct RunStatus {
    /// Its id.
    pub run: String,
    /// Its goal.
    pub goal: String,
    /// How it ended, or how it goes.
    pub outcome: &'static str,
    /// The exit code that it had.
    pub exit_code: Option<u8>,
    /// When it began, RFC 3339.
    pub started: String,
    /// When it ended, RFC 3339.
    pub ended: Option<String>,
    /// How long it took, or takes until now, in milliseconds.
    pub elapsed_ms: u64,
    /// Why it ended so, or what it waits for, in words.
    pub why: String,
    /// The run that it went on from.
    pub retries: Option<String>,
    /// The attempt in which it was begun.
    pub parent: Option<Within>,
}

/// The runs of every goal, or of the one that is named, by the time of their beginning.
pub fn runs(replay: &Replay, outside: &Outside<'_>, only: Option<&Name>) -> Runs {
    let mut found = Vec::new();
    let mut pruned = 0;
    for (name, goal) in replay.state.goals.iter().filter(|(name, _)| only.is_none_or(|only| only == *name)) {
        let known = u32::try_from(goal.past.len()).unwrap_or(u32::MAX).saturating_add(u32::from(goal.is_running()));
        pruned += goal.runs.saturating_sub(known);
        for past in &goal.past {
            let run = RunStatus {
                run: past.id.to_string(),
                goal: name.to_string(),
                outcome: past.verdict.word(),
                exit_code: Some(past.verdict.exit_code()),
                started: past.started.to_string(),
                ended: Some(past.ended.to_string()),
                elapsed_ms: (past.ended - past.started).0,
                why: past.why.clone(),
                retries: past.retries.as_ref().map(ToString::to_string),
                parent: past.parent.as_ref().map(Within::of),
            };
            found.push((past.started, run));
        }
        if let Some(run) = goal.run.as_ref().filter(|run| run.ended.is_none()) {
            let (outcome, why): (GoalOutcome, _) = judge(name, goal, replay, outside);
            let status = RunStatus {
                run: run.id.to_string(),
                goal: name.to_string(),
                outcome: outcome.word(),
                exit_code: None,
                started: run.started.to_string(),
                ended: None,
                elapsed_ms: (outside.now - run.started).0,
                why,
                retries: run.options.carry.as_ref().map(|carry| carry.from.to_string()),
                parent: run.options.parent.as_ref().map(Within::of),
            };
            found.push((run.started, status));
        }
    }
    found.sort_by_key(|(started, _)| *started);
    Runs { runs: found.into_iter().map(|(_, run)| run).collect(), pruned }
}

impl Verdict {
    /// The word for it on a screen.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::Unproven => "unproven",
            Self::Waiting => "waiting",
            Self::Failed => "failed",
            Self::Budget => "budget",
            Self::Cancelled => "cancelled",
            Self::Interrupted => "interrupted",
        }
    }
}
