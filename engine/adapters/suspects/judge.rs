//! What is new → whom it names: the attempt by its mark, its workspace, its goal, another attempt, or nobody.
//!
//! | what is new                          | suspected | rank       |
//! |--------------------------------------|-----------|------------|
//! | carries the attempt's mark           | yes       | marked     |
//! | carries another attempt's mark       | of that one, around that one | |
//! | names the workspace, or works in it  | yes       | marked     |
//! | names the goal                       | yes       | coincident, and the evidence says so |
//! | names nobody, or cannot be read      | yes       | coincident |
//!
//! A service may live for weeks. While it does, what names only its goal, or nobody, is anybody's and is not suspected, and a process that
//! works in the workspace is only a coincidence: somebody may have opened a pane there.

use std::path::{Path, PathBuf};

use indexmap::IndexMap;

use super::change::{Change, changes};
use super::places::Holds;
use super::snapshot::Snapshot;
use crate::adapters::process::stray::{Environment, Found, Terminal};
use crate::base::marks::{ATTEMPT, GOAL, PHASE, RUN, WORKSPACE};
use crate::kernel::suspect::{Rank, Stray, Subject, Suspect};

/// How many of one attempt are told of, and how many lines of one table, and how long a line or command is, in characters.
const TOLD: usize = 32;
const LINES: usize = 16;
const LONG: usize = 400;

/// Which attempt is looked around: what its command finds in its environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    workspace: PathBuf,
    goal: String,
    marks: [(&'static str, String); 4],
}

/// What was going on between two looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Time {
    /// Work: a command, or a start.
    OfWork,
    /// A service was ready, and lived.
    OfService,
}

impl Time {
    /// Whether something that names this says enough to be suspected.
    const fn suffices(self, names: Names) -> bool {
        match self {
            Self::OfWork => !matches!(names, Names::Another),
            Self::OfService => matches!(names, Names::Attempt | Names::Workspace),
        }
    }

    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::OfWork => ("the attempt was at work", "the attempt began"),
            Self::OfService => ("the service ran", "the service was ready"),
        }
    }
}

/// Whom a text or a process names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Names {
    Attempt,
    Another,
    Workspace,
    Goal,
    Nobody,
}

impl Attempt {
    /// The attempt whose command has this environment.
    pub fn of(environment: &IndexMap<String, String>) -> Self {
        let value = |name: &str| environment.get(name).cloned().unwrap_or_default();
        let marks = [WORKSPACE, RUN, PHASE, ATTEMPT].map(|name| (name, value(name)));
        Self { workspace: PathBuf::from(value(WORKSPACE)), goal: value(GOAL), marks }
    }

    /// Whether a process carries the mark of this very attempt.
    pub fn is_of(&self, environment: &Environment) -> bool {
        matches!(self.carried(|name| environment.variable(name)), Names::Attempt)
    }

    fn carried(&self, value: impl Fn(&str) -> Option<String>) -> Names {
        let mut carried = self.marks.iter().filter_map(|(name, own)| value(name).map(|value| value == *own));
        match carried.next() {
            None => Names::Nobody,
            Some(first) if first && carried.all(|same| same) => Names::Attempt,
            Some(_) => Names::Another,
        }
    }

    fn named_by(&self, text: &str) -> Names {
        // `at` and units quote a value in their own ways.
        let text: String = text.chars().filter(|letter| *letter != '\\').collect();
        match self.carried(|name| assigned(&text, name)) {
            Names::Nobody => {}
            carried => return carried,
        }
        let workspace = self.workspace.to_string_lossy();
        if workspace.len() > 1 && has_word(&text, &workspace) {
            Names::Workspace
        } else if has_word(&text, &self.goal) {
            Names::Goal
        } else {
            Names::Nobody
        }
    }

    fn named_by_process(&self, found: &Found) -> Names {
        match self.carried(|name| found.environment.variable(name)) {
            Names::Nobody if found.cwd.as_deref().is_some_and(|cwd| self.is_inside(cwd)) => Names::Workspace,
            Names::Nobody => self.named_by(&found.command),
            carried => carried,
        }
    }

    fn is_inside(&self, path: &Path) -> bool {
        self.workspace.as_os_str().len() > 1 && path.starts_with(&self.workspace)
    }
}

/// What is suspected of an attempt, the strongest first: what changed between two snapshots, and processes that were found.
pub fn difference(before: &Snapshot, after: &Snapshot, strays: &[Found], (attempt, time): (&Attempt, Time)) -> Vec<Suspect> {
    let mut suspects: Vec<Suspect> = strays.iter().filter_map(|found| of_process(found, attempt, time)).collect();
    for suspect in changes(before, after).into_iter().filter_map(|change| of_change(change, attempt, time)) {
        // A running unit has a file and a control group.
        if !suspects.iter().any(|known| is_same_unit(&known.subject, &suspect.subject)) {
            suspects.push(suspect);
        }
    }
    suspects.sort_by_key(|suspect| suspect.rank);
    let more = suspects.len().saturating_sub(TOLD);
    suspects.truncate(TOLD);
    if let (Some(last), 1..) = (suspects.last_mut(), more) {
        last.evidence = format!("{}; and {more} more like it, not listed", last.evidence);
    }
    suspects
}

fn is_same_unit(one: &Subject, other: &Subject) -> bool {
    match (one, other) {
        (Subject::Unit { name: one, manager: its, .. }, Subject::Unit { name: other, manager: others, .. }) => {
            one == other && its == others
        }
        _ => false,
    }
}

fn of_process(found: &Found, attempt: &Attempt, time: Time) -> Option<Suspect> {
    let (rank, named) = match attempt.named_by_process(found) {
        names if !time.suffices(names) => return None,
        Names::Another => return None,
        Names::Attempt => (Rank::Marked, "it carries the attempt's mark"),
        Names::Workspace if time == Time::OfService => (Rank::Coincident, "it works in the workspace, as somebody else may"),
        Names::Workspace => (Rank::Marked, "it works in the workspace"),
        Names::Goal => (Rank::Coincident, "its command names the goal"),
        Names::Nobody => (Rank::Coincident, "nothing of it names the goal, so that somebody else may have started it"),
    };
    let process = Stray { pid: found.pid, start: found.start, boot: found.boot.clone(), command: short(&found.command) };
    let (subject, way) = match found.terminal {
        Some(Terminal::Tmux) => {
            let socket = found.environment.variable("TMUX").and_then(|value| Some(value.rsplitn(3, ',').nth(2)?.to_owned()));
            (Subject::Tmux { process, socket, pane: found.environment.variable("TMUX_PANE") }, "below a tmux server that was there before")
        }
        Some(Terminal::Screen) => {
            let (session, window) = (found.environment.variable("STY"), found.environment.variable("WINDOW"));
            (Subject::Screen { process, session, window }, "below a screen session that was there before")
        }
        None => (Subject::Process { process }, "in no scope of this workspace"),
    };
    Some(Suspect { subject, rank, evidence: format!("began while {}, and runs {way}; {named}", time.words().0), when: found.when })
}

fn of_change(change: Change, attempt: &Attempt, time: Time) -> Option<Suspect> {
    let names = change.text.as_deref().map(|text| attempt.named_by(text));
    if !time.suffices(names.unwrap_or(Names::Nobody)) {
        return None;
    }
    let (rank, whom) = match names {
        Some(Names::Another) => return None,
        Some(Names::Attempt) => (Rank::Marked, "it carries the attempt's mark"),
        Some(Names::Workspace) => (Rank::Marked, "it names the workspace"),
        Some(Names::Goal) => (Rank::Coincident, "it names the goal"),
        Some(Names::Nobody) => (Rank::Coincident, "nothing in it names the goal, so that somebody else may have written it"),
        None if change.name.is_empty() => (Rank::Coincident, "this user may not look into the folder"),
        None if matches!(change.holds, Holds::Running(_)) => (Rank::Coincident, "somebody else may have started it"),
        None => (Rank::Coincident, "this user may not read it"),
    };
    let (meanwhile, since) = time.words();
    let happened = match (change.holds, change.is_new) {
        (Holds::Running(_), _) => format!("began to run while {meanwhile}"),
        (Holds::DockerConfig, _) => format!("became the current context while {meanwhile}"),
        (_, true) => format!("is new since {since}"),
        (_, false) => format!("was changed while {meanwhile}"),
    };
    Some(Suspect { evidence: format!("{happened}; {whom}"), rank, when: change.when, subject: subject(change) })
}

fn subject(change: Change) -> Subject {
    let (path, name, mark) = (change.path.to_string_lossy().into_owned(), change.name, Some(change.mark));
    let table = |user: Option<String>, path: String| {
        let all = || change.text.iter().flat_map(|text| text.lines());
        let more = u32::try_from(all().count().saturating_sub(LINES)).unwrap_or(u32::MAX);
        Subject::Crontab { user, path, lines: all().take(LINES).map(short).collect(), more, mark: mark.filter(|_| change.is_new) }
    };
    match change.holds {
        // One that was there before is somebody's, however it was changed.
        Holds::Units(manager) | Holds::Running(manager) => Subject::Unit { name, manager, path, mark: mark.filter(|_| change.is_new) },
        Holds::Crontabs => table(Some(name).filter(|name| !name.is_empty()), path),
        Holds::CronFolder | Holds::CronTable => table(None, path),
        Holds::AtJobs => Subject::AtJob { job: name.get(1..6).and_then(|number| u32::from_str_radix(number, 16).ok()), path, mark },
        Holds::DockerConfig => Subject::DockerContext { name: change.text, path, mark: None },
        Holds::DockerContexts => {
            let meta = change.text.as_deref().and_then(|text| serde_json::from_str::<serde_json::Value>(text).ok());
            let name = meta.and_then(|meta| meta["Name"].as_str().map(str::to_owned));
            Subject::DockerContext { name, path, mark }
        }
    }
}

/// The value that a text gives a variable: `NAME=value`, to the next blank, quote or semicolon.
fn assigned(text: &str, name: &str) -> Option<String> {
    let begin = text.match_indices(name).map(|(at, _)| at + name.len()).find(|end| text[*end..].starts_with('='))?;
    let value = text[begin + 1..].trim_start_matches(['"', '\'']);
    let end = value.find(|letter: char| letter.is_whitespace() || matches!(letter, ';' | '"' | '\'' | '&')).unwrap_or(value.len());
    Some(value[..end].to_owned())
}

/// Whether a text has these words, and not as a part of longer ones.
fn has_word(text: &str, word: &str) -> bool {
    let is_part = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '-' | '.');
    !word.is_empty()
        && text.match_indices(word).any(|(at, found)| {
            let (before, after) = (text[..at].chars().next_back(), text[at + found.len()..].chars().next());
            !before.is_some_and(is_part) && !after.is_some_and(is_part)
        })
}

fn short(text: &str) -> String {
    if text.chars().count() <= LONG { text.to_owned() } else { text.chars().take(LONG).chain(['…']).collect() }
}
