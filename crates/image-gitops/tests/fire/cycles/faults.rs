//! The faults to choose from, and where they strike.

use std::{sync::Arc, time::Duration};

use fastrand::Rng;
use image_gitops_tests::{
    git_server::Fault as GitFault,
    registry_server::{Answer, Fault as RegistryFault},
};

/// GHCR's words for: not so fast.
const GHCR: &str =
    r#"{"errors":[{"code":"TOOMANYREQUESTS","message":"retry-after: 1.16676ms, allowed: 44000/minute"}]}"#;

/// A fault of the registry: what it is called, which requests it strikes, how many of them.
pub(super) struct AtRegistry {
    pub(super) name: &'static str,
    pub(super) pattern: String,
    pub(super) times: Option<usize>,
    pub(super) fault: RegistryFault,
}

/// A tag that is listed has no manifest.
const GONE: &str = "registry: manifest gone";

impl AtRegistry {
    /// Whether a tag has no manifest.
    pub(super) fn is_gone(&self) -> bool {
        self.name == GONE
    }
}

/// A fault of the Git server.
pub(super) struct AtGit {
    pub(super) name: &'static str,
    pub(super) pattern: &'static str,
    pub(super) times: Option<usize>,
    pub(super) fault: GitFault,
}

/// Once, as often as a request is tried again or less, or always.
fn times(rng: &mut Rng) -> Option<usize> {
    rng.choice([Some(1), Some(1), Some(2), Some(3), None]).flatten()
}

pub(super) fn at_registry(rng: &mut Rng, tags: &[String]) -> AtRegistry {
    let list = |tags: &[String]| {
        RegistryFault::json(200, &serde_json::json!({ "name": "x", "tags": tags }).to_string())
    };
    let busy = |wait: &str| RegistryFault::Answer(Answer::json(429, "{}").header("retry-after", wait));
    let anywhere = ["tags/list", "tags/list", "manifests/", "/token"];
    let mut pattern = anywhere[rng.usize(..anywhere.len())].to_owned();
    let mut times = times(rng);
    let (name, fault) = match rng.u8(..16) {
        0..=2 => {
            let status = [500, 502, 503, 504][rng.usize(..4)];
            ("registry: status 5xx", RegistryFault::json(status, "<html>Bad Gateway</html>"))
        }
        3 => ("registry: 429 with GHCR's words", RegistryFault::json(429, GHCR)),
        4 => {
            times = times.map(|_| 1);
            ("registry: 429 with Retry-After", busy(["0", "1", "3600"][rng.usize(..3)]))
        }
        5 | 6 => ("registry: connection reset", RegistryFault::Reset),
        7 | 8 => ("registry: answer cut", RegistryFault::CutAfter(rng.usize(..60))),
        9 => ("registry: slow", RegistryFault::Delay(Duration::from_millis(rng.u64(10..400)))),
        10 => {
            pattern = "tags/list".to_owned();
            ("registry: empty list", list(&[]))
        }
        11 => {
            pattern = "tags/list".to_owned();
            let stale: Vec<String> = tags.iter().filter(|_| rng.bool()).cloned().collect();
            ("registry: list shrunk", list(&stale))
        }
        12 => {
            pattern = "tags/list".to_owned();
            ("registry: Link forgotten", RegistryFault::Without("link"))
        }
        13 => {
            let (status, code) =
                [(401, "UNAUTHORIZED"), (403, "DENIED"), (404, "NAME_UNKNOWN")][rng.usize(..3)];
            let body = format!(r#"{{"errors":[{{"code":"{code}"}}]}}"#);
            ("registry: access refused", RegistryFault::json(status, &body))
        }
        14 => ("registry: web page", RegistryFault::json(200, "<!DOCTYPE html><html>Sign in</html>")),
        _ => {
            pattern = format!("manifests/{}", tags.last().map_or("", String::as_str));
            times = None;
            (GONE, RegistryFault::json(404, r#"{"errors":[{"code":"MANIFEST_UNKNOWN"}]}"#))
        }
    };
    AtRegistry { name, pattern, times, fault }
}

const PUSH: &str = "POST /legolas49/back-dev-bfirstai/git-receive-pack";
const FETCH: &str = "POST /legolas49/back-dev-bfirstai/git-upload-pack";
const ANYWHERE: [&str; 5] = [PUSH, PUSH, FETCH, "service=git-receive-pack", "service=git-upload-pack"];
/// The words of git, GitHub, GitLab and JGit for a lost race and for a rule.
const REFUSALS: [&str; 7] = [
    "cannot lock ref 'refs/heads/main': is at 1111111 but expected 2222222",
    "incorrect old value provided",
    "non-fast-forward",
    "failed to update ref",
    "failed to lock",
    "protected branch hook declined",
    "push declined due to repository rule violations",
];

/// `somebody` commits something when it is called.
pub(super) fn at_git(rng: &mut Rng, somebody: Arc<dyn Fn() + Send + Sync>) -> AtGit {
    let mut pattern = ANYWHERE[rng.usize(..ANYWHERE.len())];
    let mut times = times(rng);
    let (name, fault) = match rng.u8(..16) {
        0 | 1 => {
            let status = [429, 500, 502, 503][rng.usize(..4)];
            ("git: status 429 or 5xx", GitFault::status(status, "not now"))
        }
        2 | 3 => ("git: connection closed", GitFault::Drop),
        4..=6 => {
            pattern = PUSH;
            ("git: push done, answer lost", GitFault::DropAnswer)
        }
        7 | 8 => ("git: answer cut", GitFault::CutAfter(rng.usize(..200))),
        9 => ("git: slow", GitFault::Delay(Duration::from_millis(rng.u64(10..400)))),
        10 => ("git: access refused", GitFault::status([401, 403, 404][rng.usize(..3)], "no")),
        11 => ("git: web page", GitFault::web_page()),
        12 | 13 => {
            pattern = PUSH;
            ("git: push refused", GitFault::refusal("main", REFUSALS[rng.usize(..REFUSALS.len())]))
        }
        _ => {
            times = Some(times.unwrap_or(1));
            ("git: somebody is faster", GitFault::Run(somebody))
        }
    };
    AtGit { name, pattern, times, fault }
}
