//! Kubernetes Secrets as credentials: the same rules for a Secret in a cluster and for one in a file.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use secrecy::{ExposeSecret as _, SecretString, zeroize::Zeroizing};

use crate::{
    credential::{Credential, wipe},
    docker_config::{DockerConfig, DockerConfigError},
    image::Repository,
};

/// A Secret that cannot be used. No message shows what it holds.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// `data` holds something that is not base64.
    #[error("data.{0} is not base64 of UTF-8 text")]
    Encoding(String),
    /// A value is not text.
    #[error("{0} is not a text")]
    NotText(String),
    /// None of the known keys is there.
    #[error("it holds none of the keys token, password, .dockerconfigjson; it has {found}")]
    Keys {
        /// The keys that are there, without their values.
        found: String,
    },
    /// `.dockerconfigjson` cannot be read.
    #[error("{key} is not docker's config")]
    DockerConfig {
        /// The key.
        key: &'static str,
        /// Why.
        #[source]
        source: DockerConfigError,
    },
    /// `ca.crt` is absent.
    #[error("it holds no ca.crt; it has {found}")]
    NoCa {
        /// The keys that are there, without their values.
        found: String,
    },
    /// `trusted_root.json` is absent.
    #[error("it holds no trusted_root.json; it has {found}")]
    NoTrustedRoot {
        /// The keys that are there, without their values.
        found: String,
    },
}

/// The values of a Secret, decoded. `Debug` shows its keys only.
#[derive(Clone, Debug, Default)]
pub struct Secret(BTreeMap<String, SecretString>);

impl Secret {
    /// Decodes a Secret's manifest: `data` in base64, `stringData` as it is, the latter winning as in Kubernetes.
    /// The manifest is wiped.
    pub fn from_manifest(mut manifest: serde_json::Value) -> Result<Self, SecretError> {
        let read = Self::read_manifest(&manifest);
        wipe(&mut manifest);
        read
    }

    fn read_manifest(manifest: &serde_json::Value) -> Result<Self, SecretError> {
        let mut values = BTreeMap::new();
        for (field, encoded) in [("data", true), ("stringData", false)] {
            let Some(entries) = manifest.get(field).and_then(|d| d.as_object()) else { continue };
            for (key, value) in entries {
                let text = value.as_str().ok_or_else(|| SecretError::NotText(format!("{field}.{key}")))?;
                let text = if encoded { decode(key, text)? } else { text.to_owned() };
                values.insert(key.clone(), SecretString::from(text));
            }
        }
        Ok(Self(values))
    }

    /// Takes a Secret's decoded values, as a cluster's API gives them.
    pub fn from_bytes(values: impl IntoIterator<Item = (String, Vec<u8>)>) -> Result<Self, SecretError> {
        let text = |(key, bytes): (String, Vec<u8>)| match String::from_utf8(bytes) {
            Ok(text) => Ok((key, SecretString::from(text))),
            Err(_) => Err(SecretError::Encoding(key)),
        };
        values.into_iter().map(text).collect::<Result<_, _>>().map(Self)
    }

    /// The credential for a Git server: `username` and `password`, or `token`.
    pub fn git_credential(&self) -> Result<Credential, SecretError> {
        self.basic().ok_or_else(|| SecretError::Keys { found: self.keys() })
    }

    /// The credential for the registry of `repository`: docker's config, or `username` and `password`, or `token`.
    /// Docker's config without an entry for that registry gives [`Credential::Anonymous`].
    pub fn registry_credential(&self, repository: &Repository) -> Result<Credential, SecretError> {
        for key in [".dockerconfigjson", ".dockercfg"] {
            if let Some(text) = self.0.get(key) {
                let config = DockerConfig::parse(text.expose_secret().as_bytes())
                    .map_err(|source| SecretError::DockerConfig { key, source })?;
                return Ok(config.credential_for(repository).unwrap_or_default());
            }
        }
        self.basic().ok_or_else(|| SecretError::Keys { found: self.keys() })
    }

    /// The certificate authority to trust, in PEM.
    pub fn ca(&self) -> Result<String, SecretError> {
        let ca = self.0.get("ca.crt").ok_or_else(|| SecretError::NoCa { found: self.keys() })?;
        Ok(ca.expose_secret().to_owned())
    }

    /// The authorities of a Sigstore, in its JSON.
    pub fn trusted_root(&self) -> Result<String, SecretError> {
        let root = self.0.get("trusted_root.json");
        let root = root.ok_or_else(|| SecretError::NoTrustedRoot { found: self.keys() })?;
        Ok(root.expose_secret().to_owned())
    }

    fn basic(&self) -> Option<Credential> {
        // What `echo` and editors leave at the end of a token is never part of it.
        let value = |key: &str| {
            self.0.get(key).map(|v| v.expose_secret().trim().to_owned()).filter(|v| !v.is_empty())
        };
        let username = value("username");
        match (value("password"), value("token")) {
            (Some(password), _) => Some(Credential::basic(
                username.unwrap_or_else(|| Credential::TOKEN_USER.to_owned()),
                password,
            )),
            (None, Some(token)) => {
                Some(Credential::basic(username.unwrap_or_else(|| Credential::TOKEN_USER.to_owned()), token))
            }
            (None, None) => None,
        }
    }

    fn keys(&self) -> String {
        if self.0.is_empty() {
            return "none".into();
        }
        self.0.keys().map(String::as_str).collect::<Vec<_>>().join(", ")
    }
}

fn decode(key: &str, text: &str) -> Result<String, SecretError> {
    let mut compact = Zeroizing::new(String::with_capacity(text.len()));
    compact.extend(text.chars().filter(|c| !c.is_whitespace()));
    let bytes = STANDARD.decode(compact.as_bytes()).map_err(|_| SecretError::Encoding(key.to_owned()))?;
    String::from_utf8(bytes).map_err(|_| SecretError::Encoding(key.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn basic(secret: serde_json::Value) -> Option<(String, String)> {
        match Secret::from_manifest(secret).unwrap().git_credential() {
            Ok(Credential::Basic { username, password }) => {
                Some((username, password.expose_secret().to_owned()))
            }
            _ => None,
        }
    }

    #[test]
    fn a_token_alone_or_a_name_and_password_make_a_credential() {
        let expected = |user: &str| Some((user.to_owned(), "s3cret".to_owned()));
        assert_eq!(basic(json!({"stringData": {"token": "s3cret\n"}})), expected("x-access-token"));
        assert_eq!(basic(json!({"data": {"token": "czNjcmV0"}})), expected("x-access-token"));
        assert_eq!(basic(json!({"stringData": {"username": "bot", "password": "s3cret"}})), expected("bot"));
        assert_eq!(basic(json!({"stringData": {"username": "bot", "token": "s3cret"}})), expected("bot"));
        assert_eq!(
            basic(json!({"data": {"token": "b2xk"}, "stringData": {"token": "s3cret"}})),
            expected("x-access-token")
        );
        assert_eq!(basic(json!({"stringData": {"token": ""}})), None);
        assert_eq!(basic(json!({})), None);
    }

    #[test]
    fn a_secret_that_cannot_be_used_says_why_without_its_content() {
        let error = Secret::from_manifest(json!({"data": {"token": "s3cret!"}})).unwrap_err().to_string();
        assert_eq!(error, "data.token is not base64 of UTF-8 text");
        let secret = Secret::from_manifest(json!({"stringData": {"pass": "s3cret"}})).unwrap();
        let error = secret.git_credential().unwrap_err().to_string();
        assert!(error.contains("it has pass") && !error.contains("s3cret"), "{error}");
        assert!(!format!("{secret:?}").contains("s3cret"));
    }
}
