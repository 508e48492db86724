//! A new commit on top of a snapshot: the new blobs, the trees on the way to them, and the commit itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::object::{Kind, Object, ObjectId, Objects, tree_of};
use crate::{Branch, GitError, Identity, RepoPath, Snapshot, tree};

/// A commit that is made but not pushed.
#[derive(Clone, Debug)]
pub struct Commit {
    /// The branch that it is for.
    pub branch: Branch,
    /// Its parent: the tip that was read, and that the branch must still have for a push.
    pub parent: ObjectId,
    /// Its own id.
    pub id: ObjectId,
    /// The new objects: blobs, trees and the commit. Everything else is on the server already.
    pub(crate) objects: Objects,
    /// For each new blob and tree, what it was made from.
    pub(crate) bases: Bases,
}

/// By the id of a new object, the id and the bytes of the object of the parent commit that it replaces.
pub(crate) type Bases = BTreeMap<ObjectId, (ObjectId, Arc<Object>)>;

/// A commit that the server took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// The commit, now the tip of the branch.
    pub commit: ObjectId,
    /// What the server said besides, line by line, without control characters.
    pub messages: Vec<String>,
}

impl Snapshot {
    /// Makes a commit that gives files of this snapshot new bytes, `when` in seconds since 1970 (UTC). Modes stay. The
    /// message gets a line break at its end if it has none.
    ///
    /// # Errors
    /// [`GitError::NothingToCommit`] where all bytes are as they were, [`GitError::Commit`] for a file that was not
    /// read, or one that is named twice, or a message that Git cannot keep.
    pub fn commit(
        &self,
        changes: &[(RepoPath, Vec<u8>)],
        author: &Identity,
        committer: &Identity,
        when: u64,
        message: &str,
    ) -> Result<Commit, GitError> {
        let refuse = |reason: String| GitError::Commit { branch: self.branch.clone(), reason };
        if message.trim().is_empty() || message.contains('\0') {
            return Err(refuse("its message is empty or holds a NUL".into()));
        }
        let (new, bases) = (Objects::default(), Bases::new());
        let mut editor = Editor { known: &self.objects, new, bases, branch: &self.branch };
        let mut edits: BTreeMap<Vec<&[u8]>, ObjectId> = BTreeMap::new();
        for (path, bytes) in changes {
            let old = self.files.get(path).ok_or_else(|| refuse(format!("{path} was not read")))?;
            if old.bytes == *bytes {
                continue;
            }
            let blob = editor.add(Kind::Blob, bytes.clone(), old.id)?;
            if edits.insert(path.parts().map(str::as_bytes).collect(), blob).is_some() {
                return Err(refuse(format!("{path} is given twice")));
            }
        }
        if edits.is_empty() {
            return Err(GitError::NothingToCommit { branch: self.branch.clone() });
        }
        let tip = self.objects.get(&self.tip).and_then(|commit| tree_of(&commit.bytes));
        let root = tip.ok_or_else(|| refuse("its parent is not known".into()))?;
        let edits: Vec<(&[&[u8]], ObjectId)> =
            edits.iter().map(|(path, blob)| (path.as_slice(), *blob)).collect();
        let tree = editor.edit(root, &edits)?;
        let mut text = format!(
            "tree {tree}\nparent {}\nauthor {author} {when} +0000\ncommitter {committer} {when} +0000\n\n{message}",
            self.tip
        );
        if !text.ends_with('\n') {
            text.push('\n');
        }
        let Editor { new: mut objects, bases, .. } = editor;
        let id = objects.add(Object { kind: Kind::Commit, bytes: text.into_bytes() })?;
        Ok(Commit { branch: self.branch.clone(), parent: self.tip, id, objects, bases })
    }
}

/// A path by its names, and the blob that it gets.
type Edit<'a> = (&'a [&'a [u8]], ObjectId);

struct Editor<'a> {
    known: &'a Objects,
    new: Objects,
    bases: Bases,
    branch: &'a Branch,
}

impl Editor<'_> {
    /// Keeps a new object that replaces `old`.
    fn add(&mut self, kind: Kind, bytes: Vec<u8>, old: ObjectId) -> Result<ObjectId, GitError> {
        let id = self.new.add(Object { kind, bytes })?;
        if let Some(base) = self.known.get(&old) {
            self.bases.insert(id, (old, Arc::clone(base)));
        }
        Ok(id)
    }

    /// The id of the tree `id` with other blobs at some paths. `edits` is sorted, so that paths of one folder stand together.
    fn edit(&mut self, id: ObjectId, edits: &[Edit<'_>]) -> Result<ObjectId, GitError> {
        let mut bytes = self.known.get(&id).ok_or_else(|| self.unknown())?.bytes.clone();
        for group in edits.chunk_by(|(a, _), (b, _)| a.first() == b.first()) {
            let Some(((name, below), blob)) =
                group.first().and_then(|(path, blob)| Some((path.split_first()?, blob)))
            else {
                return Err(self.unknown());
            };
            let entry = if below.is_empty() {
                *blob
            } else {
                let folder = tree::entry(&bytes, name).ok_or_else(|| self.unknown())?.id;
                let below: Vec<Edit<'_>> =
                    group.iter().filter_map(|(path, blob)| Some((path.get(1..)?, *blob))).collect();
                self.edit(folder, &below)?
            };
            bytes = tree::with_id(&bytes, name, &entry).ok_or_else(|| self.unknown())?;
        }
        self.add(Kind::Tree, bytes, id)
    }

    fn unknown(&self) -> GitError {
        let reason = "a tree on the way to its files is not known".into();
        GitError::Commit { branch: self.branch.clone(), reason }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::walk::tree_object;
    use crate::{Cost, File, FileMode, Transfer};

    fn path(text: &str) -> RepoPath {
        RepoPath::new(text).unwrap()
    }

    fn snapshot() -> Snapshot {
        let mut objects = Objects::default();
        let blob = objects.add(Object { kind: Kind::Blob, bytes: b"old".to_vec() }).unwrap();
        // A zero-padded mode, as programs of long ago wrote it: it must survive.
        let folder = objects.add(tree_object(&[("0100644", "a", blob), ("100755", "b", blob)])).unwrap();
        let root = objects.add(tree_object(&[("40000", "f", folder), ("100644", "z", blob)])).unwrap();
        let commit = format!("tree {root}\n\nx").into_bytes();
        let tip = objects.add(Object { kind: Kind::Commit, bytes: commit }).unwrap();
        let file = File { id: blob, mode: FileMode::Regular, bytes: b"old".to_vec() };
        let files = ["f/a", "f/b", "z"].map(|name| (path(name), file.clone())).into_iter().collect();
        let branch = Branch::new("main").unwrap();
        Snapshot { branch, tip, transfer: Transfer::Lazy, files, cost: Cost::default(), objects }
    }

    fn commit(changes: &[(&str, &str)], message: &str) -> Result<Commit, GitError> {
        let changes: Vec<_> =
            changes.iter().map(|(name, text)| (path(name), text.as_bytes().to_vec())).collect();
        let me = Identity::new("A", "a@b").unwrap();
        snapshot().commit(&changes, &me, &me, 7, message)
    }

    #[test]
    fn only_the_objects_on_the_way_are_new() {
        assert_eq!(commit(&[("z", "new")], "x").unwrap().objects.len(), 3);
        assert_eq!(commit(&[("f/a", "new")], "x").unwrap().objects.len(), 4);
        assert_eq!(commit(&[("f/a", "1"), ("z", "2"), ("f/b", "3")], "x").unwrap().objects.len(), 6);
        // One of two files is as it was, and the two others have the same new bytes.
        assert_eq!(commit(&[("f/a", "old"), ("z", "2"), ("f/b", "2")], "x").unwrap().objects.len(), 4);
    }

    #[test]
    fn odd_modes_survive_and_the_commit_reads_as_git_writes_it() {
        let commit = commit(&[("f/b", "new")], "🤖 subject").unwrap();
        let text = commit.objects.get(&commit.id).unwrap();
        let text = String::from_utf8(text.bytes.clone()).unwrap();
        let parent = commit.parent;
        let (tree, rest) = text.strip_prefix("tree ").unwrap().split_once('\n').unwrap();
        assert_eq!(
            rest,
            format!("parent {parent}\nauthor A <a@b> 7 +0000\ncommitter A <a@b> 7 +0000\n\n🤖 subject\n")
        );
        let root = commit.objects.get(&ObjectId::from_hex(tree.as_bytes()).unwrap()).unwrap();
        let folder = commit.objects.get(&tree::entry(&root.bytes, b"f").unwrap().id).unwrap();
        assert!(folder.bytes.starts_with(b"0100644 a\0"));
        let old = snapshot().objects;
        let blob = tree::entry(&folder.bytes, b"a").unwrap().id;
        assert_eq!(old.get(&blob).unwrap().bytes, b"old");
    }

    #[test]
    fn what_makes_no_commit_is_refused() {
        assert!(matches!(commit(&[("z", "old")], "x"), Err(GitError::NothingToCommit { .. })));
        assert!(matches!(commit(&[], "x"), Err(GitError::NothingToCommit { .. })));
        assert!(matches!(commit(&[("other", "new")], "x"), Err(GitError::Commit { .. })));
        assert!(matches!(commit(&[("z", "1"), ("z", "2")], "x"), Err(GitError::Commit { .. })));
        assert!(matches!(commit(&[("z", "1")], " \n"), Err(GitError::Commit { .. })));
        assert!(matches!(commit(&[("z", "1")], "a\0b"), Err(GitError::Commit { .. })));
    }
}
