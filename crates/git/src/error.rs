//! Why a repository could not be read or written, told apart by what one can do about it.

use std::fmt;
use std::time::Duration;

use image_gitops_core::reach::Refused;

use crate::object::ObjectId;
use crate::{Branch, RepoPath};

/// Why a call failed. Every variant says what was attempted; [`GitError::hint`] says what can be done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GitError {
    /// A URL that cannot be used.
    #[error("cannot use the repository {url:?}: {reason}")]
    Url {
        /// The URL, without anything that may be secret.
        url: String,
        /// What is wrong with it.
        reason: String,
        /// What to give instead.
        hint: String,
    },
    /// A name of a branch, a path or a person that git would not take.
    #[error("cannot use the {kind} {name:?}: {reason}")]
    Name {
        /// What the name is of.
        kind: &'static str,
        /// The name.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The credential or the certificates given are of no use.
    #[error("cannot talk to {url}: {reason}")]
    Settings {
        /// The repository.
        url: String,
        /// What is wrong.
        reason: String,
    },
    /// The repository, or where its server redirects to, is out of the reach that was given.
    #[error("cannot {attempt}: {refused}")]
    Refused {
        /// What was attempted.
        attempt: String,
        /// What was refused.
        refused: Refused,
    },
    /// No answer came, or not all of it.
    #[error("cannot {attempt}: {outage}")]
    Unreachable {
        /// What was attempted: `read the branch main of https://…`.
        attempt: String,
        /// What happened.
        outage: Outage,
        /// What the network said.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// The server says that something is wrong with itself, or that it is asked too much.
    #[error("cannot {attempt}: the server answers with status {status}{}", said(words))]
    Unavailable {
        /// What was attempted.
        attempt: String,
        /// 429 or one of the 5xx.
        status: u16,
        /// For how long it asks to wait.
        retry_after: Option<Duration>,
        /// The server's own words.
        words: String,
    },
    /// The server does not let us in.
    #[error("cannot {attempt}: the server refuses {tried} ({status}){}", said(words))]
    Denied {
        /// What was attempted.
        attempt: String,
        /// With what.
        tried: Tried,
        /// 401 or 403.
        status: u16,
        /// The server's own words.
        words: String,
    },
    /// There is no such repository, or none that this credential may see: hosts do not tell the two apart.
    #[error("cannot {attempt}: no such repository, or not one that {tried} may see{}", said(words))]
    RepositoryNotFound {
        /// What was attempted.
        attempt: String,
        /// With what.
        tried: Tried,
        /// The server's own words.
        words: String,
    },
    /// What answers there is something else: a web page, a login form, a proxy, a host without smart HTTP.
    #[error("cannot {attempt}: what answers there is not a Git server: {reason}")]
    NotGit {
        /// What was attempted.
        attempt: String,
        /// What it answers instead.
        reason: String,
    },
    /// The repository has other branches, but not this one.
    #[error("the repository {url} has no branch {branch}{}", among("its branches", known))]
    BranchNotFound {
        /// The repository.
        url: String,
        /// The branch.
        branch: Branch,
        /// Some of those there are.
        known: Vec<String>,
    },
    /// The repository has no commit at all.
    #[error("the repository {url} is empty: it has no branch {branch}")]
    EmptyRepository {
        /// The repository.
        url: String,
        /// The branch.
        branch: Branch,
    },
    /// The commit's tree holds no such path.
    #[error("{branch} has no {path}: {missing:?} is not in {}{}", folder(parent.as_ref()), among("there are", there))]
    PathNotFound {
        /// The branch.
        branch: Branch,
        /// The path.
        path: RepoPath,
        /// The first name on the way that is not there.
        missing: String,
        /// The folder that does not hold it; `None` for the root.
        parent: Option<RepoPath>,
        /// Some of the names that it does hold, the likeliest first.
        there: Vec<String>,
    },
    /// Something on the way is not what a file can be read through.
    #[error("cannot read {path} of {branch}: {at} is {kind}")]
    PathKind {
        /// The branch.
        branch: Branch,
        /// The path.
        path: RepoPath,
        /// The component that is in the way.
        at: RepoPath,
        /// What it is: `a symbolic link`, `a submodule`, `a folder`, `a file`.
        kind: &'static str,
    },
    /// A folder that holds no YAML file.
    #[error("the folder {path} of {branch} holds no YAML file")]
    EmptyFolder {
        /// The branch.
        branch: Branch,
        /// The folder.
        path: RepoPath,
    },
    /// More than a call may take.
    #[error("cannot {attempt}: more than {limit}")]
    TooLarge {
        /// What was attempted.
        attempt: String,
        /// The limit that was reached: `64 MiB in one answer`.
        limit: String,
    },
    /// Something that this program does not speak, and says so.
    #[error("cannot {attempt}: {reason}")]
    Unsupported {
        /// What was attempted.
        attempt: String,
        /// What it would take.
        reason: String,
    },
    /// The server told in Git's own way that it will not do it.
    #[error("cannot {attempt}: the server says: {words}")]
    Server {
        /// What was attempted.
        attempt: String,
        /// The server's own words.
        words: String,
    },
    /// An answer, or an object, that makes no sense.
    #[error("cannot {attempt}: {reason}")]
    Protocol {
        /// What was attempted.
        attempt: String,
        /// What makes no sense.
        reason: String,
    },
    /// The new files are what the branch holds already.
    #[error("nothing to commit on {branch}: every file is as it was")]
    NothingToCommit {
        /// The branch.
        branch: Branch,
    },
    /// A commit that cannot be made.
    #[error("cannot commit on {branch}: {reason}")]
    Commit {
        /// The branch.
        branch: Branch,
        /// Why not.
        reason: String,
    },
    /// Somebody else pushed, or deleted the branch, after it was read: read it again and decide again.
    #[error("cannot push to {branch} of {url}: it moved from {expected} to {}", now.map_or("nothing: it was deleted".to_owned(), |id| id.to_string()))]
    Moved {
        /// The repository.
        url: String,
        /// The branch.
        branch: Branch,
        /// The commit that was read.
        expected: ObjectId,
        /// Where the branch is now; `None` if it is gone.
        now: Option<ObjectId>,
    },
    /// Somebody else is writing the branch at this moment, and it has not moved yet.
    #[error("cannot push to {branch} of {url}: somebody else is writing it: {reason}")]
    Locked {
        /// The repository.
        url: String,
        /// The branch.
        branch: Branch,
        /// The server's reason.
        reason: String,
    },
    /// A rule of the repository forbids this push: a protected branch, a hook. Trying again does not help.
    #[error("{url} refuses the push to {branch}: {reason}{}", lines(messages))]
    PolicyRefused {
        /// The repository.
        url: String,
        /// The branch.
        branch: Branch,
        /// The server's reason.
        reason: String,
        /// What it said besides, line by line.
        messages: Vec<String>,
    },
    /// A repository on disk that cannot be read or written.
    #[error("cannot {attempt}")]
    Disk {
        /// What was attempted.
        attempt: String,
        /// What can be done about it.
        hint: &'static str,
        /// Why not.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// What kept an answer from arriving.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outage {
    /// The host's name, its port or the way there.
    Connect,
    /// The server's certificate is not trusted.
    Untrusted,
    /// It took too long.
    Timeout,
    /// The connection was cut before the answer was complete.
    Cut,
}

impl fmt::Display for Outage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "the server cannot be reached",
            Self::Untrusted => "the server's certificate is not trusted",
            Self::Timeout => "the server takes too long",
            Self::Cut => "the connection was cut",
        })
    }
}

/// With what something was attempted that was denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tried {
    /// No credential was given.
    Anonymous,
    /// The credential was sent.
    Credential,
    /// The credential was kept back: the server sent us to another host.
    Withheld,
}

impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Anonymous => "an anonymous visitor",
            Self::Credential => "the credential",
            Self::Withheld => "a visitor whom it sent on to another host, without the credential",
        })
    }
}

impl GitError {
    pub(crate) fn refused(attempt: &str, refused: Refused) -> Self {
        Self::Refused { attempt: attempt.to_owned(), refused }
    }

    /// What it repeats of the server's own words.
    pub(crate) fn said_mut(&mut self) -> Vec<&mut String> {
        match self {
            Self::Unavailable { words, .. }
            | Self::Denied { words, .. }
            | Self::RepositoryNotFound { words, .. }
            | Self::Server { words, .. } => vec![words],
            Self::NotGit { reason, .. } | Self::Protocol { reason, .. } | Self::Locked { reason, .. } => {
                vec![reason]
            }
            Self::PolicyRefused { reason, messages, .. } => {
                std::iter::once(reason).chain(messages.iter_mut()).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Whether trying the same again, later, may succeed.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { outage, .. } => *outage != Outage::Untrusted,
            Self::Unavailable { .. } | Self::Locked { .. } => true,
            _ => false,
        }
    }

    /// Whether a path is at fault, so that other paths of the branch may well be readable.
    pub fn is_about_path(&self) -> bool {
        matches!(
            self,
            Self::PathNotFound { .. }
                | Self::PathKind { .. }
                | Self::EmptyFolder { .. }
                | Self::TooLarge { .. }
        )
    }

    /// What a person can do about it.
    pub fn hint(&self) -> Option<String> {
        let hint: &str = match self {
            Self::Refused { refused, .. } => return Some(refused.hint()),
            Self::Url { hint, .. } => hint,
            Self::Disk { hint, .. } => hint,
            Self::Settings { .. } => {
                "caSecretRef must name a Secret whose ca.crt is PEM; on a machine without certificates of its own set SSL_CERT_FILE; a credential is a user and a password, or a token"
            }
            Self::Unreachable { outage: Outage::Untrusted, .. } => {
                "name the authority that signed the certificate: caSecretRef, a Secret with ca.crt"
            }
            Self::Unreachable { .. } => {
                "check the host's name, the network policies and the proxy, then try again"
            }
            Self::Unavailable { .. } => "wait a little, then try again",
            Self::Denied { tried: Tried::Withheld, .. } => {
                "set spec.git.url to where the server redirects to"
            }
            Self::Denied { tried: Tried::Anonymous, .. }
            | Self::RepositoryNotFound { tried: Tried::Anonymous, .. } => {
                "set spec.git.secretRef to a Secret with a token that may read and write the repository's contents"
            }
            Self::Denied { status: 401, .. } => "the token is wrong or has expired: renew it in the Secret",
            Self::Denied { .. } => {
                "the token may not do this: on GitHub it needs contents: write on this repository (and single sign-on \
                 authorised, if the organisation asks for it); an archived repository takes no push"
            }
            Self::RepositoryNotFound { .. } => "check the URL, and that the token may see this repository",
            Self::NotGit { .. } => "check the URL: it is the one that git clone takes",
            Self::BranchNotFound { .. } => "set spec.git.branch to one of them, or push the branch",
            Self::EmptyRepository { .. } => "push a first commit with the file",
            Self::PathNotFound { .. } => "set spec.git.path to a path from the root of the repository",
            Self::PathKind { kind: "a folder", .. } => "name a file in it",
            Self::PathKind { kind: "a file", .. } => "leave out what follows it in spec.git.path",
            Self::Unsupported { .. } => {
                "use a repository that git clones over HTTPS with SHA-1 object names, which is the default"
            }
            Self::PathKind { kind: "a symbolic link", .. } => "name the file that the link leads to",
            Self::PathKind { kind: "a submodule", .. } => "point spec.git at the submodule's own repository",
            Self::EmptyFolder { .. } => "set spec.git.path to a folder with *.yaml or *.yml files",
            Self::TooLarge { .. } => {
                "name the file rather than a folder; a server without filters sends the whole tree: turn on uploadpack.allowFilter"
            }
            Self::Moved { .. } | Self::Locked { .. } => "try again: the branch is read anew",
            Self::PolicyRefused { url, .. } if url.starts_with('/') => {
                "give a bare repository without that rule, or the URL of a server that has it"
            }
            Self::PolicyRefused { .. } => {
                "let this account push to the branch (bypass list of the rule), or choose a branch without the rule"
            }
            _ => return None,
        };
        Some(hint.to_string())
    }
}

fn said(words: &str) -> String {
    if words.is_empty() { String::new() } else { format!(": {words}") }
}

fn lines(messages: &[String]) -> String {
    messages.iter().map(|line| format!("\n  {line}")).collect()
}

fn among(what: &str, names: &[String]) -> String {
    if names.is_empty() { String::new() } else { format!(" ({what}: {})", names.join(", ")) }
}

fn folder(path: Option<&RepoPath>) -> String {
    path.map_or("the root of the repository".to_owned(), |path| format!("the folder {path}"))
}
