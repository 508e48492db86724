//! Flux applies what Git says at its own interval; the annotation that its users know makes it look now.

use image_gitops_core::resource::ResourceId;
use kube::{
    api::{Patch, PatchParams},
    core::DynamicObject,
};
use serde_json::{Value, json};

use crate::{Cluster, KubeError, client, error::has_code};

/// Asks Flux to apply what the commit `token` holds: the source first, then `id`, which applies `application`. Tells whether
/// that was done: not where it may not be, and not where `id` does not say itself that it applies `application`. The
/// Application's own labels are no proof: whoever may write them could have any Kustomization of the cluster nudged.
///
/// `kind` is `Kustomization` or `HelmRelease`.
pub(crate) async fn nudge(
    cluster: &Cluster,
    kind: &'static str,
    id: &ResourceId,
    application: &ResourceId,
    token: &str,
) -> Result<bool, KubeError> {
    let applier = match kind {
        "HelmRelease" => client::kind("helm.toolkit.fluxcd.io", "v2", kind, "helmreleases"),
        _ => client::kind("kustomize.toolkit.fluxcd.io", "v1", "Kustomization", "kustomizations"),
    };
    let api = cluster.dynamic(&applier, Some(&id.namespace));
    let object = match api.get(&id.name).await {
        Ok(object) => object,
        // An instance for one namespace may not touch Flux' own: Flux looks by itself, a little later.
        Err(error) if has_code(&error, &[401, 403, 404]) => return Ok(false),
        Err(error) => return Err(KubeError::of(format!("read the {kind} {id}"))(error)),
    };
    if !applies(&object, kind, application) {
        return Ok(false);
    }
    let source = object.data.get("spec").and_then(|spec| spec.get("sourceRef"));
    let text = |key: &str| source.and_then(|source| source.get(key)).and_then(|value| value.as_str());
    let patch = json!({ "metadata": { "annotations": { "reconcile.fluxcd.io/requestedAt": token } } });
    if let (Some("GitRepository"), Some(name)) = (text("kind"), text("name")) {
        let repositories = client::kind("source.toolkit.fluxcd.io", "v1", "GitRepository", "gitrepositories");
        let namespace = text("namespace").unwrap_or(&id.namespace);
        let attempt = KubeError::of(format!("nudge the GitRepository {namespace}/{name}"));
        let api = cluster.dynamic(&repositories, Some(namespace));
        match api.patch(name, &PatchParams::default(), &Patch::Merge(&patch)).await {
            Err(error) if has_code(&error, &[401, 403]) => return Ok(false),
            other => other.map_err(attempt)?,
        };
    }
    match api.patch(&id.name, &PatchParams::default(), &Patch::Merge(&patch)).await {
        Err(error) if has_code(&error, &[401, 403]) => Ok(false),
        other => other.map(|_| true).map_err(KubeError::of(format!("nudge the {kind} {id}"))),
    }
}

/// Whether a Kustomization lists an Application in its inventory, or a HelmRelease installs into its namespace.
fn applies(object: &DynamicObject, kind: &str, application: &ResourceId) -> bool {
    if kind == "HelmRelease" {
        let target = object.data.pointer("/spec/targetNamespace").and_then(Value::as_str);
        return target.or(object.metadata.namespace.as_deref()) == Some(application.namespace.as_str());
    }
    let entries = object.data.pointer("/status/inventory/entries").and_then(Value::as_array);
    let listed = format!("{}_{}_core.oam.dev_Application", application.namespace, application.name);
    entries.into_iter().flatten().any(|entry| entry.get("id").and_then(Value::as_str) == Some(&listed))
}
