//! A file of the user: find the scalars that name an image, and change exactly those bytes.
//!
//! **Invariant:** [`Manifest::edit`] returns the same bytes but for the values of the given sites, or an error. It never
//! prints YAML: it replaces the bytes of scalars, parses the result again and proves that nothing else changed.
//!
//! - `document` cuts the file at its `---` lines; a document is parsed when it may concern a question, never else.
//!   So a template in another document is not in the way, and a file of many megabytes costs what one document costs.
//! - `tree` keeps the nodes of one document with the bytes that they span.
//! - `locate` and `marker` find values, by name and by comment; `site` says which of them can be changed, and `scalar`
//!   what can be written there and how.
//! - `edit` splices and proves.
//! - `lean` answers from a part of a large document what that part can answer: `outline` finds, line by `line`, which
//!   items of its lists can be left out, and `excerpt` knows where in the file the rest stands.

mod document;
mod edit;
mod error;
mod excerpt;
mod lean;
mod line;
mod locate;
mod marker;
mod outline;
mod path;
mod scalar;
mod site;
mod tree;

use std::{
    ops::Range,
    sync::{Arc, OnceLock, atomic::AtomicUsize},
};

use self::{document::Document, lean::Concern, tree::Tree};
pub use self::{
    document::mentions,
    error::{Position, YamlError, YamlReason},
    marker::Marker,
    path::{FieldPath, FieldPathError},
};

/// The size of the largest file that is read: 10 MB. Kubernetes takes objects of 1.5 MB.
pub const MAX_BYTES: usize = 10_000_000;

/// Where an image stands, as a resource says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Locator {
    /// A field of a component of an Application.
    Field {
        /// The Application's `metadata.name`.
        application: String,
        /// The Application's `metadata.namespace`; compared where both sides give one.
        namespace: Option<String>,
        /// The component's `name`.
        component: String,
        /// The field below the component.
        path: FieldPath,
    },
    /// Every value with the comment `# {"$imagepolicy": "namespace:name"}` at its right.
    Marker {
        /// `namespace:name`.
        policy: String,
    },
}

/// What of an image a value holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// `repository:tag`, with or without a digest.
    Reference,
    /// Only the tag.
    Tag,
    /// Only the repository.
    Name,
    /// Only the digest.
    Digest,
}

/// One value of a file that names an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// The bytes of the whole scalar in the file, its quotes included, its anchor and tag not.
    pub span: Range<usize>,
    /// The scalar's value, without quotes and escapes.
    pub value: String,
    /// The line of its first character, from 1.
    pub line: usize,
    /// The column of its first character, from 1, in characters.
    pub column: usize,
    /// What it holds.
    pub part: Part,
    /// Whether the comment `image-gitops: pinned` stands at its right.
    pub pinned: bool,
}

/// A new value for a site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What to replace, as [`Manifest::locate`] found it.
    pub site: Site,
    /// The new value: of the characters of image references only.
    pub value: String,
}

/// One file, cut into its documents.
#[derive(Debug)]
pub struct Manifest<'a> {
    file: String,
    text: &'a str,
    documents: Vec<Document<'a>>,
    lines: Arc<OnceLock<Vec<u32>>>,
    /// The size from which on a document is parsed in parts, and how many bytes that has cost.
    large: usize,
    spent: AtomicUsize,
}

impl<'a> Manifest<'a> {
    /// Takes the bytes of the file that messages call `file`.
    ///
    /// Fails where they are no text: too large ([`MAX_BYTES`]), not UTF-8, or with a NUL. Whether the text is YAML is
    /// seen by the methods below, for the documents that concern them.
    pub fn parse(file: &str, bytes: &'a [u8]) -> Result<Self, YamlError> {
        let fail = |at, reason| Err(YamlError::new(file, at, reason));
        if bytes.len() > MAX_BYTES {
            return fail(None, YamlReason::TooLarge { bytes: bytes.len() });
        }
        if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
            return fail(None, YamlReason::Utf16);
        }
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => return fail(Some(Position::once(bytes, error.valid_up_to())), YamlReason::NotUtf8),
        };
        if let Some(nul) = bytes.iter().position(|b| *b == 0) {
            return fail(Some(Position::once(bytes, nul)), YamlReason::Nul);
        }
        Ok(Self {
            file: file.to_owned(),
            text,
            documents: document::split(text),
            lines: Arc::default(),
            large: lean::LARGE,
            spent: AtomicUsize::new(0),
        })
    }

    /// The sites of `target`: exactly one for a field, none or more for a marker.
    pub fn locate(&self, target: &Locator) -> Result<Vec<Site>, YamlError> {
        self.lean_or_whole(&Concern::target(target), |manifest| match target {
            Locator::Field { application, namespace, component, path } => {
                let application = manifest.application(application, namespace.as_deref())?;
                Ok(vec![manifest.field(&application, component, path)?])
            }
            Locator::Marker { policy } => manifest.marked(policy),
        })
    }

    /// Whether the file holds an Application called `name` that is not of another namespace.
    ///
    /// Fails where a document that may be this Application is not YAML.
    pub fn has_application(&self, name: &str, namespace: Option<&str>) -> Result<bool, YamlError> {
        self.lean_or_whole(&Concern::application(name), |manifest| {
            Ok(!manifest.applications(name, namespace)?.is_empty())
        })
    }

    /// The value of the annotation `app.oam.dev/publishVersion` of the Application that `site` lies in; `None` where it
    /// is absent or empty, or `site` lies in no Application.
    pub fn publish_version(&self, site: &Site) -> Result<Option<Site>, YamlError> {
        self.lean_or_whole(&Concern::around(site), |manifest| {
            let Some((document, node)) = manifest.node_at(&site.span) else { return Ok(None) };
            match manifest.application_around(document, node)? {
                Some(application) => manifest.annotation(&application, "app.oam.dev/publishVersion"),
                None => Ok(None),
            }
        })
    }

    /// All markers of the file in their order, whatever policy they name, so that one can say which there are.
    /// Documents that are not YAML are left out.
    pub fn markers(&self) -> Vec<Marker> {
        self.all_markers()
    }

    /// The file with `changes` made: all other bytes are those of the file.
    ///
    /// A value in quotes keeps them. A plain one is put in double quotes where a YAML 1.1 or 1.2 reader would else take
    /// it for a number, boolean, null or date. A change to the value that stands there already changes nothing.
    pub fn edit(&self, changes: &[Change]) -> Result<Vec<u8>, YamlError> {
        self.lean_or_whole(&Concern::changes(changes), |manifest| manifest.spliced(changes))
    }

    /// The nodes of a document, parsed at the first question.
    fn tree<'m>(&'m self, document: &'m Document<'a>) -> Result<&'m Tree<'a>, YamlError> {
        document.tree(self.text).as_ref().map_err(|(offset, reason)| self.fail(*offset, (**reason).clone()))
    }

    /// The document and the node whose bytes are `span`.
    fn node_at(&self, span: &Range<usize>) -> Option<(&Document<'a>, usize)> {
        let after = self.documents.partition_point(|document| document.range.start <= span.start);
        let document = self.documents.get(after.checked_sub(1)?)?;
        let node = self.tree(document).ok()?.scalar_at(span)?;
        Some((document, node))
    }

    fn position(&self, offset: usize) -> Position {
        let bytes = self.text.as_bytes();
        Position::of(bytes, self.lines.get_or_init(|| error::line_starts(bytes)), offset)
    }

    fn fail(&self, offset: usize, reason: YamlReason) -> YamlError {
        YamlError::new(&self.file, Some(self.position(offset)), reason)
    }
}
