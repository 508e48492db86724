//! What is to be written: a decision for each resource. The bytes and the message are made in [`super::edit`].

use std::collections::BTreeMap;

use image_gitops_core::{
    decide::{self, Decision, Note, Outcome, Refusal},
    harm::{self, Revert},
    health::{Phase, Rollout},
    image::{Digest, Tag},
    message::LastWritten,
    yaml::Site,
};
use image_gitops_cosign::Signer;
use image_gitops_git::RepoPath;
use image_gitops_registry::TagList;
use jiff::Timestamp;

use super::{
    Kept, Mode,
    ages::Known,
    observe::{self, Behind, Observed, Offer, Tags},
    place::{Files, Place, PlaceError},
};
use crate::{
    job::{Group, Job, Unsigned},
    report::Failure,
};

/// A registry that lists this many tags which it cannot serve is broken; more requests do not help.
const USELESS_TAGS: usize = 5;
/// How many tags are looked at for one that is signed. Each costs a few requests, and again with every pass until it is.
pub(super) const UNSIGNED_TAGS: usize = 10;

/// How often the registry is asked about one tag or another, for one resource: enough for [`USELESS_TAGS`], and for some that
/// are pushed again meanwhile.
const LOOKS: usize = 2 * USELESS_TAGS;

/// What one resource comes to.
pub(crate) struct Planned<'g> {
    pub(crate) job: &'g Job,
    pub(crate) places: Vec<Place>,
    /// What our last commit wrote, once the history was read.
    written: Option<LastWritten>,
    rollout: Option<Rollout>,
    pub(crate) ages: Known,
    pub(crate) decision: Result<Decision, Failure>,
    /// The digest of the tag that is to be written, once it was looked up.
    pub(crate) digest: Option<Digest>,
    /// Who signed that, where the resource asks.
    pub(crate) signer: Option<Signer>,
    /// The newer tags that were passed over because they are not signed.
    pub(crate) unsigned: Vec<(Tag, Unsigned)>,
    /// The newer tags that were passed over because there is nothing to run behind them, and why.
    pub(crate) useless: Vec<(Tag, String)>,
}

/// Decides for every job of the group.
///
/// A tag that the registry lists but cannot serve, or that is not signed as the resource asks, is taken out of `tags`, and
/// the next one is chosen.
pub(crate) async fn decide_all<'g>(
    group: &'g Group,
    mode: Mode<'_>,
    tags: &mut Tags,
    observed: &Observed,
    files: &mut Option<Files<'_>>,
) -> Vec<Planned<'g>> {
    let mut jobs: Vec<Planned<'g>> = Vec::new();
    for (job, offer) in group.jobs.iter().zip(tags.iter()) {
        let kept = match mode {
            Mode::Serve(beside) => beside.kept.get(&job.resource.id).cloned(),
            Mode::Plan | Mode::Sync => None,
        };
        jobs.push(Planned::new(job, kept, offer, observed, files.as_mut()));
    }
    refuse_shared_places(&mut jobs);
    obey_history(group, tags, observed, &mut jobs).await;
    for (planned, offer) in jobs.iter_mut().zip(tags.iter_mut()) {
        planned.resolve(offer, Timestamp::now()).await;
    }
    jobs
}

impl<'g> Planned<'g> {
    /// A resource whose places and last image are known, on the command line.
    pub(super) fn of(job: &'g Job, places: Vec<Place>, written: Option<LastWritten>) -> Self {
        let (ages, decision) = (Known::new(None), Err(Failure::Suspended));
        Self {
            job,
            places,
            written,
            rollout: None,
            ages,
            decision,
            digest: None,
            signer: None,
            unsigned: Vec::new(),
            useless: Vec::new(),
        }
    }

    /// Decides from the tags and the file alone.
    fn new(
        job: &'g Job,
        kept: Option<Kept>,
        offer: &Offer,
        observed: &Observed,
        files: Option<&mut Files<'_>>,
    ) -> Self {
        let rollout = kept.as_ref().and_then(|kept| kept.rollout.clone());
        let mut planned = Self { rollout, ages: Known::new(kept), ..Self::of(job, Vec::new(), None) };
        match observed.places(job, files) {
            Ok(places) => {
                planned.places = places;
                planned.decide(&offer.list);
            }
            Err(failure) => planned.decision = Err(failure),
        }
        planned
    }

    pub(super) fn decide(&mut self, tags: &Result<TagList, Failure>) {
        self.decision = match tags {
            Ok(tags) => self.decide_among(&tags.tags),
            Err(failure) => Err(failure.clone()),
        };
    }

    /// What is to be done, were these the only tags.
    pub(super) fn decide_among(&self, tags: &[Tag]) -> Result<Decision, Failure> {
        let decision = decide::decide(&self.job.resource, tags, &self.sites(), self.written.as_ref());
        decision.map_err(Failure::from)
    }

    fn sites(&self) -> Vec<Site> {
        self.places.iter().map(|place| place.site.clone()).collect()
    }

    /// The tag that is to be written.
    pub(crate) fn wants(&self) -> Option<&Tag> {
        match &self.decision {
            Ok(Decision { outcome: Outcome::Update(tag), .. }) => Some(tag),
            Ok(Decision { outcome: Outcome::Revert(revert), .. }) => Some(&revert.to),
            _ => None,
        }
    }

    /// From what we go back, and why.
    pub(super) fn undoes(&self) -> Option<&Revert> {
        match &self.decision {
            Ok(Decision { outcome: Outcome::Revert(revert), .. }) => Some(revert),
            _ => None,
        }
    }

    /// Whether our last commit must be known: something would be written, or taken back.
    fn needs_history(&self) -> bool {
        self.wants().is_some() || self.rollout.as_ref().is_some_and(|rollout| rollout.phase == Phase::Failed)
    }

    /// Has the decision mind how the component is with what we wrote.
    pub(super) fn mind_health(&mut self) {
        if let (Some(rollout), Ok(decision)) = (&self.rollout, &self.decision) {
            let decision = decision.clone();
            self.decision = Ok(harm::answer(&self.job.resource, rollout, decision, self.written.as_ref()));
        }
    }

    /// Looks at what the chosen tag names. A tag with nothing behind it, or that is not signed, is dropped and the next one
    /// is taken.
    async fn resolve(&mut self, offer: &mut Offer, now: Timestamp) {
        for _ in 0..LOOKS + UNSIGNED_TAGS {
            self.hold_back(offer, now).await;
            let Some(tag) = self.wants().cloned() else { break };
            match (observe::behind(self.job, &tag).await, self.undoes().cloned()) {
                (Ok(Behind::Image(digest, signer)), _) => {
                    if self.ages.is_unchanged(&tag, &digest, now) {
                        (self.digest, self.signer) = (Some(digest), signer);
                        break;
                    }
                    // Pushed again, it is as young as that.
                    self.decide(&offer.list);
                }
                (Ok(Behind::Nothing(_) | Behind::Unsigned(_)), Some(revert)) => {
                    self.hold_instead(revert);
                    break;
                }
                (Ok(Behind::Nothing(why)), None) => self.drop_useless(tag, why, offer),
                (Ok(Behind::Unsigned(why)), None) => self.drop_unsigned(tag, why, offer),
                (Err(failure), _) => self.decision = Err(failure),
            }
        }
        if self.wants().is_some() && self.digest.is_none() {
            // Never so far; what was not looked at is not written.
            self.decision = Err(Failure::Late(self.job.resource.image.registry().to_owned()));
        }
        // Where nothing else is allowed, the list is not what is wrong.
        let nothing_left =
            matches!(self.decision, Err(Failure::Refusal(Refusal::NoMatch { .. } | Refusal::EmptyList(_))));
        if nothing_left && !offer.unsigned.is_empty() {
            self.decision = Err(Failure::unsigned(&self.job.resource, &offer.unsigned));
        }
        self.unsigned.clone_from(&offer.unsigned);
        self.useless.clone_from(&offer.useless);
    }

    /// Passes over a tag that is not signed; after some of them over all.
    fn drop_unsigned(&mut self, tag: Tag, why: Unsigned, offer: &mut Offer) {
        let resource = &self.job.resource;
        tracing::info!(resource = %resource.id, %tag, %why, "a tag is not signed; trying the next");
        offer.drop(&tag);
        offer.unsigned.push((tag, why));
        self.decide(&offer.list);
        if self.wants().is_some() && offer.unsigned.len() >= UNSIGNED_TAGS {
            self.decision = Err(Failure::unsigned(resource, &offer.unsigned));
        }
    }

    /// Holds where the image to go back to is gone.
    fn hold_instead(&mut self, revert: Revert) {
        if let Ok(decision) = &mut self.decision {
            decision.notes.retain(|note| !matches!(note, Note::WentBack { .. }));
            decision.outcome = harm::cannot_revert(revert);
        }
    }

    /// Passes over a tag that the registry lists but behind which there is nothing to run; after some of them over all.
    pub(super) fn drop_useless(&mut self, tag: Tag, why: String, offer: &mut Offer) {
        let resource = &self.job.resource;
        tracing::warn!(resource = %resource.id, %tag, why, "a tag cannot be used; trying the next");
        offer.drop(&tag);
        self.decide(&offer.list);
        if offer.useless.len() + 1 >= USELESS_TAGS && self.wants().is_some() {
            let (image, tag, why) = (resource.image.to_string(), tag.to_string(), why.clone());
            self.decision = Err(Failure::UselessTags { image, tag, why });
        }
        offer.useless.push((tag, why));
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
    let wanting: Vec<&Job> = jobs.iter().filter(|p| p.needs_history()).map(|p| p.job).collect();
    let Some(snapshot) = observed.snapshot.as_ref().filter(|_| !wanting.is_empty()) else { return };
    let history = observe::history(group, snapshot, &wanting).await;
    for (planned, offer) in jobs.iter_mut().zip(tags).filter(|(planned, _)| planned.needs_history()) {
        match &history {
            Ok(history) => {
                // What was taken away with a commit of ours was gone back from, as what is reverted.
                let taken_away = group.known.taken_away(&observed.gone, &planned.job.resource.id);
                let taken_away = taken_away.map(|image| LastWritten { image, reverted: false });
                planned.written = taken_away.or_else(|| observe::last_written(history, planned.job));
                planned.decide(&offer.list);
            }
            Err(failure) => planned.decision = Err(failure.clone()),
        }
    }
}
