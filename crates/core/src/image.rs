//! Names of images: `registry/repository:tag@digest`, parsed once.
//!
//! The grammar is that of the [distribution reference] and of the OCI distribution specification (tags:
//! `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`).
//!
//! [distribution reference]: https://pkg.go.dev/github.com/distribution/reference

use std::fmt;

/// Why a text is not the name of an image.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// The text is no tag.
    #[error("{0:?} is not a tag: 1 to 128 of letters, digits, '_', '.', '-', not starting with '.' or '-'")]
    Tag(String),
    /// The text is no digest.
    #[error("{0:?} is not a digest: expected sha256: and 64 hexadecimal digits")]
    Digest(String),
    /// The text is no repository.
    #[error("{text:?} is not the name of an image repository: {reason}")]
    Repository {
        /// What was given.
        text: String,
        /// What is wrong with it.
        reason: &'static str,
    },
}

/// A valid tag.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tag(String);

impl Tag {
    /// Validates `text` as a tag.
    pub fn new(text: impl Into<String>) -> Result<Self, ImageError> {
        let text = text.into();
        let first = text.as_bytes().first().is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
        let rest = text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'));
        if first && rest && text.len() <= 128 { Ok(Self(text)) } else { Err(ImageError::Tag(text)) }
    }

    /// The tag's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A valid digest: `sha256:` and 64 lower-case hexadecimal digits, or `sha512:` and 128.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Digest(String);

impl Digest {
    /// Validates `text` as a digest.
    pub fn new(text: impl Into<String>) -> Result<Self, ImageError> {
        let text = text.into();
        let valid = match text.split_once(':') {
            Some(("sha256", hex)) => hex.len() == 64 && is_lower_hex(hex),
            Some(("sha512", hex)) => hex.len() == 128 && is_lower_hex(hex),
            _ => false,
        };
        if valid { Ok(Self(text)) } else { Err(ImageError::Digest(text)) }
    }

    /// The digest's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_lower_hex(text: &str) -> bool {
    text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// A repository of images: what stands before the tag, with docker's abbreviations resolved.
///
/// `nginx`, `library/nginx` and `docker.io/library/nginx` are the same repository; [`Repository::as_written`]
/// keeps the spelling.
#[derive(Clone, Debug)]
pub struct Repository {
    written: String,
    registry: String,
    path: String,
}

impl Repository {
    /// Parses a repository that carries neither tag nor digest.
    pub fn new(text: &str) -> Result<Self, ImageError> {
        let fail = |reason| ImageError::Repository { text: text.to_owned(), reason };
        if text.split_once('@').is_some_and(|(_, rest)| !is_digest(rest)) {
            let text = without_user(text).to_owned();
            let reason = "leave out the digest, and a user and password above all: they belong into a Secret";
            return Err(ImageError::Repository { text, reason });
        }
        if text.contains("://") {
            return Err(fail("leave out the scheme, as in ghcr.io/owner/name"));
        }
        if text.contains('@') {
            return Err(fail("leave out the digest: it is chosen with the tag"));
        }
        let (host, path) = match text.split_once('/') {
            Some((host, path)) if is_host(host) => (Some(host), path),
            _ => (None, text),
        };
        if path.contains(':') {
            return Err(fail("leave out the tag: the policy chooses it"));
        }
        let registry = match host {
            None | Some("index.docker.io" | "registry-1.docker.io") => "docker.io".to_owned(),
            Some(host) => host.to_ascii_lowercase(),
        };
        let path = if registry == "docker.io" && !path.contains('/') {
            format!("library/{path}")
        } else {
            path.to_owned()
        };
        if path.len() > 255 {
            return Err(fail("longer than 255 characters"));
        }
        if path.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(fail("names of images are lower case"));
        }
        if !path.split('/').all(is_component) {
            return Err(fail(
                "each part between slashes is lower-case letters and digits, joined by '.', '_', '__' or dashes",
            ));
        }
        Ok(Self { written: text.to_owned(), registry, path })
    }

    /// The registry's host, with its port where it has one, in lower case: `ghcr.io`, `localhost:5000`.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The path inside the registry, without a leading slash: `owner/name`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The text that was parsed.
    pub fn as_written(&self) -> &str {
        &self.written
    }
}

impl PartialEq for Repository {
    fn eq(&self, other: &Self) -> bool {
        self.registry == other.registry && self.path == other.path
    }
}

impl Eq for Repository {}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

/// A host, as docker tells it from a path: it has a dot or a port, or is `localhost`. (Docker also takes a part with an
/// upper-case letter for a host; that is far more often an owner's name, which must be written in lower case.)
fn is_host(text: &str) -> bool {
    let host_like = text == "localhost" || text.contains(['.', ':']);
    let (name, port) = match text.strip_prefix('[').and_then(|t| t.split_once(']')) {
        Some((v6, "")) => return v6.parse::<std::net::Ipv6Addr>().is_ok(),
        Some((v6, port)) if v6.parse::<std::net::Ipv6Addr>().is_ok() => ("v6", port.strip_prefix(':')),
        Some(_) => return false,
        None => match text.split_once(':') {
            Some((name, port)) => (name, Some(port)),
            None => (text, None),
        },
    };
    let valid_port = port.is_none_or(|p| p.parse::<u16>().is_ok());
    let valid_name = name.split('.').all(|label| {
        !label.is_empty()
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    });
    host_like && valid_name && valid_port
}

/// One part of a path: `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`.
fn is_component(text: &str) -> bool {
    let alphanumeric = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    if !text.bytes().all(|b| alphanumeric(b) || matches!(b, b'.' | b'_' | b'-')) {
        return false;
    }
    let edges = |b: Option<u8>| b.is_some_and(alphanumeric);
    if !edges(text.bytes().next()) || !edges(text.bytes().next_back()) {
        return false;
    }
    text.split(|c: char| c.is_ascii_alphanumeric())
        .all(|joint| matches!(joint, "" | "." | "_" | "__") || joint.bytes().all(|b| b == b'-'))
}

/// An image as a file names it: a repository with or without tag and digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageRef {
    /// What stands before the tag.
    pub repository: Repository,
    /// The tag, if one is written.
    pub tag: Option<Tag>,
    /// The digest, if one is written.
    pub digest: Option<Digest>,
}

impl ImageRef {
    /// Parses `repository[:tag][@digest]`.
    pub fn parse(text: &str) -> Result<Self, ImageError> {
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) if is_digest(digest) => (name, Some(Digest::new(digest)?)),
            Some((_, rest)) => {
                return Err(Repository::new(text).err().unwrap_or(ImageError::Digest(rest.into())));
            }
            None => (text, None),
        };
        // A colon after the last slash starts the tag; one before it starts the port.
        let (name, tag) = match name.rsplit_once(':') {
            Some((before, after)) if !after.contains('/') => (before, Some(Tag::new(after)?)),
            _ => (name, None),
        };
        Ok(Self { repository: Repository::new(name)?, tag, digest })
    }
}

/// An image as it may be shown: without what stands before an `@` that starts no digest, which may be a user and a password.
pub fn without_user(text: &str) -> &str {
    match text.split_once('@') {
        Some((_, rest)) if !is_digest(rest) => text.rsplit('@').next().unwrap_or_default(),
        _ => text,
    }
}

/// Whether what follows an `@` is meant as a digest.
fn is_digest(text: &str) -> bool {
    text.split_once(':').is_some_and(|(algorithm, _)| matches!(algorithm, "sha256" | "sha512"))
}

impl fmt::Display for ImageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.repository.as_written())?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_split_into_repository_tag_and_digest() {
        let sha = format!("sha256:{}", "a".repeat(64));
        for (text, registry, path, tag, digest) in [
            ("ghcr.io/o/n:main-abc1234-1627123456", "ghcr.io", "o/n", Some("main-abc1234-1627123456"), None),
            ("nginx", "docker.io", "library/nginx", None, None),
            ("nginx:1.27", "docker.io", "library/nginx", Some("1.27"), None),
            ("grafana/loki:3", "docker.io", "grafana/loki", Some("3"), None),
            ("localhost:5000/a/b:c", "localhost:5000", "a/b", Some("c"), None),
            ("localhost:5000/a", "localhost:5000", "a", None, None),
            ("[::1]:5000/a:b", "[::1]:5000", "a", Some("b"), None),
            (&format!("ghcr.io/o/n:t@{sha}"), "ghcr.io", "o/n", Some("t"), Some(sha.as_str())),
            (&format!("ghcr.io/o/n@{sha}"), "ghcr.io", "o/n", None, Some(sha.as_str())),
        ] {
            let image = ImageRef::parse(text).unwrap();
            assert_eq!(image.repository.registry(), registry, "{text}");
            assert_eq!(image.repository.path(), path, "{text}");
            assert_eq!(image.tag.as_ref().map(Tag::as_str), tag, "{text}");
            assert_eq!(image.digest.as_ref().map(Digest::as_str), digest, "{text}");
            assert_eq!(image.to_string(), text);
        }
    }

    #[test]
    fn a_text_that_is_no_image_is_refused() {
        for text in [
            "",
            ":",
            "a:",
            "a@",
            "A/b",
            "ghcr.io/O/n",
            "ghcr.io//n",
            "ghcr.io/n/",
            "a b",
            "a:b c",
            "a:-b",
            "a@sha256:xyz",
            "https://ghcr.io/o/n",
            "ghcr.io/o/n:t:u",
            "ghcr.io/-n",
            "ghcr.io/a..b",
            "ghcr.io/a___b",
            "été/n",
            "-h.io:1/n",
        ] {
            assert!(ImageRef::parse(text).is_err(), "{text:?} was taken");
        }
        assert!(Tag::new("x".repeat(128)).is_ok());
        assert!(Tag::new("x".repeat(129)).is_err());
    }

    #[test]
    fn a_repository_takes_neither_tag_nor_digest_nor_scheme() {
        for text in ["ghcr.io/o/n:t", "ghcr.io/o/n@sha256:0", "https://ghcr.io/o/n"] {
            assert!(Repository::new(text).is_err(), "{text:?} was taken");
        }
        assert_eq!(Repository::new("nginx").unwrap(), Repository::new("docker.io/library/nginx").unwrap());
        assert_ne!(Repository::new("ghcr.io/a/n").unwrap(), Repository::new("ghcr.io/b/n").unwrap());
    }
}
