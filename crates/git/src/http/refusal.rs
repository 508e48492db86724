//! Why a server did not move a branch: somebody else was faster, or a rule forbids it.
//!
//! The reason is free text. What is listed here are the words for "somebody else was faster" of git itself, GitHub, GitLab,
//! Gitea and JGit; whether it is true is then seen from the branch.

/// Words of a lost race, in lower case.
const RACES: [&str; 12] = [
    "failed to update ref",
    "cannot lock ref",
    "unable to lock",
    "failed to lock",
    "lock failure",
    "incorrect old value provided",
    "fetch first",
    "non-fast-forward",
    "stale info",
    "reference already exists",
    "remote ref has changed",
    "remote ref has moved",
];

/// Whether a reason speaks of another push that came first.
pub(super) fn is_race(reason: &str) -> bool {
    let reason = reason.to_lowercase();
    RACES.iter().any(|words| reason.contains(words))
        || reason.contains("is at ") && reason.contains(" but expected ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn races_and_rules_are_told_apart() {
        for reason in [
            "failed to update ref",
            "cannot lock ref 'refs/heads/main': is at 1111 but expected 2222",
            "is at 1111 but expected 2222",
            "incorrect old value provided",
            "fetch first",
            "non-fast-forward",
            "stale info",
            "reference already exists",
            "Failed to lock",
            "LOCK_FAILURE: lock failure",
        ] {
            assert!(is_race(reason), "{reason}");
        }
        for reason in [
            "protected branch hook declined",
            "pre-receive hook declined",
            "hook declined",
            "GH006: Protected branch update failed for refs/heads/main.",
            "push declined due to repository rule violations",
            "deny updating a hidden ref",
            "shallow update not allowed",
            "branch is currently checked out",
            "push declined due to email privacy restrictions",
            "refusing to allow a Personal Access Token to create or update workflow without `workflow` scope",
        ] {
            assert!(!is_race(reason), "{reason}");
        }
    }
}
