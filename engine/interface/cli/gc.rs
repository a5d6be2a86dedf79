//! `sculpt gc`: end what nobody wants. `--dry-run` prints the same, and changes nothing.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use clap::Args;

use super::context::{Context, now};
use super::session::Session;
use super::status::cells;
use crate::adapters::workspace::Workspace;
use crate::driver::unexplained::Crowd;
use crate::interface::failure::Failure;
use crate::interface::socket::protocol::Ask;
use crate::interface::terminal::{Tone, show, show_json};
use crate::journal::lock::holder;
use crate::kernel::collection::Reason;
use crate::kernel::fold::Misfit;
use crate::kernel::record::Record;
use crate::kernel::state::State;
use crate::views::collection::Collection;
use crate::views::replay::{Replay, ReplayError};

/// Ends what nobody wants: leftovers of ended attempts, leaks, and whoever runs in this workspace's scopes without a record. Never what a
/// run that goes on uses, what is kept, or anybody else's. Exits with 1 where something would not go.
#[derive(Debug, Args)]
pub struct Gc {
    /// Only print what would be ended; nothing is changed
    #[arg(long)]
    dry_run: bool,
    /// Also what is idle and declared `evictable`
    #[arg(long)]
    evict: bool,
}

impl Gc {
    pub(super) fn carry_out(self, context: &Context) -> Result<u8, Failure> {
        let workspace = context.workspace()?;
        if self.dry_run {
            tell(&self.planned(&workspace)?, context)?;
            return Ok(0);
        }
        if workspace.known_id().is_none() {
            tell(&Collection::default(), context)?;
            return Ok(0);
        }
        let mut session = Session::open(&workspace)?;
        let records = session.await_collection(&Ask::Collect { evict: self.evict })?;
        let done = Collection::done(&records, session.state());
        tell(&done, context)?;
        let stays = stays(&done, &records, session.state());
        for (place, why) in &stays {
            eprintln!("still there: {place}: {why}; the supervisor tries it again until it is gone");
        }
        Ok(u8::from(!stays.is_empty()))
    }

    /// What would be ended, by what the journal says and who is there. No supervisor is started, and nothing is written.
    fn planned(&self, workspace: &Workspace) -> Result<Collection, Failure> {
        let mut replay = Replay::of(&workspace.folder())?;
        for ignored in &replay.ignored {
            eprintln!("warning: {ignored}");
        }
        let Some(id) = workspace.known_id() else { return Ok(Collection::default()) };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(Failure::file("start", "the look at containers"))?;
        // Whoever comes or goes while this looks is nobody's leftover: only who is there before the journal is read and after it.
        let before = runtime.block_on(Crowd::look(workspace, &id, &replay.state));
        replay.refresh()?;
        let engine = holder(&workspace.folder()).is_some();
        let state = if engine { replay.state } else { left_behind(replay.state, replay.beside.seq)? };
        let after = runtime.block_on(Crowd::look(workspace, &id, &state));
        for volume in &after.data {
            let (goal, name) = (&volume.goal, &volume.id);
            eprintln!(
                "warning: the volume {name} was made for {goal}, and no record knows it: it is data, and stays; `docker volume rm {name}` removes it"
            );
        }
        let (unseen, after): (_, BTreeSet<String>) = (after.unseen, after.scopes.into_iter().collect());
        let both = before.scopes.into_iter().filter(|scope| after.contains(scope));
        let scopes = both.filter(|scope| !(state.explains(scope, engine) || engine && state.is_scope_of_work(scope))).collect();
        Ok(Collection::planned(&state, now(), self.evict, &scopes, unseen))
    }
}

/// The state as the supervisor that would be started finds it.
fn left_behind(state: State, seq: u64) -> Result<State, Failure> {
    state.left_behind(now()).map_err(|source: Misfit| Failure::from(ReplayError::Misfit { seq, source }))
}

fn tell(collection: &Collection, context: &Context) -> Result<(), Failure> {
    for unseen in &collection.unseen {
        eprintln!("warning: {unseen}: what is there is unknown, and stays");
    }
    if context.json {
        return show_json(collection);
    }
    if collection.things.is_empty() {
        return show("nothing to collect\n");
    }
    let mut rows = vec![["PLACE".to_owned(), "KIND".to_owned(), "REASON".to_owned(), "WHY".to_owned()]];
    for thing in &collection.things {
        rows.push([thing.place.clone(), thing.kind.to_owned(), thing.reason.to_owned(), thing.why.clone()]);
    }
    let mut text = cells(&rows, |first, line| if first { context.out.paint(Tone::Dim, line) } else { line.to_owned() });
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{} to collect: {} left over, {} evicted", collection.things.len(), collection.left, collection.evicted);
    show(&text)
}

/// What of it is still there, each with the evidence.
fn stays(done: &Collection, records: &[Record], state: &State) -> Vec<(String, String)> {
    let leaks = state.goals.values().flat_map(|goal| &goal.leaks).filter(|(owner, leak)| {
        let place = leak.scope.clone().unwrap_or_else(|| owner.to_string());
        done.things.iter().any(|thing| thing.place == place)
    });
    let mut stays: Vec<(String, String)> = leaks.map(|(owner, leak)| (owner.to_string(), leak.why.clone())).collect();
    let evicted = records.iter().filter_map(|record| match record {
        Record::Collected { owner, reason: Reason::Evictable, .. } => Some(owner),
        _ => None,
    });
    for owner in evicted.filter(|owner| state.leak(owner).is_none()) {
        if let Some(resource) = state.resource(owner).filter(|resource| resource.state.is_live()) {
            stays.push((owner.to_string(), format!("it is {}", resource.state.word())));
        }
    }
    stays
}
