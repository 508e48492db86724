//! Whether what a tag names can be run: an index may name images that are gone, or none for the machines there are.
//!
//! The digest comes with the answer to one HEAD request, as ever. Only an index, or a platform that is asked for, takes more:
//! the manifest, and for an index one HEAD request for each image that it names. Attestations are none.

use image_gitops_core::image::{Digest, Repository, Tag};
use image_gitops_core::platform::Platform;
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use tokio::time::timeout_at;

use crate::auth::Session;
use crate::digest::{MANIFEST_BYTES, MANIFESTS, ask};
use crate::error::RegistryError;
use crate::http::{Answer, Call, Request};

/// The most images of one index that are looked at. Those of the largest public images name about 20.
const MOST: usize = 64;

/// Why an image cannot be run, though its tag names a manifest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Lack {
    /// The index names an image that is gone.
    #[error("its image for {0} is gone from the registry")]
    Gone(Platform),
    /// There is no image for a platform that is asked for.
    #[error("it was not built for {0}")]
    NotBuilt(Platform),
}

#[derive(Deserialize)]
struct Manifest {
    #[serde(default)]
    manifests: Vec<Entry>,
    config: Option<Entry>,
}

/// A descriptor: of an image in an index, or of an image's configuration.
#[derive(Deserialize)]
struct Entry {
    digest: String,
    platform: Option<Names>,
}

/// A platform, as an index and an image's configuration name it.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Names {
    os: String,
    architecture: String,
    variant: Option<String>,
}

impl Names {
    fn platform(&self) -> Option<Platform> {
        let platform = Platform::new(&self.os, &self.architecture, self.variant.as_deref());
        Some(platform).filter(|platform| !platform.is_unknown())
    }
}

/// See [`crate::Registry::runnable`].
pub(crate) async fn check(
    session: &Session,
    repository: &Repository,
    tag: &Tag,
    wanted: &[Platform],
) -> Result<Result<Digest, Lack>, RegistryError> {
    let mut call = Call::new(format!("look at the image {repository}:{tag}"), &session.http.limits);
    let deadline = call.deadline();
    let checking = async {
        let named = ask(session, &mut call, repository, tag).await?;
        if !named.is_index && wanted.is_empty() {
            return Ok(Ok(named.digest));
        }
        let mut look = Look { session, call: &mut call, repository };
        Ok(look.lack(&named.digest, wanted).await?.map_or(Ok(named.digest), Err))
    };
    let checked = timeout_at(deadline, checking).await;
    checked.unwrap_or_else(|_| Err(session.late(&call)))
}

struct Look<'a> {
    session: &'a Session,
    call: &'a mut Call,
    repository: &'a Repository,
}

impl Look<'_> {
    async fn lack(&mut self, digest: &Digest, wanted: &[Platform]) -> Result<Option<Lack>, RegistryError> {
        let manifest: Manifest = self.read(&format!("manifests/{digest}")).await?;
        let images: Vec<(&Entry, Platform)> = manifest
            .manifests
            .iter()
            .filter_map(|entry| Some((entry, entry.platform.as_ref()?.platform()?)))
            .take(MOST)
            .collect();
        let built: Vec<Platform> = match (&manifest.config, images.as_slice()) {
            (Some(config), []) => {
                let names: Names = self.read(&format!("blobs/{}", checked(self, &config.digest)?)).await?;
                names.platform().into_iter().collect()
            }
            _ => images.iter().map(|(_, platform)| platform.clone()).collect(),
        };
        // What says nothing about its platform cannot be held against any.
        let not_built = wanted.iter().find(|wanted| !built.iter().any(|built| built.serves(wanted)));
        if let Some(platform) = not_built.filter(|_| !built.is_empty()) {
            return Ok(Some(Lack::NotBuilt(platform.clone())));
        }
        for (entry, platform) in images {
            let child = checked(self, &entry.digest)?;
            let answer = self.ask(Method::HEAD, &format!("manifests/{child}")).await?;
            match answer.status {
                StatusCode::OK => {}
                StatusCode::NOT_FOUND => return Ok(Some(Lack::Gone(platform))),
                _ => return Err(self.session.refused(self.call, self.repository, &answer)),
            }
        }
        Ok(None)
    }

    async fn read<T: serde::de::DeserializeOwned>(&mut self, path: &str) -> Result<T, RegistryError> {
        let answer = self.ask(Method::GET, path).await?;
        if answer.status != StatusCode::OK {
            return Err(self.session.refused(self.call, self.repository, &answer));
        }
        let parsed = serde_json::from_slice(&answer.body);
        parsed.map_err(|error| self.session.no_registry(self.call, format!("it sends no manifest: {error}")))
    }

    async fn ask(&mut self, method: Method, path: &str) -> Result<Answer, RegistryError> {
        let request = Request {
            method,
            url: self.session.url(self.repository, path)?,
            accept: if path.starts_with("blobs/") { "*/*" } else { MANIFESTS },
            authorization: None,
            form: None,
            answer_bytes: MANIFEST_BYTES.min(self.session.http.limits.answer_bytes),
        };
        self.session.send(self.call, self.repository, request).await
    }
}

/// A digest that a manifest names; it becomes a part of a URL.
fn checked(look: &Look<'_>, digest: &str) -> Result<Digest, RegistryError> {
    Digest::new(digest).map_err(|error| look.session.no_registry(look.call, error.to_string()))
}
