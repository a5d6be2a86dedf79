//! `for_each` and `matrix`.

use opensculpt::plan::error::PlanError;
use serde_json::json;

use super::{edges, errors, names, phase, plan, plan_with};

#[test]
fn each_value_is_an_instance_and_its_dependents_wait_for_all() {
    let plan = plan(
        "
phases:
  build: { for_each: [ a, 2, 1.5, true ], run: 'x {{ item }}' }
  test: { for_each: [ p ], needs: [build], run: 'x {{ item }}' }
  ship: { needs: [test, build], run: x }
",
    );
    assert_eq!(
        edges(&plan),
        [
            "build[a]:",
            "build[2]:",
            "build[1.5]:",
            "build[true]:",
            "test[p]: build[a] build[2] build[1.5] build[true]",
            "ship: test[p] build[a] build[2] build[1.5] build[true]"
        ]
    );
    let one = phase(&plan, "build[2]");
    assert_eq!((one.origin.as_str(), json!(one.bindings)), ("build", json!({ "item": 2 })));
    assert!(one.spec.for_each.is_none() && phase(&plan, "ship").spec.needs.is_empty(), "what is resolved is not carried along");
}

#[test]
fn a_matrix_is_every_combination_the_first_axis_outermost() {
    let plan = plan("phases: { p: { matrix: { level: [1, 9], os: [a, b] }, run: 'x {{ matrix.level }}{{ matrix.os }}' } }");
    assert_eq!(names(&plan), ["p[1,a]", "p[1,b]", "p[9,a]", "p[9,b]"]);
    assert_eq!(json!(phase(&plan, "p[9,a]").bindings), json!({ "matrix": { "level": 9, "os": "a" } }));
}

#[test]
fn names_are_safe_and_tell_alike_values_apart() {
    let body = "phases: { p: { for_each: [ 'a/b', 'a b', '..', 'é', '', null, { k: v }, 'a-b' ], run: 'x {{ item }}' } }";
    assert_eq!(names(&plan(body)), ["p[a-b]", "p[a-b~2]", "p[..]", "p[-]", "p[]", "p[null]", "p[--k---v--]", "p[a-b~3]"]);
    let long = format!("phases: {{ p: {{ for_each: [ '{0}1', '{0}2' ], run: 'x {{{{ item }}}}' }} }}", "v".repeat(300));
    let long = plan(&long);
    assert!(long.phases.iter().all(|phase| phase.name.as_str().len() < 128), "a name must fit in a directory entry");
    assert_ne!(long.phases[0].name, long.phases[1].name);
}

#[test]
fn the_values_may_be_computed_from_params_and_environment() {
    let body = "
params: { hosts: { default: 'a,b' }, n: { type: integer, default: 2 } }
env: { MORE: 'm-{{ params.n }}' }
phases:
  host: { for_each: \"params.hosts | split(',')\", run: 'x {{ item }}' }
  number: { for_each: '{{ range(params.n) }}', run: 'x {{ item }}' }
  env: { for_each: \"env.TARGETS | split(',')\", run: 'x {{ item }}' }
  own: { for_each: '[env.MORE]', run: 'x {{ item }}' }
";
    let plan = plan_with(body, &["hosts=c"], &[]).unwrap();
    assert_eq!(names(&plan), ["host[c]", "number[0]", "number[1]", "env[x]", "env[y]", "own[m-2]"]);
}

#[test]
fn an_empty_loop_is_as_if_it_were_not_there() {
    let body = "
params: { n: { type: integer, default: 0 } }
phases:
  first: { run: x }
  none: { for_each: 'range(params.n)', needs: [first], run: 'x {{ item }}' }
  after: { needs: [none], run: x }
";
    assert_eq!(edges(&plan(body)), ["first:", "after:"]);
    assert_eq!(phase(&plan(body), "after").wave, 0);
    assert_eq!(edges(&plan_with(body, &["n=1"], &[]).unwrap()), ["first:", "none[0]: first", "after: none[0]"]);
}

#[test]
fn what_is_no_list_is_refused() {
    let body = "
params: { hosts: { default: 'a,b' }, n: { type: integer, default: 1 } }
phases:
  text: { for_each: params.hosts, run: 'x {{ item }}' }
  missing: { for_each: env.NOT_THERE, run: 'x {{ item }}' }
  number: { for_each: params.n, run: 'x {{ item }}' }
";
    assert_eq!(
        errors(body, &[], &[]),
        [
            "failed to plan `text`: its `for_each` is a text, not a list",
            "failed to plan `missing`: its `for_each` has no value",
            "failed to plan `number`: its `for_each` is the number 1, not a list"
        ]
    );
}

#[test]
fn a_goal_that_explodes_is_refused_before_it_does() {
    let axis = format!("[{}]", vec!["1"; 100].join(", "));
    let body = format!("phases: {{ p: {{ matrix: {{ a: {axis}, b: {axis}, c: {axis} }}, run: 'x {{{{ matrix.a }}}}' }} }}");
    assert_eq!(plan_with(&body, &[], &[]).unwrap_err(), [PlanError::TooManyPhases { phase: "p".into() }]);
    let wide = format!("[{}]", vec!["1"; 4_000].join(", "));
    let body = format!("phases: {{ p: {{ for_each: {wide}, run: x }}, q: {{ for_each: {wide}, needs: [p], run: x }} }}");
    assert_eq!(plan_with(&body, &[], &[]).unwrap_err(), [PlanError::TooManyEdges { phase: "q".into() }]);
}
