//! Signatures in a cluster: what status says while a newer tag is not signed, and once it is.

use image_gitops_tests::cosign::{Cosign, Form, Sigstore};
use serde_json::json;

use crate::scene::{Cluster, IMAGE, NEW, NEWER, OLD, ready};

impl Cluster {
    fn sign(&self, cosign: &Cosign, digest: &str) {
        cosign.sign(&format!("{}/{IMAGE}@{digest}", self.scene.registry.host()), Form::Bundle);
    }
}

#[test]
fn status_says_that_a_newer_tag_is_not_signed_and_takes_it_once_it_is() {
    let cluster = Cluster::new();
    let cosign = Cosign::new();
    let digest = cluster.scene.registry.push_image(IMAGE, NEW);
    cluster.apply_application("");
    let keys = json!([cosign.public_key()]);
    cluster.apply_resource(&format!("  interval: 10s\n  verify: {{cosign: {{publicKeys: {keys}}}}}\n"));
    let before = cluster.scene.tip();
    let service = cluster.serve(&[]);
    let status = cluster.until_reason("UpToDate");
    let message = status["message"].as_str().unwrap();
    assert!(message.starts_with(&cluster.scene.image(OLD)), "{message}");
    let note = format!("{NEW} is newer, but not signed: no signature of cosign is attached to it");
    assert!(message.ends_with(&note), "{message}");
    assert_eq!(status["tags"], json!({"total": 2, "matched": 1}));
    assert_eq!(cluster.scene.tip(), before);

    cluster.sign(&cosign, &digest);
    cluster.until_image(NEW);
    cluster.scene.one_line_since(&before);
    let back = cluster.plane.wait_until(&cluster.path("back"), |back| back["status"]["tag"] == NEW);
    assert_eq!(back["status"]["digest"], digest);
    assert!(!back["status"]["message"].as_str().unwrap().contains("not signed"), "{back}");

    // What was verified before is believed of that image alone.
    let before = cluster.scene.tip();
    cluster.scene.tag(NEWER);
    cluster.annotate(&cluster.path("back"), "image-gitops.dev/sync", "1");
    let says = format!("{NEWER} is newer, but not signed");
    cluster.plane.wait_until(&cluster.path("back"), |back| {
        back["status"]["message"].as_str().is_some_and(|message| message.contains(&says))
    });
    assert_eq!(cluster.scene.tip(), before);
    assert_eq!(service.terminate(), 0);
}

#[test]
fn where_only_unsigned_tags_are_allowed_the_resource_is_not_ready_and_not_stalled() {
    let cluster = Cluster::new();
    cluster.apply_application("");
    let file = cluster.scene.file().replace(OLD, "latest");
    cluster.scene.commit(crate::scene::FILE, &file, "Start with latest");
    let keys = json!([Cosign::new().public_key()]);
    cluster.apply_resource(&format!("  verify: {{cosign: {{publicKeys: {keys}}}}}\n"));
    let _service = cluster.serve(&[]);
    let status = cluster.until_reason("NotSigned");
    assert!(status["message"].as_str().unwrap().contains("cosign sign"), "{status}");
    assert!(status["conditions"].as_array().unwrap().iter().all(|c| c["type"] != "Stalled"), "{status}");
}

#[test]
fn the_authorities_of_a_sigstore_are_read_from_a_secret_and_a_missing_one_is_told() {
    let cluster = Cluster::new();
    let digest = cluster.scene.registry.push_image(IMAGE, NEW);
    let by_ann = json!({"it": {"form": "simple", "digest": digest, "identity": "ann@example.com", "issuer": "https://i"}});
    let sigstore = Sigstore::sign(&by_ann);
    let image = format!("{}/{IMAGE}@{digest}", cluster.scene.registry.host());
    Cosign::new().attach(&image, &sigstore.signature("it"));
    cluster.apply_application("");
    let keyless = json!({"issuer": "https://i", "identity": "ann@example.com", "trustedRootSecretRef": {"name": "sigstore"}});
    cluster.apply_resource(&format!("  interval: 10s\n  verify: {{cosign: {{keyless: {keyless}}}}}\n"));
    let _service = cluster.serve(&[]);
    let status = cluster.until_reason("SecretNotFound");
    assert!(
        status["message"]
            .as_str()
            .unwrap()
            .ends_with("create secret generic sigstore --from-file=trusted_root.json"),
        "{status}"
    );
    let secret = |root: &str| {
        let metadata = json!({"name": "sigstore", "namespace": cluster.namespace});
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata,
            "stringData": {"trusted_root.json": root}});
        cluster.plane.apply(&secret.to_string()).unwrap();
    };
    secret("{}");
    cluster.until_reason("CredentialUnusable");
    let back = cluster.plane.get(&cluster.path("back")).unwrap();
    assert!(ready(&back)["message"].as_str().unwrap().contains("trusted_root.json cannot be used"), "{back}");
    secret(&sigstore.trusted_root());
    cluster.until_image(NEW);
}
