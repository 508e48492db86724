//! A repository on disk: read where it lies, written as git would, one branch moved under a lock.
//!
//! Nothing is kept between calls but the path: the files are the truth, and other programs write them too. This file is the
//! one door to blocking work; everything below it is plain file access.

mod branch;
mod failure;
mod hooks;
mod objects;
mod repository;

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

use gix::objs::CommitRef;

use self::repository::Repository;
use crate::object::{Kind, ObjectId, Objects, SHA1};
use crate::walk::{Walk, walk};
use crate::{Branch, Commit, Cost, GitError, History, Limits, Pushed, Snapshot, Transfer, Want, history};

/// How many branches are named to somebody who asks for one that is not there.
const SHOWN: usize = 10;

/// A repository on disk.
#[derive(Clone, Debug)]
pub(crate) struct Local {
    path: PathBuf,
    limits: Limits,
}

impl Local {
    /// The repository at an absolute path. Nothing is read yet.
    pub(crate) fn new(path: PathBuf, limits: Limits) -> Self {
        Self { path, limits }
    }

    /// The commit at the tip of a branch.
    pub(crate) async fn tip(&self, branch: &Branch) -> Result<ObjectId, GitError> {
        let branch = branch.clone();
        self.blocking(move |repository, _| repository.known_tip(&branch).map(|tip| tip.id)).await
    }

    /// The tip of a branch and the files that are wanted.
    pub(crate) async fn snapshot(&self, branch: &Branch, wants: &[Want]) -> Result<Snapshot, GitError> {
        let (branch, wants) = (branch.clone(), wants.to_vec());
        self.blocking(move |repository, limits| {
            let tip = repository.known_tip(&branch)?.id;
            let find = |id: &ObjectId| Ok(repository.read(id, limits.object_bytes)?.map(Arc::new));
            match walk(&branch, tip, &wants, limits, &find)? {
                Walk::Done { files, objects } => Ok(Snapshot {
                    branch,
                    tip,
                    transfer: Transfer::Local,
                    files,
                    cost: Cost::default(),
                    objects,
                }),
                Walk::Missing(ids) => Err(repository.lacks(ids.first())),
            }
        })
        .await
    }

    /// The last commits up to the snapshot's tip, `depth` generations of them.
    pub(crate) async fn history(&self, snapshot: &Snapshot, depth: u32) -> Result<History, GitError> {
        let tip = snapshot.tip;
        self.blocking(move |repository, limits| repository.generations(tip, depth, limits)).await
    }

    /// Writes the commit's objects, then moves the branch if it still is at the commit's parent.
    pub(crate) async fn push(&self, commit: &Commit) -> Result<Pushed, GitError> {
        let commit = commit.clone();
        self.blocking(move |repository, _| repository.push(&commit)).await
    }

    /// Whether a push to the branch could be written. Leaves nothing behind.
    pub(crate) async fn check_push(&self, branch: &Branch) -> Result<(), GitError> {
        let branch = branch.clone();
        self.blocking(move |repository, _| {
            let tip = repository.known_tip(&branch)?;
            repository.permits(&branch, &tip.name)?;
            repository.try_write()?;
            repository.try_lock(&branch, tip)
        })
        .await
    }

    /// The door: opens the repository and works on it on a thread where waiting for a disk holds up nobody.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Repository, &Limits) -> Result<T, GitError> + Send + 'static,
    ) -> Result<T, GitError> {
        let Self { path, limits } = self.clone();
        let shown = self.path.clone();
        let task = tokio::task::spawn_blocking(move || work(&Repository::open(&path)?, &limits));
        task.await.unwrap_or_else(|error| Err(failure::stopped(&shown, error)))
    }
}

impl Repository {
    /// The tip of a branch that must be there.
    fn known_tip(&self, branch: &Branch) -> Result<branch::Tip, GitError> {
        if let Some(tip) = self.tip(branch)? {
            return Ok(tip);
        }
        let url = self.path.display().to_string();
        let mut known = self.branches()?;
        if known.is_empty() {
            return Err(GitError::EmptyRepository { url, branch: branch.clone() });
        }
        known.truncate(SHOWN);
        Err(GitError::BranchNotFound { url, branch: branch.clone(), known })
    }

    fn generations(&self, tip: ObjectId, depth: u32, limits: &Limits) -> Result<History, GitError> {
        let mut objects = Objects::default();
        let mut generation = vec![tip];
        let mut seen: HashSet<ObjectId> = HashSet::from([tip]);
        for _ in 0..depth {
            let mut parents = Vec::new();
            for id in std::mem::take(&mut generation) {
                // The end of a shallow clone: what is not there cannot be shown, and makes the history incomplete.
                let Some(object) = self.read(&id, limits.object_bytes)? else { continue };
                if let (Kind::Commit, Ok(commit)) = (object.kind, CommitRef::from_bytes(&object.bytes, SHA1))
                {
                    parents.extend(commit.parents().filter(|parent| seen.insert(*parent)));
                }
                objects.insert(id, Arc::new(object));
            }
            if seen.len() > limits.objects {
                return Err(failure::too_many(&self.path, limits.objects));
            }
            generation = parents;
        }
        Ok(history::log(tip, &objects))
    }

    /// Refuses a push that git would refuse, or might; returns the hooks that will not be run after it.
    fn permits(&self, branch: &Branch, name: &gix::refs::FullName) -> Result<Vec<&'static str>, GitError> {
        self.not_checked_out(branch, name)?;
        self.hooks(branch)
    }

    fn push(&self, commit: &Commit) -> Result<Pushed, GitError> {
        let Some(tip) = self.tip(&commit.branch)?.filter(|tip| tip.id == commit.parent) else {
            return Err(self.moved(&commit.branch, commit.parent));
        };
        let passed_over = self.permits(&commit.branch, &tip.name)?;
        let attempt = || format!("write commit {}", commit.id);
        let object = commit.objects.get(&commit.id).ok_or_else(|| self.lacks(Some(&commit.id)))?;
        let written = CommitRef::from_bytes(&object.bytes, SHA1)
            .map_err(|error| failure::git(&self.path, attempt(), error))?;
        self.write(&commit.objects)?;
        self.update(&commit.branch, tip, commit.id, written.committer)?;
        let messages =
            passed_over.iter().map(|hook| format!("the hook {hook} was not run: hooks are not run here"));
        Ok(Pushed { commit: commit.id, messages: messages.collect() })
    }

    fn lacks(&self, id: Option<&ObjectId>) -> GitError {
        let id = id.map(ToString::to_string).unwrap_or_default();
        failure::corrupt(
            &self.path,
            format!("read object {id}"),
            "it is not there: is this a partial clone?".into(),
        )
    }
}
