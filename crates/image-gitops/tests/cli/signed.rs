//! Only what is signed is committed. Signatures are cosign's own, and those of a Sigstore in memory.

use image_gitops_tests::{
    cosign::{Cosign, Form, Sigstore},
    git,
    git_server::Options,
    registry_server::{Fault, FrontOptions},
};
use serde_json::{Value, json};

use crate::scene::{FILE, IMAGE, NEW, NEWER, OLD, Scene};

const ANN: &str = "ann@example.com";
const ISSUER: &str = "https://issuer.example";

impl Scene {
    /// Only what `cosign` signed is to be taken.
    fn trust(&self, cosign: &Cosign) {
        self.verify(&json!({ "publicKeys": [cosign.public_key()] }), "");
    }

    /// Only what ann signed is to be taken.
    fn trust_ann(&self, sigstore: &Sigstore) {
        let keyless =
            json!({"issuer": ISSUER, "identity": ANN, "trustedRootSecretRef": {"name": "sigstore"}});
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "sigstore", "namespace": "backoffice-dev"},
            "stringData": {"trusted_root.json": sigstore.trusted_root()},
        });
        self.verify(&json!({ "keyless": keyless }), &format!("---\n{secret}\n"));
    }

    fn verify(&self, cosign: &Value, more: &str) {
        let verify = format!("  verify: {{cosign: {cosign}}}\n");
        self.write("policy.yaml", &format!("{}{more}", self.policy("back", &verify)));
    }

    /// CI pushes an image and signs it afterwards.
    fn signed(&self, tag: &str, cosign: &Cosign, form: Form) {
        let digest = self.registry.push_image(IMAGE, tag);
        cosign.sign(&format!("{}/{IMAGE}@{digest}", self.registry.host()), form);
    }

    /// The message of the branch's last commit.
    fn said(&self) -> String {
        git::log(&self.repository.path, "main")[0].message.clone()
    }
}

/// What ann signs for `digest`.
fn by_ann(digest: &str, form: &str) -> Sigstore {
    Sigstore::sign(&json!({"it": {"form": form, "digest": digest, "identity": ANN, "issuer": ISSUER}}))
}

#[test]
fn the_newest_signed_tag_is_committed_and_a_newer_one_is_once_it_is_signed() {
    let scene = Scene::new();
    let cosign = Cosign::new();
    scene.trust(&cosign);
    scene.signed(NEW, &cosign, Form::Tag);
    scene.tag(NEWER);
    let before = scene.tip();
    let note = format!("{NEWER} is newer, but not signed: no signature of cosign is attached to it");
    scene.run("sync").is(0, &["updated", &format!("{OLD} -> {NEW}"), "note:", &note]);
    let line = scene.one_line_since(&before);
    assert!(line.new.contains(NEW), "{line:?}");
    assert!(scene.said().contains("\n  signed by: key sha256:"), "{}", scene.said());
    // Each pass asks again.
    scene.run("sync").is(0, &["up to date", &note]);
    let before = scene.tip();
    scene.signed(NEWER, &cosign, Form::Bundle);
    let ran = scene.run("sync").is(0, &["updated", &format!("{NEW} -> {NEWER}")]);
    assert!(!ran.out.contains("not signed"), "{}", ran.out);
    assert!(scene.one_line_since(&before).new.contains(NEWER));
}

#[test]
fn what_another_key_signed_is_passed_over_and_a_second_signature_helps() {
    let scene = Scene::new();
    let (ours, theirs) = (Cosign::new(), Cosign::new());
    scene.trust(&ours);
    scene.signed(NEW, &theirs, Form::Tag);
    let before = scene.tip();
    let rejected = format!(
        "{NEW} is newer, but not signed: its signature does not count: it is by none of the given keys"
    );
    scene.run("sync").is(0, &["up to date", &rejected]);
    assert_eq!(scene.tip(), before);
    for form in [Form::Tag, Form::Bundle] {
        scene.signed(NEW, &theirs, form);
    }
    scene.run("plan").is(0, &["of its 2 signatures none counts: it is by none of the given keys"]);
    scene.signed(NEW, &ours, Form::Tag);
    scene.run("sync").is(0, &["updated"]);
}

#[test]
fn a_signature_of_the_image_before_is_none_of_the_image_behind_a_tag_now() {
    let scene = Scene::new();
    let cosign = Cosign::new();
    scene.trust(&cosign);
    let digest = scene.registry.push_index(IMAGE, NEW);
    cosign.sign(&format!("{}/{IMAGE}@{digest}", scene.registry.host()), Form::Tag);
    scene.run("plan").is(0, &["would update"]);
    // Somebody moves the tag, and takes the signature along.
    let moved = scene.registry.push_image(IMAGE, NEW);
    scene.registry.tag_alike(
        IMAGE,
        &format!("{}.sig", digest.replace(':', "-")),
        &format!("{}.sig", moved.replace(':', "-")),
    );
    scene.run("sync").is(0, &["up to date", &format!("it is for another image, {digest}")]);
}

#[test]
fn who_signs_keyless_is_believed_by_the_authorities_that_are_named() {
    for form in ["simple", "bundle", "bundle-v2"] {
        let scene = Scene::new();
        let digest = scene.registry.push_image(IMAGE, NEW);
        let sigstore = by_ann(&digest, form);
        let image = format!("{}/{IMAGE}@{digest}", scene.registry.host());
        Cosign::new().attach(&image, &sigstore.signature("it"));
        // Others know nothing of this Sigstore.
        scene.trust_ann(&by_ann(&digest, form));
        scene.run("sync").is(0, &["up to date", "it is not to be trusted"]);
        scene.trust_ann(&sigstore);
        scene.run("sync").is(0, &["updated"]);
        assert!(scene.said().contains(&format!("\n  signed by: {ANN} ({ISSUER})\n")), "{}", scene.said());
    }
}

#[test]
fn where_nothing_that_is_allowed_is_signed_the_pass_is_refused() {
    let scene = Scene::new();
    scene.trust(&Cosign::new());
    scene.commit(FILE, &scene.application("latest"), "Start with latest");
    let before = scene.tip();
    scene.run("sync").is(3, &["refused", "none of the 1 newest tags", OLD, "hint: sign it, `cosign sign"]);
    let report = scene.run_with(&["plan", "-f", "policy.yaml", "--output", "json"]).json();
    assert_eq!(report.pointer("/branches/0/resources/0/reason"), Some(&json!("NotSigned")), "{report:#}");
    assert_eq!(scene.tip(), before);
}

#[test]
fn ten_tags_are_looked_at_and_no_more() {
    let scene = Scene::new();
    let cosign = Cosign::new();
    scene.trust(&cosign);
    scene.signed(NEW, &cosign, Form::Tag);
    let newer = |number: u64| format!("main-0123456-{}", 1_627_300_000 + number);
    scene.registry.tag_many(IMAGE, (0..10).map(newer));
    scene.run("sync").is(3, &["refused", "none of the 10 newest tags", &newer(9)]);
    assert_eq!(scene.front.count("HEAD /v2/legolas49/back-dev-bfirstai/manifests/main-"), 10);
    scene.registry.untag(IMAGE, &newer(0));
    scene.run("sync").is(0, &["updated", "6 more newer tags are not signed"]);
}

#[test]
fn explain_says_of_each_tag_that_was_looked_at_why_it_lost() {
    let scene = Scene::new();
    let cosign = Cosign::new();
    scene.trust(&cosign);
    scene.signed(NEW, &cosign, Form::Tag);
    scene.tag(NEWER);
    scene.run("explain").is(
        0,
        &[
            &format!("  {NEWER} "),
            " newer, but not signed: no signature of cosign is attached to it",
            &format!("* {NEW} "),
            " the newest, signed by key sha256:",
            &format!(" older than {NEW}"),
        ],
    );
}

#[test]
fn a_registry_that_fails_to_tell_signatures_is_no_reason_to_take_another_tag() {
    let scene = Scene::new();
    let cosign = Cosign::new();
    scene.trust(&cosign);
    scene.signed(NEW, &cosign, Form::Tag);
    scene.signed(NEWER, &cosign, Form::Tag);
    let before = scene.tip();
    scene.front.on(".sig", Fault::json(500, "{}"));
    scene.run("sync").is(1, &["failed", "cannot read the signatures of", "status 500"]);
    assert_eq!(scene.tip(), before);
    scene.front.heal();
    scene.run("sync").is(0, &["updated", NEWER]);
}

#[test]
fn what_lies_where_signatures_should_costs_the_tag_and_not_the_pass() {
    let scene = Scene::new();
    let cosign = Cosign::new();
    scene.trust(&cosign);
    scene.signed(NEW, &cosign, Form::Tag);
    let digest = scene.registry.push_image(IMAGE, NEWER);
    let index = scene.registry.push_index(IMAGE, "an-index");
    let place = digest.replace(':', "-");
    scene.registry.tag_alike(IMAGE, "an-index", &format!("{place}.sig"));
    scene.registry.tag_alike(IMAGE, NEW, &place);
    assert_ne!(index, digest);
    scene
        .run("sync")
        .is(0, &["updated", &format!("{OLD} -> {NEW}"), &format!("{NEWER} is newer, but not signed")]);
}

#[test]
fn a_key_or_an_authority_that_cannot_be_used_is_told_before_anything_is_read() {
    let scene = Scene::new();
    for (cosign, says) in [
        (
            json!({"publicKeys": ["-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"]}),
            "publicKeys[0]",
        ),
        (json!({"publicKeys": ["-----BEGIN EC PRIVATE KEY-----"]}), "each is a public key as PEM"),
        (json!({}), "give either `publicKeys` or `keyless`"),
        (json!({"keyless": {"issuer": ISSUER, "identityPattern": "("}}), "not a regular expression"),
        (
            json!({"keyless": {"issuer": ISSUER, "identity": ANN, "trustedRootSecretRef": {"name": "absent"}}}),
            "the Secret backoffice-dev/absent with the trusted root is not among the files",
        ),
    ] {
        scene.verify(&cosign, "");
        scene.run("sync").is(2, &[says, "hint:"]);
    }
    let secret = "---\napiVersion: v1\nkind: Secret\nmetadata: {name: sigstore, namespace: backoffice-dev}\nstringData: ";
    let keyless =
        json!({"keyless": {"issuer": ISSUER, "identity": ANN, "trustedRootSecretRef": {"name": "sigstore"}}});
    for (data, says) in [
        ("{root: x}", "it holds no trusted_root.json; it has root"),
        ("{trusted_root.json: '{}'}", "trusted_root.json cannot be used"),
    ] {
        scene.verify(&keyless, &format!("{secret}{data}\n"));
        scene.run("sync").is(2, &[says, "hint:"]);
    }
}

#[test]
fn the_digest_that_was_verified_is_written_where_one_stands() {
    let scene = Scene::with(Options::default(), FrontOptions::default());
    let cosign = Cosign::new();
    scene.trust(&cosign);
    let old = scene.registry.push_image(IMAGE, OLD);
    scene.commit(FILE, &scene.application(&format!("{OLD}@{old}")), "Name the digest");
    scene.signed(NEW, &cosign, Form::Tag);
    scene.run("sync").is(0, &["updated"]);
    let digest = scene.registry.push_image(IMAGE, NEW);
    assert!(scene.file().contains(&format!("{NEW}@{digest}")), "{}", scene.file());
}
