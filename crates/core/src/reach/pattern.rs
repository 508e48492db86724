//! Hosts and networks, as flags list them.

use std::{fmt, net::IpAddr, str::FromStr};

use ipnet::IpNet;

/// Docker Hub is asked at other names than that of its images.
const DOCKER_HUB: &[&str] = &["docker.io", "registry-1.docker.io", "auth.docker.io"];

/// A host that is not one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a host: write ghcr.io, registry.example.com:5000, or *.example.com for every host below it"
)]
pub struct PatternError(String);

/// A network that is not one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a network: write 127.0.0.0/8, fd00::/8, or one address")]
pub struct NetworkError(String);

/// One host, or all below a name; with a port, on that port only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPattern {
    /// In lower case, IPv6 in brackets; what comes after `*.` where `below`.
    name: String,
    below: bool,
    port: Option<u16>,
}

impl HostPattern {
    /// Whether it covers a host as URLs write it.
    pub fn covers(&self, host: &str, port: Option<u16>) -> bool {
        let host = host.to_ascii_lowercase();
        let named = match self.below {
            true => host.strip_suffix(&self.name).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.')),
            false => host == self.name,
        };
        named && (self.port.is_none() || self.port == port)
    }

    /// The pattern, and those of hosts that are asked in its stead.
    pub(super) fn with_those_behind_it(&self) -> Vec<Self> {
        let hub = !self.below && self.name == "docker.io";
        let names = if hub { DOCKER_HUB } else { &[self.name.as_str()] };
        names.iter().map(|name| Self { name: (*name).to_owned(), ..self.clone() }).collect()
    }
}

impl FromStr for HostPattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        let refuse = || PatternError(text.to_owned());
        let (host, port) =
            match text.rsplit_once(':').filter(|(host, _)| !host.contains(':') || host.ends_with(']')) {
                Some((host, port)) => (host, Some(port.parse().map_err(|_| refuse())?)),
                None => (text, None),
            };
        let (name, below) = host.strip_prefix("*.").map_or((host, false), |name| (name, true));
        let is_v6 = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
        let plain = match is_v6 {
            Some(address) => !below && address.parse::<std::net::Ipv6Addr>().is_ok(),
            None => name.split('.').all(|label| {
                !label.is_empty()
                    && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
            }),
        };
        if !plain {
            return Err(refuse());
        }
        Ok(Self { name: name.to_ascii_lowercase(), below, port })
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.below { "*." } else { "" }, self.name)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

/// Reads a network, or one address as the network that holds it alone.
///
/// # Errors
/// [`NetworkError`] for anything else.
pub fn network(text: &str) -> Result<IpNet, NetworkError> {
    let one = |text: &str| text.parse::<IpAddr>().ok().map(IpNet::from);
    text.parse().ok().or_else(|| one(text)).ok_or_else(|| NetworkError(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_covers_what_it_says_and_nothing_that_looks_like_it() {
        for (pattern, host, port, covered) in [
            ("ghcr.io", "ghcr.io", None, true),
            ("ghcr.io", "GHCR.io", Some(443), true),
            ("GHCR.IO", "ghcr.io", None, true),
            ("ghcr.io", "ghcr.io.evil.example", None, false),
            ("ghcr.io", "evil-ghcr.io", None, false),
            ("ghcr.io", "a.ghcr.io", None, false),
            ("ghcr.io", "ghcr.io.", None, false),
            ("*.example.com", "a.example.com", None, true),
            ("*.example.com", "a.b.example.com", None, true),
            ("*.example.com", "example.com", None, false),
            ("*.example.com", ".example.com", None, false),
            ("*.example.com", "evilexample.com", None, false),
            ("*.example.com", "a.example.com.evil.example", None, false),
            ("r.example:5000", "r.example", Some(5000), true),
            ("r.example:5000", "r.example", Some(443), false),
            ("r.example:5000", "r.example", None, false),
            ("*.r.example:5000", "a.r.example", Some(5000), true),
            ("10.0.0.7:5000", "10.0.0.7", Some(5000), true),
            ("[fd00::7]:5000", "[fd00::7]", Some(5000), true),
            ("[fd00::7]", "[fd00::7]", Some(443), true),
        ] {
            let parsed: HostPattern = pattern.parse().unwrap();
            assert_eq!(parsed.covers(host, port), covered, "{pattern} and {host} {port:?}");
            assert_eq!(parsed.to_string(), pattern.to_ascii_lowercase());
        }
    }

    #[test]
    fn what_is_no_host_is_refused_rather_than_never_met() {
        for text in [
            "",
            "*",
            "*.",
            "a.*",
            "*a.example",
            "https://ghcr.io",
            "ghcr.io/owner",
            "ghcr.io:",
            "ghcr.io:x",
            "ghcr.io:70000",
            "a..b",
            "a b",
            "é.example",
            "::1",
            "[::1",
            "user@ghcr.io",
        ] {
            assert!(text.parse::<HostPattern>().is_err(), "{text:?} was taken");
        }
    }

    #[test]
    fn a_network_is_written_with_or_without_its_length() {
        assert!(network("127.0.0.0/8").unwrap().contains(&"127.1.2.3".parse::<IpAddr>().unwrap()));
        let one = network("169.254.1.1").unwrap();
        assert!(one.contains(&"169.254.1.1".parse::<IpAddr>().unwrap()));
        assert!(!one.contains(&"169.254.1.2".parse::<IpAddr>().unwrap()));
        for text in ["", "127.0.0.0/33", "localhost", "10.0.0.0/8,127.0.0.0/8"] {
            assert!(network(text).is_err(), "{text:?} was taken");
        }
    }
}
