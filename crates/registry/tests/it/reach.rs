//! Which hosts and addresses are asked: the registry, its token service, and where either sends us.

use image_gitops_core::credential::Credential;
use image_gitops_core::reach::{HostPattern, Reach, Refused, network};
use image_gitops_registry::{Access, Registry, RegistryError};
use image_gitops_tests::registry_server::{Answer, Fault, Front, FrontOptions, RegistryServer};

use super::{names, plain, quick, repository};

/// Whoever knows this reads everything.
fn token() -> Credential {
    Credential::token(Front::TOKEN)
}

/// Of these hosts (every one, where there is none), on this machine too.
fn local(hosts: &[&str]) -> Reach {
    let hosts: Vec<HostPattern> = hosts.iter().map(|host| host.parse().unwrap()).collect();
    Reach::bounded(&hosts, &[network("127.0.0.0/8").unwrap()])
}

fn within(reach: Reach, host: &str) -> Result<Registry, RegistryError> {
    let access = Access { credential: token(), insecure: true, reach, ..Access::default() };
    Registry::new(host, access, quick())
}

#[track_caller]
fn refused(error: &RegistryError) -> &Refused {
    let RegistryError::Refused { refused, .. } = error else { panic!("{error:?}") };
    assert!(!error.is_transient() && error.hint().is_some(), "{error}");
    refused
}

#[tokio::test]
async fn this_machine_is_not_asked_however_it_is_written() {
    let server = RegistryServer::start();
    let front = plain(&server);
    let port = front.host().rsplit_once(':').unwrap().1;
    for host in
        ["127.0.0.1", "127.1", "0x7f.1", "2130706433", "0177.0.0.1", "0.0.0.0", "[::1]", "[::ffff:127.0.0.1]"]
    {
        let error = within(Reach::bounded(&[], &[]), &format!("{host}:{port}")).unwrap_err();
        assert!(matches!(refused(&error), Refused::Address { .. }), "{host}: {error}");
    }
    // By a name, only its resolver can tell.
    let named = format!("localhost:{port}");
    let registry = within(Reach::bounded(&[], &[]), &named).unwrap();
    let error = registry.tags(&repository(&named, "owner/name")).await.unwrap_err();
    assert!(error.to_string().contains("localhost has the address"), "{error}");
    assert!(matches!(refused(&error), Refused::Address { .. }), "{error}");
    assert_eq!(front.requests(), []);
}

#[tokio::test]
async fn a_host_that_is_not_listed_is_not_asked() {
    let server = RegistryServer::start();
    server.push_image("owner/name", "main");
    let front = Front::before(&server, FrontOptions::default());
    let error = within(local(&["ghcr.io"]), front.host()).unwrap_err();
    assert_eq!(refused(&error), &Refused::Host("127.0.0.1".into()));
    let registry = within(local(&["ghcr.io", front.host()]), front.host()).unwrap();
    assert_eq!(names(&registry.tags(&repository(front.host(), "owner/name")).await.unwrap()), ["main"]);
}

#[tokio::test]
async fn no_token_is_asked_for_out_of_reach() {
    let server = RegistryServer::start();
    let (front, other) = (Front::before(&server, FrontOptions::default()), plain(&server));
    let registry = within(local(&[front.host()]), front.host()).unwrap();
    for realm in [format!("{}/token", other.url()), "http://169.254.169.254/latest/meta-data".into()] {
        let challenge = format!(r#"Bearer realm="{realm}",service="s""#);
        let asks = Answer::json(401, "{}").header("www-authenticate", &challenge);
        front.on("tags/list", Fault::Answer(asks));
        let error = registry.tags(&repository(front.host(), "owner/name")).await.unwrap_err();
        refused(&error);
        front.heal();
    }
    assert_eq!(other.requests(), [], "the credential went to another host");
}

#[tokio::test]
async fn no_redirect_leads_out_of_reach() {
    let server = RegistryServer::start();
    let (front, other) = (plain(&server), plain(&server));
    let to_other = format!("{}/v2/owner/name/tags/list", other.url());
    let name_of_it = to_other.replace("127.0.0.1", "localhost");
    for (reach, to) in [
        (local(&[front.host()]), to_other),
        (local(&[]), "http://169.254.169.254/latest/meta-data".into()),
        (local(&[]), "http://[fd00:ec2::254]/latest/meta-data".into()),
        (Reach::bounded(&[], &[network("127.0.0.1").unwrap()]), "http://127.0.0.2/".into()),
        (local(&[front.host()]), name_of_it),
    ] {
        let registry = within(reach, front.host()).unwrap();
        front.on("tags/list", Fault::Answer(Answer::bytes(307, b"").header("location", &to)));
        let error = registry.tags(&repository(front.host(), "owner/name")).await.unwrap_err();
        refused(&error);
        front.heal();
    }
    assert_eq!(other.requests(), []);
}

#[tokio::test]
async fn where_a_redirect_leads_nobody_learns_who_asks() {
    let server = RegistryServer::start();
    // The other host wants a credential, and says where to bring it: to itself.
    let (front, other) = (plain(&server), Front::before(&server, FrontOptions::default()));
    let to = format!("{}/v2/owner/private/tags/list", other.url());
    front.on("tags/list", Fault::Answer(Answer::bytes(307, b"").header("location", &to)));
    let registry = within(Reach::default(), front.host()).unwrap();
    let error = registry.tags(&repository(front.host(), "owner/private")).await.unwrap_err();
    assert!(matches!(error, RegistryError::Denied { .. }), "{error}");
    assert!(error.to_string().contains("to which no credential is sent"), "{error}");
    let asked: Vec<_> = other.requests().into_iter().map(|it| (it.line, it.authorization)).collect();
    assert_eq!(asked, [("GET /v2/owner/private/tags/list".to_owned(), "none".to_owned())]);
}
