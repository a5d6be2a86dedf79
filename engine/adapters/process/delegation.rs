//! Version 2 hands controllers down only from a group that has no processes of its own: where the engine stands decides what it can limit.
//!
//! | in the engine's own group | what is done | what can be limited |
//! |---|---|---|
//! | is the root, or it hands them down | nothing | what it hands down |
//! | is the engine alone, and it is no service's | it moves into a leaf of the group | what the group was handed |
//! | are others, and systemd runs | the engine in the background is started in a scope that systemd delegates, and is alone there | what systemd has |
//! | are others, and no systemd runs | nothing: nobody else's process is moved | nothing, and `plan` says why |
//!
//! A group that hands controllers down takes no process any more: systemd could not start a service in it again while something that the
//! last engine has left is there. An engine that a phase starts stays in its phase's scope: it ends with it.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};
use rustix::process::{geteuid, getpid};

use super::cgroup::files::{self, failed};
use super::cgroup::hierarchy::{Hierarchies, LEAF, Place};
use super::identity::ProcessId;
use super::limits::Limit;
use super::scope::ScopeError;

/// Makes the group of this very process one that can hand controllers down, where it is alone there. An engine's first act.
///
/// # Errors
/// Where the kernel refuses a step. Nothing depends on it: what can be limited is looked at afterwards.
pub fn settle() -> Result<(), ScopeError> {
    let Some(place) = Hierarchies::read().v2 else { return Ok(()) };
    let held: Vec<Limit> = Limit::ALL.into_iter().filter(|limit| lists(&place.here, "cgroup.controllers", *limit)).collect();
    if held.is_empty() || !is_crowded(&place) || !usable(&place) || is_nested(&place) || is_of_service(&place) || !is_alone(&place.here) {
        return Ok(());
    }
    let leaf = place.here.join(LEAF);
    files::make(&leaf).map_err(failed("make the group", &leaf))?;
    let procs = leaf.join("cgroup.procs");
    files::write(&procs, "0").map_err(failed("move into", &procs))?;
    let control = place.here.join("cgroup.subtree_control");
    for limit in held {
        let text = format!("+{}", limit.controller());
        files::write(&control, &text).map_err(failed(&format!("write {text} to"), &control))?;
    }
    Ok(())
}

/// What starts a program in a scope that systemd delegates to it: the words before the program's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// The program that asks systemd for it, and then becomes the other one.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Where the service manager of the user is reached, where it is not root's.
    pub runtime: Option<PathBuf>,
}

/// How an engine in the background is started so that it can limit something; none where it can without, or systemd cannot be asked.
pub fn scope() -> Option<Scope> {
    let found = Hierarchies::read();
    let place = found.v2.filter(|_| found.limits.is_empty() && found.freezer.is_none())?;
    if is_nested(&place) || usable(&place) && Limit::ALL.into_iter().any(|limit| hands_down(&place, limit)) {
        return None;
    }
    let program = Path::new("/run/systemd/system").is_dir().then(systemd_run)??;
    let runtime = if geteuid().is_root() { None } else { Some(runtime()?) };
    let own = ProcessId::of(getpid().as_raw_nonzero().get().unsigned_abs())?;
    let mut arguments: Vec<String> = ["--scope", "--quiet", "--collect", "-p", "Delegate=yes"].map(str::to_owned).to_vec();
    arguments.extend(runtime.is_some().then(|| "--user".to_owned()));
    // A scope lives as long as anything in it, and each engine has its own.
    arguments.push(format!("--unit={LEAF}-{}-{}", own.pid, own.start));
    arguments.push("--".to_owned());
    Some(Scope { program, arguments, runtime })
}

/// What can be limited in a scope that systemd delegates.
pub(super) fn limits_of_scope(mount: &Path) -> Vec<Limit> {
    let user = geteuid();
    let manager =
        if user.is_root() { mount.to_owned() } else { mount.join(format!("user.slice/user-{0}.slice/user@{0}.service", user.as_raw())) };
    Limit::ALL.into_iter().filter(|limit| lists(&manager, "cgroup.controllers", *limit)).collect()
}

/// We may make groups here and move processes out of here.
pub(super) fn usable(place: &Place) -> bool {
    access(&place.here, Access::WRITE_OK | Access::EXEC_OK).is_ok() && access(place.here.join("cgroup.procs"), Access::WRITE_OK).is_ok()
}

/// The controller is handed down already, or can be: only the root may have both processes and limited groups.
pub(super) fn hands_down(place: &Place, limit: Limit) -> bool {
    lists(&place.here, "cgroup.subtree_control", limit) || lists(&place.here, "cgroup.controllers", limit) && !is_crowded(place)
}

/// Whether the group has controllers and cannot hand them down because processes are in it. The root may have both, and no type.
pub(in crate::adapters::process) fn is_crowded(place: &Place) -> bool {
    place.here.join("cgroup.type").exists() && Limit::ALL.into_iter().all(|limit| !lists(&place.here, "cgroup.subtree_control", limit))
}

fn lists(group: &Path, file: &str, limit: Limit) -> bool {
    let text = fs::read_to_string(group.join(file)).unwrap_or_default();
    text.split_whitespace().any(|name| name == limit.controller())
}

/// Whether this process is the only one in a group. One that our PID namespace does not show is listed as a zero.
fn is_alone(group: &Path) -> bool {
    fs::read_to_string(group.join("cgroup.procs")).is_ok_and(|text| text.trim() == getpid().to_string())
}

/// Whether this is part of a scope of an engine.
fn is_nested(place: &Place) -> bool {
    let scope = |name: &str| name.starts_with("sculpt-") && name != LEAF && !name.contains('.');
    std::env::var_os("SCULPT_GOAL").is_some() || place.here.components().any(|part| part.as_os_str().to_str().is_some_and(scope))
}

/// Whether the unit of systemd that the group belongs to, the innermost one, is a service.
fn is_of_service(place: &Place) -> bool {
    let names = place.here.iter().rev().filter_map(|part| part.to_str());
    let mut units = names.filter(|name| [".service", ".scope", ".slice"].iter().any(|kind| name.ends_with(kind)));
    units.next().is_some_and(|unit| unit.ends_with(".service"))
}

fn systemd_run() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join("systemd-run")).find(|file| access(file, Access::EXEC_OK).is_ok())
}

/// Where the service manager of this user listens.
fn runtime() -> Option<PathBuf> {
    let told = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let usual = PathBuf::from(format!("/run/user/{}", geteuid().as_raw()));
    told.into_iter().chain([usual]).find(|folder| folder.join("systemd/private").exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(here: &str) -> Place {
        Place { mount: "/sys/fs/cgroup".into(), here: Path::new("/sys/fs/cgroup").join(here) }
    }

    #[test]
    fn the_innermost_unit_says_whether_it_is_a_services_group() {
        for group in ["system.slice/a.service", "system.slice/a.service/part", "user.slice/user@7.service/b.slice/c.service"] {
            assert!(is_of_service(&place(group)), "{group}");
        }
        for group in ["", "docker/7", "user.slice/user@7.service/b.slice/c.scope", "system.slice/a.scope/part"] {
            assert!(!is_of_service(&place(group)), "{group}");
        }
    }

    #[test]
    fn a_scope_of_an_engine_is_told_from_its_unit() {
        assert!(is_nested(&place("sculpt-0123456789ab/goal/a0")));
        assert!(!is_nested(&place("system.slice/sculpt-supervisor-7-9.scope")) && !is_nested(&place("system.slice/sculpt-1.service")));
    }
}
