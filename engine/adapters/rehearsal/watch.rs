//! What the engine that lives watches: a command to its end, and whatever it leaves behind in its scope.

use indexmap::IndexMap;

use super::cast::Role;
use super::process::{Number, Process};
use super::world::{Event, World};
use crate::base::name::Name;
use crate::base::owner::Owner;
use crate::base::time::Span;
use crate::kernel::action::{EffectId, Exit, QuestionId, Seen, Shown};
use crate::kernel::answer::Answer;
use crate::kernel::input::Input;
use crate::kernel::usage::Usage;
use crate::ports::runtime::Tell;

/// How long what a command leaves behind may take to end after SIGTERM.
const LEFTOVER_GRACE: Span = Span::seconds(5);

/// How long killed processes may take to go until they count as survivors.
pub(super) const KILL_LIMIT: Span = Span::seconds(5);

/// What a command is watched for.
#[derive(Clone, Debug)]
pub(super) enum Purpose {
    /// A work or a service that this engine started.
    Own(EffectId),
    /// One that an earlier engine started: how it ends is not seen.
    Adopted(EffectId),
    /// The creation of a custom resource.
    Create(EffectId),
    /// A check, with the answer that its exit will be; another one once it was stopped or is late.
    Check(QuestionId, Answer),
}

/// A command that is watched.
#[derive(Debug)]
pub(super) struct Watch {
    pub(super) tell: Tell,
    pub(super) owner: Owner,
    pub(super) scope: String,
    pub(super) main: Number,
    pub(super) purpose: Purpose,
    /// How it ended, once it has.
    pub(super) exit: Option<Exit>,
    pub(super) leftovers: u32,
}

impl World {
    /// Watches a command.
    pub(super) fn watch(&mut self, tell: &Tell, owner: &Owner, scope: &str, main: Number, purpose: Purpose) -> u64 {
        let id = self.number();
        let (tell, owner, scope) = (tell.clone(), owner.clone(), scope.to_owned());
        self.watches.insert(id, Watch { tell, owner, scope, main, purpose, exit: None, leftovers: 0 });
        id
    }

    /// Goes on watching what an earlier engine started, whether it still runs or not.
    pub(super) fn adopt(&mut self, tell: &Tell, id: EffectId, owner: &Owner, mark: &crate::kernel::action::ProcessMark) {
        let alive = self.marked(mark).is_some();
        let watch = self.watch(tell, owner, &mark.scope, mark.start, Purpose::Adopted(id));
        if !alive {
            self.sweep_up(watch, Exit::Unseen);
            self.scope_changed(&mark.scope);
        }
    }

    /// A main process is no more: whoever watches it ends what it left.
    pub(super) fn main_exited(&mut self, number: Number, process: &Process, exit: Exit) {
        let Some(id) = self.watches.iter().find(|(_, watch)| watch.main == number).map(|(id, _)| *id) else { return };
        let adopted = self.watches.get(&id).is_some_and(|watch| matches!(watch.purpose, Purpose::Adopted(_)));
        // Some kernels tell how a process ended that is no child.
        let told = self.seed.stream("the kernel tells").chance(1, 2);
        let seen = if adopted && !told { Exit::Unseen } else { exit };
        if process.role == Role::Check
            && let Some(Watch { purpose: Purpose::Check(_, answer), .. }) = self.watches.get_mut(&id)
            && !exit.is_success()
            && answer.said == crate::kernel::answer::Said::Pass
        {
            *answer = weigh(exit);
        }
        self.sweep_up(id, seen);
    }

    fn sweep_up(&mut self, id: u64, exit: Exit) {
        let Some(watch) = self.watches.get_mut(&id) else { return };
        watch.exit = Some(exit);
        let scope = watch.scope.clone();
        let left = self.inside(&scope);
        if let Some(watch) = self.watches.get_mut(&id) {
            watch.leftovers = u32::try_from(left.len()).unwrap_or(u32::MAX);
        }
        for number in &left {
            self.ask_to_end(*number, Span(0));
            self.later(LEFTOVER_GRACE.0, Event::Kill(self.life, *number));
        }
        if !left.is_empty() {
            self.later(LEFTOVER_GRACE.0 + KILL_LIMIT.0, Event::GivesUp(self.life, id));
        }
    }

    /// Somebody in a scope is no more: where nobody is left, whoever waits for that is told.
    pub(super) fn scope_changed(&mut self, scope: &str) {
        if !self.inside(scope).is_empty() {
            return;
        }
        let over: Vec<u64> =
            self.watches.iter().filter(|(_, watch)| watch.scope == scope && watch.exit.is_some()).map(|(id, _)| *id).collect();
        for id in over {
            self.watch_over(id);
        }
        self.endings_changed();
    }

    /// A watch is over: nobody is left, or whoever is will not end.
    pub(super) fn watch_over(&mut self, id: u64) {
        let Some(watch) = self.watches.remove(&id) else { return };
        let left = self.inside(&watch.scope);
        let survivors: Vec<u32> = left.iter().filter_map(|number| self.processes.get(number)).map(|process| process.pid).collect();
        let exit = watch.exit.unwrap_or(Exit::Unseen);
        let input = match watch.purpose {
            Purpose::Own(id) | Purpose::Adopted(id) => {
                let outputs = self.outputs_of(&watch.owner, exit);
                let leftovers = watch.leftovers;
                Input::Seen {
                    id,
                    seen: Seen::Exited {
                        exit,
                        leftovers,
                        survivors,
                        outputs,
                        artifacts: Vec::new(),
                        usage: Usage::default(),
                        suspects: Vec::new(),
                        contained: None,
                    },
                }
            }
            Purpose::Create(id) => Input::Seen { id, seen: self.create_over(&watch.owner, exit) },
            Purpose::Check(question, answer) => Input::Shown(Shown::Answer { question, answer }),
        };
        self.say(1, &watch.tell, input);
    }

    fn outputs_of(&self, owner: &Owner, exit: Exit) -> IndexMap<Name, String> {
        if owner.resource.is_some() || !exit.may_be_success() {
            return IndexMap::new();
        }
        self.written.get(owner).cloned().unwrap_or_default()
    }
}

/// What a check's command says with a bad end.
fn weigh(exit: Exit) -> Answer {
    use crate::kernel::fault::Fault;
    match exit {
        Exit::Code(127) => Answer::unknown(Fault::MissingCommand, "its command was not found"),
        Exit::Code(126) => Answer::unknown(Fault::Permission, "its command cannot be executed"),
        Exit::Code(code @ 1..=125) => Answer::fail(Fault::CheckFailed, format!("exit {code}")),
        other => Answer::unknown(Fault::CheckerBroken, format!("its command ended with {other}")),
    }
}
