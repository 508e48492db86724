//! A branch that a force push replaces: it is noticed, told, and what was taken away does not come back by itself.

use image_gitops_tests::git::{self, Git};
use serde_json::Value;

use crate::scene::{Cluster, FILE, NEW, NEWER, OLD, Service, ready};

fn cluster() -> Cluster {
    let cluster = Cluster::new();
    cluster.apply_application("");
    cluster.apply_resource("  interval: 10s\n");
    cluster
}

/// A person moves the branch to a commit, whatever it was.
fn force_push(cluster: &Cluster, commit: &str) {
    Git::in_dir(&cluster.scene.repository.path).args(["update-ref", "refs/heads/main", commit]).run();
}

/// Asks to look now, and gives the resource after that.
#[track_caller]
fn look(cluster: &Cluster, wish: &str) -> Value {
    cluster.annotate(&cluster.path("back"), "image-gitops.dev/sync", wish);
    cluster.plane.wait_until(&cluster.path("back"), |back| back["status"]["lastHandledSync"] == wish)
}

fn message(back: &Value) -> String {
    ready(back)["message"].as_str().unwrap().to_owned()
}

/// How often it was told that the branch was replaced.
/// A service that has made one commit, which the status names: it comes last.
fn updated() -> (Cluster, Service, String) {
    let cluster = cluster();
    let service = cluster.serve(&["--lease", ""]);
    cluster.until_reason("UpToDate");
    cluster.scene.tag(NEW);
    look(&cluster, "new");
    cluster.until_image(NEW);
    let ours = cluster.scene.tip();
    cluster.plane.wait_until(&cluster.path("back"), |back| back["status"]["commit"] == ours);
    (cluster, service, ours)
}

/// How many Events tell of it. An Event is written after the status: one is waited for, and more than one is not.
fn told(cluster: &Cluster) -> usize {
    let started = std::time::Instant::now();
    loop {
        let events = cluster.events();
        let of_it = |(kind, reason): &&(String, String)| kind == "ImageGitOps" && reason == "BranchReplaced";
        let told = events.iter().filter(of_it).count();
        if told > 0 || started.elapsed() > std::time::Duration::from_secs(5) {
            return told;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

#[test]
fn a_commit_of_ours_that_a_force_push_takes_away_is_as_good_as_reverted() {
    let (cluster, service, ours) = updated();
    let before = git::rev(&cluster.scene.repository.path, &format!("{ours}^"));
    force_push(&cluster, &before);
    let back = look(&cluster, "replaced");
    assert_eq!(ready(&back)["reason"], "Held", "{back}");
    let said =
        format!("our commit {} is no longer in the branch, which was replaced by a force push", &ours[..7]);
    assert!(message(&back).contains(&said), "{back}");
    assert!(message(&back).contains(&format!("a person went back from {NEW}")), "{back}");
    cluster.until_image(OLD);
    // Nor does it come back later, in another life of the service; and it is told once.
    look(&cluster, "again");
    assert_eq!(told(&cluster), 1, "{:?}", cluster.events());
    service.kill();
    let _again = cluster.serve(&["--lease", ""]);
    let back = look(&cluster, "another life");
    assert_eq!(ready(&back)["reason"], "Held", "{back}");
    assert!(message(&back).contains(&said), "{back}");
    assert_eq!(cluster.scene.tip(), before, "what was taken away came back");
    assert_eq!(told(&cluster), 1, "{:?}", cluster.events());
    // What is newer is taken, and then all is said.
    cluster.scene.tag(NEWER);
    look(&cluster, "newer");
    cluster.until_image(NEWER);
    cluster.scene.one_line_since(&before);
    let back = look(&cluster, "after");
    assert_eq!(ready(&back)["reason"], "UpToDate");
    assert!(!message(&back).contains("force push"), "{back}");
}

#[test]
fn a_history_that_is_rewritten_is_told_and_the_image_that_it_holds_is_kept() {
    let (cluster, _service, _) = updated();
    // All commits made one, as when a large file is taken out of a history.
    let bare = &cluster.scene.repository.path;
    let tree = git::rev(bare, "main^{tree}");
    let one = Git::in_dir(bare).args(["commit-tree", &tree, "-m", "Begin anew"]).run();
    force_push(&cluster, &one);
    let back = look(&cluster, "rewritten");
    assert_eq!(ready(&back)["reason"], "UpToDate", "{back}");
    assert!(message(&back).contains("replaced by a force push"), "{back}");
    assert_eq!(told(&cluster), 1);
    cluster.scene.tag(NEWER);
    look(&cluster, "newer");
    cluster.until_image(NEWER);
    cluster.scene.one_line_since(&one);
}

#[test]
fn a_commit_of_somebody_else_that_is_replaced_is_told() {
    let cluster = cluster();
    let first = cluster.scene.tip();
    let _service = cluster.serve(&["--lease", ""]);
    cluster.until_reason("UpToDate");
    let second = cluster.scene.commit("notes.txt", "a note", "Take a note");
    let back = look(&cluster, "one more commit");
    assert!(!message(&back).contains("force push"), "{back}");
    force_push(&cluster, &first);
    let third = cluster.scene.commit("notes.txt", "another note", "Take another note");
    let back = look(&cluster, "another commit");
    assert!(
        message(&back).contains(&format!("the commit {} is no longer in the branch", &second[..7])),
        "{back}"
    );
    assert_eq!((ready(&back)["reason"].clone(), cluster.scene.tip()), ("UpToDate".into(), third));
    assert_eq!(told(&cluster), 1);
}

#[test]
fn what_people_do_without_force_is_no_force_push() {
    let (cluster, _service, ours) = updated();
    // A revert, a long series of commits, and another branch.
    let reverted = cluster.scene.file().replace(NEW, OLD);
    cluster.scene.commit(FILE, &reverted, "Go back");
    let back = look(&cluster, "reverted");
    assert_eq!(ready(&back)["reason"], "Held");
    assert!(!message(&back).contains("force push"), "{back}");
    for n in 0..70 {
        cluster.scene.commit("notes.txt", &format!("note {n}"), "Take a note");
    }
    let back = look(&cluster, "many commits");
    assert!(!message(&back).contains("force push"), "{back}");
    let bare = &cluster.scene.repository.path;
    Git::in_dir(bare).args(["branch", "other", &format!("{ours}^")]).run();
    let resource = cluster.resource("back", "  interval: 10s\n").replace("branch: main", "branch: other");
    cluster.plane.apply(&resource).unwrap();
    cluster.plane.wait_until(&cluster.path("back"), |back| back["status"]["tag"] == NEW);
    let back = look(&cluster, "another branch");
    assert_eq!(ready(&back)["reason"], "UpToDate");
    assert!(!message(&back).contains("force push"), "{back}");
    assert_eq!(told(&cluster), 0, "{:?}", cluster.events());
}
