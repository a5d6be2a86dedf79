//! What a phase declares of memory: as much as its work and its services may use at once.

use super::sealed::{Plan, PlannedPhase, Step};
use crate::manifest::kind::Kind;
use crate::manifest::policy::Limits;
use crate::manifest::resource::Resource;

impl PlannedPhase {
    /// The memory that it may use by its own word, in bytes: the limit of its work, and those of its processes and containers, which have
    /// groups of their own beside it. 0 where nothing is declared. `each` is what a container without a limit of its own has for itself.
    pub fn memory(&self, each: Option<u64>) -> u64 {
        let own = memory(self.spec.limits.as_ref()).max(if self.is_contained(None) { each.unwrap_or_default() } else { 0 });
        let work = if self.steps.contains(&Step::Work) { own } else { 0 };
        let services = self.spec.resources.values().map(|resource| of_service(resource, each)).fold(0, u64::saturating_add);
        own.max(work.saturating_add(services))
    }
}

impl Plan {
    /// The memory that all of it together may use by its own word, in bytes; none where it declares no limit of its own.
    pub fn most_memory(&self) -> Option<u64> {
        self.limits.memory.map(|most| most.0)
    }
}

/// The memory that a resource may use by its own word, in bytes: 0 where nothing of it runs, or nothing is declared.
pub fn of_service(resource: &Resource, each: Option<u64>) -> u64 {
    match (Kind::of(resource), memory(resource.limits.as_ref())) {
        (Kind::Container, own) => each.map_or(own, |each| if own == 0 { each } else { own.min(each) }),
        (kind, own) if kind.runs() => own,
        _ => 0,
    }
}

fn memory(limits: Option<&Limits>) -> u64 {
    limits.and_then(|limits| limits.memory).map_or(0, |memory| memory.0)
}
