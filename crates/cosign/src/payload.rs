//! What was signed, and for which image.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use image_gitops_core::image::Digest;
use serde::Deserialize;
use sigstore_verify::types::DsseEnvelope;

use crate::Rejection;

/// What a simple signing payload says that it is.
const SIMPLE_SIGNING: &str = "cosign container image signature";
/// What an envelope says that it holds.
const IN_TOTO: &str = "application/vnd.in-toto+json";
/// What a statement says that it is: a signature, and no attestation of something else by the same signer.
const SIGN: &str = "https://sigstore.dev/cosign/sign/v1";

#[derive(Deserialize)]
struct Payload {
    critical: Critical,
}

#[derive(Deserialize)]
struct Critical {
    image: Image,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
struct Image {
    #[serde(rename = "docker-manifest-digest")]
    digest: String,
}

/// Checks that a payload in the form of [simple signing] is a signature of the image `digest`.
///
/// The name of the image that stands there too is not looked at: a copy in another repository is the same image.
///
/// [simple signing]: https://github.com/containers/image/blob/main/docs/containers-signature.5.md
pub(crate) fn is_for(digest: &Digest, payload: &[u8]) -> Result<(), Rejection> {
    let Payload { critical } =
        serde_json::from_slice(payload).map_err(|error| malformed("its payload", error))?;
    if critical.kind != SIMPLE_SIGNING {
        return Err(Rejection::Malformed(format!("its payload is no {SIMPLE_SIGNING}")));
    }
    same(digest, critical.image.digest)
}

#[derive(Deserialize)]
struct Bundle {
    #[serde(rename = "dsseEnvelope")]
    envelope: DsseEnvelope,
}

#[derive(Deserialize)]
struct Statement {
    #[serde(rename = "predicateType")]
    predicate: String,
    subject: Vec<Subject>,
}

#[derive(Deserialize)]
struct Subject {
    digest: std::collections::BTreeMap<String, String>,
}

/// The envelope in a bundle: what was signed, and the signature.
pub(crate) fn envelope(bundle: &[u8]) -> Result<DsseEnvelope, Rejection> {
    let Bundle { envelope } =
        serde_json::from_slice(bundle).map_err(|error| malformed("its bundle", error))?;
    Ok(envelope)
}

/// Checks that an envelope holds a statement that is a signature of the image `digest`.
pub(crate) fn states(digest: &Digest, envelope: &DsseEnvelope) -> Result<(), Rejection> {
    if envelope.payload_type != IN_TOTO {
        return Err(Rejection::Malformed(format!("its envelope holds no {IN_TOTO}")));
    }
    let Statement { predicate, subject } = serde_json::from_slice(envelope.payload.as_bytes())
        .map_err(|error| malformed("its statement", error))?;
    if predicate != SIGN {
        return Err(Rejection::Malformed(
            "it attests something else than that the image is signed".to_owned(),
        ));
    }
    let [Subject { digest: named }] = subject.as_slice() else {
        return Err(Rejection::Malformed("its statement is not about one image".to_owned()));
    };
    let named = named.get("sha256").map(|hex| format!("sha256:{hex}")).unwrap_or_default();
    same(digest, named)
}

fn same(digest: &Digest, named: String) -> Result<(), Rejection> {
    match named == digest.as_str() {
        true => Ok(()),
        false => Err(Rejection::OtherImage(shown(&named))),
    }
}

/// A text that somebody else wrote, as it may stand in one line of a status.
pub(crate) fn shown(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(200).collect()
}

/// What is missing or wrong with `what`.
pub(crate) fn malformed(what: &str, error: impl std::fmt::Display) -> Rejection {
    Rejection::Malformed(shown(&format!("{what} cannot be read: {error}")))
}

/// Bytes that stand as base64 in an annotation.
pub(crate) fn base64(what: &str, text: &str) -> Result<Vec<u8>, Rejection> {
    STANDARD.decode(text.trim()).map_err(|error| malformed(what, error))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn a_payload_says_that_it_is_a_signature_of_this_image() {
        let digest = Digest::new(format!("sha256:{}", "a".repeat(64))).unwrap();
        let says = |kind: &str, image: &str| {
            let image = serde_json::json!({"docker-manifest-digest": image});
            let payload = serde_json::json!({"critical": {"type": kind, "image": image}, "optional": null});
            is_for(&digest, payload.to_string().as_bytes()).map_err(|rejection| rejection.to_string())
        };
        assert_eq!(says(SIMPLE_SIGNING, digest.as_str()), Ok(()));
        let other = says("atomic container signature", digest.as_str()).unwrap_err();
        assert_eq!(other, "its payload is no cosign container image signature");
        // What others wrote ends up in a status: on one line, and not without end.
        let long = says(SIMPLE_SIGNING, &format!("x\n{}", "y".repeat(10_000))).unwrap_err();
        assert!(long.starts_with("it is for another image, x y") && long.len() < 300, "{long}");
    }
}
