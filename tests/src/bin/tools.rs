//! Finds or builds the servers that the tests run against, so that `make test` says so before it begins.
#![allow(clippy::print_stdout, reason = "a program for `make test`")]

fn main() {
    println!("OCI registry: {}", image_gitops_tests::tools::registry().display());
}
