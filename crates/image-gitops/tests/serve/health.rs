//! An update that makes the component unhealthy: held, taken back, or not minded. KubeVela's controller says how the
//! component is; what a Deployment's controller would write, the test does.

use image_gitops_tests::git::{self, Git};
use serde_json::{Value, json};

use crate::scene::{Cluster, FILE, NEW, NEWER, OLD, Service, ready};

const TIMEOUT: &str = "healthTimeout: 3s";

/// Writes the status of the Deployment once it has the image of `tag`: its pods run, or none does.
#[track_caller]
fn pods(cluster: &Cluster, tag: &str, run: bool) {
    let path = format!("/apis/apps/v1/namespaces/{}/deployments/back", cluster.namespace);
    let image = json!(cluster.scene.image(tag));
    let deployment = cluster.plane.wait_until(&path, |deployment| {
        deployment["spec"]["template"]["spec"]["containers"][0]["image"] == image
    });
    let ready = u32::from(run);
    let status = json!({ "status": {
        "observedGeneration": deployment["metadata"]["generation"], "replicas": 1, "updatedReplicas": 1,
        "readyReplicas": ready, "availableReplicas": ready,
    }});
    cluster.plane.request("PATCH", &format!("{path}/status"), Some(&status)).unwrap();
}

/// Waits until the status says that of the image of `tag`.
#[track_caller]
fn until_phase(cluster: &Cluster, tag: &str, phase: &str) -> Value {
    let image = json!(cluster.scene.image(tag));
    let is = |back: &Value| {
        let rollout = &back["status"]["rollout"];
        rollout["image"] == image && rollout["phase"] == phase
    };
    cluster.plane.wait_until(&cluster.path("back"), is)
}

/// A service, and an Application that is healthy with [`OLD`].
fn healthy(updates: &str) -> (Cluster, Service) {
    let cluster = Cluster::new();
    cluster.apply_application("");
    pods(&cluster, OLD, true);
    cluster.apply_resource(&format!("  interval: 10s\n  updates: {{{updates}}}\n"));
    let service = cluster.serve(&["--lease", ""]);
    until_phase(&cluster, OLD, "Healthy");
    (cluster, service)
}

/// Has a pass happen, and waits for its end.
fn look(cluster: &Cluster, wish: &str) {
    cluster.annotate(&cluster.path("back"), "image-gitops.dev/sync", wish);
    cluster.plane.wait_until(&cluster.path("back"), |back| back["status"]["lastHandledSync"] == wish);
}

fn subjects(cluster: &Cluster) -> Vec<String> {
    git::log(&cluster.scene.repository.path, "main").into_iter().map(|commit| commit.subject).collect()
}

#[test]
fn an_update_that_makes_the_component_unhealthy_holds_the_next_ones_until_it_is_healthy() {
    let (cluster, service) = healthy(TIMEOUT);
    cluster.scene.tag(NEW);
    cluster.until_image(NEW);
    pods(&cluster, NEW, false);
    let status = cluster.until_reason("Unhealthy");
    let message = status["message"].as_str().unwrap();
    assert!(message.contains(&format!("since the update to {NEW} (Ready:0/1)")), "{message}");
    assert!(message.contains("revert the commit"), "{message}");
    let back = cluster.plane.get(&cluster.path("back")).unwrap();
    assert_eq!(ready(&back)["status"], "False");
    assert_eq!(back["status"]["rollout"]["before"], cluster.scene.image(OLD));
    // Something newer is not written, by this service nor by the one after it.
    let before = cluster.scene.tip();
    cluster.scene.tag(NEWER);
    look(&cluster, "1");
    service.kill();
    let _again = cluster.serve(&["--lease", ""]);
    look(&cluster, "2");
    cluster.until_reason("Unhealthy");
    assert_eq!(cluster.scene.tip(), before);
    // Its pods come up after all.
    pods(&cluster, NEW, true);
    cluster.until_image(NEWER);
    cluster.scene.one_line_since(&before);
    assert!(cluster.events().contains(&("ImageGitOps".into(), "Unhealthy".into())), "{:?}", cluster.events());
}

#[test]
fn a_person_who_changes_the_image_releases_the_hold() {
    let (cluster, _service) = healthy(TIMEOUT);
    let old = cluster.scene.file();
    cluster.scene.tag(NEW);
    cluster.until_image(NEW);
    pods(&cluster, NEW, false);
    cluster.until_reason("Unhealthy");
    cluster.scene.commit(FILE, &old, "Revert: no pod comes up");
    cluster.until_image(OLD);
    let status = cluster.until_reason("Held");
    assert!(status["message"].as_str().unwrap().contains(&format!("went back from {NEW}")), "{status}");
    cluster.scene.tag(NEWER);
    cluster.until_image(NEWER);
}

#[test]
fn an_update_that_makes_the_component_unhealthy_is_taken_back_once_where_the_resource_says_so() {
    let (cluster, service) = healthy(&format!("onUnhealthy: revert, {TIMEOUT}"));
    let old = cluster.scene.file();
    cluster.scene.tag(NEW);
    cluster.until_image(NEW);
    let updated = cluster.scene.tip();
    pods(&cluster, NEW, false);
    // It dies as soon as the commit is there, whether or not the cluster heard of it.
    while cluster.scene.tip() == updated {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    service.kill();
    let reverted = cluster.scene.tip();
    cluster.scene.one_line_since(&updated);
    assert_eq!(cluster.scene.file(), old);
    let subject =
        format!("🤖 Auto-update image: {} (back from {NEW}, which is unhealthy)", cluster.scene.image(OLD));
    assert_eq!(subjects(&cluster)[0], subject);
    let body = Git::in_dir(&cluster.scene.repository.path).args(["log", "-1", "--format=%B", "main"]).run();
    assert!(body.contains("  why: Ready:0/1\n"), "{body}");
    assert!(body.contains("Image-GitOps-Reverted: "), "{body}");

    let again = cluster.serve(&["--lease", ""]);
    cluster.until_image(OLD);
    let status = cluster.until_reason("Held");
    assert!(
        status["message"].as_str().unwrap().contains(&format!("{NEW} made the component unhealthy")),
        "{status}"
    );
    // The old image is unhealthy too, for as long as its pods take: nothing more is taken back.
    pods(&cluster, OLD, false);
    until_phase(&cluster, OLD, "Unhealthy");
    std::thread::sleep(std::time::Duration::from_secs(4));
    look(&cluster, "1");
    assert_eq!(cluster.scene.tip(), reverted);
    drop(again);
    // What is newer than what was taken back is written.
    let _third = cluster.serve(&["--lease", ""]);
    cluster.scene.tag(NEWER);
    cluster.until_image(NEWER);
    cluster.scene.one_line_since(&reverted);
}

#[test]
fn an_image_to_go_back_to_that_is_gone_is_not_written() {
    let (cluster, _service) = healthy(&format!("onUnhealthy: revert, {TIMEOUT}"));
    cluster.scene.tag(NEW);
    cluster.until_image(NEW);
    let updated = cluster.scene.tip();
    cluster.scene.registry.untag(crate::scene::IMAGE, OLD);
    pods(&cluster, NEW, false);
    let status = cluster.until_reason("Unhealthy");
    assert!(status["message"].as_str().unwrap().contains(&format!("no longer has {OLD}")), "{status}");
    assert_eq!(cluster.scene.tip(), updated);
}

#[test]
fn what_was_unhealthy_before_the_update_holds_nothing() {
    let cluster = Cluster::new();
    cluster.apply_application("");
    pods(&cluster, OLD, false);
    cluster.apply_resource(&format!("  interval: 10s\n  updates: {{onUnhealthy: revert, {TIMEOUT}}}\n"));
    let _service = cluster.serve(&[]);
    until_phase(&cluster, OLD, "Unhealthy");
    cluster.scene.tag(NEW);
    cluster.until_image(NEW);
    pods(&cluster, NEW, false);
    until_phase(&cluster, NEW, "Unhealthy");
    std::thread::sleep(std::time::Duration::from_secs(4));
    cluster.scene.tag(NEWER);
    cluster.until_image(NEWER);
    assert_eq!(subjects(&cluster).len(), 4, "{:?}", subjects(&cluster));
}

#[test]
fn where_the_resource_says_so_nothing_is_minded() {
    let (cluster, _service) = {
        let cluster = Cluster::new();
        cluster.apply_application("");
        pods(&cluster, OLD, true);
        cluster
            .apply_resource(&format!("  interval: 10s\n  updates: {{onUnhealthy: continue, {TIMEOUT}}}\n"));
        let service = cluster.serve(&[]);
        cluster.until_reason("UpToDate");
        (cluster, service)
    };
    cluster.scene.tag(NEW);
    cluster.until_image(NEW);
    pods(&cluster, NEW, false);
    std::thread::sleep(std::time::Duration::from_secs(4));
    cluster.scene.tag(NEWER);
    cluster.until_image(NEWER);
    let back = cluster.plane.get(&cluster.path("back")).unwrap();
    assert!(back["status"]["rollout"].is_null(), "{back}");
}
