//! Whether what a tag names can be run: an index may name images that are gone, or none for the machines there are.
//!
//! The digest comes with the answer to one HEAD request, as ever. Only an index, or a platform that is asked for, takes more:
//! the manifest, and for an index one HEAD request for each image that it names. Attestations are none.

use image_gitops_core::image::{Digest, Repository, Tag};
use image_gitops_core::platform::Platform;
use reqwest::{Method, StatusCode};
use serde::Deserialize;

use crate::auth::Session;
use crate::content::{ANY, Content, MANIFEST_BYTES, MANIFESTS};
use crate::digest::ask;
use crate::error::RegistryError;

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
    let attempt = format!("look at the image {repository}:{tag}");
    session
        .within(attempt, async |call| {
            let mut content = Content { session, repository, call };
            let named = ask(&mut content, tag).await?;
            if !named.is_index && wanted.is_empty() {
                return Ok(Ok(named.digest));
            }
            Ok(lack(content, &named.digest, wanted).await?.map_or(Ok(named.digest), Err))
        })
        .await
}

async fn lack(
    mut content: Content<'_>,
    digest: &Digest,
    wanted: &[Platform],
) -> Result<Option<Lack>, RegistryError> {
    let body = content.get(&format!("manifests/{digest}"), MANIFESTS, MANIFEST_BYTES).await?;
    let manifest: Manifest = content.parse(&body)?;
    let images: Vec<(&Entry, Platform)> = manifest
        .manifests
        .iter()
        .filter_map(|entry| Some((entry, entry.platform.as_ref()?.platform()?)))
        .take(MOST)
        .collect();
    let built: Vec<Platform> = match (&manifest.config, images.as_slice()) {
        (Some(config), []) => {
            let config = content.digest(&config.digest)?;
            let body = content.get(&format!("blobs/{config}"), ANY, MANIFEST_BYTES).await?;
            content.parse::<Names>(&body)?.platform().into_iter().collect()
        }
        _ => images.iter().map(|(_, platform)| platform.clone()).collect(),
    };
    // What says nothing about its platform cannot be held against any.
    let not_built = wanted.iter().find(|wanted| !built.iter().any(|built| built.serves(wanted)));
    if let Some(platform) = not_built.filter(|_| !built.is_empty()) {
        return Ok(Some(Lack::NotBuilt(platform.clone())));
    }
    for (entry, platform) in images {
        let child = format!("manifests/{}", content.digest(&entry.digest)?);
        let answer = content.ask(Method::HEAD, &child, MANIFESTS, MANIFEST_BYTES).await?;
        match answer.status {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => return Ok(Some(Lack::Gone(platform))),
            _ => return Err(content.refused(&answer)),
        }
    }
    Ok(None)
}
