//! `matrix.yaml` as it is read.

use std::{collections::BTreeMap, time::Duration};

use serde::Deserialize;

/// A behaviour of registries or Git hosts, and what is to come of it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Row {
    pub(super) row: u8,
    pub(super) behaviour: String,
    pub(super) reaction: String,
    pub(super) scenes: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Case {
    pub(super) name: String,
    /// Tags a page.
    pub(super) page: Option<usize>,
    /// After how many requests a token is refused.
    pub(super) token_uses: Option<usize>,
    /// How many tags there are that are older than OLD.
    #[serde(default)]
    pub(super) older: usize,
    /// Whether the file names a digest too.
    #[serde(default)]
    pub(super) digest: bool,
    /// Whether the resource names the file's folder.
    #[serde(default)]
    pub(super) folder: bool,
    /// What the image must be built for.
    pub(super) platforms: Option<String>,
    /// A pre-receive hook of the repository.
    pub(super) hook: Option<String>,
    pub(super) steps: Vec<Step>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
pub(super) struct Step {
    pub(super) ci: Vec<String>,
    /// Images for two platforms.
    pub(super) index: Vec<String>,
    /// Images whose index names an attestation that is not there.
    pub(super) attested: Vec<String>,
    /// Images whose index names one for `linux/arm64` that is not there.
    pub(super) torn: Vec<String>,
    pub(super) lose: Vec<String>,
    pub(super) person: Option<Act>,
    pub(super) meanwhile: Option<Act>,
    pub(super) registry: Vec<Fault>,
    pub(super) git: Vec<Fault>,
    pub(super) expect: Expect,
}

/// What a person does to the branch.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Act {
    Note,
    Port,
    Take,
    Rename,
    ForcePush,
    DeleteBranch,
}

/// What requests meet: one of the fields besides `at`, `times` and `headers`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
#[derive(Default)]
pub(super) struct Fault {
    pub(super) at: String,
    pub(super) times: Option<usize>,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) status: Option<u16>,
    pub(super) body: String,
    pub(super) list: Option<Vec<String>>,
    pub(super) without: Option<String>,
    pub(super) reset: bool,
    pub(super) cut: Option<usize>,
    pub(super) delay: Option<String>,
    pub(super) refuse: Option<String>,
    pub(super) drop_answer: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
pub(super) struct Expect {
    pub(super) code: i32,
    pub(super) reason: String,
    pub(super) tag: Option<String>,
    pub(super) ours: usize,
    pub(super) says: Vec<String>,
    /// How many requests the registry saw for what.
    pub(super) requests: BTreeMap<String, usize>,
    /// How long it takes at least.
    pub(super) takes: Option<String>,
}

/// `3s`.
pub(super) fn seconds(text: &str) -> Duration {
    Duration::from_secs(text.trim_end_matches('s').parse().expect("seconds"))
}

pub(super) fn read() -> Vec<Row> {
    serde_saphyr::from_str(include_str!("../matrix.yaml")).expect("matrix.yaml")
}
