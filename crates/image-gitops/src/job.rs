//! Resources with their clients: everything that can be wrong before the first request is found here.

mod listing;

use std::sync::Arc;

use image_gitops_core::resource::{Resource, ResourceId};
use image_gitops_git::{
    Access as GitAccess, Branch, GitError, Limits as GitLimits, Remote, RemoteUrl, RepoPath,
};
use image_gitops_registry::{Access as RegistryAccess, Limits as RegistryLimits, Registry, RegistryError};

use crate::{
    credentials::{self, Ambient, CredentialError, Source},
    input::Input,
};

pub(crate) use listing::{Held, Listing};

/// A resource that cannot be worked on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JobError {
    #[error("resource {0}: spec.git cannot be used")]
    Git(ResourceId, #[source] GitError),
    #[error("resource {0}: spec.registry cannot be used")]
    Registry(ResourceId, #[source] RegistryError),
    #[error("resource {0}: its credentials cannot be used")]
    Credential(ResourceId, #[source] CredentialError),
}

impl JobError {
    pub(crate) fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Git(_, error) => error.hint(),
            Self::Registry(_, error) => error.hint(),
            Self::Credential(_, error) => Some(error.hint()),
        };
        hint.or_else(|| Some("docs/reference/resource.md lists every field".into()))
    }
}

/// One resource, ready to be worked on.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) resource: Resource,
    pub(crate) path: RepoPath,
    pub(crate) registry: Registry,
    /// The list of the image's tags, shared by all jobs of the same image and access.
    pub(crate) listing: Arc<Listing>,
    pub(crate) registry_source: Source,
}

/// The resources of one branch: what changes together becomes one commit.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) remote: Remote,
    pub(crate) url: RemoteUrl,
    pub(crate) branch: Branch,
    pub(crate) git_source: Source,
    pub(crate) jobs: Vec<Job>,
    /// Held while a push is under way: who holds it knows that none is.
    pub(crate) pushing: tokio::sync::Mutex<()>,
}

/// Keeps one list of each image for all groups, as long as what is returned: so that they decide from the same tags,
/// however far apart their turns are.
pub(crate) fn hold_lists(groups: &[Group]) -> Vec<Held> {
    groups.iter().flat_map(|group| &group.jobs).map(|job| job.listing.hold()).collect()
}

/// Two resources share a commit when they write the same branch with the same credential, and trust the same CA.
type GroupKey = (String, String, Source, Option<ResourceId>);
/// Two resources share a client, and its tokens, when they would use it alike.
type RegistryKey = (String, Source, Option<ResourceId>, bool);

/// Makes the groups, in the order of the resources.
pub(crate) fn groups(input: &Input, ambient: &Ambient) -> Result<Vec<Group>, JobError> {
    let mut groups: Vec<(GroupKey, Group)> = Vec::new();
    let mut registries: Vec<(RegistryKey, Registry)> = Vec::new();
    let mut listings: Vec<Arc<Listing>> = Vec::new();
    for resource in &input.resources {
        let git = |error| JobError::Git(resource.id.clone(), error);
        let credential = |error| JobError::Credential(resource.id.clone(), error);
        let url = RemoteUrl::parse(&resource.git.url).map_err(git)?;
        let branch = Branch::new(&resource.git.branch).map_err(git)?;
        let path = RepoPath::new(&resource.git.path).map_err(git)?;
        let found = ambient.git(input, resource, url.host()).map_err(credential)?;
        let for_registry = ambient.registry(input, resource, url.host()).map_err(credential)?;

        let ca_id = |name: &Option<String>| {
            name.as_ref()
                .map(|name| ResourceId { namespace: resource.id.namespace.clone(), name: name.clone() })
        };
        let registry_key: RegistryKey = (
            resource.image.registry().to_owned(),
            for_registry.source.clone(),
            ca_id(&resource.registry.ca_secret),
            resource.registry.insecure,
        );
        let registry = match registries.iter().find(|(key, _)| *key == registry_key) {
            Some((_, registry)) => registry.clone(),
            None => {
                let access = RegistryAccess {
                    credential: for_registry.credential,
                    ca: credentials::ca(input, resource, resource.registry.ca_secret.as_deref())
                        .map_err(credential)?,
                    insecure: resource.registry.insecure,
                };
                let registry = Registry::new(resource.image.registry(), access, RegistryLimits::default())
                    .map_err(|error| JobError::Registry(resource.id.clone(), error))?;
                registries.push((registry_key, registry.clone()));
                registry
            }
        };

        let listing = match listings.iter().find(|listing| listing.is_of(&registry, &resource.image)) {
            Some(listing) => listing.clone(),
            None => {
                let listing = Arc::new(Listing::new(registry.clone(), resource.image.clone()));
                listings.push(listing.clone());
                listing
            }
        };

        let key: GroupKey =
            (url.to_string(), branch.to_string(), found.source.clone(), ca_id(&resource.git.ca_secret));
        let registry_source = for_registry.source;
        let job = Job { resource: resource.clone(), path, registry, listing, registry_source };
        match groups.iter_mut().find(|(other, _)| *other == key) {
            Some((_, group)) => group.jobs.push(job),
            None => {
                let access = GitAccess {
                    credential: found.credential,
                    ca: credentials::ca(input, resource, resource.git.ca_secret.as_deref())
                        .map_err(credential)?,
                };
                let remote = Remote::new(url.clone(), access, GitLimits::default()).map_err(git)?;
                let (git_source, jobs, pushing) = (found.source, vec![job], Default::default());
                groups.push((key, Group { remote, url, branch, git_source, jobs, pushing }));
            }
        }
    }
    Ok(groups.into_iter().map(|(_, group)| group).collect())
}
