//! `sculpt retry RUN [PHASE]`: go on from a run that has ended.

use std::path::PathBuf;

use clap::Args;

use super::context::Context;
use super::goal::named;
use super::prepare::environment;
use super::run::{Follow, Following};
use super::session::Session;
use super::within::parent;
use crate::base::name::Name;
use crate::driver::preflight::unmet;
use crate::interface::failure::Failure;
use crate::interface::socket::protocol::Ask;
use crate::kernel::action::RunId;
use crate::kernel::record::RunOptions;
use crate::kernel::state::{State, goal_of};
use crate::views::place::{NoPlace, goal};
use crate::views::replay::Replay;

/// Goes on from a goal's latest run: what ended well there is carried over, the rest is done again, with the same plan and parameters.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub struct Retry {
    /// The run, such as crm.3, or the goal for its latest run
    run: String,
    /// Do this phase anew, however it ended, and all that depends on it
    phase: Option<String>,
    /// Do only that phase anew: everything else is carried over as it stands
    #[arg(long, requires = "phase", conflicts_with = "downstream")]
    only: bool,
    /// Do all that depends on that phase anew too: the default
    #[arg(long, requires = "phase")]
    downstream: bool,
    /// Take everything down at the end
    #[arg(long)]
    once: bool,
    /// Let any phase that is not verified count
    #[arg(long)]
    strict: bool,
    /// Do not wait for its end: the supervisor carries it out
    #[arg(long, conflicts_with = "junit")]
    detach: bool,
    /// Write a JUnit report
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
}

impl Retry {
    pub(super) fn carry_out(self, context: &Context) -> Result<u8, Failure> {
        let workspace = context.workspace()?;
        // Where nothing is known of it, nothing is opened.
        let (goal, run) = meant(context, &Replay::of(&workspace.folder())?.state, &self.run)?;
        let session = Session::open(&workspace)?;
        let phase = self.phase.map(|phase| Name::from(phase.strip_prefix(&format!("{goal}/")).unwrap_or(&phase)));
        let Some(latest) = session.state().goals.get(&goal).and_then(|known| known.run.as_ref()) else {
            return Err(NoPlace { text: self.run, near: None, known: Vec::new() }.into());
        };
        let (once, strict) = (self.once || latest.options.once, self.strict || latest.options.strict);
        let env = environment();
        let missing = unmet(&workspace, &latest.plan, &env, session.state());
        if !missing.is_empty() {
            return Err(Failure::Unmet(missing));
        }
        let options = RunOptions { once, strict, parent: parent(&workspace), ..RunOptions::default() };
        let ask = Ask::Retry { goal: goal.clone(), run, phase, only: self.only, options, env };
        Following { session, context, workspace: &workspace, goal }.begin(ask, &Follow { once, detach: self.detach, junit: self.junit })
    }
}

/// The goal, and the run where one was named.
fn meant(context: &Context, state: &State, given: &str) -> Result<(Name, Option<RunId>), Failure> {
    let name = named(context, given)?;
    if !state.goals.contains_key(&name) {
        let run = RunId(given.to_owned());
        let numbered = given.rsplit_once('.').is_some_and(|(_, number)| number.parse::<u32>().is_ok());
        if numbered && let Some((of, _)) = state.goals.get_key_value(goal_of(&run)) {
            return Ok((of.clone(), Some(run)));
        }
    }
    let (name, _) = goal(state, name.as_str())?;
    Ok((name.clone(), None))
}
