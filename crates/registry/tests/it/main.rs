//! The registry crate against the OCI distribution registry itself; behind a front where a test needs what this one
//! cannot do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod attached;
mod authentication;
mod bounds;
mod created;
mod digests;
mod listing;
mod oci_client;
mod outages;
mod pages;
mod platforms;
mod reach;
mod tls;

use std::time::Duration;

use image_gitops_core::credential::Credential;
use image_gitops_core::image::{Repository, Tag};
use image_gitops_registry::{Access, Limits, Registry, TagList};
use image_gitops_tests::registry_server::{Front, FrontOptions, RegistryServer};

/// A registry over plain HTTP.
fn open(host: &str) -> Registry {
    with(host, Credential::Anonymous)
}

fn with(host: &str, credential: Credential) -> Registry {
    bounded(host, credential, quick())
}

/// The usual limits, with less time between tries.
fn quick() -> Limits {
    Limits { pause: Duration::from_millis(5), ..Limits::default() }
}

fn bounded(host: &str, credential: Credential, limits: Limits) -> Registry {
    Registry::new(host, Access { credential, insecure: true, ..Access::default() }, limits).unwrap()
}

fn repository(host: &str, path: &str) -> Repository {
    Repository::new(&format!("{host}/{path}")).unwrap()
}

fn tag(text: &str) -> Tag {
    Tag::new(text).unwrap()
}

fn names(list: &TagList) -> Vec<&str> {
    list.tags.iter().map(Tag::as_str).collect()
}

/// `main-0000`, `main-0001` and so on: in the order of their bytes.
fn numbered(count: usize) -> Vec<String> {
    (0..count).map(|i| format!("main-{i:05}")).collect()
}

/// A front without tokens: for what has nothing to do with them.
fn plain(server: &RegistryServer) -> Front {
    Front::before(server, FrontOptions { tokens: false, ..FrontOptions::default() })
}

/// A front without tokens that gives `page` tags at most.
fn paged(server: &RegistryServer, page: usize) -> Front {
    Front::before(server, FrontOptions { tokens: false, page: Some(page), ..FrontOptions::default() })
}
