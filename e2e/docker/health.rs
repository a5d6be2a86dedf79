//! A container's health is heard of, and not asked for again and again.

use opensculpt::adapters::docker::spec::{ContainerSpec, Healthcheck};
use opensculpt::adapters::docker::standing::Health;
use opensculpt::base::time::Span;

use super::fixture::{World, docker, with_docker};

/// Longer than any test.
const LONG: Span = Span::seconds(600);

/// A container that is well once `/well` is there, and ends once `/over` is.
fn spec(world: &World) -> ContainerSpec {
    let mut spec = world.spec("it/serve/it", "until [ -e /over ]; do sleep 0.02; done; exit 3");
    spec.healthcheck = Some(Healthcheck {
        test: vec!["CMD".to_owned(), "test".to_owned(), "-e".to_owned(), "/well".to_owned()],
        interval: Span(100),
        timeout: Span::seconds(30),
        retries: 1000,
        start_period: LONG,
    });
    spec
}

#[test]
fn health_is_waited_for_and_heard_of() {
    with_docker("health", |world| async move {
        let id = world.start(&spec(&world)).await;
        let still = world.fleet.settled(&id, Span(1)).await.unwrap().unwrap();
        assert_eq!((still.health, still.running), (Health::Starting, true), "it has had its time");
        let waits = world.fleet.settled(&id, LONG);
        let (settled, _) = tokio::join!(waits, async { tokio::task::block_in_place(|| docker(&["exec", &id, "touch", "/well"])) });
        assert_eq!(settled.unwrap().unwrap().health, Health::Healthy);
        assert_eq!(world.fleet.settled(&id, LONG).await.unwrap().unwrap().health, Health::Healthy, "what is known is not waited for");
    });
}

#[test]
fn who_waits_for_the_health_of_what_ends_hears_of_its_end() {
    with_docker("health of what ends", |world| async move {
        let id = world.start(&spec(&world)).await;
        let waits = world.fleet.settled(&id, LONG);
        let (settled, _) = tokio::join!(waits, async { tokio::task::block_in_place(|| docker(&["exec", &id, "touch", "/over"])) });
        let settled = settled.unwrap().unwrap();
        assert!(!settled.running && settled.ended.is_some_and(|ended| ended.code == 3), "{settled:?}");
        world.fleet.remove(&id).await.unwrap();
        assert_eq!(world.fleet.settled(&id, LONG).await.unwrap(), None);
    });
}
