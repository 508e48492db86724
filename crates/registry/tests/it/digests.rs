//! What a tag names.

use image_gitops_core::credential::Credential;
use image_gitops_registry::RegistryError;
use image_gitops_tests::registry_server::{Answer, Fault, Front, FrontOptions, RegistryServer};

use crate::{open, plain, repository, tag, with};

#[tokio::test]
async fn a_tag_names_a_manifest_or_an_index_and_one_request_tells_which() {
    let server = RegistryServer::start();
    let image = server.push_image("owner/name", "one-platform");
    let index = server.push_index("owner/name", "two-platforms");
    let front = plain(&server);
    let (registry, name) = (open(front.host()), repository(front.host(), "owner/name"));
    assert_eq!(registry.digest(&name, &tag("one-platform")).await.unwrap().as_str(), image);
    assert_eq!(registry.digest(&name, &tag("two-platforms")).await.unwrap().as_str(), index);
    assert_eq!(front.count("HEAD /v2/owner/name/manifests/"), 2);
    let requests = front.requests();
    assert_eq!(requests.len(), 2);
    // A registry may convert what is not asked for: an index into one platform's manifest.
    for kind in [
        "oci.image.index.v1",
        "oci.image.manifest.v1",
        "docker.distribution.manifest.list.v2",
        "docker.distribution.manifest.v2",
    ] {
        assert!(
            requests[0].accept.contains(&format!("application/vnd.{kind}+json")),
            "{}",
            requests[0].accept
        );
    }
}

#[tokio::test]
async fn a_tag_that_is_pushed_again_names_the_new_image() {
    let server = RegistryServer::start();
    let first = server.push_image("owner/name", "main");
    let (registry, name) = (open(&server.host()), repository(&server.host(), "owner/name"));
    assert_eq!(registry.digest(&name, &tag("main")).await.unwrap().as_str(), first);
    let second = server.push_index("owner/name", "main");
    assert_ne!(first, second);
    assert_eq!(registry.digest(&name, &tag("main")).await.unwrap().as_str(), second);
}

#[tokio::test]
async fn a_digest_uses_the_token_that_the_list_was_read_with() {
    let server = RegistryServer::start();
    let digest = server.push_image("owner/private", "main");
    let front = Front::before(&server, FrontOptions::default());
    let registry = with(front.host(), Credential::token(Front::TOKEN));
    let name = repository(front.host(), "owner/private");
    registry.tags(&name).await.unwrap();
    front.forget_requests();
    assert_eq!(registry.digest(&name, &tag("main")).await.unwrap().as_str(), digest);
    assert_eq!(front.requests().len(), 1);
}

#[tokio::test]
async fn a_tag_that_is_gone_is_not_found_by_its_name() {
    let server = RegistryServer::start();
    server.push_image("owner/name", "main");
    let name = repository(&server.host(), "owner/name");
    let error = open(&server.host()).digest(&name, &tag("absent")).await.unwrap_err();
    assert!(matches!(error, RegistryError::NotFound { .. }), "{error:?}");
    let words =
        format!("cannot read the digest of {}/owner/name:absent: not found (MANIFEST_UNKNOWN", server.host());
    assert!(error.to_string().starts_with(&words), "{error}");
}

#[tokio::test]
async fn a_manifest_is_hashed_where_the_registry_names_no_digest() {
    let server = RegistryServer::start();
    let image = server.push_image("owner/name", "image");
    let index = server.push_index("owner/name", "index");
    let front = plain(&server);
    let (registry, name) = (open(front.host()), repository(front.host(), "owner/name"));
    front.on("manifests/", Fault::Without("docker-content-digest"));
    assert_eq!(registry.digest(&name, &tag("image")).await.unwrap().as_str(), image);
    assert_eq!(registry.digest(&name, &tag("index")).await.unwrap().as_str(), index);
    assert_eq!(front.requests().len(), 4);
}

#[tokio::test]
async fn a_registry_that_does_not_take_head_is_asked_by_get() {
    let server = RegistryServer::start();
    let image = server.push_image("owner/name", "main");
    let front = plain(&server);
    let (registry, name) = (open(front.host()), repository(front.host(), "owner/name"));
    for status in [400, 403, 404, 405, 501] {
        front.once("HEAD", Fault::json(status, ""));
        assert_eq!(registry.digest(&name, &tag("main")).await.unwrap().as_str(), image, "{status}");
    }
}

#[tokio::test]
async fn a_manifest_that_is_not_what_its_digest_says_is_refused() {
    let server = RegistryServer::start();
    let front = plain(&server);
    let (registry, name) = (open(front.host()), repository(front.host(), "owner/name"));
    let body = r#"{"schemaVersion":2,"config":{"mediaType":"a","digest":"sha256:0","size":1},"layers":[]}"#;
    let lie = Answer::json(200, body).header("docker-content-digest", &format!("sha256:{}", "0".repeat(64)));
    front.on("HEAD", Fault::json(405, ""));
    front.on("GET", Fault::Answer(lie));
    let error = registry.digest(&name, &tag("main")).await.unwrap_err();
    assert!(matches!(error, RegistryError::Protocol { .. }), "{error:?}");
    assert!(error.to_string().contains("and sends a manifest of sha256:"), "{error}");
}

#[tokio::test]
async fn what_is_no_manifest_has_no_digest() {
    let server = RegistryServer::start();
    let front = plain(&server);
    let (registry, name) = (open(front.host()), repository(front.host(), "owner/name"));
    let schema_1 =
        r#"{"schemaVersion":1,"name":"owner/name","tag":"main","fsLayers":[],"history":[],"signatures":[]}"#;
    for body in ["<html>Sign in</html>", "{}", "", schema_1] {
        front.on("manifests/", Fault::json(200, body));
        let error = registry.digest(&name, &tag("main")).await.unwrap_err();
        assert!(matches!(error, RegistryError::NotARegistry { .. }), "{body}: {error:?}");
        front.heal();
    }
}

#[tokio::test]
async fn a_manifest_larger_than_any_is_not_read_to_its_end() {
    let server = RegistryServer::start();
    let front = plain(&server);
    front.on("HEAD", Fault::json(405, ""));
    front.on("GET", Fault::json(200, &" ".repeat((4 << 20) + 1)));
    let name = repository(front.host(), "owner/name");
    let error = open(front.host()).digest(&name, &tag("main")).await.unwrap_err();
    assert!(matches!(error, RegistryError::TooLarge { .. }), "{error:?}");
}
