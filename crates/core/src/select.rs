//! The tag that the rules choose out of a list.

use std::cmp::Ordering;

use crate::{
    image::Tag,
    policy::{Policy, Prefer, Rank, Unranked},
    tags::{KeyReader, TagFilter},
};

/// Which tags are candidates and how they are ordered.
///
/// The order is total, so that the same tags give the same answer whatever the order in which a registry lists them: by
/// key as [`Policy`] says, and of two tags with the same key (`v1.2.3` and `1.2.3`) the one whose text is bytewise
/// greater is taken, whichever end wins. Against a floor only keys count: a tag with the floor's key is not newer.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Which tags are candidates, and what of them is compared.
    pub filter: TagFilter,
    /// How they are compared.
    pub policy: Policy,
}

/// What the rules chose, and what they saw on the way. Counts are of the tags as listed, duplicates included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// The best candidate, where it is strictly better than every floor that the rules can place.
    pub newest: Option<Tag>,
    /// The best candidate, whatever the floors.
    pub best: Option<Tag>,
    /// The tags listed.
    pub total: usize,
    /// The tags that passed the filter.
    pub matched: usize,
    /// Of those, the ones whose key is no number or no version.
    pub unparsable: usize,
    /// Of those, the ones whose version is outside the range, among them prereleases where the range names none.
    pub outside: usize,
}

impl Selection {
    /// The tags that the rules could order.
    pub fn candidates(&self) -> usize {
        self.matched.saturating_sub(self.unparsable).saturating_sub(self.outside)
    }
}

impl Rules {
    /// Chooses the newest tag. A floor that the rules cannot place (it does not match, is no number, is outside the
    /// range) gives no bound. An empty list chooses nothing.
    pub fn select(&self, tags: &[Tag], floors: &[&Tag]) -> Selection {
        let mut reader = self.filter.reader();
        let mut selection = Selection { total: tags.len(), ..Selection::default() };
        let mut best: Option<Candidate<'_>> = None;
        for tag in tags {
            let Ok(key) = reader.key(tag.as_str()) else {
                continue;
            };
            selection.matched += 1;
            match self.policy.rank(key) {
                Ok(rank) => {
                    let candidate = Candidate { tag, rank };
                    if best.as_ref().is_none_or(|best| candidate.order(best, self.policy.prefer()).is_gt()) {
                        best = Some(candidate);
                    }
                }
                Err(Unranked::NotANumber | Unranked::NotAVersion) => selection.unparsable += 1,
                Err(Unranked::Outside | Unranked::Prerelease) => selection.outside += 1,
            }
        }
        selection.best = best.as_ref().map(|best| best.tag.clone());
        if best.is_some_and(|best| self.is_above(&best, self.highest_floor(floors).as_ref())) {
            selection.newest.clone_from(&selection.best);
        }
        selection
    }

    /// Compares two tags by their keys alone: `Greater` if `a` is preferred, `None` if the rules cannot place both.
    pub fn compare(&self, a: &Tag, b: &Tag) -> Option<Ordering> {
        let mut reader = self.filter.reader();
        let (a, b) = (self.candidate(&mut reader, a)?, self.candidate(&mut reader, b)?);
        Some(a.order_by_key(&b, self.policy.prefer()))
    }

    /// The floor that binds: the one that the rules like best.
    pub(crate) fn highest_floor<'t>(&self, floors: &[&'t Tag]) -> Option<Candidate<'t>> {
        let mut reader = self.filter.reader();
        let placed = floors.iter().filter_map(|floor| self.candidate(&mut reader, floor));
        placed.max_by(|a, b| a.order(b, self.policy.prefer()))
    }

    /// Whether a candidate may be taken.
    pub(crate) fn is_above(&self, candidate: &Candidate<'_>, floor: Option<&Candidate<'_>>) -> bool {
        floor.is_none_or(|floor| candidate.order_by_key(floor, self.policy.prefer()).is_gt())
    }

    fn candidate<'t>(&self, reader: &mut KeyReader<'_>, tag: &'t Tag) -> Option<Candidate<'t>> {
        let key = reader.key(tag.as_str()).ok()?;
        Some(Candidate { tag, rank: self.policy.rank(key).ok()? })
    }
}

/// A tag that the rules can place.
#[derive(Clone, Debug)]
pub(crate) struct Candidate<'t> {
    pub(crate) tag: &'t Tag,
    pub(crate) rank: Rank<'t>,
}

impl Candidate<'_> {
    /// `Greater` is preferred.
    pub(crate) fn order_by_key(&self, other: &Self, prefer: Prefer) -> Ordering {
        prefer.apply(self.rank.cmp(&other.rank))
    }

    /// The total order: `Equal` only for the same tag.
    pub(crate) fn order(&self, other: &Self, prefer: Prefer) -> Ordering {
        self.order_by_key(other, prefer).then_with(|| self.tag.cmp(other.tag))
    }
}
