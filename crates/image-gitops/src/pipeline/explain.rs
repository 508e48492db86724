//! Why each tag won or lost, with the same floors as a pass would use.

use image_gitops_core::{
    decide::{self, Decision, Note, Outcome},
    image::Tag,
    yaml::Site,
};
use image_gitops_cosign::Signer;
use image_gitops_registry::TagList;
use jiff::Timestamp;
use serde::Serialize;

use super::{
    observe::{self, Behind, Offer},
    place::Files,
    plan::{Planned, UNSIGNED_TAGS},
};
use crate::{
    job::{Group, Job},
    report::{Failure, chain},
};

/// One resource's tags.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Explanation {
    pub(crate) resource: String,
    pub(crate) image: String,
    /// The policy in words.
    pub(crate) policy: String,
    /// The tags that no choice may go below, with where each comes from.
    pub(crate) floors: Vec<Floor>,
    /// Why nothing is written, whatever the tags say: a person decided so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) held: Option<String>,
    /// What is to be written, but not yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) waits: Option<String>,
    pub(crate) tags: Vec<TagVerdict>,
    /// What could not be read.
    pub(crate) problems: Vec<Problem>,
    #[serde(skip)]
    pub(crate) failure: Option<Failure>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Floor {
    pub(crate) tag: String,
    pub(crate) from: &'static str,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct TagVerdict {
    pub(crate) tag: String,
    pub(crate) chosen: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<String>,
    pub(crate) reason: String,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Problem {
    pub(crate) message: String,
    pub(crate) causes: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hint: Option<String>,
}

/// Explains every job of the group. Tags are explained even where the branch cannot be read: without floors then.
pub(crate) async fn explain(group: &Group) -> Vec<Explanation> {
    let _turn = super::turn(group).await;
    let (tags, observed) = tokio::join!(observe::tags(group, None), observe::snapshot(group));
    let jobs: Vec<_> = group.jobs.iter().collect();
    let history = match &observed.snapshot {
        Some(snapshot) => Some(observe::history(group, snapshot, &jobs).await),
        None => None,
    };
    let mut files = observed.snapshot.as_ref().map(Files::new);
    let mut explanations = Vec::new();
    for (job, mut offer) in jobs.into_iter().zip(tags) {
        let resource = &job.resource;
        let mut failures = Vec::new();
        let places = observed.places(job, files.as_mut()).unwrap_or_else(|failure| {
            failures.push(failure);
            Vec::new()
        });
        let sites: Vec<Site> = places.iter().map(|place| place.site.clone()).collect();
        let standing = match decide::standing(resource, &sites) {
            Ok(standing) => standing,
            Err(refusal) => {
                failures.extend(Some(Failure::from(refusal)).filter(|_| !sites.is_empty()));
                Vec::new()
            }
        };
        let written = match &history {
            Some(Ok(history)) => observe::last_written(history, job),
            Some(Err(failure)) => {
                failures.push(failure.clone());
                None
            }
            None => None,
        };
        if let Err(failure) = &offer.list {
            failures.push(failure.clone());
            // What is there to say of it was said; a hold is told all the same.
            offer.list = Ok(TagList::default());
        }
        let floors = decide::floors(resource, &standing, written.as_ref());
        let from = |floor: &Tag| match standing.iter().flatten().any(|tag| tag == floor) {
            true => "the file in Git",
            false => "our last commit, which a person changed",
        };
        let signer = look(job, &mut offer, &floors).await.unwrap_or_else(|failure| {
            failures.push(failure);
            None
        });
        let tags = offer.list.as_ref().map(|list| list.tags.clone()).unwrap_or_default();
        let passed_over =
            |tag: &Tag, reason| TagVerdict { tag: tag.to_string(), chosen: false, key: None, reason };
        let unsigned = offer.unsigned.iter();
        let unsigned = unsigned.map(|(tag, why)| passed_over(tag, format!("newer, but not signed: {why}")));
        let useless = offer.useless.iter();
        let useless = useless.map(|(tag, why)| passed_over(tag, format!("newer, but cannot be used: {why}")));
        let mut verdicts: Vec<TagVerdict> = unsigned.chain(useless).collect();
        let mut planned = Planned::of(job, places, written.clone());
        planned.decide(&offer.list);
        let is_decided = planned.decision.is_ok();
        planned.hold_back(&mut offer, Timestamp::now()).await;
        let (mut held, mut waits) = (None, None);
        match planned.decision {
            Ok(Decision { outcome: Outcome::Hold(hold), .. }) => held = Some(hold.to_string()),
            Ok(Decision { outcome: Outcome::Wait(wait), .. }) => waits = Some(wait.to_string()),
            Ok(Decision { notes, .. }) => {
                waits = notes.iter().find(|note| matches!(note, Note::Young { .. })).map(ToString::to_string);
            }
            Err(failure) => failures.extend(Some(failure).filter(|_| is_decided)),
        }
        verdicts.extend(resource.rules.explain(&tags, &floors).into_iter().map(|verdict| TagVerdict {
            tag: verdict.tag.to_string(),
            chosen: verdict.is_chosen(),
            key: verdict.key.as_ref().map(ToString::to_string),
            reason: match &signer {
                Some(signer) if verdict.is_chosen() => format!("{verdict}, signed by {signer}"),
                _ => verdict.to_string(),
            },
        }));
        explanations.push(Explanation {
            resource: resource.id.to_string(),
            image: resource.image.to_string(),
            policy: resource.rules.policy.to_string(),
            floors: floors.iter().map(|tag| Floor { tag: tag.to_string(), from: from(tag) }).collect(),
            held,
            waits,
            tags: verdicts,
            problems: failures
                .iter()
                .map(|f| Problem { message: f.to_string(), causes: chain(f), hint: f.hint() })
                .collect(),
            failure: failures.into_iter().next(),
        });
    }
    explanations
}

/// Takes the tags out of `offer` that would be chosen but are not signed or cannot be run, as a pass does, and says who signed the one that
/// is chosen. Where neither signatures nor platforms are asked for, nothing is looked at.
async fn look(job: &Job, offer: &mut Offer, floors: &[&Tag]) -> Result<Option<Signer>, Failure> {
    if job.signatures.is_none() && job.resource.platforms.is_empty() {
        return Ok(None);
    }
    while let Ok(list) = &offer.list
        && let Some(tag) = job.resource.rules.select(&list.tags, floors).newest
    {
        if offer.unsigned.len() + offer.useless.len() == UNSIGNED_TAGS {
            return Err(Failure::unsigned(&job.resource, &offer.unsigned));
        }
        match observe::behind(job, &tag).await? {
            Behind::Image(_, signer) => return Ok(signer),
            Behind::Unsigned(why) => offer.unsigned.push((tag.clone(), why)),
            Behind::Nothing(why) => offer.useless.push((tag.clone(), why)),
        }
        offer.drop(&tag);
    }
    Ok(None)
}
