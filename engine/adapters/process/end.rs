//! How a scope ends: asked, then made to, then looked at.
//!
//! | step | who | until |
//! |---|---|---|
//! | stop signal | main process, or all | main is gone, or the grace is over |
//! | SIGTERM | the rest | all are gone, or the grace is over |
//! | kill | whoever is left | all are gone, or [`KILL_LIMIT`] is over |
//! | look | – | what is seen then are the survivors |

use rustix::process::Signal;
use serde::Serialize;

use super::deadline::Deadline;
use super::identity::ProcessId;
use super::scope::{Process, Scope, ScopeError};
use super::signals;
use crate::base::time::Span;

/// How long killed processes may take to go. Only one that hangs in the kernel takes so long.
pub const KILL_LIMIT: Span = Span::seconds(5);

/// How long the killed are waited for before whoever is left is killed again.
const KILL_ROUND: Span = Span(200);

/// Who gets the stop signal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StopTo {
    /// The process that was started; it tells the others.
    #[default]
    Main,
    /// Every process of the scope.
    All,
}

/// How a scope is asked to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StopPolicy {
    signal: Signal,
    to: StopTo,
    grace: Span,
}

/// A text that names no signal.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("failed to find the signal `{0}`; write it like `SIGTERM`")]
pub struct NoSuchSignal(pub String);

impl StopPolicy {
    /// A policy with a signal by its name, such as `SIGQUIT`.
    pub fn new(signal: &str, to: StopTo, grace: Span) -> Result<Self, NoSuchSignal> {
        let signal = signals::named(signal).ok_or_else(|| NoSuchSignal(signal.to_owned()))?;
        Ok(Self { signal, to, grace })
    }

    /// SIGTERM to the main process, and this much time.
    pub const fn term(grace: Span) -> Self {
        Self { signal: Signal::TERM, to: StopTo::Main, grace }
    }
}

/// What became of a scope.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Ended {
    /// What still runs, seen after all else; empty is a measurement.
    pub survivors: Vec<Process>,
    /// How many had to be killed.
    pub killed: usize,
    /// How long it took.
    pub waited: Span,
}

impl Scope {
    /// Ends everything in the scope; blocks the thread until it is gone, at most the grace and [`KILL_LIMIT`].
    ///
    /// Without `main`, or where it is gone already, its part is left out.
    pub fn end(&self, policy: &StopPolicy, main: Option<&ProcessId>) -> Result<Ended, ScopeError> {
        let grace = Deadline::after(policy.grace);
        if self.is_empty()? {
            return Ok(Ended { survivors: Vec::new(), killed: 0, waited: grace.passed() });
        }
        self.ask(policy, main, &grace)?;
        let mut killed = 0;
        if !self.is_empty()? {
            killed = self.members()?.len();
            self.force()?;
        }
        Ok(Ended { survivors: self.look()?, killed, waited: grace.passed() })
    }

    /// Ends everything in the scope at once; blocks the thread until it is gone, at most [`KILL_LIMIT`].
    pub fn kill(&self) -> Result<Ended, ScopeError> {
        let begun = Deadline::after(KILL_LIMIT);
        let killed = self.members()?.len();
        self.force()?;
        Ok(Ended { survivors: self.look()?, killed, waited: begun.passed() })
    }

    fn ask(&self, policy: &StopPolicy, main: Option<&ProcessId>, grace: &Deadline) -> Result<(), ScopeError> {
        let failed = |source| ScopeError { step: format!("stop the main process of {}", self.name()), source };
        let main = main.map(ProcessId::open).transpose().map_err(failed)?.flatten();
        match (policy.to, &main) {
            (StopTo::All, _) => {
                self.signal(policy.signal)?;
            }
            (StopTo::Main, Some(handle)) => {
                super::identity::send(handle, policy.signal).map_err(failed)?;
            }
            (StopTo::Main, None) => {}
        }
        if let Some(handle) = main {
            grace.wait_exits(&[handle]).map_err(failed)?;
        }
        if self.is_empty()? {
            return Ok(());
        }
        self.signal(Signal::TERM)?;
        // A stopped process would not see the signal.
        self.signal(Signal::CONT)?;
        self.wait_empty(grace).map(|_| ())
    }

    /// Again and again: without control groups a look can miss a process that is just being started.
    fn force(&self) -> Result<(), ScopeError> {
        let limit = Deadline::after(KILL_LIMIT);
        loop {
            self.kill_members()?;
            if self.wait_empty(&Deadline::after(KILL_ROUND))? || limit.over() {
                return Ok(());
            }
        }
    }
}
