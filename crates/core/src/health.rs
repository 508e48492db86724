//! Whether an update did harm: `spec.updates.onUnhealthy`.
//!
//! What is known of an Application's component is one small value, the [`Rollout`], which the resource's status keeps. Each
//! pass adds what the Application says now. Nothing is blamed on an update but what began soon after it, where all was well
//! before.

use std::time::Duration;

use jiff::Timestamp;

/// How a component is, as its Application says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// It is healthy.
    Healthy,
    /// It is not; in the component's own words.
    Unhealthy(String),
    /// The Application says nothing of the spec that it has now.
    Unknown,
}

/// What an Application holds, and how that is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// The image in its spec, `repository:tag`.
    pub image: String,
    /// How the component is with it.
    pub health: Health,
}

/// How far an image came in the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It is in the Application's spec; nothing is known yet.
    Settling,
    /// The component was healthy when it was last looked at.
    Healthy,
    /// It was not, which is not blamed on an update, or not yet.
    Unhealthy,
    /// It is not, and our update to this image brought it.
    Failed,
}

/// What is remembered of an image in the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rollout {
    /// The image, `repository:tag`.
    pub image: String,
    /// When it was first seen in the Application's spec.
    pub since: Timestamp,
    /// How far it came.
    pub phase: Phase,
    /// The image before it, where the component was healthy with that one.
    pub before: Option<String>,
    /// Since when the component is unhealthy.
    pub unhealthy_since: Option<Timestamp>,
    /// The component's own words for that.
    pub message: Option<String>,
}

/// What a rollout is judged by.
#[derive(Clone, Copy, Debug)]
pub struct Judge {
    /// How long a component may take to become healthy.
    pub timeout: Duration,
    /// Whether the image in Git was written by us.
    pub ours: bool,
    /// The time.
    pub now: Timestamp,
}

impl Rollout {
    /// What is known after `observed`.
    pub fn after(before: Option<Self>, observed: &Observed, judge: Judge) -> Self {
        match before {
            Some(same) if same.image == observed.image => same.observe(&observed.health, judge),
            other => Self {
                image: observed.image.clone(),
                since: judge.now,
                phase: Phase::Settling,
                before: other.and_then(|other| other.healthy_image(judge.timeout)),
                unhealthy_since: None,
                message: None,
            }
            .observe(&observed.health, judge),
        }
    }

    fn observe(self, health: &Health, judge: Judge) -> Self {
        match health {
            Health::Unknown => self,
            Health::Healthy => Self { phase: Phase::Healthy, unhealthy_since: None, message: None, ..self },
            Health::Unhealthy(message) => {
                // Until it was healthy once, it is unhealthy since it came.
                let first = if self.phase == Phase::Settling { self.since } else { judge.now };
                let since = self.unhealthy_since.unwrap_or(first);
                let unhealthy = Self { unhealthy_since: Some(since), message: Some(message.clone()), ..self };
                let is_long = unhealthy.plus(since, judge.timeout).is_some_and(|end| end <= judge.now);
                let blamed = judge.ours && unhealthy.before.is_some() && unhealthy.is_fresh(judge.timeout);
                let phase = match unhealthy.phase {
                    Phase::Failed => Phase::Failed,
                    _ if is_long && blamed => Phase::Failed,
                    _ => Phase::Unhealthy,
                };
                Self { phase, ..unhealthy }
            }
        }
    }

    /// When it is to be looked at again, so that a verdict is not late; `None` where none is to come.
    pub fn wake(&self, timeout: Duration, now: Timestamp) -> Option<Timestamp> {
        let end = match self.phase {
            Phase::Failed => None,
            _ if self.before.is_none() || !self.is_fresh(timeout) => None,
            Phase::Unhealthy => self.plus(self.unhealthy_since?, timeout),
            Phase::Settling | Phase::Healthy => self.plus(self.since, timeout),
        };
        end.filter(|end| *end > now)
    }

    /// The image with which the component was healthy last, before another one comes.
    fn healthy_image(self, timeout: Duration) -> Option<String> {
        match self.phase {
            Phase::Healthy => Some(self.image),
            // No verdict yet: what was well before it was so before the next one too.
            Phase::Settling | Phase::Unhealthy if self.is_fresh(timeout) => self.before,
            _ => None,
        }
    }

    /// Whether what ails it, if anything, began within the time that it had to become healthy.
    fn is_fresh(&self, timeout: Duration) -> bool {
        let began = self.unhealthy_since.unwrap_or(self.since);
        self.plus(self.since, timeout).is_none_or(|end| began <= end)
    }

    fn plus(&self, at: Timestamp, time: Duration) -> Option<Timestamp> {
        at.checked_add(time).ok()
    }
}
