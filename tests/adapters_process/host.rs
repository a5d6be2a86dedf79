//! What the tests of processes share: a workspace, launches, bystanders, and an independent look at the host.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use opensculpt::adapters::process::containment::Containment;
use opensculpt::adapters::process::launch::Launch;
use opensculpt::adapters::process::mechanism::Mechanism;
use opensculpt::adapters::process::running::{Exit, Running};
use opensculpt::adapters::process::scope::Scope;
use opensculpt::base::name::Name;
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// A workspace of one test, on one mechanism.
pub(super) struct Host {
    pub(super) containment: Containment,
    pub(super) goal: Name,
    pub(super) runtime: Runtime,
    pub(super) dir: TempDir,
    pub(super) id: String,
}

/// A number that no other test of this machine uses.
fn unique() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// This build's own program; a test for another user brings a copy.
pub(super) fn program() -> PathBuf {
    std::env::var_os("SCULPT_TEST_PROGRAM").map_or_else(|| env!("CARGO_BIN_EXE_sculpt").into(), PathBuf::from)
}

/// The mechanisms that this host offers to this user. The last one is always there.
pub(super) fn mechanisms() -> Vec<Mechanism> {
    let offered: Vec<Mechanism> =
        Mechanism::ALL.into_iter().filter(|mechanism| Containment::with(*mechanism, "offered", &program()).is_ok()).collect();
    assert!(offered.contains(&Mechanism::Subreaper));
    offered
}

impl Host {
    pub(super) fn new(mechanism: Mechanism) -> Self {
        let id = unique();
        let containment = Containment::with(mechanism, &id, &program()).expect("an offered mechanism");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        Self { containment, goal: "goal".into(), runtime, dir: tempfile::tempdir().expect("a directory"), id }
    }

    /// The same workspace as another engine process sees it.
    pub(super) fn again(&self) -> Containment {
        Containment::with(self.containment.report().mechanism, &self.id, &program()).expect("an offered mechanism")
    }

    /// A launch of an argument vector.
    pub(super) fn launch(&self, argv: &[&str]) -> Launch {
        let out = self.dir.path().join("out");
        Launch {
            argv: argv.iter().map(|arg| (*arg).to_owned()).collect(),
            env: vec![("PATH".into(), "/usr/local/bin:/usr/bin:/bin".into())],
            cwd: self.dir.path().to_path_buf(),
            user: None,
            group: None,
            files: None,
            view: None,
            stdout: out.clone(),
            stderr: out,
        }
    }

    pub(super) fn start(&self, scope: &Scope, argv: &[&str]) -> Running {
        let _context = self.runtime.enter();
        self.containment.spawn(scope, &self.launch(argv)).expect("a start")
    }

    /// Runs a shell script to its end; what it leaves behind runs on.
    pub(super) fn script(&self, scope: &Scope, script: &str) -> Exit {
        let mut running = self.start(scope, &["/bin/sh", "-c", script]);
        self.exit(&mut running)
    }

    pub(super) fn exit(&self, running: &mut Running) -> Exit {
        self.runtime.block_on(running.wait()).expect("an exit")
    }

    pub(super) fn output(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("out")).expect("the output")
    }

    pub(super) fn attempt(&self) -> Scope {
        self.containment.attempt(&self.goal).expect("a scope")
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // A failed test leaves nothing either; a good one has nothing left.
        for name in self.containment.scopes().unwrap_or_default() {
            if let Ok(Some(scope)) = self.containment.find(&name) {
                drop(scope.kill());
            }
        }
        let removed = self.containment.remove_goal(&self.goal);
        assert!(std::thread::panicking() || removed.is_ok(), "{removed:?}");
    }
}

/// A command that sleeps and can be told from all others by its only argument.
pub(super) struct Sleep(pub(super) String);

impl Sleep {
    pub(super) fn new() -> Self {
        Self(format!("86400.{}", unique().replace('-', "")))
    }

    /// How many run anywhere on the host, found by their arguments alone.
    pub(super) fn running(&self) -> usize {
        let entries = std::fs::read_dir("/proc").expect("the table of processes");
        let lines = entries.flatten().filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
        lines.filter(|line| line.ends_with(format!("\0{}\0", self.0).as_bytes())).count()
    }
}

/// Somebody else's process, as like to ours as can be.
pub(super) struct Bystander(Child);

impl Bystander {
    pub(super) fn start() -> Self {
        #[expect(clippy::disallowed_methods, reason = "a process that is not the engine's is the point")]
        let child = Command::new("sleep").arg("86400").stdin(Stdio::null()).spawn().expect("a bystander");
        Self(child)
    }

    pub(super) fn untouched(&mut self) -> bool {
        self.0.try_wait().expect("a look").is_none()
    }
}

impl Drop for Bystander {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Looks again until it is so; a test that waits in vain fails.
pub(super) fn until(what: &str, mut so: impl FnMut() -> bool) {
    #[expect(clippy::disallowed_methods, reason = "a test's deadline")]
    let begun = std::time::Instant::now();
    while !so() {
        assert!(begun.elapsed().as_secs() < 30, "waited in vain: {what}");
        std::thread::yield_now();
    }
}
