//! A real Git host for tests: `git http-backend` behind a small HTTP or HTTPS server, with a log of every request and
//! faults that a healthy host cannot make on demand.
//!
//! ```no_run
//! use image_gitops_tests::{git, git_server::{Fault, GitServer, Options}};
//! let server = GitServer::start(Options::default());
//! let repository = server.repository("owner/name");
//! git::commit_files(&repository.path, "main", &[("app.yaml", "image: a:1\n")], "first");
//! server.once("POST /owner/name/git-receive-pack", Fault::Drop);
//! assert_eq!(server.requests().len(), 0);
//! ```
#![allow(clippy::expect_used, reason = "a test fails by panicking")]

mod backend;
mod fault;
mod log;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use fault::{Answer, Fault};
pub use log::{Authorization, Request};

use crate::git;
use crate::tls::ServerCertificate;

/// How a server behaves as a whole. What one request meets is a [`Fault`].
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Speak HTTPS with a certificate of [`GitServer::ca_pem`], for `127.0.0.1` and `localhost`.
    pub tls: bool,
    /// `(user, password)` asked for reading. `None`: anybody reads.
    pub read: Option<(String, String)>,
    /// `(user, password)` asked for pushing. `None`: anybody pushes.
    pub push: Option<(String, String)>,
    /// Speak protocol v0 whatever the client asks, as old servers do.
    pub only_v0: bool,
    /// `(key, value)` written into the configuration of every repository made by [`GitServer::repository`].
    pub config: Vec<(String, String)>,
}

impl Options {
    /// Over HTTPS.
    pub fn tls(mut self) -> Self {
        self.tls = true;
        self
    }

    /// Asks these credentials for reading and for pushing, as a private repository does.
    pub fn private(mut self, user: &str, password: &str) -> Self {
        self.read = Some((user.to_owned(), password.to_owned()));
        self.push.clone_from(&self.read);
        self
    }

    /// Asks these credentials for pushing only, as a public repository does.
    pub fn public(mut self, user: &str, password: &str) -> Self {
        self.read = None;
        self.push = Some((user.to_owned(), password.to_owned()));
        self
    }

    /// Speaks only protocol v0.
    pub fn only_v0(mut self) -> Self {
        self.only_v0 = true;
        self
    }

    /// Sets a key in every repository's configuration.
    pub fn config(mut self, key: &str, value: &str) -> Self {
        self.config.push((key.to_owned(), value.to_owned()));
        self
    }
}

/// A repository of a [`GitServer`].
#[derive(Debug, Clone)]
pub struct Repository {
    /// The bare repository on disk, for the functions of [`crate::git`].
    pub path: PathBuf,
    /// Its URL, without `.git` (with it, it works as well).
    pub url: String,
}

/// A running server. Ends, with all its children, when dropped.
#[derive(Debug)]
pub struct GitServer {
    shared: Arc<Shared>,
    address: SocketAddr,
    ca: Option<Authority>,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

/// The certificate of the authority, as PEM and in a file.
#[derive(Debug)]
struct Authority {
    pem: String,
    path: PathBuf,
}

impl Authority {
    fn keep(folder: &Path, pem: String) -> Self {
        let path = folder.join("ca.pem");
        std::fs::write(&path, &pem).expect("the certificate can be written");
        Self { pem, path }
    }
}

/// What the requests and the test look at together.
#[derive(Debug)]
struct Shared {
    folder: tempfile::TempDir,
    options: Options,
    rules: Mutex<Vec<fault::Rule>>,
    requests: Mutex<Vec<Request>>,
}

impl Shared {
    /// Where the repositories lie.
    fn root(&self) -> PathBuf {
        self.folder.path().join("repositories")
    }
}

/// A test that panicked while it held the lock must not hide its own message behind a second panic.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl GitServer {
    /// Starts a server on a free port of 127.0.0.1, on a thread and a runtime of its own: it can be called from plain
    /// and from asynchronous tests.
    ///
    /// # Panics
    /// When a folder, a port or a certificate cannot be made.
    pub fn start(options: Options) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let certificate = options.tls.then(ServerCertificate::generate);
        let acceptor = certificate.as_ref().map(ServerCertificate::acceptor);
        let ca = certificate.map(|certificate| Authority::keep(folder.path(), certificate.ca_pem));
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        listener.set_nonblocking(true).expect("a listener that tokio can take");
        let address = listener.local_addr().expect("the address of a bound listener");
        let shared =
            Arc::new(Shared { folder, options, rules: Mutex::default(), requests: Mutex::default() });
        std::fs::create_dir_all(shared.root()).expect("the folder of repositories");
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let service = Arc::clone(&shared);
        let thread = std::thread::spawn(move || backend::run(listener, acceptor, service, stopped));
        Self { shared, address, ca, stop: Some(stop), thread: Some(thread) }
    }

    /// Makes an empty bare repository `owner/name`, open for pushes, and returns where it is. Called again with the
    /// same name, it returns the one that exists.
    pub fn repository(&self, name: &str) -> Repository {
        let path = self.shared.root().join(format!("{name}.git"));
        if !path.exists() {
            git::bare_repository(&path);
            git::config(&path, "http.receivepack", "true");
            for (key, value) in &self.shared.options.config {
                git::config(&path, key, value);
            }
        }
        Repository { path, url: self.url(name) }
    }

    /// The URL of `owner/name`, whether or not it exists.
    pub fn url(&self, name: &str) -> String {
        format!("{}/{name}", self.base())
    }

    /// The same with the host's name instead of its address: another host to anybody who compares them.
    pub fn url_by_name(&self, name: &str) -> String {
        self.url(name).replace("127.0.0.1", "localhost")
    }

    /// `http://127.0.0.1:PORT` or `https://127.0.0.1:PORT`.
    pub fn base(&self) -> String {
        let scheme = if self.ca.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// Where the server listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The certificate of the authority that signed the server's, as PEM. `None` without TLS.
    pub fn ca_pem(&self) -> Option<&str> {
        self.ca.as_ref().map(|ca| ca.pem.as_str())
    }

    /// The file that holds [`Self::ca_pem`]. `None` without TLS.
    pub fn ca_path(&self) -> Option<&Path> {
        self.ca.as_ref().map(|ca| ca.path.as_path())
    }

    /// Every request whose `METHOD /path?query` contains `pattern` meets `fault`, until [`Self::heal`].
    pub fn on(&self, pattern: &str, fault: Fault) {
        locked(&self.shared.rules).push(fault::Rule::new(pattern, None, fault));
    }

    /// The first request whose `METHOD /path?query` contains `pattern` meets `fault`; later ones do not.
    pub fn once(&self, pattern: &str, fault: Fault) {
        self.times(1, pattern, fault);
    }

    /// The first `times` requests whose `METHOD /path?query` contains `pattern` meet `fault`; later ones do not.
    pub fn times(&self, times: usize, pattern: &str, fault: Fault) {
        locked(&self.shared.rules).push(fault::Rule::new(pattern, Some(times), fault));
    }

    /// Runs `action` before the first request that contains `pattern` reaches git: to move a branch at the worst moment.
    pub fn before(&self, pattern: &str, action: impl FnOnce() + Send + 'static) {
        let action = Mutex::new(Some(action));
        let run = move || {
            if let Some(action) = locked(&action).take() {
                action();
            }
        };
        self.once(pattern, Fault::Run(Arc::new(run)));
    }

    /// Forgets all faults, and tells how many requests met each, in the order in which they were asked for.
    pub fn heal(&self) -> Vec<usize> {
        std::mem::take(&mut *locked(&self.shared.rules)).iter().map(fault::Rule::met).collect()
    }

    /// Every request so far, in the order in which they were answered.
    pub fn requests(&self) -> Vec<Request> {
        locked(&self.shared.requests).clone()
    }

    /// Every request so far, and forgets them: to count those of one step.
    pub fn take_requests(&self) -> Vec<Request> {
        std::mem::take(&mut locked(&self.shared.requests))
    }
}

impl Drop for GitServer {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
