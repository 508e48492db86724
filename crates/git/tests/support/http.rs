//! What the suites against `git http-backend` share.
#![allow(dead_code, reason = "not every suite needs every helper")]

use image_gitops_core::credential::Credential;
use image_gitops_git::{
    Access, Branch, Commit, GitError, Identity, Limits, Pushed, Remote, RemoteUrl, RepoPath, Snapshot, Want,
};
use image_gitops_tests::git;
use image_gitops_tests::git_server::{GitServer, Options, Repository};

/// The file that most tests read and write: two names deep, so that a lazy read takes four objects.
pub(crate) const PATH: &str = "kubevela/app.yaml";
pub(crate) const OLD: &str = "# a comment\nimage: ghcr.io/o/n:1\nport: 80\n";
pub(crate) const NEW: &str = "# a comment\nimage: ghcr.io/o/n:2\nport: 80\n";

/// A server with a repository `owner/name` of a few files. It allows filters unless told otherwise, as the hosts do.
pub(crate) fn serve(options: Options) -> (GitServer, Repository) {
    let told = options.config.iter().any(|(key, _)| key == "uploadpack.allowFilter");
    let server =
        GitServer::start(if told { options } else { options.config("uploadpack.allowFilter", "true") });
    let repository = server.repository("owner/name");
    let files =
        [(PATH, OLD), ("README.md", "read me\n"), ("kubevela/notes.txt", "x\n"), ("other/b.yml", "b: 1\n")];
    git::commit_files(&repository.path, "main", &files, "first");
    (server, repository)
}

pub(crate) fn remote(url: &str) -> Remote {
    remote_with(url, Credential::Anonymous, Limits::default())
}

pub(crate) fn remote_with(url: &str, credential: Credential, limits: Limits) -> Remote {
    Remote::new(RemoteUrl::parse(url).unwrap(), Access { credential, ..Access::default() }, limits).unwrap()
}

/// Limits under which a failure is final at the first try.
pub(crate) fn once() -> Limits {
    Limits { attempts: 1, ..Limits::default() }
}

pub(crate) fn main_branch() -> Branch {
    Branch::new("main").unwrap()
}

pub(crate) fn path(text: &str) -> RepoPath {
    RepoPath::new(text).unwrap()
}

pub(crate) async fn read(remote: &Remote, wants: &[&str]) -> Result<Snapshot, GitError> {
    let wants: Vec<_> = wants.iter().map(|want| Want::Either(path(want))).collect();
    remote.snapshot(&main_branch(), &wants).await
}

/// Reads [`PATH`] of main and makes a commit that gives it other bytes.
pub(crate) async fn prepared(remote: &Remote, new: &str) -> Commit {
    edited(&read(remote, &[PATH]).await.unwrap(), &[(PATH, new)])
}

pub(crate) fn edited(snapshot: &Snapshot, changes: &[(&str, &str)]) -> Commit {
    let changes: Vec<_> = changes.iter().map(|(name, text)| (path(name), text.as_bytes().to_vec())).collect();
    let author = Identity::new("image-gitops", "image-gitops@example.org").unwrap();
    let committer = Identity::new("Un committeur", "committer@example.org").unwrap();
    snapshot
        .commit(&changes, &author, &committer, 1_750_000_000, "🤖 Auto-update image: ghcr.io/o/n:2")
        .unwrap()
}

/// Asks git, in every way it has, whether a push is what it should be: one sound commit on `old` that changes one line.
pub(crate) fn assert_sound(repository: &Repository, old: &str, pushed: &Pushed) {
    git::fsck(&repository.path);
    let new = git::rev(&repository.path, "main");
    assert_eq!(new, pushed.commit.to_string());
    assert_eq!(git::rev(&repository.path, "main~1"), old, "one commit, on what was read");
    let head = git::log(&repository.path, "main").remove(0);
    assert_eq!(head.author, "image-gitops <image-gitops@example.org>");
    assert_eq!(head.committer, "Un committeur <committer@example.org>");
    assert_eq!(head.subject, "🤖 Auto-update image: ghcr.io/o/n:2");
    let line = git::one_line_diff(&repository.path, old, &new);
    assert_eq!((line.old.as_str(), line.new.as_str()), ("image: ghcr.io/o/n:1", "image: ghcr.io/o/n:2"));
    assert_eq!(
        git::files(&repository.path, old),
        git::files(&repository.path, &new),
        "same paths, same modes"
    );
    let folder = tempfile::tempdir().unwrap();
    let clone = git::clone(repository.path.to_str().unwrap(), folder.path().join("clone"));
    assert_eq!(std::fs::read_to_string(clone.join(&line.path)).unwrap(), NEW);
}
