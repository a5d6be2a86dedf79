//! Scripts: what becomes of the phases of a simulated world.

use opensculpt::base::name::Name;
use opensculpt::kernel::action::Exit;
use opensculpt::kernel::answer::{Answer, Said};
use opensculpt::kernel::fault::Fault;
use opensculpt::kernel::suspect::Suspect;

/// What becomes of one attempt.
#[derive(Clone, Debug)]
pub(crate) struct Try {
    pub exit: Exit,
    /// How long the command takes; none: until it is ended.
    pub takes: Option<u64>,
    /// What each check says afterwards; the last counts for all further ones.
    pub after: Vec<Said>,
    pub survivors: Vec<u32>,
    /// What it may have started outside of everything that is held.
    pub suspects: Vec<Suspect>,
}

impl Default for Try {
    fn default() -> Self {
        Self { exit: Exit::Code(0), takes: Some(10), after: vec![Said::Pass], survivors: Vec::new(), suspects: Vec::new() }
    }
}

/// What becomes of a service.
#[derive(Clone, Debug)]
pub(crate) struct Service {
    /// When it is ready after its start; none: never.
    pub ready_after: Option<u64>,
    /// When it ends by itself.
    pub lives: Option<u64>,
    pub exit: Exit,
    /// How many of its starts end so; none: all.
    pub dies: Option<u32>,
    /// It cannot even be started.
    pub broken: bool,
    /// Nor can it at these starts, from 1.
    pub broken_at: Vec<u32>,
    /// Somebody else answers in its place while it is away.
    pub replaced: bool,
    /// From when to when it is not well, and what it says then.
    pub sick: Vec<(u64, u64, Answer)>,
}

impl Default for Service {
    fn default() -> Self {
        let (exit, broken_at, sick) = (Exit::Code(1), Vec::new(), Vec::new());
        Self { ready_after: Some(30), lives: None, exit, dies: None, broken: false, broken_at, replaced: false, sick }
    }
}

/// What becomes of a phase.
#[derive(Clone, Debug)]
pub(crate) struct Play {
    pub wanted: bool,
    pub unbriefed: Option<Fault>,
    pub fingerprint: String,
    pub unconnected: Vec<String>,
    /// Which resource of the phase each check is about.
    pub subjects: Vec<(u16, Name)>,
    /// What its checks say before the work; the last counts for all further ones.
    pub before: Vec<Answer>,
    /// By attempt; the last counts for all further ones.
    pub tries: Vec<Try>,
    pub service: Service,
    /// What its checks say on demand.
    pub again: Said,
}

impl Default for Play {
    fn default() -> Self {
        Self {
            wanted: true,
            unbriefed: None,
            fingerprint: "f1".to_owned(),
            unconnected: Vec::new(),
            subjects: Vec::new(),
            before: vec![says(Said::Fail)],
            tries: vec![Try::default()],
            service: Service::default(),
            again: Said::Pass,
        }
    }
}

pub(crate) fn says(said: Said) -> Answer {
    match said {
        Said::Pass => Answer::pass("it is so"),
        Said::Fail => Answer::fail(Fault::ConnectionRefused, "connection refused"),
        Said::Unknown => Answer::unknown(Fault::CheckerBroken, "exit 126"),
    }
}

pub(super) fn nth<T: Clone>(list: &[T], index: usize) -> T {
    list[index.min(list.len() - 1)].clone()
}
