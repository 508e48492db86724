//! Webhooks: from a push to a commit within a moment, for those who may ask.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use image_gitops_core::signature::Key;
use serde_json::json;

use crate::scene::{Cluster, IMAGE, NEW, NEWER, OLD, Service};

/// The token of webhooks, as a person reads it from the cluster to give it to GitHub.
fn token(cluster: &Cluster, name: &str) -> String {
    let path = format!("/api/v1/namespaces/{}/secrets/{name}", cluster.namespace);
    let secret = cluster.plane.get(&path).unwrap();
    let data = STANDARD.decode(secret["data"]["token"].as_str().unwrap()).unwrap();
    String::from_utf8(data).unwrap()
}

fn scene() -> (Cluster, Service, String) {
    let cluster = Cluster::new();
    cluster.apply_application("");
    cluster.apply_resource("  interval: 1h\n");
    let service = cluster.serve(&[]);
    cluster.until_reason("UpToDate");
    let token = token(&cluster, "image-gitops-webhook");
    (cluster, service, token)
}

#[test]
fn a_registrys_notification_is_a_commit() {
    let (cluster, service, token) = scene();
    cluster.scene.tag(NEW);
    let event = json!({ "events": [{
        "action": "push",
        "target": { "mediaType": "application/vnd.oci.image.manifest.v1+json", "repository": IMAGE, "tag": NEW },
        "request": { "host": cluster.scene.front.host() },
    }]});
    let bearer = format!("Bearer {token}");
    let (status, answer) =
        service.post("/v1/webhooks/registry", &[("authorization", &bearer)], &event.to_string());
    assert_eq!((status, &answer["resources"]), (202, &json!(1)), "{answer}");
    cluster.until_image(NEW);
}

#[test]
fn anybody_with_the_token_may_hint_and_nobody_else() {
    let (cluster, service, token) = scene();
    cluster.scene.tag(NEW);
    let body = json!({ "image": format!("{}/{IMAGE}", cluster.scene.front.host()) }).to_string();
    for headers in [
        vec![],
        vec![("authorization", "Bearer wrong")],
        vec![("x-image-gitops-signature", "sha256=00")],
        vec![("x-hub-signature-256", "sha256=00")],
    ] {
        let (status, answer) = service.post("/v1/webhooks/generic", &headers, &body);
        assert_eq!(status, 401, "{answer}");
    }
    assert_eq!(cluster.image(), cluster.scene.image(OLD));
    let key = Key::new(&token.into()).unwrap();
    let signature = key.sign(body.as_bytes());
    let signed = [("x-image-gitops-signature", signature.as_str())];
    for path in ["/v1/webhooks/other", "/v1/webhooks/"] {
        assert_eq!(service.post(path, &signed, &body).0, 404);
    }
    // GitHub's webhook is signed in its own header, and no bearer token opens it.
    assert_eq!(service.post("/v1/webhooks/ghcr", &signed, &body).0, 401);
    assert_eq!(service.post("/v1/webhooks/generic", &signed, "{}").0, 401, "the body is not the signed one");
    let (status, answer) = service.post("/v1/webhooks/generic", &signed, &body);
    assert_eq!(status, 202, "{answer}");
    cluster.until_image(NEW);
    // The same once more asks once more, which changes nothing.
    let tip = cluster.scene.tip();
    assert_eq!(service.post("/v1/webhooks/generic", &signed, &body).0, 202);
    cluster.scene.tag(NEWER);
    assert_eq!(service.post("/v1/webhooks/generic", &signed, &body).0, 202);
    cluster.until_image(NEWER);
    cluster.scene.one_line_since(&tip);
}
