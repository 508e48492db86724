//! Docker's config: `.dockerconfigjson` of a Secret, `~/.docker/config.json`, and the older `.dockercfg`.
//!
//! Which entry serves a repository follows the rules of Kubernetes for pull secrets: a key names a host, perhaps with a
//! port, a path and `*` for parts of the host; the most specific entry wins. The file holds secrets, so nothing of its
//! content is ever part of an error or of `Debug`.

use std::fmt;

use base64::{
    Engine as _,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use secrecy::zeroize::Zeroizing;
use serde_json::{Map, Value};

use crate::{
    credential::{Credential, wipe},
    image::Repository,
};

mod key;

use key::Key;

/// What is wrong with a config.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DockerConfigError {
    /// Not JSON.
    #[error("docker's config is not JSON (line {line}, column {column})")]
    Json {
        /// From 1.
        line: usize,
        /// From 1, in bytes.
        column: usize,
    },
    /// JSON of another shape.
    #[error("docker's config is not as `docker login` writes it: {0}")]
    Shape(&'static str),
    /// An entry of `auths` that cannot be read.
    #[error("docker's config has an unusable entry for {host}: {reason}")]
    Entry {
        /// The registry.
        host: String,
        /// What is wrong.
        reason: &'static str,
    },
}

/// The credentials of docker's config, by registry.
#[derive(Clone, Default)]
pub struct DockerConfig {
    /// The most specific first.
    entries: Vec<(Key, Credential)>,
    /// Programs that hold the credentials of one registry.
    helpers: Vec<(Key, String)>,
    /// The program that holds all the others.
    store: Option<String>,
}

impl DockerConfig {
    /// Reads a config: an object with `auths`, `credHelpers` and `credsStore`, or the older form, which is what `auths`
    /// holds alone. Other members are ignored, and entries without a credential too.
    pub fn parse(json: impl AsRef<[u8]>) -> Result<Self, DockerConfigError> {
        let json = json.as_ref();
        let json = json.strip_prefix(b"\xef\xbb\xbf").unwrap_or(json);
        let mut value: Value = serde_json::from_slice(json)
            .map_err(|error| DockerConfigError::Json { line: error.line(), column: error.column() })?;
        let config = Self::read(&value);
        wipe(&mut value);
        config
    }

    fn read(value: &Value) -> Result<Self, DockerConfigError> {
        let Value::Object(root) = value else {
            return Err(DockerConfigError::Shape("expected an object, as in {\"auths\": {…}}"));
        };
        let current = ["auths", "credHelpers", "credsStore"].iter().any(|name| root.contains_key(*name));
        let auths = if current { member(root, "auths")? } else { Some(root) };
        let mut config = Self::default();
        for (key, entry) in auths.into_iter().flatten() {
            // In the older form anything may stand beside the entries.
            if let Some(entry) = entry.as_object() {
                config.add(key, entry)?;
            } else if current && !entry.is_null() {
                return Err(DockerConfigError::Shape("each entry of `auths` is an object"));
            }
        }
        for (key, helper) in member(root, "credHelpers")?.into_iter().flatten() {
            if let (Some(key), Some(helper)) =
                (Key::parse(key), helper.as_str().filter(|name| !name.is_empty()))
            {
                config.helpers.push((key, helper.to_owned()));
            }
        }
        config.store =
            root.get("credsStore").and_then(Value::as_str).filter(|name| !name.is_empty()).map(str::to_owned);
        config.entries.sort_by(|(a, _), (b, _)| a.cmp(b));
        config.helpers.sort_by(|(a, _), (b, _)| a.cmp(b));
        Ok(config)
    }

    /// The credential for a repository: of the entries whose key covers it, that of the longest path; a host in full
    /// goes before one with `*`.
    pub fn credential_for(&self, repository: &Repository) -> Option<Credential> {
        let entry = self.entries.iter().find(|(key, _)| key.covers(repository));
        entry.map(|(_, credential)| credential.clone())
    }

    /// The program that docker would ask (`docker-credential-<name>`), where the config itself holds no credential for
    /// the repository. This project runs no programs; it can only tell.
    pub fn needs_helper(&self, repository: &Repository) -> Option<&str> {
        if self.credential_for(repository).is_some() {
            return None;
        }
        let helper = self.helpers.iter().find(|(key, _)| key.covers(repository)).map(|(_, helper)| helper);
        helper.or(self.store.as_ref()).map(String::as_str)
    }

    /// Whether there is no credential in the config.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn add(&mut self, key: &str, entry: &Map<String, Value>) -> Result<(), DockerConfigError> {
        let Some(key) = Key::parse(key) else { return Ok(()) };
        let credential =
            credential(entry).map_err(|reason| DockerConfigError::Entry { host: key.to_string(), reason })?;
        if let Some(credential) = credential {
            self.entries.push((key, credential));
        }
        Ok(())
    }
}

/// Registries only: a careless `auth` may carry the token as the user's name.
impl fmt::Debug for DockerConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hosts = |f: &mut fmt::Formatter<'_>| {
            f.debug_list().entries(self.entries.iter().map(|(key, _)| key)).finish()
        };
        f.debug_struct("DockerConfig").field("entries", &fmt::from_fn(hosts)).finish_non_exhaustive()
    }
}

/// A member that is an object or absent.
fn member<'v>(
    root: &'v Map<String, Value>,
    name: &'static str,
) -> Result<Option<&'v Map<String, Value>>, DockerConfigError> {
    match root.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(object)) => Ok(Some(object)),
        Some(_) if name == "auths" => Err(DockerConfigError::Shape("`auths` is not an object")),
        Some(_) => Err(DockerConfigError::Shape("`credHelpers` is not an object")),
    }
}

/// The credential of one entry. A token goes before a password: that is what docker sends.
fn credential(entry: &Map<String, Value>) -> Result<Option<Credential>, &'static str> {
    let field = |name, wrong| match entry.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.as_str()).filter(|text| !text.is_empty())),
        Some(_) => Err(wrong),
    };
    if let Some(token) = field("registrytoken", "`registrytoken` is not a text")? {
        return Ok(Some(Credential::Bearer(token.into())));
    }
    if let Some(token) = field("identitytoken", "`identitytoken` is not a text")? {
        return Ok(Some(Credential::Refresh(token.into())));
    }
    if let Some(auth) = field("auth", "`auth` is not a text")? {
        return basic(auth);
    }
    let username = field("username", "`username` is not a text")?;
    let password = field("password", "`password` is not a text")?;
    match (username, password) {
        (None, None) => Ok(None),
        (Some(_), None) => Err("it has a `username` and no `password`"),
        (username, Some(password)) => Ok(Some(Credential::basic(username.unwrap_or_default(), password))),
    }
}

/// Reads `auth`, base64 of `user:password`; the password may hold colons.
fn basic(auth: &str) -> Result<Option<Credential>, &'static str> {
    const BASE64: GeneralPurpose = GeneralPurpose::new(
        &STANDARD,
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );
    // `base64` of coreutils breaks long lines.
    let mut compact = Zeroizing::new(String::with_capacity(auth.len()));
    compact.extend(auth.chars().filter(|c| !c.is_ascii_whitespace()));
    let bytes = Zeroizing::new(BASE64.decode(compact.as_bytes()).map_err(|_| "`auth` is not base64")?);
    let text = str::from_utf8(&bytes).map_err(|_| "`auth` is not base64 of a text")?;
    let (username, password) = text.split_once(':').ok_or("`auth` is not base64 of user:password")?;
    // Docker pads with NUL; `echo user:password | base64` ends with a line break, which no password can hold (RFC 7617).
    let password = password.trim_end_matches(['\0', '\r', '\n']);
    Ok((!username.is_empty() || !password.is_empty()).then(|| Credential::basic(username, password)))
}
