//! Where a resource's image stands: which file of the snapshot, and which bytes of it.

use std::collections::BTreeMap;

use image_gitops_core::yaml::{Locator, Manifest, Site, mentions};
use image_gitops_git::{RepoPath, Snapshot};

use crate::{job::Job, report::Failure};

/// One place that holds the image.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) path: RepoPath,
    pub(crate) site: Site,
}

/// No place, or more than one where there must be one.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum PlaceError {
    #[error("no file below {path} holds the Application {application} ({files} files were read)")]
    NoApplication { path: RepoPath, application: String, files: usize },
    #[error("the Application {application} stands in {first} and again in {second}")]
    TwoApplications { application: String, first: RepoPath, second: RepoPath },
    #[error("no marker {{\"$imagepolicy\": \"{policy}\"}} in {path} ({found})")]
    NoMarker { path: RepoPath, policy: String, found: String },
    #[error("line {line} of {path} is written by the resource {other} too")]
    Shared { path: RepoPath, line: usize, other: String },
}

impl PlaceError {
    pub(crate) fn hint(&self) -> &'static str {
        match self {
            Self::NoApplication { .. } => {
                "point spec.git.path at the file, and spec.target.application at its metadata.name; its namespace is the resource's"
            }
            Self::TwoApplications { .. } => "point spec.git.path at one of the two files",
            Self::NoMarker { .. } => {
                "write the marker as a comment behind the image, or name spec.target.application and component"
            }
            Self::Shared { .. } => "let one resource keep one place up to date",
        }
    }
}

/// The files of one snapshot, each parsed when it is first looked into.
pub(crate) struct Files<'s> {
    snapshot: &'s Snapshot,
    parsed: BTreeMap<&'s RepoPath, Result<Manifest<'s>, Failure>>,
}

impl<'s> Files<'s> {
    pub(crate) fn new(snapshot: &'s Snapshot) -> Self {
        Self { snapshot, parsed: BTreeMap::new() }
    }

    /// The file at `path`, parsed. Files of the snapshot only.
    pub(super) fn manifest(&mut self, path: &RepoPath) -> Option<&Result<Manifest<'s>, Failure>> {
        let (path, file) = self.snapshot.files.get_key_value(path)?;
        Some(self.parsed.entry(path).or_insert_with(|| Ok(Manifest::parse(&path.to_string(), &file.bytes)?)))
    }

    /// The bytes of the file at `path`, as they are on the branch.
    pub(super) fn bytes(&self, path: &RepoPath) -> &'s [u8] {
        self.snapshot.files.get(path).map(|file| file.bytes.as_slice()).unwrap_or_default()
    }

    /// The places of `job`: exactly one by Application, one or more by marker.
    pub(crate) fn places(&mut self, job: &Job) -> Result<Vec<Place>, Failure> {
        let needle = match &job.resource.target {
            Locator::Field { application, .. } => application,
            Locator::Marker { policy } => policy,
        };
        // A file that does not hold the name's bytes cannot hold the place: it need not even be YAML.
        let candidates: Vec<&RepoPath> = self
            .snapshot
            .files
            .iter()
            .filter(|(path, file)| path.is_at_or_below(&job.path) && mentions(&file.bytes, needle))
            .map(|(path, _)| path)
            .collect();
        match &job.resource.target {
            Locator::Field { application, namespace, .. } => {
                self.application(job, application, namespace.as_deref(), &candidates)
            }
            Locator::Marker { policy } => self.markers(job, policy, &candidates),
        }
    }

    fn application(
        &mut self,
        job: &Job,
        name: &str,
        namespace: Option<&str>,
        candidates: &[&RepoPath],
    ) -> Result<Vec<Place>, Failure> {
        let mut found: Option<&RepoPath> = None;
        let mut broken = None;
        for path in candidates {
            match self.manifest(path) {
                Some(Ok(manifest)) => match manifest.has_application(name, namespace) {
                    Ok(true) => {
                        if let Some(first) = found {
                            return Err(Failure::Place(PlaceError::TwoApplications {
                                application: name.to_owned(),
                                first: first.clone(),
                                second: (*path).clone(),
                            }));
                        }
                        found = Some(path);
                    }
                    Ok(false) => {}
                    Err(error) => broken = broken.or_else(|| Some(error.into())),
                },
                Some(Err(error)) => broken = broken.or_else(|| Some(error.clone())),
                None => {}
            }
        }
        let Some(path) = found.or_else(|| self.only_file(job)) else {
            // A file that names the Application but is not YAML is the likeliest reason of all.
            return Err(broken.unwrap_or_else(|| {
                Failure::Place(PlaceError::NoApplication {
                    path: job.path.clone(),
                    application: namespace.map_or_else(|| name.to_owned(), |space| format!("{space}/{name}")),
                    files: self.snapshot.files.keys().filter(|p| p.is_at_or_below(&job.path)).count(),
                })
            }));
        };
        let sites = match self.manifest(path) {
            Some(Ok(manifest)) => manifest.locate(&job.resource.target)?,
            Some(Err(failure)) => return Err(failure.clone()),
            None => Vec::new(),
        };
        Ok(sites.into_iter().map(|site| Place { path: path.clone(), site }).collect())
    }

    /// The job's path itself, where it is a file: its own error says best what is missing in it.
    fn only_file(&self, job: &Job) -> Option<&'s RepoPath> {
        self.snapshot.files.get_key_value(&job.path).map(|(path, _)| path)
    }

    fn markers(&mut self, job: &Job, policy: &str, candidates: &[&RepoPath]) -> Result<Vec<Place>, Failure> {
        let mut places = Vec::new();
        for path in candidates {
            match self.manifest(path) {
                Some(Ok(manifest)) => {
                    let sites = manifest.locate(&job.resource.target)?;
                    places.extend(sites.into_iter().map(|site| Place { path: (*path).clone(), site }));
                }
                Some(Err(failure)) => return Err(failure.clone()),
                None => {}
            }
        }
        if places.is_empty() {
            return Err(Failure::Place(PlaceError::NoMarker {
                path: job.path.clone(),
                policy: policy.to_owned(),
                found: self.other_markers(job),
            }));
        }
        Ok(places)
    }

    /// Which markers there are instead, in words.
    fn other_markers(&mut self, job: &Job) -> String {
        let paths: Vec<&RepoPath> =
            self.snapshot.files.keys().filter(|path| path.is_at_or_below(&job.path)).collect();
        let mut names = Vec::new();
        for path in paths {
            if let Some(Ok(manifest)) = self.manifest(path) {
                names.extend(manifest.markers().into_iter().map(|marker| marker.policy));
            }
        }
        names.sort();
        names.dedup();
        if names.is_empty() { "it holds none".into() } else { format!("it holds {}", names.join(", ")) }
    }
}
