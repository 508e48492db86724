//! What an image runs on: operating system, processor and its variant, as `docker build --platform` names them.

use std::{fmt, str::FromStr};

/// A text that names no platform.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a platform: write linux/amd64, linux/arm64 or linux/arm/v7")]
pub struct PlatformError(String);

/// `linux/amd64`, `linux/arm/v7`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Platform {
    os: String,
    architecture: String,
    variant: Option<String>,
}

impl Platform {
    /// A platform by its parts, as an index or an image's configuration names them. An empty variant is none.
    pub fn new(os: &str, architecture: &str, variant: Option<&str>) -> Self {
        let variant = variant.filter(|variant| !variant.is_empty());
        Self { os: os.to_owned(), architecture: architecture.to_owned(), variant: variant.map(str::to_owned) }
    }

    /// Whether an image for `self` is what somebody wants who asks for `wanted`: the variant counts where one is asked
    /// for, and 64-bit ARM is `v8` where nothing else is said.
    pub fn serves(&self, wanted: &Self) -> bool {
        let variant = |platform: &Self| match (&platform.variant, platform.architecture.as_str()) {
            (None, "arm64") => Some("v8".to_owned()),
            (variant, _) => variant.clone(),
        };
        self.os == wanted.os
            && self.architecture == wanted.architecture
            && (wanted.variant.is_none() || variant(self) == variant(wanted))
    }

    /// Whether it is none: attestations in an index are for `unknown/unknown`.
    pub fn is_unknown(&self) -> bool {
        self.os == "unknown" || self.os.is_empty() || self.architecture.is_empty()
    }
}

impl FromStr for Platform {
    type Err = PlatformError;

    fn from_str(text: &str) -> Result<Self, PlatformError> {
        let is_part = |part: &&str| {
            (1..=32).contains(&part.len())
                && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b))
        };
        let parts: Vec<&str> = text.split('/').collect();
        match parts.as_slice() {
            [os, architecture] if parts.iter().all(is_part) => Ok(Self::new(os, architecture, None)),
            [os, architecture, variant] if parts.iter().all(is_part) => {
                Ok(Self::new(os, architecture, Some(variant)))
            }
            _ => Err(PlatformError(text.chars().take(100).collect())),
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        self.variant.iter().try_for_each(|variant| write!(f, "/{variant}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn platform(text: &str) -> Platform {
        text.parse().unwrap()
    }

    #[test]
    fn it_is_written_as_it_is_read() {
        for text in ["linux/amd64", "linux/arm/v7", "windows/amd64"] {
            assert_eq!(platform(text).to_string(), text);
        }
        for text in
            ["", "linux", "linux/", "/amd64", "linux/amd64/", "linux/a/b/c", "Linux/amd64", "linux/ amd64"]
        {
            assert!(text.parse::<Platform>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_variant_counts_where_it_is_asked_for() {
        for (built, wanted, serves) in [
            ("linux/amd64", "linux/amd64", true),
            ("linux/amd64", "linux/arm64", false),
            ("windows/amd64", "linux/amd64", false),
            ("linux/arm/v7", "linux/arm", true),
            ("linux/arm/v6", "linux/arm/v7", false),
            ("linux/arm", "linux/arm/v7", false),
            ("linux/arm64", "linux/arm64/v8", true),
            ("linux/arm64/v8", "linux/arm64", true),
            ("linux/arm64/v9", "linux/arm64/v8", false),
        ] {
            assert_eq!(platform(built).serves(&platform(wanted)), serves, "{built} for {wanted}");
        }
    }
}
