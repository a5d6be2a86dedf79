//! What an attempt may have started outside of everything that sculpt holds: it is suspected, and nothing more.
//!
//! | it                                                            | rank       |
//! |---------------------------------------------------------------|------------|
//! | carries the attempt's mark, or names or works in its workspace | marked     |
//! | appeared while the attempt was at work                         | coincident |
//!
//! Others use the host too, so that what appeared meanwhile need not be the attempt's. That is why nothing of this is ever ended by itself: a
//! person is told what was seen, and how to look at it, remove it by hand, or give it to the goal (`adoption.rs`).

use serde::{Deserialize, Serialize};

use super::action::RunId;
use super::state::{Goal, State};
use crate::base::owner::Owner;
use crate::base::time::Timestamp;

/// How many are remembered of one goal. Of more, the oldest that are only coincident go first.
const REMEMBERED: usize = 256;

/// Something that an attempt may have started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspect {
    /// What it is.
    pub subject: Subject,
    /// How strong the evidence is.
    pub rank: Rank,
    /// Why it is suspected, in words.
    pub evidence: String,
    /// When it appeared or was changed: by the times of its file, or the start of its process.
    pub when: Timestamp,
}

/// How strong the evidence is. The strongest comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rank {
    /// It carries the attempt's mark, or names or works in its workspace.
    Marked,
    /// It appeared while the attempt was at work; somebody else may have made it.
    Coincident,
}

impl Rank {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Marked => "marked",
            Self::Coincident => "coincident",
        }
    }
}

/// How a file or folder looked: nobody can write it and leave all of this as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileMark {
    /// Its number in its file system.
    pub inode: u64,
    /// Its length in bytes.
    pub size: u64,
    /// When it was written, in seconds and nanoseconds.
    pub written: (i64, i64),
    /// When anything of it was changed, in seconds and nanoseconds.
    pub changed: (i64, i64),
}

/// Which manager runs a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Manager {
    /// The system's.
    System,
    /// The user's own.
    User,
}

/// A process that runs in nothing that sculpt holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stray {
    /// Its number.
    pub pid: u32,
    /// Its start time in clock ticks since boot.
    pub start: u64,
    /// The boot that it belongs to.
    pub boot: String,
    /// Its command line.
    pub command: String,
}

/// What is suspected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Subject {
    /// A systemd unit: its file, or its control group where it runs without one.
    Unit {
        /// Its name, as `systemctl` takes it.
        name: String,
        /// Whose it is.
        manager: Manager,
        /// The file or the control group.
        path: String,
        /// How that looked; none in what an older engine has seen.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mark: Option<FileMark>,
    },
    /// Lines of a crontab, or a folder of crontabs that this user may not look into.
    Crontab {
        /// The user whose it is; none for the system's tables.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        user: Option<String>,
        /// The file or folder.
        path: String,
        /// The lines that are new; none where they could not be read.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        lines: Vec<String>,
        /// How many more lines are new than these.
        #[serde(default, skip_serializing_if = "is_none")]
        more: u32,
        /// How the whole file looked, where all of it is new.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mark: Option<FileMark>,
    },
    /// A job of `at`, or the folder of its jobs where this user may not look into it.
    AtJob {
        /// Its number, as `atrm` takes it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        job: Option<u32>,
        /// The file or folder.
        path: String,
        /// How that looked; none in what an older engine has seen.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mark: Option<FileMark>,
    },
    /// A process below a tmux server that was there before.
    Tmux {
        /// The process.
        process: Stray,
        /// The server's socket, where the process may be looked into.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        socket: Option<String>,
        /// Its pane, `%3`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pane: Option<String>,
    },
    /// A process below a screen session that was there before.
    Screen {
        /// The process.
        process: Stray,
        /// The session, `1234.name`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session: Option<String>,
        /// Its window's number.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        window: Option<String>,
    },
    /// Another Docker context: a new one, or one that is now the current one.
    DockerContext {
        /// Its name, where its file tells.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// The file that says so, or the folder of a new one.
        path: String,
        /// How that looked; none in what an older engine has seen.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mark: Option<FileMark>,
    },
    /// A process that carries the attempt's mark, by whatever way it left.
    Process {
        /// The process.
        process: Stray,
    },
}

impl Subject {
    /// True where both are the same thing on the host, whatever was seen of it. Of a table it is the lines.
    pub(super) fn is(&self, other: &Self) -> bool {
        let key = |process: &Stray| (process.pid, process.start, process.boot.clone());
        match (self, other) {
            (Self::Crontab { path, lines, .. }, Self::Crontab { path: other, lines: others, .. }) => path == other && lines == others,
            _ => match (self.process(), other.process()) {
                (Some(one), Some(another)) => key(one) == key(another),
                (None, None) => self.path() == other.path() && std::mem::discriminant(self) == std::mem::discriminant(other),
                _ => false,
            },
        }
    }

    /// The process that it is, where it is one.
    pub const fn process(&self) -> Option<&Stray> {
        match self {
            Self::Tmux { process, .. } | Self::Screen { process, .. } | Self::Process { process } => Some(process),
            Self::Unit { .. } | Self::Crontab { .. } | Self::AtJob { .. } | Self::DockerContext { .. } => None,
        }
    }

    /// How the file or folder that it is looked; none where that is not known, or only a part of it is meant.
    pub const fn mark(&self) -> Option<&FileMark> {
        match self {
            Self::Unit { mark, .. } | Self::Crontab { mark, .. } | Self::AtJob { mark, .. } | Self::DockerContext { mark, .. } => {
                mark.as_ref()
            }
            Self::Tmux { .. } | Self::Screen { .. } | Self::Process { .. } => None,
        }
    }

    /// The file or folder that it is, where it is one.
    pub fn path(&self) -> Option<&str> {
        match self {
            Self::Unit { path, .. } | Self::Crontab { path, .. } | Self::AtJob { path, .. } | Self::DockerContext { path, .. } => {
                Some(path)
            }
            Self::Tmux { .. } | Self::Screen { .. } | Self::Process { .. } => None,
        }
    }
}

impl Suspect {
    /// The texts that others wrote: a secret may stand in them.
    pub fn foreign_texts(&mut self) -> Vec<&mut String> {
        let mut texts = vec![&mut self.evidence];
        match &mut self.subject {
            Subject::Crontab { lines, .. } => texts.extend(lines),
            Subject::Tmux { process, .. } | Subject::Screen { process, .. } | Subject::Process { process } => {
                texts.push(&mut process.command);
            }
            Subject::Unit { .. } | Subject::AtJob { .. } | Subject::DockerContext { .. } => {}
        }
        texts
    }
}

/// A suspect, and the attempt that it may be of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspected {
    /// What is suspected.
    pub suspect: Suspect,
    /// The phase, or the resource of it around which it was seen.
    pub owner: Owner,
    /// The run.
    pub run: RunId,
    /// The attempt, from 1.
    pub attempt: u32,
    /// True where something else of its phase had its short name when it was seen first: then it has a longer one, for good.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_namesake: bool,
}

impl State {
    /// Remembers what was seen around an attempt, but for what some goal has by now.
    pub(super) fn suspect(&mut self, owner: &Owner, run: &RunId, attempt: u32, suspects: &[Suspect]) {
        let suspects: Vec<Suspect> = suspects.iter().filter(|suspect| !self.has_adopted(&suspect.subject)).cloned().collect();
        if let Some(goal) = self.goals.get_mut(&owner.goal) {
            goal.suspect(owner, run, attempt, &suspects);
        }
    }
}

impl Goal {
    /// Remembers what was seen around an attempt, or a resource of it. What was suspected in the same phase before is told anew, under the
    /// name that it had; of the phase itself, where it was somebody else of it: which of the two it was is not known.
    pub(super) fn suspect(&mut self, owner: &Owner, run: &RunId, attempt: u32, suspects: &[Suspect]) {
        for suspect in suspects {
            let mut told = Suspected { suspect: suspect.clone(), owner: owner.clone(), run: run.clone(), attempt, is_namesake: false };
            let same = |known: &Suspected| known.owner.phase == owner.phase && known.suspect.subject.is(&suspect.subject);
            if let Some(at) = self.suspects.iter().position(same) {
                let known = self.suspects.remove(at);
                told.is_namesake = known.is_namesake;
                if known.owner != *owner {
                    told.owner.resource = None;
                }
            } else {
                let place = told.place();
                told.is_namesake = self.suspects.iter().any(|known| known.place() == place) || self.resources.contains_key(&place);
            }
            self.suspects.push(told);
        }
        while self.suspects.len() > REMEMBERED {
            let oldest = self.suspects.iter().position(|known| known.suspect.rank == Rank::Coincident).unwrap_or(0);
            self.suspects.remove(oldest);
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
const fn is_none(count: &u32) -> bool {
    *count == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::name::Name;

    fn suspect(job: u32, rank: Rank) -> Suspect {
        let subject = Subject::AtJob { job: Some(job), path: format!("/var/spool/cron/atjobs/{job}"), mark: None };
        Suspect { subject, rank, evidence: "new".to_owned(), when: Timestamp(1) }
    }

    fn jobs(goal: &Goal) -> Vec<Option<u32>> {
        let job = |known: &Suspected| if let Subject::AtJob { job, .. } = &known.suspect.subject { *job } else { None };
        goal.suspects.iter().map(job).collect()
    }

    #[test]
    fn what_is_seen_again_is_told_once_and_the_weakest_are_forgotten_first() {
        let (owner, run) = (Owner::phase(&Name::from("crm"), &Name::from("one")), RunId("crm.1".to_owned()));
        let mut goal = Goal::default();
        goal.suspect(&owner, &run, 1, &[suspect(1, Rank::Marked), suspect(2, Rank::Coincident)]);
        goal.suspect(&owner, &run, 2, &[suspect(1, Rank::Marked)]);
        assert_eq!(jobs(&goal), [Some(2), Some(1)]);
        assert_eq!(goal.suspects[1].attempt, 2);
        let other = Owner::phase(&Name::from("crm"), &Name::from("two"));
        goal.suspect(&other, &run, 1, &[suspect(1, Rank::Coincident)]);
        assert_eq!(jobs(&goal), [Some(2), Some(1), Some(1)], "of another phase it is suspected as well");
        for job in 3..=256 {
            goal.suspect(&owner, &run, 3, &[suspect(job, Rank::Marked)]);
        }
        assert_eq!(goal.suspects.len(), REMEMBERED);
        assert_eq!(jobs(&goal)[..3], [Some(1), Some(1), Some(3)]);
    }

    #[test]
    fn a_record_of_every_kind_is_read_back() {
        let process = || Stray { pid: 7, start: 9, boot: "b".to_owned(), command: "sleep 1".to_owned() };
        let mark = FileMark { inode: 1, size: 2, written: (3, 4), changed: (5, 6) };
        let subjects = [
            Subject::Unit { name: "a.timer".into(), manager: Manager::User, path: "/u/a.timer".into(), mark: Some(mark) },
            Subject::Crontab { user: Some("root".into()), path: "/c".into(), lines: vec!["* * * * * x".into()], more: 2, mark: None },
            Subject::AtJob { job: None, path: "/a".into(), mark: None },
            Subject::Tmux { process: process(), socket: None, pane: Some("%1".into()) },
            Subject::Screen { process: process(), session: Some("1.x".into()), window: None },
            Subject::DockerContext { name: Some("far".into()), path: "/d".into(), mark: Some(mark) },
            Subject::Process { process: process() },
        ];
        for subject in subjects {
            let suspect = Suspect { subject, rank: Rank::Marked, evidence: "e".into(), when: Timestamp(5) };
            let text = serde_json::to_string(&suspect).expect("JSON");
            assert_eq!(serde_json::from_str::<Suspect>(&text).expect(&text), suspect);
        }
    }
}
