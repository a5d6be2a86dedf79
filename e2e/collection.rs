//! What nobody wants is ended, what would not go is a leak until it is gone, and a dry run tells the same and changes nothing.

use std::fs;

use serde_json::Value;

use crate::docker::left::there_is_docker;
use crate::part::require;
use crate::world::bystander::Bystander;
use crate::world::deadline::until;
use crate::world::workspace::Workspace;

/// Something custom that cannot be destroyed as long as there is a file `held`.
const CLOUD: &str = r#"
version: "1"
name: it
phases:
  make:
    resources:
      cloud:
        custom:
          create: 'sleep 86400.MARK & touch ROOT/cloud; echo url=db://here >> "$SCULPT_OUTPUT"'
          exists: 'test -e ROOT/cloud'
          destroy: 'echo tried >> ROOT/tries; test ! -e ROOT/held && rm ROOT/cloud'
        scope: goal
  use:
    needs: [make]
    run: 'test "{{ phases.make.outputs.url }}" = db://here && touch ROOT/held'
"#;

fn leak(workspace: &Workspace) -> Option<Value> {
    workspace.ps()["leaks"].as_array().unwrap().first().cloned()
}

#[test]
fn a_removal_that_fails_is_a_leak_until_it_is_gone() {
    let workspace = Workspace::with_goal(CLOUD);
    workspace.sculpt("run goal.yaml").run().expect(0);
    assert_eq!(workspace.sleepers(), 0, "what a create command leaves behind is ended with it");
    let down = workspace.sculpt("down it").run().expect(1);
    assert!(down.out.contains("it could not be removed: its destroy command ended with exit 1"), "{}", down.out);
    assert!(down.out.contains("still there: it/make/cloud: the supervisor tries again until it is gone"), "{}", down.out);

    // It is tried again by itself: three times at once, then after a second.
    let seen = until("another try", || leak(&workspace).filter(|leak| leak["attempts"].as_u64() >= Some(4)));
    assert_eq!((&seen["owner"], &seen["why"]), (&"it/make/cloud".into(), &"its destroy command ended with exit 1".into()));
    let ps = workspace.sculpt("ps").run().expect(0).out;
    assert!(ps.contains("it/make/cloud") && ps.contains("leak: tried "), "{ps}");
    let status = workspace.status();
    assert_eq!((&status["outcome"], &status["resources"][0]["leak"]["owner"]), (&"down".into(), &"it/make/cloud".into()));
    assert_eq!(status["why"], "it was taken down, but it/make/cloud is still there, and tried again until gone");
    let why = workspace.sculpt("why it/make/cloud").run().expect(0).out;
    assert!(why.contains("it/make/cloud leaks: tried ") && why.contains("tried again in "), "{why}");
    assert!(workspace.journal().count("leaked") >= 2);

    // The next supervisor goes on with it.
    workspace.kill_the_supervisor();
    let before = leak(&workspace).unwrap()["attempts"].as_u64();
    until("a try of the next supervisor", || leak(&workspace).filter(|leak| leak["attempts"].as_u64() > before));
    let gc = workspace.sculpt("gc").run().expect(1);
    assert!(gc.out.contains("it/make/cloud") && gc.err.contains("still there: it/make/cloud"), "{} {}", gc.out, gc.err);

    fs::remove_file(workspace.path("held")).unwrap();
    until("the leak to be gone", || leak(&workspace).is_none().then_some(()));
    assert!(!workspace.has("cloud"));
    workspace.expect_nothing_alive("a leak that is gone");
    assert_eq!(workspace.status()["why"], "it was taken down");
}

#[test]
fn a_collection_that_is_asked_for_does_not_wait_for_the_next_try() {
    let workspace = Workspace::with_goal(CLOUD);
    workspace.sculpt("run goal.yaml").run().expect(0);
    workspace.sculpt("down it").run().expect(1);
    until("a long pause", || leak(&workspace).filter(|leak| leak["attempts"].as_u64() >= Some(5)));
    fs::remove_file(workspace.path("held")).unwrap();
    let gc = workspace.sculpt("gc").run().expect(0);
    // It may have gone by itself in the same moment.
    assert!(!workspace.has("cloud") && (gc.out.contains("it/make/cloud") || gc.out.contains("nothing to collect")), "{}", gc.out);
    workspace.expect_nothing_alive("a leak that was collected");
}

const IDLE: &str = r#"
version: "1"
name: it
phases:
  serve: { resources: { one: { process: sleep 86400.MARK, scope: goal, evictable: true } } }
  other: { resources: { two: { process: sleep 86400.MARK, scope: goal } } }
"#;

/// The journal, byte by byte.
fn journal(workspace: &Workspace) -> Vec<u8> {
    fs::read(workspace.path(".opensculpt/journal.jsonl")).unwrap()
}

#[test]
fn a_dry_run_tells_what_would_be_ended_and_changes_nothing() {
    for supervised in [true, false] {
        let workspace = Workspace::with_goal(IDLE);
        workspace.sculpt("run goal.yaml").run().expect(0);
        assert_eq!(workspace.sculpt("gc --dry-run").run().expect(0).out, "nothing to collect\n");
        let id = workspace.id().unwrap();
        // A pid that no record knows, in a scope of this workspace.
        let mut stray = Bystander::inside(&workspace, &format!("sculpt-{id}/it/r.serve.gone"));
        require("who runs without a record", "control groups of version 2 that this user may make", stray.is_some());
        if !supervised {
            workspace.kill_the_supervisor();
        }
        let before = journal(&workspace);
        let dry = workspace.sculpt("gc --dry-run --evict").run().expect(0).out;
        let dry_json = workspace.sculpt("gc --dry-run --evict --json").run().expect(0).json();
        assert!(journal(&workspace) == before, "nothing is written");
        assert_eq!(workspace.supervisor().is_some(), supervised, "nobody is started");
        assert_eq!(workspace.sleepers(), 2, "nothing is ended");
        assert!(stray.as_mut().is_none_or(Bystander::untouched));
        assert!(dry.contains("it/serve/one") && dry.contains("evictable") && !dry.contains("it/other/two"), "{dry}");
        assert_eq!(dry.contains("it/r.serve.gone"), stray.is_some(), "{dry}");

        let gc = workspace.sculpt("gc --evict").run().expect(0);
        assert_eq!(gc.out, dry, "what it said is what is done");
        assert_eq!(dry_json["things"][0]["place"], "it/serve/one");
        assert_eq!(workspace.sculpt("gc --evict").run().expect(0).out, "nothing to collect\n", "once");
        assert_eq!(workspace.sleepers(), 1);
        assert!(stray.as_mut().is_none_or(|stray| !stray.untouched()));
        let status = workspace.status();
        assert_eq!(
            (&status["outcome"], &status["why"]),
            (&"regressed".into(), &"it/serve/one is gone: evicted: `sculpt gc --evict`".into())
        );
        workspace.sculpt("run goal.yaml").run().expect(0);
        assert_eq!((workspace.sleepers(), workspace.status()["outcome"].as_str()), (2, Some("unverified")));
        drop(stray);
        workspace.sculpt("down it").run().expect(0);
        workspace.expect_nothing_alive("what was collected");
    }
}

#[test]
fn what_a_custom_resource_put_out_is_known_as_long_as_it_is_there() {
    let goal =
        |word: &str| CLOUD.replace("touch ROOT/held", &format!("echo {word}")).replace("scope: goal", "scope: goal\n        keep: true");
    let workspace = Workspace::with_goal(&goal("one"));
    workspace.sculpt("run goal.yaml").run().expect(0);
    // It is found, and not created again: what it said then is still so. Its phase is done again, since it is asked for.
    workspace.goal(&goal("two"));
    workspace.sculpt("run goal.yaml --from make").run().expect(0);
    workspace.sculpt("down it").run().expect(0);
    assert!(workspace.has("cloud"), "it is kept");
    workspace.sculpt("run goal.yaml").run().expect(0);
    workspace.sculpt("down it --volumes").run().expect(0);
    assert!(!workspace.has("cloud"));
    workspace.expect_nothing_alive("something custom");
}

#[test]
fn a_container_engine_that_is_not_there_is_unknown_and_both_say_so() {
    if !there_is_docker("a collection without its container engine") {
        return;
    }
    let workspace = Workspace::with_goal(
        "version: \"1\"\nname: it\nphases:\n  make:\n    run: docker network create net-MARK && docker network rm net-MARK\n",
    );
    // The engine is there for the run, by another name, and is gone afterwards.
    let socket = workspace.path("engine.sock");
    std::os::unix::fs::symlink("/var/run/docker.sock", &socket).unwrap();
    let host = format!("unix://{}", socket.display());
    workspace.sculpt("run goal.yaml").env("DOCKER_HOST", &host).run().expect(0);
    for words in ["gc --dry-run --json", "gc --json"] {
        let seen = workspace.sculpt(words).run().expect(0);
        assert_eq!(seen.json()["unseen"], Value::Array(Vec::new()), "{words}");
    }
    fs::remove_file(&socket).unwrap();
    for words in ["gc --dry-run", "gc", "gc"] {
        let said = workspace.sculpt(words).run().expect(0);
        assert!(said.err.contains(&host) && said.err.contains(": what is there is unknown, and stays"), "{words}: {}", said.err);
        let unseen = workspace.sculpt(&format!("{words} --json")).run().expect(0).json()["unseen"].clone();
        assert_eq!(unseen.as_array().unwrap().len(), 1, "{words}: {unseen}");
    }
    assert_eq!(workspace.journal().count("looked_around"), 1, "it is written down once");
    std::os::unix::fs::symlink("/var/run/docker.sock", &socket).unwrap();
    let seen = workspace.sculpt("gc --json").run().expect(0);
    assert_eq!(seen.json()["unseen"], Value::Array(Vec::new()), "it is there again");
}
