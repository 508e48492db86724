//! What was read of a branch at one moment.

use std::collections::BTreeMap;
use std::fmt;

use crate::history::{self, History};
use crate::object::{ObjectId, Objects};
use crate::{Branch, RepoPath};

/// What to read of a branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Want {
    /// The file at a path.
    File(RepoPath),
    /// Every `*.yaml` and `*.yml` below a folder; links and submodules in it are passed over.
    Folder(RepoPath),
    /// The file at a path, or every YAML file below it if it is a folder: the tree decides.
    Either(RepoPath),
}

impl Want {
    /// The path that is wanted.
    pub fn path(&self) -> &RepoPath {
        match self {
            Self::File(path) | Self::Folder(path) | Self::Either(path) => path,
        }
    }
}

/// A file of the branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// The blob's id.
    pub id: ObjectId,
    /// Whether it may be executed.
    pub mode: FileMode,
    /// Its content.
    pub bytes: Vec<u8>,
}

/// What may be done with a file; kept by a commit as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileMode {
    /// 100644
    Regular,
    /// 100755
    Executable,
}

/// Which way the objects came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transfer {
    /// One by one along the path (`filter tree:0`): the cost is that of the path's depth.
    Lazy,
    /// All trees of one commit, and the blobs that were wanted (`filter blob:none`).
    Blobless,
    /// All objects of one commit (`deepen 1`): a server without filters.
    Shallow,
    /// From a repository on disk.
    Local,
}

impl fmt::Display for Transfer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lazy => "lazy",
            Self::Blobless => "blobless",
            Self::Shallow => "shallow",
            Self::Local => "local",
        })
    }
}

/// What a snapshot cost. All zero for a repository on disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// HTTP requests, repeated ones included.
    pub requests: usize,
    /// Objects that were sent to us.
    pub objects: usize,
    /// Bytes of the answers' bodies.
    pub bytes: u64,
}

/// The tip of a branch, with the files that were wanted, at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The branch.
    pub branch: Branch,
    /// The commit at its tip.
    pub tip: ObjectId,
    /// Which way the objects come from this server.
    pub transfer: Transfer,
    /// The files that were wanted.
    pub files: BTreeMap<RepoPath, File>,
    /// What reading it cost.
    pub cost: Cost,
    /// The tip, and every tree on the way to the files.
    pub(crate) objects: Objects,
}

impl Snapshot {
    /// The commits that came with the files: the tip, and rarely more. Nothing is read for it.
    pub fn known_history(&self) -> History {
        history::log(self.tip, &self.objects)
    }
}
