//! Faults: what went wrong, named by rules from the evidence, before any retry and without a model.

use serde::{Deserialize, Serialize};

/// What went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// The command exited with a failure.
    WorkFailed,
    /// The command was ended by a signal that sculpt did not send.
    Killed,
    /// A program was not found (exit 127).
    MissingCommand,
    /// Something may not be read, written or executed (exit 126, EACCES).
    Permission,
    /// It took longer than it may.
    TimedOut,
    /// A port is held by a process that is not ours.
    PortTaken,
    /// A service did not become ready in time.
    NotReady,
    /// A service ended while it should run.
    ServiceExited,
    /// A check said fail.
    CheckFailed,
    /// The checker itself could not run.
    CheckerBroken,
    /// Nothing listens there.
    ConnectionRefused,
    /// A host name could not be resolved.
    Dns,
    /// TLS could not be agreed on.
    Tls,
    /// The other side answered, but not as expected.
    WrongAnswer,
    /// A file that is needed is not there.
    MissingFile,
    /// The disk is full.
    DiskFull,
    /// The kernel ended it for want of memory.
    OutOfMemory,
    /// It declares more memory than may be promised, whatever ends.
    TooLarge,
    /// A template could not be rendered.
    Template,
    /// A secret could not be had.
    Secret,
    /// The host cannot enforce a limit that must be enforced.
    Limits,
    /// A process would not end.
    Survivors,
    /// A budget ended it.
    Budget,
    /// A person stopped it.
    Stopped,
    /// A person said no.
    Refused,
    /// The engine died while it ran.
    EngineDied,
    /// The operating system refused something else.
    System,
}

impl Fault {
    /// What a person can do about it, in one sentence; none where the evidence says all.
    pub const fn hint(self) -> Option<&'static str> {
        match self {
            Self::MissingCommand => {
                Some("install the program, or name it under `requires: { commands: […] }` so that it is checked before anything starts")
            }
            Self::Permission => Some("check the file's mode and owner, and the phase's `user:`"),
            Self::TimedOut => Some("give it a longer `timeout:`, or find out with `sculpt logs` what it waited for"),
            Self::PortTaken => Some("end that process, or choose another port with `--set`"),
            Self::NotReady => {
                Some("look at its log with `sculpt logs`; give it a longer `timeout:` or a `start_period:` if it is only slow")
            }
            Self::ServiceExited => Some("look at its log with `sculpt logs`"),
            Self::CheckerBroken => Some("the check itself could not run: mend the check, not the work"),
            Self::DiskFull => Some("free some space and run again"),
            Self::OutOfMemory => Some("raise `limits: { memory: … }`, or make it need less"),
            Self::TooLarge => Some(
                "lower its `limits: { memory: … }`, or raise `limits: { memory: … }` in `.opensculpt/config.yaml` where the host has more",
            ),
            Self::Survivors => Some("something could not be ended; look at it with `sculpt ps`"),
            _ => None,
        }
    }
}
