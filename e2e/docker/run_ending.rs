//! The ways in which a run of the goal `leak` ends.

use Ending::{Failure, Interrupt, Killed, Stop, Success, Timeout};

use crate::world::program::Started;
use crate::world::workspace::Workspace;

/// Ways to end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Ending {
    Success,
    Failure,
    Timeout,
    Interrupt,
    Stop,
    Killed,
}

impl Ending {
    pub(crate) const fn last_line(self) -> &'static str {
        match self {
            Success => "exit 0",
            Failure => "exit 3",
            Timeout | Interrupt | Stop | Killed => "sleep 86400",
        }
    }

    pub(crate) const fn exit_code(self) -> i32 {
        match self {
            Success => 0,
            Failure | Timeout => 1,
            Interrupt | Stop | Killed => 130,
        }
    }

    pub(crate) fn bring_about(self, workspace: &Workspace, run: &mut Started) {
        match self {
            Success | Failure | Timeout => {}
            Interrupt => run.interrupt(),
            Stop => {
                workspace.sculpt("stop leak").run().expect(0);
            }
            Killed => {
                workspace.kill_the_engine();
                workspace.sculpt("stop leak").run().expect(0);
            }
        }
    }
}
