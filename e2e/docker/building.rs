//! Images that are built from a local context.

use std::fs::File;

use opensculpt::adapters::docker::error::DockerError;

use super::fixture::{IMAGE, docker, with_docker};

#[test]
fn a_context_is_built_without_what_is_ignored() {
    with_docker("building", |world| async move {
        let dir = tempfile::tempdir().unwrap();
        let log = tempfile::NamedTempFile::new().unwrap();
        for (name, text) in [
            ("Dockerfile", &*format!("FROM {IMAGE}\nCOPY . /context/\nCMD [\"/bin/ls\", \"/context\"]\n")),
            (".dockerignore", "*.log\n.*\nDockerfile\n"),
            ("a.log", "no"),
            ("kept", "yes"),
        ] {
            std::fs::write(dir.path().join(name), text).unwrap();
        }
        let tag = format!("sculpt-e2e-{}:1", world.workspace);
        let label = world.label("it/serve/it");
        let id = world.fleet.build(dir.path(), None, &tag, &label, log.as_file()).await.unwrap();
        let again = world.fleet.build(dir.path(), Some("./Dockerfile"), &tag, &label, log.as_file()).await.unwrap();
        assert_eq!(id, again, "the same context is the same image");
        let mut spec = world.spec("it/serve/it", "");
        (spec.image, spec.command) = (tag.clone(), None);
        let container = world.start(&spec).await;
        let output = dir.path().join("output");
        world.fleet.logs_to(&container, &output).await.unwrap();
        assert_eq!(std::fs::read_to_string(output).unwrap(), "kept\n");
        assert!(std::fs::read_to_string(log.path()).unwrap().contains("Successfully tagged"));
        // An image's labels are inherited by whatever is started of it: they must not make a stranger's container ours.
        let strange = docker(&["create", &tag]);
        assert!(world.fleet.list().await.unwrap().iter().all(|found| found.id != strange));
        assert!(matches!(world.fleet.remove(&strange).await, Err(DockerError::NotOurs { .. })));
        docker(&["rm", &strange]);
        // What lost its tag to a newer build goes, once no container is of it.
        std::fs::write(dir.path().join("kept"), "other").unwrap();
        let newer = world.fleet.build(dir.path(), None, &tag, &label, log.as_file()).await.unwrap();
        let there = |id: &str| !docker(&["images", "-a", "-q", "--no-trunc"]).lines().all(|line| line != id);
        world.fleet.remove_outbuilt(&label.owner).await.unwrap();
        assert!(there(&id) && there(&newer), "a container is of it");
        world.fleet.remove(&container).await.unwrap();
        world.fleet.remove_outbuilt(&label.owner).await.unwrap();
        assert!(!there(&id) && there(&newer));
        docker(&["rmi", &tag]);
    });
}

#[test]
fn a_build_that_fails_says_its_last_word() {
    with_docker("builds that fail", |world| async move {
        let dir = tempfile::tempdir().unwrap();
        let log = File::create(dir.path().join("log")).unwrap();
        let tag = format!("sculpt-e2e-{}:2", world.workspace);
        for (steps, word) in
            [(format!("FROM {IMAGE}\nRUN exit 3\n"), "returned a non-zero code: 3"), ("FRO x".to_owned(), "unknown instruction")]
        {
            std::fs::write(dir.path().join("Dockerfile"), steps).unwrap();
            let error = world.fleet.build(dir.path(), None, &tag, &world.label("it/a/b"), &log).await.unwrap_err();
            assert!(matches!(&error, DockerError::Build { last, .. } if last.contains(word)), "{error:?}");
        }
        let error = world.fleet.build(&dir.path().join("none"), None, &tag, &world.label("it/a/b"), &log).await.unwrap_err();
        assert!(matches!(error, DockerError::File { .. }), "{error:?}");
    });
}
