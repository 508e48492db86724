//! Ranges of versions as Flux's users write them: the syntax and meaning of Masterminds/semver for Go.
//!
//! A range is alternatives joined by `||`; each is a list of comparators, by spaces or commas, that all must hold. A
//! comparator is an operator and a version of which the last parts may be missing or wildcards, or `a - b`. Each becomes
//! one interval here, so that there is one rule for whether a version fits.

use std::fmt;

use semver::{BuildMetadata, Prerelease, Version};

use super::semver::{Precedence, number};

mod parse;

/// A range that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot read the range of versions {range:?}")]
pub struct RangeError {
    /// What was given.
    pub range: String,
    /// Why.
    #[source]
    pub reason: RangeReason,
}

/// Why a range cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RangeReason {
    /// Something else stands where a version is expected.
    #[error("expected a version at {0:?}: write for example '>=1.2.0 <2.0.0', '^1.2' or '1.x || >=2.1.0'")]
    Version(String),
    /// Two comparators are not separated.
    #[error("expected a space, a comma or '||' before {0:?}")]
    Separator(String),
    /// An alternative is empty.
    #[error("nothing stands on one side of '||': write '*' for every version")]
    EmptyAlternative,
    /// `>`, `<` or `!=` every version.
    #[error("no version is {0} every version: name a number, as in '{0}1.2.3'")]
    Nothing(&'static str),
    /// Longer than a range can sensibly be.
    #[error("it is longer than {} characters", parse::MAX_LENGTH)]
    TooLong,
}

/// Which versions are candidates. `Display` gives the range as it was written, `*` where it was empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    written: String,
    alternatives: Vec<Alternative>,
}

/// Comparators that all must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Alternative {
    comparators: Vec<Comparator>,
    /// Whether one of them names a prerelease; then prereleases are candidates for all of them.
    prereleases: bool,
}

/// One interval of versions, or everything but it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Comparator {
    negated: bool,
    lower: Option<Bound>,
    upper: Option<Bound>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Bound {
    version: Version,
    inclusive: bool,
}

/// Whether a version is in a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fit {
    Inside,
    /// Only because it is a prerelease and the range names none.
    Prerelease,
    Outside,
}

impl Range {
    /// Reads a range. An empty one is `*`: every version but prereleases.
    ///
    /// `= != > < >= <= => =< ~ ~> ^`, bare versions (`1.2.3` is equality, `1.2` any patch of it), wildcards `x`, `X`,
    /// `*`, missing parts, hyphen ranges with spaces around the hyphen. A prerelease fits only where a comparator of the
    /// same alternative names a prerelease, as in `>=1.0.0-0`.
    pub fn new(text: &str) -> Result<Self, RangeError> {
        let written = text.trim();
        let written = if written.is_empty() { "*" } else { written };
        match parse::alternatives(written) {
            Ok(alternatives) => Ok(Self { written: written.to_owned(), alternatives }),
            Err(reason) => Err(RangeError { range: text.to_owned(), reason }),
        }
    }

    /// Whether `version` is in the range.
    pub fn contains(&self, version: &Precedence) -> bool {
        self.fit(version) == Fit::Inside
    }

    pub(crate) fn fit(&self, version: &Precedence) -> Fit {
        let version = version.version();
        let mut fit = Fit::Outside;
        for alternative in &self.alternatives {
            if alternative.comparators.iter().all(|comparator| comparator.holds(version)) {
                if version.pre.is_empty() || alternative.prereleases {
                    return Fit::Inside;
                }
                fit = Fit::Prerelease;
            }
        }
        fit
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

impl Comparator {
    fn holds(&self, version: &Version) -> bool {
        let above = self.lower.as_ref().is_none_or(|bound| {
            let order = version.cmp_precedence(&bound.version);
            order.is_gt() || bound.inclusive && order.is_eq()
        });
        let below = self.upper.as_ref().is_none_or(|bound| {
            let order = version.cmp_precedence(&bound.version);
            order.is_lt() || bound.inclusive && order.is_eq()
        });
        (above && below) != self.negated
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Equal,
    Unequal,
    Above,
    Below,
    AtLeast,
    AtMost,
    Tilde,
    Caret,
}

/// A version whose last parts may be missing or wildcards.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Partial {
    major: Option<u64>,
    minor: Option<u64>,
    patch: Option<u64>,
    pre: Prerelease,
}

impl Partial {
    /// The least version that it stands for.
    fn least(&self) -> Version {
        let part = |part: Option<u64>| part.unwrap_or_default();
        Version {
            major: part(self.major),
            minor: part(self.minor),
            patch: part(self.patch),
            pre: self.pre.clone(),
            build: BuildMetadata::EMPTY,
        }
    }

    /// The least version, prereleases included, that is past all it stands for; `None` if there is none.
    fn past(&self) -> Option<Version> {
        match (self.major?, self.minor, self.patch) {
            (major, None, _) => least_of(major.checked_add(1)?, 0, 0),
            (major, Some(minor), None) => least_of(major, minor.checked_add(1)?, 0),
            (major, Some(minor), Some(patch)) => least_of(major, minor, patch.checked_add(1)?),
        }
    }

    fn is_whole(&self) -> bool {
        self.patch.is_some()
    }
}

/// `-0` is the lowest of all prereleases, so this is below everything that begins with these numbers.
fn least_of(major: u64, minor: u64, patch: u64) -> Option<Version> {
    let pre = Prerelease::new("0").ok()?;
    Some(Version { major, minor, patch, pre, build: BuildMetadata::EMPTY })
}

fn comparator(operator: Operator, partial: &Partial) -> Result<Comparator, RangeReason> {
    let inclusive = |version| Some(Bound { version, inclusive: true });
    let exclusive = |version: Option<Version>| version.map(|version| Bound { version, inclusive: false });
    let between = |lower, upper| Comparator { negated: false, lower, upper };
    let least = partial.least();
    let whole = partial.is_whole();
    let every = partial.major.is_none();
    Ok(match operator {
        Operator::Above if every => return Err(RangeReason::Nothing(">")),
        Operator::Below if every => return Err(RangeReason::Nothing("<")),
        Operator::Unequal if every => return Err(RangeReason::Nothing("!=")),
        Operator::Equal if whole => between(inclusive(least.clone()), inclusive(least)),
        Operator::Equal => between(inclusive(least), exclusive(partial.past())),
        Operator::Unequal => Comparator { negated: true, ..comparator(Operator::Equal, partial)? },
        Operator::Above if whole => between(exclusive(Some(least)), None),
        Operator::Above => match partial.past() {
            Some(past) => between(inclusive(past), None),
            None => Comparator { negated: true, lower: None, upper: None },
        },
        Operator::Below => between(None, exclusive(Some(least))),
        Operator::AtLeast => between(inclusive(least), None),
        Operator::AtMost if whole => between(None, inclusive(least)),
        Operator::AtMost => between(None, exclusive(partial.past())),
        Operator::Tilde => {
            between(inclusive(least), exclusive(Partial { patch: None, ..partial.clone() }.past()))
        }
        Operator::Caret => between(inclusive(least), exclusive(caret(partial).past())),
    })
}

/// What a caret holds fast: the parts up to the first that is not zero, or all that are written.
fn caret(partial: &Partial) -> Partial {
    match (partial.major, partial.minor) {
        (Some(0), Some(0)) => partial.clone(),
        (Some(0), Some(_)) => Partial { patch: None, ..partial.clone() },
        _ => Partial { minor: None, patch: None, ..partial.clone() },
    }
}
