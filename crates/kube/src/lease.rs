//! Which replica polls: a Lease, as client-go's leader election holds it.
//!
//! The holder renews it; whoever sees it unchanged for its whole length, by its own clock, takes it over. A replica that
//! cannot renew in time stops polling by itself. Two that poll for a moment do no harm: pushes are leases too.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use k8s_openapi::{api::coordination::v1 as coordination, apimachinery::pkg::apis::meta::v1::MicroTime};
use kube::{
    Api,
    api::{ObjectMeta, PostParams},
};
use tokio::sync::watch;

use crate::{Cluster, KubeError, error::has_code};

/// How long a Lease holds without being renewed.
const LENGTH: Duration = Duration::from_secs(15);
/// How often the holder renews it, and the others look.
const RHYTHM: Duration = Duration::from_secs(4);

/// One replica's part in the election.
pub struct Lease {
    api: Api<coordination::Lease>,
    name: String,
    me: String,
    /// What was last seen, and when that was new.
    seen: Option<(String, Instant)>,
    renewed: Option<Instant>,
}

impl Lease {
    /// Takes part in the election for the Lease `name` in the program's own namespace, as `me`.
    pub fn new(cluster: &Cluster, name: &str, me: &str) -> Self {
        let api = Api::namespaced(cluster.client.clone(), &cluster.namespace);
        Self { api, name: name.to_owned(), me: me.to_owned(), seen: None, renewed: None }
    }

    /// Takes part until it is dropped; `leads` says at each moment whether this replica holds the Lease.
    pub async fn run(mut self, leads: watch::Sender<bool>) {
        loop {
            match self.turn().await {
                Ok(held) => tell(&leads, held),
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "the Lease cannot be kept");
                    // Others may have taken it by now.
                    if self.renewed.is_none_or(|at| at.elapsed() > LENGTH - RHYTHM) {
                        tell(&leads, false);
                    }
                }
            }
            tokio::time::sleep(RHYTHM.mul_f64(0.9 + 0.2 * fastrand::f64())).await;
        }
    }

    /// Gives the Lease back, so that another replica need not wait for its end.
    pub async fn give_back(cluster: &Cluster, name: &str, me: &str) {
        let mut lease = Self::new(cluster, name, me);
        if let Ok(Some(mut object)) = lease.api.get_opt(name).await
            && holder(&object) == Some(me)
        {
            if let Some(spec) = &mut object.spec {
                spec.holder_identity = None;
            }
            if let Err(error) = lease.replace(object).await {
                tracing::debug!(error = &error as &dyn std::error::Error, "the Lease was not given back");
            }
        }
    }

    /// One look: renews, takes over, or waits. Whether this replica holds the Lease now.
    async fn turn(&mut self) -> Result<bool, KubeError> {
        let attempt = || format!("read the Lease {}", self.name);
        let held = match self.api.get_opt(&self.name).await.map_err(KubeError::of(attempt()))? {
            None => self.create().await?,
            Some(object) if holder(&object) == Some(&self.me) => self.take(object).await?,
            Some(object) if holder(&object).is_none() || self.is_over(&object) => self.take(object).await?,
            Some(_) => false,
        };
        if held {
            self.renewed = Some(Instant::now());
        }
        Ok(held)
    }

    /// Whether nobody renewed it for its whole length. Clocks of other machines are not trusted.
    fn is_over(&mut self, object: &coordination::Lease) -> bool {
        let version = object.metadata.resource_version.clone().unwrap_or_default();
        match &self.seen {
            Some((seen, since)) if *seen == version => since.elapsed() > LENGTH,
            _ => {
                self.seen = Some((version, Instant::now()));
                false
            }
        }
    }

    async fn create(&self) -> Result<bool, KubeError> {
        let object = coordination::Lease {
            metadata: ObjectMeta { name: Some(self.name.clone()), ..Default::default() },
            spec: Some(self.spec(0)),
        };
        won(self.api.create(&PostParams::default(), &object).await, &self.name)
    }

    async fn take(&mut self, mut object: coordination::Lease) -> Result<bool, KubeError> {
        let old = object.spec.take().unwrap_or_default();
        let changes = i32::from(old.holder_identity.as_deref() != Some(&self.me));
        let mut spec = self.spec(old.lease_transitions.unwrap_or_default() + changes);
        if changes == 0 {
            spec.acquire_time = old.acquire_time;
        }
        object.spec = Some(spec);
        self.replace(object).await
    }

    /// Replaces exactly the version that was read.
    async fn replace(&mut self, object: coordination::Lease) -> Result<bool, KubeError> {
        won(self.api.replace(&self.name, &PostParams::default(), &object).await, &self.name)
    }

    fn spec(&self, transitions: i32) -> coordination::LeaseSpec {
        let now = MicroTime(Timestamp::now());
        coordination::LeaseSpec {
            holder_identity: Some(self.me.clone()),
            lease_duration_seconds: i32::try_from(LENGTH.as_secs()).ok(),
            lease_transitions: Some(transitions),
            acquire_time: Some(now.clone()),
            renew_time: Some(now),
            ..Default::default()
        }
    }
}

fn holder(object: &coordination::Lease) -> Option<&str> {
    object.spec.as_ref()?.holder_identity.as_deref().filter(|holder| !holder.is_empty())
}

/// A conflict means that another replica was faster.
fn won<T>(result: Result<T, kube::Error>, name: &str) -> Result<bool, KubeError> {
    match result {
        Ok(_) => Ok(true),
        Err(error) if has_code(&error, &[409]) => Ok(false),
        Err(error) => Err(KubeError::of(format!("hold the Lease {name}"))(error)),
    }
}

fn tell(leads: &watch::Sender<bool>, held: bool) {
    leads.send_if_modified(|leads| {
        let changed = *leads != held;
        if changed {
            tracing::info!(leads = held, "polling {}", if held { "here" } else { "elsewhere" });
        }
        *leads = held;
        changed
    });
}
