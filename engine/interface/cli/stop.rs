//! `sculpt stop`: end a run, and what it started.

use clap::Args;

use super::context::Context;
use super::goal::named;
use super::run::{ending, tell};
use super::session::{Session, reporter};
use crate::base::name::Name;
use crate::interface::failure::Failure;
use crate::interface::socket::protocol::Ask;
use crate::kernel::record::StopReason;
use crate::kernel::state::Goal;
use crate::views::place::goal;
use crate::views::replay::Replay;

/// Stops a run, and ends what it started.
#[derive(Debug, Args)]
pub struct Stop {
    /// The goal, by its name or its manifest; may be left out where only one runs
    goal: Option<String>,
    /// Kill at once, without a grace period
    #[arg(long)]
    force: bool,
}

impl Stop {
    pub(super) fn carry_out(self, context: &Context) -> Result<u8, Failure> {
        let workspace = context.workspace()?;
        let replay = Replay::of(&workspace.folder())?;
        let name = match &self.goal {
            Some(given) => goal(&replay.state, named(context, given)?.as_str())?.0.clone(),
            None => only_running(&replay)?,
        };
        if !replay.state.goals.get(&name).is_some_and(Goal::is_running) {
            return Err(Failure::refused(format!("`{name}` is not running"), format!("to end what of it is up: `sculpt down {name}`")));
        }
        let mut session = Session::open(&workspace)?;
        let ask = Ask::Stop { goal: name.clone(), reason: StopReason::Person, force: self.force };
        match session.drive(&name, ask, None, reporter(context, false)) {
            // It has ended in the same moment: then that is how it ended.
            Err(Failure::Told(_)) if !session.replay_now()?.goals.get(&name).is_some_and(Goal::is_running) => {}
            driven => drop(driven?),
        }
        tell(&ending(&session, &workspace, &name)?, context)?;
        Ok(0)
    }
}

fn only_running(replay: &Replay) -> Result<Name, Failure> {
    let running: Vec<&Name> = replay.state.goals.iter().filter(|(_, goal)| goal.is_running()).map(|(name, _)| name).collect();
    match running.as_slice() {
        [one] => Ok((*one).clone()),
        [] => Err(Failure::refused("nothing is running", "to end what is up: `sculpt down`")),
        several => {
            let names: Vec<String> = several.iter().map(|name| format!("`sculpt stop {name}`")).collect();
            Err(Failure::usage("several goals are running: which one?", names.join(", ")))
        }
    }
}
