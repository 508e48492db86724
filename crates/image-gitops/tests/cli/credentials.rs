//! Which credential serves which server.

use image_gitops_tests::{
    git_server::Options,
    registry_server::{Front, FrontOptions},
};

use crate::scene::{IMAGE, NEW, OLD, Scene, ran};

const PRIVATE: &str = "legolas49/private-back";

/// A resource for an image that only [`Front::TOKEN`] may read.
fn private() -> Scene {
    let scene = Scene::with(Options::default(), FrontOptions::default());
    for tag in [OLD, NEW] {
        scene.registry.push_image(PRIVATE, tag);
    }
    let host = scene.front.host();
    scene.commit(crate::scene::FILE, &scene.application(OLD).replace(IMAGE, PRIVATE), "Make it private");
    let policy = scene.policy("back", "").replace(&format!("{host}/{IMAGE}"), &format!("{host}/{PRIVATE}"));
    scene.write("policy.yaml", &policy);
    scene
}

fn docker_config(host: &str, password: &str) -> String {
    format!(r#"{{"auths": {{"{host}": {{"username": "bot", "password": "{password}"}}}}}}"#)
}

#[test]
fn dockers_config_is_picked_up() {
    let scene = private();
    scene.run("sync").is(1, &["refuses anonymous readers"]);
    scene.write("config.json", &docker_config(scene.front.host(), Front::TOKEN));
    let output = scene.command(&["sync", "-f", "policy.yaml"]).env("DOCKER_CONFIG", ".").output().unwrap();
    ran(output).is(0, &["updated"]);
}

#[test]
fn a_wrong_password_is_not_tried_again_without() {
    let scene = private();
    scene.write("config.json", &docker_config(scene.front.host(), "wrong"));
    let output = scene.command(&["sync", "-f", "policy.yaml"]).env("DOCKER_CONFIG", ".").output().unwrap();
    let ran = ran(output).is(1, &["refuses the credential"]);
    assert!(!format!("{}{}", ran.out, ran.err).contains("wrong"), "the password was printed");
}

#[test]
fn a_docker_config_secret_among_the_files_is_used() {
    let scene = private();
    let policy = std::fs::read_to_string(scene.write("x", "").with_file_name("policy.yaml")).unwrap();
    let policy =
        policy.replace("registry: {insecure: true}", "registry: {insecure: true, secretRef: {name: pull}}");
    let config = docker_config(scene.front.host(), Front::TOKEN);
    let secret = format!(
        "---\nkind: Secret\napiVersion: v1\nmetadata: {{name: pull, namespace: backoffice-dev}}\ntype: kubernetes.io/dockerconfigjson\nstringData:\n  .dockerconfigjson: '{config}'\n"
    );
    scene.write("policy.yaml", &policy);
    scene.run("sync").is(1, &["refuses anonymous readers"]);
    scene.write("secret.yaml", &secret);
    scene.run_with(&["sync", "-f", "policy.yaml", "secret.yaml"]).is(0, &["updated"]);
}

#[test]
fn a_secret_of_another_namespace_is_not_used() {
    let scene = private();
    let policy = std::fs::read_to_string(scene.write("x", "").with_file_name("policy.yaml")).unwrap();
    let policy =
        policy.replace("registry: {insecure: true}", "registry: {insecure: true, secretRef: {name: pull}}");
    let secret = format!(
        "---\nkind: Secret\nmetadata: {{name: pull, namespace: other}}\nstringData: {{token: {}}}\n",
        Front::TOKEN
    );
    scene.write("policy.yaml", &format!("{policy}{secret}"));
    scene.run("sync").is(1, &["refuses anonymous readers"]);
}

#[test]
fn githubs_token_goes_to_github_and_ghcr_only() {
    let scene = private();
    let output =
        scene.command(&["sync", "-f", "policy.yaml"]).env("GITHUB_TOKEN", Front::TOKEN).output().unwrap();
    ran(output).is(1, &["refuses anonymous readers"]);
    assert!(scene.front.requests().iter().all(|request| request.authorization != "Basic"));
}

#[test]
fn check_says_where_each_credential_came_from() {
    let scene = private();
    scene.write("config.json", &docker_config(scene.front.host(), Front::TOKEN));
    let output = scene.command(&["check", "-f", "policy.yaml"]).env("DOCKER_CONFIG", ".").output().unwrap();
    ran(output).is(0, &["read with docker's config", "with nothing (anonymous)"]);
}

#[test]
fn a_certificate_of_ones_own_is_trusted_when_it_is_named() {
    let scene = Scene::with(Options::default().tls(), FrontOptions { tls: true, ..FrontOptions::default() });
    scene.tag(NEW);
    let policy = scene.policy("back", "");
    scene.write("policy.yaml", &policy.replace("registry: {insecure: true}", "registry: {}"));
    scene.run("sync").is(1, &["certificate", "caSecretRef"]);
    let indent = |pem: &str| pem.lines().map(|line| format!("    {line}\n")).collect::<String>();
    let secret = |name: &str, pem: &str| {
        format!(
            "---\nkind: Secret\nmetadata: {{name: {name}, namespace: backoffice-dev}}\nstringData:\n  ca.crt: |\n{}",
            indent(pem)
        )
    };
    let policy = policy
        .replace("registry: {insecure: true}", "registry: {caSecretRef: {name: registry-ca}}")
        .replace("branch: main,", "branch: main, caSecretRef: {name: git-ca},");
    let secrets = secret("registry-ca", scene.front.ca_pem().unwrap())
        + &secret("git-ca", scene.server.ca_pem().unwrap());
    scene.write("policy.yaml", &policy);
    scene.run("sync").is(2, &["is not among the files"]);
    scene.write("policy.yaml", &(policy + &secrets));
    scene.run("sync").is(0, &["updated"]);
}
