//! Ten thousand phases: no turn may cost what the whole run costs. Counted in turns and bounded in time, generously.

use std::time::{Duration, Instant};

use opensculpt::kernel::outcome::{Outcome, Verdict};
use opensculpt::manifest::resource::Scope;
use opensculpt::manifest::verify::Tier;
use opensculpt::plan::sealed::{Part, Plan};

use super::plans::{Draft, job, phase, plan};
use super::world::World;

const MANY: usize = 10_000;

/// Enough to show what grows with the square.
const SOME: usize = 3000;

/// Far above what it takes (about a second, unoptimised), and far below what a turn that looks at every phase would.
const BOUND: Duration = Duration::from_secs(30);

fn quickly(plan: Plan, prepare: impl FnOnce(&mut World)) -> World {
    let mut world = World::new();
    world.folding = false;
    prepare(&mut world);
    let begun = Instant::now();
    world.carry_out(plan);
    let took = begun.elapsed();
    assert!(took < BOUND, "{took:?} for {} turns", world.processed);
    println!("{took:?} for {} turns", world.processed);
    world
}

fn chained(n: usize) -> Draft {
    let draft = phase(format!("p{n}")).work();
    if n == 0 { draft } else { draft.needs(&[&format!("p{}", n - 1)]) }
}

#[test]
fn ten_thousand_wide() {
    let world = quickly(plan(8, (0..MANY).map(|n| job(format!("p{n}"))).collect()), |_| {});
    assert_eq!((world.verdict(), world.peak), (Verdict::Verified, 8));
}

#[test]
fn ten_thousand_in_a_chain() {
    let world = quickly(plan(8, (0..MANY).map(chained).collect()), |_| {});
    assert_eq!((world.verdict(), world.peak), (Verdict::Verified, 1));
}

#[test]
fn thousands_before_one_last() {
    let mut drafts: Vec<Draft> = (0..SOME).map(|n| phase(format!("p{n}")).work()).collect();
    drafts.push(job("z").part(Part::Finally));
    let world = quickly(plan(8, drafts), |_| {});
    assert_eq!((world.outcome("z"), world.verdict()), (Outcome::Verified, Verdict::Verified));
}

#[test]
fn thousands_that_need_one_that_fails() {
    let mut drafts = vec![job("root")];
    drafts.extend((0..SOME).map(|n| job(format!("p{n}")).needs(&["root"])));
    let world = quickly(plan(8, drafts), |world| world.exits("root", &[1]));
    assert_eq!((world.outcome("p2999"), world.verdict()), (Outcome::Skipped, Verdict::Failed));
}

#[test]
fn thousands_that_need_a_service_that_died() {
    let mut drafts = vec![phase("root").serve("svc", Scope::Goal), job("wait")];
    drafts.extend((0..SOME).map(|n| job(format!("p{n}")).needs(&["root", "wait"])));
    let world = quickly(plan(8, drafts), |world| {
        world.play("root").service.lives = Some(50);
        world.play("wait").tries[0].takes = Some(500);
    });
    assert_eq!((world.outcome("p2999"), world.verdict()), (Outcome::Skipped, Verdict::Failed));
}

#[test]
fn thousands_directories_and_services() {
    let drafts = (0..SOME).map(|n| phase(format!("p{n}")).directory("d", Scope::Goal).serve("svc", Scope::Goal)).collect();
    let mut world = quickly(plan(64, drafts), |_| {});
    assert_eq!((world.verdict(), world.alive.len()), (Verdict::Verified, SOME));
    let begun = Instant::now();
    world.down(true);
    world.settle();
    assert!(begun.elapsed() < BOUND);
    assert!(world.alive.is_empty() && world.is_at_rest());
}

#[test]
fn thousands_checks_and_persons_at_once() {
    let drafts = (0..SOME).map(|n| job(format!("p{n}"))).collect();
    quickly(plan(3000, drafts), |world| world.look_takes = 60_000);
    let drafts = (0..SOME).map(|n| phase(format!("p{n}")).work().tier(Tier::AskUser)).collect();
    let mut world = quickly(plan(3000, drafts), |_| {});
    world.stop(false);
    world.settle();
    assert_eq!(world.verdict(), Verdict::Cancelled);
}
