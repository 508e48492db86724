//! One listing of an image's tags for all who ask at the same time.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use image_gitops_core::image::Repository;
use image_gitops_registry::{Registry, TagList};
use tokio::sync::OnceCell;

use crate::report::Failure;

/// The tags of one image. Nothing is kept: who asks after an answer has arrived asks the registry again.
#[derive(Debug)]
pub(crate) struct Listing {
    registry: Registry,
    image: Repository,
    /// What is under way, if somebody still waits for it.
    under_way: Mutex<Weak<OnceCell<Result<TagList, Failure>>>>,
}

impl Listing {
    pub(crate) fn new(registry: Registry, image: Repository) -> Self {
        Self { registry, image, under_way: Mutex::default() }
    }

    /// Whether it is the list of this image, read with this access.
    pub(crate) fn is_of(&self, registry: &Registry, image: &Repository) -> bool {
        self.registry == *registry && self.image == *image
    }

    /// The tags, from the request that is under way where there is one.
    pub(crate) async fn tags(&self) -> Result<TagList, Failure> {
        let shared = {
            let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
            under_way.upgrade().unwrap_or_else(|| {
                let new = Arc::new(OnceCell::new());
                *under_way = Arc::downgrade(&new);
                new
            })
        };
        let list = shared.get_or_init(async || self.registry.tags(&self.image).await.map_err(Failure::from));
        list.await.clone()
    }
}
