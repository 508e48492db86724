//! A validated `ImageGitOps`. Everything past this module works on [`Resource`]; nobody reads the raw spec again.

mod fields;
mod updates;
mod verify;

use std::{fmt, time::Duration};

use crate::{
    image::{ImageError, Repository},
    message::{SubjectError, SubjectTemplate},
    platform::{Platform, PlatformError},
    policy::PolicyError,
    schedule::Schedule,
    select::Rules,
    spec::{self, Deploy, ImageGitOps, OnUnhealthy, Person},
    tags::{FilterError, TagFilter},
    yaml::{FieldPathError, Locator},
};

use fields::{at, expect, interval, name, person, platforms, policy, secret, target};

pub(crate) use fields::is_name;
pub use fields::parse_interval;
pub use updates::MOST_WINDOWS;
pub use verify::{Identity, Signers};

/// The least time between two reads of a registry.
pub const LEAST_INTERVAL: Duration = Duration::from_secs(10);
/// The longest time between two reads of a registry: a year, which clocks can still add up.
pub const LONGEST_INTERVAL: Duration = Duration::from_secs(365 * 24 * 3600);
/// The time between two reads of a registry where the resource names none.
pub const DEFAULT_INTERVAL: Duration = Duration::from_secs(120);
/// How long a component may take to become healthy after an update, where the resource does not say.
pub const DEFAULT_HEALTH_TIMEOUT: Duration = Duration::from_secs(300);
/// The field below a component where the resource names none.
pub const DEFAULT_FIELD: &str = "properties.image";

/// What is wrong with a resource: the field, then why.
#[derive(Debug, thiserror::Error)]
#[error("cannot use {field}")]
pub struct SpecError {
    /// The field, as in the document: `spec.tags.pattern`.
    pub field: &'static str,
    /// Why.
    #[source]
    pub reason: SpecReason,
}

/// Why a field cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SpecReason {
    /// `apiVersion` or `kind` is of something else.
    #[error("expected {expected}, found {found:?}")]
    Unexpected {
        /// What the document must say.
        expected: &'static str,
        /// What it says.
        found: String,
    },
    /// A name that Kubernetes would not take.
    #[error(
        "{0:?} is not a name: lower-case letters, digits, '-' and '.', at most 253, starting and ending with a letter or digit"
    )]
    Name(String),
    /// A value is absent.
    #[error("it is empty: {0}")]
    Empty(&'static str),
    /// Two fields exclude each other.
    #[error("{0}")]
    Conflict(&'static str),
    /// Not a length of time.
    #[error("{0:?} is not a length of time: write 30s, 2m or 1h30m")]
    Interval(String),
    /// No time at all.
    #[error("{0:?} is no time: leave it out")]
    NoTime(String),
    /// Too short a time.
    #[error("{0:?} is shorter than 10s, the least that registries bear")]
    IntervalTooShort(String),
    /// Too long a time.
    #[error("{0:?} is longer than a year; to stop updates, set suspend: true")]
    IntervalTooLong(String),
    /// Not a time of day.
    #[error("{0:?} is not a time of day: write 08:00")]
    Clock(String),
    /// Not a date, with or without a time of day.
    #[error("{0:?} is not a date: write 2026-12-20 or 2026-12-20T18:00, and the zone in timeZone")]
    Moment(String),
    /// An end before its beginning.
    #[error("it ends at {to}, which is not after {from}")]
    Order {
        /// The beginning.
        from: String,
        /// The end.
        to: String,
    },
    /// Not a time zone.
    #[error("there is no time zone {name:?}: write a name of the IANA database, such as {likely}")]
    Zone {
        /// What was given.
        name: String,
        /// What may have been meant.
        likely: String,
    },
    /// More than make sense.
    #[error("there may be {0} at most")]
    TooMany(usize),
    /// Not a person's name or address.
    #[error("{0:?} holds '<', '>' or a line break, which a commit cannot carry")]
    Person(String),
    /// Not a repository of images.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// Not a filter.
    #[error(transparent)]
    Filter(#[from] FilterError),
    /// Not a policy.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// Not a field path.
    #[error(transparent)]
    FieldPath(#[from] FieldPathError),
    /// Not a platform.
    #[error(transparent)]
    Platform(#[from] PlatformError),
    /// Not a subject.
    #[error(transparent)]
    Subject(#[from] SubjectError),
    /// Not a regular expression.
    #[error("{pattern:?} is not a regular expression")]
    Pattern {
        /// What was given.
        pattern: String,
        /// Why it is none.
        #[source]
        source: regex::Error,
    },
}

/// Names a resource: namespace and name, both valid in Kubernetes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ResourceId {
    /// The namespace.
    pub namespace: String,
    /// The name.
    pub name: String,
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// A validated resource.
#[derive(Clone, Debug)]
pub struct Resource {
    /// Its name.
    pub id: ResourceId,
    /// The image's repository.
    pub image: Repository,
    /// The time between two reads of the registry.
    pub interval: Duration,
    /// Whether nothing is to be done.
    pub suspend: bool,
    /// How to reach the registry.
    pub registry: RegistryAccess,
    /// Which tag is taken.
    pub rules: Rules,
    /// What the image must be built for.
    pub platforms: Vec<Platform>,
    /// Whether the tag in Git is no floor.
    pub allow_downgrade: bool,
    /// Whose signature a tag must carry to be taken; `None`: none is asked for.
    pub signers: Option<Signers>,
    /// The repository that holds the file.
    pub git: GitTarget,
    /// Where in the file the image stands.
    pub target: Locator,
    /// How the cluster follows.
    pub deploy: Deploy,
    /// When updates are written.
    pub updates: Updates,
}

/// When updates are written.
#[derive(Clone, Debug)]
pub struct Updates {
    /// How old a tag must be, if it must.
    pub min_age: Option<Duration>,
    /// The windows of the week and the freezes.
    pub schedule: Schedule,
    /// What follows where a component becomes unhealthy by an update.
    pub on_unhealthy: OnUnhealthy,
    /// How long a component may take to become healthy after an update.
    pub health_timeout: Duration,
}

/// How to reach the registry; Secrets by name, in the resource's namespace.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RegistryAccess {
    /// The Secret with the credential.
    pub secret: Option<String>,
    /// The Secret with the CA.
    pub ca_secret: Option<String>,
    /// Whether to speak plain HTTP.
    pub insecure: bool,
}

/// The repository that holds the file. URL, branch and path are not empty; `crates/git` validates their form.
#[derive(Clone, Debug)]
pub struct GitTarget {
    /// The URL, as written.
    pub url: String,
    /// The branch's name.
    pub branch: String,
    /// The file or folder.
    pub path: String,
    /// The Secret with the credential.
    pub secret: Option<String>,
    /// The Secret with the CA.
    pub ca_secret: Option<String>,
    /// The commit's author.
    pub author: Person,
    /// The commit's committer.
    pub committer: Person,
    /// The commit's subject.
    pub subject: SubjectTemplate,
    /// Whether the commit carries `skip-checks: true`.
    pub skip_checks: bool,
}

impl Resource {
    /// Whether an Application in the cluster is looked at, to see whether an update did harm.
    pub fn watches_health(&self) -> bool {
        let has_application = matches!(self.target, Locator::Field { .. });
        has_application
            && self.deploy != Deploy::GitOnly
            && self.updates.on_unhealthy != OnUnhealthy::Continue
    }
}

impl TryFrom<ImageGitOps> for Resource {
    type Error = SpecError;

    fn try_from(document: ImageGitOps) -> Result<Self, SpecError> {
        expect("apiVersion", spec::API_VERSION, document.api_version)?;
        expect("kind", spec::KIND, document.kind)?;
        // Where the document names its namespace, the Application is looked for in that one.
        let namespace = document.metadata.namespace.clone();
        let id = ResourceId {
            namespace: name(
                "metadata.namespace",
                document.metadata.namespace.unwrap_or_else(|| "default".into()),
            )?,
            name: name("metadata.name", document.metadata.name)?,
        };
        let spec = document.spec;
        let image = Repository::new(&spec.image).map_err(at("spec.image"))?;
        let filter =
            TagFilter::new(spec.tags.pattern.as_deref(), spec.tags.extract.as_deref(), &spec.tags.exclude)
                .map_err(at("spec.tags"))?;
        let target = target(spec.target, &id, namespace)?;
        let author = person("spec.git.author", spec.git.author)?.unwrap_or_default();
        if spec.git.path.trim_matches('/').is_empty() {
            return Err(at("spec.git.path")(SpecReason::Empty(
                "name the file, or a folder, as in kubevela/app.yaml",
            )));
        }
        if spec.git.url.trim().is_empty() {
            return Err(at("spec.git.url")(SpecReason::Empty(
                "name the repository, as in https://github.com/owner/name",
            )));
        }
        Ok(Self {
            image,
            interval: interval(spec.interval.as_deref())?,
            suspend: spec.suspend,
            registry: RegistryAccess {
                secret: secret("spec.registry.secretRef", spec.registry.secret_ref)?,
                ca_secret: secret("spec.registry.caSecretRef", spec.registry.ca_secret_ref)?,
                insecure: spec.registry.insecure,
            },
            signers: spec.verify.map(Signers::new).transpose()?,
            platforms: platforms(&spec.tags.platforms)?,
            allow_downgrade: spec.policy.allow_downgrade,
            rules: Rules { filter, policy: policy(spec.policy)? },
            git: GitTarget {
                url: spec.git.url,
                branch: spec.git.branch,
                path: spec.git.path,
                secret: secret("spec.git.secretRef", spec.git.secret_ref)?,
                ca_secret: secret("spec.git.caSecretRef", spec.git.ca_secret_ref)?,
                committer: person("spec.git.committer", spec.git.committer)?
                    .unwrap_or_else(|| author.clone()),
                author,
                subject: SubjectTemplate::new(spec.git.subject.as_deref()).map_err(at("spec.git.subject"))?,
                skip_checks: spec.git.skip_checks,
            },
            target,
            deploy: spec.deploy,
            updates: updates::updates(spec.updates)?,
            id,
        })
    }
}
