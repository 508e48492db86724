//! One listing of an image's tags for all who ask at the same time, or while somebody holds on to it.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use image_gitops_core::image::Repository;
use image_gitops_registry::{Registry, TagList};
use tokio::sync::OnceCell;

use crate::report::Failure;

/// One answer of the registry, once it is there.
type Answer = Arc<OnceCell<Result<TagList, Failure>>>;

/// The tags of one image. Nothing is kept: who asks after an answer has arrived asks the registry again, unless
/// somebody [holds](Self::hold) the answer.
#[derive(Debug)]
pub(crate) struct Listing {
    registry: Registry,
    image: Repository,
    /// What is under way or held, if somebody still wants it.
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

    /// Keeps the next answer for as long as what is returned: until then, everybody is given that one.
    pub(crate) fn hold(&self) -> Held {
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        Held(under_way.upgrade().unwrap_or_else(|| {
            let new = Arc::new(OnceCell::new());
            *under_way = Arc::downgrade(&new);
            new
        }))
    }

    /// The tags, from the request that is under way or held where there is one.
    pub(crate) async fn tags(&self) -> Result<TagList, Failure> {
        let Held(shared) = self.hold();
        let list = shared.get_or_init(async || self.registry.tags(&self.image).await.map_err(Failure::from));
        list.await.clone()
    }
}

/// An answer of the registry that is kept, whether it has arrived or not.
#[derive(Debug)]
pub(crate) struct Held(Answer);
