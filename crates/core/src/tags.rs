//! Which tags are candidates, and what of a tag is compared: `pattern`, `extract`, `exclude`.
//!
//! The three fields mean what they mean in Flux's `ImagePolicy`: `pattern` is searched for (not anchored), `extract` is
//! a template over the pattern's groups. Where Flux is silent about a mistake (a group that does not exist becomes an
//! empty text, and then every tag is equal) a filter is refused when it is built.

use std::{
    borrow::Cow,
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex, PoisonError, Weak},
};

use regex::bytes::{CaptureLocations, Regex, RegexBuilder, RegexSet, RegexSetBuilder};

mod template;

pub use template::TemplateError;
use template::{Part, Template};

/// Tags that are never candidates, whatever a policy says: signatures, attestations and lists of contents that tools
/// store beside an image under tags of their own, and the referrers tag schema of the OCI distribution specification.
pub const DEFAULT_EXCLUDES: [&str; 4] = [r"\.sig$", r"\.att$", r"\.sbom$", r"^sha256-[a-f0-9]{64}"];

/// The most memory, in bytes, that one compiled pattern may take. A tag has at most 128 characters; what is larger is
/// an attack or a slip (`.{1,9999}`).
const SIZE_LIMIT: usize = 1 << 20;

/// The most bytes of a pattern, a template or an exclusion. Reading one takes memory before its compiled size is known.
const LONGEST: usize = 2048;
/// The most exclusions: each is compiled alone, to say which one is wrong.
const MOST_EXCLUDES: usize = 64;

/// A filter that cannot be built.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// `pattern` is no regular expression.
    #[error("cannot read the pattern '{pattern}'")]
    Pattern {
        /// What was given.
        pattern: String,
        /// Why.
        #[source]
        reason: RegexError,
    },
    /// One of `exclude` is no regular expression.
    #[error("cannot read the exclusion '{pattern}'")]
    Exclude {
        /// What was given.
        pattern: String,
        /// Why.
        #[source]
        reason: RegexError,
    },
    /// There are too many, or one is too long. It is not repeated here.
    #[error("{what}: at most {limit}")]
    TooLarge {
        /// Which field.
        what: &'static str,
        /// How much is allowed.
        limit: String,
    },
    /// `extract` cannot be filled in from `pattern`.
    #[error("cannot extract '{extract}'")]
    Extract {
        /// What was given.
        extract: String,
        /// Why.
        #[source]
        reason: TemplateError,
    },
}

/// Why a text is no regular expression, in one line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct RegexError(String);

impl From<regex::Error> for RegexError {
    fn from(error: regex::Error) -> Self {
        let text = match error {
            regex::Error::CompiledTooBig(limit) => {
                return Self(format!("compiled, it takes more than {limit} bytes: repeat less"));
            }
            other => other.to_string(),
        };
        // The crate draws the pattern over several lines and ends with `error: <why>`.
        let why = text.rsplit_once("error: ").map_or(text.as_str(), |(_, why)| why);
        let hint = if why.contains("look-around") || why.contains("backreferences") {
            "; say with `exclude` what must not match"
        } else {
            ""
        };
        Self(format!("{}{hint}", why.trim()))
    }
}

/// A validated filter. A clone, and one that is built from the same texts while it lives, is the same one: a compiled
/// pattern takes some ten kilobytes, and thousands of resources have the same.
#[derive(Clone, Debug)]
pub struct TagFilter(Arc<Compiled>);

#[derive(Debug)]
struct Compiled {
    pattern: Option<Regex>,
    key: Key,
    /// The user's own, where there are any.
    excludes: Option<RegexSet>,
}

/// The texts of a filter.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Texts {
    pattern: String,
    extract: String,
    exclude: Vec<String>,
}

/// [`DEFAULT_EXCLUDES`], compiled once. (That they compile, a test sees: one of them excludes a tag.)
static DEFAULTS: LazyLock<Option<RegexSet>> =
    LazyLock::new(|| RegexSetBuilder::new(DEFAULT_EXCLUDES).unicode(false).build().ok());
/// The filters that are in use.
static IN_USE: LazyLock<Mutex<HashMap<Texts, Weak<Compiled>>>> = LazyLock::new(Mutex::default);

/// What of a tag is compared. The first two are what nearly everybody writes, and they need no allocation.
#[derive(Clone, Debug)]
enum Key {
    Tag,
    Group(usize),
    Template(Template),
}

/// Why a filter dropped a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Skip<'f> {
    /// It matches this exclusion.
    #[error("excluded by '{0}'")]
    Excluded(&'f str),
    /// It does not match the pattern.
    #[error("does not match the pattern")]
    Unmatched,
}

impl TagFilter {
    /// Builds a filter. An absent or empty `pattern` takes every tag, an absent or empty `extract` compares the whole
    /// tag; `exclude` adds to [`DEFAULT_EXCLUDES`].
    ///
    /// The syntax of patterns is that of the `regex` crate with ASCII classes, which is RE2's but for `\Q…\E` and `\C`.
    pub fn new(
        pattern: Option<&str>,
        extract: Option<&str>,
        exclude: &[String],
    ) -> Result<Self, FilterError> {
        let text = |given: Option<&str>| given.unwrap_or_default().to_owned();
        let texts = Texts { pattern: text(pattern), extract: text(extract), exclude: exclude.to_owned() };
        let in_use = || IN_USE.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = in_use().get(&texts).and_then(Weak::upgrade) {
            return Ok(Self(known));
        }
        let compiled = Arc::new(Compiled::new(pattern, extract, exclude)?);
        let mut in_use = in_use();
        // Twice as many as are in use, at most.
        if in_use.len() == in_use.capacity() {
            in_use.retain(|_, filter| filter.strong_count() > 0);
        }
        in_use.insert(texts, Arc::downgrade(&compiled));
        Ok(Self(compiled))
    }

    /// What of `tag` is compared, or why it is no candidate. A group that took no part in the match is empty.
    pub fn key<'t>(&self, tag: &'t str) -> Result<Cow<'t, str>, Skip<'_>> {
        self.reader().key(tag)
    }

    /// Reads the keys of many tags with one piece of scratch memory.
    pub(crate) fn reader(&self) -> KeyReader<'_> {
        KeyReader { filter: &self.0, groups: self.0.pattern.as_ref().map(Regex::capture_locations) }
    }
}

impl Compiled {
    fn new(pattern: Option<&str>, extract: Option<&str>, exclude: &[String]) -> Result<Self, FilterError> {
        let pattern = pattern.filter(|text| !text.is_empty());
        for (what, text) in [("the pattern is too long", pattern), ("`extract` is too long", extract)] {
            check_length(what, text.unwrap_or_default())?;
        }
        let pattern = pattern.map(|text| {
            compile(text).map_err(|reason| FilterError::Pattern { pattern: text.to_owned(), reason })
        });
        let pattern = pattern.transpose()?;
        let key = match extract.filter(|text| !text.is_empty()) {
            None => Key::Tag,
            Some(text) => Key::new(text, pattern.as_ref())
                .map_err(|reason| FilterError::Extract { extract: text.to_owned(), reason })?,
        };
        Ok(Self { pattern, key, excludes: excludes(exclude)? })
    }

    /// The first exclusion that `tag` matches: the user's own before the default ones.
    fn excluded_by(&self, tag: &str) -> Option<&str> {
        let sets = self.excludes.iter().chain(DEFAULTS.iter());
        let mut matching = sets.filter(|set| set.is_match(tag.as_bytes()));
        let set = matching.next()?;
        let first = set.matches(tag.as_bytes()).iter().next();
        Some(first.and_then(|index| set.patterns().get(index)).map_or("", String::as_str))
    }
}

impl Key {
    fn new(extract: &str, pattern: Option<&Regex>) -> Result<Self, TemplateError> {
        let pattern = pattern.ok_or(TemplateError::NoPattern)?;
        let template = Template::new(extract, pattern)?;
        Ok(match template.parts() {
            [Part::Group(group)] => Self::Group(*group),
            _ => Self::Template(template),
        })
    }
}

/// See [`TagFilter::reader`].
pub(crate) struct KeyReader<'f> {
    filter: &'f Compiled,
    groups: Option<CaptureLocations>,
}

impl<'f> KeyReader<'f> {
    pub(crate) fn key<'t>(&mut self, tag: &'t str) -> Result<Cow<'t, str>, Skip<'f>> {
        if let Some(pattern) = self.filter.excluded_by(tag) {
            return Err(Skip::Excluded(pattern));
        }
        let (Some(pattern), Some(groups)) = (&self.filter.pattern, &mut self.groups) else {
            return Ok(Cow::Borrowed(tag));
        };
        let matches = match self.filter.key {
            Key::Tag => pattern.is_match(tag.as_bytes()),
            Key::Group(_) | Key::Template(_) => pattern.captures_read(groups, tag.as_bytes()).is_some(),
        };
        if !matches {
            return Err(Skip::Unmatched);
        }
        // A tag is ASCII, so a group always ends between two characters; any other text yields an empty group.
        let group =
            |index| groups.get(index).and_then(|(start, end)| tag.get(start..end)).unwrap_or_default();
        Ok(match &self.filter.key {
            Key::Tag => Cow::Borrowed(tag),
            Key::Group(index) => Cow::Borrowed(group(*index)),
            Key::Template(template) => Cow::Owned(template.fill(group)),
        })
    }
}

/// Tags are ASCII, so Unicode's classes would only make the automaton larger and `\d` differ from RE2's.
fn compile(pattern: &str) -> Result<Regex, RegexError> {
    Ok(RegexBuilder::new(pattern).unicode(false).size_limit(SIZE_LIMIT).build()?)
}

fn check_length(what: &'static str, text: &str) -> Result<(), FilterError> {
    match text.len() > LONGEST {
        true => Err(FilterError::TooLarge { what, limit: format!("{LONGEST} bytes") }),
        false => Ok(()),
    }
}

/// The user's exclusions in one automaton: a tag is read once for all of them.
fn excludes(own: &[String]) -> Result<Option<RegexSet>, FilterError> {
    let fail = |pattern: &str, reason| FilterError::Exclude { pattern: pattern.to_owned(), reason };
    if own.len() > MOST_EXCLUDES {
        let limit = format!("{MOST_EXCLUDES}; join some by `|`");
        return Err(FilterError::TooLarge { what: "there are too many exclusions", limit });
    }
    for pattern in own {
        check_length("an exclusion is too long", pattern)?;
        if pattern.is_empty() {
            return Err(fail(pattern, RegexError("empty, it would exclude every tag".into())));
        }
        // One by one first: a set does not say which of its patterns is wrong.
        compile(pattern).map_err(|reason| fail(pattern, reason))?;
    }
    if own.is_empty() {
        return Ok(None);
    }
    let set = RegexSetBuilder::new(own).unicode(false).size_limit(SIZE_LIMIT).build();
    set.map(Some).map_err(|error| fail(&own.join("', '"), error.into()))
}
