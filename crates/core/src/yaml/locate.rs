//! From a name to a site: the Application, its component, and the path below it.

use super::{
    FieldPath, Manifest, Part, Site, YamlError, YamlReason,
    document::{Document, may_hold},
    path::Hop,
    site::is_empty,
    tree::{Kind, Tree},
};

/// An Application in the file.
pub(super) struct Application<'m, 'a> {
    document: &'m Document<'a>,
    tree: &'m Tree<'a>,
    node: usize,
    name: &'m str,
    namespace: Option<&'m str>,
}

/// A node on the way to a site.
struct Place<'m, 'a> {
    tree: &'m Tree<'a>,
    node: usize,
    /// How messages call it: `component back: properties.image`.
    path: String,
}

/// Whether a mapping says that it is an Application: by any of its `kind`s, should it have two.
fn is_application(tree: &Tree<'_>, map: usize) -> bool {
    let says = |key, right: fn(&str) -> bool| {
        let merged = tree.merged(map, key).map(|(_, value)| value);
        tree.values(map, key)
            .map(|(_, value)| value)
            .chain(merged)
            .any(|value| tree.string(value).is_some_and(right))
    };
    says("kind", |kind| kind == "Application")
        && says("apiVersion", |version| version.starts_with("core.oam.dev/"))
}

/// The value of a key by which something is recognised: it may come through aliases and merge keys, as it is only read.
fn identity(tree: &Tree<'_>, map: usize, key: &str) -> Option<usize> {
    tree.values(map, key).next().or_else(|| tree.merged(map, key)).map(|(_, value)| value)
}

/// The objects of a document: its root, or the items where the root is a `List`.
fn objects<'t>(tree: &'t Tree<'_>) -> impl Iterator<Item = usize> + 't {
    tree.roots().flat_map(|root| {
        let list = identity(tree, root, "kind")
            .and_then(|kind| tree.string(kind))
            .is_some_and(|k| k.ends_with("List"));
        let items = identity(tree, root, "items").filter(|_| list).map(|items| tree.resolved(items));
        std::iter::once(root).chain(items.into_iter().flat_map(|items| tree.children(items)))
    })
}

impl<'a> Manifest<'a> {
    /// The Applications called `name`, those of another namespace left out.
    pub(super) fn applications<'m>(
        &'m self,
        name: &str,
        namespace: Option<&str>,
    ) -> Result<Vec<Application<'m, 'a>>, YamlError> {
        let fits = |theirs: Option<&str>| theirs.is_none() || namespace.is_none() || theirs == namespace;
        let mut found = Vec::new();
        for document in &self.documents {
            let text = document.text(self.text);
            if may_hold(text, name) && may_hold(text, "Application") {
                for application in self.applications_in(document)? {
                    if application.name == name && fits(application.namespace) {
                        found.push(application);
                    }
                }
            }
        }
        Ok(found)
    }

    fn applications_in<'m>(
        &'m self,
        document: &'m Document<'a>,
    ) -> Result<Vec<Application<'m, 'a>>, YamlError> {
        let tree = self.tree(document)?;
        let mut found = Vec::new();
        for node in objects(tree).map(|node| tree.resolved(node)).filter(|node| is_application(tree, *node)) {
            self.unique(tree, node, &["apiVersion", "kind", "metadata", "spec"])?;
            let Some(metadata) = identity(tree, node, "metadata").map(|metadata| tree.resolved(metadata))
            else {
                continue;
            };
            self.unique(tree, metadata, &["name", "namespace", "annotations"])?;
            let word = |key| identity(tree, metadata, key).and_then(|value| tree.string(value));
            if let Some(name) = word("name") {
                found.push(Application { document, tree, node, name, namespace: word("namespace") });
            }
        }
        Ok(found)
    }

    /// The Application that a node lies in.
    pub(super) fn application_around<'m>(
        &'m self,
        document: &'m Document<'a>,
        node: usize,
    ) -> Result<Option<Application<'m, 'a>>, YamlError> {
        let around: Vec<usize> = self.tree(document)?.outwards(node).collect();
        Ok(self.applications_in(document)?.into_iter().find(|application| around.contains(&application.node)))
    }

    /// The one Application of this name.
    pub(super) fn application(
        &self,
        name: &str,
        namespace: Option<&str>,
    ) -> Result<Application<'_, 'a>, YamlError> {
        let mut found = self.applications(name, namespace)?.into_iter();
        match (found.next(), found.next()) {
            (Some(one), None) => Ok(one),
            (Some(one), Some(two)) => {
                let first = self.position(one.tree.start(one.node));
                let reason = YamlReason::TwoApplications { name: name.to_owned(), first };
                Err(self.fail(two.tree.start(two.node), reason))
            }
            (None, _) => {
                let (name, namespace) = (name.to_owned(), namespace.map(str::to_owned));
                let reason =
                    YamlReason::NoApplication { name, namespace, found: self.names_of_applications() };
                Err(YamlError::new(&self.file, None, reason))
            }
        }
    }

    /// All Applications of the file, for a message: `name`, or `namespace/name`.
    fn names_of_applications(&self) -> Vec<String> {
        let holding = self.documents.iter().filter(|d| may_hold(d.text(self.text), "Application"));
        let found = holding.filter_map(|document| self.applications_in(document).ok()).flatten();
        found
            .map(|application| match application.namespace {
                Some(namespace) => format!("{namespace}/{}", application.name),
                None => application.name.to_owned(),
            })
            .collect()
    }

    /// The site of a field of a component.
    pub(super) fn field(
        &self,
        application: &Application<'_, 'a>,
        component: &str,
        path: &FieldPath,
    ) -> Result<Site, YamlError> {
        let tree = application.tree;
        let root = Place { tree, node: application.node, path: format!("Application {}", application.name) };
        let mut components = self.key(&self.key(&root, "spec")?, "components")?;
        components.path = format!("spec.components of Application {}", application.name);
        let node = self.item(&components, "name", component)?.ok_or_else(|| {
            let found = names(&components, "name");
            self.fail(
                tree.start(components.node),
                YamlReason::NoComponent { name: component.to_owned(), found },
            )
        })?;
        let mut place = Place { tree, node, path: format!("component {component}") };
        for (at, hop) in path.0.iter().enumerate() {
            let mut next = match hop {
                Hop::Key(key) => self.key(&place, key)?,
                Hop::Index(index) => self.index(&place, *index)?,
                Hop::Where { key, value } => {
                    let node = self.item(&place, key, value)?.ok_or_else(|| {
                        let (path, found) = (place.path.clone(), names(&place, key));
                        let reason =
                            YamlReason::NoItem { path, key: key.clone(), value: value.clone(), found };
                        self.fail(tree.start(place.node), reason)
                    })?;
                    Place { tree, node, path: String::new() }
                }
            };
            let so_far = FieldPath(path.0.iter().take(at + 1).cloned().collect());
            next.path = format!("{so_far} of component {component}");
            place = next;
        }
        let part = if path.ends_in_tag() { Part::Tag } else { Part::Reference };
        self.site(tree, place.node, part, &place.path)
    }

    /// The site of an annotation of an Application, where it has a value.
    pub(super) fn annotation(
        &self,
        application: &Application<'_, 'a>,
        annotation: &str,
    ) -> Result<Option<Site>, YamlError> {
        let tree = application.tree;
        // What is not written cannot be there: the whole walk is spared.
        if !may_hold(application.document.text(self.text), annotation) {
            return Ok(None);
        }
        let mut place =
            Place { tree, node: application.node, path: format!("Application {}", application.name) };
        for key in ["metadata", "annotations", annotation] {
            match self.key(&place, key) {
                Err(error) if matches!(*error.reason, YamlReason::NoKey { .. }) => return Ok(None),
                other => place = other?,
            }
            if is_empty(tree, place.node) {
                return Ok(None);
            }
        }
        self.site(tree, place.node, Part::Tag, annotation).map(Some)
    }

    /// The value of a key of a mapping.
    fn key<'m>(&self, place: &Place<'m, 'a>, key: &str) -> Result<Place<'m, 'a>, YamlError> {
        let tree = place.tree;
        self.shape(place, Kind::Map)?;
        self.unique(tree, place.node, &[key])?;
        if let Some((_, node)) = tree.values(place.node, key).next() {
            return Ok(Place { tree, node, path: format!("{key:?} of {}", place.path) });
        }
        let path = place.path.clone();
        if let Some((merge, _)) = tree.merged(place.node, key) {
            return Err(self.fail(tree.start(merge), YamlReason::MergeKey { path, key: key.to_owned() }));
        }
        let found =
            tree.pairs(place.node).filter_map(|(key, _)| tree.string(key)).map(str::to_owned).collect();
        Err(self.fail(tree.start(place.node), YamlReason::NoKey { path, key: key.to_owned(), found }))
    }

    /// The item of a list by its number.
    fn index<'m>(&self, place: &Place<'m, 'a>, index: usize) -> Result<Place<'m, 'a>, YamlError> {
        let tree = place.tree;
        self.shape(place, Kind::Seq)?;
        let node = tree.children(place.node).nth(index).ok_or_else(|| {
            let len = tree.children(place.node).count();
            self.fail(tree.start(place.node), YamlReason::NoIndex { path: place.path.clone(), index, len })
        })?;
        Ok(Place { tree, node, path: String::new() })
    }

    /// The one item of a list whose `key` has this value.
    fn item(&self, place: &Place<'_, 'a>, key: &str, value: &str) -> Result<Option<usize>, YamlError> {
        let tree = place.tree;
        self.shape(place, Kind::Seq)?;
        let mut found: Option<usize> = None;
        for item in tree.children(place.node) {
            let map = tree.resolved(item);
            let fits = |node| tree.string(node) == Some(value);
            if !(tree.values(map, key).any(|(_, node)| fits(node))
                || identity(tree, map, key).is_some_and(fits))
            {
                continue;
            }
            self.unique(tree, map, &[key])?;
            if let Some(first) = found {
                let first = self.position(tree.start(first));
                let (path, key, value) = (place.path.clone(), key.to_owned(), value.to_owned());
                return Err(self.fail(tree.start(item), YamlReason::TwoItems { path, key, value, first }));
            }
            found = Some(item);
        }
        Ok(found)
    }

    /// Refuses a mapping that has one of `keys` twice: readers differ in which of the two they take.
    fn unique(&self, tree: &Tree<'_>, map: usize, keys: &[&str]) -> Result<(), YamlError> {
        for key in keys {
            let mut values = tree.values(map, key);
            if let (Some((first, _)), Some((second, _))) = (values.next(), values.next()) {
                let first = self.position(tree.start(first));
                return Err(
                    self.fail(tree.start(second), YamlReason::DuplicateKey { key: (*key).to_owned(), first })
                );
            }
        }
        Ok(())
    }

    /// Refuses a node that is not the mapping or list that must be there to go on.
    fn shape(&self, place: &Place<'_, 'a>, expected: Kind) -> Result<(), YamlError> {
        let (tree, node) = (place.tree, place.node);
        let start = tree.start(node);
        let found = match tree.kind(node) {
            Some(kind) if kind == expected && !self.is_template(start) => return Ok(()),
            Some(Kind::Alias(target)) => return Err(self.alias(tree, node, target as usize, &place.path)),
            _ if self.is_template(start) => {
                return Err(self.fail(start, YamlReason::TemplateValue { path: place.path.clone() }));
            }
            Some(Kind::Map) => "a mapping",
            Some(Kind::Seq) => "a list",
            _ if is_empty(tree, node) => "empty",
            _ => "a single value",
        };
        let expected = if expected == Kind::Map { "a mapping" } else { "a list" };
        Err(self.fail(start, YamlReason::Shape { path: place.path.clone(), expected, found }))
    }
}

/// What the items of a list call themselves, for a message.
fn names(place: &Place<'_, '_>, key: &str) -> Vec<String> {
    let tree = place.tree;
    let name = |item| {
        identity(tree, tree.resolved(item), key).and_then(|value| tree.string(value)).map(str::to_owned)
    };
    tree.children(place.node).filter_map(name).collect()
}
