//! What a process gets, what it does not get, and what is said when it cannot start.

use std::os::unix::fs::{MetadataExt, PermissionsExt};

use opensculpt::adapters::process::launch::{Launch, SpawnError};
use opensculpt::adapters::process::running::Exit;

use super::host::{Host, mechanisms};

fn refused(host: &Host, launch: &Launch) -> SpawnError {
    let _context = host.runtime.enter();
    let scope = host.attempt();
    let error = host.containment.spawn(&scope, launch).expect_err("a refusal");
    assert_eq!(scope.look().expect("a look"), [], "nothing of it runs");
    error
}

#[test]
fn nothing_is_inherited() {
    for mechanism in mechanisms() {
        let host = Host::new(mechanism);
        let inherited = std::fs::File::open("/proc/self/status").expect("a file");
        rustix::io::fcntl_setfd(&inherited, rustix::io::FdFlags::empty()).expect("a file without close-on-exec");
        let script = "env | sort; pwd; ls /proc/self/fd | tr '\\n' ' '; echo; grep -E '^Sig(Blk|Ign)' /proc/self/status; cat";
        let mut launch = host.launch(&["/bin/sh", "-c", script]);
        launch.env.push(("GIVEN".into(), "a b".into()));
        let scope = host.attempt();
        let mut running = {
            let _context = host.runtime.enter();
            host.containment.spawn(&scope, &launch).expect("a start")
        };
        assert_eq!(host.exit(&mut running), Exit::Code(0));
        let output = host.output();
        let own: Vec<&str> =
            output.lines().filter(|line| !["PWD=", "SCULPT_SCOPE=", "_=", "OLDPWD="].iter().any(|p| line.starts_with(p))).collect();
        let cwd = host.dir.path().canonicalize().expect("a directory");
        let expected = [
            "GIVEN=a b",
            "PATH=/usr/local/bin:/usr/bin:/bin",
            cwd.to_str().expect("a path"),
            // The fourth is the directory that `ls` reads.
            "0 1 2 3 ",
            "SigBlk:\t0000000000000000",
        ];
        let (ignored, own) = own.split_last().expect("lines");
        assert_eq!(own, expected, "{mechanism:?}");
        let ignored = ignored.strip_prefix("SigIgn:\t").and_then(|mask| u64::from_str_radix(mask, 16).ok()).expect("a mask");
        // Signals 32 and 33 are the C library's own.
        assert_eq!(ignored & !(3 << 31), 0, "{mechanism:?}");
        let mode = std::fs::metadata(&launch.stdout).expect("the output").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[test]
fn an_exit_is_a_code_or_a_signal() {
    for mechanism in mechanisms() {
        let host = Host::new(mechanism);
        let scope = host.attempt();
        assert_eq!(host.script(&scope, "exit 77"), Exit::Code(77));
        assert_eq!(host.script(&scope, "kill -USR1 $$"), Exit::Signal(10));
    }
}

#[test]
fn a_refusal_names_its_reason() {
    for mechanism in mechanisms() {
        let host = Host::new(mechanism);
        let missing = refused(&host, &host.launch(&["no-such-program"]));
        assert_eq!(missing, SpawnError::NotFound { program: "no-such-program".into() }, "{mechanism:?}");
        assert_eq!(missing.shell_code(), Some(127));

        let not_a_program = host.dir.path().join("text");
        #[expect(clippy::disallowed_methods, reason = "a file of the test")]
        std::fs::write(&not_a_program, "text").expect("a file");
        let denied = refused(&host, &host.launch(&["./text"]));
        assert!(matches!(denied, SpawnError::PermissionDenied { .. }), "{denied}");
        assert_eq!(denied.shell_code(), Some(126));

        let mut launch = host.launch(&["/bin/true"]);
        launch.cwd = host.dir.path().join("nowhere");
        assert!(matches!(refused(&host, &launch), SpawnError::BadCwd { path, .. } if path == launch.cwd), "{mechanism:?}");

        let mut launch = host.launch(&["/bin/true"]);
        launch.stdout = host.dir.path().join("nowhere/out");
        assert!(refused(&host, &launch).to_string().starts_with("failed to open the output file"));

        let mut launch = host.launch(&["/bin/true"]);
        launch.user = Some("no-such-user".into());
        let expected = if rustix::process::geteuid().is_root() { SpawnError::NoSuchUser } else { SpawnError::NotRoot };
        assert_eq!(refused(&host, &launch), expected("no-such-user".into()), "{mechanism:?}");
    }
}

#[test]
fn root_starts_processes_as_somebody_else() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    for mechanism in mechanisms() {
        let host = Host::new(mechanism);
        std::fs::set_permissions(host.dir.path(), std::fs::Permissions::from_mode(0o755)).expect("a directory for all");
        let mut launch = host.launch(&["/bin/sh", "-c", "id -u; id -g; id -G; echo again >> out"]);
        launch.user = Some("nobody".into());
        let scope = host.attempt();
        let mut running = {
            let _context = host.runtime.enter();
            host.containment.spawn(&scope, &launch).expect("a start")
        };
        assert_eq!(host.exit(&mut running), Exit::Code(0), "{mechanism:?}: {}", host.output());
        assert_eq!(host.output(), "65534\n65534\n65534\nagain\n");
        assert_eq!(std::fs::metadata(&launch.stdout).expect("the output").uid(), 65534);
    }
}
