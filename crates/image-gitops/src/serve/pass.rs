//! One pass over one branch, with the cluster around it: Secrets, the pipeline, the Application, status and Events.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use image_gitops_core::{
    image::ImageRef,
    reason::{Reason, Retry},
    resource::{DEFAULT_INTERVAL, Resource, ResourceId},
};
use image_gitops_kube::{Follow, Followed, Stored};
use jiff::Timestamp;

use super::{
    Service, backoff, deploy, health, own,
    secrets::{Read, Trouble},
    store::Outcome,
    tell,
};
use crate::{
    credentials::Ambient,
    failpoint::Failpoint,
    input::Input,
    job::{self, Group},
    pipeline::{
        self, Beside, Mode,
        replaced::{Memory, Wrote},
    },
    report::{GroupReport, JobReport, chain},
};

/// How soon a registry that had not answered is looked after.
const LATE: Duration = Duration::from_secs(2);

/// What clients were made from: when any of it changes, they are made anew.
#[derive(Default, PartialEq)]
struct MadeFrom {
    resources: Vec<(ResourceId, String, i64)>,
    secrets: BTreeMap<ResourceId, String>,
    ca: Option<String>,
}

/// What a branch keeps between passes: clients with their tokens and objects, and how often it failed in a row.
#[derive(Default)]
pub(super) struct Branch {
    made_from: MadeFrom,
    groups: Vec<Group>,
    unprepared: BTreeMap<ResourceId, Trouble>,
    /// Those whose registry had not answered when a pass ended, and the requests that this pass would have answered.
    late: BTreeMap<ResourceId, u64>,
    memory: Arc<Mutex<Memory>>,
    failures: u32,
}

impl Branch {
    /// Runs one pass over `resources`, which answers the requests up to `ticket`, and gives the time to the next.
    pub(super) async fn pass(
        &mut self,
        service: &Arc<Service>,
        resources: &[Arc<Stored>],
        ticket: u64,
    ) -> Duration {
        let started = std::time::Instant::now();
        let mut due = Due::default();
        let usable: Vec<(&Arc<Stored>, &Resource)> =
            resources.iter().filter_map(|stored| Some((stored, stored.resource.as_ref().ok()?))).collect();
        let specs: Vec<&Resource> = usable.iter().map(|(_, resource)| *resource).collect();
        let read = Read::all(service, &specs).await;
        Failpoint::SecretsRead.reach();

        let mut ready: Vec<(&Arc<Stored>, &Resource)> = Vec::new();
        for (stored, resource) in usable {
            let trouble = read.trouble(resource).or_else(|| held(service, resource));
            match trouble {
                Some(trouble) => {
                    due.add(trouble.reason, resource.interval, None);
                    self.fail(service, stored, &trouble, ticket).await;
                }
                None => ready.push((stored, resource)),
            }
        }
        self.prepare(service, &ready, read);
        for (stored, resource) in &ready {
            if let Some(trouble) = self.unprepared.get(&stored.id).cloned() {
                due.add(trouble.reason, resource.interval, None);
                self.fail(service, stored, &trouble, ticket).await;
            }
        }
        let is_current = |id: &ResourceId| {
            let known = ready.iter().find(|(stored, _)| stored.id == *id).map(|(stored, _)| stored);
            known.is_some_and(|known| service.store.is_current(known))
        };
        let kept = ready.iter().map(|(stored, _)| (stored.id.clone(), tell::kept(stored)));
        let beside = Beside { kept: kept.collect(), is_current: &is_current };
        for group in &mut self.groups {
            group.known.wrote = {
                let repository = group.repository();
                ready.iter().filter_map(|(stored, _)| wrote(service, stored, &repository)).collect()
            };
            let report = pipeline::pass(group, Mode::Serve(&beside)).await;
            if let Some(commit) = &report.commit {
                group.known.pushed(&commit.id);
            }
            for (job, outcome) in group.jobs.iter().zip(&report.resources) {
                let resource = &job.resource;
                if outcome.reason == Reason::Progressing {
                    // Nothing is known, so nothing is said: what the status says is as right as it was.
                    self.late.entry(resource.id.clone()).or_insert(ticket);
                    due.waits.push((outcome.reason, LATE, None));
                    continue;
                }
                // What came late was asked for when that pass began: it answers no request that came after.
                let ticket = self.late.remove(&resource.id).unwrap_or(ticket);
                if let (Reason::RegistryThrottled, Some(asked)) = (outcome.reason, outcome.retry_after) {
                    service.backoff.hold(resource.image.registry(), asked);
                }
                due.add(outcome.reason, resource.interval, outcome.retry_after);
                due.wake(outcome.wake);
                let found = ready.iter().find(|(stored, _)| stored.id == resource.id);
                if let Some((stored, _)) = found {
                    land(service, stored, resource, (group, job), &report, outcome, ticket, &mut due).await;
                }
            }
        }
        if self.late.is_empty() {
            self.groups.iter().for_each(|group| group.known.told());
        }
        Failpoint::PassEnded.reach();
        service.metrics.pass(started.elapsed());
        self.failures = if due.failed { self.failures.saturating_add(1) } else { 0 };
        due.wait(self.failures)
    }

    /// Makes the clients anew where anything that they are made from changed.
    fn prepare(&mut self, service: &Service, ready: &[(&Arc<Stored>, &Resource)], read: Read) {
        let ca = own::ca(&service.options);
        let made_from = MadeFrom {
            resources: ready.iter().map(|(s, _)| (s.id.clone(), s.uid.clone(), s.generation)).collect(),
            secrets: read.versions,
            ca: ca.clone(),
        };
        if made_from == self.made_from {
            return;
        }
        let input = Input {
            resources: ready.iter().map(|(_, resource)| (*resource).clone()).collect(),
            secrets: read.secrets,
        };
        let (groups, failed) = job::prepare(&input, &Ambient::cluster(ca), &service.options.reaches());
        self.groups = groups;
        self.late.clear();
        for group in &mut self.groups {
            group.known.memory = self.memory.clone();
        }
        self.unprepared = failed
            .into_iter()
            .map(|error| {
                let hint = error.hint();
                let message = tell::sentence(&error.to_string(), &chain(&error), hint.as_deref());
                (error.resource().clone(), Trouble { reason: error.reason(), message })
            })
            .collect();
        self.made_from = made_from;
    }

    async fn fail(&self, service: &Service, stored: &Stored, trouble: &Trouble, ticket: u64) {
        let outcome = Outcome {
            ticket,
            reason: trouble.reason,
            message: trouble.message.clone(),
            says: None,
            digest: None,
            commit: None,
            followed: None,
        };
        service.store.set_outcome(&stored.id, outcome);
        tell::trouble(service, stored, trouble.reason, &trouble.message).await;
    }
}

/// Brings one resource's outcome to the cluster: the Application first, then what is said of it.
#[allow(clippy::too_many_arguments, reason = "what a pass knows of one resource, passed on once")]
async fn land(
    service: &Arc<Service>,
    stored: &Stored,
    resource: &Resource,
    (group, job): (&Group, &job::Job),
    report: &GroupReport,
    outcome: &JobReport,
    ticket: u64,
    due: &mut Due,
) {
    let updated = outcome.reason == Reason::Updated;
    let commit = report.commit.as_ref().map(|commit| commit.id.as_str()).filter(|_| updated);
    let deployed = deploy::follow(service, resource, outcome, commit).await;
    Failpoint::ApplicationPatched.reach();
    let reason = match &deployed {
        Some(Err(_)) => Reason::DeployFailed,
        _ => outcome.reason,
    };
    if reason == Reason::DeployFailed {
        due.add(reason, resource.interval, None);
    }
    let rollout = health::after(service, stored, resource, outcome, &deployed, due);
    let told = tell::Told {
        reason,
        message: tell::message(outcome, commit, &deployed),
        commit: commit.map(str::to_owned).or_else(|| tell::unsaid(stored, outcome)),
        credentials: tell::credentials(resource, group, job),
        repository: group.repository(),
        patched: matches!(deployed, Some(Ok(Follow { followed: Followed::Patched { .. }, .. }))),
        rollout,
    };
    service.metrics.outcome(reason);
    service.store.set_outcome(
        &stored.id,
        Outcome {
            ticket,
            reason,
            message: told.message.clone(),
            says: outcome.says.clone(),
            digest: outcome.digest.clone(),
            commit: told.commit.clone().or_else(|| tell::said(stored, outcome)),
            followed: deployed.and_then(Result::ok).map(|follow| follow.followed),
        },
    );
    tell::outcome(service, stored, outcome, told).await;
}

/// Our last commit for a resource, from its status as it was last written.
fn wrote(service: &Service, stored: &Stored, repository: &str) -> Option<(ResourceId, Wrote)> {
    // A commit that went to another branch is not missing in this one.
    let known = service
        .store
        .get(&stored.id)
        .filter(|known| known.status.pushed_to.as_deref() == Some(repository))?;
    let ours = known.status.history.iter().find_map(|entry| Some((entry, entry.commit.clone()?)));
    let (entry, commit) = ours?;
    let time = entry.time.parse::<Timestamp>().ok()?.as_second();
    Some((stored.id.clone(), Wrote { commit, image: ImageRef::parse(&entry.image).ok()?, time }))
}

/// Why a resource must wait though nothing is wrong with it: its registry asked to be left alone.
fn held(service: &Service, resource: &Resource) -> Option<Trouble> {
    let host = resource.image.registry();
    let left = service.backoff.left(host).filter(|_| !resource.suspend)?;
    // Rounded to minutes, so that the sentence does not change with every pass.
    let minutes = left.as_secs() / 60 + 1;
    Some(Trouble {
        reason: Reason::RegistryThrottled,
        message: format!("{host} asked to be left alone; it is asked again in {minutes} min at the latest"),
    })
}

/// When the branch is to be looked at again.
#[derive(Default)]
pub(super) struct Due {
    waits: Vec<(Reason, Duration, Option<Duration>)>,
    /// The first moment at which something that waits may go on.
    wake: Option<Timestamp>,
    failed: bool,
}

impl Due {
    fn add(&mut self, reason: Reason, interval: Duration, asked: Option<Duration>) {
        self.failed |= reason.retry() == Retry::Soon;
        self.waits.push((reason, interval, asked));
    }

    pub(super) fn wake(&mut self, at: Option<Timestamp>) {
        self.wake = self.wake.into_iter().chain(at).min();
    }

    /// The shortest wait of any resource, a tenth more or less: many branches must not ask in step. What waits for a moment
    /// is looked at then, and not before.
    fn wait(&self, failures: u32) -> Duration {
        let waits = self.waits.iter().map(|(reason, interval, asked)| {
            backoff::wait(*reason, failures, *interval).max(asked.unwrap_or_default())
        });
        let wait = waits.min().unwrap_or(DEFAULT_INTERVAL).mul_f64(0.9 + 0.2 * fastrand::f64());
        self.wake.map_or(wait, |at| wait.min(backoff::until(at)))
    }
}
