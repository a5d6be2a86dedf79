//! `sculpt resume [GOAL]`: go on with what is not over, and watch it.

use std::io::IsTerminal as _;

use clap::Args;

use super::context::Context;
use super::goal::named;
use super::run::{ending, tell};
use super::session::{Session, reporter};
use crate::base::name::Name;
use crate::interface::failure::Failure;
use crate::interface::socket::protocol::Ask;
use crate::interface::terminal::show;
use crate::kernel::state::{Goal, State};
use crate::views::place::goal;

/// Goes on with a run that is not over, and watches it. An engine that was killed is replaced by any command; this one also shows how it goes.
#[derive(Debug, Args)]
pub struct Resume {
    /// The goal, by its name or its manifest; may be left out where only one runs
    goal: Option<String>,
}

impl Resume {
    pub(super) fn carry_out(self, context: &Context) -> Result<u8, Failure> {
        let workspace = context.workspace()?;
        let mut session = Session::open(&workspace)?;
        let Some(name) = self.goal(context, session.state())? else {
            if !context.json {
                show("nothing is under way: there is nothing to go on with\n")?;
            }
            return Ok(0);
        };
        let attended = (!context.json && std::io::stdin().is_terminal() && context.out.live).then_some(context.out);
        session.drive(&name, Ask::Attach { goal: name.clone() }, attended, reporter(context, attended.is_some()))?;
        let ending = ending(&session, &workspace, &name)?;
        tell(&ending, context)?;
        Ok(ending.code)
    }

    /// The goal to watch; none where nothing is under way.
    fn goal(&self, context: &Context, state: &State) -> Result<Option<Name>, Failure> {
        let open = |goal: &Goal| goal.is_running() || goal.falling;
        if let Some(given) = &self.goal {
            let (name, goal) = goal(state, named(context, given)?.as_str())?;
            return Ok(open(goal).then(|| name.clone()));
        }
        let running: Vec<&Name> = state.goals.iter().filter(|(_, goal)| open(goal)).map(|(name, _)| name).collect();
        match running.as_slice() {
            [] => Ok(None),
            [one] => Ok(Some((*one).clone())),
            several => {
                let names: Vec<String> = several.iter().map(|name| format!("`sculpt resume {name}`")).collect();
                Err(Failure::usage("several goals are under way: which one?", names.join(", ")))
            }
        }
    }
}
