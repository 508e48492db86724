//! How long to wait: after a pass that failed, and for a host that asks to be left alone.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use image_gitops_core::reason::{Reason, Retry};
use jiff::Timestamp;

/// The wait after the first failure that may heal by itself. It doubles with each, up to the interval.
const FIRST: Duration = Duration::from_secs(5);
/// How much later, in milliseconds at most, what waits for a moment is looked at.
const SLACK: u64 = 500;
/// The longest that a server's wish is granted: a day. A wrong clock somewhere must not stop updates for ever.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// When a resource is to be looked at again, as the `failures`th pass in a row came to `reason`.
pub(super) fn wait(reason: Reason, failures: u32, interval: Duration) -> Duration {
    match reason.retry() {
        Retry::Soon => (FIRST * 2_u32.saturating_pow(failures.min(12).saturating_sub(1))).min(interval),
        Retry::AtInterval | Retry::OnChange => interval,
    }
}

/// The time to a moment, and a little more: many resources may wait for the same one.
pub(crate) fn until(at: Timestamp) -> Duration {
    let left = Duration::try_from(at.duration_since(Timestamp::now())).unwrap_or_default();
    left + Duration::from_millis(fastrand::u64(0..=SLACK))
}

/// Registries that asked to be left alone, for all branches together.
#[derive(Default)]
pub(super) struct Holds(Mutex<HashMap<String, Instant>>);

impl Holds {
    /// Leaves `host` alone for as long as it asked.
    pub(super) fn hold(&self, host: &str, asked: Duration) {
        let until = Instant::now() + asked.min(LONGEST);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(host.to_owned(), until);
    }

    /// How long `host` is still to be left alone.
    pub(super) fn left(&self, host: &str) -> Option<Duration> {
        let mut holds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let left = holds.get(host)?.checked_duration_since(Instant::now());
        if left.is_none() {
            holds.remove(host);
        }
        left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_heal_is_tried_soon_and_less_often_with_each_failure() {
        let minutes = |n: u64| Duration::from_secs(60 * n);
        let waits: Vec<u64> =
            (1..=7).map(|n| wait(Reason::GitUnreachable, n, minutes(2)).as_secs()).collect();
        assert_eq!(waits, [5, 10, 20, 40, 80, 120, 120]);
        assert_eq!(wait(Reason::GitUnreachable, u32::MAX, minutes(60)), minutes(60));
        assert_eq!(wait(Reason::GitDenied, 1, minutes(2)), minutes(2));
        assert_eq!(wait(Reason::UpToDate, 0, minutes(2)), minutes(2));
    }

    #[test]
    fn a_host_is_left_alone_for_as_long_as_it_asked() {
        let holds = Holds::default();
        assert_eq!(holds.left("ghcr.io"), None);
        holds.hold("ghcr.io", Duration::from_secs(60));
        assert!(holds.left("ghcr.io").is_some_and(|left| left > Duration::from_secs(50)));
        holds.hold("ghcr.io", Duration::ZERO);
        assert_eq!(holds.left("ghcr.io"), None);
        holds.hold("ghcr.io", Duration::MAX);
        assert!(holds.left("ghcr.io").is_some_and(|left| left <= LONGEST));
    }
}
