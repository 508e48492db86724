//! The resources of the cluster as they were last seen, and what the last pass came to for each.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use image_gitops_core::{image::Repository, reason::Reason, resource::ResourceId, yaml::Locator};
use image_gitops_kube::{Followed, Status, Stored};

use super::branches::BranchKey;
use crate::pipeline::after::Says;

/// What the last pass came to for one resource.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    /// The request up to which this answers, see [`super::branches`].
    pub(super) ticket: u64,
    pub(super) reason: Reason,
    pub(super) message: String,
    pub(super) says: Option<Says>,
    pub(super) digest: Option<String>,
    pub(super) commit: Option<String>,
    /// What became of the Application; `None` where it is not followed.
    pub(super) followed: Option<Followed>,
}

#[derive(Default)]
struct Inner {
    resources: BTreeMap<ResourceId, Arc<Stored>>,
    outcomes: BTreeMap<ResourceId, Outcome>,
    /// Whether all resources that there are were seen once.
    complete: bool,
}

/// What this replica knows. It is a cache: all of it is in the cluster and in Git.
#[derive(Default)]
pub(super) struct Store(Mutex<Inner>);

impl Store {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        // What is written under the lock is whole after each statement, whoever panicked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a resource as the cluster has it now. Tells whether it wants to be looked at: it is new, its spec changed, or
    /// somebody annotated it.
    pub(super) fn put(&self, stored: Stored) -> (Arc<Stored>, bool) {
        let stored = Arc::new(stored);
        let mut inner = self.inner();
        let before = inner.resources.insert(stored.id.clone(), stored.clone());
        let wish = match &before {
            Some(before) if before.uid == stored.uid => {
                before.generation != stored.generation || before.sync != stored.sync
            }
            _ => {
                inner.outcomes.remove(&stored.id);
                true
            }
        };
        (stored, wish)
    }

    pub(super) fn remove(&self, id: &ResourceId) {
        let mut inner = self.inner();
        inner.resources.remove(id);
        inner.outcomes.remove(id);
    }

    /// Forgets all but `ids`.
    pub(super) fn keep(&self, ids: &BTreeSet<ResourceId>) {
        let mut inner = self.inner();
        inner.resources.retain(|id, _| ids.contains(id));
        inner.outcomes.retain(|id, _| ids.contains(id));
    }

    pub(super) fn set_complete(&self) {
        self.inner().complete = true;
    }

    /// Whether all resources that there are were seen once.
    pub(super) fn is_complete(&self) -> bool {
        self.inner().complete
    }

    /// How many resources there are, and how many of them are as they should be.
    pub(super) fn counts(&self) -> (usize, usize) {
        let inner = self.inner();
        let ready = |stored: &&Arc<Stored>| stored.status.ready().is_some_and(|ready| ready.status == "True");
        (inner.resources.len(), inner.resources.values().filter(ready).count())
    }

    pub(super) fn get(&self, id: &ResourceId) -> Option<Arc<Stored>> {
        self.inner().resources.get(id).cloned()
    }

    /// What was last written of a resource, whether the watch told it yet or not.
    pub(super) fn status(&self, stored: &Stored) -> Status {
        self.get(&stored.id).map_or_else(|| stored.status.clone(), |now| now.status.clone())
    }

    /// Whether a resource is still there, with the spec that `stored` has.
    pub(super) fn is_current(&self, stored: &Stored) -> bool {
        self.get(&stored.id).is_some_and(|now| now.uid == stored.uid && now.generation == stored.generation)
    }

    fn find(&self, fits: impl Fn(&Stored) -> bool) -> Vec<Arc<Stored>> {
        self.inner().resources.values().filter(|stored| fits(stored)).cloned().collect()
    }

    /// The resources that write one branch.
    pub(super) fn of_branch(&self, key: &BranchKey) -> Vec<Arc<Stored>> {
        self.find(|stored| BranchKey::of(stored).as_ref() == Some(key))
    }

    /// The resources that an Application is the target of, or that it renders.
    pub(super) fn of_application(&self, namespace: &str, name: &str) -> Vec<Arc<Stored>> {
        self.find(|stored| {
            stored.id.namespace == namespace
                && (stored.renderer.as_deref() == Some(name)
                    || target(stored).is_some_and(|(app, _)| app == name))
        })
    }

    /// The resources that keep an Application up to date, or one component of it.
    pub(super) fn of_component(
        &self,
        namespace: &str,
        name: &str,
        component: Option<&str>,
    ) -> Vec<Arc<Stored>> {
        self.find(|stored| {
            stored.id.namespace == namespace
                && target(stored)
                    .is_some_and(|(app, part)| app == name && component.is_none_or(|c| c == part))
        })
    }

    /// The resources that watch an image.
    pub(super) fn of_image(&self, image: &Repository) -> Vec<Arc<Stored>> {
        self.find(|stored| stored.resource.as_ref().is_ok_and(|resource| resource.image == *image))
    }

    /// Keeps what was written to the cluster, so that the next pass builds on it whether the watch told it or not.
    pub(super) fn set_status(&self, id: &ResourceId, uid: &str, status: Status) {
        let mut inner = self.inner();
        if let Some(stored) = inner.resources.get_mut(id).filter(|stored| stored.uid == uid) {
            Arc::make_mut(stored).status = status;
        }
    }

    pub(super) fn set_outcome(&self, id: &ResourceId, outcome: Outcome) {
        let mut inner = self.inner();
        if inner.resources.contains_key(id) {
            inner.outcomes.insert(id.clone(), outcome);
        }
    }

    pub(super) fn outcome(&self, id: &ResourceId) -> Option<Outcome> {
        self.inner().outcomes.get(id).cloned()
    }
}

/// The Application and component that a resource keeps up to date.
pub(super) fn target(stored: &Stored) -> Option<(&str, &str)> {
    match &stored.resource.as_ref().ok()?.target {
        Locator::Field { application, component, .. } => Some((application, component)),
        Locator::Marker { .. } => None,
    }
}
