//! Goals drawn from a seed, as texts: the manifest and the compiler are played too.

use std::fmt::Write as _;

use opensculpt::adapters::rehearsal::seed::{Seed, Stream};

use super::{plan_of, play, some_faults};

/// A manifest drawn from a seed.
pub(super) fn manifest(seed: u64) -> String {
    let mut stream = Seed(seed).stream("manifest");
    let count = stream.between(1, 7);
    let mut text = format!("version: \"1\"\nname: drawn\nconcurrency: {}\n", stream.between(1, 3));
    if stream.chance(1, 12) {
        writeln!(text, "budget: {{ max_time: {}s }}", stream.between(5, 600)).unwrap();
    }
    text.push_str("phases:\n");
    let last = if count > 2 && stream.chance(1, 5) { count - 1 } else { count };
    let mut memory = Seed(seed).stream("memory of the manifest");
    let mut restarts = Seed(seed).stream("restarts of the manifest");
    for index in 0..last {
        phase(&mut text, &mut stream, index, index, &restart(&mut restarts));
        if memory.chance(1, 3) {
            // Of a host with 1 TiB, of which 80 % may be promised: some wait for each other, and some never fit.
            writeln!(text, "    limits: {{ memory: {}Gi }}", memory.between(100, 850)).unwrap();
        }
    }
    if stream.chance(1, 6) {
        text.push_str("verify: { checks: [ { exec: \"true\" } ] }\n");
    }
    if last < count {
        text.push_str("finally:\n");
        phase(&mut text, &mut stream, last, 0, "");
    }
    text
}

/// One phase, which may need those before it.
fn phase(text: &mut String, stream: &mut Stream, index: u64, before: u64, restart: &str) {
    writeln!(text, "  p{index}:\n    description: Drawn").unwrap();
    needs(text, stream, before);
    let port = 20_000 + index;
    let serves = stream.chance(1, 3);
    resources(text, stream, index, serves.then_some((port, restart)));
    let works = stream.chance(4, 5);
    if works {
        writeln!(text, "    run: work {index}").unwrap();
    }
    if stream.chance(1, 3) {
        let (attempts, initial) = (stream.between(2, 4), stream.between(1, 5));
        writeln!(text, "    retry: {{ attempts: {attempts}, backoff: {{ initial: {initial}s, factor: 2, max: 20s }} }}").unwrap();
    }
    if stream.chance(1, 4) {
        writeln!(text, "    timeout: {}s", stream.between(1, 90)).unwrap();
    }
    if stream.chance(1, 12) {
        writeln!(text, "    when: {}", stream.chance(1, 2)).unwrap();
    }
    verify(text, stream, index, serves.then_some(port));
}

fn needs(text: &mut String, stream: &mut Stream, before: u64) {
    let mut needed: Vec<String> = Vec::new();
    for other in 0..before {
        if stream.chance(2, before + 1) {
            let when = ["verified", "verified", "unverified", "finished", "failed"][usize::try_from(stream.between(0, 4)).unwrap()];
            needed.push(format!("p{other}: {{ when: {when} }}"));
        }
    }
    if !needed.is_empty() {
        writeln!(text, "    needs: {{ {} }}", needed.join(", ")).unwrap();
    }
}

/// When its service is started again; nothing where it is not.
fn restart(stream: &mut Stream) -> String {
    let policy = ["no", "on-failure", "always", "unless-stopped"][usize::try_from(stream.between(0, 3)).unwrap()];
    let (attempts, interval) = (stream.between(1, 6), stream.between(5, 600));
    if stream.chance(1, 3) {
        format!(" restart: {policy}, restart_limits: {{ attempts: {attempts}, interval: {interval}s }},")
    } else if stream.chance(1, 2) {
        format!(" restart: {policy},")
    } else {
        String::new()
    }
}

fn resources(text: &mut String, stream: &mut Stream, index: u64, service: Option<(u64, &str)>) {
    let mut lines: Vec<String> = Vec::new();
    let scope = |stream: &mut Stream| if stream.chance(1, 2) { "goal" } else { "phase" };
    if let Some((port, restart)) = service {
        let grace = stream.between(1, 10);
        // Some are unhealthy for a while where a check fails now and then.
        let retries = 1 + (port + grace) % 3;
        let health = match stream.between(0, 3) {
            0 => format!(", healthcheck: {{ tcp: \"127.0.0.1:{port}\", interval: 1s, retries: {retries}, start_period: 5s }}"),
            1 => format!(", healthcheck: {{ exec: \"true\", interval: 1s, retries: {retries}, start_period: 5s, start_interval: 100ms }}"),
            _ => String::new(),
        };
        let scope = if stream.chance(3, 4) { "goal" } else { "phase" };
        lines
            .push(format!(
                "svc: {{{restart} process: \"serve {index}\", ports: [ {port} ], scope: {scope}, stop: {{ grace: {grace}s }}{health}, limits: {{ memory: {}Gi }} }}",
                index * 60 % 400
            ));
    }
    if stream.chance(1, 8) {
        lines.push(format!("side: {{ process: \"side {index}\", scope: phase, start: before }}"));
    }
    if stream.chance(1, 3) {
        let keep = if stream.chance(1, 2) { ", keep: false" } else { "" };
        let scope = scope(stream);
        lines.push(format!("dir: {{ directory: d{index}, scope: {scope}{keep} }}"));
    }
    if stream.chance(1, 6) {
        let scope = scope(stream);
        lines.push(format!("conf: {{ file: {{ path: f{index}, content: something }}, scope: {scope}, keep: false }}"));
    }
    if stream.chance(1, 8) {
        let scope = scope(stream);
        lines.push(format!("db: {{ custom: {{ create: \"c {index}\", exists: \"e {index}\", destroy: \"x {index}\" }}, scope: {scope} }}"));
    }
    if !lines.is_empty() {
        text.push_str("    resources:\n");
        for line in lines {
            writeln!(text, "      {line}").unwrap();
        }
    }
}

fn verify(text: &mut String, stream: &mut Stream, index: u64, port: Option<u64>) {
    let mut checks: Vec<String> = Vec::new();
    for _ in 0..stream.between(0, 2) {
        let patience = if stream.chance(1, 3) { ", retries: 2, interval: 500ms" } else { "" };
        let kind = match (stream.between(0, 3), port) {
            (0 | 1, Some(port)) => format!("http: \"http://127.0.0.1:{port}/\""),
            (0, None) => format!("file: d{index}/made"),
            (1, None) => format!("file: {{ path: made{index}, contains: x }}"),
            _ => format!("exec: \"test {index}\", timeout: 2s"),
        };
        checks.push(format!("{{ {kind}{patience} }}"));
    }
    let asks = stream.chance(1, 8);
    if checks.is_empty() && !asks {
        return;
    }
    let mut keys = Vec::new();
    if !checks.is_empty() {
        keys.push(format!("checks: [ {} ]", checks.join(", ")));
    }
    if asks {
        keys.push("tier: ask_user, question: \"Is it right?\"".to_owned());
    }
    if stream.chance(1, 8) {
        keys.push(format!("red_before_green: {}", if stream.chance(1, 2) { "false" } else { "once" }));
    }
    writeln!(text, "    verify: {{ {} }}", keys.join(", ")).unwrap();
}

/// How many seeds are tried.
fn seeds() -> u64 {
    std::env::var("REHEARSE_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(500)
}

#[test]
fn any_goal_with_any_faults_is_carried_out_by_the_rules() {
    if let Some(seed) = std::env::var("REHEARSE_SEED").ok().and_then(|text| text.parse().ok()) {
        let text = manifest(seed);
        println!("{text}\nfaults: {}", some_faults(seed));
        play(&plan_of("goals/drawn.yaml", &text), seed, &some_faults(seed), true);
        return;
    }
    let threads = std::thread::available_parallelism().map_or(1, |count| count.get() as u64);
    let failed: Vec<String> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|first| {
                scope.spawn(move || {
                    for seed in (first..seeds()).step_by(usize::try_from(threads).unwrap()) {
                        let text = manifest(seed);
                        let played =
                            std::panic::catch_unwind(|| play(&plan_of("goals/drawn.yaml", &text), seed, &some_faults(seed), false));
                        if played.is_err() {
                            return Some(format!("seed {seed}: see above; REHEARSE_SEED={seed} tells the story\n{text}"));
                        }
                    }
                    None
                })
            })
            .collect();
        workers.into_iter().filter_map(|worker| worker.join().unwrap()).collect()
    });
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
