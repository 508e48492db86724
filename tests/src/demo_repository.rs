//! A bare repository made and read back without any git program: for demonstrations on machines that have none, and as
//! a second opinion that shares no code with `crates/git`.
#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use std::path::Path;

use gix::objs::tree::EntryKind;
use gix::refs::transaction::PreviousValue;

/// Makes a bare repository at `path` with one commit of regular files on `branch`, its default branch. Returns the
/// commit's id.
///
/// # Panics
/// When the folder exists and is not empty, or a path is not valid in git.
pub fn create(
    path: impl AsRef<Path>,
    branch: &str,
    files: &[(&str, impl AsRef<[u8]>)],
    message: &str,
) -> String {
    std::fs::create_dir_all(path.as_ref()).expect("the folder can be made");
    gix::create::into(path.as_ref(), gix::create::Kind::Bare, gix::create::Options::default())
        .expect("an empty folder can become a repository");
    std::fs::write(path.as_ref().join("HEAD"), format!("ref: refs/heads/{branch}\n"))
        .expect("the default branch can be set");
    let repository = open(path);
    let mut editor =
        repository.edit_tree(gix::ObjectId::empty_tree(gix::hash::Kind::Sha1)).expect("an empty tree");
    for (path, bytes) in files {
        let blob = repository.write_blob(bytes).expect("a blob can be written");
        editor.upsert(*path, EntryKind::Blob, blob).expect("a valid path");
    }
    let tree = editor.write().expect("the trees can be written");
    let who = gix::actor::SignatureRef {
        name: "A Person".into(),
        email: "person@example.org".into(),
        time: "1700000000 +0000",
    };
    let commit = repository.new_commit_as(who, who, message, tree, gix::commit::NO_PARENT_IDS);
    let commit = commit.expect("the commit can be written").id;
    let name = format!("refs/heads/{branch}");
    repository
        .reference(name.as_str(), commit, PreviousValue::MustNotExist, "commit (initial)")
        .expect("the branch can be made");
    commit.to_string()
}

/// `(id, message)` of the commits of `branch`, newest first, first parents only.
///
/// # Panics
/// When there is no such branch.
pub fn commits(path: impl AsRef<Path>, branch: &str) -> Vec<(String, String)> {
    let repository = open(path);
    let mut next = Some(resolve(&repository, branch));
    let mut all = Vec::new();
    while let Some(id) = next {
        let commit = repository.find_commit(id).expect("the commit is there");
        let message = commit.message_raw().expect("a commit that can be decoded").to_string();
        all.push((id.to_string(), message));
        next = commit.parent_ids().next().map(gix::Id::detach);
    }
    all
}

/// The bytes of `file` at `revision`: a branch or 40 hex digits.
///
/// # Panics
/// When there is no such revision or file.
pub fn file(path: impl AsRef<Path>, revision: &str, file: &str) -> Vec<u8> {
    let repository = open(path);
    let commit = repository.find_commit(resolve(&repository, revision)).expect("the commit is there");
    let tree = commit.tree().expect("the commit's tree");
    let entry = tree.lookup_entry_by_path(file).expect("the trees can be read");
    let mut object = entry.expect("the file is there").object().expect("the blob is there");
    std::mem::take(&mut object.data)
}

fn resolve(repository: &gix::Repository, revision: &str) -> gix::ObjectId {
    if let Ok(id) = gix::ObjectId::from_hex(revision.as_bytes()) {
        return id;
    }
    let name = format!("refs/heads/{revision}");
    let mut reference = repository.find_reference(name.as_str()).expect("the branch is there");
    reference.peel_to_id().expect("the branch names a commit").detach()
}

/// Nothing but the repository's own configuration counts.
fn open(path: impl AsRef<Path>) -> gix::Repository {
    let identity = ["user.name=A Person", "user.email=person@example.org"];
    let options = gix::open::Options::isolated().config_overrides(identity);
    gix::open_opts(path.as_ref(), options).expect("a repository")
}
