//! Row 12 of the table: what GitHub and others send to the service, and what they may not.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use image_gitops_core::signature::Key;
use serde_json::{Value, json};

use crate::scene::{Cluster, IMAGE, NEW, NEWER, OLD};

/// GitHub's event about a pushed image, with its address and tag as they are sent.
fn event(name: &str, url: &str, tag: &str) -> Value {
    let metadata = json!({ "tag": { "name": tag, "digest": "sha256:0" } });
    let version = json!({ "package_url": url, "container_metadata": metadata });
    json!({
        "action": "published",
        name: { "name": "back-dev-bfirstai", "package_type": "CONTAINER", "owner": { "login": "Legolas49" }, "package_version": version },
    })
}

pub(super) fn play() {
    let cluster = Cluster::new();
    cluster.apply_application("");
    cluster.apply_resource("  interval: 1h\n");
    let service = cluster.serve(&[]);
    cluster.until_reason("UpToDate");
    let path = format!("/api/v1/namespaces/{}/secrets/image-gitops-webhook", cluster.namespace);
    let secret = cluster.plane.get(&path).unwrap();
    let token = STANDARD.decode(secret["data"]["token"].as_str().unwrap()).unwrap();
    let key = Key::new(&String::from_utf8(token).unwrap().into()).unwrap();
    let post = |event: &str, delivery: &str, body: &str, signature: &str| {
        let headers =
            [("x-github-event", event), ("x-github-delivery", delivery), ("x-hub-signature-256", signature)];
        service.post("/v1/webhooks/ghcr", &headers, body)
    };
    let signed = |event: &str, body: &str| post(event, "1", body, &key.sign(body.as_bytes()));
    let address = format!("{}/{IMAGE}", cluster.scene.front.host());
    let mixed = address.replace("legolas49", "Legolas49");
    let package = |url: &str, tag: &str| event("package", url, tag).to_string();

    // What says nothing about an image changes nothing and is no error.
    let before = cluster.scene.tip();
    for (name, body) in [
        ("ping", json!({ "zen": "Keep it logically awesome." }).to_string()),
        ("package", package("ghcr.io/somebody/else:1", "1")),
        ("push", "{}".to_owned()),
    ] {
        let (status, answer) = signed(name, &body);
        assert_eq!((status, &answer["resources"]), (202, &json!(0)), "{name}: {answer}");
    }
    // Who cannot sign, or sends nonsense, is told so.
    let good = package(&format!("{address}:{NEW}"), NEW);
    for signature in ["", "sha256=00", "sha1=00", &key.sign(b"another body")] {
        assert_eq!(post("package", "1", &good, signature).0, 401, "{signature}");
    }
    for nonsense in ["", "[]", "{", r#"{"action": "published"}"#] {
        assert_eq!(signed("package", nonsense).0, 400, "{nonsense}");
    }
    // 1 MB is read; more is not.
    let mut large = event("package", &format!("{address}:{NEW}"), NEW);
    large["filler"] = json!("x".repeat((1 << 20) - large.to_string().len() - 20));
    assert_eq!(signed("package", &"x".repeat((1 << 20) + 1)).0, 413);
    assert_eq!(cluster.scene.tip(), before, "nothing newer was there, so nothing was committed");
    assert_eq!(cluster.image(), cluster.scene.image(OLD));

    // A hint is a hint, whatever tag it names: the registry says what is newest.
    cluster.scene.tag(NEW);
    let (status, answer) = signed("package", &large.to_string());
    assert_eq!((status, &answer["resources"]), (202, &json!(1)), "{answer}");
    cluster.until_image(NEW);
    cluster.scene.one_line_since(&before);
    // No tag, a colon too many, an owner in mixed case, both events, one of them delivered twice: looked at, no commit.
    let tip = cluster.scene.tip();
    let registry_package = event("registry_package", &format!("{mixed}:"), "").to_string();
    for (name, body) in [
        ("package", package(&format!("{mixed}:"), "")),
        ("package", package(&format!("{address}:main-fffffff-9999999999"), "main-fffffff-9999999999")),
        ("registry_package", registry_package.clone()),
        ("registry_package", registry_package),
    ] {
        let (status, answer) = signed(name, &body);
        assert_eq!((status, &answer["resources"]), (202, &json!(1)), "{name}: {answer}");
    }
    assert_eq!(cluster.scene.tip(), tip, "a webhook's own word was believed");
    cluster.scene.tag(NEWER);
    assert_eq!(
        signed("registry_package", &event("registry_package", &format!("{mixed}:"), "").to_string()).0,
        202
    );
    cluster.until_image(NEWER);
    cluster.scene.one_line_since(&tip);
}
