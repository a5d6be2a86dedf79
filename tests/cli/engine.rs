//! Whole runs, through the real engine.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Said, command, same, sculpt, workspace};

const HELLO: &str = include_str!("../../engine/interface/cli/hello.yaml");

const MIXED: &str = r#"
version: "1"
name: mixed
secrets: { pw: { env: PW } }
phases:
  plain: { run: "true" }
  boom:
    needs: [plain]
    env: { PW: "{{ secrets.pw }}" }
    run: echo "the <secret> is $PW"; exit 3
    verify: { checks: [ { file: never.txt } ] }
  after: { needs: [boom], run: "true" }
"#;

const ASKING: &str = r#"
version: "1"
name: asking
phases:
  draft: { run: "true" }
  review: { needs: [draft], verify: { tier: ask_user, question: Is it good? } }
  publish: { needs: [review], run: "true" }
"#;

#[test]
fn the_first_goal_from_run_to_down() {
    let dir = workspace(&[("hello.yaml", HELLO)]);
    let mut text = String::new();
    for args in [
        &["run", "goals/hello.yaml"][..],
        &["status"],
        &["ps"],
        &["why", "hello/greet"],
        &["why", "hello/greet/place"],
        &["verify", "hello"],
        &["runs"],
        &["audit", "verify"],
        &["run", "goals/hello.yaml"],
        &["down", "goals/hello.yaml"],
        &["status"],
        &["ps"],
    ] {
        writeln!(text, "$ sculpt {}\n{}", args.join(" "), sculpt(dir.path(), args).shown(dir.path())).unwrap();
    }
    insta::assert_snapshot!(text);
    assert!(!dir.path().join("var/hello").exists(), "down removed what the goal made");
}

#[test]
fn a_failed_run_shows_what_was_said_masked_and_why() {
    let dir = workspace(&[("mixed.yaml", MIXED)]);
    let run = |args: &[&str]| {
        let output = command(dir.path(), args).env("PW", "hunter22").output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Said { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
    };
    let said = run(&["run", "goals/mixed.yaml", "--junit", "out.xml"]);
    insta::assert_snapshot!("failed_run", said.shown(dir.path()));
    insta::assert_snapshot!("failed_why", run(&["why", "mixed/boom"]).shown(dir.path()));
    insta::assert_snapshot!("skipped_why", run(&["why", "mixed/after"]).shown(dir.path()));
    assert_eq!(run(&["logs", "mixed/boom"]).out, "the <secret> is ***\n");
    assert_eq!(run(&["logs", "mixed"]).out, "==> mixed/boom (attempt 1) <==\nthe <secret> is ***\n");

    let xml = std::fs::read_to_string(dir.path().join("out.xml")).unwrap();
    insta::assert_snapshot!("junit", same(&xml, dir.path()));
    assert_well_formed(&xml);
    let raw = std::fs::read_to_string(dir.path().join(".opensculpt/journal.jsonl")).unwrap();
    assert!(!raw.contains("hunter22") && !xml.contains("hunter22") && !said.out.contains("hunter22"));
}

#[test]
fn a_run_as_json_lines_ends_with_its_summary() {
    let dir = workspace(&[("mixed.yaml", MIXED)]);
    let output = command(dir.path(), &["--json", "run", "goals/mixed.yaml"]).env("PW", "hunter22").output().unwrap();
    let said = Said { code: output.status.code().unwrap_or(-1), out: String::from_utf8(output.stdout).unwrap(), err: String::new() };
    let lines = said.lines();
    let of = |event: &str| lines.iter().filter(|line| line["event"] == event).collect::<Vec<_>>();
    assert_eq!((lines[0]["event"].as_str(), lines[0]["phases"].as_u64()), (Some("run_started"), Some(3)));
    assert_eq!(of("phase_started").len(), 2, "the skipped phase never starts");
    let ended: Vec<(&str, &str)> =
        of("phase_ended").iter().map(|line| (line["phase"].as_str().unwrap(), line["outcome"].as_str().unwrap())).collect();
    assert_eq!(ended, [("mixed/plain", "unverified"), ("mixed/boom", "failed"), ("mixed/after", "skipped")]);
    let last = lines.last().unwrap();
    assert_eq!((last["event"].as_str(), last["exit_code"].as_u64(), said.code), (Some("summary"), Some(1), 1));
    assert_eq!(last["goal"]["outcome"], "failed");
    assert_eq!(last["logs"][0]["tail"][0], "the <secret> is ***");
}

#[test]
fn a_question_waits_for_its_answer() {
    let dir = workspace(&[("asking.yaml", ASKING)]);
    let asked = sculpt(dir.path(), &["run", "goals/asking.yaml"]);
    insta::assert_snapshot!("asked", asked.shown(dir.path()));
    insta::assert_snapshot!("waiting_why", sculpt(dir.path(), &["why", "asking/publish"]).shown(dir.path()));
    assert_eq!(sculpt(dir.path(), &["status", "--json"]).json()["goals"][0]["outcome"], "waiting");
    assert_eq!(sculpt(dir.path(), &["answer", "asking/review", "well"]).code, 2, "neither yes nor no");
    let wrong = sculpt(dir.path(), &["answer", "asking/draft", "yes"]);
    assert!(wrong.code == 2 && wrong.err.contains("sculpt answer asking/review yes"), "{}", wrong.err);
    let answered = sculpt(dir.path(), &["answer", "asking", "yes", "very", "good"]);
    insta::assert_snapshot!("answered", answered.shown(dir.path()));
}

#[test]
fn a_run_that_waits_can_be_stopped_and_one_for_ci_does_not_wait() {
    let dir = workspace(&[("asking.yaml", ASKING)]);
    assert_eq!(sculpt(dir.path(), &["run", "goals/asking.yaml"]).code, 4);
    assert_eq!(sculpt(dir.path(), &["stop"]).code, 0);
    assert_eq!(sculpt(dir.path(), &["status", "--json"]).json()["goals"][0]["outcome"], "cancelled");
    assert_eq!(sculpt(dir.path(), &["stop", "asking"]).code, 1, "it is not running");
    assert_eq!(sculpt(dir.path(), &["run", "goals/asking.yaml", "--once"]).code, 4);
    assert_eq!(sculpt(dir.path(), &["status", "--json"]).json()["goals"][0]["outcome"], "cancelled", "it does not wait on");
}

#[test]
fn yellow_counts_only_where_it_is_asked_for() {
    let plain = "version: \"1\"\nname: plain\nphases: { a: { run: \"true\" } }\n";
    let vacuous = "version: \"1\"\nname: vacuous\nphases: { a: { run: \"true\", verify: { checks: [ { file: goals } ] } } }\n";
    let dir = workspace(&[("plain.yaml", plain), ("vacuous.yaml", vacuous)]);
    assert_eq!(sculpt(dir.path(), &["run", "goals/plain.yaml"]).code, 0);
    assert_eq!(sculpt(dir.path(), &["run", "goals/plain.yaml", "--strict"]).code, 3);
    assert_eq!(sculpt(dir.path(), &["run", "goals/vacuous.yaml"]).code, 3);
    insta::assert_snapshot!("unproven_why", sculpt(dir.path(), &["why", "vacuous/a"]).shown(dir.path()));
}

#[test]
fn a_running_goal_is_seen_followed_and_stopped_from_elsewhere() {
    let slow = "version: \"1\"\nname: slow\nphases:\n  a: { run: \"echo begun; sleep 600\" }\n  b: { needs: [a], run: \"true\" }\n";
    let dir = workspace(&[("slow.yaml", slow)]);
    let mut running = command(dir.path(), &["run", "goals/slow.yaml"]).stdout(std::process::Stdio::null()).spawn().unwrap();
    let begun = || {
        let ps = sculpt(dir.path(), &["ps", "--json"]).json();
        ps["work"][0]["pid"].is_u64() && sculpt(dir.path(), &["logs", "slow/a"]).out == "begun\n"
    };
    wait_until(begun);
    let follow = command(dir.path(), &["logs", "-f", "slow/a"]).stdout(std::process::Stdio::piped()).spawn().unwrap();
    let status = sculpt(dir.path(), &["status", "--json"]).json();
    assert_eq!(status["goals"][0]["outcome"], "running");
    assert_eq!(phase(&status, "b")["why"], "waits for a (running)");
    // What is the same is attached to; anything else is refused, with the difference.
    let same = sculpt(dir.path(), &["--json", "run", "goals/slow.yaml", "--detach"]);
    assert_eq!((same.code, same.json()["detached"].as_str()), (0, Some("slow.1")));
    std::fs::write(dir.path().join("goals/other.yaml"), slow.replace("sleep 600", "sleep 601")).unwrap();
    let busy = sculpt(dir.path(), &["run", "goals/other.yaml", "--strict"]);
    insta::assert_snapshot!("something_else_is_running", busy.shown(dir.path()));

    assert_eq!(sculpt(dir.path(), &["stop"]).code, 0);
    assert_eq!(running.wait().unwrap().code(), Some(130));
    let followed = follow.wait_with_output().unwrap();
    assert_eq!((followed.status.code(), followed.stdout.as_slice()), (Some(0), b"begun\n".as_slice()), "it ends when the attempt does");
    let status = sculpt(dir.path(), &["status", "--json"]).json();
    assert_eq!((&status["goals"][0]["outcome"], &phase(&status, "a")["outcome"]), (&"cancelled".into(), &"cancelled".into()));
}

#[test]
fn ctrl_c_ends_what_the_run_started() {
    let slow = "version: \"1\"\nname: slow\nphases: { a: { run: \"setsid sleep 600 & sleep 600\" } }\n";
    let dir = workspace(&[("slow.yaml", slow)]);
    let mut running = command(dir.path(), &["--json", "run", "goals/slow.yaml"]);
    let running = running.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    wait_until(|| sculpt(dir.path(), &["ps", "--json"]).json()["work"][0]["pid"].is_u64());
    let pid = rustix::process::Pid::from_child(&running);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let output = running.wait_with_output().unwrap();
    let said = Said { code: output.status.code().unwrap_or(-1), out: String::from_utf8(output.stdout).unwrap(), err: String::new() };
    assert_eq!((said.code, output.stderr.as_slice()), (130, b"stopping; once more kills at once\n".as_slice()));
    let lines = said.lines();
    let ended = lines.iter().find(|line| line["event"] == "run_ended").unwrap();
    assert_eq!((ended["verdict"].as_str(), ended["survivors"].as_u64()), (Some("cancelled"), Some(0)));
    let ps = sculpt(dir.path(), &["ps", "--json"]).json();
    assert_eq!((&ps["resources"], &ps["work"]), (&serde_json::json!([]), &serde_json::json!([])));
}

#[test]
fn a_service_that_dies_makes_a_green_goal_regressed() {
    let serve = r#"
version: "1"
name: serve
phases:
  web:
    resources: { sleeper: { process: { run: "sleep 600" }, scope: goal } }
    verify: { checks: [ { exec: "test -e flag" } ] }
    run: touch flag
"#;
    let dir = workspace(&[("serve.yaml", serve)]);
    assert_eq!(sculpt(dir.path(), &["run", "goals/serve.yaml"]).code, 0);
    let ps = sculpt(dir.path(), &["ps", "--json"]).json();
    let resource = &ps["resources"][0];
    assert_eq!(
        (resource["name"].as_str(), resource["kind"].as_str(), resource["owner"].as_str(), resource["state"].as_str()),
        (Some("sleeper"), Some("process"), Some("serve/web/sleeper"), Some("ready"))
    );
    let pid = i32::try_from(resource["pid"].as_u64().unwrap()).unwrap();
    assert_eq!(sculpt(dir.path(), &["status", "--json"]).json()["goals"][0]["outcome"], "verified");
    rustix::process::kill_process(rustix::process::Pid::from_raw(pid).unwrap(), rustix::process::Signal::KILL).unwrap();
    wait_until(|| sculpt(dir.path(), &["status", "--json"]).json()["goals"][0]["outcome"] == "regressed");
    // Whoever looks at the host knows it first, and how it ended only once the engine has written that.
    wait_until(|| sculpt(dir.path(), &["status"]).shown(dir.path()).contains("ended with"));
    insta::assert_snapshot!("regressed", {
        let text = sculpt(dir.path(), &["status"]).shown(dir.path());
        regex::Regex::new(r"process \d+").unwrap().replace_all(&text, "process [PID]").into_owned()
    });
    assert_eq!(sculpt(dir.path(), &["verify"]).code, 1, "a goal whose service is dead does not verify");
    assert_eq!(sculpt(dir.path(), &["down"]).code, 0);
    assert_eq!(sculpt(dir.path(), &["status", "--json"]).json()["goals"][0]["outcome"], "down");
}

/// A phase of the first goal of a status.
fn phase<'a>(status: &'a Value, name: &str) -> &'a Value {
    status["goals"][0]["phases"].as_array().unwrap().iter().find(|phase| phase["name"] == name).unwrap()
}

/// Waits for something that another process does, up to a generous deadline.
fn wait_until(holds: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_mins(1);
    while !holds() {
        assert!(Instant::now() < deadline, "it did not happen");
        std::thread::yield_now();
    }
}

/// Tags are balanced, and nothing stands there that XML does not allow.
fn assert_well_formed(xml: &str) {
    let mut open: Vec<&str> = Vec::new();
    let body = xml.strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n").expect("a declaration");
    for part in body.split('<').skip(1) {
        let (tag, text) = part.split_once('>').expect("a tag ends");
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name));
        } else if !tag.ends_with('/') {
            open.push(tag.split(' ').next().unwrap());
        }
        assert!(text.split('&').skip(1).all(|entity| entity.split(';').next().is_some_and(|name| name.len() < 6)), "{text}");
    }
    assert!(open.is_empty(), "{open:?}");
    assert!(!xml.contains('\u{1b}'));
}
