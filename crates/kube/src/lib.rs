//! The cluster: the resource and its status, Secrets, the Application, Events, Leases.
//!
//! Nothing is decided here that Git decides: this crate reads what people asked for, tells them what came of it, and makes
//! an Application in the cluster follow what Git says.
//!
//! Rooms: `crd` is the resource's schema; `resource` and `watch` bring resources in, validated; `status` is what goes back
//! to them; `application` makes one follow Git, `owner` says whose it is and `flux` nudges who applies it; `secret`, `event`
//! and `lease` are what their names say.

mod application;
mod client;
mod crd;
mod error;
mod event;
mod flux;
mod health;
mod lease;
mod owner;
mod resource;
mod run;
mod secret;
mod status;
mod watch;

pub use application::{Applications, Follow, Followed, Left, Want};
pub use client::Cluster;
pub use crd::crd;
pub use error::KubeError;
pub use event::{Events, Kind as EventKind};
pub use lease::Lease;
pub use owner::Owner;
pub use resource::{Invalid, Stored};
pub use run::{RunState, Runner, run_state};
pub use secret::{Fetched, Secrets};
pub use status::{Condition, HistoryEntry, News, RolloutStatus, Status, TagCounts, Waiting};
pub use watch::{Change, Scope, Touched, applications, resources};

/// The group of the resource.
pub const GROUP: &str = "image-gitops.dev";
/// The label that says which instance of the service serves a resource; without it, the cluster-wide one does.
pub const INSTANCE_LABEL: &str = "image-gitops.dev/instance";
/// The annotation that shows KubeVela that a status changed. Its value is for people.
pub const STATUS_ANNOTATION: &str = "image-gitops.dev/status";
/// The annotations of which any new value means: look now. Flux' users know the first two.
pub const SYNC_ANNOTATIONS: [&str; 3] =
    ["fluxcd.io/reconcile", "reconcile.fluxcd.io/requestedAt", "image-gitops.dev/sync"];
