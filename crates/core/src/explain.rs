//! Why each tag was taken or not, in words.

use std::{borrow::Cow, cmp::Ordering, fmt};

use crate::{
    image::Tag,
    policy::{Policy, Prefer, Range, Unranked},
    select::{Candidate, Rules},
    tags::Skip,
};

/// What became of one tag. `Display` is the reason in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict<'a> {
    /// The tag.
    pub tag: &'a Tag,
    /// What of it is compared; `None` if the filter dropped it.
    pub key: Option<Cow<'a, str>>,
    /// Why it was taken or not.
    pub outcome: Outcome<'a>,
}

/// Why a tag was taken or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome<'a> {
    /// It is the newest.
    Chosen,
    /// It is the floor that nothing is above.
    Floor,
    /// Nothing is above the floor, this neither.
    NotAbove(Rival<'a>),
    /// It has the key of the chosen tag, whose text is greater.
    SameKey(&'a Tag),
    /// The chosen tag is better.
    Behind(Rival<'a>),
    /// Its version is outside the range.
    Outside(&'a Range),
    /// Its version is a prerelease, and the range would take it if it named one.
    Prerelease(&'a Range),
    /// Its key is no number.
    NotANumber,
    /// Its key is no version.
    NotAVersion,
    /// The filter dropped it.
    Skipped(Skip<'a>),
}

/// The tag that another one lost to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rival<'a> {
    /// The tag.
    pub tag: &'a Tag,
    /// Its key.
    pub key: Cow<'a, str>,
    /// How the loser's key compares with it in natural order.
    pub order: Ordering,
    /// Which end wins.
    pub prefer: Prefer,
}

impl Verdict<'_> {
    /// Whether this is the tag to write.
    pub fn is_chosen(&self) -> bool {
        self.outcome == Outcome::Chosen
    }
}

impl Rules {
    /// Says of every tag why [`Rules::select`] takes it or not: candidates first, best first, then the others. A tag that
    /// is listed twice is told once.
    pub fn explain<'a>(&'a self, tags: &'a [Tag], floors: &[&'a Tag]) -> Vec<Verdict<'a>> {
        let prefer = self.policy.prefer();
        let mut reader = self.filter.reader();
        let (mut placed, mut dropped) = (Vec::new(), Vec::new());
        for tag in tags {
            match reader.key(tag.as_str()) {
                Err(skip) => dropped.push(Verdict { tag, key: None, outcome: Outcome::Skipped(skip) }),
                Ok(key) => match self.policy.rank(key.clone()) {
                    Ok(rank) => placed.push((Candidate { tag, rank }, key)),
                    Err(unranked) => {
                        dropped.push(Verdict {
                            tag,
                            key: Some(key),
                            outcome: unranked_outcome(unranked, &self.policy),
                        });
                    }
                },
            }
        }
        placed.sort_unstable_by(|(a, _), (b, _)| b.order(a, prefer));
        placed.dedup_by(|(a, _), (b, _)| a.tag == b.tag);
        dropped.sort_unstable_by(|a, b| {
            group(&a.outcome).cmp(&group(&b.outcome)).then_with(|| b.tag.cmp(a.tag))
        });
        dropped.dedup_by(|a, b| a.tag == b.tag);

        let Some(winner) = self.winner(placed.first(), floors) else {
            return dropped;
        };
        let placed = placed.into_iter().map(|(candidate, key)| winner.verdict(&candidate, key));
        placed.chain(dropped).collect()
    }

    /// What all candidates lose to: the best of them or, if it is not above the floor, the floor. `None` only where there
    /// is no candidate, or nothing to measure it against.
    fn winner<'a>(
        &'a self,
        best: Option<&(Candidate<'a>, Cow<'a, str>)>,
        floors: &[&'a Tag],
    ) -> Option<Winner<'a>> {
        let prefer = self.policy.prefer();
        let floor = self.highest_floor(floors);
        match (best, floor) {
            (Some((best, key)), floor) if self.is_above(best, floor.as_ref()) => {
                Some(Winner { candidate: best.clone(), key: key.clone(), chosen: true, prefer })
            }
            (_, floor) => floor.map(|floor| {
                let key = self.filter.key(floor.tag.as_str()).unwrap_or_default();
                Winner { candidate: floor, key, chosen: false, prefer }
            }),
        }
    }
}

struct Winner<'a> {
    candidate: Candidate<'a>,
    key: Cow<'a, str>,
    /// Whether it is the newest tag, and not the floor that nothing is above.
    chosen: bool,
    prefer: Prefer,
}

impl<'a> Winner<'a> {
    fn verdict(&self, candidate: &Candidate<'a>, key: Cow<'a, str>) -> Verdict<'a> {
        let order = candidate.rank.cmp(&self.candidate.rank);
        let winner = self.candidate.tag;
        let rival = || Rival { tag: winner, key: self.key.clone(), order, prefer: self.prefer };
        let outcome = match self.chosen {
            true if winner == candidate.tag => Outcome::Chosen,
            true if order.is_eq() => Outcome::SameKey(winner),
            true => Outcome::Behind(rival()),
            false if winner == candidate.tag => Outcome::Floor,
            false => Outcome::NotAbove(rival()),
        };
        Verdict { tag: candidate.tag, key: Some(key), outcome }
    }
}

fn unranked_outcome(unranked: Unranked, policy: &Policy) -> Outcome<'_> {
    match (unranked, policy) {
        (Unranked::NotANumber, _) => Outcome::NotANumber,
        (Unranked::Outside, Policy::Semver { range, .. }) => Outcome::Outside(range),
        (Unranked::Prerelease, Policy::Semver { range, .. }) => Outcome::Prerelease(range),
        _ => Outcome::NotAVersion,
    }
}

/// The near misses first.
fn group(outcome: &Outcome<'_>) -> u8 {
    match outcome {
        Outcome::Prerelease(_) => 0,
        Outcome::Outside(_) => 1,
        Outcome::NotANumber | Outcome::NotAVersion => 2,
        Outcome::Skipped(Skip::Unmatched) => 3,
        Outcome::Skipped(Skip::Excluded(_)) => 4,
        _ => u8::MAX,
    }
}

impl fmt::Display for Verdict<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = self.key.as_deref().unwrap_or_default();
        match &self.outcome {
            Outcome::Chosen => f.write_str("the newest"),
            Outcome::Floor => f.write_str("the floor, and nothing is newer"),
            Outcome::NotAbove(floor) if floor.order.is_eq() => {
                write!(f, "same key as the floor {}", floor.tag)
            }
            Outcome::NotAbove(floor) => {
                write!(f, "not newer than the floor {}", floor.tag)?;
                floor.compared(f, self.tag, key)
            }
            Outcome::SameKey(chosen) => write!(f, "same key as {chosen}; the greater text wins"),
            Outcome::Behind(chosen) => {
                let word = match chosen.prefer {
                    Prefer::Highest => "older than",
                    Prefer::Lowest => "higher than",
                };
                write!(f, "{word} {}", chosen.tag)?;
                chosen.compared(f, self.tag, key)?;
                match chosen.prefer {
                    Prefer::Highest => Ok(()),
                    Prefer::Lowest => f.write_str(", and the lowest wins"),
                }
            }
            Outcome::Outside(range) => write!(f, "outside the range '{range}'"),
            Outcome::Prerelease(range) => write!(f, "a prerelease, and the range '{range}' names none"),
            Outcome::NotANumber if key.is_empty() => f.write_str("its key is empty, not a number"),
            Outcome::NotANumber => write!(f, "its key '{key}' is not a number"),
            Outcome::NotAVersion if key.is_empty() => f.write_str("its key is empty, not a version"),
            Outcome::NotAVersion => write!(f, "its key '{key}' is not a version of three numbers"),
            Outcome::Skipped(skip) => write!(f, "{skip}"),
        }
    }
}

impl Rival<'_> {
    /// ` (16 < 17)`, unless the keys are the tags themselves.
    fn compared(&self, f: &mut fmt::Formatter<'_>, loser: &Tag, key: &str) -> fmt::Result {
        if key == loser.as_str() && self.key == self.tag.as_str() {
            return Ok(());
        }
        let sign = match self.order {
            Ordering::Less => '<',
            Ordering::Equal => '=',
            Ordering::Greater => '>',
        };
        write!(f, " ({key} {sign} {})", self.key)
    }
}
