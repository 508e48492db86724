//! What the end-to-end stories do to a registry, wherever that is, without anything that would have to be installed.
//!
//! The login is `E2E_REGISTRY_USER` and `E2E_REGISTRY_TOKEN`; `E2E_CA` names the certificate of an authority to trust beside
//! the usual ones.
#![allow(clippy::print_stdout, reason = "a program for scripts")]
#![allow(clippy::expect_used, clippy::panic, reason = "a story that cannot go on says why and ends")]

use std::{env, fs, path::Path};

use oci_client::{
    Client, Reference, RegistryOperation,
    client::{Certificate, CertificateEncoding, ClientConfig},
    secrets::RegistryAuth,
};
use reqwest::header::HeaderValue;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

const USAGE: &str = "usage: oci push LAYOUT IMAGE   the image of an unpacked OCI archive
       oci make LAYER.tar PROGRAM IMAGE   an image of one layer that runs a program of it
       oci tag IMAGE TAG   one more tag for an image
       oci tags IMAGE   the tags of an image, one a line";

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
/// How many tags a page has at most.
const PAGE: usize = 100;

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        match arguments[..] {
            ["push", layout, image] => Registry::new(image).push(Path::new(layout)).await,
            ["make", layer, program, image] => Registry::new(image).make(Path::new(layer), program).await,
            ["tag", image, tag] => Registry::new(image).tag(tag).await,
            ["tags", image] => Registry::new(image).tags().await,
            _ => panic!("{USAGE}"),
        }
    });
}

/// An image, and the registry that has it.
struct Registry {
    client: Client,
    login: RegistryAuth,
    image: Reference,
}

impl Registry {
    fn new(image: &str) -> Self {
        let variable = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
        let authority = variable("E2E_CA").map(|path| Certificate {
            encoding: CertificateEncoding::Pem,
            data: fs::read(&path).unwrap_or_else(|error| panic!("E2E_CA={path}: {error}")),
        });
        let config = ClientConfig {
            extra_root_certificates: authority.into_iter().collect(),
            use_monolithic_push: true,
            ..ClientConfig::default()
        };
        let login = match variable("E2E_REGISTRY_TOKEN") {
            Some(token) => {
                RegistryAuth::Basic(variable("E2E_REGISTRY_USER").unwrap_or_else(|| "e2e".to_owned()), token)
            }
            None => RegistryAuth::Anonymous,
        };
        let image = image.parse().unwrap_or_else(|error| panic!("{image}: {error}"));
        Self { client: Client::new(config), login, image }
    }

    /// A login that may push, once for all that follows.
    async fn log_in(&self) {
        let token = self.client.auth(&self.image, &self.login, RegistryOperation::Push).await;
        token.unwrap_or_else(|error| panic!("cannot log in to push {}: {error}", self.image));
    }

    async fn push(&self, layout: &Path) {
        self.log_in().await;
        let read = |digest: &str| {
            let path = layout.join("blobs").join(digest.replace(':', "/"));
            fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        };
        let index = fs::read(layout.join("index.json")).expect("an unpacked OCI archive has an index.json");
        let index: Value = serde_json::from_slice(&index).expect("index.json is JSON");
        let manifest = read(text(&index, "/manifests/0/digest"));
        let parts: Value = serde_json::from_slice(&manifest).expect("a manifest is JSON");
        let layers = parts.get("layers").and_then(Value::as_array).expect("a manifest of one image");
        for part in parts.get("config").into_iter().chain(layers) {
            let digest = text(part, "/digest");
            self.blob(read(digest), digest).await;
        }
        self.manifest(&self.image, manifest, MANIFEST).await;
    }

    async fn make(&self, layer: &Path, program: &str) {
        self.log_in().await;
        let layer = fs::read(layer).unwrap_or_else(|error| panic!("{}: {error}", layer.display()));
        let architecture = match env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            other => other,
        };
        let layer_digest = digest(&layer);
        let config = json!({
            "architecture": architecture, "os": "linux",
            "config": { "Entrypoint": [program], "User": "65532" },
            "rootfs": { "type": "layers", "diff_ids": [layer_digest] },
        });
        let config = config.to_string().into_bytes();
        let config_digest = digest(&config);
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST,
            "config": { "mediaType": CONFIG, "digest": config_digest, "size": config.len() },
            "layers": [{ "mediaType": LAYER, "digest": layer_digest, "size": layer.len() }],
        });
        self.blob(layer, &layer_digest).await;
        self.blob(config, &config_digest).await;
        self.manifest(&self.image, manifest.to_string().into_bytes(), MANIFEST).await;
    }

    async fn tag(&self, tag: &str) {
        self.log_in().await;
        let accepted = [MANIFEST, "application/vnd.docker.distribution.manifest.v2+json"];
        let (manifest, _) = self
            .client
            .pull_manifest_raw(&self.image, &self.login, &accepted)
            .await
            .unwrap_or_else(|error| panic!("cannot read {}: {error}", self.image));
        let parts: Value = serde_json::from_slice(&manifest).expect("a manifest is JSON");
        let kind = parts.get("mediaType").and_then(Value::as_str).unwrap_or(MANIFEST).to_owned();
        let (registry, repository) = (self.image.registry().to_owned(), self.image.repository().to_owned());
        self.manifest(&Reference::with_tag(registry, repository, tag.to_owned()), manifest.to_vec(), &kind)
            .await;
    }

    async fn tags(&self) {
        let mut last: Option<String> = None;
        loop {
            let page = self.client.list_tags(&self.image, &self.login, Some(PAGE), last.as_deref()).await;
            let page = page.unwrap_or_else(|error| panic!("cannot list {}: {error}", self.image)).tags;
            let end = page.last().cloned();
            for tag in &page {
                println!("{tag}");
            }
            // A registry that has no pages gives the same again.
            if page.len() < PAGE || end == last {
                return;
            }
            last = end;
        }
    }

    async fn blob(&self, bytes: Vec<u8>, digest: &str) {
        if self.client.blob_exists(&self.image, digest).await.unwrap_or_default() {
            return;
        }
        let pushed = self.client.push_blob(&self.image, bytes, digest).await;
        pushed.unwrap_or_else(|error| panic!("cannot push {digest} of {}: {error}", self.image));
    }

    async fn manifest(&self, image: &Reference, bytes: Vec<u8>, kind: &str) {
        let kind = HeaderValue::from_str(kind).expect("a media type");
        let pushed = self.client.push_manifest_raw(image, bytes, kind).await;
        pushed.unwrap_or_else(|error| panic!("cannot push {image}: {error}"));
    }
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn digest(bytes: &[u8]) -> String {
    let hex: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}
