//! Webhooks, by cases kept as data: `cases/webhook/*.yaml`. What else may arrive is drawn at random.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::{fs, path::PathBuf};

use image_gitops_core::{
    image::{ImageRef, Repository},
    webhook::{Hint, Kind, WebhookError, parse},
};
use proptest::{
    prelude::*,
    sample::{Index, select},
};
use serde::Deserialize;
use serde_json::{Value, json};

const KINDS: [(Kind, &str); 3] =
    [(Kind::Ghcr, "ghcr"), (Kind::Distribution, "distribution"), (Kind::Generic, "generic")];

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    /// The header `X-GitHub-Event`.
    event: Option<String>,
    body: String,
    /// The images to look at, in order.
    #[serde(default)]
    hints: Vec<String>,
    /// What the error says.
    refused: Option<String>,
    /// What the error's hint says.
    says: Option<String>,
}

fn cases() -> Vec<(Kind, Case)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/cases/webhook");
    let read = |(kind, name): (Kind, &str)| {
        let text = fs::read_to_string(folder.join(name).with_extension("yaml")).unwrap();
        let cases: Vec<Case> = serde_saphyr::from_str(&text).unwrap();
        cases.into_iter().map(move |case| (kind, case))
    };
    KINDS.into_iter().flat_map(read).collect()
}

#[test]
fn every_case_gives_the_hints_it_names() {
    let cases = cases();
    assert!(cases.len() >= 70);
    for (kind, case) in cases {
        let name = format!("{kind:?}: {}", case.name);
        match (parse(kind, case.event.as_deref(), case.body.as_bytes()), case.refused) {
            (Ok(found), None) => {
                let expected: Vec<ImageRef> =
                    case.hints.iter().map(|image| ImageRef::parse(image).unwrap()).collect();
                let found: Vec<ImageRef> = found
                    .into_iter()
                    .map(|Hint { repository, tag }| ImageRef { repository, tag, digest: None })
                    .collect();
                assert_eq!(found, expected, "{name}");
            }
            (Err(error), Some(says)) => {
                assert!(error.to_string().contains(&says), "{name}: it says '{error}'");
                assert!(error.hint().contains(&case.says.unwrap_or_default()), "{name}: {}", error.hint());
            }
            (found, refused) => panic!("{name}: found {found:?}, expected {refused:?}"),
        }
    }
}

/// An error is as short whatever was sent.
fn check_error(error: &WebhookError) {
    // 80 characters of the sender, each of which may be written as \u{10ffff}.
    assert!(error.to_string().chars().count() < 1100, "{error}");
    assert!(!error.hint().is_empty());
}

fn check(kind: Kind, event: Option<&str>, body: &[u8]) {
    match parse(kind, event, body) {
        Ok(hints) => {
            let events = body.windows(4).filter(|bytes| bytes == b"push").count();
            assert!(hints.len() <= if kind == Kind::Distribution { events } else { 1 });
            for hint in hints {
                // What a resource says of its image is compared with it.
                assert_eq!(Repository::new(hint.repository.as_written()).unwrap(), hint.repository);
            }
        }
        Err(error) => check_error(&error),
    }
}

#[test]
fn an_error_repeats_at_most_80_characters() {
    let long = "é/".repeat(50_000);
    for (kind, body) in [
        (Kind::Generic, json!({"image": long})),
        (Kind::Generic, json!({"image": format!("a.io/b:{long}")})),
        (Kind::Generic, json!({"image": "a.io/b", "tag": long})),
        (
            Kind::Ghcr,
            json!({"action": "updated", "package": {"package_type": "CONTAINER", "name": long, "owner": {"login": "é"}}}),
        ),
    ] {
        let error = parse(kind, Some("package"), body.to_string().as_bytes()).unwrap_err();
        check_error(&error);
        assert!(error.to_string().matches(['é', '/']).count() <= 80, "{error}");
        assert!(error.to_string().contains('…'), "{error}");
    }
}

#[test]
fn a_large_envelope_gives_each_tag_once() {
    let event = |number: usize| {
        json!({"action": "push", "target": {"repository": "team/app", "tag": format!("v{number}")},
               "request": {"host": "registry.example.com"}})
    };
    let events: Vec<Value> = (0..40_000).map(|number| event(number % 20_000)).collect();
    let body = json!({"events": events}).to_string();
    assert_eq!(parse(Kind::Distribution, None, body.as_bytes()).unwrap().len(), 20_000);
    let deep = "[".repeat(1_000_000);
    for (kind, _) in KINDS {
        check(kind, Some("package"), deep.as_bytes());
        check(kind, Some("package"), format!(r#"{{"events": {deep}"#).as_bytes());
    }
}

fn kind() -> impl Strategy<Value = Kind> {
    select(KINDS.map(|(kind, _)| kind).to_vec())
}

fn event() -> impl Strategy<Value = Option<String>> {
    let known = select(vec!["package", "registry_package", "ping"]).prop_map(str::to_owned);
    prop::option::weighted(0.95, prop_oneof![9 => known, 1 => any::<String>()])
}

/// JSON of the words that webhooks are made of.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        select(vec![
            "push",
            "published",
            "CONTAINER",
            "npm",
            "v1",
            "",
            "o/n",
            "ghcr.io/o/n:v1",
            "A.io:5000",
            "é",
        ])
        .prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        Just(Value::Null),
    ];
    let name = select(vec![
        "action",
        "events",
        "target",
        "repository",
        "tag",
        "request",
        "host",
        "package",
        "registry_package",
        "package_type",
        "package_version",
        "package_url",
        "container_metadata",
        "name",
        "namespace",
        "owner",
        "login",
        "registry",
        "type",
        "image",
    ]);
    leaf.prop_recursive(6, 64, 8, move |inner| {
        prop_oneof![
            1 => prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            4 => prop::collection::vec((name.clone().prop_map(str::to_owned), inner), 0..8)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Puts `new` in the place of one of the values inside.
fn graft(value: &mut Value, at: &Index, new: Value) {
    fn count(value: &Value) -> usize {
        1 + match value {
            Value::Array(items) => items.iter().map(count).sum(),
            Value::Object(members) => members.values().map(count).sum(),
            _ => 0,
        }
    }
    fn replace(value: &mut Value, left: &mut usize, new: &mut Option<Value>) {
        if *left == 0 {
            if let Some(new) = new.take() {
                *value = new;
            }
            return;
        }
        *left -= 1;
        match value {
            Value::Array(items) => items.iter_mut().for_each(|item| replace(item, left, new)),
            Value::Object(members) => members.values_mut().for_each(|member| replace(member, left, new)),
            _ => {}
        }
    }
    let mut left = at.index(count(value));
    replace(value, &mut left, &mut Some(new));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.max(1024), ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_read_or_refused(kind in kind(), event in event(), body in any::<Vec<u8>>()) {
        check(kind, event.as_deref(), &body);
    }

    #[test]
    fn any_json_is_read_or_refused(kind in kind(), event in event(), body in value()) {
        check(kind, event.as_deref(), body.to_string().as_bytes());
    }

    #[test]
    fn a_case_with_other_bytes_is_read_or_refused(
        (kind, case) in select(cases()),
        edits in prop::collection::vec((any::<Index>(), any::<Option<u8>>()), 1..6),
        end in any::<Index>(),
    ) {
        let mut body = case.body.into_bytes();
        check(kind, case.event.as_deref(), body.get(..end.index(body.len() + 1)).unwrap());
        for (at, byte) in edits {
            if body.is_empty() {
                break;
            }
            let at = at.index(body.len());
            match byte {
                Some(byte) => body[at] = byte,
                None => { body.remove(at); }
            }
        }
        check(kind, case.event.as_deref(), &body);
    }

    #[test]
    fn a_case_with_another_value_is_read_or_refused(
        (kind, case) in select(cases()),
        grafts in prop::collection::vec((any::<Index>(), value()), 1..3),
    ) {
        if let Ok(mut body) = serde_json::from_str::<Value>(&case.body) {
            for (at, new) in grafts {
                graft(&mut body, &at, new);
            }
            check(kind, case.event.as_deref(), body.to_string().as_bytes());
        }
    }

    #[test]
    fn a_host_is_never_taken_for_a_part_of_the_path(
        host in prop_oneof!["[a-z]{1,3}(\\.[a-zA-Z]{2})?(:[0-9]{1,4})?", "[a-zA-Z0-9.:@/_-]{0,12}"],
        path in "[a-z0-9/]{1,8}",
        tag in "[a-z0-9]{1,4}",
    ) {
        let body = json!({"events": [{"action": "push", "target": {"repository": path, "tag": tag}, "request": {"host": host}}]});
        for hint in parse(Kind::Distribution, None, body.to_string().as_bytes()).unwrap() {
            prop_assert_eq!(hint.repository.registry(), host.to_ascii_lowercase());
            prop_assert_eq!(hint.repository.path(), &path);
            prop_assert_eq!(hint.tag.map(|tag| tag.to_string()), Some(tag.clone()));
        }
    }
}
