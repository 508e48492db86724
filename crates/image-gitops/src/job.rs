//! Resources with their clients: everything that can be wrong before the first request is found here.

mod listing;
mod signatures;

use std::sync::Arc;

use image_gitops_core::{
    reason::Reason,
    resource::{Resource, ResourceId},
};
use image_gitops_cosign::SignersError;
use image_gitops_git::{
    Access as GitAccess, Branch, GitError, Limits as GitLimits, Remote, RemoteUrl, RepoPath,
};
use image_gitops_registry::{Access as RegistryAccess, Limits as RegistryLimits, Registry, RegistryError};

use crate::{
    cli::Reaches,
    credentials::{Ambient, CredentialError, Found, Source},
    input::Input,
    pipeline::replaced::Known,
};

pub(crate) use listing::{Held, Listing};
pub(crate) use signatures::{Signatures, Unsigned};

/// A resource that cannot be worked on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JobError {
    #[error("resource {0}: spec.git cannot be used")]
    Git(ResourceId, #[source] GitError),
    #[error("resource {0}: spec.registry cannot be used")]
    Registry(ResourceId, #[source] RegistryError),
    #[error("resource {0}: its credentials cannot be used")]
    Credential(ResourceId, #[source] CredentialError),
    #[error("resource {0}: spec.verify cannot be used")]
    Signers(ResourceId, #[source] SignersError),
}

impl JobError {
    /// The resource that it is about.
    pub(crate) fn resource(&self) -> &ResourceId {
        match self {
            Self::Git(id, _) | Self::Registry(id, _) | Self::Credential(id, _) | Self::Signers(id, _) => id,
        }
    }

    /// Why, in one word.
    pub(crate) fn reason(&self) -> Reason {
        match self {
            Self::Git(_, GitError::Refused { .. }) | Self::Registry(_, RegistryError::Refused { .. }) => {
                Reason::HostNotAllowed
            }
            Self::Git(_, GitError::Settings { .. }) | Self::Registry(..) | Self::Credential(..) => {
                Reason::CredentialUnusable
            }
            Self::Signers(_, SignersError::TrustedRoot(_)) => Reason::CredentialUnusable,
            Self::Git(..) | Self::Signers(..) => Reason::InvalidSpec,
        }
    }

    pub(crate) fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Git(_, error) => error.hint(),
            Self::Registry(_, error) => error.hint(),
            Self::Credential(_, error) => Some(error.hint()),
            Self::Signers(_, SignersError::Key { .. }) => {
                Some("give what `cosign public-key` prints, or the file cosign.pub".into())
            }
            Self::Signers(_, SignersError::TrustedRoot(_)) => {
                Some("give what `cosign trusted-root create` writes".into())
            }
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
    /// What the resource asks of the image's signatures, where it asks for any.
    pub(crate) signatures: Option<Signatures>,
}

/// The resources of one branch: what changes together becomes one commit.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) remote: Remote,
    pub(crate) url: RemoteUrl,
    pub(crate) branch: Branch,
    pub(crate) git_source: Source,
    pub(crate) jobs: Vec<Job>,
    /// What is known of the branch from elsewhere than Git.
    pub(crate) known: Known,
    /// Held while a push is under way: who holds it knows that none is.
    pub(crate) pushing: tokio::sync::Mutex<()>,
}

impl Group {
    /// The repository and the branch, as a status names them.
    pub(crate) fn repository(&self) -> String {
        format!("{} {}", self.url, self.branch)
    }
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

/// Makes the groups, in the order of the resources; fails where any resource cannot be worked on.
pub(crate) fn groups(input: &Input, ambient: &Ambient) -> Result<Vec<Group>, JobError> {
    let (groups, failed) = prepare(input, ambient, &Reaches::default());
    match failed.into_iter().next() {
        Some(error) => Err(error),
        None => Ok(groups),
    }
}

/// Makes the groups of the resources that can be worked on, and tells which cannot.
pub(crate) fn prepare(input: &Input, ambient: &Ambient, reaches: &Reaches) -> (Vec<Group>, Vec<JobError>) {
    let mut preparation = Preparation {
        input,
        ambient,
        reaches,
        groups: Vec::new(),
        registries: Vec::new(),
        listings: Vec::new(),
    };
    let failed = input.resources.iter().filter_map(|resource| preparation.add(resource).err()).collect();
    (preparation.groups.into_iter().map(|(_, group)| group).collect(), failed)
}

/// Groups in the making, with the clients that they share.
struct Preparation<'i> {
    input: &'i Input,
    ambient: &'i Ambient,
    reaches: &'i Reaches,
    groups: Vec<(GroupKey, Group)>,
    registries: Vec<(RegistryKey, Registry)>,
    listings: Vec<Arc<Listing>>,
}

impl Preparation<'_> {
    fn add(&mut self, resource: &Resource) -> Result<(), JobError> {
        let (input, ambient) = (self.input, self.ambient);
        let git = |error| JobError::Git(resource.id.clone(), error);
        let credential = |error| JobError::Credential(resource.id.clone(), error);
        let url = RemoteUrl::parse(&resource.git.url).map_err(git)?;
        let branch = Branch::new(&resource.git.branch).map_err(git)?;
        let path = RepoPath::new(&resource.git.path).map_err(git)?;
        let found = ambient.git(input, resource, url.host()).map_err(credential)?;
        let for_registry = ambient.registry(input, resource, url.host()).map_err(credential)?;
        let registry_source = for_registry.source.clone();
        let registry = self.registry(resource, for_registry)?;
        let listing = self.listing(&registry, resource);
        let signatures = self.signatures(&registry, resource)?;

        let key: GroupKey = (
            url.to_string(),
            branch.to_string(),
            found.source.clone(),
            local(resource, resource.git.ca_secret.as_ref()),
        );
        let job = Job { resource: resource.clone(), path, registry, listing, registry_source, signatures };
        match self.groups.iter_mut().find(|(other, _)| *other == key) {
            Some((_, group)) => group.jobs.push(job),
            None => {
                let ca =
                    ambient.ca(input, resource, resource.git.ca_secret.as_deref()).map_err(credential)?;
                let access = GitAccess { credential: found.credential, ca, reach: self.reaches.git.clone() };
                let remote = Remote::new(url.clone(), access, GitLimits::default()).map_err(git)?;
                let (git_source, jobs, known, pushing) =
                    (found.source, vec![job], Known::default(), Default::default());
                self.groups.push((key, Group { remote, url, branch, git_source, jobs, known, pushing }));
            }
        }
        Ok(())
    }

    /// The client for the resource's registry: one for all that would use it alike.
    fn registry(&mut self, resource: &Resource, found: Found) -> Result<Registry, JobError> {
        let key: RegistryKey = (
            resource.image.registry().to_owned(),
            found.source,
            local(resource, resource.registry.ca_secret.as_ref()),
            resource.registry.insecure,
        );
        if let Some((_, registry)) = self.registries.iter().find(|(other, _)| *other == key) {
            return Ok(registry.clone());
        }
        let ca = self
            .ambient
            .ca(self.input, resource, resource.registry.ca_secret.as_deref())
            .map_err(|error| JobError::Credential(resource.id.clone(), error))?;
        let access = RegistryAccess {
            credential: found.credential,
            ca,
            insecure: resource.registry.insecure,
            reach: self.reaches.registry.clone(),
        };
        let registry = Registry::new(resource.image.registry(), access, RegistryLimits::default())
            .map_err(|error| JobError::Registry(resource.id.clone(), error))?;
        self.registries.push((key, registry.clone()));
        Ok(registry)
    }

    /// Whose signatures of the image count, where the resource asks for any.
    fn signatures(&self, registry: &Registry, resource: &Resource) -> Result<Option<Signatures>, JobError> {
        let Some(signers) = &resource.signers else { return Ok(None) };
        let trusted_root = Ambient::trusted_root(self.input, resource)
            .map_err(|error| JobError::Credential(resource.id.clone(), error))?;
        Signatures::new(registry, &resource.image, signers, trusted_root.as_deref())
            .map(Some)
            .map_err(|error| JobError::Signers(resource.id.clone(), error))
    }

    /// The list of the image's tags: one for all who read it with the same client.
    fn listing(&mut self, registry: &Registry, resource: &Resource) -> Arc<Listing> {
        if let Some(listing) = self.listings.iter().find(|listing| listing.is_of(registry, &resource.image)) {
            return listing.clone();
        }
        let listing = Arc::new(Listing::new(registry.clone(), resource.image.clone()));
        self.listings.push(listing.clone());
        listing
    }
}

/// A Secret that a resource names, in the resource's namespace.
fn local(resource: &Resource, name: Option<&String>) -> Option<ResourceId> {
    name.map(|name| ResourceId { namespace: resource.id.namespace.clone(), name: name.clone() })
}
