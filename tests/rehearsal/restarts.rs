//! Services that end by themselves while long work goes on, and are started again, also by engines that died meanwhile.

use std::fmt::Write as _;

use opensculpt::adapters::rehearsal::faults::{Faults, Kind};
use opensculpt::kernel::record::Record;

use super::{plan_of, play};

/// Two services of which one needs the other, a long row of work, and what needs all of it.
fn manifest() -> String {
    let service = |port: u64, limits: &str| {
        format!(
            "    resources:
      svc: {{ process: \"serve {port}\", ports: [ {port} ], scope: goal, restart: always{limits} }}
    verify: {{ checks: [ {{ tcp: \"127.0.0.1:{port}\", retries: 20, interval: 1s }} ] }}
"
        )
    };
    let mut text = "version: \"1\"\nname: again\nconcurrency: 3\nphases:\n".to_owned();
    write!(text, "  one:\n{}", service(20_001, ", restart_limits: { attempts: 50, interval: 1m }")).unwrap();
    write!(text, "  two:\n    needs: [one]\n{}", service(20_002, "")).unwrap();
    for index in 0..20 {
        let needs = if index == 0 { String::new() } else { format!("    needs: [w{}]\n", index - 1) };
        write!(text, "  w{index}:\n{needs}    run: work {index}\n").unwrap();
    }
    text.push_str("  last: { needs: [two, w19], run: work last }\n");
    text
}

#[test]
fn services_that_die_are_started_again_by_the_rules_whatever_happens_to_the_engine() {
    let plan = plan_of("goals/again.yaml", &manifest());
    let (mut restarts, mut given_up, mut ready) = (0, 0, 0);
    for seed in 0..60 {
        let faults: Faults = match seed % 3 {
            0 => [Kind::Die].into_iter().collect(),
            1 => [Kind::Die, Kind::Crash, Kind::Torn].into_iter().collect(),
            _ => Faults::all().without(&[Kind::Slow, Kind::MemoryShort]),
        };
        let watcher = play(&plan, seed, &faults, false);
        for (_, record) in &watcher.records {
            restarts += usize::from(matches!(record, Record::Restarting { .. }));
            given_up += usize::from(matches!(record, Record::NotRestarted { .. }));
            ready += usize::from(matches!(record, Record::ResourceReady { .. }));
        }
    }
    let told = format!("{restarts} restarts, {ready} times ready, {given_up} given up");
    assert!(restarts >= 30 && given_up > 0 && ready > 60, "{told}");
}
