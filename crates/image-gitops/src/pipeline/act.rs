//! The second phase of I/O: one commit on top of exactly what was read, pushed as a lease.

use std::time::{SystemTime, UNIX_EPOCH};

use image_gitops_git::{Identity, Pushed, Snapshot};

use super::edit::Edit;
use crate::{
    failpoint::Failpoint,
    job::{Group, Job},
    report::Failure,
};

/// Commits the edit and pushes it. `lead` is the resource whose author and committer the commit carries.
pub(super) async fn push(
    group: &Group,
    lead: &Job,
    snapshot: &Snapshot,
    edit: &Edit,
) -> Result<Pushed, Failure> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map(|age| age.as_secs()).unwrap_or_default();
    let git = &lead.resource.git;
    let author = Identity::new(&git.author.name, &git.author.email)?;
    let committer = Identity::new(&git.committer.name, &git.committer.email)?;
    let commit = snapshot.commit(&edit.files, &author, &committer, now, &edit.message)?;
    Failpoint::CommitMade.reach();
    let _under_way = group.pushing.lock().await;
    let pushed = group.remote.push(commit).await?;
    Failpoint::PushAnswered.reach();
    tracing::info!(commit = %pushed.commit, "pushed");
    Ok(pushed)
}
