//! What cosign attached to an image. That cosign's own signatures are found is shown where they are verified
//! (`image-gitops/tests/cli/signed.rs`); here is what others may put in their place.

use image_gitops_core::image::Digest;
use image_gitops_registry::{Place, RegistryError, Signatures};
use image_gitops_tests::registry_server::{Answer, Fault, Front, RegistryServer};
use serde_json::{Value, json};

use crate::{open, plain, repository};

const NAME: &str = "owner/name";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const LAYER: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

/// An image in a registry, to which things are attached.
struct Scene {
    server: RegistryServer,
    front: Front,
    image: Digest,
}

impl Scene {
    fn new() -> Self {
        let server = RegistryServer::start();
        let image = Digest::new(server.push_image(NAME, "main")).unwrap();
        let front = plain(&server);
        Self { server, front, image }
    }

    async fn read(&self, place: Place) -> Result<Signatures, RegistryError> {
        self.front.forget_requests();
        let name = repository(self.front.host(), NAME);
        open(self.front.host()).signatures(&name, &self.image, place).await
    }

    /// The tag under which signatures lie, or what refers to the image.
    fn tag(&self, end: &str) -> String {
        format!("{}{end}", self.image.as_str().replace(':', "-"))
    }

    /// A layer of a signature tag.
    fn layer(&self, payload: &str, annotation: &str) -> Value {
        let digest = self.server.push_blob(NAME, payload.as_bytes());
        let annotations = json!({"dev.cosignproject.cosign/signature": annotation});
        json!({"mediaType": LAYER, "digest": digest, "size": payload.len(), "annotations": annotations})
    }

    fn push_layers(&self, layers: &[Value]) {
        let manifest = self.manifest(layers, &json!({}));
        self.server.push_manifest(NAME, &self.tag(".sig"), MANIFEST, &manifest);
    }

    fn manifest(&self, layers: &[Value], annotations: &Value) -> String {
        let config = self.server.push_blob(NAME, b"{}");
        let config =
            json!({"mediaType": "application/vnd.oci.image.config.v1+json", "digest": config, "size": 2});
        let manifest = json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers,
            "annotations": annotations});
        manifest.to_string()
    }

    /// A bundle with its manifest, and the entry of an index that lists it.
    fn bundle(&self, bundle: &str, predicate: &str) -> Value {
        let digest = self.server.push_blob(NAME, bundle.as_bytes());
        let layer = json!({"mediaType": BUNDLE, "digest": digest, "size": bundle.len()});
        let manifest = self.manifest(&[layer], &json!({"dev.sigstore.bundle.predicateType": predicate}));
        let digest = self.server.push_manifest(NAME, &format!("b-{}", bundle.len()), MANIFEST, &manifest);
        json!({"mediaType": MANIFEST, "digest": digest, "size": manifest.len(), "artifactType": BUNDLE})
    }
}

fn index(entries: &[Value]) -> String {
    json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}).to_string()
}

fn texts(found: &Signatures) -> Vec<&str> {
    found.attached.iter().map(|attached| std::str::from_utf8(&attached.bytes).unwrap()).collect()
}

#[tokio::test]
async fn an_image_without_signatures_has_none_in_few_requests() {
    let scene = Scene::new();
    assert_eq!(scene.read(Place::SignatureTag).await.unwrap(), Signatures::default());
    assert_eq!(scene.front.requests().len(), 1);
    assert_eq!(scene.read(Place::Referrers).await.unwrap(), Signatures::default());
    assert_eq!(scene.front.requests().len(), 2);
}

#[tokio::test]
async fn the_layers_of_a_signature_tag_are_signatures_the_newest_first() {
    let scene = Scene::new();
    let other = json!({"mediaType": "application/octet-stream", "digest": scene.server.push_blob(NAME, b"x"), "size": 1});
    scene.push_layers(&[scene.layer("old", "1"), other, scene.layer("new", "2"), scene.layer("new", "3")]);
    let found = scene.read(Place::SignatureTag).await.unwrap();
    assert_eq!(texts(&found), ["new", "new", "old"]);
    let signature = "dev.cosignproject.cosign/signature";
    let values: Vec<_> =
        found.attached.iter().map(|attached| attached.annotations[signature].as_str()).collect();
    assert_eq!(values, ["3", "2", "1"]);
    assert_eq!(scene.front.count("/blobs/"), 2, "a payload that was signed twice is read once");
}

#[tokio::test]
async fn many_or_large_layers_are_left_out_and_counted() {
    let scene = Scene::new();
    let mut layers: Vec<_> = (0..40).map(|number| scene.layer("payload", &number.to_string())).collect();
    let large = scene.layer(&" ".repeat((256 << 10) + 1), "large");
    layers.push(large);
    scene.push_layers(&layers);
    let found = scene.read(Place::SignatureTag).await.unwrap();
    assert_eq!((found.attached.len(), found.left_out), (32, 9));
    assert_eq!(scene.front.count("/blobs/"), 1);
}

#[tokio::test]
async fn a_layer_that_is_larger_than_it_says_is_not_read_to_its_end() {
    let scene = Scene::new();
    let mut layer = scene.layer("payload", "1");
    layer["size"] = 7.into();
    scene.push_layers(&[layer]);
    scene.front.on("/blobs/", Fault::Answer(Answer::bytes(200, &vec![b' '; 300 << 10])));
    let error = scene.read(Place::SignatureTag).await.unwrap_err();
    assert!(matches!(error, RegistryError::TooLarge { .. }), "{error:?}");
}

#[tokio::test]
async fn bytes_that_do_not_have_their_digest_are_refused() {
    let scene = Scene::new();
    scene.push_layers(&[scene.layer("payload", "1")]);
    scene.front.on("/blobs/", Fault::Answer(Answer::bytes(200, b"payloaD")));
    let error = scene.read(Place::SignatureTag).await.unwrap_err();
    assert!(error.to_string().contains("sends other bytes for sha256:"), "{error}");
}

#[tokio::test]
async fn nothing_in_a_manifest_becomes_part_of_a_url_but_a_digest() {
    let scene = Scene::new();
    for digest in ["../../../other/name/manifests/main", "sha256:AA", "", "main?x", "md5:1"] {
        let layer = json!({"mediaType": LAYER, "digest": digest, "size": 1});
        let manifest = scene.manifest(&[layer], &json!({}));
        scene.front.heal();
        scene.front.on(".sig", Fault::json(200, &manifest));
        let error = scene.read(Place::SignatureTag).await.unwrap_err();
        assert!(error.to_string().contains("something else than its sha256"), "{digest}: {error}");
        assert_eq!(scene.front.requests().len(), 1, "{digest}");
    }
}

#[tokio::test]
async fn what_is_no_manifest_is_refused_and_an_index_holds_no_signatures() {
    let scene = Scene::new();
    scene.server.push_index(NAME, "index");
    scene.server.tag_alike(NAME, "index", &scene.tag(".sig"));
    assert!(scene.read(Place::SignatureTag).await.is_ok_and(|found| found.attached.is_empty()));
    for body in ["", "null", r#"{"layers": 1}"#, r#"{"layers": [{"digest": 1}]}"#] {
        scene.front.heal();
        scene.front.on(".sig", Fault::json(200, body));
        let error = scene.read(Place::SignatureTag).await.unwrap_err();
        assert!(
            error.to_string().contains("something else where cosign keeps signatures"),
            "{body}: {error}"
        );
    }
}

#[tokio::test]
async fn bundles_are_found_by_the_list_of_what_refers_to_the_image_or_by_its_tag() {
    const SIGN: &str = "https://sigstore.dev/cosign/sign/v1";
    let scene = Scene::new();
    let unrelated = json!({"mediaType": MANIFEST, "digest": scene.image.as_str(), "size": 1, "artifactType": "text/plain"});
    let mut told = scene.bundle("an attestation, as the index tells", SIGN);
    told["annotations"] = json!({"dev.sigstore.bundle.predicateType": "https://spdx.dev/Document"});
    let entries = [
        unrelated,
        told,
        scene.bundle("an attestation", "https://slsa.dev/provenance/v1"),
        scene.bundle("a signature", SIGN),
    ];
    scene.server.push_manifest(NAME, &scene.tag(""), INDEX, &index(&entries));
    let found = scene.read(Place::Referrers).await.unwrap();
    assert_eq!(texts(&found), ["a signature"]);
    // A registry that lists them itself is believed: the tag may be of an older day.
    let listed = Answer::bytes(200, index(&entries[..3]).as_bytes()).header("content-type", INDEX);
    scene.front.on("/referrers/", Fault::Answer(listed));
    assert!(scene.read(Place::Referrers).await.unwrap().attached.is_empty());
    assert_eq!(scene.front.count(&scene.tag("")), 0);
    // Older registries have many ways not to know the question.
    for answer in [
        Answer::json(400, "{}"),
        Answer::json(403, "{}"),
        Answer::json(405, "{}"),
        Answer::bytes(200, b"<html>").header("content-type", "text/html"),
    ] {
        scene.front.heal();
        scene.front.on("/referrers/", Fault::Answer(answer));
        assert_eq!(texts(&scene.read(Place::Referrers).await.unwrap()), ["a signature"]);
    }
}

#[tokio::test]
async fn more_bundles_than_are_looked_at_are_counted() {
    let scene = Scene::new();
    let one = scene.bundle("a signature", "https://sigstore.dev/cosign/sign/v1");
    let entries = vec![one; 40];
    scene.server.push_manifest(NAME, &scene.tag(""), INDEX, &index(&entries));
    let found = scene.read(Place::Referrers).await.unwrap();
    assert_eq!((found.attached.len(), found.left_out), (32, 8));
}

#[tokio::test]
async fn a_registry_that_fails_or_denies_says_so() {
    let scene = Scene::new();
    for (path, place) in [(".sig", Place::SignatureTag), ("/referrers/", Place::Referrers)] {
        scene.front.heal();
        scene.front.on(path, Fault::json(503, "{}"));
        let error = scene.read(place).await.unwrap_err();
        assert!(matches!(error, RegistryError::Unavailable { .. }), "{error:?}");
    }
    scene.front.heal();
    scene.front.on(".sig", Fault::json(403, "{}"));
    let error = scene.read(Place::SignatureTag).await.unwrap_err();
    assert!(matches!(error, RegistryError::Denied { .. }), "{error:?}");
}
