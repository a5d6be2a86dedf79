//! Starting this very program in the background, as the engine of a workspace.
//!
//! It gets a session of its own and nothing of whoever starts it: no terminal, no pipe, no other open file, and of the environment only
//! what says where programs, the user and the session's services are. What it has to say until it is ready goes through one pipe.

use std::fs::File;
use std::io::{self, PipeReader};
use std::os::fd::AsRawFd as _;
use std::path::Path;

use super::delegation::Scope;
use super::launch::SpawnError;
use super::spawn;

/// What of the environment a program in the background is given. What phases are given travels with their run.
const KEPT: [&str; 9] = ["PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TMPDIR", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS"];

/// Starts `program` as [`start`] does, in a scope that systemd delegates to it. Where that cannot be had, nothing is said and it ends.
///
/// # Errors
/// As those of [`start`].
pub fn start_in(scope: &Scope, program: &Path, arguments: &[&str], folder: &Path, log: &Path) -> Result<PipeReader, SpawnError> {
    let program = program.to_string_lossy();
    let words: Vec<&str> = scope.arguments.iter().map(String::as_str).chain([&*program]).chain(arguments.iter().copied()).collect();
    let mut environment = environment();
    if let Some(runtime) = &scope.runtime {
        environment.retain(|variable| !variable.starts_with("XDG_RUNTIME_DIR="));
        environment.push(format!("XDG_RUNTIME_DIR={}", runtime.display()));
    }
    start_with(&scope.program, &words, environment, folder, log)
}

/// Starts `program` with these arguments in a folder, with its standard error appended to a log of mode 0600. Gives the other end of
/// its standard output.
///
/// # Errors
/// Where it cannot be started, or the log not be written. Nothing runs then.
pub fn start(program: &Path, arguments: &[&str], folder: &Path, log: &Path) -> Result<PipeReader, SpawnError> {
    start_with(program, arguments, environment(), folder, log)
}

fn environment() -> Vec<String> {
    KEPT.iter().filter_map(|name| Some(format!("{name}={}", std::env::var(name).ok()?))).collect()
}

fn start_with(program: &Path, arguments: &[&str], environment: Vec<String>, folder: &Path, log: &Path) -> Result<PipeReader, SpawnError> {
    let failed = |step: &str| {
        let step = step.to_owned();
        move |error: io::Error| SpawnError::other(step, &error)
    };
    let (words, words_end) = io::pipe().map_err(failed("make a pipe"))?;
    let stdio = [
        spawn::nothing().map_err(failed("open /dev/null"))?,
        words_end.into(),
        open(log).map_err(failed(&format!("open {}", log.display())))?.into(),
    ];
    // It is not waited for: it outlives this process, and whoever inherits it then waits.
    spawn::start_own_in(program, arguments, environment, Some(folder), stdio)?;
    Ok(words)
}

/// Closes the pipe to whoever started this program, once everything is said: standard output then goes nowhere.
///
/// # Errors
/// Where there is no `/dev/null`.
#[expect(
    unsafe_code,
    reason = "the safe wrapper is for programs that never give their standard files away; both numbers are open files of ours"
)]
pub fn close_output() -> io::Result<()> {
    let nothing = spawn::nothing()?;
    match unsafe { libc::dup2(nothing.as_raw_fd(), libc::STDOUT_FILENO) } {
        libc::STDOUT_FILENO => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

fn open(log: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    #[expect(clippy::disallowed_methods, reason = "the engine's own log, before there is an engine that could permit it")]
    File::options().append(true).create(true).mode(0o600).open(log)
}
