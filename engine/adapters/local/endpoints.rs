//! Endpoints of the container engine: one for each command and each service, where there is an engine.
//!
//! | | |
//! |---|---|
//! | its socket | `/run/sculpt/WORKSPACE/SCOPE.sock`, of an ordinary user `/tmp/sculpt-UID/…`: short, 0600, the same for the same scope whichever engine serves it; gone with its folder once nothing of its goal runs, and at the engine's end |
//! | a pooled scope | keeps its socket, as it keeps its control group: the next command in it is served there |
//! | the command's environment | `DOCKER_HOST` leads to it; what would lead past it is taken away |
//! | the command's view of the host | has it in the place of every engine's socket, where the engine is root: an environment that is scrubbed changes nothing |
//! | an engine that starts meanwhile | makes its socket anew, which is covered as soon as it is there |
//! | at the command's end | no call begins any more, those under way are waited for, what was made is ended |

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};

use tokio::task::AbortHandle;

use super::calls::{Caller, Calls, Traffic};
use super::ear::Ears;
use super::fleets::Fleets;
use super::sockets::{Socket, Sockets};
use super::work::WorkError;
use crate::adapters::docker::connection::{places_of_sockets, socket_of};
use crate::adapters::docker_gateway::policy::{Limits, Policy};
use crate::adapters::docker_gateway::server::Gateway;
use crate::adapters::process::containment::Containment;
use crate::adapters::process::identity::ProcessId;
use crate::adapters::process::launch::Launch;
use crate::adapters::process::user::heir;
use crate::adapters::process::view::View;
use crate::adapters::process::view_watch::ViewWatch;
use crate::base::label::{Label, Origin};
use crate::base::marks::ENGINE;
use crate::base::owner::Owner;
use crate::kernel::action::EffectId;
use crate::ports::container::{EndpointJob, Reach};
use crate::ports::runtime::Tell;

/// The most processes and threads of a container whose phase says nothing.
const PIDS: i64 = 4096;

/// The container engine counts billionths of a processor.
const BILLION: i64 = 1_000_000_000;

/// Variables that would outweigh the one that leads to an endpoint, or turn aside what it says.
const OUTWEIGH: [&str; 6] = [ENGINE, "DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"];

/// The endpoints of this engine.
pub(super) struct Endpoints {
    workspace: PathBuf,
    id: String,
    /// The bounds of each container whose phase says nothing.
    usual: Limits,
    pub(super) calls: Arc<Calls>,
    pub(super) ears: Arc<Ears>,
    fleets: Arc<Fleets>,
    pub(super) sockets: Sockets,
    watch: ViewWatch,
}

impl std::fmt::Debug for Endpoints {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Endpoints").field("folder", &self.sockets.folder()).finish_non_exhaustive()
    }
}

/// An endpoint that is served.
pub(super) struct Endpoint {
    endpoints: Arc<Endpoints>,
    scope: String,
    socket: Arc<Socket>,
    serving: AbortHandle,
    traffic: Traffic,
    by: (EffectId, Owner),
    job: EndpointJob,
    /// The container engine's own socket, and every place where this host may have one.
    upstream: PathBuf,
    real: Vec<PathBuf>,
}

impl Endpoints {
    pub(super) fn new(workspace: PathBuf, id: &str, fleets: Arc<Fleets>) -> Self {
        Self {
            workspace,
            id: id.to_owned(),
            usual: usual(),
            calls: Arc::default(),
            ears: Arc::default(),
            fleets,
            sockets: Sockets::of(id),
            watch: ViewWatch::default(),
        }
    }

    /// Opens the endpoint of a command in a scope; none where there is no container engine, or none that can be stood before.
    pub(super) fn open(
        self: &Arc<Self>,
        scope: &str,
        (id, owner): (EffectId, &Owner),
        job: Option<EndpointJob>,
        tell: &Tell,
    ) -> Result<Option<Endpoint>, WorkError> {
        let Some(job) = job else { return Ok(None) };
        let reach = job.reach.env();
        let Some(upstream) = socket_of(&reach) else { return Ok(None) };
        // What is made through it is looked for in that very engine, whichever its environment leads to by then.
        let job = EndpointJob { reach: Reach::at(&upstream), ..job };
        let socket = self.sockets.take(scope).map_err(WorkError::io("make the command's endpoint of the container engine"))?;
        let real = places_of_sockets(&reach);
        let policy = Policy {
            label: Label {
                workspace: self.id.clone(),
                owner: owner.clone(),
                run: job.run.0.clone(),
                attempt: job.attempt,
                origin: Origin::Caught,
                effect: (!job.keeps).then_some(id.0),
            },
            limits: self.bounds(&job),
            parent: self.fleets.parent(&owner.goal),
            workspace: self.workspace.clone(),
            real_sockets: real.clone(),
            allow: job.allow.clone(),
        };
        let traffic = Traffic::new();
        let (ears, fleets, reach) = (Arc::clone(&self.ears), Arc::clone(&self.fleets), job.reach.clone());
        let told = tell.clone();
        let made = Box::new(move || ears.listen(&fleets, &reach, Vec::new(), &told));
        let caller = Caller { calls: Arc::clone(&self.calls), traffic: traffic.clone(), by: id, tell: tell.clone(), made };
        let (served, engine) = (Arc::clone(&socket), upstream.clone());
        let serving = tokio::spawn(async move { Gateway::serve(&served.listener, engine, Arc::new(policy), caller).await });
        let serving = serving.abort_handle();
        Ok(Some(Endpoint {
            endpoints: Arc::clone(self),
            scope: scope.to_owned(),
            socket,
            serving,
            traffic,
            by: (id, owner.clone()),
            job,
            upstream,
            real,
        }))
    }

    /// Ends what a command made that has ended, and may not leave. Gives how many things that were; none where there can be none, where
    /// they stay, and where they cannot be seen or ended: then what is known of them is ended with the attempt, where trouble is told, and
    /// is a leak from then on; and what is not, since a call was never answered, is met by the next look for what no record explains.
    pub(super) async fn sweep(&self, (id, owner): (EffectId, &Owner), job: &EndpointJob) -> Option<u32> {
        if !job.may_have_called || job.keeps {
            return None;
        }
        super::caught::sweep(&self.fleets, (id, owner), job).await.ok()
    }

    /// The bounds of each container of a command: those that are declared, else the usual ones.
    fn bounds(&self, job: &EndpointJob) -> Limits {
        let declared = &job.limits;
        #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "a number of processors, in billionths")]
        let nano_cpus = declared.cpus.map(|cpus| (cpus * BILLION as f64) as i64);
        Limits {
            memory: declared.memory.map_or(self.usual.memory, |memory| i64::try_from(memory.0).ok()),
            nano_cpus: nano_cpus.or(self.usual.nano_cpus),
            pids: declared.pids.map(i64::from).or(self.usual.pids),
        }
    }
}

impl Endpoint {
    /// Has a command use it.
    pub(super) fn lead(&self, launch: &mut Launch) -> Result<(), WorkError> {
        // Another user may use it where he may use the container engine itself, and only there.
        let failed = || WorkError::io("give the endpoint of the container engine to the command's user");
        let heir = heir(launch, &fs::metadata(&self.upstream).map_err(failed())?)?;
        own(&self.socket.path, heir).map_err(failed())?;
        let real = launch.env.iter().rev().find(|(name, _)| name == "DOCKER_HOST").map(|(_, host)| host.clone());
        // Each of these would outweigh, or turn aside, what leads to it. What was there is kept for a `sculpt run` of the command.
        launch.env.retain(|(name, _)| !OUTWEIGH.contains(&name.as_str()));
        launch.env.push((ENGINE.to_owned(), real.unwrap_or_default()));
        launch.env.push(("DOCKER_HOST".to_owned(), format!("unix://{}", self.socket.path.display())));
        Ok(())
    }

    /// The view of the host's files in which it is in the place of every container engine's socket; none where there can be none, and
    /// only the environment leads to it.
    pub(super) fn view(&self, containment: &Containment) -> Result<Option<View>, WorkError> {
        if !containment.has_views() {
            return Ok(None);
        }
        let mut kept = self.socket.view.lock().unwrap_or_else(PoisonError::into_inner);
        let there: Vec<PathBuf> = self.real.iter().filter(|place| place.exists()).cloned().collect();
        if let Some((view, watched)) = &*kept
            && view.covers(&there)
            && watched.places() == self.real
        {
            return Ok(Some(view.clone()));
        }
        let failed = || WorkError::io("cover the container engine's socket with the command's endpoint");
        let view = View::covering(&there, &self.socket.path).map_err(failed())?;
        let watched = self.endpoints.watch.keep(&view, self.real.clone(), &self.socket.path).map_err(failed())?;
        *kept = Some((view.clone(), watched));
        Ok(Some(view))
    }

    /// Stays in the place of every container engine's socket for a command whose view is a copy of the one that it was given: where
    /// processes are held by a namespace of theirs, they have their own mounts with it.
    pub(super) fn follow(&self, given: &View, process: &ProcessId) -> Result<(), WorkError> {
        let failed = || WorkError::io("keep the container engine's socket covered");
        match View::of(process.pid) {
            Ok(Some(own)) if own != *given => {
                let watched = self.endpoints.watch.keep(&own, self.real.clone(), &self.socket.path).map_err(failed())?;
                *self.socket.view.lock().unwrap_or_else(PoisonError::into_inner) = Some((own, watched));
                Ok(())
            }
            Ok(_) => Ok(()),
            Err(error) => Err(failed()(error)),
        }
    }

    /// Stands in the place of every container engine's socket again, for a process that an earlier engine started. One that has ended
    /// meanwhile needs it no more.
    pub(super) fn stand_again(&self, containment: &Containment, process: &ProcessId) -> Result<(), WorkError> {
        if !containment.has_views() || !process.alive() {
            return Ok(());
        }
        let again = || {
            let Some(view) = View::of(process.pid)? else { return Ok(()) };
            view.cover_again(&self.real, &self.socket.path)?;
            let watched = self.endpoints.watch.keep(&view, self.real.clone(), &self.socket.path)?;
            *self.socket.view.lock().unwrap_or_else(PoisonError::into_inner) = Some((view, watched));
            Ok(())
        };
        match again() {
            Err(error) if process.alive() => Err(WorkError::io("cover the container engine's socket again")(error)),
            _ => Ok(()),
        }
    }

    /// Closes it, and ends what was made through it and may not stay. Gives how many things that were.
    pub(super) async fn close(mut self) -> Option<u32> {
        self.job.may_have_called |= self.traffic.close().await;
        self.serving.abort();
        self.endpoints.sweep((self.by.0, &self.by.1), &self.job).await
    }

    /// Closes it, and ends what was made through it, where nothing of that may outlive the command.
    pub(super) async fn end(self) -> Result<(), WorkError> {
        let called = self.traffic.close().await;
        self.serving.abort();
        if called && !self.job.keeps {
            let (id, owner) = &self.by;
            let swept = super::caught::sweep(&self.endpoints.fleets, (*id, owner), &self.job).await;
            swept.map_err(|error| WorkError::LeftInEngine(error.to_string()))?;
        }
        Ok(())
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.serving.abort();
        self.endpoints.sockets.keep(std::mem::take(&mut self.scope), &self.socket);
    }
}

/// Half of this host's memory, its processors, and [`PIDS`].
fn usual() -> Limits {
    let host = rustix::system::sysinfo();
    let memory = u64::from(host.mem_unit).saturating_mul(host.totalram) / 2;
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    Limits { memory: i64::try_from(memory).ok(), nano_cpus: i64::try_from(processors).ok().map(|cpus| cpus * BILLION), pids: Some(PIDS) }
}

fn own(path: &Path, owner: u32) -> io::Result<()> {
    if fs::metadata(path)?.uid() != owner {
        std::os::unix::fs::chown(path, Some(owner), None)?;
    }
    Ok(())
}
