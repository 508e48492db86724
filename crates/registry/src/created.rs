//! When an image says that it was made (image-spec, "Image configuration", `created`).
//!
//! Two or three requests: the manifest, for an index that of its first platform too, and the configuration.

use image_gitops_core::image::{Digest, Repository};
use oci_client::manifest::OciManifest;
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use tokio::time::timeout_at;

use crate::auth::Session;
use crate::digest::{MANIFEST_BYTES, MANIFESTS};
use crate::error::RegistryError;
use crate::http::{Call, Request};

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
    let mut call = Call::new(format!("read when {repository}@{digest} was made"), &session.http.limits);
    let deadline = call.deadline();
    let reading = timeout_at(deadline, ask(session, &mut call, repository, digest)).await;
    reading.unwrap_or_else(|_| Err(session.late(&call)))
}

async fn ask(
    session: &Session,
    call: &mut Call,
    repository: &Repository,
    digest: &Digest,
) -> Result<Option<String>, RegistryError> {
    let mut found = manifest(session, call, repository, digest.as_str()).await?;
    if let OciManifest::ImageIndex(index) = &found {
        let is_image = |annotations: Option<&_>| {
            annotations.is_none_or(|all: &std::collections::BTreeMap<_, _>| !all.contains_key(NOT_AN_IMAGE))
        };
        let first = index.manifests.iter().find(|entry| is_image(entry.annotations.as_ref()));
        let Some(first) = first else { return Ok(None) };
        found = manifest(session, call, repository, &first.digest).await?;
    }
    let OciManifest::Image(image) = found else { return Ok(None) };
    let body = get(session, call, repository, "blobs", &image.config.digest, CONFIG_BYTES).await?;
    // What else an artifact may have for a configuration says nothing of its age.
    Ok(serde_json::from_slice::<Config>(&body).ok().and_then(|config| config.created))
}

async fn manifest(
    session: &Session,
    call: &mut Call,
    repository: &Repository,
    digest: &str,
) -> Result<OciManifest, RegistryError> {
    let body = get(session, call, repository, "manifests", digest, MANIFEST_BYTES).await?;
    serde_json::from_slice(&body)
        .map_err(|error| session.no_registry(call, format!("it sends no manifest: {error}")))
}

/// Reads a manifest or a blob of the repository.
async fn get(
    session: &Session,
    call: &mut Call,
    repository: &Repository,
    kind: &str,
    digest: &str,
    most: usize,
) -> Result<Vec<u8>, RegistryError> {
    // It becomes a part of a path, and came from the registry.
    let digest = Digest::new(digest).map_err(|error| session.no_registry(call, error.to_string()))?;
    let request = Request {
        method: Method::GET,
        url: session.url(repository, &format!("{kind}/{digest}"))?,
        accept: if kind == "manifests" { MANIFESTS } else { "*/*" },
        authorization: None,
        form: None,
        answer_bytes: most.min(session.http.limits.answer_bytes),
    };
    let answer = session.send(call, repository, request).await?;
    match answer.status {
        StatusCode::OK => Ok(answer.body),
        _ => Err(session.refused(call, repository, &answer)),
    }
}
