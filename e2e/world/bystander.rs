//! Somebody else's processes, as like to the engine's own as can be.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use super::deadline::until;
use super::workspace::{MARK, Workspace};

/// A process that nobody but its test may end.
pub(crate) struct Bystander {
    child: Child,
    group: Option<PathBuf>,
}

impl Bystander {
    /// All kinds that this user can make: the same command line, environment and folder; a supervisor's arguments; a group beside ours.
    pub(crate) fn all(workspace: &Workspace) -> Vec<Self> {
        let id = workspace.id().expect("an initialized workspace");
        // The names of another workspace that begins like ours.
        let other = format!("sculpt-{id}0");
        let place = format!("{other}/goal/a0");
        let sleep = format!("86400.{}", workspace.mark);
        let mut twin = Command::new("sleep");
        twin.arg(&sleep).env("SCULPT_SCOPE", &place);
        let mut supervisor = Command::new("sh");
        supervisor.args(["-c", &format!("trap : TERM; sleep {sleep} & wait"), "__scope", &place, "subreaper"]);
        let mut all = vec![Self::start(workspace, twin), Self::start(workspace, supervisor)];
        // The shell's child is a stranger too.
        let below = all[1].child.id();
        let child = until("the child of a bystander", || {
            fs::read_to_string(format!("/proc/{below}/task/{below}/children")).ok()?.split_whitespace().next()?.parse().ok()
        });
        workspace.stranger(child);
        all.extend(Self::inside(workspace, &place));
        all
    }

    /// A sleeper in a group of this path, where this user can make one: whose it is only the group tells.
    pub(crate) fn inside(workspace: &Workspace, place: &str) -> Option<Self> {
        let group = group(place)?;
        let mut command = Command::new("sleep");
        command.arg(format!("86400.{}", workspace.mark));
        let mut bystander = Self::start(workspace, command);
        fs::write(group.join("cgroup.procs"), bystander.child.id().to_string()).unwrap();
        bystander.group = Some(group);
        Some(bystander)
    }

    fn start(workspace: &Workspace, mut command: Command) -> Self {
        let marks = [(MARK, workspace.mark.as_str()), ("SCULPT_GOAL", "leak"), ("SCULPT_RUN", "leak.1"), ("SCULPT_PHASE", "background")];
        command.envs(marks).env("SCULPT_ATTEMPT", "1").current_dir(workspace.root()).stdin(Stdio::null());
        let child = command.spawn().unwrap();
        workspace.stranger(child.id());
        Self { child, group: None }
    }

    pub(crate) fn untouched(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }
}

impl Drop for Bystander {
    fn drop(&mut self) {
        let pid = self.child.id();
        let below = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        for child in below.split_whitespace().filter_map(|pid| rustix::process::Pid::from_raw(pid.parse().ok()?)) {
            let _ = rustix::process::kill_process(child, rustix::process::Signal::KILL);
        }
        drop(self.child.kill());
        drop(self.child.wait());
        // From the inside out, as far as they are empty.
        for group in self.group.iter().flat_map(|group| group.ancestors().take(3)) {
            drop(fs::remove_dir(group));
        }
    }
}

/// A control group of this path beside the engine's own; none where this user may not make one.
fn group(place: &str) -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
    let mount = mounts.lines().find_map(|line| {
        let mut words = line.split(' ').skip(1);
        let (path, kind) = (words.next()?, words.next()?);
        (kind == "cgroup2").then(|| PathBuf::from(path))
    })?;
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let here = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let group = mount.join(here).join(place);
    fs::create_dir_all(&group).ok()?;
    Some(group)
}
