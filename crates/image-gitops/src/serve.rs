//! `serve`: the service in a cluster. The same passes as the command line's, for the resources of the cluster.
//!
//! Resources come in by a watch into the `store`; each branch that they name has a loop of its own in `branches`, which
//! runs a pass when it is due, or when somebody asks: an annotation, a webhook, a step. `pass` is what one pass does
//! around the pipeline: Secrets before it, the Application, the status and Events after it. `http` answers steps and
//! webhooks, on any replica; only the holder of the Lease polls.

mod backoff;
mod branches;
mod deploy;
mod health;
mod http;
mod metrics;
mod own;
mod pass;
mod secrets;
mod store;
mod tell;

use std::{io, sync::Arc, time::Duration};

use futures_util::StreamExt as _;
use image_gitops_core::{reason::Reason, signature::Key};
use image_gitops_kube::{Applications, Change, Cluster, Events, KubeError, Lease, Scope, Secrets, Touched};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
    task::JoinSet,
    time::timeout,
};

use crate::cli;
pub(crate) use backoff::until;
use branches::Branches;
use metrics::Metrics;
use store::Store;

/// How long passes that are under way may take to end after SIGTERM: less than Kubernetes' 30 s.
const GRACE: Duration = Duration::from_secs(20);

/// Why the service could not start, or ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServeError {
    #[error(transparent)]
    Kube(#[from] KubeError),
    #[error("cannot listen on {0}")]
    Listen(std::net::SocketAddr, #[source] io::Error),
    #[error("cannot read the certificates in {0}")]
    Ca(std::path::PathBuf, #[source] io::Error),
    #[error("cannot wait for signals")]
    Signal(#[source] io::Error),
    #[error("the Secret {0} holds no token")]
    Token(String, #[source] image_gitops_core::signature::KeyError),
}

impl ServeError {
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Kube(error) => error.hint().map(str::to_owned),
            Self::Listen(..) => Some("choose another --listen or --admin-listen".into()),
            Self::Ca(..) => Some("mount the ConfigMap with ca.crt there, or leave --ca-file out".into()),
            Self::Token(..) => Some("delete the Secret: the service makes a new one".into()),
            Self::Signal(_) => None,
        }
    }
}

/// What every part of the service uses.
pub(crate) struct Service {
    secrets: Secrets,
    applications: Applications,
    events: Events,
    store: Store,
    branches: Branches,
    metrics: Metrics,
    backoff: backoff::Holds,
    options: cli::Serve,
    /// Whether this replica polls.
    leads: watch::Receiver<bool>,
    stopping: watch::Receiver<bool>,
}

/// The keys that requests are signed with; where one is absent, there is no such endpoint.
pub(crate) struct Keys {
    step: Option<Key>,
    webhook: Option<Key>,
}

/// Serves until SIGTERM or Ctrl-C.
pub(crate) async fn run(options: cli::Serve) -> Result<u8, ServeError> {
    own::check_ca(&options)?;
    let cluster = Cluster::connect(options.pod_namespace.clone()).await?;
    let me = options.pod_name.clone().unwrap_or_else(own::random_name);
    let scope = Scope { namespace: options.namespace.clone(), instance: options.instance.clone() };
    let (stop, stopping) = watch::channel(false);
    let (lead, leads) = watch::channel(options.lease_name().is_none());
    let service = Arc::new(Service {
        secrets: Secrets::new(cluster.clone()),
        applications: Applications::new(cluster.clone()),
        events: Events::new(&cluster, &me),
        store: Store::default(),
        branches: Branches::default(),
        metrics: Metrics::default(),
        backoff: backoff::Holds::default(),
        options,
        leads,
        stopping,
    });
    let mut tasks = JoinSet::new();
    tasks.spawn(http::admin(service.clone(), http::bind(service.options.admin_listen).await?));
    let keys = own::keys(&service, &cluster.namespace).await?;
    tasks.spawn(http::public(service.clone(), keys, http::bind(service.options.listen).await?));
    let lease = service.options.lease_name();
    if let Some(name) = &lease {
        let election = Lease::new(&cluster, name, &me);
        tasks.spawn(async move {
            election.run(lead).await;
            Ok(())
        });
    }
    tasks.spawn(watch_resources(service.clone(), image_gitops_kube::resources(&cluster, &scope)));
    tasks.spawn(watch_applications(service.clone(), image_gitops_kube::applications(&cluster, &scope)));

    let mut terminate = signal(SignalKind::terminate()).map_err(ServeError::Signal)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(ServeError::Signal)?;
    let ended = tokio::select! {
        _ = terminate.recv() => Ok(0),
        _ = interrupt.recv() => Ok(0),
        Some(Ok(Err(error))) = tasks.join_next() => Err(error),
    };
    tracing::info!("ending: passes that are under way are waited for");
    stop.send_replace(true);
    if timeout(GRACE, service.branches.ended()).await.is_err() {
        tracing::warn!("a pass takes too long to end; what it did not finish, the next one does");
    }
    if let Some(name) = &lease {
        Lease::give_back(&cluster, name, &me).await;
    }
    ended
}

/// Keeps the store as the cluster is, and asks for a pass where something is new.
async fn watch_resources(
    service: Arc<Service>,
    changes: impl futures_util::Stream<Item = Change> + Send,
) -> Result<(), ServeError> {
    let mut changes = std::pin::pin!(changes);
    while let Some(change) = changes.next().await {
        match change {
            Change::Upsert(stored) => {
                let (stored, wish) = service.store.put(*stored);
                if let Err(invalid) = &stored.resource {
                    // Said by every replica, in the same words: a status that says so already is not written again.
                    tell::trouble(&service, &stored, Reason::InvalidSpec, &invalid.0).await;
                } else if wish {
                    branches::ask(&service, &stored, branches::By::Change);
                }
            }
            Change::Remove(id) => service.store.remove(&id),
            Change::All(ids) => {
                service.store.keep(&ids);
                service.store.set_complete();
            }
        }
        service.metrics.resources(&service.store);
    }
    Ok(())
}

/// Asks for a pass where somebody annotated an Application.
async fn watch_applications(
    service: Arc<Service>,
    touched: impl futures_util::Stream<Item = Touched> + Send,
) -> Result<(), ServeError> {
    let mut touched = std::pin::pin!(touched);
    while let Some(Touched { namespace, name }) = touched.next().await {
        for stored in service.store.of_application(&namespace, &name) {
            tracing::info!(resource = %stored.id, application = %name, "asked by an annotation to look now");
            branches::ask(&service, &stored, branches::By::Change);
        }
    }
    Ok(())
}
