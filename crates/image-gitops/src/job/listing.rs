//! One listing of an image's tags for all who ask at the same time, or while somebody holds on to it.

use std::{
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use image_gitops_core::image::Repository;
use image_gitops_registry::{Registry, TagList};
use tokio::{sync::OnceCell, time::timeout};

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
    /// What somebody had no patience to wait for: kept for whoever asks next.
    late: Mutex<Option<Held>>,
}

impl Listing {
    pub(crate) fn new(registry: Registry, image: Repository) -> Self {
        Self { registry, image, under_way: Mutex::default(), late: Mutex::default() }
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

    /// The tags, from the request that is under way or held where there is one. Where they take longer than `patience`,
    /// it is [`Failure::Late`]; the request goes on, and who asks next is given its answer.
    pub(crate) async fn tags(&self, patience: Option<Duration>) -> Result<TagList, Failure> {
        let late = self.late.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Held(shared) = late.unwrap_or_else(|| self.hold());
        let Some(patience) = patience else {
            return answer(&shared, &self.registry, &self.image).await;
        };
        let (registry, image, kept) = (self.registry.clone(), self.image.clone(), shared.clone());
        let request = tokio::spawn(async move { answer(&shared, &registry, &image).await });
        if let Ok(Ok(answer)) = timeout(patience, request).await {
            return answer;
        }
        *self.late.lock().unwrap_or_else(PoisonError::into_inner) = Some(Held(kept));
        Err(Failure::Late(self.image.registry().to_owned()))
    }
}

async fn answer(shared: &Answer, registry: &Registry, image: &Repository) -> Result<TagList, Failure> {
    shared.get_or_init(async || registry.tags(image).await.map_err(Failure::from)).await.clone()
}

/// An answer of the registry that is kept, whether it has arrived or not.
#[derive(Debug)]
pub(crate) struct Held(Answer);
