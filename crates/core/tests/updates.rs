//! When updates are written, by cases kept as data: `cases/updates`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::{collections::BTreeMap, error::Error as _};

use image_gitops_core::{resource::Resource, spec::ImageGitOps};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    updates: Value,
    #[serde(default)]
    at: BTreeMap<String, String>,
    refuse: Option<String>,
}

/// A resource with this `spec.updates`, or why there is none: the error with its causes.
fn resource(updates: &Value) -> Result<Resource, String> {
    let document = json!({
        "apiVersion": "image-gitops.dev/v1alpha1", "kind": "ImageGitOps", "metadata": {"name": "n"},
        "spec": {
            "image": "ghcr.io/o/n", "git": {"url": "https://github.com/o/n", "path": "app.yaml"}, "updates": updates,
        },
    });
    let document = serde_json::from_value::<ImageGitOps>(document).map_err(|error| error.to_string())?;
    Resource::try_from(document).map_err(|error| format!("{error}: {}", error.source().unwrap()))
}

#[test]
fn a_schedule_is_open_when_it_says_so() {
    let cases: Vec<Case> = serde_saphyr::from_str(include_str!("cases/updates/schedule.yaml")).unwrap();
    for Case { name, updates, at, refuse } in cases {
        let resource = match (resource(&updates), refuse) {
            (Err(error), Some(expected)) => {
                assert!(error.contains(&expected), "{name}: refused with {error}");
                continue;
            }
            (Err(error), None) => panic!("{name}: refused with {error}"),
            (Ok(_), Some(expected)) => panic!("{name}: not refused with {expected}"),
            (Ok(resource), None) => resource,
        };
        assert!(!at.is_empty(), "{name}: no moment");
        for (moment, expected) in at {
            let closed = resource.updates.schedule.closed(moment.parse::<Timestamp>().unwrap());
            let found = closed.as_ref().map_or_else(|| "open".to_owned(), ToString::to_string);
            assert_eq!(found, expected, "{name}, at {moment}");
            // What is waited for comes, and not a second earlier.
            if let Some(opens) = closed.and_then(|closed| closed.opens) {
                let schedule = &resource.updates.schedule;
                assert_eq!(schedule.closed(opens.timestamp()), None, "{name}, at {opens}");
                let before = opens.timestamp() - jiff::SignedDuration::from_secs(1);
                assert!(schedule.closed(before).is_some(), "{name}: open before {opens}");
            }
        }
    }
}

#[test]
fn more_windows_than_make_sense_are_refused() {
    let windows = json!({ "windows": vec![json!({}); 33] });
    assert!(resource(&windows).unwrap_err().contains("there may be 32 at most"));
}
