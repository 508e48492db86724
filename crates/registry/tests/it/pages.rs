//! How the pages of a list hang together.

use image_gitops_core::credential::Credential;
use image_gitops_registry::{Limits, RegistryError};
use image_gitops_tests::registry_server::{Answer, Fault, Front, RegistryServer};
use serde_json::json;

use crate::{bounded, names, numbered, open, paged, plain, quick, repository};

/// What stands between the angle brackets.
fn target(link: &str) -> &str {
    link.trim_start_matches('<').split('>').next().unwrap_or_default()
}

fn json_of(tags: &[String]) -> String {
    json!({"name": "owner/name", "tags": tags}).to_string()
}

#[tokio::test]
async fn small_pages_are_followed_to_the_end() {
    let server = RegistryServer::start();
    let tags = numbered(1050);
    server.tag_many("owner/name", &tags);
    let front = paged(&server, 100);
    let list = open(front.host()).tags(&repository(front.host(), "owner/name")).await.unwrap();
    assert_eq!(names(&list), tags);
    assert_eq!((list.pages, list.requests, front.requests().len()), (11, 11, 11));
}

#[tokio::test]
async fn every_form_of_link_in_use_is_followed() {
    let server = RegistryServer::start();
    let tags = numbered(25);
    server.tag_many("owner/name", &tags);
    let front = paged(&server, 10);
    let name = repository(front.host(), "owner/name");
    let base = front.url().to_owned();
    let forms: Vec<(&str, Fault)> = vec![
        ("absolute", Fault::link(move |link| vec![format!("<{base}{}>; rel=\"next\"", target(link))])),
        ("no brackets", Fault::link(|link| vec![format!("{}; rel=\"next\"", target(link))])),
        ("no quotes", Fault::link(|link| vec![format!("<{}>; rel=next", target(link))])),
        ("capitals", Fault::link(|link| vec![format!("<{}>;REL=\"Next\"", target(link))])),
        (
            "query only",
            Fault::link(|link| {
                vec![format!("<?{}>; rel=\"next\"", target(link).split('?').nth(1).unwrap_or_default())]
            }),
        ),
        ("several headers", Fault::link(|link| vec!["</v2/>; rel=\"first\"".to_owned(), link.to_owned()])),
        ("several links", Fault::link(|link| vec![format!("</v2/>; rel=\"first\"; title=\"a, b\", {link}")])),
        ("prefix lost", Fault::link(|link| vec![link.replace("/v2/owner/", "/v2/")])),
    ];
    for (form, fault) in forms {
        front.heal();
        front.forget_requests();
        front.on("tags/list", fault);
        let list = open(front.host()).tags(&name).await.unwrap_or_else(|error| panic!("{form}: {error}"));
        assert_eq!(names(&list), tags, "{form}");
        assert_eq!(front.count("GET /v2/owner/name/tags/list?"), 3, "{form}");
    }
}

#[tokio::test]
async fn a_next_page_on_another_host_is_refused_and_the_list_with_it() {
    let server = RegistryServer::start();
    server.tag_many("owner/name", numbered(25));
    let (front, other) = (paged(&server, 10), plain(&server));
    let elsewhere = other.url().to_owned();
    front.on(
        "tags/list",
        Fault::link(move |link| vec![format!("<{elsewhere}{}>; rel=\"next\"", target(link))]),
    );
    let error = open(front.host()).tags(&repository(front.host(), "owner/name")).await.unwrap_err();
    assert!(matches!(error, RegistryError::Protocol { .. }), "{error:?}");
    assert!(error.to_string().contains("points to another host"), "{error}");
    assert_eq!(other.requests(), []);
    assert_eq!(front.requests().len(), 1);
}

#[tokio::test]
async fn pages_that_go_round_in_a_circle_are_refused() {
    let server = RegistryServer::start();
    server.tag_many("owner/name", numbered(25));
    let front = paged(&server, 10);
    front.on(
        "tags/list",
        Fault::link(|_| vec!["</v2/owner/name/tags/list?n=10&last=main-00004>; rel=next".to_owned()]),
    );
    let error = open(front.host()).tags(&repository(front.host(), "owner/name")).await.unwrap_err();
    assert!(matches!(error, RegistryError::Protocol { .. }), "{error:?}");
    assert!(error.to_string().contains("to an earlier one"), "{error}");
    assert_eq!(front.requests().len(), 2);
}

#[tokio::test]
async fn a_full_page_that_forgets_its_link_is_not_taken_for_the_last() {
    let server = RegistryServer::start();
    let tags = numbered(2500);
    server.tag_many("owner/name", &tags);
    let front = plain(&server);
    front.on("tags/list", Fault::Without("link"));
    let list = open(front.host()).tags(&repository(front.host(), "owner/name")).await.unwrap();
    assert_eq!(names(&list), tags);
    assert_eq!(list.pages, 3);
    assert_eq!(front.count("last=main-00999"), 1);
    assert_eq!(front.count("last=main-01999"), 1);
}

#[tokio::test]
async fn a_registry_that_ignores_where_to_go_on_does_not_keep_us() {
    let server = RegistryServer::start();
    let front = plain(&server);
    // The same full page, whatever is asked for, in another order each time.
    let mut tags = numbered(1000);
    let page = json_of(&tags);
    tags.rotate_left(300);
    front.on("last=", Fault::json(200, &json_of(&tags)));
    front.on("tags/list", Fault::json(200, &page));
    let list = open(front.host()).tags(&repository(front.host(), "owner/name")).await.unwrap();
    assert_eq!(names(&list), numbered(1000));
    assert_eq!(front.requests().len(), 2);
}

#[tokio::test]
async fn all_tags_in_one_page_larger_than_asked_for_are_the_whole_list() {
    let server = RegistryServer::start();
    let front = plain(&server);
    let mut tags = numbered(3000);
    tags.reverse();
    front.on("tags/list", Fault::json(200, &json_of(&tags)));
    let list = open(front.host()).tags(&repository(front.host(), "owner/name")).await.unwrap();
    assert_eq!(names(&list), numbered(3000));
    assert_eq!(list.requests, 1);
}

#[tokio::test]
async fn tags_that_come_on_two_pages_are_listed_once() {
    let server = RegistryServer::start();
    let front = plain(&server);
    let next = "</v2/owner/name/tags/list?next_page=x>; rel=\"next\"";
    front.on("next_page=x", Fault::json(200, r#"{"name":"owner/name","tags":["b","c"]}"#));
    let first = Answer::json(200, r#"{"name":"owner/name","tags":["b","a"]}"#).header("link", next);
    front.on("tags/list", Fault::Answer(first));
    let list = open(front.host()).tags(&repository(front.host(), "owner/name")).await.unwrap();
    assert_eq!(names(&list), ["a", "b", "c"]);
    assert_eq!(list.pages, 2);
}

#[tokio::test]
async fn a_registry_that_refuses_the_size_of_a_page_is_asked_for_no_size_once() {
    let server = RegistryServer::start();
    let tags = numbered(25);
    server.tag_many("owner/name", &tags);
    for status in [400, 405, 413] {
        let front = paged(&server, 10);
        let name = repository(front.host(), "owner/name");
        front.on("n=1000", Fault::json(status, r#"{"errors":[{"code":"PAGINATION_NUMBER_INVALID"}]}"#));
        let list = open(front.host()).tags(&name).await.unwrap();
        assert_eq!(names(&list), tags, "{status}");
        assert_eq!((list.pages, list.requests), (3, 4), "{status}");

        front.forget_requests();
        front.on("tags/list", Fault::json(status, r#"{"errors":[{"code":"UNSUPPORTED"}]}"#));
        let error = open(front.host()).tags(&name).await.unwrap_err();
        assert!(error.to_string().contains("UNSUPPORTED"), "{error}");
        assert_eq!(front.requests().len(), 2, "{status}");
    }
}

#[tokio::test]
async fn the_size_of_a_page_is_a_setting() {
    let server = RegistryServer::start();
    let tags = numbered(30);
    server.tag_many("owner/name", &tags);
    for (page_size, line, pages) in [(7, "list?n=7", 5), (0, "GET /v2/owner/name/tags/list", 1)] {
        let front = plain(&server);
        let limits = Limits { page_size, ..quick() };
        let registry = bounded(front.host(), Credential::Anonymous, limits);
        let list = registry.tags(&repository(front.host(), "owner/name")).await.unwrap();
        assert_eq!(names(&list), tags);
        assert_eq!(list.pages, pages);
        assert!(front.requests()[0].line.ends_with(line));
    }
}

#[tokio::test]
async fn a_page_that_fails_leaves_nothing_of_the_list() {
    let server = RegistryServer::start();
    let tags = numbered(45);
    server.tag_many("owner/name", &tags);
    let front = paged(&server, 10);
    let name = repository(front.host(), "owner/name");
    let page = |front: &Front| front.count("last=main-00029");
    for fault in [
        Fault::json(500, r#"{"errors":[{"code":"UNKNOWN"}]}"#),
        Fault::json(502, "<html>Bad Gateway</html>"),
        Fault::json(403, r#"{"errors":[{"code":"DENIED"}]}"#),
        Fault::json(404, r#"{"errors":[{"code":"NAME_UNKNOWN"}]}"#),
        Fault::json(400, r#"{"errors":[{"code":"UNSUPPORTED"}]}"#),
        Fault::json(200, "<html>Sign in</html>"),
        Fault::Reset,
        Fault::CutAfter(20),
    ] {
        front.heal();
        front.on("last=main-00029", fault);
        open(front.host()).tags(&name).await.unwrap_err();
    }
    assert!(page(&front) >= 8);
    front.heal();
    assert_eq!(names(&open(front.host()).tags(&name).await.unwrap()), tags);
}
