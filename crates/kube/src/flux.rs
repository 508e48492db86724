//! Flux applies what Git says at its own interval; the annotation that its users know makes it look now.

use image_gitops_core::resource::ResourceId;
use kube::api::{Patch, PatchParams};
use serde_json::json;

use crate::{Cluster, KubeError, client};

/// Asks Flux to apply what the commit `token` holds: the source first, then what applies it.
///
/// `kind` is `Kustomization` or `HelmRelease`.
pub(crate) async fn nudge(
    cluster: &Cluster,
    kind: &'static str,
    id: &ResourceId,
    token: &str,
) -> Result<(), KubeError> {
    let applier = match kind {
        "HelmRelease" => client::kind("helm.toolkit.fluxcd.io", "v2", kind, "helmreleases"),
        _ => client::kind("kustomize.toolkit.fluxcd.io", "v1", "Kustomization", "kustomizations"),
    };
    let api = cluster.dynamic(&applier, Some(&id.namespace));
    let object = api.get(&id.name).await.map_err(KubeError::of(format!("read the {kind} {id}")))?;
    let source = object.data.get("spec").and_then(|spec| spec.get("sourceRef"));
    let text = |key: &str| source.and_then(|source| source.get(key)).and_then(|value| value.as_str());
    let patch = json!({ "metadata": { "annotations": { "reconcile.fluxcd.io/requestedAt": token } } });
    if let (Some("GitRepository"), Some(name)) = (text("kind"), text("name")) {
        let repositories = client::kind("source.toolkit.fluxcd.io", "v1", "GitRepository", "gitrepositories");
        let namespace = text("namespace").unwrap_or(&id.namespace);
        let attempt = KubeError::of(format!("nudge the GitRepository {namespace}/{name}"));
        let api = cluster.dynamic(&repositories, Some(namespace));
        api.patch(name, &PatchParams::default(), &Patch::Merge(&patch)).await.map_err(attempt)?;
    }
    api.patch(&id.name, &PatchParams::default(), &Patch::Merge(&patch))
        .await
        .map_err(KubeError::of(format!("nudge the {kind} {id}")))?;
    Ok(())
}
