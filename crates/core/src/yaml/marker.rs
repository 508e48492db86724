//! Comments at the right of a value: Flux' marker `{"$imagepolicy": "namespace:name"}`, and `image-gitops: pinned`.

use std::ops::Range;

use granit_parser::ScalarStyle;
use serde_json::{Map, Value};

use super::{
    Manifest, Part, Site, YamlError, YamlReason,
    document::may_hold,
    tree::{Kind, Tree},
};

const KEY: &str = "$imagepolicy";

/// A comment with a marker in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marker {
    /// `namespace:name`; the comment's text where the marker is not [valid](Self::valid).
    pub policy: String,
    /// What the value at its left holds: by the suffix `:tag`, `:name` or `:digest`.
    pub part: Part,
    /// Its line, from 1.
    pub line: usize,
    /// Whether it is `{"$imagepolicy": "namespace:name"}`, with or without a suffix. Others mark nothing.
    pub valid: bool,
}

/// The policy and part of a comment's text, if it starts with a marker. Text may follow.
fn read(comment: &str) -> Option<(String, Part)> {
    let json = comment.trim_start_matches('#').trim_start();
    let marker = serde_json::Deserializer::from_str(json).into_iter::<Map<String, Value>>().next()?.ok()?;
    let (namespace, rest) = marker.get(KEY)?.as_str()?.split_once(':')?;
    let (name, part) = match rest.split_once(':') {
        None => (rest, Part::Reference),
        Some((name, "tag")) => (name, Part::Tag),
        Some((name, "name")) => (name, Part::Name),
        Some((name, "digest")) => (name, Part::Digest),
        Some(_) => return None,
    };
    (!namespace.is_empty() && !name.is_empty()).then(|| (format!("{namespace}:{name}"), part))
}

/// Whether a comment pins the value at its left: `image-gitops: pinned`, alone or in other words.
fn pins(comment: &str) -> bool {
    let word = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '/' | '.');
    comment.match_indices("image-gitops:").any(|(at, name)| {
        let (before, after) = (comment.get(..at), comment.get(at + name.len()..));
        let after = after.and_then(|text| text.trim_start().strip_prefix("pinned"));
        !before.is_some_and(|text| text.ends_with(word)) && after.is_some_and(|text| !text.starts_with(word))
    })
}

impl<'a> Manifest<'a> {
    pub(super) fn all_markers(&self) -> Vec<Marker> {
        let mut markers = Vec::new();
        for document in self.documents.iter().filter(|document| document.text(self.text).contains(KEY)) {
            let Ok(tree) = self.tree(document) else { continue };
            for (span, text) in self.comments(tree).filter(|(_, text)| text.contains(KEY)) {
                let read = read(text);
                let valid = read.is_some();
                let (policy, part) = read.unwrap_or_else(|| (text.trim().to_owned(), Part::Reference));
                markers.push(Marker { policy, part, line: self.position(span.start).line, valid });
            }
        }
        markers
    }

    /// The values with a marker of `policy` at their right.
    pub(super) fn marked(&self, policy: &str) -> Result<Vec<Site>, YamlError> {
        let mut sites = Vec::new();
        for document in &self.documents {
            let text = document.text(self.text);
            // A comment has no escapes, but the JSON in it has.
            if !text.contains(KEY) || !may_hold(text, policy) {
                continue;
            }
            let tree = self.tree(document)?;
            let marks: Vec<(Range<usize>, Part)> = self
                .comments(tree)
                .filter(|(_, text)| text.contains(KEY))
                .filter_map(|(span, text)| {
                    read(text).filter(|(name, _)| name == policy).map(|(_, part)| (span, part))
                })
                .collect();
            if !marks.is_empty() {
                let values = values_by_end(tree);
                for (comment, part) in marks {
                    sites.extend(self.at_the_left(tree, &values, comment, part, policy)?);
                }
            }
        }
        Ok(sites)
    }

    /// The site that a marker means: the one value that ends on the marker's line. None where the comment has a line of
    /// its own, as in an explanation of markers.
    fn at_the_left(
        &self,
        tree: &Tree<'a>,
        values: &[(usize, usize)],
        comment: Range<usize>,
        part: Part,
        policy: &str,
    ) -> Result<Option<Site>, YamlError> {
        let before = self.text.get(..comment.start).unwrap_or_default();
        let line_start = before.rfind(['\n', '\r']).map_or(0, |at| at + 1);
        let left = before.get(line_start..).unwrap_or_default();
        let first = values.partition_point(|(end, _)| *end <= line_start);
        let after = values.partition_point(|(end, _)| *end <= comment.start);
        let policy = policy.to_owned();
        match values.get(first..after).unwrap_or_default() {
            [] if left.trim_start_matches('\u{feff}').trim().is_empty() => Ok(None),
            [] if left.contains("{{") => {
                let path = format!("the value marked {policy}");
                Err(self.fail(comment.start, YamlReason::TemplateValue { path }))
            }
            [] => Err(self.fail(comment.start, YamlReason::MarkerAlone { policy })),
            [(_, node)] => self.site(tree, *node, part, &format!("the value marked {policy}")).map(Some),
            more => Err(self.fail(comment.start, YamlReason::MarkerAmbiguous { policy, values: more.len() })),
        }
    }

    /// Whether the value that ends at `end` has the comment at its right that pins it.
    pub(super) fn is_pinned(&self, tree: &Tree<'_>, end: usize) -> bool {
        let next = tree.comments.partition_point(|span| (span.start as usize) < end);
        let Some(span) = tree.comments.get(next) else { return false };
        let text = |range| self.text.get(range).unwrap_or_default();
        let same_line = !text(end..span.start as usize).contains(['\n', '\r']);
        same_line && pins(text(span.start as usize..span.end as usize))
    }

    fn comments<'m>(&'m self, tree: &'m Tree<'a>) -> impl Iterator<Item = (Range<usize>, &'m str)> {
        tree.comments.iter().map(|span| {
            let span = span.start as usize..span.end as usize;
            (span.clone(), self.text.get(span).unwrap_or_default())
        })
    }
}

/// Where each value ends, with its node, in the order of the file: scalars in flow style and aliases, no keys.
fn values_by_end(tree: &Tree<'_>) -> Vec<(usize, usize)> {
    let mut values: Vec<(usize, usize)> = tree
        .nodes
        .iter()
        .enumerate()
        .filter(|(_, node)| match node.kind {
            Kind::Scalar(style) => !matches!(style, ScalarStyle::Literal | ScalarStyle::Folded),
            kind => matches!(kind, Kind::Alias(_)),
        })
        .filter(|(_, node)| !node.in_key && !node.span().is_empty())
        .map(|(at, node)| (node.span().end, at))
        .collect();
    values.sort_unstable();
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_is_flux_grammar() {
        for (comment, policy, part) in [
            (r#"# {"$imagepolicy": "flux-system:podinfo"}"#, "flux-system:podinfo", Part::Reference),
            (r#"#{"$imagepolicy":"a:b:tag"}"#, "a:b", Part::Tag),
            (r##"## {"$imagepolicy": "a:b:name"}  "##, "a:b", Part::Name),
            (r#"# {"$imagepolicy": "a:b:digest"} and words"#, "a:b", Part::Digest),
            (r#"# {"other": 1, "$imagepolicy": "a:b"}"#, "a:b", Part::Reference),
        ] {
            assert_eq!(read(comment), Some((policy.to_owned(), part)), "{comment}");
        }
        for comment in [
            "# pinned",
            r#"# image: x # {"$imagepolicy": "a:b"}"#,
            r#"# {"$imagepolicy": "a"}"#,
            r#"# {"$imagepolicy": ":b"}"#,
            r#"# {"$imagepolicy": "a:"}"#,
            r#"# {"$imagepolicy": "a:b:sha"}"#,
            r#"# {"$imagepolicy": "a:b:tag:c"}"#,
            r#"# {"$imagepolicy": a:b}"#,
            r#"# {"$imagepolicy": 1}"#,
            r#"# ["$imagepolicy"]"#,
            r#"# {"$imagepolicy": "a:b""#,
        ] {
            assert_eq!(read(comment), None, "{comment}");
        }
    }

    #[test]
    fn a_pin_is_a_whole_word() {
        for comment in [
            "# image-gitops: pinned",
            "#image-gitops:pinned",
            "# image-gitops: pinned until Monday",
            "# image-gitops: pinned, see above",
            r#"# {"$imagepolicy": "a:b"} image-gitops: pinned"#,
        ] {
            assert!(pins(comment), "{comment}");
        }
        for comment in [
            "# pinned",
            "# image-gitops: unpinned",
            "# image-gitops: pinned-not",
            "# my-image-gitops: pinned",
            "# image-gitops pinned",
            "# see docs/image-gitops: pinned",
        ] {
            assert!(!pins(comment), "{comment}");
        }
    }
}
