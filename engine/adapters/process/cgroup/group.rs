//! One group of processes: joined before exec, ended as a whole, and looked at.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rustix::process::Signal;

use super::files::{self, failed};
use super::meter::Meter;
use super::shared::Kills;
use crate::adapters::process::clone::{Membership, lives_in};
use crate::adapters::process::deadline::Deadline;
use crate::adapters::process::identity::{open_pid, send};
use crate::adapters::process::limits::Limit;
use crate::adapters::process::scope::ScopeError;
use crate::base::time::Span;

/// How many handles on processes are held at once: far below the usual limit of 1024 open files.
pub(in super::super) const BATCH: usize = 256;

/// How long a group may take to freeze.
const FREEZE_LIMIT: Span = Span::seconds(1);

/// Which kernel interface ends the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Version {
    /// Version 2: events and freezing; `cgroup.kill` where the kernel has it.
    V2,
    /// Version 1: the freezer.
    V1,
}

/// A directory of a version 1 controller (or of version 2's own) that limits the members, or counts what they use.
#[derive(Clone, Debug)]
pub(in super::super) struct Limited {
    pub(in super::super) limit: Limit,
    pub(in super::super) dir: PathBuf,
    /// Where a process joins; none where joining the group itself is enough.
    pub(in super::super) procs: Option<Arc<File>>,
}

/// One group. It lives until it is removed, not until this value is dropped.
#[derive(Debug)]
pub(in super::super) struct Group {
    dir: PathBuf,
    version: Version,
    /// Where a process is born, in version 2.
    folder: Option<Arc<File>>,
    /// True once it may have been killed as a whole: some kernels (6.14 and later) then kill whatever is born in it, ever after.
    killed: AtomicBool,
    /// Where one moves to that was born elsewhere.
    procs: OnceLock<Arc<File>>,
    /// The events of version 2, read often.
    events: OnceLock<File>,
    limited: Mutex<Vec<Limited>>,
    meter: Meter,
    /// What its goal counts for all of it.
    kills: OnceLock<Arc<Kills>>,
}

impl Group {
    /// Makes or takes the group of this directory.
    pub(super) fn open(dir: PathBuf, version: Version) -> Result<Self, ScopeError> {
        let is_new = files::make(&dir).map_err(failed("make the group", &dir))?;
        Self::at(dir, version, is_new)
    }

    /// The group of this directory; none where there is none. Whoever only looks makes nothing: its owner may be removing it.
    pub(super) fn existing(dir: PathBuf, version: Version) -> Result<Option<Self>, ScopeError> {
        let found = Self::at(dir, version, false);
        if found.as_ref().is_err_and(|error| is_gone(&error.source)) { Ok(None) } else { found.map(Some) }
    }

    fn at(dir: PathBuf, version: Version, is_new: bool) -> Result<Self, ScopeError> {
        let folder = match version {
            Version::V2 => Some(Arc::new(File::open(&dir).map_err(failed("open", &dir))?)),
            Version::V1 => None,
        };
        // Whoever made it before us may have killed it, and has used something in it.
        let (killed, meter) = (AtomicBool::new(!is_new), Meter::of(is_new.then_some(0)));
        Ok(Self {
            dir,
            version,
            folder,
            killed,
            procs: OnceLock::new(),
            events: OnceLock::new(),
            limited: Mutex::default(),
            meter,
            kills: OnceLock::new(),
        })
    }

    pub(in super::super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Adds what limits the members; before any is started.
    pub(super) fn limit(&self, limited: Vec<Limited>) {
        let mut all = self.limited.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|known| limited.iter().all(|new| new.dir != known.dir));
        all.extend(limited);
    }

    /// Who of the goal is killed for want of memory is counted there, and not for each of its groups.
    pub(super) fn share_kills(&self, kills: Arc<Kills>) {
        // Whoever set it before has set the same.
        drop(self.kills.set(kills));
    }

    /// How often that was by now, whoever of the goal it was.
    pub(super) fn kills_of_goal(&self) -> u64 {
        self.kills.get().map(|kills| kills.count()).unwrap_or_default()
    }

    pub(super) fn limited(&self) -> Vec<Limited> {
        self.limited.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Those of them that are this group's alone, and not its goal's: they are named as it is, and go with it.
    pub(super) fn own(&self) -> Vec<Limited> {
        let mut limited = self.limited();
        limited.retain(|limited| limited.dir.file_name() == self.dir.file_name());
        limited
    }

    pub(super) const fn version(&self) -> Version {
        self.version
    }

    pub(super) const fn meter(&self) -> &Meter {
        &self.meter
    }

    /// How a process becomes a member.
    pub(in super::super) fn membership(&self) -> io::Result<Membership> {
        let procs = if let Some(procs) = self.procs.get() {
            Arc::clone(procs)
        } else {
            let opened = Arc::new(files::open_for_writing(&self.dir.join("cgroup.procs"))?);
            Arc::clone(self.procs.get_or_init(|| opened))
        };
        Ok(Membership {
            folder: self.folder.clone().filter(|folder| !self.killed.load(Ordering::Relaxed) && can_be_born(folder)),
            procs,
            limits: innermost(&self.limited()).into_iter().filter_map(|limited| limited.procs).collect(),
        })
    }

    pub(in super::super) fn members(&self) -> Result<BTreeSet<u32>, ScopeError> {
        files::processes(&self.dir).map_err(failed("read the members of", &self.dir))
    }

    pub(in super::super) fn is_empty(&self) -> Result<bool, ScopeError> {
        match self.version {
            Version::V1 => Ok(self.members()?.is_empty()),
            Version::V2 => match self.read_events() {
                Ok(empty) => Ok(empty),
                Err(error) if is_gone(&error) => Ok(true),
                Err(error) => Err(failed("read the events of", &self.dir)(error)),
            },
        }
    }

    /// Whether its events say that nobody is in it. An open file of theirs ends with the group, though another of its name may be there.
    fn read_events(&self) -> io::Result<bool> {
        let mut text = [0; 128];
        if let Some(events) = self.events.get() {
            match events.read_at(&mut text, 0) {
                Ok(length) => return Ok(unpopulated(&String::from_utf8_lossy(&text[..length]))),
                Err(error) if is_gone(&error) => {}
                Err(error) => return Err(error),
            }
        }
        let events = File::open(self.dir.join("cgroup.events"))?;
        let length = events.read_at(&mut text, 0)?;
        // Where another thread was faster, its file serves as well.
        drop(self.events.set(events));
        Ok(unpopulated(&String::from_utf8_lossy(&text[..length])))
    }

    /// Waits until nobody is in it; false where the deadline came first.
    pub(in super::super) fn wait_empty(&self, deadline: &Deadline) -> Result<bool, ScopeError> {
        match self.version {
            Version::V2 => self.wait_events(deadline).map_err(failed("wait for the events of", &self.dir)),
            Version::V1 => loop {
                let members = self.members()?;
                if members.is_empty() {
                    return Ok(true);
                }
                let handles: io::Result<Vec<_>> = members.iter().take(BATCH).map(|pid| open_pid(*pid)).collect();
                let handles: Vec<_> = handles.map_err(failed("open the members of", &self.dir))?.into_iter().flatten().collect();
                if !deadline.wait_exits(&handles).map_err(failed("wait for the members of", &self.dir))? {
                    return self.is_empty();
                }
            },
        }
    }

    /// Its own open file: the kernel remembers per open file which change was seen.
    fn wait_events(&self, deadline: &Deadline) -> io::Result<bool> {
        let path = self.dir.join("cgroup.events");
        let events = match File::open(&path) {
            Ok(events) => events,
            Err(error) if is_gone(&error) => return Ok(true),
            Err(error) => return Err(error),
        };
        let mut text = [0; 128];
        loop {
            let length = match events.read_at(&mut text, 0) {
                Ok(length) => length,
                // Whoever saw it empty first has removed it.
                Err(error) if is_gone(&error) => return Ok(true),
                Err(error) => return Err(error),
            };
            if unpopulated(&String::from_utf8_lossy(&text[..length])) {
                return Ok(true);
            }
            if !deadline.wait_change(events.as_fd())? {
                return Ok(false);
            }
        }
    }

    /// Sends a signal to every member, and to nobody else; the number of those reached.
    pub(in super::super) fn signal(&self, signal: Signal) -> Result<usize, ScopeError> {
        let all: Vec<u32> = self.members()?.into_iter().collect();
        let mut reached = 0;
        for batch in all.chunks(BATCH) {
            let mut handles = Vec::with_capacity(batch.len());
            for pid in batch {
                handles.extend(open_pid(*pid).map_err(failed("open a member of", &self.dir))?.map(|handle| (*pid, handle)));
            }
            // A number may have passed to a stranger before its handle was opened: only who is a member now is ours.
            let members = self.members()?;
            for (_, handle) in handles.iter().filter(|(pid, _)| members.contains(pid)) {
                reached += usize::from(send(handle, signal).map_err(failed("signal a member of", &self.dir))?);
            }
        }
        Ok(reached)
    }

    /// Ends every member at once. It is not waited for.
    pub(in super::super) fn kill(&self) -> Result<(), ScopeError> {
        self.killed.store(true, Ordering::Relaxed);
        let kill = self.dir.join("cgroup.kill");
        match self.version {
            Version::V2 => match files::write(&kill, "1") {
                Ok(()) => Ok(()),
                // Before Linux 5.14, or the group is gone.
                Err(error) if error.kind() == io::ErrorKind::NotFound => self.freeze_and_kill("cgroup.freeze", "1", "0"),
                Err(error) => Err(failed("write", &kill)(error)),
            },
            Version::V1 => self.freeze_and_kill("freezer.state", "FROZEN", "THAWED"),
        }
    }

    /// Frozen members cannot start others while they are signalled one by one.
    fn freeze_and_kill(&self, file: &str, frozen: &str, thawed: &str) -> Result<(), ScopeError> {
        if !self.dir.exists() {
            return Ok(());
        }
        let path = self.dir.join(file);
        files::write(&path, frozen).map_err(failed("freeze", &path))?;
        // One that hangs in the kernel does not freeze: it does not fork either.
        let patience = Deadline::after(FREEZE_LIMIT);
        // Freezing takes effect as each member next enters the kernel; one that forks meanwhile is found by the next round.
        let killed = loop {
            match self.signal(Signal::KILL) {
                Ok(_) if patience.over() || self.frozen()? => break self.signal(Signal::KILL).map(|_| ()),
                Ok(_) => std::thread::yield_now(),
                Err(error) => break Err(error),
            }
        };
        files::write(&path, thawed).map_err(failed("thaw", &path))?;
        killed
    }

    fn frozen(&self) -> Result<bool, ScopeError> {
        let (file, word) = match self.version {
            Version::V1 => ("freezer.state", "FROZEN"),
            Version::V2 => ("cgroup.events", "frozen 1"),
        };
        let text = fs::read_to_string(self.dir.join(file)).map_err(failed("read the state of", &self.dir))?;
        // Killed members leave a frozen group of version 2: then there is nobody left to freeze.
        Ok(text.lines().any(|line| line == word) || self.members()?.is_empty())
    }

    /// Removes the group and its limits; an error while somebody is in it.
    pub(in super::super) fn remove(&self) -> Result<(), ScopeError> {
        files::remove(&self.dir).map_err(failed("remove the group", &self.dir))?;
        // The goal's own limits stay: others are in them.
        for limited in self.own() {
            files::remove(&limited.dir).map_err(failed("remove the group", &limited.dir))?;
        }
        Ok(())
    }
}

/// Without those that others of them are inside of: who joins the inner one is in the outer one too.
fn innermost(limited: &[Limited]) -> Vec<Limited> {
    let inside = |outer: &Limited| limited.iter().any(|inner| inner.dir != outer.dir && inner.dir.starts_with(&outer.dir));
    limited.iter().filter(|limited| !inside(limited)).cloned().collect()
}

/// Whether processes can be born in groups that were never killed. It is tried once: in which group we are ourselves does not change.
fn can_be_born(folder: &File) -> bool {
    static CAN: OnceLock<bool> = OnceLock::new();
    *CAN.get_or_init(|| lives_in(folder))
}

/// A file, or its group, is not there any more.
fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(libc::ENODEV)
}

fn unpopulated(events: &str) -> bool {
    events.lines().any(|line| line == "populated 0")
}

#[cfg(test)]
mod tests {
    use super::super::hierarchy::Hierarchies;
    use super::*;
    use crate::adapters::process::launch::Launch;
    use crate::adapters::process::spawn;

    /// Linux before 5.14 has no `cgroup.kill`; this one has, and must end the group without it all the same.
    #[test]
    fn freezing_ends_a_group_of_version_2() {
        let Some(place) = Hierarchies::read().v2 else { return };
        let dir = place.here.join(format!("sculpt-test-{}", std::process::id()));
        // Only who may write control groups has anything to test here.
        let Ok(group) = Group::open(dir, Version::V2) else { return };
        let script = "i=0; while [ $i -lt 50 ]; do (sleep 86400 &); i=$((i+1)); done; wait";
        let started = spawn::start(&launch(script), None, group.membership().ok()).expect("a start");
        while group.members().expect("a look").len() < 20 {
            std::thread::yield_now();
        }
        group.freeze_and_kill("cgroup.freeze", "1", "0").expect("an end");
        assert!(group.wait_empty(&Deadline::after(Span::seconds(30))).expect("a wait"));
        assert!(Deadline::after(Span::seconds(30)).wait_exits(&[started.handle]).expect("a wait"));
        group.remove().expect("a removal");
    }

    fn launch(script: &str) -> Launch {
        Launch {
            argv: ["/bin/sh", "-c", script].map(str::to_owned).to_vec(),
            env: Vec::new(),
            cwd: "/".into(),
            user: None,
            group: None,
            files: None,
            view: None,
            stdout: "/dev/null".into(),
            stderr: "/dev/null".into(),
        }
    }

    #[test]
    fn one_that_cannot_be_born_in_its_group_moves_there_before_its_program() {
        let Some(place) = Hierarchies::read().v2 else { return };
        let dir = place.here.join(format!("sculpt-test-older-{}", std::process::id()));
        let Ok(group) = Group::open(dir, Version::V2) else { return };
        let mut membership = group.membership().expect("a membership");
        for folder in [membership.folder.clone(), File::open("/").ok().map(Arc::new), None] {
            // The kernel refuses what is no group, as an older one refuses all of it.
            membership.folder = folder;
            let membership = Membership { folder: membership.folder.clone(), procs: Arc::clone(&membership.procs), limits: Vec::new() };
            let started = spawn::start(&launch("exec sleep 86400"), None, Some(membership)).expect("a start");
            assert_eq!(group.members().expect("a look"), BTreeSet::from([started.pid]));
            group.kill().expect("an end");
            assert!(Deadline::after(Span::seconds(30)).wait_exits(&[started.handle]).expect("a wait"));
            assert!(group.wait_empty(&Deadline::after(Span::seconds(30))).expect("a wait"));
        }
        group.remove().expect("a removal");
    }
}
