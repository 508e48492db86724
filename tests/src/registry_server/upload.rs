//! The push side of the OCI distribution API: as little of it as makes a valid image.

use reqwest::header::{CONTENT_TYPE, LOCATION};
use serde_json::json;
use sha2::{Digest as _, Sha256};

/// What to push.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// One image manifest.
    Image,
    /// An index of two of them.
    Index,
    /// An index of two of them, of which the second is deleted afterwards.
    Torn,
    /// An index of one of them and of an attestation that is deleted afterwards.
    Attested,
}

/// Where to push, and what the image says of itself.
pub(super) struct Target {
    /// When it was made, where its configuration says so.
    pub(super) created: Option<String>,
    pub(super) base: String,
    pub(super) ca: Option<String>,
    pub(super) account: Option<(&'static str, &'static str)>,
}

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// Pushes and returns the digest of the manifest that the tag then names.
pub(super) async fn push(target: &Target, repository: &str, tag: &str, kind: Kind) -> String {
    let session = Session::new(target, repository);
    match kind {
        Kind::Image => session.image(tag, tag, "amd64").await.0,
        Kind::Index | Kind::Torn => {
            let mut manifests = Vec::new();
            for architecture in ["amd64", "arm64"] {
                let child = format!("{tag}-{architecture}");
                let (digest, size) = session.image(&child, tag, architecture).await;
                manifests.push(json!({
                    "mediaType": MANIFEST, "digest": digest, "size": size,
                    "platform": {"os": "linux", "architecture": architecture},
                }));
            }
            let last =
                manifests.last().and_then(|entry| entry["digest"].as_str()).unwrap_or_default().to_owned();
            let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}).to_string();
            let digest = session.manifest(tag, INDEX, index).await;
            if matches!(kind, Kind::Torn) {
                session.delete(&last).await;
            }
            digest
        }
        Kind::Attested => {
            let (image, size) = session.image(&format!("{tag}-amd64"), tag, "amd64").await;
            let (attestation, attestation_size) =
                session.image(&format!("{tag}-attestation"), tag, "unknown").await;
            let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [
                {
                    "mediaType": MANIFEST, "digest": image, "size": size,
                    "platform": {"os": "linux", "architecture": "amd64"},
                },
                {
                    "mediaType": MANIFEST, "digest": attestation, "size": attestation_size,
                    "platform": {"os": "unknown", "architecture": "unknown"},
                    "annotations": {"vnd.docker.reference.type": "attestation-manifest"},
                },
            ]});
            let digest = session.manifest(tag, INDEX, index.to_string()).await;
            session.delete(&attestation).await;
            digest
        }
    }
}

/// Pushes a manifest of any kind and returns its digest.
pub(super) async fn manifest(
    target: &Target,
    repository: &str,
    reference: &str,
    media_type: &str,
    manifest: String,
) -> String {
    Session::new(target, repository).manifest(reference, media_type, manifest).await
}

/// Pushes a blob and returns its digest.
pub(super) async fn blob(target: &Target, repository: &str, bytes: Vec<u8>) -> String {
    let digest = digest(&bytes);
    Session::new(target, repository).blob(bytes).await;
    digest
}

struct Session<'a> {
    http: reqwest::Client,
    target: &'a Target,
    repository: &'a str,
}

impl<'a> Session<'a> {
    fn new(target: &'a Target, repository: &'a str) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut http = reqwest::Client::builder().no_proxy();
        if let Some(ca) = &target.ca {
            let certificate = reqwest::Certificate::from_pem(ca.as_bytes()).expect("a certificate");
            http = http.tls_certs_only([certificate]);
        }
        Self { http: http.build().expect("an HTTP client"), target, repository }
    }

    /// A config and an empty layer, and the manifest that names them: its digest and size.
    async fn image(&self, tag: &str, version: &str, architecture: &str) -> (String, usize) {
        let mut config = json!({
            "architecture": architecture, "os": "linux", "rootfs": {"type": "layers", "diff_ids": []},
            "config": {"Labels": {"repository": self.repository, "version": version}},
        });
        if let (Some(time), Some(config)) = (&self.target.created, config.as_object_mut()) {
            config.insert("created".into(), time.as_str().into());
        }
        let config = config.to_string();
        // Two blocks of zeros: the empty tar archive.
        let layer = vec![0; 1024];
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST,
            "config": {"mediaType": CONFIG, "digest": digest(config.as_bytes()), "size": config.len()},
            "layers": [{"mediaType": LAYER, "digest": digest(&layer), "size": layer.len()}],
        })
        .to_string();
        self.blob(config.into_bytes()).await;
        self.blob(layer).await;
        let size = manifest.len();
        (self.manifest(tag, MANIFEST, manifest).await, size)
    }

    async fn blob(&self, bytes: Vec<u8>) {
        let start = format!("{}/v2/{}/blobs/uploads/", self.target.base, self.repository);
        let started = self.send(self.http.post(&start)).await;
        let location = started.headers().get(LOCATION).expect("a place to upload to");
        let location = location.to_str().expect("a URL");
        let mut to = url::Url::parse(&start).expect("a URL").join(location).expect("a URL");
        to.query_pairs_mut().append_pair("digest", &digest(&bytes));
        self.send(self.http.put(to).body(bytes)).await;
    }

    async fn manifest(&self, tag: &str, media_type: &str, body: String) -> String {
        let to = format!("{}/v2/{}/manifests/{tag}", self.target.base, self.repository);
        let digest = digest(body.as_bytes());
        self.send(self.http.put(to).header(CONTENT_TYPE, media_type).body(body)).await;
        digest
    }

    async fn delete(&self, digest: &str) {
        let url = format!("{}/v2/{}/manifests/{digest}", self.target.base, self.repository);
        self.send(self.http.delete(url)).await;
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> reqwest::Response {
        let request = match self.target.account {
            Some((user, password)) => request.basic_auth(user, Some(password)),
            None => request,
        };
        let answer = request.send().await.expect("the registry answers");
        let status = answer.status();
        if !status.is_success() {
            panic!(
                "the registry refuses an upload with {status}: {}",
                answer.text().await.unwrap_or_default()
            );
        }
        answer
    }
}

fn digest(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = "sha256:".to_owned();
    for byte in Sha256::digest(bytes) {
        let _ = write!(text, "{byte:02x}");
    }
    text
}
