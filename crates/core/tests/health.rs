//! Whether an update did harm, by stories kept as data, and what follows.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::time::Duration;

use image_gitops_core::{
    decide::{Decision, Hold, Outcome},
    harm,
    health::{Health, Judge, Observed, Phase, Rollout},
    image::{ImageRef, Tag},
    message::LastWritten,
    resource::Resource,
    spec::ImageGitOps,
};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;

const TIMEOUT: Duration = Duration::from_secs(300);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Story {
    name: String,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    at: String,
    see: String,
    #[serde(default = "yes")]
    ours: bool,
    expect: String,
    before: Option<String>,
    wake: Option<String>,
}

fn yes() -> bool {
    true
}

fn moment(clock: &str) -> Timestamp {
    format!("2026-11-25T{clock}:00Z").parse().unwrap()
}

#[test]
fn an_update_is_blamed_for_what_began_with_it_and_for_nothing_else() {
    let stories: Vec<Story> = serde_saphyr::from_str(include_str!("cases/updates/health.yaml")).unwrap();
    for Story { name, steps } in stories {
        let mut rollout = None;
        for step in steps {
            let at = format!("{name}, at {}", step.at);
            let (image, health) = step.see.split_once(' ').unwrap();
            let health = match health {
                "healthy" => Health::Healthy,
                "unhealthy" => Health::Unhealthy("Ready:0/1".into()),
                "unknown" => Health::Unknown,
                other => panic!("{at}: {other}"),
            };
            let judge = Judge { timeout: TIMEOUT, ours: step.ours, now: moment(&step.at) };
            let next = Rollout::after(rollout, &Observed { image: image.to_owned(), health }, judge);
            assert_eq!(format!("{:?}", next.phase), step.expect, "{at}");
            if let Some(before) = step.before {
                assert_eq!(next.before.as_deref().unwrap_or("none"), before, "{at}");
            }
            if let Some(wake) = step.wake {
                let wake = Some(wake).filter(|wake| wake != "none").map(|wake| moment(&wake));
                assert_eq!(next.wake(TIMEOUT, judge.now), wake, "{at}");
            }
            rollout = Some(next);
        }
    }
}

fn resource(on_unhealthy: &str) -> Resource {
    let document = json!({
        "apiVersion": "image-gitops.dev/v1alpha1", "kind": "ImageGitOps", "metadata": {"name": "n"},
        "spec": {
            "image": "ghcr.io/o/n", "git": {"url": "https://github.com/o/n", "path": "app.yaml"},
            "target": {"application": "a", "component": "c"}, "updates": {"onUnhealthy": on_unhealthy},
        },
    });
    Resource::try_from(serde_json::from_value::<ImageGitOps>(document).unwrap()).unwrap()
}

fn tag(text: &str) -> Tag {
    Tag::new(text).unwrap()
}

/// The image 2 failed in the cluster, after 1; Git holds `current`.
fn answered(
    on_unhealthy: &str,
    phase: Phase,
    current: &str,
    outcome: Outcome,
    written: (&str, bool),
) -> Outcome {
    let rollout = Rollout {
        image: "ghcr.io/o/n:2".into(),
        since: moment("10:00"),
        phase,
        before: Some("ghcr.io/o/n:1".into()),
        unhealthy_since: Some(moment("10:00")),
        message: Some("Ready:0/1\n\n  Image-GitOps: forged".into()),
    };
    let decision = Decision {
        outcome,
        current: vec![Some(tag(current))],
        total: 3,
        matched: 3,
        notes: Vec::new(),
        wake: None,
    };
    let image = ImageRef::parse(&format!("ghcr.io/o/n:{}", written.0)).unwrap();
    let last = LastWritten { image, reverted: written.1 };
    harm::answer(&resource(on_unhealthy), &rollout, decision, Some(&last)).outcome
}

fn update() -> Outcome {
    Outcome::Update(tag("3"))
}

#[test]
fn a_failed_update_holds_further_ones_and_says_why_in_one_line() {
    for outcome in [update(), Outcome::UpToDate] {
        let Outcome::Hold(Hold::Unhealthy(harm)) =
            answered("hold", Phase::Failed, "2", outcome, ("2", false))
        else {
            panic!("no hold")
        };
        assert_eq!((harm.tag.as_str(), harm.why.as_str()), ("2", "Ready:0/1 Image-GitOps: forged"));
        assert!(harm.to_string().contains("revert the commit"), "{harm}");
    }
}

#[test]
fn nothing_is_held_but_by_what_failed_and_stands_in_git() {
    for phase in [Phase::Settling, Phase::Healthy, Phase::Unhealthy] {
        assert_eq!(answered("hold", phase, "2", update(), ("2", false)), update(), "{phase:?}");
    }
    // A person changed the image in Git.
    assert_eq!(answered("hold", Phase::Failed, "1", update(), ("2", false)), update());
    assert_eq!(answered("continue", Phase::Failed, "2", update(), ("2", false)), update());
    let pinned = Outcome::Hold(Hold::Pinned);
    assert_eq!(answered("revert", Phase::Failed, "2", pinned.clone(), ("2", false)), pinned);
}

#[test]
fn a_failed_update_is_taken_back_once() {
    let Outcome::Revert(revert) = answered("revert", Phase::Failed, "2", update(), ("2", false)) else {
        panic!("no revert")
    };
    assert_eq!((revert.to, revert.from), (tag("1"), tag("2")));
    // Taken back already, and a person wrote it again; or what stands there is not ours at all.
    for written in [("2", true), ("1", false)] {
        let outcome = answered("revert", Phase::Failed, "2", update(), written);
        assert!(matches!(outcome, Outcome::Hold(Hold::Unhealthy(_))), "{outcome:?}");
    }
}
