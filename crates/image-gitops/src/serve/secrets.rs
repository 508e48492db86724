//! The Secrets that resources name, read anew for each pass: so a rotated token counts at once, without a restart.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;
use image_gitops_core::{
    reason::Reason,
    resource::{Resource, ResourceId, Signers},
    secret::Secret,
};
use image_gitops_kube::Fetched;

use super::{Service, tell};
use crate::report::chain;

/// Why a resource cannot be worked on in this pass.
#[derive(Clone, Debug)]
pub(super) struct Trouble {
    pub(super) reason: Reason,
    pub(super) message: String,
}

/// What was read.
#[derive(Default)]
pub(super) struct Read {
    pub(super) secrets: BTreeMap<ResourceId, Secret>,
    /// The version of each: other versions mean other clients.
    pub(super) versions: BTreeMap<ResourceId, String>,
    troubles: BTreeMap<ResourceId, Trouble>,
}

impl Read {
    /// Reads all Secrets that `resources` name.
    pub(super) async fn all(service: &Service, resources: &[&Resource]) -> Self {
        let ids: BTreeSet<ResourceId> = resources.iter().flat_map(|resource| named(resource)).collect();
        let fetched = join_all(ids.into_iter().map(async |id| (service.secrets.get(&id).await, id))).await;
        let mut read = Self::default();
        for (result, id) in fetched {
            let trouble = match result {
                Ok(Some(Fetched { secret: Ok(secret), version })) => {
                    read.secrets.insert(id.clone(), secret);
                    read.versions.insert(id, version);
                    continue;
                }
                Ok(Some(Fetched { secret: Err(error), .. })) => Trouble {
                    reason: Reason::CredentialUnusable,
                    message: format!("the Secret {id} cannot be used: {error}"),
                },
                Ok(None) => Trouble {
                    reason: Reason::SecretNotFound,
                    message: format!(
                        "there is no Secret {}; create it: kubectl -n {} create secret generic {} {}",
                        id,
                        id.namespace,
                        id.name,
                        content(resources, &id)
                    ),
                },
                Err(error) => Trouble {
                    reason: Reason::CredentialUnusable,
                    message: tell::sentence(&error.to_string(), &chain(&error), None),
                },
            };
            read.troubles.insert(id, trouble);
        }
        read
    }

    /// Why `resource` cannot be worked on: the first of its Secrets that is missing or broken.
    pub(super) fn trouble(&self, resource: &Resource) -> Option<Trouble> {
        named(resource).find_map(|id| self.troubles.get(&id)).cloned()
    }
}

/// What a Secret that is to be created must hold, as an argument of kubectl.
fn content(resources: &[&Resource], id: &ResourceId) -> &'static str {
    let names = |name: Option<&String>| name == Some(&id.name);
    let own = resources.iter().filter(|resource| resource.id.namespace == id.namespace);
    own.fold("--from-literal=token=…", |content, resource| {
        if names(resource.signers.as_ref().and_then(Signers::trusted_root_secret)) {
            "--from-file=trusted_root.json"
        } else if names(resource.git.ca_secret.as_ref()) || names(resource.registry.ca_secret.as_ref()) {
            "--from-file=ca.crt"
        } else {
            content
        }
    })
}

/// The Secrets that a resource names, all in its own namespace.
fn named(resource: &Resource) -> impl Iterator<Item = ResourceId> {
    let names = [
        &resource.git.secret,
        &resource.git.ca_secret,
        &resource.registry.secret,
        &resource.registry.ca_secret,
    ];
    let trusted_root = resource.signers.as_ref().and_then(Signers::trusted_root_secret);
    names
        .into_iter()
        .flatten()
        .chain(trusted_root)
        .map(|name| ResourceId { namespace: resource.id.namespace.clone(), name: name.clone() })
}
