//! The edges that a drawing shows.

use std::collections::{HashMap, HashSet};

use super::explanation::Explanation;
use crate::manifest::needs::Unlock;
use crate::plan::sealed::Part;

/// An edge between two phases, by their places in the explanation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Drawn {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) unlock: Unlock,
    /// True where the edge is on the critical path.
    pub(super) critical: bool,
}

/// The edges worth drawing. What waits for everything is drawn to wait for the last of it only: a goal of a thousand phases would be all
/// lines otherwise.
pub(super) fn edges(explanation: &Explanation) -> Vec<Drawn> {
    let phases = &explanation.phases;
    let place: HashMap<&str, usize> = phases.iter().enumerate().map(|(at, phase)| (phase.name.as_str(), at)).collect();
    let at = |name: &str| place.get(name).copied();
    let path = &explanation.critical_path.phases;
    let on_path: HashSet<(&str, &str)> = path.windows(2).map(|pair| (pair[0].as_str(), pair[1].as_str())).collect();
    let needed: HashSet<&str> = phases.iter().flat_map(|phase| &phase.needs).map(|need| need.phase.as_str()).collect();
    let ends = |part: Part| phases.iter().enumerate().filter(move |(_, phase)| phase.part == part);
    let sinks: Vec<usize> = ends(Part::Phase).filter(|(_, phase)| !needed.contains(phase.name.as_str())).map(|(at, _)| at).collect();
    let goal: Vec<usize> = ends(Part::Goal).map(|(at, _)| at).collect();
    let mut edges = Vec::new();
    for (to, phase) in phases.iter().enumerate() {
        let mut draw = |from: usize, unlock: Unlock| {
            let critical = on_path.contains(&(phases[from].name.as_str(), phase.name.as_str()));
            edges.push(Drawn { from, to, unlock, critical });
        };
        for need in &phase.needs {
            if let Some(from) = at(need.phase.as_str()) {
                draw(from, need.unlock);
            }
        }
        let everything = match phase.part {
            Part::Goal => &sinks,
            Part::Finally if phase.needs.is_empty() && goal.is_empty() => &sinks,
            Part::Finally if phase.needs.is_empty() => &goal,
            Part::Finally | Part::Phase => continue,
        };
        for from in everything {
            draw(*from, Unlock::Finished);
        }
    }
    edges
}

/// The word on an edge; none where it is the usual one.
pub(super) const fn word(unlock: Unlock) -> Option<&'static str> {
    match unlock {
        Unlock::Verified => None,
        Unlock::Unverified => Some("unverified"),
        Unlock::Finished => Some("finished"),
        Unlock::Failed => Some("failed"),
    }
}
