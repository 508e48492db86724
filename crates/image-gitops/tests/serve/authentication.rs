//! KubeVela with its authentication on: it deploys an Application as whoever wrote it last. The service writes to Git only.

use image_gitops_tests::control_plane::{Api, ControlPlane};
use serde_json::{Value, json};

use crate::scene::{Cluster, NEW, OLD, Scene};

/// Who owns the Application.
const OWNER: &str = "ann";

const USERNAME: &str = "/metadata/annotations/app.oam.dev~1username";

fn cluster() -> Cluster {
    Cluster::on(ControlPlane::shared_with_authentication(), Scene::new())
}

/// The owner, who may write Applications of the namespace and what they become, and nothing elsewhere.
fn owner(cluster: &Cluster) -> Api {
    let role = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
        "metadata": { "name": "owner", "namespace": cluster.namespace },
        "rules": [
            { "apiGroups": ["core.oam.dev"], "resources": ["applications"], "verbs": ["*"] },
            { "apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["*"] },
        ],
    });
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": { "name": "owner", "namespace": cluster.namespace },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "owner" },
        "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": OWNER }],
    });
    cluster.plane.apply(&format!("{role}\n---\n{binding}")).unwrap();
    cluster.plane.as_user(OWNER)
}

/// Waits until KubeVela has deployed the image of `tag`.
#[track_caller]
fn until_deployed(cluster: &Cluster, tag: &str) {
    let path = format!("/apis/apps/v1/namespaces/{}/deployments/back", cluster.namespace);
    let image = cluster.scene.image(tag);
    cluster.plane.wait_until(&path, |deployment| {
        deployment["spec"]["template"]["spec"]["containers"][0]["image"] == image
    });
}

/// Waits until the status says that only Git was changed.
#[track_caller]
fn until_git_only(cluster: &Cluster) {
    let says = "KubeVela's authentication is on, so the Application is changed in Git only";
    cluster.plane.wait_until(&cluster.path("back"), |resource| {
        resource["status"]["tag"] == NEW
            && resource["status"]["message"].as_str().is_some_and(|it| it.contains(says))
    });
}

fn application(cluster: &Cluster) -> Value {
    cluster.plane.get(&cluster.application_path()).unwrap()
}

#[test]
fn an_application_stays_its_owners_and_follows_when_the_owner_applies_it() {
    let cluster = cluster();
    let owner = owner(&cluster);
    owner.apply(&cluster.scene.file()).unwrap();
    assert_eq!(application(&cluster).pointer(USERNAME), Some(&json!(OWNER)));
    until_deployed(&cluster, OLD);
    cluster.apply_resource("  interval: 10s\n  deploy: auto\n");
    let before = cluster.scene.tip();
    cluster.scene.tag(NEW);
    let _service = cluster.serve(&[]);
    until_git_only(&cluster);
    cluster.scene.one_line_since(&before);
    let left = application(&cluster);
    assert_eq!(left.pointer(USERNAME), Some(&json!(OWNER)));
    assert_eq!(cluster.image(), cluster.scene.image(OLD));
    // KubeVela goes on: the owner applies what Git says, and it is deployed as the owner.
    owner.apply(&cluster.scene.file()).unwrap();
    until_deployed(&cluster, NEW);
    assert_eq!(application(&cluster).pointer(USERNAME), Some(&json!(OWNER)));
    cluster.plane.wait_until(&cluster.path("back"), |resource| {
        let message = resource["status"]["message"].as_str().unwrap_or_default();
        crate::scene::ready(resource)["reason"] == "UpToDate" && !message.contains("authentication")
    });
}

#[test]
fn an_application_of_before_authentication_is_not_taken_over() {
    let cluster = cluster();
    // What the controller itself writes is not marked, and so is what was written before there were webhooks.
    let before_webhooks = cluster.plane.as_service_account("vela-system", "kubevela-vela-core").unwrap();
    before_webhooks.apply(&cluster.scene.file()).unwrap();
    assert_eq!(application(&cluster).pointer(USERNAME), None);
    cluster.apply_resource("  interval: 10s\n  deploy: auto\n");
    cluster.scene.tag(NEW);
    let _service = cluster.serve(&[]);
    until_git_only(&cluster);
    let left = application(&cluster);
    assert_eq!(left.pointer(USERNAME), None, "the service has made it its own: {left}");
    assert_eq!(cluster.image(), cluster.scene.image(OLD));
}

#[test]
fn who_writes_an_application_is_who_kubevela_deploys_it_as() {
    // What the rule "Git only" rests on. The administrator of these tests may do everything by a group that does not count.
    let cluster = cluster();
    owner(&cluster);
    cluster.apply_application("");
    let refused = cluster.plane.wait_until(&cluster.application_path(), |application| {
        application["status"].to_string().contains("forbidden")
    });
    assert_eq!(refused.pointer(USERNAME), Some(&json!("admin")));
    assert!(refused["status"].to_string().contains("User \\\"admin\\\" cannot"), "{refused}");
}
