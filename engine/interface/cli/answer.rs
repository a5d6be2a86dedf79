//! `sculpt answer PLACE yes|no [TEXT]`: answer what a goal asks, and watch how its run goes on.

use std::io::IsTerminal as _;

use clap::Args;

use super::context::Context;
use super::prompt::parse;
use super::run::{ending, tell};
use super::session::{Session, person, reporter};
use crate::base::owner::Owner;
use crate::interface::failure::Failure;
use crate::interface::socket::protocol::Ask;
use crate::kernel::phase::PhaseState;
use crate::kernel::state::State;
use crate::views::place::{Found, find};
use crate::views::replay::Replay;

/// Answers what a goal asks; the run then goes on.
#[derive(Debug, Args)]
pub struct Answer {
    /// The phase that asks: goal/phase, or the goal where only one phase asks
    #[arg(value_name = "PLACE")]
    place: String,
    /// yes or no, and what else is to be kept with it
    #[arg(required = true, value_name = "yes|no [TEXT]")]
    answer: Vec<String>,
}

impl Answer {
    pub(super) fn carry_out(self, context: &Context) -> Result<u8, Failure> {
        let Some((yes, text)) = parse(&self.answer.join(" ")) else {
            return Err(Failure::usage(
                format!("`{}` is neither yes nor no", self.answer.join(" ")),
                format!("say which, and add the text: `sculpt answer {} no \"{}\"`", self.place, self.answer.join(" ")),
            ));
        };
        let workspace = context.workspace()?;
        let replay = Replay::of(&workspace.folder())?;
        let owner = asking(&replay.state, &self.place)?;
        let mut session = Session::open(&workspace)?;
        let attended = (!context.json && std::io::stdin().is_terminal() && context.out.live).then_some(context.out);
        let goal = owner.goal.clone();
        let ask = Ask::Reply { owner, yes, text, by: person() };
        session.drive(&goal, ask, attended, reporter(context, attended.is_some()))?;
        let ending = ending(&session, &workspace, &goal)?;
        tell(&ending, context)?;
        Ok(ending.code)
    }
}

/// The phase that is meant. A goal stands for its only phase that asks.
fn asking(state: &State, place: &str) -> Result<Owner, Failure> {
    let run = match find(state, place)? {
        Found::Goal(_, goal) => goal.run.as_ref(),
        Found::Phase(_, run, ix) => {
            // The engine itself says that nothing is asked there, and where something is.
            return Ok(run.owner(ix));
        }
        Found::Resource(_, run, ix, ..) => return Ok(run.owner(ix)),
    };
    let asking: Vec<Owner> = run
        .iter()
        .flat_map(|run| run.plan.indexed().filter(|(ix, _)| run.phase(*ix).state == PhaseState::Waiting).map(|(ix, _)| run.owner(ix)))
        .collect();
    match asking.as_slice() {
        [one] => Ok(one.clone()),
        [] => Err(Failure::refused(format!("nothing is asked at `{place}`"), format!("look with `sculpt status {place}`"))),
        several => {
            let places: Vec<String> = several.iter().map(|owner| format!("`{owner}`")).collect();
            Err(Failure::usage(format!("several phases of `{place}` ask"), format!("name one: {}", places.join(", "))))
        }
    }
}
