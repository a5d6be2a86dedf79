//! The best that this host offers to hold processes together, and the scopes made with it.

use std::path::{Path, PathBuf};

use super::cgroup::containers::{CgroupParent, CgroupVersion, sees_whole_hierarchies};
use super::cgroup::group::Version;
use super::cgroup::hierarchy::{Hierarchies, Place};
use super::cgroup::pool::Pool;
use super::delegation::{self, hands_down, is_crowded, limits_of_scope, usable};
use super::launch::{Launch, SpawnError};
use super::limits::{Enforcement, Limit, Limits};
use super::mechanism::{Gap, Mechanism, Report};
use super::running::Running;
use super::scope::{Kind, Scope, ScopeError};
use super::supervised::{self, Supervisors};
use super::view::View;
use super::{spawn, user};
use crate::base::name::Name;
use crate::kernel::options::Shares;

/// Holds the processes of one workspace together. Scopes outlive it, and are found again by their names.
#[derive(Debug)]
pub struct Containment {
    report: Report,
    workspace: String,
    kind: Holder,
    shares: Shares,
}

#[derive(Debug)]
enum Holder {
    Groups(Pool),
    Supervisors(Supervisors),
}

/// A mechanism was asked for that this host does not have.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("failed to hold processes by {0}: this host does not offer it to this user")]
pub struct Unavailable(pub Mechanism);

impl Containment {
    /// Finds the best mechanism. `program` is this very program; it supervises scopes where there are no control groups.
    ///
    /// Nothing is made or changed by it.
    pub fn detect(workspace_id: &str, program: &Path) -> Self {
        Self::detect_in(&Hierarchies::read(), workspace_id, program)
    }

    fn detect_in(found: &Hierarchies, workspace_id: &str, program: &Path) -> Self {
        let best = Mechanism::ALL.into_iter().find_map(|mechanism| match mechanism {
            Mechanism::CgroupV2 | Mechanism::CgroupV1 => Self::groups_in(found.clone(), mechanism, workspace_id),
            Mechanism::PidNamespace | Mechanism::Subreaper => Self::with(mechanism, workspace_id, program).ok(),
        });
        best.unwrap_or_else(|| Self::supervisors(Mechanism::Subreaper, workspace_id, program))
    }

    /// The same as the engine of a workspace has it, for others: the one that runs as this process, or one in the background that would be
    /// started now.
    pub fn of_engine(engine: Option<u32>, workspace_id: &str, program: &Path) -> Self {
        let found = engine.map_or_else(Hierarchies::read, Hierarchies::of);
        match (&found.v2, engine) {
            (Some(place), None) if delegation::scope().is_some() => {
                // Where systemd will put it is not known; groups are found from the top.
                let place = Place { mount: place.mount.clone(), here: place.mount.clone() };
                let limits = limits_of_scope(&place.mount);
                Self::pooled(Mechanism::CgroupV2, limits, workspace_id, |name| Pool::new(name, place, Version::V2, Vec::new(), None))
            }
            _ => Self::detect_in(&found, workspace_id, program),
        }
    }

    /// Uses this mechanism and no other.
    pub fn with(mechanism: Mechanism, workspace_id: &str, program: &Path) -> Result<Self, Unavailable> {
        match mechanism {
            Mechanism::CgroupV2 | Mechanism::CgroupV1 => Self::groups(mechanism, workspace_id).ok_or(Unavailable(mechanism)),
            Mechanism::PidNamespace if !supervised::probe(program) => Err(Unavailable(mechanism)),
            Mechanism::PidNamespace | Mechanism::Subreaper => Ok(Self::supervisors(mechanism, workspace_id, program)),
        }
    }

    fn groups(mechanism: Mechanism, workspace_id: &str) -> Option<Self> {
        Self::groups_in(Hierarchies::read(), mechanism, workspace_id)
    }

    /// The same for hierarchies that are known.
    pub(super) fn groups_in(found: Hierarchies, mechanism: Mechanism, workspace_id: &str) -> Option<Self> {
        let (version, place) = match mechanism {
            Mechanism::CgroupV2 => (Version::V2, found.v2?),
            _ => (Version::V1, found.freezer?),
        };
        if !usable(&place) || version == Version::V2 && !domain(&place) {
            return None;
        }
        let controllers: Vec<(Limit, Place)> = found.limits.into_iter().filter(|(_, place)| usable(place)).collect();
        let beside = |limit: Limit| controllers.iter().any(|(known, _)| *known == limit);
        let limits = Limit::ALL
            .into_iter()
            .filter(|limit| beside(*limit) || version == Version::V2 && hands_down(&place, *limit))
            .collect::<Vec<_>>();
        let crowded = limits.is_empty() && version == Version::V2 && is_crowded(&place);
        let counter = found.cpuacct.filter(usable);
        let hierarchies = found.all;
        let pool = |name| Pool::new(name, place, version, controllers, counter).among(hierarchies);
        let mut all = Self::pooled(mechanism, limits, workspace_id, pool);
        all.report.gaps.extend(crowded.then_some(Gap::NotAlone));
        Some(all)
    }

    fn pooled(mechanism: Mechanism, limits: Vec<Limit>, workspace_id: &str, pool: impl FnOnce(String) -> Pool) -> Self {
        let workspace = format!("sculpt-{workspace_id}");
        let kind = Holder::Groups(pool(workspace.clone()));
        Self { report: Report::new(mechanism, limits), workspace, kind, shares: Shares::default() }
    }

    fn supervisors(mechanism: Mechanism, workspace_id: &str, program: &Path) -> Self {
        let workspace = format!("sculpt-{workspace_id}");
        let kind = Holder::Supervisors(Supervisors::new(workspace.clone(), mechanism, PathBuf::from(program)));
        Self { report: Report::new(mechanism, Vec::new()), workspace, kind, shares: Shares::default() }
    }

    /// The same, where the goals of the workspace may use so much. Where memory cannot be limited, nothing comes of it.
    #[must_use]
    pub fn with_shares(mut self, shares: Shares) -> Self {
        if let Holder::Groups(pool) = &mut self.kind
            && self.report.limits.contains(&Limit::Memory)
        {
            pool.share(shares);
            self.shares = shares;
        }
        self
    }

    /// What the goals of the workspace may use, as far as it is enforced.
    pub const fn shares(&self) -> Shares {
        self.shares
    }

    /// What is used, what it enforces, and what it cannot promise.
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// The name under which the workspace's scopes are found on the host: `sculpt-<id>`.
    pub fn workspace(&self) -> &str {
        &self.workspace
    }

    /// Limits a goal as a whole: what its phases do not declare themselves. Before its first scope.
    pub fn limit_goal(&self, goal: &Name, limits: &Limits) -> Enforcement {
        match &self.kind {
            Holder::Groups(pool) => pool.limit_goal(goal.as_str(), limits),
            Holder::Supervisors(_) => unlimited(limits),
        }
    }

    /// An empty scope for an attempt. Its name is the pool's and is used again after [`release`](Self::release).
    pub fn attempt(&self, goal: &Name) -> Result<Scope, ScopeError> {
        match &self.kind {
            Holder::Groups(pool) => pool.take(goal.as_str()).map(|(name, group)| Scope::new(name, Kind::Group(group))),
            Holder::Supervisors(all) => Ok(all.attempt(goal.as_str())),
        }
    }

    /// The scope of a resource that outlives its attempt; always the same for the same place.
    pub fn resource(&self, goal: &Name, phase: &Name, resource: &Name) -> Result<Scope, ScopeError> {
        let name = format!("{goal}/r.{phase}.{resource}");
        match &self.kind {
            Holder::Groups(pool) => Ok(Scope::new(name.clone(), Kind::Group(pool.named(goal.as_str(), &name)?))),
            Holder::Supervisors(all) => Ok(all.find(&name)),
        }
    }

    /// The scope of this name, whichever engine process made it; none where nothing is left of it.
    pub fn find(&self, name: &str) -> Result<Option<Scope>, ScopeError> {
        match &self.kind {
            Holder::Groups(pool) => Ok(pool.find(name)?.map(|group| Scope::new(name.to_owned(), Kind::Group(group)))),
            Holder::Supervisors(all) => {
                let scope = all.find(name);
                Ok((!scope.look()?.is_empty()).then_some(scope))
            }
        }
    }

    /// The names of all scopes of the workspace in which something runs, whoever made them.
    pub fn scopes(&self) -> Result<Vec<String>, ScopeError> {
        match &self.kind {
            Holder::Groups(pool) => pool.populated(),
            Holder::Supervisors(all) => {
                let mut names = Vec::new();
                for name in all.names() {
                    // A supervisor without anybody below it is about to end.
                    if !all.find(&name).look()?.is_empty() {
                        names.push(name);
                    }
                }
                Ok(names)
            }
        }
    }

    /// Limits one scope; before its first process.
    pub fn limit(&self, scope: &Scope, limits: &Limits) -> Enforcement {
        match (&self.kind, scope.kind()) {
            (Holder::Groups(pool), Kind::Group(group)) => pool.limit_group(scope.name(), group, limits),
            _ => unlimited(limits),
        }
    }

    /// Starts a process in a scope. It is a member before its first instruction. Needs a Tokio runtime.
    pub fn spawn(&self, scope: &Scope, launch: &Launch) -> Result<Running, SpawnError> {
        match scope.kind() {
            Kind::Group(group) => {
                let user = user::resolve(launch)?;
                let membership = group.membership().map_err(|error| SpawnError::other("open the group of a process", &error))?;
                spawn::spawn(launch, user, membership)
            }
            Kind::Supervised(supervised) => supervised.spawn(launch),
        }
    }

    /// The group below which a container engine is to put a goal's containers, so that its limits hold for all of it together; none where
    /// no group limits memory here, or a container engine of this host would find another at its path.
    pub fn parent_of_containers(&self, goal: &Name) -> Option<CgroupParent> {
        match &self.kind {
            Holder::Groups(pool) if self.version_for_containers().is_some() => pool.containers(goal.as_str()),
            _ => None,
        }
    }

    /// The version of that group, where there can be one.
    pub fn version_for_containers(&self) -> Option<CgroupVersion> {
        match &self.kind {
            Holder::Groups(pool) if self.report.limits.contains(&Limit::Memory) && sees_whole_hierarchies() => {
                pool.version_for_containers()
            }
            _ => None,
        }
    }

    /// Whether what it starts can have a view of its own of the host's files.
    pub fn has_views(&self) -> bool {
        View::is_possible()
    }

    /// Gives a scope back; an error while something runs in it.
    pub fn release(&self, scope: &Scope) -> Result<(), ScopeError> {
        match (&self.kind, scope.kind()) {
            (Holder::Groups(pool), Kind::Group(group)) => pool.give_back(scope.name(), group),
            _ => Ok(()),
        }
    }

    /// Removes what is left of a goal's scopes on the host; an error while something runs in one.
    pub fn remove_goal(&self, goal: &Name) -> Result<(), ScopeError> {
        match &self.kind {
            Holder::Groups(pool) => pool.remove_goal(goal.as_str()),
            Holder::Supervisors(_) => Ok(()),
        }
    }
}

/// A threaded group takes no processes. The root has no type, and takes them.
fn domain(place: &Place) -> bool {
    std::fs::read_to_string(place.here.join("cgroup.type")).map_or(true, |kind| matches!(kind.trim(), "domain" | "domain threaded"))
}

fn unlimited(limits: &Limits) -> Enforcement {
    let why = "limits need control groups that this user may write";
    Enforcement { enforced: Vec::new(), refused: limits.declared().map(|limit| (limit, why.to_owned())).collect() }
}
