//! What a list holds.

use image_gitops_registry::RegistryError;
use image_gitops_tests::registry_server::{Fault, RegistryServer};

use crate::{names, numbered, open, plain, repository};

#[tokio::test]
async fn every_tag_that_was_pushed_is_listed_whatever_it_looks_like() {
    let server = RegistryServer::start();
    let long = "x".repeat(128);
    let digest_like = format!("sha256-{}.sig", "a".repeat(64));
    let mut tags =
        vec!["_latest", "Main", "buildcache", "main-abc1234-1627123456", "1.2.3-rc.1", &digest_like, &long];
    server.tag_many("owner/name", &tags);
    let list = open(&server.host()).tags(&repository(&server.host(), "owner/name")).await.unwrap();
    tags.sort_unstable();
    assert_eq!(names(&list), tags);
    assert_eq!((list.invalid, list.pages, list.requests), (0, 1, 1));
}

#[tokio::test]
async fn ten_thousand_tags_take_eleven_requests() {
    let server = RegistryServer::start();
    let tags = numbered(10_000);
    server.tag_many("owner/name", &tags);
    let list = open(&server.host()).tags(&repository(&server.host(), "owner/name")).await.unwrap();
    assert_eq!(names(&list), tags);
    // Ten pages, and one question after the last, which is full: it might have forgotten its Link.
    assert_eq!((list.pages, list.requests), (11, 11));
}

#[tokio::test]
async fn a_list_whose_last_page_is_full_is_complete() {
    let server = RegistryServer::start();
    for count in [999, 1000, 1001, 2000] {
        let (name, tags) = (format!("owner/with-{count}"), numbered(count));
        server.tag_many(&name, &tags);
        let list = open(&server.host()).tags(&repository(&server.host(), &name)).await.unwrap();
        assert_eq!(names(&list), tags);
        assert_eq!(list.requests, count / 1000 + 1, "{count} tags");
    }
}

#[tokio::test]
async fn a_repository_without_tags_has_an_empty_list() {
    let server = RegistryServer::start();
    server.push_image("owner/name", "main");
    server.untag_all("owner/name");
    let list = open(&server.host()).tags(&repository(&server.host(), "owner/name")).await.unwrap();
    assert!(list.tags.is_empty());
    assert_eq!(list.pages, 1);
}

#[tokio::test]
async fn a_repository_that_is_not_there_is_not_found() {
    let server = RegistryServer::start();
    let error = open(&server.host()).tags(&repository(&server.host(), "owner/absent")).await.unwrap_err();
    let message = format!(
        "cannot list the tags of {}/owner/absent: not found (NAME_UNKNOWN: repository name not known to registry)",
        server.host()
    );
    assert!(matches!(error, RegistryError::NotFound { .. }), "{error:?}");
    assert_eq!(error.to_string(), message);
    assert!(!error.is_transient());
    assert!(error.hint().is_some_and(|hint| hint.contains("spelling")));
}

#[tokio::test]
async fn a_list_of_null_is_empty() {
    let server = RegistryServer::start();
    let front = plain(&server);
    let name = repository(front.host(), "owner/name");
    for body in [r#"{"name":"owner/name","tags":null}"#, r#"{"name":"owner/name"}"#] {
        front.once("tags/list", Fault::json(200, body));
        let list = open(front.host()).tags(&name).await.unwrap();
        assert!(list.tags.is_empty(), "{body}");
    }
    assert_eq!(front.requests().len(), 2);
}

#[tokio::test]
async fn what_is_no_tag_is_counted_and_what_comes_twice_is_listed_once() {
    let server = RegistryServer::start();
    let front = plain(&server);
    let body = r#"{"name":"owner/name","tags":["b","a","","b",".hidden","a b","é","sha256:0"]}"#;
    front.once("tags/list", Fault::json(200, body));
    let list = open(front.host()).tags(&repository(front.host(), "owner/name")).await.unwrap();
    assert_eq!(names(&list), ["a", "b"]);
    assert_eq!(list.invalid, 5);
}

#[tokio::test]
async fn what_is_no_list_is_no_registry() {
    let server = RegistryServer::start();
    let front = plain(&server);
    let name = repository(front.host(), "owner/name");
    for (status, body) in [
        (200, "<!DOCTYPE html><html>Sign in</html>"),
        (404, "<html><body>nginx: 404 Not Found</body></html>"),
        (200, "[]"),
        (200, "{}"),
        (200, r#"{"name":"owner/name","tags":["a""#),
        (418, "I am a teapot"),
    ] {
        front.once("tags/list", Fault::json(status, body));
        let error = open(front.host()).tags(&name).await.unwrap_err();
        assert!(matches!(error, RegistryError::NotARegistry { .. }), "{status} {body}: {error:?}");
        assert!(!error.is_transient());
        assert!(error.hint().is_some_and(|hint| hint.contains("/v2/")));
    }
}

#[tokio::test]
async fn a_repository_of_another_registry_is_not_asked_for() {
    let server = RegistryServer::start();
    let front = plain(&server);
    let error = open(front.host()).tags(&repository("ghcr.io", "owner/name")).await.unwrap_err();
    assert!(matches!(error, RegistryError::Settings { .. }), "{error:?}");
    assert_eq!(front.requests(), []);
}

#[tokio::test]
async fn a_registry_sees_who_asks() {
    let server = RegistryServer::start();
    let front = plain(&server);
    server.push_image("owner/name", "main");
    open(front.host()).tags(&repository(front.host(), "owner/name")).await.unwrap();
    let requests = front.requests();
    assert_eq!(requests[0].line, "GET /v2/owner/name/tags/list?n=1000");
    assert_eq!(requests[0].user_agent, concat!("image-gitops/", env!("CARGO_PKG_VERSION")));
}
