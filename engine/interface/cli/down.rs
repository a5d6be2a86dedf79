//! `sculpt down`: end what of a goal lives. Directories stay unless `--volumes`.

use clap::Args;

use super::context::{Context, with_outside};
use super::goal::named;
use super::session::{Session, reporter};
use crate::base::name::Name;
use crate::interface::failure::Failure;
use crate::interface::report::run::event::Event;
use crate::interface::socket::protocol::Ask;
use crate::interface::terminal::show;
use crate::kernel::record::StopReason;
use crate::kernel::state::{Goal, State};
use crate::views::outside::Outside;
use crate::views::place::goal;
use crate::views::replay::Replay;
use crate::views::standing::{GoalOutcome, judge};

/// Takes a goal down: ends what of it lives, and removes what it made and does not keep.
#[derive(Debug, Args)]
pub struct Down {
    /// The goal, by its name or its manifest; may be left out where only one is up
    #[arg(conflicts_with = "all")]
    goal: Option<String>,
    /// All goals of the workspace
    #[arg(long)]
    all: bool,
    /// Also what is kept: directories, files, generated secrets
    #[arg(long)]
    volumes: bool,
}

impl Down {
    pub(super) fn carry_out(self, context: &Context) -> Result<u8, Failure> {
        let workspace = context.workspace()?;
        let replay = Replay::of(&workspace.folder())?;
        let up = with_outside(&workspace, |outside| up(&replay, outside));
        let Some(goals) = self.goals(up, &replay, context)? else {
            if !context.json {
                show("nothing is up: there is nothing to take down\n")?;
            }
            return Ok(0);
        };
        let mut session = Session::open(&workspace)?;
        let mut clean = true;
        for goal in goals {
            if is_at_work(session.state(), &goal) {
                // Whoever takes a goal down wants it to end.
                let ask = Ask::Stop { goal: goal.clone(), reason: StopReason::Person, force: false };
                match session.drive(&goal, ask, None, reporter(context, false)) {
                    // It has ended in the same moment.
                    Err(Failure::Told(_)) if !session.replay_now()?.goals.get(&goal).is_some_and(Goal::is_running) => {}
                    driven => drop(driven?),
                }
            }
            let ask = Ask::Down { goal: goal.clone(), volumes: self.volumes };
            let told = session.drive(&goal, ask, None, reporter(context, false))?;
            let down = told.iter().find_map(|event| match event {
                Event::DownEnded { survivors, .. } => Some(*survivors),
                _ => None,
            });
            let left = told.iter().any(|event| matches!(event, Event::ResourceGone { failed: true, .. }));
            clean &= down == Some(0) && !left;
        }
        Ok(u8::from(!clean))
    }

    /// Which goals to take down, the latest first; none where there is nothing to do.
    fn goals(&self, up: Vec<Name>, replay: &Replay, context: &Context) -> Result<Option<Vec<Name>>, Failure> {
        if self.all {
            return Ok((!up.is_empty()).then_some(up));
        }
        let Some(given) = &self.goal else {
            return match up.as_slice() {
                [] => Ok(None),
                [_] => Ok(Some(up)),
                several => {
                    let names: Vec<String> = several.iter().map(|name| format!("`sculpt down {name}`")).collect();
                    Err(Failure::usage("several goals are up: which one?", format!("{}, or `sculpt down --all`", names.join(", "))))
                }
            };
        };
        let name = named(context, given)?;
        match goal(&replay.state, name.as_str()) {
            Ok((name, _)) => Ok(Some(vec![name.clone()])),
            // A manifest that was never run is a goal, with nothing to take down; a mistyped name is a mistake.
            Err(_) if context.path(given).is_file() => Ok(None),
            Err(unknown) => Err(unknown.into()),
        }
    }
}

/// Whether a run of the goal does more than wait for a person. One that only waits is taken down with its goal.
fn is_at_work(state: &State, goal: &Name) -> bool {
    let run = state.goals.get(goal).and_then(|goal| goal.run.as_ref());
    run.is_some_and(|run| run.ended.is_none() && !run.is_parked())
}

/// The goals of which something is there, or should be, the latest first.
fn up(replay: &Replay, outside: &Outside<'_>) -> Vec<Name> {
    let goals = replay.state.goals.iter().rev();
    let up = goals.filter(|(name, goal)| {
        let there = goal.is_running() || goal.live_resources().next().is_some() || !goal.leaks.is_empty();
        there || judge(name, goal, replay, outside).0 == GoalOutcome::Regressed
    });
    up.map(|(name, _)| name.clone()).collect()
}
