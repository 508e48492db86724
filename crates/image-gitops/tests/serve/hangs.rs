//! Servers that take connections and never answer: whoever does not need them is not kept waiting.

use std::time::Duration;

use image_gitops_tests::{
    git_server::{Fault as GitFault, GitServer, Options},
    registry_server::{Fault, Front, FrontOptions},
};

use crate::scene::{Cluster, FILE, IMAGE, NEW, OLD, ready};

/// More branches than have a turn at a time, and than wait for the same servers.
const BRANCHES: usize = 80;

#[test]
fn a_registry_that_hangs_does_not_hold_up_the_other_resources_of_its_branch() {
    let cluster = Cluster::new();
    let hangs = Front::before(&cluster.scene.registry, FrontOptions::default());
    let text = cluster.scene.file().replace("name: backoffice-dev\n", "name: other\n");
    let text = text.replace(cluster.scene.front.host(), hangs.host());
    cluster.scene.commit("kubevela/other.yaml", &text, "Another Application");
    hangs.on("tags/list", Fault::Hang);
    cluster.apply_application("");
    cluster.apply_resource("  interval: 1h\n");
    let other = cluster.resource("other", "  interval: 1h\n").replace(FILE, "kubevela/other.yaml");
    let other = other.replace(cluster.scene.front.host(), hangs.host());
    cluster.plane.apply(&other.replace("application: backoffice-dev", "application: other")).unwrap();
    let service = cluster.serve(&[]);
    cluster.until_reason("UpToDate");

    cluster.scene.tag(NEW);
    cluster.annotate(&cluster.path("back"), "image-gitops.dev/sync", "1");
    cluster.until_image(NEW);
    let waiting = cluster.plane.get(&cluster.path("other")).unwrap();
    assert_eq!(ready(&waiting), serde_json::Value::Null, "nothing is known of it, so nothing is said");

    hangs.heal();
    // Its next list is there at once, and holds what the first resource made the registry list.
    let updated = cluster.plane.wait_until(&cluster.path("other"), |other| other["status"]["tag"] == NEW);
    assert_eq!(ready(&updated)["status"], "True");
    assert_eq!(service.terminate(), 0);
}

#[test]
fn a_git_server_that_hangs_does_not_hold_up_those_of_other_servers() {
    let cluster = Cluster::new();
    let hangs = GitServer::start(Options::default());
    hangs.on("", GitFault::Delay(Duration::from_secs(600)));
    let mine = &cluster.scene.repository.url;
    let others: Vec<String> = (0..BRANCHES)
        .map(|number| {
            let text = cluster.resource(&format!("other-{number}"), "  interval: 10s\n");
            text.replace(mine.as_str(), &hangs.url(&format!("{IMAGE}-{number}")))
        })
        .collect();
    cluster.plane.apply(&others.join("---\n")).unwrap();
    let service = cluster.serve(&[]);
    // First passes are spread over two seconds. A request that hangs is in no log, so nothing tells that they began.
    std::thread::sleep(Duration::from_secs(3));
    cluster.apply_application("");
    cluster.scene.tag(NEW);
    cluster.apply_resource("  interval: 1h\n");
    cluster.until_image(NEW);
    assert!(cluster.scene.file().contains(NEW) && !cluster.scene.file().contains(OLD));
    drop(service);
}
