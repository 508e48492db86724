//! A key of `auths`: `ghcr.io`, `https://index.docker.io/v1/`, `ghcr.io/owner`, `*.example.com:5000`.

use std::{cmp::Ordering, fmt};

use crate::image::Repository;

/// Which repositories an entry is for. The order is that of precedence: what is more specific is less, thus comes first.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Key {
    host: String,
    port: Option<String>,
    /// The first parts of the repository's path; most keys have none.
    path: Vec<String>,
}

impl Key {
    /// Reads a key; `None` for what names no registry (it can serve no repository).
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let text = text.split_once("://").map_or(text, |(_, rest)| rest);
        let (authority, path) = text.split_once('/').unwrap_or((text, ""));
        // What docker calls the registry's API version is no part of a repository's path.
        let path = match path.split_once('/') {
            Some(("v1" | "v2", rest)) => rest,
            None if matches!(path, "v1" | "v2") => "",
            _ => path,
        };
        let (host, port) = host_and_port(authority);
        if host.is_empty() || !host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.*_[]:".contains(&b)) {
            return None;
        }
        let host = match host.to_ascii_lowercase() {
            hub if hub == "index.docker.io" || hub == "registry-1.docker.io" => "docker.io".to_owned(),
            host => host,
        };
        Some(Self {
            host,
            port: port.map(str::to_owned),
            path: path.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect(),
        })
    }

    /// Whether the entry may be used for `repository`: the host and port are the same (`*` in the key's host stands for
    /// any text without a dot), and the path begins with the key's, part by part.
    pub(super) fn covers(&self, repository: &Repository) -> bool {
        let (host, port) = host_and_port(repository.registry());
        let mut parts = repository.path().split('/');
        self.port.as_deref() == port
            && self.covers_host(host)
            && self.path.iter().all(|part| parts.next() == Some(part))
    }

    fn covers_host(&self, host: &str) -> bool {
        let (own, other) = (self.host.split('.'), host.split('.'));
        own.clone().count() == other.clone().count()
            && own.zip(other).all(|(own, other)| label_matches(own, other))
    }

    fn wildcards(&self) -> usize {
        self.host.matches('*').count()
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        let specific = self.wildcards().cmp(&other.wildcards()).then(other.path.len().cmp(&self.path.len()));
        specific
            .then_with(|| self.host.cmp(&other.host))
            .then_with(|| self.port.cmp(&other.port))
            .then_with(|| self.path.cmp(&other.path))
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The host alone where a path is: paths are for people to name, hosts are public.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.host)?;
        match &self.port {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Splits off a port; an IPv6 address stands in brackets.
fn host_and_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => {
            (host, Some(port))
        }
        _ => (authority, None),
    }
}

/// Whether a label matches a pattern in which `*` stands for any text.
fn label_matches(pattern: &str, label: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else {
        return pattern == label;
    };
    let Some(mut label) = label.strip_prefix(first) else {
        return false;
    };
    let mut pieces: Vec<&str> = rest.split('*').collect();
    let last = pieces.pop().unwrap_or_default();
    for piece in pieces {
        let Some((_, tail)) = label.split_once(piece) else {
            return false;
        };
        label = tail;
    }
    label.ends_with(last)
}
