//! What may go wrong in a simulated world. Whether and where it does is drawn from the seed.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use crate::base::diagnostic::nearest;

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The engine is killed, and another one takes over.
    Crash,
    /// A crash tears the last lines of the journal.
    Torn,
    /// The disk is full, or cannot be written any more: the engine stops, and another one goes on once it can be.
    DiskFull,
    /// What was written does not reach the disk: the engine stops, and another one goes on.
    DiskFails,
    /// A command ends with a failure: once, twice, or always.
    Exit,
    /// A program is not there (exit 127).
    Missing,
    /// A command is killed by somebody else.
    Killed,
    /// A command takes minutes or hours.
    Slow,
    /// A command leaves processes behind.
    Leftovers,
    /// A process ignores the signal that asks it to end.
    Stubborn,
    /// A process outlives even SIGKILL for a while.
    Stuck,
    /// A service ends by itself.
    Die,
    /// A service takes long to listen, or never does.
    Late,
    /// A stranger holds a port.
    PortTaken,
    /// A check fails now and then.
    Flap,
    /// A check cannot be asked: once, or ever.
    Unknown,
    /// A check never passes.
    Red,
    /// A check passes before the work is done.
    Vacuous,
    /// A person says no.
    Refuse,
    /// Nobody answers.
    Absent,
    /// The clock jumps forward.
    Jump,
    /// The host's memory is short for a while, or cannot be seen.
    MemoryShort,
}

impl Kind {
    /// Every kind, in the order in which they are told.
    pub const ALL: [Self; 22] = [
        Self::Crash,
        Self::Torn,
        Self::DiskFull,
        Self::DiskFails,
        Self::Exit,
        Self::Missing,
        Self::Killed,
        Self::Slow,
        Self::Leftovers,
        Self::Stubborn,
        Self::Stuck,
        Self::Die,
        Self::Late,
        Self::PortTaken,
        Self::Flap,
        Self::Unknown,
        Self::Red,
        Self::Vacuous,
        Self::Refuse,
        Self::Absent,
        Self::Jump,
        Self::MemoryShort,
    ];

    /// Its word on the command line.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Crash => "crash",
            Self::Torn => "torn",
            Self::DiskFull => "disk-full",
            Self::DiskFails => "disk-fails",
            Self::Exit => "exit",
            Self::Missing => "missing",
            Self::Killed => "killed",
            Self::Slow => "slow",
            Self::Leftovers => "leftovers",
            Self::Stubborn => "stubborn",
            Self::Stuck => "stuck",
            Self::Die => "die",
            Self::Late => "late",
            Self::PortTaken => "port-taken",
            Self::Flap => "flap",
            Self::Unknown => "unknown",
            Self::Red => "red",
            Self::Vacuous => "vacuous",
            Self::Refuse => "refuse",
            Self::Absent => "absent",
            Self::Jump => "jump",
            Self::MemoryShort => "memory-short",
        }
    }

    /// What it does, in a few words.
    pub const fn says(self) -> &'static str {
        match self {
            Self::Crash => "the engine is killed, and another one takes over",
            Self::Torn => "a crash tears the last lines of the journal",
            Self::DiskFull => "the disk is full, or read-only: the engine stops, and another one goes on once it can write",
            Self::DiskFails => "what is written does not reach the disk: the engine stops, and another one goes on",
            Self::Exit => "a command ends with a failure: once, twice, or always",
            Self::Missing => "a program is not there",
            Self::Killed => "a command is killed by somebody else",
            Self::Slow => "a command takes minutes or hours",
            Self::Leftovers => "a command leaves processes behind",
            Self::Stubborn => "a process ignores the signal that asks it to end",
            Self::Stuck => "a process outlives even SIGKILL for a while",
            Self::Die => "a service ends by itself",
            Self::Late => "a service takes long to listen, or never does",
            Self::PortTaken => "a stranger holds a port",
            Self::Flap => "a check fails now and then",
            Self::Unknown => "a check cannot be asked: once, or ever",
            Self::Red => "a check never passes",
            Self::Vacuous => "a check passes before the work is done",
            Self::Refuse => "a person says no",
            Self::Absent => "nobody answers",
            Self::Jump => "the clock jumps forward",
            Self::MemoryShort => "the host's memory is short for a while, or cannot be seen",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// A word that names no kind of fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("failed to find the fault `{word}`")]
pub struct NoSuchFault {
    /// The word.
    pub word: String,
    /// A word that is near.
    pub near: Option<&'static str>,
}

impl FromStr for Kind {
    type Err = NoSuchFault;

    fn from_str(word: &str) -> Result<Self, NoSuchFault> {
        Self::ALL.into_iter().find(|kind| kind.word() == word).ok_or_else(|| {
            let near = nearest(word, Self::ALL.map(Self::word).into_iter().chain(["all", "none"]));
            NoSuchFault { word: word.to_owned(), near }
        })
    }
}

/// The faults that may happen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults(BTreeSet<Kind>);

impl Faults {
    /// All of them.
    pub fn all() -> Self {
        Self(Kind::ALL.into())
    }

    /// Whether this one may happen.
    pub fn has(&self, kind: Kind) -> bool {
        self.0.contains(&kind)
    }

    /// The kinds, in their order.
    pub fn iter(&self) -> impl Iterator<Item = Kind> {
        self.0.iter().copied()
    }

    /// The same without some.
    #[must_use]
    pub fn without(mut self, kinds: &[Kind]) -> Self {
        self.0.retain(|kind| !kinds.contains(kind));
        self
    }
}

impl FromIterator<Kind> for Faults {
    fn from_iter<I: IntoIterator<Item = Kind>>(kinds: I) -> Self {
        Self(kinds.into_iter().collect())
    }
}

/// Words with commas between them; `all` and `none` are words too.
impl FromStr for Faults {
    type Err = NoSuchFault;

    fn from_str(text: &str) -> Result<Self, NoSuchFault> {
        let mut faults = Self::default();
        for word in text.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            match word {
                "all" => faults.0.extend(Kind::ALL),
                "none" => {}
                word => {
                    faults.0.insert(word.parse()?);
                }
            }
        }
        Ok(faults)
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("none");
        }
        f.write_str(&self.iter().map(Kind::word).collect::<Vec<_>>().join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_read_back_and_a_slip_is_named() {
        for kind in Kind::ALL {
            assert_eq!(kind.word().parse(), Ok(kind));
        }
        assert_eq!("crash, slow".parse::<Faults>().unwrap().to_string(), "crash, slow");
        assert_eq!("all".parse::<Faults>().unwrap(), Faults::all());
        assert_eq!("none".parse::<Faults>().unwrap(), Faults::default());
        assert_eq!("port-takn".parse::<Faults>().unwrap_err().near, Some("port-taken"));
        assert_eq!("xyzzy".parse::<Faults>().unwrap_err().near, None);
    }
}
