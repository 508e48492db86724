//! How old a tag must be: `spec.updates.minAge`.
//!
//! Who can push an image can write any time of creation into it. So in a cluster a tag's age counts from when the service
//! first saw it as the best one there is, which the resource's status keeps ([`Seen`]). What an image says of itself counts
//! only where nobody watched before: on adoption, and on the command line. See ADR 10.

use std::time::Duration;

use jiff::Timestamp;

use crate::{
    decide::{Decision, Note, Outcome},
    image::{Digest, Tag},
    wait::Wait,
};

/// How many tags are remembered.
pub const MOST: usize = 20;
/// Before this, 2000-01-01T00:00:00Z, no image was made: reproducible builds write 1970 or 1980.
const FIRST_IMAGE: Timestamp = Timestamp::constant(946_684_800, 0);

/// A tag above the floor, and since when it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The tag.
    pub tag: Tag,
    /// Since when; `None` where nobody watched and its image does not say.
    pub since: Option<Timestamp>,
    /// What it named then: pushed again, it is another image.
    pub digest: Option<Digest>,
}

/// What is known of ages.
#[derive(Clone, Copy, Debug)]
pub struct Ages<'s> {
    /// How old a tag must be.
    pub least: Duration,
    /// The tags that were seen before.
    pub seen: &'s [Seen],
    /// Whether nobody watched before, so that images are asked: then older candidates are looked at as well.
    pub adopts: bool,
    /// The time.
    pub now: Timestamp,
}

/// What an image says of when it was made, where that can be true at `now`.
pub fn believable(created: Option<&str>, now: Timestamp) -> Option<Timestamp> {
    let created: Timestamp = created?.trim().parse().ok()?;
    (FIRST_IMAGE <= created && created <= now).then_some(created)
}

/// Weighs a decision: the newest tag is written when it is old enough, until then the newest of those that are. `newest` is
/// what [`decide`](crate::decide::decide) would write, were these the only tags.
///
/// Gives a tag that was not seen before, where there is one that matters: [note] it, and weigh again.
pub fn weigh(
    decision: &mut Decision,
    tags: &[Tag],
    ages: Ages<'_>,
    newest: impl Fn(&[Tag]) -> Option<Tag>,
) -> Option<Tag> {
    let Outcome::Update(best) = &decision.outcome else { return None };
    // What stands in another place of the file already was old enough for that.
    if decision.current.iter().flatten().any(|tag| tag == best) {
        return None;
    }
    let Some(first) = ages.find(best) else { return Some(best.clone()) };
    if ages.is_ripe(first) {
        return None;
    }
    let is_open = |tag: &&Tag| match ages.find(tag) {
        Some(seen) => ages.is_ripe(seen),
        None => ages.adopts && ages.seen.len() < MOST,
    };
    let open: Vec<Tag> = tags.iter().filter(is_open).cloned().collect();
    let next = Some(open).filter(|open| !open.is_empty()).and_then(|open| newest(&open));
    if let Some(next) = next.as_ref().filter(|next| ages.find(next).is_none()) {
        return Some(next.clone());
    }
    let (tag, until, least) = (best.clone(), ages.ripens(first), ages.least);
    // The first that ripens is looked at then, newest or not.
    let young = ages.seen.iter().filter(|seen| !ages.is_ripe(seen));
    decision.wake = young.filter_map(|seen| ages.ripens(seen)).min();
    decision.outcome = match next {
        Some(next) => {
            decision.notes.push(Note::Young { tag, until, least });
            Outcome::Update(next)
        }
        None => Outcome::Wait(Wait::Young { tag, until, least }),
    };
    None
}

impl<'s> Ages<'s> {
    fn find(&self, tag: &Tag) -> Option<&'s Seen> {
        self.seen.iter().find(|seen| seen.tag == *tag)
    }

    /// When a tag is old enough; `None` where its age is not known, or that is beyond all time.
    fn ripens(&self, seen: &Seen) -> Option<Timestamp> {
        seen.since?.checked_add(self.least).ok()
    }

    fn is_ripe(&self, seen: &Seen) -> bool {
        self.ripens(seen).is_some_and(|ripens| ripens <= self.now)
    }
}

/// Remembers a tag, or anew one that was pushed again. Of more than [`MOST`] the one goes that is missed least: whose next
/// older one is nearest. The oldest stays, so that however often images are pushed, one ripens; and so does the new one.
pub fn note(seen: &mut Vec<Seen>, new: Seen) {
    let tag = new.tag.clone();
    seen.retain(|other| other.tag != tag);
    seen.push(new);
    seen.sort_by(|a, b| a.since.cmp(&b.since).then_with(|| a.tag.cmp(&b.tag)));
    if seen.len() > MOST {
        let gap = |pair: &[Seen]| match pair {
            [older, newer] => Some(newer.since?.duration_since(older.since?)),
            _ => None,
        };
        let inner = seen.windows(2).take(seen.len() - 2).map(gap).enumerate();
        let inner = inner.map(|(index, gap)| (index + 1, gap));
        let others = inner.filter(|(index, _)| seen.get(*index).is_some_and(|seen| seen.tag != tag));
        if let Some((index, _)) = others.min_by_key(|(_, gap)| *gap) {
            seen.remove(index);
        }
    }
}
