//! When a decision is carried out: once the tag is old enough ([`crate::age`]), within the windows of `spec.updates`.
//!
//! Only what would be written waits. Everything is observed and decided as always, so that a report says what waits, and
//! until when.

use std::time::Duration;

use jiff::{Timestamp, tz::TimeZone};

use crate::{
    decide::{Decision, Outcome},
    image::Tag,
    resource::Updates,
    schedule::{Closed, in_words},
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
    /// It is too young, and so is everything else above the floor.
    #[error("{}", young(.tag, *.until, *.least))]
    Young {
        /// The newest tag.
        tag: Tag,
        /// When it is old enough, where that is known.
        until: Option<Timestamp>,
        /// How old it must be.
        least: Duration,
    },
}

impl Wait {
    /// The tag that waits.
    pub fn tag(&self) -> &Tag {
        match self {
            Self::Closed { tag, .. } | Self::Young { tag, .. } => tag,
        }
    }
}

/// Has an update wait for the next window where none is open at `now`.
pub fn for_window(updates: &Updates, decision: &mut Decision, now: Timestamp) {
    if let (Outcome::Update(tag), Some(closed)) = (&decision.outcome, updates.schedule.closed(now)) {
        decision.wake = closed.opens.as_ref().map(|opens| opens.timestamp());
        decision.outcome = Outcome::Wait(Wait::Closed { tag: tag.clone(), closed });
    }
}

/// That a tag is too young, in words.
pub(crate) fn young(tag: &Tag, until: Option<Timestamp>, least: Duration) -> String {
    let least = length(least);
    match until {
        Some(until) => {
            format!("{tag} waits until {}: it must be {least} old", in_words(&until.to_zoned(TimeZone::UTC)))
        }
        None => format!("{tag} waits: it must be {least} old, and its image does not say when it was made"),
    }
}

/// A length of time as a resource writes it: `1h30m`.
fn length(time: Duration) -> String {
    let seconds = time.as_secs();
    let parts = [(seconds / 3600, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s")];
    parts.iter().filter(|(count, _)| *count > 0).map(|(count, unit)| format!("{count}{unit}")).collect()
}
