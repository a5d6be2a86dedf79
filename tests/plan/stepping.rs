//! The order inside a phase.

use opensculpt::plan::error::PlanError;
use opensculpt::plan::sealed::Step;

use super::{inputs_of, plan, plan_with};

/// The steps of the only phase, as words.
fn steps(body: &str) -> Vec<String> {
    let plan = plan(&format!("phases:\n  p:\n{body}"));
    let word = |step: &Step| match step {
        Step::Make(name) => format!("make {name}"),
        Step::Serve(name) => format!("serve {name}"),
        Step::Ready(name) => format!("ready {name}"),
        Step::Complete(name) => format!("complete {name}"),
        Step::Work => "work".to_owned(),
    };
    plan.phases[0].steps.iter().map(word).collect()
}

#[test]
fn passive_then_phase_services_then_work_then_goal_services() {
    let body = "
    run: x
    resources:
      later: { process: sleep 1, scope: goal }
      sooner: { process: sleep 2 }
      early: { process: sleep 3, scope: goal, start: before }
      late: { process: sleep 4, start: after }
      port: { port: 8080 }
      dir: { directory: d }
      file: { file: { path: f, content: c } }
      db: { custom: { create: c, exists: e, destroy: d } }
";
    assert_eq!(
        steps(body),
        [
            "make port",
            "make dir",
            "make file",
            "make db",
            "serve sooner",
            "serve early",
            "ready sooner",
            "ready early",
            "work",
            "serve later",
            "serve late",
            "ready later",
            "ready late"
        ]
    );
}

#[test]
fn without_work_and_resources_there_are_no_steps() {
    assert_eq!(steps("    verify: { checks: [ { tcp: '127.0.0.1:1' } ] }"), [""; 0]);
    assert_eq!(steps("    run: x"), ["work"]);
    assert_eq!(steps("    resources: { s: { process: sleep 1 } }"), ["serve s", "ready s"]);
}

#[test]
fn a_dependent_waits_for_what_its_condition_says() {
    let body = "
    run: x
    resources:
      web:
        process: web
        depends_on: { db: { condition: service_healthy }, migrate: { condition: service_completed_successfully }, cache: { condition: service_started } }
      migrate: { process: migrate, depends_on: [db] }
      db: { process: db }
      cache: { process: cache }
";
    assert_eq!(
        steps(body),
        ["serve db", "ready db", "serve migrate", "serve cache", "complete migrate", "serve web", "ready cache", "ready web", "work"]
    );
}

#[test]
fn files_come_after_the_directory_that_they_lie_in() {
    let body = "
    run: x
    resources:
      conf: { file: { path: ./var//web/etc/nginx.conf, content: c } }
      etc: { directory: { path: var/web/etc } }
      beside: { file: { path: var/website, content: c } }
      root: { directory: var/web/ }
      absolute: { file: { path: /var/web/x, content: c } }
";
    assert_eq!(steps(body), ["make beside", "make root", "make etc", "make conf", "make absolute", "work"]);
}

#[test]
fn what_is_made_in_a_service_comes_after_it() {
    let body = "
    run: x
    resources:
      table: { custom: { create: c, exists: e, destroy: d }, depends_on: [server] }
      server: { process: db }
      goal: { process: g, scope: goal }
      seed: { custom: { create: c, exists: e, destroy: d }, depends_on: [goal] }
";
    assert_eq!(steps(body), ["serve server", "ready server", "make table", "work", "serve goal", "ready goal", "make seed"]);
}

#[test]
fn a_contradiction_is_refused() {
    let body =
        "phases: { p: { run: x, resources: { a: { process: a, start: before, depends_on: [b] }, b: { process: b, scope: goal } } } }";
    let found = plan_with(body, &[], &[]).unwrap_err();
    assert_eq!(found, [PlanError::StartsTooEarly { phase: "p".into(), resource: "a".into(), dependency: "b".into() }]);
    let follows = "phases: { p: { run: x, resources: { a: { process: a, depends_on: [b] }, b: { process: b, scope: goal } } } }";
    let steps = plan(follows).phases[0].steps.clone();
    assert_eq!(steps, [Step::Work, Step::Serve("b".into()), Step::Ready("b".into()), Step::Serve("a".into()), Step::Ready("a".into())]);
}

#[test]
fn a_cycle_of_resources_is_named_even_if_no_rule_saw_it() {
    let text = "version: '1'\nname: g\nphases: { p: { resources: { a: { process: a }, b: { process: b, depends_on: [a] } } } }";
    let (mut goal, inputs) = inputs_of("g.yaml", Some(text), &[]);
    goal.phases["p"].resources["a"].depends_on = serde_json::from_value(serde_json::json!(["b"])).unwrap();
    let found = opensculpt::plan::compile::compile(&goal, &inputs).unwrap_err();
    assert_eq!(found[0].to_string(), "failed to plan `p`: these resources wait for each other: a → b → a");
    goal.phases["p"].resources["a"].depends_on = serde_json::from_value(serde_json::json!(["c"])).unwrap();
    let found = opensculpt::plan::compile::compile(&goal, &inputs).unwrap_err();
    assert_eq!(found[0].to_string(), "failed to plan `p`: its resource `a` depends on `c`, and the phase has no such resource");
}
