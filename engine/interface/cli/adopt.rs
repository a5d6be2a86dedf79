//! `sculpt adopt PLACE`: give what is suspected to its goal, after a person's word.

use clap::Args;
use serde::Serialize;

use super::context::{Context, with_outside};
use super::session::{Session, person};
use crate::base::owner::Owner;
use crate::driver::engine::EngineError;
use crate::interface::failure::Failure;
use crate::interface::socket::protocol::Ask;
use crate::interface::terminal::{show, show_json};
use crate::views::place::no_place;
use crate::views::replay::Replay;
use crate::views::status::{ResourceStatus, resource_status};

/// Gives what a phase may have started outside of everything that sculpt holds to its goal: a unit, lines of a crontab, a job of `at`, a
/// process, another Docker context. `sculpt ps` lists it as suspected, with its place. From then on it is a resource of the goal, and
/// `sculpt down` removes it: that, where it is still as it was seen, and nothing else.
#[derive(Debug, Args)]
pub struct Adopt {
    /// What is suspected: goal/phase/suspect:NAME, as `sculpt ps` shows it
    #[arg(value_name = "PLACE")]
    place: String,
}

/// What was adopted. The JSON form is stable: fields are only ever added.
#[derive(Debug, Serialize)]
struct Adopted {
    adopted: Vec<ResourceStatus>,
}

impl Adopt {
    pub(super) fn carry_out(self, context: &Context) -> Result<u8, Failure> {
        let workspace = context.workspace()?;
        let replay = Replay::of(&workspace.folder())?;
        let owner: Owner = self.place.parse().map_err(|_| no_place(&replay.state, &self.place))?;
        // No supervisor is started only to refuse it.
        replay.state.adoptable(&owner).map_err(|refusal| Failure::from(EngineError::from(refusal)))?;
        let mut session = Session::open(&workspace)?;
        session.ask(&Ask::Adopt { owner: owner.clone(), by: person() })?;
        let state = session.state();
        let goal = state.goals.get(&owner.goal);
        let made = goal.and_then(|goal| Some((goal, goal.resources.get(&owner)?)));
        let made = with_outside(&workspace, |outside| made.map(|(goal, made)| resource_status(state, goal, made, outside)));
        if context.json {
            show_json(&Adopted { adopted: made.into_iter().collect() })?;
        } else {
            let evidence = made.map(|made| made.evidence).unwrap_or_default();
            show(&format!("{owner}: {evidence}; `sculpt down {}` removes it\n", owner.goal))?;
        }
        Ok(0)
    }
}
