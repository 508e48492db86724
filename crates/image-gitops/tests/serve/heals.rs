//! What goes wrong, what is said of it, and that it heals.

use image_gitops_tests::{git, git_server::Options, registry_server::FrontOptions};
use serde_json::json;

use crate::scene::{Cluster, NEW, NEWER, Scene};

#[test]
fn a_secret_that_is_missing_is_named_and_counts_as_soon_as_it_is_there() {
    let cluster = Cluster::new();
    cluster.apply_application("");
    let resource = cluster.resource("back", "  interval: 10s\n");
    cluster.plane.apply(&resource.replace("git: {", "git: {secretRef: {name: github}, ")).unwrap();
    cluster.scene.tag(NEW);
    let _service = cluster.serve(&[]);
    let status = cluster.until_reason("SecretNotFound");
    let message = status["message"].as_str().unwrap();
    assert!(message.contains(&format!("there is no Secret {}/github", cluster.namespace)), "{message}");
    assert!(message.contains("kubectl -n"), "{message}");
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": { "name": "github", "namespace": cluster.namespace }, "stringData": { "token": "ghp_x" },
    });
    cluster.plane.apply(&secret.to_string()).unwrap();
    cluster.until_image(NEW);
}

#[test]
fn a_token_that_is_renewed_counts_without_a_restart() {
    let scene = Scene::with(Options::default().private("bot", "new"), FrontOptions::default());
    let cluster = Cluster::of(scene);
    cluster.apply_application("");
    let secret = |token: &str| {
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "github", "namespace": cluster.namespace },
            "stringData": { "username": "bot", "password": token },
        });
        cluster.plane.apply(&secret.to_string()).unwrap();
    };
    secret("expired");
    let resource = cluster.resource("back", "  interval: 10s\n");
    cluster.plane.apply(&resource.replace("git: {", "git: {secretRef: {name: github}, ")).unwrap();
    cluster.scene.tag(NEW);
    let _service = cluster.serve(&[]);
    let status = cluster.until_reason("GitDenied");
    assert!(status["message"].as_str().unwrap().contains("the token is wrong or has expired"), "{status}");
    assert!(!status.to_string().contains("\"expired\""), "{status}");
    secret("new");
    cluster.until_image(NEW);
}

#[test]
fn a_service_that_is_killed_heals_with_one_commit() {
    let cluster = Cluster::new();
    cluster.apply_application("");
    cluster.apply_resource("  interval: 10s\n");
    let before = cluster.scene.tip();
    let service = cluster.serve(&["--lease", ""]);
    cluster.until_reason("UpToDate");
    cluster.scene.tag(NEW);
    // The commit lands and the process dies before the cluster hears of it, or after: both must end the same way.
    while cluster.scene.tip() == before {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    service.kill();
    let _again = cluster.serve(&["--lease", ""]);
    cluster.until_image(NEW);
    cluster.scene.one_line_since(&before);
    // The status names the commit, whether or not the first life came to say so.
    let tip = cluster.scene.tip();
    cluster.plane.wait_until(&cluster.path("back"), |back| back["status"]["commit"] == tip);
}

#[test]
fn of_two_replicas_one_polls_and_the_other_takes_over() {
    let cluster = Cluster::new();
    cluster.apply_application("");
    cluster.apply_resource("  interval: 10s\n");
    let first = cluster.serve(&[]);
    cluster.until_reason("UpToDate");
    let second = cluster.serve(&[]);
    cluster.scene.tag(NEW);
    cluster.until_image(NEW);
    assert!(!second.log().iter().any(|line| line.contains("polling here")), "both poll");
    // Ended in order, the first gives its Lease back; the second need not wait for the Lease's end.
    assert_eq!(first.terminate(), 0);
    cluster.scene.tag(NEWER);
    cluster.until_image(NEWER);
    assert!(second.log().iter().any(|line| line.contains("polling here")));
    assert_eq!(git::log(&cluster.scene.repository.path, "main").len(), 4);
}
