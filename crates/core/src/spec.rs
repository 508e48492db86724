//! The custom resource `ImageGitOps` as people write it: the one schema that the trait renders, the controller
//! reconciles and the CLI reads from a file.
//!
//! These are wire types, with every default of the schema in one place. Nothing but [`crate::resource`] reads them:
//! it turns them into a validated [`crate::resource::Resource`].

mod updates;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use updates::{Day, FreezeSpec, OnUnhealthy, UpdatesSpec, WindowSpec};

/// `apiVersion` of the resource.
pub const API_VERSION: &str = "image-gitops.dev/v1alpha1";
/// `kind` of the resource.
pub const KIND: &str = "ImageGitOps";

/// One `ImageGitOps` document.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageGitOps {
    /// [`API_VERSION`].
    pub api_version: String,
    /// [`KIND`].
    pub kind: String,
    /// Name and namespace; labels and annotations are not ours to check.
    pub metadata: Metadata,
    /// What to keep up to date.
    pub spec: Spec,
}

/// The part of Kubernetes' metadata that names the resource.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Metadata {
    /// The resource's name.
    #[serde(default)]
    pub name: String,
    /// The resource's namespace; `default` where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

/// What to keep up to date, and where.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Spec {
    /// The image's repository, without tag and digest.
    pub image: String,
    /// How often the registry is read: `2m`, `30s`, `1h30m`. At least 10 seconds; 2 minutes where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<String>,
    /// Whether to do nothing until it is taken out again.
    #[serde(default)]
    pub suspend: bool,
    /// How to reach the registry.
    #[serde(default)]
    pub registry: RegistrySpec,
    /// Which tags are candidates. `filterTags` is its name in KubeVela's `fluxcd` addon.
    #[serde(default, alias = "filterTags")]
    pub tags: TagsSpec,
    /// Which candidate is taken.
    #[serde(default)]
    pub policy: PolicySpec,
    /// What a candidate must prove before it is written; absent: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verify: Option<VerifySpec>,
    /// The repository that holds the file.
    pub git: GitSpec,
    /// Where in the file the image stands; absent: at the markers that name this resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<TargetSpec>,
    /// How the cluster follows Git. The CLI always works as `git-only`.
    #[serde(default)]
    pub deploy: Deploy,
    /// When updates are written.
    #[serde(default, skip_serializing_if = "UpdatesSpec::is_empty")]
    pub updates: UpdatesSpec,
}

/// How to reach the registry.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RegistrySpec {
    /// The Secret with the registry's credential, in the resource's namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretRef>,
    /// The Secret with a CA certificate to trust, under `ca.crt`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_secret_ref: Option<SecretRef>,
    /// Whether the registry speaks plain HTTP.
    #[serde(default)]
    pub insecure: bool,
}

/// A Secret of the resource's own namespace.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "serde_json::Value")]
#[schemars(!try_from)]
pub struct SecretRef {
    /// The Secret's name.
    pub name: String,
}

/// Read by hand: a credential that was written here by mistake must not be repeated in the error.
impl TryFrom<serde_json::Value> for SecretRef {
    type Error = &'static str;

    fn try_from(value: serde_json::Value) -> Result<Self, Self::Error> {
        let name = value.as_object().filter(|fields| fields.len() == 1).and_then(|fields| fields.get("name"));
        let name = name.and_then(serde_json::Value::as_str);
        let name = name.ok_or("a Secret is named as {name: …}; a credential itself never stands here")?;
        Ok(Self { name: name.to_owned() })
    }
}

/// Which tags are candidates.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TagsSpec {
    /// A regular expression that a candidate matches somewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// What of the match is compared, as a template: `$ts`, `${ts}`, `$1`. Absent or empty: the whole tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extract: Option<String>,
    /// Regular expressions of tags that are no candidates, beside those that never are (`.sig`, `sha256-…`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<String>,
    /// The platforms that an image must be built for, as `linux/amd64`. A newer tag without one of them is passed over.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub platforms: Vec<String>,
}

/// Which candidate is taken, in this project's shape (`sort`, `order`, `range`) or in that of KubeVela's `fluxcd`
/// addon (`numerical: {order}`, `alphabetical: {order}`, `semver: {range}`). The two spell `order` the other way
/// round; each keeps its own meaning.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PolicySpec {
    /// `numerical`, `alphabetical` or `semver`; `numerical` where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sort: Option<String>,
    /// How candidates are listed, the first being taken: `desc` (highest first, the default) or `asc`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<String>,
    /// The range of versions, where `sort` is `semver`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<String>,
    /// Whether a tag below the one in Git may be written. Off: the tag in Git is the floor.
    #[serde(default)]
    pub allow_downgrade: bool,
    /// fluxcd's shape.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub numerical: Option<FluxOrder>,
    /// fluxcd's shape.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alphabetical: Option<FluxOrder>,
    /// fluxcd's shape.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub semver: Option<FluxRange>,
}

/// `order` in fluxcd's shape: the last of the list is taken, so `asc` (the default) means that the highest wins.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FluxOrder {
    /// `asc` or `desc`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<String>,
}

/// `range` in fluxcd's shape.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FluxRange {
    /// The range of versions.
    pub range: String,
}

/// What a candidate must prove before it is written.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VerifySpec {
    /// A signature by cosign.
    pub cosign: CosignSpec,
}

/// Whose signature by cosign counts: by one of `publicKeys`, or `keyless`.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CosignSpec {
    /// Public keys, as PEM (`cosign.pub`). A signature by any one of them counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub public_keys: Vec<String>,
    /// Who signs without a key of their own, by an identity that Sigstore's authority vouched for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keyless: Option<KeylessSpec>,
}

/// Who signs keyless.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeylessSpec {
    /// Who vouched for the identity: `https://token.actions.githubusercontent.com`.
    pub issuer: String,
    /// The identity itself: an e-mail address, or a workflow's URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    /// Instead of `identity`: a regular expression that matches the whole of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity_pattern: Option<String>,
    /// The Secret with the authorities of a Sigstore of one's own, under `trusted_root.json`; absent: the public one's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trusted_root_secret_ref: Option<SecretRef>,
}

/// The repository that holds the file.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GitSpec {
    /// `https://…`, or a local repository as an absolute path or `file://…`.
    pub url: String,
    /// The branch that is read and written; `main` where it is absent.
    #[serde(default = "default_branch")]
    pub branch: String,
    /// A file, or a folder in which the Application is looked up by name.
    #[serde(default)]
    pub path: String,
    /// The Secret with the credential for pushing, in the resource's namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretRef>,
    /// The Secret with a CA certificate to trust, under `ca.crt`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_secret_ref: Option<SecretRef>,
    /// Who the commit says changed the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<Person>,
    /// Who the commit says made it; the author where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub committer: Option<Person>,
    /// The commit's subject: a template with `{image}`, `{repository}`, `{tag}`, `{application}`, `{component}`,
    /// `{resource}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Whether the commit asks the Git host to skip its checks, by the trailer `skip-checks: true`.
    #[serde(default = "default_true")]
    pub skip_checks: bool,
}

/// An author or committer.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Person {
    /// As in `git config user.name`.
    pub name: String,
    /// As in `git config user.email`.
    pub email: String,
}

impl Default for Person {
    fn default() -> Self {
        Self { name: "image-gitops".into(), email: "image-gitops@users.noreply.github.com".into() }
    }
}

/// Where in the file the image stands.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TargetSpec {
    /// The Application's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application: Option<String>,
    /// The component's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component: Option<String>,
    /// The field below the component; `properties.image` where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Instead of all these: the `namespace:name` that `$imagepolicy` markers carry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub marker: Option<String>,
}

/// How the cluster follows Git.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Deploy {
    /// Nudge what applies the Application from Git, or patch it where nothing does.
    #[default]
    Auto,
    /// Always patch the Application.
    Patch,
    /// Never touch the cluster.
    GitOnly,
}

fn default_branch() -> String {
    "main".into()
}

fn default_true() -> bool {
    true
}
