//! A validated `ImageGitOps`. Everything past this module works on [`Resource`]; nobody reads the raw spec again.

use std::{fmt, time::Duration};

use crate::{
    image::{ImageError, Repository},
    message::{SubjectError, SubjectTemplate},
    policy::{Policy, PolicyError},
    select::Rules,
    spec::{self, Deploy, ImageGitOps, Person, PolicySpec, TargetSpec},
    tags::{FilterError, TagFilter},
    yaml::{FieldPath, FieldPathError, Locator},
};

/// The least time between two reads of a registry.
pub const LEAST_INTERVAL: Duration = Duration::from_secs(10);
/// The longest time between two reads of a registry: a year, which clocks can still add up.
pub const LONGEST_INTERVAL: Duration = Duration::from_secs(365 * 24 * 3600);
/// The time between two reads of a registry where the resource names none.
pub const DEFAULT_INTERVAL: Duration = Duration::from_secs(120);
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
    /// Too short a time.
    #[error("{0:?} is shorter than 10s, the least that registries bear")]
    IntervalTooShort(String),
    /// Too long a time.
    #[error("{0:?} is longer than a year; to stop updates, set suspend: true")]
    IntervalTooLong(String),
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
    /// Not a subject.
    #[error(transparent)]
    Subject(#[from] SubjectError),
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
    /// Whether the tag in Git is no floor.
    pub allow_downgrade: bool,
    /// The repository that holds the file.
    pub git: GitTarget,
    /// Where in the file the image stands.
    pub target: Locator,
    /// How the cluster follows.
    pub deploy: Deploy,
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
            id,
        })
    }
}

fn at<E: Into<SpecReason>>(field: &'static str) -> impl FnOnce(E) -> SpecError {
    move |reason| SpecError { field, reason: reason.into() }
}

fn expect(field: &'static str, expected: &'static str, found: String) -> Result<(), SpecError> {
    if found == expected { Ok(()) } else { Err(at(field)(SpecReason::Unexpected { expected, found })) }
}

/// A name as Kubernetes takes it (RFC 1123 subdomain). It ends up in commit trailers, so no white space gets through.
fn name(field: &'static str, text: String) -> Result<String, SpecError> {
    let alphanumeric = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let edges =
        text.as_bytes().first().is_some_and(alphanumeric) && text.as_bytes().last().is_some_and(alphanumeric);
    let inner = text.as_bytes().iter().all(|b| alphanumeric(b) || matches!(b, b'-' | b'.'));
    if edges && inner && text.len() <= 253 { Ok(text) } else { Err(at(field)(SpecReason::Name(text))) }
}

fn secret(field: &'static str, reference: Option<spec::SecretRef>) -> Result<Option<String>, SpecError> {
    reference.map(|r| name(field, r.name)).transpose()
}

fn person(field: &'static str, person: Option<Person>) -> Result<Option<Person>, SpecError> {
    if let Some(person) = &person {
        for text in [&person.name, &person.email] {
            if text.trim().is_empty() {
                return Err(at(field)(SpecReason::Empty("a commit needs a name and an address")));
            }
            if text.contains(['<', '>', '\n', '\r', '\0']) {
                return Err(at(field)(SpecReason::Person(text.clone())));
            }
        }
    }
    Ok(person)
}

fn interval(text: Option<&str>) -> Result<Duration, SpecError> {
    text.map_or(Ok(DEFAULT_INTERVAL), |text| parse_interval(text).map_err(at("spec.interval")))
}

/// Parses `1h30m`, `2m`, `10s`, as Kubernetes writes lengths of time. Less than [`LEAST_INTERVAL`] is refused, and more
/// than [`LONGEST_INTERVAL`].
pub fn parse_interval(text: &str) -> Result<Duration, SpecReason> {
    let malformed = || SpecReason::Interval(text.to_owned());
    let mut seconds: u64 = 0;
    let mut rest = text;
    let mut last_unit = u64::MAX;
    while !rest.is_empty() || text.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, tail) = rest.split_at(digits);
        let (unit, tail) = match tail.as_bytes().first() {
            Some(b'h') => (3600, tail.get(1..)),
            Some(b'm') => (60, tail.get(1..)),
            Some(b's') => (1, tail.get(1..)),
            _ => return Err(malformed()),
        };
        // Each unit once, the largest first: `2m2m` is more likely a slip than a wish.
        if unit >= last_unit {
            return Err(malformed());
        }
        last_unit = unit;
        let number: u64 = number.parse().map_err(|_| malformed())?;
        seconds = number.checked_mul(unit).and_then(|n| seconds.checked_add(n)).ok_or_else(malformed)?;
        rest = tail.unwrap_or_default();
    }
    let interval = Duration::from_secs(seconds);
    match interval {
        _ if interval < LEAST_INTERVAL => Err(SpecReason::IntervalTooShort(text.to_owned())),
        _ if interval > LONGEST_INTERVAL => Err(SpecReason::IntervalTooLong(text.to_owned())),
        _ => Ok(interval),
    }
}

fn policy(spec: PolicySpec) -> Result<Policy, SpecError> {
    let flux = [spec.numerical.is_some(), spec.alphabetical.is_some(), spec.semver.is_some()];
    let own = spec.sort.is_some() || spec.order.is_some() || spec.range.is_some();
    match flux.iter().filter(|given| **given).count() {
        0 => {}
        1 if own => {
            return Err(at("spec.policy")(SpecReason::Conflict(
                "`sort`, `order` and `range` are one shape, `numerical`, `alphabetical` and `semver` another: keep one",
            )));
        }
        1 => {}
        _ => {
            return Err(at("spec.policy")(SpecReason::Conflict(
                "keep one of `numerical`, `alphabetical`, `semver`",
            )));
        }
    }
    let policy = if let Some(flux) = spec.numerical {
        Policy::flux_numerical(flux.order.as_deref())
    } else if let Some(flux) = spec.alphabetical {
        Policy::flux_alphabetical(flux.order.as_deref())
    } else if let Some(flux) = spec.semver {
        Policy::flux_semver(&flux.range)
    } else {
        Policy::new(spec.sort.as_deref(), spec.order.as_deref(), spec.range.as_deref())
    };
    policy.map_err(at("spec.policy"))
}

fn target(
    spec: Option<TargetSpec>,
    id: &ResourceId,
    namespace: Option<String>,
) -> Result<Locator, SpecError> {
    let conflict = |text| Err(at("spec.target")(SpecReason::Conflict(text)));
    let Some(spec) = spec else {
        return Ok(Locator::Marker { policy: format!("{}:{}", id.namespace, id.name) });
    };
    match (spec.marker, spec.application, spec.component) {
        (Some(policy), None, None) if spec.path.is_none() => match policy.split_once(':') {
            Some((namespace, marker_name)) if !namespace.is_empty() && !marker_name.is_empty() => {
                Ok(Locator::Marker { policy })
            }
            _ => conflict(
                "`marker` is written namespace:name, as in the comment {\"$imagepolicy\": \"namespace:name\"}",
            ),
        },
        (Some(_), _, _) => conflict("`marker` stands alone, without `application`, `component` and `path`"),
        (None, Some(application), Some(component)) if !application.is_empty() && !component.is_empty() => {
            Ok(Locator::Field {
                application,
                namespace,
                component,
                path: FieldPath::new(spec.path.as_deref().unwrap_or(DEFAULT_FIELD))
                    .map_err(at("spec.target.path"))?,
            })
        }
        _ => conflict(
            "name `application` and `component`, or give a `marker`, or leave `target` out to use markers of this resource's name",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(text: &str) -> Option<u64> {
        interval(Some(text)).ok().map(|d| d.as_secs())
    }

    #[test]
    fn an_interval_is_written_as_kubernetes_does() {
        assert_eq!(interval(None).unwrap(), DEFAULT_INTERVAL);
        assert_eq!(seconds("10s"), Some(10));
        assert_eq!(seconds("2m"), Some(120));
        assert_eq!(seconds("1h30m"), Some(5400));
        assert_eq!(seconds("8760h"), Some(365 * 24 * 3600));
        for bad in [
            "",
            "2",
            "m",
            "2d",
            "-2m",
            "2m2m",
            "1.5m",
            "99999999999999999999h",
            "5000000000000000h",
            "8760h1s",
            "9s",
            "0m",
            "2 m",
        ] {
            assert_eq!(seconds(bad), None, "{bad:?} was taken");
        }
    }

    #[test]
    fn names_that_could_forge_a_trailer_are_refused() {
        for bad in ["", "A", "a b", "a\nb", "-a", "a-", "é", &"a".repeat(254)] {
            assert!(name("metadata.name", bad.to_owned()).is_err(), "{bad:?} was taken");
        }
        assert!(name("metadata.name", "backoffice-dev.back-2".into()).is_ok());
    }

    #[test]
    fn the_same_order_word_keeps_the_meaning_of_the_shape_it_is_written_in() {
        let own =
            |order: &str| policy(PolicySpec { order: Some(order.into()), ..PolicySpec::default() }).unwrap();
        let flux = |order: &str| {
            let numerical = Some(spec::FluxOrder { order: Some(order.into()) });
            policy(PolicySpec { numerical, ..PolicySpec::default() }).unwrap()
        };
        assert_eq!(own("desc").to_string(), flux("asc").to_string());
        assert_eq!(own("asc").to_string(), flux("desc").to_string());
        assert_ne!(own("asc").to_string(), own("desc").to_string());
    }
}
