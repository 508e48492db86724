//! What is to be written: a decision for each resource. The bytes and the message are made in [`super::edit`].

use std::collections::BTreeMap;

use image_gitops_core::{
    decide::{self, Decision, Outcome, Refusal},
    image::{Digest, ImageRef, Tag},
    yaml::Site,
};
use image_gitops_cosign::Signer;
use image_gitops_git::RepoPath;

use super::{
    observe::{self, Behind, Observed, Offer, Tags},
    place::{Files, Place, PlaceError},
};
use crate::{
    job::{Group, Job, Unsigned},
    report::Failure,
};

/// A registry that lists this many tags which it cannot serve is broken; more requests do not help.
const DEAD_TAGS: usize = 5;
/// How many tags are looked at for one that is signed. Each costs a few requests, and again with every pass until it is.
pub(super) const UNSIGNED_TAGS: usize = 10;

/// What one resource comes to.
pub(crate) struct Planned<'g> {
    pub(crate) job: &'g Job,
    pub(crate) places: Vec<Place>,
    /// What our last commit wrote, once the history was read.
    written: Option<ImageRef>,
    pub(crate) decision: Result<Decision, Failure>,
    /// The digest of the tag that is to be written, once it was looked up.
    pub(crate) digest: Option<Digest>,
    /// Who signed that, where the resource asks.
    pub(crate) signer: Option<Signer>,
    /// The newer tags that were passed over because they are not signed.
    pub(crate) unsigned: Vec<(Tag, Unsigned)>,
}

/// Decides for every job of the group.
///
/// A tag that the registry lists but cannot serve, or that is not signed as the resource asks, is taken out of `tags`, and
/// the next one is chosen.
pub(crate) async fn decide_all<'g>(
    group: &'g Group,
    tags: &mut Tags,
    observed: &Observed,
    files: &mut Option<Files<'_>>,
) -> Vec<Planned<'g>> {
    let mut jobs: Vec<Planned<'g>> = Vec::new();
    for (job, offer) in group.jobs.iter().zip(tags.iter()) {
        jobs.push(Planned::new(job, offer, observed, files.as_mut()));
    }
    refuse_shared_places(&mut jobs);
    obey_history(group, tags, observed, &mut jobs).await;
    for (planned, offer) in jobs.iter_mut().zip(tags.iter_mut()) {
        planned.resolve(offer).await;
    }
    jobs
}

impl<'g> Planned<'g> {
    /// Decides from the tags and the file alone.
    fn new(job: &'g Job, offer: &Offer, observed: &Observed, files: Option<&mut Files<'_>>) -> Self {
        let mut planned = Self {
            job,
            places: Vec::new(),
            written: None,
            decision: Err(Failure::Suspended),
            digest: None,
            signer: None,
            unsigned: Vec::new(),
        };
        match observed.places(job, files) {
            Ok(places) => {
                planned.places = places;
                planned.decide(offer);
            }
            Err(failure) => planned.decision = Err(failure),
        }
        planned
    }

    fn decide(&mut self, offer: &Offer) {
        self.decision = match &offer.list {
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

    /// Looks at what the chosen tag names. A tag with nothing behind it, or that is not signed, is dropped and the next one
    /// is taken.
    async fn resolve(&mut self, offer: &mut Offer) {
        let mut dead = 0;
        while let Some(tag) = self.wants().cloned() {
            let (resource, image) = (&self.job.resource.id, self.job.resource.image.to_string());
            match observe::behind(self.job, &tag).await {
                Ok(Behind::Image(digest, signer)) => {
                    (self.digest, self.signer) = (Some(digest), signer);
                    break;
                }
                Ok(Behind::Nothing) => {
                    tracing::warn!(%resource, %tag, "the registry lists a tag without a manifest; trying the next");
                    dead += 1;
                }
                Ok(Behind::Unsigned(why)) => {
                    tracing::info!(%resource, %tag, %why, "a tag is not signed; trying the next");
                    offer.unsigned.push((tag.clone(), why));
                }
                Err(failure) => {
                    self.decision = Err(failure);
                    break;
                }
            }
            offer.drop(&tag);
            self.decide(offer);
            if self.wants().is_some() && dead == DEAD_TAGS {
                self.decision = Err(Failure::DeadTags { image, tag: tag.to_string() });
            } else if self.wants().is_some() && offer.unsigned.len() >= UNSIGNED_TAGS {
                self.decision = Err(Failure::unsigned(&self.job.resource, &offer.unsigned));
            }
        }
        // Where nothing else is allowed, the list is not what is wrong.
        let nothing_left =
            matches!(self.decision, Err(Failure::Refusal(Refusal::NoMatch { .. } | Refusal::EmptyList(_))));
        if nothing_left && !offer.unsigned.is_empty() {
            self.decision = Err(Failure::unsigned(&self.job.resource, &offer.unsigned));
        }
        self.unsigned.clone_from(&offer.unsigned);
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
    for (planned, offer) in jobs.iter_mut().zip(tags).filter(|(planned, _)| planned.wants().is_some()) {
        match &history {
            Ok(history) => {
                planned.written = observe::last_written(history, planned.job);
                planned.decide(offer);
            }
            Err(failure) => planned.decision = Err(failure.clone()),
        }
    }
}
