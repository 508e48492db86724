//! The connection to the cluster.

use std::{fs, path::Path};

use kube::{Api, Client, Config, api::ApiResource, core::DynamicObject};

use crate::KubeError;

/// Where a pod finds the namespace that it runs in.
const NAMESPACE_FILE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";

/// A cluster, and where in it this program runs.
#[derive(Clone)]
pub struct Cluster {
    pub(crate) client: Client,
    /// The namespace of this program: its Lease and its own Secrets lie there.
    pub namespace: String,
}

impl Cluster {
    /// Connects as the pod's service account, or as kubectl would. `namespace` overrides where the program runs.
    pub async fn connect(namespace: Option<String>) -> Result<Self, KubeError> {
        let config = Config::infer().await.map_err(|error| KubeError::Config(Box::new(error)))?;
        let own = namespace
            .or_else(|| fs::read_to_string(Path::new(NAMESPACE_FILE)).ok())
            .map(|text| text.trim().to_owned())
            .filter(|text| !text.is_empty())
            .unwrap_or_else(|| config.default_namespace.clone());
        let client = Client::try_from(config).map_err(|error| KubeError::Config(Box::new(error)))?;
        Ok(Self { client, namespace: own })
    }

    /// Objects of a kind that this crate reads as JSON: what it does not know of them it must not lose.
    pub(crate) fn dynamic(&self, kind: &ApiResource, namespace: Option<&str>) -> Api<DynamicObject> {
        match namespace {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, kind),
            None => Api::all_with(self.client.clone(), kind),
        }
    }
}

/// A kind of objects, by its names in the API.
pub(crate) fn kind(group: &str, version: &str, kind: &str, plural: &str) -> ApiResource {
    let api_version = format!("{group}/{version}");
    ApiResource {
        group: group.into(),
        version: version.into(),
        api_version,
        kind: kind.into(),
        plural: plural.into(),
    }
}

/// `ImageGitOps`.
pub(crate) fn image_gitops() -> ApiResource {
    kind(crate::GROUP, "v1alpha1", image_gitops_core::spec::KIND, "imagegitops")
}

/// KubeVela's `Application`.
pub(crate) fn application() -> ApiResource {
    kind("core.oam.dev", "v1beta1", "Application", "applications")
}
