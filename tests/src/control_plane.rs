//! The control plane of a real Kubernetes: etcd and kube-apiserver on free ports of 127.0.0.1, and KubeVela's controller
//! where a test asks for it. It needs no root, and there is no node: objects are kept and checked, pods never run.
//!
//! ```no_run
//! use image_gitops_tests::control_plane::ControlPlane;
//! let kubernetes = ControlPlane::shared().with_kubevela();
//! let namespace = kubernetes.namespace();
//! kubernetes.apply(&format!("{{apiVersion: v1, kind: ConfigMap, metadata: {{name: a, namespace: {namespace}}}}}")).unwrap();
//! let map = kubernetes.get(&format!("/api/v1/namespaces/{namespace}/configmaps/a")).unwrap();
//! assert_eq!(map["kind"], "ConfigMap");
//! println!("KUBECONFIG={}", kubernetes.kubeconfig.display());
//! ```
//!
//! What needs Kubernetes' own controllers does not happen: no Deployment makes pods, no namespace goes away, nothing is
//! collected after its owner, there are no default service accounts, and the roles `view`, `edit` and `admin` are empty.
//! Whoever needs a Deployment to be ready writes its status. RBAC is on, and a service account has a token where it is
//! asked for ([`Api::as_service_account`]).
//!
//! Everything here may be called from plain and from asynchronous tests alike: calls block until they are done.
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod api;
mod authentication;
mod kubevela;
mod workflow;

use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::OnceLock;

use rcgen::KeyPair;
use serde_json::Value;
use tokio::net::TcpSocket;

use crate::process::{Process, Start};
use crate::tls::ServerCertificate;
use crate::tools;

pub use api::{Api, Refused};

/// A running control plane. It ends when it is dropped and when the test process ends, however that ends.
#[derive(Debug)]
pub struct ControlPlane {
    // In the order in which they are ended.
    kubevela: OnceLock<Process>,
    workflow: OnceLock<Process>,
    _kube_apiserver: Process,
    _etcd: Process,
    /// The file by which `kubectl`, `vela` and client libraries find the API, as an account that may do everything.
    pub kubeconfig: PathBuf,
    api: Api,
}

/// Of the account that may do everything.
const TOKEN: &str = "token-of-the-tests";

impl ControlPlane {
    /// The one control plane of this test process, started when the first test asks for it. Tests that share it work in
    /// [a namespace of their own](Api::namespace) each.
    ///
    /// # Panics
    /// As [`Self::start`].
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<ControlPlane> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// One more, likewise shared, [whose KubeVela works as whoever wrote an Application](Self::with_authentication).
    ///
    /// # Panics
    /// As [`Self::with_authentication`].
    pub fn shared_with_authentication() -> &'static Self {
        static SHARED: OnceLock<ControlPlane> = OnceLock::new();
        SHARED.get_or_init(Self::start).with_authentication()
    }

    /// Starts a control plane.
    ///
    /// # Panics
    /// With the end of the log when a part does not serve within a minute, and when one can neither be found nor built.
    pub fn start() -> Self {
        let (etcd, etcd_url) = start_etcd();
        let certificate = ServerCertificate::generate();
        // Bound but never listening: the port stays ours until kube-apiserver listens on it as well.
        let reserved = TcpSocket::new_v4().expect("a socket");
        reserved.set_reuseport(true).expect("a port that is shared");
        reserved.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).expect("a free port");
        let port = reserved.local_addr().expect("a bound socket").port();
        let api = Api {
            url: format!("https://127.0.0.1:{port}"),
            ca_pem: certificate.ca_pem.clone(),
            token: TOKEN.to_owned(),
            user: None,
        };
        let folder = tempfile::tempdir().expect("a temporary folder");
        let kubeconfig = folder.path().join("kubeconfig");
        std::fs::write(&kubeconfig, api.kubeconfig_text()).expect("the kubeconfig can be written");
        let mut kube_apiserver = start_kube_apiserver(folder, &certificate, port, &etcd_url);
        kube_apiserver.wait_until(|_| {
            // The namespace is made last, and not awaited by /readyz.
            api.get("/readyz").ok()?;
            api.get("/api/v1/namespaces/default").ok()
        });
        Self {
            kubevela: OnceLock::new(),
            workflow: OnceLock::new(),
            _kube_apiserver: kube_apiserver,
            _etcd: etcd,
            kubeconfig,
            api,
        }
    }
}

/// As the account that may do everything.
impl Deref for ControlPlane {
    type Target = Api;

    fn deref(&self) -> &Api {
        &self.api
    }
}

/// etcd, and where it serves: it chooses the port itself and says so in its log.
fn start_etcd() -> (Process, String) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let any_port = "http://127.0.0.1:0";
    let mut arguments: Vec<OsString> = vec!["--data-dir".into(), folder.path().join("data").into()];
    arguments.extend(
        [
            ["--listen-client-urls", any_port],
            ["--advertise-client-urls", any_port],
            ["--listen-peer-urls", any_port],
            ["--logger", "zap"],
            // It is alone, and nobody needs its data after a crash: no waiting for others nor for the disk.
            ["--heartbeat-interval", "10"],
            ["--election-timeout", "100"],
        ]
        .concat()
        .into_iter()
        .chain(["--enable-grpc-gateway=false", "--unsafe-no-fsync"])
        .map(OsString::from),
    );
    let program = tools::etcd();
    let mut etcd =
        Process::start(Start { name: "etcd", program: &program, arguments, environment: Vec::new(), folder });
    let address = etcd.wait_until(|etcd| {
        let log = etcd.log();
        let line = log.lines().find(|line| line.contains("serving client traffic insecurely"))?;
        let entry: Value = serde_json::from_str(line).ok()?;
        Some(entry.get("address")?.as_str()?.to_owned())
    });
    (etcd, format!("http://{address}"))
}

fn start_kube_apiserver(
    folder: tempfile::TempDir,
    certificate: &ServerCertificate,
    port: u16,
    etcd_url: &str,
) -> Process {
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("a file of kube-apiserver can be written");
        path.display().to_string()
    };
    let accounts = KeyPair::generate().expect("a key");
    let flags = [
        ("etcd-servers", etcd_url.to_owned()),
        ("bind-address", "127.0.0.1".to_owned()),
        ("secure-port", port.to_string()),
        ("permit-port-sharing", "true".to_owned()),
        // Nobody looks for the API in the cluster, and 127.0.0.1 may not stand there.
        ("advertise-address", "127.0.0.1".to_owned()),
        ("endpoint-reconciler-type", "none".to_owned()),
        ("service-cluster-ip-range", "10.0.0.0/24".to_owned()),
        ("tls-cert-file", file("server.pem", &certificate.certificate_pem)),
        ("tls-private-key-file", file("server.key", &certificate.key_pem)),
        ("token-auth-file", file("tokens.csv", &format!("{TOKEN},admin,admin,system:masters\n"))),
        ("authorization-mode", "RBAC".to_owned()),
        ("service-account-issuer", "https://kubernetes.default.svc".to_owned()),
        ("service-account-key-file", file("accounts.pub", &accounts.public_key_pem())),
        ("service-account-signing-key-file", file("accounts.key", &accounts.serialize_pem())),
        // Without a controller that makes service accounts no pod could be made.
        ("disable-admission-plugins", "ServiceAccount".to_owned()),
        ("allow-privileged", "true".to_owned()),
    ];
    let arguments = flags.map(|(flag, value)| OsString::from(format!("--{flag}={value}"))).into();
    let program = tools::kube_apiserver();
    Process::start(Start {
        name: "kube-apiserver",
        program: &program,
        arguments,
        environment: Vec::new(),
        folder,
    })
}
