//! The rules that every record is held to.

use opensculpt::base::owner::Owner;
use opensculpt::kernel::action::{Effect, EffectId, Seen};
use opensculpt::kernel::answer::{Said, Stage};
use opensculpt::kernel::fault::Fault;
use opensculpt::kernel::outcome::{Outcome, Proof};
use opensculpt::kernel::record::Record;
use opensculpt::kernel::resource::ResourceState;
use opensculpt::kernel::state::goal_of;
use opensculpt::kernel::stock::Kind;
use opensculpt::manifest::process::Restart;
use opensculpt::manifest::verify::RedBeforeGreen;
use opensculpt::plan::sealed::PhaseIx;

use super::watcher::Watcher;

impl Watcher {
    /// What must hold of a record in the state before it.
    pub(super) fn before(&mut self, record: &Record) {
        match record {
            Record::Requested { id, owner, effect } => {
                assert!(self.effects.insert(*id, (owner.clone(), effect.clone())).is_none(), "effect {} twice\n{}", id.0, self.story());
                self.is_in_order(effect);
                self.is_not_repeated(*id, effect);
                if matches!(effect, Effect::End { .. }) {
                    self.is_torn_down_in_reverse(owner);
                }
            }
            Record::Observed { id, seen } => {
                assert!(self.effects.contains_key(id), "nobody asked for effect {}\n{}", id.0, self.story());
                assert!(!self.ended.contains(id), "effect {} has ended before\n{}", id.0, self.story());
                if seen.is_end() {
                    self.ended.insert(*id);
                }
                if matches!(seen, Seen::Failed { fault: Fault::EngineDied, .. }) {
                    self.lost.insert(*id);
                }
            }
            Record::Adopted { id, owner, effect } => {
                let open = &self.state.effects[id];
                assert!(open.process.is_some() && open.owner == *owner && open.effect == *effect, "{owner} was adopted\n{}", self.story());
            }
            Record::Answered { run, phase, check, stage: Stage::Before, .. } => {
                let asked = &self.state.run(run).unwrap().phase(*phase).before;
                assert!(asked[usize::from(*check)].is_none(), "a check was asked twice before the work\n{}", self.story());
            }
            Record::ResourceUnhealthy { owner, .. } => {
                let made = self.state.resource(owner).unwrap();
                assert!(made.state == ResourceState::Ready && made.exit.is_none(), "{owner} was not ready\n{}", self.story());
            }
            Record::AttemptStarted { run, phase, attempt } => {
                let entry = self.state.run(run).unwrap().phase(*phase);
                assert!(entry.state.outcome().is_none() && entry.attempt + 1 == *attempt, "attempt {attempt}\n{}", self.story());
            }
            _ => {}
        }
    }

    /// What must hold in the state after it.
    pub(super) fn after(&mut self, record: &Record) {
        match record {
            Record::Requested {
                id,
                effect: Effect::Work { run, phase, .. } | Effect::Make { run, phase, .. } | Effect::Serve { run, phase, .. },
                ..
            } if !self.is_again(*id) => {
                self.working.insert(*id, (run.clone(), *phase));
                self.slots_are_kept();
            }
            Record::Observed { id, seen } => {
                let serves = matches!(self.effects.get(id), Some((_, Effect::Serve { .. })));
                if seen.is_end() || serves && matches!(seen, Seen::Started { .. }) {
                    self.working.remove(id);
                }
            }
            Record::PhaseEnded { run, phase, outcome: Outcome::Verified, proof, .. } => self.is_green_by_right(run, *phase, *proof),
            Record::RunEnded { run, .. } => {
                let run = self.state.run(run).unwrap();
                assert!(run.phases.iter().all(|phase| phase.state.outcome().is_some()), "a run ended before its phases\n{}", self.story());
            }
            _ => {}
        }
    }

    /// Nothing of a phase begins before all that it needs has ended as it needs it.
    fn is_in_order(&self, effect: &Effect) {
        let (Effect::Work { run, phase, attempt } | Effect::Make { run, phase, attempt, .. } | Effect::Serve { run, phase, attempt, .. }) =
            effect
        else {
            return;
        };
        if self.is_restarted(effect) || self.is_rolled_back(effect) {
            return;
        }
        let run = self.state.run(run).unwrap();
        let (planned, entry) = (run.plan.phase(*phase), run.phase(*phase));
        assert!(run.ended.is_none() && entry.state.outcome().is_none(), "{} has ended\n{}", planned.name, self.story());
        assert_eq!(entry.attempt, *attempt, "{} is at another attempt\n{}", planned.name, self.story());
        for edge in &planned.needs {
            assert!(run.unlocks(edge.phase, edge.unlock), "{} began before it could\n{}", planned.name, self.story());
        }
    }

    /// A service that has ended is started again: that was promised, its time has come, its limits allow it, and nothing of it is there.
    fn is_restarted(&self, effect: &Effect) -> bool {
        let Effect::Serve { run, phase, attempt, resource } = effect else { return false };
        let Some(of) = self.state.run(run) else { return false };
        let owner = Owner { resource: Some(resource.clone()), ..of.owner(*phase) };
        let Some(made) = self.state.resource(&owner).filter(|made| made.restarts.next.is_some()) else { return false };
        assert_eq!((&made.run, made.attempt), (run, *attempt), "{owner}\n{}", self.story());
        assert!(!made.ended_by_us, "{owner} was ended by us\n{}", self.story());
        let declared = of.plan.phase(*phase).resource(resource).unwrap();
        let limit = declared.restart_limits.as_ref().and_then(|limits| limits.attempts).unwrap_or(5);
        assert!(declared.restart.is_some_and(|policy| policy != Restart::No), "{owner} has no policy\n{}", self.story());
        assert!(made.restarts.counted.len() <= limit as usize, "{owner}: {:?}\n{}", made.restarts, self.story());
        let open = self.state.effects.values().any(|open| open.owner == owner && matches!(open.effect, Effect::Serve { .. }));
        assert!(!open, "{owner} is there twice\n{}", self.story());
        true
    }

    /// What served before a run that goes on replaced it is started, or written, once more.
    fn is_rolled_back(&self, effect: &Effect) -> bool {
        let (Effect::Make { run: of, resource, .. } | Effect::Serve { run: of, resource, .. }) = effect else { return false };
        let latest = self.state.goals.get(goal_of(of)).and_then(|goal| goal.run.as_ref());
        let Some(latest) = latest.filter(|latest| latest.id != *of) else { return false };
        let replaced = latest.phases.iter().any(|phase| phase.replaced.get(resource).is_some_and(|made| made.run == *of));
        assert!(replaced && latest.ended.is_none(), "{resource} of {of} is started, and nobody replaced it\n{}", self.story());
        true
    }

    /// What an attempt does it does once. Only what an engine's death has taken before anything was seen of it is asked for again, and never a
    /// command: after that there is another attempt.
    fn is_not_repeated(&self, id: EffectId, effect: &Effect) {
        if self.is_restarted(effect) || self.is_rolled_back(effect) {
            return;
        }
        let lost = |other: &EffectId| !matches!(effect, Effect::Work { .. }) && self.lost.contains(other);
        if matches!(effect, Effect::Work { .. } | Effect::Make { .. } | Effect::Serve { .. }) {
            let again = self.effects.iter().find(|(other, (_, same))| **other != id && same == effect && !lost(other));
            assert!(again.is_none(), "effect {} repeats {:?}\n{}", id.0, again, self.story());
        }
    }

    /// Whether an effect is a restart: it holds no slot.
    fn is_again(&self, id: EffectId) -> bool {
        let (owner, _) = &self.effects[&id];
        self.state.resource(owner).is_some_and(|made| made.made_by == id && made.restarts.done > 0)
    }

    fn slots_are_kept(&self) {
        for (id, _) in self.working.values() {
            let Some(run) = self.state.run(id).filter(|run| run.ended.is_none()) else { continue };
            let open = |phase: &&PhaseIx| run.phase(**phase).state.outcome().is_none();
            let mut phases: Vec<&PhaseIx> =
                self.working.values().filter(|(other, _)| other == id).map(|(_, phase)| phase).filter(open).collect();
            phases.sort_unstable();
            phases.dedup();
            assert!(phases.len() <= run.plan.concurrency as usize, "{} phases are at work\n{}", phases.len(), self.story());
        }
    }

    /// While a goal goes down, a service is ended only once those of the phases that need its own are gone.
    fn is_torn_down_in_reverse(&self, owner: &opensculpt::base::owner::Owner) {
        let goal = &self.state.goals[&owner.goal];
        let (true, Some(run), Some(_)) = (goal.falling, &goal.run, &owner.resource) else { return };
        let Some((ix, _)) = owner.phase.as_ref().and_then(|phase| run.plan.find(phase.as_str())) else { return };
        for (other, planned) in run.plan.indexed() {
            if !planned.needs.iter().any(|edge| edge.phase == ix) {
                continue;
            }
            // What a look has shown to survive is given up, and told.
            let lives = |name: &opensculpt::base::name::Name| {
                let place = opensculpt::base::owner::Owner { resource: Some(name.clone()), ..run.owner(other) };
                let resource = self.state.resource(&place).filter(|resource| resource.kind == Kind::Process && resource.state.is_live())?;
                (!self.survived(&place)).then_some(resource.owner.clone())
            };
            let before = planned.spec.resources.keys().find_map(lives);
            assert_eq!(before, None, "{owner} was ended before what needs it was gone\n{}", self.story());
        }
    }

    /// Whether a place's end was given up.
    fn survived(&self, place: &opensculpt::base::owner::Owner) -> bool {
        self.records.iter().any(|(_, record)| {
            matches!(record, Record::Observed { id, seen: Seen::Ended { survivors, .. } }
                if !survivors.is_empty() && self.effects.get(id).is_some_and(|(owner, _)| owner == place))
        })
    }

    /// No green without a red that is on record, unless the manifest waives it, a person said so, or an earlier run has proved the same.
    fn is_green_by_right(&self, id: &opensculpt::kernel::action::RunId, ix: PhaseIx, proof: Proof) {
        let run = self.state.run(id).unwrap();
        let (planned, entry) = (run.plan.phase(ix), run.phase(ix));
        let said = |wanted: Stage, index: usize| {
            self.records.iter().rev().find_map(move |(_, record)| match record {
                Record::Answered { run, phase, check, stage, answer }
                    if run == id && *phase == ix && usize::from(*check) == index && *stage == wanted =>
                {
                    Some(answer)
                }
                _ => None,
            })
        };
        let red = |index: usize| said(Stage::Before, index).is_some_and(opensculpt::kernel::answer::Answer::is_red);
        let green = |index: usize| said(Stage::After, index).is_some_and(|answer| answer.said == Said::Pass);
        let rule = |index: usize| {
            let verify = planned.verify();
            verify.checks[index].red_before_green.or(verify.red_before_green).unwrap_or_default()
        };
        let earlier = |wanted: &dyn Fn(&Record) -> bool| self.records.iter().any(|(_, record)| wanted(record) && record.run() != Some(id));
        let by_right = match proof {
            Proof::Person => entry.reply.as_ref().is_some_and(|reply| reply.yes),
            Proof::Proven => planned.checks() > 0 && (0..planned.checks()).all(|index| red(index) && green(index)),
            Proof::Once => (0..planned.checks()).all(|index| {
                // The same question, whoever asked it: what asks the same has the same key.
                let same = |record: &Record| {
                    let Record::Answered { run, phase, check, stage: Stage::Before, answer } = record else { return false };
                    let key = self.state.run(run).map(|run| &run.phase(*phase).brief.checks[usize::from(*check)]);
                    answer.is_red() && key.is_none_or(|key| *key == entry.brief.checks[index])
                };
                let seen = || self.records.iter().any(|(_, record)| same(record));
                green(index) && (red(index) || rule(index) == RedBeforeGreen::Once && seen())
            }),
            Proof::Waived => (0..planned.checks()).all(|index| green(index) && (red(index) || rule(index) != RedBeforeGreen::Each)),
            Proof::Already => {
                let verified = |record: &Record| {
                    let Record::PhaseEnded { run, phase, outcome: Outcome::Verified, .. } = record else { return false };
                    self.state.run(run).is_none_or(|run| run.plan.phase(*phase).name == planned.name)
                };
                earlier(&verified)
                    && (0..planned.checks()).all(|index| said(Stage::Before, index).is_some_and(|answer| answer.said == Said::Pass))
            }
            Proof::Unproven | Proof::None => false,
        };
        assert!(by_right, "{} is green by {proof:?}\n{}", planned.name, self.story());
    }
}
