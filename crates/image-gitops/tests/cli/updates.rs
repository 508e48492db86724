//! When updates are written. Windows are computed from now, so that the program needs no other clock than its own.

use jiff::{SignedDuration, Timestamp, tz::TimeZone};

use crate::scene::{IMAGE, NEW, NEWER, OLD, Scene};

/// The time of day in UTC, `hours` from now.
fn clock(hours: i64) -> String {
    let then = Timestamp::now() + SignedDuration::from_hours(hours);
    then.to_zoned(TimeZone::UTC).strftime("%H:%M").to_string()
}

/// A window from and to so many hours from now.
fn window(from: i64, to: i64) -> String {
    format!("  updates: {{windows: [{{from: '{}', to: '{}'}}]}}\n", clock(from), clock(to))
}

fn scene(updates: &str) -> Scene {
    let scene = Scene::new();
    scene.tag(NEW);
    scene.write("policy.yaml", &scene.policy("back", updates));
    scene
}

#[test]
fn outside_of_its_windows_nothing_is_written_and_what_waits_is_told() {
    let scene = scene(&window(2, 3));
    let before = scene.tip();
    let waits = format!("{NEW} waits for the window that opens ");
    let opens = format!(" {} UTC", clock(2));
    scene.run("sync").is(0, &["waiting backoffice-dev/back", &waits, &opens, &format!("and not yet {NEW}")]);
    scene.run("plan").is(0, &["waiting", &waits]);
    scene.run("explain").is(0, &[&format!("waits: {waits}"), &format!("* {NEW}")]);
    scene.run("check").is(0, &[&waits]);
    assert_eq!(scene.tip(), before);
    let json = scene.run_with(&["sync", "-f", "policy.yaml", "--output", "json"]).is(0, &[]).json();
    let resource = &json["branches"][0]["resources"][0];
    assert_eq!((&resource["status"], &resource["reason"]), (&"waiting".into(), &"Waiting".into()));
}

#[test]
fn within_a_window_updates_are_written() {
    let scene = scene(&window(-1, 1));
    let before = scene.tip();
    scene.run("sync").is(0, &["updated", &format!("{OLD} -> {NEW}")]);
    scene.one_line_since(&before);
}

#[test]
fn what_is_up_to_date_waits_for_nothing() {
    let scene = Scene::new();
    scene.write("policy.yaml", &scene.policy("back", &window(2, 3)));
    scene.run("sync").is(0, &["up to date"]);
}

#[test]
fn a_freeze_is_told_with_its_reason() {
    let day = |days: i64| {
        let then = Timestamp::now() + SignedDuration::from_hours(24 * days);
        then.to_zoned(TimeZone::UTC).date()
    };
    let (from, to) = (day(-1), day(2));
    let scene =
        scene(&format!("  updates: {{freeze: [{{from: '{from}', to: '{to}', reason: end of year}}]}}\n"));
    let before = scene.tip();
    scene.run("sync").is(0, &[&format!("{to} 00:00 UTC: updates are frozen (end of year)")]);
    assert_eq!(scene.tip(), before);
}

#[test]
fn one_resource_that_waits_does_not_hold_up_another_of_its_branch() {
    let scene = scene("");
    let front = scene.application(OLD).replace("name: backoffice-dev\n", "name: front\n");
    scene.commit("kubevela/front.yaml", &front, "Add the front");
    let other = scene.policy("front", "").replace("application: backoffice-dev", "application: front");
    let other = other.replace("kubevela/backoffice-dev.yaml", "kubevela/front.yaml");
    scene.write("policy.yaml", &format!("{}---\n{other}", scene.policy("back", &window(2, 3))));
    let before = scene.tip();
    scene.run("sync").is(0, &["waiting backoffice-dev/back", "updated backoffice-dev/front"]);
    scene.one_line_since(&before);
}

#[test]
fn an_unknown_time_zone_is_refused_with_the_one_that_was_meant() {
    let scene = scene("  updates: {windows: [{timeZone: Paris}]}\n");
    scene.run("sync").is(2, &["spec.updates.windows", "there is no time zone \"Paris\"", "Europe/Paris"]);
}

/// CI pushed an image so many minutes ago, and it says so.
fn pushed(scene: &Scene, tag: &str, minutes: i64) {
    let then = Timestamp::now() - SignedDuration::from_mins(minutes);
    scene.registry.push_image_created(IMAGE, tag, &then.to_string());
}

#[test]
fn a_tag_waits_until_it_is_old_enough_and_an_older_one_that_is_does_not() {
    let scene = Scene::new();
    scene.write("policy.yaml", &scene.policy("back", "  updates: {minAge: 1h}\n"));
    pushed(&scene, NEWER, 30);
    let before = scene.tip();
    let waits = format!("{NEWER} waits until ");
    scene.run("sync").is(0, &["waiting backoffice-dev/back", &waits, " UTC: it must be 1h old"]);
    scene.run("explain").is(0, &[&format!("waits: {waits}")]);
    assert_eq!(scene.tip(), before);
    pushed(&scene, NEW, 90);
    scene.run("explain").is(0, &[&format!("waits: {waits}")]);
    scene.run("sync").is(0, &["updated", &format!("{OLD} -> {NEW}"), &format!("note: {waits}")]);
    scene.one_line_since(&before);
    pushed(&scene, NEWER, 61);
    scene.run("sync").is(0, &["updated", &format!("{NEW} -> {NEWER}")]);
}

#[test]
fn an_image_that_does_not_say_when_it_was_made_waits_on_the_command_line() {
    let scene = scene("  updates: {minAge: 1s}\n");
    let before = scene.tip();
    scene.run("sync").is(0, &[&format!("{NEW} waits"), "its image does not say when it was made"]);
    scene.registry.push_image_created(IMAGE, NEWER, "1970-01-01T00:00:00Z");
    scene.run("sync").is(0, &[&format!("{NEWER} waits"), "its image does not say when it was made"]);
    assert_eq!(scene.tip(), before);
}

#[test]
fn without_an_age_no_image_is_asked_for_its() {
    let scene = scene("");
    scene.run("sync").is(0, &["updated"]);
    assert!(!scene.front.requests().iter().any(|request| request.line.contains("/blobs/")));
}
