//! The step's request, by cases kept as data: `cases/step/requests.yaml`; and its answer.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::{fs, path::PathBuf};

use image_gitops_core::step::{StepAnswer, StepRequest, StepState};
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    body: String,
    /// What is read; an absent component stands for all.
    request: Option<Value>,
    /// What the error says.
    refused: Option<String>,
}

#[test]
fn every_case_is_read_or_refused_as_it_says() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/cases/step/requests.yaml");
    let cases: Vec<Case> = serde_saphyr::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    assert!(cases.len() >= 20);
    for Case { name, body, request, refused } in cases {
        match (StepRequest::parse(body.as_bytes()), request, refused) {
            (Ok(found), Some(expected), None) => {
                assert_eq!(serde_json::to_value(found).unwrap(), expected, "{name}");
            }
            (Err(error), None, Some(says)) => {
                assert!(error.to_string().contains(&says), "{name}: it says '{error}'");
                assert!(error.hint().contains("\"component\""), "{name}");
            }
            (found, expected, refused) => {
                panic!("{name}: found {found:?}, expected {expected:?} or {refused:?}")
            }
        }
    }
}

#[test]
fn an_error_repeats_at_most_80_characters() {
    let long = "é/".repeat(50_000);
    for body in [
        json!({"run": long, "namespace": "default", "app": "shop"}),
        json!({"run": "a", "namespace": "default", "app": long}),
        json!({"run": "a", "namespace": "default", "app": "shop", "component": long}),
        json!({"run": "a", "namespace": "default", "app": "shop", &long: ""}),
    ] {
        let error = StepRequest::parse(body.to_string().as_bytes()).unwrap_err().to_string();
        assert!(error.contains('…') && error.matches(['é', '/']).count() <= 80, "{error}");
    }
}

#[test]
fn an_answer_holds_what_is_known_and_nothing_else() {
    let text = |answer: &StepAnswer| {
        let text = serde_json::to_string(answer).unwrap();
        assert_eq!(serde_json::from_str::<StepAnswer>(&text).unwrap(), *answer);
        text
    };
    let waiting = StepAnswer::new(StepState::WaitingRollout, "Waiting for the cluster.");
    assert_eq!(text(&waiting), r#"{"state":"waiting-rollout","message":"Waiting for the cluster."}"#);
    assert_eq!(text(&StepAnswer::new(None, "Busy.")), r#"{"message":"Busy."}"#);
    let updated = StepAnswer {
        image: Some("ghcr.io/octocat/app:v2".into()),
        tag: Some("v2".into()),
        digest: Some("sha256:1".into()),
        commit: Some("71c0e4d".into()),
        ..StepAnswer::new(StepState::Updated, "Updated.")
    };
    assert_eq!(
        text(&updated),
        r#"{"state":"updated","image":"ghcr.io/octocat/app:v2","tag":"v2","digest":"sha256:1","commit":"71c0e4d","message":"Updated."}"#
    );
    for (state, word) in [
        (StepState::Updated, "updated"),
        (StepState::Current, "current"),
        (StepState::Held, "held"),
        (StepState::Running, "running"),
        (StepState::WaitingRollout, "waiting-rollout"),
        (StepState::Failed, "failed"),
    ] {
        assert_eq!(serde_json::to_value(state).unwrap(), word);
    }
}

const NAME: &str = "[a-z0-9]([a-z0-9.-]{0,12}[a-z0-9])?";

fn request() -> impl Strategy<Value = StepRequest> {
    ("[a-zA-Z0-9-]{1,64}", NAME, NAME, prop::option::of(NAME), prop::option::of(NAME)).prop_map(
        |(run, namespace, app, component, owner)| StepRequest { run, namespace, app, component, owner },
    )
}

/// A request in which anything may be wrong.
fn nearly() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        NAME.prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        any::<Option<u8>>().prop_map(|n| json!(n))
    ];
    let name = prop_oneof![
        8 => prop::sample::select(vec!["run", "namespace", "app", "component", "owner"]).prop_map(str::to_owned),
        1 => any::<String>(),
    ];
    prop::collection::vec((name, text), 3..6).prop_map(|members| Value::Object(members.into_iter().collect()))
}

fn check(body: &[u8]) {
    match StepRequest::parse(body) {
        Ok(request) => {
            let named = [&request.run, &request.namespace, &request.app];
            for text in named.into_iter().chain(&request.component).chain(&request.owner) {
                assert!(!text.is_empty() && text.len() <= 253);
                assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.'));
            }
            let again = serde_json::to_vec(&request).unwrap();
            assert_eq!(StepRequest::parse(&again).unwrap(), request);
        }
        Err(error) => assert!(error.to_string().chars().count() < 1100, "{error}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.max(1024), ..ProptestConfig::default() })]

    #[test]
    fn what_is_sent_is_what_is_read(request in request()) {
        let body = serde_json::to_vec(&request).unwrap();
        prop_assert_eq!(StepRequest::parse(&body).unwrap(), request);
    }

    #[test]
    fn a_request_that_was_cut_is_refused(request in request(), end in any::<prop::sample::Index>()) {
        let body = serde_json::to_vec(&request).unwrap();
        prop_assert!(StepRequest::parse(&body[..end.index(body.len())]).is_err());
    }

    #[test]
    fn anything_is_read_or_refused(
        body in prop_oneof![any::<Vec<u8>>(), nearly().prop_map(|value| value.to_string().into_bytes())],
    ) {
        check(&body);
    }
}
