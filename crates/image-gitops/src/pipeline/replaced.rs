//! Whether a branch still holds what it is known to have held. Where it does not, it was replaced: a force push, or a branch
//! that was deleted and made again.
//!
//! Git alone cannot tell: what is no longer in a history leaves no trace there. So this needs what the cluster says of our
//! commits, and what was the tip a moment ago. Where both are absent nothing is noticed, and nothing else changes.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use image_gitops_core::{image::ImageRef, resource::ResourceId};
use image_gitops_git::{History, Snapshot, Transfer};

use super::observe::{FAR, NEAR};
use crate::job::Group;

/// What is known of a branch from elsewhere than Git.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    /// Our last commit for each resource, as its status has it.
    pub(crate) wrote: BTreeMap<ResourceId, Wrote>,
    /// What the pass before saw. Kept as long as the branch is looked at.
    pub(crate) memory: Arc<Mutex<Memory>>,
}

/// A commit of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wrote {
    pub(crate) commit: String,
    pub(crate) image: ImageRef,
    /// When it was made, in seconds since 1970.
    pub(crate) time: i64,
}

/// What the pass before saw.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// The tip, and when it was committed.
    tip: Option<(String, i64)>,
    /// Our commits that were looked for in that tip's history, and whether they were not in it.
    looked_for: BTreeMap<String, bool>,
    /// A tip that is gone, until that was told.
    untold: Option<String>,
}

/// What is no longer in the branch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Gone {
    /// Our commits.
    ours: BTreeSet<String>,
    /// The tip of the pass before.
    tip: Option<String>,
}

impl Known {
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Our commit for a resource, where it is gone.
    fn lost(&self, gone: &Gone, resource: &ResourceId) -> Option<&Wrote> {
        self.wrote.get(resource).filter(|wrote| gone.ours.contains(&wrote.commit))
    }

    /// What a resource's commit wrote that is gone: who took it away went back from that, as if by a revert.
    pub(crate) fn taken_away(&self, gone: &Gone, resource: &ResourceId) -> Option<ImageRef> {
        self.lost(gone, resource).map(|wrote| wrote.image.clone())
    }

    /// What is to be said of it to the resource's people.
    pub(crate) fn in_words(&self, gone: &Gone, resource: &ResourceId) -> Option<String> {
        let said = |what: &str, commit: &str| {
            let short = commit.get(..7).unwrap_or(commit);
            format!("{what} {short} is no longer in the branch, which was replaced by a force push")
        };
        match (self.lost(gone, resource), &gone.tip) {
            (Some(wrote), _) => Some(said("our commit", &wrote.commit)),
            (None, Some(tip)) => Some(said("the commit", tip)),
            (None, None) => None,
        }
    }

    /// All resources of the branch were told.
    pub(crate) fn told(&self) {
        self.memory().untold = None;
    }

    /// The tip is ours now.
    pub(crate) fn pushed(&self, commit: &str) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
        self.memory().tip = Some((commit.to_owned(), i64::try_from(now).unwrap_or(i64::MAX)));
    }
}

/// What is gone from a group's branch. Costs nothing while its tip is where it was, a few kilobytes of commits where it is not.
/// A server without filters would send all files of these commits too: it is not asked.
pub(super) async fn look(group: &Group, snapshot: &Snapshot) -> Gone {
    let known = &group.known;
    let tip = snapshot.tip.to_string();
    let commits = || known.wrote.values().map(|wrote| (wrote.commit.clone(), wrote.time));
    let before = {
        let memory = known.memory();
        let before = memory.tip.clone();
        let same = before.as_ref().is_some_and(|(before, _)| *before == tip);
        if same && commits().all(|(commit, _)| memory.looked_for.contains_key(&commit)) {
            let gone = memory.looked_for.iter().filter(|(_, gone)| **gone);
            let ours = gone.map(|(commit, _)| commit.clone()).collect();
            return Gone { ours, tip: memory.untold.clone() };
        }
        before.filter(|(before, _)| *before != tip)
    };
    let wanted: Vec<(String, i64)> = commits().chain(before.clone()).collect();
    let Some(missing) = missing(group, snapshot, &wanted).await else { return Gone::default() };
    let mut memory = known.memory();
    let time = snapshot.known_history().commits.first().map_or(0, |commit| commit.time);
    memory.tip = Some((tip, time));
    memory.looked_for = commits().map(|(commit, _)| (commit.clone(), missing.contains(&commit))).collect();
    let tip = before.map(|(commit, _)| commit).filter(|commit| missing.contains(commit));
    memory.untold = tip.or(memory.untold.take());
    Gone {
        ours: commits().map(|(commit, _)| commit).filter(|commit| missing.contains(commit)).collect(),
        tip: memory.untold.clone(),
    }
}

/// Those of `wanted` that are not in the branch's history. `None` where that cannot be told now.
async fn missing(group: &Group, snapshot: &Snapshot, wanted: &[(String, i64)]) -> Option<BTreeSet<String>> {
    if snapshot.transfer == Transfer::Shallow {
        return None;
    }
    let mut missing = BTreeSet::new();
    for depth in [NEAR, FAR] {
        if wanted.is_empty() {
            break;
        }
        let history = group.remote.history(snapshot, depth).await;
        let history = history.map_err(|error| tracing::debug!(%error, "the history cannot be read")).ok()?;
        missing = absent(&history, wanted);
        if missing.is_empty() || history.complete {
            break;
        }
    }
    Some(missing)
}

/// Those that a history does not hold though it reaches back beyond their time.
fn absent(history: &History, wanted: &[(String, i64)]) -> BTreeSet<String> {
    let held: BTreeSet<String> = history.commits.iter().map(|commit| commit.id.to_string()).collect();
    let oldest = history.commits.iter().map(|commit| commit.time).min();
    let reaches = |time: i64| history.complete || oldest.is_some_and(|oldest| oldest < time);
    let gone = wanted.iter().filter(|(commit, time)| !held.contains(commit) && reaches(*time));
    gone.map(|(commit, _)| commit.clone()).collect()
}
