//! `make demo`: one update from a pushed tag to a commit, on a machine with Rust and nothing else.
//!
//! An embedded registry (the two requests of the distribution API that an update needs) and a bare repository in a
//! temporary folder; the program itself does the rest. What Git holds is read back by gix, not by the program.
#![allow(clippy::print_stdout, reason = "a program that shows something")]
#![allow(clippy::disallowed_types, reason = "runs the program that it shows")]
#![allow(clippy::expect_used, clippy::panic, reason = "a demonstration that fails says where and ends")]

use std::{
    io::IsTerminal as _,
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header::CONTENT_TYPE},
    routing::get,
};
use image_gitops_tests::demo_repository as repository;

const IMAGE: &str = "legolas49/back-dev-bfirstai";
const FILE: &str = "kubevela/backoffice-dev.yaml";
const FIRST: &str = "main-abc1234-1627123456";
const SECOND: &str = "main-def5678-1627209856";

type Tags = Arc<Mutex<Vec<String>>>;

fn main() {
    let program = std::env::args_os().nth(1).map(PathBuf::from).expect("usage: demo PROGRAM");
    let program = program.canonicalize().expect("the program exists: run make demo");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let tags: Tags = Tags::default();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let host = runtime.block_on(registry(tags.clone()));
    let push = |tag: &str| tags.lock().expect("no other user panicked").push(tag.to_owned());

    let bare = folder.path().join("back-dev-bfirstai.git");
    let application = APPLICATION.replace("IMAGE", &format!("{host}/{IMAGE}:{FIRST}"));
    repository::create(&bare, "main", &[(FILE, application.as_bytes())], "Describe the application");
    let policy = folder.path().join("policy.yaml");
    let text = POLICY
        .replace("IMAGE", &format!("{host}/{IMAGE}"))
        .replace("REPOSITORY", &bare.display().to_string());
    std::fs::write(&policy, text).expect("the policy is written");
    let run = |command: &str| run(&program, folder.path(), command);

    title("A registry with one image, and a bare repository with an Application");
    push(FIRST);
    push("latest");
    push("sha256-4bf5122f344554c53bde2ebb8cd2b7e3d1600ad631c385a5d7cce23c7785459a.sig");
    println!("{host}/{IMAGE}:{FIRST}\n{}\n", bare.display());
    print!("{application}");

    title("policy.yaml: what to keep up to date");
    print!("{}", std::fs::read_to_string(&policy).expect("the policy is read"));

    title("Nothing is newer yet");
    run("sync");
    let before = repository::commits(&bare, "main").len();

    title(&format!("CI pushes {IMAGE}:{SECOND}"));
    push(SECOND);
    run("plan");
    run("sync");

    title("What Git holds now");
    let commits = repository::commits(&bare, "main");
    let (id, message) = commits.first().expect("a commit");
    println!("commit {id}\n");
    for line in message.lines() {
        println!("    {line}");
    }
    let now = String::from_utf8(repository::file(&bare, "main", FILE)).expect("text");
    println!();
    let changed: Vec<_> = application.lines().zip(now.lines()).filter(|(old, new)| old != new).collect();
    for (old, new) in &changed {
        println!("-{old}\n+{new}");
    }

    title("Why this tag");
    run("explain");

    title("A second pass does nothing");
    run("sync");
    let after = repository::commits(&bare, "main").len();

    title("Done");
    println!("commits: {before} before, {after} after two passes; changed lines: {}", changed.len());
    assert!(after == before + 1 && changed.len() == 1, "expected one commit and one line");
}

fn title(text: &str) {
    let (bold, plain) = if std::io::stdout().is_terminal() { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
    println!("\n{bold}== {text}{plain}\n");
}

/// Runs the program as a person would, in the folder of policy.yaml, with its output going straight to the terminal.
fn run(program: &Path, folder: &Path, command: &str) {
    println!("$ image-gitops {command} -f policy.yaml");
    let status = Command::new(program)
        .args([command, "-f", "policy.yaml"])
        .current_dir(folder)
        .env_remove("GITHUB_TOKEN")
        .env("DOCKER_CONFIG", folder)
        .status()
        .expect("the program starts");
    println!();
    if !status.success() {
        panic!("image-gitops {command} ended with {status}");
    }
}

/// Serves the tags until the program ends; returns `127.0.0.1:PORT`.
async fn registry(tags: Tags) -> String {
    let app = Router::new()
        .route("/v2/", get(|| async { StatusCode::OK }))
        .route("/v2/{owner}/{name}/tags/list", get(list))
        .route("/v2/{owner}/{name}/manifests/{tag}", get(manifest))
        .with_state(tags);
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
    let address = listener.local_addr().expect("a bound port");
    tokio::spawn(async move { axum::serve(listener, app).await });
    address.to_string()
}

async fn list(State(tags): State<Tags>) -> ([(HeaderName, &'static str); 1], String) {
    let tags = tags.lock().map(|tags| tags.clone()).unwrap_or_default();
    ([(CONTENT_TYPE, "application/json")], serde_json::json!({ "name": IMAGE, "tags": tags }).to_string())
}

/// The smallest image manifest that is valid; its digest is that of these bytes.
async fn manifest() -> (HeaderMap, &'static str) {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("application/vnd.oci.image.manifest.v1+json"));
    headers.insert("docker-content-digest", HeaderValue::from_static(MANIFEST_DIGEST));
    (headers, MANIFEST)
}

const MANIFEST: &str = concat!(
    r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","#,
    r#""config":{"mediaType":"application/vnd.oci.empty.v1+json","#,
    r#""digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2},"layers":[]}"#
);
const MANIFEST_DIGEST: &str = "sha256:1ccb399e44f3e0ec86bb1a95031c6b9f81ac77860556a81a90acb79bab8005d9";

const APPLICATION: &str = r#"# The back office, as KubeVela runs it
apiVersion: core.oam.dev/v1beta1
kind: Application
metadata:
  name: backoffice-dev
  namespace: backoffice-dev
spec:
  components:
    - name: back
      type: webservice
      properties:
        image: IMAGE   # kept up to date by image-gitops
        ports: [{port: 3000, expose: true}]
        env:
          - {name: LOG_LEVEL, value: 'info'}
"#;

const POLICY: &str = r#"apiVersion: image-gitops.dev/v1alpha1
kind: ImageGitOps
metadata: {name: backoffice-dev-back, namespace: backoffice-dev}
spec:
  image: IMAGE
  registry: {insecure: true}
  tags: {pattern: '^main-[a-f0-9]{7}-(?P<ts>[0-9]+)$', extract: '$ts'}
  policy: {sort: numerical, order: desc}
  git:
    url: REPOSITORY
    branch: main
    path: kubevela/backoffice-dev.yaml
  target: {application: backoffice-dev, component: back}
"#;
