//! A remote repository, wherever it is.

use std::time::Duration;

use image_gitops_core::credential::Credential;
use image_gitops_core::reach::Reach;

use crate::http::Http;
use crate::local::Local;
use crate::object::ObjectId;
use crate::url::Place;
use crate::{Branch, Commit, GitError, History, Pushed, RemoteUrl, Snapshot, Want};

/// How one gets in.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// The credential. It is sent with the first request already, over HTTPS or to this machine only.
    pub credential: Credential,
    /// Certificates of further authorities that are trusted, as PEM.
    pub ca: Option<String>,
    /// Which hosts and addresses may be asked: the server, and where it redirects to.
    pub reach: Reach,
}

/// The most that one call may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one answer. 64 MiB: ten times what the trees of a large repository take.
    pub answer_bytes: usize,
    /// Bytes of one object. 16 MiB.
    pub object_bytes: usize,
    /// Bytes of all objects of one answer, unpacked. 256 MiB.
    pub unpacked_bytes: usize,
    /// Objects of one answer. 500,000.
    pub objects: usize,
    /// Bytes of objects that are remembered between calls. 32 MiB.
    pub remembered_bytes: usize,
    /// YAML files read of one folder. 1,000.
    pub files: usize,
    /// The time of one call, tries and pauses included. 2 minutes.
    pub time: Duration,
    /// How often a request is tried. 3.
    pub attempts: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            answer_bytes: 64 << 20,
            object_bytes: 16 << 20,
            unpacked_bytes: 256 << 20,
            objects: 500_000,
            remembered_bytes: 32 << 20,
            files: 1000,
            time: Duration::from_secs(120),
            attempts: 3,
        }
    }
}

/// A repository that is read and written. It remembers objects between calls: looking at a branch that did not move costs
/// one small request.
#[derive(Debug)]
pub struct Remote(Backend);

#[derive(Debug)]
enum Backend {
    Http(Box<Http>),
    Local(Local),
}

impl Remote {
    /// A client for a repository. Nothing is sent or read yet.
    ///
    /// # Errors
    /// [`GitError::Settings`] for a credential or certificates that cannot be used; [`GitError::Refused`] for a repository
    /// that is out of reach.
    pub fn new(url: RemoteUrl, access: Access, limits: Limits) -> Result<Self, GitError> {
        Ok(Self(match url.place() {
            Place::Http(_) => Backend::Http(Box::new(Http::new(url, access, limits)?)),
            Place::Folder(path) => {
                access.reach.disk().map_err(|refused| GitError::refused(&format!("use {url}"), refused))?;
                Backend::Local(Local::new(path.clone(), limits))
            }
        }))
    }

    /// The commit at the tip of a branch.
    ///
    /// # Errors
    /// [`GitError::BranchNotFound`] and [`GitError::EmptyRepository`], and what keeps the repository from being read.
    pub async fn tip(&self, branch: &Branch) -> Result<ObjectId, GitError> {
        match &self.0 {
            Backend::Http(http) => http.discreet(http.tip(branch).await),
            Backend::Local(local) => local.tip(branch).await,
        }
    }

    /// The tip of a branch and the files that are wanted, all of the same commit.
    ///
    /// # Errors
    /// As for [`Self::tip`], and those that are [about a path](GitError::is_about_path).
    pub async fn snapshot(&self, branch: &Branch, want: &[Want]) -> Result<Snapshot, GitError> {
        match &self.0 {
            Backend::Http(http) => http.discreet(http.snapshot(branch, want).await),
            Backend::Local(local) => local.snapshot(branch, want).await,
        }
    }

    /// The last commits up to the snapshot's tip, `depth` generations of them (1 is the tip alone).
    ///
    /// A server with filters sends commits alone, about 200 bytes each. One without sends all of their files too: it is
    /// asked for 256 generations at most.
    ///
    /// # Errors
    /// What keeps the repository from being read.
    pub async fn history(&self, snapshot: &Snapshot, depth: u32) -> Result<History, GitError> {
        match &self.0 {
            Backend::Http(http) => http.discreet(http.history(snapshot, depth).await),
            Backend::Local(local) => local.history(snapshot, depth).await,
        }
    }

    /// Makes a commit the tip of its branch, if the branch still is at the commit's parent.
    ///
    /// # Errors
    /// [`GitError::Moved`] if it is not: read again, decide again. [`GitError::PolicyRefused`] is final. Where the answer
    /// was lost, the branch is read again to learn what happened.
    pub async fn push(&self, commit: Commit) -> Result<Pushed, GitError> {
        match &self.0 {
            Backend::Http(http) => http.discreet_push(http.push(&commit).await),
            Backend::Local(local) => local.push(&commit).await,
        }
    }

    /// Whether the server lets us ask for a push to the branch. Nothing is sent. Rules and hooks, which look at the commit,
    /// may still refuse it.
    ///
    /// # Errors
    /// [`GitError::Denied`] above all, and those of [`Self::tip`].
    pub async fn check_push(&self, branch: &Branch) -> Result<(), GitError> {
        match &self.0 {
            Backend::Http(http) => http.discreet(http.check_push(branch).await),
            Backend::Local(local) => local.check_push(branch).await,
        }
    }
}
