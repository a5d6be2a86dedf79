//! Directories, files and custom resources: announced, made, used where they were there, removed.

use opensculpt::base::time::Span;
use opensculpt::kernel::action::{Effect, Seen};
use opensculpt::kernel::answer::Said;
use opensculpt::plan::sealed::PhaseIx;
use opensculpt::ports::job::{CustomJob, DirectoryJob, FileJob, Job, RemoveJob};
use serde_json::json;

use super::looks::{PATIENT, look};
use super::scripts::WRITES;
use super::{World, in_every_world, run, service};

/// Makes something: lets it be made once it is announced. Gives whether it was announced, at which path, and whether it was created.
async fn make(world: &mut World, job: Job) -> (Option<Option<String>>, bool, Option<String>) {
    let effect = Effect::Make { run: run(), phase: PhaseIx(0), attempt: 1, resource: "svc".into() };
    let id = world.carry_out(&service(), effect, job);
    let mut announced = None;
    loop {
        match world.seen(id).await {
            Seen::Begun { path, .. } => {
                assert_eq!(announced.replace(path), None, "{}: it is announced once", world.name);
                world.runtime.proceed(id);
            }
            Seen::Made { created, path, .. } => return (announced, created, path),
            other => panic!("{}: {other:?}", world.name),
        }
    }
}

fn directory(world: &World) -> Job {
    Job::Directory(DirectoryJob { path: world.path("d"), owner: None, mode: None })
}

fn file(world: &World, content: &str) -> Job {
    Job::File(FileJob { path: world.path("d/f"), content: content.to_owned(), owner: None, mode: None })
}

#[test]
fn what_is_not_there_is_announced_and_made_and_what_is_there_is_used() {
    in_every_world(async |world| {
        let (d, f) = (Some("d".to_owned()), Some("d/f".to_owned()));
        assert_eq!(make(world, directory(world)).await, (Some(d.clone()), true, d.clone()), "{}", world.name);
        assert_eq!(make(world, directory(world)).await, (None, false, d), "{}", world.name);
        assert_eq!(make(world, file(world, "one")).await, (Some(f.clone()), true, f.clone()), "{}", world.name);
        assert_eq!(make(world, file(world, "two")).await, (None, false, f), "{}", world.name);
    });
}

#[test]
fn what_is_removed_can_be_made_again() {
    in_every_world(async |world| {
        make(world, directory(world)).await;
        make(world, file(world, "one")).await;
        for _ in 0..2 {
            // What is not there is removed already.
            let removal = removal(world, &["d"], &[]);
            let id = world.carry_out(&service(), Effect::Remove, removal);
            assert_eq!(world.seen(id).await, Seen::Done, "{}", world.name);
        }
        assert!(make(world, directory(world)).await.1, "{}", world.name);
        assert!(make(world, file(world, "one")).await.1, "{}: it was removed with its directory", world.name);
    });
}

/// The removal of these, and of what is empty from these folders down.
pub(super) fn removal(world: &World, paths: &[&str], above: &[&str]) -> Job {
    removal_beside(world, paths, above, &[])
}

/// The same, where others have these.
fn removal_beside(world: &World, paths: &[&str], above: &[&str], others: &[&str]) -> Job {
    let whole = |paths: &[&str]| paths.iter().map(|path| world.path(path)).collect();
    Job::RemovePaths(RemoveJob { paths: whole(paths), above: whole(above), others: whole(others) })
}

#[test]
fn a_folder_on_the_way_that_another_has_stays_though_it_is_empty() {
    in_every_world(async |world| {
        let job = Job::Directory(DirectoryJob { path: world.path("x/y/d"), owner: None, mode: None });
        assert!(make(world, job).await.1, "{}", world.name);
        let removal = removal_beside(world, &["x/y/d"], &["x"], &["x/y"]);
        let id = world.carry_out(&service(), Effect::Remove, removal);
        assert_eq!(world.seen(id).await, Seen::Done, "{}", world.name);
        for (path, there) in [("x/y/d", false), ("x/y", true)] {
            let asked = look(world, json!({ "file": { "path": path, "exists": there } }));
            assert_eq!(world.ask(asked, PATIENT).await.said, Said::Pass, "{}: {path}", world.name);
        }
    });
}

#[test]
fn the_folders_on_the_way_are_announced_and_go_with_it_where_they_are_empty() {
    in_every_world(async |world| {
        let directory = Job::Directory(DirectoryJob { path: world.path("x/y/d"), owner: None, mode: None });
        let file = Job::File(FileJob { path: world.path("x/e/f"), content: String::new(), owner: None, mode: None });
        for (job, path, above) in [(directory, "x/y/d", "x"), (file, "x/e/f", "x/e")] {
            let effect = Effect::Make { run: run(), phase: PhaseIx(0), attempt: 1, resource: "svc".into() };
            let id = world.carry_out(&service(), effect, job);
            let begun = Seen::Begun { path: Some(path.to_owned()), above: Some(above.to_owned()) };
            assert_eq!(world.seen(id).await, begun, "{}", world.name);
            world.runtime.proceed(id);
            assert!(matches!(world.seen(id).await, Seen::Made { created: true, .. }), "{}", world.name);
        }
        for (path, left) in [("x/y/d", [false, true, true]), ("x/e/f", [false, false, false])] {
            // The second has by now what the first had left.
            let removal = removal(world, &[path], &["x"]);
            let id = world.carry_out(&service(), Effect::Remove, removal);
            assert_eq!(world.seen(id).await, Seen::Done, "{}", world.name);
            for (path, there) in ["x/y", "x/e/f", "x"].into_iter().zip(left) {
                let asked = look(world, json!({ "file": { "path": path, "exists": there } }));
                assert_eq!(world.ask(asked, PATIENT).await.said, Said::Pass, "{}: {path} after {left:?}", world.name);
            }
        }
    });
}

#[test]
fn nothing_is_made_before_its_announcement_is_recorded() {
    in_every_world(async |world| {
        let effect = Effect::Make { run: run(), phase: PhaseIx(0), attempt: 1, resource: "svc".into() };
        let job = directory(world);
        let id = world.carry_out(&service(), effect, job);
        assert_eq!(world.seen(id).await, Seen::Begun { path: Some("d".to_owned()), above: None }, "{}", world.name);
        // The engine dies here: nothing is there, whoever comes next announces it again.
        world.another_engine();
        assert!(make(world, directory(world)).await.0.is_some(), "{}", world.name);
    });
}

#[test]
fn a_custom_resource_is_created_once_and_destroyed() {
    in_every_world(async |world| {
        let job = |world: &World, act: &str| CustomJob {
            exists: world.command("exit 1"),
            act: world.command(act),
            timeout: Span::seconds(600),
            output: world.path("output"),
            endpoint: None,
        };
        let create = job(world, WRITES);
        let (announced, created, path) = make(world, Job::Create(create)).await;
        assert_eq!((announced, created, path), (Some(None), true, None), "{}", world.name);
        let destroy = job(world, "exit 0");
        let id = world.carry_out(&service(), Effect::Remove, Job::Destroy(destroy));
        assert_eq!(world.seen(id).await, Seen::Done, "{}", world.name);
    });
}
