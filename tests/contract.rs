//! One contract for every world: the same assertions for this host and for the simulated one. Where they differ, one of them is wrong.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;
use opensculpt::adapters::clock::HostClock;
use opensculpt::adapters::local::prepare::Vaults;
use opensculpt::adapters::local::runtime::LocalRuntime;
use opensculpt::adapters::process::containment::Containment;
use opensculpt::adapters::rehearsal::simulation::Simulation;
use opensculpt::adapters::workspace::Workspace;
use opensculpt::base::owner::Owner;
use opensculpt::base::time::{Span, Timestamp};
use opensculpt::journal::commit::{Journal, Open};
use opensculpt::journal::log::Opening;
use opensculpt::journal::permit::Permit;
use opensculpt::kernel::action::{Effect, EffectId, ProcessMark, QuestionId, RunId, Seen, Shown, StopPolicy};
use opensculpt::kernel::answer::Answer;
use opensculpt::kernel::input::Input;
use opensculpt::kernel::record::Record;
use opensculpt::manifest::policy::Limits;
use opensculpt::plan::sealed::PhaseIx;
use opensculpt::ports::clock::Clock;
use opensculpt::ports::job::{Collect, Command, EndJob, Job, ServeJob, WorkJob};
use opensculpt::ports::probe::{Asked, Probe, Probing};
use opensculpt::ports::runtime::{Runtime, Tell};
use tempfile::TempDir;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

mod looks;
mod making;
mod processes;
mod scripts;

/// Longer than anything here takes, on any machine; a test that meets it fails.
const LONG: Duration = Duration::from_mins(1);

/// A world, and what of an engine is needed to change it.
struct World {
    name: &'static str,
    runtime: Arc<dyn Runtime>,
    probe: Arc<dyn Probe>,
    clock: Arc<dyn Clock>,
    simulation: Option<Simulation>,
    journal: Journal,
    tell: Tell,
    heard: UnboundedReceiver<Input>,
    last: u64,
    id: String,
    dir: TempDir,
    _journal_dir: TempDir,
}

impl World {
    fn new(name: &'static str) -> Self {
        static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let id = format!("contract-{}-{}", std::process::id(), NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
        let (dir, journal_dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::create_dir(dir.path().join("logs")).unwrap();
        let opening = Opening { workspace: "contract", doing: "contract", now: Timestamp(1) };
        let Open { journal, .. } = Journal::open(journal_dir.path(), &opening).unwrap();
        let (tell, heard) = unbounded_channel();
        let simulation = (name == "simulation").then(|| Simulation::of_commands(Box::new(scripts::Scripts), dir.path(), 1));
        let (runtime, probe, clock) = match &simulation {
            Some(simulation) => of_simulation(simulation),
            None => of_host(&id, dir.path()),
        };
        Self { name, runtime, probe, clock, simulation, journal, tell: Tell::new(tell), heard, last: 0, id, dir, _journal_dir: journal_dir }
    }

    /// Another engine comes to the same world: what the one before was told, or waited for, is lost.
    fn another_engine(&mut self) {
        let (tell, heard) = unbounded_channel();
        (self.tell, self.heard) = (Tell::new(tell), heard);
        if let Some(simulation) = &self.simulation {
            simulation.begin_life(None);
        } else {
            (self.runtime, self.probe, self.clock) = of_host(&self.id, self.dir.path());
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn permit(&mut self, owner: &Owner, effect: Effect) -> Permit {
        self.last += 1;
        let record = Record::Requested { id: EffectId(self.last), owner: owner.clone(), effect };
        let mut committed = self.journal.commit(Timestamp(2), &[record]).unwrap();
        committed.permits.pop().or_else(|| committed.durable.pop()).unwrap()
    }

    /// Lets a job be carried out. Gives the number of its effect.
    fn carry_out(&mut self, owner: &Owner, effect: Effect, job: Job) -> EffectId {
        let permit = self.permit(owner, effect);
        let id = permit.id();
        self.runtime.carry_out(permit, job, &self.tell);
        id
    }

    /// What is told next.
    async fn hear(&mut self) -> Input {
        let heard = async {
            loop {
                tokio::select! {
                    biased;
                    Some(input) = self.heard.recv() => return input,
                    () = self.clock.until(None) => {}
                }
            }
        };
        tokio::time::timeout(LONG, heard).await.unwrap_or_else(|_| panic!("{}: nothing is told", self.name))
    }

    /// What is seen next of an effect. Of others nothing may be seen meanwhile.
    async fn seen(&mut self, id: EffectId) -> Seen {
        match self.hear().await {
            Input::Seen { id: of, seen } if of == id => seen,
            other => panic!("{}: {other:?}, wanted effect {}", self.name, id.0),
        }
    }

    async fn started(&mut self, id: EffectId) -> ProcessMark {
        match self.seen(id).await {
            Seen::Started { process } => process,
            other => panic!("{}: {other:?}", self.name),
        }
    }

    /// Starts [`scripts::IGNORES`], and waits until it ignores what it is asked: a shell that has just begun does not.
    async fn serve_who_ignores(&mut self) -> EffectId {
        let pipe = self.path("ignores");
        if self.simulation.is_some() {
            return self.serve(scripts::IGNORES, &[]);
        }
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0).unwrap();
        let id = self.serve(scripts::IGNORES, &[]);
        // A pipe is open once both its ends are.
        let opened = tokio::task::spawn_blocking(move || std::fs::File::open(pipe).map(drop));
        tokio::time::timeout(LONG, opened).await.expect("it begins").unwrap().unwrap();
        id
    }

    fn command(&self, script: &str) -> Command {
        let path = std::env::var("PATH").unwrap_or_default();
        let output = self.path("output").display().to_string();
        Command {
            argv: ["/bin/sh", "-c", script].map(str::to_owned).to_vec(),
            env: IndexMap::from([("PATH".to_owned(), path), ("SCULPT_OUTPUT".to_owned(), output)]),
            cwd: self.dir.path().to_owned(),
            user: None,
            group: None,
            log: self.path("logs").join(format!("{}.log", self.last)),
            limits: Limits::default(),
        }
    }

    fn collect(&self) -> Collect {
        Collect {
            output: self.path("output"),
            artifacts: Vec::new(),
            artifacts_to: self.path("artifacts"),
            workspace: self.dir.path().to_owned(),
        }
    }

    fn work(&mut self, command: Command) -> EffectId {
        let collect = self.collect();
        let effect = Effect::Work { run: run(), phase: PhaseIx(0), attempt: 1 };
        self.carry_out(&phase(), effect, Job::Work(WorkJob { command, collect, endpoint: None }))
    }

    fn serve(&mut self, script: &str, ports: &[String]) -> EffectId {
        let effect = Effect::Serve { run: run(), phase: PhaseIx(0), attempt: 1, resource: "svc".into() };
        let job = ServeJob { command: self.command(script), ports: ports.to_vec(), endpoint: None };
        self.carry_out(&service(), effect, Job::Serve(job))
    }

    fn end(&mut self, owner: &Owner, stop: StopPolicy, processes: Vec<ProcessMark>) -> EffectId {
        self.carry_out(owner, Effect::End { stop }, Job::End(EndJob { owner: owner.clone(), stop, processes, reach: None }))
    }

    /// Asks, and gives the answer.
    async fn ask(&mut self, asked: Asked, timeout: Span) -> Answer {
        let question = QuestionId(self.last + 1);
        let permit = self.permit(&phase(), Effect::Ask { run: run(), phase: PhaseIx(0), question });
        self.probe.ask(Probing { question, place: phase(), timeout, asked }, Some(&permit), &self.tell);
        match self.hear().await {
            Input::Shown(Shown::Answer { question: of, answer }) if of == question => answer,
            other => panic!("{}: {other:?}", self.name),
        }
    }

    /// A port that somebody else holds.
    fn stranger(&self) -> (String, TcpListener) {
        // Bound on the host in either case, so that the number is nobody else's.
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port().to_string();
        if let Some(simulation) = &self.simulation {
            assert!(simulation.settle_stranger(&port));
        }
        (port, listener)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if self.simulation.is_some() {
            return;
        }
        // A failed test leaves nothing either.
        let containment = containment(&self.id);
        for name in containment.scopes().unwrap_or_default() {
            if let Ok(Some(scope)) = containment.find(&name) {
                drop(scope.kill());
            }
        }
        drop(containment.remove_goal(&"g".into()));
    }
}

type Parts = (Arc<dyn Runtime>, Arc<dyn Probe>, Arc<dyn Clock>);

fn of_simulation(simulation: &Simulation) -> Parts {
    (Arc::new(simulation.clone()), Arc::new(simulation.clone()), Arc::new(simulation.clone()))
}

fn of_host(id: &str, dir: &Path) -> Parts {
    let workspace = Workspace::at(dir).unwrap();
    let runtime = Arc::new(LocalRuntime::new(workspace, id, Arc::new(containment(id)), Vaults::default()));
    (Arc::clone(&runtime) as Arc<dyn Runtime>, runtime, Arc::new(HostClock::default()))
}

fn containment(id: &str) -> Containment {
    Containment::detect(id, Path::new(env!("CARGO_BIN_EXE_sculpt")))
}

fn run() -> RunId {
    RunId("g.1".to_owned())
}

fn phase() -> Owner {
    Owner::phase(&"g".into(), &"p".into())
}

fn service() -> Owner {
    Owner::resource(&"g".into(), &"p".into(), &"svc".into())
}

/// Holds every world to the same.
#[expect(clippy::needless_pass_by_value, reason = "what is given is a closure, written where it is given")]
fn in_every_world(holds: impl AsyncFn(&mut World)) {
    for name in ["simulation", "host"] {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut world = World::new(name);
            holds(&mut world).await;
        });
    }
}
