//! The table of processes: what `/proc` says, read without trust in its staying true.

use std::collections::HashMap;
use std::fs;

use super::kernel_file;

/// A tick of the clock by which `/proc` counts, in microseconds: the same on all processors that sculpt is built for.
const TICK: u64 = 10_000;

/// What `/proc/PID/stat` says of one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stat {
    pub(super) pid: u32,
    pub(super) parent: u32,
    pub(super) start: u64,
    state: u8,
    threads: u64,
}

impl Stat {
    pub(super) fn read(pid: u32) -> Option<Self> {
        Self::parse(&kernel_file::read(&format!("/proc/{pid}/stat")).ok()?)
    }

    /// The name may hold spaces and brackets: fields are counted from its last bracket.
    fn parse(text: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(text);
        let (pid, _) = text.split_once(' ')?;
        let (_, rest) = text.rsplit_once(") ")?;
        let fields: Vec<&str> = rest.split(' ').collect();
        Some(Self {
            pid: pid.parse().ok()?,
            parent: fields.get(1)?.parse().ok()?,
            start: fields.get(19)?.parse().ok()?,
            state: *fields.first()?.as_bytes().first()?,
            threads: fields.get(17)?.parse().ok()?,
        })
    }

    /// How the process with this number and start has ended, as `wait` would tell; none where it runs, or is gone, or may not be looked into.
    pub(super) fn exit_status(pid: u32, start: u64) -> Option<i32> {
        let text = kernel_file::read(&format!("/proc/{pid}/stat")).ok()?;
        let found = Self::parse(&text).filter(|found| found.start == start && found.dead())?;
        // Field 52, counted as `parse` counts them.
        let text = String::from_utf8_lossy(&text);
        let status = text.rsplit_once(") ")?.1.trim_end().split(' ').nth(49)?.parse().ok()?;
        (status != 0 || is_ours(found.pid)).then_some(status)
    }

    /// A zombie does not run, unless other threads of it outlive the first.
    pub(super) fn dead(&self) -> bool {
        matches!(self.state, b'Z' | b'X') && self.threads <= 1
    }
}

/// Whether a process has our user and group in every respect: then nothing of it is hidden from us.
fn is_ours(pid: u32) -> bool {
    let status = kernel_file::read_text(&format!("/proc/{pid}/status")).unwrap_or_default();
    let all = |field: &str, ours: u32| {
        let ids = status.lines().find_map(|line| line.strip_prefix(field)).unwrap_or_default();
        !ids.is_empty() && ids.split_whitespace().all(|id| id.parse() == Ok(ours))
    };
    all("Uid:", rustix::process::geteuid().as_raw()) && all("Gid:", rustix::process::getegid().as_raw())
}

/// All process numbers of now.
pub(super) fn pids() -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// Everything below these processes, without themselves.
pub(super) fn descendants(roots: &[u32]) -> Vec<Stat> {
    let mut children: HashMap<u32, Vec<Stat>> = HashMap::new();
    for stat in pids().into_iter().filter_map(Stat::read) {
        children.entry(stat.parent).or_default().push(stat);
    }
    let mut found = Vec::new();
    let mut next = roots.to_vec();
    while let Some(parent) = next.pop() {
        for child in children.remove(&parent).unwrap_or_default() {
            next.push(child.pid);
            found.push(child);
        }
    }
    found
}

/// The arguments of a process; empty for a zombie, a kernel thread or one that is gone.
pub(super) fn arguments(pid: u32) -> Vec<String> {
    let bytes = kernel_file::read(&format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let bytes = bytes.strip_suffix(&[0]).unwrap_or(&bytes);
    if bytes.is_empty() { Vec::new() } else { bytes.split(|b| *b == 0).map(|a| String::from_utf8_lossy(a).into_owned()).collect() }
}

/// The command line as one text, or the kernel's short name in brackets where there is none.
pub(super) fn command_line(pid: u32) -> String {
    let arguments = arguments(pid);
    if arguments.is_empty() {
        let name = kernel_file::read_text(&format!("/proc/{pid}/comm")).unwrap_or_default();
        format!("[{}]", name.trim_end())
    } else {
        arguments.join(" ")
    }
}

/// A variable that the process was started with; none where its environment is not ours to read.
pub(super) fn variable(pid: u32, name: &str) -> Option<String> {
    let text = kernel_file::read(&format!("/proc/{pid}/environ")).ok()?;
    let value = text.split(|b| *b == 0).find_map(|entry| entry.strip_prefix(name.as_bytes())?.strip_prefix(b"="))?;
    Some(String::from_utf8_lossy(value).into_owned())
}

/// What a process has resident, in bytes; none where it is gone.
pub(super) fn resident(pid: u32) -> Option<u64> {
    let status = kernel_file::read_text(&format!("/proc/{pid}/status")).ok()?;
    let kib: u64 = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1024)
}

/// The processor time of a process and of those that it waited for, in microseconds; none where it is gone.
pub(super) fn cpu_time(pid: u32) -> Option<u64> {
    let text = kernel_file::read(&format!("/proc/{pid}/stat")).ok()?;
    let text = String::from_utf8_lossy(&text);
    // Fields 14 to 17, in ticks.
    let ticks: u64 = text.rsplit_once(") ")?.1.split(' ').skip(11).take(4).filter_map(|field| field.parse::<u64>().ok()).sum();
    Some(ticks * TICK)
}

/// The process's number in its innermost PID namespace.
pub(super) fn inner_pid(pid: u32) -> Option<u32> {
    let status = kernel_file::read_text(&format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("NSpid:"))?.split_whitespace().next_back()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_does_not_shift_the_fields() {
        let line = b"7 (a) S (b) Z 3 7 7 0 -1 4 0 0 0 0 0 0 0 0 20 0 1 0 991 0 0";
        let stat = Stat::parse(line).expect("a stat line");
        assert_eq!((stat.pid, stat.parent, stat.start, stat.dead()), (7, 3, 991, true));
    }

    #[test]
    fn this_process_is_below_its_parent() {
        let me = Stat::read(std::process::id()).expect("this process runs");
        assert!(descendants(&[me.parent]).iter().any(|stat| stat.pid == me.pid));
        assert!(!me.dead());
    }
}
