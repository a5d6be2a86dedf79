//! `sculpt run FILE`: carry a goal out.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use clap::Args;

use super::context::{Context, log_path, now, with_outside};
use super::prepare::{Choices, environment, plan};
use super::session::{Session, reporter};
use super::within::parent;
use crate::adapters::workspace::Workspace;
use crate::base::name::Name;
use crate::base::time::Span;
use crate::driver::preflight::{is_apart, unmet};
use crate::interface::failure::Failure;
use crate::interface::log::tail;
use crate::interface::report::run::junit::junit;
use crate::interface::report::run::summary::{Tail, summary, to_tail};
use crate::interface::socket::protocol::Ask;
use crate::interface::terminal::{Look, show, show_json};
use crate::kernel::action::RunId;
use crate::kernel::outcome::Outcome;
use crate::kernel::record::{RunOptions, StopReason};
use crate::kernel::state::State;
use crate::views::logs::main_file;
use crate::views::replay::Replay;
use crate::views::status::GoalStatus;

/// So many lines of what a failed phase said are shown.
const TAIL: usize = 15;

/// The exit code of a run that waits for a person.
const WAITING: u8 = 4;

/// Carries out a goal: what it starts with scope `goal` stays up afterwards, until `sculpt down`.
#[derive(Debug, Args)]
pub struct Run {
    /// The manifest, or a plan that was saved
    file: String,
    #[command(flatten)]
    choices: Choices,
    /// Take everything down at the end
    #[arg(long)]
    once: bool,
    /// Let any phase that is not verified count
    #[arg(long)]
    strict: bool,
    /// Write a JUnit report
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Do not wait for its end: the supervisor carries it out
    #[arg(long, conflicts_with = "junit")]
    detach: bool,
    /// Do this phase and all that depends on it anew; everything else is carried over from the latest run
    #[arg(long, value_name = "PHASE")]
    from: Option<String>,
}

impl Run {
    pub(super) fn carry_out(self, context: &Context) -> Result<u8, Failure> {
        let workspace = context.workspace()?;
        let (plan, saved) = plan(context, &workspace, &self.file, &self.choices)?;
        let goal = plan.goal.clone();
        if self.from.is_some() {
            // Where nothing is known of it, there is nothing to carry over, and nothing is opened.
            crate::views::place::goal(&Replay::of(&workspace.folder())?.state, goal.as_str())?;
        }
        let session = Session::open(&workspace)?;
        let mut seen = None;
        if let Some(saved) = saved {
            saved.must_hold(context, &workspace, &self.file, session.state())?;
            seen = Some(session.state().standing(&goal));
        }
        let env = environment();
        // What a run holds that is under way is not missing: whoever asks for it again attaches to it.
        let again = under_way(session.state(), &goal).is_some();
        let missing = if again { Vec::new() } else { unmet(&workspace, &plan, &env, session.state()) };
        if !missing.is_empty() {
            return Err(Failure::Unmet(missing));
        }
        let apart = !again && is_apart(&workspace, &plan, &env);
        let options = RunOptions { once: self.once, strict: self.strict, apart, parent: parent(&workspace), ..RunOptions::default() };
        let from = self.from.map(|phase| Name::from(phase.as_str()));
        let ask = Ask::Run { plan: Box::new(plan), from, options, seen, env };
        Following { session, context, workspace: &workspace, goal }
            .begin(ask, &Follow { once: self.once, detach: self.detach, junit: self.junit })
    }
}

/// What is done about a run that was begun.
#[derive(Debug)]
pub struct Follow {
    /// It is torn down at the end, also where it waits for a person and nobody is there.
    pub once: bool,
    /// It is left to the supervisor at once.
    pub detach: bool,
    /// Where a JUnit report is written.
    pub junit: Option<PathBuf>,
}

/// A run that is to be begun and followed.
pub struct Following<'a> {
    /// The client's side of the supervisor.
    pub session: Session,
    /// How things are told.
    pub context: &'a Context,
    /// The workspace.
    pub workspace: &'a Workspace,
    /// The goal.
    pub goal: Name,
}

impl Following<'_> {
    /// Begins a run, follows it to its end, or to where it waits for a person, and tells how it ended. Gives the exit code.
    pub fn begin(mut self, ask: Ask, how: &Follow) -> Result<u8, Failure> {
        let Self { session, context, workspace, goal } = &mut self;
        if how.detach {
            session.ask(&ask)?;
            return detached(session.state(), goal, context);
        }
        let attended = (!context.json && std::io::stdin().is_terminal() && context.out.live).then_some(context.out);
        session.drive(goal, ask, attended, reporter(context, attended.is_some()))?;
        if how.once && under_way(session.state(), goal).is_some() {
            let ask = Ask::Stop { goal: goal.clone(), reason: StopReason::Unattended, force: false };
            session.drive(goal, ask, None, reporter(context, false))?;
        }
        let ending = ending(session, workspace, goal)?;
        if let Some(file) = &how.junit {
            write_report(&context.path(file), &junit(&ending.status, ending.elapsed, &ending.tails))?;
        }
        tell(&ending, context)?;
        Ok(ending.code)
    }
}

/// How a run ended, or where it waits.
#[derive(Debug)]
pub struct Ending {
    /// The goal, as it stands.
    pub status: GoalStatus,
    /// From the run's beginning to its end, or until now.
    pub elapsed: Span,
    /// The ends of what failed phases said.
    pub tails: Vec<Tail>,
    /// The exit code.
    pub code: u8,
}

/// How the latest run of a goal ended.
pub fn ending(session: &Session, workspace: &Workspace, goal: &Name) -> Result<Ending, Failure> {
    let mut status = with_outside(workspace, |outside| crate::views::status::status(session.replay(), outside, Some(goal)));
    let nothing = || Failure::refused(format!("nothing is known of `{goal}`"), "look with `sculpt status`");
    let status = status.goals.pop().ok_or_else(nothing)?;
    let run = session.state().goals.get(goal).and_then(|goal| goal.run.as_ref()).ok_or_else(nothing)?;
    let elapsed = run.ended.as_ref().map_or_else(now, |end| end.at) - run.started;
    let mask = session.mask()?;
    let mut tails = Vec::new();
    for phase in to_tail(&status) {
        let Some((ix, _)) = run.plan.find(&phase.name) else { continue };
        let Some(file) = main_file(&session.state().goals[goal], run, ix) else { continue };
        let path = log_path(workspace, &file);
        let lines = tail(&path, TAIL, &|text| mask.apply(text)).map_err(Failure::file("read", &path))?;
        if !lines.is_empty() {
            tails.push(Tail { place: run.owner(ix).to_string(), lines });
        }
    }
    Ok(Ending { status, elapsed, tails, code: code(session.state(), goal) })
}

/// The exit code of a goal's latest run. Where it waits for a person and something else has failed, the failure counts.
pub(super) fn code(state: &State, goal: &Name) -> u8 {
    let Some(run) = state.goals.get(goal).and_then(|goal| goal.run.as_ref()) else { return 1 };
    match &run.ended {
        Some(end) => end.verdict.exit_code(),
        None if run.phases.iter().any(|phase| matches!(phase.state.outcome(), Some(Outcome::Failed | Outcome::Unknown))) => 1,
        None => WAITING,
    }
}

/// The goal's run that is not over: it is carried out, or waits for a person.
fn under_way(state: &State, goal: &Name) -> Option<RunId> {
    let run = state.goals.get(goal)?.run.as_ref()?;
    run.ended.is_none().then(|| run.id.clone())
}

/// Tells what was left to the supervisor, and how to see it again.
fn detached(state: &State, goal: &Name, context: &Context) -> Result<u8, Failure> {
    let run = state.goals.get(goal).and_then(|goal| goal.run.as_ref()).map(|run| run.id.to_string());
    let run = run.unwrap_or_else(|| goal.to_string());
    if context.json {
        show_json(&serde_json::json!({ "detached": run, "goal": goal }))?;
        return Ok(0);
    }
    show(&format!(
        "{run} is carried out by the supervisor\n\nnext:\n  sculpt status {goal}     how it stands\n  sculpt logs -f {goal}    what it says\n  sculpt resume {goal}     watch it; the same run again does that too\n  sculpt stop {goal}       end it\n"
    ))?;
    Ok(0)
}

/// Tells the ending: the summary to people, one more line to programs.
pub fn tell(ending: &Ending, context: &Context) -> Result<(), Failure> {
    if !context.json {
        let look = Look { live: false, ..context.out };
        return show(&format!("\n{}", summary(&ending.status, ending.elapsed, &ending.tails, look)));
    }
    let line = serde_json::json!({
        "event": "summary", "exit_code": ending.code, "elapsed_ms": ending.elapsed.0, "goal": ending.status,
        "logs": ending.tails.iter().map(|tail| serde_json::json!({ "place": tail.place, "tail": tail.lines })).collect::<Vec<_>>(),
    });
    show(&format!("{line}\n"))
}

/// Writes the report. A name that is there is replaced: CI writes the same one each time.
#[expect(clippy::disallowed_methods, reason = "a report that the user asked for by its name; no phase is involved")]
fn write_report(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text).map_err(Failure::file("write", path))
}
