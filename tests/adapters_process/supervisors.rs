//! Scopes without control groups: what becomes of them when the engine or their supervisor is gone.

use opensculpt::adapters::process::identity::ProcessId;
use opensculpt::adapters::process::mechanism::Mechanism;
use opensculpt::adapters::process::scope::Scope;
use opensculpt::adapters::process::scope_init::ENTRY;
use rustix::process::Signal;

use super::host::{Host, Sleep, mechanisms, until};

fn supervised() -> impl Iterator<Item = Mechanism> {
    mechanisms().into_iter().filter(|mechanism| matches!(mechanism, Mechanism::PidNamespace | Mechanism::Subreaper))
}

/// The outermost process that bears the scope's name.
fn supervisor(host: &Host, scope: &Scope) -> ProcessId {
    let begin = format!("sculpt\0{ENTRY}\0sculpt-{}/{}\0", host.id, scope.name());
    let bears = |pid: &u32| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.starts_with(begin.as_bytes()) && !line.ends_with(b"\0init\0")
    };
    let entries = std::fs::read_dir("/proc").expect("the table of processes");
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(bears).find_map(ProcessId::of).expect("a supervisor")
}

#[test]
fn it_ends_what_is_below_it_when_it_is_asked_to_end() {
    for mechanism in supervised() {
        let host = Host::new(mechanism);
        let (scope, sleep) = (host.attempt(), Sleep::new());
        host.script(&scope, &format!("env -i /usr/bin/setsid /bin/sleep {} & exit 0", sleep.0));
        until("the sleeper", || sleep.running() == 1);
        let supervisor = supervisor(&host, &scope);
        assert!(supervisor.signal(Signal::TERM).expect("a signal"));
        until("its end", || !supervisor.alive());
        assert_eq!(sleep.running(), 0, "{mechanism:?}");
        assert!(host.containment.find(scope.name()).expect("a look").is_none());
    }
}

#[test]
fn its_own_violent_death_frees_nobody_who_can_be_known() {
    for mechanism in supervised() {
        let host = Host::new(mechanism);
        let (scope, sleep) = (host.attempt(), Sleep::new());
        host.script(&scope, &format!("setsid sleep {} & exit 0", sleep.0));
        until("the sleeper", || sleep.running() == 1);
        let supervisor = supervisor(&host, &scope);
        assert!(supervisor.signal(Signal::KILL).expect("a signal"));
        until("its end", || !supervisor.alive());
        if mechanism == Mechanism::PidNamespace {
            // The kernel ends the namespace.
            until("the end of the namespace", || sleep.running() == 0);
        } else {
            assert_eq!(host.again().scopes().expect("a list"), [scope.name()]);
            let found = host.again().find(scope.name()).expect("a look").expect("the scope by its mark");
            assert_eq!(found.kill().expect("an end").survivors, []);
            assert_eq!(sleep.running(), 0);
        }
    }
}

#[test]
fn it_needs_nobody_who_listens() {
    for mechanism in supervised() {
        let mut host = Host::new(mechanism);
        let (scope, sleep) = (host.attempt(), Sleep::new());
        let main = Sleep::new();
        let script = format!("setsid sleep {} & sleep {}", sleep.0, main.0);
        let running = host.start(&scope, &["/bin/sh", "-c", &script]);
        until("both", || sleep.running() + main.running() == 2);
        let id = running.id().clone();
        // As when the engine dies: its ends of all pipes are closed.
        drop(running);
        host.runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        assert!(id.signal(Signal::KILL).expect("a signal"));
        until("its end", || !id.alive());
        // The news of it reached nobody, and yet the rest is held.
        let found = host.again().find(scope.name()).expect("a look").expect("the scope");
        assert!(supervisor(&host, &scope).alive(), "{mechanism:?}");
        assert_eq!(found.kill().expect("an end").survivors, []);
        assert_eq!(sleep.running() + main.running(), 0, "{mechanism:?}");
    }
}
