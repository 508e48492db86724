//! The resource: what the API server refuses, and what the service says of what it took.

use image_gitops_tests::control_plane::Refused;

use crate::scene::{Cluster, ready};

/// A change of the user's resource, and what the API server says to it.
const REFUSED: &[(&str, &str, &str)] = &[
    ("back-dev-bfirstai\n", "back-dev-bfirstai:latest\n", "leave out the tag and the digest"),
    ("spec:\n  image: ", "spec:\n  image: https://", "without a scheme"),
    ("registry: {insecure: true}", "interval: 1s", "from 10s to a year"),
    ("registry: {insecure: true}", "interval: often", "a length of time such as 30s, 2m or 1h30m"),
    ("url: 'http://", "url: 'ssh://", "spec.git.url starts with https://"),
    ("url: 'http://127.0.0.1", "url: 'http://git.example", "everybody on the way reads the token"),
    ("tags: {pattern", "filterTags: {pattern: a}\n  tags: {pattern", "two names of the same"),
    ("url: 'http://", "url: 'http://me:secret@", "put them into a Secret"),
    (", path: kubevela/backoffice-dev.yaml", "", "names the file that holds the Application"),
    ("path: kubevela/backoffice-dev.yaml", "path: ../other.yaml", "without .."),
    ("sort: numerical, order: desc", "sort: numerical, numerical: {order: asc}", "spec.policy has one shape"),
    ("sort: numerical", "sort: newest", "numerical, alphabetical or semver"),
    ("order: desc", "order: newest", "desc (highest first, the default) or asc"),
    (
        "{application: backoffice-dev, component: back}",
        "{application: backoffice-dev}",
        "names application and component",
    ),
    ("deploy: auto", "verify: {cosign: {}}", "either publicKeys or keyless"),
    (
        "deploy: auto",
        "verify: {cosign: {publicKeys: [a], keyless: {issuer: i, identity: a}}}",
        "either publicKeys or keyless",
    ),
    ("deploy: auto", "verify: {cosign: {keyless: {issuer: i}}}", "either identity or identityPattern"),
    ("deploy: auto", "updates: {minAge: soon}", "spec.updates.minAge is a length of time such as 30m"),
    ("deploy: auto", "updates: {healthTimeout: 5}", "spec.updates.healthTimeout"),
    (
        "deploy: auto",
        "updates: {healthTimeout: 1d}",
        "spec.updates.healthTimeout is a length of time such as 5m",
    ),
    ("deploy: auto", "updates: {onUnhealthy: panic}", "supported values: \"hold\", \"revert\", \"continue\""),
    ("deploy: auto", "updates: {minAge: 0s}", "spec.updates.minAge is a length of time such as 30m"),
    ("deploy: auto", "updates: {windows: [{from: '8:00'}]}", "times of day such as 08:00"),
    ("deploy: auto", "updates: {windows: [{from: '24:00'}]}", "times of day such as 08:00"),
    ("deploy: auto", "updates: {windows: [{days: [Monday]}]}", "supported values: \"mon\""),
    (
        "deploy: auto",
        "updates: {freeze: [{from: '2026-12-20T00:00Z', to: '2027-01-01'}]}",
        "stands in timezone",
    ),
    ("deploy: auto", "deploy: always", "supported values: \"auto\", \"patch\", \"git-only\""),
];

#[test]
fn a_spec_that_is_wrong_is_refused_with_a_sentence() {
    let cluster = Cluster::new();
    let good = cluster.resource("back", "  deploy: auto\n");
    cluster.plane.apply(&good).unwrap();
    for (part, wrong, sentence) in REFUSED {
        assert!(good.contains(part), "{part} is not in:\n{good}");
        let Refused { message, .. } = cluster.plane.apply(&good.replace(part, wrong)).expect_err(wrong);
        let message = message.to_lowercase();
        assert!(message.contains(&sentence.to_lowercase()), "{wrong}: {message}");
        assert!(!message.contains("secret@"), "{message}");
    }
}

#[test]
fn what_only_rust_can_see_is_stalled_with_the_reason() {
    let cluster = Cluster::new();
    cluster.plane.apply(&cluster.resource("back", "").replace("[a-f0-9]{7}", "[a-f0-9")).unwrap();
    let service = cluster.serve(&[]);
    cluster.until_reason("InvalidSpec");
    let back = cluster.plane.get(&cluster.path("back")).unwrap();
    let message = ready(&back)["message"].as_str().unwrap().to_owned();
    assert!(message.contains("spec.tags"), "{message}");
    let conditions = back["status"]["conditions"].as_array().unwrap();
    assert!(conditions.iter().any(|c| c["type"] == "Stalled" && c["status"] == "True"), "{back}");
    // Mended, it works, and nothing is stalled.
    cluster.apply_resource("");
    cluster.until_reason("UpToDate");
    let back = cluster.plane.get(&cluster.path("back")).unwrap();
    assert_eq!(back["status"]["conditions"].as_array().unwrap().len(), 1, "{back}");
    assert_eq!(service.probe("/readyz").0, 200);
    assert!(service.probe("/metrics").1.contains("image_gitops_resources 1"));
}

#[test]
fn a_time_zone_that_there_is_not_is_stalled_with_the_one_that_was_meant() {
    let cluster = Cluster::new();
    cluster.apply_resource("  updates: {windows: [{timeZone: Paris}]}\n");
    let _service = cluster.serve(&[]);
    let status = cluster.until_reason("InvalidSpec");
    assert!(status["message"].as_str().unwrap().contains("such as Europe/Paris"), "{status}");
}

#[test]
fn a_suspended_resource_is_left_alone_until_it_is_resumed() {
    let cluster = Cluster::new();
    cluster.apply_application("");
    cluster.apply_resource("  suspend: true\n");
    cluster.scene.tag(crate::scene::NEW);
    let before = cluster.scene.tip();
    let _service = cluster.serve(&[]);
    cluster.until_reason("Suspended");
    assert_eq!(cluster.scene.tip(), before);
    cluster.apply_resource("  suspend: false\n");
    cluster.until_image(crate::scene::NEW);
}
