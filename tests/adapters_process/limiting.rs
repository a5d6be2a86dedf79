//! Limits are set where they can be, and said where they cannot.

use std::path::Path;

use opensculpt::adapters::process::containment::{Containment, Unavailable};
use opensculpt::adapters::process::launch::Launch;
use opensculpt::adapters::process::limits::{Limit, Limits};
use opensculpt::adapters::process::mechanism::{Gap, Mechanism};
use opensculpt::adapters::process::running::Exit;
use opensculpt::base::size::ByteSize;

use super::host::{Host, mechanisms, program};

const LIMITS: Limits = Limits { memory: Some(ByteSize(64 << 20)), cpus: Some(0.5), pids: Some(8) };

/// Takes more memory than the limit; the kernel ends it.
const GREEDY: &str = "head -c 200000000 /dev/zero | tail -c 190000000 > /dev/null";

#[test]
fn the_report_tells_what_limiting_then_does() {
    for mechanism in mechanisms() {
        let host = Host::new(mechanism);
        let report = host.containment.report().clone();
        let scope = host.attempt();
        let done = host.containment.limit(&scope, &LIMITS);
        assert_eq!(done.enforced, report.limits, "{mechanism:?}: {done:?}");
        let refused: Vec<Limit> = done.refused.iter().map(|(limit, _)| *limit).collect();
        assert_eq!(refused, Limit::ALL.into_iter().filter(|limit| !report.limits.contains(limit)).collect::<Vec<_>>());
        assert_eq!(report.gaps.contains(&Gap::NoLimits), report.limits.is_empty());
        host.containment.release(&scope).expect("a release");
    }
}

#[test]
fn the_best_mechanism_is_found() {
    let found = Containment::detect("detected", &program());
    assert_eq!(found.report().mechanism, mechanisms()[0]);
    // A program that cannot supervise leaves no PID namespace to choose.
    let without = Containment::with(Mechanism::PidNamespace, "detected", Path::new("/bin/false"));
    assert_eq!(without.expect_err("a refusal"), Unavailable(Mechanism::PidNamespace));
}

#[test]
fn a_limited_scope_is_held_to_it() {
    for mechanism in mechanisms() {
        let host = Host::new(mechanism);
        let scope = host.attempt();
        let enforced = host.containment.limit(&scope, &LIMITS).enforced;
        if enforced.contains(&Limit::Memory) {
            assert_ne!(host.script(&scope, GREEDY), Exit::Code(0), "{mechanism:?}");
            assert!(scope.usage().oom_kills > 0, "{mechanism:?}");
            assert!(scope.usage().peak_memory.expect("a measure") > 32 << 20);
        }
        if enforced.contains(&Limit::Pids) {
            let script = "for i in 1 2 3 4 5 6 7 8 9 10; do sleep 86400 & done";
            assert_ne!(host.script(&scope, script), Exit::Code(0), "{mechanism:?}");
            assert!(scope.look().expect("a look").len() <= 8);
        }
        scope.kill().expect("an end");
        host.containment.release(&scope).expect("a release");
        // The next attempt has other limits: none.
        let next = host.attempt();
        assert_eq!(host.script(&next, GREEDY), Exit::Code(0), "{mechanism:?}");
        host.containment.release(&next).expect("a release");
    }
}

#[test]
fn a_goals_limits_hold_what_its_phases_do_not_declare() {
    for mechanism in mechanisms() {
        let host = Host::new(mechanism);
        let enforced = host.containment.limit_goal(&host.goal, &LIMITS).enforced;
        let (one, two) = (host.attempt(), host.attempt());
        if enforced.contains(&Limit::Pids) {
            host.script(&one, "for i in 1 2 3 4 5; do sleep 86400 & done");
            host.script(&two, "for i in 1 2 3 4 5; do sleep 86400 & done");
            let together = one.look().expect("a look").len() + two.look().expect("a look").len();
            assert!((5..=8).contains(&together), "{mechanism:?}: {together}");
        }
        one.kill().expect("an end");
        two.kill().expect("an end");
    }
}

#[test]
fn a_goals_limit_that_is_changed_holds_in_groups_that_were_used_before() {
    let forks = "for i in 1 2 3 4 5 6 7 8 9 10; do sleep 86400 & done";
    for mechanism in mechanisms() {
        let host = Host::new(mechanism);
        let (one, two) = (host.attempt(), host.attempt());
        assert_eq!(host.script(&one, "true"), Exit::Code(0));
        host.containment.release(&one).expect("a release");
        let enforced = host.containment.limit_goal(&host.goal, &LIMITS).enforced;
        // One was free meanwhile, and the other in use.
        host.containment.release(&two).expect("a release");
        let (one, two) = (host.attempt(), host.attempt());
        if enforced.contains(&Limit::Memory) {
            for scope in [&one, &two] {
                assert_ne!(host.script(scope, GREEDY), Exit::Code(0), "{mechanism:?}");
                assert!(scope.usage().oom_kills > 0, "{mechanism:?}");
            }
        }
        if enforced.contains(&Limit::Pids) {
            assert_ne!(host.script(&one, forks), Exit::Code(0), "{mechanism:?}");
            one.kill().expect("an end");
        }
        // What is not declared any more does not hold any more.
        host.containment.limit_goal(&host.goal, &Limits::default());
        let scope = host.attempt();
        assert_eq!(host.script(&scope, GREEDY), Exit::Code(0), "{mechanism:?}");
        assert_eq!(host.script(&scope, forks), Exit::Code(0), "{mechanism:?}");
        scope.kill().expect("an end");
    }
}

#[test]
fn what_an_earlier_engine_has_limited_is_not_limited_any_more() {
    for mechanism in mechanisms() {
        let host = Host::new(mechanism);
        host.containment.limit_goal(&host.goal, &LIMITS);
        let next = host.again();
        let refused = next.limit_goal(&host.goal, &Limits::default()).refused;
        assert_eq!(refused, [], "{mechanism:?}");
        let resource = next.resource(&host.goal, &"phase".into(), &"it".into()).expect("a scope");
        assert_eq!(host.script(&resource, GREEDY), Exit::Code(0), "{mechanism:?}");
        next.release(&resource).expect("a release");
    }
}

#[test]
fn open_files_are_limited_by_every_mechanism() {
    // The fourth file is one too many; a shell opens only those that it is told to.
    const OPENS: &str = "ulimit -n; sh -c 'ulimit -Hn'; exec 3</dev/null; exec 4</dev/null; exec 5</dev/null";
    for mechanism in mechanisms() {
        let host = Host::new(mechanism);
        let scope = host.attempt();
        let launch = host.launch(&["/bin/sh", "-c", OPENS]);
        let mut limited = {
            let _context = host.runtime.enter();
            host.containment.spawn(&scope, &Launch { files: Some(5), ..launch.clone() }).expect("a start")
        };
        assert_ne!(host.exit(&mut limited), Exit::Code(0), "{mechanism:?}");
        let said = host.output();
        assert!(said.starts_with("5\n5\n"), "{mechanism:?}: {said}");
        assert_eq!(host.script(&scope, OPENS), Exit::Code(0), "{mechanism:?}: it opens them where it may");
    }
}

#[test]
fn what_is_used_is_that_of_its_user_alone() {
    const WORKS: &str = "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done";
    for mechanism in mechanisms() {
        let host = Host::new(mechanism);
        let used = |script: &str| {
            let scope = host.attempt();
            let mut running = host.start(&scope, &["/bin/sh", "-c", script]);
            host.exit(&mut running);
            let used = scope.usage().or_of_command(running.usage());
            scope.kill().expect("an end");
            host.containment.release(&scope).expect("a release");
            used.cpu_time.unwrap_or_else(|| panic!("{mechanism:?}: nobody counts processor time"))
        };
        let (long, short) = (used(WORKS), used("true"));
        assert!(long > 5_000, "{mechanism:?}: {long} µs");
        assert!(short * 2 < long, "{mechanism:?}: {short} µs after {long} µs in the same group");
    }
}

#[test]
fn memory_of_a_resource_is_counted_where_the_host_counts_it() {
    for mechanism in mechanisms() {
        let host = Host::new(mechanism);
        let scope = host.containment.resource(&host.goal, &"phase".into(), &"it".into()).expect("a scope");
        let mut running = host.start(&scope, &["/bin/sh", "-c", GREEDY]);
        let counts = host.containment.report().limits.contains(&Limit::Memory);
        assert_eq!(host.exit(&mut running), Exit::Code(0), "{mechanism:?}: it has no limit");
        let used = scope.usage().or_of_command(running.usage());
        assert!(used.peak_memory.expect("a measure") > 150 << 20, "{mechanism:?}: {used:?}");
        assert_eq!((used.largest_process, used.oom_kills), (!counts, 0), "{mechanism:?}");
        host.containment.release(&scope).expect("a release");
    }
}

#[test]
fn a_phase_may_want_more_processors_than_its_goal_has() {
    for mechanism in mechanisms() {
        let host = Host::new(mechanism);
        let goal = Limits { cpus: Some(0.5), ..Limits::default() };
        let may = host.containment.limit_goal(&host.goal, &goal).enforced;
        let scope = host.attempt();
        let done = host.containment.limit(&scope, &Limits { cpus: Some(2.0), ..Limits::default() });
        assert_eq!(done.enforced, may, "{mechanism:?}: {done:?}");
        host.containment.release(&scope).expect("a release");
    }
}
