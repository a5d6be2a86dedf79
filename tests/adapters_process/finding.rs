//! What was started is found again by another engine process, by name.

use opensculpt::adapters::process::listener::{Protocol, listeners, listening};
use opensculpt::base::name::Name;

use super::host::{Host, Sleep, mechanisms, until};

#[test]
fn another_engine_process_finds_and_ends_it() {
    for mechanism in mechanisms() {
        let host = Host::new(mechanism);
        let (phase, resource): (Name, Name) = ("server".into(), "crm".into());
        let scope = host.containment.resource(&host.goal, &phase, &resource).expect("a scope");
        let sleep = Sleep::new();
        let running = host.start(&scope, &["sleep", &sleep.0]);
        until("its arguments", || sleep.running() == 1);
        let attempt = host.attempt();
        host.script(&attempt, "exit 0");
        assert_eq!(attempt.look().expect("a look"), [], "the resource is beside the attempt, not inside");

        let later = host.again();
        assert_eq!(later.scopes().expect("a list"), [scope.name()], "{mechanism:?}");
        let found = later.find(scope.name()).expect("a look").expect("the scope");
        let seen = found.look().expect("a look");
        let ids: Vec<_> = seen.iter().map(|process| (process.id.pid, process.id.start)).collect();
        assert_eq!(ids, [(running.id().pid, running.id().start)], "{mechanism:?}");
        assert_eq!(seen[0].command, format!("sleep {}", sleep.0));
        let same = later.resource(&host.goal, &phase, &resource).expect("a scope");
        assert!(same.contains(running.id().pid).expect("a look"), "{mechanism:?}");

        assert_eq!(found.kill().expect("an end").survivors, [], "{mechanism:?}");
        assert_eq!(sleep.running(), 0);
        later.release(&found).expect("a release");
        assert!(later.find(scope.name()).expect("a look").is_none(), "{mechanism:?}");
    }
}

#[test]
fn a_scope_in_use_is_not_given_to_another_attempt() {
    for mechanism in mechanisms() {
        let host = Host::new(mechanism);
        let left = host.attempt();
        host.script(&left, "sleep 86400 & exit 0");
        let later = host.again();
        assert_ne!(later.attempt(&host.goal).expect("a scope").name(), left.name(), "{mechanism:?}");
        left.kill().expect("an end");
    }
}

#[test]
fn the_listener_of_a_port_is_told_from_strangers() {
    for mechanism in mechanisms() {
        let host = Host::new(mechanism);
        let scope = host.attempt();
        let program = "import socket,time; s=socket.socket(); s.bind(('127.0.0.1',0)); s.listen(); print(s.getsockname()[1],flush=True); time.sleep(86400)";
        if std::path::Path::new("/usr/bin/python3").exists() {
            let _running = host.start(&scope, &["/usr/bin/python3", "-c", program]);
            until("a port", || host.output().ends_with('\n'));
            let port: u16 = host.output().trim().parse().expect("a port");
            assert!(listening(port, Protocol::Tcp));
            let holders = listeners(port, Protocol::Tcp);
            assert_eq!(holders.len(), 1);
            assert!(scope.contains(holders[0].id.pid).expect("a look"), "{mechanism:?}");
            scope.kill().expect("an end");
            assert!(!listening(port, Protocol::Tcp));
        }
        let stranger = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let holder = listeners(stranger.local_addr().expect("an address").port(), Protocol::Tcp);
        assert!(!scope.contains(holder[0].id.pid).expect("a look"));
    }
}
