//! Whom we trust, and that nothing is sent in clear that was not asked for.

use image_gitops_registry::{Access, Limits, Outage, Registry, RegistryError};
use image_gitops_tests::registry_server::{Answer, Fault, Front, FrontOptions, Options, RegistryServer};

use crate::{names, plain, repository};

fn secure(host: &str, ca: Option<&str>) -> Registry {
    let access = Access { ca: ca.map(str::to_owned), ..Access::default() };
    Registry::new(host, access, Limits::default()).unwrap()
}

fn outage_of(error: &RegistryError) -> Outage {
    let RegistryError::Unreachable { outage, .. } = error else { panic!("{error:?}") };
    *outage
}

fn tls_front(server: &RegistryServer) -> Front {
    Front::before(server, FrontOptions { tls: true, ..FrontOptions::default() })
}

#[tokio::test]
async fn a_registry_of_a_private_authority_is_trusted_by_its_certificate() {
    let server = RegistryServer::start_with(Options { tls: true, ..Options::default() });
    server.push_image("owner/name", "main");
    let name = repository(&server.host(), "owner/name");
    let list = secure(&server.host(), server.ca_pem()).tags(&name).await.unwrap();
    assert_eq!(names(&list), ["main"]);

    let error = secure(&server.host(), None).tags(&name).await.unwrap_err();
    assert_eq!(outage_of(&error), Outage::Untrusted);
    assert!(!error.is_transient());
    assert!(error.hint().is_some_and(|hint| hint.contains("caSecretRef") && hint.contains("SSL_CERT_FILE")));
}

#[tokio::test]
async fn tokens_are_fetched_over_tls_as_well() {
    let server = RegistryServer::start();
    server.push_image("owner/name", "main");
    let front = tls_front(&server);
    let list =
        secure(front.host(), front.ca_pem()).tags(&repository(front.host(), "owner/name")).await.unwrap();
    assert_eq!(list.requests, 3);
}

#[tokio::test]
async fn plain_http_is_never_spoken_unasked() {
    let server = RegistryServer::start();
    server.push_image("owner/name", "main");
    let front = plain(&server);
    for host in [front.host().to_owned(), front.host().replace("127.0.0.1", "localhost")] {
        let error = secure(&host, None).tags(&repository(&host, "owner/name")).await.unwrap_err();
        assert_eq!(outage_of(&error), Outage::Tls, "{error:?}");
        assert!(error.hint().is_some_and(|hint| hint.contains("registry.insecure: true")));
    }
    assert_eq!(front.requests(), []);
}

#[tokio::test]
async fn a_registry_with_tls_does_not_send_us_to_plain_http() {
    let server = RegistryServer::start();
    server.push_image("owner/name", "main");
    let (front, clear) = (tls_front(&server), plain(&server));
    let registry = secure(front.host(), front.ca_pem());
    let name = repository(front.host(), "owner/name");

    let challenge = format!(r#"Bearer realm="{}/token",service="r""#, clear.url());
    front.once("tags/list", Fault::Answer(Answer::json(401, "{}").header("www-authenticate", &challenge)));
    let error = registry.tags(&name).await.unwrap_err();
    assert!(error.to_string().contains("names a token service that is not HTTPS"), "{error}");

    let to = format!("{}/v2/owner/name/tags/list", clear.url());
    front.once("tags/list", Fault::Answer(Answer::bytes(302, b"").header("location", &to)));
    let error = registry.tags(&name).await.unwrap_err();
    assert!(error.to_string().contains("redirects from HTTPS to plain HTTP"), "{error}");

    assert_eq!(clear.requests(), []);
}

#[test]
fn a_host_or_certificate_that_is_none_is_refused_before_anything_is_sent() {
    for ca in ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        let access = Access { ca: Some(ca.to_owned()), ..Access::default() };
        let error = Registry::new("ghcr.io", access, Limits::default()).unwrap_err();
        assert!(matches!(error, RegistryError::Settings { .. }), "{ca}: {error:?}");
    }
    for host in
        ["", "a b", "user:password@ghcr.io", "ghcr.io/owner", "ghcr.io?x", "ghcr.io#x", "ghcr.io:port"]
    {
        let error = Registry::new(host, Access::default(), Limits::default()).unwrap_err();
        assert!(matches!(error, RegistryError::Settings { .. }), "{host}: {error:?}");
    }
    for host in ["ghcr.io", "docker.io", "localhost:5000", "127.0.0.1:5000", "[::1]:5000"] {
        Registry::new(host, Access::default(), Limits::default()).unwrap();
    }
}

/// Runs itself again, because an environment belongs to a process.
#[tokio::test]
async fn the_certificates_of_ssl_cert_file_are_trusted() {
    const HOST: &str = "IMAGE_GITOPS_TEST_TLS_HOST";
    if let Ok(host) = std::env::var(HOST) {
        secure(&host, None).tags(&repository(&host, "owner/name")).await.unwrap();
        return;
    }
    let server = RegistryServer::start();
    server.push_image("owner/name", "main");
    let front = tls_front(&server);
    let folder = tempfile::tempdir().unwrap();
    let bundle = folder.path().join("bundle.pem");
    std::fs::write(&bundle, front.ca_pem().unwrap()).unwrap();
    #[allow(clippy::disallowed_types, reason = "the test runs itself")]
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "tls::the_certificates_of_ssl_cert_file_are_trusted"])
        .env(HOST, front.host())
        .env("SSL_CERT_FILE", &bundle)
        .output()
        .unwrap();
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
    assert_eq!(front.count("tags/list"), 2);
}
