//! A canary in every place where a cluster keeps credentials: nothing the service writes holds one, at trace level.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use image_gitops_core::signature::Key;
use image_gitops_tests::{
    git::Git,
    git_server::{Fault, Options},
    registry_server::{Answer, Fault as RegistryFault, Front, FrontOptions},
};
use serde_json::{Value, json};

use crate::{
    canary::Canaries,
    scene::{Cluster, IMAGE, NEW, NEWER, Scene, Service, ready},
};

const PASSWORD: &str = "c4n+ary/Git=Passw0rd";
const WRONG: &str = "c4naryWrongPassw0rd";
const OTHER: &str = "c4naryOfAnotherKey";
/// What the tests' own kubeconfig carries.
const KUBECONFIG: &str = "token-of-the-tests";

struct Stage {
    cluster: Cluster,
    service: Service,
    canaries: Canaries,
    keys: [Key; 2],
    /// What the service answered to requests.
    answers: std::cell::RefCell<Vec<String>>,
}

/// The token of a Secret that the service made.
fn token(cluster: &Cluster, name: &str) -> String {
    let secret =
        cluster.plane.get(&format!("/api/v1/namespaces/{}/secrets/{name}", cluster.namespace)).unwrap();
    String::from_utf8(STANDARD.decode(secret["data"]["token"].as_str().unwrap()).unwrap()).unwrap()
}

fn apply_secret(cluster: &Cluster, name: &str, kind: &str, values: &Value) {
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "type": kind, "metadata": { "name": name, "namespace": cluster.namespace },
        "stringData": values,
    });
    let _ = cluster.plane.request(
        "DELETE",
        &format!("/api/v1/namespaces/{}/secrets/{name}", cluster.namespace),
        None,
    );
    cluster.plane.apply(&secret.to_string()).unwrap();
}

impl Stage {
    fn new() -> Self {
        let mut cluster =
            Cluster::of(Scene::with(Options::default().private("bot", PASSWORD), FrontOptions::default()));
        cluster.trace = true;
        apply_secret(
            &cluster,
            "github",
            "kubernetes.io/basic-auth",
            &json!({ "username": "bot", "password": PASSWORD }),
        );
        let auth = STANDARD.encode(format!("bot:{}", Front::TOKEN));
        let config = json!({ "auths": { cluster.scene.front.host(): { "auth": auth } } }).to_string();
        apply_secret(
            &cluster,
            "ghcr",
            "kubernetes.io/dockerconfigjson",
            &json!({ ".dockerconfigjson": config }),
        );
        cluster.apply_application("");
        let service = cluster.serve(&["--lease", ""]);
        let tokens = ["image-gitops-client", "image-gitops-webhook"].map(|name| token(&cluster, name));
        let canaries = Canaries::new([
            PASSWORD,
            WRONG,
            OTHER,
            KUBECONFIG,
            Front::TOKEN,
            Front::REFRESH,
            "Bearer opaque-",
            "\"opaque-",
            &tokens[0],
            &tokens[1],
        ]);
        let keys = tokens.map(|token| Key::new(&token.into()).unwrap());
        let stage = Self { cluster, service, canaries, keys, answers: Default::default() };
        stage.resource(|text| text);
        stage
    }

    fn resource(&self, change: impl Fn(String) -> String) {
        let text = self
            .cluster
            .resource("back", "  interval: 10s\n")
            .replace("git: {", "git: {secretRef: {name: github}, ")
            .replace("registry: {", "registry: {secretRef: {name: ghcr}, ");
        self.cluster.plane.apply(&change(text)).unwrap();
    }

    /// Asks to look now, and waits until that came to `reason`.
    #[track_caller]
    fn until(&self, what: &str, reason: &str) {
        self.cluster.annotate(&self.cluster.path("back"), "image-gitops.dev/sync", what);
        self.cluster.plane.wait_until(&self.cluster.path("back"), |back| {
            back["status"]["lastHandledSync"] == what && ready(back)["reason"] == reason
        });
        self.post(what);
    }

    /// A step's and a webhook's requests, rightly and wrongly signed.
    fn post(&self, run: &str) {
        let step = json!({ "run": run.replace(' ', "-"), "namespace": self.cluster.namespace, "app": "backoffice-dev" });
        let hook = json!({ "image": format!("{}/{IMAGE}", self.cluster.scene.front.host()) });
        let [client, webhook] = &self.keys;
        for (path, body, key) in [("/v1/step", step, client), ("/v1/webhooks/generic", hook, webhook)] {
            let body = body.to_string();
            for signature in [key.sign(body.as_bytes()), "sha256=00".into(), format!("Bearer {WRONG}")] {
                for name in ["x-image-gitops-signature", "authorization"] {
                    let (status, answer) = self.service.post(path, &[(name, &signature)], &body);
                    self.answers.borrow_mut().push(format!("{status} {answer}"));
                }
            }
        }
    }

    /// Looks at everything that the service wrote.
    #[track_caller]
    fn look_around(&self) {
        let log = self.service.log().join("\n");
        assert!(log.contains("\"TRACE\""), "it logs no traces");
        self.canaries.are_not_in("the log", &log);
        self.canaries.are_not_in("an answer", &self.answers.borrow().join("\n"));
        for page in ["/metrics", "/readyz", "/healthz"] {
            self.canaries.are_not_in(page, &self.service.probe(page).1);
        }
        let namespace = &self.cluster.namespace;
        for path in [
            format!("/apis/image-gitops.dev/v1alpha1/namespaces/{namespace}/imagegitops"),
            format!("/apis/core.oam.dev/v1beta1/namespaces/{namespace}/applications"),
            format!("/api/v1/namespaces/{namespace}/events"),
            format!("/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"),
        ] {
            self.canaries.are_not_in(&path, &self.cluster.plane.get(&path).unwrap().to_string());
        }
        let bare = &self.cluster.scene.repository.path;
        self.canaries
            .are_not_in("git log", &Git::in_dir(bare).args(["log", "-p", "--all", "--format=raw"]).run());
        let objects = Git::in_dir(bare).args(["cat-file", "--batch-all-objects", "--batch"]).bytes();
        self.canaries.are_not_in("an object", &String::from_utf8_lossy(&objects));
    }
}

#[test]
fn what_the_service_writes_holds_no_secret() {
    let stage = Stage::new();
    let scene = &stage.cluster.scene;
    stage.until("up to date", "UpToDate");
    scene.tag(NEW);
    stage.cluster.annotate(&stage.cluster.path("back"), "image-gitops.dev/sync", "new");
    stage.cluster.until_image(NEW);
    stage.look_around();

    // Servers that refuse, and repeat what they were sent.
    let sent = STANDARD.encode(format!("bot:{PASSWORD}"));
    scene.server.on("", Fault::status(401, &format!("who is bot:{PASSWORD}? Basic {sent}")));
    stage.until("git refuses", "GitDenied");
    scene.server.heal();
    let sent = STANDARD.encode(format!("bot:{}", Front::TOKEN));
    let error = json!({ "errors": [{ "code": "DENIED", "message": format!("who is {}? Basic {sent}", Front::TOKEN) }] });
    scene.front.on("/token", RegistryFault::Answer(Answer::json(403, &error.to_string())));
    scene.front.expire_tokens();
    stage.until("the registry refuses", "RegistryDenied");
    scene.front.heal();
    scene.front.on("tags/list", RegistryFault::Reset);
    stage.until("the registry hangs up", "RegistryUnreachable");
    scene.front.heal();
    scene.server.on("", Fault::Drop);
    stage.until("git hangs up", "GitUnreachable");
    scene.server.heal();

    // Secrets that are wrong, broken, or of another shape.
    let basic = "kubernetes.io/basic-auth";
    apply_secret(&stage.cluster, "github", basic, &json!({ "username": "bot", "password": WRONG }));
    stage.until("wrong password", "GitDenied");
    apply_secret(&stage.cluster, "github", "Opaque", &json!({ "geheim": OTHER }));
    stage.until("no known key", "CredentialUnusable");
    apply_secret(&stage.cluster, "github", "Opaque", &json!({ "token": format!("{OTHER}\nx") }));
    stage.until("a token of two lines", "GitDenied");
    apply_secret(&stage.cluster, "github", basic, &json!({ "username": "bot", "password": PASSWORD }));
    apply_secret(&stage.cluster, "ca", "Opaque", &json!({ "ca.crt": OTHER, "token": OTHER }));
    stage.resource(|text| text.replace("registry: {", "registry: {caSecretRef: {name: ca}, "));
    stage.until("no certificate", "CredentialUnusable");
    stage.resource(|text| text);
    for (what, config) in [
        ("no base64", json!({ "auth": format!("{OTHER}!") })),
        ("no colon", json!({ "auth": STANDARD.encode(OTHER) })),
    ] {
        let config = json!({ "auths": { scene.front.host(): config } }).to_string();
        apply_secret(
            &stage.cluster,
            "ghcr",
            "kubernetes.io/dockerconfigjson",
            &json!({ ".dockerconfigjson": config }),
        );
        stage.until(what, "CredentialUnusable");
    }
    apply_secret(&stage.cluster, "ghcr", "Opaque", &json!({ "token": Front::TOKEN }));

    // And URLs that hold one: refused by the API server, in words that do not repeat it.
    let url = scene.repository.url.clone();
    let image = format!("{}/{IMAGE}", scene.front.host());
    for (from, to) in [
        (url.clone(), url.replace("http://", &format!("http://bot:{OTHER}@"))),
        (format!("image: {image}"), format!("image: bot:{OTHER}@{image}")),
    ] {
        let text = stage.cluster.resource("odd", "").replace(&from, &to);
        let refused = stage.cluster.plane.apply(&text).unwrap_err();
        stage.canaries.are_not_in("the API server's refusal", &refused.message);
    }
    scene.tag(NEWER);
    stage.cluster.annotate(&stage.cluster.path("back"), "image-gitops.dev/sync", "newer");
    stage.cluster.until_image(NEWER);
    stage.look_around();
}
