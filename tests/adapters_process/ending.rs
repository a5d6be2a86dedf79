//! How a scope is asked to end, in which order, and how long that takes.

use opensculpt::adapters::process::end::{NoSuchSignal, StopPolicy, StopTo};
use opensculpt::adapters::process::running::Exit;
use opensculpt::base::time::Span;

use super::host::{Host, Sleep, mechanisms, until};

const PATIENT: Span = Span::seconds(30);

#[test]
fn the_main_process_gets_the_signal_and_its_time() {
    for mechanism in mechanisms() {
        let host = Host::new(mechanism);
        let (scope, sleep) = (host.attempt(), Sleep::new());
        let script = format!("trap 'echo asked; kill $!; exit 7' QUIT; trap 'echo wrong' TERM; sleep {} & echo ready; wait", sleep.0);
        let mut running = host.start(&scope, &["/bin/sh", "-c", &script]);
        // A child that is still a shell would keep the signal to itself.
        until("its traps and its child", || host.output().contains("ready") && sleep.running() == 1);
        let policy = StopPolicy::new("SIGQUIT", StopTo::Main, PATIENT).expect("a signal");
        let ended = scope.end(&policy, Some(running.id())).expect("an end");
        assert_eq!((ended.survivors, ended.killed), (vec![], 0), "{mechanism:?}");
        assert!(ended.waited < PATIENT, "it did not wait for the whole grace");
        assert_eq!(host.exit(&mut running), Exit::Code(7), "{mechanism:?}");
        assert_eq!(host.output(), "ready\nasked\n", "{mechanism:?}");
    }
}

#[test]
fn a_deaf_process_is_killed_when_its_time_is_over() {
    for mechanism in mechanisms() {
        let host = Host::new(mechanism);
        let (scope, sleep) = (host.attempt(), Sleep::new());
        let mut running = host.start(&scope, &["/bin/sh", "-c", &format!("trap '' TERM; exec sleep {}", sleep.0)]);
        until("it to be deaf", || sleep.running() == 1);
        let ended = scope.end(&StopPolicy::term(Span(100)), Some(running.id())).expect("an end");
        assert_eq!((ended.survivors, ended.killed), (vec![], 1), "{mechanism:?}");
        assert!(ended.waited >= Span(100));
        assert_eq!(host.exit(&mut running), Exit::Signal(9), "{mechanism:?}");
    }
}

#[test]
fn all_can_be_asked_instead_of_one() {
    for mechanism in mechanisms() {
        let host = Host::new(mechanism);
        let (scope, sleep) = (host.attempt(), Sleep::new());
        let script = format!("trap '' INT; (trap - INT; exec env --default-signal=INT sleep {}); echo child gone", sleep.0);
        let mut running = host.start(&scope, &["/bin/sh", "-c", &script]);
        until("the child", || sleep.running() == 1);
        let policy = StopPolicy::new("INT", StopTo::All, PATIENT).expect("a signal");
        assert_eq!(scope.end(&policy, Some(running.id())).expect("an end").killed, 0, "{mechanism:?}");
        assert_eq!(host.exit(&mut running), Exit::Code(0), "{mechanism:?}");
        assert_eq!(host.output(), "child gone\n", "{mechanism:?}");
    }
    assert_eq!(StopPolicy::new("SIGNAL", StopTo::All, PATIENT), Err(NoSuchSignal("SIGNAL".into())));
}

#[test]
fn an_empty_scope_ends_at_once() {
    for mechanism in mechanisms() {
        let host = Host::new(mechanism);
        let scope = host.attempt();
        assert_eq!(host.script(&scope, "exit 3"), Exit::Code(3));
        let ended = scope.end(&StopPolicy::term(PATIENT), None).expect("an end");
        assert_eq!((ended.survivors, ended.killed), (vec![], 0), "{mechanism:?}");
        assert!(ended.waited < PATIENT);
    }
}
