//! The branch: where it stands, and moving it if nobody else did.

use std::time::Duration;

use gix::lock::acquire::Fail;
use gix::refs::transaction::{LogChange, PreviousValue, RefEdit};
use gix::refs::{
    FullName, Target,
    file::{Store, Transaction},
};

use super::failure;
use super::repository::Repository;
use crate::object::{ObjectId, SHA1};
use crate::{Branch, GitError};

/// How long to wait for another writer's lock. Git holds one for milliseconds; a lock older than this was left behind.
const WAIT: Fail = Fail::AfterDurationWithBackoff(Duration::from_secs(3));
/// How many symbolic references are followed, as git does.
const DEEPEST: usize = 5;

/// What a branch is in the end.
pub(super) struct Tip {
    /// The reference that holds the id: another than asked for where the branch is a symbolic one.
    pub(super) name: FullName,
    pub(super) id: ObjectId,
}

impl Repository {
    /// Where a branch stands; `None` where there is no such branch.
    pub(super) fn tip(&self, branch: &Branch) -> Result<Option<Tip>, GitError> {
        // A store of its own: nothing remembered from before may answer.
        let mut store =
            Store::for_linked_worktree(self.git.git_dir().into(), self.git.common_dir().into(), SHA1);
        store.write_reflog = gix::refs::store::WriteReflog::Disable;
        self.follow(&store, branch)
    }

    fn follow(&self, store: &Store, branch: &Branch) -> Result<Option<Tip>, GitError> {
        let attempt = || format!("read branch {branch}");
        let mut name = branch.reference();
        for _ in 0..=DEEPEST {
            let found =
                store.try_find(name.as_str()).map_err(|error| failure::git(&self.path, attempt(), error))?;
            match found.map(|reference| (reference.name, reference.target)) {
                None => return Ok(None),
                Some((name, Target::Object(id))) => return Ok(Some(Tip { name, id })),
                Some((_, Target::Symbolic(next))) => name = next.to_string(),
            }
        }
        Err(failure::corrupt(&self.path, attempt(), "its symbolic references go in a circle".into()))
    }

    /// The names of all branches, in order.
    pub(super) fn branches(&self) -> Result<Vec<String>, GitError> {
        let attempt = || "list the branches".to_owned();
        let platform = self.git.references().map_err(|error| failure::git(&self.path, attempt(), error))?;
        let branches =
            platform.local_branches().map_err(|error| failure::git(&self.path, attempt(), error))?;
        // One broken reference is no reason not to name the others.
        Ok(branches.flatten().map(|reference| reference.name().shorten().to_string()).collect())
    }

    /// Refuses to move a branch under somebody's working tree, as git does: the files would seem to be edited back.
    pub(super) fn not_checked_out(&self, branch: &Branch, name: &FullName) -> Result<(), GitError> {
        let config = self.config("receive.denyCurrentBranch").map(|value| value.to_ascii_lowercase());
        if matches!(config.as_deref(), Some("ignore" | "warn" | "false" | "no" | "off" | "0")) {
            return Ok(());
        }
        let attempt = || "look for working trees".to_owned();
        let all = self
            .git
            .worktrees_including_main()
            .map_err(|error| failure::git(&self.path, attempt(), error))?;
        // A working tree that cannot be read has nothing that could be lost by us.
        for tree in all.flatten() {
            let is_linked = tree.kind() == gix::repository::Kind::LinkedWorkTree;
            let head = tree.head_name().ok().flatten();
            if (is_linked || !tree.is_bare()) && head.as_ref() == Some(name) {
                let place = tree.workdir().unwrap_or(tree.git_dir()).display().to_string();
                let reason = format!(
                    "{} is checked out in {place}, whose files would no longer fit it",
                    name.shorten()
                );
                return Err(failure::refused(&self.path, branch, reason));
            }
        }
        Ok(())
    }

    /// Moves a branch from its `tip` to `new`. A branch that is elsewhere by now stays as it is.
    ///
    /// `committer` is the person of the reflog, as written in a commit: `Name <email> seconds zone`.
    pub(super) fn update(
        &self,
        branch: &Branch,
        tip: Tip,
        new: ObjectId,
        committer: &[u8],
    ) -> Result<(), GitError> {
        let attempt = || format!("move branch {branch} to {new}");
        let mut rest = committer;
        let who = gix::actor::SignatureRef::from_bytes_consuming(&mut rest)
            .map_err(|error| failure::git(&self.path, attempt(), error))?;
        let old = tip.id;
        let prepared = self.lock(branch, tip, new)?;
        // The lock is held, so this is the last word. Without it, references packed between the store's look at them
        // and its lock could pass for what they were before.
        if self.tip(branch)?.is_none_or(|tip| tip.id != old) {
            prepared.rollback();
            return Err(self.moved(branch, old));
        }
        prepared.commit(who).map(drop).map_err(|error| failure::git(&self.path, attempt(), error))
    }

    /// Locks a branch and lets it go.
    pub(super) fn try_lock(&self, branch: &Branch, tip: Tip) -> Result<(), GitError> {
        let id = tip.id;
        self.lock(branch, tip, id).map(|prepared| drop(prepared.rollback()))
    }

    fn lock(&self, branch: &Branch, tip: Tip, new: ObjectId) -> Result<Transaction<'_, '_>, GitError> {
        let log = LogChange { message: "push".into(), ..LogChange::default() };
        let expected = PreviousValue::MustExistAndMatch(Target::Object(tip.id));
        let edit = RefEdit::update_with_log(tip.name, new, expected, log);
        self.git.refs.transaction().prepare(Some(edit), WAIT, WAIT).map_err(|error| match self.tip(branch) {
            Ok(Some(now)) if now.id == tip.id && error.is_permission_denied() => {
                failure::git(&self.path, format!("lock branch {branch}"), error)
            }
            Ok(Some(now)) if now.id == tip.id => failure::locked(&self.path, branch, &error),
            Ok(_) => self.moved(branch, tip.id),
            Err(error) => error,
        })
    }

    /// The branch is no longer at `expected`.
    pub(super) fn moved(&self, branch: &Branch, expected: ObjectId) -> GitError {
        match self.tip(branch) {
            Ok(tip) => failure::moved(&self.path, branch, expected, tip.map(|tip| tip.id)),
            Err(error) => error,
        }
    }
}
