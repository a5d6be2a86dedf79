//! The endpoints of other commands than a phase's: of checks, health checks, custom resources and secrets.

use crate::docker::fixture::{IMAGE, SERVE, docker};
use crate::docker::left::{containers, expect_nothing_in_docker, there_is_docker};
use crate::endpoint::covered;
use crate::world::workspace::Workspace;

/// How many containers have such a name.
fn count(name: &str) -> usize {
    docker(&["ps", "-a", "-q", "--filter", &format!("name={name}")]).lines().count()
}

#[test]
fn what_checks_health_checks_and_secrets_start_ends_with_their_commands() {
    if !there_is_docker("what checks start") {
        return;
    }
    let workspace = Workspace::new();
    workspace.sculpt("init").run().expect(0);
    let id = workspace.id().unwrap();
    let starts = |name: &str| {
        let scrubbed = if covered() { "env -i PATH=$PATH" } else { "" };
        format!(
            "{scrubbed} docker run -d --name {id}-{name} {IMAGE} {SERVE} > /dev/null && docker ps -q --filter name={id}-{name} > seen-{name}"
        )
    };
    workspace.write("secret.sh", &format!("{} && echo hush\n", starts("secret")));
    workspace.write("health.sh", &format!("test -s seen-health || {{ {}; }}\n", starts("health")));
    workspace.write("check.sh", &format!("test -s done && {}\n", starts("check")));
    workspace.write("refused.sh", &format!("test -s done && ! docker run --rm --privileged {IMAGE} true 2> refused\n"));
    workspace.goal(
        "
version: \"1\"
name: leak
secrets:
  word: { command: sh secret.sh }
phases:
  work:
    resources:
      side:
        process: { run: sleep 86400 }
        healthcheck: { test: sh health.sh, interval: 100ms, timeout: 1m, start_period: 1m }
        stop: { grace: 0s }
    run: |
      test \"{{ secrets.word }}\" = hush
      docker run -d --name its-own IMAGE SERVE
      echo > done
    verify: { checks: [ { exec: { run: sh check.sh, }, timeout: 1m }, { exec: sh refused.sh } ] }
"
        .replace("its-own", &format!("{id}-work"))
        .replace("IMAGE", IMAGE)
        .replace("SERVE", SERVE)
        .as_str(),
    );
    let run = workspace.sculpt("run goal.yaml").run().expect(0);
    for name in ["secret", "health", "check"] {
        assert_ne!(workspace.read(&format!("seen-{name}")).trim(), "", "it was there\n{}", run.said());
        assert_eq!(count(&format!("{id}-{name}")), 0, "{name} is ended");
    }
    assert!(workspace.read("refused").contains("sculpt: refused a privileged container"), "{}", workspace.read("refused"));
    let creates = workspace
        .records()
        .into_iter()
        .filter(|record| record["effect"]["call"]["request"].as_str().is_some_and(|request| request.contains("/containers/create")));
    assert_eq!(creates.count(), 4, "each is in the journal");
    workspace.sculpt("down leak").run().expect(0);
    expect_nothing_in_docker(&workspace, "at the end");
}

#[test]
fn what_a_custom_resource_makes_is_judged_is_its_own_and_goes_with_it() {
    if !there_is_docker("what a custom resource makes") {
        return;
    }
    let workspace = Workspace::new();
    workspace.sculpt("init").run().expect(0);
    let id = workspace.id().unwrap();
    let goal = |create: &str, destroy: &str| {
        workspace.goal(&format!(
            "
version: \"1\"
name: leak
phases:
  work:
    resources:
      db:
        custom:
          create: \"{create}\"
          exists: docker container inspect {id}-db
          destroy: \"{destroy}\"
        scope: goal
    verify: {{ checks: [ {{ exec: docker container inspect {id}-db }} ] }}
"
        ));
    };
    goal(&format!("docker run -d --privileged --name {id}-db -v /:/host {IMAGE} {SERVE} 2> refused"), "true");
    let refused = workspace.sculpt("run goal.yaml").run().expect(1);
    assert_eq!(count(&format!("{id}-db")), 0, "{}", refused.said());
    assert!(workspace.read("refused").contains("sculpt: refused a privileged container"), "{}", workspace.read("refused"));
    // It forgets its network, and its command for the end asks it for its last words first.
    goal(
        &format!("docker network create {id}-net && docker run -d --name {id}-db --network {id}-net {IMAGE} {SERVE}"),
        &format!("docker exec {id}-db true && echo > asked && docker run --rm {IMAGE} true && docker rm -f {id}-db"),
    );
    workspace.sculpt("run goal.yaml").run().expect(0);
    let [container] = &containers(&workspace)[..] else { panic!("{:?}", containers(&workspace)) };
    assert_eq!(docker(&["inspect", "--format", "{{index .Config.Labels \"io.opensculpt.owner\"}}", container]), "leak/work/db");
    let ps = workspace.ps();
    let owners: Vec<&str> = ps["resources"].as_array().unwrap().iter().map(|one| one["owner"].as_str().unwrap()).collect();
    assert_eq!(owners, ["leak/work/db".to_owned(), format!("leak/work/docker:{id}-net"), format!("leak/work/docker:{id}-db")]);
    // It lives as long as the resource does, over runs.
    workspace.sculpt("run goal.yaml").run().expect(0);
    assert_eq!(containers(&workspace), std::slice::from_ref(container));
    workspace.sculpt("down leak").run().expect(0);
    assert!(workspace.has("asked"), "its own command came first");
    expect_nothing_in_docker(&workspace, "down");
    assert_eq!(workspace.ps()["resources"].as_array().unwrap().len(), 0);
}
