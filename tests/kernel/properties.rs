//! What holds for any plan and any world. A few hundred cases here, more with `PROPTEST_CASES`.

use std::collections::{HashMap, HashSet};

use opensculpt::base::owner::Owner;
use opensculpt::base::time::Span;
use opensculpt::kernel::action::{Effect, EffectId, Exit};
use opensculpt::kernel::answer::{Said, Stage};
use opensculpt::kernel::outcome::{Outcome, Proof, Verdict};
use opensculpt::kernel::phase::PhaseState;
use opensculpt::kernel::record::{Record, RunOptions};
use opensculpt::manifest::needs::Unlock;
use opensculpt::manifest::process::{Restart, RestartLimits};
use opensculpt::manifest::resource::Scope;
use opensculpt::manifest::verify::{RedBeforeGreen, Tier};
use opensculpt::plan::sealed::{Part, PhaseIx, Plan};
use proptest::prelude::*;

use super::plans::{Draft, phase, plan};
use super::script::{Service, Try, says};
use super::world::World;

/// In which the restarts of a service are counted.
const INTERVAL: Span = Span::seconds(10);

/// One phase of a random goal, with what becomes of it.
#[expect(clippy::struct_excessive_bools, reason = "each is one coin of the generator")]
#[derive(Clone, Debug)]
pub(super) struct Shape {
    needs: Vec<(usize, Unlock)>,
    finally: bool,
    works: bool,
    /// A goal-scoped service, one of the attempt, a directory of the attempt, something custom.
    resources: [bool; 4],
    checks: usize,
    tier: Tier,
    red: Option<RedBeforeGreen>,
    attempts: u32,
    timeout: Option<u64>,
    wanted: bool,
    before: Vec<Said>,
    tries: Vec<(i32, Option<u64>, Vec<Said>)>,
    ready: Option<u64>,
    lives: Option<u64>,
    stubborn: bool,
    /// Its services are started again, so often within ten seconds.
    restart: Option<(Restart, u32)>,
}

fn said() -> impl Strategy<Value = Said> {
    prop_oneof![6 => Just(Said::Pass), 2 => Just(Said::Fail), 1 => Just(Said::Unknown)]
}

fn unlock() -> impl Strategy<Value = Unlock> {
    prop_oneof![5 => Just(Unlock::Verified), 2 => Just(Unlock::Unverified), 2 => Just(Unlock::Finished), 1 => Just(Unlock::Failed)]
}

/// A phase that can only need those before it. In a calm world nothing depends on time.
fn shape(index: usize, calm: bool) -> impl Strategy<Value = Shape> {
    let needs = prop::collection::vec((0..index.max(1), unlock()), 0..if index == 0 { 1 } else { 4 });
    let tier = prop_oneof![6 => Just(Tier::Auto), 2 => Just(Tier::None), 1 => Just(Tier::AskUser)];
    let red = prop_oneof![6 => Just(None), 1 => Just(Some(RedBeforeGreen::Waived)), 1 => Just(Some(RedBeforeGreen::Once))];
    let before = prop::collection::vec(prop_oneof![6 => Just(Said::Fail), 1 => Just(Said::Pass), 1 => Just(Said::Unknown)], 1..3);
    let takes = if calm { Just(Some(10)).boxed() } else { prop_oneof![5 => (1_u64..80).prop_map(Some), 1 => Just(None)].boxed() };
    let one = (prop_oneof![4 => Just(0), 1 => 1..3_i32], takes, prop::collection::vec(said(), 1..3));
    let ready = prop_oneof![6 => (1_u64..60).prop_map(Some), 1 => Just(None)];
    let lives = if calm { Just(None).boxed() } else { prop_oneof![3 => Just(None), 1 => (1_u64..300).prop_map(Some)].boxed() };
    let timeout = if calm { Just(None).boxed() } else { prop_oneof![2 => Just(None), 1 => (1_u64..90).prop_map(Some)].boxed() };
    let stubborn = if calm { Just(false).boxed() } else { prop::bool::weighted(0.05).boxed() };
    let policy = prop_oneof![Just(Restart::OnFailure), Just(Restart::Always), Just(Restart::UnlessStopped)];
    let restart = if calm { Just(None).boxed() } else { prop::option::of((policy, 0..4_u32)).boxed() };
    let resources = prop::array::uniform4(prop::bool::weighted(0.3));
    (
        (needs, prop::bool::weighted(0.1), prop::bool::weighted(0.8), resources, 0..3_usize, tier, red),
        (1..4_u32, timeout, prop::bool::weighted(0.92), before, prop::collection::vec(one, 1..4), ready, lives, stubborn, restart),
    )
        .prop_map(|((needs, finally, works, resources, checks, tier, red), rest)| {
            let (attempts, timeout, wanted, before, tries, ready, lives, stubborn, restart) = rest;
            // A command that never ends by itself needs a timeout, or the run has every right not to end.
            let timeout = if tries.iter().any(|(_, takes, _)| takes.is_none()) { timeout.or(Some(70)) } else { timeout };
            Shape {
                needs,
                finally,
                works,
                resources,
                checks,
                tier,
                red,
                attempts,
                timeout,
                wanted,
                before,
                tries,
                ready,
                lives,
                stubborn,
                restart,
            }
        })
}

pub(super) fn shapes(calm: bool) -> impl Strategy<Value = Vec<Shape>> {
    (1..12_usize).prop_flat_map(move |count| (0..count).map(|index| shape(index, calm)).collect::<Vec<_>>())
}

fn name(index: usize) -> String {
    format!("p{index}")
}

fn draft(index: usize, shape: &Shape, shapes: &[Shape]) -> Draft {
    let mut draft = phase(name(index));
    for (need, unlock) in &shape.needs {
        // What is ordinary never waits for what comes at the end.
        if shape.finally || !shapes[*need].finally {
            draft = draft.needs_when(name(*need), *unlock);
        }
    }
    if shape.finally {
        draft = draft.part(Part::Finally);
    }
    let [service, helper, directory, custom] = shape.resources;
    if directory {
        draft = draft.directory("dir", Scope::Phase);
    }
    if custom {
        draft = draft.custom("db", Scope::Goal);
    }
    if helper {
        draft = draft.serve("helper", Scope::Phase);
    }
    if shape.works {
        draft = draft.work();
    }
    if service {
        draft = draft.serve("svc", Scope::Goal);
    }
    let limits = |attempts| RestartLimits { attempts: Some(attempts), interval: Some(INTERVAL), reset_after: None };
    for (name, _) in [("svc", service), ("helper", helper)].iter().filter(|(_, declared)| *declared) {
        if let Some((policy, attempts)) = shape.restart {
            draft = draft.restart(name, policy, limits(attempts));
        }
    }
    if shape.checks > 0 || shape.tier != Tier::None {
        draft = draft.checks(shape.checks).tier(shape.tier);
    }
    if let Some(red) = shape.red {
        draft = draft.red(red);
    }
    if let Some(timeout) = shape.timeout {
        draft = draft.timeout(timeout);
    }
    draft.retry(shape.attempts, 7, 2.0, 20)
}

pub(super) fn goal(shapes: &[Shape], concurrency: u32) -> Plan {
    let (last, first): (Vec<usize>, Vec<usize>) = (0..shapes.len()).partition(|index| shapes[*index].finally);
    plan(concurrency, first.into_iter().chain(last).map(|index| draft(index, &shapes[index], shapes)).collect())
}

pub(super) fn world(shapes: &[Shape], seed: u64, jitter: u64) -> World {
    let mut world = World::new();
    world.seed(seed, jitter);
    for (index, shape) in shapes.iter().enumerate() {
        let play = world.play(&name(index));
        play.wanted = shape.wanted;
        play.before = shape.before.iter().copied().map(says).collect();
        let one = |(code, takes, after): &(i32, Option<u64>, Vec<Said>)| Try {
            exit: Exit::Code(*code),
            takes: *takes,
            after: after.clone(),
            survivors: Vec::new(),
            suspects: Vec::new(),
        };
        play.tries = shape.tries.iter().map(one).collect();
        play.service = Service { ready_after: shape.ready, lives: shape.lives, exit: Exit::Code(1), ..Service::default() };
        if shape.stubborn {
            for place in ["", "/svc", "/helper"] {
                world.stubborn.insert(format!("g/{}{place}", name(index)), 99);
            }
        }
    }
    world
}

/// Answers everybody who asks, until the run has ended.
pub(super) fn finish(world: &mut World) {
    world.settle();
    for round in 0.. {
        // A run that an engine before this one left waiting is asked about as well.
        let run = world.run();
        let waiting = run.plan.indexed().map(|(ix, _)| ix).find(|ix| run.phase(*ix).state == PhaseState::Waiting && run.ended.is_none());
        let Some(place) = waiting.map(|ix| run.owner(ix).to_string()) else { break };
        assert!(round < 100, "a question is asked for ever");
        assert_eq!(world.reply(&place, round % 3 != 2), None);
        world.settle();
    }
}

/// Where each record stands that `wanted` chooses.
fn positions<'w>(world: &'w World, wanted: impl Fn(&Record) -> bool + 'w) -> impl Iterator<Item = usize> + 'w {
    world.records.iter().enumerate().filter(move |(_, (_, record))| wanted(record)).map(|(index, _)| index)
}

fn first(world: &World, wanted: impl Fn(&Record) -> bool) -> Option<usize> {
    positions(world, wanted).next()
}

fn holds_at_the_end(world: &World, shapes: &[Shape]) {
    let run = world.run();
    assert!(run.ended.is_some(), "a run ends");
    assert_eq!(run.open, 0);
    let clean = !shapes.iter().any(|shape| shape.stubborn);
    assert!(!world.kernel.is_busy());
    assert!(world.is_at_rest() || !clean, "something is left open");
    for (ix, planned) in run.plan.indexed() {
        let phase = run.phase(ix);
        let outcome = phase.state.outcome().expect("every phase ends");
        let began = first(world, |record| matches!(record, Record::AttemptStarted { phase, .. } if *phase == ix));
        for edge in &planned.needs {
            let ended = first(world, |record| matches!(record, Record::PhaseEnded { phase, .. } if *phase == edge.phase)).unwrap();
            if let Some(began) = began {
                assert!(ended < began && run.unlocks(edge.phase, edge.unlock), "{} began before it could", planned.name);
            }
        }
        if outcome == Outcome::Verified {
            is_green_by_right(world, ix);
        }
        if clean && matches!(outcome, Outcome::Failed | Outcome::Cancelled | Outcome::Skipped) {
            let left = world.alive.keys().find(|owner| owner.phase.as_ref() == Some(&planned.name));
            assert_eq!(left, None, "a failed attempt takes what it started");
            assert!(!world.there.contains(&format!("g/{}/dir", planned.name)));
            assert!(!world.there.contains(&format!("g/{}/db", planned.name)));
        }
        if clean && outcome == Outcome::Verified {
            assert!(!world.is_alive(&format!("g/{}/helper", planned.name)));
        }
    }
    for resource in world.kernel.state().live_resources().filter(|resource| resource.process.is_some() && resource.exit.is_none() && clean)
    {
        assert!(world.alive.contains_key(&resource.owner), "{} is thought to live", resource.owner);
    }
    for owner in world.alive.keys().filter(|owner| owner.resource.is_some()) {
        assert!(world.kernel.state().resource(owner).is_some_and(|resource| resource.state.is_live()), "{owner} is forgotten");
    }
    is_restarted_by_the_rules(world);
    if !clean && world.survivors() > 0 {
        assert_ne!(world.verdict(), Verdict::Verified, "survivors are never green");
    }
}

/// No service is started while it is there, none more often than its limits allow, and none that was ended by us. An engine that dies
/// may have started one that nobody saw: that is done again.
fn is_restarted_by_the_rules(world: &World) {
    let mut at_work: HashMap<EffectId, Owner> = HashMap::new();
    let (mut promised, mut ended): (HashSet<&Owner>, HashSet<&Owner>) = Default::default();
    let mut starts: HashMap<&Owner, Vec<u64>> = HashMap::new();
    for (at, record) in &world.records {
        match record {
            Record::Restarting { owner, .. } => {
                assert!(!ended.contains(owner), "{owner} was ended by us: {:#?}", world.standing());
                promised.insert(owner);
            }
            Record::NotRestarted { owner, .. } => drop(promised.remove(owner)),
            Record::Requested { id, owner, effect: Effect::Serve { run, phase, resource, .. } } => {
                assert!(!at_work.values().any(|other| other == owner), "{owner} is there twice");
                at_work.insert(*id, owner.clone());
                if !promised.remove(owner) {
                    starts.remove(owner);
                    ended.remove(owner);
                    continue;
                }
                let declared = world.run_of(run).plan.phase(*phase).resource(resource).unwrap();
                let most = declared.restart_limits.as_ref().unwrap().attempts.unwrap();
                let starts = starts.entry(owner).or_default();
                starts.push(*at);
                let counted = starts.iter().filter(|start| at - **start < INTERVAL.0).count();
                assert!(counted <= (most + world.deaths) as usize, "{owner}: {starts:?}, and the limit is {most}");
            }
            Record::Requested { owner, effect: Effect::End { .. }, .. } => {
                promised.remove(owner);
                ended.insert(owner);
            }
            Record::Observed { id, seen } if seen.is_end() => drop(at_work.remove(id)),
            _ => {}
        }
    }
}

/// No green without a red that is on record, unless the manifest waives it or a person said so.
fn is_green_by_right(world: &World, ix: PhaseIx) {
    let (run, planned) = (world.run(), world.run().plan.phase(ix));
    match run.phase(ix).proof {
        Some(Proof::Person) => assert!(run.phase(ix).reply.as_ref().is_some_and(|reply| reply.yes)),
        Some(Proof::Waived) => assert_eq!(planned.verify().red_before_green, Some(RedBeforeGreen::Waived)),
        Some(Proof::Proven) => {
            assert!(planned.checks() > 0);
            for index in 0..planned.checks() {
                let said = |stage: Stage, wanted: Said| {
                    positions(world, move |record| {
                        matches!(record, Record::Answered { phase, check, stage: at, answer, .. }
                            if *phase == ix && usize::from(*check) == index && *at == stage && answer.said == wanted)
                    })
                    .last()
                };
                assert!(said(Stage::Before, Said::Fail) < said(Stage::After, Said::Pass));
                assert!(said(Stage::Before, Said::Fail).is_some());
            }
        }
        other => panic!("{} is green by {other:?}", planned.name),
    }
}

/// Of two services of which one needs the other, the one that needs is gone before the other is ended.
fn is_torn_down_in_reverse(world: &World, from: usize) {
    let mut asked: HashMap<String, usize> = HashMap::new();
    let mut gone: HashMap<String, usize> = HashMap::new();
    let mut places: HashMap<EffectId, String> = HashMap::new();
    for (index, (_, record)) in world.records.iter().enumerate().skip(from) {
        match record {
            Record::Requested { id, owner, effect: Effect::End { .. } } if owner.resource.is_some() => {
                asked.entry(owner.to_string()).or_insert(index);
                places.insert(*id, owner.to_string());
            }
            Record::Observed { id, .. } => {
                if let Some(place) = places.get(id) {
                    gone.insert(place.clone(), index);
                }
            }
            _ => {}
        }
    }
    let run = world.run();
    for (_, planned) in run.plan.indexed() {
        for edge in &planned.needs {
            let (later, earlier) = (format!("g/{}/svc", planned.name), format!("g/{}/svc", run.plan.phase(edge.phase).name));
            if let (Some(gone), Some(asked)) = (gone.get(&later), asked.get(&earlier)) {
                assert!(gone < asked, "{earlier} was ended before {later} was gone");
            }
        }
    }
}

/// How each phase must end, where nothing depends on time: a second reading of the design, without the kernel's code.
fn model(shapes: &[Shape]) -> Vec<Outcome> {
    let mut outcomes: Vec<Outcome> = vec![Outcome::Cancelled; shapes.len()];
    let order = (0..shapes.len()).filter(|ix| !shapes[*ix].finally).chain((0..shapes.len()).filter(|ix| shapes[*ix].finally));
    for index in order.collect::<Vec<_>>() {
        let shape = &shapes[index];
        let met = shape.needs.iter().filter(|(need, _)| shape.finally || !shapes[*need].finally).all(|(need, unlock)| {
            let (ended, undeclared) = (outcomes[*need], declared_tier(&shapes[*need]) == Tier::None);
            match unlock {
                Unlock::Verified => ended == Outcome::Verified || ended == Outcome::Unverified && undeclared,
                Unlock::Unverified => ended == Outcome::Verified || ended == Outcome::Unverified,
                Unlock::Finished => true,
                Unlock::Failed => ended == Outcome::Failed,
            }
        });
        outcomes[index] = if met && shape.wanted { attempts(shape) } else { Outcome::Skipped };
    }
    outcomes
}

/// What a phase without `verify:` has.
fn declared_tier(shape: &Shape) -> Tier {
    // A rule about reds is a `verify:` too, and then its tier is `auto`.
    if shape.checks == 0 && shape.tier == Tier::None && shape.red.is_some() { Tier::Auto } else { shape.tier }
}

fn attempts(shape: &Shape) -> Outcome {
    let nth = |list: &[Said], index: usize| list[index.min(list.len() - 1)];
    for number in 0..shape.attempts as usize {
        let (code, _, after) = &shape.tries[number.min(shape.tries.len() - 1)];
        let waits = shape.resources[0] || shape.resources[1];
        if shape.works && *code != 0 || waits && shape.ready.is_none() {
            continue;
        }
        let said: Vec<Said> = (0..shape.checks).map(|check| nth(after, check)).collect();
        if said.contains(&Said::Fail) {
            continue;
        }
        if said.contains(&Said::Unknown) {
            return Outcome::Unknown;
        }
        let proven = shape.red == Some(RedBeforeGreen::Waived) || (0..shape.checks).all(|check| nth(&shape.before, check) == Said::Fail);
        return match declared_tier(shape) {
            Tier::Auto if shape.checks > 0 && proven => Outcome::Verified,
            Tier::Auto | Tier::None => Outcome::Unverified,
            // Whoever is asked here says yes.
            Tier::AskUser => Outcome::Verified,
        };
    }
    Outcome::Failed
}

/// The same, with nothing that would not end.
fn docile(mut shapes: Vec<Shape>) -> Vec<Shape> {
    for shape in &mut shapes {
        shape.stubborn = false;
    }
    shapes
}

fn config() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn any_run_in_any_world_ends_as_it_should(
        shapes in shapes(false), concurrency in 1..4_u32, once: bool, seed: u64, jitter in 0..25_u64,
    ) {
        let mut world = world(&shapes, seed, jitter);
        world.start_with(goal(&shapes, concurrency), RunOptions { once, strict: false, ..RunOptions::default() });
        finish(&mut world);
        holds_at_the_end(&world, &shapes);
        if once && !shapes.iter().any(|shape| shape.stubborn) {
            prop_assert!(world.alive.is_empty());
        }
    }

    #[test]
    fn any_run_can_be_stopped_at_any_time(
        shapes in shapes(false), concurrency in 1..4_u32, seed: u64, jitter in 0..25_u64, at in 0..400_u64, again in 0..40_u64, force: bool,
    ) {
        let mut world = world(&shapes, seed, jitter);
        world.start(goal(&shapes, concurrency));
        world.until(1000 + at);
        world.stop(false);
        if force {
            world.until(1000 + at + again);
            world.stop(true);
        }
        finish(&mut world);
        holds_at_the_end(&world, &shapes);
        let stopped = world.run().stopping.is_some();
        prop_assert!(!stopped || world.verdict() == Verdict::Cancelled);
        if stopped && !shapes.iter().any(|shape| shape.stubborn) {
            prop_assert!(world.alive.is_empty());
        }
    }

    #[test]
    fn any_engine_may_die_at_any_record_and_again(
        shapes in shapes(false), concurrency in 1..4_u32, seed: u64, at in 0..400_u64, records in prop::collection::vec(0..60_usize, 1..4),
    ) {
        let mut world = world(&shapes, seed, 0);
        world.start(goal(&shapes, concurrency));
        world.until(1000 + at);
        for more in records {
            world.dies_after = Some(world.records.len() + more);
            while world.dies_after.is_some() && world.step() {}
        }
        world.dies_after = None;
        world.restart();
        finish(&mut world);
        prop_assert!(world.is_repeated_nowhere(), "{:#?}", world.standing());
        prop_assert!(world.run().ended.is_some());
        prop_assert!(world.is_at_rest() || shapes.iter().any(|shape| shape.stubborn));
        let finished = |ix: PhaseIx| matches!(world.run().phase(ix).state, PhaseState::Done(_));
        prop_assert!(world.run().plan.indexed().all(|(ix, _)| finished(ix)));
        world.down(true);
        world.settle();
        if !shapes.iter().any(|shape| shape.stubborn) {
            prop_assert!(world.alive.is_empty(), "{:?}", world.alive);
            prop_assert!(world.is_at_rest());
        }
    }

    #[test]
    fn outcomes_are_those_of_the_model(shapes in shapes(true), concurrency in 1..4_u32, seed: u64, jitter in 0..25_u64) {
        let mut world = world(&shapes, seed, jitter);
        world.start(goal(&shapes, concurrency));
        world.settle();
        while let Some(place) = world.kernel.asked().first().cloned() {
            world.reply(&place.to_string(), true);
            world.settle();
        }
        holds_at_the_end(&world, &shapes);
        let outcomes = model(&shapes);
        for (index, expected) in outcomes.iter().enumerate() {
            prop_assert_eq!(world.outcome(&name(index)), *expected, "{}", name(index));
        }
        let bad = outcomes.iter().any(|outcome| matches!(outcome, Outcome::Failed | Outcome::Unknown));
        let yellow = outcomes.iter().zip(&shapes).any(|(outcome, shape)| *outcome == Outcome::Unverified && declared_tier(shape) != Tier::None);
        let verdict = if bad { Verdict::Failed } else if yellow { Verdict::Unproven } else { Verdict::Verified };
        prop_assert_eq!(world.verdict(), verdict);
        let from = world.records.len();
        world.down(true);
        world.settle();
        is_torn_down_in_reverse(&world, from);
        prop_assert!(world.alive.is_empty() && world.there.is_empty() && world.is_at_rest());
    }

    #[test]
    fn a_goal_may_be_run_again_whatever_has_changed(shapes in shapes(false), changed in shapes(false), seed: u64, jitter in 0..25_u64) {
        let (shapes, changed) = (docile(shapes), docile(changed));
        let mut world = world(&shapes, seed, jitter);
        world.start(goal(&shapes, 2));
        finish(&mut world);
        let next = self::world(&changed, seed, jitter);
        for (name, play) in next.plays {
            let mut play = play;
            play.fingerprint = if seed % 2 == 0 { "f1".to_owned() } else { "f2".to_owned() };
            world.plays.insert(name, play);
        }
        world.start(goal(&changed, 2));
        finish(&mut world);
        prop_assert!(world.run().ended.is_some() && world.is_at_rest());
        for owner in world.alive.keys() {
            prop_assert!(world.kernel.state().resource(owner).is_some_and(|resource| resource.state.is_live()), "{} is forgotten", owner);
        }
        world.down(true);
        world.settle();
        prop_assert!(world.alive.is_empty() && world.is_at_rest());
    }
}
