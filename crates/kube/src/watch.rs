//! What comes in from the cluster: resources, and Applications on which somebody asked to look now.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{Stream, StreamExt as _, stream};
use image_gitops_core::resource::ResourceId;
use kube::{
    Api, Resource as _,
    core::{DynamicObject, PartialObjectMeta},
    runtime::{
        WatchStreamExt as _,
        watcher::{self, Event},
    },
};

use crate::{
    Cluster, INSTANCE_LABEL, Stored,
    client::{application, image_gitops},
    resource::sync_wish,
};

/// Which resources one instance of the service serves.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// Those of one namespace; of all where it is absent.
    pub namespace: Option<String>,
    /// Those with this value of [`INSTANCE_LABEL`]; those without the label where it is absent.
    pub instance: Option<String>,
}

impl Scope {
    fn selector(&self) -> String {
        match &self.instance {
            Some(instance) => format!("{INSTANCE_LABEL}={instance}"),
            None => format!("!{INSTANCE_LABEL}"),
        }
    }
}

/// A change of the resources.
#[derive(Debug)]
pub enum Change {
    /// One is new or another.
    Upsert(Box<Stored>),
    /// One is gone.
    Remove(ResourceId),
    /// All there are were told; any other is gone.
    All(BTreeSet<ResourceId>),
}

/// The resources of `scope`, for ever: connections that end are made anew, each failure logged.
pub fn resources(cluster: &Cluster, scope: &Scope) -> impl Stream<Item = Change> + Send + use<> {
    let kind = image_gitops();
    let api = cluster.dynamic(&kind, scope.namespace.as_deref());
    let config = watcher::Config::default().labels(&scope.selector());
    let mut told = BTreeSet::new();
    let events = watcher::watcher(api, config).default_backoff();
    events.filter_map(move |event| {
        let change = match event {
            Ok(Event::Apply(object)) => Some(Change::Upsert(Box::new(Stored::new(&object)))),
            Ok(Event::Delete(object)) => Some(Change::Remove(Stored::new(&object).id)),
            Ok(Event::Init) => {
                told.clear();
                None
            }
            Ok(Event::InitApply(object)) => {
                let stored = Stored::new(&object);
                told.insert(stored.id.clone());
                Some(Change::Upsert(Box::new(stored)))
            }
            Ok(Event::InitDone) => Some(Change::All(std::mem::take(&mut told))),
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "ImageGitOps cannot be watched");
                None
            }
        };
        std::future::ready(change)
    })
}

/// An Application on which somebody asked to look now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Touched {
    /// The Application's namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// The Applications whose "look now" annotations change, for ever. Only their metadata is read.
pub fn applications(cluster: &Cluster, scope: &Scope) -> impl Stream<Item = Touched> + Send + use<> {
    let kind = application();
    let api: Api<Meta> = match &scope.namespace {
        Some(namespace) => Api::namespaced_with(cluster.client.clone(), namespace, &kind),
        None => Api::all_with(cluster.client.clone(), &kind),
    };
    // Wishes that were there before this program was started are fulfilled by its first pass.
    let mut wishes: BTreeMap<(String, String), String> = BTreeMap::new();
    let mut starting = true;
    let events = watcher::watcher(api, watcher::Config::default()).default_backoff();
    events.flat_map(move |event| {
        let touched = match event {
            Ok(Event::InitApply(object)) => wish(&mut wishes, &object).filter(|_| !starting),
            Ok(Event::Apply(object)) => wish(&mut wishes, &object),
            Ok(Event::Delete(object)) => {
                wishes.remove(&key(&object));
                None
            }
            Ok(Event::Init) => None,
            Ok(Event::InitDone) => {
                starting = false;
                None
            }
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "Applications cannot be watched");
                None
            }
        };
        stream::iter(touched)
    })
}

type Meta = PartialObjectMeta<DynamicObject>;

fn key(object: &Meta) -> (String, String) {
    let meta = object.meta();
    (meta.namespace.clone().unwrap_or_default(), meta.name.clone().unwrap_or_default())
}

/// Notes an Application's wish; `Some` where it is a new one.
fn wish(wishes: &mut BTreeMap<(String, String), String>, object: &Meta) -> Option<Touched> {
    let wish = sync_wish(object.meta().annotations.as_ref());
    let key = key(object);
    if wish.is_empty() {
        wishes.remove(&key);
        return None;
    }
    let new = wishes.get(&key) != Some(&wish);
    wishes.insert(key.clone(), wish);
    new.then_some(Touched { namespace: key.0, name: key.1 })
}
