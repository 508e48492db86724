//! Finds or builds the servers that the tests run against, so that `make test` says so before it begins.
#![allow(clippy::print_stdout, reason = "a program for `make test`")]

use std::path::Path;

use image_gitops_tests::tools;

fn main() {
    found("OCI registry", &tools::registry());
    found("etcd", &tools::etcd());
    found("Kubernetes' API server", &tools::kube_apiserver());
    found("KubeVela's controller", &tools::vela_core());
    found("KubeVela's command line", &tools::vela());
    found("KubeVela's CRDs and definitions", &tools::kubevela_chart());
    found("KubeVela's controller of WorkflowRuns", &tools::vela_workflow());
    found("its CRDs", &tools::workflow_chart());
    found("CUE", &tools::cue());
    found("Helm", &tools::helm());
    found("cosign", &tools::cosign());
    found("Sigstore in memory", &tools::sigstore());
}

fn found(part: &str, place: &Path) {
    println!("{part}: {}", place.display());
}
