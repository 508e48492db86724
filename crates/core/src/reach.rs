//! Which servers may be asked, by the name of their host and by the address behind it.
//!
//! Whoever may make a resource names hosts in it, and the service asks them from within the cluster: where it is not bounded,
//! it can be sent to whatever only pods can reach. Nothing is resolved here. A client checks each URL before it is asked, and
//! its resolver each address that a name has; it connects to the addresses that were checked, so that a name which
//! changes its address meanwhile (DNS rebinding) gains nothing.

mod address;
mod pattern;

use std::net::IpAddr;

pub use ipnet::IpNet as Network;
pub use pattern::{HostPattern, NetworkError, PatternError, network};

/// Which servers may be asked. The default is every server, as on a person's own machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach(Option<Bounds>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Bounds {
    /// Empty: every host.
    hosts: Vec<HostPattern>,
    /// Addresses that may be asked though they are special.
    allowed: Vec<Network>,
}

impl Reach {
    /// Only servers on the network: of `hosts` (every host where that is empty), at addresses that are not special or lie
    /// within `allowed`. Repositories on disk are out of reach.
    pub fn bounded(hosts: &[HostPattern], allowed: &[Network]) -> Self {
        let hosts = hosts.iter().flat_map(HostPattern::with_those_behind_it).collect();
        Self(Some(Bounds { hosts, allowed: allowed.to_vec() }))
    }

    /// Whether there is anything that may not be asked.
    pub fn is_bounded(&self) -> bool {
        self.0.is_some()
    }

    /// Checks the host of a URL, a name or an address as [`url`] writes it, with the port that will be asked.
    ///
    /// # Errors
    /// [`Refused`] for a host that is not listed, and for an address that [`Self::address`] refuses.
    ///
    /// [`url`]: https://url.spec.whatwg.org/#host-serializing
    pub fn host(&self, host: &str, port: Option<u16>) -> Result<(), Refused> {
        let Some(bounds) = &self.0 else { return Ok(()) };
        if !bounds.hosts.is_empty() && !bounds.hosts.iter().any(|pattern| pattern.covers(host, port)) {
            return Err(Refused::Host(host.to_owned()));
        }
        literal(host).map_or(Ok(()), |address| self.address(host, address))
    }

    /// Checks an address that `host` has.
    ///
    /// # Errors
    /// [`Refused::Address`] for loopback, link-local and the like, and for where clouds keep their metadata.
    pub fn address(&self, host: &str, address: IpAddr) -> Result<(), Refused> {
        let Some(bounds) = &self.0 else { return Ok(()) };
        match address::special(address) {
            Some(kind) if !bounds.allowed.iter().any(|net| net.contains(&address.to_canonical())) => {
                Err(Refused::Address { host: host.to_owned(), address, kind })
            }
            _ => Ok(()),
        }
    }

    /// The addresses of `host` that may be asked, of all that it has.
    ///
    /// # Errors
    /// [`Refused::Address`] where there are some, and none may be asked.
    pub fn of_all(&self, host: &str, all: impl IntoIterator<Item = IpAddr>) -> Result<Vec<IpAddr>, Refused> {
        let mut refused = None;
        let mut allowed = Vec::new();
        for address in all {
            match self.address(host, address) {
                Ok(()) => allowed.push(address),
                Err(error) => refused = refused.or(Some(error)),
            }
        }
        match refused {
            Some(error) if allowed.is_empty() => Err(error),
            _ => Ok(allowed),
        }
    }

    /// Checks a repository on this machine's disk.
    ///
    /// # Errors
    /// [`Refused::Disk`] wherever anything is bounded: the disk of a service is not its users'.
    pub fn disk(&self) -> Result<(), Refused> {
        if self.is_bounded() { Err(Refused::Disk) } else { Ok(()) }
    }
}

/// Why a server may not be asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// There is a list of hosts, and this one is not in it.
    #[error("{0} is not one of the hosts that this service may ask")]
    Host(String),
    /// The address is one that only the service's own machine, node or cloud should ask.
    #[error("{}, which this service does not ask", is(.host, .address, .kind))]
    Address {
        /// The host.
        host: String,
        /// The address that it has, or is.
        address: IpAddr,
        /// What kind of address that is, with its article.
        kind: &'static str,
    },
    /// A folder, where only the network is asked.
    #[error("this service reads no repository from its own disk")]
    Disk,
}

impl Refused {
    /// What was refused, where that lies behind an error: a client's resolver tells it so.
    pub fn behind(error: &dyn std::error::Error) -> Option<&Self> {
        std::iter::successors(error.source(), |cause| (*cause).source())
            .find_map(|cause| cause.downcast_ref())
    }

    /// What the user can do, as a sentence in the imperative.
    pub fn hint(&self) -> String {
        match self {
            Self::Host(host) => format!(
                "use a host that is listed, or have {host} listed by who runs the service (--registry-hosts, --git-hosts)"
            ),
            Self::Address { address, .. } => format!(
                "use a server with another address, or have {} allowed by who runs the service (--allow-addresses)",
                address.to_canonical()
            ),
            Self::Disk => "give a URL such as https://github.com/owner/name".into(),
        }
    }
}

/// The address that a host is, if it is no name.
fn literal(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

fn is(host: &str, address: &IpAddr, kind: &str) -> String {
    if literal(host) == Some(*address) {
        format!("{address} is {kind}")
    } else {
        format!("{host} has the address {address}, {kind}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach(hosts: &[&str], allowed: &[&str]) -> Reach {
        let hosts: Vec<HostPattern> = hosts.iter().map(|text| text.parse().unwrap()).collect();
        let allowed: Vec<Network> = allowed.iter().map(|text| network(text).unwrap()).collect();
        Reach::bounded(&hosts, &allowed)
    }

    #[test]
    fn without_bounds_everything_may_be_asked() {
        let open = Reach::default();
        assert!(open.host("169.254.169.254", None).is_ok() && open.disk().is_ok() && !open.is_bounded());
    }

    #[test]
    fn an_address_in_a_url_is_checked_as_one_behind_a_name() {
        let bounded = reach(&[], &[]);
        assert!(bounded.host("ghcr.io", None).is_ok());
        assert!(bounded.host("10.0.0.7", Some(5000)).is_ok(), "a registry of the cluster's own network");
        assert_eq!(
            bounded.host("127.0.0.1", Some(5000)).unwrap_err().to_string(),
            "127.0.0.1 is a loopback address, which this service does not ask"
        );
        assert!(bounded.host("[::1]", None).is_err());
        assert_eq!(
            bounded.address("evil.example", "169.254.169.254".parse().unwrap()).unwrap_err().to_string(),
            "evil.example has the address 169.254.169.254, a link-local address, where clouds keep their metadata, \
             which this service does not ask"
        );
        assert_eq!(bounded.disk(), Err(Refused::Disk));
    }

    #[test]
    fn of_the_addresses_of_a_name_only_those_allowed_are_left() {
        let both: Vec<IpAddr> = vec!["127.0.0.1".parse().unwrap(), "192.0.2.1".parse().unwrap()];
        assert_eq!(reach(&[], &[]).of_all("a.example", both.clone()).unwrap(), both[1..]);
        assert!(reach(&[], &[]).of_all("a.example", both[..1].to_vec()).is_err());
        assert_eq!(reach(&[], &["127.0.0.0/8"]).of_all("a.example", both.clone()).unwrap(), both);
        assert_eq!(reach(&[], &[]).of_all("a.example", []).unwrap(), [] as [IpAddr; 0]);
    }

    #[test]
    fn an_exception_is_one_however_the_address_is_written() {
        let local = reach(&[], &["127.0.0.0/8"]);
        for address in ["127.0.0.1", "[::ffff:127.0.0.1]"] {
            assert!(local.host(address, None).is_ok(), "{address}");
        }
        for address in ["[::1]", "169.254.169.254", "[::ffff:169.254.169.254]", "[2002:7f00:1::]"] {
            assert!(local.host(address, None).is_err(), "{address}");
        }
    }

    #[test]
    fn a_listed_host_gets_no_further_with_a_special_address() {
        let listed = reach(&["127.0.0.1", "ghcr.io"], &[]);
        assert!(matches!(listed.host("127.0.0.1", None), Err(Refused::Address { .. })));
        assert!(matches!(listed.host("quay.io", None), Err(Refused::Host(_))));
        assert!(listed.address("ghcr.io", "::1".parse().unwrap()).is_err());
    }

    #[test]
    fn docker_hub_is_one_entry_though_it_is_three_hosts() {
        let hub = reach(&["docker.io"], &[]);
        for host in ["docker.io", "registry-1.docker.io", "auth.docker.io"] {
            assert!(hub.host(host, None).is_ok(), "{host}");
        }
        assert!(hub.host("evil.docker.io", None).is_err());
    }
}
