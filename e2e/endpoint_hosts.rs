//! The endpoint on other hosts: whose container engine dies, and where its user is not root.

use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output};

use crate::docker::daemon::Daemon;
use crate::docker::fixture::{IMAGE, SERVE};
use crate::docker::left::there_is_compose;
use crate::endpoint::custom;
use crate::ordinary_user;
use crate::world::deadline::until;
use crate::world::program::Program;
use crate::world::workspace::Workspace;

/// `E2E_ROUNDS` says how often.
#[test]
fn nothing_is_left_after_the_death_of_both_engines() {
    let part = "the death of both engines";
    if !there_is_compose(part) {
        return;
    }
    let Some(mut daemon) = Daemon::start(part) else { return };
    let rounds = std::env::var("E2E_ROUNDS").map_or(1, |rounds| rounds.parse().expect("E2E_ROUNDS is a number"));
    let stranger = daemon.docker(&["create", "--label", "io.opensculpt.workspace=another", IMAGE, "true"]);
    for _ in 0..rounds {
        both_engines_die(&mut daemon);
        assert!(daemon.docker(&["ps", "-a", "-q", "--no-trunc"]).contains(&stranger), "a stranger's is untouched");
    }
}

fn both_engines_die(daemon: &mut Daemon) {
    let workspace = Workspace::new();
    workspace.sculpt("init").run().expect(0);
    let id = workspace.id().unwrap();
    workspace.write(
        "compose.yml",
        &format!("services: {{ a: {{ image: {IMAGE}, command: {SERVE}, volumes: [\"data:/data\"] }} }}\nvolumes: {{ data: {{}} }}\n"),
    );
    workspace.goal(&format!(
        "
version: \"1\"
name: leak
phases:
  declared:
    resources:
      it: {{ container: {{ image: {IMAGE}, command: sleep 86400 }}, stop: {{ grace: 0s }}, scope: goal }}
      own: {custom}
  kept:
    capabilities: {{ docker: [ keep ] }}
    run: docker run -d --name {id}-kept -v {id}-data:/data {IMAGE} {SERVE}
  work:
    needs: {{ declared: {{ when: finished }}, kept: {{ when: finished }} }}
    run: |
      docker run -d --name {id}-shell {IMAGE} {SERVE}
      env -i PATH=\"$PATH\" docker run -d --name {id}-scrubbed {IMAGE} {SERVE}
      docker-compose -p {id}c up -d
      echo > up
      sleep 86400
",
        custom = custom(&format!("{id}-own"), "goal"),
    ));
    let mut run = workspace.sculpt("run goal.yaml").env("DOCKER_HOST", &daemon.host()).start();
    workspace.until_written("up");
    let ours = ["ps", "-a", "-q", "--filter", &format!("label=io.opensculpt.workspace={id}")].map(str::to_owned);
    let listed = |daemon: &Daemon| daemon.docker(&ours.each_ref().map(String::as_str)).lines().count();
    assert_eq!(listed(daemon), 6);
    run.kill();
    workspace.kill_the_engine();
    daemon.kill_and_start_again();
    workspace.sculpt("stop leak").run().expect(0);
    workspace.sculpt("down leak --volumes").run().expect(0);
    until("everything to be gone", || (listed(daemon) == 0).then_some(()));
    let names = daemon.docker(&["ps", "-a", "-q", "--filter", &format!("name={id}")]);
    let volumes = daemon.docker(&["volume", "ls", "-q"]);
    assert_eq!((names.as_str(), volumes.as_str()), ("", ""));
    workspace.expect_nothing_alive("both engines died");
}

/// A container engine that starts anew makes its socket anew, and with the old one went what covered it.
fn an_engine_starts_anew_while_a_command_is_at_work(part: &str, start: fn(&Workspace) -> Program) {
    let Some(mut daemon) = Daemon::start(part) else { return };
    let workspace = Workspace::new();
    workspace.sculpt("init").run().expect(0);
    let id = workspace.id().unwrap();
    workspace.goal(&format!(
        "
version: \"1\"
name: leak
phases:
  work:
    run: |
      echo > up
      while [ ! -e go ]; do sleep 0.05; done
      env -i PATH=\"$PATH\" docker -H {host} run -d --name {id}-past {IMAGE} {SERVE}
      echo > made
      while [ ! -e end ]; do sleep 0.05; done
",
        host = daemon.host(),
    ));
    let run = start(&workspace).env("DOCKER_HOST", &daemon.host()).start();
    workspace.until_written("up");
    for _ in 0..2 {
        daemon.kill_and_start_again();
    }
    workspace.write("go", "");
    workspace.until_written("made");
    let owner = daemon.docker(&["inspect", "--format", "{{index .Config.Labels \"io.opensculpt.owner\"}}", &format!("{id}-past")]);
    assert_eq!(owner, "leak/work", "its own, whatever its environment says");
    assert_eq!(workspace.ps()["resources"][0]["owner"], format!("leak/work/docker:{id}-past"));
    workspace.write("end", "");
    run.wait().expect(0);
    assert_eq!(daemon.docker(&["ps", "-a", "-q"]), "");
    workspace.sculpt("down leak").run().expect(0);
    workspace.expect_nothing_alive(part);
}

#[test]
fn a_container_engine_that_starts_anew_is_not_reached_past_the_endpoint() {
    an_engine_starts_anew_while_a_command_is_at_work("an engine that starts anew", |workspace| workspace.sculpt("run goal.yaml"));
}

#[test]
fn nor_is_it_where_root_has_no_control_groups() {
    let start = |workspace: &Workspace| {
        let mut command = Command::new("unshare");
        let script = "mount -t tmpfs none /sys/fs/cgroup && exec \"$0\" run goal.yaml";
        command.args(["--mount", "sh", "-c", script]).arg(crate::world::program::path());
        workspace.command(command)
    };
    an_engine_starts_anew_while_a_command_is_at_work("an engine that starts anew, without control groups", start);
}

/// `sculpt` as nobody, in a workspace of its own.
fn as_nobody(folder: &tempfile::TempDir, daemon: &Daemon, words: &str) -> Output {
    let mut command = ordinary_user::as_nobody(folder);
    command.env("DOCKER_HOST", daemon.host()).arg(folder.path().join("sculpt")).args(words.split_whitespace()).output().unwrap()
}

#[test]
fn an_ordinary_users_commands_are_led_to_their_endpoint_and_what_that_cannot_hold_is_said() {
    let Some(daemon) = Daemon::start("the endpoint of an ordinary user") else { return };
    std::fs::set_permissions(daemon.socket(), std::fs::Permissions::from_mode(0o666)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let goal = format!("version: \"1\"\nname: it\nphases:\n  one:\n    run: docker run -d {IMAGE} {SERVE}; docker ps -q > seen\n");
    std::fs::write(folder.path().join("goal.yaml"), goal).unwrap();
    let plan = String::from_utf8(as_nobody(&folder, &daemon, "plan goal.yaml").stdout).unwrap();
    assert!(plan.contains("it cannot promise: uncontained: a command that does not follow its DOCKER_HOST"), "{plan}");
    let ran = as_nobody(&folder, &daemon, "run goal.yaml --once");
    assert!(ran.status.success(), "{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert_ne!(std::fs::read_to_string(folder.path().join("seen")).unwrap().trim(), "", "it was there");
    assert_eq!(daemon.docker(&["ps", "-a", "-q"]), "", "and is ended");
}

#[test]
fn what_no_endpoint_stands_before_is_said_to_be_uncontained() {
    let workspace = Workspace::with_goal("version: \"1\"\nname: it\nphases:\n  one: { run: \"true\" }\n");
    let plan = |host: &str| workspace.sculpt("plan goal.yaml").env("DOCKER_HOST", host).run().expect(0).out;
    let remote = plan("tcp://127.0.0.1:9");
    assert!(remote.contains("uncontained: the container engine is at tcp://127.0.0.1:9"), "{remote}");
    let none = plan("unix:///nowhere.sock");
    assert!(none.contains("uncontained: no container engine is there now"), "{none}");
    assert!(!none.contains("port 2375"), "{none}");
    let _listener = std::net::TcpListener::bind("127.0.0.1:2375").unwrap();
    let heard = plan("unix:///nowhere.sock");
    let holder = format!("port 2375, which is a container engine's by custom, is held by process {}", std::process::id());
    assert!(heard.contains(&holder), "{heard}");
}
