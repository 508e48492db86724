//! What follows where an update made a component unhealthy: nothing newer is written, or we go back.

use crate::{
    decide::{Decision, Hold, Note, Outcome},
    health::{Phase, Rollout},
    image::{ImageRef, Tag},
    message::LastWritten,
    resource::Resource,
    spec::OnUnhealthy,
};

/// The longest that a component's own words may be, in characters.
const LONGEST: usize = 200;

/// How to go back from what we wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revert {
    /// What is written.
    pub to: Tag,
    /// What we wrote before.
    pub from: Tag,
    /// Why: the component's own words, in one line.
    pub why: String,
}

/// That an update made a component unhealthy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the component is unhealthy since the update to {tag} ({why}): nothing newer is written until it is healthy, or a \
     person changes the image in Git (revert the commit, or write a tag that works){}", gone_in_words(gone.as_ref())
)]
pub struct Harm {
    /// What we wrote.
    pub tag: Tag,
    /// The component's own words, in one line.
    pub why: String,
    /// The tag to go back to, where the registry does not have it any more.
    pub gone: Option<Tag>,
}

fn gone_in_words(gone: Option<&Tag>) -> String {
    gone.map(|tag| format!("; it is not taken back, as the registry no longer has {tag}")).unwrap_or_default()
}

/// The decision where `rollout` is what is known of the image in the cluster. A person's hold stays what it is, and an image
/// that a person wrote since is nobody's harm.
///
/// `written` is what our last commit says. We go back from what we wrote, once: where a person then writes it again, it stays.
pub fn answer(
    resource: &Resource,
    rollout: &Rollout,
    decision: Decision,
    written: Option<&LastWritten>,
) -> Decision {
    let [Some(tag)] = decision.current.as_slice() else { return decision };
    let holds_it = tag_of(resource, &rollout.image).as_ref() == Some(tag);
    let by_person = matches!(decision.outcome, Outcome::Hold(_));
    if rollout.phase != Phase::Failed || !holds_it || by_person {
        return decision;
    }
    let why = in_one_line(rollout.message.as_deref().unwrap_or_default());
    let before = rollout.before.as_deref().and_then(|image| tag_of(resource, image)).filter(|to| to != tag);
    let is_last = written.is_some_and(|last| {
        !last.reverted && last.image.tag.as_ref() == Some(tag) && last.image.repository == resource.image
    });
    let (tag, mut decision) = (tag.clone(), decision);
    decision.wake = None;
    decision.outcome = match (resource.updates.on_unhealthy, before) {
        (OnUnhealthy::Continue, _) => return decision,
        (OnUnhealthy::Revert, Some(to)) if is_last => {
            decision.notes.push(Note::WentBack { from: tag.clone(), why: why.clone() });
            Outcome::Revert(Revert { to, from: tag, why })
        }
        (OnUnhealthy::Revert | OnUnhealthy::Hold, _) => {
            Outcome::Hold(Hold::Unhealthy(Harm { tag, why, gone: None }))
        }
    };
    decision
}

/// The hold in place of a revert to a tag that is gone.
pub fn cannot_revert(revert: Revert) -> Outcome {
    let Revert { to, from, why } = revert;
    Outcome::Hold(Hold::Unhealthy(Harm { tag: from, why, gone: Some(to) }))
}

/// The tag of an image of this resource.
fn tag_of(resource: &Resource, image: &str) -> Option<Tag> {
    ImageRef::parse(image).ok().filter(|image| image.repository == resource.image)?.tag
}

/// It becomes a part of a commit's message and of a status.
fn in_one_line(text: &str) -> String {
    let text = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    let text: String = text.collect::<Vec<_>>().join(" ").chars().take(LONGEST).collect();
    if text.is_empty() { "it does not say why".into() } else { text }
}
