//! What a tag names now (distribution-spec, "Pulling manifests").
//!
//! One HEAD request, whose `Docker-Content-Digest` is the answer. Where a registry does not say, or not to HEAD, the
//! manifest itself is read and hashed: then what the header claims must be true.

use image_gitops_core::image::{Digest, Repository, Tag};
use oci_client::manifest::OciManifest;
use reqwest::header::HeaderName;
use reqwest::{Method, StatusCode};
use sha2::Digest as _;
use tokio::time::timeout_at;

use crate::auth::Session;
use crate::error::RegistryError;
use crate::http::{Answer, Call, Request};

/// The digest of an index is wanted where there is one: without its types, a registry gives one platform's manifest.
pub(crate) const MANIFESTS: &str = "application/vnd.oci.image.index.v1+json, \
     application/vnd.docker.distribution.manifest.list.v2+json, \
     application/vnd.oci.image.manifest.v1+json, \
     application/vnd.docker.distribution.manifest.v2+json";

/// The most bytes of a manifest that registries must take (distribution-spec, "Pushing Manifests").
pub(crate) const MANIFEST_BYTES: usize = 4 << 20;

const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

/// See [`crate::Registry::digest`].
pub(crate) async fn read(
    session: &Session,
    repository: &Repository,
    tag: &Tag,
) -> Result<Digest, RegistryError> {
    let mut call = Call::new(format!("read the digest of {repository}:{tag}"), &session.http.limits);
    let deadline = call.deadline();
    let reading = timeout_at(deadline, ask(session, &mut call, repository, tag)).await;
    reading.unwrap_or_else(|_| Err(session.late(&call))).map(|named| named.digest)
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
pub(crate) async fn ask(
    session: &Session,
    call: &mut Call,
    repository: &Repository,
    tag: &Tag,
) -> Result<Named, RegistryError> {
    let mut request = Request {
        method: Method::HEAD,
        url: session.url(repository, &format!("manifests/{tag}"))?,
        accept: MANIFESTS,
        authorization: None,
        form: None,
        answer_bytes: MANIFEST_BYTES.min(session.http.limits.answer_bytes),
    };
    let head = session.send(call, repository, request.clone()).await?;
    if let (StatusCode::OK, Some(digest)) = (head.status, told(&head)) {
        return Ok(Named::of(&head, digest));
    }
    // An answer to HEAD has no body: one to GET also says why it is an error.
    request.method = Method::GET;
    let answer = session.send(call, repository, request).await?;
    if answer.status != StatusCode::OK {
        return Err(session.refused(call, repository, &answer));
    }
    // A manifest of the old schema 1 is not what is hashed: its signatures are left out. So it is no manifest here.
    if let Err(error) = serde_json::from_slice::<OciManifest>(&answer.body) {
        return Err(session.no_registry(call, format!("it sends no manifest: {error}")));
    }
    let told = told(&answer);
    let hashed = match &told {
        Some(digest) if digest.as_str().starts_with("sha512:") => {
            format!("sha512:{}", hex(&sha2::Sha512::digest(&answer.body)))
        }
        _ => sha256(&answer.body),
    };
    let digest = Digest::new(hashed).map_err(|error| session.no_registry(call, error.to_string()))?;
    match told {
        Some(told) if told != digest => {
            let reason = format!("says {told} and sends a manifest of {digest}");
            Err(session.http.protocol(call, &session.base, reason))
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
