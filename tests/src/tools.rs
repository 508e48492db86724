//! The Go programs that the tests run against, found or built.
//!
//! A program is taken from the folder that `KUBEBUILDER_ASSETS` names when it lies there, else from `target/tools`,
//! where it is built on first use from a module that pins its version (`tests/go/<module>`). That needs `go`.
#![allow(
    clippy::disallowed_types,
    clippy::print_stderr,
    reason = "the tests, and only they, build and run programs"
)]
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const KUBEVELA: &str = "github.com/oam-dev/kubevela";
const WORKFLOW: &str = "github.com/kubevela/workflow";

/// The OCI distribution registry (`github.com/distribution/distribution/v3/cmd/registry`).
///
/// Panics when it is neither there nor can be built, as do all of these: a test without its real part proves nothing.
pub fn registry() -> PathBuf {
    GoProgram {
        name: "registry",
        module: "registry",
        package: "github.com/distribution/distribution/v3/cmd/registry",
        link: String::new(),
        takes: "about a minute",
    }
    .find_or_build()
}

/// etcd (`go.etcd.io/etcd/server/v3`). Kubernetes takes any since 3.4, so the one on `PATH` will do too.
pub fn etcd() -> PathBuf {
    let etcd = GoProgram {
        name: "etcd",
        module: "etcd",
        package: "go.etcd.io/etcd/server/v3",
        link: "-s -w".to_owned(),
        takes: "about a minute",
    };
    etcd.find().or_else(|| on_path(etcd.name)).unwrap_or_else(|| etcd.build())
}

/// Kubernetes' API server (`k8s.io/kubernetes/cmd/kube-apiserver`).
pub fn kube_apiserver() -> PathBuf {
    let version = pinned("kubernetes", "k8s.io/kubernetes");
    let mut numbers = version.trim_start_matches('v').split('.');
    let (major, minor) = (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default());
    let variables = "k8s.io/component-base/version";
    GoProgram {
        name: "kube-apiserver",
        module: "kubernetes",
        package: "k8s.io/kubernetes/cmd/kube-apiserver",
        // Built without them it says that it is v0.0.0, and clients stumble over that.
        link: format!(
            "-s -w -X {variables}.gitVersion={version} -X {variables}.gitMajor={major} -X {variables}.gitMinor={minor}"
        ),
        takes: "about eight minutes on two cores",
    }
    .find_or_build()
}

/// KubeVela's controller (`github.com/oam-dev/kubevela/cmd/core`).
pub fn vela_core() -> PathBuf {
    kubevela("vela-core", "github.com/oam-dev/kubevela/cmd/core", "about eight minutes on two cores")
}

/// KubeVela's command line (`github.com/oam-dev/kubevela/references/cmd/cli`).
pub fn vela() -> PathBuf {
    kubevela("vela", "github.com/oam-dev/kubevela/references/cmd/cli", "about two minutes after vela-core")
}

fn kubevela(name: &'static str, package: &'static str, takes: &'static str) -> PathBuf {
    let version = kubevela_version();
    let variables = format!("{KUBEVELA}/version");
    let link = format!("-s -w -X {variables}.VelaVersion={version} -X {variables}.GitRevision=git-{version}");
    GoProgram { name, module: "kubevela", package, link, takes }.find_or_build()
}

/// The version of KubeVela that [`vela_core`] and [`vela`] are built from: `v1.10.9`.
pub fn kubevela_version() -> String {
    pinned("kubevela", KUBEVELA)
}

/// The folder of KubeVela's Helm chart, with its CRDs (`crds`) and definitions (`templates/defwithtemplate`), as it
/// lies in the Go module that [`vela_core`] is built from.
pub fn kubevela_chart() -> PathBuf {
    go_module("kubevela", KUBEVELA).join("charts/vela-core")
}

/// KubeVela's controller of WorkflowRuns (`github.com/kubevela/workflow/cmd`), which an addon of KubeVela's own installs
/// beside [`vela_core`].
pub fn vela_workflow() -> PathBuf {
    let version = pinned("workflow", WORKFLOW);
    GoProgram {
        name: "vela-workflow",
        module: "workflow",
        package: "github.com/kubevela/workflow/cmd",
        link: format!("-s -w -X {WORKFLOW}/version.VelaVersion={version}"),
        takes: "about three minutes on two cores",
    }
    .find_or_build()
}

/// The folder of the Helm chart that comes with [`vela_workflow`]: its CRDs lie in `crds`.
pub fn workflow_chart() -> PathBuf {
    go_module("workflow", WORKFLOW).join("charts/vela-workflow")
}

/// CUE's command line (`cuelang.org/go/cmd/cue`).
pub fn cue() -> PathBuf {
    GoProgram {
        name: "cue",
        module: "cue",
        package: "cuelang.org/go/cmd/cue",
        link: String::new(),
        takes: "about a minute",
    }
    .find_or_build()
}

/// Helm's command line (`helm.sh/helm/v3/cmd/helm`).
pub fn helm() -> PathBuf {
    GoProgram {
        name: "helm",
        module: "helm",
        package: "helm.sh/helm/v3/cmd/helm",
        link: "-s -w".to_owned(),
        takes: "about two minutes",
    }
    .find_or_build()
}

/// cosign (`github.com/sigstore/cosign/v3/cmd/cosign`), which signs images.
pub fn cosign() -> PathBuf {
    GoProgram {
        name: "cosign",
        module: "cosign",
        package: "github.com/sigstore/cosign/v3/cmd/cosign",
        link: "-s -w".to_owned(),
        takes: "about four minutes on two cores",
    }
    .find_or_build()
}

/// A Sigstore in memory, which signs as an identity (`tests/go/sigstore`).
pub fn sigstore() -> PathBuf {
    // Our own program, however small: what somebody built earlier may be of another version.
    GoProgram {
        name: "sigstore",
        module: "sigstore",
        package: ".",
        link: String::new(),
        takes: "half a minute",
    }
    .build()
}

/// A program that the tests run.
struct GoProgram {
    name: &'static str,
    /// The folder under `tests/go` whose `go.mod` pins it.
    module: &'static str,
    package: &'static str,
    /// Flags of Go's linker.
    link: String,
    /// How long who waits will wait, the first time.
    takes: &'static str,
}

impl GoProgram {
    fn find_or_build(&self) -> PathBuf {
        self.find().unwrap_or_else(|| self.build())
    }

    /// Where somebody has built it already.
    fn find(&self) -> Option<PathBuf> {
        let program = Path::new(&std::env::var_os("KUBEBUILDER_ASSETS")?).join(self.name);
        program.is_file().then_some(program)
    }

    /// Builds it into `target/tools`, where that has not been done.
    ///
    /// Several tests may ask at once, from several processes: the first builds, under a lock, and the others wait.
    fn build(&self) -> PathBuf {
        let Self { name, package, link, takes, .. } = self;
        let folder = target().join("tools");
        let program = folder.join(name);
        // What the program was built from is kept beside it, so that a new pin means a new build.
        let built_from = folder.join(format!("{name}.mod"));
        let pin = pins(self.module) + link + &source(self.module);

        fs::create_dir_all(&folder).expect("target/tools is made");
        let lock = fs::File::create(folder.join(format!("{name}.lock"))).expect("the lock file is made");
        lock.lock().expect("the lock is taken");
        if program.is_file() && fs::read_to_string(&built_from).is_ok_and(|from| from == pin) {
            return program;
        }
        eprintln!("building {package} into {} (once; {takes})", program.display());
        let status = go(self.module)
            .args(["build", "-trimpath", "-ldflags", link, "-o"])
            .arg(&program)
            .arg(package)
            .status()
            .expect("go is started: install it, or put the program into the folder of KUBEBUILDER_ASSETS");
        assert!(status.success(), "go build {package} failed");
        fs::write(&built_from, pin).expect("the pin is kept");
        program
    }
}

/// `go`, in the module `tests/go/<module>`.
fn go(module: &str) -> Command {
    let mut go = Command::new("go");
    go.current_dir(module_folder(module)).env("CGO_ENABLED", "0").env("GOFLAGS", "-mod=readonly");
    go
}

/// Where Go keeps the source of `dependency`, in the version that the module `tests/go/<module>` pins.
pub(crate) fn go_module(module: &str, dependency: &str) -> PathBuf {
    let output = go(module)
        .args(["mod", "download", "-json", dependency])
        .output()
        .expect("go is started: CRDs and definitions come from Go modules");
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    match answer.get("Dir").and_then(serde_json::Value::as_str) {
        Some(folder) => folder.into(),
        None => panic!("go mod download {dependency}: {answer}{}", String::from_utf8_lossy(&output.stderr)),
    }
}

fn on_path(name: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?).map(|folder| folder.join(name)).find(|it| it.is_file())
}

/// The version of `dependency` that the module `tests/go/<module>` requires.
fn pinned(module: &str, dependency: &str) -> String {
    let pins = pins(module);
    let version = pins.lines().find_map(|line| line.strip_prefix("require ")?.strip_prefix(dependency));
    version.expect("the module names the version of its program").trim().to_owned()
}

fn pins(module: &str) -> String {
    fs::read_to_string(module_folder(module).join("go.mod"))
        .expect("the module that pins the program is read")
}

/// The source of a program that is our own.
fn source(module: &str) -> String {
    fs::read_to_string(module_folder(module).join("main.go")).unwrap_or_default()
}

fn module_folder(module: &str) -> PathBuf {
    workspace().join("tests/go").join(module)
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), PathBuf::from)
}
