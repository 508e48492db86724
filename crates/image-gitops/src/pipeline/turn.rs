//! How many branches are worked on at a time: in all, and of those that wait for the same servers. So a server that hangs
//! holds up those that need it, and nobody else.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError, Weak},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

use crate::job::Group;

/// In all: each takes connections of its own, of which a process may have about 1000.
const AT_A_TIME: usize = 256;
/// Of those that wait for the same servers.
const OF_THE_SAME: usize = 32;

static ALL: Semaphore = Semaphore::const_new(AT_A_TIME);
static SAME: Mutex<Option<HashMap<String, Weak<Semaphore>>>> = Mutex::new(None);

/// A turn, which lasts as long as it is kept.
#[derive(Debug)]
pub(crate) struct Turn {
    // Given back in this order.
    _all: Option<SemaphorePermit<'static>>,
    _same: Option<OwnedSemaphorePermit>,
}

/// Waits for a turn. (That it cannot be had would mean that no more are given; that never happens, and would do no harm.)
pub(crate) async fn turn(group: &Group) -> Turn {
    let same = of(servers(group)).acquire_owned().await.ok();
    Turn { _all: ALL.acquire().await.ok(), _same: same }
}

/// The servers that a group's pass waits for, as one word.
fn servers(group: &Group) -> String {
    let registries = group.jobs.iter().map(|job| job.resource.image.registry().to_owned());
    let all: BTreeSet<String> = registries.chain(group.url.server()).collect();
    all.into_iter().collect::<Vec<_>>().join(" ")
}

/// The turns of those who wait for the same servers. They are forgotten with the last who waits or has one.
fn of(servers: String) -> Arc<Semaphore> {
    let mut same = SAME.lock().unwrap_or_else(PoisonError::into_inner);
    let same = same.get_or_insert_default();
    if let Some(turns) = same.get(&servers).and_then(Weak::upgrade) {
        return turns;
    }
    same.retain(|_, turns| turns.strong_count() > 0);
    let turns = Arc::new(Semaphore::new(OF_THE_SAME));
    same.insert(servers, Arc::downgrade(&turns));
    turns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_who_wait_for_the_same_servers_share_their_turns_and_others_do_not() {
        let (one, again, other) = (of("a b".into()), of("a b".into()), of("a c".into()));
        assert!(Arc::ptr_eq(&one, &again) && !Arc::ptr_eq(&one, &other));
        drop((one, again));
        assert_eq!(of("a b".into()).available_permits(), OF_THE_SAME);
    }
}
