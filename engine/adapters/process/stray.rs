//! Processes that left every scope: found among those that are new, by what they carry or what they descend from.
//!
//! | a new process                                                | is                       |
//! |---------------------------------------------------------------|--------------------------|
//! | in a scope of this workspace                                  | nobody's business here   |
//! | below a tmux server or a screen session                       | of that terminal         |
//! | carries the attempt's mark in its environment                 | a marked process         |
//! | anything else                                                 | a stranger's, not listed |
//!
//! The kernel hands out process numbers in order, so that the new ones are those behind the number that was the last before. That costs
//! one small read a look, and not a walk over all that runs.

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;

use super::containment::Containment;
use super::deadline::Deadline;
use super::identity::{boot_id, open_pid};
use super::kernel_file;
use super::mechanism::Mechanism;
use super::scope_init::ENTRY;
use super::table::{self, Stat};
use crate::base::time::{Span, Timestamp};

/// Up to so many numbers are looked at one by one; of more, only those that the table lists.
const ONE_BY_ONE: u32 = 512;

/// Ticks a second in `/proc`, which is `USER_HZ`: 100 on every architecture but the extinct ones.
const TICKS: u64 = 100;

/// How often it is looked whether a pane's program has begun, two milliseconds apart.
const BEGINS: u32 = 25;

/// How many parents are followed upwards at most.
const GENERATIONS: usize = 64;

/// The last process number that the kernel gave when somebody looked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastPid(u32);

impl LastPid {
    /// The last number that was given until now; none where `/proc/loadavg` does not say (its fifth field, proc(5)).
    pub fn now() -> Option<Self> {
        let text = kernel_file::read_text("/proc/loadavg").ok()?;
        text.split_whitespace().nth(4)?.parse().ok().map(Self)
    }
}

/// Below what a stray runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Terminal {
    /// A tmux server.
    Tmux,
    /// A screen session.
    Screen,
}

/// A new process that runs in no scope of the workspace.
#[derive(Clone, Debug)]
pub struct Found {
    /// Its number.
    pub pid: u32,
    /// Its start in clock ticks since boot.
    pub start: u64,
    /// The boot that it belongs to.
    pub boot: String,
    /// When that was.
    pub when: Timestamp,
    /// Its command line.
    pub command: String,
    /// Its working directory, where it may be looked into.
    pub cwd: Option<PathBuf>,
    /// The terminal's server that it descends from.
    pub terminal: Option<Terminal>,
    /// What it was started with.
    pub environment: Environment,
    parent: u32,
}

/// The environment that a process was started with; empty where it is not ours to read.
#[derive(Clone, Debug)]
pub struct Environment(Vec<u8>);

impl Environment {
    /// The value of a variable in it.
    pub fn variable(&self, name: &str) -> Option<String> {
        let mut entries = self.0.split(|byte| *byte == 0);
        let value = entries.find_map(|entry| entry.strip_prefix(name.as_bytes())?.strip_prefix(b"="))?;
        Some(String::from_utf8_lossy(value).into_owned())
    }
}

impl Found {
    /// The process with this number, if it is below a terminal's server or wanted, and neither has ended, is held by the workspace, nor
    /// only is a thread of another. What tells most of them apart by the least is asked first: a busy host has many that are new.
    fn look(pid: u32, containment: &Containment, wanted: impl Fn(&Environment) -> bool) -> Option<Self> {
        if pid == std::process::id() || containment.holds(pid) {
            return None;
        }
        let stat = Stat::read(pid).filter(|stat| !stat.dead())?;
        until_begun(&stat);
        let environment = Environment(kernel_file::read(&format!("/proc/{pid}/environ")).unwrap_or_default());
        let terminal = terminal_above(&stat);
        if (terminal.is_none() && !wanted(&environment)) || containment.supervises(pid) || is_thread(pid) {
            return None;
        }
        let cwd = fs::read_link(format!("/proc/{pid}/cwd")).ok();
        let command = table::command_line(pid);
        // Whoever has the number after all these looks had it during them.
        Stat::read(pid).filter(|again| again.start == stat.start)?;
        let (boot, when) = (boot_id().to_owned(), started(stat.start));
        Some(Self { pid, start: stat.start, boot, when, command, cwd, terminal, environment, parent: stat.parent })
    }
}

/// The processes that are new since then, run in no scope of the workspace, and are below a terminal's server or `wanted` for what their
/// environment says. Of those that descend from each other only the first is given.
pub fn strays(since: LastPid, containment: &Containment, wanted: impl Fn(&Environment) -> bool) -> Vec<Found> {
    let Some(LastPid(last)) = LastPid::now() else { return Vec::new() };
    let LastPid(since) = since;
    let found: Vec<Found> = new_pids(since, last).into_iter().filter_map(|pid| Found::look(pid, containment, &wanted)).collect();
    let all: HashSet<u32> = found.iter().map(|found| found.pid).collect();
    found.into_iter().filter(|found| !all.contains(&found.parent)).collect()
}

fn new_pids(since: u32, last: u32) -> Vec<u32> {
    match last.checked_sub(since) {
        Some(0) => Vec::new(),
        // Whether it is there at all, the look at it says.
        Some(new) if new <= ONE_BY_ONE => (since + 1..=last).collect(),
        Some(_) => table::pids().into_iter().filter(|pid| (since + 1..=last).contains(pid)).collect(),
        // The numbers have begun anew from below.
        None => table::pids().into_iter().filter(|pid| *pid > since || *pid <= last).collect(),
    }
}

/// Waits until a terminal's server, of which this may be the child, has begun the program of the pane: before that it looks like the server
/// itself, and what tells the pane is not there yet. That is a matter of microseconds where the host is not busy.
fn until_begun(stat: &Stat) {
    let is_server = |pid: u32| terminal_of(pid).is_some();
    for _ in 0..BEGINS {
        if !is_server(stat.pid) || !is_server(stat.parent) {
            return;
        }
        let Ok(Some(process)) = open_pid(stat.pid) else { return };
        // Its end is as good; that it cannot be waited for is no reason to look away.
        drop(Deadline::after(Span(2)).wait_exits(&[process]));
    }
}

/// The table has a place for each thread too, though it does not list them.
fn is_thread(pid: u32) -> bool {
    let status = kernel_file::read_text(&format!("/proc/{pid}/status")).unwrap_or_default();
    let group: Option<u32> = status.lines().find_map(|line| line.strip_prefix("Tgid:")).and_then(|group| group.trim().parse().ok());
    group.is_some_and(|group| group != pid)
}

/// The terminal's server that a process descends from, the nearest one.
fn terminal_above(stat: &Stat) -> Option<Terminal> {
    ancestors(stat.pid).find_map(terminal_of)
}

/// The terminal whose server a process is.
fn terminal_of(pid: u32) -> Option<Terminal> {
    let name = kernel_file::read_text(&format!("/proc/{pid}/comm")).ok()?;
    match name.trim_end() {
        "tmux: server" => Some(Terminal::Tmux),
        "screen" | "SCREEN" => Some(Terminal::Screen),
        _ => None,
    }
}

/// The parents of a process, the nearest one first.
fn ancestors(pid: u32) -> impl Iterator<Item = u32> {
    let parent = |pid: &u32| Stat::read(*pid).map(|stat| stat.parent).filter(|parent| *parent != 0);
    std::iter::successors(Some(pid), parent).skip(1).take(GENERATIONS)
}

/// When a process with this start began.
fn started(ticks: u64) -> Timestamp {
    let text = kernel_file::read_text("/proc/stat").unwrap_or_default();
    let boot: u64 = text.lines().find_map(|line| line.strip_prefix("btime ")).and_then(|time| time.trim().parse().ok()).unwrap_or(0);
    Timestamp(boot * 1000 + ticks * 1000 / TICKS)
}

impl Containment {
    /// Whether a process is in a control group of this workspace now.
    fn holds(&self, pid: u32) -> bool {
        let groups = kernel_file::read_text(&format!("/proc/{pid}/cgroup")).unwrap_or_default();
        // Beside version 2, groups of version 1 only limit: who has left the one that is killed as a whole is not held by them.
        let kills = |line: &&str| self.report().mechanism != Mechanism::CgroupV2 || line.starts_with("0::");
        groups.lines().filter(kills).any(|line| line.split('/').any(|part| part == self.workspace()))
    }

    /// Whether a process runs in a scope of this workspace that has no group.
    fn supervises(&self, pid: u32) -> bool {
        let prefix = format!("{}/", self.workspace());
        let supervises = |pid: u32| {
            let arguments = table::arguments(pid);
            matches!(arguments.as_slice(), [_, entry, scope, ..] if entry == ENTRY && scope.starts_with(&prefix))
        };
        supervises(pid) || ancestors(pid).any(supervises)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_begin_anew_are_followed() {
        let me = std::process::id();
        let LastPid(last) = LastPid::now().expect("Linux says so");
        assert!(new_pids(me - 1, last).contains(&me), "one of a few or of many, it is listed");
        assert!(!new_pids(me, me).contains(&me));
        assert!(new_pids(u32::MAX, me).contains(&me), "the numbers began anew below this one");
        assert!(!new_pids(u32::MAX, me - 1).contains(&me));
    }

    #[test]
    fn a_thread_is_no_process() {
        let handle = std::thread::spawn(|| rustix::thread::gettid().as_raw_nonzero().get().unsigned_abs());
        assert!(!is_thread(std::process::id()));
        // This test's own thread, too, is one of many.
        let own = rustix::thread::gettid().as_raw_nonzero().get().unsigned_abs();
        assert!(is_thread(own) || own == std::process::id());
        assert_ne!(handle.join().expect("a thread"), std::process::id());
    }

    #[test]
    fn the_start_of_a_process_is_a_time() {
        let me = Stat::read(std::process::id()).expect("this process runs");
        let file = std::fs::metadata("/proc/self/stat").and_then(|meta| meta.modified()).expect("Linux");
        let now = file.duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_millis();
        let age = now.abs_diff(u128::from(started(me.start).0));
        assert!(age < 3_600_000, "{age} ms");
    }
}
