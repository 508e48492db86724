//! The cryptography that Sigstore's verifier is given: ring's, which TLS uses as well.
//!
//! ring verifies messages, and Sigstore's verifier asks about the digests of messages where an artifact may be too large to
//! hold. Ours are small. So the one message whose digest may be asked about is [kept](with_message) by the thread that
//! verifies; it stands for a digest only after it has been hashed again.

use std::{cell::RefCell, sync::Once};

use ring::{
    digest::{self, Context, SHA256, SHA384, SHA512},
    signature::{
        ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA384_ASN1, ECDSA_P384_SHA256_ASN1, ECDSA_P384_SHA384_ASN1,
        ED25519, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
        RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, UnparsedPublicKey,
        VerificationAlgorithm,
    },
};
use sigstore_verify::{
    crypto::{CryptoProvider, Error, HashContext, Result, SigningScheme, install_default_provider},
    types::HashAlgorithm,
};

thread_local! {
    /// The message that is being verified.
    static MESSAGE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Gives the provider to Sigstore's verifier, once for the process.
pub(crate) fn install() {
    static ONCE: Once = Once::new();
    // An error says that one is there already, and only we install any.
    ONCE.call_once(|| {
        let _ = install_default_provider(&Ring);
    });
}

/// Runs `verify`, in which digests of `message` may be asked about.
pub(crate) fn with_message<T>(message: &[u8], verify: impl FnOnce() -> T) -> T {
    MESSAGE.set(message.to_vec());
    let verified = verify();
    MESSAGE.take();
    verified
}

#[derive(Debug)]
struct Ring;

struct Hash(Context);

impl HashContext for Hash {
    fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }

    fn finalize(self: Box<Self>) -> Vec<u8> {
        self.0.finish().as_ref().to_vec()
    }
}

impl CryptoProvider for Ring {
    fn hash(&self, algorithm: HashAlgorithm) -> Result<Box<dyn HashContext>> {
        Ok(Box::new(Hash(Context::new(hash(algorithm)?))))
    }

    fn verify_raw(&self, scheme: SigningScheme, key: &[u8], data: &[u8], signature: &[u8]) -> Result<()> {
        let key = UnparsedPublicKey::new(algorithm(scheme)?, key);
        key.verify(data, signature)
            .map_err(|_| Error::Verification(format!("{} signature invalid", scheme.name())))
    }

    fn verify_prehashed(
        &self,
        scheme: SigningScheme,
        key: &[u8],
        digest: &[u8],
        signature: &[u8],
    ) -> Result<()> {
        let unsupported = || Error::UnsupportedAlgorithm(format!("{} of a digest alone", scheme.name()));
        let hash = hash(scheme.hash_algorithm().ok_or_else(unsupported)?)?;
        MESSAGE.with_borrow(|message| match digest::digest(hash, message).as_ref() == digest {
            true => self.verify_raw(scheme, key, message, signature),
            false => Err(unsupported()),
        })
    }
}

fn hash(algorithm: HashAlgorithm) -> Result<&'static digest::Algorithm> {
    match algorithm {
        HashAlgorithm::Sha2256 => Ok(&SHA256),
        HashAlgorithm::Sha2384 => Ok(&SHA384),
        HashAlgorithm::Sha2512 => Ok(&SHA512),
        other => Err(Error::UnsupportedAlgorithm(format!("digests by {other}"))),
    }
}

fn algorithm(scheme: SigningScheme) -> Result<&'static dyn VerificationAlgorithm> {
    Ok(match scheme {
        SigningScheme::EcdsaP256Sha256 => &ECDSA_P256_SHA256_ASN1,
        SigningScheme::EcdsaP256Sha384 => &ECDSA_P256_SHA384_ASN1,
        SigningScheme::EcdsaP384Sha256 => &ECDSA_P384_SHA256_ASN1,
        SigningScheme::EcdsaP384Sha384 => &ECDSA_P384_SHA384_ASN1,
        SigningScheme::Ed25519 => &ED25519,
        SigningScheme::RsaPssSha256 => &RSA_PSS_2048_8192_SHA256,
        SigningScheme::RsaPssSha384 => &RSA_PSS_2048_8192_SHA384,
        SigningScheme::RsaPssSha512 => &RSA_PSS_2048_8192_SHA512,
        SigningScheme::RsaPkcs1Sha256 => &RSA_PKCS1_2048_8192_SHA256,
        SigningScheme::RsaPkcs1Sha384 => &RSA_PKCS1_2048_8192_SHA384,
        SigningScheme::RsaPkcs1Sha512 => &RSA_PKCS1_2048_8192_SHA512,
        other => return Err(Error::UnsupportedAlgorithm(other.name().to_owned())),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use ring::{
        rand::SystemRandom,
        signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _},
    };

    #[test]
    fn a_digest_is_verified_of_the_message_that_is_kept_and_of_no_other() {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).unwrap();
        let pair =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8.as_ref(), &random).unwrap();
        let signature = pair.sign(&random, b"message").unwrap();
        let verify = |signed: &[u8]| {
            let digest = digest::digest(&SHA256, signed);
            let key = pair.public_key().as_ref();
            Ring.verify_prehashed(SigningScheme::EcdsaP256Sha256, key, digest.as_ref(), signature.as_ref())
        };
        assert!(with_message(b"message", || verify(b"message")).is_ok());
        assert!(with_message(b"message", || verify(b"another")).is_err());
        assert!(with_message(b"another", || verify(b"another")).is_err());
        assert!(verify(b"message").is_err(), "nothing is kept afterwards");
    }
}
