//! Git's objects in memory, and the hash that names them.

use std::collections::HashMap;
use std::sync::Arc;

pub use gix::ObjectId;
pub(crate) use gix::objs::Kind;

use crate::GitError;

/// The one hash that is spoken: SHA-1, with the detection of collisions.
pub(crate) const SHA1: gix::hash::Kind = gix::hash::Kind::Sha1;

/// An object: what it is, and its bytes without a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Object {
    pub(crate) kind: Kind,
    pub(crate) bytes: Vec<u8>,
}

impl Object {
    /// The object's id: computed from its bytes, never believed.
    pub(crate) fn id(&self) -> Result<ObjectId, GitError> {
        gix::objs::compute_hash(SHA1, self.kind, &self.bytes).map_err(|_| GitError::Protocol {
            attempt: "name an object by its hash".into(),
            reason: "its bytes are made to collide with those of another object".into(),
        })
    }
}

/// Objects by id. Cheap to clone: the bytes are shared.
#[derive(Clone, Debug, Default)]
pub(crate) struct Objects(HashMap<ObjectId, Arc<Object>>);

impl Objects {
    pub(crate) fn get(&self, id: &ObjectId) -> Option<&Arc<Object>> {
        self.0.get(id)
    }

    pub(crate) fn insert(&mut self, id: ObjectId, object: Arc<Object>) {
        self.0.insert(id, object);
    }

    /// Hashes an object and keeps it under its id.
    pub(crate) fn add(&mut self, object: Object) -> Result<ObjectId, GitError> {
        let id = object.id()?;
        self.0.insert(id, Arc::new(object));
        Ok(id)
    }

    pub(crate) fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&ObjectId, &Arc<Object>)> {
        self.0.iter()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The memory that the objects take, about.
    pub(crate) fn bytes(&self) -> usize {
        self.0.values().map(|object| object.bytes.len() + 64).sum()
    }
}

/// The tree of a commit, from its first line (`tree <id>`); `None` where it has none.
pub(crate) fn tree_of(commit: &[u8]) -> Option<ObjectId> {
    let line = commit.strip_prefix(b"tree ")?;
    ObjectId::from_hex(line.get(..40).filter(|_| line.get(40) == Some(&b'\n'))?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_named_as_git_names_it() {
        let blob = Object { kind: Kind::Blob, bytes: b"hello\n".to_vec() };
        assert_eq!(blob.id().unwrap().to_string(), "ce013625030ba8dba906f756967f9e9ca394464a");
    }

    #[test]
    fn the_tree_of_a_commit_is_on_its_first_line() {
        let id = "ce013625030ba8dba906f756967f9e9ca394464a";
        assert_eq!(tree_of(format!("tree {id}\nparent").as_bytes()).unwrap().to_string(), id);
        for broken in [
            String::new(),
            "tree ".into(),
            format!("tree {id}"),
            format!("tree {id}0\n"),
            format!("tree z{id}\n"),
        ] {
            assert_eq!(tree_of(broken.as_bytes()), None);
        }
    }
}
