//! Order, waves, profiles, `finally`, the goal's checks, reads and requirements.

use opensculpt::manifest::needs::Unlock;
use opensculpt::plan::error::PlanError;
use opensculpt::plan::sealed::Part;
use serde_json::json;

use super::{edges, errors, inputs_of, names, phase, plan, plan_with};

#[test]
fn phases_come_after_what_they_need_and_otherwise_as_written() {
    let plan = plan("phases: { d: { needs: [c, a], run: x }, c: { run: x }, b: { run: x, needs: [a] }, a: { run: x }, e: { run: x } }");
    assert_eq!(names(&plan), ["c", "a", "d", "b", "e"]);
    assert_eq!(plan.phases.iter().map(|phase| phase.wave).collect::<Vec<_>>(), [0, 0, 1, 1, 0]);
    assert_eq!(edges(&plan), ["c:", "a:", "d: c a", "b: a", "e:"]);
}

#[test]
fn the_goals_checks_wait_for_all_phases_and_finally_for_these() {
    let plan = plan(
        "
phases: { a: { run: x }, b: { needs: { a: { when: failed } }, run: x } }
finally: { tell: { needs: [tidy], run: x }, tidy: { run: x } }
verify: { checks: [ { tcp: '127.0.0.1:1' } ] }
",
    );
    assert_eq!(edges(&plan), ["a:", "b: a", "@goal: a b", "tidy: a b @goal", "tell: tidy a b @goal"]);
    let parts: Vec<(Part, u32)> = plan.phases.iter().map(|phase| (phase.part, phase.wave)).collect();
    assert_eq!(parts, [(Part::Phase, 0), (Part::Phase, 1), (Part::Goal, 2), (Part::Finally, 3), (Part::Finally, 4)]);
    assert_eq!(phase(&plan, "b").needs[0].unlock, Unlock::Failed);
    assert!(phase(&plan, "@goal").needs.iter().all(|edge| edge.unlock == Unlock::Finished));
    let tell: Vec<Unlock> = phase(&plan, "tell").needs.iter().map(|edge| edge.unlock).collect();
    assert_eq!(tell, [Unlock::Verified, Unlock::Finished, Unlock::Finished, Unlock::Finished]);
    assert_eq!(phase(&plan, "@goal").checks(), 1);
    assert!(!phase(&plan, "@goal").works());
}

const PROFILES: &str = "
phases:
  a: { run: x }
  debug: { run: x, profiles: [debug, all] }
  trace: { run: x, needs: [debug], profiles: [debug] }
";

#[test]
fn a_phase_with_profiles_takes_part_where_one_is_chosen() {
    assert_eq!(names(&plan(PROFILES)), ["a"]);
    assert_eq!(names(&plan_with(PROFILES, &[], &["all"]).unwrap()), ["a", "debug"]);
    let both = plan_with(PROFILES, &[], &["debug"]).unwrap();
    assert_eq!(names(&both), ["a", "debug", "trace"]);
    assert_eq!(both.profiles.len(), 1);
}

#[test]
fn a_profile_that_leaves_out_too_much_is_refused() {
    let needs = "phases: { a: { run: x, needs: [b] }, b: { run: x, profiles: [p, q] } }";
    assert_eq!(errors(needs, &[], &[]), ["failed to plan `a`: it needs `b`, which takes part only with the profile `p` or `q`"]);
    assert_eq!(
        errors(PROFILES, &[], &["debgu", "x"]),
        ["failed to choose the profile `debgu`: no phase has it", "failed to choose the profile `x`: no phase has it"]
    );
    let all = plan_with("phases: { a: { run: x, profiles: [p] } }", &[], &[]).unwrap_err();
    assert_eq!(all[0].to_string(), "failed to plan: every phase belongs to a profile, and none of them is chosen");
    assert_eq!(all[0].hint().as_deref(), Some("choose one with `--profile`: `p`"));
}

#[test]
fn a_cycle_is_named_even_if_no_rule_saw_it() {
    let (mut goal, inputs) = inputs_of(
        "g.yaml",
        Some("version: '1'\nname: g\nphases: { a: { run: x }, b: { run: x, needs: [a] }, c: { run: x, needs: [b] } }"),
        &[],
    );
    goal.phases["a"].needs = serde_json::from_value(json!(["c"])).unwrap();
    let found = opensculpt::plan::compile::compile(&goal, &inputs).unwrap_err();
    assert_eq!(found.iter().map(ToString::to_string).collect::<Vec<_>>(), ["failed to plan: these phases need each other: a → c → b → a"]);
    goal.phases["a"].needs = serde_json::from_value(json!(["z"])).unwrap();
    let found = opensculpt::plan::compile::compile(&goal, &inputs).unwrap_err();
    assert_eq!(found, [PlanError::UnknownNeed { phase: "a".into(), need: "z".into() }]);
    assert_eq!(found[0].place(), Some((&"a".into(), "needs")));
}

#[test]
fn a_plan_knows_whose_outputs_each_phase_reads() {
    let plan = plan(
        "
params: { all: { default: '' } }
phases:
  a: { run: x, outputs: { url: 'http://h' } }
  b: { run: x, needs: [a], outputs: { n: '1' } }
  each: { for_each: [ p, q ], run: x, needs: [b], outputs: { n: '{{ item }}' } }
  text: { run: 'y {{ phases.a.outputs.url }} {{ params.all }}', needs: [b] }
  plain: { run: 'y {{ phases.a.outputs.url }}', needs: [b], templates: false }
  shell: { run: 'y phases.a.outputs.url {{ params.all }}', needs: [a] }
  when: { run: y, when: phases.b.outputs.n == '1', needs: [b] }
  loop: { run: 'y {{ phases.each.outputs }}', needs: [each] }
  one: { run: \"y {{ phases['each[q]'].outputs.n }}\", needs: [each] }
  computed: { run: \"y {{ phases['a' ~ ''].outputs }}\", needs: [b] }
  file: { resources: { f: { file: { path: p, template: t } } }, needs: [each] }
verify: { checks: [ { http: '{{ phases.a.outputs.url }}' } ] }
",
    );
    let reads = |name: &str| phase(&plan, name).reads.iter().map(|ix| plan.phase(*ix).name.as_str()).collect::<Vec<_>>().join(" ");
    for (name, expected) in [
        ("a", ""),
        ("text", "a"),
        ("plain", ""),
        ("shell", ""),
        ("when", "b"),
        ("loop", "each[p] each[q]"),
        ("one", "each[q]"),
        ("computed", "a b"),
        ("file", "a b each[p] each[q]"),
        ("@goal", "a"),
    ] {
        assert_eq!(reads(name), expected, "{name}");
    }
}

#[test]
fn what_is_required_is_gathered_once_and_rendered() {
    let plan = plan_with(
        "
params: { port: { type: integer, default: 80 } }
requires: { commands: [psql], ports: [ '{{ params.port }}' ] }
phases:
  a: { run: 'x {{ params.port }}', requires: { commands: [psql] } }
  b: { run: x, requires: { commands: [psql] } }
  c: { run: x, requires: { files: [never] }, profiles: [p] }
  each: { for_each: [ 1, 2 ], run: x, requires: { ports: [ '127.0.0.1:90{{ item }}' ] } }
  also: { run: x, profiles: [q] }
",
        &["port=81"],
        &["q"],
    );
    let requires = json!(plan.unwrap().requires);
    assert_eq!(
        requires,
        json!([{ "commands": ["psql"], "ports": ["81"] }, { "commands": ["psql"] }, { "ports": ["127.0.0.1:901"] }, { "ports": ["127.0.0.1:902"] }])
    );
}

#[test]
fn the_goals_own_keys_are_carried_over_with_their_defaults() {
    let plain = plan("phases: { a: { run: x } }");
    assert_eq!((plain.concurrency, plain.manifest.as_str(), plain.env_file.len()), (4, "goals/g.yaml", 0));
    let full = plan(
        "
concurrency: 2
env: { A: 1 }
env_file: [ one.env, two.env ]
working_dir: w
templates: false
budget: { max_time: 3m }
limits: { pids: 9 }
phases: { a: { run: 'x {{', needs: [] } }
",
    );
    assert_eq!(
        (full.concurrency, full.env_file, full.working_dir.as_deref()),
        (2, vec!["one.env".to_owned(), "two.env".to_owned()], Some("w"))
    );
    assert_eq!((full.templates, full.phases[0].spec.templates), (Some(false), Some(false)));
    assert_eq!((full.budget.max_time.unwrap().to_string(), full.limits.pids), ("3m".to_owned(), Some(9)));
}
