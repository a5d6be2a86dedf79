//! An engine in the foreground: it is driven, other processes may ask it, Ctrl-C stops it, a person at the terminal is asked.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::context::Context;
use super::prepare::environment;
use super::prompt::{Prompter, Said};
use crate::adapters::workspace::Workspace;
use crate::base::name::Name;
use crate::base::owner::Owner;
use crate::base::time::Timestamp;
use crate::driver::engine::Engine;
use crate::interface::failure::Failure;
use crate::interface::report::run::event::Event;
use crate::interface::report::run::lines::JsonLines;
use crate::interface::report::run::live::Live;
use crate::interface::report::run::plain::Plain;
use crate::interface::report::run::reporter::{Out, Reporter, Reporting};
use crate::interface::socket;
use crate::interface::terminal::Look;
use crate::kernel::input::Request;
use crate::kernel::record::{Record, StopReason};
use crate::kernel::state::State;

/// An engine of this process, and what it is told by signals and people.
pub struct Session {
    runtime: tokio::runtime::Runtime,
    engine: Engine,
    workspace: Workspace,
}

impl Session {
    /// Takes the workspace's lock, replays, and recovers.
    pub fn open(workspace: &Workspace, doing: &str) -> Result<Self, Failure> {
        establish(workspace)?;
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::file("start", "the engine's threads"))?;
        let engine = runtime.block_on(Engine::open(workspace, doing))?;
        for ignored in engine.ignored() {
            eprintln!("warning: {ignored}");
        }
        Ok(Self { runtime, engine, workspace: workspace.clone() })
    }

    /// Everything that the journal knows.
    pub fn state(&self) -> &State {
        self.engine.state()
    }

    /// Hides the secrets of the workspace.
    pub fn masked(&self, text: &str) -> String {
        self.engine.mask().apply(text)
    }

    /// Does what is asked about a goal and all that follows from it, and gives the events that were told.
    ///
    /// Where a person attends, with this look, questions are put at the terminal; otherwise it is over as soon as only people are waited for.
    pub fn drive(
        &mut self,
        goal: &Name,
        request: Request,
        attended: Option<Look>,
        reporter: Box<dyn Reporter>,
    ) -> Result<Vec<Event>, Failure> {
        let Self { runtime, engine, workspace } = self;
        let mut told = Vec::new();
        let driven = runtime.block_on(async {
            let server = socket::serve(workspace, engine.handle()).map_err(Failure::file("listen at", workspace.socket()))?;
            let mut reporting = Reporting::to(reporter);
            let driven = attend(engine, goal, request, attended, &mut reporting, &mut told).await;
            reporting.rest();
            server.abort();
            driven
        });
        driven.map(|()| told)
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

/// What is told while an engine is driven, and kept for afterwards.
struct Telling<'a> {
    reporting: &'a mut Reporting,
    told: &'a mut Vec<Event>,
    asks: tokio::sync::mpsc::UnboundedSender<(Owner, String)>,
    /// The goals of which something was recorded.
    carried: &'a RefCell<BTreeSet<Name>>,
}

impl Telling<'_> {
    fn observe(&mut self, at: Timestamp, record: &Record, state: &State) {
        if let Some(run) = record.run() {
            let mut carried = self.carried.borrow_mut();
            let goal = crate::kernel::state::goal_of(run);
            if !carried.iter().any(|known| known.as_str() == goal) {
                carried.insert(goal.into());
            }
        }
        if let Record::Asked { run, phase, question } = record
            && let Some(run) = state.run(run)
        {
            // The receiver lives as long as the engine is driven.
            drop(self.asks.send((run.owner(*phase), question.clone())));
        }
        match self.reporting.observe(at, record, state) {
            // There may be thousands of these, and the state has them.
            None | Some(Event::PhaseStarted { .. } | Event::PhaseVerifying { .. } | Event::PhaseEnded { .. }) => {}
            Some(event) => self.told.push(event),
        }
    }
}

/// Drives while listening to signals and to the person.
async fn attend(
    engine: &mut Engine,
    goal: &Name,
    request: Request,
    attended: Option<Look>,
    reporting: &mut Reporting,
    told: &mut Vec<Event>,
) -> Result<(), Failure> {
    let handle = engine.handle();
    let mut interrupts = Interrupts::new().map_err(Failure::file("listen to", "signals"))?;
    let mut prompter = attended.map(Prompter::start);
    let present = Cell::new(prompter.is_some());
    let (asks, mut asked) = tokio::sync::mpsc::unbounded_channel();
    let carried = RefCell::new(BTreeSet::from([goal.clone()]));
    let mut telling = Telling { reporting, told, asks, carried: &carried };
    let mut observer = |at: Timestamp, record: &Record, state: &State| telling.observe(at, record, state);
    let mut stops = 0;
    let env = matches!(request, Request::Run { .. }).then(environment);
    let driving = engine.drive(request, env, &present, &mut observer);
    tokio::pin!(driving);
    loop {
        tokio::select! {
            driven = &mut driving => return Ok(driven?),
            () = interrupts.next() => {
                stops += 1;
                let force = stops > 1;
                eprintln!("{}", if force { "killing what is left" } else { "stopping; once more kills at once" });
                // Another goal may have come to this engine: its run waited for a person, who has answered meanwhile.
                for goal in carried.borrow().iter() {
                    // Refused only where the run has just ended; then there is nothing to stop.
                    drop(handle.request(Request::Stop { goal: goal.clone(), reason: StopReason::Person, force }));
                }
            }
            Some((owner, question)) = asked.recv() => {
                if let Some(prompter) = &prompter {
                    prompter.ask(owner, question);
                }
            }
            said = hear(&mut prompter) => {
                let request = if let Some(Said { owner, yes, text }) = said {
                    Request::Reply { owner, yes, text, by: person() }
                } else {
                    prompter = None;
                    present.set(false);
                    // Changes nothing, but lets the engine see that nobody is there any more.
                    Request::Continue { goal: goal.clone() }
                };
                // A reply is refused only where somebody else has answered already.
                drop(handle.request(request));
            }
        }
    }
}

/// What the person says; nothing for ever where nobody is there.
async fn hear(prompter: &mut Option<Prompter>) -> Option<Said> {
    match prompter {
        Some(prompter) => prompter.hear().await,
        None => std::future::pending().await,
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

/// The signals that stop a run.
struct Interrupts {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Interrupts {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hangup.recv() => {}
        }
    }
}
