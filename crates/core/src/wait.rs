//! When a decision is carried out: within the windows of `spec.updates`.
//!
//! Only what would be written waits. Everything is observed and decided as always, so that a report says what waits, and
//! until when.

use jiff::Timestamp;

use crate::{
    decide::{Decision, Outcome},
    image::Tag,
    resource::Updates,
    schedule::Closed,
};

/// What is waited for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Wait {
    /// No window is open, or a freeze is on.
    #[error("{tag} waits {closed}")]
    Closed {
        /// What would be written.
        tag: Tag,
        /// When it can be.
        closed: Closed,
    },
}

impl Wait {
    /// The tag that waits.
    pub fn tag(&self) -> &Tag {
        match self {
            Self::Closed { tag, .. } => tag,
        }
    }

    /// When it is over, where that is known.
    pub fn until(&self) -> Option<Timestamp> {
        match self {
            Self::Closed { closed, .. } => closed.opens.as_ref().map(|opens| opens.timestamp()),
        }
    }
}

/// Has an update wait for the next window where none is open at `now`.
pub fn for_window(updates: &Updates, decision: &mut Decision, now: Timestamp) {
    if let (Outcome::Update(tag), Some(closed)) = (&decision.outcome, updates.schedule.closed(now)) {
        decision.outcome = Outcome::Wait(Wait::Closed { tag: tag.clone(), closed });
    }
}
