//! What may pass: how often it is tried again, and when it is given up.

use std::time::{Duration, SystemTime};

use image_gitops_core::credential::Credential;
use image_gitops_registry::{Limits, Outage, RegistryError};
use image_gitops_tests::registry_server::{Answer, Fault, Front, FrontOptions, RegistryServer};

use crate::{bounded, names, numbered, open, paged, plain, quick, repository};

const GHCR: &str =
    r#"{"errors":[{"code":"TOOMANYREQUESTS","message":"retry-after: 1.16676ms, allowed: 44000/minute"}]}"#;

fn too_many(retry_after: &str) -> Fault {
    Fault::Answer(Answer::json(429, "{}").header("retry-after", retry_after))
}

#[tokio::test]
async fn a_registry_that_asks_to_wait_is_asked_again_after_that() {
    let server = RegistryServer::start();
    let tags = numbered(25);
    server.tag_many("owner/name", &tags);
    let front = paged(&server, 10);
    let name = repository(front.host(), "owner/name");
    let in_a_second = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(1));
    for fault in [
        too_many("1"),
        too_many(&in_a_second),
        Fault::json(429, GHCR),
        Fault::Answer(Answer::json(503, "{}").header("retry-after", "0")),
    ] {
        front.once("last=main-00009", fault);
        let list = open(front.host()).tags(&name).await.unwrap();
        assert_eq!(names(&list), tags);
        assert_eq!((list.pages, list.requests), (3, 4));
    }
}

#[tokio::test]
async fn a_wait_longer_than_the_call_may_take_is_left_to_the_caller() {
    let server = RegistryServer::start();
    server.push_image("owner/name", "main");
    let front = plain(&server);
    let name = repository(front.host(), "owner/name");
    for (fault, asked) in [
        (too_many("3600"), Duration::from_secs(3600)),
        (
            Fault::json(429, "toomanyrequests: retry-after: 1h0m0s, allowed: 10/hour"),
            Duration::from_secs(3600),
        ),
        (Fault::Answer(Answer::json(503, "{}").header("retry-after", "7200")), Duration::from_secs(7200)),
        (too_many("18446744073709551615"), Duration::from_secs(u64::MAX)),
    ] {
        front.forget_requests();
        front.once("tags/list", fault);
        let error = open(front.host()).tags(&name).await.unwrap_err();
        let RegistryError::Throttled { retry_after, .. } = error else { panic!("{error:?}") };
        assert_eq!(retry_after, Some(asked));
        assert!(error.is_transient());
        assert_eq!(front.requests().len(), 1);
    }
}

#[tokio::test]
async fn a_registry_that_keeps_asking_to_wait_is_left_alone_after_four_requests() {
    let server = RegistryServer::start();
    server.push_image("owner/name", "main");
    let front = plain(&server);
    front.on("tags/list", Fault::json(429, GHCR));
    let error = open(front.host()).tags(&repository(front.host(), "owner/name")).await.unwrap_err();
    let RegistryError::Throttled { retry_after, .. } = error else { panic!("{error:?}") };
    assert_eq!(retry_after, Some(Duration::from_nanos(1_166_760)));
    assert_eq!(front.requests().len(), 4);
}

#[tokio::test]
async fn a_token_service_that_asks_to_wait_is_asked_again_too() {
    let server = RegistryServer::start();
    server.push_image("owner/name", "main");
    let front = Front::before(&server, FrontOptions::default());
    front.times(2, "/token", Fault::json(429, GHCR));
    let list = open(front.host()).tags(&repository(front.host(), "owner/name")).await.unwrap();
    assert_eq!(list.requests, 5);
}

#[tokio::test]
async fn what_fails_for_a_moment_is_asked_again() {
    let server = RegistryServer::start();
    let tags = numbered(25);
    server.tag_many("owner/name", &tags);
    let front = paged(&server, 10);
    let name = repository(front.host(), "owner/name");
    for fault in [
        Fault::json(500, "{}"),
        Fault::json(502, "<html>Bad Gateway</html>"),
        Fault::json(503, "{}"),
        Fault::json(504, "{}"),
        Fault::Reset,
        Fault::CutAfter(0),
        Fault::CutAfter(30),
    ] {
        front.times(2, "last=main-00009", fault);
        let list = open(front.host()).tags(&name).await.unwrap();
        assert_eq!(names(&list), tags);
        assert_eq!((list.pages, list.requests), (3, 5));
    }
}

#[tokio::test]
async fn what_keeps_failing_is_given_up_after_four_requests() {
    let server = RegistryServer::start();
    server.push_image("owner/name", "main");
    let front = plain(&server);
    let name = repository(front.host(), "owner/name");

    front.on("tags/list", Fault::json(500, r#"{"errors":[{"code":"UNKNOWN","message":"disk full"}]}"#));
    let error = open(front.host()).tags(&name).await.unwrap_err();
    assert!(matches!(error, RegistryError::Unavailable { status: 500, .. }), "{error:?}");
    assert!(error.to_string().ends_with("fails with status 500 (UNKNOWN: disk full)"), "{error}");
    assert!(error.is_transient());
    assert_eq!(front.requests().len(), 4);

    for fault in [Fault::Reset, Fault::CutAfter(10)] {
        front.heal();
        front.forget_requests();
        front.on("tags/list", fault);
        let error = open(front.host()).tags(&name).await.unwrap_err();
        assert!(matches!(error, RegistryError::Unreachable { outage: Outage::Broken, .. }), "{error:?}");
        assert!(error.is_transient());
        assert_eq!(front.requests().len(), 4);
    }
}

#[tokio::test]
async fn what_will_not_pass_is_asked_once() {
    let server = RegistryServer::start();
    let front = plain(&server);
    let name = repository(front.host(), "owner/name");
    for (status, body) in [
        (403, r#"{"errors":[{"code":"DENIED"}]}"#),
        (404, r#"{"errors":[{"code":"NAME_UNKNOWN"}]}"#),
        (401, r#"{"errors":[{"code":"UNAUTHORIZED"}]}"#),
        (451, "{}"),
    ] {
        front.heal();
        front.forget_requests();
        front.on("tags/list", Fault::json(status, body));
        let error = open(front.host()).tags(&name).await.unwrap_err();
        assert!(!error.is_transient(), "{error:?}");
        assert_eq!(front.requests().len(), 1, "{status}");
    }
}

#[tokio::test]
async fn an_answer_that_never_comes_ends_with_the_time_for_the_call() {
    let server = RegistryServer::start();
    let front = plain(&server);
    front.on("tags/list", Fault::Hang);
    let limits = Limits { total_time: Duration::from_millis(300), ..quick() };
    let registry = bounded(front.host(), Credential::Anonymous, limits);
    let error = registry.tags(&repository(front.host(), "owner/name")).await.unwrap_err();
    assert!(matches!(error, RegistryError::Unreachable { outage: Outage::Timeout, .. }), "{error:?}");
    assert!(error.is_transient());
}

#[tokio::test]
async fn a_host_that_does_not_listen_or_has_no_name_is_unreachable() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    for (host, expected) in [(free.as_str(), Outage::Connect), ("registry.invalid", Outage::Name)] {
        let error = open(host).tags(&repository(host, "owner/name")).await.unwrap_err();
        let RegistryError::Unreachable { outage, source, .. } = &error else { panic!("{error:?}") };
        assert_eq!(*outage, expected);
        assert!(source.is_some());
        assert!(error.hint().is_some_and(|hint| hint.contains(host)));
    }
}

#[tokio::test]
async fn a_redirect_to_another_host_is_followed_without_the_credential() {
    let server = RegistryServer::start();
    server.push_image("owner/name", "main");
    let (front, other) = (Front::before(&server, FrontOptions::default()), plain(&server));
    let to = format!("{}/v2/owner/name/tags/list?n=1000", other.url());
    let registry = bounded(front.host(), Credential::token(Front::TOKEN), quick());
    let name = repository(front.host(), "owner/name");
    registry.tags(&name).await.unwrap();
    front.on("tags/list", Fault::Answer(Answer::bytes(307, b"").header("location", &to)));
    assert_eq!(names(&registry.tags(&name).await.unwrap()), ["main"]);
    assert_eq!(other.requests().len(), 1);
    assert_eq!(other.requests()[0].authorization, "none");
}

#[tokio::test]
async fn redirects_without_end_are_not_followed() {
    let server = RegistryServer::start();
    let front = plain(&server);
    let to = "/v2/owner/name/tags/list?n=1000";
    front.on("tags/list", Fault::Answer(Answer::bytes(302, b"").header("location", to)));
    let error = open(front.host()).tags(&repository(front.host(), "owner/name")).await.unwrap_err();
    assert!(error.to_string().contains("redirects more than 5 times"), "{error}");
    assert_eq!(front.requests().len(), 6);
}
