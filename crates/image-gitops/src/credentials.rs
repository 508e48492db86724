//! Which credential serves which server, when there is no cluster to ask.
//!
//! In this order: the Secret that the resource names, if it is among the files; docker's config, for a registry; the
//! environment's GitHub token, for github.com and ghcr.io; nothing. A credential goes to the host it was made for and
//! to no other.

use std::{env, fmt, fs, path::PathBuf};

use image_gitops_core::{
    credential::Credential,
    docker_config::{DockerConfig, DockerConfigError},
    resource::{Resource, ResourceId, Signers},
    secret::SecretError,
};
use secrecy::zeroize::Zeroizing;

use crate::input::Input;

/// A credential that was named but cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CredentialError {
    #[error("cannot use the Secret {0}")]
    Secret(ResourceId, #[source] SecretError),
    #[error("cannot use docker's config {0}")]
    DockerConfig(PathBuf, #[source] DockerConfigError),
    #[error("the Secret {0} with the certificate to trust is not among the files")]
    NoCa(ResourceId),
    #[error("the Secret {0} with the trusted root is not among the files")]
    NoTrustedRoot(ResourceId),
}

impl CredentialError {
    pub(crate) fn hint(&self) -> String {
        match self {
            Self::Secret(_, SecretError::NoCa { .. }) => {
                "put the certificate, as PEM, under the key ca.crt".into()
            }
            Self::Secret(_, SecretError::NoTrustedRoot { .. }) => {
                "put the JSON that names the authorities of your Sigstore under the key trusted_root.json"
                    .into()
            }
            Self::Secret(..) => "a Secret holds token, or username and password, or .dockerconfigjson".into(),
            Self::DockerConfig(..) => {
                "run `docker login` again, or set DOCKER_CONFIG to another folder".into()
            }
            Self::NoCa(_) | Self::NoTrustedRoot(_) => "give the Secret's file too, with another -f".into(),
        }
    }
}

/// Where a credential came from, for `check` and the log.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Source {
    Secret(ResourceId),
    DockerConfig(PathBuf),
    /// The file names this helper program for the registry; no program is run, so nothing came of it.
    DockerHelper(String),
    Environment(&'static str),
    Nothing {
        /// The Secret that the resource names, if it does.
        missing: Option<ResourceId>,
    },
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Secret(id) => write!(f, "Secret {id}"),
            Self::DockerConfig(path) => write!(f, "docker's config {}", path.display()),
            Self::DockerHelper(helper) => {
                write!(
                    f,
                    "nothing (docker's config names the helper {helper}; image-gitops runs no programs)"
                )
            }
            Self::Environment(name) => f.write_str(name),
            Self::Nothing { missing: None } => f.write_str("nothing (anonymous)"),
            Self::Nothing { missing: Some(id) } => {
                write!(f, "nothing (anonymous): the Secret {id} is not among the files")
            }
        }
    }
}

/// A credential and where it came from.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) credential: Credential,
    pub(crate) source: Source,
}

/// The ambient part, read once.
#[derive(Debug, Default)]
pub(crate) struct Ambient {
    github: Option<(&'static str, Credential)>,
    docker: Option<(PathBuf, DockerConfig)>,
    /// Certificates that are trusted besides the usual ones and those that a resource names.
    ca: Option<String>,
}

impl Ambient {
    /// In a cluster nothing is ambient but certificates: who could push with a token of the service's own?
    pub(crate) fn cluster(ca: Option<String>) -> Self {
        Self { ca, ..Self::default() }
    }

    /// The certificates to trust for a resource: those in the Secret `name`, if one is named, and the ambient ones.
    pub(crate) fn ca(
        &self,
        input: &Input,
        resource: &Resource,
        name: Option<&str>,
    ) -> Result<Option<String>, CredentialError> {
        let Some(id) = name.map(|name| local(resource, name)) else { return Ok(self.ca.clone()) };
        let secret = input.secrets.get(&id).ok_or_else(|| CredentialError::NoCa(id.clone()))?;
        let named = secret.ca().map_err(|source| CredentialError::Secret(id, source))?;
        Ok(Some(match &self.ca {
            Some(ambient) => format!("{named}\n{ambient}"),
            None => named,
        }))
    }

    /// The authorities of the Sigstore that a resource names, where it names one.
    pub(crate) fn trusted_root(
        input: &Input,
        resource: &Resource,
    ) -> Result<Option<String>, CredentialError> {
        let name = resource.signers.as_ref().and_then(Signers::trusted_root_secret);
        let Some(id) = name.map(|name| local(resource, name)) else { return Ok(None) };
        let secret = input.secrets.get(&id).ok_or_else(|| CredentialError::NoTrustedRoot(id.clone()))?;
        secret.trusted_root().map(Some).map_err(|source| CredentialError::Secret(id, source))
    }

    /// Reads `GITHUB_TOKEN`, `GH_TOKEN` and docker's config.
    pub(crate) fn read() -> Result<Self, CredentialError> {
        let github = ["GITHUB_TOKEN", "GH_TOKEN"].into_iter().find_map(|name| {
            let token = Zeroizing::new(env::var(name).ok().filter(|token| !token.trim().is_empty())?);
            Some((name, Credential::token(token.trim())))
        });
        let folder = env::var_os("DOCKER_CONFIG")
            .map(PathBuf::from)
            .or_else(|| env::var_os("HOME").map(|home| PathBuf::from(home).join(".docker")));
        let mut docker = None;
        if let Some(path) = folder.map(|folder| folder.join("config.json"))
            && let Ok(text) = fs::read_to_string(&path).map(Zeroizing::new)
        {
            let config = DockerConfig::parse(text.as_bytes())
                .map_err(|source| CredentialError::DockerConfig(path.clone(), source))?;
            docker = Some((path, config));
        }
        Ok(Self { github, docker, ca: None })
    }

    /// The credential for pushing to the resource's repository at `host`.
    pub(crate) fn git(
        &self,
        input: &Input,
        resource: &Resource,
        host: Option<&str>,
    ) -> Result<Found, CredentialError> {
        let named = resource.git.secret.as_deref().map(|name| local(resource, name));
        if let Some((id, secret)) = named.as_ref().and_then(|id| input.secrets.get_key_value(id)) {
            return found(id, secret.git_credential());
        }
        match (&self.github, host) {
            (Some((name, credential)), Some("github.com")) => {
                Ok(Found { credential: credential.clone(), source: Source::Environment(name) })
            }
            _ => Ok(Found { credential: Credential::Anonymous, source: Source::Nothing { missing: named } }),
        }
    }

    /// The credential for reading the resource's image; `git_host` is where its file lies.
    pub(crate) fn registry(
        &self,
        input: &Input,
        resource: &Resource,
        git_host: Option<&str>,
    ) -> Result<Found, CredentialError> {
        let named = resource.registry.secret.as_deref().map(|name| local(resource, name));
        let ghcr = resource.image.registry() == "ghcr.io";
        // One GitHub token for both: where nothing is named for ghcr.io, the Secret for github.com serves.
        let shared = || resource.git.secret.as_deref().filter(|_| ghcr && git_host == Some("github.com"));
        let secret = named.clone().or_else(|| shared().map(|name| local(resource, name)));
        if let Some((id, secret)) = secret.as_ref().and_then(|id| input.secrets.get_key_value(id)) {
            return found(id, secret.registry_credential(&resource.image));
        }
        let mut source = Source::Nothing { missing: named };
        if let Some((path, config)) = &self.docker {
            if let Some(credential) = config.credential_for(&resource.image) {
                return Ok(Found { credential, source: Source::DockerConfig(path.clone()) });
            }
            if let Some(helper) = config.needs_helper(&resource.image) {
                source = Source::DockerHelper(helper.to_owned());
            }
        }
        match &self.github {
            Some((name, credential)) if ghcr => {
                Ok(Found { credential: credential.clone(), source: Source::Environment(name) })
            }
            _ => Ok(Found { credential: Credential::Anonymous, source }),
        }
    }
}

fn local(resource: &Resource, name: &str) -> ResourceId {
    ResourceId { namespace: resource.id.namespace.clone(), name: name.to_owned() }
}

fn found(id: &ResourceId, credential: Result<Credential, SecretError>) -> Result<Found, CredentialError> {
    match credential {
        Ok(credential) => Ok(Found { credential, source: Source::Secret(id.clone()) }),
        Err(source) => Err(CredentialError::Secret(id.clone(), source)),
    }
}
