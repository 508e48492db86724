//! Whoever may push writes signatures: whatever they write is rejected, and nothing worse.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::sync::LazyLock;

use image_gitops_core::{image::Digest, resource::Signers, spec::VerifySpec};
use image_gitops_cosign::{Signature, Verifier};
use image_gitops_tests::cosign::{Signed, Sigstore};
use proptest::{collection, prelude::*, sample::Index};
use serde_json::{Value, json};

const IMAGE: &str = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

/// One signature in each form, and those who believe it.
struct World {
    verifiers: Vec<Verifier>,
    signatures: Vec<Signed>,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let by = |form: &str| json!({"form": form, "identity": "a@b.c", "issuer": "https://i", "digest": IMAGE});
    let sigstore = Sigstore::sign(&json!({
        "0": by("simple"), "1": by("bundle"), "2": by("bundle-v2"),
        "3": {"form": "bundle", "key": "p256", "digest": IMAGE},
    }));
    let verifier = |cosign: Value| {
        let spec: VerifySpec = serde_json::from_value(json!({ "cosign": cosign })).unwrap();
        Verifier::new(&Signers::new(spec).unwrap(), Some(&sigstore.trusted_root())).unwrap()
    };
    World {
        verifiers: vec![
            verifier(json!({"publicKeys": [sigstore.key("p256")]})),
            verifier(json!({"keyless": {"issuer": "https://i", "identity": "a@b.c"}})),
        ],
        signatures: (0..4).map(|number| sigstore.signature(&number.to_string())).collect(),
    }
});

fn is_rejected(signature: &Signature) {
    for verifier in &WORLD.verifiers {
        let verdict = verifier.verify(&Digest::new(IMAGE).unwrap(), signature);
        assert!(verdict.is_err(), "{verdict:?}: {signature:?}");
        let said = verdict.unwrap_err().to_string();
        assert!(!said.contains(char::is_control), "{said:?}");
    }
}

/// Every value in a document, by its pointer.
fn pointers(value: &Value, at: &str, into: &mut Vec<String>) {
    into.push(at.to_owned());
    match value {
        Value::Object(fields) => fields.iter().for_each(|(key, v)| pointers(v, &format!("{at}/{key}"), into)),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(key, v)| pointers(v, &format!("{at}/{key}"), into));
        }
        _ => {}
    }
}

fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        Just(json!({})),
        Just(json!([])),
        any::<i64>().prop_map(|n| json!(n)),
        any::<i64>().prop_map(|n| json!(n.to_string())),
        any::<bool>().prop_map(|b| json!(b)),
        ".{0,40}".prop_map(|text| json!(text)),
        "[A-Za-z0-9+/]{0,15}".prop_map(|text| json!(format!("{}==", text))),
    ]
}

proptest! {
    #[test]
    fn bytes_of_any_kind_are_rejected(
        bytes in collection::vec(any::<u8>(), 0..200),
        annotations in collection::btree_map(
            "dev.cosignproject.cosign/signature|dev.sigstore.cosign/(certificate|bundle)", ".{0,60}", 0..4),
    ) {
        is_rejected(&Signature::Bundle(bytes.clone()));
        is_rejected(&Signature::Simple { payload: bytes, annotations });
    }

    #[test]
    fn a_bundle_with_another_value_in_it_is_no_worse(
        number in 1_usize..4, place in any::<Index>(), other in any_value(),
    ) {
        let Signed::Bundle(bundle) = &WORLD.signatures[number] else { panic!("no bundle") };
        let mut bundle: Value = serde_json::from_slice(bundle).unwrap();
        let mut all = Vec::new();
        pointers(&bundle, "", &mut all);
        *bundle.pointer_mut(place.get(all.as_slice()).as_str()).unwrap() = other;
        for verifier in &WORLD.verifiers {
            // Not all of a bundle has a meaning: but whatever it says, it is said by the signer or not at all.
            let _ = verifier.verify(&Digest::new(IMAGE).unwrap(), &Signature::Bundle(bundle.to_string().into_bytes()));
        }
    }

    #[test]
    fn a_certificate_with_another_byte_in_it_is_rejected(at in any::<Index>(), bit in 0_u8..8) {
        use base64::{Engine as _, engine::general_purpose::STANDARD};
        let Signed::Bundle(bundle) = &WORLD.signatures[1] else { panic!("no bundle") };
        let mut bundle: Value = serde_json::from_slice(bundle).unwrap();
        let part = bundle.pointer_mut("/verificationMaterial/certificate/rawBytes").unwrap();
        let mut certificate = STANDARD.decode(part.as_str().unwrap()).unwrap();
        let at = at.index(certificate.len());
        certificate[at] ^= 1 << bit;
        *part = STANDARD.encode(certificate).into();
        is_rejected(&Signature::Bundle(bundle.to_string().into_bytes()));
    }

    #[test]
    fn authorities_of_any_kind_are_refused(text in ".{0,100}", other in any_value()) {
        let spec = json!({"cosign": {"keyless": {"issuer": "https://i", "identity": "a@b.c"}}});
        let signers = Signers::new(serde_json::from_value(spec).unwrap()).unwrap();
        prop_assert!(Verifier::new(&signers, Some(&text)).is_err());
        prop_assert!(Verifier::new(&signers, Some(&other.to_string())).is_err());
    }

    #[test]
    fn keys_of_any_kind_are_refused(text in "[A-Za-z0-9+/]{0,120}") {
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{text}\n-----END PUBLIC KEY-----\n");
        let spec = json!({"cosign": {"publicKeys": [pem]}});
        let signers = Signers::new(serde_json::from_value(spec).unwrap()).unwrap();
        let error = Verifier::new(&signers, None).unwrap_err().to_string();
        prop_assert!(error.contains("publicKeys[0]"), "{}", error);
    }
}
