//! The JSON of a request's body, written by somebody else: what is needed is looked up by name, the rest is ignored.

use serde_json::Value;

/// How many characters of what was sent an error repeats at most.
const SHOWN: usize = 80;

/// What is wrong with a body.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// A header is needed to read it.
    #[error("the header {0} is missing")]
    Header(&'static str),
    /// `payload=%7B…`, as a form is sent.
    #[error("it is a form, not JSON")]
    Form,
    /// Not JSON, or nested too deep.
    #[error("it is not JSON (line {line}, column {column})")]
    Json {
        /// From 1.
        line: usize,
        /// From 1, in bytes.
        column: usize,
    },
    /// JSON, but a list, a text or the like.
    #[error("it is not a JSON object")]
    NotObject,
    /// A field is absent, null or empty.
    #[error("`{0}` is missing")]
    Missing(&'static str),
    /// A field holds something else than a text.
    #[error("`{0}` is not a text")]
    NotText(&'static str),
    /// A field that nobody knows.
    #[error("unknown field {0:?}")]
    Unknown(String),
    /// A field cannot be used.
    #[error("`{field}` is {text:?}: {reason}")]
    Unusable {
        /// The field.
        field: &'static str,
        /// The beginning of what it holds.
        text: String,
        /// What is wrong with it.
        reason: &'static str,
    },
}

impl BodyError {
    pub(crate) fn unusable(field: &'static str, text: &str, reason: &'static str) -> Self {
        Self::Unusable { field, text: beginning(text), reason }
    }

    pub(crate) fn unknown(field: &str) -> Self {
        Self::Unknown(beginning(field))
    }
}

fn beginning(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => text.get(..end).unwrap_or_default().to_owned() + "…",
        None => text.to_owned(),
    }
}

/// Reads a body that is an object.
pub(crate) fn object(bytes: &[u8]) -> Result<Value, BodyError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    match serde_json::from_slice(bytes) {
        Ok(value @ Value::Object(_)) => Ok(value),
        Ok(_) => Err(BodyError::NotObject),
        Err(_) if bytes.starts_with(b"payload=") => Err(BodyError::Form),
        Err(error) => Err(BodyError::Json { line: error.line(), column: error.column() }),
    }
}

/// What stands at `path`, as in `package.owner.login`. `null` is as good as absent.
pub(crate) fn at<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    path.split('.').try_fold(value, |value, name| value.get(name)).filter(|value| !value.is_null())
}

/// The text at `path`, if anything stands there.
pub(crate) fn find<'v>(value: &'v Value, path: &'static str) -> Result<Option<&'v str>, BodyError> {
    let text = |value: &'v Value| value.as_str().ok_or(BodyError::NotText(path));
    at(value, path).map(text).transpose()
}

/// The text at `path`, which must not be empty.
pub(crate) fn text<'v>(value: &'v Value, path: &'static str) -> Result<&'v str, BodyError> {
    find(value, path)?.filter(|text| !text.is_empty()).ok_or(BodyError::Missing(path))
}
