//! Whose signatures count. Only the form is checked here: keys are read where signatures are verified.

use regex::Regex;

use super::{
    SpecError, SpecReason,
    fields::{at, secret},
};
use crate::spec::{KeylessSpec, VerifySpec};

/// How a public key starts, as PEM.
const PUBLIC_KEY: &str = "-----BEGIN PUBLIC KEY-----";
/// The longest regular expression of an identity, in bytes of memory once it is compiled.
const PATTERN_BYTES: usize = 1 << 20;

/// Whose signature by cosign counts.
#[derive(Clone, Debug)]
pub enum Signers {
    /// Whoever holds the private key of one of these, which are PEM. At least one.
    Keys(Vec<String>),
    /// An identity that Sigstore vouches for.
    Keyless {
        /// Who vouched for the identity at signing.
        issuer: String,
        /// Who signed.
        identity: Identity,
        /// The Secret with the authorities of another Sigstore than the public one.
        trusted_root_secret: Option<String>,
    },
}

/// Who signs keyless.
#[derive(Clone, Debug)]
pub enum Identity {
    /// This one.
    Exact(String),
    /// All that this matches from their start to their end.
    Pattern(Regex),
}

impl Identity {
    /// Whether `identity` is meant.
    pub fn is(&self, identity: &str) -> bool {
        match self {
            Self::Exact(expected) => expected == identity,
            Self::Pattern(pattern) => pattern.is_match(identity),
        }
    }
}

impl Signers {
    /// The Secret that names the authorities, if one does.
    pub fn trusted_root_secret(&self) -> Option<&String> {
        match self {
            Self::Keys(_) => None,
            Self::Keyless { trusted_root_secret, .. } => trusted_root_secret.as_ref(),
        }
    }

    /// Checks what a resource says.
    ///
    /// # Errors
    /// When it says neither or both of keys and an identity, or one of them is not of its form.
    pub fn new(spec: VerifySpec) -> Result<Self, SpecError> {
        let cosign = spec.cosign;
        match (cosign.public_keys.is_empty(), cosign.keyless) {
            (false, None) => keys(cosign.public_keys),
            (true, Some(keyless)) => Self::keyless(keyless),
            _ => Err(at("spec.verify.cosign")(SpecReason::Conflict(
                "give either `publicKeys` or `keyless`: a signature is by a key, or by an identity",
            ))),
        }
    }

    fn keyless(spec: KeylessSpec) -> Result<Self, SpecError> {
        const IDENTITY: &str = "spec.verify.cosign.keyless";
        let identity = match (spec.identity, spec.identity_pattern) {
            (Some(identity), None) if !identity.is_empty() => Identity::Exact(identity),
            (None, Some(pattern)) if !pattern.is_empty() => {
                // A regular expression of its own first: `a)|(b` must not become one by what is put around it.
                let compiled = Regex::new(&pattern).and_then(|_| {
                    regex::RegexBuilder::new(&format!(r"\A(?:{pattern})\z")).size_limit(PATTERN_BYTES).build()
                });
                let identity_pattern = at("spec.verify.cosign.keyless.identityPattern");
                Identity::Pattern(
                    compiled.map_err(|source| identity_pattern(SpecReason::Pattern { pattern, source }))?,
                )
            }
            _ => {
                return Err(at(IDENTITY)(SpecReason::Conflict(
                    "give either `identity` or `identityPattern`: who signs, as in the certificate",
                )));
            }
        };
        if spec.issuer.is_empty() {
            return Err(at("spec.verify.cosign.keyless.issuer")(SpecReason::Empty(
                "name who vouches for the identity, as in https://token.actions.githubusercontent.com",
            )));
        }
        let trusted_root_secret =
            secret("spec.verify.cosign.keyless.trustedRootSecretRef", spec.trusted_root_secret_ref)?;
        Ok(Self::Keyless { issuer: spec.issuer, identity, trusted_root_secret })
    }
}

fn keys(keys: Vec<String>) -> Result<Signers, SpecError> {
    // What is no public key may be a private one: it is not repeated.
    match keys.iter().all(|key| key.trim_start().starts_with(PUBLIC_KEY)) {
        true => Ok(Signers::Keys(keys)),
        false => Err(at("spec.verify.cosign.publicKeys")(SpecReason::Conflict(
            "each is a public key as PEM, starting with -----BEGIN PUBLIC KEY-----, as in cosign.pub",
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(cosign: serde_json::Value) -> Result<Signers, String> {
        let spec: VerifySpec =
            serde_json::from_value(serde_json::json!({ "cosign": cosign })).map_err(|e| e.to_string())?;
        Signers::new(spec).map_err(|error| format!("{error}: {}", error.reason))
    }

    fn keyless(more: &str) -> Result<Signers, String> {
        let fields = format!(r#"{{"issuer": "https://issuer.example"{more}}}"#);
        read(serde_json::json!({ "keyless": serde_json::from_str::<serde_json::Value>(&fields).unwrap() }))
    }

    #[test]
    fn a_signature_is_by_a_key_or_by_an_identity() {
        let key = "\n-----BEGIN PUBLIC KEY-----\nAA==\n-----END PUBLIC KEY-----\n";
        assert!(
            matches!(read(serde_json::json!({"publicKeys": [key]})), Ok(Signers::Keys(keys)) if keys.len() == 1)
        );
        assert!(matches!(keyless(r#", "identity": "a@b.c""#), Ok(Signers::Keyless { .. })));
        for (cosign, says) in [
            (r#"{}"#, "either `publicKeys` or `keyless`"),
            (r#"{"publicKeys": []}"#, "either `publicKeys` or `keyless`"),
            (r#"{"publicKeys": ["x"]}"#, "BEGIN PUBLIC KEY"),
            (r#"{"publicKeys": ["-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----"]}"#, "BEGIN PUBLIC KEY"),
            (r#"{"keyless": {"identity": "a"}}"#, "issuer"),
            (r#"{"keyless": {"issuer": "", "identity": "a"}}"#, "name who vouches"),
            (r#"{"keyless": {"issuer": "i"}}"#, "either `identity` or `identityPattern`"),
            (r#"{"keyless": {"issuer": "i", "identity": "a", "identityPattern": "a"}}"#, "either `identity`"),
            (r#"{"keyless": {"issuer": "i", "identity": ""}}"#, "either `identity`"),
            (r#"{"keyless": {"issuer": "i", "identityPattern": "("}}"#, "not a regular expression"),
            (r#"{"keyless": {"issuer": "i", "identityPattern": "a)|(b"}}"#, "not a regular expression"),
            (r#"{"key": "x"}"#, "unknown field `key`"),
        ] {
            let error = read(serde_json::from_str(cosign).unwrap()).unwrap_err();
            assert!(error.contains(says), "{cosign}: {error}");
        }
    }

    #[test]
    fn a_private_key_that_was_given_by_mistake_is_not_repeated() {
        let private = "-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\nc2VjcmV0\n";
        let error = read(serde_json::json!({"publicKeys": [private]})).unwrap_err();
        assert!(!error.contains("c2VjcmV0"), "{error}");
    }

    #[test]
    fn a_pattern_matches_the_whole_identity() {
        let is = |pattern: &str, identity: &str| {
            let pattern = format!(r#", "identityPattern": {}"#, serde_json::json!(pattern));
            let Ok(Signers::Keyless { identity: known, .. }) = keyless(&pattern) else { panic!("{pattern}") };
            known.is(identity)
        };
        assert!(is(
            "https://github.com/o/r/.*",
            "https://github.com/o/r/.github/workflows/ci.yml@refs/heads/main"
        ));
        assert!(!is("https://github.com/o/r/.*", "https://evil.example/https://github.com/o/r/x"));
        assert!(!is("https://github.com/o/r", "https://github.com/o/rogue"));
        assert!(!is("a@b.c|d@e.f", "d@e.f.g"));
        assert!(!is("(?m)^a$", "a\nb"));
        assert!(!is(r"a\.b", "axb"));
    }
}
