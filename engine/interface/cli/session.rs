//! A client's session with the supervisor: it reads the journal, asks for something, and tells what follows from it.
//!
//! Ctrl-C stops what is watched, a person at the terminal is asked. A client that goes away leaves everything as it is.

use std::collections::BTreeSet;

use tokio::task::JoinSet;

use super::context::{Context, mask};
use super::prompt::{Prompter, Said};
use super::remote::accepted;
use super::signals::Interrupts;
use crate::adapters::vault::Mask;
use crate::adapters::workspace::Workspace;
use crate::base::name::Name;
use crate::base::owner::Owner;
use crate::interface::failure::Failure;
use crate::interface::report::run::event::Event;
use crate::interface::report::run::lines::JsonLines;
use crate::interface::report::run::live::Live;
use crate::interface::report::run::plain::Plain;
use crate::interface::report::run::reporter::{Out, Reporter, Reporting};
use crate::interface::socket::client::Connection;
use crate::interface::socket::protocol::{Ask, Told};
use crate::interface::terminal::Look;
use crate::journal::read::Entry;
use crate::kernel::action::RunId;
use crate::kernel::phase::PhaseState;
use crate::kernel::record::{Record, StopReason};
use crate::kernel::state::{State, goal_of};
use crate::views::replay::Replay;

/// A session: what of the journal was read, and what is needed to go on.
pub struct Session {
    runtime: tokio::runtime::Runtime,
    replay: Replay,
    workspace: Workspace,
    /// How often a signal has stopped it.
    stops: u32,
}

impl Session {
    /// Makes the workspace where it is missing, and reads its journal.
    pub fn open(workspace: &Workspace) -> Result<Self, Failure> {
        establish(workspace)?;
        let replay = Replay::of(&workspace.folder())?;
        for ignored in &replay.ignored {
            eprintln!("warning: {ignored}");
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(Failure::file("start", "the client's threads"))?;
        Ok(Self { runtime, replay, workspace: workspace.clone(), stops: 0 })
    }

    /// Everything that was read of the journal.
    pub const fn replay(&self) -> &Replay {
        &self.replay
    }

    /// The fold of it.
    pub const fn state(&self) -> &State {
        &self.replay.state
    }

    /// Whether a signal has stopped what was being done: whoever has more to do leaves it.
    pub const fn interrupted(&self) -> bool {
        self.stops > 0
    }

    /// The fold of what the journal has now.
    pub fn replay_now(&mut self) -> Result<&State, Failure> {
        self.replay.refresh()?;
        Ok(&self.replay.state)
    }

    /// What hides the secrets of the workspace, as they are now.
    pub fn mask(&self) -> Result<Mask, Failure> {
        mask(&self.workspace)
    }

    /// Asks for something and leaves it to the supervisor, once it is accepted.
    pub fn ask(&mut self, ask: &Ask) -> Result<(), Failure> {
        let (_, seq) = self.runtime.block_on(accepted(&self.workspace, ask))?;
        read(&mut self.replay, seq, |_, _| {})
    }

    /// Asks for a collection, waits until it is over, and gives all that was recorded meanwhile: also by a supervisor that began for it.
    pub fn await_collection(&mut self, ask: &Ask) -> Result<Vec<Record>, Failure> {
        let Self { runtime, replay, workspace, .. } = self;
        let mut records = Vec::new();
        runtime.block_on(async {
            loop {
                let (mut connection, _) = accepted(workspace, ask).await?;
                let settled = loop {
                    match connection.next().await? {
                        Some(Told::Settled(seq)) => break Some(seq),
                        Some(Told::Failed(complaint)) => return Err(Failure::Told(complaint)),
                        Some(Told::Seq(_)) => {}
                        Some(Told::Released { replaced: false }) => {
                            let what = "the supervisor was told to let go before all was collected";
                            return Err(Failure::refused(what, "`sculpt gc` once more goes on with it"));
                        }
                        // Whatever it had begun, the next one finds again.
                        Some(_) | None => break None,
                    }
                };
                if let Some(seq) = settled {
                    return read(replay, seq, |entry, _| records.push(entry.record.clone()));
                }
            }
        })?;
        Ok(records)
    }

    /// Asks for something about a goal, tells what follows from it until nothing is under way any more, and gives the events that were told.
    ///
    /// Where a person attends, with this look, questions are put at the terminal; otherwise it is over as soon as only people are waited for.
    pub fn drive(&mut self, goal: &Name, ask: Ask, attended: Option<Look>, reporter: Box<dyn Reporter>) -> Result<Vec<Event>, Failure> {
        let Self { runtime, replay, workspace, stops } = self;
        let mut watch = Watch {
            workspace,
            replay,
            goal,
            reporting: Reporting::to(reporter),
            told: Vec::new(),
            prompter: attended.map(Prompter::start),
            put: BTreeSet::new(),
            latest: 0,
            errands: JoinSet::new(),
            stops: 0,
        };
        let watched = runtime.block_on(watch.on(ask));
        watch.reporting.rest();
        *stops += watch.stops;
        watched.map(|()| watch.told)
    }
}

/// Makes the workspace where it is missing, and warns a person whose folder is a copy: to it, all that was done is to be done again.
pub fn establish(workspace: &Workspace) -> Result<(), Failure> {
    if let Some(copied) = workspace.establish()?.copied_from {
        eprintln!("warning: {copied}");
    }
    Ok(())
}

/// How things are told: JSON lines for programs, live on a terminal, plain lines elsewhere.
pub fn reporter(context: &Context, prompts: bool) -> Box<dyn Reporter> {
    if context.json {
        Box::new(JsonLines::to(Out::stdout()))
    } else if context.out.live {
        Box::new(Live::on_stdout(context.out, prompts))
    } else {
        Box::new(Plain::to(Out::stdout(), context.out))
    }
}

/// Who answers: the name of the user, as the environment says.
pub fn person() -> String {
    ["SUDO_USER", "USER", "LOGNAME"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok())
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| format!("uid {}", rustix::process::getuid().as_raw()))
}

/// How a connection to a supervisor ended.
enum Parted {
    /// Nothing is under way any more.
    Done,
    /// The supervisor is gone, and somebody takes over, or has to.
    Orphaned,
}

/// One goal that is watched while things are done to it.
struct Watch<'s> {
    workspace: &'s Workspace,
    replay: &'s mut Replay,
    goal: &'s Name,
    reporting: Reporting,
    told: Vec<Event>,
    prompter: Option<Prompter>,
    /// The questions that were put to the person, each with the attempt that asks.
    put: BTreeSet<(Owner, u32)>,
    /// The number of the last record about the goal that was read.
    latest: u64,
    /// Requests on their way that nothing here waits for: stops, and a person's answers.
    errands: JoinSet<Result<(), Failure>>,
    stops: u32,
}

impl Watch<'_> {
    async fn on(&mut self, mut ask: Ask) -> Result<(), Failure> {
        let mut interrupts = Interrupts::new()?;
        let before = matches!(ask, Ask::Run { .. }).then(|| self.under_way()).flatten();
        loop {
            let (connection, seq) = tokio::select! {
                reached = accepted(self.workspace, &ask) => reached?,
                () = interrupts.next() => {
                    return Err(Failure::Interrupted);
                }
            };
            self.read(seq)?;
            if let Some(run) = before.as_ref().filter(|run| self.under_way().as_ref() == Some(run) && matches!(ask, Ask::Run { .. })) {
                eprintln!("{run} is under way: what is the same is not begun twice, and this shows how it goes on");
            }
            match self.follow(connection, &mut interrupts).await? {
                Parted::Done => return Ok(()),
                Parted::Orphaned => ask = ask.again(),
            }
        }
    }

    /// Tells what happens until nothing of the goal is under way any more and nobody is asked here.
    async fn follow(&mut self, mut connection: Connection, interrupts: &mut Interrupts) -> Result<Parted, Failure> {
        let mut settled = false;
        loop {
            self.put_questions();
            if settled && !(self.prompter.is_some() && self.is_asked()) {
                return Ok(Parted::Done);
            }
            tokio::select! {
                told = connection.next() => match told? {
                    Some(Told::Seq(seq)) => {
                        settled = false;
                        self.read(seq)?;
                    }
                    Some(Told::Settled(seq)) => {
                        self.read(seq)?;
                        // What was read may be newer than what was settled: somebody has answered or stopped it since. Then more comes.
                        settled = self.latest <= seq;
                    }
                    Some(Told::Failed(complaint)) => {
                        self.read(0)?;
                        return Err(Failure::Told(complaint));
                    }
                    Some(Told::Released { replaced: false }) => return Err(self.let_go()),
                    Some(_) | None => return Ok(Parted::Orphaned),
                },
                () = interrupts.next() => {
                    self.stops += 1;
                    let force = self.stops > 1;
                    eprintln!("{}", if force { "killing what is left" } else { "stopping; once more kills at once" });
                    self.send(Ask::Stop { goal: self.goal.clone(), reason: StopReason::Person, force });
                }
                said = hear(&mut self.prompter) => match said {
                    Some(Said { owner, yes, text }) => self.send(Ask::Reply { owner, yes, text, by: person() }),
                    None => self.prompter = None,
                },
                // A stop is refused where the run has just ended, a reply where somebody else has answered: then there is nothing to do.
                Some(done) = self.errands.join_next() => if let Ok(Err(failure)) = done && !matches!(failure, Failure::Told(_)) {
                    return Err(failure);
                },
            }
        }
    }

    fn send(&mut self, ask: Ask) {
        let workspace = self.workspace.clone();
        self.errands.spawn(async move { accepted(&workspace, &ask).await.map(drop) });
    }

    /// Reads what the journal has, at least up to this record, and tells what of it is about the goal.
    fn read(&mut self, seq: u64) -> Result<(), Failure> {
        let Self { replay, reporting, told, goal, latest, .. } = self;
        read(replay, seq, |entry, state| {
            let about = about(&entry.record);
            if about.is_some_and(|about| about != goal.as_str()) {
                return;
            }
            if about.is_some() {
                *latest = entry.seq;
            }
            match reporting.observe(entry.at, &entry.record, state) {
                // There may be thousands of these, and the state has them.
                None | Some(Event::PhaseStarted { .. } | Event::PhaseVerifying { .. } | Event::PhaseEnded { .. }) => {}
                Some(event) => told.push(event),
            }
        })
    }

    /// Puts the questions that were not put yet to the person who attends.
    fn put_questions(&mut self) {
        let Some(prompter) = &self.prompter else { return };
        for (owner, attempt, question) in asked(&self.replay.state, self.goal) {
            if self.put.insert((owner.clone(), attempt)) {
                prompter.ask(owner, question);
            }
        }
    }

    /// The goal's run that is not over.
    fn under_way(&self) -> Option<RunId> {
        let run = self.replay.state.goals.get(self.goal)?.run.as_ref()?;
        run.ended.is_none().then(|| run.id.clone())
    }

    fn is_asked(&self) -> bool {
        asked(&self.replay.state, self.goal).next().is_some()
    }

    fn let_go(&self) -> Failure {
        let goal = self.goal;
        Failure::refused(
            format!("the supervisor was told to let go, and {goal} with it: what lives stays"),
            format!("`sculpt resume {goal}` goes on with it, `sculpt stop {goal}` ends it"),
        )
    }
}

/// What the goal's run asks people: the phase, its attempt, and the question.
fn asked<'s>(state: &'s State, goal: &Name) -> impl Iterator<Item = (Owner, u32, String)> + use<'s> {
    let run = state.goals.get(goal).and_then(|goal| goal.run.as_ref()).filter(|run| run.ended.is_none());
    run.into_iter().flat_map(|run| {
        let waiting = run.plan.indexed().map(|(ix, _)| (ix, run.phase(ix)));
        let waiting = waiting.filter(|(_, phase)| phase.state == PhaseState::Waiting && phase.reply.is_none());
        waiting.map(|(ix, phase)| (run.owner(ix), phase.attempt, phase.question.clone().unwrap_or_default()))
    })
}

/// The name of the goal that a record is about, where it says so itself.
fn about(record: &Record) -> Option<&str> {
    match record {
        Record::Requested { owner, .. }
        | Record::Adopted { owner, .. }
        | Record::Told { owner, .. }
        | Record::Restarting { owner, .. }
        | Record::NotRestarted { owner, .. }
        | Record::Collected { owner, .. }
        | Record::Leaked { owner, .. }
        | Record::ResourceReady { owner, .. }
        | Record::ResourceUnhealthy { owner, .. }
        | Record::Suspected { owner, .. }
        | Record::SuspectAdopted { owner, .. }
        | Record::ResourceGone { owner, .. } => Some(owner.goal.as_str()),
        Record::DownStarted { goal, .. } | Record::DownEnded { goal, .. } => Some(goal.as_str()),
        _ => record.run().map(goal_of),
    }
}

/// Reads what the journal has. It has at least the records up to `seq`, which the supervisor has written.
fn read(replay: &mut Replay, seq: u64, observe: impl FnMut(&Entry<Record>, &State)) -> Result<(), Failure> {
    replay.refresh_with(observe)?;
    if replay.beside.seq < seq {
        let what = format!("the journal ends at record {}, and the supervisor has written {seq}", replay.beside.seq);
        return Err(Failure::refused(what, "look whether `.opensculpt` was moved or replaced: `sculpt audit verify`"));
    }
    Ok(())
}

/// What the person says; nothing for ever where nobody is there.
async fn hear(prompter: &mut Option<Prompter>) -> Option<Said> {
    match prompter {
        Some(prompter) => prompter.hear().await,
        None => std::future::pending().await,
    }
}
