//! The service against a real kube-apiserver, KubeVela's controller, a real registry and a real Git server. One file a
//! subject; [`scene`] is what they share.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(
    clippy::disallowed_types,
    clippy::print_stderr,
    reason = "runs the program that it tests, and shows its log"
)]

#[allow(dead_code, reason = "the command line's tests use more of it")]
#[path = "../cli/scene.rs"]
mod base;
#[path = "../cli/canary.rs"]
mod canary;

mod authentication;
mod endpoint;
mod hangs;
mod heals;
mod health;
mod people;
mod replaced;
mod resource;
mod scene;
mod secrets;
mod signed;
mod step;
mod tenants;
mod update;
mod webhook;
mod workflow_run;
