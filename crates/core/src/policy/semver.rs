//! Versions as images carry them: `1.2.3`, `v1.2.3-rc.1`, `2025.02.03`.

use std::cmp::Ordering;

use semver::{BuildMetadata, Prerelease, Version};

/// A semantic version, ordered by precedence: build metadata does not count.
#[derive(Clone, Debug)]
pub struct Precedence(Version);

impl Precedence {
    /// Reads a version: an optional `v`, three numbers, then the prerelease and build metadata of semver.org. Zero-padded
    /// numbers are taken (`2025.02.03`), fewer than three are not. `None` if `text` is no version.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix('v').unwrap_or(text);
        let (text, build) = match text.split_once('+') {
            Some((_, "")) => return None,
            Some((text, build)) => (text, BuildMetadata::new(build).ok()?),
            None => (text, BuildMetadata::EMPTY),
        };
        let (numbers, pre) = match text.split_once('-') {
            Some((_, "")) => return None,
            Some((numbers, pre)) => (numbers, Prerelease::new(pre).ok()?),
            None => (text, Prerelease::EMPTY),
        };
        let mut numbers = numbers.split('.').map(number);
        let (major, minor, patch) = (numbers.next()??, numbers.next()??, numbers.next()??);
        if numbers.next().is_some() {
            return None;
        }
        Some(Self(Version { major, minor, patch, pre, build }))
    }

    /// The version.
    pub fn version(&self) -> &Version {
        &self.0
    }
}

/// `u64::from_str` alone would take a sign.
pub(super) fn number(text: &str) -> Option<u64> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

impl Ord for Precedence {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.cmp_precedence(&other.0)
    }
}

impl PartialOrd for Precedence {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Precedence {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Precedence {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_has_three_numbers_and_perhaps_a_v() {
        for text in
            ["1.2.3", "v1.2.3", "01.002.0003", "1.2.3-rc.1", "1.2.3-rc.1+b.7", "1.2.3+b", "2025.02.03-01a"]
        {
            assert!(Precedence::parse(text).is_some(), "{text:?} was refused");
        }
        for text in [
            "",
            "v",
            "1",
            "1.2",
            "1.2.3.4",
            "1.2.3-",
            "1.2.3+",
            "1.2.3-01",
            "1.2.3-a..b",
            "V1.2.3",
            "vv1.2.3",
            "1.2.+3",
            "1.2.-3",
            "1..3",
            "1.2.x",
            "1.2.99999999999999999999",
            "1.2-rc.1.0",
            "latest",
            "1.2.3_4",
        ] {
            assert_eq!(Precedence::parse(text), None, "{text:?} was taken");
        }
    }

    #[test]
    fn precedence_is_that_of_semver_org() {
        let ascending = [
            "1.0.0-0",
            "1.0.0-alpha",
            "1.0.0-alpha.1",
            "1.0.0-alpha.beta",
            "1.0.0-beta.2",
            "1.0.0-beta.11",
            "1.0.0-rc.1",
            "1.0.0",
            "1.0.9",
            "1.0.10",
            "1.2.0",
            "2.0.0",
        ]
        .map(|text| Precedence::parse(text).unwrap());
        assert!(ascending.is_sorted_by(|a, b| a < b));
        assert_eq!(Precedence::parse("v1.0.0+a"), Precedence::parse("01.0.0+b"));
    }
}
