//! The leak matrix over all kinds of things: zero survivors by our own listing and by the container engine's, and no stranger is touched.
//!
//! | started as | with scope | ends by |
//! |---|---|---|
//! | a process, a declared container, a custom resource that is a container | phase, goal | success, failure, timeout, Ctrl-C, `kill -9` of the engine, the same with the container engine started anew |
//! | a container by a shell, by a shell with `env -i`; a network, a volume and two containers by a script; by an unmodified docker-compose | phase | the same |
//!
//! A round is one cell once; `E2E_ROUNDS` says how many rounds each cell has. Each cell prints a line. After a death no command asks for an
//! end: an engine begins, goes on with the run, and that ends by itself.

use std::fmt;
use std::time::Instant;

use Ending::{BothKilled, Failure, Interrupt, Killed, Success, Timeout};
use Kind::{Compose, Custom, Declared, Process, Script, Scrubbed, Shell};

use crate::docker::daemon::Daemon;
use crate::docker::fixture::{IMAGE, SERVE, docker};
use crate::docker::left::there_is_compose;
use crate::endpoint::custom;
use crate::world::bystander::Bystander;
use crate::world::deadline::until;
use crate::world::workspace::Workspace;

/// How many containers of strangers there are, and about how many processes.
const STRANGERS: usize = 20;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Process,
    Declared,
    Shell,
    Script,
    Custom,
    Scrubbed,
    Compose,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Ending {
    Success,
    Failure,
    Timeout,
    Interrupt,
    Killed,
    BothKilled,
}

/// What is started, how long it may live, and how that ends.
#[derive(Clone, Copy)]
struct Cell {
    kind: Kind,
    scope: &'static str,
    ending: Ending,
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} of scope {} × {:?}", self.kind, self.scope, self.ending)
    }
}

impl Cell {
    fn all(ending: Ending) -> Vec<Self> {
        let kinds = [Process, Declared, Shell, Script, Custom, Scrubbed, Compose];
        let scopes = |kind: Kind| if matches!(kind, Process | Declared | Custom) { &["phase", "goal"][..] } else { &["phase"] };
        kinds.into_iter().flat_map(|kind| scopes(kind).iter().map(move |scope| Self { kind, scope, ending })).collect()
    }

    /// Whether it lives on when the run has ended.
    fn stays(self) -> bool {
        self.scope == "goal" && self.ending == Success
    }

    fn goal(self, id: &str) -> String {
        let scope = self.scope;
        let resource = match self.kind {
            Process => format!(
                "{{ process: {{ run: [ /bin/sh, -c, \"setsid sleep 86400.MARK & exec sleep 86400.MARK\" ] }}, scope: {scope}, start: before }}"
            ),
            Declared => {
                format!("{{ container: {{ image: {IMAGE}, command: sleep 86400 }}, stop: {{ grace: 0s }}, scope: {scope}, start: before }}")
            }
            Custom => custom(&format!("{id}-custom"), scope),
            Shell | Script | Scrubbed | Compose => String::new(),
        };
        let resources = if resource.is_empty() { String::new() } else { format!("resources: {{ it: {resource} }}") };
        let starts = match self.kind {
            Process | Declared | Custom => "true".to_owned(),
            Shell => format!("docker run -d --name {id}-shell -v {id}-data:/data {IMAGE} {SERVE}"),
            Scrubbed => format!("env -i PATH=\"$PATH\" docker run -d --name {id}-scrubbed {IMAGE} {SERVE}"),
            Script => format!(
                "docker network create {id}-net; docker volume create {id}-vol
      for name in a b; do docker run -d --name {id}-$name --network {id}-net -v {id}-vol:/data {IMAGE} {SERVE}; done"
            ),
            Compose => format!("env -i PATH=\"$PATH\" docker-compose -p {id}c up -d"),
        };
        let last = match self.ending {
            Success => "exit 0",
            Failure => "exit 3",
            Timeout | Interrupt => "sleep 86400",
            Killed | BothKilled => "while [ ! -e go ]; do sleep 0.05; done; exit 3",
        };
        // As long as all of it may take to be up on a busy machine.
        let timeout = if self.ending == Timeout { "15s" } else { "5m" };
        format!(
            "
version: \"1\"
name: leak
phases:
  work:
    {resources}
    run: |
      {starts}
      docker ps -q --filter label=io.opensculpt.workspace={id} > seen
      echo > up
      {last}
    timeout: {timeout}
"
        )
    }
}

fn rounds() -> u32 {
    std::env::var("E2E_ROUNDS").map_or(1, |rounds| rounds.parse().expect("E2E_ROUNDS is a number"))
}

/// What strangers have in a container engine: by their names and labels they could be another workspace's.
struct Strangers(Vec<(&'static str, String)>);

impl Strangers {
    fn new(daemon: &Daemon, other: &str, containers: usize) -> Self {
        let labels =
            [("workspace", other), ("owner", "leak/work"), ("run", "leak.1"), ("attempt", "1"), ("origin", "caught"), ("effect", "3")];
        let labels: Vec<String> =
            labels.iter().flat_map(|(key, value)| ["--label".to_owned(), format!("io.opensculpt.{key}={value}")]).collect();
        let make = |words: &[&str], rest: &[&str]| {
            let labels = labels.iter().map(String::as_str);
            daemon.docker(&words.iter().copied().chain(labels).chain(rest.iter().copied()).collect::<Vec<_>>())
        };
        let name = |of: &str| format!("sculpt-{other}-leak-work-{of}");
        let mut all = Vec::new();
        for number in 0..containers {
            let id = make(&["run", "-d", "--name", &name(&number.to_string())], &[IMAGE, "sleep", "86400"]);
            all.push(("container", id));
        }
        all.push(("network", make(&["network", "create"], &[&name("net")])));
        all.push(("volume", make(&["volume", "create"], &[&name("data")])));
        Self(all)
    }

    fn expect_untouched(&self, daemon: &Daemon, case: &str, running: bool) {
        let lists = [("container", &["ps", "-a"][..]), ("network", &["network", "ls"]), ("volume", &["volume", "ls"])];
        for (kind, list) in lists {
            let quiet: &[&str] = if kind == "volume" { &["-q"] } else { &["-q", "--no-trunc"] };
            // With their engine they die; nobody else ends them.
            let list = if running && kind == "container" { &["ps"] } else { list };
            let there = daemon.docker(&[list, quiet].concat());
            for (_, id) in self.0.iter().filter(|(other, _)| *other == kind) {
                assert!(there.lines().any(|line| line == id), "{case}: a stranger's {kind} {id} was touched");
            }
        }
    }

    fn remove(self, daemon: &Daemon) {
        for (kind, id) in self.0 {
            daemon.docker(if kind == "container" { vec!["rm", "-f", &id] } else { vec![kind, "rm", &id] }.as_slice());
        }
    }
}

fn matrix(ending: Ending) {
    let part = format!("the leak matrix: {ending:?}");
    if !there_is_compose(&part) {
        return;
    }
    let Some(mut daemon) = Daemon::start(&part) else { return };
    let strangers = Strangers::new(&daemon, "0123456789ab", STRANGERS);
    for cell in Cell::all(ending) {
        let begun = Instant::now();
        for round in 0..rounds() {
            leaves_nothing(cell, &mut daemon, &format!("{cell}, round {round}"));
            strangers.expect_untouched(&daemon, &cell.to_string(), ending != BothKilled);
        }
        let each = begun.elapsed().as_millis() / u128::from(rounds().max(1));
        eprintln!("leak matrix: {cell}: {} rounds, 0 left, {each} ms each", rounds());
    }
    strangers.remove(&daemon);
}

fn leaves_nothing(cell: Cell, daemon: &mut Daemon, case: &str) {
    let workspace = Workspace::new();
    workspace.sculpt("init").run().expect(0);
    let id = workspace.id().unwrap();
    let compose = format!(
        "services:\n  a: {{ image: {IMAGE}, command: {SERVE}, volumes: [\"data:/data\"] }}\n  b: {{ image: {IMAGE}, command: {SERVE} }}\nvolumes: {{ data: {{}} }}\n"
    );
    workspace.write("compose.yml", &compose);
    workspace.goal(&cell.goal(&id));
    // Another workspace's, whose id begins like this one's.
    let neighbours = Strangers::new(daemon, &format!("{id}0"), 1);
    let mut bystanders: Vec<Bystander> = Vec::new();
    while bystanders.len() < STRANGERS {
        bystanders.extend(Bystander::all(&workspace));
    }
    let mut run = workspace.sculpt("run goal.yaml").env("DOCKER_HOST", &daemon.host()).start();
    workspace.until_written("up");
    if cell.kind == Process {
        assert!(matches!(cell.ending, Success | Failure) || workspace.sleepers() >= 2, "{case}: it was there");
    } else {
        assert_ne!(workspace.read("seen"), "", "{case}: it was there, with its label");
    }
    match cell.ending {
        Success => drop(run.wait().expect(0)),
        Failure | Timeout => drop(run.wait().expect(1)),
        Interrupt => {
            run.interrupt();
            run.wait().expect(130);
        }
        Killed | BothKilled => {
            run.kill();
            workspace.kill_the_engine();
            if cell.ending == BothKilled {
                daemon.kill_and_start_again();
            }
            workspace.sculpt("status").run().expect(0);
            until("the next engine", || workspace.engine().map(drop));
            workspace.write("go", "");
            until("the run's end", || workspace.status()["ended"].is_string().then_some(()));
        }
    }
    let ours = |daemon: &Daemon, list: &[&str], by: &str| daemon.docker(&[list, &["-q", "--filter", by]].concat());
    let (label, name) = (format!("label=io.opensculpt.workspace={id}"), format!("name=^{id}"));
    if cell.stays() {
        let there = match cell.kind {
            Process => workspace.sleepers() >= 2,
            _ => !ours(daemon, &["ps"], &label).is_empty(),
        };
        assert!(there, "{case}: it lives with its goal");
        workspace.sculpt("down leak").run().expect(0);
    }
    // By the container engine's own word, with our labels and without; also by that of the host's engine, past which nothing may have come.
    for (list, by) in [
        (&["ps", "-a"][..], &label),
        (&["network", "ls"], &label),
        (&["volume", "ls"], &label),
        (&["ps", "-a"], &name),
        (&["network", "ls"], &name),
        (&["volume", "ls"], &name),
    ] {
        assert_eq!(ours(daemon, list, by), "", "{case}: {list:?}");
        assert_eq!(docker(&[list, &["-q", "--filter", by]].concat()), "", "{case}: in the host's engine");
    }
    // By ours.
    assert_eq!(workspace.ps()["resources"].as_array().map(Vec::len), Some(0), "{case}: {:#?}", workspace.records());
    workspace.expect_nothing_alive(case);
    assert!(bystanders.iter_mut().all(Bystander::untouched), "{case}: a stranger's process was touched");
    neighbours.expect_untouched(daemon, case, cell.ending != BothKilled);
    neighbours.remove(daemon);
}

#[test]
fn success_leaves_nothing() {
    matrix(Success);
}

#[test]
fn failure_leaves_nothing() {
    matrix(Failure);
}

#[test]
fn timeout_leaves_nothing() {
    matrix(Timeout);
}

#[test]
fn an_interrupt_leaves_nothing() {
    matrix(Interrupt);
}

#[test]
fn the_engines_death_leaves_nothing() {
    matrix(Killed);
}

#[test]
fn the_death_of_both_engines_leaves_nothing() {
    matrix(BothKilled);
}
