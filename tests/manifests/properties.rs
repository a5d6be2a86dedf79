//! What holds for any manifest: nothing panics, schema and types never disagree, and what is written reads back.

use opensculpt::base::diagnostic::Severity;
use opensculpt::interface::report::{self, Format};
use opensculpt::manifest::goal::Goal;
use opensculpt::manifest::load::assemble;
use opensculpt::manifest::{validate, yaml};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{alone, corpus, load, load_text};

/// How many manifests a property is asked of; `PROPTEST_CASES` asks of more.
fn cases(default: u32) -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(default);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// The manifests of the corpus as values, without what they include.
fn seeds() -> Vec<Value> {
    let mut seeds: Vec<Value> =
        corpus("valid").iter().filter_map(|path| load(path).ok()).map(|loaded| serde_json::to_value(loaded.goal).unwrap()).collect();
    seeds.push(json!({ "version": "1", "name": "x", "phases": {} }));
    seeds
}

fn texts() -> Vec<String> {
    ["valid", "invalid"].into_iter().flat_map(corpus).filter_map(|path| std::fs::read_to_string(path).ok()).collect()
}

/// One change somewhere in a value: `at` walks down, `what` says what happens there.
fn mutate(value: &mut Value, at: &[usize], what: usize) {
    let wild = [
        Value::Null,
        json!(true),
        json!(0),
        json!(-1),
        json!(1.5),
        json!(u64::MAX),
        json!(1e300),
        json!(""),
        json!("x"),
        json!("30"),
        json!("1m30s"),
        json!("512Mi"),
        json!("{{ params.port }}"),
        json!("{{ x"),
        json!([]),
        json!([1, "a", {}]),
        json!({}),
        json!({ "x-a": 1 }),
        json!({ "run": "make" }),
        json!({ "http": { "url": "http://a/" } }),
        json!({ "attempts": 2 }),
        json!("no"),
        json!("999999d"),
        json!("999999999999999Ti"),
    ];
    let keys = ["run", "needs", "x-y", "env", "timeout", "verify", "when", "unknown", "", "größe", "a b", "checks", "default", "type"];
    match (value, at.split_first()) {
        (Value::Object(map), Some((first, rest))) if !map.is_empty() => {
            let index = first % (map.len() + 1);
            if index == map.len() {
                map.insert(keys[what % keys.len()].to_owned(), wild[(what / 7) % wild.len()].clone());
            } else if rest.is_empty() && what.is_multiple_of(5) {
                let key = map.keys().nth(index).unwrap().clone();
                map.shift_remove(&key);
            } else if let Some(below) = map.values_mut().nth(index) {
                mutate(below, rest, what);
            }
        }
        (Value::Array(items), Some((first, rest))) if !items.is_empty() => {
            let index = first % items.len();
            mutate(&mut items[index], rest, what);
        }
        (value, _) => *value = wild[what % wild.len()].clone(),
    }
}

/// Whether a mapping or a list gave way to something else, somewhere, or a key that means something was added.
fn is_more_than_a_slip(before: &Value, after: &Value) -> bool {
    match (before, after) {
        (Value::Object(one), Value::Object(other)) => {
            other.keys().any(|key| !one.contains_key(key) && !["x-y", "unknown", "", "größe", "a b"].contains(&key.as_str()))
                || one.iter().any(|(key, value)| {
                    other.get(key).map_or(value.is_object() || value.is_array(), |after| is_more_than_a_slip(value, after))
                })
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            one.iter().zip(other).any(|(one, other)| is_more_than_a_slip(one, other))
        }
        (Value::Object(_) | Value::Array(_), _) => true,
        _ => false,
    }
}

/// The rules of the schema, and of what is read before it.
const OF_THE_SCHEMA: [&str; 11] = [
    "unknown-key",
    "missing-key",
    "wrong-type",
    "unknown-value",
    "wrong-form",
    "out-of-range",
    "empty",
    "schema",
    "with-without-uses",
    "uses-and-work",
    "unreadable-file",
];

/// The schema and the engine give the same answer; whatever the engine says, it can be shown.
fn agree(value: &Value) -> Result<(), TestCaseError> {
    let typed = serde_json::from_value::<Goal>(value.clone());
    if validate::is_valid(value) {
        prop_assert!(typed.is_ok(), "the schema accepts, the types refuse: {}\n{value:#}", typed.unwrap_err());
    }
    Ok(())
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn schema_and_types_never_disagree(seed in 0_usize..1000, changes in prop::collection::vec((prop::collection::vec(0_usize..40, 1..8), 0_usize..1000), 0..4)) {
        thread_local!(static SEEDS: Vec<Value> = seeds());
        let mut value = SEEDS.with(|seeds| seeds[seed % seeds.len()].clone());
        for (at, what) in &changes {
            mutate(&mut value, at, *what);
        }
        agree(&value)?;
    }

    #[test]
    fn what_is_written_reads_back(seed in 0_usize..1000, changes in prop::collection::vec((prop::collection::vec(0_usize..40, 1..8), 0_usize..1000), 0..3)) {
        thread_local!(static SEEDS: Vec<Value> = seeds());
        let mut value = SEEDS.with(|seeds| seeds[seed % seeds.len()].clone());
        for (at, what) in &changes {
            let mut changed = value.clone();
            mutate(&mut changed, at, *what);
            if validate::is_valid(&changed) {
                value = changed;
            }
        }
        let goal: Goal = serde_json::from_value(value).unwrap();
        let text = yaml::write(&goal).unwrap();
        let document = assemble("goal.yaml", &alone(&text)).map_err(|found| {
            TestCaseError::fail(format!("{}\n{text}", report::render(&found, Format::Human, false)))
        })?;
        let again: Goal = serde_json::from_value(document.root.to_value()).unwrap();
        // As texts, since `needs: {}` and no `needs` are the same.
        prop_assert_eq!(yaml::write(&again).unwrap(), text);
    }

    #[test]
    fn what_the_schema_refuses_has_no_echo(seed in 0_usize..1000, at in prop::collection::vec(0_usize..40, 1..8), what in 0_usize..1000) {
        thread_local!(static SEEDS: Vec<Value> = seeds());
        let mut value = SEEDS.with(|seeds| seeds[seed % seeds.len()].clone());
        mutate(&mut value, &at, what);
        let before = SEEDS.with(|seeds| seeds[seed % seeds.len()].clone());
        // Where a whole section goes, what it declared is missing in truth.
        let small = !is_more_than_a_slip(&before, &value);
        let was_good = SEEDS.with(|seeds| load_text(&yaml::write(&seeds[seed % seeds.len()]).unwrap()).is_ok());
        if small && was_good && !validate::is_valid(&value) {
            let text = yaml::write(&value).unwrap();
            let found = load_text(&text).expect_err("the schema refuses it");
            let shown = || report::render(&found, Format::Human, false);
            prop_assert!(found.iter().all(|finding| finding.severity == Severity::Warning || OF_THE_SCHEMA.contains(&finding.rule)), "{}\n{text}", shown());
        }
    }

    #[test]
    fn no_text_panics_and_every_place_can_be_shown(seed in 0_usize..1000, changes in prop::collection::vec((0_usize..100_000, 0_usize..100_000), 1..5)) {
        const PARTS: [&str; 24] = ["{", "}", "[", "]", ":", "- ", "\n", "\t", "  ", "\"", "'", "&a ", "*a", "<<: ", "é", "🦀", "{{", "}}", "|", ">", "#", "null", "\r", "---\n"];
        thread_local!(static TEXTS: Vec<String> = texts());
        let mut text = TEXTS.with(|texts| texts[seed % texts.len()].clone());
        for (at, what) in changes {
            let border = |at: usize, text: &str| (0..=at % (text.len() + 1)).rev().find(|at| text.is_char_boundary(*at)).unwrap();
            let start = border(at, &text);
            let end = (start..=text.len()).skip(what % 4).find(|end| text.is_char_boundary(*end)).unwrap_or(text.len());
            text.replace_range(start..end, if what % 3 == 0 { "" } else { PARTS[what % PARTS.len()] });
        }
        let found = match load_text(&text) {
            Ok(loaded) => loaded.warnings,
            Err(found) => {
                prop_assert!(found.iter().any(|finding| finding.severity == Severity::Error));
                found
            }
        };
        for finding in &found {
            let source = finding.source.as_ref().map_or("", |source| source.text.as_str());
            prop_assert!(finding.rule == "unreadable-file" || source.get(finding.span.clone()).is_some(), "{:?}", finding);
            prop_assert_ne!(finding.rule, "schema-and-types");
        }
        for format in [Format::Human, Format::Json, Format::Github, Format::Sarif] {
            report::render(&found, format, true);
        }
    }
}

#[test]
fn an_error_is_found_in_the_line_where_it_was_put() {
    let lines: Vec<String> = (0..200).map(|index| format!("  p{index}: {{ run: make, timeout: 5m }}")).collect();
    for line in [0, 1, 57, 199] {
        for (part, rule) in [
            ("timeout: 5", "wrong-type"),
            ("tiemout: 5m", "unknown-key"),
            ("needs: [nobody]", "unknown-need"),
            ("env: { A: \"{{ b }}\" }", "unknown-variable"),
        ] {
            let mut mutant = lines.clone();
            mutant[line] = mutant[line].replace("timeout: 5m", part);
            let text = format!("version: \"1\"\nname: x\nphases:\n{}\n", mutant.join("\n"));
            let found = load_text(&text).expect_err(part);
            assert_eq!((found.len(), found[0].rule, found[0].position().unwrap().0), (1, rule, line + 4), "{part}");
        }
    }
}

#[test]
fn an_empty_mapping_is_refused_for_what_it_lacks() {
    let found = load_text("{}").expect_err("it lacks everything");
    assert_eq!(found.iter().map(|finding| finding.rule).collect::<Vec<_>>(), ["missing-key", "missing-key"]);
    assert!(!validate::is_valid(&Value::Object(Map::new())));
}
