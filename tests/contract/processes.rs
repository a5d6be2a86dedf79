//! Commands and services: they start, end, are ended, and are found again.

use opensculpt::base::time::Span;
use opensculpt::kernel::action::{Effect, Exit, Seen, StopPolicy};
use opensculpt::kernel::fault::Fault;
use opensculpt::kernel::input::Input;
use opensculpt::manifest::process::{Signal, StopTo};
use opensculpt::plan::sealed::PhaseIx;
use opensculpt::ports::job::{Job, WatchJob};

use super::scripts::{ENDS_SOON, FAILS, IGNORES, KILLS_ITSELF, LEAVES, NO_SUCH, STAYS, STAYS_WITH_CHILDREN, TELLS};
use super::{World, in_every_world, phase, run, service};

const GENTLY: StopPolicy = StopPolicy { signal: Signal::SigTerm, to: StopTo::Main, grace: Span(300) };

/// The end of a command: how, and what it left.
fn exited(world: &World, seen: Seen) -> (Exit, u32, Vec<u32>) {
    match seen {
        Seen::Exited { exit, leftovers, survivors, .. } => (exit, leftovers, survivors),
        other => panic!("{}: {other:?}", world.name),
    }
}

/// The two things that are told when a place with one process is ended, in whichever order: its exit, and that nobody is left.
async fn ends(world: &mut World, process: opensculpt::kernel::action::EffectId, end: opensculpt::kernel::action::EffectId) -> (Exit, u32) {
    let (mut exit, mut killed) = (None, None);
    while exit.is_none() || killed.is_none() {
        match world.hear().await {
            Input::Seen { id, seen } if id == process => exit = Some(exited(world, seen)),
            Input::Seen { id, seen: Seen::Ended { survivors, killed: so_many } } if id == end => {
                assert_eq!(survivors, Vec::<u32>::new(), "{}", world.name);
                killed = Some(so_many);
            }
            other => panic!("{}: {other:?}", world.name),
        }
    }
    let ((exit, _, survivors), killed) = (exit.unwrap(), killed.unwrap());
    assert_eq!(survivors, Vec::<u32>::new(), "{}", world.name);
    assert_eq!(world.runtime.populated().unwrap(), Vec::<String>::new(), "{}: nobody is left", world.name);
    (exit, killed)
}

#[test]
fn a_command_starts_and_then_ends_with_its_code() {
    in_every_world(async |world| {
        for (script, exit) in [(FAILS, Exit::Code(3)), (KILLS_ITSELF, Exit::Signal(9)), ("exit 0", Exit::Code(0))] {
            let id = world.work(world.command(script));
            let process = world.started(id).await;
            assert!(process.pid > 0 && process.scope.starts_with("g/"), "{}: {process:?}", world.name);
            let seen = world.seen(id).await;
            assert_eq!(exited(world, seen), (exit, 0, Vec::new()), "{}: {script}", world.name);
        }
        assert_eq!(world.runtime.populated().unwrap(), Vec::<String>::new(), "{}", world.name);
    });
}

#[test]
fn a_program_that_is_not_there_is_named() {
    in_every_world(async |world| {
        let mut command = world.command(NO_SUCH);
        command.argv = vec![NO_SUCH.to_owned()];
        let id = world.work(command);
        let seen = world.seen(id).await;
        let missing = matches!(&seen, Seen::Failed { fault: Fault::MissingCommand, evidence } if evidence.contains(NO_SUCH));
        assert!(missing, "{}: {seen:?}", world.name);
    });
}

#[test]
fn what_a_command_leaves_behind_ends_with_it() {
    in_every_world(async |world| {
        let id = world.work(world.command(LEAVES));
        world.started(id).await;
        let seen = world.seen(id).await;
        assert_eq!(exited(world, seen), (Exit::Code(0), 2, Vec::new()), "{}", world.name);
        assert_eq!(world.runtime.populated().unwrap(), Vec::<String>::new(), "{}", world.name);
    });
}

#[test]
fn what_a_command_tells_is_told() {
    in_every_world(async |world| {
        let id = world.work(world.command(TELLS));
        world.started(id).await;
        match world.seen(id).await {
            Seen::Exited { outputs, .. } => assert_eq!(outputs.get("answer").map(String::as_str), Some("42"), "{}", world.name),
            other => panic!("{}: {other:?}", world.name),
        }
    });
}

#[test]
fn the_end_of_a_place_ends_all_of_it() {
    in_every_world(async |world| {
        for (script, stop, exit, killed) in [
            (STAYS, GENTLY, Exit::Signal(15), 0),
            (IGNORES, GENTLY, Exit::Signal(9), 1),
            (STAYS, StopPolicy::KILL, Exit::Signal(9), 1),
            (STAYS_WITH_CHILDREN, GENTLY, Exit::Signal(15), 0),
        ] {
            let id = if script == IGNORES { world.serve_who_ignores().await } else { world.serve(script, &[]) };
            let process = world.started(id).await;
            assert_eq!(world.runtime.populated().unwrap(), std::slice::from_ref(&process.scope), "{}", world.name);
            let end = world.end(&service(), stop, vec![process]);
            let (how, so_many) = ends(world, id, end).await;
            assert_eq!((how, so_many.min(1)), (exit, killed), "{}: {script}", world.name);
        }
    });
}

#[test]
fn the_end_of_a_place_where_nobody_is_says_so() {
    in_every_world(async |world| {
        let end = world.end(&service(), GENTLY, Vec::new());
        assert_eq!(world.seen(end).await, Seen::Ended { survivors: Vec::new(), killed: 0 }, "{}", world.name);
    });
}

#[test]
fn a_port_that_is_taken_is_named() {
    in_every_world(async |world| {
        let (port, _held) = world.stranger();
        let id = world.serve(STAYS, std::slice::from_ref(&port));
        let seen = world.seen(id).await;
        let named = format!("port {port} is held by");
        let taken = matches!(&seen, Seen::Failed { fault: Fault::PortTaken, evidence } if evidence.contains(&named));
        assert!(taken, "{}: {seen:?}", world.name);
        assert_eq!(world.runtime.populated().unwrap(), Vec::<String>::new(), "{}: it was not started", world.name);
        let effect = Effect::Make { run: run(), phase: PhaseIx(0), attempt: 1, resource: "port".into() };
        let id = world.carry_out(&service(), effect, Job::Port(port));
        let seen = world.seen(id).await;
        assert!(matches!(seen, Seen::Failed { fault: Fault::PortTaken, .. }), "{}: {seen:?}", world.name);
    });
}

#[test]
fn another_engine_watches_what_it_finds_to_its_end() {
    in_every_world(async |world| {
        let id = world.serve(STAYS_WITH_CHILDREN, &[]);
        let process = world.started(id).await;
        world.another_engine();
        assert_eq!(world.runtime.populated().unwrap(), std::slice::from_ref(&process.scope), "{}: it lives on", world.name);
        let effect = Effect::Serve { run: run(), phase: PhaseIx(0), attempt: 1, resource: "svc".into() };
        let watched = world.carry_out(
            &service(),
            effect,
            Job::Watch(Box::new(WatchJob { process: process.clone(), contained: None, collect: None, around: None, endpoint: None })),
        );
        let end = world.end(&service(), GENTLY, vec![process]);
        let (exit, _) = ends(world, watched, end).await;
        // Some kernels tell how a process ended that is no child; none tells it wrong.
        assert!(matches!(exit, Exit::Unseen | Exit::Signal(15)), "{}: {exit}", world.name);
    });
}

#[test]
fn another_engine_sees_that_a_command_has_ended_meanwhile() {
    in_every_world(async |world| {
        let id = world.work(world.command(ENDS_SOON));
        let process = world.started(id).await;
        world.another_engine();
        let effect = Effect::Work { run: run(), phase: PhaseIx(0), attempt: 1 };
        let collect = Some(Ok(world.collect()));
        let watched = world.carry_out(
            &phase(),
            effect,
            Job::Watch(Box::new(WatchJob { process, contained: None, collect, around: None, endpoint: None })),
        );
        let seen = world.seen(watched).await;
        let (exit, leftovers, survivors) = exited(world, seen);
        assert!(matches!(exit, Exit::Unseen | Exit::Code(5)), "{}: {exit}", world.name);
        assert_eq!((leftovers, survivors), (0, Vec::new()), "{}", world.name);
    });
}

#[test]
fn whom_no_record_knows_is_found_and_swept() {
    in_every_world(async |world| {
        let id = world.work(world.command(STAYS_WITH_CHILDREN));
        let process = world.started(id).await;
        world.another_engine();
        assert_eq!(world.runtime.populated().unwrap(), std::slice::from_ref(&process.scope), "{}", world.name);
        let effect = Effect::Sweep { scope: process.scope.clone() };
        let sweep = world.carry_out(&phase(), effect, Job::Sweep(process.scope, None));
        match world.seen(sweep).await {
            Seen::Ended { survivors, killed } => assert!(survivors.is_empty() && killed > 0, "{}", world.name),
            other => panic!("{}: {other:?}", world.name),
        }
        assert_eq!(world.runtime.populated().unwrap(), Vec::<String>::new(), "{}", world.name);
    });
}
