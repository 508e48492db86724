//! Why nothing was written for a resource, from whichever part it came.

use std::{error::Error, sync::Arc, time::Duration};

use image_gitops_core::{
    decide::Refusal,
    image::Tag,
    reason::Reason,
    resource::Resource,
    yaml::{YamlError, YamlReason},
};
use image_gitops_git::GitError;
use image_gitops_registry::RegistryError;

use super::Status;
use crate::{job::Unsigned, pipeline::place::PlaceError};

/// Why nothing was written. Cheap to clone: one failure of a branch stands for all its resources.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("spec.suspend is true")]
    Suspended,
    #[error("the resource changed while it was looked at; it is looked at again")]
    Outdated,
    #[error(transparent)]
    Registry(Arc<RegistryError>),
    /// The answer is waited for, but not in this pass.
    #[error("{0} has not answered yet")]
    Late(String),
    #[error(transparent)]
    Git(Arc<GitError>),
    #[error(transparent)]
    Yaml(Arc<YamlError>),
    #[error(transparent)]
    Refusal(Refusal),
    #[error(transparent)]
    Place(PlaceError),
    #[error("the registry lists {image}:{tag} and newer ones that cannot be used; of this one, {why}")]
    UselessTags { image: String, tag: String, why: String },
    #[error(
        "none of the {looked_at} newest tags of {image} that were looked at is signed as spec.verify asks; {tag}: {why}"
    )]
    Unsigned { image: String, looked_at: usize, tag: String, why: Unsigned },
}

impl From<RegistryError> for Failure {
    fn from(error: RegistryError) -> Self {
        Self::Registry(Arc::new(error))
    }
}

impl From<GitError> for Failure {
    fn from(error: GitError) -> Self {
        Self::Git(Arc::new(error))
    }
}

impl From<YamlError> for Failure {
    fn from(error: YamlError) -> Self {
        Self::Yaml(Arc::new(error))
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refusal(refusal)
    }
}

impl Failure {
    /// Nothing that may be taken is signed; `unsigned` is what was looked at, the newest first.
    pub(crate) fn unsigned(resource: &Resource, unsigned: &[(Tag, Unsigned)]) -> Self {
        let (tag, why) = match unsigned.first() {
            Some((tag, why)) => (tag.to_string(), why.clone()),
            None => (String::new(), Unsigned::Nothing),
        };
        Self::Unsigned { image: resource.image.to_string(), looked_at: unsigned.len(), tag, why }
    }

    /// What the resource's status is.
    pub(crate) fn status(&self) -> Status {
        match self {
            Self::Suspended => Status::Suspended,
            Self::Refusal(Refusal::EmptyList(_) | Refusal::NoMatch { .. }) | Self::Unsigned { .. } => {
                Status::Refused
            }
            Self::Git(error) => match **error {
                GitError::PolicyRefused { .. } => Status::Refused,
                GitError::Moved { .. } => Status::Moved,
                _ => Status::Failed,
            },
            _ => Status::Failed,
        }
    }

    /// Why, in the one word that conditions and Events carry.
    pub(crate) fn reason(&self) -> Reason {
        match self {
            Self::Suspended => Reason::Suspended,
            Self::Outdated => Reason::Progressing,
            Self::Registry(error) => registry(error),
            Self::Late(_) => Reason::Progressing,
            Self::Git(error) => git(error),
            Self::Yaml(error) => match *error.reason {
                YamlReason::NoApplication { .. }
                | YamlReason::NoComponent { .. }
                | YamlReason::NoKey { .. }
                | YamlReason::NoIndex { .. }
                | YamlReason::NoItem { .. } => Reason::TargetNotFound,
                _ => Reason::FileNotEditable,
            },
            Self::Refusal(Refusal::EmptyList(_) | Refusal::NoMatch { .. }) => Reason::NoTagAllowed,
            Self::Refusal(_) => Reason::TargetNotFound,
            Self::Place(PlaceError::Shared { .. }) => Reason::TargetShared,
            Self::Place(_) => Reason::TargetNotFound,
            Self::UselessTags { .. } => Reason::ImageNotFound,
            Self::Unsigned { .. } => Reason::NotSigned,
        }
    }

    /// For how long a server asks to be left alone.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Registry(error) => match **error {
                RegistryError::Throttled { retry_after, .. } => retry_after,
                _ => None,
            },
            Self::Git(error) => match **error {
                GitError::Unavailable { retry_after, .. } => retry_after,
                _ => None,
            },
            _ => None,
        }
    }

    /// What the user can do about it.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Suspended | Self::Outdated | Self::Late(_) => None,
            Self::Registry(error) => error.hint(),
            Self::Git(error) => error.hint(),
            Self::Yaml(error) => Some(error.hint()),
            Self::Refusal(refusal) => Some(refusal.hint().to_owned()),
            Self::Place(error) => Some(error.hint().to_owned()),
            Self::UselessTags { .. } => {
                Some("push the image again, or delete the tags that are left of it; spec.tags.platforms says what it must be built for".into())
            }
            Self::Unsigned { image, tag, .. } => {
                Some(format!("sign it, `cosign sign {image}:{tag}`, by whom spec.verify names"))
            }
        }
    }
}

fn registry(error: &RegistryError) -> Reason {
    match error {
        RegistryError::Settings { .. } => Reason::CredentialUnusable,
        RegistryError::Refused { .. } => Reason::HostNotAllowed,
        RegistryError::NotFound { .. } => Reason::ImageNotFound,
        RegistryError::Denied { .. } => Reason::RegistryDenied,
        RegistryError::Throttled { .. } => Reason::RegistryThrottled,
        RegistryError::Unreachable { .. } | RegistryError::Unavailable { .. } => Reason::RegistryUnreachable,
        _ => Reason::NotARegistry,
    }
}

fn git(error: &GitError) -> Reason {
    match error {
        GitError::Url { .. } | GitError::Name { .. } => Reason::InvalidSpec,
        GitError::Settings { .. } => Reason::CredentialUnusable,
        GitError::Refused { .. } => Reason::HostNotAllowed,
        GitError::Denied { .. } => Reason::GitDenied,
        GitError::RepositoryNotFound { .. } => Reason::RepositoryNotFound,
        GitError::BranchNotFound { .. } | GitError::EmptyRepository { .. } => Reason::BranchNotFound,
        GitError::PathNotFound { .. } | GitError::PathKind { .. } | GitError::EmptyFolder { .. } => {
            Reason::PathNotFound
        }
        GitError::PolicyRefused { .. } => Reason::PushRefused,
        GitError::Moved { .. } => Reason::BranchMoved,
        GitError::NotGit { .. }
        | GitError::Unsupported { .. }
        | GitError::Protocol { .. }
        | GitError::Server { .. }
        | GitError::TooLarge { .. } => Reason::NotAGitServer,
        _ => Reason::GitUnreachable,
    }
}

/// The causes behind an error, the nearest first. A cause that only repeats what was said is left out.
pub(crate) fn chain(error: &dyn Error) -> Vec<String> {
    let mut said = error.to_string();
    let mut causes = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        let text = cause.to_string();
        if !said.contains(&text) {
            causes.push(text.clone());
        }
        said = text;
        next = cause.source();
    }
    causes
}
