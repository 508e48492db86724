//! A namespace of the control plane with the user's Application in it, and the service running beside it.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use image_gitops_tests::control_plane::ControlPlane;
use serde_json::{Value, json};

pub(crate) use crate::base::{FILE, IMAGE, NEW, NEWER, OLD, Scene};

/// How long anything may take here. Far more than it does, so that only what never happens fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Cluster {
    pub(crate) scene: Scene,
    pub(crate) plane: &'static ControlPlane,
    pub(crate) namespace: String,
    /// Whether services log all they can.
    pub(crate) trace: bool,
}

/// A running service. It is killed when it is dropped.
pub(crate) struct Service {
    child: Child,
    pub(crate) public: SocketAddr,
    pub(crate) admin: SocketAddr,
    log: Arc<Mutex<Vec<String>>>,
}

impl Cluster {
    /// The user's repository and image, and a namespace with the resource's definition; nothing else in it.
    pub(crate) fn new() -> Self {
        Self::of(Scene::new())
    }

    /// The same around another repository and registry.
    pub(crate) fn of(scene: Scene) -> Self {
        Self::on(ControlPlane::shared().with_kubevela(), scene)
    }

    /// The same on another control plane.
    pub(crate) fn on(plane: &'static ControlPlane, scene: Scene) -> Self {
        let crd = std::process::Command::new(env!("CARGO_BIN_EXE_image-gitops")).arg("crd").output().unwrap();
        plane.apply(std::str::from_utf8(&crd.stdout).unwrap()).unwrap();
        let namespace = plane.namespace();
        let application =
            scene.application(OLD).replace("namespace: backoffice-dev", &format!("namespace: {namespace}"));
        scene.commit(FILE, &application, "Name the namespace");
        Self { scene, plane, namespace, trace: false }
    }

    /// The Application as the file has it, with `more` below its metadata.
    pub(crate) fn apply_application(&self, more: &str) {
        let text = self.scene.file().replace("metadata:\n", &format!("metadata:\n{more}"));
        self.plane.apply(&text).unwrap();
    }

    /// The user's resource, called `name`, with `more` in its spec.
    pub(crate) fn resource(&self, name: &str, more: &str) -> String {
        self.scene
            .policy(name, more)
            .replace("namespace: backoffice-dev", &format!("namespace: {}", self.namespace))
    }

    pub(crate) fn apply_resource(&self, more: &str) {
        self.plane.apply(&self.resource("back", more)).unwrap();
    }

    /// A cluster whose service has made one commit, which the Application follows; and the file's text before that.
    pub(crate) fn updated() -> (Self, Service, String) {
        let cluster = Self::new();
        cluster.apply_application("");
        cluster.apply_resource("  interval: 10s\n");
        let old = cluster.scene.file();
        cluster.scene.tag(NEW);
        let service = cluster.serve(&[]);
        cluster.until_image(NEW);
        (cluster, service, old)
    }

    /// Starts the service for this namespace. Only what a test adds to `arguments` differs from the defaults.
    pub(crate) fn serve(&self, arguments: &[&str]) -> Service {
        self.serve_in(&self.namespace, 0, arguments)
    }

    /// Starts the service for all namespaces, but only for the resources with the label of this instance.
    pub(crate) fn serve_all(&self, instance: &str, arguments: &[&str]) -> Service {
        self.start(&["--instance", instance], &self.namespace, 0, arguments)
    }

    /// Starts the service as if its pod were in the namespace `home`, with steps and webhooks on `port`.
    pub(crate) fn serve_in(&self, home: &str, port: u16, arguments: &[&str]) -> Service {
        self.start(&["--namespace", &self.namespace], home, port, arguments)
    }

    fn start(&self, scope: &[&str], home: &str, port: u16, arguments: &[&str]) -> Service {
        let folder = tempfile::tempdir().unwrap();
        Service::start(self.command(&folder, scope, home, port, arguments), folder)
    }

    /// The service for what `scope` says, as if its pod were in the namespace `home`.
    pub(crate) fn command(
        &self,
        folder: &tempfile::TempDir,
        scope: &[&str],
        home: &str,
        port: u16,
        arguments: &[&str],
    ) -> Command {
        let mut command = crate::base::program(folder.path(), &["serve"]);
        command
            .args(["--listen", &format!("127.0.0.1:{port}"), "--admin-listen", "127.0.0.1:0"])
            .args(scope)
            // Where the tests' registries and Git servers are; no cluster has them there.
            .args(if arguments.contains(&"--allow-addresses") {
                &[][..]
            } else {
                &["--allow-addresses", "127.0.0.0/8"]
            })
            .args(arguments)
            .env("KUBECONFIG", &self.plane.kubeconfig)
            .env("POD_NAMESPACE", home)
            .envs(
                if self.trace { &[("RUST_LOG", "trace"), ("RUST_BACKTRACE", "full")][..] } else { &[] }
                    .iter()
                    .copied(),
            )
            .stderr(Stdio::piped());
        command
    }

    /// The path of a resource in the API.
    pub(crate) fn path(&self, name: &str) -> String {
        format!("/apis/image-gitops.dev/v1alpha1/namespaces/{}/imagegitops/{name}", self.namespace)
    }

    /// The path of the Application in the API.
    pub(crate) fn application_path(&self) -> String {
        format!("/apis/core.oam.dev/v1beta1/namespaces/{}/applications/backoffice-dev", self.namespace)
    }

    /// Waits until the resource's condition `Ready` has this reason, and gives its status.
    #[track_caller]
    pub(crate) fn until_reason(&self, reason: &str) -> Value {
        let has = |object: &Value| ready(object)["reason"] == reason;
        self.plane.wait_until(&self.path("back"), has)["status"].clone()
    }

    /// The image that the Application in the cluster has.
    pub(crate) fn image(&self) -> String {
        let application = self.plane.get(&self.application_path()).unwrap();
        application["spec"]["components"][0]["properties"]["image"].as_str().unwrap().to_owned()
    }

    /// Waits until the Application in the cluster has the image of `tag`.
    #[track_caller]
    pub(crate) fn until_image(&self, tag: &str) {
        let image = json!(self.scene.image(tag));
        let path = self.application_path();
        self.plane.wait_until(&path, |app| app["spec"]["components"][0]["properties"]["image"] == image);
    }

    /// The Events of the namespace: kind and reason of each.
    pub(crate) fn events(&self) -> Vec<(String, String)> {
        let list = self.plane.get(&format!("/api/v1/namespaces/{}/events", self.namespace)).unwrap();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let items = list["items"].as_array().unwrap();
        items.iter().map(|event| (text(&event["involvedObject"]["kind"]), text(&event["reason"]))).collect()
    }

    /// Sets an annotation of an object.
    pub(crate) fn annotate(&self, path: &str, key: &str, value: &str) {
        let patch = json!({ "metadata": { "annotations": { key: value } } });
        self.plane.request("PATCH", path, Some(&patch)).unwrap();
    }
}

/// The condition `Ready` of a resource.
pub(crate) fn ready(object: &Value) -> Value {
    let conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
    conditions.into_iter().find(|condition| condition["type"] == "Ready").unwrap_or_default()
}

impl Service {
    /// Starts it, in a folder that is kept for as long as it runs.
    pub(crate) fn start(mut command: Command, folder: tempfile::TempDir) -> Self {
        let mut child = command.spawn().unwrap();
        let stderr = child.stderr.take().unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        let lines = log.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                lines.lock().unwrap().push(line);
            }
            drop(folder);
        });
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut service = Self { child, public: any, admin: any, log };
        let listening = |log: &[String]| -> Vec<SocketAddr> {
            let lines = log.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            lines.filter_map(|line| line["bound"].as_str()?.parse().ok()).collect()
        };
        service.until("both ports", |log| listening(log).len() == 2);
        let bound = listening(&service.log());
        (service.admin, service.public) = (bound[0], bound[1]);
        service
    }

    pub(crate) fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    /// Waits until the log holds something.
    #[track_caller]
    pub(crate) fn until(&mut self, what: &str, holds: impl Fn(&[String]) -> bool) {
        let started = Instant::now();
        while !holds(&self.log.lock().unwrap()) {
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none() && started.elapsed() < PATIENCE, "no {what}; the log: {:#?}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Kills it as a node that dies does.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to end, as Kubernetes does, and gives its exit code.
    pub(crate) fn terminate(mut self) -> i32 {
        let kill = format!("kill -TERM {}", self.child.id());
        assert!(std::process::Command::new("sh").args(["-c", &kill]).status().unwrap().success());
        self.child.wait().unwrap().code().unwrap_or(-1)
    }

    /// Sends a request and gives status and body.
    pub(crate) fn post(&self, path: &str, headers: &[(&str, &str)], body: &str) -> (u16, Value) {
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let length = format!("content-length: {}\r\n", body.len());
        let (status, body) = send(self.public, &format!("POST {path}"), &format!("{headers}{length}"), body);
        (status, serde_json::from_str(&body).unwrap_or(Value::String(body)))
    }

    /// Reads a page of the port for probes and figures, as status and text.
    pub(crate) fn probe(&self, path: &str) -> (u16, String) {
        send(self.admin, &format!("GET {path}"), "", "")
    }
}

/// One HTTP request on a connection of its own, and the answer's status and body.
fn send(to: SocketAddr, line: &str, headers: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(to).unwrap();
    let request = format!("{line} HTTP/1.1\r\nhost: {to}\r\nconnection: close\r\n{headers}\r\n{body}");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    // A server that refuses a large body closes before all of it was read, which resets the connection after the answer.
    if let Err(error) = stream.read_to_string(&mut answer) {
        assert!(!answer.is_empty(), "{error}");
    }
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("the service's log:\n{}", self.log().join("\n"));
        }
    }
}
