//! A set of processes with one owner: it is looked at and ended as a whole.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use rustix::process::Signal;
use serde::Serialize;

use super::cgroup::group::Group;
use super::deadline::Deadline;
use super::identity::ProcessId;
use super::supervised::Supervised;
use super::table::{self, Stat};
use super::usage::{Now, Usage};

/// A scope could not be made, looked at or ended. Nothing is known about its processes then.
#[derive(Debug, thiserror::Error)]
#[error("failed to {step}: {source}")]
pub struct ScopeError {
    pub(super) step: String,
    #[source]
    pub(super) source: io::Error,
}

/// A process that was seen in a scope.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Process {
    /// Which one.
    pub id: ProcessId,
    /// Its arguments, joined with blanks.
    pub command: String,
}

/// How often a look is repeated while the members change.
const LOOKS: usize = 256;

/// A set of processes with one owner.
#[derive(Clone, Debug)]
pub struct Scope {
    name: String,
    kind: Kind,
}

#[derive(Clone, Debug)]
pub(super) enum Kind {
    Group(Arc<Group>),
    Supervised(Arc<Supervised>),
}

impl Scope {
    pub(super) fn new(name: String, kind: Kind) -> Self {
        Self { name, kind }
    }

    pub(super) fn kind(&self) -> &Kind {
        &self.kind
    }

    /// The name under which any engine process of the workspace finds it again: `goal/aN` or `goal/r.phase.resource`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether nothing runs in it: never a false yes. Costs one small read of a control group; a supervisor without anybody below it still
    /// counts for the moment that it takes to end.
    pub fn is_empty(&self) -> Result<bool, ScopeError> {
        match &self.kind {
            Kind::Group(group) => group.is_empty(),
            Kind::Supervised(supervised) => Ok(supervised.is_empty()),
        }
    }

    /// What runs in it now. Zombies do not run.
    ///
    /// A member that ends between the list and the look at it may have started another one: then the look is repeated. An error if
    /// that never comes to rest; an empty answer is always true.
    pub fn look(&self) -> Result<Vec<Process>, ScopeError> {
        let mut seen = Vec::new();
        for _ in 0..LOOKS {
            let members = self.members()?;
            seen = members.iter().filter_map(|pid| Stat::read(*pid)).filter(|stat| !stat.dead()).map(process).collect();
            if seen.len() == members.len() && (!seen.is_empty() || self.is_empty()?) {
                return Ok(seen);
            }
            std::thread::yield_now();
        }
        if seen.is_empty() {
            Err(ScopeError { step: format!("look at {}", self.name), source: io::ErrorKind::TimedOut.into() })
        } else {
            Ok(seen)
        }
    }

    /// Whether this process is in it now.
    pub fn contains(&self, pid: u32) -> Result<bool, ScopeError> {
        Ok(self.members()?.contains(&pid))
    }

    /// What it used since it was taken, as far as this host counts it for the scope as a whole.
    pub fn usage(&self) -> Usage {
        match &self.kind {
            Kind::Group(group) => group.usage(),
            Kind::Supervised(_) => Usage::default(),
        }
    }

    /// What it uses now. One in which nothing runs uses nothing.
    pub fn now(&self) -> Result<Now, ScopeError> {
        let members = self.members()?;
        let resident = || members.iter().filter_map(|pid| table::resident(*pid)).sum();
        let counted = match &self.kind {
            Kind::Group(group) => group.memory(),
            Kind::Supervised(_) => None,
        };
        let usage = self.usage();
        // Where nobody counts for all of it, those that live have used at least so much.
        let spent = || members.iter().filter_map(|pid| table::cpu_time(*pid)).sum();
        let usage = Usage { cpu_time: Some(usage.cpu_time.unwrap_or_else(spent)), ..usage };
        let processes = u32::try_from(members.len()).unwrap_or(u32::MAX);
        Ok(Now { memory: Some(counted.unwrap_or_else(resident)), processes, usage })
    }

    pub(super) fn members(&self) -> Result<BTreeSet<u32>, ScopeError> {
        match &self.kind {
            Kind::Group(group) => group.members(),
            Kind::Supervised(supervised) => Ok(supervised.members().into_iter().map(|stat| stat.pid).collect()),
        }
    }

    pub(super) fn signal(&self, signal: Signal) -> Result<usize, ScopeError> {
        match &self.kind {
            Kind::Group(group) => group.signal(signal),
            Kind::Supervised(supervised) => supervised.signal(signal),
        }
    }

    pub(super) fn kill_members(&self) -> Result<(), ScopeError> {
        match &self.kind {
            Kind::Group(group) => group.kill(),
            Kind::Supervised(supervised) => supervised.kill(),
        }
    }

    pub(super) fn wait_empty(&self, deadline: &Deadline) -> Result<bool, ScopeError> {
        match &self.kind {
            Kind::Group(group) => group.wait_empty(deadline),
            Kind::Supervised(supervised) => supervised.wait_empty(deadline),
        }
    }
}

fn process(stat: Stat) -> Process {
    let id = ProcessId::seen(&stat);
    Process { id, command: table::command_line(stat.pid) }
}
