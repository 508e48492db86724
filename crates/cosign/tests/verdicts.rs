//! What counts as a signature, as cases. What is signed is signed anew in each run, by Sigstore's own Go code.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use image_gitops_core::{image::Digest, resource::Signers, spec::VerifySpec};
use image_gitops_cosign::{Signature, Verifier};
use image_gitops_tests::cosign::{Signed, Sigstore};
use serde::Deserialize;
use serde_json::{Map, Value, json};

const IMAGE: &str = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const OTHER: &str = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    sign: Map<String, Value>,
    #[serde(default)]
    change: Change,
    trust: Trust,
    signed: Option<String>,
    rejected: Option<String>,
}

/// What is done to a signature: to an annotation or the payload by its name, to a part of a bundle by its pointer.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    /// A bit of it is turned round.
    flip: Option<String>,
    remove: Option<String>,
    /// The name of the case whose payload it is given.
    #[serde(rename = "payload from")]
    payload_from: Option<String>,
    /// The name of the case whose log entry it is given.
    #[serde(rename = "entry from")]
    entry_from: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Trust {
    #[serde(default)]
    keys: Vec<String>,
    issuer: Option<String>,
    identity: Option<String>,
    pattern: Option<String>,
    #[serde(default)]
    public: bool,
    #[serde(default, rename = "certificate log")]
    certificate_log: bool,
}

impl Trust {
    fn verifier(&self, sigstore: &Sigstore) -> Verifier {
        let cosign = match &self.issuer {
            None => {
                json!({ "publicKeys": self.keys.iter().map(|key| sigstore.key(key)).collect::<Vec<_>>() })
            }
            Some(issuer) => {
                let mut keyless = Map::from_iter([("issuer".to_owned(), json!(issuer))]);
                keyless.extend(self.identity.iter().map(|it| ("identity".to_owned(), json!(it))));
                keyless.extend(self.pattern.iter().map(|it| ("identityPattern".to_owned(), json!(it))));
                json!({ "keyless": keyless })
            }
        };
        let spec: VerifySpec = serde_json::from_value(json!({ "cosign": cosign })).unwrap();
        let root = match (self.public, self.certificate_log) {
            (true, _) => None,
            (false, true) => Some(sigstore.trusted_root_with_certificate_log()),
            (false, false) => Some(sigstore.trusted_root()),
        };
        Verifier::new(&Signers::new(spec).unwrap(), root.as_deref()).unwrap()
    }
}

fn cases() -> Vec<Case> {
    let cases: Vec<Case> = serde_saphyr::from_str(include_str!("cases/verdicts.yaml")).unwrap();
    let names: std::collections::BTreeSet<_> = cases.iter().map(|case| &case.name).collect();
    assert_eq!(names.len(), cases.len(), "names of cases");
    cases
}

/// Signs what all cases wish for, each under its number.
fn sign(cases: &[Case]) -> Sigstore {
    let wishes = cases.iter().enumerate().map(|(number, case)| {
        let mut wish = case.sign.clone();
        let digest = wish.get("digest").and_then(Value::as_str).map_or(IMAGE, |_| OTHER);
        wish.insert("digest".into(), digest.into());
        (number.to_string(), Value::Object(wish))
    });
    Sigstore::sign(&Value::Object(wishes.collect()))
}

/// Base64 with one bit of its middle turned round: most of it decodes to something else.
fn flipped(text: &str) -> String {
    let mut bytes = STANDARD.decode(text).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    STANDARD.encode(bytes)
}

fn changed(case: &Case, signed: Signed, of: impl Fn(&str) -> Signed) -> Signature {
    let Change { flip, remove, payload_from, entry_from } = &case.change;
    match signed {
        Signed::Simple { mut payload, mut annotations } => {
            match flip.as_deref() {
                None => {}
                Some("payload") => {
                    let middle = payload.len() / 2;
                    payload[middle] ^= 1;
                }
                Some("dev.sigstore.cosign/bundle/SignedEntryTimestamp") => {
                    let logged = annotations.get_mut("dev.sigstore.cosign/bundle").unwrap();
                    let mut entry: Value = serde_json::from_str(logged).unwrap();
                    let promise = entry["SignedEntryTimestamp"].as_str().unwrap();
                    entry["SignedEntryTimestamp"] = flipped(promise).into();
                    *logged = entry.to_string();
                }
                Some(name) => {
                    let annotation = annotations.get_mut(name).unwrap();
                    *annotation = flipped(annotation);
                }
            }
            if let Some(name) = remove {
                annotations.remove(name).unwrap();
            }
            if let Some(Signed::Simple { payload: other, .. }) = payload_from.as_deref().map(&of) {
                payload = other;
            }
            if let Some(Signed::Simple { annotations: other, .. }) = entry_from.as_deref().map(&of) {
                let name = "dev.sigstore.cosign/bundle";
                annotations.insert(name.into(), other[name].clone());
            }
            Signature::Simple { payload, annotations }
        }
        Signed::Bundle(bundle) => {
            let mut bundle: Value = serde_json::from_slice(&bundle).unwrap();
            if let Some(pointer) = flip {
                let part = bundle.pointer_mut(pointer).unwrap();
                *part = flipped(part.as_str().unwrap()).into();
            }
            if let Some(pointer) = remove {
                let (parent, key) = pointer.rsplit_once('/').unwrap();
                bundle.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(key).unwrap();
            }
            Signature::Bundle(bundle.to_string().into_bytes())
        }
    }
}

#[test]
fn a_signature_counts_or_not_as_the_cases_say() {
    let cases = cases();
    let sigstore = sign(&cases);
    let signature = |number: usize| sigstore.signature(&number.to_string());
    let of = |name: &str| signature(cases.iter().position(|case| case.name == name).expect(name));
    let mut wrong = Vec::new();
    for (number, case) in cases.iter().enumerate() {
        let verifier = case.trust.verifier(&sigstore);
        let verdict = verifier.verify(&Digest::new(IMAGE).unwrap(), &changed(case, signature(number), of));
        let fits = match (&verdict, &case.signed, &case.rejected) {
            (Ok(signer), Some(says), None) => match says.strip_suffix("KEY") {
                Some(start) => signer.to_string().strip_prefix(start).is_some_and(|hex| hex.len() == 64),
                None => signer.to_string() == *says,
            },
            (Err(rejection), None, Some(says)) => {
                rejection.to_string().contains(&says.replace("OTHER", OTHER))
            }
            _ => false,
        };
        if !fits {
            wrong.push(format!("{}: {verdict:?}", case.name));
        }
    }
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn every_byte_of_a_payload_and_of_its_signature_matters() {
    let sigstore = Sigstore::sign(&json!({
        "key": {"form": "simple", "key": "p256", "digest": IMAGE},
        "keyless": {"form": "simple", "identity": "a@b.c", "issuer": "https://i", "digest": IMAGE},
    }));
    let trust = |keys: &[&str], issuer: Option<&str>| Trust {
        keys: keys.iter().map(|key| (*key).to_owned()).collect(),
        issuer: issuer.map(str::to_owned),
        identity: issuer.map(|_| "a@b.c".to_owned()),
        pattern: None,
        public: false,
        certificate_log: false,
    };
    let digest = Digest::new(IMAGE).unwrap();
    for (name, trust) in [("key", trust(&["p256"], None)), ("keyless", trust(&[], Some("https://i")))] {
        let verifier = trust.verifier(&sigstore);
        let Signed::Simple { payload, annotations } = sigstore.signature(name) else { panic!("{name}") };
        let verify = |payload: &[u8], annotations: &BTreeMap<String, String>| {
            let signature = Signature::Simple { payload: payload.to_vec(), annotations: annotations.clone() };
            verifier.verify(&digest, &signature)
        };
        assert!(verify(&payload, &annotations).is_ok(), "{name}");
        for at in 0..payload.len() {
            let mut other = payload.clone();
            other[at] ^= 1;
            assert!(verify(&other, &annotations).is_err(), "{name}: byte {at} of the payload");
        }
        let annotation = "dev.cosignproject.cosign/signature";
        let signature = STANDARD.decode(&annotations[annotation]).unwrap();
        for at in 0..signature.len() {
            let mut other = signature.clone();
            other[at] ^= 1;
            let mut annotations = annotations.clone();
            annotations.insert(annotation.into(), STANDARD.encode(other));
            assert!(verify(&payload, &annotations).is_err(), "{name}: byte {at} of the signature");
        }
    }
}
