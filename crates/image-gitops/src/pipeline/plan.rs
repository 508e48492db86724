//! What is to be written: a decision for each resource. The bytes and the message are made in [`super::edit`].

use std::collections::BTreeMap;

use image_gitops_core::{
    decide::{self, Decision, Outcome},
    image::{Digest, ImageRef, Tag},
    yaml::Site,
};
use image_gitops_git::RepoPath;
use image_gitops_registry::TagList;

use super::{
    observe::{self, Observed, Tags},
    place::{Files, Place, PlaceError},
};
use crate::{
    job::{Group, Job},
    report::Failure,
};

/// A registry that lists this many tags which it cannot serve is broken; more requests do not help.
const DEAD_TAGS: usize = 5;

/// What one resource comes to.
pub(crate) struct Planned<'g> {
    pub(crate) job: &'g Job,
    pub(crate) places: Vec<Place>,
    /// What our last commit wrote, once the history was read.
    written: Option<ImageRef>,
    pub(crate) decision: Result<Decision, Failure>,
    /// The digest of the tag that is to be written, once it was looked up.
    pub(crate) digest: Option<Digest>,
}

/// Decides for every job of the group.
///
/// A tag that the registry lists but cannot serve is taken out of `tags`, and the next one is chosen.
pub(crate) async fn decide_all<'g>(
    group: &'g Group,
    tags: &mut Tags,
    observed: &Observed,
    files: &mut Option<Files<'_>>,
) -> Vec<Planned<'g>> {
    let mut jobs: Vec<Planned<'g>> = Vec::new();
    for (job, tags) in group.jobs.iter().zip(tags.iter()) {
        jobs.push(Planned::new(job, tags, observed, files.as_mut()));
    }
    refuse_shared_places(&mut jobs);
    obey_history(group, tags, observed, &mut jobs).await;
    for (planned, tags) in jobs.iter_mut().zip(tags.iter_mut()) {
        planned.resolve(tags).await;
    }
    jobs
}

impl<'g> Planned<'g> {
    /// Decides from the tags and the file alone.
    fn new(
        job: &'g Job,
        tags: &Result<TagList, Failure>,
        observed: &Observed,
        files: Option<&mut Files<'_>>,
    ) -> Self {
        let mut planned =
            Self { job, places: Vec::new(), written: None, decision: Err(Failure::Suspended), digest: None };
        match observed.places(job, files) {
            Ok(places) => {
                planned.places = places;
                planned.decide(tags);
            }
            Err(failure) => planned.decision = Err(failure),
        }
        planned
    }

    fn decide(&mut self, tags: &Result<TagList, Failure>) {
        self.decision = match tags {
            Ok(tags) => decide::decide(&self.job.resource, &tags.tags, &self.sites(), self.written.as_ref())
                .map_err(Failure::from),
            Err(failure) => Err(failure.clone()),
        };
    }

    fn sites(&self) -> Vec<Site> {
        self.places.iter().map(|place| place.site.clone()).collect()
    }

    /// The tag that is to be written.
    pub(crate) fn wants(&self) -> Option<&Tag> {
        match &self.decision {
            Ok(Decision { outcome: Outcome::Update(tag), .. }) => Some(tag),
            _ => None,
        }
    }

    /// Looks up the digest of the chosen tag. A tag with nothing behind it is dropped and the next one is taken.
    async fn resolve(&mut self, tags: &mut Result<TagList, Failure>) {
        let mut dead = None;
        for _ in 0..DEAD_TAGS {
            let Some(tag) = self.wants().cloned() else { return };
            match observe::digest(self.job, &tag).await {
                Ok(Some(digest)) => {
                    self.digest = Some(digest);
                    return;
                }
                Ok(None) => {
                    let resource = &self.job.resource.id;
                    tracing::warn!(%resource, %tag, "the registry lists a tag without a manifest; trying the next");
                    if let Ok(list) = tags {
                        list.tags.retain(|other| *other != tag);
                    }
                    self.decide(tags);
                    dead = Some(tag);
                }
                Err(failure) => self.decision = Err(failure),
            }
        }
        if let (Some(_), Some(tag)) = (self.wants(), dead) {
            self.decision =
                Err(Failure::DeadTags { image: self.job.resource.image.to_string(), tag: tag.to_string() });
        }
    }
}

/// Two resources that write the same bytes would undo each other for ever: neither does.
fn refuse_shared_places(jobs: &mut [Planned<'_>]) {
    let mut owners: BTreeMap<(&RepoPath, usize), Vec<usize>> = BTreeMap::new();
    for (index, planned) in jobs.iter().enumerate() {
        for place in &planned.places {
            owners.entry((&place.path, place.site.span.start)).or_default().push(index);
        }
    }
    let mut refused = Vec::new();
    for ((path, start), indices) in owners {
        for index in &indices {
            let other = indices.iter().find(|other| *other != index).and_then(|other| jobs.get(*other));
            let place = jobs
                .get(*index)
                .and_then(|p| p.places.iter().find(|p| p.path == *path && p.site.span.start == start));
            if let (Some(other), Some(place)) = (other, place) {
                let (line, other) = (place.site.line, other.job.resource.id.to_string());
                refused.push((*index, PlaceError::Shared { path: path.clone(), line, other }));
            }
        }
    }
    for (index, error) in refused {
        if let Some(planned) = jobs.get_mut(index) {
            planned.decision = Err(Failure::Place(error));
        }
    }
}

/// Decides again, knowing what we wrote last, where something would be written.
async fn obey_history(group: &Group, tags: &Tags, observed: &Observed, jobs: &mut [Planned<'_>]) {
    let wanting: Vec<&Job> = jobs.iter().filter(|p| p.wants().is_some()).map(|p| p.job).collect();
    let Some(snapshot) = observed.snapshot.as_ref().filter(|_| !wanting.is_empty()) else { return };
    let history = observe::history(group, snapshot, &wanting).await;
    for (planned, tags) in jobs.iter_mut().zip(tags).filter(|(planned, _)| planned.wants().is_some()) {
        match &history {
            Ok(history) => {
                // What was taken away with a commit of ours was gone back from, as what is reverted.
                let taken_away = group.known.taken_away(&observed.gone, &planned.job.resource.id);
                planned.written = taken_away.or_else(|| observe::last_written(history, planned.job));
                planned.decide(tags);
            }
            Err(failure) => planned.decision = Err(failure.clone()),
        }
    }
}
