//! Why a command did not do what was asked: what, why, and what to do, with its exit code. One renderer for all of them.

use std::error::Error;
use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::report::{self, Format};
use super::socket::client::SocketError;
use super::socket::protocol::VERSION;
use super::terminal::{Look, Tone};
use crate::adapters::process::launch::SpawnError;
use crate::adapters::workspace::{ConfigError, WorkspaceError};
use crate::base::diagnostic::Diagnostic;
use crate::base::name::Name;
use crate::base::owner::Owner;
use crate::driver::engine::EngineError;
use crate::driver::preflight::Unmet;
use crate::journal::commit;
use crate::journal::error::{Dead, OpenError, ReadError, WriteError};
use crate::journal::lock::LockError;
use crate::journal::quarantine::QuarantineError;
use crate::kernel::input::Refusal;
use crate::manifest::settings::SetError;
use crate::views::place::NoPlace;
use crate::views::replay::ReplayError;

/// The exit code of a bad manifest or a wrong usage.
pub const USAGE: u8 = 2;

/// Why a command did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// A manifest is wrong.
    #[error("{}", report::summary(.0))]
    Manifest(Vec<Diagnostic>),
    /// Parameters cannot be set.
    #[error("failed to settle the parameters")]
    Set(Vec<SetError>),
    /// The host does not have what the goal needs.
    #[error("failed to start: this host does not have all that the goal needs")]
    Unmet(Vec<Unmet>),
    /// Nothing is known of a place.
    #[error(transparent)]
    Place(#[from] NoPlace),
    /// The journal cannot be replayed.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// The journal cannot be read, or is not as it was written.
    #[error(transparent)]
    Journal(#[from] ReadError),
    /// Damage of the journal cannot be set aside.
    #[error(transparent)]
    Quarantine(#[from] QuarantineError),
    /// The workspace's own files cannot be had.
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
    /// The workspace's configuration cannot be had.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The engine cannot do its part.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A wrong usage that the parser cannot see.
    #[error("{what}")]
    Usage {
        /// What is wrong.
        what: String,
        /// What to do.
        hints: Vec<String>,
    },
    /// It cannot be done as things stand.
    #[error("{what}")]
    Refused {
        /// What is refused, and why.
        what: String,
        /// What to do.
        hints: Vec<String>,
    },
    /// The supervisor says so.
    #[error("{}", .0.message)]
    Told(Complaint),
    /// The supervisor cannot be started.
    #[error("failed to start the supervisor")]
    Start(#[source] SpawnError),
    /// The supervisor cannot be asked.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// What a saved plan was made against has moved.
    #[error("failed to run `{file}`: what it was made against has moved")]
    Stale {
        /// The plan's file.
        file: String,
        /// Its manifest.
        manifest: String,
        /// What has moved, in words.
        moved: Vec<String>,
    },
    /// A file cannot be read or written.
    #[error("failed to {act} `{}`", path.display())]
    File {
        /// `read`, `write`.
        act: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A person or the system wanted it to end before anything was begun.
    #[error("interrupted before anything was begun")]
    Interrupted,
    /// What was asked for cannot be shown.
    #[error("failed to write to standard output")]
    Output(#[source] io::Error),
    /// Whoever read the output has gone away; nothing is wrong.
    #[error("the reader of the output has gone away")]
    NobodyReads,
}

/// A failure as it goes from one process to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Complaint {
    /// What failed.
    pub message: String,
    /// Why, outermost first.
    pub causes: Vec<String>,
    /// What to do.
    pub hints: Vec<String>,
    /// The exit code.
    pub exit_code: u8,
}

impl Failure {
    /// The failure as another process can tell it.
    pub fn complaint(&self) -> Complaint {
        Complaint { message: self.to_string(), causes: self.causes(), hints: self.hints(), exit_code: self.code() }
    }

    /// A wrong usage.
    pub fn usage(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Usage { what: what.into(), hints: vec![hint.into()] }
    }

    /// Something that cannot be done as things stand.
    pub fn refused(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Refused { what: what.into(), hints: vec![hint.into()] }
    }

    /// Standard output cannot be written.
    pub fn output(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe { Self::NobodyReads } else { Self::Output(error) }
    }

    /// A file cannot be read or written.
    pub fn file(act: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { act, path, source }
    }

    /// The exit code.
    pub const fn code(&self) -> u8 {
        match self {
            Self::NobodyReads => 0,
            Self::Interrupted => 130,
            Self::Told(complaint) => complaint.exit_code,
            Self::Manifest(_)
            | Self::Set(_)
            | Self::Place(_)
            | Self::Usage { .. }
            | Self::Stale { .. }
            | Self::Engine(EngineError::Refused(_)) => USAGE,
            _ => 1,
        }
    }

    /// What to do, each a sentence without a full stop.
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::Told(complaint) => complaint.hints.clone(),
            Self::Socket(SocketError::Mismatch(speaker)) if speaker.version > VERSION => {
                vec!["it is newer than this `sculpt`: update this one".to_owned()]
            }
            Self::Socket(SocketError::Mismatch(_)) => {
                vec!["`sculpt supervise --replace` lets this one take over; what lives stays".to_owned()]
            }
            Self::Place(no_place) => place_hints(no_place),
            Self::Engine(error) => engine_hints(error),
            Self::Usage { hints, .. } | Self::Refused { hints, .. } => hints.clone(),
            Self::Stale { file, manifest, .. } => {
                vec![format!("look at what a run would do now, and save that: `sculpt plan {manifest} --out {file}`")]
            }
            Self::Unmet(unmet) => {
                let mut hints: Vec<String> = unmet.iter().map(|unmet| unmet.hint.clone()).collect();
                hints.dedup();
                hints
            }
            Self::Replay(ReplayError::Read(ReadError::Broken(_)) | ReplayError::Misfit { .. }) | Self::Journal(ReadError::Broken(_)) => {
                broken_hints()
            }
            Self::Replay(ReplayError::Read(ReadError::Unknown { .. })) => vec!["use the `sculpt` that wrote it, or a newer one".to_owned()],
            Self::Quarantine(QuarantineError::Open(OpenError::Lock(LockError::Held { .. }))) => held_hints(),
            Self::File { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                vec!["look at the mode and the owner of the file and its folder".to_owned()]
            }
            _ => Vec::new(),
        }
    }

    /// Why: what lies below, outermost first.
    pub fn causes(&self) -> Vec<String> {
        match self {
            Self::Told(complaint) => complaint.causes.clone(),
            Self::Engine(EngineError::Refused(Refusal::Different { differences, .. })) => differences.clone(),
            Self::Set(errors) => errors.iter().map(ToString::to_string).collect(),
            Self::Unmet(unmet) => unmet.iter().map(|unmet| unmet.what.clone()).collect(),
            Self::Stale { moved, .. } => moved.clone(),
            _ => {
                let mut causes: Vec<String> = Vec::new();
                let mut below = self.source();
                let mut said = self.to_string();
                while let Some(error) = below {
                    let text = error.to_string();
                    // Some errors say their cause themselves.
                    if !said.ends_with(&text) {
                        causes.push(text.clone());
                    }
                    said = text;
                    below = error.source();
                }
                causes
            }
        }
    }

    /// The failure as text for standard error; empty where there is nothing to say.
    pub fn render(&self, json: bool, look: Look) -> String {
        match self {
            Self::NobodyReads => String::new(),
            Self::Manifest(findings) if json => report::render(findings, Format::Json, false),
            Self::Manifest(findings) => {
                let summary = look.paint(Tone::Red, &report::summary(findings));
                format!("{}\n{summary}\n", report::render(findings, Format::Human, look.colour))
            }
            _ if json => self.render_json(),
            _ => {
                let mut text = format!("{} {self}\n", look.paint(Tone::Red, "error:"));
                for cause in self.causes() {
                    // Writing to a String cannot fail.
                    let _ = writeln!(text, "  {} {cause}", look.paint(Tone::Dim, "because"));
                }
                for hint in self.hints() {
                    let _ = writeln!(text, "{} {hint}", look.paint(Tone::Blue, "help:"));
                }
                text
            }
        }
    }

    fn render_json(&self) -> String {
        let error = serde_json::json!({ "error": self.complaint() });
        format!("{error:#}\n")
    }
}

/// What to do where the engine cannot do its part.
fn engine_hints(error: &EngineError) -> Vec<String> {
    let full = "free some space and run again: nothing was turned green that was not written";
    let dead = |dead: &Dead| if dead.is_full() { vec![full.to_owned()] } else { Vec::new() };
    match error {
        EngineError::Replay(commit::ReplayError::Open(OpenError::Lock(LockError::Held { .. }))) => held_hints(),
        EngineError::Replay(commit::ReplayError::Open(OpenError::Read(ReadError::Broken(_))) | commit::ReplayError::Misfit { .. }) => {
            broken_hints()
        }
        EngineError::Replay(commit::ReplayError::Open(OpenError::Write(WriteError::Dead(error))))
        | EngineError::Write(WriteError::Dead(error))
        | EngineError::Sync(error) => dead(error),
        EngineError::Refused(Refusal::Different { run, .. }) => {
            let goal = crate::kernel::state::goal_of(run);
            vec![format!("wait until it is done, or stop it with `sculpt stop {goal}`; what is asked for in the same way is attached to")]
        }
        EngineError::Refused(Refusal::Running { run }) => {
            let goal = crate::kernel::state::goal_of(run);
            vec![format!("look at it with `sculpt status {goal}`, or stop it with `sculpt stop {goal}`")]
        }
        EngineError::Refused(Refusal::NotAsked { asked, .. }) => match asked.as_slice() {
            [] => vec!["nothing is asked anywhere just now: `sculpt status`".to_owned()],
            asked => asked.iter().map(|owner| format!("asked is `{owner}`: `sculpt answer {owner} yes`")).collect(),
        },
        EngineError::Refused(Refusal::NotSuspected { owner, suspected }) => not_suspected(owner, suspected),
        EngineError::Refused(Refusal::AdoptedBefore { owner, .. }) => vec![format!("`sculpt down {}` removes it", owner.goal)],
        EngineError::Refused(Refusal::NotAdopted { owner, .. }) => {
            vec![format!("`sculpt ps {}` shows how to look at it, and how to remove it by hand", owner.goal)]
        }
        EngineError::Refused(Refusal::NotLatest { latest, .. }) => {
            vec![format!("go on from the latest one: `sculpt retry {}`", crate::kernel::state::goal_of(latest))]
        }
        EngineError::Refused(Refusal::NothingLeft { run }) => {
            vec![format!("to do a phase anew all the same: `sculpt retry {run} PHASE`")]
        }
        EngineError::Refused(Refusal::NoPhase { phase, known, .. }) => {
            let near = crate::base::diagnostic::nearest(phase.as_str(), known.iter().map(Name::as_str));
            let named: Vec<String> = known.iter().take(8).map(|phase| format!("`{phase}`")).collect();
            vec![near.map_or_else(|| format!("there is {}", named.join(", ")), |near| format!("did you mean `{near}`?"))]
        }
        EngineError::Refused(Refusal::NotCarried { .. }) => {
            vec!["run the whole goal, without `--from`: what is proved already is not repeated".to_owned()]
        }
        EngineError::Refused(Refusal::NotAtWork { .. }) => {
            vec!["to run it by itself, take `SCULPT_RUN` out of its environment: `env -u SCULPT_RUN sculpt run …`".to_owned()]
        }
        EngineError::Refused(Refusal::Moved { .. }) => {
            vec!["look at it again with `sculpt plan`, and save the plan anew".to_owned()]
        }
        EngineError::Refused(Refusal::NotKept { .. }) => {
            vec!["nothing was started; it is written below the workspace's `.opensculpt/runs`".to_owned()]
        }
        EngineError::Refused(Refusal::NoGoal { .. } | Refusal::NotRunning { .. }) => {
            vec!["`sculpt status` shows the goals and how they stand".to_owned()]
        }
        _ => Vec::new(),
    }
}

/// What is suspected, where nothing is there.
fn not_suspected(owner: &Owner, suspected: &[Owner]) -> Vec<String> {
    let places: Vec<String> = suspected.iter().map(ToString::to_string).collect();
    let written = owner.to_string();
    match crate::base::diagnostic::nearest(&written, places.iter().map(String::as_str)) {
        _ if places.is_empty() => vec!["nothing is suspected anywhere just now: `sculpt ps`".to_owned()],
        Some(near) => vec![format!("did you mean `{near}`?")],
        None => {
            let named: Vec<String> = places.iter().take(8).map(|place| format!("`{place}`")).collect();
            vec![format!("suspected is {}: `sculpt ps`", named.join(", "))]
        }
    }
}

fn held_hints() -> Vec<String> {
    vec![
        "one engine works in a workspace at a time; `sculpt status` and the other looks work meanwhile".to_owned(),
        "`sculpt supervise --stop` lets a supervisor go, `--replace` lets another one take over; what lives stays".to_owned(),
    ]
}

fn broken_hints() -> Vec<String> {
    vec![
        "`sculpt audit verify` says where the journal is broken, and what that concerns".to_owned(),
        "restore the file from a backup, or set it aside and go on from what is intact: `sculpt audit quarantine`".to_owned(),
    ]
}

fn place_hints(no_place: &NoPlace) -> Vec<String> {
    match (&no_place.near, no_place.known.as_slice()) {
        (Some(near), _) => vec![format!("did you mean `{near}`?")],
        (None, []) => vec!["nothing was run in this workspace yet: `sculpt run goals/NAME.yaml`".to_owned()],
        (None, known) => {
            let shown: Vec<String> = known.iter().take(8).map(|place| format!("`{place}`")).collect();
            let more = if known.len() > shown.len() { ", …" } else { "" };
            vec![format!("there is {}{more}", shown.join(", "))]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_says_what_why_and_what_to_do() {
        let source = io::Error::from(io::ErrorKind::PermissionDenied);
        let failure = Failure::file("write", "out.xml")(source);
        assert_eq!(
            failure.render(false, Look::PLAIN),
            "error: failed to write `out.xml`\n  because permission denied\nhelp: look at the mode and the owner of the file and its folder\n"
        );
        assert_eq!(failure.code(), 1);
        let json: serde_json::Value = serde_json::from_str(&failure.render(true, Look::PLAIN)).expect("it is JSON");
        assert_eq!(json["error"]["causes"][0], "permission denied");
        assert_eq!(Failure::output(io::ErrorKind::BrokenPipe.into()).render(false, Look::PLAIN), "");
    }

    #[test]
    fn an_unknown_place_names_the_near_one_or_those_there_are() {
        let place = |near: Option<&str>, known: &[&str]| {
            let known = known.iter().map(|&place| place.to_owned()).collect();
            Failure::from(NoPlace { text: "cmr".to_owned(), near: near.map(str::to_owned), known }).render(false, Look::PLAIN)
        };
        assert_eq!(place(Some("crm"), &["crm"]), "error: nothing is known of `cmr`\nhelp: did you mean `crm`?\n");
        assert_eq!(place(None, &["a", "b"]), "error: nothing is known of `cmr`\nhelp: there is `a`, `b`\n");
        assert!(place(None, &[]).contains("nothing was run in this workspace yet"));
    }
}
