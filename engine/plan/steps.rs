//! What an attempt does, in order.
//!
//! | group | what                                                          |
//! |-------|---------------------------------------------------------------|
//! | 0     | passive resources                                             |
//! | 1     | active ones that start before the work (scope `phase`)        |
//! | 2     | the work                                                      |
//! | 3     | active ones that start after the work (scope `goal`)          |
//!
//! In a group: what is depended on first, else the order of the manifest. A resource comes in the group of the last thing that it depends on:
//! a database that a command creates in a server comes after that server is ready.

use std::collections::HashSet;

use petgraph::graph::NodeIndex;

use super::error::PlanError;
use super::order;
use super::sealed::Step;
use crate::base::name::Name;
use crate::manifest::kind::Kind;
use crate::manifest::phase::Phase;
use crate::manifest::resource::{DependencyCondition, DependsOn, Directory, Resource, Scope, Start};

/// The group of the resources that start after the work.
const AFTER: u8 = 3;

/// The steps of a phase.
///
/// # Errors
/// Where its resources cannot be put in an order.
pub(super) fn steps(phase: &Name, spec: &Phase) -> Result<Vec<Step>, PlanError> {
    let works = spec.run.is_some() || spec.agent.is_some();
    if spec.resources.is_empty() {
        return Ok(if works { vec![Step::Work] } else { Vec::new() });
    }
    let (order, groups) = arrange(phase, spec)?;
    let mut steps = Steps::new(spec);
    let before = order.iter().take_while(|at| groups[**at] < AFTER).count();
    for at in &order[..before] {
        steps.start(*at);
    }
    steps.settle();
    if works {
        steps.list.push(Step::Work);
    }
    for at in &order[before..] {
        steps.start(*at);
    }
    steps.settle();
    Ok(steps.list)
}

/// The order of the resources, and the group of each.
fn arrange(phase: &Name, spec: &Phase) -> Result<(Vec<usize>, Vec<u8>), PlanError> {
    let resources = &spec.resources;
    let mut graph = order::nodes(resources.len());
    for (at, (name, resource)) in resources.iter().enumerate() {
        for (dependency, _) in resource.depends_on.iter().flat_map(DependsOn::iter) {
            let Some(earlier) = resources.get_index_of(dependency) else {
                let (resource, dependency) = (name.clone(), dependency.clone());
                return Err(PlanError::UnknownDependency { phase: phase.clone(), resource, dependency });
            };
            graph.add_edge(NodeIndex::new(earlier), NodeIndex::new(at), ());
        }
        for earlier in (0..resources.len()).filter(|earlier| *earlier != at && lies_in(resource, &resources[*earlier])) {
            graph.add_edge(NodeIndex::new(earlier), NodeIndex::new(at), ());
        }
    }
    let cycle = |cycle: Vec<usize>| {
        let resources = cycle.iter().filter_map(|at| resources.get_index(*at)).map(|(name, _)| name.clone()).collect();
        PlanError::ResourceCycle { phase: phase.clone(), resources }
    };
    let mut groups: Vec<u8> = resources.values().map(own_group).collect();
    for at in order::topological(&graph, |at| at).map_err(cycle)? {
        let Some((name, resource)) = resources.get_index(at) else { continue };
        for earlier in graph.neighbors_directed(NodeIndex::new(at), petgraph::Direction::Incoming).map(NodeIndex::index) {
            if groups[earlier] > groups[at]
                && resource.start == Some(Start::Before)
                && groups[earlier] == AFTER
                && let Some((dependency, _)) = resources.get_index(earlier)
            {
                let (resource, dependency) = (name.clone(), dependency.clone());
                return Err(PlanError::StartsTooEarly { phase: phase.clone(), resource, dependency });
            }
            groups[at] = groups[at].max(groups[earlier]);
        }
    }
    let order = order::topological(&graph, |at| (groups[at], at)).map_err(cycle)?;
    Ok((order, groups))
}

fn own_group(resource: &Resource) -> u8 {
    if !is_active(resource) {
        return 0;
    }
    match (resource.start, resource.scope) {
        (Some(Start::Before), _) | (None, Scope::Phase) => 1,
        (Some(Start::After), _) | (None, Scope::Goal) => AFTER,
    }
}

/// Whether something runs, rather than only being there.
pub(super) fn is_active(resource: &Resource) -> bool {
    Kind::of(resource).runs()
}

/// Whether a file or directory lies in a directory, as far as their texts tell.
fn lies_in(inner: &Resource, outer: &Resource) -> bool {
    let Some(Directory::Path(outer) | Directory::Full(crate::manifest::resource::DirectoryFull { path: outer, .. })) = &outer.directory
    else {
        return false;
    };
    let inner = match (&inner.directory, &inner.file) {
        (Some(Directory::Path(path)), _) => path,
        (Some(Directory::Full(directory)), _) => &directory.path,
        (None, Some(file)) => &file.path,
        (None, None) => return false,
    };
    let parts = |path: &str| path.split('/').filter(|part| !matches!(*part, "" | ".")).map(str::to_owned).collect::<Vec<_>>();
    let (inner, outer) = ((inner.starts_with('/'), parts(inner)), (outer.starts_with('/'), parts(outer)));
    inner.0 == outer.0 && inner.1.len() > outer.1.len() && inner.1.starts_with(&outer.1)
}

/// The steps so far.
struct Steps<'a> {
    spec: &'a Phase,
    list: Vec<Step>,
    /// Those that somebody waits for to end: they are never ready.
    one_shots: HashSet<&'a Name>,
    /// Served, and nobody has waited for them yet.
    unsettled: Vec<&'a Name>,
    waited: HashSet<Step>,
}

impl<'a> Steps<'a> {
    fn new(spec: &'a Phase) -> Self {
        let dependencies = spec.resources.values().flat_map(|resource| resource.depends_on.iter().flat_map(DependsOn::iter));
        let one_shots = dependencies
            .filter(|(_, dependency)| dependency.condition == DependencyCondition::ServiceCompletedSuccessfully)
            .map(|(name, _)| name)
            .collect();
        Self { spec, list: Vec::with_capacity(spec.resources.len() + 1), one_shots, unsettled: Vec::new(), waited: HashSet::new() }
    }

    /// Makes or starts a resource, once what it depends on is as it must be.
    fn start(&mut self, at: usize) {
        let spec = self.spec;
        let Some((name, resource)) = spec.resources.get_index(at) else { return };
        for (dependency, wanted) in resource.depends_on.iter().flat_map(DependsOn::iter) {
            if !spec.resources.get(dependency).is_some_and(is_active) {
                continue;
            }
            match wanted.condition {
                DependencyCondition::ServiceStarted => {}
                DependencyCondition::ServiceHealthy => self.wait(Step::Ready(dependency.clone())),
                DependencyCondition::ServiceCompletedSuccessfully => self.wait(Step::Complete(dependency.clone())),
            }
        }
        if is_active(resource) {
            self.list.push(Step::Serve(name.clone()));
            self.unsettled.push(name);
        } else {
            self.list.push(Step::Make(name.clone()));
        }
    }

    fn wait(&mut self, step: Step) {
        if self.waited.insert(step.clone()) {
            self.list.push(step);
        }
    }

    /// The end of a group: all that was served is ready.
    fn settle(&mut self) {
        for name in std::mem::take(&mut self.unsettled) {
            if !self.one_shots.contains(name) {
                self.wait(Step::Ready(name.clone()));
            }
        }
    }
}
