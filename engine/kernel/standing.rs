//! How a goal stands, as far as a plan that was saved depends on it. Whoever decides on a saved plan looks before the journal is theirs to
//! write; what another client asks for in between is seen here, where it is.

use serde::{Deserialize, Serialize};

use super::action::RunId;
use super::input::Refusal;
use super::state::State;
use super::turn::Turn;
use crate::base::name::Name;

/// How a goal stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Standing {
    /// Its latest run.
    pub run: Option<RunId>,
    /// Whether that goes on.
    pub running: bool,
    /// Whether it was taken down, or is being.
    pub down: bool,
}

impl State {
    /// How a goal stands. One that was never run stands nowhere.
    pub fn standing(&self, goal: &Name) -> Standing {
        self.goals.get(goal).map_or_else(Standing::default, |goal| Standing {
            run: goal.run.as_ref().map(|run| run.id.clone()),
            running: goal.is_running(),
            down: goal.down || goal.falling,
        })
    }
}

impl Turn<'_> {
    /// Refuses where a goal stands otherwise than whoever asks has seen it.
    pub(super) fn must_stand(&self, goal: &Name, seen: Option<&Standing>) -> Result<(), Refusal> {
        if seen.is_some_and(|seen| *seen != self.state.standing(goal)) {
            return Err(Refusal::Moved { goal: goal.clone() });
        }
        Ok(())
    }
}
