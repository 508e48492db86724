//! What a pass came to, as data. [`text`] and [`json`] print it; nothing else knows how it looks.

pub(crate) mod json;
pub(crate) mod progress;
pub(crate) mod text;

mod failure;

use std::time::Duration;

use image_gitops_core::{
    age::Seen,
    decide::{Hold, Outcome},
    harm::Revert,
    image::Tag,
    reason::Reason,
};
use image_gitops_git::{Pushed, RepoPath};
use jiff::Timestamp;
use serde::Serialize;

pub(crate) use failure::{Failure, chain};

use crate::{
    job::{Group, Unsigned},
    pipeline::{Mode, after::Says, edit::Edit, observe::Observed, plan::Planned},
};

/// What became of one resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Status {
    /// The commit is on the branch.
    Updated,
    /// `sync` would commit.
    Planned,
    /// Nothing to do.
    UpToDate,
    /// A person decided otherwise.
    Held,
    /// Something newer waits for its time.
    Waiting,
    /// The resource says so.
    Suspended,
    /// No tag is allowed, or the server's rules forbid the push.
    Refused,
    /// The branch moved too often.
    Moved,
    /// Anything else.
    Failed,
}

impl Status {
    /// The exit code, as `--help` lists them.
    fn exit_code(self) -> u8 {
        match self {
            Self::Updated | Self::Planned | Self::UpToDate | Self::Held | Self::Waiting | Self::Suspended => {
                0
            }
            Self::Failed => 1,
            Self::Refused => 3,
            Self::Moved => 4,
        }
    }
}

/// One resource's outcome.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct JobReport {
    pub(crate) resource: String,
    pub(crate) image: String,
    pub(crate) status: Status,
    /// Why it is so, in the one word that a cluster's conditions carry.
    pub(crate) reason: Reason,
    /// The tags in Git; empty where an image has none or the file could not be read.
    pub(crate) current: Vec<String>,
    /// The tag that is, or would be, written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tag: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) digest: Option<String>,
    /// Who signed what is, or would be, written; where the resource asks for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) signer: Option<String>,
    /// `file:line` of each place that holds the image.
    pub(crate) places: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tags: Option<TagCounts>,
    /// The policy in words, which always say which end wins.
    pub(crate) policy: String,
    /// Why it is so, in one sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) message: Option<String>,
    /// What lies behind the message, the nearest cause first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) causes: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hint: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) notes: Vec<String>,
    /// What is to be said of a branch that was replaced.
    #[serde(skip)]
    pub(crate) replaced: Option<String>,
    /// For how long a server asks to be left alone.
    #[serde(skip)]
    pub(crate) retry_after: Option<Duration>,
    /// When what waits is to be looked at again.
    #[serde(skip)]
    pub(crate) wake: Option<Timestamp>,
    /// The tags whose age is watched, where that is known.
    #[serde(skip)]
    pub(crate) seen: Option<Vec<Seen>>,
    /// What the branch says now, where the mode asks for it.
    #[serde(skip)]
    pub(crate) says: Option<Says>,
}

/// How many tags there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct TagCounts {
    pub(crate) total: usize,
    pub(crate) matched: usize,
}

/// What was sent to us of a branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct CostReport {
    pub(crate) requests: usize,
    pub(crate) objects: usize,
    pub(crate) bytes: u64,
}

/// The commit of one pass.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct CommitReport {
    pub(crate) id: String,
    /// What the server said while it took the push.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) server: Vec<String>,
}

/// One file's change, as a unified diff.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct FileDiff {
    pub(crate) path: String,
    pub(crate) diff: String,
}

impl FileDiff {
    /// Compares two versions of a file.
    pub(crate) fn new(path: &RepoPath, old: &[u8], new: &[u8]) -> Self {
        let (old, new) = (String::from_utf8_lossy(old), String::from_utf8_lossy(new));
        let diff = similar::TextDiff::from_lines(old.as_ref(), new.as_ref())
            .unified_diff()
            .context_radius(3)
            .header(&format!("a/{path}"), &format!("b/{path}"))
            .to_string();
        Self { path: path.to_string(), diff }
    }
}

/// One branch's outcome.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GroupReport {
    pub(crate) repository: String,
    pub(crate) branch: String,
    /// How the branch was read: a server without filters sends more than is needed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) transfer: Option<String>,
    /// What reading the branch cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cost: Option<CostReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) commit: Option<CommitReport>,
    /// The message of the commit that was or would be made.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) message: String,
    pub(crate) resources: Vec<JobReport>,
    pub(crate) diffs: Vec<FileDiff>,
}

impl GroupReport {
    /// Gathers what a pass came to. `pushed` is the push's result, if there was one.
    pub(crate) fn new(
        group: &Group,
        observed: &Observed,
        jobs: Vec<Planned<'_>>,
        edit: Edit,
        pushed: Option<Result<Pushed, Failure>>,
        mode: Mode<'_>,
    ) -> Self {
        let landed = matches!(pushed, Some(Ok(_)));
        let report = |planned: &Planned<'_>| {
            let mut report = JobReport::new(planned, pushed.as_ref());
            if let (Mode::Serve(_), Some(snapshot)) = (mode, &observed.snapshot) {
                report.says = Says::of(planned, snapshot, landed.then_some(&edit));
                report.replaced = group.known.in_words(&observed.gone, &planned.job.resource.id);
                report.notes.extend(report.replaced.clone());
            }
            report
        };
        let resources = jobs.iter().map(report).collect();
        Self {
            repository: group.url.to_string(),
            branch: group.branch.to_string(),
            transfer: observed.snapshot.as_ref().map(|snapshot| snapshot.transfer.to_string()),
            cost: observed.snapshot.as_ref().map(|snapshot| CostReport {
                requests: snapshot.cost.requests,
                objects: snapshot.cost.objects,
                bytes: snapshot.cost.bytes,
            }),
            commit: pushed
                .and_then(Result::ok)
                .map(|pushed| CommitReport { id: pushed.commit.to_string(), server: pushed.messages }),
            message: edit.message,
            resources,
            diffs: edit.diffs,
        }
    }
}

impl JobReport {
    fn new(planned: &Planned<'_>, pushed: Option<&Result<Pushed, Failure>>) -> Self {
        let resource = &planned.job.resource;
        let mut report = Self {
            resource: resource.id.to_string(),
            image: resource.image.to_string(),
            status: Status::UpToDate,
            reason: Reason::UpToDate,
            current: Vec::new(),
            tag: None,
            digest: None,
            signer: None,
            places: planned
                .places
                .iter()
                .map(|place| format!("{}:{}", place.path, place.site.line))
                .collect(),
            tags: None,
            policy: resource.rules.policy.to_string(),
            message: None,
            causes: Vec::new(),
            hint: None,
            notes: Vec::new(),
            replaced: None,
            retry_after: None,
            wake: None,
            seen: None,
            says: None,
        };
        let decision = match &planned.decision {
            Ok(decision) => decision,
            Err(failure) => {
                report.fail(failure);
                return report;
            }
        };
        report.current = decision.current.iter().flatten().map(Tag::to_string).collect();
        let total = decision.total + planned.unsigned.len() + planned.useless.len();
        report.tags = Some(TagCounts { total, matched: decision.matched });
        report.notes = unsigned(&planned.unsigned);
        report.notes.extend(
            planned.useless.iter().map(|(tag, why)| format!("{tag} is newer, but cannot be used: {why}")),
        );
        report.notes.extend(decision.notes.iter().map(ToString::to_string));
        report.wake = decision.wake;
        report.seen = Some(planned.ages.seen.clone());
        match (&decision.outcome, pushed) {
            (Outcome::UpToDate, _) => {}
            (Outcome::Hold(hold), _) => {
                report.status = Status::Held;
                report.reason = Reason::Held;
                report.message = Some(hold.to_string());
                if matches!(hold, Hold::Unhealthy(_)) {
                    report.reason = Reason::Unhealthy;
                }
            }
            (Outcome::Wait(wait), _) => {
                report.status = Status::Waiting;
                report.reason = Reason::Waiting;
                report.message = Some(wait.to_string());
                report.tag = Some(wait.tag().to_string());
            }
            (Outcome::Update(tag) | Outcome::Revert(Revert { to: tag, .. }), pushed) => {
                report.status = if pushed.is_some() { Status::Updated } else { Status::Planned };
                report.reason = Reason::Updated;
                report.tag = Some(tag.to_string());
                report.digest = planned.digest.as_ref().map(ToString::to_string);
                report.signer = planned.signer.as_ref().map(ToString::to_string);
                if let Some(Err(failure)) = pushed {
                    report.fail(failure);
                }
            }
        }
        report
    }

    fn fail(&mut self, failure: &Failure) {
        self.status = failure.status();
        self.reason = failure.reason();
        self.retry_after = failure.retry_after();
        self.message = Some(failure.to_string());
        self.causes = chain(failure);
        self.hint = failure.hint();
    }
}

/// The tags that were passed over, the newest first. A few say enough.
fn unsigned(tags: &[(Tag, Unsigned)]) -> Vec<String> {
    const SHOWN: usize = 3;
    let shown = tags.iter().take(SHOWN).map(|(tag, why)| format!("{tag} is newer, but not signed: {why}"));
    let more = tags.len().saturating_sub(SHOWN);
    shown.chain((more > 0).then(|| format!("{more} more newer tags are not signed"))).collect()
}

/// The exit code of all passes together: the first of failed, moved, refused that happened.
pub(crate) fn exit_code(reports: &[GroupReport]) -> u8 {
    let codes: Vec<u8> = reports.iter().flat_map(|g| &g.resources).map(|r| r.status.exit_code()).collect();
    [1, 4, 3].into_iter().find(|code| codes.contains(code)).unwrap_or(0)
}
