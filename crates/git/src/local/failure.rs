//! What can go wrong with a repository on disk, in the words of [`GitError`].

use std::fmt;
use std::io;
use std::path::Path;

use crate::object::ObjectId;
use crate::{Branch, GitError};

type Source = Box<dyn std::error::Error + Send + Sync>;

/// A reason in words alone.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Reason(String);

fn disk(path: &Path, attempt: impl fmt::Display, hint: &'static str, source: impl Into<Source>) -> GitError {
    GitError::Disk { attempt: format!("{attempt} of {}", path.display()), hint, source: source.into() }
}

fn whole(path: &Path, hint: &'static str, source: impl Into<Source>) -> GitError {
    GitError::Disk { attempt: format!("open the repository {}", path.display()), hint, source: source.into() }
}

const RIGHTS: &str = "let the user that runs this program read and write the repository";
const CHECK: &str = "run git fsck in the repository";

/// The folder does not exist.
pub(super) fn not_found(path: &Path) -> GitError {
    whole(path, "check the path, and that its volume is mounted", Reason("there is no such folder".into()))
}

/// It exists, but is no repository.
pub(super) fn not_git(path: &Path, why: &str) -> GitError {
    let hint = "give the folder of a repository: one that git clone takes";
    whole(path, hint, Reason(format!("it is not a Git repository: {why}")))
}

/// A repository that asks for what is not there.
pub(super) fn unsupported(path: &Path, reason: String) -> GitError {
    GitError::Unsupported { attempt: format!("open the repository {}", path.display()), reason }
}

/// What gix says when a folder cannot be opened as a repository.
pub(super) fn open(path: &Path, error: gix::Error) -> GitError {
    if error.is_permission_denied() {
        return whole(path, RIGHTS, Gix(error));
    }
    if error.is_not_found() {
        return not_git(path, "it has no HEAD, no objects or no refs");
    }
    whole(path, CHECK, Gix(error))
}

/// What the system says.
pub(super) fn io(path: &Path, attempt: &str, error: io::Error) -> GitError {
    let hint = match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => RIGHTS,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "free some space",
        _ => CHECK,
    };
    disk(path, attempt, hint, error)
}

/// What gix says about an open repository.
pub(super) fn git(path: &Path, attempt: String, error: gix::Error) -> GitError {
    let hint = if error.is_permission_denied() { RIGHTS } else { CHECK };
    disk(path, attempt, hint, Gix(error))
}

/// An object or a reference that makes no sense.
pub(super) fn corrupt(path: &Path, attempt: String, reason: String) -> GitError {
    disk(path, attempt, CHECK, Reason(reason))
}

/// An object above the limit.
pub(super) fn too_large(path: &Path, attempt: String, size: u64, limit: usize) -> GitError {
    GitError::TooLarge {
        attempt: format!("{attempt} of {}", path.display()),
        limit: format!("{limit} bytes (it has {size})"),
    }
}

/// A history with more commits than may be read.
pub(super) fn too_many(path: &Path, limit: usize) -> GitError {
    GitError::TooLarge {
        attempt: format!("read the history of {}", path.display()),
        limit: format!("{limit} commits"),
    }
}

/// The work was stopped before its end: the program is being shut down.
pub(super) fn stopped(path: &Path, error: tokio::task::JoinError) -> GitError {
    whole(path, "try again", error)
}

/// A rule that keeps the branch as it is.
pub(super) fn refused(path: &Path, branch: &Branch, reason: String) -> GitError {
    GitError::PolicyRefused {
        url: path.display().to_string(),
        branch: branch.clone(),
        reason,
        messages: Vec::new(),
    }
}

/// Somebody holds the lock for longer than anybody should.
pub(super) fn locked(path: &Path, branch: &Branch, error: &gix::Error) -> GitError {
    GitError::Locked { url: path.display().to_string(), branch: branch.clone(), reason: words(error) }
}

/// Somebody else was faster.
pub(super) fn moved(path: &Path, branch: &Branch, expected: ObjectId, now: Option<ObjectId>) -> GitError {
    GitError::Moved { url: path.display().to_string(), branch: branch.clone(), expected, now }
}

/// gix keeps a tree of errors, with places in its own source; a person wants the words, outermost first.
#[derive(Debug)]
struct Gix(gix::Error);

impl fmt::Display for Gix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&words(&self.0))
    }
}

impl std::error::Error for Gix {}

fn words(error: &gix::Error) -> String {
    let mut all: Vec<String> = Vec::new();
    for cause in error.iter_errors() {
        let text = format!("{cause:#}");
        if !text.is_empty() && !all.contains(&text) {
            all.push(text);
        }
    }
    all.join(": ")
}
