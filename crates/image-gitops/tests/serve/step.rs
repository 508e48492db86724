//! The workflow step, run by KubeVela's own controller from the definition that the addon ships.

use std::{
    collections::BTreeSet,
    net::TcpListener,
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use image_gitops_core::signature::Key;
use image_gitops_tests::{
    git,
    registry_server::{Answer, Fault},
};
use serde_json::{Value, json};

use crate::scene::{Cluster, NEW, NEWER, OLD, PATIENCE, Service};

/// How long a Deployment is looked at.
const SETTLED: Duration = Duration::from_secs(2);

/// The step knows one service in `vela-system`: its tests take turns.
static TURN: Mutex<()> = Mutex::new(());

pub(crate) struct Stage {
    pub(crate) cluster: Cluster,
    port: u16,
    _turn: MutexGuard<'static, ()>,
}

/// The Application's own workflow: bring the component up to date, pass on what came of it, deploy.
const WORKFLOW: &str = "  workflow:
    steps:
      - name: image
        type: image-gitops
        properties: {component: back}
        outputs:
          - {name: image, valueFrom: result.image}
          - {name: tag, valueFrom: result.tag}
          - {name: digest, valueFrom: result.digest}
          - {name: commit, valueFrom: result.commit}
      - name: note
        type: apply-object
        inputs:
          - {from: image, parameterKey: value.data.image}
          - {from: tag, parameterKey: value.data.tag}
          - {from: digest, parameterKey: value.data.digest}
          - {from: commit, parameterKey: value.data.commit}
        properties:
          value: {apiVersion: v1, kind: ConfigMap, metadata: {name: note, namespace: NS}}
      - name: deploy
        type: deploy
        properties: {policies: []}
";

impl Stage {
    pub(crate) fn new() -> Self {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let cluster = Cluster::new();
        define(&cluster);
        // Free now, and nobody else's until it is used: ports are given out in turn.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Self { cluster, port, _turn: turn }
    }

    pub(crate) fn serve(&self) -> Service {
        let url = format!("http://127.0.0.1:{}", self.port);
        self.cluster.serve_in("vela-system", self.port, &["--url", &url, "--lease", ""])
    }

    /// Applies the Application with its workflow, as Git has it.
    fn run_workflow(&self) {
        let text = format!("{}{}", self.cluster.scene.file(), self.object(WORKFLOW));
        self.cluster.plane.apply(&text).unwrap();
    }

    /// Waits until the first step's status is as it should be, and gives it.
    #[track_caller]
    fn until_step(&self, phase: &str, message: &str) -> Value {
        let path = self.cluster.application_path();
        let application =
            self.cluster.plane.wait_longer_until(Duration::from_secs(180), &path, |application| {
                let step = step(application, 0);
                step["phase"] == phase && step["message"].as_str().unwrap_or_default().contains(message)
            });
        step(&application, 0)
    }

    /// The key that the step signs with, as it finds it.
    pub(crate) fn key(&self, service: &Service) -> Key {
        let path = "/api/v1/namespaces/vela-system/secrets/image-gitops-client";
        let secret = self.cluster.plane.get(path).unwrap();
        let text = |key: &str| {
            let encoded = secret["data"][key].as_str().unwrap();
            String::from_utf8(STANDARD.decode(encoded).unwrap()).unwrap()
        };
        assert_eq!(text("url"), format!("http://{}", service.public));
        Key::new(&text("token").into()).unwrap()
    }

    pub(crate) fn object(&self, path: &str) -> String {
        path.replace("NS", &self.cluster.namespace)
    }

    /// Waits for the Deployment, and asserts that it never had another image than that of `tag`.
    #[track_caller]
    fn deployed_with_nothing_but(&self, tag: &str) {
        let path = self.object("/apis/apps/v1/namespaces/NS/deployments/back");
        let started = std::time::Instant::now();
        let mut seen = BTreeSet::new();
        while started.elapsed() < SETTLED || seen.is_empty() {
            if let Ok(deployment) = self.cluster.plane.get(&path) {
                let image = &deployment["spec"]["template"]["spec"]["containers"][0]["image"];
                seen.insert(image.as_str().unwrap().to_owned());
            }
            if started.elapsed() > PATIENCE {
                let application = self.cluster.plane.get(&self.cluster.application_path()).unwrap();
                panic!("no Deployment: {:#}", application["status"]["workflow"]);
            }
        }
        assert_eq!(seen, BTreeSet::from([self.cluster.scene.image(tag)]));
        // KubeVela keeps what each revision of the Application was: of those that got as far as to deploy, none had another.
        let tracked = self.object("/apis/core.oam.dev/v1beta1/resourcetrackers");
        let trackers = self.cluster.plane.get(&tracked).unwrap().to_string();
        assert!(
            tag == OLD || !trackers.contains(&format!("{}:{OLD}", self.cluster.scene.front.host())),
            "{trackers}"
        );
    }
}

fn step(application: &Value, index: usize) -> Value {
    application["status"]["workflow"]["steps"][index].clone()
}

/// The step's definition, and the Deployment by which it sees that the service is up.
fn define(cluster: &Cluster) {
    let rendered = "../../charts/image-gitops/files/definitions/image-gitops-step.yaml";
    let definition = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(rendered)).unwrap();
    cluster.plane.apply(&definition.replace("metadata:\n", "metadata:\n  namespace: vela-system\n")).unwrap();
    let labels = json!({ "app": "image-gitops" });
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": { "name": "image-gitops", "namespace": "vela-system" },
        "spec": { "selector": { "matchLabels": labels }, "template": {
            "metadata": { "labels": labels }, "spec": { "containers": [{ "name": "a", "image": "image-gitops" }] },
        }},
    });
    cluster.plane.apply(&deployment.to_string()).unwrap();
    ready(cluster, 1);
}

/// Writes what a Deployment's controller would: how many pods of the service are ready.
pub(crate) fn ready(cluster: &Cluster, pods: u32) {
    let status = if pods == 0 {
        json!({ "readyReplicas": null })
    } else {
        json!({ "readyReplicas": pods, "replicas": pods })
    };
    let path = "/apis/apps/v1/namespaces/vela-system/deployments/image-gitops/status";
    cluster.plane.request("PATCH", path, Some(&json!({ "status": status }))).unwrap();
}

#[test]
fn a_step_brings_its_own_application_up_to_date_before_it_is_deployed() {
    let stage = Stage::new();
    stage.cluster.apply_resource("  interval: 1h\n");
    let _service = stage.serve();
    stage.cluster.until_reason("UpToDate");
    stage.cluster.scene.tag(NEW);
    let before = stage.cluster.scene.tip();
    stage.run_workflow();
    stage.until_step("succeeded", NEW);
    stage.deployed_with_nothing_but(NEW);
    stage.cluster.scene.one_line_since(&before);
    // What the step knows, the next one is given.
    let note =
        stage.cluster.plane.wait_until(&stage.object("/api/v1/namespaces/NS/configmaps/note"), |_| true);
    assert_eq!(note["data"]["image"], stage.cluster.scene.image(NEW));
    assert_eq!(note["data"]["tag"], NEW);
    assert_eq!(note["data"]["commit"], stage.cluster.scene.tip());
    assert!(note["data"]["digest"].as_str().unwrap().starts_with("sha256:"), "{note}");
    // Neither the key nor a credential is left where people look.
    let application = stage.cluster.plane.get(&stage.cluster.application_path()).unwrap();
    assert!(!application.to_string().contains("sha256="), "{application}");
}

#[test]
fn a_step_with_nothing_to_do_goes_on_without_a_commit() {
    let stage = Stage::new();
    stage.cluster.apply_resource("  interval: 1h\n");
    let before = stage.cluster.scene.tip();
    let _service = stage.serve();
    stage.run_workflow();
    stage.until_step("succeeded", OLD);
    stage.deployed_with_nothing_but(OLD);
    assert_eq!(stage.cluster.scene.tip(), before);
}

#[test]
fn a_step_outside_of_the_windows_goes_on_with_what_git_holds() {
    let stage = Stage::new();
    let (updates, _) = crate::people::freeze(3600);
    stage.cluster.apply_resource(&format!("  interval: 1h\n{updates}"));
    stage.cluster.scene.tag(NEW);
    let before = stage.cluster.scene.tip();
    let _service = stage.serve();
    stage.run_workflow();
    stage.until_step("succeeded", &format!("{NEW} waits until"));
    stage.deployed_with_nothing_but(OLD);
    assert_eq!(stage.cluster.scene.tip(), before);
    let note =
        stage.cluster.plane.wait_until(&stage.object("/api/v1/namespaces/NS/configmaps/note"), |_| true);
    assert_eq!(note["data"]["tag"], OLD);
}

#[test]
fn a_step_waits_until_whoever_applies_the_application_has_done_so() {
    let stage = Stage::new();
    stage.cluster.apply_resource("  interval: 1h\n  deploy: git-only\n");
    stage.cluster.scene.tag(NEW);
    let _service = stage.serve();
    stage.run_workflow();
    stage.until_step("running", "waiting for it in the Application");
    assert_eq!(stage.cluster.image(), stage.cluster.scene.image(OLD));
    // As Flux or a person does: what Git says is applied.
    stage.run_workflow();
    stage.until_step("succeeded", NEW);
    stage.deployed_with_nothing_but(NEW);
}

#[test]
fn a_workflow_that_follows_one_that_has_ended_is_answered() {
    let stage = Stage::new();
    stage.cluster.apply_resource("  interval: 1h\n");
    let _service = stage.serve();
    // Ends at once: the status that the next workflow's first request meets is that of a finished one.
    let text = format!(
        "{}  workflow:\n    steps: [{{name: wait, type: suspend, properties: {{duration: 1s}}}}]\n",
        stage.cluster.scene.file()
    );
    stage.cluster.plane.apply(&text).unwrap();
    let ended = |application: &Value| application["status"]["workflow"]["finished"] == true;
    stage.cluster.plane.wait_until(&stage.cluster.application_path(), ended);
    stage.cluster.scene.tag(NEW);
    stage.run_workflow();
    stage.until_step("succeeded", NEW);
    stage.deployed_with_nothing_but(NEW);
}

#[test]
fn a_step_that_the_policy_refuses_fails_with_the_reason() {
    let stage = Stage::new();
    let resource = stage.cluster.resource("back", "  interval: 1h\n");
    stage.cluster.plane.apply(&resource.replace("^main-", "^release-")).unwrap();
    let _service = stage.serve();
    stage.run_workflow();
    let step = stage.until_step("failed", "is allowed by the policy");
    assert_eq!(step["reason"], "Action", "final, not tried ten times: {step}");
    let path = stage.object("/apis/apps/v1/namespaces/NS/deployments/back");
    assert!(stage.cluster.plane.get(&path).is_err(), "the old image was deployed");
}

#[test]
fn a_step_without_a_resource_says_what_is_missing() {
    let stage = Stage::new();
    let _service = stage.serve();
    stage.run_workflow();
    stage.until_step("failed", "give it the trait image-gitops");
}

#[test]
fn a_step_before_the_first_rollout_lets_it_begin() {
    let stage = Stage::new();
    let rendered = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../charts/image-gitops/files/definitions/image-gitops.yaml");
    let definition = std::fs::read_to_string(rendered).unwrap();
    stage
        .cluster
        .plane
        .apply(&definition.replace("metadata:\n", "metadata:\n  namespace: vela-system\n"))
        .unwrap();
    let mut service = stage.serve();
    let git = format!("{{url: '{}', path: {}}}", stage.cluster.scene.repository.url, crate::scene::FILE);
    let with_trait = format!(
        "{}      traits:\n        - type: image-gitops\n          properties: {{git: {git}, registry: {{insecure: true}}, \
         tags: {{pattern: '^main-[a-f0-9]{{7}}-(?P<ts>[0-9]+)$', extract: '$ts'}}}}\n{}",
        stage.cluster.scene.file(),
        stage.object(WORKFLOW)
    );
    stage.cluster.plane.apply(&with_trait).unwrap();
    stage.until_step("succeeded", "");
    // What the step was told. Its status may say what it was told after the rollout instead: KubeVela runs a step again where
    // it could not keep the status that says that it ran.
    service.until("answer", |log| log.iter().any(|line| line.contains("before the first rollout")));
    stage.deployed_with_nothing_but(OLD);
    // The trait made the resource, from five lines and the component's own image.
    let resource = stage.cluster.plane.wait_until(&stage.cluster.path("backoffice-dev-back"), |_| true);
    assert_eq!(resource["spec"]["image"], stage.cluster.scene.image(OLD).rsplit_once(':').unwrap().0);
}

#[test]
fn a_step_waits_for_a_service_that_is_not_there_and_for_a_registry_that_fails() {
    let stage = Stage::new();
    stage.cluster.apply_resource("  interval: 1h\n");
    stage.cluster.scene.tag(NEW);
    // Made by a service that ran before; now it is down, and says so by its Deployment.
    drop(stage.serve());
    ready(&stage.cluster, 0);
    stage.run_workflow();
    stage.until_step("running", "has no pod that is ready");
    stage.cluster.scene.front.on("tags/list", Fault::Answer(Answer::json(503, "{}")));
    let service = stage.serve();
    ready(&stage.cluster, 1);
    stage.until_step("running", "HTTP 503");
    // Killed in the middle of a step, and started again: the step goes on where Git says.
    service.kill();
    stage.cluster.scene.front.heal();
    let before = stage.cluster.scene.tip();
    let _again = stage.serve();
    stage.until_step("succeeded", NEW);
    stage.deployed_with_nothing_but(NEW);
    stage.cluster.scene.one_line_since(&before);
}

#[test]
fn only_a_run_that_is_alive_is_answered_and_only_with_its_key() {
    let stage = Stage::new();
    stage.cluster.apply_resource("  interval: 1h\n");
    let service = stage.serve();
    stage.run_workflow();
    let done = stage.until_step("succeeded", OLD);
    let before = stage.cluster.scene.tip();
    stage.cluster.scene.tag(NEWER);
    let key = stage.key(&service);
    let body = |run: &str| {
        json!({ "run": run, "namespace": stage.cluster.namespace, "app": "backoffice-dev", "component": "back" })
            .to_string()
    };
    let post = |body: &str, signature: &str| {
        let (status, answer) = service.post("/v1/step", &[("x-image-gitops-signature", signature)], body);
        (status, answer["message"].as_str().unwrap_or_default().to_owned())
    };
    let replay = body(done["id"].as_str().unwrap());
    let (status, message) = post(&replay, &key.sign(replay.as_bytes()));
    assert_eq!(status, 409, "{message}");
    let forged = body("aaaaaaaaaa");
    assert_eq!(post(&forged, "").0, 401);
    assert_eq!(post(&forged, &key.sign(replay.as_bytes())).0, 401);
    // Signed, but nobody vouches for the run: it is told to wait, and nothing is done.
    assert_eq!(post(&forged, &key.sign(forged.as_bytes())).0, 202);
    let large = "x".repeat(17 << 10);
    assert_eq!(post(&large, &key.sign(large.as_bytes())).0, 413);
    assert_eq!(post("{}", &key.sign(b"{}")).0, 400);
    assert_eq!(stage.cluster.scene.tip(), before, "a replay wrote to Git");
    assert_eq!(git::log(&stage.cluster.scene.repository.path, "main").len(), 2);
}
