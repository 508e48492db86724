//! One repository's tags and digests, over the [OCI distribution API].
//!
//! A [`Registry`] is one host seen with one [`Access`]. [`Registry::tags`] returns the **whole** list of a repository's
//! tags or an error, never a part of it; [`Registry::digest`] returns what a tag names now, [`Registry::signatures`] what
//! cosign attached to that, and [`Registry::created`] when an image says that it was made. Every call is bounded in time,
//! requests and bytes by [`Limits`].
//!
//! From the wire up: `http` sends one request and reads its answer within bounds, trying again what may pass; `auth`
//! answers the registry's challenges; `tags` follows the pages of a list; `content` reads manifests and blobs: `digest` what a
//! tag names, `platforms` whether that can be run, `attached` what is attached to it, `created` an image's configuration;
//! `refusal` says what any other answer means. What a registry sends is parsed in files of their own: `http/wait`, `http/words`,
//! `http/parameter`, `auth/challenge`, `tags/link`, `tags/page`.
//!
//! [OCI distribution API]: https://github.com/opencontainers/distribution-spec/blob/main/spec.md

mod attached;
mod auth;
mod content;
mod created;
mod digest;
mod error;
#[cfg(feature = "fuzz")]
#[doc(hidden)]
pub mod fuzz;
mod http;
mod platforms;
mod refusal;
mod tags;

use std::sync::Arc;
use std::time::Duration;

use image_gitops_core::credential::Credential;
use image_gitops_core::image::{Digest, Repository, Tag};
use image_gitops_core::platform::Platform;
use image_gitops_core::reach::Reach;

pub use attached::{Attached, Place, Signatures};
pub use error::{Outage, RegistryError, Tried};
pub use platforms::Lack;
pub use tags::TagList;

/// With what a registry is asked.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// Who asks.
    pub credential: Credential,
    /// Certificates, as PEM, that are trusted besides the system's.
    pub ca: Option<String>,
    /// Speak plain HTTP. Never chosen by itself, not even for a registry on this machine.
    pub insecure: bool,
    /// Which hosts and addresses may be asked: the registry, its token service, and where either redirects to.
    pub reach: Reach,
}

/// What one call may cost before it is given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Pages of one list: 1000.
    pub pages: usize,
    /// Tags of one list: 500 000.
    pub tags: usize,
    /// Bytes of one answer, unpacked: 32 MiB. (Some registries send all tags in one page; a tag takes up to 131 bytes.)
    pub answer_bytes: usize,
    /// Bytes of all answers of one call, unpacked: 128 MiB.
    pub total_bytes: usize,
    /// Time for one call, waits included: 90 s.
    pub total_time: Duration,
    /// How often one request is sent while it fails in a way that may pass: 4.
    pub attempts: u32,
    /// The wait before the second try where the registry asks for none: 200 ms. It doubles with each, up to 10 s.
    pub pause: Duration,
    /// The `n` of the first page: 1000, the most that every registry takes. 0 asks for no size.
    pub page_size: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            pages: 1000,
            tags: 500_000,
            answer_bytes: 32 << 20,
            total_bytes: 128 << 20,
            total_time: Duration::from_secs(90),
            attempts: 4,
            pause: Duration::from_millis(200),
            page_size: 1000,
        }
    }
}

/// One registry, as one credential sees it. Clones share connections and tokens.
#[derive(Clone, Debug)]
pub struct Registry(Arc<auth::Session>);

/// Two are equal when they share connections and tokens.
impl PartialEq for Registry {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Registry {
    /// Prepares to talk to `registry_host`, which is a host with or without a port, as [`Repository::registry`] gives
    /// it. Nothing is sent.
    ///
    /// # Errors
    /// [`RegistryError::Settings`] when the host is no host, or the certificates cannot be read; [`RegistryError::Refused`]
    /// when it may not be asked.
    pub fn new(registry_host: &str, access: Access, limits: Limits) -> Result<Self, RegistryError> {
        Ok(Self(Arc::new(auth::Session::new(registry_host, access, limits)?)))
    }

    /// All tags of `repository`, each once, in the order of their bytes. A repository without tags gives an empty list.
    ///
    /// # Errors
    /// When any page cannot be had, after tries that [`Limits`] allows: a part of a list is never returned.
    pub async fn tags(&self, repository: &Repository) -> Result<TagList, RegistryError> {
        tags::list(&self.0, repository).await
    }

    /// The digest that `tag` names now: of the index where the image is for several platforms, else of its manifest.
    ///
    /// # Errors
    /// [`RegistryError::NotFound`] when there is no such tag; else as [`Registry::tags`].
    pub async fn digest(&self, repository: &Repository, tag: &Tag) -> Result<Digest, RegistryError> {
        digest::read(&self.0, repository, tag).await
    }

    /// The digest that `tag` names now, or why that cannot be run: an image of its index is gone, or there is none for one
    /// of the platforms that are `wanted`.
    ///
    /// # Errors
    /// As [`Registry::digest`].
    pub async fn runnable(
        &self,
        repository: &Repository,
        tag: &Tag,
        wanted: &[Platform],
    ) -> Result<Result<Digest, Lack>, RegistryError> {
        platforms::check(&self.0, repository, tag, wanted).await
    }

    /// The signatures of cosign that lie in one place for the image `digest`; none is an empty list. They are not
    /// verified.
    ///
    /// # Errors
    /// As [`Registry::tags`]; [`RegistryError::TooLarge`] and [`RegistryError::Protocol`] where what lies there is not
    /// what cosign writes.
    pub async fn signatures(
        &self,
        repository: &Repository,
        digest: &Digest,
        place: Place,
    ) -> Result<Signatures, RegistryError> {
        attached::read(&self.0, repository, digest, place).await
    }

    /// When the image of this digest says that it was made, in its own words (RFC 3339); of an index, its first platform's.
    /// `None` where it does not say. Whoever pushed it chose these words.
    ///
    /// # Errors
    /// As [`Registry::digest`].
    pub async fn created(
        &self,
        repository: &Repository,
        digest: &Digest,
    ) -> Result<Option<String>, RegistryError> {
        created::read(&self.0, repository, digest).await
    }
}
