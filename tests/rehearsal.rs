//! Whole goals in the simulated world: what must hold for every goal, every fault and every death of the engine.
//!
//! `REHEARSE_SEEDS` says how many seeds are tried (500 without it), `REHEARSE_SEED` tries one and tells its story.

use std::path::Path;

use indexmap::IndexMap;
use opensculpt::adapters::rehearsal::faults::{Faults, Kind};
use opensculpt::adapters::rehearsal::seed::Seed;
use opensculpt::adapters::workspace::Workspace;
use opensculpt::driver::rehearsal::{Rehearsal, RehearsalError};
use opensculpt::kernel::input::Request;
use opensculpt::kernel::record::RunOptions;
use opensculpt::manifest::{load, settings};
use opensculpt::plan::compile::{Inputs, compile};
use opensculpt::plan::sealed::Plan;

mod drawn;
mod ending;
mod goals;
mod health;
mod replay;
mod restarts;
mod rules;
mod verb;
mod watcher;

use watcher::Watcher;

/// The plan of a manifest's text.
fn plan_of(path: &str, text: &str) -> Plan {
    let read = |asked: &str| {
        if asked == path { Ok(text.as_bytes().to_vec()) } else { std::fs::read(root().join(asked)).map_err(|error| error.to_string()) }
    };
    let loaded = load::load(path, &read).unwrap_or_else(|found| panic!("{found:#?}\n{text}"));
    let params = settings::settle(&loaded.goal.params, &[]).unwrap();
    let inputs = Inputs { params, manifest: path.to_owned(), digest: "0".repeat(64), ..Inputs::default() };
    compile(&loaded.goal, &inputs).unwrap_or_else(|errors| panic!("{errors:#?}\n{text}"))
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Some faults, by a seed: none, all, or some.
fn some_faults(seed: u64) -> Faults {
    let mut stream = Seed(seed).stream("which faults");
    match stream.between(0, 5) {
        0 => Faults::default(),
        1 => Faults::all(),
        2 => [Kind::Crash, Kind::Torn].into_iter().collect(),
        _ => Kind::ALL.into_iter().filter(|_| stream.chance(1, 3)).collect(),
    }
}

/// Plays a plan from its run to its end: holds every record, every step and the end to the rules. Tells the story where it is asked to.
fn play(plan: &Plan, seed: u64, faults: &Faults, tell: bool) -> Watcher {
    let mut stream = Seed(seed).stream("what is asked");
    let workspace = Workspace::at(root()).unwrap();
    let mut rehearsal = Rehearsal::new(&workspace, plan, seed, faults).unwrap();
    rehearsal.simulation().settle_stranger("9");
    rehearsal.simulation().put(&root().join("d0"), true);
    rehearsal.simulation().put(&root().join("d0/kept-by-a-stranger"), false);
    let mut watcher = Watcher::new(&rehearsal, tell);
    let env = IndexMap::from([("HOME".to_owned(), "/".to_owned())]);
    let once = stream.chance(1, 6);
    for _ in 0..stream.between(1, 2) {
        let request = Request::Run { plan: Box::new(plan.clone()), options: RunOptions { once, ..RunOptions::default() }, seen: None };
        match rehearsal.carry_out(&request, &env, &mut |scene| watcher.see(scene)) {
            Ok(state) => watcher.run_is_over(&rehearsal, &state, once),
            // The run before this one waits for somebody who never answers.
            Err(RehearsalError::Engine(opensculpt::driver::engine::EngineError::Refused(refusal))) => {
                assert!(watcher.waits(), "seed {seed}: {refusal}");
            }
            Err(error) => panic!("seed {seed}: {error}\n{}", watcher.story()),
        }
    }
    let volumes = stream.chance(1, 2);
    let request = Request::Down { goal: plan.goal.clone(), volumes };
    match rehearsal.carry_out(&request, &env, &mut |scene| watcher.see(scene)) {
        Ok(state) => watcher.is_down(&rehearsal, &state, volumes),
        Err(error) => panic!("seed {seed}: {error}\n{}", watcher.story()),
    }
    watcher
}
