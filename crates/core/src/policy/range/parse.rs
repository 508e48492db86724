//! The text of a range, read from left to right.

use semver::{BuildMetadata, Prerelease};

use super::{Alternative, Comparator, Operator, Partial, RangeReason, comparator, number};

/// The longest range, in bytes: that of Masterminds/semver.
pub(super) const MAX_LENGTH: usize = 512;

/// Longer operators first: `>` begins `>=`.
const OPERATORS: [(&str, Operator); 11] = [
    ("!=", Operator::Unequal),
    (">=", Operator::AtLeast),
    ("=>", Operator::AtLeast),
    ("<=", Operator::AtMost),
    ("=<", Operator::AtMost),
    ("~>", Operator::Tilde),
    ("=", Operator::Equal),
    (">", Operator::Above),
    ("<", Operator::Below),
    ("~", Operator::Tilde),
    ("^", Operator::Caret),
];

pub(super) fn alternatives(text: &str) -> Result<Vec<Alternative>, RangeReason> {
    if text.len() > MAX_LENGTH {
        return Err(RangeReason::TooLong);
    }
    text.split("||").map(|alternative| self::alternative(alternative.trim())).collect()
}

fn alternative(text: &str) -> Result<Alternative, RangeReason> {
    if text.is_empty() {
        return Err(RangeReason::EmptyAlternative);
    }
    let mut found = Alternative { comparators: Vec::new(), prereleases: false };
    let mut push = |operator, partial: &Partial| -> Result<(), RangeReason> {
        let comparator: Comparator = comparator(operator, partial)?;
        found.prereleases |= !partial.pre.is_empty();
        found.comparators.push(comparator);
        Ok(())
    };
    let mut rest = text;
    loop {
        let (operator, tail) = operator(rest);
        let (first, tail) = partial(tail)?;
        rest = match (operator, upper_end(tail)) {
            (None, Some(upper)) => {
                let (last, tail) = partial(upper)?;
                push(Operator::AtLeast, &first)?;
                push(Operator::AtMost, &last)?;
                tail
            }
            (operator, _) => {
                push(operator.unwrap_or(Operator::Equal), &first)?;
                tail
            }
        };
        if rest.is_empty() {
            return Ok(found);
        }
        rest = separator(rest)?;
    }
}

fn operator(text: &str) -> (Option<Operator>, &str) {
    for (word, operator) in OPERATORS {
        if let Some(tail) = text.strip_prefix(word) {
            return (Some(operator), tail.trim_start());
        }
    }
    (None, text)
}

/// What follows ` - `, if that is what comes next.
fn upper_end(text: &str) -> Option<&str> {
    let tail = text.trim_start();
    let end = tail
        .strip_prefix('-')
        .filter(|end| tail.len() < text.len() && end.starts_with(char::is_whitespace))?;
    Some(end.trim_start())
}

/// Skips what stands between two comparators.
fn separator(text: &str) -> Result<&str, RangeReason> {
    let tail = text.trim_start();
    let next = match tail.strip_prefix(',') {
        Some(next) => next.trim_start(),
        None if tail.len() < text.len() => tail,
        None => return Err(RangeReason::Separator(text.to_owned())),
    };
    Ok(next)
}

/// Reads one version, of which parts may be missing, and gives what follows it.
fn partial(text: &str) -> Result<(Partial, &str), RangeReason> {
    let end = text.find(|c: char| c.is_whitespace() || c == ',' || is_operator(c)).unwrap_or(text.len());
    let (word, tail) = text.split_at(end);
    let partial = read(word).ok_or_else(|| RangeReason::Version(text.to_owned()))?;
    Ok((partial, tail))
}

fn is_operator(c: char) -> bool {
    matches!(c, '=' | '!' | '<' | '>' | '~' | '^' | '|')
}

fn read(word: &str) -> Option<Partial> {
    let word = word.strip_prefix('v').unwrap_or(word);
    let word = match word.split_once('+') {
        Some((_, "")) => return None,
        Some((word, build)) => BuildMetadata::new(build).ok().map(|_| word)?,
        None => word,
    };
    let (numbers, pre) = match word.split_once('-') {
        Some((_, "")) => return None,
        Some((numbers, pre)) => (numbers, Prerelease::new(pre).ok()?),
        None => (word, Prerelease::EMPTY),
    };
    let mut parts = numbers.split('.').map(part);
    let major = parts.next()??;
    let minor = parts.next().unwrap_or(Some(None))?;
    let patch = parts.next().unwrap_or(Some(None))?;
    if parts.next().is_some() {
        return None;
    }
    // After a wildcard the rest is one too: `1.x.3` is `1.x`.
    let minor = major.and(minor);
    let patch = minor.and(patch);
    Some(Partial { major, minor, patch, pre })
}

/// One part of a version: a number, or nothing for a wildcard.
fn part(text: &str) -> Option<Option<u64>> {
    match text {
        "x" | "X" | "*" => Some(None),
        digits => number(digits).map(Some),
    }
}
