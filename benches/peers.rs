//! How fast, beside a peer in the same run: medians, and the ratio pair by pair, since a shared machine's speed drifts.
//!
//! `cargo bench` runs all of it; `cargo bench -- wide` only what is named so. Nothing here passes or fails.
#![expect(clippy::disallowed_methods, reason = "a benchmark measures time and starts programs")]

#[path = "gateway.rs"]
mod gateway;
#[path = "journal.rs"]
mod journal;
#[path = "restart.rs"]
mod restart;
#[path = "suspects.rs"]
mod suspects;

use std::cell::Cell;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const SCULPT: &str = env!("CARGO_BIN_EXE_sculpt");

/// Counted rounds of each pair.
const ROUNDS: usize = 9;

type Bench = fn(&Path);

fn main() {
    if gateway::is_client() {
        return;
    }
    let wanted: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let all: [(&str, Bench); 10] = [
        ("wide", |folder| beside_ninja(folder, "wide", false)),
        ("chained", |folder| beside_ninja(folder, "chained", true)),
        ("plan", plan_10_000),
        ("start", start),
        ("memory", memory),
        ("run-10000", run_10_000),
        ("journal", journal::bench),
        ("gateway", gateway::bench),
        ("suspects", suspects::bench),
        ("restart", restart::bench),
    ];
    for (name, bench) in all {
        if wanted.is_empty() || wanted.iter().any(|other| name.contains(other.as_str())) {
            let place = folder.path().join(name);
            fs::create_dir_all(&place).expect("a folder");
            bench(&place);
        }
    }
}

/// 1,000 phases that do nothing, owned and journaled, beside `ninja` on the same commands; both with two at once.
fn beside_ninja(folder: &Path, name: &str, chained: bool) {
    // A folder of its own for each round: a journal grows with its runs, and a folder just emptied is slow to fill.
    let round = Cell::new(0);
    let fresh = || {
        round.set(round.get() + 1);
        let folder = folder.join(round.get().to_string());
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(folder.join("goal.yaml"), goal(1_000, chained)).expect("a goal");
        fs::write(folder.join("build.ninja"), ninja(1_000, chained)).expect("a build file");
        folder
    };
    let sculpt = || timed(&fresh(), &[SCULPT, "run", "goal.yaml"]);
    if Command::new("ninja").arg("--version").stdout(Stdio::null()).status().is_err() {
        println!("{name}: SKIPPED, there is no ninja to compare with");
        return;
    }
    let ninja = || timed(&fresh(), &["ninja", "-j2", "-f", "build.ninja"]);
    pair(&format!("1,000 no-op phases, {name}"), "sculpt", sculpt, "ninja", ninja);
}

/// A manifest of 10,000 phases: validate alone, and validate and plan.
fn plan_10_000(folder: &Path) {
    fs::write(folder.join("goal.yaml"), goal(10_000, false)).expect("a goal");
    single("validate, 10,000 phases", || timed(folder, &[SCULPT, "validate", "goal.yaml"]));
    single("validate + plan, 10,000 phases", || timed(folder, &[SCULPT, "plan", "goal.yaml"]));
}

/// The start of the command line, beside the shell's `true`.
fn start(folder: &Path) {
    pair("start", "sculpt --version", || timed(folder, &[SCULPT, "--version"]), "sh -c true", || timed(folder, &["sh", "-c", "true"]));
    single("status of an empty workspace", || timed(folder, &[SCULPT, "status"]));
}

/// The most memory that a run of 1,000 and of 10,000 phases takes.
fn memory(folder: &Path) {
    for phases in [1_000, 10_000] {
        fs::write(folder.join("goal.yaml"), goal(phases, false)).expect("a goal");
        let output = Command::new("/usr/bin/time").args(["-f", "%M", SCULPT, "run", "goal.yaml"]).current_dir(folder).output();
        match output {
            Ok(output) => {
                let text = String::from_utf8_lossy(&output.stderr).into_owned();
                println!("{:<44} {} KiB", format!("peak memory, {phases} phases"), text.lines().last().unwrap_or_default());
            }
            Err(error) => println!("peak memory: SKIPPED, failed to start /usr/bin/time: {error}"),
        }
    }
}

/// A goal of 10,000 phases to its end.
fn run_10_000(folder: &Path) {
    fs::write(folder.join("goal.yaml"), goal(10_000, false)).expect("a goal");
    let took = timed(folder, &[SCULPT, "run", "goal.yaml"]);
    println!("{:<44} {:.2} s, once", "run, 10,000 phases", took.as_secs_f64());
}

fn goal(phases: usize, chained: bool) -> String {
    let mut text = String::from("version: \"1\"\nname: bench\nconcurrency: 2\nphases:\n");
    for phase in 0..phases {
        let needs = if chained && phase > 0 { format!("    needs: [p{}]\n", phase - 1) } else { String::new() };
        write!(text, "  p{phase}:\n{needs}    run: \"true\"\n").expect("a text");
    }
    text
}

fn ninja(phases: usize, chained: bool) -> String {
    let mut text = String::from("rule r\n  command = true\n");
    for phase in 0..phases {
        let needs = if chained && phase > 0 { format!(" o{}", phase - 1) } else { String::new() };
        writeln!(text, "build o{phase}: r{needs}").expect("a text");
    }
    text
}

fn timed(folder: &Path, command: &[&str]) -> Duration {
    let begun = Instant::now();
    let mut run = Command::new(command[0]);
    let status = run.args(&command[1..]).current_dir(folder).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    let took = begun.elapsed();
    assert!(status.expect("it starts").success(), "{command:?} fails");
    took
}

fn single(what: &str, mut measure: impl FnMut() -> Duration) {
    measure();
    let times = (0..ROUNDS).map(|_| measure().as_secs_f64() * 1e3).collect();
    println!("{what:<44} {}", spread(times, "ms"));
}

fn pair(what: &str, name: &str, mut one: impl FnMut() -> Duration, peer: &str, mut other: impl FnMut() -> Duration) {
    one();
    other();
    let pairs: Vec<(f64, f64)> = (0..ROUNDS).map(|_| (one().as_secs_f64() * 1e3, other().as_secs_f64() * 1e3)).collect();
    println!("{what}");
    println!("  {name:<42} {}", spread(pairs.iter().map(|(one, _)| *one).collect(), "ms"));
    println!("  {peer:<42} {}", spread(pairs.iter().map(|(_, other)| *other).collect(), "ms"));
    println!("  {:<42} {}", "ratio", spread(pairs.iter().map(|(one, other)| one / other).collect(), "×"));
}

fn spread(mut values: Vec<f64>, unit: &str) -> String {
    values.sort_by(f64::total_cmp);
    format!("{:9.2} {unit} median ({:.2} to {:.2})", values[values.len() / 2], values[0], values[values.len() - 1])
}
