//! The end of processes that are not our children, as an engine sees it that was started after them.

use std::fs;
use std::time::Duration;

use opensculpt::adapters::process::identity::ProcessId;
use opensculpt::adapters::process::running::Exit;
use opensculpt::adapters::process::witness::end_of;

use super::host::{Host, mechanisms, until};

/// Linux keeps the exit status of a process that was waited for since 6.15.
fn kernel_keeps_exits() -> bool {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").expect("a release");
    let mut numbers = release.split(['.', '-']).map_while(|part| part.trim().parse::<u32>().ok());
    (numbers.next(), numbers.next()) >= (Some(6), Some(15))
}

/// Starts a grandchild that ends like this once it may, below a parent that does this afterwards; gives how its end was seen.
fn witnessed(end: &str, parent: &str) -> Option<Exit> {
    let host = Host::new(mechanisms()[0]);
    let scope = host.attempt();
    let dir = host.dir.path();
    // After the number is written the parent runs no command that it would wait for, and with it for the grandchild.
    let script = format!("mkfifo gate; (read x < gate; {end}) & echo $! > pid; {parent}");
    let _parent = host.start(&scope, &["/bin/sh", "-c", &script]);
    until("the grandchild", || fs::read_to_string(dir.join("pid")).is_ok_and(|pid| pid.ends_with('\n')));
    let pid = fs::read_to_string(dir.join("pid")).expect("a pid").trim().parse().expect("a number");
    let id = ProcessId::of(pid).expect("the grandchild");
    let gate = dir.join("gate");
    let seen = host.runtime.block_on(async {
        let end = tokio::time::timeout(Duration::from_mins(1), end_of(&id));
        let open = async { tokio::task::spawn_blocking(move || fs::write(gate, "go\n")).await };
        // The look is begun first: it must have its handle before the end.
        let (seen, opened) = tokio::join!(biased; end, open);
        opened.expect("a thread").expect("a gate");
        seen.expect("an end in time").expect("a look")
    });
    scope.kill().expect("an end");
    seen
}

#[test]
fn how_a_process_ended_that_its_parent_has_waited_for_is_seen_where_the_kernel_keeps_it() {
    let known = |exit| kernel_keeps_exits().then_some(exit);
    assert_eq!(witnessed("exit 7", "wait; exec sleep 86400"), known(Exit::Code(7)));
    assert_eq!(witnessed("exit 0", "wait; exec sleep 86400"), known(Exit::Code(0)));
    assert_eq!(witnessed("kill -KILL $(cat pid)", "wait; exec sleep 86400"), known(Exit::Signal(9)));
}

#[test]
fn how_a_process_ended_whose_parent_does_not_wait_is_seen() {
    assert_eq!(witnessed("exit 7", "exec sleep 86400"), Some(Exit::Code(7)));
    assert_eq!(witnessed("exit 0", "exec sleep 86400"), Some(Exit::Code(0)));
}

#[test]
fn of_a_process_that_had_ended_before_nothing_is_known() {
    let host = Host::new(mechanisms()[0]);
    let scope = host.attempt();
    let mut running = host.start(&scope, &["/bin/sh", "-c", "exit 3"]);
    let id = running.id().clone();
    assert_eq!(host.exit(&mut running), Exit::Code(3));
    assert_eq!(host.runtime.block_on(end_of(&id)).expect("a look"), None);
}
