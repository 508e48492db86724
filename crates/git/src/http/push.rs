//! Writing: one commit, as a lease. The branch moves from the commit's parent to the commit, or not at all.

use std::time::Duration;

use super::Http;
use super::advertisement::{Advertisement, Capabilities, Reference, parse};
use super::receive_pack::{self, Report, Verdict};
use super::refusal::is_race;
use super::transport::{Again, Call, Door, Service};
use crate::commit::Bases;
use crate::{Branch, Commit, GitError, ObjectId, Pushed, pack};

/// The pause before a branch that is locked is tried again; each further one is twice as long.
const LOCK_PAUSE: Duration = Duration::from_millis(150);

/// A server that is ready to be pushed to.
struct Receiver {
    door: Door,
    capabilities: Capabilities,
    references: Vec<Reference>,
}

impl Http {
    pub(crate) async fn check_push(&self, branch: &Branch) -> Result<(), GitError> {
        let mut call = self.transport.call(format!("ask for a push to {branch} of {}", self.url));
        let receiver = self.receiver(&mut call).await?;
        match receiver.references.iter().any(|reference| reference.name == branch.reference()) {
            true => Ok(()),
            false => Err(self.no_branch(branch, &receiver.references)),
        }
    }

    pub(crate) async fn push(&self, commit: &Commit) -> Result<Pushed, GitError> {
        let mut call = self.transport.call(format!("push to {} of {}", commit.branch, self.url));
        let mut tries = 1;
        loop {
            match self.push_once(&mut call, commit).await {
                Err(GitError::Locked { .. }) if tries < self.limits.attempts => {
                    let pause = LOCK_PAUSE * 2_u32.saturating_pow(tries - 1);
                    tokio::time::sleep(pause.mul_f64(1.0 + fastrand::f64())).await;
                    tries += 1;
                }
                result => {
                    if result.is_ok() {
                        // The next pass starts from here: it will not have to fetch what we made ourselves.
                        self.memory().objects.extend(commit.objects.clone());
                    }
                    return result;
                }
            }
        }
    }

    async fn push_once(&self, call: &mut Call, commit: &Commit) -> Result<Pushed, GitError> {
        let receiver = self.receiver(call).await?;
        let reference = commit.branch.reference();
        let now = receiver.references.iter().find(|other| other.name == reference).map(|found| found.id);
        if now == Some(commit.id) {
            // An earlier try did it, and its answer was lost.
            return Ok(Pushed { commit: commit.id, messages: Vec::new() });
        }
        if now != Some(commit.parent) {
            return Err(self.unexpected(commit, now).await);
        }
        let broken = |reason: String| GitError::Protocol { attempt: call.attempt.clone(), reason };
        // Every server but a few takes deltas to objects that it has; those few say so.
        let whole = Bases::new();
        let bases = if receiver.capabilities.has("no-thin") { &whole } else { &commit.bases };
        let pack = pack::write(&commit.objects, bases)
            .map_err(|error| broken(format!("the pack cannot be written: {error}")))?;
        let body = receive_pack::push(&receiver.capabilities, &reference, commit.parent, commit.id, &pack)
            .map_err(|error| call.fail(error))?;
        let answer = self.transport.rpc(call, &receiver.door, Service::ReceivePack, body, Again::No).await;
        let report = answer.and_then(|body| {
            receive_pack::report(&receiver.capabilities, &reference, &body).map_err(|error| call.fail(error))
        });
        match report {
            Ok(Report { verdict: Verdict::Done, messages }) => Ok(Pushed { commit: commit.id, messages }),
            Ok(Report { verdict: Verdict::Unpack(reason), .. }) => Err(GitError::Protocol {
                attempt: call.attempt.clone(),
                reason: format!("the server could not take the pack in: {reason}"),
            }),
            Ok(Report { verdict: Verdict::Refused(reason), messages }) => {
                Err(self.refused(commit, reason, messages).await)
            }
            Err(error) if is_uncertain(&error) => self.landed(commit, error).await,
            Err(error) => Err(error),
        }
    }

    async fn receiver(&self, call: &mut Call) -> Result<Receiver, GitError> {
        let (door, body) = self.transport.advertisement(call, Service::ReceivePack).await?;
        match parse(&body).map_err(|error| call.fail(error))? {
            Advertisement::V0 { capabilities, references } => Ok(Receiver { door, capabilities, references }),
            Advertisement::V2(_) => Err(GitError::Unsupported {
                attempt: call.attempt.clone(),
                reason: "the server wants to be pushed to in protocol v2, which does not exist yet".into(),
            }),
        }
    }

    /// What it means that the server does not show the branch as it was read. Some hide branches from pushes altogether.
    async fn unexpected(&self, commit: &Commit, now: Option<ObjectId>) -> GitError {
        if now.is_none() && self.tip(&commit.branch).await.is_ok() {
            let (url, branch) = (self.url.to_string(), commit.branch.clone());
            let reason = "the server hides this branch from pushes".into();
            return GitError::PolicyRefused { url, branch, reason, messages: Vec::new() };
        }
        self.moved(commit, now)
    }

    /// What a refusal means. The words only suggest that somebody else was faster: the branch itself says whether it moved.
    async fn refused(&self, commit: &Commit, reason: String, messages: Vec<String>) -> GitError {
        let (url, branch) = (self.url.to_string(), commit.branch.clone());
        if !is_race(&reason) {
            return GitError::PolicyRefused { url, branch, reason, messages };
        }
        match self.tip(&commit.branch).await {
            Ok(now) if now != commit.parent => self.moved(commit, Some(now)),
            Err(GitError::BranchNotFound { .. } | GitError::EmptyRepository { .. }) => {
                self.moved(commit, None)
            }
            _ => GitError::Locked { url, branch, reason },
        }
    }

    /// Whether a push landed of which the answer was lost: the branch says it.
    async fn landed(&self, commit: &Commit, error: GitError) -> Result<Pushed, GitError> {
        match self.tip(&commit.branch).await {
            Ok(now) if now == commit.id => {
                tracing::info!(commit = %commit.id, "the answer to the push was lost, but the push was not");
                Ok(Pushed { commit: commit.id, messages: Vec::new() })
            }
            // Others may have pushed on top of ours, or instead of it: who reads the branch again will see.
            Ok(now) if now != commit.parent => Err(self.moved(commit, Some(now))),
            _ => Err(error),
        }
    }

    fn moved(&self, commit: &Commit, now: Option<ObjectId>) -> GitError {
        GitError::Moved {
            url: self.url.to_string(),
            branch: commit.branch.clone(),
            expected: commit.parent,
            now,
        }
    }
}

/// Whether the server may have moved the branch although this is all that we know.
fn is_uncertain(error: &GitError) -> bool {
    matches!(
        error,
        GitError::Unreachable { .. }
            | GitError::Unavailable { .. }
            | GitError::NotGit { .. }
            | GitError::Server { .. }
            | GitError::Protocol { .. }
            | GitError::TooLarge { .. }
    )
}
