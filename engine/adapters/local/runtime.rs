//! This host as a runtime: each permit is spent on one job.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::custom::Around;
use super::endpoints::Endpoints;
use super::fleets::Fleets;
use super::inquiry::Inquiries;
use super::intent::Intents;
use super::lease::Leases;
use super::prepare::Vaults;
use crate::adapters::process::containment::Containment;
use crate::adapters::suspects::lookout::Lookout;
use crate::adapters::suspects::presence::find;
use crate::adapters::suspects::rounds::Rounds;
use crate::adapters::workspace::Workspace;
use crate::base::name::Name;
use crate::base::owner::Owner;
use crate::journal::permit::Permit;
use crate::kernel::action::{EffectId, ProcessMark, Seen, Shown};
use crate::kernel::adoption::Found;
use crate::kernel::call::CallId;
use crate::kernel::fault::Fault;
use crate::kernel::input::Input;
use crate::kernel::options::Shares;
use crate::kernel::suspect::Subject;
use crate::manifest::port::Listen;
use crate::plan::explain::limits::Limit;
use crate::ports::container::{Known, Reach};
use crate::ports::job::{Job, WatchJob};
use crate::ports::runtime::{Contained, Holder, LookError, Runtime, Tell};

/// How long a look around may take.
const LOOK: Duration = Duration::from_secs(30);

/// This host as a runtime.
#[derive(Clone, Debug)]
pub struct LocalRuntime {
    pub(super) leases: Arc<Leases>,
    pub(super) inquiries: Arc<Inquiries>,
    pub(super) workspace: Workspace,
    pub(super) fleets: Arc<Fleets>,
    intents: Arc<Intents>,
    vaults: Vaults,
    lookout: Arc<Lookout>,
    rounds: Arc<Rounds>,
    pub(super) endpoints: Arc<Endpoints>,
}

impl LocalRuntime {
    /// A runtime for a workspace.
    pub fn new(workspace: Workspace, id: &str, containment: Arc<Containment>, vaults: Vaults) -> Self {
        let fleets = Arc::new(Fleets::new(id, Arc::clone(&containment)));
        let (leases, lookout) = (Arc::new(Leases::new(containment)), Arc::new(Lookout::of_host()));
        let endpoints = Arc::new(Endpoints::new(workspace.root().to_owned(), id, Arc::clone(&fleets)));
        let rounds = Arc::new(Rounds::new(Arc::clone(&lookout)));
        Self { leases, inquiries: Arc::default(), workspace, fleets, intents: Arc::default(), vaults, lookout, rounds, endpoints }
    }

    async fn perform(self, id: EffectId, owner: Owner, job: Job, tell: Tell) {
        let seen = match job {
            Job::Prepare(job) => {
                let around = Around { leases: &self.leases, endpoints: &self.endpoints, by: (id, &owner), tell: &tell };
                super::prepare::prepare(&around, &self.workspace, &self.vaults, &job).await
            }
            Job::Work(job) => return super::work::work(self.leases, self.lookout, self.endpoints, (id, owner), job, tell).await,
            Job::Serve(job) => {
                self.rounds.begin(id, &job.command.env);
                return super::serve::serve(self.leases, self.endpoints, (id, owner), job, tell).await;
            }
            Job::Contain(job) => {
                // Its health is heard of from its start on.
                self.endpoints.ears.listen(&self.fleets, &job.container.made.reach, Vec::new(), &tell);
                return Box::pin(super::contain::contain(self.fleets, id, owner, *job, tell)).await;
            }
            Job::Watch(job) if job.contained.is_some() => {
                let WatchJob { process, contained, collect, .. } = *job;
                let Some(contained) = contained else { return };
                return super::contain::watch(self.fleets, id, process, contained, collect, tell).await;
            }
            Job::Watch(job) => {
                // Around one that has ended meanwhile there is nothing to look at, and what it left is to be ended at once.
                if let Some(environment) = job.around.as_ref().filter(|_| !self.has_ended(&job.process)) {
                    self.rounds.resume(id, environment);
                }
                return super::watch::watch(self.leases, self.endpoints, (id, owner), *job, tell).await;
            }
            Job::Object(job) => super::contain::make(&self.fleets, &owner, &job, self.intents.announce(id, (None, None), &tell)).await,
            Job::RemoveObject(job) => super::contain::remove(&self.fleets, &owner, &job).await,
            Job::Create(job) => {
                self.rounds.begin(id, &job.act.env);
                let around = Around { leases: &self.leases, endpoints: &self.endpoints, by: (id, &owner), tell: &tell };
                super::custom::create(&around, &job, self.intents.announce(id, (None, None), &tell)).await
            }
            Job::Destroy(job) => {
                self.rounds.begin(id, &job.act.env);
                let around = Around { leases: &self.leases, endpoints: &self.endpoints, by: (id, &owner), tell: &tell };
                super::custom::destroy(&around, &job).await
            }
            Job::Directory(job) => {
                self.announce(id, &job.path, &tell).await;
                blocking(move || super::files::make_directory(self.workspace.root(), &job)).await
            }
            Job::File(job) => {
                self.announce(id, &job.path, &tell).await;
                blocking(move || super::files::make_file(self.workspace.root(), &job)).await
            }
            Job::Port(port) => blocking(move || reserve(&port)).await,
            Job::End(job) => {
                self.inquiries.stop(&job.owner).await;
                if let Some(reach) = &job.reach {
                    let seen = super::contain::end(&self.fleets, &job, reach).await;
                    return tell.say(Input::Seen { id, seen });
                }
                let leases = Arc::clone(&self.leases);
                blocking(move || super::end::end(&leases, &job)).await
            }
            Job::Sweep(scope, Some(reach)) => super::contain::sweep(&self.fleets, &reach, &scope).await,
            Job::Sweep(scope, None) => {
                let leases = Arc::clone(&self.leases);
                blocking(move || super::end::sweep(&leases, &scope)).await
            }
            Job::Limit(goal, limits) => match super::prepare::limit(&self.leases, &goal, &limits) {
                Ok(missed) => {
                    if let Some(seen) = missed {
                        tell.say(Input::Seen { id, seen });
                    }
                    Seen::Done
                }
                Err(error) => error.seen(),
            },
            Job::Dismantle(job) => {
                let around = Around { leases: &self.leases, endpoints: &self.endpoints, by: (id, &owner), tell: &tell };
                super::dismantle::dismantle(&around, &job).await
            }
            Job::RemovePaths(job) => blocking(move || super::files::remove_all(&job)).await,
            // It has its permit already: see `carry_out`.
            Job::Call(_) => return,
            Job::Forget(goal, reaches) => {
                let images = super::built::forget(&self.fleets, &goal, &reaches).await;
                let secrets = blocking(move || super::prepare::forget(&self.workspace, &self.vaults, &goal)).await;
                if secrets == Seen::Done { images } else { secrets }
            }
        };
        tell.say(Input::Seen { id, seen });
    }

    /// Where nothing is at a path yet, what will be made there is announced. A look that fails says nothing: then making it fails too.
    async fn announce(&self, id: EffectId, path: &Path, tell: &Tell) {
        let absent = path.symlink_metadata().is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound);
        if absent {
            let told = |path: &Path| super::files::told(self.workspace.root(), path);
            let above = super::files::topmost_absent(path).and_then(told);
            self.intents.announce(id, (told(path), above), tell).await;
        }
    }
}

/// A port that must be free is looked at; nothing holds it until its service does.
fn reserve(text: &str) -> Seen {
    let Some(port) = super::ports::parse(text) else {
        return Seen::Failed { fault: Fault::System, evidence: format!("`{text}` is not a port") };
    };
    match super::ports::holder(port) {
        Some(holder) => Seen::Failed { fault: Fault::PortTaken, evidence: format!("port {text} is held by {holder}") },
        None => Seen::Made { created: true, path: None, outputs: indexmap::IndexMap::new() },
    }
}

async fn blocking(act: impl FnOnce() -> Seen + Send + 'static) -> Seen {
    tokio::task::spawn_blocking(act).await.unwrap_or_else(|error| Seen::Failed { fault: Fault::System, evidence: error.to_string() })
}

impl Runtime for LocalRuntime {
    fn carry_out(&self, permit: Permit, job: Job, tell: &Tell) {
        if let Job::Call(call) = job {
            return self.endpoints.calls.permit(call, permit);
        }
        let (id, owner) = (permit.id(), permit.owner().clone());
        tokio::spawn(self.clone().perform(id, owner, job, tell.clone()));
    }

    fn proceed(&self, id: EffectId) {
        self.intents.recorded(id);
    }

    fn deny(&self, call: CallId) {
        self.endpoints.calls.deny(call);
    }

    fn cut_off(&self, places: &[Owner]) -> Vec<String> {
        let scopes = places.iter().flat_map(|place| self.leases.of(place));
        scopes
            .flat_map(|lease| match lease.scope().kill() {
                Ok(ended) => ended.survivors.iter().map(|process| format!("process {} (`{}`)", process.id.pid, process.command)).collect(),
                Err(error) => vec![error.to_string()],
            })
            .collect()
    }

    fn populated(&self) -> Result<Vec<String>, LookError> {
        self.leases.containment().scopes().map_err(|error| LookError::from(Box::from(error)))
    }

    fn contained<'r>(&'r self, reach: &'r Reach) -> Contained<'r> {
        Box::pin(
            async move { super::contain::scopes(&self.fleets, reach).await.map_err(|error| LookError::from(Box::from(error.to_string()))) },
        )
    }

    fn listen(&self, reach: &Reach, known: Vec<Known>, tell: &Tell) {
        self.endpoints.ears.listen(&self.fleets, reach, known, tell);
    }

    fn has_ended(&self, process: &ProcessMark) -> bool {
        // Of one that this host does not count only the container engine can tell.
        process.pid != 0 && !super::end::identity(process).alive()
    }

    fn enforceable(&self) -> Vec<Limit> {
        self.leases.containment().report().limits.iter().copied().map(Limit::from).collect()
    }

    fn shares(&self) -> Shares {
        self.leases.containment().shares()
    }

    fn look_around(&self, by: EffectId, over: bool, tell: &Tell) {
        let (rounds, leases, tell) = (Arc::clone(&self.rounds), Arc::clone(&self.leases), tell.clone());
        tokio::spawn(async move {
            let look = tokio::task::spawn_blocking(move || rounds.look(by, over, leases.containment()));
            let looked = tokio::time::timeout(LOOK, look).await;
            // Whoever waits for it is told in any case: a folder that hangs holds nobody up.
            let suspects = looked.ok().and_then(Result::ok).unwrap_or_default();
            tell.say(Input::Shown(Shown::Around { by, over, suspects }));
        });
    }

    fn find(&self, subject: &Subject) -> Found {
        find(subject)
    }

    fn holder(&self, port: &Listen) -> Option<Holder> {
        super::ports::holder(port.into())
    }

    fn tidy(&self, goal: &Name) {
        drop(self.leases.containment().remove_goal(goal));
        self.endpoints.sockets.tidy(goal);
    }

    fn leave(&self) {
        self.endpoints.sockets.leave();
    }
}
