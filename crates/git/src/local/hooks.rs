//! Programs that git would run on a push. None is ever run here: what could say no, is taken as a no.

use std::path::{Path, PathBuf};

use super::failure;
use super::repository::Repository;
use crate::{Branch, GitError};

/// Hooks that decide whether a push is accepted.
const VETO: [&str; 3] = ["pre-receive", "update", "reference-transaction"];
/// Hooks that act on what was accepted.
const AFTER: [&str; 2] = ["post-receive", "post-update"];

impl Repository {
    /// Refuses where a hook could have refused, and returns the names of those that will not be run afterwards.
    pub(super) fn hooks(&self, branch: &Branch) -> Result<Vec<&'static str>, GitError> {
        let folder = self.hooks_folder()?;
        let present = |name: &&'static str| is_executable(&folder.join(name));
        let mut veto: Vec<_> = VETO.into_iter().filter(present).collect();
        if self.config("receive.procReceiveRefs").is_some() && present(&"proc-receive") {
            veto.push("proc-receive");
        }
        match veto.first() {
            Some(name) => Err(failure::refused(
                &self.path,
                branch,
                format!("git would ask the hook {name} first, and hooks are not run here"),
            )),
            None => Ok(AFTER.into_iter().filter(present).collect()),
        }
    }

    /// Where git looks for hooks: `core.hooksPath`, relative to the repository, or `hooks`.
    fn hooks_folder(&self) -> Result<PathBuf, GitError> {
        let own = self.git.common_dir();
        match self.git.config_snapshot().trusted_path("core.hooksPath") {
            Ok(None) => Ok(own.join("hooks")),
            Ok(Some(path)) => Ok(own.join(path)),
            Err(error) => Err(failure::git(&self.path, "find the hooks by core.hooksPath".into(), error)),
        }
    }
}

/// Whether git would run this file. What cannot be looked at, may be a hook.
fn is_executable(file: &Path) -> bool {
    match std::fs::metadata(file) {
        Ok(found) => found.is_file() && may_run(&found),
        Err(error) => error.kind() == std::io::ErrorKind::PermissionDenied,
    }
}

#[cfg(unix)]
fn may_run(found: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    found.permissions().mode() & 0o111 != 0
}

#[cfg(not(unix))]
fn may_run(_: &std::fs::Metadata) -> bool {
    true
}
