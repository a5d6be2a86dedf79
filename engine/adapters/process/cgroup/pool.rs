//! The groups of one workspace: attempts take theirs from a pool, resources have their own.
//!
//! ```text
//! <our own group>/sculpt-<workspace>/<goal>/a0, a1, …            attempts; reused once seen empty
//! <our own group>/sculpt-<workspace>/<goal>/r.<phase>.<resource>  resources that outlive attempts
//! <our own group>/sculpt-<workspace>/<goal>/containers            containers, see `containers`
//! ```

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use super::containers::{self, CONTAINERS};
use super::files::{self, failed};
use super::group::{Group, Limited, Version};
use super::hierarchy::Place;
use super::shared::Shared;
use crate::adapters::process::limits::{Enforcement, Limit, Limits};
use crate::adapters::process::scope::ScopeError;
use crate::kernel::options::Shares;

/// Makes, finds and keeps groups.
#[derive(Debug)]
pub(in super::super) struct Pool {
    pub(super) workspace: String,
    pub(super) place: Place,
    pub(super) version: Version,
    /// Version 1 controllers beside.
    pub(super) controllers: Vec<(Limit, Place)>,
    /// Where version 1 counts processor time, where the groups themselves do not.
    counter: Option<Place>,
    /// All hierarchies: a container engine makes groups in each.
    pub(super) hierarchies: Vec<Place>,
    pub(super) shares: Shares,
    pub(super) goals: Mutex<HashMap<String, Goal>>,
}

#[derive(Debug, Default)]
pub(super) struct Goal {
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
    pub(super) contains: bool,
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

    pub(super) fn root(&self) -> PathBuf {
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
        let Some(group) = Group::existing(dir, self.version)? else { return Ok(None) };
        let mut goals = self.goals.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = goals.entry(parts(name).0.to_owned()).or_default();
        if !entry.given.contains_key(name) {
            entry.found.insert(name.to_owned());
        }
        drop(goals);
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

    /// Removes every empty group of a goal, and the workspace's own when none is left. What is in one is no reason to leave the others.
    pub(in super::super) fn remove_goal(&self, goal: &str) -> Result<(), ScopeError> {
        // Held to the end: whoever makes a group opens its files next, and the groups around it must still be there.
        let mut goals = self.goals.lock().unwrap_or_else(PoisonError::into_inner);
        goals.remove(goal);
        let mut removed = self.remove_containers(goal);
        for place in std::iter::once(&self.place).chain(self.controllers.iter().map(|(_, place)| place)).chain(&self.counter) {
            for root in files::named(&place.mount, &self.workspace) {
                let dir = root.join(goal);
                removed = removed.and(files::remove(&dir).map_err(failed("remove the group", &dir)));
                // Other goals may be in it; the kernel knows.
                drop(std::fs::remove_dir(&root));
            }
        }
        self.remove_around();
        drop(goals);
        removed
    }

    /// Limits a goal as a whole; before its first process. What nobody declared is what the workspace gives it.
    pub(in super::super) fn limit_goal(&self, goal: &str, limits: &Limits) -> Enforcement {
        let mut goals = self.goals.lock().unwrap_or_else(PoisonError::into_inner);
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
    pub(super) fn entry<'g>(&self, goals: &'g mut HashMap<String, Goal>, goal: &str) -> &'g mut Goal {
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

    /// As `status` does, while the engine removes what it looks at.
    #[test]
    fn whoever_looks_makes_nothing() {
        let (Some(engine), Some(client)) = (pool("looks"), pool("looks")) else { return };
        let over = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|threads| {
            threads.spawn(|| {
                while !over.load(std::sync::atomic::Ordering::Relaxed) {
                    drop(client.find("goal/a0").expect("a look"));
                }
            });
            let anew = (0..2_000).find(|_| {
                let removed = engine.take("goal").and_then(|_| engine.remove_goal("goal"));
                removed.is_err() || engine.root().exists()
            });
            over.store(true, std::sync::atomic::Ordering::Relaxed);
            assert_eq!(anew, None, "somebody has made it anew, or it could not be removed");
        });
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
