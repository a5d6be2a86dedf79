//! What the kernel asks of the world, and what it hears back.
//!
//! An *effect* changes the world: it is recorded, and carried out with the permit that the record made.
//! A *look* changes nothing and needs no permit; it is not recorded, only what follows from it is.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::answer::{Answer, Stage};
pub use super::artifact::Artifact;
use super::call::{Call, CallId};
use super::chosen_port::ChosenPort;
pub use super::exit::Exit;
use super::fault::Fault;
pub use super::mark::ProcessMark;
use super::memory::Sighting;
use super::suspect::Suspect;
use super::usage::Usage;
use crate::base::name::Name;
use crate::base::time::Span;
use crate::manifest::process::{DEFAULT_GRACE, Signal, StopTo};
use crate::plan::explain::limits::Limit;
use crate::plan::sealed::PhaseIx;

/// A run: the goal's name and a number that counts the goal's runs from 1, `crm.3`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(pub String);

impl std::fmt::Display for RunId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.0)
    }
}

/// The number of an effect, counted in the workspace's journal from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EffectId(pub u64);

/// The number of a question that is being asked; lives only as long as the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct QuestionId(pub u64);

/// How something is ended: a signal, to whom, and how long it may take until what is left is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopPolicy {
    /// The first signal.
    pub signal: Signal,
    /// Who gets it.
    pub to: StopTo,
    /// How long it may take.
    pub grace: Span,
}

impl StopPolicy {
    /// SIGTERM to all, and the default grace: how work is ended.
    pub const TERM: Self = Self { signal: Signal::SigTerm, to: StopTo::All, grace: DEFAULT_GRACE };

    /// At once, without a word.
    pub const KILL: Self = Self { signal: Signal::SigKill, to: StopTo::All, grace: Span(0) };
}

/// A change to the world.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Effect {
    /// Prepare the run: keep its environment, fetch or generate its secrets, set its limits.
    Prepare {
        /// The run.
        run: RunId,
    },
    /// Make a passive resource: directory, file, port, custom.
    Make {
        /// The run.
        run: RunId,
        /// The phase.
        phase: PhaseIx,
        /// The attempt, from 1.
        attempt: u32,
        /// The resource.
        resource: Name,
    },
    /// Start a process resource. It ends when the process does.
    Serve {
        /// The run.
        run: RunId,
        /// The phase.
        phase: PhaseIx,
        /// The attempt, from 1.
        attempt: u32,
        /// The resource.
        resource: Name,
    },
    /// Run the phase's command; what it leaves behind is ended with it.
    Work {
        /// The run.
        run: RunId,
        /// The phase.
        phase: PhaseIx,
        /// The attempt, from 1.
        attempt: u32,
    },
    /// Run the command of a check, as often as the question is tried: a standing permit.
    Ask {
        /// The run.
        run: RunId,
        /// The phase.
        phase: PhaseIx,
        /// The question.
        question: QuestionId,
    },
    /// End all processes of a place: of an attempt's work, or of a process resource.
    End {
        /// How.
        stop: StopPolicy,
    },
    /// Kill all of a scope in which nobody runs whom a record knows: an engine died between a start and its record.
    Sweep {
        /// The scope's name, which begins with its goal's.
        scope: String,
    },
    /// Set the limits of the run's goal anew, for what an engine starts that goes on with it.
    Limit {
        /// The run.
        run: RunId,
    },
    /// Change something in the container engine, as a command asks for through the endpoint of its attempt.
    Call {
        /// The effect that started the command.
        by: EffectId,
        /// The call that waits.
        id: CallId,
        /// What it does.
        call: Call,
    },
    /// Remove a passive resource that sculpt made.
    Remove,
    /// Remove the goal's generated secrets, and the images that were built for it.
    Forget,
}

/// What was seen of an effect. All but `Started`, `Begun` and `Unenforced` end it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "saw", rename_all = "snake_case")]
pub enum Seen {
    /// A process runs.
    Started {
        /// The process.
        process: ProcessMark,
    },
    /// Limits that are declared and that this host was to enforce could not be set.
    Unenforced {
        /// Which.
        limits: Vec<Limit>,
        /// Why, for a person.
        why: String,
    },
    /// A process ended, and what it left behind was ended too.
    Exited {
        /// How.
        exit: Exit,
        /// How many processes it left behind.
        #[serde(default)]
        leftovers: u32,
        /// Processes that would not end.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        survivors: Vec<u32>,
        /// What it wrote to `$SCULPT_OUTPUT`.
        #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
        outputs: IndexMap<Name, String>,
        /// What was kept of it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        artifacts: Vec<Artifact>,
        /// What it used.
        #[serde(default, skip_serializing_if = "Usage::is_unknown")]
        usage: Usage,
        /// What it may have started outside of its scope. Only of a phase's command: around anything else a look of its own tells of it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        suspects: Vec<Suspect>,
        /// How many containers, networks and volumes it had made by its own commands, and were ended with it, where a look shows that
        /// nothing of them is left. None where it made none, or it cannot be seen.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        contained: Option<u32>,
    },
    /// The container engine has answered a call.
    Called {
        /// With this HTTP status; none where there was no answer that could be read: what it changed is not known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        status: Option<u16>,
        /// What it made, by its id; of a volume, by its name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<String>,
    },
    /// A passive resource was not there, and is about to be made, once this is recorded: from then on what is there is sculpt's to remove.
    Begun {
        /// Where a directory or a file will be, as in `Made`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        path: Option<String>,
        /// The topmost folder on the way there that is not there either: it and those below it are made too, and go with it once they are
        /// empty.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        above: Option<String>,
    },
    /// A passive resource is there.
    Made {
        /// False where it was there before: then it is used, but not owned.
        created: bool,
        /// Where a directory or a file is: from the workspace, or absolute where it is outside. What is removed is this, and no text rendered anew.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        path: Option<String>,
        /// Outputs of a custom resource.
        #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
        outputs: IndexMap<Name, String>,
    },
    /// Processes were ended, and a look shows what is left.
    Ended {
        /// Processes that would not end; none is the aim and is measured.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        survivors: Vec<u32>,
        /// How many had to be killed.
        #[serde(default)]
        killed: u32,
    },
    /// Done, with nothing to tell: secrets, removals, a question that is over.
    Done,
    /// It could not be done.
    Failed {
        /// The fault.
        fault: Fault,
        /// Evidence for a person.
        evidence: String,
    },
}

impl Seen {
    /// True where the effect is over.
    pub const fn is_end(&self) -> bool {
        !matches!(self, Self::Started { .. } | Self::Begun { .. } | Self::Unenforced { .. })
    }
}

/// What a phase amounts to once its texts are rendered: a pure look at plan, parameters, outputs and input files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Brief {
    /// False where `when` says so.
    pub wanted: bool,
    /// The hash of work, inputs, resources and checks after templating, in hex; empty where the phase has nothing to compare.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub fingerprint: String,
    /// The declared outputs.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub outputs: IndexMap<Name, String>,
    /// A key for each check, equal where the check asks the same.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<String>,
    /// Declared ports that no check connects to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unconnected: Vec<String>,
    /// For checks about a resource of this very phase, by their index, which one: once it is gone, they must not pass any more.
    /// Pairs and no map: in a tagged record a number that is a key is written as a text, and is not read back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subjects: Vec<(u16, Name)>,
    /// The ports that were chosen where a fallback is declared.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<ChosenPort>,
}

/// A look at the world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look {
    /// What does this phase amount to?
    Brief {
        /// The run.
        run: RunId,
        /// The phase.
        phase: PhaseIx,
    },
    /// In which scopes and containers does somebody run whom no record explains?
    Unexplained,
    /// Ask a question once.
    Try {
        /// The question.
        question: QuestionId,
        /// What is asked.
        about: About,
        /// How long it may take.
        timeout: Span,
    },
    /// How much memory has the host?
    Memory,
    /// What may have been started outside of every scope since this effect began, or since the last such look?
    Around {
        /// The effect.
        by: EffectId,
        /// False for a service that has become ready, and goes on.
        over: bool,
    },
}

/// What a question is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    /// A check of a phase.
    Check {
        /// The run.
        run: RunId,
        /// The phase.
        phase: PhaseIx,
        /// Which of its checks.
        check: u16,
        /// When it is asked.
        stage: Stage,
    },
    /// Whether a process resource is ready: its health check, or its ports, or that it runs.
    Ready {
        /// The run.
        run: RunId,
        /// The phase.
        phase: PhaseIx,
        /// The resource.
        resource: Name,
    },
}

impl About {
    /// The resource that it is about, where it is about one.
    pub const fn resource(&self) -> Option<&Name> {
        match self {
            Self::Check { .. } => None,
            Self::Ready { resource, .. } => Some(resource),
        }
    }

    /// The phase that it is about.
    pub const fn phase(&self) -> (&RunId, PhaseIx) {
        match self {
            Self::Check { run, phase, .. } | Self::Ready { run, phase, .. } => (run, *phase),
        }
    }
}

/// What a look has shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// What a phase amounts to.
    Brief {
        /// The run.
        run: RunId,
        /// The phase.
        phase: PhaseIx,
        /// The brief, or why there is none.
        brief: Result<Brief, (Fault, String)>,
    },
    /// The scopes in which somebody runs and that no record explained when it was looked. What could not be looked into has none, and is said.
    Unexplained {
        /// Their names.
        scopes: Vec<String>,
        /// What could not be looked into, in words.
        unseen: Vec<String>,
    },
    /// A question's answer.
    Answer {
        /// The question.
        question: QuestionId,
        /// The answer.
        answer: Answer,
    },
    /// How much memory the host has, or why that cannot be seen.
    Memory(Sighting),
    /// What may have been started outside of every scope meanwhile.
    Around {
        /// The effect.
        by: EffectId,
        /// Whether it was over when it was looked.
        over: bool,
        /// What is suspected.
        suspects: Vec<Suspect>,
    },
}
