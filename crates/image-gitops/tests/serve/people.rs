//! A person wins, in the cluster too, and at the worst moment: while a pass is under way.

use std::time::Duration;

use image_gitops_tests::git::{self, Git};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};

use crate::scene::{Cluster, FILE, NEW, NEWER, OLD};

/// Long enough for a pass that should not write to have written.
const QUIET: Duration = Duration::from_secs(3);

/// A freeze that ends so many seconds from now, as a part of the spec, and its end.
pub(crate) fn freeze(seconds: i64) -> (String, Timestamp) {
    let end = Timestamp::now() + SignedDuration::from_secs(seconds);
    let end = Timestamp::from_second(end.as_second()).unwrap();
    let clock = end.to_zoned(TimeZone::UTC).strftime("%Y-%m-%dT%H:%M:%S").to_string();
    (format!("  updates: {{freeze: [{{from: '2026-01-01', to: '{clock}', reason: the fair}}]}}\n"), end)
}

#[test]
fn what_waits_for_a_window_is_told_and_written_when_it_opens() {
    let cluster = Cluster::new();
    cluster.apply_application("");
    let (updates, end) = freeze(12);
    cluster.apply_resource(&format!("  interval: 1h\n{updates}"));
    cluster.scene.tag(NEW);
    let before = cluster.scene.tip();
    let _service = cluster.serve(&[]);
    let status = cluster.until_reason("Waiting");
    let message = status["message"].as_str().unwrap();
    assert!(message.starts_with(&format!("{NEW} waits until ")), "{message}");
    assert!(message.contains("updates are frozen (the fair)"), "{message}");
    assert_eq!(status["image"], cluster.scene.image(OLD));
    // Whoever asks to look now does not open it.
    cluster.annotate(&cluster.path("back"), "image-gitops.dev/sync", "now");
    cluster.plane.wait_until(&cluster.path("back"), |back| back["status"]["lastHandledSync"] == "now");
    assert_eq!(cluster.scene.tip(), before);
    // Nobody asks again: the service comes back by itself, long before the interval.
    cluster.until_image(NEW);
    cluster.scene.one_line_since(&before);
    let time = Git::in_dir(&cluster.scene.repository.path).args(["log", "-1", "--format=%ct", "main"]).run();
    assert!(time.parse::<i64>().unwrap() >= end.as_second(), "committed at {time}, before {end}");
}

#[test]
fn in_a_cluster_a_tag_is_as_old_as_it_was_seen_and_not_as_it_says() {
    let cluster = Cluster::new();
    cluster.apply_application("");
    cluster.apply_resource("  interval: 1h\n  updates: {minAge: 8s}\n");
    let service = cluster.serve(&["--lease", ""]);
    cluster.until_reason("UpToDate");
    let before = cluster.scene.tip();
    let pushed = Timestamp::now();
    cluster.scene.registry.push_image_created(crate::scene::IMAGE, NEW, "2020-01-01T00:00:00Z");
    cluster.annotate(&cluster.path("back"), "image-gitops.dev/sync", "1");
    let status = cluster.until_reason("Waiting");
    assert!(status["message"].as_str().unwrap().ends_with("it must be 8s old"), "{status}");
    let waiting = status["waiting"][0].clone();
    assert_eq!(waiting["tag"], NEW);
    let since: Timestamp = waiting["since"].as_str().unwrap().parse().unwrap();
    assert!(since.as_second() >= pushed.as_second(), "{waiting}");
    // The status remembers it, not the process.
    service.kill();
    let _again = cluster.serve(&["--lease", ""]);
    cluster.until_image(NEW);
    assert!(Timestamp::now().as_second() >= since.as_second() + 8, "written too early");
    cluster.scene.one_line_since(&before);
    let back = cluster.plane.wait_until(&cluster.path("back"), |back| back["status"]["tag"] == NEW);
    assert_eq!(back["status"]["waiting"][0]["since"], waiting["since"], "the age began anew");
    // What was written is not watched any more.
    cluster.annotate(&cluster.path("back"), "image-gitops.dev/sync", "2");
    cluster.plane.wait_until(&cluster.path("back"), |back| back["status"]["waiting"].is_null());
}

#[test]
fn a_tag_that_is_pushed_again_while_it_waits_is_as_young_as_that() {
    let cluster = Cluster::new();
    cluster.apply_application("");
    cluster.apply_resource("  interval: 1h\n  updates: {minAge: 8s}\n");
    let _service = cluster.serve(&[]);
    cluster.until_reason("UpToDate");
    cluster.scene.tag(NEW);
    cluster.annotate(&cluster.path("back"), "image-gitops.dev/sync", "1");
    let first = cluster.until_reason("Waiting")["waiting"][0].clone();
    let digest = cluster.scene.registry.push_index(crate::scene::IMAGE, NEW);
    let anew = |back: &serde_json::Value| back["status"]["waiting"][0]["digest"] == digest;
    let second = cluster.plane.wait_until(&cluster.path("back"), anew)["status"]["waiting"][0].clone();
    let since =
        |waiting: &serde_json::Value| waiting["since"].as_str().unwrap().parse::<Timestamp>().unwrap();
    assert!(since(&second) >= since(&first) + SignedDuration::from_secs(8), "{first} {second}");
    assert_eq!(cluster.image(), cluster.scene.image(OLD));
    cluster.until_image(NEW);
    let status = cluster.plane.wait_until(&cluster.path("back"), |back| back["status"]["tag"] == NEW);
    assert_eq!(status["status"]["digest"], digest);
}

#[test]
fn on_adoption_an_image_that_is_old_enough_is_written_at_once() {
    let cluster = Cluster::new();
    cluster.apply_application("");
    let hours = |hours: i64| (Timestamp::now() - SignedDuration::from_hours(hours)).to_string();
    cluster.scene.registry.push_image_created(crate::scene::IMAGE, NEW, &hours(3));
    cluster.scene.registry.push_image_created(crate::scene::IMAGE, NEWER, &hours(1));
    cluster.apply_resource("  interval: 1h\n  updates: {minAge: 2h}\n");
    let _service = cluster.serve(&[]);
    cluster.until_image(NEW);
    let status = cluster.until_reason("Updated");
    assert!(status["message"].as_str().unwrap().contains(&format!("{NEWER} waits until")), "{status}");
}

#[test]
fn a_revert_of_a_revert_is_what_stands_in_git() {
    let (cluster, _service, old) = Cluster::updated();
    let new = cluster.scene.file();
    cluster.scene.commit(FILE, &old, "Revert: the login page broke");
    cluster.until_reason("Held");
    cluster.until_image(OLD);
    // It was not the login page: the person takes the revert back.
    cluster.scene.commit(FILE, &new, "Revert the revert");
    let tip = cluster.scene.tip();
    cluster.annotate(&cluster.path("back"), "image-gitops.dev/sync", "1");
    cluster.until_image(NEW);
    cluster.until_reason("UpToDate");
    assert_eq!(cluster.scene.tip(), tip, "a commit of ours on top of the person's");
    cluster.scene.tag(NEWER);
    cluster.until_image(NEWER);
    cluster.scene.one_line_since(&tip);
}

#[test]
fn a_pin_that_lands_between_the_read_and_the_push_is_obeyed() {
    let cluster = Cluster::new();
    cluster.apply_application("");
    cluster.apply_resource("  interval: 10s\n");
    let _service = cluster.serve(&[]);
    cluster.until_reason("UpToDate");
    let pinned = cluster.scene.file().replace("# kept up to date", "# image-gitops: pinned");
    let path = cluster.scene.repository.path.clone();
    // git-receive-pack is asked for what it has right before the push: the file was read by then.
    cluster.scene.server.before("git-receive-pack", move || {
        git::commit_files(&path, "main", &[(FILE, pinned.as_bytes())], "Pin it");
    });
    cluster.scene.tag(NEW);
    let status = cluster.until_reason("Held");
    assert!(status["message"].as_str().unwrap().contains("image-gitops: pinned"), "{status}");
    let log = git::log(&cluster.scene.repository.path, "main");
    assert_eq!(log[0].subject, "Pin it");
    assert_eq!(cluster.image(), cluster.scene.image(OLD));
}

#[test]
fn a_resource_that_is_suspended_while_a_pass_is_under_way_is_left_alone() {
    let cluster = Cluster::new();
    cluster.apply_application("");
    cluster.apply_resource("  interval: 10s\n");
    let _service = cluster.serve(&[]);
    cluster.until_reason("UpToDate");
    let before = cluster.scene.tip();
    let (plane, suspended) = (cluster.plane, cluster.resource("back", "  interval: 10s\n  suspend: true\n"));
    cluster.scene.tag(NEW);
    // The pass that reads the file has listed the tags, and would write; right then a person suspends.
    cluster.scene.server.before("git-upload-pack", move || {
        plane.apply(&suspended).unwrap();
        std::thread::sleep(Duration::from_secs(1));
    });
    cluster.until_reason("Suspended");
    std::thread::sleep(QUIET);
    assert_eq!(cluster.scene.tip(), before);
    assert_eq!(cluster.image(), cluster.scene.image(OLD));
    cluster.apply_resource("  interval: 10s\n  suspend: false\n");
    cluster.until_image(NEW);
}
