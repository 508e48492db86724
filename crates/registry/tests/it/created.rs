//! When an image says that it was made.

use image_gitops_core::credential::Credential;
use image_gitops_core::image::Digest;
use image_gitops_registry::RegistryError;
use image_gitops_tests::registry_server::{Fault, Front, FrontOptions, RegistryServer};

use crate::{open, plain, repository, tag, with};

const THEN: &str = "2026-11-25T08:30:00.5Z";

#[tokio::test]
async fn an_image_and_an_index_say_when_they_were_made() {
    let server = RegistryServer::start();
    server.push_image_created("owner/name", "image", THEN);
    server.push_index_created("owner/name", "index", THEN);
    server.push_image("owner/name", "silent");
    let front = plain(&server);
    let (registry, name) = (open(front.host()), repository(front.host(), "owner/name"));
    for (text, expected, requests) in
        [("image", Some(THEN), 2), ("index", Some(THEN), 3), ("silent", None, 2)]
    {
        let digest = registry.digest(&name, &tag(text)).await.unwrap();
        front.forget_requests();
        assert_eq!(registry.created(&name, &digest).await.unwrap().as_deref(), expected, "{text}");
        assert_eq!(front.requests().len(), requests, "{text}: {:#?}", front.requests());
    }
}

#[tokio::test]
async fn the_token_of_the_list_serves_here_too() {
    let server = RegistryServer::start();
    let digest = server.push_image_created("owner/private", "main", THEN);
    let front = Front::before(&server, FrontOptions::default());
    let registry = with(front.host(), Credential::token(Front::TOKEN));
    let (name, digest) = (repository(front.host(), "owner/private"), Digest::new(digest).unwrap());
    assert_eq!(registry.created(&name, &digest).await.unwrap().as_deref(), Some(THEN));
}

#[tokio::test]
async fn what_is_no_configuration_says_nothing_and_what_is_absent_is_an_error() {
    let server = RegistryServer::start();
    let digest = Digest::new(server.push_image_created("owner/name", "main", THEN)).unwrap();
    let front = plain(&server);
    let (registry, name) = (open(front.host()), repository(front.host(), "owner/name"));
    front.on("/blobs/", Fault::json(200, "[]"));
    assert_eq!(registry.created(&name, &digest).await.unwrap(), None);
    front.heal();
    front.on("/blobs/", Fault::json(404, r#"{"errors":[{"code":"BLOB_UNKNOWN","message":"blob unknown"}]}"#));
    let error = registry.created(&name, &digest).await.unwrap_err();
    assert!(matches!(error, RegistryError::NotFound { .. }), "{error}");
    // A digest becomes a part of a path: what a registry sends in its place is not followed.
    front.heal();
    let manifest =
        r#"{"schemaVersion":2,"config":{"mediaType":"a","digest":"../../x","size":1},"layers":[]}"#;
    front.on("/manifests/", Fault::json(200, manifest));
    let error = registry.created(&name, &digest).await.unwrap_err();
    assert!(matches!(error, RegistryError::NotARegistry { .. }), "{error}");
    assert_eq!(front.requests().iter().filter(|request| request.line.ends_with("/x")).count(), 0);
}
