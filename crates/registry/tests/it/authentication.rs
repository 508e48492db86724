//! Who is let in, with what, and how often that is asked.

use image_gitops_core::credential::Credential;
use image_gitops_registry::{RegistryError, Tried};
use image_gitops_tests::registry_server::{Answer, Fault, Front, FrontOptions, Options, RegistryServer};

use crate::{names, numbered, open, plain, repository, with};

fn token() -> Credential {
    Credential::token(Front::TOKEN)
}

/// The lines of requests, with the scheme of their credential.
fn lines(front: &Front) -> Vec<String> {
    let path = |line: &str| line.split('?').next().unwrap_or_default().to_owned();
    front.requests().iter().map(|r| format!("{} {} {}", path(&r.line), r.authorization, r.status)).collect()
}

#[tokio::test]
async fn a_public_image_is_read_without_a_credential_and_its_token_is_kept() {
    let server = RegistryServer::start();
    server.push_image("owner/name", "main");
    let front = Front::before(&server, FrontOptions::default());
    let (registry, name) = (open(front.host()), repository(front.host(), "owner/name"));
    assert_eq!(registry.tags(&name).await.unwrap().requests, 3);
    assert_eq!(registry.clone().tags(&name).await.unwrap().requests, 1);
    assert_eq!(
        lines(&front),
        [
            "GET /v2/owner/name/tags/list none 401",
            "GET /token none 200",
            "GET /v2/owner/name/tags/list Bearer 200",
            "GET /v2/owner/name/tags/list Bearer 200",
        ]
    );
    assert_eq!(front.count("/token?service=ghcr.io&scope=repository%3Aowner%2Fname%3Apull"), 1);
}

#[tokio::test]
async fn a_private_image_is_read_with_a_token() {
    let server = RegistryServer::start();
    server.push_image("owner/private", "main");
    let front = Front::before(&server, FrontOptions::default());
    let list = with(front.host(), token()).tags(&repository(front.host(), "owner/private")).await.unwrap();
    assert_eq!(names(&list), ["main"]);
    // The password goes to the token service and nowhere else.
    assert_eq!(
        lines(&front),
        [
            "GET /v2/owner/private/tags/list none 401",
            "GET /token Basic 200",
            "GET /v2/owner/private/tags/list Bearer 200",
        ]
    );
}

#[tokio::test]
async fn a_private_image_is_denied_to_everybody() {
    let server = RegistryServer::start();
    server.push_image("owner/private", "main");
    let front = Front::before(&server, FrontOptions::default());
    let error = open(front.host()).tags(&repository(front.host(), "owner/private")).await.unwrap_err();
    let RegistryError::Denied { tried, words, .. } = &error else { panic!("{error:?}") };
    assert_eq!(*tried, Tried::Anonymous);
    assert_eq!(words.as_deref(), Some("DENIED: requested access to the resource is denied"));
    assert!(error.to_string().contains("it may be private, or not exist"), "{error}");
    assert!(error.hint().is_some_and(|hint| hint.contains("registry.secretRef")));
    assert!(!error.is_transient());
    assert_eq!(front.requests().len(), 2);
}

#[tokio::test]
async fn a_wrong_credential_is_denied_and_never_tried_without() {
    let server = RegistryServer::start();
    server.push_image("owner/name", "main");
    let front = Front::before(&server, FrontOptions::default());
    let wrong = with(front.host(), Credential::token("ghp_wrong"));
    let error = wrong.tags(&repository(front.host(), "owner/name")).await.unwrap_err();
    let RegistryError::Denied { tried, words, .. } = &error else { panic!("{error:?}") };
    assert_eq!(*tried, Tried::Credential);
    assert_eq!(words.as_deref(), Some("DENIED: denied"));
    assert!(!format!("{error:?} {error}").contains("ghp_wrong"));
    assert_eq!(lines(&front), ["GET /v2/owner/name/tags/list none 401", "GET /token Basic 403"]);
}

#[tokio::test]
async fn a_token_that_ends_between_two_pages_is_renewed_and_the_page_read_again() {
    let server = RegistryServer::start();
    let tags = numbered(45);
    server.tag_many("owner/name", &tags);
    let options = FrontOptions { page: Some(10), uses: Some(2), ..FrontOptions::default() };
    let front = Front::before(&server, options);
    let list = open(front.host()).tags(&repository(front.host(), "owner/name")).await.unwrap();
    assert_eq!(names(&list), tags);
    // Five pages, two for a token: three tokens, and a refusal before each.
    assert_eq!((list.pages, list.requests), (5, 5 + 3 + 3));
    assert_eq!(front.count("/token"), 3);
}

#[tokio::test]
async fn a_token_that_is_refused_at_once_is_renewed_only_once() {
    let server = RegistryServer::start();
    server.push_image("owner/name", "main");
    let front = Front::before(&server, FrontOptions { uses: Some(0), ..FrontOptions::default() });
    let error = open(front.host()).tags(&repository(front.host(), "owner/name")).await.unwrap_err();
    assert!(matches!(error, RegistryError::Denied { .. }), "{error:?}");
    assert_eq!(front.requests().len(), 3);
}

#[tokio::test]
async fn a_token_is_renewed_before_it_expires_without_being_refused() {
    let server = RegistryServer::start();
    server.push_image("owner/name", "main");
    let front = Front::before(&server, FrontOptions { expires_in: Some(1), ..FrontOptions::default() });
    let (registry, name) = (open(front.host()), repository(front.host(), "owner/name"));
    registry.tags(&name).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(950)).await;
    front.forget_requests();
    registry.tags(&name).await.unwrap();
    assert_eq!(lines(&front), ["GET /token none 200", "GET /v2/owner/name/tags/list Bearer 200"]);
}

#[tokio::test]
async fn a_token_that_was_revoked_is_renewed() {
    let server = RegistryServer::start();
    server.push_image("owner/name", "main");
    let front = Front::before(&server, FrontOptions::default());
    let (registry, name) = (open(front.host()), repository(front.host(), "owner/name"));
    registry.tags(&name).await.unwrap();
    front.expire_tokens();
    assert_eq!(registry.tags(&name).await.unwrap().requests, 3);
}

#[tokio::test]
async fn a_token_that_was_refused_is_not_sent_again() {
    let server = RegistryServer::start();
    server.push_image("owner/name", "main");
    let front = Front::before(&server, FrontOptions::default());
    let (registry, name) = (open(front.host()), repository(front.host(), "owner/name"));
    registry.tags(&name).await.unwrap();
    front.expire_tokens();
    front.once("/token", Fault::json(403, "{}"));
    registry.tags(&name).await.unwrap_err();
    front.forget_requests();
    registry.tags(&name).await.unwrap();
    assert_eq!(lines(&front), ["GET /token none 200", "GET /v2/owner/name/tags/list Bearer 200"]);
}

#[tokio::test]
async fn a_password_that_was_let_in_and_is_no_more_is_sent_once() {
    let server = RegistryServer::start();
    server.push_image("owner/name", "main");
    let front = plain(&server);
    let asks = || Fault::Answer(Answer::json(401, "{}").header("www-authenticate", r#"Basic realm="r""#));
    let (registry, name) = (with(front.host(), token()), repository(front.host(), "owner/name"));
    front.once("tags/list", asks());
    registry.tags(&name).await.unwrap();
    front.forget_requests();
    front.on("tags/list", asks());
    let error = registry.tags(&name).await.unwrap_err();
    assert!(matches!(error, RegistryError::Denied { .. }), "{error:?}");
    assert_eq!(lines(&front), ["GET /v2/owner/name/tags/list Basic 401"]);
}

#[tokio::test]
async fn a_refusal_is_understood_in_any_words() {
    let server = RegistryServer::start();
    let front = plain(&server);
    let name = repository(front.host(), "owner/name");
    for (status, body) in [
        (403, "{}"),
        (403, "Forbidden"),
        (403, "<html>Forbidden</html>"),
        (400, r#"{"errors":[{"code":"DENIED","message":"denied"}]}"#),
        (404, r#"{"errors":[{"code":"UNAUTHORIZED"}]}"#),
    ] {
        front.heal();
        front.on("tags/list", Fault::json(status, body));
        let error = open(front.host()).tags(&name).await.unwrap_err();
        assert!(matches!(error, RegistryError::Denied { .. }), "{status} {body}: {error:?}");
    }
}

#[tokio::test]
async fn many_who_need_a_token_at_once_fetch_one() {
    let server = RegistryServer::start();
    server.push_image("owner/name", "main");
    let front = Front::before(&server, FrontOptions::default());
    let (registry, name) = (open(front.host()), repository(front.host(), "owner/name"));
    let mut all = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (registry, name) = (registry.clone(), name.clone());
        all.spawn(async move { registry.tags(&name).await });
    }
    for list in all.join_all().await {
        assert_eq!(names(&list.unwrap()), ["main"]);
    }
    assert_eq!(front.count("/token"), 1);
}

#[tokio::test]
async fn a_token_may_come_as_oauth2_names_it_and_without_a_life() {
    let server = RegistryServer::start();
    server.push_image("owner/name", "main");
    let options = FrontOptions { field: "access_token", expires_in: None, ..FrontOptions::default() };
    let front = Front::before(&server, options);
    open(front.host()).tags(&repository(front.host(), "owner/name")).await.unwrap();
}

#[tokio::test]
async fn a_refresh_token_is_exchanged_by_post() {
    let server = RegistryServer::start();
    server.push_image("owner/private", "main");
    let front = Front::before(&server, FrontOptions::default());
    let name = repository(front.host(), "owner/private");
    with(front.host(), Credential::Refresh(Front::REFRESH.into())).tags(&name).await.unwrap();
    assert_eq!(front.count("POST /token"), 1);
    assert!(front.requests().iter().all(|request| !request.line.contains("rt_")), "a secret in a URL");

    let error = with(front.host(), Credential::Refresh("rt_wrong".into())).tags(&name).await.unwrap_err();
    let RegistryError::Denied { words, .. } = &error else { panic!("{error:?}") };
    assert_eq!(words.as_deref(), Some("invalid_grant; the token is not known"));
}

#[tokio::test]
async fn a_form_with_a_credential_is_not_redirected() {
    let server = RegistryServer::start();
    server.push_image("owner/private", "main");
    let (front, other) = (Front::before(&server, FrontOptions::default()), plain(&server));
    let elsewhere = Answer::bytes(307, b"").header("location", &format!("{}/token", other.url()));
    front.on("/token", Fault::Answer(elsewhere));
    let registry = with(front.host(), Credential::Refresh(Front::REFRESH.into()));
    let error = registry.tags(&repository(front.host(), "owner/private")).await.unwrap_err();
    assert!(error.to_string().contains("redirects a POST"), "{error}");
    assert_eq!(other.requests(), []);
}

#[tokio::test]
async fn a_bearer_token_is_sent_as_it_is() {
    let server = RegistryServer::start();
    server.push_image("owner/name", "main");
    let front = plain(&server);
    let name = repository(front.host(), "owner/name");
    with(front.host(), Credential::Bearer("given".into())).tags(&name).await.unwrap();
    assert_eq!(lines(&front), ["GET /v2/owner/name/tags/list Bearer 200"]);

    let front = Front::before(&server, FrontOptions::default());
    let name = repository(front.host(), "owner/name");
    let error = with(front.host(), Credential::Bearer("given".into())).tags(&name).await.unwrap_err();
    assert!(matches!(error, RegistryError::Denied { tried: Tried::Credential, .. }), "{error:?}");
    assert_eq!(lines(&front), ["GET /v2/owner/name/tags/list Bearer 401"]);
}

#[tokio::test]
async fn a_registry_with_passwords_lets_the_right_one_in() {
    let server = RegistryServer::start_with(Options { password: true, ..Options::default() });
    server.push_image("owner/name", "main");
    let host = server.host();
    let name = repository(&host, "owner/name");
    let right = with(&host, Credential::basic(RegistryServer::USER, RegistryServer::PASSWORD));
    assert_eq!(right.tags(&name).await.unwrap().requests, 2);
    assert_eq!(right.tags(&name).await.unwrap().requests, 1);
    for (credential, expected) in [
        (Credential::Anonymous, Tried::Anonymous),
        (Credential::basic(RegistryServer::USER, "wrong"), Tried::Credential),
        (Credential::Refresh("rt".into()), Tried::Credential),
        (Credential::Bearer("b".into()), Tried::Credential),
    ] {
        let error = with(&host, credential).tags(&name).await.unwrap_err();
        let RegistryError::Denied { tried, .. } = error else { panic!("{error:?}") };
        assert_eq!(tried, expected);
    }
}

#[tokio::test]
async fn a_token_service_on_another_host_gets_the_password_and_the_registry_does_not() {
    let server = RegistryServer::start();
    server.push_image("owner/name", "main");
    let (front, service) = (plain(&server), plain(&server));
    let challenge = format!(r#"Bearer realm="{}/auth",service="r""#, service.url());
    front.once("tags/list", Fault::Answer(Answer::json(401, "{}").header("www-authenticate", &challenge)));
    service.once("/auth", Fault::json(200, r#"{"token":"t","expires_in":300}"#));
    with(front.host(), token()).tags(&repository(front.host(), "owner/name")).await.unwrap();
    assert_eq!(lines(&service), ["GET /auth Basic 200"]);
    // The scope is ours where the registry names none.
    assert_eq!(service.count("scope=repository%3Aowner%2Fname%3Apull"), 1);
    assert_eq!(
        lines(&front),
        ["GET /v2/owner/name/tags/list none 401", "GET /v2/owner/name/tags/list Bearer 200"]
    );
}

#[tokio::test]
async fn a_token_service_that_gives_no_token_is_told_from_one_that_refuses() {
    let server = RegistryServer::start();
    server.push_image("owner/name", "main");
    let front = Front::before(&server, FrontOptions::default());
    let name = repository(front.host(), "owner/name");
    for (status, body) in [(200, "{}"), (200, r#"{"token":""}"#), (200, "<html>"), (404, "no such page")] {
        front.once("/token", Fault::json(status, body));
        let error = open(front.host()).tags(&name).await.unwrap_err();
        assert!(matches!(error, RegistryError::Protocol { .. }), "{status} {body}: {error:?}");
    }
    for status in [400, 401, 403] {
        front.once("/token", Fault::json(status, r#"{"details":"incorrect username or password"}"#));
        let error = open(front.host()).tags(&name).await.unwrap_err();
        assert!(error.to_string().ends_with("(incorrect username or password)"), "{error}");
        assert!(matches!(error, RegistryError::Denied { .. }), "{error:?}");
    }
}
