//! Whether a signature by cosign counts for an image. Bytes in, a verdict out.
//!
//! A [`Verifier`] knows whose signatures count. It is given an image's digest and what was attached to the image, as
//! [`Signature`]s in the two forms that cosign writes: a payload with annotations (cosign 1 and 2), or a bundle
//! (cosign 3). [`Signer`] says by whom the image is signed; [`Rejection`], why a signature does not count.
//!
//! What a *key* signed is verified here, in `key`: a signature over bytes, and what these bytes say. What was signed
//! *keyless* is for Sigstore's own verifier (`keyless`): the certificate's chain and its time, the transparency log, the
//! timestamps. The cryptography of both is ring's (`provider`). `payload` reads what was signed.
//!
//! **Invariant:** no network, files or environment. The clock is read by Sigstore's verifier alone, to refuse times that
//! are still to come.

mod key;
mod keyless;
mod payload;
mod provider;

use std::{collections::BTreeMap, fmt};

use image_gitops_core::{image::Digest, resource::Signers};

use key::Keys;
use keyless::Keyless;

/// A signature that was found, in the form in which it was attached. None of it is to be trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signature {
    /// A layer of the tag `sha256-HEX.sig`: the payload that was signed, and the rest in annotations ([specification]).
    ///
    /// [specification]: https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md
    Simple {
        /// The bytes that were signed.
        payload: Vec<u8>,
        /// The layer's annotations.
        annotations: BTreeMap<String, String>,
    },
    /// A Sigstore bundle, as JSON.
    Bundle(Vec<u8>),
}

/// Who signed an image. `Display` is who, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signer {
    /// Whoever holds the private key of this one.
    Key {
        /// The SHA-256 of the public key, as DER, in hexadecimal digits.
        fingerprint: String,
    },
    /// An identity that Sigstore vouched for.
    Identity {
        /// The e-mail address or URL in the certificate.
        identity: String,
        /// Who vouched for it.
        issuer: String,
    },
}

impl fmt::Display for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key { fingerprint } => write!(f, "key sha256:{fingerprint}"),
            Self::Identity { identity, issuer } => write!(f, "{identity} ({issuer})"),
        }
    }
}

/// Why a signature does not count.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Rejection {
    /// Something is missing, or not of the form that cosign writes.
    #[error("{0}")]
    Malformed(String),
    /// It is for another image.
    #[error("it is for another image, {0}")]
    OtherImage(String),
    /// It is by none of the keys.
    #[error("it is by none of the given keys")]
    OtherKey,
    /// Somebody else signed.
    #[error("it is by {0}")]
    OtherIdentity(String),
    /// Sigstore's verifier does not believe it.
    #[error("it is not to be trusted: {0}")]
    Untrusted(String),
}

/// Why no signature can be verified: what the resource gives is of no use.
#[derive(Debug, thiserror::Error)]
pub enum SignersError {
    /// A public key cannot be used.
    #[error("spec.verify.cosign.publicKeys[{index}] is no public key that can be used: {reason}")]
    Key {
        /// Which of them, from 0.
        index: usize,
        /// Why.
        reason: String,
    },
    /// The authorities of a Sigstore cannot be used.
    #[error("trusted_root.json cannot be used: {0}")]
    TrustedRoot(String),
}

/// Knows whose signatures count.
#[derive(Debug)]
pub struct Verifier(Authority);

#[derive(Debug)]
enum Authority {
    Keys(Keys),
    Keyless(Box<Keyless>),
}

impl Verifier {
    /// Prepares to verify. `trusted_root` is the JSON that names the authorities of a Sigstore ([protobuf-specs],
    /// `TrustedRoot`); where there is none, they are those of the public one, as this program was built with.
    ///
    /// [protobuf-specs]: https://github.com/sigstore/protobuf-specs/blob/main/protos/sigstore_trustroot.proto
    ///
    /// # Errors
    /// When a key or the authorities cannot be used.
    pub fn new(signers: &Signers, trusted_root: Option<&str>) -> Result<Self, SignersError> {
        provider::install();
        Ok(Self(match signers {
            Signers::Keys(keys) => Authority::Keys(Keys::new(keys)?),
            Signers::Keyless { issuer, identity, .. } => {
                Authority::Keyless(Box::new(Keyless::new(issuer, identity, trusted_root)?))
            }
        }))
    }

    /// Says who signed the image `digest`, if that counts.
    ///
    /// # Errors
    /// When the signature does not count, with why.
    pub fn verify(&self, digest: &Digest, signature: &Signature) -> Result<Signer, Rejection> {
        match &self.0 {
            Authority::Keys(keys) => keys.verify(digest, signature),
            Authority::Keyless(keyless) => keyless.verify(digest, signature),
        }
    }
}
