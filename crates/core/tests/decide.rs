//! The decision, by cases kept as data: `cases/decide`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use image_gitops_core::{
    decide::{self, Outcome},
    image::{Digest, ImageRef, Tag},
    message::LastWritten,
    resource::Resource,
    spec::ImageGitOps,
    yaml::{Part, Site},
};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Topic {
    defaults: Value,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    spec: Option<Value>,
    tags: Vec<String>,
    sites: Vec<Value>,
    written: Option<String>,
    /// Whether our last commit went back from `written`.
    #[serde(default)]
    reverted: bool,
    expect: Option<String>,
    refuse: Option<String>,
    #[serde(default)]
    notes: Vec<String>,
    changes: Option<Vec<String>>,
}

fn resource(mut spec: Value) -> Resource {
    spec["git"] = json!({"url": "https://github.com/o/n", "path": "app.yaml"});
    let document = json!({
        "apiVersion": "image-gitops.dev/v1alpha1", "kind": "ImageGitOps", "metadata": {"name": "n"}, "spec": spec,
    });
    Resource::try_from(serde_json::from_value::<ImageGitOps>(document).unwrap()).unwrap()
}

fn site(index: usize, value: &Value) -> Site {
    let text = value.as_str().or_else(|| value["value"].as_str()).unwrap();
    let part = match value["part"].as_str() {
        None => Part::Reference,
        Some("tag") => Part::Tag,
        Some("name") => Part::Name,
        Some("digest") => Part::Digest,
        Some(other) => panic!("unknown part {other}"),
    };
    let start = 100 * index;
    Site {
        span: start..start + text.len(),
        value: text.to_owned(),
        line: 7 + index,
        column: 1,
        part,
        pinned: value["pinned"].as_bool().unwrap_or_default(),
    }
}

#[test]
fn every_case_is_decided_as_it_says() {
    let topic: Topic = serde_saphyr::from_str(include_str!("cases/decide/cases.yaml")).unwrap();
    for case in topic.cases {
        let resource = resource(case.spec.unwrap_or_else(|| topic.defaults.clone()));
        let tags: Vec<Tag> = case.tags.iter().map(|tag| Tag::new(tag.as_str()).unwrap()).collect();
        let sites: Vec<Site> =
            case.sites.iter().enumerate().map(|(index, value)| site(index, value)).collect();
        let written = case.written.as_deref().map(|image| ImageRef::parse(image).unwrap());
        let written = written.map(|image| LastWritten { image, reverted: case.reverted });
        let name = &case.name;
        let decision = match (decide::decide(&resource, &tags, &sites, written.as_ref()), &case.refuse) {
            (Err(refusal), Some(expected)) => {
                assert!(refusal.to_string().contains(expected), "{name}: refused with {refusal}");
                assert!(!refusal.hint().is_empty());
                continue;
            }
            (Err(refusal), None) => panic!("{name}: refused with {refusal}"),
            (Ok(decision), Some(_)) => panic!("{name}: not refused but {:?}", decision.outcome),
            (Ok(decision), None) => decision,
        };
        let outcome = match &decision.outcome {
            Outcome::UpToDate => "up to date".to_owned(),
            Outcome::Update(tag) => format!("update {tag}"),
            Outcome::Revert(revert) => format!("{revert:?}"),
            Outcome::Hold(hold) => hold.to_string(),
            Outcome::Wait(wait) => wait.to_string(),
        };
        let expected = case.expect.as_deref().unwrap();
        match &decision.outcome {
            Outcome::Hold(_) => assert!(outcome.starts_with(expected), "{name}: {outcome}"),
            _ => assert_eq!(outcome, expected, "{name}"),
        }
        let notes: Vec<String> = decision.notes.iter().map(ToString::to_string).collect();
        assert_eq!(notes, case.notes, "{name}");
        if let (Some(expected), Outcome::Update(tag)) = (&case.changes, &decision.outcome) {
            let digest = Digest::new(format!("sha256:{}", "1".repeat(64))).unwrap();
            let changes = decide::changes(&resource, &sites, tag, &digest);
            let values: Vec<String> = changes.into_iter().map(|change| change.value).collect();
            assert_eq!(values, *expected, "{name}");
        }
    }
}

#[test]
fn a_publish_version_is_a_label_that_changes_with_the_image() {
    let version = |images: &[&str]| {
        let images: Vec<ImageRef> = images.iter().map(|image| ImageRef::parse(image).unwrap()).collect();
        decide::publish_version(&images)
    };
    let long = format!("ghcr.io/o/n:{}", "x_".repeat(60));
    for images in [
        &["ghcr.io/o/n:main-abc1234-1"][..],
        &["ghcr.io/o/n:_.V1"],
        &["ghcr.io/o/n:1", "ghcr.io/o/m:2"],
        &[&long],
    ] {
        let text = version(images);
        assert!(text.len() <= 63 && !text.is_empty(), "{text}");
        let alphanumeric = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        assert!(text.chars().all(|c| alphanumeric(c) || c == '-'), "{text}");
        assert!(text.starts_with(alphanumeric) && text.ends_with(alphanumeric), "{text}");
        assert_eq!(text, version(images));
    }
    assert_ne!(version(&["ghcr.io/o/n:1"]), version(&["ghcr.io/o/m:1"]));
    assert_ne!(version(&["ghcr.io/o/n:1", "ghcr.io/o/m:1"]), version(&["ghcr.io/o/n:1", "ghcr.io/o/m:2"]));
}
