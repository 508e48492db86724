//! What the crate `oci-client` does, as far as it decides what is left to it (docs/adr/0003-registry-client.md).
//!
//! A test that fails after an update says that the decision can be looked at again.

use image_gitops_tests::registry_server::{Answer, Fault, Front, FrontOptions, Options, RegistryServer};
use oci_client::client::{ClientConfig, ClientProtocol};
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, Reference};

use crate::{numbered, open, paged, plain, repository, tag};

fn client() -> Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::try_from(ClientConfig { protocol: ClientProtocol::Http, ..ClientConfig::default() }).unwrap()
}

fn reference(host: &str, tag: &str) -> Reference {
    format!("{host}/owner/name:{tag}").parse().unwrap()
}

fn basic(password: &str) -> RegistryAuth {
    RegistryAuth::Basic("user".to_owned(), password.to_owned())
}

#[tokio::test]
async fn it_reads_the_same_digests_as_we_do() {
    let server = RegistryServer::start();
    server.push_image("owner/name", "image");
    server.push_index("owner/name", "index");
    let host = server.host();
    for name in ["image", "index"] {
        let theirs =
            client().fetch_manifest_digest(&reference(&host, name), &RegistryAuth::Anonymous).await.unwrap();
        let ours = open(&host).digest(&repository(&host, "owner/name"), &tag(name)).await.unwrap();
        assert_eq!(ours.as_str(), theirs);
    }
}

#[tokio::test]
async fn it_lists_one_page_and_does_not_say_that_there_are_more() {
    let server = RegistryServer::start();
    server.tag_many("owner/name", numbered(250));
    let front = paged(&server, 100);
    let image = reference(front.host(), "main");
    let theirs = client().list_tags(&image, &RegistryAuth::Anonymous, None, None).await.unwrap();
    assert_eq!(theirs.tags.len(), 100);
    let ours = open(front.host()).tags(&repository(front.host(), "owner/name")).await.unwrap();
    assert_eq!(ours.tags.len(), 250);
}

#[tokio::test]
async fn it_does_not_renew_a_token_that_ends_early() {
    let server = RegistryServer::start();
    server.push_image("owner/name", "main");
    let front = Front::before(&server, FrontOptions { uses: Some(1), ..FrontOptions::default() });
    let (client, image) = (client(), reference(front.host(), "main"));
    client.fetch_manifest_digest(&image, &RegistryAuth::Anonymous).await.unwrap();
    assert!(client.fetch_manifest_digest(&image, &RegistryAuth::Anonymous).await.is_err());
    let (ours, name) = (open(front.host()), repository(front.host(), "owner/name"));
    ours.digest(&name, &tag("main")).await.unwrap();
    ours.digest(&name, &tag("main")).await.unwrap();
}

#[tokio::test]
async fn it_keeps_the_first_credential_of_a_host() {
    let server = RegistryServer::start_with(Options { password: true, ..Options::default() });
    server.push_image("owner/name", "main");
    let (one, image) = (client(), reference(&server.host(), "main"));
    let right = RegistryAuth::Basic(RegistryServer::USER.to_owned(), RegistryServer::PASSWORD.to_owned());
    assert!(one.fetch_manifest_digest(&image, &basic("wrong")).await.is_err());
    assert!(one.fetch_manifest_digest(&image, &right).await.is_err());
    assert!(client().fetch_manifest_digest(&image, &right).await.is_ok());
}

#[tokio::test]
async fn it_asks_anonymously_where_a_credential_is_wrong() {
    let server = RegistryServer::start();
    server.push_image("owner/name", "main");
    let front = Front::before(&server, FrontOptions::default());
    let error = client()
        .fetch_manifest_digest(&reference(front.host(), "main"), &basic("ghp_wrong"))
        .await
        .unwrap_err();
    let asked: Vec<_> = front.requests().iter().filter(|r| r.line.contains("manifests")).cloned().collect();
    assert!(!asked.is_empty() && asked.iter().all(|r| r.authorization == "none"), "{asked:?}");
    assert!(!error.to_string().contains("DENIED"), "{error}");
}

#[tokio::test]
async fn it_reads_a_manifest_of_any_size() {
    let server = RegistryServer::start();
    let front = plain(&server);
    front.on("HEAD", Fault::json(200, ""));
    front.on("GET", Fault::Answer(Answer::json(200, &" ".repeat(8 << 20))));
    let image = reference(front.host(), "main");
    assert!(client().fetch_manifest_digest(&image, &RegistryAuth::Anonymous).await.is_ok());
}

#[tokio::test]
async fn it_does_not_say_how_long_a_registry_asks_to_wait() {
    let server = RegistryServer::start();
    let front = plain(&server);
    let body = r#"{"errors":[{"code":"TOOMANYREQUESTS","message":"slow down"}]}"#;
    front.on("manifests", Fault::Answer(Answer::json(429, body).header("retry-after", "7777777")));
    let image = reference(front.host(), "main");
    let error = client().fetch_manifest_digest(&image, &RegistryAuth::Anonymous).await.unwrap_err();
    assert!(!format!("{error:?}").contains("7777777"), "{error:?}");
}
