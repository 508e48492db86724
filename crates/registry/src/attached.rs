//! What cosign attached to an image: its signatures, as they lie in the image's own repository.
//!
//! Two places, both found from the image's digest alone. cosign 1 and 2 write the tag `sha256-HEX.sig`, whose layers are
//! signatures ([specification]). cosign 3 writes bundles that refer to the image: the registry lists them (distribution-spec,
//! "Listing Referrers"), or, where it cannot, the tag `sha256-HEX` does. Nothing is judged here, and all of it was written
//! by whoever may push: so everything is bounded.
//!
//! [specification]: https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md

use std::collections::{BTreeMap, HashMap};

use image_gitops_core::image::{Digest, Repository};
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::auth::Session;
use crate::content::{ANY, Content, MANIFEST_BYTES};
use crate::digest::sha256;
use crate::error::RegistryError;

/// The most signatures of one image that are read from one place.
const MOST: usize = 32;
/// The most bytes of one signature: a bundle with a long proof takes 10 kB.
const BYTES: usize = 256 << 10;

const MANIFEST: &str =
    "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// What the layers of a signature tag are.
const SIMPLE_SIGNING: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
/// What a bundle is, whatever its version behind this.
const BUNDLE: &str = "application/vnd.dev.sigstore.bundle";
/// The annotation by which cosign tells bundles that sign from bundles that attest something else.
const PREDICATE: &str = "dev.sigstore.bundle.predicateType";
const SIGN: &str = "https://sigstore.dev/cosign/sign/v1";

/// Where signatures lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The tag `sha256-HEX.sig`, as cosign 1 and 2 write it.
    SignatureTag,
    /// What refers to the image, as cosign 3 writes it.
    Referrers,
}

/// One signature, as it was attached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attached {
    /// Where it lay.
    pub place: Place,
    /// The payload of a signature tag's layer, or the bundle.
    pub bytes: Vec<u8>,
    /// The layer's annotations: a signature tag keeps all but the payload there.
    pub annotations: BTreeMap<String, String>,
}

/// What was found in one place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signatures {
    /// The signatures, the newest first where the place knows.
    pub attached: Vec<Attached>,
    /// How many more there are, which were not read: too many, or too large.
    pub left_out: usize,
}

/// Of a manifest, what leads to signatures.
#[derive(Deserialize)]
struct Manifest {
    #[serde(default)]
    layers: Vec<Descriptor>,
    #[serde(default)]
    annotations: Option<BTreeMap<String, String>>,
}

/// Of an index, what leads to signatures.
#[derive(Deserialize)]
struct Index {
    manifests: Vec<Descriptor>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    media_type: String,
    digest: String,
    size: u64,
    artifact_type: Option<String>,
    #[serde(default)]
    annotations: Option<BTreeMap<String, String>>,
}

impl Descriptor {
    fn is_bundle(&self) -> bool {
        let is_bundle = self.artifact_type.as_ref().is_some_and(|kind| kind.starts_with(BUNDLE));
        is_bundle && may_sign(self.annotations.as_ref())
    }

    fn is_too_large(&self) -> bool {
        usize::try_from(self.size).map_or(true, |size| size > BYTES)
    }
}

/// Whether a bundle with these annotations may be a signature of the image, and no attestation of something else.
fn may_sign(annotations: Option<&BTreeMap<String, String>>) -> bool {
    annotations.and_then(|annotations| annotations.get(PREDICATE)).is_none_or(|predicate| predicate == SIGN)
}

/// See [`crate::Registry::signatures`].
pub(crate) async fn read(
    session: &Session,
    repository: &Repository,
    digest: &Digest,
    place: Place,
) -> Result<Signatures, RegistryError> {
    let attempt = format!("read the signatures of {repository}@{digest}");
    session
        .within(attempt, async |call| Reader(Content { session, repository, call }).read(digest, place).await)
        .await
}

struct Reader<'a>(Content<'a>);

impl Reader<'_> {
    async fn read(&mut self, digest: &Digest, place: Place) -> Result<Signatures, RegistryError> {
        let tag = digest.as_str().replace(':', "-");
        match place {
            Place::SignatureTag => match self.get(&format!("manifests/{tag}.sig"), MANIFEST).await? {
                Some(manifest) => self.layers(&manifest).await,
                None => Ok(Signatures::default()),
            },
            Place::Referrers => {
                let index = match self.referrers(digest).await? {
                    Some(index) => Some(index),
                    None => self.get(&format!("manifests/{tag}"), INDEX).await?,
                };
                match index {
                    Some(index) => self.bundles(&index).await,
                    None => Ok(Signatures::default()),
                }
            }
        }
    }

    /// The signatures of a signature tag: cosign puts a new one behind those that are there.
    async fn layers(&mut self, manifest: &[u8]) -> Result<Signatures, RegistryError> {
        let Manifest { layers, .. } = self.parse(manifest)?;
        // Who signs an image again signs the same payload: it is read once.
        let mut payloads: HashMap<String, Vec<u8>> = HashMap::new();
        let mut found = Signatures::default();
        for layer in layers.into_iter().rev().filter(|layer| layer.media_type == SIMPLE_SIGNING) {
            if found.attached.len() == MOST || layer.is_too_large() {
                found.left_out += 1;
                continue;
            }
            let bytes = match payloads.get(&layer.digest) {
                Some(bytes) => bytes.clone(),
                None => self.content("blobs", &layer.digest, ANY, BYTES).await?,
            };
            payloads.insert(layer.digest, bytes.clone());
            let annotations = layer.annotations.unwrap_or_default();
            found.attached.push(Attached { place: Place::SignatureTag, bytes, annotations });
        }
        Ok(found)
    }

    /// The bundles that an index lists.
    async fn bundles(&mut self, index: &[u8]) -> Result<Signatures, RegistryError> {
        let Index { manifests } = self.parse(index)?;
        let mut found = Signatures::default();
        for (number, entry) in manifests.into_iter().filter(Descriptor::is_bundle).enumerate() {
            if number >= MOST {
                found.left_out += 1;
                continue;
            }
            let manifest = self.content("manifests", &entry.digest, MANIFEST, MANIFEST_BYTES).await?;
            // A bundle is one layer. What it is for, an index need not tell.
            let Manifest { layers, annotations } = self.parse(&manifest)?;
            match layers.into_iter().next().filter(|_| may_sign(annotations.as_ref())) {
                None => {}
                Some(layer) if layer.is_too_large() => found.left_out += 1,
                Some(layer) => found.attached.push(Attached {
                    place: Place::Referrers,
                    bytes: self.content("blobs", &layer.digest, ANY, BYTES).await?,
                    annotations: layer.annotations.unwrap_or_default(),
                }),
            }
        }
        Ok(found)
    }

    fn parse<T: DeserializeOwned>(&self, bytes: &[u8]) -> Result<T, RegistryError> {
        serde_json::from_slice(bytes).map_err(|error| {
            self.protocol(format!("keeps something else where cosign keeps signatures: {error}"))
        })
    }

    /// The index of what refers to `digest`; `None` where the registry keeps none.
    async fn referrers(&mut self, digest: &Digest) -> Result<Option<Vec<u8>>, RegistryError> {
        let answer = self.0.ask(Method::GET, &format!("referrers/{digest}"), INDEX, MANIFEST_BYTES).await?;
        match answer.status {
            StatusCode::OK if answer.content_type().starts_with(INDEX) => Ok(Some(answer.body)),
            // Older registries say in many ways that they do not know the question.
            _ => Ok(None),
        }
    }

    /// A manifest by its tag; `None` where there is none.
    async fn get(&mut self, path: &str, accept: &'static str) -> Result<Option<Vec<u8>>, RegistryError> {
        match self.0.get(path, accept, MANIFEST_BYTES).await {
            Ok(manifest) => Ok(Some(manifest)),
            Err(RegistryError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A blob or manifest by its digest, which its bytes must have.
    async fn content(
        &mut self,
        kind: &str,
        digest: &str,
        accept: &'static str,
        most: usize,
    ) -> Result<Vec<u8>, RegistryError> {
        // What stands in a manifest becomes part of a URL: it must be a digest, and one that is checked below.
        let Some(digest) = Digest::new(digest).ok().filter(|digest| digest.as_str().starts_with("sha256:"))
        else {
            return Err(self.protocol("names a signature by something else than its sha256".to_owned()));
        };
        let bytes = self.0.get(&format!("{kind}/{digest}"), accept, most).await?;
        match sha256(&bytes) == digest.as_str() {
            true => Ok(bytes),
            false => Err(self.protocol(format!("sends other bytes for {digest}"))),
        }
    }

    fn protocol(&self, reason: String) -> RegistryError {
        self.0.session.http.protocol(self.0.call, &self.0.session.base, reason)
    }
}
