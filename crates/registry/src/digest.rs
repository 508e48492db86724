//! What a tag names now (distribution-spec, "Pulling manifests").
//!
//! One HEAD request, whose `Docker-Content-Digest` is the answer. Where a registry does not say, or not to HEAD, the
//! manifest itself is read and hashed: then what the header claims must be true.

use image_gitops_core::image::{Digest, Repository, Tag};
use oci_client::manifest::OciManifest;
use reqwest::header::HeaderName;
use reqwest::{Method, StatusCode};
use sha2::Digest as _;

use crate::auth::Session;
use crate::content::{Content, MANIFEST_BYTES, MANIFESTS};
use crate::error::RegistryError;
use crate::http::Answer;

const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

/// See [`crate::Registry::digest`].
pub(crate) async fn read(
    session: &Session,
    repository: &Repository,
    tag: &Tag,
) -> Result<Digest, RegistryError> {
    let attempt = format!("read the digest of {repository}:{tag}");
    let reading = session
        .within(attempt, async |call| ask(&mut Content { session, repository, call }, tag).await)
        .await;
    Ok(reading?.digest)
}

/// What a tag names.
pub(crate) struct Named {
    pub(crate) digest: Digest,
    /// Whether the registry says that it is an index.
    pub(crate) is_index: bool,
}

impl Named {
    fn of(answer: &Answer, digest: Digest) -> Self {
        let kind = answer.content_type();
        Self { digest, is_index: kind.contains("image.index") || kind.contains("manifest.list") }
    }
}

/// Asks by HEAD, and by GET where that does not tell.
pub(crate) async fn ask(content: &mut Content<'_>, tag: &Tag) -> Result<Named, RegistryError> {
    let path = format!("manifests/{tag}");
    let head = content.ask(Method::HEAD, &path, MANIFESTS, MANIFEST_BYTES).await?;
    if let (StatusCode::OK, Some(digest)) = (head.status, told(&head)) {
        return Ok(Named::of(&head, digest));
    }
    // An answer to HEAD has no body: one to GET also says why it is an error.
    let answer = content.ask(Method::GET, &path, MANIFESTS, MANIFEST_BYTES).await?;
    if answer.status != StatusCode::OK {
        return Err(content.refused(&answer));
    }
    // A manifest of the old schema 1 is not what is hashed: its signatures are left out. So it is no manifest here.
    content.parse::<OciManifest>(&answer.body)?;
    let told = told(&answer);
    let hashed = match &told {
        Some(digest) if digest.as_str().starts_with("sha512:") => {
            format!("sha512:{}", hex(&sha2::Sha512::digest(&answer.body)))
        }
        _ => sha256(&answer.body),
    };
    let digest = content.digest(&hashed)?;
    match told {
        Some(told) if told != digest => {
            let reason = format!("says {told} and sends a manifest of {digest}");
            Err(content.session.http.protocol(content.call, &content.session.base, reason))
        }
        _ => Ok(Named::of(&answer, digest)),
    }
}

fn told(answer: &Answer) -> Option<Digest> {
    answer.header(&CONTENT_DIGEST).and_then(|text| Digest::new(text.trim()).ok())
}

/// The digest of `bytes`, as it is written.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    format!("sha256:{}", hex(&sha2::Sha256::digest(bytes)))
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
