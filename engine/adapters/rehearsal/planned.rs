//! What the commands of a plan do: a work takes a moment and ends well, a service comes up and stays, except for the seed's faults.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;

use super::cast::{Cast, Performance, Role};
use super::faults::{Faults, Kind};
use super::reads::{made_up, read_outputs};
use super::seed::{Seed, Stream};
use crate::base::name::Name;
use crate::base::owner::Owner;
use crate::base::time::Span;
use crate::kernel::action::Exit;
use crate::plan::sealed::Plan;
use crate::ports::job::Command;

/// In how many of four places a fault that may happen does.
const OFTEN: u64 = 1;

/// The commands of a plan.
#[derive(Debug)]
pub(super) struct Planned {
    seed: Seed,
    faults: Faults,
    plan: Arc<Plan>,
    read: HashMap<Name, BTreeSet<String>>,
}

impl Planned {
    pub(super) fn new(plan: Arc<Plan>, root: &Path, seed: Seed, faults: Faults) -> Self {
        let read = read_outputs(&plan, root);
        Self { seed, faults, plan, read }
    }

    /// The numbers of a place's fault, where it has that fault.
    fn strikes(&self, kind: Kind, place: &str) -> Option<Stream> {
        strikes(self.seed, &self.faults, kind, place)
    }

    fn outputs(&self, owner: &Owner) -> impl Iterator<Item = (Name, String)> {
        let origin = owner.phase.as_ref().and_then(|phase| self.plan.find(phase.as_str())).map(|(_, planned)| &planned.origin);
        let keys = origin.and_then(|origin| self.read.get(origin));
        keys.into_iter().flatten().map(|key| (Name::from(key.as_str()), made_up(key)))
    }

    fn work(&self, owner: &Owner, attempt: u32) -> Performance {
        let place = owner.to_string();
        let mut stream = self.seed.stream(&format!("work {place} {attempt}"));
        let mut work = Performance::ending(Span(stream.between(20, 3000)), 0);
        work.outputs = self.outputs(owner).collect();
        if let Some(mut stream) = self.strikes(Kind::Slow, &place) {
            let takes = Span::seconds(stream.between(60, 7200));
            work.takes = Some(takes);
            work.faults.push((Kind::Slow, format!("its command takes {}", takes.human())));
        }
        if let Some(mut stream) = self.strikes(Kind::Leftovers, &place) {
            work.leaves = u32::try_from(stream.between(1, 3)).unwrap_or(1);
            work.faults.push((Kind::Leftovers, format!("its command leaves {} in the background", work.leaves)));
        }
        for (kind, exit) in [(Kind::Exit, None), (Kind::Missing, Some(Exit::Code(127))), (Kind::Killed, Some(Exit::Signal(9)))] {
            let Some(mut stream) = self.strikes(kind, &place) else { continue };
            let (times, code) = ([1, 2, u32::MAX][usize::try_from(stream.between(0, 2)).unwrap_or(0)], stream.between(1, 3));
            if attempt <= times {
                work.exit = exit.unwrap_or(Exit::Code(i32::try_from(code).unwrap_or(1)));
                work.faults.push((kind, format!("its command ends with {}", work.exit)));
                break;
            }
        }
        self.will_not_end(&place, &mut work);
        work
    }

    fn completes(&self, owner: &Owner) -> bool {
        let (Some(phase), Some(name)) = (&owner.phase, &owner.resource) else { return false };
        self.plan.find(phase.as_str()).is_some_and(|(_, planned)| planned.completes(name))
    }

    fn service(&self, owner: &Owner) -> Performance {
        let place = owner.to_string();
        let mut stream = self.seed.stream(&format!("service {place}"));
        let mut service = Performance { up_after: Some(Span(stream.between(5, 500))), ..Performance::staying() };
        if let Some(mut stream) = self.strikes(Kind::Late, &place) {
            let after = Span::seconds(stream.between(5, 300));
            service.up_after = (!stream.chance(1, 3)).then_some(after);
            let what =
                service.up_after.map_or_else(|| "it never comes up".to_owned(), |after| format!("it comes up after {}", after.human()));
            service.faults.push((Kind::Late, what));
        }
        if let Some(mut stream) = self.strikes(Kind::Die, &place) {
            let takes = Span(stream.between(20, 60_000));
            service.takes = Some(takes);
            service.exit = [Exit::Code(0), Exit::Code(1), Exit::Signal(11)][usize::try_from(stream.between(0, 2)).unwrap_or(0)];
            service.faults.push((Kind::Die, format!("it ends by itself after {} with {}", takes.human(), service.exit)));
        }
        self.will_not_end(&place, &mut service);
        service
    }

    fn will_not_end(&self, place: &str, performance: &mut Performance) {
        if self.strikes(Kind::Stubborn, place).is_some() {
            performance.obeys = false;
            performance.faults.push((Kind::Stubborn, "it ignores what asks it to end".to_owned()));
        }
        // Rarer: it is what hardly ever happens.
        if let Some(mut stream) = self.strikes(Kind::Stuck, place).filter(|stream| stream.clone().chance(1, 4)) {
            let stuck = Span::seconds(stream.between(1, 60));
            performance.stuck = Some(stuck);
            performance.faults.push((Kind::Stuck, format!("it hangs in the kernel for {} when it is killed", stuck.human())));
        }
    }
}

impl Cast for Planned {
    fn perform(&self, owner: &Owner, role: Role, _: &Command) -> Performance {
        match role {
            Role::Work(attempt) => self.work(owner, attempt),
            // One that somebody waits for to end is work of another kind.
            Role::Service if self.completes(owner) => self.work(owner, 1),
            Role::Service => self.service(owner),
            // What it says depends on the world at that moment.
            Role::Check => Performance::ending(Span(self.seed.stream(&format!("check {owner}")).between(2, 40)), 0),
            // What a create command leaves that will not end is told nowhere: here it leaves nobody like that.
            Role::Create => Performance { outputs: self.outputs(owner).collect(), stuck: None, ..self.work(owner, 1) },
        }
    }
}

/// The numbers of a place's fault, where it has that fault.
pub(super) fn strikes(seed: Seed, faults: &Faults, kind: Kind, place: &str) -> Option<Stream> {
    let mut stream = faults.has(kind).then(|| seed.stream(&format!("{kind} {place}")))?;
    stream.chance(OFTEN, 4).then_some(stream)
}
