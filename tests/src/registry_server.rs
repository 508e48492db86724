//! The OCI distribution registry itself, on a free port of 127.0.0.1.
//!
//! [`RegistryServer`] is the real program (see [`crate::tools::registry`]) over a temporary folder. [`Front`] stands
//! before it where a test needs what this program cannot do: GHCR's tokens, small pages, and faults.
//!
//! Everything here may be called from plain and from asynchronous tests alike: servers have processes or threads of
//! their own, and calls block until they are done.
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_types, reason = "the tests, and only they, start real servers")]

mod front;
mod upload;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::blocking::wait_for;
use crate::tls::ServerCertificate;

pub use front::{Answer, Fault, Front, FrontOptions, Request};

/// How the registry listens and whom it serves.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Speak HTTPS with a certificate of [`RegistryServer::ca_pem`], for `127.0.0.1` and `localhost`.
    pub tls: bool,
    /// Ask for [`RegistryServer::USER`] and [`RegistryServer::PASSWORD`] by HTTP Basic.
    pub password: bool,
}

/// A running registry. Dropping it ends the process and removes what it stored.
#[derive(Debug)]
pub struct RegistryServer {
    process: Child,
    folder: tempfile::TempDir,
    address: SocketAddr,
    options: Options,
    ca: Option<String>,
}

impl RegistryServer {
    /// The account of a registry that asks for a password.
    pub const USER: &str = "reader";
    /// Its password.
    pub const PASSWORD: &str = "correct horse";

    /// Starts a registry that serves everybody over plain HTTP.
    pub fn start() -> Self {
        Self::start_with(Options::default())
    }

    /// Starts a registry.
    ///
    /// # Panics
    /// When the program can neither be found nor built, or does not listen within half a minute.
    pub fn start_with(options: Options) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let ca = options.tls.then(|| {
            let server = ServerCertificate::generate();
            write(folder.path(), "server.pem", &server.certificate_pem);
            write(folder.path(), "server.key", &server.key_pem);
            server.ca_pem
        });
        write(folder.path(), "config.yml", &configuration(folder.path(), &options));
        if options.password {
            // The bcrypt hash of PASSWORD: the registry takes no other kind.
            let line =
                format!("{}:$2a$05$njhOoCz6aKfkgZ3Ki4gxWuNJDQ//wTmplq.FaDRtXsFgTsU0OOkkS\n", Self::USER);
            write(folder.path(), "htpasswd", &line);
        }
        let log = std::fs::File::create(folder.path().join("log")).expect("the log can be written");
        let mut process = Command::new(crate::tools::registry())
            .arg("serve")
            .arg(folder.path().join("config.yml"))
            .env_clear()
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a second handle of the log"))
            .stderr(log)
            .spawn()
            .expect("the registry is started");
        match listening(&mut process, &folder.path().join("log")) {
            Ok(address) => Self { process, folder, address, options, ca },
            Err(log) => {
                end(&mut process);
                panic!("the registry does not listen:\n{log}");
            }
        }
    }

    /// What stands before the first slash of an image's name: `127.0.0.1:PORT`.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// `http://127.0.0.1:PORT`, or `https://`.
    pub fn url(&self) -> String {
        let scheme = if self.options.tls { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// The certificate of the authority that signed the server's, as PEM. `None` without TLS.
    pub fn ca_pem(&self) -> Option<&str> {
        self.ca.as_deref()
    }

    /// Uploads an image of one empty layer as `repository:tag`, as `docker push` does, and returns its digest. Each
    /// `repository:tag` is another image.
    pub fn push_image(&self, repository: &str, tag: &str) -> String {
        self.upload(repository, tag, upload::Kind::Image, None)
    }

    /// Uploads an image for two platforms as `repository:tag` and returns the digest of its index.
    pub fn push_index(&self, repository: &str, tag: &str) -> String {
        self.upload(repository, tag, upload::Kind::Index, None)
    }

    /// Uploads a manifest of any kind as `reference`, a tag or the manifest's own digest, and returns its digest.
    pub fn push_manifest(
        &self,
        repository: &str,
        reference: &str,
        media_type: &'static str,
        manifest: &str,
    ) -> String {
        let (target, repository) = (self.target(), repository.to_owned());
        let (reference, manifest) = (reference.to_owned(), manifest.to_owned());
        wait_for(
            async move { upload::manifest(&target, &repository, &reference, media_type, manifest).await },
        )
    }

    /// Uploads a blob and returns its digest.
    pub fn push_blob(&self, repository: &str, bytes: &[u8]) -> String {
        let (target, repository, bytes) = (self.target(), repository.to_owned(), bytes.to_owned());
        wait_for(async move { upload::blob(&target, &repository, bytes).await })
    }

    /// Uploads an index as `repository:tag` that names an image for `linux/amd64`, and one for `linux/arm64` which is not
    /// there any more.
    pub fn push_torn(&self, repository: &str, tag: &str) -> String {
        self.upload(repository, tag, upload::Kind::Torn, None)
    }

    /// Uploads an index as `repository:tag` that names an image, and an attestation of it which is not there any more.
    pub fn push_attested(&self, repository: &str, tag: &str) -> String {
        self.upload(repository, tag, upload::Kind::Attested, None)
    }

    /// As [`Self::push_image`], of an image that says that it was made at `created` (RFC 3339).
    pub fn push_image_created(&self, repository: &str, tag: &str, created: &str) -> String {
        self.upload(repository, tag, upload::Kind::Image, Some(created))
    }

    /// As [`Self::push_index`], of images that say that they were made at `created` (RFC 3339).
    pub fn push_index_created(&self, repository: &str, tag: &str, created: &str) -> String {
        self.upload(repository, tag, upload::Kind::Index, Some(created))
    }

    fn upload(&self, repository: &str, tag: &str, kind: upload::Kind, created: Option<&str>) -> String {
        let target = upload::Target { created: created.map(str::to_owned), ..self.target() };
        let (repository, tag) = (repository.to_owned(), tag.to_owned());
        wait_for(async move { upload::push(&target, &repository, &tag, kind).await })
    }

    fn target(&self) -> upload::Target {
        upload::Target {
            created: None,
            base: self.url(),
            ca: self.ca.clone(),
            account: self.options.password.then_some((Self::USER, Self::PASSWORD)),
        }
    }

    /// Gives one more image all these tags, as ten thousand pushes would, in the time of one: the files that the
    /// registry keeps a tag in are written directly. (Only `current/link` of each: the `index/` beside it is read
    /// when a tag is deleted, never when tags are listed or resolved.) Returns the image's digest.
    pub fn tag_many<T: AsRef<str>>(&self, repository: &str, tags: impl IntoIterator<Item = T>) -> String {
        let mut tags = tags.into_iter();
        let Some(first) = tags.next() else { panic!("no tag to push") };
        let digest = self.push_image(repository, first.as_ref());
        let folder = self.tags_folder(repository);
        for tag in tags {
            let current = folder.join(tag.as_ref()).join("current");
            std::fs::create_dir_all(&current).expect("the folder of the tag");
            write(&current, "link", &digest);
        }
        digest
    }

    /// Makes the tag `as_well` name what `tag` does.
    pub fn tag_alike(&self, repository: &str, tag: &str, as_well: &str) {
        let tags = self.tags_folder(repository);
        let link = std::fs::read_to_string(tags.join(tag).join("current/link")).expect("the tag is there");
        let current = tags.join(as_well).join("current");
        std::fs::create_dir_all(&current).expect("the folder of the tag");
        write(&current, "link", &link);
    }

    /// Takes a tag away, as a retention policy does.
    pub fn untag(&self, repository: &str, tag: &str) {
        std::fs::remove_dir_all(self.tags_folder(repository).join(tag)).expect("the tag is there");
    }

    /// Takes every tag away and leaves the repository, empty.
    pub fn untag_all(&self, repository: &str) {
        let folder = self.tags_folder(repository);
        std::fs::remove_dir_all(&folder).expect("the repository has tags");
        std::fs::create_dir(&folder).expect("the folder of tags");
    }

    fn tags_folder(&self, repository: &str) -> PathBuf {
        self.folder
            .path()
            .join("data/docker/registry/v2/repositories")
            .join(repository)
            .join("_manifests/tags")
    }
}

impl Drop for RegistryServer {
    fn drop(&mut self) {
        end(&mut self.process);
    }
}

fn end(process: &mut Child) {
    let _ = process.kill();
    let _ = process.wait();
}

fn write(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(name), text).expect("a file of the registry can be written");
}

fn configuration(folder: &Path, options: &Options) -> String {
    let folder = folder.display();
    let tls = if options.tls {
        format!("\n  tls:\n    certificate: {folder}/server.pem\n    key: {folder}/server.key")
    } else {
        String::new()
    };
    let auth = if options.password {
        format!("\nauth:\n  htpasswd:\n    realm: test\n    path: {folder}/htpasswd")
    } else {
        String::new()
    };
    format!(
        "version: 0.1\nlog:\n  level: info\n  formatter: text\nstorage:\n  filesystem:\n    rootdirectory: {folder}/data\n  \
         delete:\n    enabled: true\nhttp:\n  addr: 127.0.0.1:0\n  secret: test{tls}{auth}\n"
    )
}

/// Waits until the log says where the registry listens: it chooses the port itself, so no two tests can want the same.
fn listening(process: &mut Child, log: &Path) -> Result<SocketAddr, String> {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let text = std::fs::read_to_string(log).unwrap_or_default();
        let address = text.split_once("listening on ").and_then(|(_, rest)| {
            let end = rest.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == ':'))?;
            rest.get(..end)?.parse().ok()
        });
        if let Some(address) = address {
            return Ok(address);
        }
        if Instant::now() > deadline || !matches!(process.try_wait(), Ok(None)) {
            return Err(text);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}
