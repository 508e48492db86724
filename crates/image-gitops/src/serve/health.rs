//! Whether an update did harm: what a pass adds to what the status keeps of it.

use std::time::Duration;

use image_gitops_core::{
    health::{Health, Judge, Observed, Phase, Rollout},
    reason::Reason,
    resource::Resource,
};
use image_gitops_kube::{Follow, Followed, RolloutStatus, Stored};
use jiff::Timestamp;

use super::{Service, deploy::Deployed, pass::Due};
use crate::report::JobReport;

/// When the next pass is, where this one learned something that changes what is to be done.
const SOON: Duration = Duration::from_secs(1);

/// What is known of the component after a pass, and when it is to be looked at again. `None` where nothing was learned,
/// `Some(None)` where the component is not looked at.
pub(super) fn after(
    service: &Service,
    stored: &Stored,
    resource: &Resource,
    report: &JobReport,
    deployed: &Deployed,
    due: &mut Due,
) -> Option<Option<Rollout>> {
    if !resource.watches_health() {
        return Some(None);
    }
    let follow = match deployed.as_ref()? {
        Ok(follow) => follow,
        Err(_) => return None,
    };
    let Some(observed) = &follow.observed else { return Some(None) };
    let now = Timestamp::from_second(Timestamp::now().as_second()).unwrap_or_default();
    let status = service.store.status(stored);
    // Whoever wrote the image that Git holds: the status says it, which learns of a new one after this.
    let entry = status.history.iter().find(|entry| entry.image == observed.image);
    let ours = entry.is_some_and(|entry| entry.commit.is_some());
    let timeout = resource.updates.health_timeout;
    let judge = Judge { timeout, ours, now };
    let before = status.rollout.as_ref().and_then(RolloutStatus::read);
    let was_failed = before.as_ref().is_some_and(|before| before.phase == Phase::Failed);
    let mut rollout = Rollout::after(before, observed, judge);
    let says = report.says.as_ref().and_then(|says| says.image.as_ref()).map(|(image, _)| image);
    match (follow, says) {
        (Follow { followed: Followed::Patched { .. }, .. }, Some(image)) => {
            let new = Observed { image: image.clone(), health: Health::Unknown };
            rollout = Rollout::after(Some(rollout), &new, judge);
        }
        // Somebody else is about to apply it: that it came is seen then.
        _ if report.reason == Reason::Updated => due.wake(now.checked_add(timeout).ok()),
        _ => {}
    }
    // What follows from a failure, or from its end, is decided by the next pass.
    let turned = (rollout.phase == Phase::Failed) != was_failed;
    due.wake(if turned { now.checked_add(SOON).ok() } else { rollout.wake(timeout, now) });
    Some(Some(rollout))
}
