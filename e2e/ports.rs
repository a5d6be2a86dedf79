//! Ports that somebody else holds: who it is, is said before anything of the phase is done.

use std::net::TcpListener;

use crate::ordinary_user::as_nobody;
use crate::part::{require, require_root};
use crate::world::workspace::Workspace;

/// A port that this very test holds: a stranger to every workspace.
fn held() -> (TcpListener, u16) {
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = held.local_addr().unwrap().port();
    (held, port)
}

/// Whether there is the web server of these tests.
fn there_is_busybox(part: &str) -> bool {
    let there = std::process::Command::new("busybox").arg("true").status().is_ok_and(|status| status.success());
    require(part, "busybox", there)
}

/// Work, and then a service.
const SITE: &str = "
version: \"1\"
name: site
phases:
  web:
    run: echo > worked
    resources:
      it: { process: \"busybox httpd -f -p 127.0.0.1:PORT\", ports: [ \"127.0.0.1:PORT\" ], scope: goal }
";

#[test]
fn a_stranger_is_named_before_any_work_is_done_and_left_alone() {
    if !there_is_busybox("a port that a stranger holds") {
        return;
    }
    let (held, port) = held();
    let workspace = Workspace::with_goal(&SITE.replace("PORT", &port.to_string()));
    let refused = workspace.sculpt("run goal.yaml").run().expect(1);
    let named = format!("port 127.0.0.1:{port} is held by process {} `{}", std::process::id(), std::env::args().next().unwrap());
    assert!(workspace.phase("web")["why"].as_str().unwrap().contains(&named), "{}", workspace.phase("web"));
    assert!(refused.said().contains(&named), "{}", refused.said());
    assert!(!workspace.has("worked"), "the work was not begun");
    drop(held);
    workspace.sculpt("run goal.yaml").run().expect(0);
    // Its own service is no stranger, also where something else of the phase is another by now.
    workspace.goal(&SITE.replace("echo > worked", "echo again > worked").replace("PORT", &port.to_string()));
    workspace.sculpt("run goal.yaml").run().expect(0);
    assert_eq!(workspace.read("worked"), "again\n");
    // What another goal of the workspace holds is named by its place too.
    workspace.write("other.yaml", &SITE.replace("site", "other").replace("PORT", &port.to_string()));
    let refused = workspace.sculpt("run other.yaml").run().expect(1);
    assert!(refused.said().contains("which is site/web/it"), "{}", refused.said());
    workspace.sculpt("down --all").run().expect(0);
    workspace.expect_nothing_alive("down");
}

/// The same, where the port may be another one.
const MOVING: &str = "
version: \"1\"
name: site
phases:
  web:
    run: echo $PORT >> worked
    env: { PORT: \"{{ resources.it.port }}\" }
    resources:
      it:
        process: \"busybox httpd -f -p 127.0.0.1:{{ resources.it.port }}\"
        ports: [ { port: \"127.0.0.1:PORT\", fallback: next-free } ]
        scope: goal
    outputs: { url: \"http://127.0.0.1:{{ resources.it.port }}/\" }
    verify: { checks: [ { http: { url: \"{{ outputs.url }}\", status: 404 } } ] }
  after:
    needs: [web]
    run: echo \"{{ phases.web.outputs.url }}\" > url
";

/// The resource in what `ps` says.
fn port_of(workspace: &Workspace) -> serde_json::Value {
    let ps = workspace.ps();
    let found = ps["resources"].as_array().unwrap().iter().find(|one| one["name"] == "it").cloned();
    found.unwrap_or_else(|| panic!("{ps}"))["ports"][0].clone()
}

#[test]
fn another_port_is_taken_only_where_that_is_declared_and_kept_while_it_is_had() {
    if !there_is_busybox("a port with a fallback") {
        return;
    }
    let (held, port) = held();
    let workspace = Workspace::with_goal(&MOVING.replace("127.0.0.1:PORT", &format!("127.0.0.1:{port}")));
    let run = workspace.sculpt("run goal.yaml").run().expect(0);
    let chosen = port_of(&workspace);
    let moved = chosen["port"].as_u64().unwrap();
    assert!(moved > u64::from(port) && moved <= u64::from(port) + 100, "{chosen}");
    let me = format!("process {} `", std::process::id());
    assert!(chosen["taken_by"].as_str().unwrap().starts_with(&me), "{chosen}");
    let said = format!("it has port {moved} (127.0.0.1:{port} was taken by {me}");
    assert!(run.out.contains(&said), "{}", run.said());
    let listed = workspace.sculpt("ps").run().expect(0).out;
    assert!(listed.contains(&format!("ready, on port {moved} (127.0.0.1:{port} was taken by {me}")), "{listed}");
    assert_eq!(workspace.phase("web")["proof"], "proven");
    assert_eq!(workspace.read("worked").trim(), moved.to_string(), "the environment has it");
    assert_eq!(workspace.read("url").trim(), format!("http://127.0.0.1:{moved}/"), "other phases have it by an output");
    // The declared one is free by now, and what has the other keeps it; also over the death of the engine.
    drop(held);
    workspace.kill_the_engine();
    workspace.sculpt("run goal.yaml").run().expect(0);
    assert_eq!(port_of(&workspace), chosen);
    assert_eq!(workspace.phase("web")["proof"], "already");
    // Also where it is replaced, since its phase is another.
    workspace.goal(&workspace.read("goal.yaml").replace("echo $PORT", "echo again $PORT"));
    workspace.sculpt("run goal.yaml").run().expect(0);
    assert_eq!(port_of(&workspace), chosen);
    assert!(workspace.read("worked").ends_with(&format!("again {moved}\n")));
    // Once it is gone, the declared one is chosen again.
    workspace.sculpt("down site").run().expect(0);
    workspace.sculpt("run goal.yaml").run().expect(0);
    let chosen = port_of(&workspace);
    assert_eq!((chosen["port"].as_u64(), &chosen["taken_by"]), (Some(u64::from(port)), &serde_json::Value::Null));
    workspace.sculpt("down site").run().expect(0);
    workspace.expect_nothing_alive("down");
}

#[test]
fn whose_process_cannot_be_seen_is_said_to_be_so() {
    if !require_root("a port that another user holds") {
        return;
    }
    let (_held, port) = held();
    let workspace = Workspace::with_goal(&format!(
        "version: \"1\"\nname: site\nrequires: {{ ports: [ {port} ] }}\nphases:\n  one: {{ run: \"true\" }}\n"
    ));
    std::fs::set_permissions(workspace.root(), std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut command = as_nobody(&folder);
    let output = command.arg(folder.path().join("sculpt")).args(["run", "goal.yaml"]).arg("-C").arg(workspace.root()).output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(said.contains(&format!("port {port} is held by a process of root that cannot be seen from here")), "{said}");
}
