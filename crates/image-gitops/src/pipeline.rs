//! One pass over one branch: observe → decide → act → report. The file to read first.
//!
//! Git is the truth and the only state. Nothing is kept between two passes but objects that cannot change, so a pass
//! that was cut short heals with the next one, and the same pass twice makes one commit.

mod act;
pub(crate) mod after;
mod ages;
pub(crate) mod cluster;
pub(crate) mod edit;
mod explain;
pub(crate) mod observe;
pub(crate) mod place;
pub(crate) mod plan;
pub(crate) mod replaced;
mod turn;

use std::time::Duration;

use image_gitops_git::GitError;

use crate::{
    failpoint::Failpoint,
    job::Group,
    report::{Failure, GroupReport},
};

pub(crate) use cluster::{Beside, Kept};
pub(crate) use explain::{Explanation, explain};
pub(crate) use turn::turn;

/// How often a branch that moves under us is read again before we give up. Each turn means that somebody else's commit
/// landed between our read and our push: as many can land while one of ours waits for its turn, and it lands too.
const ATTEMPTS: u32 = 48;
/// The longest pause before the branch is read again.
const LONGEST_PAUSE: Duration = Duration::from_millis(600);

/// How long a pass in a cluster waits for a registry, so that one which hangs does not keep the branch's other resources
/// waiting. Its answer is not lost: the next pass has it.
const PATIENCE: Duration = Duration::from_secs(5);

/// Whether the plan is carried out.
#[derive(Clone, Copy)]
pub(crate) enum Mode<'c> {
    /// Write nothing.
    Plan,
    /// Commit and push.
    Sync,
    /// Commit and push, and tell what the branch says afterwards: what a cluster is to follow.
    Serve(&'c Beside<'c>),
}

/// Runs one pass. Never fails as a whole: each resource's outcome stands in the report.
#[tracing::instrument(name = "pass", skip_all, fields(repository = %group.url, branch = %group.branch))]
pub(crate) async fn pass(group: &Group, mode: Mode<'_>) -> GroupReport {
    let _turn = turn(group).await;
    Failpoint::PassBegun.reach();
    let patience = matches!(mode, Mode::Serve(_)).then_some(PATIENCE);
    // Observe (network): the tags once, the branch again on each attempt.
    let (mut tags, mut observed) = tokio::join!(observe::tags(group, patience), observe::snapshot(group));
    let mut attempt = 1;
    loop {
        if let (Mode::Serve(_), Some(snapshot)) = (mode, &observed.snapshot) {
            observed.gone = replaced::look(group, snapshot).await;
        }
        // Decide (values only, but for the branch's history and the digests, which are read where something changes).
        let mut files = observed.snapshot.as_ref().map(place::Files::new);
        let mut jobs = plan::decide_all(group, mode, &mut tags, &observed, &mut files).await;
        if let Mode::Serve(beside) = mode {
            beside.drop_outdated(&mut jobs);
        }
        let edit = files.as_mut().map(|files| edit::make(&mut jobs, files)).unwrap_or_default();
        Failpoint::Decided.reach();
        let lead = jobs.iter().find(|planned| planned.wants().is_some()).map(|planned| planned.job);
        let (Some(lead), Some(snapshot), Mode::Sync | Mode::Serve(_)) = (lead, &observed.snapshot, mode)
        else {
            return GroupReport::new(group, &observed, jobs, edit, None, mode);
        };
        // Act (network): on top of exactly what was read, or not at all.
        match act::push(group, lead, snapshot, &edit).await {
            Err(Failure::Git(error)) if matches!(*error, GitError::Moved { .. }) && attempt < ATTEMPTS => {
                Failpoint::BranchMoved.reach();
                tracing::info!(attempt, "the branch moved; reading it again");
                tokio::time::sleep(jitter(attempt)).await;
                attempt += 1;
                observed = observe::snapshot(group).await;
            }
            result => return GroupReport::new(group, &observed, jobs, edit, Some(result), mode),
        }
    }
}

/// A short random wait, longer with each attempt: writers that collided once should not do so in step.
fn jitter(attempt: u32) -> Duration {
    (Duration::from_millis(100) * attempt).min(LONGEST_PAUSE).mul_f64(0.2 + 0.8 * fastrand::f64())
}
