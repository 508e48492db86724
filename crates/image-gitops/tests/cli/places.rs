//! Where the image stands.

use image_gitops_tests::git;

use crate::scene::{FILE, NEW, OLD, Scene};

fn without_target(policy: &str) -> String {
    policy.lines().filter(|line| !line.starts_with("  target:")).map(|line| format!("{line}\n")).collect()
}

#[test]
fn the_application_is_looked_up_by_name_in_a_folder() {
    let scene = Scene::new();
    scene.commit("kubevela/chart/template.yaml", "name: {{ .Values.name }}\n  broken: [", "Add a template");
    scene.commit(
        "kubevela/other.yaml",
        &scene.application(OLD).replace("backoffice-dev", "other"),
        "Add another",
    );
    let before = scene.tip();
    scene.tag(NEW);
    scene.write("policy.yaml", &scene.policy("back", "").replace(FILE, "kubevela"));
    scene.run("sync").is(0, &["updated", "kubevela/backoffice-dev.yaml:12"]);
    assert_eq!(scene.one_line_since(&before).path, FILE);
}

#[test]
fn an_application_that_stands_in_two_files_is_refused() {
    let scene = Scene::new();
    let before = scene.commit("kubevela/copy.yaml", &scene.application(OLD), "Copy it");
    scene.tag(NEW);
    scene.write("policy.yaml", &scene.policy("back", "").replace(FILE, "kubevela"));
    scene
        .run("sync")
        .is(1, &["stands in kubevela/backoffice-dev.yaml and again in kubevela/copy.yaml", "hint:"]);
    assert_eq!(scene.tip(), before);
}

#[test]
fn the_namespace_tells_applications_of_one_name_apart_in_one_file_and_in_a_folder() {
    for folder in [false, true] {
        let scene = Scene::new();
        let annotated = "  name: backoffice-dev\n  annotations: {app.oam.dev/publishVersion: v1}\n";
        let ours = scene.application(OLD).replace("  name: backoffice-dev\n", annotated);
        let theirs = ours.replace("namespace: backoffice-dev", "namespace: prod");
        let prefix = if folder { String::new() } else { format!("{theirs}---\n") };
        scene.commit(FILE, &format!("{prefix}{ours}"), "Describe the application");
        let policy = scene.policy("back", "");
        if folder {
            scene.commit("kubevela/prod.yaml", &theirs, "Describe production");
            scene.write("policy.yaml", &policy.replace(FILE, "kubevela"));
        }
        scene.tag(NEW);
        scene.run("sync").is(0, &["updated backoffice-dev/back"]);
        let file = scene.file();
        let changed = file.strip_prefix(&prefix).expect("what lies before is left alone");
        assert!(changed.contains(&scene.image(NEW)) && !changed.contains("publishVersion: v1"), "{file}");
        if folder {
            assert_eq!(git::show(&scene.repository.path, "main", "kubevela/prod.yaml"), theirs.as_bytes());
            let elsewhere =
                policy.replace(FILE, "kubevela").replace("namespace: backoffice-dev", "namespace: x");
            scene.write("policy.yaml", &elsewhere);
            scene.run("sync").is(1, &["holds the Application x/backoffice-dev", "hint:"]);
        }
    }
}

#[test]
fn markers_of_the_resources_name_are_found_without_a_target() {
    let scene = Scene::new();
    let marked = format!(
        "kind: Deployment\nimage: {} # {{\"$imagepolicy\": \"backoffice-dev:back\"}}\ntag: \"{OLD}\" # {{\"$imagepolicy\": \"backoffice-dev:back:tag\"}}\n\
         other: {} # {{\"$imagepolicy\": \"backoffice-dev:front\"}}\n",
        scene.image(OLD),
        scene.image(OLD)
    );
    scene.commit("deploy/a.yaml", &marked, "Mark");
    scene.tag(NEW);
    scene.write("policy.yaml", &without_target(&scene.policy("back", "")).replace(FILE, "deploy"));
    scene.run("sync").is(0, &["updated", "deploy/a.yaml:2, deploy/a.yaml:3"]);
    git::fsck(&scene.repository.path);
    let now = String::from_utf8(git::show(&scene.repository.path, "main", "deploy/a.yaml")).unwrap();
    let expected = marked
        .replacen(&format!(":{OLD} #"), &format!(":{NEW} #"), 1)
        .replace(&format!("\"{OLD}\""), &format!("\"{NEW}\""));
    assert_eq!(now, expected);
}

#[test]
fn a_missing_marker_is_told_with_those_that_are_there() {
    let scene = Scene::new();
    let marked = format!("image: {} # {{\"$imagepolicy\": \"backoffice-dev:front\"}}\n", scene.image(OLD));
    scene.commit("deploy/a.yaml", &marked, "Mark");
    scene.write("policy.yaml", &without_target(&scene.policy("back", "")).replace(FILE, "deploy/a.yaml"));
    scene
        .run("sync")
        .is(1, &["no marker {\"$imagepolicy\": \"backoffice-dev:back\"}", "it holds backoffice-dev:front"]);
}

#[test]
fn a_component_that_is_missing_is_told_with_those_that_are_there() {
    let scene = Scene::new();
    scene.write("policy.yaml", &scene.policy("back", "").replace("component: back", "component: bakc"));
    scene.run("sync").is(1, &["bakc", "back", "hint:"]);
}

#[test]
fn another_image_in_the_file_is_refused() {
    let scene = Scene::new();
    let before =
        scene.commit(FILE, &scene.application(OLD).replace("legolas49/back", "legolas49/front"), "Swap");
    scene.tag(NEW);
    scene.run("sync").is(1, &["but spec.image is"]);
    assert_eq!(scene.tip(), before);
}

#[test]
fn two_resources_that_write_one_place_are_both_refused() {
    let scene = Scene::new();
    scene.tag(NEW);
    let before = scene.tip();
    scene.write("policy.yaml", &format!("{}---\n{}", scene.policy("back", ""), scene.policy("again", "")));
    scene.run("sync").is(1, &["is written by the resource backoffice-dev/again too"]);
    assert_eq!(scene.tip(), before);
}

#[test]
fn a_digest_stays_and_is_the_new_tags() {
    let scene = Scene::new();
    let digest = format!("sha256:{}", "0".repeat(64));
    let pinned = scene.application(OLD).replace(&format!(":{OLD}"), &format!(":{OLD}@{digest}"));
    let before = scene.commit(FILE, &pinned, "Pin the digest");
    let new = scene.registry.push_image(crate::scene::IMAGE, NEW);
    scene.run("sync").is(0, &["updated"]);
    let line = scene.one_line_since(&before);
    assert!(line.new.contains(&format!(":{NEW}@{new} ")), "{}", line.new);
}

#[test]
fn one_missing_file_does_not_keep_the_others_from_being_updated() {
    let scene = Scene::new();
    scene.tag(NEW);
    let before = scene.tip();
    let wrong = scene.policy("wrong", "").replace(FILE, "kubevela/missing.yaml");
    scene.write("policy.yaml", &format!("{}---\n{wrong}", scene.policy("back", "")));
    scene.run("sync").is(1, &["updated backoffice-dev/back", "failed backoffice-dev/wrong", "missing.yaml"]);
    scene.one_line_since(&before);
}
