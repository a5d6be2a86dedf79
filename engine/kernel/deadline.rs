//! Deadlines: what becomes due when nothing else happens.

use super::action::QuestionId;
use super::input::At;

/// What becomes due. Each is checked against the state when it comes; one that is no longer meant does nothing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Deadline {
    /// An attempt has used up its `timeout`.
    Attempt {
        /// The phase.
        at: At,
        /// The attempt.
        attempt: u32,
    },
    /// A phase has used up its `max_time`.
    PhaseBudget {
        /// The phase.
        at: At,
    },
    /// A run has used up its `max_time`.
    RunBudget {
        /// The run.
        run: super::action::RunId,
    },
    /// The checks of a goal that is up are to be asked again.
    Reverify {
        /// Its latest run.
        run: super::action::RunId,
    },
    /// Something that leaks is tried again.
    Removal {
        /// Its place.
        owner: crate::base::owner::Owner,
    },
    /// A service is to be started again, or to be waited for no longer.
    Restart {
        /// Its place.
        owner: crate::base::owner::Owner,
    },
    /// An engine that is at work collects by itself.
    Collection,
    /// The pause before the next attempt is over.
    Backoff {
        /// The phase.
        at: At,
    },
    /// The pause before the next try of a question is over.
    Question {
        /// The question.
        question: QuestionId,
    },
    /// The memory of the host is to be looked at.
    Memory,
    /// A question must have passed by now.
    Patience {
        /// The question.
        question: QuestionId,
    },
}
