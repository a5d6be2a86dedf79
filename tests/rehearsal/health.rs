//! Services that are not well for a while, while long work goes on, what needs them waits, and engines die.

use std::fmt::Write as _;

use opensculpt::adapters::rehearsal::faults::{Faults, Kind};
use opensculpt::kernel::record::Record;

use super::{plan_of, play};

/// Two services that one failure makes unhealthy, asked by a look and by a command; a long row of work, of which each part needs both.
fn manifest() -> String {
    let service = |name: &str, port: u64, check: &str| {
        format!(
            "  {name}:
    resources:
      svc:
        process: \"serve {port}\"
        ports: [ {port} ]
        healthcheck: {{ {check}, interval: 2s, retries: 1, start_period: 60s }}
        scope: goal
        restart: always
    verify: {{ checks: [ {{ tcp: \"127.0.0.1:{port}\", retries: 20, interval: 1s }} ] }}
"
        )
    };
    let mut text = "version: \"1\"\nname: health\nconcurrency: 3\nphases:\n".to_owned();
    text.push_str(&service("one", 20_001, "tcp: \"127.0.0.1:20001\""));
    text.push_str(&service("two", 20_002, "exec: \"true\""));
    for index in 0..20 {
        let before = if index == 0 { String::new() } else { format!(", w{}", index - 1) };
        writeln!(text, "  w{index}: {{ needs: [one, two{before}], run: work {index} }}").unwrap();
    }
    text
}

#[test]
fn services_that_are_not_well_are_asked_by_the_rules_whatever_happens_to_the_engine() {
    let plan = plan_of("goals/health.yaml", &manifest());
    let (mut sick, mut ready) = (0, 0);
    for seed in 0..60 {
        let faults: Faults = match seed % 3 {
            0 => [Kind::Flap].into_iter().collect(),
            1 => [Kind::Flap, Kind::Die, Kind::Crash, Kind::Torn].into_iter().collect(),
            _ => Faults::all().without(&[Kind::Slow, Kind::MemoryShort]),
        };
        let watcher = play(&plan, seed, &faults, false);
        for (_, record) in &watcher.records {
            sick += usize::from(matches!(record, Record::ResourceUnhealthy { .. }));
            ready += usize::from(matches!(record, Record::ResourceReady { .. }));
        }
    }
    let told = format!("{sick} times unhealthy, {ready} times ready");
    assert!(sick >= 30 && ready > 60 + sick / 2, "{told}");
}
