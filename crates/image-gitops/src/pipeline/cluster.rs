//! What a pass in a cluster knows of its resources besides registry and Git.

use std::collections::BTreeMap;

use image_gitops_core::{age::Seen, health::Rollout, resource::ResourceId};

use super::plan::Planned;
use crate::report::Failure;

/// What was kept of one resource.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kept {
    /// The tags above the floor, and since when.
    pub(crate) seen: Vec<Seen>,
    /// How the component is with the image in the cluster, where that is looked at.
    pub(crate) rollout: Option<Rollout>,
    /// Whether it was looked at before.
    pub(crate) was_looked_at: bool,
}

/// The resources of the cluster as they are while a pass is under way.
pub(crate) struct Beside<'c> {
    /// What their status keeps.
    pub(crate) kept: BTreeMap<ResourceId, Kept>,
    /// Whether a resource is still the one that the pass works for.
    pub(crate) is_current: &'c (dyn Fn(&ResourceId) -> bool + Send + Sync),
}

impl Beside<'_> {
    /// Takes back what was decided for resources that changed meanwhile: a person who suspends one is obeyed at once.
    pub(super) fn drop_outdated(&self, jobs: &mut [Planned<'_>]) {
        for planned in jobs.iter_mut().filter(|planned| planned.wants().is_some()) {
            if !(self.is_current)(&planned.job.resource.id) {
                planned.decision = Err(Failure::Outdated);
            }
        }
    }
}
