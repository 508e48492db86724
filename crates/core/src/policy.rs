//! How candidates are ordered: numerical, alphabetical or by version, and which end wins.

use std::{borrow::Cow, cmp::Ordering, fmt};

mod numerical;
mod range;
mod semver;

pub use numerical::Number;
pub use range::{Range, RangeError};
pub use semver::Precedence;

use range::Fit;

/// Which end of the order wins. The words `asc` and `desc` mean opposite things to different tools; inside the program
/// there is only this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prefer {
    /// The highest key wins.
    Highest,
    /// The lowest key wins.
    Lowest,
}

impl Prefer {
    /// Turns the natural order of two keys into that of preference: `Greater` is preferred.
    pub fn apply(self, natural: Ordering) -> Ordering {
        match self {
            Self::Highest => natural,
            Self::Lowest => natural.reverse(),
        }
    }
}

impl fmt::Display for Prefer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Highest => "highest first",
            Self::Lowest => "lowest first",
        })
    }
}

/// How candidates are ordered. `Display` says it in words: `numerical, highest first`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Policy {
    /// By the value of a decimal number, exact at any length.
    Numerical {
        /// Which end wins.
        prefer: Prefer,
    },
    /// Byte by byte.
    Alphabetical {
        /// Which end wins.
        prefer: Prefer,
    },
    /// By the precedence of semantic versions, among those in a range.
    Semver {
        /// Which versions are candidates.
        range: Range,
        /// Which end wins.
        prefer: Prefer,
    },
}

/// A policy that cannot be built.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// An unknown way to sort.
    #[error("{0:?} is not a way to sort tags: write numerical, alphabetical or semver")]
    Sort(String),
    /// An unknown order.
    #[error("{0:?} is not an order: write asc or desc")]
    Order(String),
    /// A range without versions.
    #[error("a range is of versions: write `sort: semver` beside `range: {0:?}`, or leave the range out")]
    RangeWithoutSemver(String),
    /// Not a range.
    #[error(transparent)]
    Range(#[from] RangeError),
}

impl Policy {
    /// A policy in this project's own words: `sort` is `numerical` (the default), `alphabetical` or `semver`; `order` is
    /// how candidates are listed, of which **the first is taken**: `desc` (the default) takes the highest, `asc` the
    /// lowest. `range` belongs to `semver`; without one every version but prereleases is a candidate.
    pub fn new(sort: Option<&str>, order: Option<&str>, range: Option<&str>) -> Result<Self, PolicyError> {
        let prefer = match order {
            None => Prefer::Highest,
            Some(word) if is(word, "desc") => Prefer::Highest,
            Some(word) if is(word, "asc") => Prefer::Lowest,
            Some(word) => return Err(PolicyError::Order(word.to_owned())),
        };
        let policy = match sort {
            None => Self::Numerical { prefer },
            Some(word) if is(word, "numerical") => Self::Numerical { prefer },
            Some(word) if is(word, "alphabetical") => Self::Alphabetical { prefer },
            Some(word) if is(word, "semver") => {
                return Ok(Self::Semver { range: Range::new(range.unwrap_or_default())?, prefer });
            }
            Some(word) => return Err(PolicyError::Sort(word.to_owned())),
        };
        match range {
            Some(range) => Err(PolicyError::RangeWithoutSemver(range.to_owned())),
            None => Ok(policy),
        }
    }

    /// `numerical: {order}` as Flux and KubeVela's `fluxcd` addon write it, where **the last of the list is taken**: `asc`
    /// (the default) takes the highest, `desc` the lowest.
    pub fn flux_numerical(order: Option<&str>) -> Result<Self, PolicyError> {
        Ok(Self::Numerical { prefer: flux_order(order)? })
    }

    /// `alphabetical: {order}`; see [`Self::flux_numerical`].
    pub fn flux_alphabetical(order: Option<&str>) -> Result<Self, PolicyError> {
        Ok(Self::Alphabetical { prefer: flux_order(order)? })
    }

    /// `semver: {range}` as Flux and KubeVela's `fluxcd` addon write it; the highest wins.
    pub fn flux_semver(range: &str) -> Result<Self, PolicyError> {
        Ok(Self::Semver { range: Range::new(range)?, prefer: Prefer::Highest })
    }

    /// Which end wins.
    pub fn prefer(&self) -> Prefer {
        match self {
            Self::Numerical { prefer } | Self::Alphabetical { prefer } | Self::Semver { prefer, .. } => {
                *prefer
            }
        }
    }

    /// Where `key` stands, or why this policy has no place for it. Ranks of one policy compare with each other.
    pub(crate) fn rank<'k>(&self, key: Cow<'k, str>) -> Result<Rank<'k>, Unranked> {
        match self {
            Self::Numerical { .. } => Number::parse(key).map(Rank::Number).ok_or(Unranked::NotANumber),
            Self::Alphabetical { .. } => Ok(Rank::Text(key)),
            Self::Semver { range, .. } => {
                let version = Precedence::parse(&key).ok_or(Unranked::NotAVersion)?;
                match range.fit(&version) {
                    Fit::Inside => Ok(Rank::Version(version)),
                    Fit::Prerelease => Err(Unranked::Prerelease),
                    Fit::Outside => Err(Unranked::Outside),
                }
            }
        }
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Numerical { prefer } => write!(f, "numerical, {prefer}"),
            Self::Alphabetical { prefer } => write!(f, "alphabetical, {prefer}"),
            Self::Semver { range, prefer } => write!(f, "semver in the range '{range}', {prefer}"),
        }
    }
}

/// Words are taken in any case, as Flux does.
fn is(word: &str, name: &str) -> bool {
    word.eq_ignore_ascii_case(name)
}

fn flux_order(order: Option<&str>) -> Result<Prefer, PolicyError> {
    match order {
        None => Ok(Prefer::Highest),
        Some(word) if is(word, "asc") => Ok(Prefer::Highest),
        Some(word) if is(word, "desc") => Ok(Prefer::Lowest),
        Some(word) => Err(PolicyError::Order(word.to_owned())),
    }
}

/// A key, parsed as its policy reads it. The natural order: greater is higher.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rank<'k> {
    Number(Number<'k>),
    Text(Cow<'k, str>),
    Version(Precedence),
}

/// Why a key has no rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unranked {
    NotANumber,
    NotAVersion,
    Prerelease,
    Outside,
}
