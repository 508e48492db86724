//! What is said of a resource: its status, Events on it and on its Applications, and a nudge so that KubeVela shows it.

use std::collections::BTreeSet;

use image_gitops_core::{
    age::Seen,
    health::Rollout,
    image::{Digest, Tag},
    reason::Reason,
    resource::{Resource, ResourceId},
};
use image_gitops_kube::{EventKind, KubeError, News, RolloutStatus, Stored, TagCounts, Waiting};
use jiff::Timestamp;

use super::{
    Service,
    deploy::{self, Deployed},
    store::target,
};
use crate::{
    failpoint::Failpoint,
    job::{Group, Job},
    pipeline::Kept,
    report::JobReport,
};

/// The longest sentence in a status. `vela status` prints it on one line.
const LONGEST: usize = 1000;

/// What is to be said after a pass, besides what the report has.
pub(super) struct Told {
    pub(super) reason: Reason,
    pub(super) message: String,
    pub(super) commit: Option<String>,
    pub(super) credentials: String,
    /// Where the commits go.
    pub(super) repository: String,
    /// Whether the Application was changed by us just now.
    pub(super) patched: bool,
    /// How the component is; `None` where that is not known now, `Some(None)` where it is not looked at.
    pub(super) rollout: Option<Option<Rollout>>,
}

/// What a status keeps for the next pass. What cannot be read there was not written by us, and is seen anew.
pub(super) fn kept(stored: &Stored) -> Kept {
    let status = &stored.status;
    let watches = stored.resource.as_ref().is_ok_and(Resource::watches_health);
    let read = |waiting: &Waiting| {
        Some(Seen {
            tag: Tag::new(waiting.tag.as_str()).ok()?,
            since: Some(waiting.since.parse().ok()?),
            digest: waiting.digest.as_ref().and_then(|digest| Digest::new(digest.as_str()).ok()),
        })
    };
    Kept {
        seen: status.waiting.iter().filter_map(read).collect(),
        rollout: status.rollout.as_ref().filter(|_| watches).and_then(RolloutStatus::read),
        was_looked_at: status.tags.is_some() || status.last_scan.is_some(),
    }
}

/// The tags whose age is watched, as a status keeps them.
fn waiting(seen: &[Seen]) -> Vec<Waiting> {
    let write = |seen: &Seen| {
        let (tag, digest) = (seen.tag.to_string(), seen.digest.as_ref().map(ToString::to_string));
        Some(Waiting { tag, since: seen.since?.to_string(), digest })
    };
    seen.iter().filter_map(write).collect()
}

/// Says that nothing could be tried for a resource.
pub(super) async fn trouble(service: &Service, stored: &Stored, reason: Reason, message: &str) {
    let news = News {
        generation: stored.generation,
        reason,
        message: shortened(message),
        image: None,
        digest: None,
        commit: None,
        repository: None,
        tags: None,
        policy: None,
        credentials: None,
        sync: stored.sync.clone(),
        waiting: None,
        rollout: None,
    };
    service.metrics.outcome(reason);
    say(service, stored, news, false, None).await;
}

/// Says what a pass came to.
pub(super) async fn outcome(service: &Service, stored: &Stored, report: &JobReport, told: Told) {
    let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    let news = News {
        generation: stored.generation,
        reason: told.reason,
        message: shortened(&told.message),
        image: report.says.as_ref().and_then(|says| says.image.clone()),
        digest: report.digest.clone().filter(|_| told.commit.is_some()),
        commit: told.commit,
        repository: Some(told.repository),
        tags: report.tags.map(|tags| TagCounts { total: count(tags.total), matched: count(tags.matched) }),
        policy: Some(report.policy.clone()),
        credentials: Some(told.credentials),
        sync: stored.sync.clone(),
        waiting: report.seen.as_deref().map(waiting),
        rollout: told.rollout.map(|rollout| rollout.as_ref().map(RolloutStatus::new)),
    };
    say(service, stored, news, told.patched, report.replaced.as_deref()).await;
}

/// Our commit that the status does not know yet: the pass that made it ended before it could say so.
pub(super) fn unsaid(stored: &Stored, report: &JobReport) -> Option<String> {
    report.says.as_ref()?.commit.clone().filter(|_| !is_known(stored, report))
}

/// The commit that the status names, where Git still holds the image that it wrote.
pub(super) fn said(stored: &Stored, report: &JobReport) -> Option<String> {
    stored.status.commit.clone().filter(|_| is_known(stored, report))
}

/// Whether the status names the image that Git holds.
fn is_known(stored: &Stored, report: &JobReport) -> bool {
    let image = report.says.as_ref().and_then(|says| says.image.as_ref()).map(|(image, _)| image);
    stored.status.image.as_ref() == image
}

/// Writes the status where it differs, and tells who should know where it says something else.
async fn say(service: &Service, stored: &Stored, news: News, patched: bool, replaced: Option<&str>) {
    let before = service.store.status(stored);
    let after = before.after(&news, Timestamp::now());
    if after == before {
        return;
    }
    if let Err(error) = service.applications.write_status(&stored.id, &after).await {
        return log(&stored.id, &error);
    }
    Failpoint::StatusWritten.reach();
    let same = after.says_the_same(&before);
    service.store.set_status(&stored.id, &stored.uid, after);
    if same && !patched {
        return;
    }
    let short = news.commit.as_deref().and_then(|commit| commit.get(..7)).unwrap_or_default();
    let tag = news.image.as_ref().map(|(_, tag)| tag.as_str()).unwrap_or_default();
    let poke = format!("{} {tag} {short}", news.reason).trim_end().to_owned();
    let mut objects = vec![stored.reference()];
    // The Application that renders the resource shows its status; the one that it is for, its Events.
    let shows = stored.renderer.as_deref().or_else(|| target(stored).map(|(application, _)| application));
    let names: BTreeSet<&str> =
        shows.into_iter().chain(target(stored).map(|(application, _)| application)).collect();
    for name in names {
        let id = ResourceId { namespace: stored.id.namespace.clone(), name: name.to_owned() };
        match service.applications.poke(&id, (Some(name) == shows).then_some(poke.as_str())).await {
            Ok(found) => objects.extend(found),
            Err(error) => log(&id, &error),
        }
    }
    Failpoint::ApplicationMarked.reach();
    // Once: while the status says so, it is no news.
    if let Some(replaced) =
        replaced.filter(|said| !before.message.as_ref().is_some_and(|m| m.contains(*said)))
    {
        service.events.publish(&objects, EventKind::Warning, "BranchReplaced", replaced).await;
    }
    let was = before.ready().map(|ready| ready.reason.clone());
    let event = match news.reason {
        Reason::Updated => Some((EventKind::Normal, "ImageUpdated")),
        _ if patched => Some((EventKind::Normal, "ApplicationUpdated")),
        reason if was.as_deref() == Some(reason.as_str()) => None,
        reason if !reason.is_ready() => Some((EventKind::Warning, reason.as_str())),
        // That all is well is news only where something was wrong, or a person stepped in.
        Reason::UpToDate if before.ready().is_none_or(|ready| ready.status == "True") => None,
        reason => Some((EventKind::Normal, reason.as_str())),
    };
    if let Some((kind, reason)) = event {
        service.events.publish(&objects, kind, reason, &news.message).await;
        Failpoint::EventsSent.reach();
    }
}

fn log(id: &ResourceId, error: &KubeError) {
    tracing::warn!(resource = %id, error = error as &dyn std::error::Error, "the cluster cannot be told");
}

/// How a resource is, in one sentence.
pub(super) fn message(report: &JobReport, commit: Option<&str>, deployed: &Deployed) -> String {
    let image = report.says.as_ref().and_then(|says| says.image.as_ref()).map(|(image, _)| image.as_str());
    let said = match (&report.message, report.reason, image) {
        (Some(message), _, _) => sentence(message, &report.causes, report.hint.as_deref()),
        (None, Reason::Updated, Some(image)) => {
            format!("{image} is in Git, commit {}", commit.and_then(|commit| commit.get(..7)).unwrap_or("-"))
        }
        (None, _, Some(image)) => match report.tags {
            Some(tags) => {
                format!("{image} is the newest of {} allowed tags ({} in all)", tags.matched, tags.total)
            }
            None => format!("{image} is up to date"),
        },
        (None, reason, None) => reason.to_string(),
    };
    let notes = report.notes.iter().cloned().chain(deploy::in_words(deployed));
    std::iter::once(said).chain(notes).collect::<Vec<_>>().join("; ")
}

/// An error as one sentence: what was attempted, why it failed, what to do.
pub(super) fn sentence(message: &str, causes: &[String], hint: Option<&str>) -> String {
    let mut sentence = message.to_owned();
    for cause in causes {
        sentence.push_str(": ");
        sentence.push_str(cause);
    }
    if let Some(hint) = hint {
        sentence.push_str(&format!(" ({hint})"));
    }
    sentence.replace('\n', " ")
}

/// Which credential served which server.
pub(super) fn credentials(resource: &Resource, group: &Group, job: &Job) -> String {
    let shared = resource.registry.secret.is_none() && job.registry_source == group.git_source;
    let note = if shared && resource.git.secret.is_some() { ", which is Git's" } else { "" };
    format!("registry: {}{note}; Git: {}", job.registry_source, group.git_source)
}

fn shortened(message: &str) -> String {
    match message.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}…", message.get(..at).unwrap_or_default()),
        None => message.to_owned(),
    }
}
