//! The hands: what is permitted becomes a job for the runtime, what is asked a question for the probe.

use std::collections::VecDeque;
use std::sync::Arc;

use indexmap::IndexMap;

use super::engine::Engine;
use super::texts::{TextError, Texts};
use super::unexplained::seen_at;
use crate::adapters::local::prepare::read_environment;
use crate::adapters::vault::Vault;
use crate::base::name::Name;
use crate::base::owner::Owner;
use crate::journal::permit::Permit;
use crate::kernel::action::{Effect, Look, ProcessMark, RunId, Seen, Shown};
use crate::kernel::adoption::Adoption;
use crate::kernel::answer::Answer;
use crate::kernel::fault::Fault;
use crate::kernel::input::Input;
use crate::kernel::state::Run;
use crate::kernel::stock::{Kind, Resource};
use crate::manifest::policy::Limits;
use crate::plan::sealed::PhaseIx;
use crate::ports::container::{EndpointJob, Reach};
use crate::ports::job::{Command, DismantleJob, Job, PrepareJob, WatchJob};
use crate::ports::probe::Probing;

/// Where programs are on any host.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

impl Engine {
    /// Hands a permit to the runtime, with the job that it allows.
    pub(super) fn spend(&mut self, permit: Permit, queue: &mut VecDeque<Input>) {
        if let Effect::Ask { question, .. } = permit.effect() {
            self.standing.insert(*question, permit);
            return;
        }
        match self.job(&permit) {
            Ok(job) => self.runtime.carry_out(permit, job, &self.tell),
            Err((fault, evidence)) => queue.push_back(Input::Seen { id: permit.id(), seen: Seen::Failed { fault, evidence } }),
        }
    }

    fn job(&mut self, permit: &Permit) -> Result<Job, TextError> {
        let owner = permit.owner().clone();
        if let Some(process) = self.kernel.state().effects.get(&permit.id()).and_then(|open| open.process.clone()) {
            return self.watch_job(permit.effect(), process);
        }
        self.claim(&owner, permit.effect())?;
        match permit.effect() {
            Effect::Prepare { run } => {
                let (env, _) = self.prepare_texts(run)?;
                let plan = self.kernel.state().run(run).map(|run| Arc::clone(&run.plan)).ok_or_else(|| gone(&owner))?;
                let (secrets, limits) = (plan.secrets.clone(), plan.limits.clone());
                let folder = self.workspace.run(run);
                let endpoint = Some(super::endpoint::of_secrets(run, &env, &limits));
                Ok(Job::Prepare(PrepareJob { goal: owner.goal, folder, env, secrets, limits, endpoint }))
            }
            Effect::Work { run, phase, .. } => self.texts(run, *phase)?.work_job(),
            Effect::Serve { run, phase, resource, .. } => self.texts(run, *phase)?.serve_job(resource),
            Effect::Make { run, phase, resource, .. } => self.texts(run, *phase)?.make_job(resource),
            Effect::End { stop } => {
                let reach = self.reach_of(&owner)?;
                Ok(super::job::ending(self.kernel.state(), &owner, *stop, reach))
            }
            Effect::Sweep { scope } => Ok(Job::Sweep(scope.clone(), seen_at(&self.seen_in, scope))),
            Effect::Limit { run } => {
                let limits = self.kernel.state().run(run).map(|run| run.plan.limits.clone()).ok_or_else(|| gone(&owner))?;
                Ok(Job::Limit(owner.goal, limits))
            }
            Effect::Remove => {
                let made = self.kernel.state().resource(&owner).cloned().ok_or_else(|| gone(&owner))?;
                if let Some(adopted) = &made.adopted {
                    return Ok(self.dismantle_job(&made, adopted));
                }
                let ways = self.kernel.state().ways(&owner);
                self.texts(&made.run, made.phase)?.remove_job(&made, ways)
            }
            Effect::Call { id, .. } => Ok(Job::Call(*id)),
            Effect::Forget => {
                let reaches = self.reaches_of(&owner.goal);
                Ok(Job::Forget(owner.goal, reaches))
            }
            Effect::Ask { .. } => Err(gone(&owner)),
        }
    }

    /// The removal of what was adopted. Where the environment of its run is not kept any more, a command has only where programs are.
    fn dismantle_job(&mut self, made: &Resource, adopted: &Adoption) -> Job {
        let env = self.prepare_texts(&made.run).map(|(env, _)| (*env).clone());
        let env = env.unwrap_or_else(|_| IndexMap::from([("PATH".to_owned(), PATH.to_owned())]));
        let (root, phase) = (self.workspace.root().to_owned(), made.owner.phase.clone().unwrap_or_else(|| Name::from("")));
        let log = self.workspace.log(&made.run, &phase, made.owner.resource.as_ref(), made.attempt);
        let command = Command { argv: Vec::new(), env, cwd: root, user: None, group: None, log, limits: Limits::default() };
        Job::Dismantle(Box::new(DismantleJob { subject: adopted.subject.clone(), command }))
    }

    /// The permit is for what an earlier engine started: it is watched, whatever can be rendered of it.
    fn watch_job(&mut self, effect: &Effect, process: ProcessMark) -> Result<Job, TextError> {
        let collect = match effect {
            Effect::Work { run, phase, .. } => Some(self.texts(run, *phase).and_then(|texts| texts.collect())),
            _ => None,
        };
        let contained = match effect {
            Effect::Work { run, phase, .. } if process.container.is_some() => {
                let texts = self.texts(run, *phase)?;
                Some((texts.reach(), texts.log(None)))
            }
            Effect::Serve { run, phase, resource, .. } if process.container.is_some() => {
                let texts = self.texts(run, *phase)?;
                Some((texts.reach(), texts.log(Some(resource))))
            }
            _ => None,
        };
        let endpoint = match effect {
            _ if contained.is_some() => None,
            Effect::Work { run, phase, .. } => self.endpoint_again(run, *phase, None),
            Effect::Serve { run, phase, resource, .. } => self.endpoint_again(run, *phase, Some(resource)),
            _ => None,
        };
        let around = match effect {
            Effect::Serve { run, phase, resource, .. } if contained.is_none() => {
                match self.texts(run, *phase).and_then(|texts| texts.serve_job(resource)) {
                    Ok(Job::Serve(job)) => Some(job.command.env),
                    _ => None,
                }
            }
            _ => None,
        };
        Ok(Job::Watch(Box::new(WatchJob { process, contained, collect, around, endpoint })))
    }

    /// The endpoint of what an earlier engine started. Where nothing can be rendered of it, it has none any more.
    fn endpoint_again(&mut self, run: &RunId, phase: PhaseIx, resource: Option<&Name>) -> Option<EndpointJob> {
        let goal = Name::from(crate::kernel::state::goal_of(run));
        let may_have_called = self.kernel.state().goals.get(&goal).is_some_and(|goal| goal.called);
        let job = self.texts(run, phase).and_then(|texts| texts.endpoint_job(resource, texts.reach_of_commands()?)).ok()?;
        Some(EndpointJob { may_have_called, ..job })
    }

    /// Where the container engine is, where a place may have a container: by the run that may have started one there.
    fn reach_of(&mut self, owner: &Owner) -> Result<Option<Reach>, TextError> {
        let state = self.kernel.state();
        let started = state.effects.values().filter(|open| open.owner == *owner).find_map(|open| match &open.effect {
            Effect::Work { run, phase, .. } => {
                let inside = state.run(run)?.plan.phase(*phase).spec.image.is_some();
                inside.then(|| run.clone())
            }
            Effect::Serve { run, phase, resource, .. } => {
                let planned = state.run(run)?.plan.phase(*phase);
                planned.resource(resource)?.container.as_ref().map(|_| run.clone())
            }
            _ => None,
        });
        let made = state.resource(owner).filter(|made| made.kind == Kind::Container);
        if let Some(caught) = made.filter(|made| made.caught.is_some()) {
            let (run, phase) = (caught.run.clone(), caught.phase);
            return self.texts(&run, phase)?.reach_of_commands().map(Some);
        }
        let made = made.map(|made| made.run.clone());
        let Some(run) = started.or(made) else { return Ok(None) };
        let (env, _) = self.prepare_texts(&run)?;
        Ok(Some(Reach::of(&env)))
    }

    /// The container engines that may hold images of a goal, by those of its runs that are known and build some. Where the environment of
    /// a run is not kept any more, nobody knows which it met.
    fn reaches_of(&mut self, goal: &Name) -> Vec<Reach> {
        let known = self.kernel.state().goals.get(goal);
        let builds = |run: &&Run| {
            let resources = run.plan.phases.iter().flat_map(|phase| phase.spec.resources.values());
            resources.filter_map(|resource| resource.container.as_ref()).any(|container| container.build.is_some())
        };
        let runs: Vec<RunId> =
            known.into_iter().flat_map(|goal| goal.run.iter().chain(&goal.older)).filter(builds).map(|run| run.id.clone()).collect();
        let mut reaches = Vec::new();
        for run in runs {
            if let Ok((env, _)) = self.prepare_texts(&run) {
                reaches.push(Reach::of(&env));
            }
        }
        reaches.dedup();
        reaches
    }

    /// Takes a look. What needs no waiting is answered at once.
    pub(super) fn look(&mut self, look: Look, queue: &mut VecDeque<Input>) {
        match look {
            Look::Memory => queue.push_back(Input::Shown(Shown::Memory(self.sighting()))),
            Look::Brief { run, phase } => {
                let brief = self.brief(&run, phase);
                queue.push_back(Input::Shown(Shown::Brief { run, phase, brief }));
            }
            Look::Unexplained => self.look_for_unexplained(queue),
            Look::Around { by, over } => self.runtime.look_around(by, over, &self.tell),
            Look::Try { question, about, timeout } => {
                let (run, phase) = about.phase();
                let (run, phase) = (run.clone(), phase);
                let asked = self.prepare_texts(&run).and_then(|(env, vault)| {
                    let state = self.kernel.state();
                    let run = state.run(&run).ok_or_else(|| gone_run(&run))?;
                    let place = Owner { resource: about.resource().cloned(), ..run.owner(phase) };
                    Ok((place, Texts::new(&self.workspace, run, phase, env, vault).asked(state, question, &about)?))
                });
                match asked {
                    Ok((place, asked)) => {
                        self.probe.ask(Probing { question, place, timeout, asked }, self.standing.get(&question), &self.tell);
                    }
                    Err((fault, evidence)) => {
                        let answer = Answer::unknown(fault, evidence);
                        queue.push_back(Input::Shown(Shown::Answer { question, answer }));
                    }
                }
            }
        }
    }

    pub(super) fn texts(&mut self, run: &RunId, phase: PhaseIx) -> Result<Texts<'_>, TextError> {
        let (env, vault) = self.prepare_texts(run)?;
        let run = self.kernel.state().run(run).ok_or_else(|| gone_run(run))?;
        Ok(Texts::new(&self.workspace, run, phase, env, vault))
    }

    /// The environment and the secrets of a run; of one that an earlier engine began, as it kept them.
    fn prepare_texts(&mut self, run: &RunId) -> Result<(Arc<IndexMap<String, String>>, Vault), TextError> {
        let env = if let Some(env) = self.envs.get(run) {
            Arc::clone(env)
        } else {
            let kept = read_environment(&self.workspace.run(run));
            let kept = kept.map_err(|error| (Fault::MissingFile, format!("failed to read the environment of {run}: {error}")))?;
            let env = Arc::new(kept);
            self.envs.insert(run.clone(), Arc::clone(&env));
            env
        };
        let goal = Name::from(crate::kernel::state::goal_of(run));
        let vault = self.vaults.of(&self.workspace, &goal);
        Ok((env, vault.map_err(|error| (Fault::Secret, format!("failed to read the secrets that are kept: {error}")))?))
    }
}

fn gone(owner: &Owner) -> TextError {
    (Fault::System, format!("nothing is known of {owner}"))
}

fn gone_run(run: &RunId) -> TextError {
    (Fault::System, format!("nothing is known of the run {run}"))
}
