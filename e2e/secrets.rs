//! A secret is in its own file, in the environment that was given to the run, and in what the work itself wrote; nowhere else.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::world::workspace::Workspace;

const GOAL: &str = r#"
version: "1"
name: hush
secrets:
  given: { env: GIVEN }
  made: { generate: 24 }
phases:
  tell:
    env: { GIVEN_TO_WORK: "{{ secrets.given }}", MADE: "{{ secrets.made }}" }
    run: |
      echo "stdout $GIVEN_TO_WORK $MADE"
      echo "stderr $GIVEN_TO_WORK $MADE" >&2
      echo "{{ secrets.made }}" > ROOT/made
      stat -c %a "{{ secrets.made.file }}" > ROOT/mode
    verify: { checks: [ { exec: 'echo "checked $GIVEN_TO_WORK $MADE"; [ -s ROOT/made ]' } ] }
  serve:
    needs: [tell]
    resources:
      it: { process: { run: [ /bin/sh, -c, 'echo "serving $MADE"; exec sleep 86400.MARK' ], env: { MADE: "{{ secrets.made }}" } }, scope: goal }
  fail:
    needs: [tell]
    env: { MADE: "{{ secrets.made }}" }
    run: 'echo "failing $MADE"; exit 1'
  refuse:
    needs: [tell]
    env: { MADE: "{{ secrets.made }}" }
    run: "true"
    verify: { checks: [ { exec: 'echo "refused $MADE"; exit 1' } ] }
"#;

/// All files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).filter(|path| path.is_file()).collect()
}

#[test]
fn a_secret_is_masked_wherever_it_is_read() {
    let workspace = Workspace::with_goal(GOAL);
    let given = format!("given-{}", workspace.mark);
    let run = workspace.sculpt("run goal.yaml").env("GIVEN", &given).run().expect(1);
    let made = workspace.read("made").trim().to_owned();
    assert_eq!(made.len(), 24);
    let clean = |what: &str, text: &str| {
        assert!(!text.contains(&given) && !text.contains(&made), "{what} shows a secret:\n{text}");
    };
    clean("run", &run.said());
    assert!(run.said().contains("***"), "the last words are masked, not left out:\n{}", run.said());
    for words in
        ["status", "ps", "runs", "why hush/fail", "why hush/refuse", "logs hush/tell", "logs hush/serve/it", "logs hush", "plan goal.yaml"]
    {
        let given = given.clone();
        clean(words, &workspace.sculpt(words).env("GIVEN", &given).run().expect(0).said());
        clean(words, &workspace.sculpt(&format!("{words} --json")).env("GIVEN", &given).run().expect(0).said());
    }
    assert!(workspace.sculpt("logs hush/tell").run().out.contains("stdout *** ***"));
    clean("verify", &workspace.sculpt("verify hush").run().said());

    // Everything that is kept, but what the work itself wrote: that is raw, and closed to others.
    for file in files(&workspace.path(".opensculpt")) {
        let rights = std::fs::metadata(&file).unwrap().permissions().mode() & 0o777;
        let path = file.strip_prefix(workspace.root()).unwrap().display().to_string();
        if path.contains("/secrets/") || path.ends_with("/env.json") || path.contains("/logs/") {
            assert_eq!(rights, 0o600, "{path}");
        } else {
            clean(&path, &String::from_utf8_lossy(&std::fs::read(&file).unwrap()));
        }
    }
    assert_eq!(workspace.read("mode"), "600\n");
    workspace.sculpt("down hush").run().expect(0);
    workspace.expect_nothing_alive("down");
}

#[test]
fn an_output_that_holds_a_secret_is_masked_in_the_journal() {
    let workspace = Workspace::with_goal(
        r#"
version: "1"
name: hush
secrets: { made: { generate: 24 } }
phases:
  tell:
    run: |
      echo "token={{ secrets.made }}" >> "$SCULPT_OUTPUT"
      echo "{{ secrets.made }}" > ROOT/made
"#,
    );
    workspace.sculpt("run goal.yaml").run().expect(0);
    assert!(!workspace.read(".opensculpt/journal.jsonl").contains(workspace.read("made").trim()));
}

#[test]
fn a_secret_that_was_made_stays_until_the_volumes_go() {
    let workspace = Workspace::with_goal(
        "
version: \"1\"
name: hush
secrets: { made: { generate: 24 } }
phases:
  tell: { run: 'echo \"{{ secrets.made }}\" >> ROOT/made' }
",
    );
    workspace.sculpt("run goal.yaml").run().expect(0);
    workspace.sculpt("down hush").run().expect(0);
    workspace.sculpt("run goal.yaml").run().expect(0);
    workspace.sculpt("down hush --volumes").run().expect(0);
    workspace.sculpt("run goal.yaml").run().expect(0);
    let made = workspace.read("made");
    let made: Vec<&str> = made.lines().collect();
    assert!(made[0] == made[1] && made[1] != made[2], "{} were not as they should be", made.len());
}

#[test]
fn a_secret_that_is_not_given_starts_nothing() {
    let workspace = Workspace::with_goal(GOAL);
    let ended = workspace.sculpt("run goal.yaml").run();
    assert_ne!(ended.code, 0);
    assert!(ended.said().contains("GIVEN"), "{}", ended.said());
    assert!(!workspace.has("made"));
}
