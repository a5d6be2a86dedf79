//! `sculpt verify [GOAL]`: ask the checks again, now.

use clap::Args;

use super::context::{Context, with_outside};
use super::goal::named;
use super::session::{Session, reporter};
use crate::base::name::Name;
use crate::interface::failure::Failure;
use crate::interface::socket::protocol::Ask;
use crate::interface::terminal::show;
use crate::views::place::goal;
use crate::views::replay::Replay;
use crate::views::standing::{GoalOutcome, judge};

/// The exit code of a command that a signal has stopped.
const INTERRUPTED: u8 = 130;

/// Asks the checks of a goal again, now: those of its green phases whose answer must still hold. Exits with 1 where one does
/// not pass.
#[derive(Debug, Args)]
pub struct Verify {
    /// The goal, by its name or its manifest; all that have run where it is left out
    goal: Option<String>,
}

impl Verify {
    pub(super) fn carry_out(self, context: &Context) -> Result<u8, Failure> {
        let workspace = context.workspace()?;
        let replay = Replay::of(&workspace.folder())?;
        let goals: Vec<Name> = match &self.goal {
            Some(given) => vec![goal(&replay.state, named(context, given)?.as_str())?.0.clone()],
            None => replay.state.goals.keys().filter(|name| !replay.beside.down.contains_key(*name)).cloned().collect(),
        };
        if goals.is_empty() {
            if !context.json {
                show("nothing is up: there is nothing to verify\n")?;
            }
            return Ok(0);
        }
        let mut session = Session::open(&workspace)?;
        for goal in &goals {
            session.drive(goal, Ask::Verify { goal: goal.clone() }, None, reporter(context, false))?;
            if session.interrupted() {
                eprintln!("interrupted: of what had not answered nothing has changed");
                return Ok(INTERRUPTED);
            }
        }
        let replay = session.replay();
        let mut good = true;
        for name in &goals {
            let Some(goal) = replay.state.goals.get(name) else { continue };
            let (outcome, why) = with_outside(&workspace, |outside| judge(name, goal, replay, outside));
            good &= matches!(outcome, GoalOutcome::Verified | GoalOutcome::Unverified | GoalOutcome::Skipped);
            if context.json {
                show(&format!("{}\n", serde_json::json!({ "event": "summary", "goal": name, "outcome": outcome, "why": why })))?;
            } else {
                show(&format!("{} {name}: {why}\n", context.out.state(outcome.word())))?;
            }
        }
        Ok(u8::from(!good))
    }
}
