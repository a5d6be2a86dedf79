//! Scopes without control groups: each process is started by a supervisor of its own, which is this very program.
//!
//! The supervisor is named by its arguments, `sculpt __scope sculpt-<workspace>/<goal>/<leaf> <mode>`, so that another engine
//! process finds it again. Whatever descends from it is the scope; it outlives the engine, and ends with its last descendant.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::process::{Signal, WaitId, WaitIdOptions, waitid};

use super::cgroup::group::BATCH;
use super::deadline::Deadline;
use super::identity::{ProcessId, boot_id};
use super::launch::{Launch, SpawnError};
use super::mechanism::Mechanism;
use super::running::Running;
use super::scope::{Kind, Scope, ScopeError};
use super::scope_init::{ENTRY, Mode, Order, PROBE, Started};
use super::table::{self, Stat};
use super::{spawn, user};

/// The variable that marks what belongs to a scope, for the case that its supervisor is killed.
const MARK: &str = "SCULPT_SCOPE";

/// Makes and finds supervised scopes of one workspace.
#[derive(Debug)]
pub(super) struct Supervisors {
    workspace: String,
    mechanism: Mechanism,
    program: PathBuf,
    attempts: Mutex<Option<Attempts>>,
}

/// Which numbers of attempts are used, by goal.
#[derive(Debug)]
struct Attempts {
    foreign: HashSet<String>,
    next: HashMap<String, u32>,
}

impl Supervisors {
    pub(super) fn new(workspace: String, mechanism: Mechanism, program: PathBuf) -> Self {
        Self { workspace, mechanism, program, attempts: Mutex::new(None) }
    }

    /// A scope with a name that no living supervisor has.
    pub(super) fn attempt(&self, goal: &str) -> Scope {
        let mut attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        let attempts = attempts.get_or_insert_with(|| Attempts { foreign: self.names().into_iter().collect(), next: HashMap::new() });
        let next = attempts.next.entry(goal.to_owned()).or_default();
        loop {
            let name = format!("{goal}/a{next}");
            *next += 1;
            if !attempts.foreign.contains(&name) {
                return self.scope(&name, Vec::new());
            }
        }
    }

    /// The scope of this name, with the supervisors that live.
    pub(super) fn find(&self, name: &str) -> Scope {
        let full = format!("{}/{name}", self.workspace);
        let roots = supervisors().into_iter().filter(|(_, scope)| *scope == full).filter_map(|(pid, _)| ProcessId::of(pid)).collect();
        self.scope(name, roots)
    }

    fn scope(&self, name: &str, roots: Vec<ProcessId>) -> Scope {
        let supervised = Supervised {
            full: format!("{}/{name}", self.workspace),
            mechanism: self.mechanism,
            program: self.program.clone(),
            roots: Mutex::new(roots),
        };
        Scope::new(name.to_owned(), Kind::Supervised(Arc::new(supervised)))
    }

    /// The names of all scopes that have a supervisor, or left somebody who bears their mark.
    pub(super) fn names(&self) -> Vec<String> {
        let prefix = format!("{}/", self.workspace);
        let mut names: Vec<String> = supervisors().into_iter().map(|(_, scope)| scope).collect();
        if self.mechanism == Mechanism::Subreaper {
            names.extend(table::pids().into_iter().filter_map(|pid| table::variable(pid, MARK)));
        }
        let names: BTreeSet<String> = names.into_iter().filter_map(|scope| scope.strip_prefix(&prefix).map(str::to_owned)).collect();
        names.into_iter().collect()
    }
}

/// All supervisors of this user, with the full names of their scopes. An init inside a namespace is not one.
fn supervisors() -> Vec<(u32, String)> {
    let own = rustix::process::geteuid().as_raw();
    let mine = |pid: &u32| std::fs::metadata(format!("/proc/{pid}")).is_ok_and(|meta| std::os::unix::fs::MetadataExt::uid(&meta) == own);
    let named = |pid: u32| match table::arguments(pid).as_slice() {
        [_, entry, scope, mode] if entry == ENTRY && mode != Mode::Init.word() => Some((pid, scope.clone())),
        _ => None,
    };
    table::pids().into_iter().filter(mine).filter_map(named).collect()
}

/// Whether this host lets this user make a PID namespace with its own `/proc`: tried, since nothing else tells.
pub(super) fn probe(program: &Path) -> bool {
    let stdio = || -> io::Result<[OwnedFd; 3]> { Ok([spawn::nothing()?, spawn::nothing()?, spawn::nothing()?]) };
    let Ok(probing) = stdio()
        .map_err(|error| SpawnError::other("open /dev/null", &error))
        .and_then(|stdio| spawn::start_own(program, &[ENTRY, PROBE, Mode::PidNamespace.word()], stdio))
    else {
        return false;
    };
    let ended = waitid(WaitId::PidFd(probing.handle.as_fd()), WaitIdOptions::EXITED);
    ended.is_ok_and(|status| status.is_some_and(|status| status.exit_status() == Some(0)))
}

/// One scope.
#[derive(Debug)]
pub(super) struct Supervised {
    full: String,
    mechanism: Mechanism,
    program: PathBuf,
    roots: Mutex<Vec<ProcessId>>,
}

impl Supervised {
    /// Starts a supervisor and, through it, the process.
    pub(super) fn spawn(&self, launch: &Launch) -> Result<Running, SpawnError> {
        // Refused here where it can be: the supervisor would only say the same later.
        user::resolve(launch)?;
        let mode = if self.mechanism == Mechanism::PidNamespace { Mode::PidNamespace } else { Mode::Subreaper };
        let lost = |error: io::Error| SpawnError::other("start the supervisor of a scope", &error);
        let (order_end, mut order_pipe) = io::pipe().map_err(lost)?;
        let (words, words_end) = io::pipe().map_err(lost)?;
        let stdio = [order_end.into(), words_end.into(), spawn::nothing().map_err(lost)?];
        let child = spawn::start_own_seeing(&self.program, &[ENTRY, &self.full, mode.word()], launch.view.as_ref(), stdio)?;
        let root = ProcessId::of(child.pid).ok_or_else(|| lost(io::ErrorKind::NotFound.into()))?;
        self.roots.lock().unwrap_or_else(PoisonError::into_inner).push(root.clone());

        let mut launch = launch.clone();
        launch.env.push((MARK.to_owned(), self.full.clone()));
        let mut order = serde_json::to_vec(&Order { launch }).map_err(|error| lost(error.into()))?;
        order.push(b'\n');
        order_pipe.write_all(&order).map_err(lost)?;
        drop(order_pipe);

        // One line and no more is read here: the supervisor says nothing further before the process ends, and that line is left to `wait`.
        let mut words = OneByte(words);
        let answer: Started = serde_json::from_str(&words.line().map_err(lost)?).map_err(|error| lost(error.into()))?;
        let inner = match answer {
            Started::Yes { pid } => pid,
            Started::No(error) => return Err(error),
        };
        let id = self.main(&root, inner);
        Running::supervised(id, child.handle, words.0.into()).map_err(lost)
    }

    /// The process's identity as we see it; the supervisor may know it by another number.
    fn main(&self, root: &ProcessId, inner: u32) -> ProcessId {
        let stat = match self.mechanism {
            Mechanism::PidNamespace => {
                let below = table::descendants(&[root.pid]);
                below.into_iter().find(|stat| table::inner_pid(stat.pid) == Some(inner))
            }
            _ => Stat::read(inner),
        };
        // A trivial command is gone before it can be looked at; then nobody is alive under this identity, which is right.
        let seen = stat.and_then(|stat| ProcessId::of(stat.pid).filter(|id| id.start == stat.start));
        seen.unwrap_or_else(|| ProcessId { pid: 0, start: 0, boot: boot_id().to_owned(), unique: None })
    }

    fn roots(&self) -> Vec<u32> {
        let mut roots = self.roots.lock().unwrap_or_else(PoisonError::into_inner);
        roots.retain(ProcessId::alive);
        roots.iter().map(|id| id.pid).collect()
    }

    /// The inits of our namespaces: the only children of their supervisors.
    fn inits(&self, roots: &[u32], below: &[Stat]) -> Vec<Stat> {
        let ours = |stat: &&Stat| self.mechanism == Mechanism::PidNamespace && roots.contains(&stat.parent);
        below.iter().filter(ours).copied().collect()
    }

    /// What runs in the scope, without its supervisors.
    pub(super) fn members(&self) -> Vec<Stat> {
        let roots = self.roots();
        let below = if roots.is_empty() { Vec::new() } else { table::descendants(&roots) };
        let inits = self.inits(&roots, &below);
        let mut members: Vec<Stat> = below.into_iter().filter(|stat| !inits.contains(stat)).collect();
        if self.mechanism == Mechanism::Subreaper {
            let marked =
                table::pids().into_iter().filter(|pid| table::variable(*pid, MARK).as_ref() == Some(&self.full)).filter_map(Stat::read);
            let known: HashSet<u32> = members.iter().map(|stat| stat.pid).collect();
            members.extend(marked.filter(|stat| !known.contains(&stat.pid)));
        }
        members.retain(|stat| !stat.dead());
        members
    }

    /// A supervisor ends after its last descendant: the kernel tells it, while our own look could miss one that moves on meanwhile.
    pub(super) fn is_empty(&self) -> bool {
        self.roots().is_empty() && self.members().is_empty()
    }

    pub(super) fn signal(&self, signal: Signal) -> Result<usize, ScopeError> {
        self.signal_each(&self.members(), signal)
    }

    fn signal_each(&self, stats: &[Stat], signal: Signal) -> Result<usize, ScopeError> {
        let mut reached = 0;
        for stat in stats {
            reached += usize::from(identity(stat).signal(signal).map_err(self.failed("signal a process of"))?);
        }
        Ok(reached)
    }

    /// Ends every member at once. In a namespace the kernel does it; otherwise they are stopped first, so that none starts another.
    pub(super) fn kill(&self) -> Result<(), ScopeError> {
        let roots = self.roots();
        if self.mechanism == Mechanism::PidNamespace {
            let inits = self.inits(&roots, &table::descendants(&roots));
            self.signal_each(&inits, Signal::KILL)?;
            return Ok(());
        }
        let mut stopped: HashSet<(u32, u64)> = HashSet::new();
        loop {
            let members = self.members();
            let news: Vec<Stat> = members.iter().filter(|stat| stopped.insert((stat.pid, stat.start))).copied().collect();
            if news.is_empty() {
                return self.signal_each(&members, Signal::KILL).map(|_| ());
            }
            self.signal_each(&news, Signal::STOP)?;
        }
    }

    /// Waits until members and supervisors are gone; false where the deadline came first.
    pub(super) fn wait_empty(&self, deadline: &Deadline) -> Result<bool, ScopeError> {
        loop {
            let roots = self.roots();
            let below = table::descendants(&roots);
            let inits = self.inits(&roots, &below);
            let mut awaited = self.members();
            // A supervisor with nobody below it is about to end. One that still has members may be waited for through them.
            if awaited.is_empty() {
                awaited.extend(inits);
                awaited.extend(roots.iter().filter_map(|pid| Stat::read(*pid)).filter(|stat| !stat.dead()));
            }
            if awaited.is_empty() {
                return Ok(true);
            }
            let handles: io::Result<Vec<_>> = awaited.iter().take(BATCH).map(|stat| identity(stat).open()).collect();
            let handles: Vec<_> = handles.map_err(self.failed("open a process of"))?.into_iter().flatten().collect();
            if !deadline.wait_exits(&handles).map_err(self.failed("wait for"))? {
                return Ok(self.is_empty());
            }
        }
    }

    fn failed(&self, step: &str) -> impl FnOnce(io::Error) -> ScopeError + use<> {
        let step = format!("{step} the scope {}", self.full);
        move |source| ScopeError { step, source }
    }
}

fn identity(stat: &Stat) -> ProcessId {
    ProcessId::seen(stat)
}

/// Reads a line without taking a byte of the next one.
struct OneByte(io::PipeReader);

impl OneByte {
    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        // A buffer of one byte cannot read ahead.
        BufReader::with_capacity(1, &mut self.0).read_line(&mut line)?;
        if line.is_empty() { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(line) }
    }
}
