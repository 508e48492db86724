//! Why each tag won or lost, with the same floors as a pass would use.

use image_gitops_core::{decide, image::Tag};
use serde::Serialize;

use super::{observe, place::Files};
use crate::{
    job::Group,
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
    let (tags, observed) = tokio::join!(observe::tags(group), observe::snapshot(group));
    let jobs: Vec<_> = group.jobs.iter().collect();
    let history = match &observed.snapshot {
        Some(snapshot) => Some(observe::history(group, snapshot, &jobs).await),
        None => None,
    };
    let mut files = observed.snapshot.as_ref().map(Files::new);
    let mut explanations = Vec::new();
    for (job, tags) in jobs.into_iter().zip(tags) {
        let resource = &job.resource;
        let mut failures = Vec::new();
        let mut floors: Vec<(Tag, &'static str)> = Vec::new();
        let places = match (observed.failures.get(&job.path), files.as_mut()) {
            (Some(failure), _) => Err(failure.clone()),
            (None, Some(files)) => files.places(job),
            (None, None) => Err(Failure::Suspended),
        };
        let standing = places.and_then(|places| {
            let sites: Vec<_> = places.into_iter().map(|place| place.site).collect();
            Ok(decide::standing(resource, &sites)?)
        });
        match standing {
            Ok(tags) => floors.extend(tags.into_iter().flatten().map(|tag| (tag, "the file in Git"))),
            Err(failure) => failures.push(failure),
        }
        match &history {
            Some(Ok(history)) => {
                let written = observe::last_written(history, job);
                if let Some(tag) = written.filter(|w| w.repository == resource.image).and_then(|w| w.tag)
                    && !floors.iter().any(|(floor, _)| *floor == tag)
                {
                    floors.push((tag, "our last commit, which a person changed"));
                }
            }
            Some(Err(failure)) => failures.push(failure.clone()),
            None => {}
        }
        if resource.allow_downgrade {
            floors.clear();
        }
        let tags = tags.unwrap_or_else(|failure| {
            failures.push(failure);
            Default::default()
        });
        let floor_tags: Vec<&Tag> = floors.iter().map(|(tag, _)| tag).collect();
        let verdicts = resource.rules.explain(&tags.tags, &floor_tags);
        explanations.push(Explanation {
            resource: resource.id.to_string(),
            image: resource.image.to_string(),
            policy: resource.rules.policy.to_string(),
            floors: floors.iter().map(|(tag, from)| Floor { tag: tag.to_string(), from }).collect(),
            tags: verdicts
                .into_iter()
                .map(|verdict| TagVerdict {
                    tag: verdict.tag.to_string(),
                    chosen: verdict.is_chosen(),
                    key: verdict.key.as_ref().map(ToString::to_string),
                    reason: verdict.to_string(),
                })
                .collect(),
            problems: failures
                .iter()
                .map(|f| Problem { message: f.to_string(), causes: chain(f), hint: f.hint() })
                .collect(),
            failure: failures.into_iter().next(),
        });
    }
    explanations
}
