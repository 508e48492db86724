//! How many requests are taken in a second, whoever sends them: a bucket that fills by itself.

use std::{
    sync::{Mutex, PoisonError},
    time::Instant,
};

/// Requests a second, in the long run.
const PER_SECOND: f64 = 100.0;
/// Requests at once, after a quiet time: a whole cluster's steps may come together.
const AT_ONCE: f64 = 400.0;

/// A bucket of permissions.
pub(super) struct Rate(Mutex<(f64, Instant)>);

impl Default for Rate {
    fn default() -> Self {
        Self(Mutex::new((AT_ONCE, Instant::now())))
    }
}

impl Rate {
    /// Takes a permission, if there is one.
    pub(super) fn admits(&self, now: Instant) -> bool {
        let mut bucket = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (left, since) = *bucket;
        let left = (left + PER_SECOND * now.duration_since(since).as_secs_f64()).min(AT_ONCE);
        let admitted = left >= 1.0;
        *bucket = (if admitted { left - 1.0 } else { left }, now.max(since));
        admitted
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_flood_is_cut_and_comes_again_at_its_rate() {
        let (rate, start) = (Rate::default(), Instant::now());
        let admitted = |at: Instant, sent: usize| (0..sent).filter(|_| rate.admits(at)).count();
        assert_eq!(admitted(start, 1000), 400);
        let later = start + Duration::from_secs(1);
        assert_eq!(admitted(later, 1000), 100);
        assert_eq!(admitted(later + Duration::from_secs(3600), 1000), 400, "a quiet hour saves no more");
    }
}
