//! The first phase of I/O: the registry's tags and the branch's files. Nothing is decided here.

use std::{collections::BTreeMap, time::Duration};

use futures_util::future::join_all;
use image_gitops_core::{
    image::{Digest, Tag},
    message::{self, LastWritten},
};
use image_gitops_cosign::Signer;
use image_gitops_git::{History, RepoPath, Snapshot, Want};
use image_gitops_registry::{RegistryError, TagList};

use super::{
    place::{Files, Place},
    replaced::Gone,
};
use crate::{
    failpoint::Failpoint,
    job::{Group, Job, Unsigned},
    report::Failure,
};

/// How many commits are read to find our last one. Enough for most branches, and a few kilobytes.
pub(super) const NEAR: u32 = 64;
/// How many are read where our last commit is not among [`NEAR`]: about 200 bytes each.
pub(super) const FAR: u32 = 2048;

/// Why a tag with nothing behind it cannot be used.
pub(super) const NO_MANIFEST: &str = "the registry has no manifest for it";

/// What the registry offers for each job, in the group's order.
pub(crate) type Tags = Vec<Offer>;

/// The tags that a job may take.
#[derive(Debug)]
pub(crate) struct Offer {
    /// What the registry lists, without what was found to be of no use.
    pub(crate) list: Result<TagList, Failure>,
    /// What was taken out of the list because it is not signed as the resource asks.
    pub(crate) unsigned: Vec<(Tag, Unsigned)>,
    /// What was taken out of it because there is nothing to run behind it, and why.
    pub(crate) useless: Vec<(Tag, String)>,
}

impl Offer {
    /// Takes a tag out of the list.
    pub(crate) fn drop(&mut self, tag: &Tag) {
        if let Ok(list) = &mut self.list {
            list.tags.retain(|other| other != tag);
        }
    }
}

/// What there is behind a tag.
pub(crate) enum Behind {
    /// An image that may be written, and who signed it where that is asked for.
    Image(Digest, Option<Signer>),
    /// An image that is not signed as the resource asks.
    Unsigned(Unsigned),
    /// Nothing that could be run, though the registry lists the tag; and why.
    Nothing(String),
}

/// Lists the tags of every job's image, all at once. Jobs of the same image and credential wait for one [`crate::job::Listing`].
/// Those that take longer than `patience` are [`Failure::Late`].
pub(crate) async fn tags(group: &Group, patience: Option<Duration>) -> Tags {
    let tags = join_all(group.jobs.iter().map(async |job| {
        let list = match job.resource.suspend {
            true => Ok(TagList::default()), // never looked at
            false => job.listing.tags(patience).await,
        };
        Offer { list, unsigned: Vec::new(), useless: Vec::new() }
    }));
    let tags = tags.await;
    Failpoint::TagsListed.reach();
    tags
}

/// What the branch holds: the files that could be read, and for the paths that could not, why.
#[derive(Debug)]
pub(crate) struct Observed {
    /// `None` where the branch itself could not be read.
    pub(crate) snapshot: Option<Snapshot>,
    /// By path; a failure of the branch stands for every path.
    pub(crate) failures: BTreeMap<RepoPath, Failure>,
    /// What the branch held before and does not hold now, where the mode asks for it.
    pub(crate) gone: Gone,
}

impl Observed {
    /// Where a job's image stands in `files`, which are those of the snapshot; or why that is not known.
    pub(crate) fn places(&self, job: &Job, files: Option<&mut Files<'_>>) -> Result<Vec<Place>, Failure> {
        match (self.failures.get(&job.path), files) {
            _ if job.resource.suspend => Err(Failure::Suspended),
            (Some(failure), _) => Err(failure.clone()),
            (None, Some(files)) => files.places(job),
            (None, None) => Ok(Vec::new()),
        }
    }
}

/// Reads the files of every job. One path that is missing does not keep the others from being read.
pub(crate) async fn snapshot(group: &Group) -> Observed {
    let observed = read(group).await;
    Failpoint::BranchRead.reach();
    observed
}

async fn read(group: &Group) -> Observed {
    let mut paths: Vec<&RepoPath> =
        group.jobs.iter().filter(|j| !j.resource.suspend).map(|j| &j.path).collect();
    paths.sort();
    paths.dedup();
    let want =
        |paths: &[&RepoPath]| paths.iter().map(|path| Want::Either((*path).clone())).collect::<Vec<_>>();
    let mut failures = BTreeMap::new();
    if paths.is_empty() {
        return Observed { snapshot: None, failures, gone: Gone::default() };
    }
    match group.remote.snapshot(&group.branch, &want(&paths)).await {
        Ok(snapshot) => return Observed { snapshot: Some(snapshot), failures, gone: Gone::default() },
        Err(error) if paths.len() == 1 || !error.is_about_path() => {
            let failure = Failure::from(error);
            failures.extend(paths.into_iter().map(|path| (path.clone(), failure.clone())));
            return Observed { snapshot: None, failures, gone: Gone::default() };
        }
        Err(_) => {}
    }
    // One of several paths is wrong: find out which, then read the others together.
    let mut good = Vec::new();
    for path in paths {
        match group.remote.snapshot(&group.branch, &want(&[path])).await {
            Ok(_) => good.push(path),
            Err(error) => {
                failures.insert(path.clone(), Failure::from(error));
            }
        }
    }
    let snapshot = match good.is_empty() {
        true => None,
        false => match group.remote.snapshot(&group.branch, &want(&good)).await {
            Ok(snapshot) => Some(snapshot),
            Err(error) => {
                let failure = Failure::from(error);
                failures.extend(good.into_iter().map(|path| (path.clone(), failure.clone())));
                None
            }
        },
    };
    Observed { snapshot, failures, gone: Gone::default() }
}

/// Reads the branch's commits back to the last ones that we made for `jobs`, as far as [`FAR`].
pub(crate) async fn history(group: &Group, snapshot: &Snapshot, jobs: &[&Job]) -> Result<History, Failure> {
    let near = group.remote.history(snapshot, NEAR).await?;
    let all_found = jobs.iter().all(|job| last_written(&near, job).is_some());
    if near.complete || all_found {
        return Ok(near);
    }
    Ok(group.remote.history(snapshot, FAR).await?)
}

/// What our last commit wrote for a job.
pub(crate) fn last_written(history: &History, job: &Job) -> Option<LastWritten> {
    message::last_written(history.messages(), &job.resource.id, job.path.as_str())
}

/// The digest of a tag; `None` where the registry lists the tag but has nothing behind it.
pub(crate) async fn digest(job: &Job, tag: &Tag) -> Result<Option<Digest>, Failure> {
    match job.registry.digest(&job.resource.image, tag).await {
        Ok(digest) => Ok(Some(digest)),
        Err(RegistryError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Looks at what a tag names: its digest, whether it can be run, and its signatures where the resource asks for them.
pub(crate) async fn behind(job: &Job, tag: &Tag) -> Result<Behind, Failure> {
    let resource = &job.resource;
    let digest = match job.registry.runnable(&resource.image, tag, &resource.platforms).await {
        Ok(Ok(digest)) => digest,
        Ok(Err(lack)) => return Ok(Behind::Nothing(lack.to_string())),
        Err(RegistryError::NotFound { .. }) => return Ok(Behind::Nothing(NO_MANIFEST.to_owned())),
        Err(error) => return Err(error.into()),
    };
    let Some(signatures) = &job.signatures else { return Ok(Behind::Image(digest, None)) };
    Ok(match signatures.signer(&digest).await? {
        Ok(signer) => Behind::Image(digest, Some(signer)),
        Err(unsigned) => Behind::Unsigned(unsigned),
    })
}
