//! Signatures as cosign writes them: by the program itself with a key, and by a Sigstore in memory for an identity.
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_types, reason = "the tests, and only they, run programs")]

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::tools;

/// The form in which a signature is attached to an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As cosign 1 and 2 do it: a layer of the tag `sha256-HEX.sig`.
    Tag,
    /// As cosign 3 does it: a bundle that refers to the image.
    Bundle,
}

/// cosign, with a key pair of its own.
#[derive(Debug)]
pub struct Cosign {
    folder: tempfile::TempDir,
}

impl Cosign {
    /// Generates a key pair.
    pub fn new() -> Self {
        let cosign = Self { folder: tempfile::tempdir().expect("a temporary folder") };
        cosign.run(&["generate-key-pair"]);
        cosign
    }

    /// The public key, as PEM.
    pub fn public_key(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("cosign.pub")).expect("the public key")
    }

    /// Signs `image`, which names a digest, in a registry that speaks plain HTTP.
    pub fn sign(&self, image: &str, form: Form) {
        let form = match form {
            Form::Tag => "--new-bundle-format=false",
            Form::Bundle => "--new-bundle-format=true",
        };
        let offline = ["--use-signing-config=false", "--tlog-upload=false", "--allow-http-registry", "--yes"];
        self.run(&[&["sign", "--key", "cosign.key", form], &offline[..], &[image]].concat());
    }

    /// Attaches a signature that was made elsewhere.
    pub fn attach(&self, image: &str, signed: &Signed) {
        let write = |name: &str, bytes: &[u8]| {
            std::fs::write(self.folder.path().join(name), bytes).expect("a file is written");
        };
        let attach = ["attach", "signature", "--allow-http-registry", image];
        match signed {
            Signed::Bundle(bundle) => {
                write("bundle.json", bundle);
                self.run(&[&attach[..], &["--payload=bundle.json"]].concat());
            }
            Signed::Simple { payload, annotations } => {
                let annotation = |name: &str| annotations.get(name).map(String::as_str).unwrap_or_default();
                let logged = annotation("dev.sigstore.cosign/bundle");
                write("payload", payload);
                write("signature", annotation("dev.cosignproject.cosign/signature").as_bytes());
                write("certificate", annotation("dev.sigstore.cosign/certificate").as_bytes());
                write("logged", format!(r#"{{"rekorBundle": {logged}}}"#).as_bytes());
                let parts = [
                    "--payload=payload",
                    "--signature=signature",
                    "--certificate=certificate",
                    "--rekor-response=logged",
                ];
                self.run(&[&attach[..], &parts].concat());
            }
        }
    }

    fn run(&self, arguments: &[&str]) {
        let output = Command::new(tools::cosign())
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .env("HOME", self.folder.path())
            .env("COSIGN_PASSWORD", "")
            .output()
            .expect("cosign is started");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "cosign {}: {said}", arguments.join(" "));
    }
}

impl Default for Cosign {
    fn default() -> Self {
        Self::new()
    }
}

/// A signature that is attached nowhere yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signed {
    /// In the older form.
    Simple {
        /// What was signed.
        payload: Vec<u8>,
        /// The rest.
        annotations: BTreeMap<String, String>,
    },
    /// In the newer form.
    Bundle(Vec<u8>),
}

/// What a Sigstore in memory signed, and what there is to trust of it.
#[derive(Clone, Debug)]
pub struct Sigstore {
    answer: Value,
}

impl Sigstore {
    /// Signs what is wished for, each by its name. What a wish may say stands in `tests/go/sigstore/main.go`.
    pub fn sign(wishes: &Value) -> Self {
        let mut child = Command::new(tools::sigstore())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program is started");
        let request = json!({ "signatures": wishes }).to_string();
        child.stdin.take().expect("a pipe").write_all(request.as_bytes()).expect("the wishes are told");
        let output = child.wait_with_output().expect("the program ends");
        let answer = serde_json::from_slice(&output.stdout);
        Self { answer: answer.unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr))) }
    }

    /// The authorities to trust, as `trusted_root.json`.
    pub fn trusted_root(&self) -> String {
        self.text("/trustedRoot")
    }

    /// The same, with a log of certificates that no certificate here comes from.
    pub fn trusted_root_with_certificate_log(&self) -> String {
        self.text("/trustedRootWithCertificateLog")
    }

    /// The public key of that name, as PEM.
    pub fn key(&self, name: &str) -> String {
        let key = self.answer.pointer(&format!("/keys/{name}")).and_then(Value::as_str);
        key.unwrap_or_else(|| panic!("no key {name}")).to_owned()
    }

    /// The signature of that name.
    pub fn signature(&self, name: &str) -> Signed {
        let signed = self.answer.pointer(&format!("/signatures/{name}")).expect("a signature of that name");
        if let Some(bundle) = signed.get("bundle") {
            return Signed::Bundle(bundle.to_string().into_bytes());
        }
        let payload = signed.get("payload").and_then(Value::as_str).expect("a payload");
        let annotations = signed.get("annotations").cloned().expect("annotations");
        Signed::Simple {
            payload: STANDARD.decode(payload).expect("base64"),
            annotations: serde_json::from_value(annotations).expect("texts"),
        }
    }

    fn text(&self, pointer: &str) -> String {
        self.answer.pointer(pointer).expect("a part of the answer").to_string()
    }
}

/// A folder with real bundles of the public Sigstore: the examples of the Go module that [`tools::sigstore`] is built from.
pub fn public_examples() -> PathBuf {
    tools::go_module("sigstore", "github.com/sigstore/sigstore-go").join("examples")
}
