//! Real runs whose JSON and journal the pages are held against: one that succeeds, one that fails, one that asks, one that runs out of time.

use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use serde_json::Value;

use super::console::{Workspace, shell};

const MIXED: &str = r#"
version: "1"
name: mixed
phases:
  made:
    resources: { place: { directory: place, scope: goal, keep: false }, here: { directory: ., scope: goal, keep: false } }
    run: |
      echo "greeting=hello" >> "$SCULPT_OUTPUT"; echo made > place/file
      mkdir -p "$HOME/.config/systemd/user"; echo "ExecStart=$PWD/x" > "$HOME/.config/systemd/user/made.service"
    verify: { checks: [ { file: place/file } ] }
  flaky:
    run: test "$SCULPT_ATTEMPT" -ge 2
    retry: { attempts: 2, backoff: { initial: 10ms } }
  served:
    resources:
      service: { process: "sleep 100{{ resources.other.port }}", scope: goal }
      other: { port: { port: "127.0.0.1:TAKEN", fallback: next-free }, scope: goal }
  broken: { needs: [made], run: "echo oops; exit 7" }
"#;

const ASKING: &str = r#"
version: "1"
name: asking
concurrency_group: people
phases:
  ask: { verify: { tier: ask_user, question: Is it well? } }
"#;

const SLOW: &str = r#"
version: "1"
name: slow
budget: { max_time: 200ms }
phases:
  wait: { run: sleep 1000 }
"#;

/// A service that ends once before it is ready, one that never is, and one that is not well for a while.
const AGAIN: &str = r#"
version: "1"
name: again
phases:
  back:
    resources:
      service:
        process: "[ -e once ] || { touch once; exit 3; }; touch up; exec sleep 1000"
        healthcheck: { exec: test -e up, start_interval: 20ms, start_period: 60s }
        restart: on-failure
        scope: goal
  lost:
    resources:
      service:
        process: exit 3
        healthcheck: { exec: test -e never, start_interval: 20ms, start_period: 60s }
        restart: always
        restart_limits: { attempts: 1 }
        scope: goal
  frail:
    resources:
      service:
        process: touch well; exec sleep 1000
        healthcheck: { exec: test -e well, interval: 20ms, retries: 1, start_period: 60s }
        scope: goal
  harm:
    needs: [frail]
    run: rm well; until grep -q resource_[u]nhealthy .opensculpt/journal.jsonl; do sleep 0.01; done; touch well
    timeout: 60s
"#;

/// Its bucket cannot be removed as long as there is a file `held`.
const LEAKY: &str = r#"
version: "1"
name: leaky
phases:
  keep:
    resources:
      bucket:
        custom:
          create: mkdir -p "$HOME/.config/systemd/user"; echo "ExecStart=$PWD/b" > "$HOME/.config/systemd/user/b.service"; touch bucket
          exists: test -e bucket
          destroy: test ! -e held && rm bucket
        scope: goal
    run: touch held
"#;

/// Of what the workspace may use, one of the two is promised more than half.
const LARGE: &str = r#"
version: "1"
name: large
phases:
  one: { run: "true", limits: { memory: 300Mi } }
  two: { run: "true", limits: { memory: 300Mi } }
"#;

/// Kills the only service, and waits until that is seen.
const END_THE_SERVICE: &str = r#"
pid() { sculpt ps mixed --json | sed -n 's/.*"pid": \([0-9][0-9]*\).*/\1/p'; }
kill -KILL $(pid)
tries=0
while [ -n "$(pid)" ]; do
  tries=$((tries + 1))
  [ $tries -lt 1000 ] || { echo "the service does not end"; exit 1; }
done
"#;

/// What was said and written.
pub(super) struct Sample {
    /// One document of each command, by its name.
    pub(super) documents: Vec<(&'static str, Value)>,
    /// All events of `run`, `answer`, `verify` and `down`.
    pub(super) events: Vec<Value>,
    /// The records of the journal.
    pub(super) records: Vec<Value>,
}

/// The lines of JSON in a text.
fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {text}"))).collect()
}

pub(super) fn sample() -> &'static Sample {
    static SAMPLE: OnceLock<Sample> = OnceLock::new();
    SAMPLE.get_or_init(|| {
        let workspace = Workspace::new();
        take(workspace.path())
    })
}

fn take(dir: &Path) -> Sample {
    let stranger = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mixed = MIXED.replace("TAKEN", &stranger.local_addr().unwrap().port().to_string());
    for (name, text) in
        [("mixed", mixed.as_str()), ("asking", ASKING), ("slow", SLOW), ("leaky", LEAKY), ("large", LARGE), ("again", AGAIN)]
    {
        fs::write(dir.join(format!("{name}.yaml")), text).unwrap();
    }
    fs::create_dir_all(dir.join(".opensculpt")).unwrap();
    fs::write(dir.join(".opensculpt/config.yaml"), "limits: { memory: 512Mi }\n").unwrap();
    let one = |command: &str| serde_json::from_str::<Value>(&shell(dir, command)).unwrap_or_else(|error| panic!("{command}: {error}"));
    let mut events = Vec::new();
    let mut run = |command: &str| events.extend(lines(&shell(dir, command)));
    run("HOME=$PWD/home sculpt run leaky.yaml --json");
    run("sculpt down leaky --json");
    run("HOME=$PWD/home sculpt run mixed.yaml --json");
    run("sculpt run asking.yaml --json");
    run("sculpt run again.yaml --json");
    let status = one("sculpt status --json");
    run("sculpt answer asking yes --json");
    run("sculpt run slow.yaml --json");
    run("sculpt run large.yaml --json");
    // The next engine adopts the service.
    shell(dir, "sculpt supervise --stop");
    run("sculpt verify mixed --json");
    let documents = vec![
        ("status", status),
        ("ps", ps_while_at_work(dir)),
        ("runs", one("sculpt runs --json")),
        ("logs", one("sculpt logs mixed/broken --json")),
        ("why", one("sculpt why mixed/made --json")),
        ("why", one("sculpt why mixed/broken --json")),
        ("why", one("sculpt why mixed/flaky --json")),
        ("import", one("echo 'services: { a: { image: b, tty: true, scale: 2 } }' > c.yaml; sculpt import c.yaml --json")),
        ("validate", one("echo 'version: 1' > bad.yaml; sculpt validate bad.yaml --json")),
        ("top", one("sculpt top mixed --json")),
        ("plan", one("sculpt plan mixed.yaml --json")),
        ("audit", one("sculpt audit verify --json")),
        ("error", one("sculpt why nowhere --json")),
        ("gc", one("sculpt gc --json 2>/dev/null")),
        ("adopt", one("sculpt adopt mixed/made/suspect:user-unit-made.service --json")),
    ];
    shell(dir, "rm held");
    run("sculpt retry mixed --json");
    // What serves is replaced, since nothing verifies that it need not be.
    run("sculpt run mixed.yaml --json");
    // A service that somebody else ends is gone without anything having been done to it: the next engine sees that.
    let ended = shell(dir, END_THE_SERVICE);
    assert!(ended.is_empty(), "{ended}");
    run("sculpt run mixed.yaml --json");
    run("sculpt down mixed --json; sculpt down --all --json");
    let journal = fs::read_to_string(dir.join(".opensculpt/journal.jsonl")).unwrap();
    let records = lines(&journal).into_iter().skip(1).map(|line| line["rec"].clone()).collect();
    Sample { documents, events, records }
}

/// `ps` as a command sees it that is itself at work.
fn ps_while_at_work(dir: &Path) -> Value {
    let goal = "version: \"1\"\nname: looking\nphases:\n  look: { run: sculpt ps --json > ps.json }\n";
    fs::write(dir.join("looking.yaml"), goal).unwrap();
    shell(dir, "sculpt run looking.yaml");
    serde_json::from_str(&fs::read_to_string(dir.join("ps.json")).unwrap()).unwrap()
}
