//! How old the tags are: from what the cluster kept, or what images say of themselves; and what waits because of that.

use std::time::Duration;

use image_gitops_core::{
    age::{self, Ages, Seen},
    decide::{Decision, Outcome},
    image::{Digest, Tag},
    wait::{self, Wait},
};
use image_gitops_registry::TagList;
use jiff::Timestamp;

use super::{
    Kept,
    observe::{self, Offer},
    plan::Planned,
};
use crate::{job::Job, report::Failure};

/// What is known of one resource's tags.
pub(crate) struct Known {
    pub(crate) seen: Vec<Seen>,
    /// Whether images are asked, because nobody watched before.
    adopts: bool,
    /// Whether what is seen now is kept: then a tag's age may begin now.
    keeps: bool,
}

impl Known {
    /// From what the cluster kept; `None` on the command line, which keeps nothing.
    pub(super) fn new(kept: Option<Kept>) -> Self {
        let keeps = kept.is_some();
        let kept = kept.unwrap_or_default();
        Self { seen: kept.seen, adopts: !kept.was_looked_at, keeps }
    }

    /// Whether a tag names what it did when it was first seen. If not, it is seen anew.
    pub(super) fn is_unchanged(&mut self, tag: &Tag, digest: &Digest, now: Timestamp) -> bool {
        let known = self.seen.iter().find(|seen| seen.tag == *tag).and_then(|seen| seen.digest.as_ref());
        let unchanged = known.is_none_or(|known| known == digest);
        if !unchanged {
            tracing::warn!(%tag, "the tag was pushed again while it waited; its age counts from now");
            age::note(
                &mut self.seen,
                Seen { tag: tag.clone(), since: Some(to_second(now)), digest: Some(digest.clone()) },
            );
        }
        unchanged
    }
}

impl Planned<'_> {
    /// Has the decision mind the component's health and wait for its time: the tag's age, and a window. What must be known of
    /// tags is looked up.
    pub(super) async fn hold_back(&mut self, offer: &mut Offer, now: Timestamp) {
        self.mind_health();
        let updates = &self.job.resource.updates;
        let Some(least) = updates.min_age else {
            self.ages.seen.clear();
            return self.hold_back_for_window(now);
        };
        self.forget(&offer.list);
        self.wait_for_age(offer, least, now).await;
        self.hold_back_for_window(now);
    }

    async fn wait_for_age(&mut self, offer: &mut Offer, least: Duration, now: Timestamp) {
        // Each turn notes a tag or drops one: on adoption as many as are kept, else one.
        for _ in 0..2 * age::MOST {
            let (Ok(decision), Ok(list)) = (&self.decision, &offer.list) else { return };
            let newest = |tags: &[Tag]| match self.decide_among(tags) {
                Ok(Decision { outcome: Outcome::Update(tag), .. }) => Some(tag),
                _ => None,
            };
            let ages = Ages { least, seen: &self.ages.seen, adopts: self.ages.adopts, now };
            let mut decision = decision.clone();
            let Some(tag) = age::weigh(&mut decision, &list.tags, ages, newest) else {
                self.decision = Ok(decision);
                return;
            };
            match look(self.job, &self.ages, &tag, now).await {
                Ok(Some(seen)) => age::note(&mut self.ages.seen, seen),
                Ok(None) => self.drop_useless(tag, observe::NO_MANIFEST.to_owned(), offer),
                Err(failure) => self.decision = Err(failure),
            }
        }
        // Never so far; what is not known to be old enough is not written.
        if let Ok(Decision { outcome, .. }) = &mut self.decision
            && let Outcome::Update(tag) = outcome
        {
            *outcome = Outcome::Wait(Wait::Young { tag: tag.clone(), until: None, least });
        }
    }

    fn hold_back_for_window(&mut self, now: Timestamp) {
        if let Ok(decision) = &mut self.decision {
            wait::for_window(&self.job.resource.updates, decision, now);
        }
    }

    /// Forgets the tags that are no longer listed, or not above the floor any more. While a person holds, all are kept.
    fn forget(&mut self, tags: &Result<TagList, Failure>) {
        let (Ok(decision), Ok(list)) = (&self.decision, tags) else { return };
        let mut seen = std::mem::take(&mut self.ages.seen);
        match decision.outcome {
            Outcome::UpToDate => seen.clear(),
            Outcome::Update(_) => seen.retain(|seen| {
                let alone = || self.decide_among(std::slice::from_ref(&seen.tag));
                list.tags.contains(&seen.tag)
                    && matches!(alone(), Ok(Decision { outcome: Outcome::Update(_), .. }))
            }),
            Outcome::Hold(_) | Outcome::Revert(_) | Outcome::Wait(_) => {}
        }
        self.ages.seen = seen;
    }
}

/// Looks at a tag that is new; `None` where the registry has nothing behind it.
async fn look(job: &Job, ages: &Known, tag: &Tag, now: Timestamp) -> Result<Option<Seen>, Failure> {
    let Some(digest) = observe::digest(job, tag).await? else { return Ok(None) };
    let created = match ages.adopts {
        true => job.registry.created(&job.resource.image, &digest).await?,
        false => None,
    };
    let created = age::believable(created.as_deref(), now);
    let since = created.or_else(|| ages.keeps.then_some(now)).map(to_second);
    Ok(Some(Seen { tag: tag.clone(), since, digest: Some(digest) }))
}

/// As a status can hold it.
fn to_second(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}
