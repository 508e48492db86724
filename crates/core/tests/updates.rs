//! When updates are written, by cases kept as data: `cases/updates`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::{collections::BTreeMap, error::Error as _};

use image_gitops_core::{
    age::{self, Ages, Seen},
    decide::{self, Decision, Outcome},
    image::{Digest, Tag},
    resource::Resource,
    spec::ImageGitOps,
    yaml::{Part, Site},
};
use jiff::{SignedDuration, Timestamp};
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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Story {
    name: String,
    least: String,
    #[serde(default)]
    new: bool,
    #[serde(default = "yes")]
    keeps: bool,
    file: String,
    #[serde(default)]
    created: BTreeMap<String, String>,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    at: String,
    tags: Vec<String>,
    again: Option<String>,
    expect: String,
    #[serde(default)]
    notes: Vec<String>,
    wake: Option<String>,
    seen: Option<Vec<String>>,
}

fn yes() -> bool {
    true
}

fn moment(clock: &str) -> Timestamp {
    format!("2026-11-25T{clock}:00Z").parse().unwrap()
}

fn digest(tag: &Tag, pushes: usize) -> Digest {
    Digest::new(format!("sha256:{:064}", tag.as_str().len() + pushes)).unwrap()
}

fn tag(text: &str) -> Tag {
    Tag::new(text).unwrap()
}

/// One resource through a day: what its status keeps, and what its file says.
struct Life {
    resource: Resource,
    file: Tag,
    new: bool,
    keeps: bool,
    created: BTreeMap<String, String>,
    seen: Vec<Seen>,
    /// How often a tag was pushed.
    pushes: BTreeMap<Tag, usize>,
}

impl Life {
    fn decide(&self, tags: &[Tag]) -> Option<Decision> {
        let file = Site {
            span: 0..1,
            value: self.file.to_string(),
            line: 1,
            column: 1,
            part: Part::Tag,
            pinned: false,
        };
        decide::decide(&self.resource, tags, &[file], None).ok()
    }

    fn newest(&self, tags: &[Tag]) -> Option<Tag> {
        match self.decide(tags)?.outcome {
            Outcome::Update(tag) => Some(tag),
            _ => None,
        }
    }

    fn digest(&self, tag: &Tag) -> Digest {
        digest(tag, self.pushes.get(tag).copied().unwrap_or_default())
    }

    /// What a pass comes to, as the program makes it.
    fn pass(&mut self, tags: &[Tag], now: Timestamp) -> Decision {
        let first = self.decide(tags).unwrap();
        self.seen.retain(|seen| tags.contains(&seen.tag) && is_above(&self.resource, &self.file, &seen.tag));
        for _ in 0..100 {
            let least = self.resource.updates.min_age.unwrap();
            let ages = Ages { least, seen: &self.seen, adopts: self.new, now };
            let mut decision = first.clone();
            if let Some(tag) = age::weigh(&mut decision, tags, ages, |tags| self.newest(tags)) {
                let created = self.created.get(tag.as_str()).map(String::as_str).filter(|_| self.new);
                let since = age::believable(created, now).or_else(|| self.keeps.then_some(now));
                let digest = Some(self.digest(&tag));
                age::note(&mut self.seen, Seen { tag, since, digest });
                continue;
            }
            if let Outcome::Update(tag) = &decision.outcome {
                let known = self.seen.iter().find(|seen| seen.tag == *tag).unwrap();
                if known.digest != Some(self.digest(tag)) {
                    let digest = Some(self.digest(tag));
                    age::note(&mut self.seen, Seen { tag: tag.clone(), since: Some(now), digest });
                    continue;
                }
                self.file = tag.clone();
            }
            return decision;
        }
        panic!("no end")
    }
}

/// Whether a tag is above the floor that the file's gives.
fn is_above(resource: &Resource, file: &Tag, tag: &Tag) -> bool {
    resource.rules.select(std::slice::from_ref(tag), &[file]).newest.is_some()
}

#[test]
fn tags_wait_until_they_are_old_enough() {
    let stories: Vec<Story> = serde_saphyr::from_str(include_str!("cases/updates/ages.yaml")).unwrap();
    for Story { name, least, new, keeps, file, created, steps } in stories {
        let resource = resource(&json!({ "minAge": least })).unwrap();
        let (file, seen, pushes) = (tag(&file), Vec::new(), BTreeMap::new());
        let mut life = Life { resource, file, new, keeps, created, seen, pushes };
        for step in steps {
            let at = format!("{name}, at {}", step.at);
            let tags: Vec<Tag> = step.tags.iter().map(|text| tag(text)).collect();
            if let Some(again) = step.again {
                *life.pushes.entry(tag(&again)).or_default() += 1;
            }
            let decision = life.pass(&tags, moment(&step.at));
            let outcome = match &decision.outcome {
                Outcome::UpToDate => "up to date".to_owned(),
                Outcome::Update(tag) => tag.to_string(),
                Outcome::Hold(hold) => hold.to_string(),
                Outcome::Revert(revert) => format!("{revert:?}"),
                Outcome::Wait(wait) => wait.to_string(),
            };
            match decision.outcome {
                Outcome::Wait(_) => assert!(outcome.starts_with(&step.expect), "{at}: {outcome}"),
                _ => assert_eq!(outcome, step.expect, "{at}"),
            }
            let notes: Vec<String> = decision.notes.iter().map(ToString::to_string).collect();
            assert_eq!(notes, step.notes, "{at}");
            if let Some(wake) = step.wake {
                assert_eq!(decision.wake, Some(moment(&wake)), "{at}");
            }
            if let Some(expected) = step.seen {
                let seen: std::collections::BTreeSet<_> =
                    life.seen.iter().map(|seen| seen.tag.to_string()).collect();
                assert_eq!(seen, expected.into_iter().collect(), "{at}");
            }
            // A service keeps what it saw, and has looked now; the command line does neither.
            match life.keeps {
                true => life.new = false,
                false => life.seen.clear(),
            }
        }
    }
}

#[test]
fn however_often_images_are_pushed_one_ripens() {
    let resource = resource(&json!({ "minAge": "1h" })).unwrap();
    let (seen, pushes, created) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
    let mut life = Life { resource, file: tag("0"), new: false, keeps: true, created, seen, pushes };
    let start = moment("00:00");
    let (mut tags, mut written) = (vec![tag("0")], Vec::new());
    for minute in 1..=600_i64 {
        tags.push(tag(&minute.to_string()));
        let now = start + SignedDuration::from_mins(minute);
        if let Outcome::Update(tag) = life.pass(&tags, now).outcome {
            written.push((minute, tag.as_str().parse::<i64>().unwrap()));
        }
        assert!(life.seen.len() <= age::MOST);
    }
    // Each was pushed at the minute of its name: none is written too early, and none of the last hours comes late.
    assert!(written.iter().all(|(minute, tag)| minute - tag >= 60), "{written:?}");
    assert!(written.iter().all(|(minute, tag)| minute - tag <= 80), "{written:?}");
    let pauses = written.windows(2).map(|pair| pair[1].0 - pair[0].0);
    assert!(pauses.max().unwrap() <= 20, "{written:?}");
}

#[test]
fn a_least_age_is_a_length_of_time() {
    for (text, why) in
        [("0s", "is no time"), ("1d", "is not a length of time"), ("8761h", "longer than a year")]
    {
        let error = resource(&json!({ "minAge": text })).unwrap_err();
        assert!(error.starts_with("cannot use spec.updates.minAge: ") && error.contains(why), "{error}");
    }
}
