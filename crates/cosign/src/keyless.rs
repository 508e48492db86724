//! What was signed by an identity instead of a key.
//!
//! The key lived for minutes, and Sigstore's authority wrote whose it was into a certificate. That it was used while the
//! certificate was valid is proved by the transparency log, or by a timestamp. All that is [`sigstore_verify`]'s work; ours
//! is to bring both forms of a signature to it, and to ask whether the identity is the one that is wanted.

use image_gitops_core::{image::Digest, resource::Identity};
use serde::Deserialize;
use sigstore_verify::{
    SubjectAltName, VerificationPolicy,
    trust_root::{SIGSTORE_PRODUCTION_TRUSTED_ROOT, TrustedRoot},
    types::{
        Bundle, CanonicalizedBody, DerCertificate, InclusionPromise, KindVersion, LogId, LogIndex, LogKeyId,
        MediaType, MessageSignature, Sha256Hash, SignatureBytes, SignatureContent, SignedTimestamp,
        TransparencyLogEntry, VerificationMaterial, VerificationMaterialContent, bundle::X509Certificate,
    },
};

use crate::{
    Rejection, Signature, Signer, SignersError,
    key::SIGNATURE,
    payload::{self, malformed, shown},
    provider,
};

/// The annotation with the signer's certificate, as PEM.
const CERTIFICATE: &str = "dev.sigstore.cosign/certificate";
/// The annotation with what the transparency log promised.
const LOGGED: &str = "dev.sigstore.cosign/bundle";

/// An identity whose signatures count, and the authorities that vouch for it.
pub(crate) struct Keyless {
    verifier: sigstore_verify::Verifier,
    policy: VerificationPolicy,
    identity: Identity,
    issuer: String,
}

impl std::fmt::Debug for Keyless {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keyless").field("identity", &self.identity).field("issuer", &self.issuer).finish()
    }
}

impl Keyless {
    pub(crate) fn new(
        issuer: &str,
        identity: &Identity,
        trusted_root: Option<&str>,
    ) -> Result<Self, SignersError> {
        let unusable = |error: &dyn std::fmt::Display| SignersError::TrustedRoot(shown(&error.to_string()));
        let root = TrustedRoot::from_json(trusted_root.unwrap_or(SIGSTORE_PRODUCTION_TRUSTED_ROOT))
            .map_err(|error| unusable(&error))?;
        if root.certificate_authorities.is_empty() {
            return Err(unusable(&"it names no certificate authority"));
        }
        let policy = VerificationPolicy::any_identity().require_issuer(issuer);
        // A Sigstore of one's own may have no log of its certificates.
        let policy = if root.ctlogs.is_empty() { policy.skip_sct() } else { policy };
        let verifier = sigstore_verify::Verifier::new(&root).map_err(|error| unusable(&error))?;
        Ok(Self { verifier, policy, identity: identity.clone(), issuer: issuer.to_owned() })
    }

    /// Says which identity signed the image `digest`.
    pub(crate) fn verify(&self, digest: &Digest, signature: &Signature) -> Result<Signer, Rejection> {
        let verified = match signature {
            Signature::Simple { payload, annotations } => {
                let annotation = |name: &str| {
                    let value = annotations.get(name).map(String::as_str);
                    value.ok_or_else(|| Rejection::Malformed(format!("it has no {name}")))
                };
                let bundle = Simple {
                    signature: annotation(SIGNATURE)?,
                    certificate: annotation(CERTIFICATE)?,
                    logged: annotation(LOGGED)?,
                };
                let bundle = bundle.to_bundle()?;
                let verify = || self.verifier.verify(payload.as_slice(), &bundle, &self.policy);
                let verified = provider::with_message(payload, verify).map_err(untrusted)?;
                payload::is_for(digest, payload)?;
                verified
            }
            Signature::Bundle(bytes) => {
                let envelope = payload::envelope(bytes)?;
                payload::states(digest, &envelope)?;
                let bundle: Bundle =
                    serde_json::from_slice(bytes).map_err(|error| malformed("its bundle", error))?;
                let hex = digest.as_str().strip_prefix("sha256:").unwrap_or_default();
                let hash =
                    Sha256Hash::from_hex(hex).map_err(|error| malformed("the image's digest", error))?;
                self.verifier.verify(hash, &bundle, &self.policy).map_err(untrusted)?
            }
        };
        match verified.identity().map(SubjectAltName::as_str) {
            Some(identity) if self.identity.is(identity) => {
                Ok(Signer::Identity { identity: shown(identity), issuer: shown(&self.issuer) })
            }
            Some(other) => Err(Rejection::OtherIdentity(shown(other))),
            None => Err(Rejection::Malformed("its certificate names no identity".to_owned())),
        }
    }
}

fn untrusted(error: sigstore_verify::Error) -> Rejection {
    match error {
        sigstore_verify::Error::IssuerMismatch { actual: Some(actual), .. } => {
            Rejection::OtherIdentity(shown(&format!("somebody for whom {actual} vouches")))
        }
        error => Rejection::Untrusted(shown(&error.to_string())),
    }
}

/// The parts of a signature in the older form.
struct Simple<'a> {
    signature: &'a str,
    certificate: &'a str,
    logged: &'a str,
}

/// What the transparency log returned: an entry, and its promise to keep it.
#[derive(Deserialize)]
struct Logged {
    #[serde(rename = "SignedEntryTimestamp")]
    promise: String,
    #[serde(rename = "Payload")]
    entry: Entry,
}

#[derive(Deserialize)]
struct Entry {
    body: String,
    #[serde(rename = "integratedTime")]
    time: i64,
    #[serde(rename = "logIndex")]
    index: u64,
    #[serde(rename = "logID")]
    log: String,
}

impl Simple<'_> {
    /// The same as a bundle of version 0.1, which asks for a promise of the log, as the older form has it.
    fn to_bundle(&self) -> Result<Bundle, Rejection> {
        let signature = payload::base64("its signature", self.signature)?;
        let certificate = DerCertificate::from_pem(self.certificate)
            .map_err(|error| malformed("its certificate", error))?;
        let Logged { promise, entry } =
            serde_json::from_str(self.logged).map_err(|error| malformed("its log entry", error))?;
        let time = jiff::Timestamp::from_second(entry.time)
            .map_err(|error| malformed("the time of its log entry", error))?;
        let log =
            Sha256Hash::from_hex(&entry.log).map_err(|error| malformed("the log of its log entry", error))?;
        let index =
            LogIndex::new(entry.index).map_err(|error| malformed("the number of its log entry", error))?;
        let entry = TransparencyLogEntry::new(
            index,
            LogId::new(LogKeyId::new(log.as_slice().to_vec())),
            KindVersion::HashedRekordV001,
            CanonicalizedBody::new(payload::base64("its log entry", &entry.body)?),
        )
        .with_integrated_time(time)
        .with_inclusion_promise(InclusionPromise::new(SignedTimestamp::new(payload::base64(
            "the promise of its log entry",
            &promise,
        )?)));
        // Certificates between this one and the authority are the authority's to name.
        let material = VerificationMaterialContent::X509CertificateChain {
            certificates: vec![X509Certificate::new(certificate)],
        };
        Ok(Bundle::new(
            MediaType::Bundle0_1,
            VerificationMaterial::new(material).with_tlog_entries(vec![entry]),
            SignatureContent::MessageSignature(MessageSignature::new(SignatureBytes::new(signature))),
        ))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

    use super::*;
    use sigstore_verify::types::{ArtifactDigest, DigestBytes, HashAlgorithm};

    /// A workflow of GitHub's signed it, by the public Sigstore, with a certificate that is in a log of certificates: none
    /// of that can be had on a machine of one's own.
    #[test]
    fn what_the_public_sigstore_signed_is_believed_by_the_authorities_that_the_program_carries() {
        const GITHUB: &str = "https://token.actions.githubusercontent.com";
        const WORKFLOW: &str =
            "https://github.com/sigstore/sigstore-js/.github/workflows/release.yml@refs/heads/main";
        provider::install();
        let example = image_gitops_tests::cosign::public_examples().join("bundle-provenance.json");
        let bytes = std::fs::read(example).unwrap();
        let bundle: Bundle = serde_json::from_slice(&bytes).unwrap();
        let statement: serde_json::Value =
            serde_json::from_slice(payload::envelope(&bytes).unwrap().payload.as_bytes()).unwrap();
        let hex = statement.pointer("/subject/0/digest/sha512").and_then(|hex| hex.as_str()).unwrap();
        let digest = DigestBytes::from_hex(hex).unwrap();
        let verify = |issuer: &str, digest: DigestBytes| {
            let keyless = Keyless::new(issuer, &Identity::Exact(WORKFLOW.to_owned()), None).unwrap();
            let digest = ArtifactDigest::new(HashAlgorithm::Sha2512, digest).unwrap();
            keyless.verifier.verify(digest, &bundle, &keyless.policy)
        };
        let verified = verify(GITHUB, digest.clone()).unwrap();
        assert_eq!(verified.identity().map(SubjectAltName::as_str), Some(WORKFLOW));
        assert!(verified.sct_verified() && verified.tlog_verified() && verified.certificate_verified());
        assert!(verify("https://accounts.google.com", digest).is_err());
        assert!(verify(GITHUB, DigestBytes::new(vec![0; 64])).is_err());
    }
}
