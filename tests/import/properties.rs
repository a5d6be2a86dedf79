//! Whatever a file holds: a goal that loads, or an error in it. Never a panic, and never a goal that is none.

use opensculpt::manifest::import::keys;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{TABLES, import_text};
use crate::manifests;

/// A value that a key may have, right or wrong.
fn value() -> impl Strategy<Value = Value> {
    let scalars = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-2_i64..70_000).prop_map(Value::from),
        prop::sample::select(vec![
            "",
            "a",
            "b",
            "1",
            "0.5",
            "10s",
            "1m30s",
            "512m",
            "8080:80",
            "127.0.0.1:80:80",
            "3000-3002:3000-3002/udp",
            "data:/data:ro",
            "./x:/x",
            "../../../x:/x",
            "${A}",
            "${A:-1s}",
            "${A:-data}:/x",
            "$$x",
            "$",
            "{{ x }}",
            "{{",
            "A=b",
            "A",
            "no",
            "on-failure:3",
            "service:a",
            "SIGTERM",
            "NONE",
            "CMD",
            "'open",
            "é\u{7f}",
            "~/x",
            "/x",
            "x: y\nz: {",
            "https://example.com/x.git",
        ])
        .prop_map(Value::from),
    ];
    scalars.prop_recursive(3, 12, 4, |inner| {
        let mut names: Vec<&'static str> = TABLES.iter().flat_map(|table| table.iter().map(|(key, _)| *key)).collect();
        names.extend(["a", "b", "data", "default", "nofile", "soft", "condition", "service", "required", "x-y", "A B"]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((prop::sample::select(names), inner), 0..5).prop_map(object),
        ]
    })
}

fn object(entries: Vec<(&'static str, Value)>) -> Value {
    Value::Object(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect::<Map<_, _>>())
}

fn service() -> impl Strategy<Value = Value> {
    let keys: Vec<&'static str> = keys::SERVICE.iter().map(|(key, _)| *key).collect();
    prop::collection::vec((prop::sample::select(keys), value()), 0..7).prop_map(|mut entries| {
        entries.insert(0, ("image", json!("a:1")));
        object(entries)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_file_becomes_a_goal_that_loads_or_is_wrong_itself(
        a in service(),
        b in service(),
        volumes in value(),
        configs in value(),
        secrets in value(),
    ) {
        let file = json!({ "services": { "a": a, "b": b }, "volumes": { "data": volumes }, "configs": { "a": configs }, "secrets": { "b": secrets } });
        match import_text("compose.yaml", &file.to_string(), "p") {
            Ok(imported) => prop_assert!(manifests::load_text(&imported.manifest).is_ok(), "{}", imported.manifest),
            Err(errors) => {
                let fault = errors.iter().find(|error| error.rule == "import-and-manifest");
                prop_assert!(fault.is_none(), "{}\n{file:#}", fault.map_or("", |fault| &fault.message));
                prop_assert!(!errors.is_empty());
            }
        }
    }
}
