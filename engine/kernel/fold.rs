//! How a record changes the state. No decision is made here, and no record is refused that a release has written.

use std::sync::Arc;

use super::action::{Effect, EffectId, Seen};
use super::carry::carried;
use super::outcome::Verdict;
use super::record::Record;
use super::resource::{ResourceInput, ResourceState};
use super::state::{Goal, Open, Run, State};
use super::stock::Resource;
use crate::base::owner::Owner;
use crate::base::time::Timestamp;

/// A record that does not fit what came before it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the record `{event}` does not fit: {why}")]
pub struct Misfit {
    /// The record's kind.
    pub event: &'static str,
    /// Why it does not fit.
    pub why: String,
}

impl State {
    /// Applies a record.
    ///
    /// # Errors
    /// Where it names something that no earlier record made, or asks a machine for what its table does not have.
    pub fn apply(&mut self, at: Timestamp, record: &Record) -> Result<(), Misfit> {
        match record {
            Record::EngineStarted { .. } | Record::Adopted { .. } | Record::Pruned { .. } | Record::Quarantined { .. } => Ok(()),
            Record::Forgotten { runs } => {
                for (goal, count) in runs {
                    if let Some(goal) = self.goals.get_mut(goal) {
                        goal.past.drain(..goal.past.len().min(usize::try_from(*count).unwrap_or(usize::MAX)));
                    }
                }
                Ok(())
            }
            Record::RunStarted { run, plan, options } => {
                let goal = self.goals.entry(plan.goal.clone()).or_default();
                goal.runs += 1;
                self.arrivals += 1;
                let mut begun = Run::begun(run.clone(), self.arrivals, (**plan).clone(), options.clone(), at);
                begun.carries = carried(&begun, goal.run.as_ref());
                goal.down = false;
                goal.older.extend(goal.run.take());
                let resources = &goal.resources;
                goal.older.retain(|older| resources.values().any(|made| made.run == older.id && made.state.is_live()));
                goal.run = Some(begun);
                Ok(())
            }
            Record::Requested { id, owner, effect } => {
                self.last_effect = self.last_effect.max(id.0);
                self.effects.insert(*id, Open { owner: owner.clone(), effect: effect.clone(), process: None });
                self.request(at, *id, owner, effect)
            }
            Record::Observed { id, seen } => self.observe(at, *id, seen),
            Record::ResourceReady { owner, evidence } => self.move_resource(at, owner, ResourceInput::Ready, evidence),
            Record::ResourceUnhealthy { owner, evidence } => {
                self.move_resource(at, owner, ResourceInput::Failing, evidence)?;
                if let Some(made) = self.goals.get_mut(&owner.goal).and_then(|goal| goal.resources.get_mut(owner)) {
                    made.restarts.sickens(at);
                }
                Ok(())
            }
            Record::Restarting { owner, .. } => {
                self.move_resource(at, owner, ResourceInput::Restarting, "")?;
                self.fold_restart(at, owner, record).map(drop)
            }
            Record::NotRestarted { owner, why } => {
                if self.fold_restart(at, owner, record)? {
                    self.move_resource(at, owner, ResourceInput::Gone, why)?;
                }
                Ok(())
            }
            Record::ResourceGone { owner, evidence } => self.move_resource(at, owner, ResourceInput::Gone, evidence),
            Record::Told { owner, told } => {
                self.fold_told(at, owner, told);
                Ok(())
            }
            Record::Suspected { owner, run, attempt, suspects } => {
                self.suspect(owner, run, *attempt, suspects);
                Ok(())
            }
            Record::SuspectAdopted { owner, suspected, by } => {
                self.adopt_suspect(at, owner, suspected, by);
                Ok(())
            }
            Record::Collected { .. } | Record::Leaked { .. } => {
                self.fold_leak(at, record);
                Ok(())
            }
            Record::Pressure { level, vitals, room } => {
                self.press(at, *level, *vitals, *room);
                Ok(())
            }
            Record::LookedAround { unseen } => {
                self.unseen.clone_from(unseen);
                Ok(())
            }
            Record::PressureUnknown { why } => {
                self.memory.unseen = Some(why.clone());
                Ok(())
            }
            Record::DownStarted { goal, volumes } => {
                if let Some(goal) = self.goals.get_mut(goal) {
                    goal.falling = true;
                    goal.volumes = *volumes;
                }
                Ok(())
            }
            Record::DownEnded { goal, .. } => {
                if let Some(goal) = self.goals.get_mut(goal) {
                    goal.falling = false;
                    goal.down = true;
                    let kept = goal.live_resources().any(|resource| resource.caught.is_some());
                    goal.called = kept;
                }
                Ok(())
            }
            _ => self.apply_to_run(at, record),
        }
    }

    /// An effect on a resource moves its machine.
    fn request(&mut self, at: Timestamp, id: EffectId, owner: &Owner, effect: &Effect) -> Result<(), Misfit> {
        match effect {
            Effect::Make { run, phase, attempt, resource } | Effect::Serve { run, phase, attempt, resource } => {
                let misfit = || Misfit { event: "requested", why: format!("{owner} is not in the plan of {run}") };
                let entry = self.run(run).ok_or_else(misfit)?;
                let fingerprint = entry.phase(*phase).brief.fingerprint.clone();
                let plan = Arc::clone(&entry.plan);
                let mut made = Resource::declared(&plan, *phase, resource, run, *attempt, at).ok_or_else(misfit)?;
                made.fingerprint = fingerprint;
                made.made_by = id;
                let goal = self.goals.get_mut(&owner.goal).ok_or_else(misfit)?;
                if let Some(old) = goal.resources.shift_remove(owner) {
                    if old.restarts.next.is_some() && (&old.run, old.attempt) == (run, *attempt) {
                        made.restarts = old.restarts.clone().begun(at);
                    }
                    made.succeed(old);
                }
                if made.kind.runs() {
                    made.restarts.started = Some(at);
                }
                goal.resources.insert(owner.clone(), made);
                goal.leaks.shift_remove(owner);
                self.move_resource(at, owner, ResourceInput::Creating, "")
            }
            Effect::End { .. } | Effect::Remove => match self.resource(owner) {
                Some(resource) if resource.state.is_live() && ends(effect, resource) => {
                    self.move_resource(at, owner, ResourceInput::Stopping, "")
                }
                _ => Ok(()),
            },
            Effect::Call { .. } => {
                self.calls(owner);
                Ok(())
            }
            Effect::Work { .. }
            | Effect::Ask { .. }
            | Effect::Prepare { .. }
            | Effect::Limit { .. }
            | Effect::Sweep { .. }
            | Effect::Forget => Ok(()),
        }
    }

    fn observe(&mut self, at: Timestamp, id: EffectId, seen: &Seen) -> Result<(), Misfit> {
        let open = self.effects.get_mut(&id).ok_or_else(|| Misfit { event: "observed", why: format!("no effect {} is open", id.0) })?;
        if let Seen::Started { process } = seen {
            open.process = Some(process.clone());
        }
        let Open { owner, effect, process } = open.clone();
        if let Seen::Unenforced { limits, .. } = seen {
            if let Effect::Prepare { run } | Effect::Limit { run } | Effect::Serve { run, .. } | Effect::Work { run, .. } = &effect
                && let Some(run) = self.run_mut(run)
            {
                run.options.miss(&owner, limits);
            }
            return Ok(());
        }
        if seen.is_end() {
            self.effects.remove(&id);
        }
        if let (Effect::Work { run, phase, attempt }, Seen::Exited { exit, leftovers, artifacts, usage, contained, .. }) = (&effect, seen)
            && let Some(entry) = self.run_mut(run).and_then(|run| run.phases.get_mut(phase.at()))
            && entry.attempt == *attempt
        {
            entry.exit = Some(*exit);
            entry.leftovers = *leftovers;
            entry.contained = contained.unwrap_or_default();
            entry.usage = *usage;
            entry.artifacts.clone_from(artifacts);
        }
        if let (Effect::Work { run, attempt, .. }, Seen::Exited { suspects, .. }) = (&effect, seen) {
            self.suspect(&owner, run, *attempt, suspects);
        }
        if let Some(goal) = self.goals.get_mut(&owner.goal) {
            goal.observe_leak(at, &owner, &effect, process.as_ref(), seen);
        }
        if let Effect::Call { by, call, .. } = &effect {
            self.called(at, id, *by, call, seen);
            return Ok(());
        }
        if let (Effect::Work { run, phase, attempt } | Effect::Serve { run, phase, attempt, .. }, Seen::Exited { contained: Some(_), .. }) =
            (&effect, seen)
        {
            self.caught_gone(at, &owner, (run, *phase, *attempt));
        }
        let restarted = self.resource(&owner).is_some_and(|made| made.made_by == id && made.restarts.done > 0);
        self.observe_attempt(&effect, seen, restarted);
        let want = match (&effect, seen) {
            (Effect::Serve { run, phase, resource, .. }, Seen::Exited { usage, .. }) => {
                self.want_of_memory(run, *phase, Some(resource), usage)
            }
            _ => None,
        };
        let is_ours = matches!(seen, Seen::Made { path: Some(path), .. } if self.is_on_a_way(path));
        let Some(resource) = self.goals.get_mut(&owner.goal).and_then(|goal| goal.resources.get_mut(&owner)) else { return Ok(()) };
        if matches!(effect, Effect::Make { .. } | Effect::Serve { .. }) && resource.made_by != id {
            // What an earlier effect made has a successor by now: of another attempt, or, rolled back to, of the same.
            return Ok(());
        }
        match (&effect, seen) {
            (Effect::Serve { .. }, Seen::Started { process }) => resource.process = Some(process.clone()),
            (Effect::Serve { .. }, Seen::Exited { exit, survivors, usage, .. }) => {
                resource.recovers_no_more();
                resource.exit = Some(*exit);
                resource.usage = *usage;
                let evidence = want.map_or_else(|| exit.to_string(), |want| format!("{want} ({exit})"));
                match (resource.state, survivors.is_empty()) {
                    (state, true) if state.is_live() => self.move_resource(at, &owner, ResourceInput::Gone, &evidence)?,
                    (ResourceState::Creating | ResourceState::Ready | ResourceState::Unhealthy, false) => {
                        self.move_resource(at, &owner, ResourceInput::Failing, &evidence)?;
                    }
                    _ => {}
                }
            }
            // What is half made is to be destroyed, whether its command fails or nobody sees its end.
            (Effect::Make { .. }, Seen::Begun { path, above }) => resource.begun(path.as_deref(), above.as_deref()),
            (Effect::Make { run, phase, attempt, .. }, Seen::Made { created, path, outputs }) => {
                resource.made(*created || is_ours, path.as_deref());
                resource.outputs.extend(outputs.clone());
                let (outputs, state) = (resource.outputs.clone(), resource.state);
                if state == ResourceState::Creating {
                    self.move_resource(at, &owner, ResourceInput::Ready, "")?;
                }
                let entry = self.run_mut(run).and_then(|run| run.phases.get_mut(phase.at()));
                entry.into_iter().filter(|entry| entry.attempt == *attempt).for_each(|entry| entry.written.extend(outputs.clone()));
            }
            // What was made there, now or before, is still to be removed.
            (Effect::Make { .. }, Seen::Failed { evidence, .. }) if resource.state == ResourceState::Creating && resource.is_owned() => {
                self.move_resource(at, &owner, ResourceInput::Failing, evidence)?;
            }
            (Effect::Make { .. } | Effect::Serve { .. }, Seen::Failed { evidence, .. }) if resource.state.is_live() => {
                self.move_resource(at, &owner, ResourceInput::Gone, evidence)?;
            }
            (Effect::End { .. }, Seen::Ended { survivors, .. })
                if survivors.is_empty() && resource.state == ResourceState::Stopping && ends(&effect, resource) =>
            {
                self.move_resource(at, &owner, ResourceInput::Gone, "ended")?;
            }
            (Effect::Remove, Seen::Done) if resource.state == ResourceState::Stopping => {
                self.move_resource(at, &owner, ResourceInput::Gone, "removed")?;
                self.bequeath(&owner);
            }
            _ => {}
        }
        Ok(())
    }

    /// What an effect tells about the attempt that asked for it, or about the run.
    fn observe_attempt(&mut self, effect: &Effect, seen: &Seen, restarted: bool) {
        let (run, phase, attempt) = match effect {
            Effect::Prepare { run } => {
                if *seen == Seen::Done
                    && let Some(run) = self.run_mut(run)
                {
                    run.prepared = true;
                }
                return;
            }
            Effect::Make { run, phase, attempt, .. } | Effect::Serve { run, phase, attempt, .. } | Effect::Work { run, phase, attempt } => {
                (run, phase, attempt)
            }
            _ => return,
        };
        let Some(entry) = self.run_mut(run).and_then(|run| run.phases.get_mut(phase.at())).filter(|entry| entry.attempt == *attempt) else {
            return;
        };
        match seen {
            Seen::Exited { exit, outputs, .. } if matches!(effect, Effect::Work { .. }) && exit.may_be_success() => {
                entry.written.extend(outputs.iter().map(|(name, value)| (name.clone(), value.clone())));
            }
            // A service is simply started anew.
            Seen::Failed { fault: super::fault::Fault::EngineDied, .. } => entry.interrupted |= !matches!(effect, Effect::Serve { .. }),
            Seen::Failed { .. } if restarted => {}
            Seen::Failed { fault, evidence } => entry.broken = Some((*fault, evidence.clone())),
            _ => {}
        }
    }

    /// What becomes of the restarts of a service. True where it stays away for good that was to be started again.
    fn fold_restart(&mut self, at: Timestamp, owner: &Owner, record: &Record) -> Result<bool, Misfit> {
        let made = self.goals.get_mut(&owner.goal).and_then(|goal| goal.resources.get_mut(owner));
        let made = made.ok_or_else(|| Misfit { event: record.event(), why: format!("nothing was made at {owner}") })?;
        Ok(made.restarting(at, record))
    }

    fn move_resource(&mut self, at: Timestamp, owner: &Owner, input: ResourceInput, evidence: &str) -> Result<(), Misfit> {
        let misfit = |why: String| Misfit { event: "resource", why };
        let absent = || misfit(format!("nothing was made at {owner}"));
        let goal = self.goals.get_mut(&owner.goal).ok_or_else(absent)?;
        let resource = goal.resources.get_mut(owner).ok_or_else(absent)?;
        let next =
            resource.state.on(input).ok_or_else(|| misfit(format!("{owner} is {} and cannot be {input:?}", resource.state.word())))?;
        if next != resource.state {
            resource.since = at;
        }
        if next == ResourceState::Gone {
            resource.recovers_no_more();
        }
        resource.state = next;
        resource.ended_by_us |= input == ResourceInput::Stopping;
        match input {
            ResourceInput::Ready if resource.kind.runs() => resource.restarts.is_ready(),
            ResourceInput::Stopping => resource.restarts.is_over(),
            _ => {}
        }
        if !evidence.is_empty() {
            evidence.clone_into(&mut resource.evidence);
        }
        if next == ResourceState::Gone {
            goal.leaks.shift_remove(owner);
            if let Some(evicted) = &resource.evicted {
                resource.evidence.clone_from(evicted);
            }
        }
        Ok(())
    }
}

/// True where the effect ends the resource itself, and not only the command that makes it.
fn ends(effect: &Effect, resource: &Resource) -> bool {
    resource.kind.runs() == matches!(effect, Effect::End { .. })
}

impl Goal {
    /// How the latest run ended, where it has.
    pub fn verdict(&self) -> Option<Verdict> {
        self.run.as_ref().and_then(|run| run.ended.as_ref()).map(|end| end.verdict)
    }
}
