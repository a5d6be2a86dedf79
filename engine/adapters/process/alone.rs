//! The end of one process that runs in no scope: it alone, by a handle that stays with it, and nobody beside it.

use std::io;

use rustix::process::Signal;

use super::deadline::Deadline;
use super::end::KILL_LIMIT;
use super::identity::{ProcessId, send};
use crate::base::time::Span;

/// Asks a process to end, and kills it where it takes longer than the grace; blocks the thread until then. False where it runs all the same.
///
/// # Errors
/// Where it cannot be asked.
pub fn end(process: &ProcessId, grace: Span) -> io::Result<bool> {
    let Some(handle) = process.open()? else { return Ok(true) };
    let handle = [handle];
    for (signal, patience) in [(Signal::TERM, grace), (Signal::KILL, KILL_LIMIT)] {
        if !send(&handle[0], signal)? || Deadline::after(patience).wait_exits(&handle)? {
            break;
        }
    }
    Ok(!process.alive())
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the test starts what sculpt would not have started")]
mod tests {
    use std::io::Read as _;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn exactly_one_process_is_ended_and_one_that_does_not_listen_is_killed() {
        let mut deaf = Command::new("sh").args(["-c", "trap '' TERM; echo; exec sleep 86400"]).stdout(Stdio::piped()).spawn().unwrap();
        let mut bystander = Command::new("sleep").arg("86400").spawn().unwrap();
        deaf.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
        let (id, other) = (ProcessId::of(deaf.id()).unwrap(), ProcessId::of(bystander.id()).unwrap());
        let reused = ProcessId { start: other.start + 1, unique: None, ..other.clone() };
        let ended = (end(&reused, Span(0)).unwrap(), end(&id, Span(50)).unwrap());
        let alive = (id.alive(), other.alive());
        deaf.kill().unwrap();
        bystander.kill().unwrap();
        assert_eq!(ended, (true, true), "whoever had that number is gone");
        assert_eq!(alive, (false, true));
        deaf.wait().unwrap();
        bystander.wait().unwrap();
    }
}
