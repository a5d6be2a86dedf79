//! What a look around an attempt costs on this host: all of it, and again where nothing has changed.

use std::path::Path;
use std::time::Instant;

use opensculpt::adapters::clock::HostClock;
use opensculpt::adapters::process::stray::LastPid;
use opensculpt::adapters::suspects::places::{User, places};
use opensculpt::adapters::suspects::snapshot::Snapshot;
use opensculpt::ports::clock::Clock as _;

/// How often each look is repeated.
const LOOKS: u32 = 1_000;

pub(crate) fn bench(_: &Path) {
    let (clock, places) = (HostClock::default(), places(Path::new("/"), &User::of(&std::env::vars().collect())));
    let each = |name: &str, look: &mut dyn FnMut()| {
        let begun = Instant::now();
        (0..LOOKS).for_each(|_| look());
        println!("  {name:<44} {:>8.1} µs", begun.elapsed().as_secs_f64() * 1e6 / f64::from(LOOKS));
    };
    println!("a look for suspects, {} places", places.len());
    each("all of it", &mut || drop(Snapshot::take(places.clone(), clock.now())));
    let snapshot = Snapshot::take(places.clone(), clock.now());
    each("again, nothing changed", &mut || drop(snapshot.again(clock.now())));
    each("the last process number", &mut || assert!(LastPid::now().is_some()));
}
