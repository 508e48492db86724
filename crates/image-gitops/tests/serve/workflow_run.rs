//! The workflow step in a WorkflowRun, which belongs to no Application: run by KubeVela's own controller of those.

use std::sync::{Mutex, mpsc};

use image_gitops_tests::{
    git,
    git_server::Fault as GitFault,
    registry_server::{Answer, Fault},
};
use serde_json::{Value, json};

use crate::{
    scene::{IMAGE, NEW, NEWER, OLD, Service},
    step::Stage,
};

/// Brings the component up to date, and writes down what the step gave.
const STEPS: &str = "
    - name: image
      type: image-gitops
      properties: {app: backoffice-dev, component: back}
      outputs:
        - {name: image, valueFrom: result.image}
        - {name: tag, valueFrom: result.tag}
        - {name: commit, valueFrom: result.commit}
    - name: note
      type: apply-object
      inputs:
        - {from: image, parameterKey: value.data.image}
        - {from: tag, parameterKey: value.data.tag}
        - {from: commit, parameterKey: value.data.commit}
      properties:
        value: {apiVersion: v1, kind: ConfigMap, metadata: {name: note, namespace: NS}}
";

impl Stage {
    /// The Application, the resource that keeps it up to date, and the controller.
    fn with_workflow() -> Self {
        let stage = Self::new();
        stage.cluster.plane.with_workflow();
        stage.cluster.apply_application("");
        stage.cluster.apply_resource("  interval: 1h\n");
        stage
    }

    /// Applies a WorkflowRun with these steps.
    fn start(&self, name: &str, steps: &str) {
        let meta = format!("{{name: {name}, namespace: NS}}");
        let spec = format!("spec:\n  workflowSpec:\n    steps:{}", steps.replace('\n', "\n  "));
        let run = format!("apiVersion: core.oam.dev/v1alpha1\nkind: WorkflowRun\nmetadata: {meta}\n{spec}\n");
        self.cluster.plane.apply(&self.object(&run)).unwrap();
    }

    fn run_path(&self, name: &str) -> String {
        self.object(&format!("/apis/core.oam.dev/v1alpha1/namespaces/NS/workflowruns/{name}"))
    }

    /// Waits until a run is in this state, and gives its first step.
    #[track_caller]
    fn until_run(&self, name: &str, state: &str) -> Value {
        let run = self.cluster.plane.wait_until(&self.run_path(name), |run| run["status"]["status"] == state);
        run["status"]["steps"][0].clone()
    }

    /// Waits until a run's first step waits with this message.
    #[track_caller]
    fn until_waits(&self, name: &str, message: &str) {
        self.cluster.plane.wait_until(&self.run_path(name), |run| {
            let step = &run["status"]["steps"][0];
            step["phase"] == "running" && step["message"].as_str().unwrap_or_default().contains(message)
        });
    }

    /// What the step after ours was given.
    fn note(&self) -> Value {
        let path = self.object("/api/v1/namespaces/NS/configmaps/note");
        self.cluster.plane.wait_until(&path, |_| true)["data"].clone()
    }

    fn noted(&self) -> bool {
        self.cluster.plane.get(&self.object("/api/v1/namespaces/NS/configmaps/note")).is_ok()
    }

    /// Sends what the step would for a run of a WorkflowRun, rightly signed, and gives the status.
    fn send(&self, service: &Service, owner: &str, run: &str) -> u16 {
        let namespace = &self.cluster.namespace;
        let body = json!({ "run": run, "namespace": namespace, "app": "backoffice-dev", "owner": owner });
        let body = body.to_string();
        let signature = self.key(service).sign(body.as_bytes());
        service.post("/v1/step", &[("x-image-gitops-signature", &signature)], &body).0
    }
}

#[test]
fn a_workflow_run_brings_an_application_up_to_date_once_and_passes_on_what_came_of_it() {
    let stage = Stage::with_workflow();
    let _service = stage.serve();
    stage.cluster.until_reason("UpToDate");
    stage.cluster.scene.tag(NEW);
    let before = stage.cluster.scene.tip();
    stage.start("release", STEPS);
    stage.until_run("release", "succeeded");
    stage.cluster.scene.one_line_since(&before);
    stage.cluster.until_image(NEW);
    let tip = stage.cluster.scene.tip();
    let given = json!({ "image": stage.cluster.scene.image(NEW), "tag": NEW, "commit": tip });
    assert_eq!(stage.note(), given);
    // Neither the key nor a credential is left where people look.
    let run = stage.cluster.plane.get(&stage.run_path("release")).unwrap();
    assert!(!run.to_string().contains("sha256="), "{run}");
    // Another run finds nothing to do, and says the same.
    stage.start("again", STEPS);
    stage.until_run("again", "succeeded");
    assert_eq!(stage.cluster.scene.tip(), tip);
    assert_eq!(stage.note(), given);
}

#[test]
fn a_workflow_run_may_have_the_name_of_the_application() {
    let stage = Stage::with_workflow();
    let _service = stage.serve();
    stage.cluster.scene.tag(NEW);
    // It is then the step's own Application only by its name: nobody has to apply it before the step goes on.
    stage.cluster.apply_resource("  interval: 1h\n  deploy: git-only\n");
    stage.start("backoffice-dev", STEPS);
    stage.until_run("backoffice-dev", "succeeded");
    assert_eq!(stage.note()["tag"], NEW);
    assert_eq!(stage.cluster.image(), stage.cluster.scene.image(OLD));
}

#[test]
fn a_workflow_run_that_the_policy_refuses_ends_with_the_reason() {
    let stage = Stage::with_workflow();
    let resource = stage.cluster.resource("back", "  interval: 1h\n");
    stage.cluster.plane.apply(&resource.replace("^main-", "^release-")).unwrap();
    let _service = stage.serve();
    stage.start("release", STEPS);
    let step = stage.until_run("release", "failed");
    assert_eq!(step["phase"], "failed");
    assert_eq!(step["reason"], "Action", "final, not tried ten times: {step}");
    let message = step["message"].as_str().unwrap();
    assert!(message.contains("is allowed by the policy"), "{message}");
    assert!(!stage.noted(), "the next step was run");
}

#[test]
fn a_workflow_run_that_names_no_application_is_told_to() {
    let stage = Stage::with_workflow();
    let _service = stage.serve();
    stage.start("release", "\n    - {name: image, type: image-gitops, properties: {component: back}}");
    let step = stage.until_run("release", "failed");
    let message = step["message"].as_str().unwrap();
    assert!(message.contains("a WorkflowRun names the Application"), "{message}");
}

#[test]
fn a_workflow_run_outlives_the_service_and_its_registry() {
    let stage = Stage::with_workflow();
    let before = stage.cluster.scene.tip();
    stage.cluster.scene.tag(NEW);
    stage.cluster.scene.front.on("tags/list", Fault::Answer(Answer::json(503, "{}")));
    let service = stage.serve();
    stage.start("release", STEPS);
    stage.until_waits("release", "HTTP 503");
    crate::step::ready(&stage.cluster, 0);
    service.kill();
    stage.until_waits("release", "has no pod that is ready");
    stage.cluster.scene.front.heal();
    let _again = stage.serve();
    crate::step::ready(&stage.cluster, 1);
    stage.until_run("release", "succeeded");
    stage.cluster.scene.one_line_since(&before);
    assert_eq!(stage.note()["tag"], NEW);
}

#[test]
fn a_step_names_the_commit_though_the_service_died_before_it_heard_of_it() {
    let stage = Stage::with_workflow();
    let service = stage.serve();
    stage.cluster.until_reason("UpToDate");
    let before = stage.cluster.scene.tip();
    stage.cluster.scene.tag(NEW);
    // Git has taken the push, and its answer is held back until the service is dead.
    let (landed, has_landed) = mpsc::channel();
    let (killed, is_killed) = mpsc::channel::<()>();
    let is_killed = Mutex::new(is_killed);
    let hold = move |answer| {
        landed.send(()).unwrap();
        let _ = is_killed.lock().unwrap().recv();
        answer
    };
    let push = format!("POST /{IMAGE}/git-receive-pack");
    stage.cluster.scene.server.once(&push, GitFault::rewrite(hold));
    stage.start("release", STEPS);
    has_landed.recv().unwrap();
    // Looked at again only once a pod is there, as in a cluster: a request that nobody takes would fail the step.
    crate::step::ready(&stage.cluster, 0);
    service.kill();
    drop(killed);
    assert_ne!(stage.cluster.scene.tip(), before);
    // Git is away at first, so that the next life's first look at it is the one that the step waits for.
    stage.cluster.scene.server.on("git-upload-pack", GitFault::status(503, "away"));
    let _again = stage.serve();
    crate::step::ready(&stage.cluster, 1);
    stage.until_waits("release", "HTTP 503");
    stage.cluster.scene.server.heal();
    stage.until_run("release", "succeeded");
    stage.cluster.scene.one_line_since(&before);
    assert_eq!(stage.note()["commit"], stage.cluster.scene.tip());
}

#[test]
fn a_workflow_run_that_is_over_or_not_there_or_elsewhere_moves_nothing() {
    let stage = Stage::with_workflow();
    let service = stage.serve();
    stage.start("release", STEPS);
    let done = stage.until_run("release", "succeeded");
    let before = stage.cluster.scene.tip();
    stage.cluster.scene.tag(NEWER);
    let run = done["id"].as_str().unwrap();
    assert_eq!(stage.send(&service, "release", run), 409, "a replay");
    assert_eq!(stage.send(&service, "nobody", run), 404, "no such WorkflowRun");
    // Signed, but nobody vouches for the run: it is told to wait, and nothing is done.
    assert_eq!(stage.send(&service, "release", "aaaaaaaaaa"), 202);
    // A WorkflowRun can say that it lies elsewhere: KubeVela lets its author overwrite the context.
    let elsewhere = stage.cluster.plane.namespace();
    let claim = json!({
        "apiVersion": "core.oam.dev/v1alpha1", "kind": "WorkflowRun",
        "metadata": { "name": "claim", "namespace": elsewhere },
        "spec": {
            "context": { "namespace": stage.cluster.namespace, "name": "release" },
            "workflowSpec": { "steps": [
                { "name": "image", "type": "image-gitops", "properties": { "app": "backoffice-dev" } },
            ] },
        },
    });
    stage.cluster.plane.apply(&claim.to_string()).unwrap();
    let path = format!("/apis/core.oam.dev/v1alpha1/namespaces/{elsewhere}/workflowruns/claim");
    stage.cluster.plane.wait_until(&path, |run| {
        let step = &run["status"]["steps"][0];
        step["message"].as_str().is_some_and(|message| message.contains("reads the registry and Git"))
    });
    std::thread::sleep(std::time::Duration::from_secs(2));
    assert_eq!(stage.cluster.scene.tip(), before, "a request that nobody vouches for wrote to Git");
    assert_eq!(git::log(&stage.cluster.scene.repository.path, "main").len(), 2);
    assert_eq!(stage.cluster.plane.get(&path).unwrap()["status"]["steps"][0]["phase"], "running");
}
