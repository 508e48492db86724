//! Why a registry could not be asked, told apart by what one can do about it.

use std::fmt;
use std::time::Duration;

use image_gitops_core::reach::Refused;

/// Why a call failed. Every variant says what was attempted; [`RegistryError::hint`] says what can be done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// The host or the certificates given are of no use.
    #[error("cannot talk to the registry {host:?}: {reason}")]
    Settings {
        /// The registry.
        host: String,
        /// What is wrong.
        reason: String,
    },
    /// The registry, its token service, or where either redirects to, is out of the reach that was given.
    #[error("cannot {attempt}: {refused}")]
    Refused {
        /// What was attempted.
        attempt: String,
        /// What was refused.
        refused: Refused,
    },
    /// The registry says that there is no such thing. Some say so too of what may not be read.
    #[error("cannot {attempt}: not found{}", said(.words.as_deref()))]
    NotFound {
        /// What was attempted: `list the tags of ghcr.io/owner/name`.
        attempt: String,
        /// The registry.
        host: String,
        /// The registry's own words.
        words: Option<String>,
    },
    /// The registry does not let this reader in. GHCR says so too of what does not exist.
    #[error("cannot {attempt}: {host} refuses {tried}; it may be private, or not exist{}", said(.words.as_deref()))]
    Denied {
        /// What was attempted.
        attempt: String,
        /// The registry.
        host: String,
        /// With what it was attempted.
        tried: Tried,
        /// The registry's own words.
        words: Option<String>,
    },
    /// The registry asks to wait, for longer than the call may take or than tries were left.
    #[error("cannot {attempt}: {host} asks to wait{}", span(*.retry_after))]
    Throttled {
        /// What was attempted.
        attempt: String,
        /// The registry.
        host: String,
        /// For how long, from now, if it says so.
        retry_after: Option<Duration>,
    },
    /// No answer came, or not all of it.
    #[error("cannot {attempt}: {host}: {outage}")]
    Unreachable {
        /// What was attempted.
        attempt: String,
        /// The registry, or its token service.
        host: String,
        /// What happened.
        outage: Outage,
        /// What the network said.
        #[source]
        source: Option<reqwest::Error>,
    },
    /// The registry says that something is wrong with itself.
    #[error("cannot {attempt}: {host} fails with status {status}{}", said(.words.as_deref()))]
    Unavailable {
        /// What was attempted.
        attempt: String,
        /// The registry, or its token service.
        host: String,
        /// The status, of the 5xx.
        status: u16,
        /// The registry's own words.
        words: Option<String>,
    },
    /// What answers there is something else: a web page, a login form, a proxy.
    #[error("cannot {attempt}: {host} does not answer as a registry does: {reason}")]
    NotARegistry {
        /// What was attempted.
        attempt: String,
        /// The host.
        host: String,
        /// What it answers instead.
        reason: String,
    },
    /// More than a call may take.
    #[error("cannot {attempt}: more than {limit}")]
    TooLarge {
        /// What was attempted.
        attempt: String,
        /// The limit that was reached: `1000 pages`.
        limit: String,
    },
    /// A registry's answer that makes no sense or must not be followed.
    #[error("cannot {attempt}: {host} {reason}")]
    Protocol {
        /// What was attempted.
        attempt: String,
        /// The registry, or its token service.
        host: String,
        /// What it did, as a predicate: `points to another host for the next page`.
        reason: String,
    },
}

/// With what something was attempted that was denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tried {
    /// No credential was given.
    Anonymous,
    /// The credential was sent. What was not let in with it is never tried again without.
    Credential,
}

impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Anonymous => "anonymous readers",
            Self::Credential => "the credential",
        })
    }
}

/// How a connection came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outage {
    /// The host's name has no address.
    Name,
    /// Nothing accepts the connection.
    Connect,
    /// The server's certificate is signed by nobody we trust.
    Untrusted,
    /// The server's certificate is for another host, or for another time.
    Certificate,
    /// The server does not speak TLS, or none that we speak.
    Tls,
    /// The connection broke before the answer was complete.
    Broken,
    /// The answer did not come in time.
    Timeout,
}

impl fmt::Display for Outage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Name => "the name cannot be resolved",
            Self::Connect => "the connection is not accepted",
            Self::Untrusted => "the certificate is not trusted",
            Self::Certificate => "the certificate is not valid for this host now",
            Self::Tls => "TLS cannot be agreed on",
            Self::Broken => "the connection broke off",
            Self::Timeout => "no answer in time",
        })
    }
}

impl RegistryError {
    pub(crate) fn refused(attempt: &str, refused: Refused) -> Self {
        Self::Refused { attempt: attempt.to_owned(), refused }
    }

    /// Whether the same call may succeed later without anybody doing anything.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Throttled { .. } | Self::Unavailable { .. } => true,
            Self::Unreachable { outage, .. } => {
                matches!(outage, Outage::Name | Outage::Connect | Outage::Broken | Outage::Timeout)
            }
            Self::Settings { .. }
            | Self::Refused { .. }
            | Self::NotFound { .. }
            | Self::Denied { .. }
            | Self::NotARegistry { .. }
            | Self::TooLarge { .. }
            | Self::Protocol { .. } => false,
        }
    }

    /// What the user can do, as a sentence in the imperative, where there is something.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Protocol { .. } => None,
            Self::Refused { refused, .. } => Some(refused.hint()),
            Self::Settings { .. } => Some(
                "check the host in spec.image, and that caSecretRef's ca.crt is PEM; on a machine without certificates \
                 of its own set SSL_CERT_FILE"
                    .into(),
            ),
            Self::Unavailable { host, .. } => Some(format!("wait, and look at the status page of {host}")),
            Self::NotFound { .. } => Some(
                "check the spelling of the image and that it was pushed; some registries say the same of what is \
                 private: then give a credential (registry.secretRef)"
                    .into(),
            ),
            Self::Denied { host, tried, .. } => Some(denied(host, *tried)),
            Self::Throttled { host, .. } if host == "docker.io" => Some(
                "give a credential (registry.secretRef): Docker Hub allows more to those who log in".into(),
            ),
            Self::Throttled { .. } => {
                Some("wait that long; a longer spec.interval asks less often".into())
            }
            Self::Unreachable { host, outage, .. } => outage_hint(host, *outage),
            Self::NotARegistry { host, .. } => {
                Some(format!("check that https://{host}/v2/ is a registry's address and not a web page's"))
            }
            Self::TooLarge { .. } => {
                Some("remove tags nobody uses: most registries can do so by a retention rule".into())
            }
        }
    }
}

fn denied(host: &str, tried: Tried) -> String {
    match (host, tried) {
        ("ghcr.io", Tried::Anonymous) => "check the spelling, and if the package is private give a classic personal \
             access token with the scope read:packages (registry.secretRef); GHCR takes no fine-grained tokens"
            .into(),
        ("ghcr.io", Tried::Credential) => "check the spelling, and that the token is a classic personal access token \
             with the scope read:packages, not expired, of a user who may read the package; GHCR takes no fine-grained \
             tokens"
            .into(),
        (_, Tried::Anonymous) => {
            "check the spelling, and if the image is private give a credential (registry.secretRef)".into()
        }
        (_, Tried::Credential) => {
            format!("check the spelling, and that `docker login {host}` works with the same user and password")
        }
    }
}

fn outage_hint(host: &str, outage: Outage) -> Option<String> {
    match outage {
        Outage::Name => Some(format!("check the spelling of {host} and the DNS of this machine")),
        Outage::Connect => {
            Some(format!("check that {host} is up, and that a firewall or proxy lets us through"))
        }
        Outage::Untrusted => Some(format!(
            "give the certificate of the authority that signed {host}'s (registry.caSecretRef), or point \
             SSL_CERT_FILE to a bundle that holds it"
        )),
        Outage::Certificate => {
            Some(format!("check the names and dates of {host}'s certificate, and this machine's clock"))
        }
        Outage::Tls => Some(format!("if {host} speaks plain HTTP, say so (registry.insecure: true)")),
        Outage::Broken | Outage::Timeout => {
            Some(format!("try again; if it stays, check the way to {host}: a proxy or a firewall cuts it"))
        }
    }
}

fn said(words: Option<&str>) -> String {
    words.map(|words| format!(" ({words})")).unwrap_or_default()
}

fn span(retry_after: Option<Duration>) -> String {
    // Whole seconds are enough for people, but never "0s".
    match retry_after {
        Some(wait) => format!(" {}s", wait.as_secs().max(1)),
        None => String::new(),
    }
}

/// What happened on the way, from the errors below reqwest's.
pub(crate) fn outage(error: &reqwest::Error) -> Outage {
    let chain = std::iter::successors(std::error::Error::source(error), |e| (*e).source());
    for cause in chain {
        match tls_error(cause) {
            Some(rustls::Error::InvalidCertificate(why)) => return certificate(why),
            Some(_) => return Outage::Tls,
            None => {}
        }
        // hyper-util keeps this type to itself; its text is all there is.
        if cause.to_string().starts_with("dns error") {
            return Outage::Name;
        }
    }
    if error.is_timeout() {
        Outage::Timeout
    } else if error.is_connect() {
        Outage::Connect
    } else {
        Outage::Broken
    }
}

/// The TLS error in an error. Those of [`std::io`] hide theirs from `source`, and come one in another.
fn tls_error<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a rustls::Error> {
    if let Some(tls) = error.downcast_ref() {
        return Some(tls);
    }
    let inner = error.downcast_ref::<std::io::Error>()?.get_ref()?;
    tls_error(inner)
}

fn certificate(why: &rustls::CertificateError) -> Outage {
    use rustls::CertificateError as E;
    match why {
        E::NotValidForName
        | E::NotValidForNameContext { .. }
        | E::Expired
        | E::ExpiredContext { .. }
        | E::NotValidYet
        | E::NotValidYetContext { .. } => Outage::Certificate,
        _ => Outage::Untrusted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn denied_by(host: &str, tried: Tried) -> RegistryError {
        RegistryError::Denied {
            attempt: format!("list the tags of {host}/o/n"),
            host: host.to_owned(),
            tried,
            words: Some("DENIED: denied".to_owned()),
        }
    }

    #[test]
    fn a_refusal_says_what_was_tried_and_both_things_it_may_mean() {
        let denied = denied_by("ghcr.io", Tried::Anonymous);
        assert_eq!(
            denied.to_string(),
            "cannot list the tags of ghcr.io/o/n: ghcr.io refuses anonymous readers; it may be private, or not exist \
             (DENIED: denied)"
        );
        assert!(denied_by("ghcr.io", Tried::Credential).to_string().contains("refuses the credential"));
    }

    #[test]
    fn the_hint_for_ghcr_names_the_kind_of_token_and_its_scope() {
        for tried in [Tried::Anonymous, Tried::Credential] {
            let hint = denied_by("ghcr.io", tried).hint().unwrap();
            assert!(hint.contains("classic personal access token"), "{hint}");
            assert!(hint.contains("read:packages"), "{hint}");
            assert!(!denied_by("quay.io", tried).hint().unwrap().contains("read:packages"));
        }
    }

    #[test]
    fn a_wait_is_said_in_seconds_and_never_as_none() {
        for (retry_after, words) in [
            (Some(Duration::from_millis(2)), "asks to wait 1s"),
            (Some(Duration::from_secs(90)), "asks to wait 90s"),
            (None, "asks to wait"),
        ] {
            let (attempt, host) = ("list".to_owned(), "r.io".to_owned());
            let error = RegistryError::Throttled { attempt, host, retry_after };
            assert!(error.to_string().ends_with(words), "{error}");
        }
    }
}
