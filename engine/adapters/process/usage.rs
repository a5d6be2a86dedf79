//! What processes used: counted by the kernel for a scope as a whole where a controller does so, and for a command where none does.

use serde::{Deserialize, Serialize};

use crate::kernel::action::Exit;
use crate::kernel::usage::Usage as Measured;

/// What was used up to now; none where this host does not count it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// The most memory at one time, in bytes, with what is cached of files.
    pub peak_memory: Option<u64>,
    /// True where nobody counted the scope as a whole: the peak is that of its largest process alone.
    pub largest_process: bool,
    /// Processor time, in microseconds.
    pub cpu_time: Option<u64>,
    /// How many processes the kernel has killed for want of memory, where it counts them.
    pub oom_kills: u32,
    /// How many of the whole goal were killed so meanwhile, where they are not counted scope by scope.
    #[serde(default)]
    pub oom_kills_around: u32,
}

impl Usage {
    /// The same, of a command that ended like this. Where only the goal as a whole counts whom the kernel kills for want of memory, one that
    /// was killed meanwhile, or a shell whose command was, is taken to be among them.
    #[must_use]
    pub fn of_ended(mut self, exit: Exit) -> Self {
        if self.oom_kills == 0 && matches!(exit, Exit::Signal(9) | Exit::Code(137)) {
            self.oom_kills = self.oom_kills_around.min(1);
        }
        self
    }

    /// These figures, and where there is none that of the command alone: less than all, but more than nothing.
    #[must_use]
    pub fn or_of_command(self, command: Self) -> Self {
        Self {
            peak_memory: self.peak_memory.or(command.peak_memory),
            largest_process: self.peak_memory.is_none() && command.peak_memory.is_some(),
            cpu_time: self.cpu_time.or(command.cpu_time),
            oom_kills: self.oom_kills,
            oom_kills_around: self.oom_kills_around,
        }
    }
}

/// In the words of the journal.
impl From<Usage> for Measured {
    fn from(usage: Usage) -> Self {
        Self {
            peak_memory: usage.peak_memory,
            largest_process: usage.largest_process,
            cpu_ms: usage.cpu_time.map(|micros| micros.div_ceil(1_000)),
            oom_kills: usage.oom_kills,
        }
    }
}

/// What a scope uses now, for whoever looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Its memory, in bytes: as its controller counts it, or else the sum of what its processes have resident.
    pub memory: Option<u64>,
    /// How many processes are in it.
    pub processes: u32,
    /// What it used up to now.
    pub usage: Usage,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_scope_does_not_count_is_that_of_the_command() {
        let command = Usage { peak_memory: Some(7), cpu_time: Some(9), ..Usage::default() };
        let none = Usage::default().or_of_command(command);
        assert_eq!((none.peak_memory, none.largest_process, none.cpu_time), (Some(7), true, Some(9)));
        let all = Usage { peak_memory: Some(70), cpu_time: Some(90), oom_kills: 1, ..Usage::default() };
        assert_eq!(all.or_of_command(command), all);
        assert!(!Usage::default().or_of_command(Usage::default()).largest_process);
    }

    #[test]
    fn who_was_killed_while_its_goal_had_no_more_memory_is_taken_to_be_among_the_killed() {
        let around = Usage { oom_kills_around: 3, ..Usage::default() };
        for (exit, kills) in [(Exit::Signal(9), 1), (Exit::Code(137), 1), (Exit::Code(1), 0), (Exit::Signal(15), 0), (Exit::Unseen, 0)] {
            assert_eq!(around.of_ended(exit).oom_kills, kills, "{exit}");
        }
        assert_eq!(Usage::default().of_ended(Exit::Signal(9)).oom_kills, 0);
        assert_eq!(Usage { oom_kills: 2, ..around }.of_ended(Exit::Signal(9)).oom_kills, 2);
    }
}
