//! Whether what a tag names can be run.

use image_gitops_core::platform::Platform;
use image_gitops_registry::{Lack, RegistryError};
use image_gitops_tests::registry_server::{Fault, RegistryServer};

use crate::{open, plain, repository, tag};

fn platforms(texts: &[&str]) -> Vec<Platform> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

#[tokio::test]
async fn an_image_for_one_platform_costs_one_request_and_an_index_one_for_each_of_its_images() {
    let server = RegistryServer::start();
    let image = server.push_image("owner/name", "one");
    let index = server.push_index("owner/name", "two");
    let front = plain(&server);
    let (registry, name) = (open(front.host()), repository(front.host(), "owner/name"));
    let one = registry.runnable(&name, &tag("one"), &[]).await.unwrap().unwrap();
    assert_eq!((one.as_str(), front.requests().len()), (image.as_str(), 1));
    front.forget_requests();
    let two = registry.runnable(&name, &tag("two"), &[]).await.unwrap().unwrap();
    assert_eq!((two.as_str(), front.requests().len()), (index.as_str(), 4));
}

#[tokio::test]
async fn a_platform_that_is_wanted_is_looked_for_in_the_index_or_in_the_image_itself() {
    let server = RegistryServer::start();
    server.push_image("owner/name", "one");
    server.push_index("owner/name", "two");
    let (registry, name) = (open(&server.host()), repository(&server.host(), "owner/name"));
    for (text, wanted, lack) in [
        ("one", &["linux/amd64"][..], None),
        ("one", &["linux/amd64", "linux/arm64"], Some("linux/arm64")),
        ("two", &["linux/amd64", "linux/arm64/v8"], None),
        ("two", &["linux/arm/v7"], Some("linux/arm/v7")),
    ] {
        let wanted = platforms(wanted);
        let found = registry.runnable(&name, &tag(text), &wanted).await.unwrap();
        assert_eq!(found.err(), lack.map(|lack| Lack::NotBuilt(lack.parse().unwrap())), "{text} {wanted:?}");
    }
}

#[tokio::test]
async fn an_image_of_the_index_that_is_gone_is_a_lack_and_an_attestation_is_none() {
    let server = RegistryServer::start();
    server.push_torn("owner/name", "torn");
    let attested = server.push_attested("owner/name", "attested");
    let (registry, name) = (open(&server.host()), repository(&server.host(), "owner/name"));
    let torn = registry.runnable(&name, &tag("torn"), &[]).await.unwrap();
    assert_eq!(torn, Err(Lack::Gone("linux/arm64".parse().unwrap())));
    let found = registry.runnable(&name, &tag("attested"), &platforms(&["linux/amd64"])).await.unwrap();
    assert_eq!(found.unwrap().as_str(), attested);
}

#[tokio::test]
async fn an_outage_is_not_taken_for_a_lack() {
    let server = RegistryServer::start();
    server.push_index("owner/name", "two");
    let front = plain(&server);
    let (registry, name) = (open(front.host()), repository(front.host(), "owner/name"));
    for (fault, transient) in
        [(Fault::json(500, "{}"), true), (Fault::Reset, true), (Fault::json(403, "{}"), false)]
    {
        front.heal();
        front.on("HEAD /v2/owner/name/manifests/sha256:", fault);
        let error = registry.runnable(&name, &tag("two"), &[]).await.unwrap_err();
        assert_eq!(error.is_transient(), transient, "{error:?}");
    }
    let gone = registry.runnable(&name, &tag("three"), &[]).await.unwrap_err();
    assert!(matches!(gone, RegistryError::NotFound { .. }), "{gone:?}");
}

#[tokio::test]
async fn what_says_nothing_of_its_platform_is_held_against_none() {
    let server = RegistryServer::start();
    server.push_image("owner/name", "one");
    let front = plain(&server);
    front.on("blobs/", Fault::json(200, "{}"));
    let (registry, name) = (open(front.host()), repository(front.host(), "owner/name"));
    registry.runnable(&name, &tag("one"), &platforms(&["linux/s390x"])).await.unwrap().unwrap();
}
