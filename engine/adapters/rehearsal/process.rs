//! The processes of a simulated world, in scopes that hold what they start.

use super::cast::{Performance, Role};
use super::world::{Event, World};
use crate::base::owner::Owner;
use crate::base::time::Span;
use crate::kernel::action::{Exit, ProcessMark};

/// The boot that every process belongs to: this world never restarts.
const BOOT: &str = "rehearsal";

/// SIGKILL, as an exit has it.
const KILLED: Exit = Exit::Signal(9);

/// A process that runs.
#[derive(Clone, Debug)]
pub(super) struct Process {
    pub(super) pid: u32,
    pub(super) owner: Owner,
    pub(super) scope: String,
    pub(super) role: Role,
    /// False for what another process started.
    pub(super) main: bool,
    /// When it is up; never where there is none.
    pub(super) up_at: Option<u64>,
    /// Its ports, as they are declared.
    pub(super) ports: Vec<String>,
    pub(super) performance: Performance,
}

/// The number of a process: a pid may be used again, this never is.
pub(super) type Number = u64;

impl World {
    /// Starts a command and what it leaves in the background.
    pub(super) fn start(&mut self, owner: &Owner, role: Role, scope: &str, performance: &Performance, ports: &[String]) -> Number {
        if matches!(role, Role::Work(_) | Role::Service) {
            let others =
                self.processes.values().filter(|other| other.owner == *owner && matches!(other.role, Role::Work(_) | Role::Service));
            let others: Vec<u32> = others.map(|other| other.pid).collect();
            if !others.is_empty() {
                self.violations.push(format!("a second process was started at {owner} beside {others:?}"));
            }
        }
        for (fault, what) in &performance.faults {
            self.note(Some(owner), *fault, what.clone());
        }
        let main = self.number();
        let up_at = performance.up_after.map(|after| self.elapsed + after.0);
        for number in std::iter::once(main).chain((0..performance.leaves).map(|_| self.number()).collect::<Vec<_>>()) {
            let process = Process {
                pid: pid(number),
                owner: owner.clone(),
                scope: scope.to_owned(),
                role,
                main: number == main,
                up_at,
                ports: if number == main { ports.to_owned() } else { Vec::new() },
                performance: performance.clone(),
            };
            self.processes.insert(number, process);
        }
        if let Some(takes) = performance.takes {
            self.later(takes.0, Event::Exits(main, performance.exit));
        }
        main
    }

    /// The mark of a process.
    pub(super) fn mark(&self, number: Number) -> ProcessMark {
        let scope = self.processes.get(&number).map(|process| process.scope.clone()).unwrap_or_default();
        ProcessMark { pid: pid(number), start: number, boot: BOOT.to_owned(), unique: None, scope, container: None }
    }

    /// The number of a marked process, where it runs.
    pub(super) fn marked(&self, mark: &ProcessMark) -> Option<Number> {
        self.processes.get(&mark.start).filter(|process| process.pid == mark.pid && mark.boot == BOOT).map(|_| mark.start)
    }

    /// Who runs in a scope.
    pub(super) fn inside(&self, scope: &str) -> Vec<Number> {
        self.processes.iter().filter(|(_, process)| process.scope == scope).map(|(number, _)| *number).collect()
    }

    /// A signal other than SIGKILL: it ends soon, or ignores it. Gives when it would have ended.
    pub(super) fn ask_to_end(&mut self, number: Number, after: Span) {
        if self.processes.get(&number).is_some_and(|process| process.performance.obeys) {
            let reaction = self.jitter.between(1, 20);
            self.later(after.0 + reaction, Event::Exits(number, Exit::Signal(15)));
        }
    }

    /// SIGKILL. True where there was somebody to kill.
    pub(super) fn kill(&mut self, number: Number) -> bool {
        let Some(process) = self.processes.get_mut(&number) else { return false };
        match process.performance.stuck.take() {
            Some(stuck) => self.later(stuck.0, Event::Exits(number, KILLED)),
            // One that hangs already dies when it is let go.
            None => self.exited(number, KILLED),
        }
        true
    }

    /// A process is no more.
    pub(super) fn exited(&mut self, number: Number, exit: Exit) {
        let Some(process) = self.processes.remove(&number) else { return };
        if process.main {
            if exit.is_success() {
                self.files.make_all(&process.performance.makes);
                if matches!(process.role, Role::Work(_)) {
                    self.worked.insert(process.owner.clone(), self.elapsed);
                    self.written.insert(process.owner.clone(), process.performance.outputs.clone());
                }
            }
            if process.role == Role::Create {
                self.create_exited(&process.owner, exit);
            }
            self.main_exited(number, &process, exit);
        }
        self.scope_changed(&process.scope);
    }
}

/// The pid of a process: small numbers that come again, as on a host.
fn pid(number: Number) -> u32 {
    1000 + u32::try_from(number % 30_000).unwrap_or_default()
}
