//! Numbers of processes that are used again: what was ours is never taken for what has its number now.

use std::fs;
use std::process::{Child, Command, Stdio};

use opensculpt::adapters::process::end::StopPolicy;
use opensculpt::adapters::process::identity::ProcessId;
use opensculpt::adapters::process::running::Exit;
use opensculpt::adapters::process::witness::end_of;
use opensculpt::base::time::Span;
use rustix::process::Signal;

use super::host::{Host, mechanisms};
use crate::part::require;

/// How many numbers are used again: 1000 in CI.
fn rounds() -> u32 {
    std::env::var("REUSE_ROUNDS").map_or(100, |rounds| rounds.parse().expect("REUSE_ROUNDS is a number"))
}

/// A stranger with this number, in a PID namespace where we say which number comes next.
fn stranger(pid: u32) -> Option<Child> {
    fs::write("/proc/sys/kernel/ns_last_pid", (pid - 1).to_string()).expect("the last number");
    let mut sleep = Command::new("sleep");
    let mut child = sleep.arg("86400").stdin(Stdio::null()).spawn().expect("a stranger");
    if child.id() == pid {
        return Some(child);
    }
    end(&mut child);
    None
}

fn end(stranger: &mut Child) {
    stranger.kill().expect("its end");
    stranger.wait().expect("its end");
}

#[test]
fn a_number_that_is_used_again_brings_nobody_to_harm() {
    const NAMESPACE: [&str; 5] = ["--user", "--map-root-user", "--pid", "--fork", "--mount-proc"];
    let offered = Command::new("unshare").args(NAMESPACE).arg("true").output().is_ok_and(|tried| tried.status.success());
    if !require("numbers that are used again", "a PID namespace of its own (`unshare --user --pid`)", offered) {
        return;
    }
    let mut inside = Command::new("unshare");
    inside.args(NAMESPACE).arg(std::env::current_exe().expect("this program"));
    inside.args(["--exact", "adapters_process::reuse::in_a_namespace", "--ignored", "--nocapture"]);
    let ran = inside.output().expect("the namespace");
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{said}{}", String::from_utf8_lossy(&ran.stderr));
    assert!(said.contains("1 passed"), "{said}");
}

#[test]
#[ignore = "run by a_number_that_is_used_again_brings_nobody_to_harm"]
fn in_a_namespace() {
    let host = Host::new(*mechanisms().last().expect("a mechanism"));
    let (mut reused, mut within_a_tick) = (0, 0);
    while reused < rounds() {
        let scope = host.attempt();
        let mut running = host.start(&scope, &["sleep", "86400"]);
        let id = running.id().clone();
        scope.kill().expect("an end");
        assert_eq!(host.exit(&mut running), Exit::Signal(9));
        let Some(mut stranger) = stranger(id.pid) else { continue };
        let theirs = ProcessId::of(stranger.id()).expect("the stranger");
        if theirs.start == id.start && id.unique.is_none() {
            // Before Linux 6.9 nothing tells the two apart.
            end(&mut stranger);
            continue;
        }
        reused += 1;
        within_a_tick += u32::from(theirs.start == id.start);
        assert!(!id.alive(), "it is taken for ours");
        assert!(!id.signal(Signal::KILL).expect("a signal"), "it is killed");
        assert_eq!(host.runtime.block_on(end_of(&id)).expect("a look"), None, "it is adopted");
        let ended = scope.end(&StopPolicy::term(Span::seconds(5)), Some(&id)).expect("an end");
        assert_eq!((ended.survivors, ended.killed), (vec![], 0));
        assert!(stranger.try_wait().expect("a look").is_none(), "a stranger was ended");
        end(&mut stranger);
    }
    println!("{reused} numbers used again, {within_a_tick} within a tick of the clock");
}
