//! Why a file is left as it is, and what to do about it.

use std::fmt;

/// A place in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
}

impl Position {
    /// The place of the byte `offset` in `bytes`, whose lines start at `lines`.
    pub(super) fn of(bytes: &[u8], lines: &[u32], offset: usize) -> Self {
        let line = lines.partition_point(|start| *start as usize <= offset).max(1);
        let start = lines.get(line - 1).map_or(0, |start| *start as usize);
        let before = bytes.get(start..offset).unwrap_or_default();
        let before = before.strip_prefix("\u{feff}".as_bytes()).unwrap_or(before);
        Self { line, column: 1 + before.iter().filter(|byte| **byte & 0xc0 != 0x80).count() }
    }

    /// The place of the byte `offset`, where no more places of the file will be asked for.
    pub(super) fn once(bytes: &[u8], offset: usize) -> Self {
        Self::of(bytes, &line_starts(bytes), offset)
    }
}

/// Where the lines of a file start. They end as YAML's do: by LF, CR LF or CR.
pub(super) fn line_starts(bytes: &[u8]) -> Vec<u32> {
    let ends = bytes.iter().enumerate().filter(|(at, byte)| match byte {
        b'\n' => true,
        b'\r' => bytes.get(at + 1) != Some(&b'\n'),
        _ => false,
    });
    let starts = ends.map(|(at, _)| u32::try_from(at + 1).unwrap_or(u32::MAX));
    std::iter::once(0).chain(starts).collect()
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// A file that cannot be used or changed. Nothing of it was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot change the image in {file}{}", at.map(|at| format!(":{at}")).unwrap_or_default())]
pub struct YamlError {
    /// The file's name, as given.
    pub file: String,
    /// Where in the file.
    pub at: Option<Position>,
    /// Why.
    #[source]
    pub reason: Box<YamlReason>,
}

/// Why a file cannot be used or changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the message of each variant says what its fields are")]
pub enum YamlReason {
    #[error("the file is too large: {bytes} bytes, and {} are the most", super::MAX_BYTES)]
    TooLarge { bytes: usize },
    #[error("a document has more than {most} values")]
    TooManyNodes { most: usize },
    #[error("the file is UTF-16")]
    Utf16,
    #[error("this byte is not UTF-8")]
    NotUtf8,
    #[error("this byte is a NUL: the file is no text")]
    Nul,
    #[error("not YAML: {0}")]
    Syntax(String),
    #[error("a template ({{{{ }}}}) stands here, and that is not YAML")]
    Template,

    #[error("no Application called {name}{} ({})", in_namespace(namespace), listed("there is", found))]
    NoApplication { name: String, namespace: Option<String>, found: Vec<String> },
    #[error("a second Application called {name}; the first is at {first}")]
    TwoApplications { name: String, first: Position },
    #[error("the Application has no component called {name} ({})", listed("there is", found))]
    NoComponent { name: String, found: Vec<String> },
    #[error("{path} has no {key:?} ({})", listed("it has", found))]
    NoKey { path: String, key: String, found: Vec<String> },
    #[error("{path} has no item {index}: it has {len}, counted from 0")]
    NoIndex { path: String, index: usize, len: usize },
    #[error("{path} has no item with {key} {value:?} ({})", listed("there is", found))]
    NoItem { path: String, key: String, value: String, found: Vec<String> },
    #[error("a second item with {key} {value:?} in {path}; the first is at {first}")]
    TwoItems { path: String, key: String, value: String, first: Position },
    #[error("{path} is {found}, not {expected}")]
    Shape { path: String, expected: &'static str, found: &'static str },
    #[error("the key {key:?} for the second time; the first is at {first}")]
    DuplicateKey { key: String, first: Position },

    #[error("{path} is the alias {alias}: the value itself stands at {anchor}")]
    Alias { path: String, alias: String, anchor: Position },
    #[error("{key:?} of {path} comes only through the merge key `<<`")]
    MergeKey { path: String, key: String },
    #[error("{path} is used again by the alias at {alias}: a change would change both")]
    Shared { path: String, alias: Position },
    #[error("{path} has no value")]
    Empty { path: String },
    #[error("{path} is a block scalar (`|` or `>`)")]
    Block { path: String },
    #[error("{path} goes over several lines")]
    MultiLine { path: String },
    #[error("{path} has the tag {tag}, so it is no plain string")]
    Tagged { path: String, tag: String },
    #[error("a template ({{{{ }}}}) stands where {path} has its value")]
    TemplateValue { path: String },

    #[error("the marker of {policy} has no value at its left")]
    MarkerAlone { policy: String },
    #[error("the marker of {policy} has {values} values at its left")]
    MarkerAmbiguous { policy: String, values: usize },

    #[error("{0:?} is no part of an image's name: only letters, digits and . _ - / : @ + can be")]
    Value(String),
    #[error("two different values for one place: {first} and {second}")]
    Conflict { first: String, second: String },
    #[error("{0:?} does not stand at this place of the file")]
    Stale(String),
    #[error("the edit would have changed more than the value (this is a bug)")]
    NotProven,
}

impl YamlError {
    pub(super) fn new(file: &str, at: Option<Position>, reason: YamlReason) -> Self {
        Self { file: file.to_owned(), at, reason: Box::new(reason) }
    }

    /// What the reader can do, for the line `hint:`.
    pub fn hint(&self) -> String {
        use YamlReason as R;
        let text = match &*self.reason {
            R::TooLarge { .. } | R::TooManyNodes { .. } => "move the Application to a file of its own",
            R::Utf16 | R::NotUtf8 => "save the file as UTF-8",
            R::Nul => "point spec.git.path at the YAML file",
            R::Syntax(_) => "mend the file; `kubectl apply --dry-run=client -f FILE` must take it",
            R::Template | R::TemplateValue { .. } => {
                "point at the file that holds the image itself (for a Helm chart: its values.yaml, with a marker comment \
                 behind the tag), not at the template"
            }
            R::NoApplication { name, found, .. } => {
                return nearest(name, found, "check spec.target.application");
            }
            R::TwoApplications { .. } => {
                "keep one of the two, or give each a file and point spec.git.path at one"
            }
            R::NoComponent { name, found } => return nearest(name, found, "check spec.target.component"),
            R::NoKey { key, found, .. } => {
                return nearest(
                    key,
                    found,
                    "check spec.target.path: it starts below the component, as properties.image does",
                );
            }
            R::NoItem { value, found, .. } => return nearest(value, found, "check spec.target.path"),
            R::NoIndex { .. } | R::Shape { .. } => {
                "check spec.target.path: it starts below the component, as properties.image does"
            }
            R::TwoItems { .. } | R::DuplicateKey { .. } => "take one of the two out",
            R::Alias { .. } | R::MergeKey { .. } => {
                "write the image out at this place, or put a marker comment behind the value itself"
            }
            R::Shared { .. } => "write the image out at both places, without anchor and alias",
            R::Empty { .. } => "write the image once by hand; it is kept up to date from then on",
            R::Block { .. } | R::MultiLine { .. } => "write the value on one line: image: repository:tag",
            R::Tagged { .. } => "take the tag out, or put the value in quotes",
            R::MarkerAlone { .. } => "put the comment behind the value, on the value's last line",
            R::MarkerAmbiguous { .. } => "put each value on a line of its own",
            R::Value(_) => "check the tag that was chosen",
            R::Conflict { .. } => "let one resource keep one place up to date",
            R::Stale(_) => "read the file again and decide anew",
            R::NotProven => "nothing was written; please report the file",
        };
        text.to_owned()
    }
}

fn in_namespace(namespace: &Option<String>) -> String {
    namespace.as_ref().map(|namespace| format!(" in the namespace {namespace}")).unwrap_or_default()
}

/// `there is a, b, c and 5 more`.
fn listed(start: &str, found: &[String]) -> String {
    const MOST: usize = 10;
    if found.is_empty() {
        return format!("{start} none");
    }
    let names = found.iter().take(MOST).map(String::as_str).collect::<Vec<_>>().join(", ");
    match found.len().checked_sub(MOST) {
        None | Some(0) => format!("{start} {names}"),
        Some(more) => format!("{start} {names} and {more} more"),
    }
}

/// Asks for the name of `found` that is likely meant by `wanted`, before `otherwise`.
///
/// Applications are shown as `namespace/name`: the part that is compared is the one that was asked for.
fn nearest(wanted: &str, found: &[String], otherwise: &str) -> String {
    let comparable = |name: &str| match (wanted.contains('/'), name.rsplit_once('/')) {
        (false, Some((_, last))) => distance(wanted, last),
        _ => distance(wanted, name),
    };
    let near = found.iter().map(|name| (comparable(name), name)).min();
    match near {
        Some((edits, name)) if edits < wanted.len().min(3 + wanted.len() / 4) => {
            format!("did you mean {name}? {otherwise}")
        }
        _ => otherwise.to_owned(),
    }
}

/// How many characters must be put in, taken out or replaced to get from one word to the other.
fn distance(a: &str, b: &str) -> usize {
    let (a, b) = (a.get(..64).unwrap_or(a), b.get(..64).unwrap_or(b));
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        let mut next = vec![left];
        for (y, above) in b.chars().zip(row.iter().skip(1)) {
            left = (diagonal + usize::from(x != y)).min(above + 1).min(left + 1);
            diagonal = *above;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_by_lf_crlf_or_cr_and_columns_count_characters() {
        for (text, offset, line, column) in [
            ("abc", 0, 1, 1),
            ("abc", 2, 1, 3),
            ("a\nb", 2, 2, 1),
            ("a\r\nb", 3, 2, 1),
            ("a\rb", 2, 2, 1),
            ("a\r\rb", 3, 3, 1),
            ("é: x", 4, 1, 4),
            ("\u{feff}a: x", 6, 1, 4),
            ("a\n\n", 3, 3, 1),
        ] {
            assert_eq!(
                Position::once(text.as_bytes(), offset),
                Position { line, column },
                "{text:?} {offset}"
            );
        }
    }

    #[test]
    fn a_misspelt_name_is_guessed() {
        assert_eq!(distance("back", "back"), 0);
        assert_eq!(distance("bakc", "back"), 2);
        assert_eq!(distance("", "ab"), 2);
        assert_eq!(distance("image", "imaeg-x"), 3);
        let found = ["front".to_owned(), "back".to_owned()];
        assert!(nearest("bakc", &found, "check it").starts_with("did you mean back?"));
        let applications = ["shop/backoffice-dev".to_owned()];
        assert!(nearest("backofice-dev", &applications, "").starts_with("did you mean shop/backoffice-dev?"));
        assert_eq!(nearest("b", &found, "check it"), "check it");
        assert_eq!(nearest("worker", &found, "check it"), "check it");
    }
}
