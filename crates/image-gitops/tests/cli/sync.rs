//! From a tag in the registry to a pushed commit.

use image_gitops_tests::git;

use crate::scene::{FILE, IMAGE, NEW, NEWER, OLD, Scene, ran};

#[test]
fn a_newer_tag_becomes_one_commit_of_one_line() {
    let scene = Scene::new();
    let before = scene.tip();
    scene.tag("latest");
    scene.tag(NEW);
    scene.run("sync").is(
        0,
        &["updated backoffice-dev/back", &format!("{OLD} -> {NEW}"), "kubevela/backoffice-dev.yaml:12"],
    );

    let line = scene.one_line_since(&before);
    assert_eq!(line.path, FILE);
    assert_eq!(line.new, format!("        image: {}   # kept up to date", scene.image(NEW)));
    let commit = &git::log(&scene.repository.path, "main")[0];
    assert_eq!(commit.subject, format!("🤖 Auto-update image: {}", scene.image(NEW)));
    assert_eq!(commit.author, "image-gitops <image-gitops@users.noreply.github.com>");
    assert!(commit.message.contains("digest: sha256:"), "{}", commit.message);
    let trailers =
        format!("\n\n\nImage-GitOps: backoffice-dev/back {} {FILE}\nskip-checks: true", scene.image(NEW));
    assert!(commit.message.trim_end().ends_with(&trailers), "{}", commit.message);
}

#[test]
fn a_second_pass_does_nothing() {
    let scene = Scene::new();
    scene.tag(NEW);
    scene.run("sync").is(0, &["updated"]);
    let after = scene.tip();
    scene.run("sync").is(0, &["up to date backoffice-dev/back"]);
    assert_eq!(scene.tip(), after);
}

#[test]
fn a_plan_shows_the_diff_and_writes_nothing() {
    let scene = Scene::new();
    scene.tag(NEW);
    let before = scene.tip();
    let shown =
        [format!("-        image: {}", scene.image(OLD)), format!("+        image: {}", scene.image(NEW))];
    scene
        .run("plan")
        .is(0, &["would update", "--- a/kubevela/backoffice-dev.yaml", &shown[0], &shown[1], "would commit"]);
    assert_eq!(scene.tip(), before);
    assert!(!scene.server.requests().iter().any(|request| request.target.contains("receive-pack")));
}

#[test]
fn resources_of_one_branch_in_several_files_make_one_commit() {
    let scene = Scene::new();
    let front = scene.application(OLD).replace("backoffice-dev", "front").replace("name: back", "name: web");
    scene.commit(
        "kubevela/front.yaml",
        &front.replace(&format!(":{OLD}"), ":main-aaaaaaa-1"),
        "Add the front",
    );
    let before = scene.tip();
    scene.tag(NEW);
    std::fs::create_dir(scene.write("x", "").parent().unwrap().join("policies")).unwrap();
    let web = scene
        .policy("web", "")
        .replace(FILE, "kubevela/front.yaml")
        .replace("application: backoffice-dev, component: back", "application: front, component: web")
        .replace("namespace: backoffice-dev", "namespace: front");
    scene.write("policies/a.yaml", &scene.policy("back", ""));
    scene.write("policies/b.yml", &web);
    scene.write("policies/not.txt", "not: read: at: all");
    scene.run_with(&["sync", "-f", "policies"]).is(0, &["updated backoffice-dev/back", "updated front/web"]);
    git::fsck(&scene.repository.path);
    let commit = &git::log(&scene.repository.path, "main")[0];
    assert_eq!(commit.subject, format!("🤖 Auto-update image: {} (+1)", scene.image(NEW)));
    let trailer =
        |resource: &str, file: &str| format!("Image-GitOps: {resource} {} {file}\n", scene.image(NEW));
    assert!(
        commit
            .message
            .contains(&(trailer("backoffice-dev/back", FILE) + &trailer("front/web", "kubevela/front.yaml"))),
        "{}",
        commit.message
    );
    assert_eq!(git::rev(&scene.repository.path, "main~1"), before);
}

/// How many times the registry listed tags.
fn lists(scene: &Scene) -> usize {
    scene.front.requests().iter().filter(|r| r.line.contains("tags/list") && r.status == 200).count()
}

#[test]
fn two_repositories_get_a_commit_each() {
    let scene = Scene::new();
    let other = scene.server.repository("legolas49/other");
    git::commit_files(&other.path, "main", &[(FILE, scene.application(OLD).as_bytes())], "first");
    scene.tag(NEW);
    let second = scene.policy("other", "").replace(&scene.repository.url, &other.url);
    scene.write("policy.yaml", &format!("{}---\n{second}", scene.policy("back", "")));
    scene.run("sync").is(0, &["updated backoffice-dev/back", "updated backoffice-dev/other"]);
    assert_eq!(lists(&scene), 1, "the image that they share is listed once");
    for repository in [&scene.repository, &other] {
        git::fsck(&repository.path);
        assert_eq!(git::log(&repository.path, "main").len(), 2);
    }
}

#[test]
fn hundreds_of_branches_do_not_use_up_the_open_files() {
    let scene = Scene::new();
    let policies = (0..300).map(|n| {
        let policy = scene.policy(&format!("app{n}"), "");
        format!("{policy}---\n").replace("branch: main", &format!("branch: b{n}"))
    });
    scene.write("policy.yaml", &policies.collect::<String>());
    let program = scene.command(&["plan", "-f", "policy.yaml"]);
    let limited = "ulimit -n 200 && exec \"$0\" \"$@\"";
    let output = std::process::Command::new("sh")
        .args(["-c", limited])
        .arg(program.get_program())
        .args(program.get_args())
        .current_dir(program.get_current_dir().unwrap())
        .output()
        .unwrap();
    let ran = ran(output).is(1, &["has no branch b0", "has no branch b299"]);
    assert!(!ran.err.contains("open files"), "{}", ran.err);
    assert_eq!(lists(&scene), 1, "branches whose turn comes late decide from the same list");
}

#[test]
fn a_local_bare_repository_needs_no_server() {
    let scene = Scene::new();
    scene.tag(NEW);
    let before = scene.tip();
    for url in
        [scene.repository.path.display().to_string(), format!("file://{}", scene.repository.path.display())]
    {
        scene.write("policy.yaml", &scene.policy("back", "").replace(&scene.repository.url, &url));
        scene.run("sync").is(0, &["backoffice-dev/back"]);
    }
    scene.one_line_since(&before);
    assert_eq!(scene.server.requests().len(), 0);
}

#[test]
fn a_publish_version_changes_in_the_same_commit_where_there_is_one() {
    let scene = Scene::new();
    let annotated = scene.application(OLD).replace(
        "  namespace: backoffice-dev\n",
        "  namespace: backoffice-dev\n  annotations:\n    app.oam.dev/publishVersion: v1 # by hand so far\n",
    );
    let before = scene.commit(FILE, &annotated, "Publish versions");
    scene.tag(NEW);
    scene.run("sync").is(0, &["updated"]);
    git::fsck(&scene.repository.path);
    let file = scene.file();
    let version = file.lines().find(|line| line.contains("publishVersion")).unwrap();
    assert!(version.starts_with(&format!("    app.oam.dev/publishVersion: {NEW}-")), "{version}");
    assert!(version.ends_with(" # by hand so far"), "{version}");
    let changed = annotated.lines().zip(file.lines()).filter(|(old, new)| old != new).count();
    assert_eq!((changed, git::rev(&scene.repository.path, "main~1")), (2, before));
}

#[test]
fn a_tag_without_a_manifest_is_passed_over() {
    let scene = Scene::new();
    scene.tag(NEW);
    scene.tag(NEWER);
    // The real registry keeps tags and manifests together; GHCR lists tags of deleted ones for a while.
    let gone =
        image_gitops_tests::registry_server::Fault::json(404, r#"{"errors":[{"code":"MANIFEST_UNKNOWN"}]}"#);
    scene.front.on(&format!("manifests/{NEWER}"), gone);
    scene.run("sync").is(0, &[&format!("-> {NEW}"), "the registry has no manifest for it"]);
}

#[test]
fn a_report_as_json_has_what_the_text_has() {
    let scene = Scene::new();
    scene.tag(NEW);
    let report = scene.run_with(&["sync", "-f", "policy.yaml", "--output", "json"]).is(0, &[]).json();
    let branch = &report["branches"][0];
    let resource = &branch["resources"][0];
    assert_eq!(branch["commit"]["id"], scene.tip());
    assert_eq!(branch["cost"]["objects"], 4);
    assert_eq!(resource["status"], "updated");
    assert_eq!((&resource["current"][0], &resource["tag"]), (&OLD.into(), &NEW.into()));
    assert_eq!(resource["tags"], serde_json::json!({"total": 2, "matched": 2}));
}

#[test]
fn explain_says_of_every_tag_why_it_won_or_lost() {
    let scene = Scene::new();
    for tag in ["latest", NEW, NEWER, "v1.sig"] {
        scene.tag(tag);
    }
    let ran = scene
        .run("explain")
        .is(0, &["policy: numerical, highest first", &format!("floor: {OLD} (the file in Git)")]);
    assert_eq!(
        ran.out
            .lines()
            .filter(|line| line.starts_with(['*', ' '])
                && !line.starts_with("  p")
                && !line.starts_with("  f"))
            .count(),
        5
    );
    assert!(ran.out.contains(&format!("* {NEWER}")), "{}", ran.out);
    for tag in ["latest", OLD, NEW, "v1.sig"] {
        assert!(ran.out.contains(&format!("\n  {tag} ")), "{tag} is not explained in:\n{}", ran.out);
    }
}

#[test]
fn another_subject_author_and_no_skip_checks_are_settings() {
    let scene = Scene::new();
    scene.tag(NEW);
    let settings = "path: kubevela/backoffice-dev.yaml, subject: 'deploy({component}): {tag}', skipChecks: false, \
                    author: {name: Ops, email: ops@example.org}, committer: {name: Bot, email: bot@example.org}}";
    scene.write("policy.yaml", &scene.policy("back", "").replace(&format!("path: {FILE}}}"), settings));
    scene.run("sync").is(0, &["updated"]);
    let commit = &git::log(&scene.repository.path, "main")[0];
    assert_eq!(commit.subject, format!("deploy(back): {NEW}"));
    assert_eq!(
        (commit.author.as_str(), commit.committer.as_str()),
        ("Ops <ops@example.org>", "Bot <bot@example.org>")
    );
    assert!(!commit.message.contains("skip-checks"));
    assert!(scene.image(NEW).ends_with(&format!("{IMAGE}:{NEW}")));
}
