//! `extract`: a text in which `$name`, `${name}`, `$1` and `${1}` stand for groups of the pattern and `$$` for a dollar,
//! as in Go's `regexp.Expand`. `$1x` is the group named `1x`.

use regex::bytes::Regex;

/// Why a template cannot be filled in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// There is nothing to extract from.
    #[error("there is no pattern whose groups it could name")]
    NoPattern,
    /// A group that the pattern does not have.
    #[error("the pattern has no group '{group}': {hint}")]
    UnknownGroup {
        /// The name or number.
        group: String,
        /// The groups that exist, or how to write what was meant.
        hint: String,
    },
    /// The template has no group, so that the keys of all tags would be equal.
    #[error("it names no group, so all tags would be equal: {0}")]
    NoGroup(String),
    /// A dollar that begins no group.
    #[error("'$' begins no group's name at {0:?}: write $name, ${{name}}, or $$ for a dollar")]
    Dollar(String),
}

/// A piece of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Text(String),
    Group(usize),
}

/// A template whose groups all exist.
#[derive(Clone, Debug)]
pub(super) struct Template(Vec<Part>);

impl Template {
    pub(super) fn new(text: &str, pattern: &Regex) -> Result<Self, TemplateError> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('$') {
            push_text(&mut parts, before);
            if let Some(tail) = after.strip_prefix('$') {
                push_text(&mut parts, "$");
                rest = tail;
                continue;
            }
            let (name, tail) = group_name(after).ok_or_else(|| TemplateError::Dollar(format!("${after}")))?;
            parts.push(Part::Group(find(name, pattern).ok_or_else(|| unknown(name, pattern))?));
            rest = tail;
        }
        push_text(&mut parts, rest);
        if !parts.iter().any(|part| matches!(part, Part::Group(_))) {
            return Err(TemplateError::NoGroup(groups_in_words(pattern)));
        }
        Ok(Self(parts))
    }

    pub(super) fn parts(&self) -> &[Part] {
        &self.0
    }

    /// Fills in the template; `group` gives the text of a group.
    pub(super) fn fill<'t>(&self, group: impl Fn(usize) -> &'t str) -> String {
        let text = |part| match part {
            &Part::Group(index) => group(index),
            Part::Text(text) => text.as_str(),
        };
        self.0.iter().map(text).collect()
    }
}

fn push_text(parts: &mut Vec<Part>, text: &str) {
    match parts.last_mut() {
        _ if text.is_empty() => {}
        Some(Part::Text(last)) => last.push_str(text),
        _ => parts.push(Part::Text(text.to_owned())),
    }
}

/// Splits what follows a dollar into a group's name and the rest. A bare name is as long as possible.
fn group_name(after: &str) -> Option<(&str, &str)> {
    let (name, tail) = match after.strip_prefix('{') {
        Some(braced) => braced.split_once('}')?,
        None => {
            let end = after.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(after.len());
            after.split_at(end)
        }
    };
    (!name.is_empty()).then_some((name, tail))
}

/// The index of a group: a number without leading zeros counts, anything else is a name.
fn find(name: &str, pattern: &Regex) -> Option<usize> {
    let number = name.parse::<usize>().ok().filter(|number| number.to_string() == name);
    match number {
        Some(number) => (number < pattern.captures_len()).then_some(number),
        None => pattern.capture_names().position(|group| group == Some(name)),
    }
}

fn unknown(name: &str, pattern: &Regex) -> TemplateError {
    // `$1x` and `$ts_build` read like a group and a text, and are not.
    let prefix = (1..name.len()).rev().filter_map(|end| name.split_at_checked(end));
    let meant = prefix.into_iter().find(|(group, _)| find(group, pattern).is_some());
    let hint = match meant {
        Some((group, text)) => format!("for the group '{group}' and then '{text}' write ${{{group}}}{text}"),
        None => groups_in_words(pattern),
    };
    TemplateError::UnknownGroup { group: name.to_owned(), hint }
}

fn groups_in_words(pattern: &Regex) -> String {
    let groups: Vec<String> = pattern
        .capture_names()
        .enumerate()
        .skip(1)
        .map(|(index, name)| name.map_or_else(|| format!("${index}"), |name| format!("${name}")))
        .collect();
    if groups.is_empty() {
        "the pattern has no groups, write one as in (?P<ts>[0-9]+)".to_owned()
    } else {
        format!("the pattern's groups are {}", groups.join(", "))
    }
}
