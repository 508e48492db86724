//! Two namespaces: nothing of the one is read or changed for the other, by a resource, a step, a webhook or a path.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use image_gitops_core::signature::Key;
use image_gitops_tests::{
    git::{self, Entry},
    git_server::{GitServer, Options},
    registry_server::{Front, FrontOptions},
};
use serde_json::{Value, json};

use crate::scene::{Cluster, FILE, IMAGE, NEW, OLD, Scene, ready};

/// An image that only who has the token reads.
const PRIVATE: &str = "legolas49/private-back";

/// A cluster with two tenants: the scene's namespace has what is private, `other` has nothing.
struct Tenants {
    cluster: Cluster,
    other: String,
}

impl Tenants {
    fn new() -> Self {
        let scene = Scene::with(Options::default().private("bot", "s3cret"), FrontOptions::default());
        let cluster = Cluster::of(scene);
        cluster.scene.registry.push_image(PRIVATE, OLD);
        let text = private(&cluster, &cluster.scene.file());
        cluster.scene.commit(FILE, &text, "Use the private image");
        let other = cluster.plane.namespace();
        Self { cluster, other }
    }

    fn secret(&self, name: &str, values: Value) {
        let metadata = json!({ "name": name, "namespace": self.cluster.namespace });
        let secret =
            json!({ "apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": values });
        self.cluster.plane.apply(&secret.to_string()).unwrap();
    }

    /// The owner's resource, served by the instance that the owner's namespace gives its name to.
    fn resource(&self, name: &str) -> String {
        let text = private(&self.cluster, &self.cluster.resource(name, "  interval: 10s\n"));
        text.replace(
            "metadata: {",
            &format!("metadata: {{labels: {{image-gitops.dev/instance: {}}}, ", self.cluster.namespace),
        )
    }

    /// The owner's resource with the owner's Secrets.
    fn with_secrets(&self, name: &str) -> String {
        self.resource(name)
            .replace("git: {", "git: {secretRef: {name: github}, ")
            .replace("registry: {", "registry: {secretRef: {name: ghcr}, ")
    }

    /// The same text as the other tenant would write it.
    fn of_other(&self, text: &str) -> String {
        text.replace(&format!("namespace: {}", self.cluster.namespace), &format!("namespace: {}", self.other))
    }

    fn path_of_other(&self, name: &str) -> String {
        self.cluster.path(name).replace(&self.cluster.namespace, &self.other)
    }

    fn until(&self, path: &str, reason: &str) -> Value {
        self.cluster.plane.wait_until(path, |object| ready(object)["reason"] == reason)
    }

    fn image_of_other(&self) -> Value {
        let path = self.cluster.application_path().replace(&self.cluster.namespace, &self.other);
        self.cluster.plane.get(&path).unwrap()["spec"]["components"][0]["properties"]["image"].clone()
    }
}

/// A text that names the private image in place of the public one.
fn private(cluster: &Cluster, text: &str) -> String {
    let host = cluster.scene.front.host();
    text.replace(&format!("{host}/{IMAGE}"), &format!("{host}/{PRIVATE}"))
}

#[test]
fn nobody_profits_from_the_secrets_of_another_namespace() {
    let tenants = Tenants::new();
    let (cluster, scene) = (&tenants.cluster, &tenants.cluster.scene);
    tenants.secret("github", json!({ "username": "bot", "password": "s3cret" }));
    tenants.secret("ghcr", json!({ "token": Front::TOKEN }));
    cluster.apply_application("");
    cluster.plane.apply(&tenants.with_secrets("back")).unwrap();
    // The other tenant has an Application of the same name, and asks for the same branch and the same image: with the
    // names of the owner's Secrets, without any, and for a file of its own.
    cluster.plane.apply(&tenants.of_other(&scene.file())).unwrap();
    cluster.plane.apply(&tenants.of_other(&tenants.with_secrets("back"))).unwrap();
    cluster.plane.apply(&tenants.of_other(&tenants.resource("anonymous"))).unwrap();
    let server = GitServer::start(Options::default().config("uploadpack.allowFilter", "true"));
    let own = server.repository("other/own");
    git::commit_files(&own.path, "main", &[(FILE, tenants.of_other(&scene.file()).as_bytes())], "first");
    let borrowed = tenants.resource("borrowed").replace(&scene.repository.url, &own.url);
    cluster.plane.apply(&tenants.of_other(&borrowed)).unwrap();
    let (before, own_before) = (scene.tip(), git::rev(&own.path, "main"));

    let _service = cluster.serve_all(&cluster.namespace, &["--lease", ""]);
    tenants.until(&cluster.path("back"), "UpToDate");
    let others = [("back", "SecretNotFound"), ("anonymous", "GitDenied"), ("borrowed", "RegistryDenied")];
    for (name, reason) in others {
        tenants.until(&tenants.path_of_other(name), reason);
    }
    scene.registry.push_image(PRIVATE, NEW);
    let image = json!(private(cluster, &scene.image(NEW)));
    cluster.plane.wait_until(&cluster.application_path(), |app| {
        app["spec"]["components"][0]["properties"]["image"] == image
    });
    scene.one_line_since(&before);
    // A look at each of the other's, after the owner's was written.
    for (name, reason) in others {
        let path = tenants.path_of_other(name);
        cluster.annotate(&path, "image-gitops.dev/sync", "now");
        let object = cluster.plane.wait_until(&path, |object| object["status"]["lastHandledSync"] == "now");
        assert_eq!(ready(&object)["reason"], reason, "{object}");
        let status = object["status"].to_string();
        for secret in [NEW, "s3cret", Front::TOKEN, cluster.namespace.as_str()] {
            assert!(!status.contains(secret), "the other tenant learns {secret}: {status}");
        }
        assert!(object["status"]["tags"].is_null(), "{status}");
    }
    assert_eq!(tenants.image_of_other(), json!(private(cluster, &scene.image(OLD))));
    assert_eq!(git::rev(&own.path, "main"), own_before);
}

#[test]
fn no_application_of_another_namespace_is_changed() {
    let tenants = Tenants::new();
    let (cluster, scene) = (&tenants.cluster, &tenants.cluster.scene);
    // The owner runs the public image here, and has no resource at all.
    let owners = scene.file().replace(PRIVATE, IMAGE);
    cluster.plane.apply(&owners).unwrap();
    let server = GitServer::start(Options::default().config("uploadpack.allowFilter", "true"));
    let own = server.repository("other/own");
    git::commit_files(&own.path, "main", &[(FILE, owners.as_bytes())], "an Application of another namespace");
    let resource = tenants.resource("back").replace(PRIVATE, IMAGE).replace(&scene.repository.url, &own.url);
    scene.tag(NEW);
    let _service = cluster.serve_all(&cluster.namespace, &["--lease", ""]);
    // The file names the owner's namespace: that Application is none of this resource's.
    cluster.plane.apply(&tenants.of_other(&resource)).unwrap();
    let path = tenants.path_of_other("back");
    let object = tenants.until(&path, "TargetNotFound");
    let message = ready(&object)["message"].to_string();
    assert!(message.contains(&format!("in the namespace {}", tenants.other)), "{message}");
    // It names none: then the Application is looked for where the resource is, and nowhere else.
    let nowhere = owners.replace(&format!("  namespace: {}\n", cluster.namespace), "");
    git::commit_files(&own.path, "main", &[(FILE, nowhere.as_bytes())], "of no namespace");
    let written = cluster.plane.wait_until(&path, |object| object["status"]["tag"] == NEW);
    let message = ready(&written)["message"].to_string();
    assert!(message.contains(&format!("no Application {}/backoffice-dev", tenants.other)), "{message}");
    assert_eq!(cluster.image(), scene.image(OLD), "the owner's Application was changed");
    // A namespace is no field of the target, nor part of a name.
    for target in [
        format!("target: {{namespace: {}, application: backoffice-dev", cluster.namespace),
        "target: {application: ../other/backoffice-dev".into(),
    ] {
        let odd = tenants.of_other(&resource).replace("target: {application: backoffice-dev", &target);
        if let Ok(applied) = cluster.plane.apply(&odd) {
            assert!(applied[0]["spec"]["target"]["namespace"].is_null(), "{applied:?}");
        }
    }
    for name in ["github/../x", "x/github", "X"] {
        let odd =
            tenants.of_other(&resource).replace("git: {", &format!("git: {{secretRef: {{name: {name}}}, "));
        if cluster.plane.apply(&odd).is_ok() {
            let object = tenants.until(&path, "InvalidSpec");
            assert!(ready(&object)["message"].to_string().contains("is not a name"), "{object}");
        }
    }
}

/// Flux' Kustomization, as far as it matters here.
const KUSTOMIZATIONS: &str = "{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, \
    metadata: {name: kustomizations.kustomize.toolkit.fluxcd.io}, spec: {group: kustomize.toolkit.fluxcd.io, \
    names: {kind: Kustomization, listKind: KustomizationList, plural: kustomizations, singular: kustomization}, \
    scope: Namespaced, versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, \
    x-kubernetes-preserve-unknown-fields: true}}}]}}";

#[test]
fn a_kustomization_is_nudged_only_where_it_says_that_it_applies_the_application() {
    let cluster = Cluster::new();
    let flux = cluster.plane.namespace();
    cluster.plane.apply(KUSTOMIZATIONS).unwrap();
    let kustomization = |entries: Value| {
        let object = json!({
            "apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
            "metadata": { "name": "apps", "namespace": flux }, "status": { "inventory": { "entries": entries } },
        });
        cluster.plane.apply(&object.to_string()).unwrap();
    };
    let path = format!("/apis/kustomize.toolkit.fluxcd.io/v1/namespaces/{flux}/kustomizations/apps");
    let asked =
        |object: &Value| !object["metadata"]["annotations"]["reconcile.fluxcd.io/requestedAt"].is_null();
    kustomization(json!([{ "id": "elsewhere_backoffice-dev_core.oam.dev_Application", "v": "v1beta1" }]));
    // Whoever writes the Application may write its labels.
    cluster.apply_application(&format!(
        "  labels: {{kustomize.toolkit.fluxcd.io/name: apps, kustomize.toolkit.fluxcd.io/namespace: {flux}}}\n"
    ));
    cluster.apply_resource("  interval: 10s\n");
    cluster.scene.tag(NEW);
    let _service = cluster.serve(&["--lease", ""]);
    let back = cluster.plane.wait_until(&cluster.path("back"), |back| back["status"]["tag"] == NEW);
    assert!(ready(&back)["message"].to_string().contains("it is applied by Flux"), "{back}");
    assert!(!asked(&cluster.plane.get(&path).unwrap()), "it was nudged");
    let id = format!("{}_backoffice-dev_core.oam.dev_Application", cluster.namespace);
    kustomization(json!([{ "id": id, "v": "v1beta1" }]));
    cluster.plane.wait_until(&path, asked);
}

#[test]
fn a_step_of_one_tenant_asks_nothing_of_another_even_with_the_key() {
    let tenants = Tenants::new();
    let (cluster, scene) = (&tenants.cluster, &tenants.cluster.scene);
    tenants.secret("github", json!({ "username": "bot", "password": "s3cret" }));
    tenants.secret("ghcr", json!({ "token": Front::TOKEN }));
    cluster.apply_application("");
    cluster.plane.apply(&tenants.with_secrets("back").replace("10s", "1h")).unwrap();
    let service = cluster.serve_all(&cluster.namespace, &["--lease", ""]);
    tenants.until(&cluster.path("back"), "UpToDate");
    // The other tenant's workflow waits in a step: a run that is alive.
    let waiting = format!(
        "{}  workflow:\n    steps: [{{name: wait, type: suspend}}]\n",
        tenants.of_other(&scene.file()).replace("name: backoffice-dev\n", "name: attacker\n")
    );
    cluster.plane.apply(&waiting).unwrap();
    let path = format!("/apis/core.oam.dev/v1beta1/namespaces/{}/applications/attacker", tenants.other);
    let id = |app: &Value| app["status"]["workflow"]["steps"][0]["id"].as_str().map(str::to_owned);
    let run = id(&cluster.plane.wait_until(&path, |app| id(app).is_some())).unwrap();
    // The key lies where only the service and KubeVela read. Let it be stolen.
    let secret = format!("/api/v1/namespaces/{}/secrets/image-gitops-client", cluster.namespace);
    let token = cluster.plane.get(&secret).unwrap()["data"]["token"].as_str().unwrap().to_owned();
    let key = Key::new(&String::from_utf8(STANDARD.decode(token).unwrap()).unwrap().into()).unwrap();
    let post = |body: Value| {
        let body = body.to_string();
        service.post("/v1/step", &[("x-image-gitops-signature", &key.sign(body.as_bytes()))], &body)
    };
    scene.registry.push_image(PRIVATE, NEW);
    let before = scene.tip();
    scene.server.take_requests();
    scene.front.forget_requests();
    let (mine, theirs) = (tenants.other.as_str(), cluster.namespace.as_str());
    let request = |namespace: &str, app: &str, owner: &str| json!({ "run": run, "namespace": namespace, "app": app, "owner": owner, "component": "back" });
    for (body, status) in [
        // Nobody vouches for this run there: wait, and nothing is done.
        (request(theirs, "backoffice-dev", ""), 202),
        (request(theirs, "backoffice-dev", "backoffice-dev"), 202),
        // The run is looked up where the Application is, wherever its owner would be.
        (request(theirs, "backoffice-dev", "attacker"), 404),
        // The run is alive, and in its namespace no resource is for that Application.
        (request(mine, "backoffice-dev", "attacker"), 404),
        (request(mine, "../backoffice-dev", "attacker"), 400),
        (request(&format!("{theirs}/"), "backoffice-dev", "attacker"), 400),
        (request(&format!("{mine}/applications/attacker?x="), "backoffice-dev", ""), 400),
    ] {
        let (got, answer) = post(body.clone());
        assert_eq!(got, status, "{body}: {answer}");
        for secret in [OLD, NEW, PRIVATE, &before] {
            assert!(!answer.to_string().contains(secret), "{body} is told {secret}: {answer}");
        }
    }
    assert!(
        scene.server.requests().is_empty() && scene.front.requests().is_empty(),
        "a forged step was obeyed"
    );
    assert_eq!(scene.tip(), before);
}

#[test]
fn a_webhook_that_lies_changes_nothing() {
    let cluster = Cluster::new();
    cluster.apply_application("");
    cluster.apply_resource("  interval: 1h\n");
    let service = cluster.serve(&[]);
    cluster.until_reason("UpToDate");
    let secret = format!("/api/v1/namespaces/{}/secrets/image-gitops-webhook", cluster.namespace);
    let token = cluster.plane.get(&secret).unwrap()["data"]["token"].as_str().unwrap().to_owned();
    let bearer = format!("Bearer {}", String::from_utf8(STANDARD.decode(token).unwrap()).unwrap());
    let before = cluster.scene.tip();
    let host = cluster.scene.front.host();
    // A tag that the registry does not list, of an image that is watched; and of one that nobody watches.
    for (repository, resources) in [(IMAGE, 1), ("legolas49/elsewhere", 0), ("../../etc/passwd", 0)] {
        let event = json!({ "events": [{
            "action": "push",
            "target": { "mediaType": "application/vnd.oci.image.manifest.v1+json", "repository": repository, "tag": NEW },
            "request": { "host": host },
        }]});
        let (status, answer) =
            service.post("/v1/webhooks/registry", &[("authorization", &bearer)], &event.to_string());
        assert!(status == 400 || (status == 202 && answer["resources"] == resources), "{status} {answer}");
    }
    cluster.annotate(&cluster.path("back"), "image-gitops.dev/sync", "after");
    let object =
        cluster.plane.wait_until(&cluster.path("back"), |back| back["status"]["lastHandledSync"] == "after");
    assert_eq!(ready(&object)["reason"], "UpToDate");
    assert_eq!((cluster.scene.tip(), cluster.image()), (before, cluster.scene.image(OLD)));
}

/// Paths, and what becomes of a resource that names them. An empty reason: the API server takes none of it.
const PATHS: &[(&str, &str)] = &[
    ("..", ""),
    ("../other/app.yaml", ""),
    ("kubevela/../../x.yaml", ""),
    ("/etc/passwd", "InvalidSpec"),
    ("/etc/../etc/passwd", ""),
    (".git/config", "InvalidSpec"),
    ("kubevela/.GIT/config", "InvalidSpec"),
    ("git~1/config", "InvalidSpec"),
    ("./kubevela/backoffice-dev.yaml", "InvalidSpec"),
    ("kubevela//backoffice-dev.yaml", "InvalidSpec"),
    ("KUBEVELA/backoffice-dev.yaml", "PathNotFound"),
    ("kubevela/Backoffice-dev.yaml", "PathNotFound"),
    ("%2e%2e/x.yaml", "PathNotFound"),
    ("link.yaml", "PathNotFound"),
    ("up.yaml", "PathNotFound"),
    ("folder/backoffice-dev.yaml", "PathNotFound"),
    ("root/etc/passwd", "PathNotFound"),
    ("module", "PathNotFound"),
    ("module/app.yaml", "PathNotFound"),
];

#[test]
fn no_path_leads_out_of_the_tree_of_the_branch() {
    let cluster = Cluster::new();
    cluster.apply_application("");
    let links = [
        Entry::symlink("link.yaml", FILE),
        Entry::symlink("up.yaml", "../../../../../../etc/passwd"),
        Entry::symlink("folder", "kubevela"),
        Entry::symlink("root", "/"),
        Entry::submodule("module", &"1".repeat(40)),
    ];
    git::commit_entries(&cluster.scene.repository.path, "main", &links, "links");
    cluster.scene.tag(NEW);
    let before = cluster.scene.tip();
    let resource = cluster.resource("back", "  interval: 10s\n");
    let _service = cluster.serve(&["--lease", ""]);
    for (path, reason) in PATHS {
        let odd = resource.replace(&format!("path: {FILE}"), &format!("path: '{path}'"));
        assert_ne!(odd, resource);
        match cluster.plane.apply(&odd) {
            Err(refused) => assert_eq!(*reason, "", "{path}: {}", refused.message),
            Ok(_) => {
                let object = cluster.plane.wait_until(&cluster.path("back"), |back| {
                    back["status"]["observedGeneration"] == back["metadata"]["generation"]
                        && ready(back)["observedGeneration"] == back["metadata"]["generation"]
                });
                let found = ready(&object);
                assert_eq!(found["reason"], *reason, "{path}: {found}");
                assert!(!found["message"].to_string().contains("root:"), "{found}");
            }
        }
    }
    assert_eq!(cluster.scene.tip(), before, "something was written");
    cluster.plane.apply(&resource).unwrap();
    cluster.until_image(NEW);
    // The links are as they were.
    assert_eq!(git::show(&cluster.scene.repository.path, "main", "link.yaml"), FILE.as_bytes());
}

#[test]
fn what_only_the_services_machine_reaches_is_not_asked() {
    let cluster = Cluster::new();
    let good = cluster.resource("back", "  interval: 10s\n");
    let (git_url, host) = (cluster.scene.repository.url.clone(), cluster.scene.front.host().to_owned());
    let by_name = |text: &str| text.replace("127.0.0.1", "localhost");
    // As in a cluster: nothing is an exception that tests need.
    let _service = cluster.serve(&["--lease", "", "--allow-addresses", "192.0.2.0/24"]);
    for (text, sentence) in [
        (good.clone(), "127.0.0.1 is a loopback address"),
        (good.replace(&git_url, "https://169.254.169.254/o/n"), "169.254.169.254 is a link-local address"),
        (good.replace(&git_url, "https://[::ffff:169.254.169.254]/o/n"), "is a link-local address"),
        (good.replace(&git_url, "https://[fd00:ec2::254]/o/n"), "the address of a cloud's metadata"),
        (good.replace(&git_url, "https://2130706433/o/n"), "127.0.0.1 is a loopback address"),
        (good.replace(&git_url, "/etc"), "reads no repository from its own disk"),
        (good.replace(&git_url, "file:///var/run/secrets"), "reads no repository from its own disk"),
        // By name, it is the resolver that tells.
        (by_name(&good), "localhost has the address"),
    ] {
        let text = if text.contains(&host) && text != good { text.replace(&host, "ghcr.io") } else { text };
        cluster.plane.apply(&text).unwrap();
        let object = cluster.plane.wait_until(&cluster.path("back"), |back| {
            ready(back)["observedGeneration"] == back["metadata"]["generation"]
        });
        let ready = ready(&object);
        assert_eq!(ready["reason"], "HostNotAllowed", "{ready}");
        assert!(ready["message"].to_string().contains(sentence), "{sentence}: {ready}");
    }
    assert!(cluster.scene.server.requests().is_empty() && cluster.scene.front.requests().is_empty());
}

#[test]
fn only_hosts_that_are_listed_are_asked() {
    let cluster = Cluster::new();
    cluster.apply_application("");
    cluster.apply_resource("  interval: 10s\n");
    let service = cluster.serve(&["--lease", "", "--registry-hosts", "ghcr.io,*.example.com"]);
    let status = cluster.until_reason("HostNotAllowed");
    let message = status["message"].as_str().unwrap();
    assert!(message.contains("127.0.0.1 is not one of the hosts"), "{message}");
    drop(service);
    let service = cluster.serve(&["--lease", "", "--git-hosts", "github.com"]);
    cluster.until_reason("HostNotAllowed");
    drop(service);
    assert!(cluster.scene.server.requests().is_empty() && cluster.scene.front.requests().is_empty());
    let _service =
        cluster.serve(&["--lease", "", "--git-hosts", "127.0.0.1", "--registry-hosts", "127.0.0.1"]);
    cluster.until_reason("UpToDate");
}
