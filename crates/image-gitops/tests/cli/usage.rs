//! Bad input is told before anything is sent, with what to do.

use std::{io::Write as _, process::Stdio};

use crate::scene::{FILE, NEW, Scene, program, ran};

#[track_caller]
fn refused(policy: &str, texts: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("policy.yaml"), policy).unwrap();
    ran(program(folder.path(), &["sync", "-f", "policy.yaml"]).output().unwrap())
        .is(2, &["error:", "hint:"])
        .is(2, texts);
}

const GOOD: &str = "apiVersion: image-gitops.dev/v1alpha1\nkind: ImageGitOps\nmetadata: {name: back}\nspec:\n  image: ghcr.io/o/n\n  \
                    git: {url: 'https://github.com/o/n', path: app.yaml}\n  target: {application: a, component: b}\n";

#[test]
fn a_resource_that_cannot_be_used_is_told_with_its_field() {
    for (from, to, texts) in [
        (
            "image-gitops.dev/v1alpha1",
            "image-gitops.dev/v9",
            &["apiVersion", "image-gitops.dev/v1alpha1"][..],
        ),
        ("name: back", "name: Back!", &["metadata.name", "Back!"]),
        ("ghcr.io/o/n", "ghcr.io/o/n:latest", &["spec.image", "leave out the tag"]),
        ("ghcr.io/o/n", "https://ghcr.io/o/n", &["spec.image", "leave out the scheme"]),
        ("  target:", "  interval: 1s\n  target:", &["spec.interval", "10s"]),
        ("  target:", "  tags: {pattern: '('}\n  target:", &["spec.tags"]),
        ("  target:", "  tags: {pattern: 'a', extract: '$ts'}\n  target:", &["spec.tags", "ts"]),
        ("  target:", "  policy: {sort: newest}\n  target:", &["spec.policy", "newest", "numerical"]),
        ("  target:", "  policy: {sort: semver, range: 'a..b'}\n  target:", &["spec.policy"]),
        (
            "  target:",
            "  policy: {sort: semver, semver: {range: '1.x'}}\n  target:",
            &["spec.policy", "keep one"],
        ),
        ("  target:", "  polcy: {}\n  target:", &["unknown field `polcy`", "policy"]),
        ("https://github.com/o/n", "http://github.com/o/n", &["spec.git", "https"]),
        ("https://github.com/o/n", "git@github.com:o/n", &["spec.git", "https"]),
        ("https://github.com/o/n", "ssh://git@github.com/o/n", &["spec.git", "https"]),
        ("https://github.com/o/n", "https://user:pa55@github.com/o/n", &["spec.git"]),
        ("path: app.yaml", "path: ../app.yaml", &["path"]),
        ("path: app.yaml", "path: .git/config", &["path"]),
        ("path: app.yaml", "path: app.yaml, branch: 'a..b'", &["branch"]),
        ("path: app.yaml", "path: ''", &["spec.git.path"]),
        (", component: b", "", &["spec.target", "component"]),
        ("component: b", "component: b, path: 'a..b'", &["spec.target.path"]),
        ("kind: ImageGitOps", "kind: [", &["policy.yaml"]),
        ("kind: ImageGitOps", "kind: Application", &["no ImageGitOps resource"]),
    ] {
        let policy = GOOD.replacen(from, to, 1);
        assert_ne!(policy, GOOD, "{from} was not replaced");
        refused(&policy, texts);
    }
    refused(&format!("{GOOD}---\n{GOOD}"), &["default/back stands in policy.yaml and again in policy.yaml"]);
}

#[test]
fn a_token_in_the_place_of_a_secrets_name_is_never_repeated() {
    for wrong in [
        "secretRef: ghp_t0ken",
        "secretRef: {name: {token: ghp_t0ken}}",
        "secretRef: {name: a, token: ghp_t0ken}",
    ] {
        let folder = tempfile::tempdir().unwrap();
        let policy = GOOD.replace("path: app.yaml", &format!("path: app.yaml, {wrong}"));
        std::fs::write(folder.path().join("policy.yaml"), policy).unwrap();
        let ran = ran(program(folder.path(), &["sync", "-f", "policy.yaml"]).output().unwrap());
        let ran = ran.is(2, &["a Secret is named as {name: …}", "hint:"]);
        assert!(!ran.err.contains("t0ken") && !ran.out.contains("t0ken"), "{}", ran.err);
    }
}

#[test]
fn a_password_in_a_url_is_never_repeated() {
    let folder = tempfile::tempdir().unwrap();
    let policy = GOOD.replace("https://github.com", "https://user:pa55w0rd@github.com");
    std::fs::write(folder.path().join("policy.yaml"), policy).unwrap();
    let ran = ran(program(folder.path(), &["sync", "-f", "policy.yaml"]).output().unwrap());
    assert!(!ran.err.contains("pa55w0rd") && !ran.out.contains("pa55w0rd"), "{}", ran.err);
}

#[test]
fn a_secret_that_is_not_yaml_is_never_repeated() {
    for broken in [
        "  token: pa55w0rd\n   more: [\n",
        "  {token: pa55w0rd, token: pa55w0rd}\n",
        "  token: pa55w0rd\n\tx\n",
    ] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("policy.yaml"), GOOD).unwrap();
        let secret = format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: s}}\nstringData:\n{broken}");
        std::fs::write(folder.path().join("secret.yaml"), secret).unwrap();
        let ran =
            ran(program(folder.path(), &["sync", "-f", "policy.yaml", "secret.yaml"]).output().unwrap())
                .is(2, &["secret.yaml is not YAML that can be read", "line "]);
        assert!(!ran.err.contains("pa55w0rd") && !ran.out.contains("pa55w0rd"), "{}", ran.err);
    }
}

#[test]
fn a_list_as_kubectl_prints_it_is_read_as_its_items() {
    let item = |text: &str| text.lines().map(|line| format!("  {line}\n")).collect::<String>();
    let list = format!("apiVersion: v1\nkind: List\nitems:\n-\n{}", item(GOOD));
    refused(&list.replace("name: back", "name: Back!"), &["Back!"]);
    refused(&format!("{list}-\n{}", item(GOOD)), &["default/back stands in policy.yaml and again in"]);
}

#[test]
fn files_in_the_folder_that_hold_nothing_of_ours_need_not_be_yaml() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("deployment.yaml"), "{{- if .Values.x }}\na: b\n{{- end }}\n").unwrap();
    std::fs::write(folder.path().join("policy.yaml"), GOOD.replace("name: back", "name: Back!")).unwrap();
    ran(program(folder.path(), &["sync", "-f", "."]).output().unwrap()).is(2, &["policy.yaml", "Back!"]);
}

#[test]
fn a_file_that_is_not_utf_8_is_told_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("policy.yaml"), b"\xff\xfea").unwrap();
    ran(program(folder.path(), &["sync", "-f", "policy.yaml"]).output().unwrap())
        .is(2, &["cannot read policy.yaml", "hint: save the file as UTF-8"]);
}

#[test]
fn a_file_that_is_not_there_is_told() {
    let folder = tempfile::tempdir().unwrap();
    ran(program(folder.path(), &["sync", "-f", "missing.yaml"]).output().unwrap())
        .is(2, &["cannot read missing.yaml", "hint:"]);
    ran(program(folder.path(), &["sync"]).output().unwrap()).is(2, &["--file"]);
    ran(program(folder.path(), &["synch"]).output().unwrap()).is(2, &["sync"]);
}

#[test]
fn standard_input_is_read_as_a_file() {
    let scene = Scene::new();
    scene.tag(NEW);
    let mut child = scene
        .command(&["sync", "-f", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(scene.policy("back", "").as_bytes()).unwrap();
    ran(child.wait_with_output().unwrap()).is(0, &["updated"]);
}

#[test]
fn output_that_goes_to_a_file_has_no_colours_unless_they_are_asked_for() {
    let scene = Scene::new();
    let plain = scene.run("plan").is(0, &[]);
    assert!(!plain.out.contains('\x1b'));
    let coloured = scene.run_with(&["plan", "-f", "policy.yaml", "--color", "always"]).is(0, &[]);
    assert!(coloured.out.contains('\x1b'));
    assert!(scene.file().contains("kept up to date") && FILE.ends_with(".yaml"));
}

#[test]
fn each_request_is_logged_when_asked_for_twice() {
    let scene = Scene::new();
    let ran =
        scene.run_with(&["plan", "-f", "policy.yaml", "-vv"]).is(0, &["/tags/list", "/git-upload-pack"]);
    assert!(ran.out.lines().all(|line| !line.contains("/tags/list")), "logs go to standard error");
    assert!(!scene.run_with(&["plan", "-f", "policy.yaml", "-v"]).err.contains("/tags/list"));
}

#[test]
fn programs_are_told_in_json_why_nothing_began() {
    let folder = tempfile::tempdir().unwrap();
    let ran = ran(program(folder.path(), &["sync", "-f", "no.yaml", "--output", "json"]).output().unwrap());
    let error = &ran.json()["error"];
    assert_eq!((ran.code, error["message"].as_str()), (2, Some("cannot read no.yaml")));
    assert!(error["hint"].is_string() && error["causes"][0].is_string(), "{error}");
}

#[test]
fn the_exit_code_stays_what_it_is_when_nobody_reads_the_output() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("policy.yaml"), GOOD.replace("https://github.com/o/n", "/no/folder"))
        .unwrap();
    for (command, output) in [("plan", "text"), ("sync", "json"), ("explain", "text"), ("check", "json")] {
        let arguments = [command, "-f", "policy.yaml", "--output", output];
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut program = program(folder.path(), &arguments);
        let status = program.stdout(writer).stderr(Stdio::null()).status().unwrap();
        assert_eq!(status.code(), Some(1), "{arguments:?}");
    }
}

#[test]
fn completions_are_printed_for_each_shell() {
    let folder = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        ran(program(folder.path(), &["completions", shell]).output().unwrap())
            .is(0, &["image-gitops", "explain"]);
    }
}

#[test]
fn a_terminal_shows_what_is_waited_for_and_a_file_does_not() {
    let scene = Scene::new();
    let slow = || image_gitops_tests::git_server::Fault::Delay(std::time::Duration::from_millis(1200));
    scene.server.once("info/refs", slow());
    let piped = scene.run("plan").is(0, &["up to date"]);
    assert!(!piped.err.contains("reading"), "{}", piped.err);
    scene.server.once("info/refs", slow());
    // `script` gives the program a terminal.
    let command = format!("{} plan -f policy.yaml", env!("CARGO_BIN_EXE_image-gitops"));
    let mut terminal = scene.command(&[]);
    let folder = terminal.get_current_dir().unwrap().to_owned();
    terminal = std::process::Command::new("script");
    terminal.args(["-qec", &command, "/dev/null"]).current_dir(folder).stdin(Stdio::null());
    ran(terminal.output().unwrap())
        .is(0, &["reading registries and branches (0 s)", "\x1b[2K", "up to date"]);
}
