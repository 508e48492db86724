//! What the branch says once a pass has ended: the value that the Application in a cluster is to hold.

use image_gitops_core::{
    image::ImageRef,
    message,
    yaml::{Locator, Manifest, Part},
};
use image_gitops_git::Snapshot;

use super::{edit::Edit, plan::Planned};

/// What a component's place says in Git.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Says {
    /// The value itself, as the cluster is to hold it.
    pub(crate) value: String,
    /// The image that it means, `repository:tag`, and the tag.
    pub(crate) image: Option<(String, String)>,
    /// The Application's `publishVersion`, where it has one.
    pub(crate) publish_version: Option<String>,
    /// Our commit that wrote the image, where it is the branch's newest: a pass that was cut short made it.
    pub(crate) commit: Option<String>,
}

impl Says {
    /// Reads the place of a resource as the branch holds it now: from `edit` where that landed, else from the snapshot.
    /// `None` where there is no one place, or it could not be read; why stands in the decision then.
    pub(crate) fn of(planned: &Planned<'_>, snapshot: &Snapshot, edit: Option<&Edit>) -> Option<Self> {
        let place = planned.places.first()?;
        let edited = edit.and_then(|edit| edit.files.iter().find(|(path, _)| *path == place.path));
        let bytes = match edited {
            Some((_, bytes)) => bytes.as_slice(),
            None => snapshot.files.get(&place.path)?.bytes.as_slice(),
        };
        let manifest = Manifest::parse(place.path.as_str(), bytes).ok()?;
        let sites = manifest.locate(&planned.job.resource.target).ok()?;
        let repository = &planned.job.resource.image;
        let tag = sites.iter().find_map(|site| match site.part {
            Part::Reference => ImageRef::parse(&site.value).ok()?.tag.map(|tag| tag.to_string()),
            Part::Tag => Some(site.value.clone()),
            Part::Name | Part::Digest => None,
        });
        let site = sites.first()?;
        let ours = |message: &str| {
            let job = planned.job;
            let written = message::last_written([message], &job.resource.id, job.path.as_str());
            written.is_some_and(|last| {
                let image = last.image;
                !last.reverted && image.repository == *repository && image.tag.map(|t| t.to_string()) == tag
            })
        };
        let tip = snapshot.known_history().commits.into_iter().next();
        Some(Self {
            commit: tip.filter(|tip| ours(&tip.message)).map(|tip| tip.id.to_string()),
            value: site.value.clone(),
            image: tag.as_ref().map(|tag| (format!("{repository}:{tag}"), tag.clone())),
            publish_version: match planned.job.resource.target {
                Locator::Field { .. } => manifest.publish_version(site).ok()?.map(|site| site.value),
                Locator::Marker { .. } => None,
            },
        })
    }
}
