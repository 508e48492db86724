//! Who applies an Application: told from the marks that each tool leaves on what it applies.
//!
//! A change by anybody else is undone by the owner at its next turn, so that only what nobody owns is changed here.

use std::fmt;

use serde_json::Value;

/// Who applies an Application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// Nobody: a person, or CI, with `vela up` or `kubectl apply`.
    Nobody,
    /// Flux' kustomize-controller or helm-controller.
    Flux {
        /// `Kustomization` or `HelmRelease`.
        kind: &'static str,
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// Argo CD.
    ArgoCd,
    /// VelaUX, which keeps Applications in a database of its own.
    VelaUx,
    /// Another Application of KubeVela, which renders this one.
    Application(String),
    /// Helm itself.
    Helm(String),
}

impl Owner {
    /// Reads the marks on an Application.
    pub fn of(application: &Value) -> Self {
        let text = |field: &str, key: &str| {
            let map = application.get("metadata")?.get(field)?;
            map.get(key)?.as_str().filter(|value| !value.is_empty()).map(str::to_owned)
        };
        let label = |key: &str| text("labels", key);
        let annotation = |key: &str| text("annotations", key);
        for (kind, key) in
            [("Kustomization", "kustomize.toolkit.fluxcd.io"), ("HelmRelease", "helm.toolkit.fluxcd.io")]
        {
            if let Some(name) = label(&format!("{key}/name")) {
                let namespace = label(&format!("{key}/namespace")).unwrap_or_default();
                return Self::Flux { kind, namespace, name };
            }
        }
        if annotation("argocd.argoproj.io/tracking-id").is_some()
            || label("argocd.argoproj.io/instance").is_some()
        {
            return Self::ArgoCd;
        }
        if label("app.oam.dev/source-of-truth").as_deref() == Some("from-velaux") {
            return Self::VelaUx;
        }
        if let Some(name) = label("app.oam.dev/name") {
            return Self::Application(name);
        }
        match annotation("meta.helm.sh/release-name") {
            Some(release) => Self::Helm(release),
            None => Self::Nobody,
        }
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nobody => f.write_str("nobody"),
            Self::Flux { kind, namespace, name } => write!(f, "Flux ({kind} {namespace}/{name})"),
            Self::ArgoCd => f.write_str("Argo CD"),
            Self::VelaUx => f.write_str("VelaUX"),
            Self::Application(name) => write!(f, "the Application {name}"),
            Self::Helm(release) => write!(f, "the Helm release {release}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_marks_of_each_tool_are_known() {
        let owner = |labels: Value, annotations: Value| {
            Owner::of(&json!({ "metadata": { "labels": labels, "annotations": annotations } })).to_string()
        };
        let none = || json!({});
        assert_eq!(owner(none(), none()), "nobody");
        assert_eq!(Owner::of(&json!({ "metadata": {} })), Owner::Nobody);
        let flux = json!({ "kustomize.toolkit.fluxcd.io/name": "apps", "kustomize.toolkit.fluxcd.io/namespace": "flux" });
        assert_eq!(owner(flux, none()), "Flux (Kustomization flux/apps)");
        assert_eq!(
            owner(
                json!({ "helm.toolkit.fluxcd.io/name": "r", "helm.toolkit.fluxcd.io/namespace": "n" }),
                none()
            ),
            "Flux (HelmRelease n/r)"
        );
        assert_eq!(owner(none(), json!({ "argocd.argoproj.io/tracking-id": "a:b" })), "Argo CD");
        assert_eq!(owner(json!({ "argocd.argoproj.io/instance": "a" }), none()), "Argo CD");
        assert_eq!(owner(json!({ "app.oam.dev/source-of-truth": "from-velaux" }), none()), "VelaUX");
        assert_eq!(owner(json!({ "app.oam.dev/name": "outer" }), none()), "the Application outer");
        assert_eq!(owner(none(), json!({ "meta.helm.sh/release-name": "r" })), "the Helm release r");
    }
}
