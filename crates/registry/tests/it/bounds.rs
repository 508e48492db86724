//! What a call takes at most.

use image_gitops_core::credential::Credential;
use image_gitops_registry::{Limits, RegistryError};
use image_gitops_tests::registry_server::{Answer, Fault, Front, RegistryServer};

use crate::{bounded, names, numbered, paged, plain, quick, repository};

/// `{"name":"owner/name","tags":["main"]}`, packed.
const PACKED: &[u8] = include_bytes!("../cases/bodies/one-tag.json.gz");
/// Four megabytes of spaces in four kilobytes.
const BOMB: &[u8] = include_bytes!("../cases/bodies/spaces.json.gz");

async fn too_large(front: &Front, limits: Limits) -> String {
    let registry = bounded(front.host(), Credential::Anonymous, limits);
    let error = registry.tags(&repository(front.host(), "owner/name")).await.unwrap_err();
    assert!(matches!(error, RegistryError::TooLarge { .. }), "{error:?}");
    assert!(!error.is_transient() && error.hint().is_some());
    error.to_string()
}

#[tokio::test]
async fn a_list_beyond_a_limit_is_an_error_and_not_a_part_of_the_list() {
    let server = RegistryServer::start();
    server.tag_many("owner/name", numbered(45));
    let front = paged(&server, 10);
    for (limits, words, requests) in [
        (Limits { pages: 4, ..quick() }, "more than 4 pages", 4),
        (Limits { tags: 44, ..quick() }, "more than 44 tags", 5),
        (Limits { answer_bytes: 100, ..quick() }, "more than 100 bytes in one answer", 1),
        (Limits { total_bytes: 500, ..quick() }, "more than 500 bytes in all", 4),
    ] {
        front.forget_requests();
        let error = too_large(&front, limits).await;
        assert!(error.ends_with(words), "{error}");
        assert_eq!(front.requests().len(), requests, "{words}");
    }
}

#[tokio::test]
async fn a_list_of_just_the_limits_is_complete() {
    let server = RegistryServer::start();
    let tags = numbered(45);
    server.tag_many("owner/name", &tags);
    let front = paged(&server, 10);
    let limits = Limits { pages: 5, tags: 45, ..quick() };
    let registry = bounded(front.host(), Credential::Anonymous, limits);
    let list = registry.tags(&repository(front.host(), "owner/name")).await.unwrap();
    assert_eq!(names(&list), tags);
}

#[tokio::test]
async fn pages_without_end_come_to_an_end() {
    let server = RegistryServer::start();
    server.push_image("owner/name", "main");
    let front = plain(&server);
    // Each page points to a new one, with the same tags.
    for page in 0..30 {
        let link = format!("</v2/owner/name/tags/list?page={:02}>; rel=next", page + 1);
        let answer = Answer::json(200, r#"{"name":"owner/name","tags":["main"]}"#).header("link", &link);
        front.on(&format!("page={page:02}"), Fault::Answer(answer));
    }
    let first = Answer::json(200, r#"{"name":"owner/name","tags":["main"]}"#)
        .header("link", "</v2/owner/name/tags/list?page=00>; rel=next");
    front.on("n=1000", Fault::Answer(first));
    let error = too_large(&front, Limits { pages: 20, ..quick() }).await;
    assert!(error.ends_with("more than 20 pages"), "{error}");
    assert_eq!(front.requests().len(), 20);
}

#[tokio::test]
async fn packed_answers_are_unpacked_and_bounded_by_what_comes_out() {
    let server = RegistryServer::start();
    let front = plain(&server);
    let packed = |body| {
        let answer = Answer::bytes(200, body).header("content-type", "application/json");
        Fault::Answer(answer.header("content-encoding", "gzip"))
    };
    front.once("tags/list", packed(PACKED));
    let registry = bounded(front.host(), Credential::Anonymous, quick());
    let list = registry.tags(&repository(front.host(), "owner/name")).await.unwrap();
    assert_eq!(names(&list), ["main"]);

    front.on("tags/list", packed(BOMB));
    let error = too_large(&front, Limits { answer_bytes: 1 << 20, ..quick() }).await;
    assert!(error.ends_with("more than 1048576 bytes in one answer"), "{error}");
}
