//! Files of the user: `ImageGitOps` resources and the Secrets that they name.
//!
//! The same YAML as in a cluster. A Secret that a resource names is looked up among the documents of the given files, in the
//! resource's namespace only. A `kind: List`, as `kubectl get -o yaml` prints it, is read as its items.

use std::{
    collections::BTreeMap,
    fs,
    io::Read as _,
    path::{Path, PathBuf},
};

use image_gitops_core::{
    resource::{Resource, ResourceId, SpecError},
    secret::{Secret, SecretError},
    spec,
};
use secrecy::zeroize::Zeroizing;

/// `kind` of a Secret.
const SECRET: &str = "Secret";

/// A file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InputError {
    #[error("cannot read {path}")]
    Read {
        path: String,
        #[source]
        source: std::io::Error,
    },
    #[error("{path} is not YAML that can be read")]
    Yaml {
        path: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("{path}: document {document} is not an ImageGitOps that can be used")]
    Document {
        path: String,
        document: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("{path}: resource {id} cannot be used")]
    Spec {
        path: String,
        id: String,
        #[source]
        source: SpecError,
    },
    #[error("{path}: Secret {id} cannot be used")]
    Secret {
        path: String,
        id: String,
        #[source]
        source: SecretError,
    },
    #[error("{kind} {id} stands in {first} and again in {second}")]
    Twice { kind: &'static str, id: String, first: String, second: String },
    #[error("no ImageGitOps resource in {0}")]
    Nothing(String),
}

impl InputError {
    pub(crate) fn hint(&self) -> String {
        match self {
            Self::Read { source, .. } if source.kind() == std::io::ErrorKind::InvalidData => {
                "save the file as UTF-8".into()
            }
            Self::Read { .. } => {
                "name a file that exists, a folder of YAML files, or - for standard input".into()
            }
            Self::Yaml { .. } => "mend the line that is named; indent with spaces only".into(),
            Self::Document { .. } | Self::Spec { .. } => {
                "docs/reference/resource.md lists every field".into()
            }
            Self::Secret { .. } => {
                "a Secret holds token, or username and password, or .dockerconfigjson".into()
            }
            Self::Twice { .. } => "keep one of the two".into(),
            Self::Nothing(_) => {
                format!(
                    "a resource starts with `apiVersion: {}` and `kind: {}`",
                    spec::API_VERSION,
                    spec::KIND
                )
            }
        }
    }
}

/// What the files hold.
#[derive(Debug, Default)]
pub(crate) struct Input {
    /// In the order of the files.
    pub(crate) resources: Vec<Resource>,
    pub(crate) secrets: BTreeMap<ResourceId, Secret>,
}

impl Input {
    /// Reads all `paths`. Documents of other kinds are passed over: an Application often lies in the same file.
    pub(crate) fn read(paths: &[PathBuf]) -> Result<Self, InputError> {
        let mut input = Self::default();
        let mut origin = BTreeMap::new();
        for path in paths {
            for (name, text) in texts(path)? {
                input.add(&name, &text, &mut origin)?;
            }
        }
        if input.resources.is_empty() {
            let names: Vec<_> = paths.iter().map(|p| p.display().to_string()).collect();
            return Err(InputError::Nothing(names.join(", ")));
        }
        Ok(input)
    }

    fn add(
        &mut self,
        path: &str,
        text: &str,
        origin: &mut BTreeMap<(&'static str, ResourceId), String>,
    ) -> Result<(), InputError> {
        // What holds neither word is none of ours, and may be a template that is not YAML at all.
        if !text.contains(spec::KIND) && !text.contains(SECRET) {
            return Ok(());
        }
        // Without the lines around an error: they may be a Secret's.
        let options = serde_saphyr::options! { with_snippet: false };
        let documents: Vec<serde_json::Value> = serde_saphyr::from_multiple_with_options(text, options)
            .map_err(|source| InputError::Yaml { path: path.to_owned(), source: Box::new(source) })?;
        for value in documents.into_iter().flat_map(items) {
            let kind = value.get("kind").and_then(|k| k.as_str()).unwrap_or_default();
            let (kind, id) = match kind {
                spec::KIND => {
                    let resource = resource(path, value)?;
                    let id = resource.id.clone();
                    self.resources.push(resource);
                    (spec::KIND, id)
                }
                SECRET => {
                    let (id, secret) = secret(path, value)?;
                    self.secrets.insert(id.clone(), secret);
                    (SECRET, id)
                }
                _ => continue,
            };
            if let Some(first) = origin.insert((kind, id.clone()), path.to_owned()) {
                return Err(InputError::Twice { kind, id: id.to_string(), first, second: path.to_owned() });
            }
        }
        Ok(())
    }
}

/// The objects of a document: the items of a list, else itself.
fn items(mut document: serde_json::Value) -> Vec<serde_json::Value> {
    let kind = document.get("kind").and_then(|kind| kind.as_str()).unwrap_or_default();
    let is_list = ["List", "ImageGitOpsList", "SecretList"].contains(&kind);
    match document.get_mut("items") {
        Some(serde_json::Value::Array(items)) if is_list => std::mem::take(items),
        _ => vec![document],
    }
}

fn resource(path: &str, value: serde_json::Value) -> Result<Resource, InputError> {
    let name =
        value.pointer("/metadata/name").and_then(|n| n.as_str()).unwrap_or("without a name").to_owned();
    let document: spec::ImageGitOps = serde_json::from_value(value).map_err(|source| {
        InputError::Document { path: path.to_owned(), document: name.clone(), source: Box::new(source) }
    })?;
    Resource::try_from(document).map_err(|source| InputError::Spec {
        path: path.to_owned(),
        id: name,
        source,
    })
}

fn secret(path: &str, value: serde_json::Value) -> Result<(ResourceId, Secret), InputError> {
    let text = |pointer| value.pointer(pointer).and_then(|n| n.as_str()).map(str::to_owned);
    let id = ResourceId {
        namespace: text("/metadata/namespace").unwrap_or_else(|| "default".into()),
        name: text("/metadata/name").unwrap_or_default(),
    };
    let secret = Secret::from_manifest(value).map_err(|source| InputError::Secret {
        path: path.to_owned(),
        id: id.to_string(),
        source,
    })?;
    Ok((id, secret))
}

/// The texts behind a path: standard input, a file, or the YAML files directly in a folder, by name.
/// They are wiped when dropped: Secrets stand in them.
fn texts(path: &Path) -> Result<Vec<(String, Zeroizing<String>)>, InputError> {
    let failed = |path: &Path| {
        let path = path.display().to_string();
        move |source| InputError::Read { path, source }
    };
    if path == Path::new("-") {
        let mut text = Zeroizing::new(String::new());
        std::io::stdin().read_to_string(&mut text).map_err(failed(Path::new("standard input")))?;
        return Ok(vec![("standard input".into(), text)]);
    }
    let mut files = Vec::new();
    if fs::metadata(path).map_err(failed(path))?.is_dir() {
        for entry in fs::read_dir(path).map_err(failed(path))? {
            let file = entry.map_err(failed(path))?.path();
            if file.extension().is_some_and(|e| e == "yaml" || e == "yml") && file.is_file() {
                files.push(file);
            }
        }
        files.sort();
    } else {
        files.push(path.to_owned());
    }
    files
        .into_iter()
        .map(|file| {
            Ok((
                file.display().to_string(),
                Zeroizing::new(fs::read_to_string(&file).map_err(failed(&file))?),
            ))
        })
        .collect()
}
