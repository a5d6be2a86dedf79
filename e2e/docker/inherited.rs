//! Labels that a container has from its image: whoever commits a container of ours hands them on.

use opensculpt::adapters::docker::error::DockerError;
use opensculpt::adapters::docker::spec::Stop;
use opensculpt::base::time::Span;

use super::fixture::{docker, with_docker};

#[test]
fn a_strangers_container_of_an_image_that_was_made_of_ours_is_not_ours() {
    with_docker("labels of an image", |world| async move {
        let ours = world.start(&world.spec("it/serve/it", "exec sleep 86400")).await;
        let image = format!("sculpt-e2e-{}-committed", world.workspace);
        docker(&["commit", &ours, &image]);
        let stranger = docker(&["run", "-d", &image]);
        let listed: Vec<String> = world.fleet.list().await.unwrap().into_iter().map(|found| found.id).collect();
        let stopped = world.fleet.stop(&stranger, "SIGKILL", Span::seconds(0)).await;
        let removed = world.fleet.remove(&stranger).await;
        let running = docker(&["inspect", "-f", "{{.State.Running}}", &stranger]);
        docker(&["rm", "-f", &stranger]);

        // What we make of such an image is ours all the same: another place, run or attempt made it.
        let mut spec = world.spec("it/again/it", "exec sleep 86400");
        (spec.image, spec.stop) = (image.clone(), Stop { signal: "SIGKILL".to_owned(), grace: Span::seconds(0) });
        let again = world.start(&spec).await;
        let ends = world.fleet.remove(&again).await;
        docker(&["rmi", &image]);
        assert_eq!(listed, [ours]);
        assert!(matches!((stopped, removed), (Err(DockerError::NotOurs { .. }), Err(DockerError::NotOurs { .. }))));
        assert_eq!(running, "true");
        ends.unwrap();
    });
}
