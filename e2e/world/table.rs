//! An independent look at the table of processes: by arguments, environment, working directory and control group.
//! What the program says of itself is not asked.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A process as `/proc` shows it.
#[derive(Clone)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    pub(crate) arguments: String,
    environment: String,
    folder: PathBuf,
    group: String,
}

impl std::fmt::Debug for Process {
    /// Without the environment: it may hold what is nobody's business.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} `{}` in {} ({})",
            self.pid,
            self.arguments.trim_end(),
            self.folder.display(),
            self.group.trim_end().replace('\n', " ")
        )
    }
}

impl Process {
    /// Whether it is the supervisor of the workspace in this folder.
    pub(crate) fn supervises(&self, root: &Path) -> bool {
        let root = root.canonicalize().unwrap_or_else(|_| root.to_owned());
        let arguments: Vec<&str> = self.arguments.split_ascii_whitespace().collect();
        matches!(arguments[..], [_, "-C", place, "supervise", ..] if Path::new(place) == root) || {
            matches!(arguments[..], [_, "supervise"]) && self.folder == root
        }
    }
}

/// All processes that run. A zombie does not run, whatever it still shows.
pub(crate) fn processes() -> Vec<Process> {
    let pids = fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(look).collect()
}

fn look(pid: u32) -> Option<Process> {
    let file = |name: &str| fs::read(format!("/proc/{pid}/{name}")).map(|bytes| String::from_utf8_lossy(&bytes).replace('\0', " "));
    let stat = file("stat").ok()?;
    let (_, state) = stat.rsplit_once(") ")?;
    if state.starts_with(['Z', 'X']) {
        return None;
    }
    // A process that has given up its memory is about to be a zombie, and a thread of the kernel never had any.
    let arguments = file("cmdline").ok().filter(|arguments| !arguments.is_empty())?;
    // What belongs to another user may hide the rest; its arguments are always there.
    Some(Process {
        pid,
        arguments,
        environment: file("environ").unwrap_or_default(),
        folder: fs::read_link(format!("/proc/{pid}/cwd")).unwrap_or_default(),
        group: file("cgroup").unwrap_or_default(),
    })
}

/// How many processes have this text among their arguments.
pub(crate) fn running(text: &str) -> usize {
    processes().iter().filter(|process| process.arguments.contains(text)).count()
}

/// What belongs to a workspace by any sign: a mark in the arguments or the environment, the folder, a control group of its name.
pub(crate) fn of_workspace(mark: &str, root: &Path, id: Option<&str>, strangers: &BTreeSet<u32>) -> Vec<Process> {
    let group = id.map(|id| format!("/sculpt-{id}/"));
    let belongs = |process: &Process| {
        process.arguments.contains(mark)
            || process.environment.contains(mark)
            || process.folder.starts_with(root)
            || group.as_ref().is_some_and(|group| process.group.contains(group))
    };
    let found = processes().into_iter().filter(belongs);
    found.filter(|process| process.pid != std::process::id() && !strangers.contains(&process.pid)).collect()
}

/// The control groups of this name, in whatever hierarchy; none where this host has none.
pub(crate) fn groups(name: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut next = vec![PathBuf::from("/sys/fs/cgroup")];
    while let Some(folder) = next.pop() {
        let below = fs::read_dir(folder).into_iter().flatten().flatten();
        for path in below.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path()) {
            if path.file_name().is_some_and(|file| file == name) {
                found.push(path);
            } else {
                next.push(path);
            }
        }
    }
    found
}

/// The folders of a workspace's endpoints, whichever user has them.
pub(crate) fn endpoints(id: &str) -> Vec<PathBuf> {
    let users = fs::read_dir("/tmp").into_iter().flatten().flatten().map(|entry| entry.path());
    let users = users.filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("sculpt-")));
    let name = &id[..id.len().min(12)];
    users.chain([PathBuf::from("/run/sculpt")]).map(|base| base.join(name)).filter(|folder| folder.exists()).collect()
}
