//! One loop for each branch that resources name: so there is one pass at a time, and what changes together is one commit.
//!
//! Who wants a pass draws a ticket; a pass answers all tickets that were drawn before it began.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use image_gitops_git::RemoteUrl;
use image_gitops_kube::Stored;
use tokio::{
    sync::{Notify, RwLock, watch},
    time::{Instant, sleep, sleep_until},
};

use super::{Service, pass};
use crate::failpoint::Failpoint;

/// How long a pass waits for others to ask as well: images that are pushed together come together.
const WINDOW: Duration = Duration::from_millis(50);
/// First passes after a start are spread over this long.
const SPREAD: Duration = Duration::from_secs(2);

/// A branch of a repository.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct BranchKey {
    url: String,
    branch: String,
}

impl BranchKey {
    /// The branch that a resource writes. `None` where its spec cannot be used.
    pub(super) fn of(stored: &Stored) -> Option<Self> {
        let git = &stored.resource.as_ref().ok()?.git;
        // A URL that cannot be used has a loop too, whose passes say so.
        let url = RemoteUrl::parse(&git.url).map_or_else(|_| git.url.clone(), |url| url.to_string());
        Some(Self { url, branch: git.branch.clone() })
    }
}

/// Why a pass is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    /// Something changed in the cluster. Every replica sees that; the one that polls acts.
    Change,
    /// A request that only this replica knows of.
    Request,
}

/// A branch's loop, seen from outside.
pub(super) struct Handle {
    drawn: AtomicU64,
    asked: Notify,
    answered: watch::Sender<u64>,
}

impl Handle {
    /// Draws a ticket and wakes the loop.
    fn draw(&self) -> u64 {
        let ticket = self.drawn.fetch_add(1, Ordering::SeqCst) + 1;
        self.asked.notify_one();
        ticket
    }

    /// Waits until a pass answered the ticket.
    pub(super) async fn answered(&self, ticket: u64) {
        // An error says that the loop ended: then nobody answers, and the caller's patience ends by its own clock.
        let _ = self.answered.subscribe().wait_for(|answered| *answered >= ticket).await;
    }
}

/// The loops of all branches.
#[derive(Default)]
pub(super) struct Branches {
    handles: Mutex<HashMap<BranchKey, Arc<Handle>>>,
    /// Read while a pass is under way.
    passes: RwLock<()>,
}

impl Branches {
    fn handles(&self) -> MutexGuard<'_, HashMap<BranchKey, Arc<Handle>>> {
        self.handles.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until no pass is under way. Once the service stops, none begins.
    pub(super) async fn ended(&self) {
        let _none = self.passes.write().await;
    }

    /// Ends a branch's loop where nobody asked meanwhile.
    fn retire(&self, key: &BranchKey, handle: &Handle, answered: u64) -> bool {
        let mut handles = self.handles();
        let nobody_asked = handle.drawn.load(Ordering::SeqCst) == answered;
        if nobody_asked {
            handles.remove(key);
        }
        nobody_asked
    }
}

/// Asks for a pass over a resource's branch, whose loop is started where there is none. Gives the loop and the ticket.
pub(super) fn ask(service: &Arc<Service>, stored: &Stored, by: By) -> Option<(Arc<Handle>, u64)> {
    let key = BranchKey::of(stored)?;
    let mut handles = service.branches.handles();
    let handle = match handles.get(&key) {
        Some(handle) => handle.clone(),
        None => {
            let (answered, _) = watch::channel(0);
            let handle = Arc::new(Handle { drawn: AtomicU64::new(0), asked: Notify::new(), answered });
            handles.insert(key.clone(), handle.clone());
            tokio::spawn(keep(service.clone(), key, handle.clone()));
            handle
        }
    };
    // Replicas that do not poll know of a change, but leave it to the one that does.
    let ticket = match by {
        By::Change if !*service.leads.borrow() => 0,
        _ => handle.draw(),
    };
    Some((handle, ticket))
}

/// The loop of a resource's branch, where there is one.
pub(super) fn handle(service: &Service, stored: &Stored) -> Option<Arc<Handle>> {
    service.branches.handles().get(&BranchKey::of(stored)?).cloned()
}

/// Runs the passes of one branch, until the service stops or no resource names the branch any more.
async fn keep(service: Arc<Service>, key: BranchKey, handle: Arc<Handle>) {
    let (mut leads, mut stopping) = (service.leads.clone(), service.stopping.clone());
    let mut branch = pass::Branch::default();
    let mut due = Instant::now() + SPREAD.mul_f64(fastrand::f64());
    loop {
        if *leads.borrow() {
            Failpoint::LeaseTaken.reach();
        }
        let answered = *handle.answered.borrow();
        if handle.drawn.load(Ordering::SeqCst) == answered {
            let polls = *leads.borrow_and_update();
            tokio::select! {
                biased;
                _ = stopping.wait_for(|stopping| *stopping) => return,
                () = handle.asked.notified() => continue,
                () = sleep_until(due), if polls => {}
                changed = leads.changed() => {
                    if changed.is_err() {
                        return; // the election ends with the service
                    }
                    // Whoever takes over looks at everything soon: what the last one left unfinished heals now.
                    due = Instant::now() + SPREAD.mul_f64(fastrand::f64());
                    continue;
                }
            }
        } else {
            sleep(WINDOW).await;
        }
        let _under_way = service.branches.passes.read().await;
        if *stopping.borrow() {
            return;
        }
        let ticket = handle.drawn.load(Ordering::SeqCst);
        let resources = service.store.of_branch(&key);
        if resources.is_empty() {
            if service.branches.retire(&key, &handle, ticket) {
                return;
            }
            handle.answered.send_replace(ticket);
            continue;
        }
        let wait = branch.pass(&service, &resources, ticket).await;
        handle.answered.send_replace(ticket);
        due = Instant::now() + wait;
    }
}
