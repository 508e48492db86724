//! Whether an image is signed by whom the resource asks for.

use std::sync::{Mutex, PoisonError};

use image_gitops_core::{
    image::{Digest, Repository},
    resource::Signers,
};
use image_gitops_cosign::{Rejection, Signature, Signer, SignersError, Verifier};
use image_gitops_registry::{Attached, Place, Registry, RegistryError};

use crate::report::Failure;

/// Why an image is not signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unsigned {
    #[error("no signature of cosign is attached to it")]
    Nothing,
    #[error("of its {found} signatures none counts: {why}")]
    Rejected { found: usize, why: String },
    #[error("its signature does not count: {0}")]
    OneRejected(Rejection),
    #[error("its signatures cannot be read: {0}")]
    Unreadable(String),
}

/// The signatures of one image, and whose count.
#[derive(Debug)]
pub(crate) struct Signatures {
    registry: Registry,
    image: Repository,
    verifier: Verifier,
    /// What was verified last. Who signed stays so; who did not may still sign, and is asked about again.
    last: Mutex<Option<(Digest, Signer)>>,
}

impl Signatures {
    pub(crate) fn new(
        registry: &Registry,
        image: &Repository,
        signers: &Signers,
        trusted_root: Option<&str>,
    ) -> Result<Self, SignersError> {
        let verifier = Verifier::new(signers, trusted_root)?;
        Ok(Self { registry: registry.clone(), image: image.clone(), verifier, last: Mutex::default() })
    }

    /// Who signed the image `digest`, or why nobody did whose signature counts. Fails where the registry cannot be asked.
    pub(crate) async fn signer(&self, digest: &Digest) -> Result<Result<Signer, Unsigned>, Failure> {
        let known = self.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((_, signer)) = known.filter(|(known, _)| known == digest) {
            return Ok(Ok(signer));
        }
        let signer = self.look(digest).await?;
        if let Ok(signer) = &signer {
            let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
            *last = Some((digest.clone(), signer.clone()));
        }
        Ok(signer)
    }

    async fn look(&self, digest: &Digest) -> Result<Result<Signer, Unsigned>, Failure> {
        let mut rejections: Vec<Rejection> = Vec::new();
        let mut left_out = 0;
        let mut unreadable = None;
        for place in [Place::SignatureTag, Place::Referrers] {
            let found = match self.registry.signatures(&self.image, digest, place).await {
                Ok(found) => found,
                // What lies there was put there by whoever pushes images: it is their image that is not taken.
                Err(
                    error @ (RegistryError::NotFound { .. }
                    | RegistryError::TooLarge { .. }
                    | RegistryError::Protocol { .. }),
                ) => {
                    unreadable = Some(error.to_string());
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            left_out += found.left_out;
            for signature in found.attached.into_iter().map(signature) {
                match self.verifier.verify(digest, &signature) {
                    Ok(signer) => return Ok(Ok(signer)),
                    Err(rejection) => rejections.push(rejection),
                }
            }
        }
        Ok(Err(why(rejections, left_out, unreadable)))
    }
}

fn signature(attached: Attached) -> Signature {
    match attached.place {
        Place::SignatureTag => {
            Signature::Simple { payload: attached.bytes, annotations: attached.annotations }
        }
        Place::Referrers => Signature::Bundle(attached.bytes),
    }
}

/// The reasons of all signatures, each once.
fn why(mut rejections: Vec<Rejection>, left_out: usize, unreadable: Option<String>) -> Unsigned {
    let found = rejections.len() + left_out;
    rejections.sort();
    rejections.dedup();
    match (rejections.as_slice(), left_out, unreadable) {
        ([], 0, None) => Unsigned::Nothing,
        ([], 0, Some(error)) => Unsigned::Unreadable(error),
        ([rejection], 0, _) if found == 1 => Unsigned::OneRejected(rejection.clone()),
        (rejections, left_out, _) => {
            let mut why: Vec<String> = rejections.iter().take(3).map(ToString::to_string).collect();
            if left_out > 0 {
                why.push(format!("{left_out} are more or larger than are looked at"));
            }
            Unsigned::Rejected { found, why: why.join("; ") }
        }
    }
}
