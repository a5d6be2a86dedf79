//! From SIGKILL of a service to the first line of the one that is started in its place, beside `runsv` on the same script, round by round in
//! turns. Each has run for longer than a second: before that both of them wait.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::{SCULPT, spread};

/// Counted rounds of each.
const ROUNDS: usize = 60;

/// How long a service runs before it is killed.
const LIVES: Duration = Duration::from_millis(1_100);

/// A service that says its process id when it is there.
struct Service {
    said: BufReader<File>,
    pid: Pid,
}

impl Service {
    /// Who says it into this pipe.
    fn behind(pipe: &Path) -> Self {
        // Held for writing too, so that it does not end with the service.
        let held = File::options().read(true).write(true).open(pipe).expect("a pipe");
        let mut service = Self { said: BufReader::new(held), pid: Pid::INIT };
        service.hear();
        service
    }

    fn hear(&mut self) {
        let mut line = String::new();
        self.said.read_line(&mut line).expect("a line");
        self.pid = line.trim().parse().ok().and_then(Pid::from_raw).expect("a process id");
    }

    /// Kills it, and waits until it is back.
    fn killed(&mut self) -> f64 {
        let begun = Instant::now();
        kill_process(self.pid, Signal::KILL).expect("it is there");
        self.hear();
        begun.elapsed().as_secs_f64() * 1e3
    }
}

fn pipe(folder: &Path, name: &str) -> std::path::PathBuf {
    let path = folder.join(name);
    assert!(Command::new("mkfifo").arg(&path).status().expect("it starts").success(), "there is no pipe");
    path
}

/// Measures it, where there is a `runsv`.
pub fn bench(folder: &Path) {
    let (ours, theirs) = (pipe(folder, "ours"), pipe(folder, "theirs"));
    let script = |pipe: &Path| format!("echo $$ > {}; exec sleep 86400", pipe.display());
    let goal = format!(
        "version: \"1\"\nname: bench\nphases:\n  a:\n    resources:\n      svc: {{ process: \"{}\", restart: always, restart_limits: {{ reset_after: 1s }}, scope: goal }}\n",
        script(&ours)
    );
    fs::write(folder.join("goal.yaml"), goal).expect("a goal");
    fs::create_dir_all(folder.join("sv")).expect("a folder");
    let run = folder.join("sv/run");
    fs::write(&run, format!("#!/bin/sh\n{}\n", script(&theirs))).expect("a script");
    fs::set_permissions(&run, fs::Permissions::from_mode(0o755)).expect("a script");
    let Ok(mut runsv) = Command::new("runsv").arg(folder.join("sv")).stdout(Stdio::null()).spawn() else {
        println!("restart: SKIPPED, there is no runsv to compare with");
        return;
    };
    let sculpt = |words: &[&str]| {
        let status = Command::new(SCULPT).args(words).current_dir(folder).stdout(Stdio::null()).status();
        assert!(status.expect("it starts").success(), "{words:?} fails");
    };
    sculpt(&["run", "goal.yaml", "--detach"]);
    let (mut one, mut other) = (Service::behind(&ours), Service::behind(&theirs));
    let pairs: Vec<(f64, f64)> = (0..=ROUNDS)
        .map(|_| {
            std::thread::sleep(LIVES);
            (one.killed(), other.killed())
        })
        .skip(1)
        .collect();
    sculpt(&["down", "bench"]);
    // Asked to end, it ends its service first.
    kill_process(Pid::from_child(&runsv), Signal::TERM).expect("it is there");
    runsv.wait().expect("its end");
    let column = |of: fn(&(f64, f64)) -> f64| pairs.iter().map(of).collect::<Vec<f64>>();
    println!("SIGKILL of a service to the first line of the next, {ROUNDS} rounds");
    for (name, times) in [("sculpt", column(|pair| pair.0)), ("runsv", column(|pair| pair.1))] {
        println!("  {name:<42} {}, p99 {:.2}", spread(times.clone(), "ms"), percentile(times, 99));
    }
    println!("  {:<42} {}", "ratio", spread(column(|(one, other)| one / other), "×"));
}

fn percentile(mut values: Vec<f64>, percent: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    values[(values.len() * percent / 100).min(values.len() - 1)]
}
