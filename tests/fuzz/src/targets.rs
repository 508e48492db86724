//! All targets: what of others' words each crate reads.

use image_gitops_core::{
    docker_config::DockerConfig,
    image::{ImageRef, Repository, Tag},
    message::{self, SubjectTemplate},
    policy::Policy,
    resource::{Resource, ResourceId},
    secret::Secret,
    select::Rules,
    spec::ImageGitOps,
    step::StepRequest,
    tags::TagFilter,
    webhook,
    yaml::{Change, FieldPath, Locator, Manifest},
};
use image_gitops_git::{Branch, RemoteUrl, RepoPath};
use serde_json::Value;

/// A name, which is also that of its corpus, and what reads the bytes.
pub type Target = (&'static str, fn(&[u8]));

/// Every target of the workspace.
pub fn all() -> Vec<Target> {
    [
        CORE,
        image_gitops_git::fuzz::HTTP,
        image_gitops_git::fuzz::OBJECTS,
        image_gitops_registry::fuzz::TARGETS,
    ]
    .concat()
}

const CORE: &[Target] = &[
    ("reference", |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let _ = (Repository::new(&text), Tag::new(text.as_ref()), ImageRef::parse(&text));
    }),
    // Three lines and more: the pattern, the template, and tags.
    ("pattern", |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let mut lines = text.lines();
        let (pattern, extract) = (lines.next(), lines.next());
        if let Ok(filter) = TagFilter::new(pattern, extract, &[]) {
            choose(filter, lines);
        }
    }),
    // Tags, one a line, by each policy.
    ("tags", |bytes| {
        let text = String::from_utf8_lossy(bytes);
        if let Ok(filter) = TagFilter::new(None, None, &[]) {
            choose(filter, text.lines());
        }
    }),
    ("range", |bytes| {
        let _ = Policy::flux_semver(&String::from_utf8_lossy(bytes));
    }),
    ("yaml", |bytes| {
        let Ok(manifest) = Manifest::parse("fuzz.yaml", bytes) else { return };
        let mut targets = vec![Locator::Marker { policy: "backoffice-dev:back".into() }];
        if let Ok(path) = FieldPath::new("properties.image") {
            let (application, component) = ("backoffice-dev".into(), "back".into());
            targets.push(Locator::Field { application, namespace: None, component, path });
        }
        for target in targets {
            for site in manifest.locate(&target).unwrap_or_default() {
                let _ = manifest.publish_version(&site);
                let _ = manifest.edit(&[Change { site, value: "ghcr.io/o/n:v2".into() }]);
            }
        }
        let _ = manifest.markers();
    }),
    ("field-path", |bytes| {
        let _ = FieldPath::new(&String::from_utf8_lossy(bytes));
    }),
    ("webhook-ghcr", |bytes| {
        let _ = webhook::parse(webhook::Kind::Ghcr, Some("package"), bytes);
        let _ = webhook::parse(webhook::Kind::Ghcr, Some("registry_package"), bytes);
    }),
    ("webhook-distribution", |bytes| {
        let _ = webhook::parse(webhook::Kind::Distribution, None, bytes);
    }),
    ("webhook-generic", |bytes| {
        let _ = webhook::parse(webhook::Kind::Generic, None, bytes);
    }),
    ("step", |bytes| {
        let _ = StepRequest::parse(bytes);
    }),
    ("resource", |bytes| {
        let text = String::from_utf8_lossy(bytes);
        for document in serde_saphyr::from_multiple::<Value>(&text).unwrap_or_default() {
            if let Ok(document) = serde_json::from_value::<ImageGitOps>(document.clone()) {
                let _ = Resource::try_from(document);
            }
            let _ = Secret::from_manifest(document);
        }
    }),
    ("docker-config", |bytes| {
        let Ok(config) = DockerConfig::parse(bytes) else { return };
        if let Ok(repository) = Repository::new("ghcr.io/owner/name") {
            let _ = (config.credential_for(&repository), config.needs_helper(&repository));
        }
    }),
    ("commit-message", |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let id = ResourceId { namespace: "backoffice-dev".into(), name: "back".into() };
        let _ = message::last_written([text.as_ref()], &id, "kubevela");
        let _ = SubjectTemplate::new(Some(&text));
    }),
    ("git-names", |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let _ = (Branch::new(&text), RepoPath::new(&text), RemoteUrl::parse(&text));
    }),
];

fn choose<'a>(filter: TagFilter, lines: impl Iterator<Item = &'a str>) {
    let tags: Vec<Tag> = lines.filter_map(|line| Tag::new(line).ok()).collect();
    for (sort, range) in [("numerical", None), ("alphabetical", None), ("semver", Some(">=0.1"))] {
        if let Ok(policy) = Policy::new(Some(sort), None, range) {
            let rules = Rules { filter: filter.clone(), policy };
            let _ = rules.select(&tags, &tags.first().into_iter().collect::<Vec<_>>());
        }
    }
}
