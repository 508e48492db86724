//! Webhooks of registries: hints where to look now, instead of at the next interval.
//!
//! A webhook proves nothing about a registry: it may be late, repeated, lost or wrong. So a [`Hint`] is never more than
//! the name of something to look at; what is there, the registry itself says. Who sent the webhook was checked before
//! ([`crate::signature`]), and so was its size.

use crate::{
    body::BodyError,
    image::{ImageError, Repository, Tag},
};

mod distribution;
mod generic;
mod ghcr;

/// Who sends a webhook, and so in which shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// GitHub, for its container registry: the events `package` and `registry_package`.
    Ghcr,
    /// A registry that notifies as CNCF distribution does: `application/vnd.docker.distribution.events.v2+json`.
    Distribution,
    /// Anybody else: `{"image": "ghcr.io/owner/name", "tag": "v1"}`.
    Generic,
}

/// Something to look at now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint {
    /// Where something was pushed.
    pub repository: Repository,
    /// The tag that was pushed, where the sender names one.
    pub tag: Option<Tag>,
}

/// A webhook that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot read {}: {reason}", match kind {
    Kind::Ghcr => "GitHub's webhook",
    Kind::Distribution => "the registry's notification",
    Kind::Generic => "the webhook",
})]
pub struct WebhookError {
    /// The shape that was expected.
    pub kind: Kind,
    /// Why.
    pub reason: BodyError,
}

impl WebhookError {
    /// What the sender can do.
    pub fn hint(&self) -> &'static str {
        match (self.kind, &self.reason) {
            (Kind::Ghcr, BodyError::Form) => {
                "choose the content type application/json in the webhook's settings"
            }
            (_, BodyError::Header(_)) => "let the proxy before this service pass the header on",
            (Kind::Ghcr, _) => "let GitHub send its events \"Packages\" or \"Registry packages\" here",
            (Kind::Distribution, _) => {
                "send what the distribution registry sends: {\"events\": [{\"action\": \"push\", \"target\": \
                 {\"repository\": …, \"tag\": …}, \"request\": {\"host\": …}}]}"
            }
            (Kind::Generic, _) => {
                "send {\"image\": \"ghcr.io/owner/name\", \"tag\": \"v1\"}; the tag may be left out"
            }
        }
    }
}

/// Reads a webhook. `event` is the header `X-GitHub-Event`; only GitHub's webhooks have it.
///
/// No hint is no error: much of what is sent is about something else than a pushed image. Unknown fields are ignored.
pub fn parse(kind: Kind, event: Option<&str>, body: &[u8]) -> Result<Vec<Hint>, WebhookError> {
    let hints = match kind {
        Kind::Ghcr => ghcr::parse(event, body).map(Vec::from_iter),
        Kind::Distribution => distribution::parse(body),
        Kind::Generic => generic::parse(body).map(|hint| vec![hint]),
    };
    hints.map_err(|reason| WebhookError { kind, reason })
}

/// The repository that `host` serves at `path`. Fails where an image's name cannot say that: docker takes a host without
/// a dot and a port for the first part of a path.
fn repository(host: &str, path: &str) -> Result<Repository, &'static str> {
    let repository = Repository::new(&format!("{host}/{path}")).map_err(reason)?;
    if repository.registry().eq_ignore_ascii_case(host) {
        Ok(repository)
    } else {
        Err("the registry's host has neither a dot nor a port")
    }
}

/// Why a name is none, without the name.
fn reason(error: ImageError) -> &'static str {
    match error {
        ImageError::Repository { reason, .. } => reason,
        ImageError::Tag(_) => {
            "a tag is 1 to 128 of letters, digits, '_', '.', '-', not starting with '.' or '-'"
        }
        ImageError::Digest(_) => "a digest is sha256: and 64 hexadecimal digits",
    }
}
