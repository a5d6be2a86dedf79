//! How a container ends, and that it does.

use opensculpt::adapters::docker::stop::Stopped;
use opensculpt::base::time::Span;

use super::fixture::with_docker;

/// Says `up` once it listens for signals.
fn script(trap: &str) -> String {
    format!("{trap}; echo up > /up; while :; do sleep 0.01; done")
}

/// Waits, inside, until it listens for signals.
const UP: &str = "until [ -s /up ]; do sleep 0.01; done";

#[test]
fn one_that_listens_has_the_time_to_end_well_and_a_deaf_one_is_killed() {
    with_docker("stopping", |world| async move {
        let up = ["/bin/sh", "-c", UP].map(str::to_owned);
        let well = world.start(&world.spec("it/serve/well", &script("trap 'exit 7' USR1"))).await;
        world.fleet.exec(&well, &up, &[], |_| {}).await.unwrap();
        let Stopped { ended, killed } = world.fleet.stop(&well, "SIGUSR1", Span::seconds(100)).await.unwrap();
        assert_eq!((ended.unwrap().code, killed), (7, false));
        let deaf = world.start(&world.spec("it/serve/deaf", &script("trap '' TERM"))).await;
        world.fleet.exec(&deaf, &up, &[], |_| {}).await.unwrap();
        let Stopped { ended, killed } = world.fleet.stop(&deaf, "SIGTERM", Span(300)).await.unwrap();
        assert_eq!((ended.unwrap().code, killed), (137, true));
        // Again, and of what is gone: nothing to do.
        assert!(!world.fleet.stop(&deaf, "SIGTERM", Span(300)).await.unwrap().killed);
        world.fleet.remove(&deaf).await.unwrap();
        world.fleet.remove(&deaf).await.unwrap();
        assert_eq!(world.fleet.stop(&deaf, "SIGTERM", Span(300)).await.unwrap(), Stopped { ended: None, killed: false });
    });
}

#[test]
fn want_of_memory_is_seen_as_what_it_is() {
    with_docker("an end for want of memory", |world| async move {
        let mut spec = world.spec("it/serve/it", "exec tail /dev/zero");
        spec.limits.memory = Some(16 << 20);
        let id = world.start(&spec).await;
        let ended = world.fleet.wait(&id).await.unwrap();
        assert_eq!((ended.code, ended.oom), (137, true));
        let other = world.start(&world.spec("it/serve/other", "exit 137")).await;
        let ended = world.fleet.wait(&other).await.unwrap();
        assert_eq!((ended.code, ended.oom), (137, false));
    });
}
