//! Events: what happened to an image, where `kubectl describe` shows it.

use k8s_openapi::api::core::v1::ObjectReference;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};

use crate::Cluster;

/// Whether an Event is good news.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// As wished.
    Normal,
    /// Somebody should look.
    Warning,
}

/// Publishes Events. The same Event again is counted by the API server, not repeated.
#[derive(Clone)]
pub struct Events(Recorder);

impl Events {
    /// Publishes as `instance`, the pod's name.
    pub fn new(cluster: &Cluster, instance: &str) -> Self {
        let reporter = Reporter { controller: "image-gitops".into(), instance: Some(instance.to_owned()) };
        Self(Recorder::new(cluster.client.clone(), reporter))
    }

    /// Publishes on each of `objects`. An Event that cannot be written is logged: it is news, not the work.
    pub async fn publish(&self, objects: &[ObjectReference], kind: Kind, reason: &str, note: &str) {
        let event = Event {
            type_: match kind {
                Kind::Normal => EventType::Normal,
                Kind::Warning => EventType::Warning,
            },
            reason: reason.to_owned(),
            // The API server takes 1024 bytes.
            note: Some(note.chars().take(250).collect()),
            action: "Sync".into(),
            secondary: None,
        };
        for object in objects {
            if let Err(error) = self.0.publish(&event, object).await {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    object = object.name.as_deref().unwrap_or_default(),
                    "an Event cannot be written"
                );
            }
        }
    }
}
