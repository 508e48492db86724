//! What goes wrong on the way, and how it is told.

use std::{
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use image_gitops_tests::{
    git,
    git_server::{Fault, Options},
    registry_server::{Answer, Fault as RegistryFault, FrontOptions},
};

use crate::scene::{IMAGE, NEW, OLD, Scene, ran};

#[test]
fn a_branch_that_moved_is_read_again_and_both_commits_are_kept() {
    let scene = Scene::new();
    scene.tag(NEW);
    let bare = scene.repository.path.clone();
    scene.server.before("POST /legolas49/back-dev-bfirstai/git-receive-pack", move || {
        git::commit_files(bare, "main", &[("notes.txt", b"a note")], "Take a note");
    });
    scene.run("sync").is(0, &["updated"]);
    git::fsck(&scene.repository.path);
    let subjects: Vec<String> =
        git::log(&scene.repository.path, "main").into_iter().map(|c| c.subject).collect();
    assert_eq!(subjects.len(), 3);
    assert_eq!(subjects[1], "Take a note");
}

#[test]
fn a_person_who_updates_at_the_worst_moment_is_not_overruled() {
    let scene = Scene::new();
    scene.tag(NEW);
    let (bare, file) = (scene.repository.path.clone(), scene.application(NEW));
    scene.server.before("POST /legolas49/back-dev-bfirstai/git-receive-pack", move || {
        git::commit_files(bare, "main", &[(crate::scene::FILE, file.as_bytes())], "Update by hand");
    });
    scene.run("sync").is(0, &["up to date"]);
    assert_eq!(git::log(&scene.repository.path, "main")[0].subject, "Update by hand");
}

#[test]
fn twelve_writers_of_one_branch_all_land_with_a_commit_each() {
    let scene = Scene::new();
    scene.tag(NEW);
    let names: Vec<String> = (0..12).map(|n| format!("app{n}")).collect();
    for name in &names {
        scene.commit(&format!("kubevela/{name}.yaml"), &scene.application(OLD), "Describe the application");
        let policy = scene.policy(name, "").replace("backoffice-dev.yaml", &format!("{name}.yaml"));
        scene.write(&format!("{name}.yaml"), &policy);
    }
    let start = |name: &String| {
        let mut command = scene.command(&["sync", "-f", &format!("{name}.yaml")]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let children: Vec<_> = names.iter().map(start).collect();
    for child in children {
        ran(child.wait_with_output().unwrap()).is(0, &["updated"]);
    }
    git::fsck(&scene.repository.path);
    let ours = git::log(&scene.repository.path, "main");
    assert_eq!(ours.iter().filter(|commit| commit.subject.contains("Auto-update image")).count(), 12);
    for name in &names {
        let file = git::show(&scene.repository.path, "main", &format!("kubevela/{name}.yaml"));
        assert_eq!(String::from_utf8(file).unwrap(), scene.application(NEW), "{name}");
    }
}

#[test]
fn a_branch_that_moves_every_time_is_given_up_with_its_own_exit_code() {
    let scene = Scene::new();
    scene.tag(NEW);
    let (bare, count) = (scene.repository.path.clone(), AtomicUsize::new(0));
    let move_it = move || {
        let note = format!("note {}", count.fetch_add(1, Ordering::Relaxed));
        git::commit_files(&bare, "main", &[("notes.txt", note.as_bytes())], &note);
    };
    scene.server.on("POST /legolas49/back-dev-bfirstai/git-receive-pack", Fault::Run(Arc::new(move_it)));
    scene.run("sync").is(4, &["moved backoffice-dev/back", "hint:"]);
    assert!(scene.file().contains(OLD));
}

#[test]
fn a_hook_that_refuses_is_final_and_its_words_reach_the_user() {
    let scene = Scene::new();
    scene.tag(NEW);
    git::hook(&scene.repository.path, "pre-receive", "echo 'Freeze until Monday' >&2; exit 1");
    scene.run("sync").is(3, &["refused backoffice-dev/back", "Freeze until Monday", "hint:"]);
    let pushes = scene
        .server
        .requests()
        .iter()
        .filter(|r| r.line().starts_with("POST") && r.target.contains("receive-pack"))
        .count();
    assert_eq!(pushes, 1);
}

#[test]
fn a_wrong_token_is_told_from_a_missing_one() {
    let scene = Scene::with(Options::default().public("bot", "right"), FrontOptions::default());
    scene.tag(NEW);
    scene.run("sync").is(1, &["failed", "hint:", "secretRef"]);
    let secret = "---\napiVersion: v1\nkind: Secret\nmetadata: {name: write, namespace: backoffice-dev}\nstringData: {username: bot, password: wrong}\n";
    let policy = scene.policy("back", "").replace("branch: main,", "branch: main, secretRef: {name: write},");
    scene.write("policy.yaml", &format!("{policy}{secret}"));
    let ran = scene.run("sync").is(1, &["failed", "hint:", "the token is wrong or has expired"]);
    assert!(!format!("{}{}", ran.out, ran.err).contains("wrong\""), "the password was printed");
    scene.write("policy.yaml", &format!("{policy}{}", secret.replace("password: wrong", "password: right")));
    scene.run("sync").is(0, &["updated"]);
}

#[test]
fn a_missing_branch_is_told_with_those_that_are_there() {
    let scene = Scene::new();
    scene.write("policy.yaml", &scene.policy("back", "").replace("branch: main", "branch: develop"));
    scene.run("sync").is(1, &["has no branch develop", "main", "hint:"]);
}

#[test]
fn a_cut_connection_writes_nothing_and_says_so() {
    let scene = Scene::new();
    scene.tag(NEW);
    let before = scene.tip();
    scene.server.on("POST /legolas49/back-dev-bfirstai/git-upload-pack", Fault::CutAfter(20));
    scene.run("sync").is(1, &["failed", "cut", "hint:"]);
    assert_eq!(scene.tip(), before);
}

#[test]
fn a_push_whose_answer_is_lost_is_not_made_twice() {
    let scene = Scene::new();
    scene.tag(NEW);
    let before = scene.tip();
    scene.server.once("POST /legolas49/back-dev-bfirstai/git-receive-pack", Fault::DropAnswer);
    scene.run("sync").is(0, &["updated"]);
    scene.one_line_since(&before);
}

#[test]
fn a_web_page_in_place_of_git_is_told() {
    let scene = Scene::new();
    scene.server.on("info/refs", Fault::web_page());
    scene.run("sync").is(1, &["not a Git server", "hint:"]);
}

#[test]
fn an_error_on_one_page_of_the_list_changes_nothing() {
    let scene = Scene::with(Options::default(), FrontOptions { page: Some(2), ..FrontOptions::default() });
    for tag in ["a", "b", "c", NEW] {
        scene.tag(tag);
    }
    let before = scene.tip();
    scene.front.on("last=", RegistryFault::json(500, "{}"));
    scene.run("sync").is(1, &["failed", "status 500"]);
    assert_eq!(scene.tip(), before);
    scene.front.heal();
    scene.run("sync").is(0, &["updated"]);
}

#[test]
fn an_empty_list_changes_nothing() {
    let scene = Scene::new();
    let before = scene.tip();
    scene.front.on("tags/list", RegistryFault::json(200, r#"{"name":"x","tags":[]}"#));
    scene.run("sync").is(3, &["refused", "an empty list changes nothing"]);
    scene.front.heal();
    scene.front.on("tags/list", RegistryFault::json(200, r#"{"name":"x","tags":["latest"]}"#));
    scene.run("sync").is(3, &["refused", "none of the 1 tags", "image-gitops explain"]);
    assert_eq!(scene.tip(), before);
}

#[test]
fn a_registry_that_asks_to_wait_is_obeyed_or_told() {
    let scene = Scene::new();
    scene.tag(NEW);
    let busy = |seconds: &str| RegistryFault::Answer(Answer::json(429, "{}").header("retry-after", seconds));
    scene.front.on("tags/list", busy("7200"));
    scene.run("sync").is(1, &["failed", "asks to wait"]);
    scene.front.heal();
    scene.front.once("tags/list", busy("1"));
    scene.run("sync").is(0, &["updated"]);
}

#[test]
fn a_private_image_is_told_as_denied() {
    let scene = Scene::new();
    let private = scene.policy("back", "").replace(IMAGE, "legolas49/private");
    scene.write(
        "policy.yaml",
        &private.replace(&scene.repository.url.replace(IMAGE, "legolas49/private"), &scene.repository.url),
    );
    scene.run("sync").is(1, &["failed", "refuses anonymous readers", "hint:"]);
}

#[test]
fn check_tells_each_access_apart() {
    let scene = Scene::with(Options::default().public("bot", "right"), FrontOptions::default());
    scene.run("check").is(
        1,
        &[
            "ok   backoffice-dev/back registry",
            "ok   backoffice-dev/back file",
            "FAIL backoffice-dev/back push",
            "hint:",
        ],
    );
    assert!(
        !scene
            .server
            .requests()
            .iter()
            .any(|r| r.line().contains("POST") && r.target.contains("receive-pack"))
    );
    let open = Scene::new();
    open.run("check").is(0, &["ok   backoffice-dev/back push"]);
}
