//! An Application in the cluster follows what Git says: by whoever applies it, or by a patch where nobody does.
//!
//! The patch changes one value (and `app.oam.dev/publishVersion`, without which KubeVela ignores a changed spec), and tests
//! what it was read from: `spec.components` is one atomic list for server-side apply and merge patches.

use std::collections::BTreeMap;

use image_gitops_core::{
    health::Observed,
    image::{ImageRef, Repository},
    resource::ResourceId,
    yaml::FieldPath,
};
use k8s_openapi::api::core::v1::ObjectReference;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::{
    Cluster, KubeError, Owner, STATUS_ANNOTATION, Status, client,
    error::has_code,
    flux, health,
    run::{RunState, Runner, run_state},
};

/// How often an Application that changes under us is read again.
const ATTEMPTS: usize = 5;
/// The marks by which KubeVela knows whom to deploy an Application as. Where its authentication is on, its admission webhook
/// writes at every change who made it; which of the two, is its administrator's choice.
const IDENTITY: [&str; 2] = ["app.oam.dev/username", "app.oam.dev/group"];
const PUBLISH_VERSION: &str = "app.oam.dev/publishVersion";

/// What an Application should hold.
#[derive(Clone, Debug)]
pub struct Want<'a> {
    /// The Application's name; its namespace is the resource's.
    pub application: &'a str,
    /// The component's name.
    pub component: &'a str,
    /// The field below the component.
    pub path: &'a FieldPath,
    /// The value that Git holds there now.
    pub value: &'a str,
    /// The image's repository: another image in the cluster is somebody's choice.
    pub repository: &'a Repository,
    /// The `publishVersion` that Git holds now.
    pub publish_version: Option<&'a str>,
    /// Whether to patch whoever applies it.
    pub patch_anyway: bool,
    /// What names this state to Flux: the commit.
    pub token: &'a str,
}

/// What became of an Application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Followed {
    /// It holds the value.
    Same,
    /// It was patched from this value.
    Patched {
        /// What stood there.
        from: String,
    },
    /// Its owner was asked to look now.
    Nudged(Owner),
    /// It was left to others.
    Left(Left),
}

/// What became of an Application, and how its component was before that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Follow {
    /// What became of it.
    pub followed: Followed,
    /// What it held, and how the component was with it; `None` where there is no such image.
    pub observed: Option<Observed>,
}

/// Why an Application was left alone though it holds another value than Git.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Left {
    /// There is no such Application in the cluster.
    #[error("the cluster has no Application {0}")]
    Absent(ResourceId),
    /// It has no such component or field.
    #[error("the Application in the cluster has no {0}")]
    NoField(String),
    /// It runs another image.
    #[error("the Application in the cluster holds {0}, which is another image; it is left alone")]
    OtherImage(String),
    /// Somebody else applies it.
    #[error("it is applied by {0}; a change here would be undone, so what Git says is left to that")]
    Owned(Owner),
    /// KubeVela's authentication is on: who changes an Application becomes the one it is deployed as.
    #[error("KubeVela's authentication is on, so the Application is changed in Git only")]
    Authenticated,
}

/// Access to Applications.
#[derive(Clone)]
pub struct Applications(Cluster);

impl Applications {
    /// Access to the Applications of a cluster.
    pub fn new(cluster: Cluster) -> Self {
        Self(cluster)
    }

    /// Reads one; `None` where it is not there.
    pub async fn get(&self, id: &ResourceId) -> Result<Option<Value>, KubeError> {
        let api = self.0.dynamic(&client::application(), Some(&id.namespace));
        let found = api.get_opt(&id.name).await;
        let found = found.map_err(KubeError::of(format!("read the Application {id}")))?;
        Ok(found.map(|object| serde_json::to_value(object).unwrap_or_default()))
    }

    /// Makes the Application hold what Git says, if that is ours to do.
    pub async fn follow(&self, namespace: &str, want: &Want<'_>) -> Result<Follow, KubeError> {
        let id = ResourceId { namespace: namespace.to_owned(), name: want.application.to_owned() };
        let api = self.0.dynamic(&client::application(), Some(namespace));
        for _ in 0..ATTEMPTS {
            let Some(application) = self.get(&id).await? else {
                return Ok(Follow { followed: Followed::Left(Left::Absent(id)), observed: None });
            };
            let observed = health::observe(&application, want.component, want.path, want.repository);
            let patch = match plan(&application, want) {
                Plan::Done(followed) => {
                    let Followed::Nudged(Owner::Flux { kind, namespace, name }) = &followed else {
                        return Ok(Follow { followed, observed });
                    };
                    let applier = ResourceId { namespace: namespace.clone(), name: name.clone() };
                    return match flux::nudge(&self.0, kind, &applier, &id, want.token).await? {
                        true => Ok(Follow { followed, observed }),
                        false => {
                            let (namespace, name) = (namespace.clone(), name.clone());
                            let followed = Followed::Left(Left::Owned(Owner::Flux { kind, namespace, name }));
                            Ok(Follow { followed, observed })
                        }
                    };
                }
                Plan::Patch { patch, from } => (patch, from),
            };
            let (patch, from) = patch;
            let operations: json_patch::Patch = serde_json::from_value(patch).map_err(|error| {
                KubeError::Failed { attempt: format!("patch the Application {id}"), source: Box::new(error) }
            })?;
            let patch = Patch::<()>::Json(operations);
            // First as a trial: an Application of before the authentication has no mark, and would get ours.
            let result = match api.patch(&id.name, &trial(), &patch).await {
                Ok(tried) if is_marked(tried.metadata.annotations.as_ref()) => {
                    return Ok(Follow { followed: Followed::Left(Left::Authenticated), observed });
                }
                Ok(_) => api.patch(&id.name, &PatchParams::default(), &patch).await,
                refused => refused,
            };
            match result {
                Ok(_) => return Ok(Follow { followed: Followed::Patched { from }, observed }),
                // A test failed or the object moved: read it again.
                Err(error) if has_code(&error, &[409, 422]) && !is_refusal(&error) => {}
                Err(error) => return Err(KubeError::of(format!("patch the Application {id}"))(error)),
            }
        }
        Err(KubeError::Contended { attempt: format!("patch the Application {id}") })
    }

    /// Whether an Application holds what Git says, or never will: it has no such field, or another image.
    pub fn holds(&self, application: &Value, want: &Want<'_>) -> bool {
        matches!(
            plan(application, want),
            Plan::Done(
                Followed::Same | Followed::Left(Left::NoField(_) | Left::OtherImage(_) | Left::Absent(_))
            )
        )
    }

    /// Whether there is an `ImageGitOps` of this name, seen or not seen by the watch.
    pub async fn has_resource(&self, id: &ResourceId) -> Result<bool, KubeError> {
        let api = self.0.dynamic(&client::image_gitops(), Some(&id.namespace));
        let found = api.get_metadata_opt(&id.name).await;
        Ok(found.map_err(KubeError::of(format!("read the ImageGitOps {id}")))?.is_some())
    }

    /// Who runs the step that is called `run`, and whether that is alive: the Application or the WorkflowRun of this name.
    /// `None` where there is neither.
    pub async fn run_state(
        &self,
        id: &ResourceId,
        run: &str,
    ) -> Result<Option<(Runner, RunState)>, KubeError> {
        let application = self.get(id).await?;
        let application = application.map(|object| (Runner::Application, run_state(&object, run)));
        if let Some((_, RunState::Alive | RunState::Over)) = application {
            return Ok(application);
        }
        // Both may have this name: one that does not know the run leaves the answer to the other.
        let kind = client::kind("core.oam.dev", "v1alpha1", "WorkflowRun", "workflowruns");
        let api = self.0.dynamic(&kind, Some(&id.namespace));
        match api.get(&id.name).await {
            Ok(object) => Ok(Some((Runner::WorkflowRun, run_state(&object.data, run)))),
            // No such WorkflowRun, or no such kind: KubeVela has it as an addon.
            Err(error) if has_code(&error, &[404]) => Ok(application),
            Err(error) => Err(KubeError::of(format!("read the WorkflowRun {id}"))(error)),
        }
    }

    /// Writes the status of a resource.
    pub async fn write_status(&self, id: &ResourceId, status: &Status) -> Result<(), KubeError> {
        let api = self.0.dynamic(&client::image_gitops(), Some(&id.namespace));
        let mut fields = serde_json::to_value(status).unwrap_or_default();
        // What is no longer said must go: a merge patch keeps what it does not name.
        if let Some(fields) = fields.as_object_mut() {
            for key in ["digest", "commit", "lastHandledSync", "waiting", "rollout"] {
                fields.entry(key).or_insert(Value::Null);
            }
        }
        let patch = Patch::Merge(json!({ "status": fields }));
        match api.patch_status(&id.name, &PatchParams::default(), &patch).await {
            // Deleted meanwhile: nobody is left to be told.
            Err(error) if has_code(&error, &[404]) => Ok(()),
            other => other.map(drop).map_err(KubeError::of(format!("write the status of ImageGitOps {id}"))),
        }
    }

    /// Shows KubeVela that a status changed: it looks at its traits again at once, else within five minutes.
    ///
    /// Nothing is done where KubeVela's authentication is on, which would mark the Application as ours, or `value` is absent. Gives what names the Application in
    /// Events; `None` where there is no such Application.
    pub async fn poke(
        &self,
        id: &ResourceId,
        value: Option<&str>,
    ) -> Result<Option<ObjectReference>, KubeError> {
        let Some(application) = self.get(id).await? else { return Ok(None) };
        let reference = reference(id, &application);
        let (marked, told) = (has_identity(&application), annotation(&application, STATUS_ANNOTATION));
        let Some(value) = value.filter(|value| !marked && told != Some(value)) else {
            return Ok(Some(reference));
        };
        let api = self.0.dynamic(&client::application(), Some(&id.namespace));
        let patch = Patch::Merge(json!({ "metadata": { "annotations": { STATUS_ANNOTATION: value } } }));
        let result = match api.patch_metadata(&id.name, &trial(), &patch).await {
            Ok(tried) if !is_marked(tried.metadata.annotations.as_ref()) => {
                api.patch_metadata(&id.name, &PatchParams::default(), &patch).await
            }
            other => other,
        };
        match result {
            Err(error) if has_code(&error, &[404]) => Ok(None),
            other => other
                .map(|_| Some(reference))
                .map_err(KubeError::of(format!("annotate the Application {id}"))),
        }
    }
}

/// Whether an admission webhook or a rule of the schema refused, so that reading again does not help.
fn is_refusal(error: &kube::Error) -> bool {
    let kube::Error::Api(status) = error else { return false };
    status.message.contains("admission webhook") || status.message.contains("is invalid")
}

/// Nothing is written: the answer says what would be.
fn trial() -> PatchParams {
    PatchParams { dry_run: true, ..PatchParams::default() }
}

fn is_marked(annotations: Option<&BTreeMap<String, String>>) -> bool {
    annotations.is_some_and(|annotations| IDENTITY.iter().any(|key| annotations.contains_key(*key)))
}

fn has_identity(application: &Value) -> bool {
    IDENTITY.iter().any(|key| annotation(application, key).is_some())
}

fn annotation<'a>(application: &'a Value, key: &str) -> Option<&'a str> {
    application.get("metadata")?.get("annotations")?.get(key)?.as_str()
}

/// Names an Application in Events.
fn reference(id: &ResourceId, application: &Value) -> ObjectReference {
    let kind = client::application();
    ObjectReference {
        api_version: Some(kind.api_version),
        kind: Some(kind.kind),
        namespace: Some(id.namespace.clone()),
        name: Some(id.name.clone()),
        uid: application.pointer("/metadata/uid").and_then(Value::as_str).map(str::to_owned),
        ..Default::default()
    }
}

/// What to do with an Application as it was read.
#[derive(Debug, PartialEq)]
enum Plan {
    Done(Followed),
    Patch { patch: Value, from: String },
}

fn plan(application: &Value, want: &Want<'_>) -> Plan {
    let left = |left| Plan::Done(Followed::Left(left));
    let components = application.pointer("/spec/components").and_then(Value::as_array);
    let found = components
        .into_iter()
        .flatten()
        .enumerate()
        .find(|(_, component)| component.get("name").and_then(Value::as_str) == Some(want.component));
    let Some((index, component)) = found else {
        return left(Left::NoField(format!("component {}", want.component)));
    };
    let field = want.path.pointer(component);
    let value = field.as_ref().and_then(|pointer| component.pointer(pointer)).and_then(Value::as_str);
    let (Some(pointer), Some(from)) = (field.as_ref(), value) else {
        return left(Left::NoField(format!("{} in component {}", want.path, want.component)));
    };
    if from == want.value {
        return Plan::Done(Followed::Same);
    }
    let other_image = |image: ImageRef| image.repository != *want.repository;
    if ImageRef::parse(want.value).is_ok_and(|image| image.repository == *want.repository)
        && ImageRef::parse(from).is_ok_and(other_image)
    {
        return left(Left::OtherImage(from.to_owned()));
    }
    if has_identity(application) {
        return left(Left::Authenticated);
    }
    match Owner::of(application) {
        _ if want.patch_anyway => {}
        Owner::Nobody => {}
        flux @ Owner::Flux { .. } => return Plan::Done(Followed::Nudged(flux)),
        owner => return left(Left::Owned(owner)),
    }
    let version = application.pointer("/metadata/resourceVersion").cloned().unwrap_or_default();
    let component = format!("/spec/components/{index}");
    let path = format!("{component}{pointer}");
    let mut patch = vec![
        json!({ "op": "test", "path": "/metadata/resourceVersion", "value": version }),
        json!({ "op": "test", "path": format!("{component}/name"), "value": want.component }),
        json!({ "op": "test", "path": path, "value": from }),
        json!({ "op": "replace", "path": path, "value": want.value }),
    ];
    if let (Some(_), Some(new)) = (annotation(application, PUBLISH_VERSION), want.publish_version) {
        let path = format!("/metadata/annotations/{}", PUBLISH_VERSION.replace('/', "~1"));
        patch.push(json!({ "op": "replace", "path": path, "value": new }));
    }
    Plan::Patch { patch: Value::Array(patch), from: from.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn application(image: &str, labels: Value, annotations: Value) -> Value {
        json!({
            "metadata": { "resourceVersion": "7", "labels": labels, "annotations": annotations },
            "spec": { "components": [
                { "name": "db", "properties": { "image": "postgres:16" } },
                { "name": "back", "properties": { "image": image } },
            ]},
        })
    }

    fn plan_for(application: &Value, anyway: bool) -> Plan {
        let (path, repository) =
            (FieldPath::new("properties.image").unwrap(), Repository::new("ghcr.io/o/n").unwrap());
        plan(
            application,
            &Want {
                application: "app",
                component: "back",
                path: &path,
                value: "ghcr.io/o/n:2",
                repository: &repository,
                publish_version: Some("v2"),
                patch_anyway: anyway,
                token: "c0ffee",
            },
        )
    }

    #[test]
    fn what_nobody_applies_is_patched_in_one_value_with_tests() {
        let Plan::Patch { patch, from } =
            plan_for(&application("ghcr.io/o/n:1", json!({}), json!({})), false)
        else {
            panic!("no patch")
        };
        assert_eq!(from, "ghcr.io/o/n:1");
        assert_eq!(
            patch,
            json!([
                { "op": "test", "path": "/metadata/resourceVersion", "value": "7" },
                { "op": "test", "path": "/spec/components/1/name", "value": "back" },
                { "op": "test", "path": "/spec/components/1/properties/image", "value": "ghcr.io/o/n:1" },
                { "op": "replace", "path": "/spec/components/1/properties/image", "value": "ghcr.io/o/n:2" },
            ])
        );
    }

    #[test]
    fn a_publish_version_changes_with_it_where_there_is_one() {
        let with = application("ghcr.io/o/n:1", json!({}), json!({ PUBLISH_VERSION: "v1" }));
        let Plan::Patch { patch, .. } = plan_for(&with, false) else { panic!("no patch") };
        assert_eq!(
            patch[4],
            json!({ "op": "replace", "path": "/metadata/annotations/app.oam.dev~1publishVersion", "value": "v2" })
        );
    }

    #[test]
    fn what_others_decide_is_left_alone() {
        let left = |application: &Value| match plan_for(application, false) {
            Plan::Done(Followed::Left(left)) => left.to_string(),
            other => format!("{other:?}"),
        };
        let old = "ghcr.io/o/n:1";
        assert_eq!(
            plan_for(&application("ghcr.io/o/n:2", json!({}), json!({})), false),
            Plan::Done(Followed::Same)
        );
        assert!(left(&application("docker.io/other/n:1", json!({}), json!({}))).contains("another image"));
        for mark in IDENTITY {
            let marked = application(old, json!({}), json!({ mark: "" }));
            assert!(left(&marked).contains("authentication is on"), "{mark}");
        }
        let argo = application(old, json!({}), json!({ "argocd.argoproj.io/tracking-id": "x" }));
        assert!(left(&argo).contains("Argo CD"));
        assert!(matches!(plan_for(&argo, true), Plan::Patch { .. }), "deploy: patch");
        let flux =
            json!({ "kustomize.toolkit.fluxcd.io/name": "a", "kustomize.toolkit.fluxcd.io/namespace": "f" });
        assert!(matches!(
            plan_for(&application(old, flux, json!({})), false),
            Plan::Done(Followed::Nudged(Owner::Flux { .. }))
        ));
        let mut gone = application(old, json!({}), json!({}));
        gone["spec"]["components"] = json!([{ "name": "back", "properties": {} }]);
        assert!(left(&gone).contains("no properties.image in component back"));
        gone["spec"]["components"] = json!([]);
        assert!(left(&gone).contains("no component back"));
    }
}
