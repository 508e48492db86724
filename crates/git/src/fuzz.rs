//! What is fuzzed here: everything that reads what a Git server sends. For the runner in `tests/fuzz` alone.

pub use crate::http::fuzz::TARGETS as HTTP;
use crate::object::{Kind, Object, Objects, SHA1};
use crate::{ObjectId, history, pack, remote::Limits, tree};

/// A name, and what reads the bytes. Nothing comes out: it must not panic, take long or take much memory.
pub type Target = (&'static str, fn(&[u8]));

/// What reads Git's objects.
pub const OBJECTS: &[Target] = &[
    ("pack", |bytes| {
        let _ = pack::read(bytes, &Objects::default(), &Limits::default());
    }),
    ("pack-unsigned", |bytes| {
        // The hash at its end is made right, so that what was altered is read at all.
        let mut hasher = gix::hash::hasher(SHA1);
        hasher.update(bytes);
        if let Ok(id) = hasher.try_finalize() {
            let whole = [bytes, id.as_slice()].concat();
            let _ = pack::read(&whole, &Objects::default(), &Limits::default());
        }
    }),
    ("tree", |bytes| {
        let names: Vec<Vec<u8>> =
            tree::entries(bytes).unwrap_or_default().iter().map(|entry| entry.name.to_vec()).collect();
        if let Some(name) = names.last() {
            let _ = tree::with_id(bytes, name, &ObjectId::null(SHA1));
        }
    }),
    ("commit", |bytes| {
        let mut objects = Objects::default();
        if let Ok(tip) = objects.add(Object { kind: Kind::Commit, bytes: bytes.to_vec() }) {
            let _ = history::log(tip, &objects);
        }
    }),
];
