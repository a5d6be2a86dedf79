//! The folders that were made on the way to a directory or a file go with it, and nothing goes that was there before or that somebody uses.

use crate::world::workspace::Workspace;

const GOAL: &str = "
version: \"1\"
name: way
phases:
  one:
    resources:
      deep: { directory: there/a/b/c, scope: goal, keep: false }
      conf: { file: { path: etc/app/conf, content: x }, scope: goal, keep: false }
  two:
    resources: { side: { directory: there/a/side, scope: goal, keep: false } }
  three:
    resources: { brief: { directory: there/a/brief } }
    run: test -d there/a/brief
";

#[test]
fn they_go_once_they_are_empty() {
    let workspace = Workspace::with_goal(GOAL);
    std::fs::create_dir(workspace.path("there")).unwrap();
    workspace.sculpt("run goal.yaml").run().expect(0);
    assert!(workspace.has("there/a/b/c") && workspace.has("there/a/side") && !workspace.has("there/a/brief"));
    workspace.sculpt("down way").run().expect(0);
    assert!(workspace.has("there") && !workspace.has("there/a") && !workspace.has("etc"), "{:?}", workspace.ps());
    // Whatever somebody puts there keeps the folder that it is in.
    workspace.sculpt("run goal.yaml").run().expect(0);
    workspace.write("there/a/mine", "of a person");
    workspace.sculpt("down way").run().expect(0);
    assert_eq!(workspace.read("there/a/mine"), "of a person");
    assert!(!workspace.has("there/a/b") && !workspace.has("there/a/side") && !workspace.has("etc"));
}
