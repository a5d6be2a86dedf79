//! The leak matrix: every escape, on every mechanism, by every end.

use opensculpt::adapters::process::end::StopPolicy;
use opensculpt::adapters::process::running::Exit;
use opensculpt::base::time::Span;

use super::host::{Bystander, Host, Sleep, mechanisms, until};

/// Ways to leave: each leaves one sleeper behind when its main process has ended.
const ESCAPES: [(&str, &str); 6] = [
    ("background", "sleep N & exit 0"),
    ("setsid", "setsid sleep N & exit 0"),
    ("double fork", "( ( sleep N & ) & ) ; exit 0"),
    ("scrubbed", "env -i PATH=$PATH setsid sh -c '( sleep N & ) ; exit 0' ; exit 0"),
    ("deaf", "trap '' TERM HUP; setsid sleep N & exit 0"),
    ("stopped", "sleep N & until grep -q sleep /proc/$!/comm; do :; done; kill -STOP $! ; exit 0"),
];

fn matrix(by: &str) {
    for mechanism in mechanisms() {
        for (escape, script) in ESCAPES {
            let case = format!("{mechanism:?}, {escape}, {by}");
            let host = Host::new(mechanism);
            let (sleep, mut bystander) = (Sleep::new(), Bystander::start());
            let scope = host.attempt();
            assert_eq!(host.script(&scope, &script.replace('N', &sleep.0)), Exit::Code(0), "{case}");
            assert!(!scope.look().expect(&case).is_empty(), "{case}: it was never caught");
            until(&case, || sleep.running() == 1);

            // The deaf one makes the end wait for the whole grace.
            let ended = match by {
                "end" => scope.end(&StopPolicy::term(Span(300)), None),
                _ => scope.kill(),
            };
            assert_eq!(ended.expect(&case).survivors, [], "{case}");
            assert_eq!(sleep.running(), 0, "{case}");
            assert!(scope.is_empty().expect(&case), "{case}");
            assert!(bystander.untouched(), "{case}");
            host.containment.release(&scope).expect(&case);
        }
    }
}

#[test]
fn nothing_survives_an_end() {
    matrix("end");
}

#[test]
fn nothing_survives_a_kill() {
    matrix("kill");
}

#[test]
fn a_scope_that_keeps_forking_ends() {
    for mechanism in mechanisms() {
        let host = Host::new(mechanism);
        let (sleep, mut bystander) = (Sleep::new(), Bystander::start());
        let scope = host.attempt();
        let script = format!("i=0; while [ $i -lt 300 ]; do ( setsid sleep {} & ) ; i=$((i+1)); done", sleep.0);
        let _running = host.start(&scope, &["/bin/sh", "-c", &script]);
        until("a first one", || sleep.running() > 0);
        assert_eq!(scope.kill().expect("an end").survivors, [], "{mechanism:?}");
        assert_eq!(sleep.running(), 0, "{mechanism:?}");
        assert!(bystander.untouched());
    }
}
