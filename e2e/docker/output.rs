//! What a container says is in its log: all of it, and once.

use std::time::Duration;

use super::fixture::with_docker;
use crate::world::deadline::until;

/// Numbers, alternately on stdout and stderr, without the pause that would make each time another one.
const NUMBERS: &str = "i=0; while [ $i -lt 3000 ]; do echo $i; echo e$i >&2; i=$((i+1)); done";

#[test]
fn nothing_is_lost_or_doubled_however_often_it_is_broken_off() {
    with_docker("logs that are broken off", |world| async move {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        let id = world.start(&world.spec("it/serve/it", NUMBERS)).await;
        let mut times = 0;
        // Each time it is broken off wherever it is, also between the log and its mark's next state.
        for wait in (0..).map(|n| Duration::from_millis(5 + n * 5)) {
            times += 1;
            match tokio::time::timeout(wait, world.fleet.logs_to(&id, &log)).await {
                Ok(ended) => {
                    ended.unwrap();
                    break;
                }
                // As an engine leaves it that was killed after the output and before the mark.
                Err(_) if log.exists() => append(&log, "to be cut off"),
                Err(_) => {}
            }
        }
        let text = std::fs::read_to_string(&log).unwrap();
        let of = |error: bool| text.lines().filter(|line| line.starts_with('e') == error).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(of(false), (0..3000).map(|n| n.to_string()).collect::<Vec<_>>(), "after {times} times");
        assert_eq!(of(true), (0..3000).map(|n| format!("e{n}")).collect::<Vec<_>>(), "after {times} times");
        // Once more, though it has ended.
        world.fleet.logs_to(&id, &log).await.unwrap();
        assert_eq!(std::fs::read_to_string(&log).unwrap(), text);
    });
}

#[test]
fn output_is_followed_while_it_comes_and_long_lines_are_whole() {
    with_docker("logs that are followed", |world| async move {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        let script = "head -c 100000 /dev/zero | tr '\\0' x; echo; echo up; until [ -e /go ]; do sleep 0.01; done; printf end";
        let id = world.start(&world.spec("it/serve/it", script)).await;
        let (fleet, path, of) = (world.fleet.clone(), log.clone(), id.clone());
        let following = tokio::spawn(async move { fleet.logs_to(&of, &path).await });
        let before = format!("{}\nup\n", "x".repeat(100_000));
        tokio::task::block_in_place(|| until("the output to be there", || (std::fs::read_to_string(&log).ok()? == before).then_some(())));
        world.fleet.exec(&id, &["/bin/touch", "/go"].map(str::to_owned), &[], |_| {}).await.unwrap();
        following.await.unwrap().unwrap();
        assert_eq!(std::fs::read_to_string(&log).unwrap(), format!("{before}end"));
    });
}

fn append(log: &std::path::Path, text: &str) {
    use std::io::Write as _;
    std::fs::OpenOptions::new().append(true).open(log).unwrap().write_all(text.as_bytes()).unwrap();
}
