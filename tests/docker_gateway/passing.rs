//! What is not judged passes as it was written, in every body that is: to the last digit of a number.

use super::*;

/// A value as a text, without spaces: with numbers that no other reader would keep.
fn any_text() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|value| value.to_string()),
        "-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,2})?",
        ".{0,8}".prop_map(|text| Value::from(text).to_string()),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::btree_map("[a-zA-Z]{0,6}", inner, 0..4).prop_map(|map| {
                let fields: Vec<String> = map.into_iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
                format!("{{{}}}", fields.join(","))
            }),
        ]
    })
}

/// Bodies with a place for more fields, and what is known of whom they name.
const BODIES: [(&str, &str); 8] = [
    ("/networks/create", "{\"Name\":\"n\",\"Driver\":\"bridge\",@}"),
    ("/volumes/create", "{\"Name\":\"v\",@}"),
    ("/containers/c/update", "{@,\"Memory\":1}"),
    ("/containers/c/exec", "{\"Cmd\":[\"true\"],@}"),
    ("/networks/n/connect", "{\"Container\":\"c\",\"EndpointConfig\":{@}}"),
    ("/containers/create", "{\"HostConfig\":{\"Mounts\":[{\"Type\":\"bind\",\"Source\":\"/ws/a\",\"BindOptions\":{@}}]}}"),
    ("/containers/create", "{\"HostConfig\":{\"Mounts\":[{\"Type\":\"volume\",\"VolumeOptions\":{@,\"DriverConfig\":{@}}}]}}"),
    ("/containers/create", "{\"NetworkingConfig\":{\"EndpointsConfig\":{\"n\":{@}}},\"HostConfig\":{\"LogConfig\":{@}}}"),
];

proptest! {
    #[test]
    fn every_body_passes_what_is_not_judged(which in 0..8_usize, key in "X-[a-zA-Z0-9]{0,12}", value in any_text()) {
        let (target, body) = BODIES[which];
        let field = format!("\"{key}\":{value}");
        let facts = [
            (Thing::Container("c".to_owned()), Standing::Ours),
            (Thing::Network("n".to_owned()), Standing::Ours),
            (Thing::Volume("v".to_owned()), Standing::Absent),
        ];
        match verdict(&[], &facts, target, &body.replace('@', &field)) {
            Verdict::Rewritten { body: out, .. } => {
                prop_assert_eq!(out.matches(&field).count(), body.matches('@').count(), "{}", out);
            }
            other => prop_assert!(false, "{}: {:?}", target, other),
        }
    }
}
