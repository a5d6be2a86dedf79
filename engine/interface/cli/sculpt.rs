//! The whole command line: what is parsed, and where it goes.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

use super::context::Context;
use super::{
    adopt, answer, audit, completions, down, gc, help, import, init, logs, plan, ps, rehearse, resume, retry, run, runs, schema, service,
    status, stop, supervise, top, validate, verify, why,
};
use crate::interface::failure::Failure;

/// Carries out goals under supervision, and answers for what it started.
#[derive(Debug, Parser)]
#[command(name = "sculpt", version, disable_help_subcommand = true, help_template = help::TEMPLATE, after_help = help::AFTER)]
pub struct Sculpt {
    /// Work in this folder, or in the workspace above it
    #[arg(short = 'C', value_name = "DIR", global = true)]
    pub dir: Option<PathBuf>,
    /// Write JSON, for programs
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do; without it the workspace is shown.
    #[command(subcommand)]
    pub verb: Option<Verb>,
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Scaffold a workspace: .opensculpt/, and a first goal where there is none
    Init(init::Init),
    /// Make a goal of a Compose file: every key is mapped, or listed as not mapped
    Import(import::Import),
    /// Check manifests offline: all errors at once, each with its place
    Validate(validate::Validate),
    /// Print the JSON Schema of manifests
    Schema(schema::Schema),
    /// Show what a run would do, and what this host can enforce of it
    Plan(plan::Plan),
    /// Play a goal in a simulated world, and show what would happen
    Rehearse(rehearse::Rehearse),
    /// Carry out a goal
    Run(run::Run),
    /// Go on from a run that has ended
    Retry(retry::Retry),
    /// Answer what a goal asks
    Answer(answer::Answer),
    /// Stop a run, and end what it started
    Stop(stop::Stop),
    /// Go on with a run that is not over, and watch it
    Resume(resume::Resume),
    /// Take a goal down: end what of it lives
    Down(down::Down),
    /// Give what is suspected to its goal, which then removes it
    Adopt(adopt::Adopt),
    /// End what nobody wants: leftovers, leaks, and what is idle and evictable
    Gc(gc::Gc),
    /// Show how the goals stand
    Status(status::Status),
    /// Show what lives, and whose it is
    Ps(ps::Ps),
    /// Show what is used by what lives, and was by what has ended
    Top(top::Top),
    /// Show what was said at a place
    Logs(logs::Logs),
    /// Explain why something is so
    Why(why::Why),
    /// Show what was run
    Runs(runs::Runs),
    /// Ask the checks of a goal again, now
    Verify(verify::Verify),
    /// Show whether the journal is as it was written
    Audit(audit::Audit),
    /// Supervise the workspace in the foreground
    Supervise(supervise::Supervise),
    /// Let systemd supervise the workspace
    Service(service::Service),
    /// Print the completions of a shell
    Completions(completions::Completions),
}

/// Parses the command line, does what it says, and gives the exit code.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let sculpt = match Sculpt::try_parse_from(args) {
        Ok(sculpt) => sculpt,
        Err(error) => {
            // Where nobody reads it, there is nobody to tell.
            drop(error.print());
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(crate::interface::failure::USAGE));
        }
    };
    let context = Context::new(sculpt.dir, sculpt.json);
    match dispatch(sculpt.verb, &context) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            eprint!("{}", failure.render(context.json, context.err));
            ExitCode::from(failure.code())
        }
    }
}

fn dispatch(verb: Option<Verb>, context: &Context) -> Result<u8, Failure> {
    match verb {
        None => status::workspace(context),
        Some(Verb::Init(_)) => init::Init::carry_out(context),
        Some(Verb::Import(import)) => import.carry_out(context),
        Some(Verb::Validate(validate)) => validate.carry_out(context),
        Some(Verb::Schema(schema)) => schema.carry_out(),
        Some(Verb::Plan(plan)) => plan.carry_out(context),
        Some(Verb::Rehearse(rehearse)) => rehearse.carry_out(context),
        Some(Verb::Run(run)) => run.carry_out(context),
        Some(Verb::Retry(retry)) => retry.carry_out(context),
        Some(Verb::Answer(answer)) => answer.carry_out(context),
        Some(Verb::Stop(stop)) => stop.carry_out(context),
        Some(Verb::Down(down)) => down.carry_out(context),
        Some(Verb::Adopt(adopt)) => adopt.carry_out(context),
        Some(Verb::Gc(gc)) => gc.carry_out(context),
        Some(Verb::Status(status)) => status.carry_out(context),
        Some(Verb::Ps(ps)) => ps.carry_out(context),
        Some(Verb::Top(top)) => top.carry_out(context),
        Some(Verb::Logs(logs)) => logs.carry_out(context),
        Some(Verb::Why(why)) => why.carry_out(context),
        Some(Verb::Runs(runs)) => runs.carry_out(context),
        Some(Verb::Verify(verify)) => verify.carry_out(context),
        Some(Verb::Audit(audit)) => audit.carry_out(context),
        Some(Verb::Resume(resume)) => resume.carry_out(context),
        Some(Verb::Supervise(supervise)) => supervise.carry_out(context),
        Some(Verb::Service(service)) => service.carry_out(context),
        Some(Verb::Completions(completions)) => completions.carry_out(),
    }
}

/// The command line as data: for completions, and to test that the help names every verb.
pub fn command() -> clap::Command {
    Sculpt::command()
}
