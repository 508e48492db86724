//! What a key signed.
//!
//! The key is all that is to be trusted: no log is asked when it was used.

use image_gitops_core::image::Digest;
use sha2::{Digest as _, Sha256};
use sigstore_verify::{
    crypto::{KeyAlgorithm, SigningScheme, VerificationKey, validate_raw_public_key},
    types::{DerPublicKey, SignatureBytes},
};

use crate::{Rejection, Signature, Signer, SignersError, payload};

/// The annotation with the signature, as base64.
pub(crate) const SIGNATURE: &str = "dev.cosignproject.cosign/signature";

/// The keys whose signatures count.
#[derive(Debug)]
pub(crate) struct Keys(Vec<Key>);

struct Key {
    fingerprint: String,
    /// The key, once for each way in which cosign signs with it.
    ways: Vec<VerificationKey>,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Key").field(&self.fingerprint).finish()
    }
}

impl Keys {
    /// Reads keys that are PEM.
    pub(crate) fn new(keys: &[String]) -> Result<Self, SignersError> {
        let read = |(index, pem): (usize, &String)| {
            Key::new(pem).map_err(|reason| SignersError::Key { index, reason })
        };
        keys.iter().enumerate().map(read).collect::<Result<_, _>>().map(Self)
    }

    /// Says which key signed the image `digest`.
    pub(crate) fn verify(&self, digest: &Digest, signature: &Signature) -> Result<Signer, Rejection> {
        match signature {
            Signature::Simple { payload, annotations } => {
                let signature = annotations
                    .get(SIGNATURE)
                    .ok_or_else(|| Rejection::Malformed(format!("it has no {SIGNATURE}")))?;
                let signer = self.signer(payload, payload::base64("its signature", signature)?)?;
                payload::is_for(digest, payload)?;
                Ok(signer)
            }
            Signature::Bundle(bundle) => {
                let envelope = payload::envelope(bundle)?;
                let signer = self.signer(&envelope.pae(), envelope.signature.sig.as_bytes().to_vec())?;
                payload::states(digest, &envelope)?;
                Ok(signer)
            }
        }
    }

    /// Whose key made the signature over these very bytes.
    fn signer(&self, signed: &[u8], signature: Vec<u8>) -> Result<Signer, Rejection> {
        let signature = SignatureBytes::new(signature);
        let is_by = |key: &&Key| key.ways.iter().any(|way| way.verify(signed, &signature).is_ok());
        let key = self.0.iter().find(is_by).ok_or(Rejection::OtherKey)?;
        Ok(Signer::Key { fingerprint: key.fingerprint.clone() })
    }
}

impl Key {
    fn new(pem: &str) -> Result<Self, String> {
        let der = DerPublicKey::from_pem(pem).map_err(|error| error.to_string())?;
        let algorithm = KeyAlgorithm::from_spki(&der).map_err(|error| error.to_string())?;
        // cosign hashes with SHA-256 whatever the curve, and of late as the curve asks for.
        let schemes: &[SigningScheme] = match algorithm {
            KeyAlgorithm::EcdsaP256 => &[SigningScheme::EcdsaP256Sha256],
            KeyAlgorithm::EcdsaP384 => &[SigningScheme::EcdsaP384Sha384, SigningScheme::EcdsaP384Sha256],
            KeyAlgorithm::Ed25519 => &[SigningScheme::Ed25519],
            KeyAlgorithm::Rsa => &[SigningScheme::RsaPkcs1Sha256],
            _ => return Err("use ECDSA on P-256 or P-384, Ed25519, or RSA from 2048 bits".to_owned()),
        };
        let way = |scheme: &SigningScheme| {
            let key = VerificationKey::from_spki_with_scheme(&der, *scheme)?;
            validate_raw_public_key(*scheme, key.as_bytes())?;
            Ok(key)
        };
        let ways = schemes.iter().map(way).collect::<Result<_, sigstore_verify::crypto::Error>>();
        Ok(Self { fingerprint: fingerprint(der.as_bytes()), ways: ways.map_err(|error| error.to_string())? })
    }
}

/// As `openssl pkey -pubin -outform DER | sha256sum` prints it.
fn fingerprint(der: &[u8]) -> String {
    use std::fmt::Write as _;
    Sha256::digest(der).iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
