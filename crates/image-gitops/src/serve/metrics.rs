//! Figures for Prometheus.

use std::{sync::atomic::AtomicU64, time::Duration};

use image_gitops_core::reason::Reason;
use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

use super::store::Store;

/// Bounds of the histogram of passes, in seconds.
const SECONDS: [f64; 9] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabel {
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabel {
    endpoint: &'static str,
    code: u16,
}

/// All figures.
pub(super) struct Metrics {
    registry: Registry,
    passes: Histogram,
    outcomes: Family<ReasonLabel, Counter>,
    requests: Family<RequestLabel, Counter>,
    resources: Gauge<i64>,
    ready: Gauge<i64>,
    leads: Gauge<u64, AtomicU64>,
}

impl Default for Metrics {
    fn default() -> Self {
        let metrics = Self {
            registry: Registry::with_prefix("image_gitops"),
            passes: Histogram::new(SECONDS),
            outcomes: Family::default(),
            requests: Family::default(),
            resources: Gauge::default(),
            ready: Gauge::default(),
            leads: Gauge::default(),
        };
        metrics.registered()
    }
}

impl Metrics {
    fn registered(mut self) -> Self {
        let registry = &mut self.registry;
        registry.register("pass_duration_seconds", "Time of a pass over one branch", self.passes.clone());
        registry.register("outcomes", "What passes came to for a resource, by reason", self.outcomes.clone());
        registry.register("requests", "Requests of steps and webhooks", self.requests.clone());
        registry.register("resources", "ImageGitOps resources that are served", self.resources.clone());
        registry.register(
            "resources_ready",
            "Of these, those whose condition Ready is True",
            self.ready.clone(),
        );
        registry.register("leader", "Whether this replica polls", self.leads.clone());
        self
    }

    pub(super) fn pass(&self, time: Duration) {
        self.passes.observe(time.as_secs_f64());
    }

    pub(super) fn outcome(&self, reason: Reason) {
        self.outcomes.get_or_create(&ReasonLabel { reason: reason.as_str() }).inc();
    }

    pub(super) fn request(&self, endpoint: &'static str, code: u16) {
        self.requests.get_or_create(&RequestLabel { endpoint, code }).inc();
    }

    pub(super) fn resources(&self, store: &Store) {
        let gauge = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        let (all, ready) = store.counts();
        self.resources.set(gauge(all));
        self.ready.set(gauge(ready));
    }

    /// All figures in the text format of OpenMetrics.
    pub(super) fn text(&self, leads: bool) -> String {
        self.leads.set(u64::from(leads));
        let mut text = String::new();
        match encode(&mut text, &self.registry) {
            Ok(()) => text,
            // Only memory is written to.
            Err(_) => String::new(),
        }
    }
}
