//! `run` keeps going and ends cleanly.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::Duration,
};

use image_gitops_tests::{git, registry_server::Fault};

use crate::scene::{NEW, Scene};

fn terminate(child: &mut Child) -> i32 {
    let kill = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(kill.success());
    child.wait().unwrap().code().unwrap_or(-1)
}

fn start(scene: &Scene, more: &[&str]) -> (Child, impl Iterator<Item = String> + use<>) {
    let mut arguments = vec!["run", "-f", "policy.yaml"];
    arguments.extend(more);
    let mut child = scene.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    (child, lines)
}

#[test]
fn a_signal_ends_it_cleanly_between_two_passes() {
    let scene = Scene::new();
    scene.tag(NEW);
    let before = scene.tip();
    let (mut child, mut lines) = start(&scene, &[]);
    assert!(lines.any(|line| line.starts_with("commit ")), "no commit was made");
    assert_eq!(terminate(&mut child), 0);
    scene.one_line_since(&before);
}

#[test]
fn a_signal_ends_a_wait_for_a_server_at_once() {
    let scene = Scene::new();
    scene.front.on("tags/list", Fault::Hang);
    let (mut child, mut lines) = start(&scene, &[]);
    while scene.server.requests().is_empty() {
        std::thread::sleep(Duration::from_millis(20)); // until the pass is under way
    }
    assert_eq!(terminate(&mut child), 0);
    assert_eq!(lines.next(), None, "the pass was waited for, and told");
}

#[test]
fn a_signal_does_not_cut_a_push() {
    let scene = Scene::new();
    scene.tag(NEW);
    let before = scene.tip();
    let (seen, wait) = mpsc::channel();
    scene.server.before("POST /legolas49/back-dev-bfirstai/git-receive-pack", move || {
        seen.send(()).unwrap();
        std::thread::sleep(Duration::from_secs(2));
    });
    let (mut child, lines) = start(&scene, &[]);
    wait.recv().unwrap();
    assert_eq!(terminate(&mut child), 0);
    assert!(lines.into_iter().any(|line| line.starts_with("commit ")), "the commit was not told");
    scene.one_line_since(&before);
}

#[test]
fn a_tag_that_is_pushed_later_lands_with_a_later_pass() {
    let scene = Scene::new();
    let before = scene.tip();
    let (mut child, mut lines) = start(&scene, &["--interval", "10s", "--output", "json"]);
    let first: serde_json::Value = serde_json::from_str(&lines.next().unwrap()).unwrap();
    assert_eq!(first["resources"][0]["status"], "up-to-date");
    scene.tag(NEW);
    let second: serde_json::Value = serde_json::from_str(&lines.next().unwrap()).unwrap();
    assert_eq!(second["resources"][0]["status"], "updated");
    assert_eq!(terminate(&mut child), 0);
    scene.one_line_since(&before);
    // A pass over a branch that did not move asks for its tip alone: nothing is fetched twice.
    let fetched = second["cost"]["objects"].as_u64().unwrap();
    assert_eq!(fetched, 0, "objects were fetched again");
}

#[test]
fn a_failure_does_not_end_it() {
    let scene = Scene::new();
    scene.tag(NEW);
    scene.server.once("info/refs", image_gitops_tests::git_server::Fault::status(403, "not today"));
    let (mut child, mut lines) = start(&scene, &["--interval", "10s", "--output", "json"]);
    let first: serde_json::Value = serde_json::from_str(&lines.next().unwrap()).unwrap();
    assert_eq!(first["resources"][0]["status"], "failed");
    let second: serde_json::Value = serde_json::from_str(&lines.next().unwrap()).unwrap();
    assert_eq!(second["resources"][0]["status"], "updated");
    assert_eq!(terminate(&mut child), 0);
    git::fsck(&scene.repository.path);
}
