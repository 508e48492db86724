//! The plan's bytes: which files change, to what, and the commit's message.

use std::collections::BTreeMap;

use image_gitops_core::{
    decide,
    image::ImageRef,
    message::{self, Written},
    yaml::{Change, Locator, Site},
};
use image_gitops_git::RepoPath;

use super::{
    place::{Files, Place},
    plan::Planned,
};
use crate::report::{Failure, FileDiff};

/// The image that is written for one resource, and where.
struct Update {
    image: ImageRef,
    changes: Vec<(Place, Change)>,
}

/// What a commit is made of.
#[derive(Default)]
pub(crate) struct Edit {
    /// New bytes by path.
    pub(crate) files: Vec<(RepoPath, Vec<u8>)>,
    pub(crate) diffs: Vec<FileDiff>,
    pub(crate) message: String,
}

/// Edits the files in memory. A file that cannot be edited fails the resources that wanted it, and only these.
pub(crate) fn make(jobs: &mut [Planned<'_>], files: &mut Files<'_>) -> Edit {
    loop {
        let updates: Vec<Option<Update>> = jobs.iter().map(update).collect();
        match try_make(jobs, &updates, files) {
            Ok(edit) => return edit,
            Err((path, failure)) => {
                // Each turn fails at least one resource, so that this ends.
                let mut failed = false;
                for (planned, update) in jobs.iter_mut().zip(&updates) {
                    if update.as_ref().is_some_and(|u| u.changes.iter().any(|(place, _)| place.path == path))
                    {
                        planned.decision = Err(failure.clone());
                        failed = true;
                    }
                }
                if !failed {
                    return Edit::default();
                }
            }
        }
    }
}

/// What is written for one resource; `None` where nothing is.
fn update(planned: &Planned<'_>) -> Option<Update> {
    let (tag, digest) = (planned.wants()?, planned.digest.as_ref()?);
    let resource = &planned.job.resource;
    let changes = planned
        .places
        .iter()
        .flat_map(|place| {
            let changes = decide::changes(resource, std::slice::from_ref(&place.site), tag, digest);
            changes.into_iter().map(|change| (place.clone(), change))
        })
        .collect();
    let image = ImageRef { repository: resource.image.clone(), tag: Some(tag.clone()), digest: None };
    Some(Update { image, changes })
}

type FileFailure = (RepoPath, Failure);

fn try_make(
    jobs: &[Planned<'_>],
    updates: &[Option<Update>],
    files: &mut Files<'_>,
) -> Result<Edit, FileFailure> {
    let mut by_file: BTreeMap<RepoPath, Vec<Change>> = BTreeMap::new();
    // KubeVela ignores a changed spec until its publishVersion changes too: where each stands, and the images it is for.
    let mut versions: BTreeMap<(RepoPath, usize), (Site, Vec<ImageRef>)> = BTreeMap::new();
    for update in updates.iter().flatten() {
        for (place, change) in &update.changes {
            by_file.entry(place.path.clone()).or_default().push(change.clone());
            let Some(Ok(manifest)) = files.manifest(&place.path) else { continue };
            let version = manifest.publish_version(&place.site);
            if let Some(site) = version.map_err(|error| (place.path.clone(), Failure::from(error)))? {
                let key = (place.path.clone(), site.span.start);
                let (_, images) = versions.entry(key).or_insert_with(|| (site, Vec::new()));
                if !images.contains(&update.image) {
                    images.push(update.image.clone());
                }
            }
        }
    }
    for ((path, _), (site, images)) in versions {
        let change = Change { site, value: decide::publish_version(&images) };
        by_file.entry(path).or_default().push(change);
    }
    let mut edit = Edit { message: compose(jobs, updates), ..Edit::default() };
    for (path, changes) in by_file {
        let edited = match files.manifest(&path) {
            Some(Ok(manifest)) => manifest.edit(&changes),
            _ => continue,
        };
        let new = edited.map_err(|error| (path.clone(), Failure::from(error)))?;
        edit.diffs.push(FileDiff::new(&path, files.bytes(&path), &new));
        edit.files.push((path, new));
    }
    Ok(edit)
}

fn compose(jobs: &[Planned<'_>], updates: &[Option<Update>]) -> String {
    let changed: Vec<(&Planned<'_>, &Update)> =
        jobs.iter().zip(updates).filter_map(|(planned, update)| Some((planned, update.as_ref()?))).collect();
    let written: Vec<Written<'_>> = changed
        .iter()
        .map(|(planned, update)| {
            let resource = &planned.job.resource;
            let (application, component) = match &resource.target {
                Locator::Field { application, component, .. } => {
                    (Some(application.as_str()), Some(component.as_str()))
                }
                Locator::Marker { .. } => (None, None),
            };
            let mut old: Vec<&str> =
                update.changes.iter().map(|(_, change)| change.site.value.as_str()).collect();
            old.sort_unstable();
            old.dedup();
            Written {
                resource: &resource.id,
                image: &update.image,
                undoes: planned.undoes().map(|revert| (&revert.from, revert.why.as_str())),
                old,
                digest: planned.digest.as_ref(),
                signer: planned.signer.as_ref().map(ToString::to_string),
                file: update.changes.first().map(|(place, _)| place.path.as_str()).unwrap_or_default(),
                places: update.changes.iter().map(|(p, c)| format!("{}:{}", p.path, c.site.line)).collect(),
                policy: resource.rules.policy.to_string(),
                application,
                component,
            }
        })
        .collect();
    let Some((first, _)) = changed.first() else { return String::new() };
    let skip_checks = changed.iter().all(|(planned, _)| planned.job.resource.git.skip_checks);
    message::compose(&first.job.resource.git.subject, &written, skip_checks)
}
