//! A resource as the cluster holds it, validated once.

use std::error::Error as _;

use image_gitops_core::{
    resource::{Resource, ResourceId},
    spec::{self, ImageGitOps, Metadata, Spec},
};
use k8s_openapi::api::core::v1::ObjectReference;
use kube::core::DynamicObject;

use crate::{SYNC_ANNOTATIONS, Status, client};

/// Why a resource cannot be used: what a person must mend before anything can happen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Invalid(pub String);

/// One `ImageGitOps` of the cluster.
#[derive(Clone, Debug)]
pub struct Stored {
    /// Its namespace and name.
    pub id: ResourceId,
    /// Tells it from one of the same name that was there before.
    pub uid: String,
    /// Counts the changes of its spec.
    pub generation: i64,
    /// What its spec asks for, or why that cannot be done.
    pub resource: Result<Resource, Invalid>,
    /// What was last said of it.
    pub status: Status,
    /// The Application that renders it, where one does (label `app.oam.dev/name`).
    pub renderer: Option<String>,
    /// Its annotations that mean "look now", as one text: another text is another wish.
    pub sync: String,
}

impl Stored {
    /// Reads an object of the API server. A spec that cannot be used is part of the result, not an error.
    pub(crate) fn new(object: &DynamicObject) -> Self {
        let meta = &object.metadata;
        let id = ResourceId {
            namespace: meta.namespace.clone().unwrap_or_default(),
            name: meta.name.clone().unwrap_or_default(),
        };
        let status = object.data.get("status").cloned().map(serde_json::from_value::<Status>);
        Self {
            resource: validated(&id, object),
            uid: meta.uid.clone().unwrap_or_default(),
            generation: meta.generation.unwrap_or_default(),
            status: status.and_then(Result::ok).unwrap_or_default(),
            renderer: meta.labels.as_ref().and_then(|labels| labels.get("app.oam.dev/name")).cloned(),
            sync: sync_wish(meta.annotations.as_ref()),
            id,
        }
    }

    /// Names the object in Events.
    pub fn reference(&self) -> ObjectReference {
        let kind = client::image_gitops();
        ObjectReference {
            api_version: Some(kind.api_version),
            kind: Some(kind.kind),
            namespace: Some(self.id.namespace.clone()),
            name: Some(self.id.name.clone()),
            uid: Some(self.uid.clone()),
            ..Default::default()
        }
    }
}

fn validated(id: &ResourceId, object: &DynamicObject) -> Result<Resource, Invalid> {
    let spec = object.data.get("spec").cloned().unwrap_or_default();
    let spec: Spec =
        serde_json::from_value(spec).map_err(|error| Invalid(format!("the spec cannot be read: {error}")))?;
    let metadata = Metadata { name: id.name.clone(), namespace: Some(id.namespace.clone()) };
    let document =
        ImageGitOps { api_version: spec::API_VERSION.into(), kind: spec::KIND.into(), metadata, spec };
    Resource::try_from(document).map_err(|error| {
        let causes = std::iter::successors(error.source(), |cause| (*cause).source());
        let why: String = causes.map(|cause| format!(": {cause}")).collect();
        Invalid(format!("{error}{why}"))
    })
}

/// The annotations that mean "look now", as one text; empty where there is none.
pub(crate) fn sync_wish(annotations: Option<&std::collections::BTreeMap<String, String>>) -> String {
    let Some(annotations) = annotations else { return String::new() };
    let values: Vec<&str> =
        SYNC_ANNOTATIONS.iter().filter_map(|key| annotations.get(*key)).map(String::as_str).collect();
    values.join(" ")
}
