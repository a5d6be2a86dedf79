//! A goal that is up is run again with a version that does not work: what served before answers again.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use crate::part::require;
use crate::world::deadline::until;
use crate::world::workspace::Workspace;

/// A web server that serves one file; its environment says which version it is.
const GOAL: &str = "
version: \"1\"
name: it
phases:
  web:
    env: { SAYS: VERSION }
    run: mkdir -p site
    resources:
      page: { file: { path: site/page, content: \"VERSION\\n\" }, scope: goal }
      http:
        process:
          run: [ python3, -c, 'import http.server as h, os; os.chdir(\"site\"); h.ThreadingHTTPServer((\"127.0.0.1\", PORT), h.SimpleHTTPRequestHandler).serve_forever()' ]
        ports: [ \"127.0.0.1:PORT\" ]
        depends_on: { page: {} }
        scope: goal
    verify: { checks: [ { http: { url: 'http://127.0.0.1:PORT/page', contains: good } } ] }
  user:
    needs: [web]
    resources:
      one: { process: { run: sleep 86400.MARK }, scope: goal }
    verify: { checks: [ { exec: 'pgrep -fx \"sleep 86400.MARK\"', retries: 100, interval: 50ms } ] }
";

struct Site {
    workspace: Workspace,
    port: u16,
}

impl Site {
    /// A goal that is up with its first version; none on a host without Python.
    fn up() -> Option<Self> {
        let there = std::process::Command::new("python3").arg("--version").output().is_ok_and(|told| told.status.success());
        if !require("a rollback to a web server", "python3", there) {
            return None;
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let site = Self { workspace: Workspace::new(), port };
        site.version("good one");
        site.workspace.sculpt("run goal.yaml").run().expect(0);
        assert_eq!(site.page().as_deref(), Some("good one"));
        Some(site)
    }

    fn version(&self, says: &str) {
        self.workspace.goal(&GOAL.replace("VERSION", says).replace("PORT", &self.port.to_string()));
    }

    /// What the web server answers; none where nobody does.
    fn page(&self) -> Option<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        stream.write_all(b"GET /page HTTP/1.0\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        Some(answer.rsplit_once("\r\n\r\n")?.1.trim().to_owned())
    }

    fn expect_rolled_back(&self) {
        assert_eq!(self.page().as_deref(), Some("good one"), "the old page, by the old service");
        let status = self.workspace.status();
        assert_eq!((&status["outcome"], &status["run"]), (&"failed".into(), &"it.2".into()));
        let why = status["why"].as_str().unwrap();
        assert!(why.ends_with("; rolled back to it.1"), "{why}");
        for resource in status["resources"].as_array().unwrap() {
            assert_eq!((&resource["run"], &resource["state"]), (&"it.1".into(), &"ready".into()), "{resource}");
        }
        assert_eq!(status["resources"].as_array().unwrap().len(), 3);
        assert_eq!((self.workspace.outcome("user").as_str(), self.workspace.sleepers()), ("skipped", 1), "what had not begun stays");
        let text = self.workspace.sculpt("status").run().expect(0).said();
        assert!(text.contains("it/web/http (it.1, pid "), "{text}");
    }

    fn down(&self) {
        self.workspace.sculpt("down it --volumes").run().expect(0);
        self.workspace.expect_nothing_alive("down after a rollback");
        assert!(!self.workspace.has("site/page") && self.page().is_none());
    }
}

#[test]
fn a_version_that_fails_its_verification_gives_way_to_the_one_before() {
    let Some(site) = Site::up() else { return };
    site.version("broken two");
    let ended = site.workspace.sculpt("run goal.yaml").run().expect(1);
    assert!(ended.said().contains("rolled back to it.1"), "{}", ended.said());
    site.expect_rolled_back();
    // What serves is what the first version proved: nothing is to be done for it.
    site.version("good one");
    site.workspace.sculpt("run goal.yaml").run().expect(0);
    assert_eq!((&site.workspace.phase("web")["proof"], site.page().as_deref()), (&"already".into(), Some("good one")));
    site.down();
}

#[test]
fn a_rollback_is_gone_on_with_by_the_next_engine() {
    let Some(site) = Site::up() else { return };
    site.version("broken two");
    let mut run = site.workspace.sculpt("run goal.yaml").start();
    // What is replaced is recorded before it ends; from there on a death costs nothing.
    until("the replacement to begin", || {
        site.workspace.read(".opensculpt/journal.jsonl").contains("\"event\":\"replacing\"").then_some(())
    });
    run.kill();
    run.wait();
    // Any command goes on with the run.
    site.workspace.sculpt("verify it").run();
    until("the run to end", || (site.workspace.status()["outcome"] == "failed").then_some(()));
    site.expect_rolled_back();
    site.down();
}
