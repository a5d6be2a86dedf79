//! A workspace in the real container engine, an image to run there, and the end of both.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use indexmap::IndexMap;
use opensculpt::adapters::docker::connection::Engine;
use opensculpt::adapters::docker::fleet::Fleet;
use opensculpt::adapters::docker::list::Kind;
use opensculpt::adapters::docker::name::name_of;
use opensculpt::adapters::docker::spec::{ContainerSpec, Limits, Stop};
use opensculpt::base::label::{Label, Origin};
use opensculpt::base::time::Span;

use crate::part::require;
use crate::world::deadline::LIMIT;

/// The image of the tests: busybox, and nothing else.
pub(crate) const IMAGE: &str = "sculpt-e2e-busybox";

/// A container's command that ends when it is told to.
pub(crate) const SERVE: &str = "sh -c 'trap exit TERM; sleep 86400 & wait'";

/// What one test has in the container engine. Everything of its workspace is removed at its end.
pub(crate) struct World {
    pub(crate) fleet: Fleet,
    pub(crate) workspace: String,
}

static COUNT: AtomicU32 = AtomicU32::new(0);

/// Runs a test where there is a container engine; it says loudly that it does not where there is none.
pub(crate) fn with_docker<F: Future<Output = ()>>(part: &str, test: impl FnOnce(World) -> F) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let env: IndexMap<String, String> = std::env::vars().collect();
        let engine = Engine::find(&env).await;
        if !require(part, "a container engine", engine.is_ok()) {
            return;
        }
        let engine = engine.unwrap();
        let workspace = format!("{:06x}{:02x}e2e", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let fleet = engine.fleet(&workspace);
        // Others wait for the first, each on a thread of its own.
        tokio::task::block_in_place(image);
        let cleaner = Cleaner { fleet: fleet.clone() };
        tokio::time::timeout(LIMIT, test(World { fleet, workspace })).await.expect("the test waits in vain");
        cleaner.clean().await;
        std::mem::forget(cleaner);
    });
}

/// Builds the image, once for all tests.
pub(crate) fn image() {
    static BUILT: OnceLock<()> = OnceLock::new();
    BUILT.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        std::fs::copy("/bin/busybox", dir.path().join("busybox")).expect("busybox-static is installed");
        let steps = "FROM scratch\nCOPY busybox /bin/busybox\nRUN [\"/bin/busybox\", \"--install\", \"/bin\"]\n";
        std::fs::write(dir.path().join("Dockerfile"), steps).unwrap();
        let built =
            std::process::Command::new("docker").args(["build", "-q", "-t", IMAGE]).arg(dir.path()).env("DOCKER_BUILDKIT", "0").output();
        let built = built.expect("the docker client is installed");
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    });
}

impl World {
    pub(crate) fn label(&self, owner: &str) -> Label {
        Label {
            workspace: self.workspace.clone(),
            owner: owner.parse().unwrap(),
            run: "e2e.1".to_owned(),
            attempt: 1,
            origin: Origin::Declared,
            effect: None,
        }
    }

    /// A container that runs a script of the shell.
    pub(crate) fn spec(&self, owner: &str, script: &str) -> ContainerSpec {
        let label = self.label(owner);
        ContainerSpec {
            name: name_of(&self.workspace, &label.owner),
            label,
            image: IMAGE.to_owned(),
            entrypoint: None,
            command: Some(["/bin/sh", "-c", script].map(str::to_owned).to_vec()),
            env: BTreeMap::new(),
            mounts: Vec::new(),
            ports: Vec::new(),
            networks: Vec::new(),
            user: None,
            working_dir: None,
            limits: Limits::default(),
            cgroup_parent: None,
            strict: false,
            healthcheck: None,
            stop: Stop { signal: "SIGTERM".to_owned(), grace: Span::seconds(0) },
            init: false,
        }
    }

    /// Starts it, and returns its id.
    pub(crate) async fn start(&self, spec: &ContainerSpec) -> String {
        self.fleet.ensure(spec, |_| {}).await.unwrap().id
    }
}

/// Runs the docker client.
pub(crate) fn docker(args: &[&str]) -> String {
    let output = std::process::Command::new("docker").args(args).output().unwrap();
    assert!(output.status.success(), "docker {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

struct Cleaner {
    fleet: Fleet,
}

impl Cleaner {
    async fn clean(&self) {
        for found in self.fleet.list().await.unwrap() {
            match found.kind {
                Kind::Container => self.fleet.remove(&found.id).await,
                Kind::Network => self.fleet.remove_network(&found.id).await,
                Kind::Volume => self.fleet.remove_volume(&found.id).await,
            }
            .unwrap();
        }
        assert_eq!(self.fleet.list().await.unwrap(), []);
    }
}

/// A test that fails cleans up too.
impl Drop for Cleaner {
    fn drop(&mut self) {
        let handle = tokio::runtime::Handle::current();
        tokio::task::block_in_place(|| drop(handle.block_on(tokio::time::timeout(Duration::from_mins(1), self.clean()))));
    }
}
