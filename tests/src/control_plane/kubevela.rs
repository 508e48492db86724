//! KubeVela's controller beside the control plane, with the CRDs and definitions of its own chart.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::ControlPlane;
use crate::process::{Process, Start};
use crate::tools;

/// Where the chart puts KubeVela.
pub(super) const NAMESPACE: &str = "vela-system";

/// The arguments of the chart that are not the program's own defaults, and what differs here.
const ARGUMENTS: [&str; 10] = [
    "--application-revision-limit=2",
    "--definition-revision-limit=2",
    "--optimize-disable-component-revision",
    "--kube-api-qps=400",
    "--kube-api-burst=600",
    "--feature-gates=MultiStageComponentApply=true,ZstdResourceTracker=true,ZstdApplicationRevision=true",
    // 60 s in the chart: too long for a test to wait until a workflow looks again.
    "--max-workflow-wait-backoff-time=1",
    "--use-webhook=false",
    // Fixed ports, which two of them would both want.
    "--metrics-addr=0",
    "--health-addr=0",
];

impl ControlPlane {
    /// The definitions that [`Self::with_kubevela`] installs: the names of their files in KubeVela's chart.
    pub const DEFINITIONS: [&str; 12] = [
        "webservice",
        "worker",
        "k8s-objects",
        "apply-component",
        "apply-object",
        "deploy",
        "step-group",
        "suspend",
        "override",
        "topology",
        "labels",
        "scaler",
    ];

    /// Has KubeVela's controller run as well, unless it does: its CRDs, [some definitions](Self::DEFINITIONS) and
    /// `vela-core` itself, without admission webhooks and without other clusters. What `vela addon enable` looks for is
    /// there too.
    ///
    /// # Panics
    /// With the end of its log when it has not taken in its definitions within a minute, and when it can neither be
    /// found nor built.
    pub fn with_kubevela(&self) -> &Self {
        self.kubevela.get_or_init(|| self.start_kubevela());
        self
    }

    /// Has KubeVela's controller take in one more of KubeVela's definitions, by the name of its file in the chart:
    /// `gateway`.
    ///
    /// # Panics
    /// When there is none of that name, and as [`Self::with_kubevela`].
    pub fn install_definition(&self, name: &str) {
        self.with_kubevela();
        for definition in self.install(&[definition_file(name)]) {
            self.wait_until(&self.path_of(&definition), taken_in);
        }
    }

    /// Has the API serve KubeVela's kinds, which nothing acts on.
    ///
    /// # Panics
    /// When the API does not take them.
    pub fn install_kubevela_crds(&self) {
        let crds = tools::kubevela_chart().join("crds");
        let crds = std::fs::read_dir(&crds).expect("the chart has CRDs").map(|it| it.expect("a CRD").path());
        self.install(&crds.collect::<Vec<_>>());
    }

    /// What KubeVela needs and what lies around it, without the controller; gives its definitions.
    pub(super) fn install_kubevela(&self) -> Vec<Value> {
        self.apply(&surroundings().map(|object| object.to_string()).join("\n---\n"))
            .expect("what lies around KubeVela is applied");
        self.install_kubevela_crds();
        self.install(&Self::DEFINITIONS.map(definition_file))
    }

    fn start_kubevela(&self) -> Process {
        let definitions = self.install_kubevela();
        let program = tools::vela_core();
        let mut vela_core = Process::start(Start {
            name: "vela-core",
            program: &program,
            arguments: ARGUMENTS.map(Into::into).into(),
            environment: vec![("KUBECONFIG", self.kubeconfig.clone().into())],
            folder: tempfile::tempdir().expect("a temporary folder"),
        });
        for definition in definitions {
            let path = self.path_of(&definition);
            vela_core.wait_until(|_| self.get(&path).ok().filter(taken_in));
        }
        vela_core
    }

    /// Applies files of a chart of KubeVela's.
    pub(super) fn install(&self, files: &[PathBuf]) -> Vec<Value> {
        let read = |file: &PathBuf| {
            let text = std::fs::read_to_string(file);
            let text = text.unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            // All that Helm has to fill in.
            text.replace(r#"{{ include "systemDefinitionNamespace" . }}"#, NAMESPACE)
        };
        let yaml: Vec<String> = files.iter().map(read).collect();
        self.apply(&yaml.join("\n---\n")).unwrap_or_else(|refused| panic!("KubeVela's chart: {refused}"))
    }
}

/// The controller has made a revision of a definition.
pub(super) fn taken_in(definition: &Value) -> bool {
    definition.pointer("/status/latestRevision").is_some()
}

fn definition_file(name: &str) -> PathBuf {
    let folder = tools::kubevela_chart().join("templates/defwithtemplate");
    folder.join(Path::new(name).with_extension("yaml"))
}

/// The namespace, and what `vela addon enable` reads: the Deployment whose image tells KubeVela's version, without pods
/// as `vela-core` runs beside the cluster here, and no registry of addons, as the usual one is on the internet.
fn surroundings() -> [Value; 3] {
    let labels = json!({"controller.oam.dev/name": "vela-core"});
    let image = format!("oamdev/vela-core:{}", tools::kubevela_version());
    [
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}),
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "kubevela-vela-core", "namespace": NAMESPACE, "labels": labels},
            "spec": {
                "replicas": 0, "selector": {"matchLabels": labels},
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {"containers": [{"name": "kubevela", "image": image}]},
                },
            },
        }),
        json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "vela-addon-registry", "namespace": NAMESPACE},
            "data": {"registries": "{}"},
        }),
    ]
}
