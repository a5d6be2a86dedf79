//! What is used in a control group that somebody else made: a container's, by its container engine. Looks, and one end: that of a process
//! which was started in it for us, with its children.
//!
//! | figure | version 2 | version 1 |
//! |---|---|---|
//! | peak of memory | `memory.peak`, from Linux 5.19 on | `memory.max_usage_in_bytes` |
//! | memory now, its limit | `memory.current`, `memory.max` | `memory.usage_in_bytes`, `memory.limit_in_bytes` |
//! | processor time | `cpu.stat`: `usage_usec` | `cpuacct.usage` |
//!
//! The group goes with its last process, and so do its figures: whoever wants them looks while it lives.

use std::io;
use std::path::{Path, PathBuf};

use rustix::process::Signal;

use super::cgroup::files;
use super::cgroup::hierarchy::{Hierarchies, Place};
use super::identity::{open_pid, send};
use super::limits::Limit;
use super::table::{self, Stat};
use super::usage::{Now, Usage};

/// What version 1 calls no limit: the largest number of bytes in whole pages.
const UNLIMITED: u64 = 1 << 62;

/// Kills a process and those that it has started, as far as they are in a group of this name: whoever has such a number otherwise is left.
/// Who belongs to a user whom we may not signal is left, too.
///
/// # Errors
/// Where one of them cannot be looked at or signalled.
pub fn kill_in(pid: u32, name: &str) -> io::Result<()> {
    // Of one that is not there itself, nobody is a child: not of 0, which stands for a number that nobody has told, either.
    if pid == 0 || ForeignGroup::of(pid, name).is_none() {
        return Ok(());
    }
    let all: Vec<(u32, u32)> = table::pids().into_iter().filter_map(|pid| Some((pid, Stat::read(pid)?.parent))).collect();
    let (mut family, mut next) = (vec![pid], 0);
    while let Some(parent) = family.get(next).copied() {
        family.extend(all.iter().filter(|(_, of)| *of == parent).map(|(child, _)| *child));
        next += 1;
    }
    family.into_iter().try_for_each(|pid| kill_one_in(pid, name).map(drop))
}

fn kill_one_in(pid: u32, name: &str) -> io::Result<bool> {
    // First the handle, then the look: what is found there is what is killed.
    let Some(process) = open_pid(pid)? else { return Ok(false) };
    if ForeignGroup::of(pid, name).is_none() {
        return Ok(false);
    }
    send(&process, Signal::KILL)
}

/// A control group that somebody else made, for itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignGroup {
    /// Where its memory is counted.
    memory: Option<PathBuf>,
    /// Where its processor time is.
    cpu: Option<PathBuf>,
}

impl ForeignGroup {
    /// The group of a process, where its path carries this name: a hierarchy in which the process has none of its own tells nothing of it.
    /// None where there is no such hierarchy, or it cannot be seen from here.
    pub fn of(pid: u32, name: &str) -> Option<Self> {
        Self::among(&Hierarchies::of(pid), name)
    }

    fn among(found: &Hierarchies, name: &str) -> Option<Self> {
        let own = |place: Option<&Place>| place.map(|place| place.here.clone()).filter(|dir| dir.to_string_lossy().contains(name));
        let v1 = found.limits.iter().find(|(limit, _)| *limit == Limit::Memory).map(|(_, place)| place);
        let group = Self {
            memory: own(v1).or_else(|| own(found.v2.as_ref())),
            cpu: own(found.cpuacct.as_ref()).or_else(|| own(found.v2.as_ref())),
        };
        (group.memory.is_some() || group.cpu.is_some()).then_some(group)
    }

    /// What is used in it now, and was up to now. None once it is gone.
    pub fn now(&self) -> Option<Now> {
        let memory = |names: [&str; 2]| names.iter().find_map(|name| files::number(&self.memory.as_ref()?.join(name)));
        let processes = files::processes(self.memory.as_ref().or(self.cpu.as_ref())?).ok()?.len();
        if processes == 0 {
            return None;
        }
        Some(Now {
            memory: memory(["memory.usage_in_bytes", "memory.current"]),
            processes: u32::try_from(processes).unwrap_or(u32::MAX),
            usage: Usage {
                peak_memory: memory(["memory.max_usage_in_bytes", "memory.peak"]),
                largest_process: false,
                cpu_time: self.cpu.as_deref().and_then(cpu_time),
                oom_kills: self.kills(),
                oom_kills_around: 0,
            },
        })
    }

    /// How many in it the kernel has killed for want of memory, whoever's limit that was.
    fn kills(&self) -> u32 {
        let dir = self.memory.as_deref();
        let kills = dir
            .and_then(|dir| ["memory.oom_control", "memory.events"].iter().find_map(|name| files::numbered(&dir.join(name), "oom_kill")));
        u32::try_from(kills.unwrap_or_default()).unwrap_or(u32::MAX)
    }

    /// The most memory that it may use, in bytes; none where it is not limited.
    pub fn memory_limit(&self) -> Option<u64> {
        limit_of(self.memory.as_deref()?)
    }

    /// The least that any group around it may use, in bytes; none where none of them is limited.
    pub fn memory_limit_around(&self) -> Option<u64> {
        self.memory.as_deref()?.ancestors().skip(1).filter_map(limit_of).min()
    }
}

fn limit_of(dir: &Path) -> Option<u64> {
    let limit = ["memory.limit_in_bytes", "memory.max"].iter().find_map(|name| files::number(&dir.join(name)));
    limit.filter(|limit| *limit < UNLIMITED)
}

/// In microseconds.
fn cpu_time(dir: &Path) -> Option<u64> {
    let v1 = files::number(&dir.join("cpuacct.usage")).map(|nanos| nanos / 1_000);
    v1.or_else(|| files::numbered(&dir.join("cpu.stat"), "usage_usec"))
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test lays out its own groups")]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the test starts and places what is killed")]
    fn whoever_is_killed_inside_is_the_one_that_was_named_with_its_children() {
        let Some(place) = Hierarchies::read().v2 else { return };
        let name = format!("sculpt-test-inside-{}", std::process::id());
        let group = place.here.join(&name);
        // Only who may write control groups has anything to test here.
        if files::make(&group).is_err() {
            return;
        }
        let start = || {
            let script = "read go; sleep 86400 & echo up; wait";
            let mut command = std::process::Command::new("/bin/sh");
            let piped = command.args(["-c", script]).stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
            let mut child = piped.spawn().expect("a start");
            files::write(&group.join("cgroup.procs"), &child.id().to_string()).expect("a member");
            std::io::Write::write_all(child.stdin.as_mut().expect("a pipe"), b"go\n").expect("a line");
            let mut up = String::new();
            std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.as_mut().expect("a pipe")), &mut up).expect("a line");
            child
        };
        let (mut main, mut asks) = (start(), start());
        let members = || files::processes(&group).expect("a look");
        kill_in(0, &name).expect("nothing to do");
        kill_in(1, &name).expect("nothing to do");
        kill_in(asks.id(), "another").expect("nothing to do");
        assert_eq!(members().len(), 4);
        kill_in(asks.id(), &name).expect("an end");
        asks.wait().expect("its end");
        while members().len() > 2 {
            std::thread::yield_now();
        }
        assert!(members().contains(&main.id()), "the other one and its child live on");
        kill_in(main.id(), &name).expect("an end");
        main.wait().expect("its end");
        while !members().is_empty() {
            std::thread::yield_now();
        }
        while std::fs::remove_dir(&group).is_err() {
            std::thread::yield_now();
        }
    }

    /// A directory with files of these contents.
    fn laid_out(name: &str, entries: &[(&str, &str)]) -> (tempfile::TempDir, Place) {
        let mount = tempfile::tempdir().expect("a folder");
        let here = mount.path().join(name);
        std::fs::create_dir_all(&here).expect("a folder");
        for (file, text) in entries {
            std::fs::write(here.join(file), text).expect("a file");
        }
        let place = Place { mount: mount.path().to_owned(), here };
        (mount, place)
    }

    #[test]
    fn version_2_counts_all_in_one_group() {
        let files = [
            ("memory.peak", "70\n"),
            ("memory.current", "50\n"),
            ("memory.max", "100\n"),
            ("cgroup.procs", "7\n8\n"),
            ("cpu.stat", "usage_usec 9000\nuser_usec 1\n"),
        ];
        let (_mount, place) = laid_out("system.slice/docker-abc.scope", &files);
        let found = Hierarchies { v2: Some(place), ..Hierarchies::default() };
        let group = ForeignGroup::among(&found, "abc").expect("a group");
        let now = group.now().expect("it is there");
        assert_eq!((now.memory, now.processes, now.usage.peak_memory, now.usage.cpu_time), (Some(50), 2, Some(70), Some(9000)));
        assert_eq!(group.memory_limit(), Some(100));
        assert_eq!(ForeignGroup::among(&found, "other"), None, "a group of somebody else tells nothing");
    }

    #[test]
    fn version_1_counts_beside_a_version_2_that_has_no_group_of_its_own() {
        let memory = [
            ("memory.max_usage_in_bytes", "70\n"),
            ("memory.usage_in_bytes", "50\n"),
            ("memory.limit_in_bytes", "9223372036854771712\n"),
            ("memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n"),
            ("cgroup.procs", "7\n"),
        ];
        let (memory_folder, at_memory) = laid_out("docker/abc", &memory);
        let (cpu_folder, at_cpu) = laid_out("docker/abc", &[("cpuacct.usage", "9000000\n")]);
        let (_v2, at_root) = laid_out("", &[("cpu.stat", "usage_usec 1\n")]);
        let found =
            Hierarchies { v2: Some(at_root), cpuacct: Some(at_cpu), limits: vec![(Limit::Memory, at_memory)], ..Hierarchies::default() };
        let group = ForeignGroup::among(&found, "abc").expect("a group");
        let now = group.now().expect("it is there");
        assert_eq!((now.memory, now.processes, now.usage.peak_memory, now.usage.cpu_time), (Some(50), 1, Some(70), Some(9000)));
        assert_eq!((group.memory_limit(), group.memory_limit_around(), now.usage.oom_kills), (None, None, 3));
        drop((memory_folder, cpu_folder));
        assert_eq!(group.now(), None, "it is gone");
    }
}
