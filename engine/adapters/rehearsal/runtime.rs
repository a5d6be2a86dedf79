//! The simulated world as a runtime: each permit is spent on one job, and nothing of it happens on the host.

use std::collections::BTreeSet;

use indexmap::IndexMap;

use super::cast::Role;
use super::faults::Kind;
use super::making::Making;
use super::planned::strikes;
use super::simulation::Simulation;
use super::watch::Purpose;
use super::world::World;
use crate::adapters::local::ports::parse;
use crate::base::name::Name;
use crate::base::owner::Owner;
use crate::base::time::Span;
use crate::journal::permit::Permit;
use crate::kernel::action::{Effect, EffectId, ProcessMark, Seen};
use crate::kernel::adoption::Found;
use crate::kernel::fault::Fault;
use crate::kernel::input::Input;
use crate::kernel::suspect::Subject;
use crate::manifest::port::Listen;
use crate::ports::container::Container;
use crate::ports::job::{Command, Job};
use crate::ports::runtime::{Holder, LookError, Runtime, Tell};

impl Runtime for Simulation {
    fn carry_out(&self, permit: Permit, job: Job, tell: &Tell) {
        let mut world = self.world();
        if !world.acts() {
            return;
        }
        let (id, owner) = (permit.id(), permit.owner());
        let seen = match job {
            Job::Prepare(job) => {
                self.make_up_secrets(&job.goal, job.secrets.keys());
                Seen::Done
            }
            Job::Work(job) => return world.work(tell, id, owner, attempt(permit.effect()), &job.command),
            Job::Serve(job) => return world.serve(tell, id, owner, &job.command, &job.ports),
            Job::Contain(job) => {
                let command = as_command(&job.container);
                if job.collect.is_some() {
                    return world.work(tell, id, owner, attempt(permit.effect()), &command);
                }
                let ports: Vec<String> = job.container.ports.iter().map(|port| port.port.to_string()).collect();
                return world.serve(tell, id, owner, &command, &ports);
            }
            Job::Object(_) => return world.announce(tell, id, owner, Making::Object),
            Job::RemoveObject(_) => {
                world.customs.remove(owner);
                Seen::Done
            }
            Job::Watch(job) => return world.adopt(tell, id, owner, &job.process),
            Job::Create(job) => return world.announce(tell, id, owner, Making::Custom(Box::new(job))),
            Job::Destroy(_) => return world.destroy(tell, id, owner),
            Job::End(job) => return world.end(tell, id, &job),
            Job::Sweep(scope, _) => return world.sweep(tell, id, scope),
            Job::Directory(job) => return world.announce(tell, id, owner, Making::Directory(job)),
            Job::File(job) => return world.announce(tell, id, owner, Making::File(job)),
            // Commands of this world call nobody, and start nothing outside of everything that is held.
            Job::Call(_) | Job::Limit(..) | Job::Dismantle(_) => Seen::Done,
            Job::Port(text) => world.reserve(&text),
            Job::RemovePaths(job) => {
                let now = world.elapsed;
                for path in job.paths.iter().rev() {
                    world.files.remove(path, now);
                }
                for (top, path) in job.above.iter().rev().flat_map(|top| job.paths.iter().rev().map(move |path| (top, path))) {
                    world.files.remove_way(top, path, &job.others, now);
                }
                Seen::Done
            }
            Job::Forget(goal, _) => {
                self.forget_secrets(&goal);
                Seen::Done
            }
        };
        world.say(1, tell, Input::Seen { id, seen });
    }

    fn proceed(&self, id: EffectId) {
        let mut world = self.world();
        if world.acts() {
            world.make_announced(id);
        }
    }

    fn cut_off(&self, places: &[Owner]) -> Vec<String> {
        let mut world = self.world();
        if !world.acts() {
            return Vec::new();
        }
        let at_work: Vec<u64> =
            world.processes.iter().filter(|(_, process)| places.contains(&process.owner)).map(|(number, _)| *number).collect();
        for number in &at_work {
            world.kill(*number);
        }
        let left = at_work.iter().filter_map(|number| world.processes.get(number));
        left.map(|process| format!("process {} (`{}`)", process.pid, process.owner)).collect()
    }

    fn populated(&self) -> Result<Vec<String>, LookError> {
        let scopes: BTreeSet<String> = self.world().processes.values().map(|process| process.scope.clone()).collect();
        Ok(scopes.into_iter().collect())
    }

    fn has_ended(&self, process: &ProcessMark) -> bool {
        self.world().marked(process).is_none()
    }

    fn find(&self, _: &Subject) -> Found {
        Found::Gone
    }

    fn holder(&self, port: &Listen) -> Option<Holder> {
        self.world().holder(port.into())
    }

    /// Scopes are only names here: an empty one is nothing.
    fn tidy(&self, _: &Name) {}
}

/// What a container runs, as a command of this world: it knows only processes.
fn as_command(container: &Container) -> Command {
    Command {
        argv: container.entrypoint.iter().chain(&container.command).flatten().cloned().collect(),
        env: container.env.clone(),
        cwd: std::path::PathBuf::from("/"),
        user: None,
        group: None,
        log: container.log.clone(),
        limits: container.limits.clone(),
    }
}

/// The attempt that an effect belongs to.
const fn attempt(effect: &Effect) -> u32 {
    match effect {
        Effect::Work { attempt, .. } | Effect::Make { attempt, .. } | Effect::Serve { attempt, .. } => *attempt,
        _ => 1,
    }
}

impl World {
    /// A scope for a command that is no service.
    pub(super) fn fresh_scope(&mut self, owner: &Owner) -> String {
        let number = self.number();
        format!("{}/attempt.{number}", owner.goal)
    }

    fn work(&mut self, tell: &Tell, id: EffectId, owner: &Owner, attempt: u32, command: &Command) {
        let performance = self.cast.perform(owner, Role::Work(attempt), command);
        if performance.absent {
            return self.say(1, tell, Input::Seen { id, seen: absent(command) });
        }
        self.written.remove(owner);
        let scope = self.fresh_scope(owner);
        let main = self.start(owner, Role::Work(attempt), &scope, &performance, &[]);
        self.watch(tell, owner, &scope, main, Purpose::Own(id));
        let process = self.mark(main);
        self.say_at_once(0, tell, Input::Seen { id, seen: Seen::Started { process } });
    }

    fn serve(&mut self, tell: &Tell, id: EffectId, owner: &Owner, command: &Command, ports: &[String]) {
        let scope = owner.to_string();
        // What an engine that is no more left of this very resource would be a second copy of it.
        for number in self.inside(&scope) {
            self.kill(number);
        }
        let performance = self.cast.perform(owner, Role::Service, command);
        if performance.absent {
            return self.say(1, tell, Input::Seen { id, seen: absent(command) });
        }
        self.maybe_settle_stranger(owner, ports);
        for text in ports {
            let Some(port) = parse(text) else { continue };
            self.known_ports.insert((port.number, text.ends_with("/udp")));
            if let Some(holder) = self.holder(port) {
                let evidence = format!("port {text} is held by {holder}");
                return self.say(1, tell, Input::Seen { id, seen: Seen::Failed { fault: Fault::PortTaken, evidence } });
            }
        }
        let main = self.start(owner, Role::Service, &scope, &performance, ports);
        self.watch(tell, owner, &scope, main, Purpose::Own(id));
        let process = self.mark(main);
        self.say_at_once(0, tell, Input::Seen { id, seen: Seen::Started { process } });
    }

    /// Where the seed says so, a stranger has taken the first port just before.
    fn maybe_settle_stranger(&mut self, owner: &Owner, ports: &[String]) {
        let place = owner.to_string();
        let Some(port) = ports.first().and_then(|text| parse(text)) else { return };
        let Some(mut stream) = strikes(self.seed, &self.faults, Kind::PortTaken, &place) else { return };
        if *self.asked.entry(format!("stranger {place}")).and_modify(|times| *times += 1).or_insert(1) > 1 || self.holder(port).is_some() {
            return;
        }
        let stays = stream.chance(1, 2).then(|| Span(stream.between(50, 20_000)));
        self.settle_stranger(port, stays);
        let long = stays.map_or_else(|| "for good".to_owned(), |stays| format!("for {}", stays.human()));
        self.note(Some(owner), Kind::PortTaken, format!("a stranger holds port {} {long}", port.number));
    }

    fn reserve(&self, text: &str) -> Seen {
        let Some(port) = parse(text) else {
            return Seen::Failed { fault: Fault::System, evidence: format!("`{text}` is not a port") };
        };
        match self.holder(port) {
            Some(holder) => Seen::Failed { fault: Fault::PortTaken, evidence: format!("port {text} is held by {holder}") },
            None => Seen::Made { created: true, path: None, outputs: IndexMap::new() },
        }
    }
}

fn absent(command: &Command) -> Seen {
    let program = command.argv.first().map_or("", String::as_str);
    Seen::Failed { fault: Fault::MissingCommand, evidence: format!("failed to start `{program}`: there is no such program") }
}
