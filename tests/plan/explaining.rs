//! What `sculpt plan` shows. The files beside this one are exact; `SNAPSHOTS=overwrite` writes them anew.

use opensculpt::plan::explain::explanation::explain;
use opensculpt::plan::explain::limits::{HostReport, Limit};
use opensculpt::plan::explain::{dot, mermaid, text};
use serde_json::json;
use snapbox::{assert_data_eq, file};

use super::{host, plan, plan_file};

#[test]
fn goals_of_this_repository_are_planned() {
    let shown = |path: &str| text::text(&explain(&plan_file(path), &host()), false);
    assert_data_eq!(shown("goals/hello.yaml"), file!["shown/hello.txt"].raw());
    assert_data_eq!(shown("goals/crm.yaml"), file!["shown/crm.txt"].raw());
    assert_data_eq!(shown("goals/stack.yaml"), file!["shown/stack.txt"].raw());
    assert_data_eq!(shown("goals/examples/approve.yaml"), file!["shown/approve.txt"].raw());
    assert_data_eq!(shown("goals/examples/etl.yaml"), file!["shown/etl.txt"].raw());
    assert_data_eq!(shown("goals/examples/fanout.yaml"), file!["shown/fanout.txt"].raw());
}

#[test]
fn graphs_are_drawn() {
    let fanout = explain(&plan_file("goals/examples/fanout.yaml"), &host());
    assert_data_eq!(dot::dot(&fanout), file!["shown/fanout.dot"].raw());
    assert_data_eq!(mermaid::mermaid(&fanout), file!["shown/fanout.mmd"].raw());
    let approve = explain(&plan_file("goals/examples/approve.yaml"), &host());
    assert_data_eq!(mermaid::mermaid(&approve), file!["shown/approve.mmd"].raw());
    let crm = explain(&plan_file("goals/crm.yaml"), &host());
    assert_data_eq!(dot::dot(&crm), file!["shown/crm.dot"].raw());
}

#[test]
fn the_json_is_stable() {
    let crm = serde_json::to_string_pretty(&explain(&plan_file("goals/crm.yaml"), &host())).unwrap();
    assert_data_eq!(crm, file!["shown/crm.json"].raw());
}

#[test]
fn conditions_cannot_leave_their_labels() {
    let body = "phases: { a: { run: x, when: '\"<b>\" ~ \"\\\\\" != \"#1\"' } }";
    let explained = explain(&plan(body), &host());
    assert!(dot::dot(&explained).contains(r##"label="a\nwhen \"<b>\" ~ \"\\\\\" != \"#1\"""##), "{}", dot::dot(&explained));
    assert!(
        mermaid::mermaid(&explained).contains("p0[\"a<br/>when #34;#60;b#62;#34; ~ #34;#92;#92;#34; != #34;#35;1#34;\"]"),
        "{}",
        mermaid::mermaid(&explained)
    );
}

#[test]
fn a_host_that_cannot_limit_is_told_and_strict_is_refused() {
    let body = "
limits: { memory: 1Gi, cpus: 1.5, enforce: strict }
phases:
  a: { run: x, limits: { pids: 5 } }
  b: { run: x, limits: { memory: 1Mi, files: 64, enforce: best-effort } }
";
    let plan = plan(body);
    let weak = HostReport {
        mechanism: "a supervisor for each scope".to_owned(),
        enforceable: vec![Limit::Pids],
        gaps: Vec::new(),
        container_engine: None,
        container_limits: None,
        together: false,
        defaults: None,
    };
    let told = |host: &HostReport| {
        let lines =
            explain(&plan, host).limits.into_iter().map(|limited| (limited.owner.to_string(), json!(limited.unenforced), limited.refused));
        lines.collect::<Vec<_>>()
    };
    assert_eq!(
        told(&weak),
        [
            ("g".to_owned(), json!(["memory", "cpus"]), true),
            ("g/a".to_owned(), json!([]), false),
            ("g/b".to_owned(), json!(["memory"]), false)
        ]
    );
    let none = HostReport { enforceable: Vec::new(), ..weak.clone() };
    assert_eq!(told(&none)[1], ("g/a".to_owned(), json!(["pids"]), true), "a phase inherits the goal's strictness");
    assert!(told(&host()).iter().all(|(_, unenforced, refused)| *unenforced == json!([]) && !refused));
    let text = text::text(&explain(&plan, &weak), false);
    for line in [
        "  the goal  1Gi memory, 1.5 cpus  REFUSED: memory, cpus cannot be enforced",
        "  a         5 pids                enforced",
        "  b         1Mi memory, 64 files  not enforced: memory",
        "  this host holds processes together by a supervisor for each scope, and can limit pids",
    ] {
        assert!(text.lines().any(|shown| shown == line), "{line}\n{text}");
    }
}

#[test]
fn containers_have_the_limits_of_their_goal_each_for_itself_and_strict_is_refused() {
    let body = "
limits: { memory: 1Gi, enforce: ENFORCE }
phases:
  a: { run: x, image: here, limits: { cpus: 1 } }
  b: { resources: { db: { container: { image: here }, limits: { pids: 5 } }, svc: { process: x, limits: { pids: 5 } } } }
";
    let weak = HostReport { enforceable: vec![Limit::Memory], ..HostReport::default() };
    for (enforce, strict) in [("best-effort", false), ("strict", true)] {
        let explained = explain(&plan(&body.replace("ENFORCE", enforce)), &weak);
        let told: Vec<_> = explained
            .limits
            .iter()
            .map(|limited| (limited.owner.to_string(), limited.unenforced.as_slice(), limited.apart, limited.refused))
            .collect();
        // What the container engine enforces does not depend on what the host offers for processes.
        let expected = [
            ("g".to_owned(), [].as_slice(), true, strict),
            ("g/a".to_owned(), [].as_slice(), false, false),
            ("g/b/db".to_owned(), [].as_slice(), false, false),
            ("g/b/svc".to_owned(), [Limit::Pids].as_slice(), false, strict),
        ];
        assert_eq!(told, expected);
        let text = text::text(&explained, false);
        let shown = if strict { "REFUSED: each container has them for itself" } else { "enforced, on each container for itself" };
        assert!(text.contains(&format!("  the goal  1Gi memory  {shown}\n")), "{text}");
        assert_eq!(text.contains("what the containers of a goal use together is not limited"), !strict, "{text}");
    }
}

#[test]
fn budgets_are_rolled_up() {
    let body = "
budget: { max_tokens: 100, max_cost: 1.0, max_time: 10m }
phases:
  a: { run: x, budget: { max_tokens: 60, max_cost: 0.25, max_time: 6m } }
  b: { run: x, needs: [a], budget: { max_tokens: 60, max_time: 6m } }
  c: { run: x, budget: { max_cost: 0.5, max_time: 9m } }
";
    let explained = explain(&plan(body), &host());
    assert_eq!(json!(explained.budget.phases), json!({ "max_tokens": 120, "max_cost": 0.75, "max_time": "12m" }));
    assert_eq!(
        json!(explained.budget.over),
        json!([{ "of": "max_tokens", "goal": 100, "phases": 120 }, { "of": "max_time", "goal": "10m", "phases": "12m" }])
    );
    let text = text::text(&explained, false);
    assert!(text.contains("  warning: the phases may spend 120 tokens, the goal only 100\n"), "{text}");
    assert!(text.contains("  warning: a chain of phases may take 12m, the goal only 10m\n"), "{text}");
}

#[test]
fn the_critical_path_follows_timeouts_before_length() {
    let body = "
phases:
  a: { run: x }
  b: { run: x, needs: [a] }
  c: { run: x, needs: [b] }
  slow: { run: x, timeout: 10m }
  end: { run: x, needs: [c, slow] }
";
    let path = explain(&plan(body), &host()).critical_path;
    assert_eq!(json!(path), json!({ "phases": ["slow", "end"], "timeouts": "10m", "unbounded": 1 }));
    let without = explain(&plan(&body.replace(", timeout: 10m", "")), &host()).critical_path;
    assert_eq!(json!(without), json!({ "phases": ["a", "b", "c", "end"], "timeouts": "0s", "unbounded": 4 }));
}

#[test]
fn resources_say_when_they_go() {
    let body = "
phases:
  a:
    run: x
    resources:
      tmp: { directory: tmp }
      data: { directory: data, scope: goal }
      cache: { directory: cache, scope: goal, keep: false }
      log: { file: { path: log, content: c }, keep: true }
      srv: { process: 'serve {{ secrets.s }}', scope: goal }
secrets: { s: { generate: 8 } }
";
    let explained = explain(&plan(body), &host());
    let told: Vec<String> =
        explained.resources.iter().map(|held| format!("{} {} {}", held.owner, held.what, held.released.words())).collect();
    assert_eq!(
        told,
        [
            "g/a/tmp tmp the phase's end",
            "g/a/data data sculpt down --volumes",
            "g/a/cache cache sculpt down",
            "g/a/log log sculpt down --volumes",
            "g/a/srv serve {{ secrets.s }} sculpt down"
        ]
    );
    assert_eq!(json!(explained.teardown_order), json!([["g/a/srv"], ["g/a/cache"], ["g/a/data"]]));
}

#[test]
fn ten_thousand_phases_fit_a_screen() {
    let needs = |n: u32| n.checked_sub(1).map(|before| format!("p{before}")).unwrap_or_default();
    let phase = |n: u32| format!("  p{n}: {{ run: x, needs: [{}], resources: {{ d: {{ directory: d{n}, scope: goal }} }} }}", needs(n));
    let phases: Vec<String> = (0..10_000).map(phase).collect();
    let explained = explain(&plan(&format!("phases:\n{}", phases.join("\n"))), &host());
    let text = text::text(&explained, false);
    assert!(text.lines().count() < 110, "{} lines", text.lines().count());
    assert!(text.lines().all(|line| line.chars().count() < 200));
    assert!(text.contains("  … and 9960 more phases; `--format json` shows all of them\n"), "{text}");
    assert!(text.contains("p0 → p1 → p2 → p3 → p4 → p5 → p6 → … 9992 more → p9999\n"), "{text}");
}

#[test]
fn colours_add_nothing_but_colours() {
    let explained = explain(&plan_file("goals/crm.yaml"), &host());
    let coloured = text::text(&explained, true);
    assert!(coloured.contains("\x1b[1mcrm\x1b[0m"));
    let stripped = ["\x1b[0m", "\x1b[1m", "\x1b[2m", "\x1b[33m"].iter().fold(coloured, |text, code| text.replace(code, ""));
    assert_eq!(stripped, text::text(&explained, false));
}
