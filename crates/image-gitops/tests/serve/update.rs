//! From a pushed tag to a commit, and from the commit to the Application.

use image_gitops_tests::git;

use crate::scene::{Cluster, NEW, NEWER, OLD, ready};

#[test]
fn a_pushed_tag_becomes_a_commit_and_the_application_follows() {
    let cluster = Cluster::new();
    cluster.apply_application("");
    cluster.apply_resource("  interval: 10s\n");
    let before = cluster.scene.tip();
    let service = cluster.serve(&[]);
    let status = cluster.until_reason("UpToDate");
    assert_eq!(status["image"], cluster.scene.image(OLD));
    assert_eq!(cluster.scene.tip(), before, "nothing newer, no commit");

    cluster.scene.tag(NEW);
    cluster.until_image(NEW);
    cluster.scene.one_line_since(&before);
    let commit = &git::log(&cluster.scene.repository.path, "main")[0];
    assert_eq!(commit.subject, format!("🤖 Auto-update image: {}", cluster.scene.image(NEW)));
    let back = cluster.plane.wait_until(&cluster.path("back"), |back| back["status"]["tag"] == NEW);
    let status = &back["status"];
    assert_eq!(status["commit"], cluster.scene.tip());
    assert_eq!(status["image"], cluster.scene.image(NEW));
    assert!(status["digest"].as_str().unwrap().starts_with("sha256:"));
    assert_eq!(status["history"][0]["image"], cluster.scene.image(NEW));
    assert_eq!(status["history"][0]["commit"], cluster.scene.tip());
    assert_eq!(status["history"][1]["image"], cluster.scene.image(OLD));
    assert_eq!(ready(&back)["status"], "True");

    // Events tell it where kubectl describe shows it.
    let told = |kind: &str| cluster.events().contains(&(kind.to_owned(), "ImageUpdated".to_owned()));
    let started = std::time::Instant::now();
    while !(told("ImageGitOps") && told("Application")) {
        assert!(started.elapsed() < crate::scene::PATIENCE, "{:?}", cluster.events());
    }
    // And the Application carries a mark by which KubeVela noticed.
    let application = cluster.plane.get(&cluster.application_path()).unwrap();
    let mark = application["metadata"]["annotations"]["image-gitops.dev/status"].as_str().unwrap();
    assert!(mark.contains(NEW), "{mark}");
    assert_eq!(service.terminate(), 0);
    assert_eq!(cluster.scene.image(NEW), cluster.image());
}

#[test]
fn an_annotation_on_the_application_or_the_resource_asks_to_look_now() {
    let cluster = Cluster::new();
    cluster.apply_application("");
    cluster.apply_resource("  interval: 1h\n");
    let _service = cluster.serve(&[]);
    cluster.until_reason("UpToDate");
    cluster.scene.tag(NEW);
    cluster.annotate(&cluster.application_path(), "fluxcd.io/reconcile", "1");
    cluster.until_image(NEW);
    cluster.scene.tag(NEWER);
    cluster.annotate(&cluster.path("back"), "image-gitops.dev/sync", "2");
    cluster.until_image(NEWER);
}

#[test]
fn an_application_that_others_apply_is_left_to_them() {
    let cluster = Cluster::new();
    cluster.apply_application("  annotations: {argocd.argoproj.io/tracking-id: a}\n");
    cluster.apply_resource("");
    cluster.scene.tag(NEW);
    let _service = cluster.serve(&[]);
    let status = cluster.until_reason("Updated");
    assert!(status["message"].as_str().unwrap().contains("it is applied by Argo CD"), "{status}");
    assert_eq!(cluster.image(), cluster.scene.image(OLD));
}

#[test]
fn with_kubevelas_authentication_on_only_git_changes() {
    let cluster = Cluster::new();
    cluster.apply_application("  annotations: {app.oam.dev/username: ann}\n");
    cluster.apply_resource("");
    cluster.scene.tag(NEW);
    let _service = cluster.serve(&[]);
    let status = cluster.until_reason("Updated");
    assert!(status["message"].as_str().unwrap().contains("authentication is on"), "{status}");
    let application = cluster.plane.get(&cluster.application_path()).unwrap();
    assert_eq!(cluster.image(), cluster.scene.image(OLD));
    assert_eq!(application["metadata"]["annotations"]["image-gitops.dev/status"], serde_json::Value::Null);
}

#[test]
fn git_only_leaves_the_cluster_alone() {
    let cluster = Cluster::new();
    cluster.apply_application("");
    cluster.apply_resource("  deploy: git-only\n");
    cluster.scene.tag(NEW);
    let _service = cluster.serve(&[]);
    cluster.until_reason("Updated");
    assert_eq!(cluster.image(), cluster.scene.image(OLD));
}

#[test]
fn a_persons_revert_is_obeyed_in_the_cluster_too() {
    let (cluster, _service, old) = Cluster::updated();
    cluster.scene.commit(crate::scene::FILE, &old, "Revert: the login page broke");
    let reverted = cluster.scene.tip();
    cluster.until_reason("Held");
    cluster.until_image(OLD);
    assert_eq!(cluster.scene.tip(), reverted);
    cluster.scene.tag(NEWER);
    cluster.until_image(NEWER);
}

#[test]
fn a_publish_version_follows_so_that_kubevela_takes_the_spec() {
    let cluster = Cluster::new();
    let with = cluster
        .scene
        .file()
        .replace("metadata:\n", "metadata:\n  annotations:\n    app.oam.dev/publishVersion: first\n");
    cluster.scene.commit(crate::scene::FILE, &with, "Publish by version");
    cluster.apply_application("");
    cluster.apply_resource("");
    cluster.scene.tag(NEW);
    let _service = cluster.serve(&[]);
    cluster.until_image(NEW);
    let application = cluster.plane.get(&cluster.application_path()).unwrap();
    let version = application["metadata"]["annotations"]["app.oam.dev/publishVersion"].as_str().unwrap();
    assert!(cluster.scene.file().contains(&format!("app.oam.dev/publishVersion: {version}")), "{version}");
    assert_ne!(version, "first");
}

#[test]
fn resources_of_one_branch_make_one_commit() {
    let cluster = Cluster::new();
    let second = cluster.scene.file().replace("name: backoffice-dev\n", "name: front\n");
    cluster.scene.commit("kubevela/front.yaml", &second, "Add the front");
    cluster.apply_application("");
    let front = cluster
        .resource("front", "")
        .replace("application: backoffice-dev", "application: front")
        .replace(crate::scene::FILE, "kubevela/front.yaml");
    cluster.scene.tag(NEW);
    cluster.plane.apply(&format!("{}---\n{front}", cluster.resource("back", ""))).unwrap();
    let before = cluster.scene.tip();
    let _service = cluster.serve(&[]);
    cluster.until_image(NEW);
    cluster.plane.wait_until(&cluster.path("front"), |front| front["status"]["tag"] == NEW);
    let log = git::log(&cluster.scene.repository.path, "main");
    assert_eq!(log[0].subject, format!("🤖 Auto-update image: {} (+1)", cluster.scene.image(NEW)));
    assert_eq!(git::rev(&cluster.scene.repository.path, "main~1"), before);
}
