//! How a component is, read from its Application's status.
//!
//! KubeVela writes that status step by step. What it says of the revision before must not be taken for an answer about the
//! one that is there now: the generation counts first, then the revision whose workflow it is.

use image_gitops_core::{
    health::{Health, Observed},
    image::{ImageRef, Repository, Tag},
    yaml::FieldPath,
};
use serde_json::Value;

/// The type of our own workflow step. Where that fails, no image is to blame.
const OWN_STEP: &str = "image-gitops";

/// What an Application holds in a component's field, and how the component is with it. `None` where that is no image of
/// `repository` with a tag.
pub(crate) fn observe(
    application: &Value,
    component: &str,
    path: &FieldPath,
    repository: &Repository,
) -> Option<Observed> {
    let named = |list: &'static str, application: &Value| -> Vec<Value> {
        let all = application.pointer(list).and_then(Value::as_array).cloned().unwrap_or_default();
        all.into_iter().filter(|item| item.get("name").and_then(Value::as_str) == Some(component)).collect()
    };
    let spec = named("/spec/components", application).into_iter().next()?;
    let value = spec.pointer(&path.pointer(&spec)?)?.as_str()?;
    let image = image(value, repository)?;
    if !is_about_this_spec(application) {
        return Some(Observed { image, health: Health::Unknown });
    }
    // One for each cluster and environment.
    let services = named("/status/services", application);
    let ails = services.iter().find(|service| service.get("healthy") != Some(&Value::Bool(true)));
    let health = match ails {
        Some(service) => Health::Unhealthy(text(service, "message").to_owned()),
        None if !services.is_empty() => Health::Healthy,
        None => failed_step(application).map_or(Health::Unknown, Health::Unhealthy),
    };
    Some(Observed { image, health })
}

/// `repository:tag` of a field that holds an image, or a tag alone.
fn image(value: &str, repository: &Repository) -> Option<String> {
    let tag = match ImageRef::parse(value) {
        Ok(image) if image.repository == *repository => image.tag?,
        _ => Tag::new(value).ok()?,
    };
    Some(format!("{repository}:{tag}"))
}

fn is_about_this_spec(application: &Value) -> bool {
    let at = |pointer: &str| application.pointer(pointer).filter(|value| !value.is_null());
    let revision = at("/status/latestRevision/name");
    let version = at("/metadata/annotations").and_then(|all| all.get("app.oam.dev/publishVersion"));
    let of_workflow = at("/status/workflow/appRevision");
    at("/status/observedGeneration") == at("/metadata/generation")
        && of_workflow.is_some()
        && (of_workflow == revision || of_workflow == version)
}

/// The step by which the workflow failed before the component was deployed, in words.
fn failed_step(application: &Value) -> Option<String> {
    let phase = text(application.get("status")?, "status");
    if !matches!(phase, "workflowFailed" | "workflowTerminated") {
        return None;
    }
    let steps = application.pointer("/status/workflow/steps")?.as_array()?;
    let failed = steps.iter().find(|step| text(step, "phase") == "failed")?;
    let (name, message) = (text(failed, "name"), text(failed, "message"));
    (text(failed, "type") != OWN_STEP).then(|| format!("the workflow's step {name} failed: {message}"))
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// An Application whose workflow ran for its second revision.
    fn application(services: Value) -> Value {
        json!({
            "metadata": { "generation": 2 },
            "spec": { "components": [
                { "name": "back", "properties": { "image": "ghcr.io/o/n:2@sha256:1", "tag": "3" } },
            ]},
            "status": {
                "observedGeneration": 2, "status": "running", "latestRevision": { "name": "app-v2" },
                "workflow": { "appRevision": "app-v2" }, "services": services,
            },
        })
    }

    fn observed(application: &Value) -> Option<Observed> {
        let repository = Repository::new("ghcr.io/o/n").unwrap();
        observe(application, "back", &FieldPath::new("properties.tag").unwrap(), &repository)
    }

    fn health(application: &Value) -> Health {
        observed(application).unwrap().health
    }

    #[test]
    fn a_component_is_as_its_services_are() {
        let (good, bad) = (
            json!({ "name": "back", "healthy": true }),
            json!({ "name": "back", "healthy": false, "message": "Ready:0/1" }),
        );
        let other = json!({ "name": "db", "healthy": false });
        assert_eq!(observed(&application(json!([]))).unwrap().image, "ghcr.io/o/n:3");
        assert_eq!(health(&application(json!([other, good]))), Health::Healthy);
        assert_eq!(health(&application(json!([good, bad]))), Health::Unhealthy("Ready:0/1".into()));
        assert_eq!(health(&application(json!([other]))), Health::Unknown);
    }

    #[test]
    fn what_is_said_of_the_revision_before_says_nothing() {
        let good = json!([{ "name": "back", "healthy": true }]);
        for (pointer, old) in [
            ("/status/observedGeneration", json!(1)),
            ("/status/workflow/appRevision", json!("app-v1")),
            ("/status/workflow/appRevision", json!(null)),
        ] {
            let mut stale = application(good.clone());
            *stale.pointer_mut(pointer).unwrap() = old;
            assert_eq!(health(&stale), Health::Unknown, "{pointer}");
        }
        let mut published = application(good);
        published["metadata"]["annotations"] = json!({ "app.oam.dev/publishVersion": "2-0a1b" });
        published["status"]["workflow"]["appRevision"] = json!("2-0a1b");
        assert_eq!(health(&published), Health::Healthy);
    }

    #[test]
    fn a_workflow_that_failed_before_it_deployed_is_unhealthy_unless_our_own_step_failed() {
        let mut failed = application(json!([]));
        failed["status"]["status"] = json!("workflowFailed");
        let step =
            |kind: &str| json!([{ "name": "migrate", "type": kind, "phase": "failed", "message": "no" }]);
        failed["status"]["workflow"]["steps"] = step("apply-job");
        assert_eq!(health(&failed), Health::Unhealthy("the workflow's step migrate failed: no".into()));
        failed["status"]["workflow"]["steps"] = step("image-gitops");
        assert_eq!(health(&failed), Health::Unknown);
    }

    #[test]
    fn another_image_is_nothing_to_be_judged() {
        let mut other = application(json!([]));
        other["spec"]["components"][0]["properties"]["tag"] = json!("docker.io/o/m:2");
        assert_eq!(observed(&other), None);
    }
}
