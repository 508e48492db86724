//! A person wins, and Git itself says so.

use image_gitops_tests::git::{self, Git};

use crate::scene::{FILE, NEW, NEWER, OLD, Scene};

/// Updates to [`NEW`], then a person runs `git revert` and pushes.
fn reverted() -> (Scene, String) {
    let scene = Scene::new();
    scene.tag(NEW);
    scene.run("sync").is(0, &["updated"]);
    let clone = scene.write("x", "").parent().unwrap().join("clone");
    git::clone(&scene.repository.url, &clone);
    Git::in_dir(&clone).args(["revert", "--no-edit", "HEAD"]).run();
    Git::in_dir(&clone).args(["push", "--quiet", "origin", "HEAD:main"]).run();
    let tip = scene.tip();
    (scene, tip)
}

#[test]
fn a_revert_is_obeyed() {
    let (scene, reverted) = reverted();
    for _ in 0..2 {
        scene.run("sync").is(0, &["held backoffice-dev/back", &format!("a person went back from {NEW}")]);
    }
    assert_eq!(scene.tip(), reverted);
}

#[test]
fn a_revert_is_obeyed_until_something_newer_than_what_was_reverted() {
    let (scene, reverted) = reverted();
    scene.tag("main-bbbbbbb-1627200000"); // between OLD and NEW
    scene.run("sync").is(0, &["held"]);
    assert_eq!(scene.tip(), reverted);
    scene.tag(NEWER);
    scene.run("sync").is(0, &[&format!("{OLD} -> {NEWER}")]);
    scene.one_line_since(&reverted);
}

#[test]
fn explain_says_what_holds_a_resource_back() {
    let (scene, _) = reverted();
    scene.run("explain").is(0, &["held: a person went back", &format!("floor: {NEW} (our last commit")]);
    // Where downgrades are allowed a person is obeyed all the same, and the floors say so.
    let downgrade = scene.policy("back", "").replace("order: desc", "order: desc, allowDowngrade: true");
    scene.write("policy.yaml", &downgrade);
    scene.run("explain").is(0, &["held: a person went back", &format!("floor: {NEW} (our last commit")]);
    let pinned = scene.application(OLD).replace("# kept up to date", "# image-gitops: pinned");
    scene.commit(FILE, &pinned, "Pin");
    scene.run("explain").is(0, &["held: pinned by the comment"]);
}

#[test]
fn explain_passes_over_what_is_suspended_as_a_pass_does() {
    let scene = Scene::new();
    let other = scene.policy("other", "  suspend: true\n").replace("kubevela/", "elsewhere/");
    scene.write("policy.yaml", &format!("{}---\n{other}", scene.policy("back", "")));
    scene.run("explain").is(0, &["spec.suspend is true", &format!("floor: {OLD}")]);
}

#[test]
fn a_revert_is_obeyed_behind_a_hundred_commits_of_other_people() {
    let (scene, _) = reverted();
    for n in 0..100 {
        scene.commit("notes.txt", &n.to_string(), "Take a note");
    }
    scene.run("sync").is(0, &["held"]);
}

#[test]
fn a_tag_that_the_policy_does_not_match_is_left_alone_after_us_and_replaced_before() {
    let scene = Scene::new();
    scene.tag("hotfix");
    scene.commit(FILE, &scene.application("hotfix"), "Start from a hotfix");
    scene.run("sync").is(0, &["updated", &format!("hotfix -> {OLD}")]);
    let tip = scene.commit(FILE, &scene.application("hotfix"), "Back to the hotfix");
    scene.tag(NEW);
    scene.run("sync").is(0, &["held", "by hotfix, which the policy does not match"]);
    assert_eq!(scene.tip(), tip);
}

#[test]
fn a_pinned_line_is_left_alone_until_the_comment_is_gone() {
    let scene = Scene::new();
    let pinned = scene.application(OLD).replace("# kept up to date", "# image-gitops: pinned");
    let tip = scene.commit(FILE, &pinned, "Pin");
    scene.tag(NEW);
    scene.run("sync").is(0, &["held", "pinned by the comment"]);
    assert_eq!(scene.tip(), tip);
    let tip = scene.commit(FILE, &scene.application(OLD), "Go on");
    scene.run("sync").is(0, &["updated"]);
    scene.one_line_since(&tip);
}

#[test]
fn clusters_that_share_a_repository_and_a_resources_name_do_not_hold_each_other_back() {
    let scene = Scene::new();
    let paths = ["clusters/eu/app.yaml", "clusters/us/app.yaml"];
    for path in paths {
        scene.commit(path, &scene.application(OLD), "Describe the application");
    }
    scene.tag(NEW);
    for path in paths {
        let before = scene.tip();
        scene.write("policy.yaml", &scene.policy("back", "").replace(FILE, path));
        scene.run("sync").is(0, &["updated backoffice-dev/back", path]);
        scene.one_line_since(&before);
    }
    // And a person of one of the two is obeyed in that one.
    let tip = scene.commit(paths[0], &scene.application(OLD), "Back, in Europe");
    for (path, outcome) in paths.into_iter().zip(["held", "up to date"]) {
        scene.write("policy.yaml", &scene.policy("back", "").replace(FILE, path));
        scene.run("sync").is(0, &[outcome]);
    }
    assert_eq!(scene.tip(), tip);
}

#[test]
fn a_suspended_resource_is_not_looked_at() {
    let scene = Scene::new();
    scene.tag(NEW);
    let tip = scene.tip();
    scene.write("policy.yaml", &scene.policy("back", "  suspend: true\n"));
    scene.run("sync").is(0, &["suspended backoffice-dev/back"]);
    assert_eq!((scene.tip(), scene.server.requests().len(), scene.front.requests().len()), (tip, 0, 0));
}
