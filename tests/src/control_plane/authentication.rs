//! KubeVela with its authentication on: it works as whoever wrote an Application, with that user's rights.
//!
//! Who that is, its admission webhooks write into the Application. What they are asked about, what rights the controller has
//! and how it is started are its own chart's, rendered by Helm.
#![allow(clippy::disallowed_types, reason = "the tests, and only they, run programs")]

use std::ffi::OsString;
use std::net::{Ipv4Addr, TcpListener};
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize as _;
use serde_json::{Value, json};

use super::ControlPlane;
use super::kubevela::{NAMESPACE, taken_in};
use crate::process::{Process, Start};
use crate::tls::ServerCertificate;
use crate::tools;

/// The controller's service account.
const ACCOUNT: &str = "kubevela-vela-core";
/// The templates of the chart that matter here.
const TEMPLATES: [&str; 3] = [
    "templates/kubevela-controller.yaml",
    "templates/admission-webhooks/mutatingWebhookConfiguration.yaml",
    "templates/admission-webhooks/validatingWebhookConfiguration.yaml",
];

impl ControlPlane {
    /// Has KubeVela's controller run as [`Self::with_kubevela`] does, as a service account with the chart's rights, with
    /// admission webhooks and with its authentication on. A control plane has the one or the other.
    ///
    /// # Panics
    /// As [`Self::with_kubevela`], when that runs already, and when Helm can neither be found nor built.
    pub fn with_authentication(&self) -> &Self {
        let mut started = false;
        self.kubevela.get_or_init(|| {
            started = true;
            self.start_with_authentication()
        });
        let name = format!("/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{ACCOUNT}");
        assert!(started || self.get(&name).is_ok(), "KubeVela runs already, and without authentication");
        self
    }

    fn start_with_authentication(&self) -> Process {
        let definitions = self.install_kubevela();
        let (webhooks, objects): (Vec<Value>, Vec<Value>) =
            chart().into_iter().partition(|object| text(object, "/kind").ends_with("WebhookConfiguration"));
        let (deployments, rights): (Vec<Value>, Vec<Value>) =
            objects.into_iter().partition(|object| object["kind"] == "Deployment");
        self.apply_all(&rights);
        let account = self.as_service_account(NAMESPACE, ACCOUNT).expect("the chart has the service account");

        let folder = tempfile::tempdir().expect("a temporary folder");
        let certificate = ServerCertificate::generate();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder can be made");
            std::fs::write(&path, text).expect("a file of vela-core can be written");
            path.display().to_string()
        };
        let kubeconfig = write("kubeconfig", &account.kubeconfig_text());
        write("certificates/tls.crt", &certificate.certificate_pem);
        write("certificates/tls.key", &certificate.key_pem);
        // Free now, and nobody else's until it is used: ports are given out in turn.
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|it| it.local_addr());
        let port = free.expect("a free port").port();

        let given = deployments[0].pointer("/spec/template/spec/containers/0/args").and_then(Value::as_array);
        let given = given.expect("the chart starts vela-core with arguments").iter();
        let mut arguments: Vec<OsString> = given.filter_map(Value::as_str).map(OsString::from).collect();
        // What is said again counts: fixed ports, long waits, and what a single process does not need.
        arguments.extend(
            [
                &format!("--webhook-port={port}"),
                &format!("--webhook-cert-dir={}", folder.path().join("certificates").display()),
                "--enable-leader-election=false",
                "--max-workflow-wait-backoff-time=1",
                "--metrics-addr=0",
                "--health-addr=0",
            ]
            .map(OsString::from),
        );
        let mut vela_core = Process::start(Start {
            name: "vela-core",
            program: &tools::vela_core(),
            arguments,
            environment: vec![("KUBECONFIG", kubeconfig.into())],
            folder,
        });
        for definition in definitions {
            let path = self.path_of(&definition);
            vela_core.wait_until(|_| self.get(&path).ok().filter(taken_in));
        }
        let webhooks: Vec<Value> =
            webhooks.into_iter().map(|object| at_port(object, port, &certificate.ca_pem)).collect();
        self.apply_all(&webhooks);
        // The API server comes to know them a moment later.
        vela_core.wait_until(|_| {
            let path = "/apis/core.oam.dev/v1beta1/namespaces/default/applications?dryRun=All";
            let probe = json!({
                "apiVersion": "core.oam.dev/v1beta1", "kind": "Application", "metadata": { "name": "probe" },
                "spec": { "components": [] },
            });
            let seen = self.request("POST", path, Some(&probe)).ok()?;
            seen.pointer("/metadata/annotations/app.oam.dev~1username").cloned()
        });
        vela_core
    }

    fn apply_all(&self, objects: &[Value]) {
        let yaml: Vec<String> = objects.iter().map(Value::to_string).collect();
        self.apply(&yaml.join("\n---\n")).unwrap_or_else(|refused| panic!("KubeVela's chart: {refused}"));
    }
}

/// The chart's objects, as `helm install` makes them with authentication on.
fn chart() -> Vec<Value> {
    let output = Command::new(tools::helm())
        .args(["template", "kubevela"])
        .arg(tools::kubevela_chart())
        .args(["--namespace", NAMESPACE])
        .args(["--set", "authentication.enabled=true,multicluster.enabled=false"])
        // Ignored only until a job has put the certificate in place, which is there at once here.
        .args(["--set", "admissionWebhooks.patch.enabled=false,admissionWebhooks.failurePolicy=Fail"])
        .args(TEMPLATES.iter().flat_map(|template| ["--show-only", *template]))
        .output()
        .expect("helm is started");
    assert!(output.status.success(), "helm template: {}", String::from_utf8_lossy(&output.stderr));
    let yaml = String::from_utf8(output.stdout).expect("Helm prints UTF-8");
    let objects = yaml_serde::Deserializer::from_str(&yaml);
    let objects = objects.map(|object| Value::deserialize(object).expect("YAML"));
    objects.filter(|object| !object.is_null()).map(in_namespace).collect()
}

/// `helm install` puts into the release's namespace what names none.
fn in_namespace(mut object: Value) -> Value {
    let namespaced =
        matches!(text(&object, "/kind"), "ServiceAccount" | "Role" | "RoleBinding" | "Deployment");
    if namespaced && object.pointer("/metadata/namespace").is_none() {
        object["metadata"]["namespace"] = json!(NAMESPACE);
    }
    object
}

/// Webhooks at a port of this machine in place of a Service, which needs a node.
fn at_port(mut object: Value, port: u16, ca_pem: &str) -> Value {
    for webhook in object["webhooks"].as_array_mut().into_iter().flatten() {
        let path = text(webhook, "/clientConfig/service/path");
        let url = format!("https://127.0.0.1:{port}{path}");
        webhook["clientConfig"] = json!({ "url": url, "caBundle": STANDARD.encode(ca_pem) });
    }
    object
}

fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}
