//! When an image says that it was made (image-spec, "Image configuration", `created`).
//!
//! Two or three requests: the manifest, for an index that of its first platform too, and the configuration.

use image_gitops_core::image::{Digest, Repository};
use oci_client::manifest::OciManifest;
use serde::Deserialize;

use crate::auth::Session;
use crate::content::{ANY, Content, MANIFEST_BYTES, MANIFESTS};
use crate::error::RegistryError;

/// The most bytes of a configuration. It holds the history of a build, a few kilobytes.
const CONFIG_BYTES: usize = 1 << 20;
/// How BuildKit marks what lies beside the platforms of an index.
const NOT_AN_IMAGE: &str = "vnd.docker.reference.type";

/// The one field of a configuration that is read.
#[derive(Deserialize)]
struct Config {
    created: Option<String>,
}

/// See [`crate::Registry::created`].
pub(crate) async fn read(
    session: &Session,
    repository: &Repository,
    digest: &Digest,
) -> Result<Option<String>, RegistryError> {
    let attempt = format!("read when {repository}@{digest} was made");
    session.within(attempt, async |call| ask(Content { session, repository, call }, digest).await).await
}

async fn ask(mut content: Content<'_>, digest: &Digest) -> Result<Option<String>, RegistryError> {
    let mut found = manifest(&mut content, digest).await?;
    if let OciManifest::ImageIndex(index) = &found {
        let is_image = |annotations: Option<&_>| {
            annotations.is_none_or(|all: &std::collections::BTreeMap<_, _>| !all.contains_key(NOT_AN_IMAGE))
        };
        let first = index.manifests.iter().find(|entry| is_image(entry.annotations.as_ref()));
        let Some(first) = first else { return Ok(None) };
        let first = content.digest(&first.digest)?;
        found = manifest(&mut content, &first).await?;
    }
    let OciManifest::Image(image) = found else { return Ok(None) };
    let config = content.digest(&image.config.digest)?;
    let body = content.get(&format!("blobs/{config}"), ANY, CONFIG_BYTES).await?;
    // What else an artifact may have for a configuration says nothing of its age.
    Ok(serde_json::from_slice::<Config>(&body).ok().and_then(|config| config.created))
}

async fn manifest(content: &mut Content<'_>, digest: &Digest) -> Result<OciManifest, RegistryError> {
    let body = content.get(&format!("manifests/{digest}"), MANIFESTS, MANIFEST_BYTES).await?;
    content.parse(&body)
}
