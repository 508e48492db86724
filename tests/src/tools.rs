//! The Go programs that the tests run against, found or built.
//!
//! A program is taken from the folder that `KUBEBUILDER_ASSETS` names when it lies there, else from `target/tools`,
//! where it is built on first use from a module that pins its version (`tests/go/<name>`). That needs `go`.
#![allow(
    clippy::disallowed_types,
    clippy::print_stderr,
    reason = "the tests, and only they, build and run programs"
)]
#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The OCI distribution registry (`github.com/distribution/distribution/v3/cmd/registry`).
///
/// Panics when it is neither there nor can be built: a test without its real part proves nothing.
pub fn registry() -> PathBuf {
    go_program("registry", "github.com/distribution/distribution/v3/cmd/registry")
}

/// Finds the program `name`, or builds `package` of the module `tests/go/<name>`.
///
/// Several tests may ask at once, from several processes: the first builds, under a lock, and the others wait.
fn go_program(name: &str, package: &str) -> PathBuf {
    if let Some(assets) = std::env::var_os("KUBEBUILDER_ASSETS") {
        let program = Path::new(&assets).join(name);
        if program.is_file() {
            return program;
        }
    }
    let module = workspace().join("tests/go").join(name);
    let folder = target().join("tools");
    let program = folder.join(name);
    // What the program was built from is kept beside it, so that a new pin means a new build.
    let built_from = folder.join(format!("{name}.mod"));
    let pin = fs::read(module.join("go.mod")).expect("the module that pins the program is read");

    fs::create_dir_all(&folder).expect("target/tools is made");
    let lock = fs::File::create(folder.join(format!("{name}.lock"))).expect("the lock file is made");
    lock.lock().expect("the lock is taken");
    if program.is_file() && fs::read(&built_from).is_ok_and(|from| from == pin) {
        return program;
    }
    eprintln!("building {package} into {} (once; about a minute)", program.display());
    let status = Command::new("go")
        .args(["build", "-trimpath", "-o"])
        .arg(&program)
        .arg(package)
        .current_dir(&module)
        .env("CGO_ENABLED", "0")
        .env("GOFLAGS", "-mod=readonly")
        .status()
        .expect("go is started: install it, or put the program into the folder of KUBEBUILDER_ASSETS");
    assert!(status.success(), "go build {package} failed");
    fs::write(&built_from, pin).expect("the pin is kept");
    program
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), PathBuf::from)
}
