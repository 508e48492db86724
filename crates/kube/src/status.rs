//! What is said of a resource: its status, with conditions as kstatus reads them.
//!
//! `Ready` is always there. `Reconciling` and `Stalled` are there only while true: the one says that the service is at it by
//! itself, the other that nothing happens until a person changes something.

use image_gitops_core::{
    health::{Phase, Rollout},
    reason::{Reason, Retry},
};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How many images are remembered.
const HISTORY: usize = 10;

/// What came of a resource.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Status {
    /// The generation of the spec that this is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The image that Git holds, `repository:tag`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Its tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// The digest that the tag had when it was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// Our last commit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// The repository and the branch that it was pushed to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pushed_to: Option<String>,
    /// When registry and Git were last read with success.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_scan: Option<String>,
    /// When our last commit was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_update: Option<String>,
    /// How it is, in one sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The policy in words, which say which end wins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// Which Secret served which server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credentials: Option<String>,
    /// How many tags there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<TagCounts>,
    /// The last images that Git held, the newest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<HistoryEntry>,
    /// The tags that `updates.minAge` watches, the oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub waiting: Vec<Waiting>,
    /// How the component is with the image that the Application in the cluster holds, where that is looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rollout: Option<RolloutStatus>,
    /// The annotations that asked to look now, when it was last looked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_handled_sync: Option<String>,
    /// `Ready`, `Reconciling`, `Stalled`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
}

/// How many tags there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub struct TagCounts {
    /// In the registry.
    pub total: i64,
    /// Of these, allowed by the policy.
    pub matched: i64,
}

/// An image that Git held.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub struct HistoryEntry {
    /// `repository:tag`.
    pub image: String,
    /// Our commit; absent where somebody else wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// When it was first seen in Git.
    pub time: String,
}

/// A tag that waits for its age.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub struct Waiting {
    /// The tag.
    pub tag: String,
    /// Since when it is known.
    pub since: String,
    /// What it named then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

/// How a component is with an image.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RolloutStatus {
    /// The image in the Application's spec, `repository:tag`.
    pub image: String,
    /// Since when it is there.
    pub since: String,
    /// `Settling`, `Healthy`, `Unhealthy`, or `Failed`: unhealthy by our update.
    pub phase: String,
    /// The image before it, where the component was healthy with that one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// Since when the component is unhealthy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unhealthy_since: Option<String>,
    /// The component's own words for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

impl RolloutStatus {
    /// As it is kept.
    pub fn new(rollout: &Rollout) -> Self {
        Self {
            image: rollout.image.clone(),
            since: rollout.since.to_string(),
            phase: format!("{:?}", rollout.phase),
            before: rollout.before.clone(),
            unhealthy_since: rollout.unhealthy_since.map(|at| at.to_string()),
            message: rollout.message.clone(),
        }
    }

    /// As it is judged; `None` where it was not written by us.
    pub fn read(&self) -> Option<Rollout> {
        Some(Rollout {
            image: self.image.clone(),
            since: self.since.parse().ok()?,
            phase: [Phase::Settling, Phase::Healthy, Phase::Unhealthy, Phase::Failed]
                .into_iter()
                .find(|phase| format!("{phase:?}") == self.phase)?,
            before: self.before.clone(),
            unhealthy_since: self.unhealthy_since.as_ref().map(|at| at.parse()).transpose().ok()?,
            message: self.message.clone(),
        })
    }
}

/// One condition, as in Kubernetes' `meta/v1`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// `Ready`, `Reconciling` or `Stalled`.
    #[serde(rename = "type")]
    pub type_: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// One word for why.
    pub reason: String,
    /// One sentence for why.
    pub message: String,
    /// When `status` last changed.
    pub last_transition_time: String,
    /// The generation of the spec that this is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
}

/// What a pass found out about a resource.
#[derive(Clone, Debug)]
pub struct News {
    /// The generation of the spec that was worked on.
    pub generation: i64,
    /// How it is, in one word.
    pub reason: Reason,
    /// How it is, in one sentence.
    pub message: String,
    /// The image that Git holds now, and its tag, where that is known.
    pub image: Option<(String, String)>,
    /// The digest of the tag, where it was just written.
    pub digest: Option<String>,
    /// The commit that was just made.
    pub commit: Option<String>,
    /// Where the resource's commits go: repository and branch.
    pub repository: Option<String>,
    /// How many tags there are, where they were listed.
    pub tags: Option<TagCounts>,
    /// The policy in words.
    pub policy: Option<String>,
    /// Which Secret served which server.
    pub credentials: Option<String>,
    /// The annotations that asked to look now.
    pub sync: String,
    /// The tags whose age is watched, where that is known.
    pub waiting: Option<Vec<Waiting>>,
    /// How the component is, where that is known; `Some(None)` where it is not looked at.
    pub rollout: Option<Option<RolloutStatus>>,
}

impl Status {
    /// What is to be said after `news` of `now`. What the news do not know stays as it was.
    pub fn after(&self, news: &News, now: Timestamp) -> Self {
        let now = Timestamp::from_second(now.as_second()).unwrap_or(now).to_string();
        let mut next = self.clone();
        next.observed_generation = Some(news.generation);
        next.message = Some(news.message.clone());
        next.policy = news.policy.clone().or(next.policy);
        next.credentials = news.credentials.clone().or(next.credentials);
        next.tags = news.tags.or(next.tags);
        next.waiting = news.waiting.clone().unwrap_or(next.waiting);
        next.rollout = news.rollout.clone().unwrap_or(next.rollout);
        next.last_handled_sync = Some(news.sync.clone()).filter(|sync| !sync.is_empty());
        if news.reason.is_ready() && news.reason != Reason::Suspended {
            next.last_scan = Some(now.clone());
        }
        if let Some((image, tag)) = &news.image {
            if next.image.as_ref() != Some(image) {
                // What is said of the image before is not true of this one.
                (next.digest, next.commit) = (None, None);
                next.history.insert(
                    0,
                    HistoryEntry { image: image.clone(), commit: news.commit.clone(), time: now.clone() },
                );
                next.history.truncate(HISTORY);
            }
            next.image = Some(image.clone());
            next.tag = Some(tag.clone());
        }
        if let Some(commit) = &news.commit {
            next.commit = Some(commit.clone());
            next.pushed_to = news.repository.clone();
            next.last_update = Some(now.clone());
            next.digest = news.digest.clone();
        }
        next.conditions = self.conditions_after(news, &now);
        next
    }

    /// The condition `Ready`.
    pub fn ready(&self) -> Option<&Condition> {
        self.conditions.iter().find(|condition| condition.type_ == "Ready")
    }

    /// Whether two statuses say the same but for when it was looked.
    pub fn says_the_same(&self, other: &Self) -> bool {
        let timeless = |status: &Self| Self { last_scan: None, ..status.clone() };
        timeless(self) == timeless(other)
    }

    fn conditions_after(&self, news: &News, now: &str) -> Vec<Condition> {
        let reason = news.reason;
        let ready = match reason {
            _ if reason.is_ready() => "True",
            Reason::Progressing => "Unknown",
            _ => "False",
        };
        let mut wanted = vec![("Ready", ready, reason.as_str())];
        match reason.retry() {
            Retry::Soon => wanted.push(("Reconciling", "True", "Progressing")),
            Retry::OnChange => wanted.push(("Stalled", "True", reason.as_str())),
            Retry::AtInterval => {}
        }
        wanted
            .into_iter()
            .map(|(type_, status, reason)| {
                let before = self.conditions.iter().find(|c| c.type_ == type_ && c.status == status);
                Condition {
                    type_: type_.to_owned(),
                    status: status.to_owned(),
                    reason: reason.to_owned(),
                    message: news.message.clone(),
                    last_transition_time: before
                        .map_or_else(|| now.to_owned(), |before| before.last_transition_time.clone()),
                    observed_generation: Some(news.generation),
                }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn news(reason: Reason, image: Option<&str>, commit: Option<&str>) -> News {
        News {
            generation: 3,
            reason,
            message: format!("it is {reason}"),
            image: image.map(|tag| (format!("ghcr.io/o/n:{tag}"), tag.to_owned())),
            digest: commit.map(|_| "sha256:d".into()),
            commit: commit.map(str::to_owned),
            repository: Some("https://github.com/o/n main".into()),
            tags: None,
            policy: None,
            credentials: None,
            sync: String::new(),
            waiting: None,
            rollout: None,
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_commit_is_told_and_remembered() {
        let status = Status::default().after(&news(Reason::UpToDate, Some("1"), None), at(0));
        let status = status.after(&news(Reason::Updated, Some("2"), Some("c0ffee")), at(60));
        assert_eq!(status.image.as_deref(), Some("ghcr.io/o/n:2"));
        assert_eq!((status.commit.as_deref(), status.digest.as_deref()), (Some("c0ffee"), Some("sha256:d")));
        assert_eq!(status.last_update.as_deref(), Some("1970-01-01T00:01:00Z"));
        let images: Vec<_> = status.history.iter().map(|h| (h.image.as_str(), h.commit.as_deref())).collect();
        assert_eq!(images, [("ghcr.io/o/n:2", Some("c0ffee")), ("ghcr.io/o/n:1", None)]);
        let ready = status.ready().unwrap();
        assert_eq!((ready.status.as_str(), ready.reason.as_str()), ("True", "Updated"));
        assert_eq!(ready.last_transition_time, "1970-01-01T00:00:00Z", "it was ready before");
    }

    #[test]
    fn an_outage_keeps_what_is_known_and_says_that_it_is_tried_again() {
        let before = Status::default().after(&news(Reason::UpToDate, Some("1"), None), at(0));
        let status = before.after(&news(Reason::GitUnreachable, None, None), at(60));
        assert_eq!(status.image, before.image);
        assert_eq!(status.last_scan, before.last_scan);
        let types: Vec<_> = status.conditions.iter().map(|c| (c.type_.as_str(), c.status.as_str())).collect();
        assert_eq!(types, [("Ready", "False"), ("Reconciling", "True")]);
        let healed = status.after(&news(Reason::UpToDate, Some("1"), None), at(90));
        assert_eq!(healed.conditions.len(), 1);
        assert_eq!(healed.conditions[0].last_transition_time, "1970-01-01T00:01:30Z");
    }

    #[test]
    fn what_waiting_does_not_heal_is_stalled() {
        let status = Status::default().after(&news(Reason::InvalidSpec, None, None), at(0));
        let types: Vec<_> = status.conditions.iter().map(|c| (c.type_.as_str(), c.status.as_str())).collect();
        assert_eq!(types, [("Ready", "False"), ("Stalled", "True")]);
    }

    #[test]
    fn ten_images_are_remembered() {
        let mut status = Status::default();
        for tag in 0..25 {
            status = status.after(&news(Reason::Updated, Some(&tag.to_string()), Some("c")), at(tag));
        }
        assert_eq!(status.history.len(), 10);
        assert_eq!(status.history[0].image, "ghcr.io/o/n:24");
    }

    #[test]
    fn only_the_time_of_the_scan_differs() {
        let status = Status::default().after(&news(Reason::UpToDate, Some("1"), None), at(0));
        let later = status.after(&news(Reason::UpToDate, Some("1"), None), at(60));
        assert!(status.says_the_same(&later) && status != later);
        assert!(!status.says_the_same(&later.after(&news(Reason::Held, Some("1"), None), at(60))));
    }
}
