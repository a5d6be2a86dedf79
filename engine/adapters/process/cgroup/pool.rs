//! The groups of one workspace: attempts take theirs from a pool, resources have their own.
//!
//! ```text
//! <our own group>/sculpt-<workspace>/<goal>/a0, a1, …            attempts; reused once seen empty
//! <our own group>/sculpt-<workspace>/<goal>/r.<phase>.<resource>  resources that outlive attempts
//! <our own group>/sculpt-<workspace>/<goal>/containers            containers, see `containers`
//! ```

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::containers::{self, CONTAINERS, CgroupParent, CgroupVersion};
use super::files::{self, failed};
use super::group::{Group, Limited, Version};
use super::hierarchy::Place;
use super::setting::{SWAP, settings, unlimited};
use super::shared::Shared;
use crate::adapters::process::delegation::is_crowded;
use crate::adapters::process::limits::{Enforcement, Limit, Limits};
use crate::adapters::process::scope::ScopeError;
use crate::kernel::options::Shares;

/// Makes, finds and keeps groups.
#[derive(Debug)]
pub(in super::super) struct Pool {
    workspace: String,
    place: Place,
    version: Version,
    /// Version 1 controllers beside.
    controllers: Vec<(Limit, Place)>,
    /// Where version 1 counts processor time, where the groups themselves do not.
    counter: Option<Place>,
    /// All hierarchies: a container engine makes groups in each.
    hierarchies: Vec<Place>,
    pub(super) shares: Shares,
    goals: Mutex<HashMap<String, Goal>>,
}

#[derive(Debug, Default)]
struct Goal {
    limited: Vec<Limited>,
    limits: Limits,
    /// What holds for all of it that nobody declared; none before its first group.
    shared: Option<Shared>,
    next: u32,
    free: Vec<(String, Arc<Group>)>,
    /// What attempts were given, in use or free. Only these come back into the pool.
    given: HashMap<String, Arc<Group>>,
    /// Names of groups that an engine before us made. Whoever found one may still be ending it: no attempt is given it.
    found: HashSet<String>,
    /// True once the group of its containers was made.
    contains: bool,
}

/// Whether a group serves a resource: then it is used once.
fn is_resource(name: &str) -> bool {
    parts(name).1.starts_with("r.")
}

/// The goal and the last part of a group's name.
fn parts(name: &str) -> (&str, &str) {
    name.split_once('/').unwrap_or((name, ""))
}

impl Pool {
    pub(in super::super) fn new(
        workspace: String,
        place: Place,
        version: Version,
        controllers: Vec<(Limit, Place)>,
        counter: Option<Place>,
    ) -> Self {
        let (counter, controllers) = (counter.filter(|_| version == Version::V1), containers::aligned(controllers));
        let (hierarchies, goals) = (Vec::new(), Mutex::default());
        Self { workspace, place, version, controllers, counter, hierarchies, shares: Shares::default(), goals }
    }

    /// The same where a container engine may make groups in these hierarchies.
    pub(in super::super) fn among(self, hierarchies: Vec<Place>) -> Self {
        Self { hierarchies, ..self }
    }

    fn root(&self) -> PathBuf {
        self.place.here.join(&self.workspace)
    }

    /// An empty group for an attempt, with its name `goal/aN`.
    pub(in super::super) fn take(&self, goal: &str) -> Result<(String, Arc<Group>), ScopeError> {
        let mut goals = self.goals.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = self.entry(&mut goals, goal);
        if let Some(free) = entry.free.pop() {
            free.1.begin_counting();
            return Ok(free);
        }
        loop {
            let name = format!("{goal}/a{}", entry.next);
            entry.next += 1;
            if entry.found.contains(&name) {
                continue;
            }
            let group = Group::open(self.root().join(&name), self.version)?;
            // One that an engine before us left in use is not ours to share.
            if group.is_empty()? {
                group.limit(entry.limited.clone());
                if let Some(kills) = entry.shared.as_ref().and_then(|shared| shared.kills.clone()) {
                    group.share_kills(kills);
                }
                if group.meter().is_unknown() {
                    group.begin_counting();
                }
                if entry.limits.memory.is_some() {
                    // Whoever is killed for what all of them use together is named.
                    self.count(&name, &group);
                }
                let group = Arc::new(group);
                entry.given.insert(name.clone(), Arc::clone(&group));
                return Ok((name, group));
            }
        }
    }

    /// The group of this name, made where it is missing.
    pub(in super::super) fn named(&self, goal: &str, name: &str) -> Result<Arc<Group>, ScopeError> {
        // Where the engine stood elsewhere when it made the group, that one is the group.
        let dir = self.existing(name).next().unwrap_or_else(|| self.root().join(name));
        let group = Group::open(dir, self.version)?;
        let mut goals = self.goals.lock().unwrap_or_else(PoisonError::into_inner);
        group.limit(self.entry(&mut goals, goal).limited.clone());
        drop(goals);
        if group.meter().is_unknown() {
            group.begin_counting();
        }
        self.count(name, &group);
        Ok(Arc::new(group))
    }

    /// Counts what a group uses where groups do not do so by themselves. Where the host does not let us, nobody counts.
    fn count(&self, name: &str, group: &Group) {
        if group.own().iter().all(|own| own.limit != Limit::Memory) {
            group.limit(self.directory(name, Limit::Memory).into_iter().collect());
        }
        if let Some(counter) = &self.counter {
            let counting = Self::joinable(Limit::Cpus, counter.here.join(&self.workspace).join(name));
            group.limit(counting.into_iter().filter(|new| group.own().iter().all(|own| own.dir != new.dir)).collect());
        }
    }

    /// The group of this name where there is one.
    pub(in super::super) fn find(&self, name: &str) -> Result<Option<Arc<Group>>, ScopeError> {
        let Some(dir) = self.existing(name).next() else { return Ok(None) };
        let mut goals = self.goals.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = goals.entry(parts(name).0.to_owned()).or_default();
        if !entry.given.contains_key(name) {
            entry.found.insert(name.to_owned());
        }
        drop(goals);
        let group = Group::open(dir, self.version)?;
        for (limit, place) in &self.controllers {
            for dir in Self::below(place, &self.workspace, name) {
                group.limit(vec![Limited { limit: *limit, dir, procs: None }]);
            }
        }
        for dir in self.counter.iter().flat_map(|place| Self::below(place, &self.workspace, name)) {
            group.limit(vec![Limited { limit: Limit::Cpus, dir, procs: None }]);
        }
        let limited = std::fs::read_to_string(group.dir().join("memory.max")).is_ok_and(|most| most.trim() != "max");
        if limited || is_resource(name) && group.dir().join("memory.events").exists() {
            group.limit(vec![Limited { limit: Limit::Memory, dir: group.dir().to_owned(), procs: None }]);
        }
        if is_resource(name) || !group.own().is_empty() {
            // Only what nobody has limited, and only of attempts, is used again.
            group.counts_from_its_start();
        }
        Ok(Some(Arc::new(group)))
    }

    fn existing<'a>(&'a self, name: &'a str) -> impl Iterator<Item = PathBuf> + 'a {
        Self::below(&self.place, &self.workspace, name)
    }

    fn below(place: &Place, workspace: &str, name: &str) -> impl Iterator<Item = PathBuf> + use<> {
        let here = place.here.join(workspace).join(name);
        let elsewhere = if here.is_dir() { Vec::new() } else { files::named(&place.mount, workspace) };
        let name = name.to_owned();
        std::iter::once(here).chain(elsewhere.into_iter().map(move |root| root.join(&name))).filter(|dir| dir.is_dir())
    }

    /// The names of all groups of the workspace that somebody is in.
    pub(in super::super) fn populated(&self) -> Result<Vec<String>, ScopeError> {
        let mut names = Vec::new();
        for root in files::named(&self.place.mount, &self.workspace) {
            for goal in files::children(&root) {
                // Who is in a container is found by its container engine.
                for dir in files::children(&goal).into_iter().filter(|dir| !dir.ends_with(CONTAINERS)) {
                    let name = dir.strip_prefix(&root).unwrap_or(&dir).to_string_lossy().into_owned();
                    if !files::processes(&dir).map_err(failed("read the members of", &dir))?.is_empty() {
                        names.push(name);
                    }
                }
            }
        }
        names.sort_unstable();
        names.dedup();
        Ok(names)
    }

    /// Takes back a group that was seen empty: one that an attempt was given into the pool, any other one is removed.
    pub(in super::super) fn give_back(&self, name: &str, group: &Arc<Group>) -> Result<(), ScopeError> {
        if !group.is_empty()? {
            let source = std::io::Error::from(std::io::ErrorKind::ResourceBusy);
            return Err(failed("release the group", group.dir())(source));
        }
        let mut goals = self.goals.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = goals.entry(parts(name).0.to_owned()).or_default();
        if let Some(given) = entry.given.get(name) {
            let is_free = entry.free.iter().any(|(free, _)| free == name);
            if is_free || !Arc::ptr_eq(given, group) {
                // It waits for the next already, or whoever only found it by its name has it no longer: its user gives it back.
                return Ok(());
            }
            if group.own().is_empty() && !files::has_children(group.dir()) {
                entry.free.push((name.to_owned(), Arc::clone(group)));
                return Ok(());
            }
            entry.given.remove(name);
        }
        group.remove()
    }

    /// Removes every empty group of a goal, and the workspace's own when none is left.
    pub(in super::super) fn remove_goal(&self, goal: &str) -> Result<(), ScopeError> {
        let mut goals = self.goals.lock().unwrap_or_else(PoisonError::into_inner);
        goals.remove(goal);
        if let Some((_, path)) =
            self.path_of_containers(goal).filter(|(_, path)| self.hierarchies.iter().any(|at| at.mount.join(path).is_dir()))
        {
            containers::remove(&self.hierarchies, path.parent().unwrap_or(&path))?;
        }
        drop(goals);
        for place in std::iter::once(&self.place).chain(self.controllers.iter().map(|(_, place)| place)).chain(&self.counter) {
            for root in files::named(&place.mount, &self.workspace) {
                let dir = root.join(goal);
                files::remove(&dir).map_err(failed("remove the group", &dir))?;
                // Other goals may be in it; the kernel knows.
                drop(std::fs::remove_dir(&root));
            }
        }
        Ok(())
    }

    /// The group below which a container engine is to put a goal's containers; none where no one path is limited.
    pub(in super::super) fn containers(&self, goal: &str) -> Option<CgroupParent> {
        let (version, path) = self.path_of_containers(goal)?;
        let mut goals = self.goals.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = self.entry(&mut goals, goal);
        if !entry.contains {
            containers::make(&self.hierarchies, &path).ok()?;
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
        let path = |place: &Place| containers::inside(place).join(&self.workspace).join(goal).join(CONTAINERS);
        match self.controllers.iter().find(|(limit, _)| *limit == Limit::Memory) {
            Some((_, memory)) => {
                let one = self.controllers.iter().all(|(_, place)| containers::inside(place) == containers::inside(memory));
                one.then(|| (CgroupVersion::V1, path(memory)))
            }
            None if self.version == Version::V2 => Some((CgroupVersion::V2, path(&self.place))),
            None => None,
        }
    }

    /// Limits a goal as a whole; before its first process. What nobody declared is what the workspace gives it.
    pub(in super::super) fn limit_goal(&self, goal: &str, limits: &Limits) -> Enforcement {
        let shared = self.shared(goal, limits.memory.is_none());
        let (mut limited, mut enforcement) = self.apply(goal, limits);
        enforcement.refused.extend(shared.refused.iter().cloned());
        for limit in Limit::ALL.into_iter().filter(|limit| limits.declared().all(|declared| declared != *limit)) {
            // What an earlier run or engine has set there would hold on; the workspace's share is set anew.
            if (limit != Limit::Memory || self.shares.goal.is_none())
                && let Err(why) = self.lift(goal, limit)
            {
                enforcement.refused.push((limit, why.to_string()));
            }
        }
        limited.extend(shared.limited.iter().filter(|shared| limited.iter().all(|own| own.dir != shared.dir)).cloned().collect::<Vec<_>>());
        let mut goals = self.goals.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = goals.entry(goal.to_owned()).or_default();
        if entry.limits != *limits {
            // They were made for other limits. Those in use are removed once they come back, and one that cannot be removed goes with its goal.
            entry.given.clear();
            entry.free.drain(..).for_each(|(_, group)| drop(group.remove()));
        }
        (entry.limited, entry.limits, entry.shared) = (limited, *limits, Some(shared));
        enforcement
    }

    /// A goal, limited as the workspace wants it from its first group on.
    fn entry<'g>(&self, goals: &'g mut HashMap<String, Goal>, goal: &str) -> &'g mut Goal {
        let entry = goals.entry(goal.to_owned()).or_default();
        if entry.shared.is_none() {
            let shared = self.shared(goal, entry.limits.memory.is_none());
            entry.limited.extend(shared.limited.iter().cloned());
            entry.shared = Some(shared);
        }
        entry
    }

    /// Limits one group; before its first process.
    pub(in super::super) fn limit_group(&self, name: &str, group: &Group, limits: &Limits) -> Enforcement {
        // Version 1 refuses a group more processors than there are around it; more than those it has not got anyway.
        let around = self.goals.lock().unwrap_or_else(PoisonError::into_inner).get(parts(name).0).and_then(|goal| goal.limits.cpus);
        let cpus = limits.cpus.map(|cpus| around.map_or(cpus, |around| cpus.min(around)));
        let (limited, enforcement) = self.apply(name, &Limits { cpus, ..*limits });
        group.limit(limited);
        self.count(name, group);
        enforcement
    }

    pub(super) fn apply(&self, name: &str, limits: &Limits) -> (Vec<Limited>, Enforcement) {
        let (mut all, mut enforcement) = (Vec::new(), Enforcement::default());
        for limit in limits.declared() {
            match self.apply_one(name, limit, limits) {
                Ok(limited) => {
                    all.push(limited);
                    enforcement.enforced.push(limit);
                }
                Err(why) => enforcement.refused.push((limit, why.to_string())),
            }
        }
        (all, enforcement)
    }

    fn apply_one(&self, name: &str, limit: Limit, limits: &Limits) -> Result<Limited, ScopeError> {
        let limited = self.directory(name, limit)?;
        for (file, text) in settings(limit, limits, limited.procs.is_some()) {
            let path = limited.dir.join(file);
            if !SWAP.contains(&file) || path.exists() {
                files::write(&path, &text).map_err(failed(&format!("write {text} to"), &path))?;
            }
        }
        Ok(limited)
    }

    /// Takes a limit away from a group where it may have one.
    fn lift(&self, name: &str, limit: Limit) -> Result<(), ScopeError> {
        let place = self.controllers.iter().find(|(known, _)| *known == limit).map(|(_, place)| place);
        let dir = place.unwrap_or(&self.place).here.join(&self.workspace).join(name);
        for (file, text) in unlimited(limit, place.is_some()) {
            let path = dir.join(file);
            if path.exists() {
                files::write(&path, text).map_err(failed(&format!("write {text} to"), &path))?;
            }
        }
        Ok(())
    }

    /// The directory of a group where this is limited and counted.
    fn directory(&self, name: &str, limit: Limit) -> Result<Limited, ScopeError> {
        if let Some((_, place)) = self.controllers.iter().find(|(known, _)| *known == limit) {
            return Self::joinable(limit, place.here.join(&self.workspace).join(name));
        }
        let dir = self.root().join(name);
        files::make(&dir).map_err(failed("make the group", &dir))?;
        self.delegate(&dir, limit)?;
        Ok(Limited { limit, dir, procs: None })
    }

    /// A directory of version 1, which its members have to join.
    fn joinable(limit: Limit, dir: PathBuf) -> Result<Limited, ScopeError> {
        files::make(&dir).map_err(failed("make the group", &dir))?;
        let path = dir.join("cgroup.procs");
        let procs = files::open_for_writing(&path).map_err(failed("open", &path))?;
        Ok(Limited { limit, dir, procs: Some(Arc::new(procs)) })
    }

    /// Version 2 hands a controller down one level at a time, and not past a group that has processes of its own.
    fn delegate(&self, dir: &Path, limit: Limit) -> Result<(), ScopeError> {
        if is_crowded(&self.place) {
            // The kernel would hand some down (cpu, pids), and then let no process into any group of ours.
            let source = std::io::Error::from(std::io::ErrorKind::ResourceBusy);
            return Err(failed("hand a controller down from", &self.place.here)(source));
        }
        let above: Vec<&Path> = dir.ancestors().skip(1).take_while(|path| path.starts_with(&self.place.here)).collect();
        for path in above.into_iter().rev() {
            let file = path.join("cgroup.subtree_control");
            let text = format!("+{}", limit.controller());
            files::write(&file, &text).map_err(failed(&format!("write {text} to"), &file))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::hierarchy::Hierarchies;
    use super::*;

    /// A pool for tests, where this user may write control groups; other hosts have nothing to test here.
    fn pool(case: &str) -> Option<Pool> {
        let found = Hierarchies::read();
        let offered = [(found.v2, Version::V2), (found.freezer, Version::V1)];
        offered.into_iter().find_map(|(place, version)| {
            let pool = Pool::new(format!("sculpt-test-{case}-{}", std::process::id()), place?, version, Vec::new(), None);
            files::make(&pool.root()).is_ok().then_some(pool)
        })
    }

    #[test]
    fn a_group_that_was_found_is_given_to_nobody() {
        let Some(dead) = pool("found") else { return };
        let (left, _) = dead.take("goal").expect("a group");
        let Some(pool) = pool("found") else { return };
        let found = pool.find(&left).expect("a look").expect("the group");
        let (while_held, one) = pool.take("goal").expect("a group");
        assert_ne!(while_held, left, "whoever found it may still be ending it");
        pool.give_back(&left, &found).expect("a release");
        assert!(pool.find(&left).expect("a look").is_none(), "it is removed, not pooled");
        let (after, two) = pool.take("goal").expect("a group");
        assert_ne!(one.dir(), two.dir(), "{while_held} and {after}");
        pool.remove_goal("goal").expect("a removal");
    }

    #[test]
    fn a_group_comes_back_once_and_only_from_its_user() {
        let Some(pool) = pool("once") else { return };
        let (name, group) = pool.take("goal").expect("a group");
        let found = pool.find(&name).expect("a look").expect("the group");
        pool.give_back(&name, &found).expect("a release");
        let (other, _) = pool.take("goal").expect("a group");
        assert_ne!(other, name, "its user has it still");
        pool.give_back(&name, &group).expect("a release");
        pool.give_back(&name, &group).expect("a release");
        let names = [pool.take("goal").expect("a group").0, pool.take("goal").expect("a group").0];
        assert_eq!(names[0], name, "it is used again");
        assert_ne!(names[1], name);
        pool.remove_goal("goal").expect("a removal");
    }
}
