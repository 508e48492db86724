//! Who may push a tag, and who may only read: neither gets anything written that the policy does not choose.

use image_gitops_tests::{
    git,
    git_server::Options,
    registry_server::{Answer, Fault, FrontOptions},
};
use serde_json::json;

use crate::scene::{NEW, OLD, Scene};

/// What a registry might list beside the honest tags: its own tags are checked, those of somebody who plays one are not.
fn hostile() -> Vec<String> {
    let tag = |ts: &str| format!("main-fff0000-{ts}");
    let mut tags: Vec<String> = [
        // Digits of other scripts, which \d would take; signs; words; other notations.
        "٩٩٩٩٩٩٩٩٩٩",
        "९९९९९९९९९९",
        "9999999999",
        "²²²²²²²²²²",
        "+9999999999",
        "-9999999999",
        "nan",
        "inf",
        "1e99",
        "0xffffffffff",
        "9_999_999_999",
        "9,999,999,999",
        "9999999999.9",
        " 9999999999",
        "9999999999 ",
        "\t9999999999",
        // Line ends, which `$` and a commit's trailers might trip over.
        "9999999999\n",
        "\n9999999999",
        "9999999999\r\nImage-Updated: x",
        "9999999999\u{2028}",
        "9999999999\u{0}",
        "\u{feff}9999999999",
        "9999999999\u{202e}",
        "9999999999/../../x",
        "9999999999@sha256:0",
        "9999999999:x",
        "9999999999\"",
        "9999999999 # pinned",
        "$(id)",
        "`id`",
        "{{ .Values }}",
        "%0a9999999999",
    ]
    .into_iter()
    .map(tag)
    .collect();
    // Longer than a tag may be.
    tags.push(tag(&"9".repeat(116)));
    tags.push(tag(&"9".repeat(100_000)));
    tags.push("9".repeat(129));
    tags.push(String::new());
    tags
}

#[test]
fn what_is_no_tag_never_wins_whatever_it_looks_like() {
    let scene = Scene::new();
    scene.tag(NEW);
    let before = scene.tip();
    let list =
        |tags: &[String]| Fault::Answer(Answer::json(200, &json!({ "name": "n", "tags": tags }).to_string()));
    // Alone they change nothing.
    let mut tags = hostile();
    assert!(
        tags.iter().filter(|tag| tag.ends_with("-9999999999")).count() == 2,
        "the honest form is not among them"
    );
    tags.retain(|tag| tag != "main-fff0000-9999999999");
    tags.push(OLD.into());
    scene.front.on("tags/list", list(&tags));
    scene.run("sync").is(0, &["up to date"]);
    assert_eq!(scene.tip(), before);
    // Beside something newer, that is taken.
    scene.front.heal();
    tags.push(NEW.into());
    scene.front.on("tags/list", list(&tags));
    scene.run("sync").is(0, &["updated"]);
    let line = scene.one_line_since(&before);
    assert!(line.new.contains(NEW), "{line:?}");
    let message = git::log(&scene.repository.path, "main")[0].subject.clone();
    assert!(message.contains(NEW) && !message.contains("9999"), "{message}");
}

#[test]
fn what_reads_like_a_tag_is_told_but_changes_nothing() {
    let scene = Scene::new();
    let tags: Vec<String> =
        hostile().into_iter().filter(|tag| tag != "main-fff0000-9999999999").chain([OLD.into()]).collect();
    let answer = Answer::json(200, &json!({ "name": "n", "tags": tags }).to_string());
    scene.front.on("tags/list", Fault::Answer(answer));
    for command in ["explain", "plan", "check"] {
        let ran = scene.run(command);
        let said = format!("{}{}", ran.out, ran.err);
        assert!(
            !said.contains('\u{202e}') && !said.contains('\u{0}') && said.len() < 100_000,
            "{command} repeats it"
        );
    }
}

#[test]
fn who_may_only_read_changes_nothing() {
    let scene = Scene::with(Options::default().public("bot", "right"), FrontOptions::default());
    scene.tag(NEW);
    let before = scene.tip();
    for command in ["plan", "explain"] {
        scene.run(command).is(0, &[]);
    }
    scene.run("check").is(1, &["push", "refuses an anonymous visitor"]);
    scene.run("sync").is(1, &["failed"]);
    let secret = "---\napiVersion: v1\nkind: Secret\nmetadata: {name: read, namespace: backoffice-dev}\nstringData: {username: reader, password: read-only}\n";
    let policy = scene.policy("back", "").replace("branch: main,", "branch: main, secretRef: {name: read},");
    scene.write("policy.yaml", &format!("{policy}{secret}"));
    scene.run("sync").is(1, &["failed"]);
    assert_eq!(scene.tip(), before);
    assert!(
        !scene
            .server
            .requests()
            .iter()
            .any(|it| it.line().starts_with("POST") && it.target.contains("receive-pack"))
    );
}
