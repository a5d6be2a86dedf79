//! `sculpt rehearse FILE`: play a goal in a simulated world, and show what would happen. Nothing is started, nothing is written.

use clap::Args;
use serde_json::json;

use super::context::Context;
use super::prepare::{Choices, environment, plan};
use super::run::code;
use crate::adapters::rehearsal::faults::{Faults, Kind, NoSuchFault};
use crate::adapters::rehearsal::note::Note;
use crate::adapters::rehearsal::simulation::Simulation;
use crate::base::name::Name;
use crate::base::time::Timestamp;
use crate::driver::rehearsal::{Rehearsal, RehearsalError, Scene};
use crate::interface::failure::Failure;
use crate::interface::report::run::lines::JsonLines;
use crate::interface::report::run::plain::{Plain, seconds};
use crate::interface::report::run::reporter::{Out, Reporting};
use crate::interface::report::run::summary::summary_of_play;
use crate::interface::terminal::{Look, Tone, show};
use crate::kernel::input::Request;
use crate::kernel::record::{Record, RunOptions, StopReason};
use crate::kernel::state::State;
use crate::views::outside::Outside;
use crate::views::replay::Replay;
use crate::views::status::{GoalStatus, status};

/// Plays a goal in a simulated world, through the very engine that would carry it out: commands take a while and end well, services come up,
/// checks are red before and green after, except for the faults that the seed draws. The same seed is the same story.
#[derive(Debug, Args)]
pub struct Rehearse {
    /// The manifest
    file: String,
    #[command(flatten)]
    choices: Choices,
    /// What everything that is left to chance is drawn from
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// What may go wrong: `all`, or some of crash,torn,disk-full,disk-fails,exit,missing,killed,slow,leftovers,stubborn,stuck,die,late,port-taken,flap,unknown,red,vacuous,refuse,absent,jump
    #[arg(long, value_name = "LIST", default_value = "none")]
    faults: String,
    /// Take everything down at the end
    #[arg(long)]
    once: bool,
    /// Let any phase that is not verified count
    #[arg(long)]
    strict: bool,
}

impl Rehearse {
    pub(super) fn carry_out(self, context: &Context) -> Result<u8, Failure> {
        let faults: Faults = self.faults.parse().map_err(|error| no_such_fault(&error))?;
        let workspace = context.workspace()?;
        let (plan, _) = plan(context, &workspace, &self.file, &self.choices)?;
        let goal = plan.goal.clone();
        let mut rehearsal = Rehearsal::new(&workspace, &plan, self.seed, &faults).map_err(failure)?;
        let mut telling = Telling::new(&rehearsal, context);
        let options = RunOptions { once: self.once, strict: self.strict, ..RunOptions::default() };
        let request = Request::Run { plan: Box::new(plan), options, seen: None };
        let env = environment();
        let mut state = rehearsal.carry_out(&request, &env, &mut |scene| telling.see(scene)).map_err(failure)?;
        if self.once && state.goals.get(&goal).is_some_and(crate::kernel::state::Goal::is_running) {
            let request = Request::Stop { goal: goal.clone(), reason: StopReason::Unattended, force: false };
            state = rehearsal.carry_out(&request, &env, &mut |scene| telling.see(scene)).map_err(failure)?;
        }
        let code = code(&state, &goal);
        self.tell_the_end(context, rehearsal.simulation(), state, &goal, &faults, code)?;
        Ok(code)
    }

    fn tell_the_end(
        &self,
        context: &Context,
        simulation: &Simulation,
        state: State,
        goal: &Name,
        faults: &Faults,
        code: u8,
    ) -> Result<(), Failure> {
        let run = state.goals.get(goal).and_then(|goal| goal.run.as_ref());
        let end = run.and_then(|run| run.ended.as_ref()).map_or_else(|| simulation.time(), |end| end.at);
        let elapsed = run.map_or(crate::base::time::Span(0), |run| end - run.started);
        let status = stands(simulation, state, goal)?;
        if context.json {
            let faults: Vec<&str> = faults.iter().map(Kind::word).collect();
            let line = json!({
                "event": "summary", "exit_code": code, "elapsed_ms": elapsed.0, "seed": self.seed, "faults": faults, "goal": status,
            });
            return show(&format!("{line}\n"));
        }
        let look = Look { live: false, ..context.out };
        let ended = summary_of_play(&status, elapsed, look);
        let said = format!("rehearsed with seed {}, faults: {faults}; nothing was started, and nothing was written", self.seed);
        show(&format!("\n{ended}{}\n", look.paint(Tone::Dim, &said)))
    }
}

/// How the goal stands in its world.
fn stands(simulation: &Simulation, state: State, goal: &Name) -> Result<GoalStatus, Failure> {
    let alive = simulation.alive();
    let is_alive = |process: &crate::kernel::action::ProcessMark| alive.iter().any(|(_, pid)| *pid == process.pid);
    let outside = Outside { now: simulation.time(), alive: &is_alive, usage: &|_| None, there: &|_| true, engine: true };
    let found = status(&Replay::over(state), &outside, Some(goal)).goals.pop();
    found.ok_or_else(|| Failure::refused(format!("nothing was recorded of `{goal}`"), "look at its phases with `sculpt plan`"))
}

fn no_such_fault(error: &NoSuchFault) -> Failure {
    let words: Vec<&str> = Kind::ALL.into_iter().map(Kind::word).collect();
    let hint =
        error.near.map_or_else(|| format!("the faults are {}, and `all`", words.join(", ")), |near| format!("did you mean `{near}`?"));
    Failure::usage(error.to_string(), hint)
}

fn failure(error: RehearsalError) -> Failure {
    match error {
        RehearsalError::Engine(error) => Failure::Engine(error),
        RehearsalError::Folder(source) => Failure::file("write", "the journal of the rehearsal")(source),
        stalled @ RehearsalError::Stalled => {
            Failure::refused(stalled.to_string(), "give what waits a `timeout:`, or the goal a `budget: { max_time: … }`")
        }
    }
}

/// Tells what happens, in the world's time.
struct Telling<'c> {
    context: &'c Context,
    reporting: Reporting,
    folder: std::path::PathBuf,
    began: Timestamp,
    /// How many records were told.
    told: usize,
}

impl<'c> Telling<'c> {
    fn new(rehearsal: &Rehearsal, context: &'c Context) -> Self {
        let reporting = if context.json {
            Reporting::to(Box::new(JsonLines::to(Out::stdout())))
        } else {
            Reporting::to(Box::new(Plain::to(Out::stdout(), Look { live: false, ..context.out })))
        };
        Self { context, reporting, folder: rehearsal.folder(), began: rehearsal.simulation().time(), told: 0 }
    }

    fn see(&mut self, scene: Scene<'_>) {
        match scene {
            Scene::Begun(_) => self.catch_up(),
            Scene::Recorded(at, record, state) => {
                self.told += 1;
                self.reporting.observe(at, record, state);
            }
            Scene::Noted(note) => self.note(note),
        }
    }

    /// What an engine that begins has written by itself, and what the one before it had not told.
    fn catch_up(&mut self) {
        let Ok(entries) = crate::journal::log::Log::<Record>::read(&self.folder) else { return };
        let mut state = State::default();
        let mut read = 0;
        // What cannot be read, or does not fit, the engine itself has told of.
        for entry in entries.map_while(Result::ok) {
            if state.apply(entry.at, &entry.record).is_err() {
                return;
            }
            read += 1;
            if read > self.told {
                self.reporting.observe(entry.at, &entry.record, &state);
            }
        }
        self.told = read;
    }

    fn note(&self, note: &Note) {
        let place = note.place.as_ref().map(ToString::to_string);
        // What cannot be written is told nowhere; the reporter's own lines end there too.
        if self.context.json {
            let (at, fault) = (note.at.to_string(), note.fault.word());
            let line = json!({ "at": at, "event": "fault", "fault": fault, "place": place, "what": note.what });
            drop(show(&format!("{line}\n")));
            return;
        }
        let look = self.context.out;
        let at = look.paint(Tone::Dim, &format!("{:>7}", seconds(note.at - self.began)));
        let place = place.map(|place| format!("{place}: ")).unwrap_or_default();
        let line = look.paint(Tone::Yellow, &format!("{} fault [{}] {place}{}", look.pick("⚡", "*"), note.fault, note.what));
        drop(show(&format!("{at} {line}\n")));
    }
}
