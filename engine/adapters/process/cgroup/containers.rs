//! The group below which a container engine puts a goal's containers: the goal's limits hold for them and for its processes together.
//!
//! ```text
//! <our own group>/sculpt-<workspace>/<goal>/containers/<id>    made by the container engine, as everything inside
//! ```
//!
//! An engine takes one path for all hierarchies. That is why the controllers of version 1 have theirs at one path, too: the innermost of
//! those at which we are ourselves. It is below all the others, so that whoever limits us keeps their say.

use std::path::{Path, PathBuf};
use std::sync::PoisonError;

use super::files::{self, failed};
use super::group::Version;
use super::hierarchy::Place;
use super::pool::Pool;
use crate::adapters::process::limits::Limit;
use crate::adapters::process::scope::ScopeError;

/// The name of the group in its goal's. No scope has it.
pub(super) const CONTAINERS: &str = "containers";

/// The control group namespace in which a host boots: `PROC_CGROUP_INIT_INO` in `include/linux/proc_ns.h` of Linux.
const INITIAL_NAMESPACE: &str = "cgroup:[4026531835]";

/// Which version of control groups limits memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CgroupVersion {
    /// Version 1.
    V1,
    /// Version 2.
    V2,
}

/// The group below which a container engine is to put a goal's containers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CgroupParent {
    /// The version in which that limits them.
    pub version: CgroupVersion,
    /// Its path in every hierarchy, from the root.
    pub path: String,
}

/// Whether our paths are those of the host, from its root: in a control group namespace of our own they are not.
pub(in super::super) fn sees_whole_hierarchies() -> bool {
    std::fs::read_link("/proc/self/ns/cgroup").is_ok_and(|link| link == Path::new(INITIAL_NAMESPACE))
}

/// Whether a process has the paths of control groups that we have.
pub fn shares_our_groups(pid: &str) -> bool {
    let namespace = |pid: &str| std::fs::read_link(format!("/proc/{pid}/ns/cgroup")).ok();
    namespace("self").is_some_and(|ours| namespace(pid) == Some(ours))
}

/// The controllers at one path: the innermost of their own. As they were where none of these is below all the others.
pub(super) fn aligned(controllers: Vec<(Limit, Place)>) -> Vec<(Limit, Place)> {
    let Some(innermost) = controllers.iter().map(|(_, place)| inside(place)).max_by_key(|path| path.components().count()) else {
        return controllers;
    };
    let innermost = innermost.to_owned();
    if controllers.iter().any(|(_, place)| !innermost.starts_with(inside(place))) {
        return controllers;
    }
    controllers.into_iter().map(|(limit, place)| (limit, below(&place, &innermost))).collect()
}

/// The path of our own group in its hierarchy.
fn inside(place: &Place) -> &Path {
    place.here.strip_prefix(&place.mount).unwrap_or(Path::new(""))
}

fn below(place: &Place, path: &Path) -> Place {
    // Joining an empty path would leave a slash at the end.
    let here = if path.as_os_str().is_empty() { place.mount.clone() } else { place.mount.join(path) };
    Place { mount: place.mount.clone(), here }
}

/// Makes the group in every hierarchy: an engine that finds it there does not race with whoever removes what is empty.
fn make(hierarchies: &[Place], path: &Path) -> Result<(), ScopeError> {
    hierarchies.iter().try_for_each(|place| {
        let dir = place.mount.join(path);
        files::make(&dir).map(drop).map_err(failed("make the group", &dir))
    })
}

/// Removes a goal's group from every hierarchy, where nothing is in it, and the groups around it that are below our own and empty.
fn remove(hierarchies: &[Place], goal: &Path) -> Result<(), ScopeError> {
    let mut removed = Ok(());
    for place in hierarchies {
        let dir = place.mount.join(goal);
        match files::remove(&dir).map_err(failed("remove the group", &dir)) {
            Ok(()) => climb(place, &dir),
            // What is in one is no reason to leave the others.
            Err(error) => removed = removed.and(Err(error)),
        }
    }
    removed
}

/// Removes the groups around a path that are below our own, as long as they are empty. Others may be in them; the kernel knows.
fn climb(place: &Place, path: &Path) {
    let around = path.ancestors().skip(1).take_while(|dir| **dir != place.here && dir.starts_with(&place.here));
    around.map(PathBuf::from).take_while(|dir| std::fs::remove_dir(dir).is_ok()).for_each(drop);
}

impl Pool {
    /// The group below which a container engine is to put a goal's containers; none where no one path is limited.
    pub(in super::super) fn containers(&self, goal: &str) -> Option<CgroupParent> {
        let (version, path) = self.path_of_containers(goal)?;
        let mut goals = self.goals.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = self.entry(&mut goals, goal);
        if !entry.contains {
            make(&self.hierarchies, &path).ok()?;
            entry.contains = true;
        }
        drop(goals);
        Some(CgroupParent { version, path: format!("/{}", path.to_str()?) })
    }

    /// The version of that group, where there can be one.
    pub(in super::super) fn version_for_containers(&self) -> Option<CgroupVersion> {
        self.path_of_containers("").map(|(version, _)| version)
    }

    /// Its path from the root of each hierarchy.
    fn path_of_containers(&self, goal: &str) -> Option<(CgroupVersion, PathBuf)> {
        let path = |place: &Place| inside(place).join(&self.workspace).join(goal).join(CONTAINERS);
        match self.controllers.iter().find(|(limit, _)| *limit == Limit::Memory) {
            Some((_, memory)) => {
                let one = self.controllers.iter().all(|(_, place)| inside(place) == inside(memory));
                one.then(|| (CgroupVersion::V1, path(memory)))
            }
            None if self.version == Version::V2 => Some((CgroupVersion::V2, path(&self.place))),
            None => None,
        }
    }

    /// Removes the groups that were made to have all controllers at one path, where nothing is in them any more.
    pub(super) fn remove_around(&self) {
        for (_, place) in &self.controllers {
            if let Some(own) = self.hierarchies.iter().find(|own| own.mount == place.mount) {
                climb(own, &place.here.join(&self.workspace));
            }
        }
    }

    /// Removes it with the goal's groups in all hierarchies, where an engine has made any.
    pub(super) fn remove_containers(&self, goal: &str) -> Result<(), ScopeError> {
        let Some((_, path)) = self.path_of_containers(goal) else { return Ok(()) };
        if self.hierarchies.iter().all(|place| !place.mount.join(&path).is_dir()) {
            return Ok(());
        }
        remove(&self.hierarchies, path.parent().unwrap_or(&path))
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test lays out its own groups")]
mod tests {
    use super::*;

    fn at(mount: &str, path: &str) -> Place {
        let mount = PathBuf::from(mount);
        below(&Place { mount: mount.clone(), here: mount }, Path::new(path))
    }

    #[test]
    fn controllers_are_at_the_innermost_of_their_paths() {
        let found = vec![(Limit::Memory, at("/m", "session/7")), (Limit::Pids, at("/p", "")), (Limit::Cpus, at("/c", "session"))];
        let wanted = [(Limit::Memory, at("/m", "session/7")), (Limit::Pids, at("/p", "session/7")), (Limit::Cpus, at("/c", "session/7"))];
        assert_eq!(aligned(found), wanted);
        let apart = vec![(Limit::Memory, at("/m", "a/b")), (Limit::Pids, at("/p", "c"))];
        assert_eq!(aligned(apart.clone()), apart, "nobody is lifted out of a group that may limit them");
        assert_eq!(aligned(Vec::new()), Vec::new());
    }

    #[test]
    fn what_was_made_is_removed_up_to_our_own_group() {
        let folder = tempfile::tempdir().expect("a folder");
        let mount = folder.path().to_owned();
        let own = Place { mount: mount.clone(), here: mount.join("user") };
        std::fs::create_dir_all(&own.here).expect("a folder");
        let all = [own];
        make(&all, Path::new("user/session/sculpt-w/goal/containers")).expect("groups");
        remove(&all, Path::new("user/session/sculpt-w/goal")).expect("a removal");
        assert!(mount.join("user").is_dir());
        assert!(!mount.join("user/session").exists());
        remove(&all, Path::new("user/session/sculpt-w/goal")).expect("nothing is there any more");
    }
}
