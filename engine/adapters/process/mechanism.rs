//! What holds processes together on this host, and what it cannot do: said before anything runs.

use std::fmt;

use serde::Serialize;

use super::limits::Limit;

/// What holds the processes of a scope together, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mechanism {
    /// A control group of version 2, alone or beside version 1.
    CgroupV2,
    /// A group of version 1's freezer.
    CgroupV1,
    /// A PID namespace with a small init of ours; what is in it ends with the init.
    PidNamespace,
    /// A small supervisor that inherits orphans, and a mark in the environment.
    Subreaper,
}

impl Mechanism {
    /// All of them, best first.
    pub const ALL: [Self; 4] = [Self::CgroupV2, Self::CgroupV1, Self::PidNamespace, Self::Subreaper];
}

impl fmt::Display for Mechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::CgroupV2 => "control groups (version 2)",
            Self::CgroupV1 => "control groups (version 1)",
            Self::PidNamespace => "PID namespaces",
            Self::Subreaper => "a supervisor for each scope",
        })
    }
}

/// Something that a mechanism cannot promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Gap {
    /// A process with the engine's own rights can move itself into another control group on purpose.
    LeavesOnPurpose,
    /// What another service starts on request (systemd, cron) is that service's child.
    StartedByOthers,
    /// Programs that change their user, such as `sudo`, do not work inside.
    NoSetuid,
    /// If the scope's supervisor is killed, a process that left its session and dropped its environment is not found.
    SupervisorKilled,
    /// A process that became another user cannot be ended by an ordinary one.
    OtherUsers,
    /// Limits cannot be enforced.
    NoLimits,
    /// They could be in a control group without other processes.
    NotAlone,
}

impl Gap {
    /// In words, as the end of "cannot promise: …".
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::LeavesOnPurpose => "a process with the engine's own rights can move itself into another control group on purpose",
            Self::StartedByOthers => "what systemd or cron start on request is not in the scope",
            Self::NoSetuid => "programs that change their user, such as sudo, do not work inside",
            Self::SupervisorKilled => {
                "if a scope's supervisor is killed from outside, a process that left its session and dropped its environment is not found"
            }
            Self::OtherUsers => "a process that became another user cannot be ended",
            Self::NoLimits => "memory, cpus and pids are not limited",
            Self::NotAlone => {
                "limits need a delegated control group in which the engine is alone, as `sculpt service install` or \
                 `systemd-run --scope -p Delegate=yes sculpt supervise` give it"
            }
        }
    }
}

/// What this host offers, for `sculpt plan`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// What is used.
    pub mechanism: Mechanism,
    /// The limits that can be enforced.
    pub limits: Vec<Limit>,
    /// What is not promised.
    pub gaps: Vec<Gap>,
}

impl Report {
    pub(super) fn new(mechanism: Mechanism, limits: Vec<Limit>) -> Self {
        let mut gaps = match mechanism {
            Mechanism::CgroupV2 | Mechanism::CgroupV1 => vec![Gap::LeavesOnPurpose],
            Mechanism::PidNamespace => vec![Gap::NoSetuid],
            Mechanism::Subreaper => vec![Gap::SupervisorKilled, Gap::OtherUsers],
        };
        gaps.push(Gap::StartedByOthers);
        if limits.is_empty() {
            gaps.push(Gap::NoLimits);
        }
        Self { mechanism, limits, gaps }
    }
}

/// One sentence for a person.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Processes are held by {}; ", self.mechanism)?;
        let limits: Vec<&str> = self
            .limits
            .iter()
            .map(|limit| match limit {
                Limit::Memory => "memory",
                Limit::Cpus => "cpus",
                Limit::Pids => "pids",
            })
            .collect();
        match limits.as_slice() {
            [] => f.write_str("no limit can be enforced")?,
            limits => write!(f, "limits on {} are enforced", limits.join(", "))?,
        }
        let gaps: Vec<&str> = self.gaps.iter().map(|gap| gap.sentence()).collect();
        write!(f, "; not promised: {}.", gaps.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_one_sentence_with_everything_in_it() {
        let strong = Report::new(Mechanism::CgroupV2, vec![Limit::Memory, Limit::Pids]);
        assert_eq!(
            strong.to_string(),
            "Processes are held by control groups (version 2); limits on memory, pids are enforced; not promised: \
             a process with the engine's own rights can move itself into another control group on purpose; \
             what systemd or cron start on request is not in the scope."
        );
        let weak = Report::new(Mechanism::Subreaper, Vec::new());
        assert_eq!(weak.gaps, [Gap::SupervisorKilled, Gap::OtherUsers, Gap::StartedByOthers, Gap::NoLimits]);
        assert!(weak.to_string().contains("no limit can be enforced"));
    }
}
