//! Questions to a large document, answered from the part of it that can concern them.
//!
//! A *lean* manifest is one of the same file, in which a large document's tree lacks the items that `outline` can tell
//! apart and that hold none of the words or bytes asked for. Its nodes have their places in the whole file, so that
//! everything else works on it as it does on the whole manifest. Why an answer from it is that of the whole tree:
//!
//! - The lean tree is the whole tree less some items of lists, none of which is its list's first. (`outline` says why.)
//! - No answer depends on an item that does not hold the words asked for. Applications are found by their name and by
//!   the word `Application`, components and items of lists by the value of a key, markers by their policy: a text
//!   without these words, and without an escape that could spell them, has none of these. Mappings are never cut, so a
//!   key given twice is seen; nothing in an item that is left out can be merged or be an alias or an anchor.
//! - A number in a path counts items. It counts within the component, and the component's own item has the name in it:
//!   nothing is left out inside such items then.
//! - An answer here is what was found. What is an error, of whichever kind, is asked of the whole tree again.
//!
//! An edit is proven on the same part: if the lean text parses to the same nodes before and after, so does the whole one,
//! as the parser comes to each left-out item in the state in which it came there before, and these bytes are copied.

use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use super::{
    Change, Locator, Manifest, Site, YamlError,
    document::{self, Document},
    excerpt::{Places, without},
    path::Hop,
    tree::{MAX_NODES, Tree},
};

/// The smallest document for which this is worth its while.
pub(super) const LARGE: usize = 64 << 10;

/// What a question is about.
pub(super) struct Concern<'q> {
    /// What an item must hold to matter.
    words: Vec<&'q str>,
    /// Bytes that an item must hold to matter, in the file. Where an empty value stands, the parser says only about.
    spans: Vec<Range<usize>>,
    /// Whether lists in an item that matters may lack items.
    inside: bool,
}

impl<'q> Concern<'q> {
    pub(super) fn application(name: &'q str) -> Self {
        Self { words: vec![name, "Application"], spans: Vec::new(), inside: true }
    }

    pub(super) fn target(target: &'q Locator) -> Self {
        match target {
            Locator::Field { application, component, path, .. } => {
                let mut concern = Self::application(application);
                concern.words.push(component);
                for hop in &path.0 {
                    match hop {
                        Hop::Key(_) => {}
                        Hop::Index(_) => concern.inside = false,
                        Hop::Where { value, .. } => concern.words.push(value),
                    }
                }
                concern
            }
            Locator::Marker { policy } => Self { words: vec![policy], spans: Vec::new(), inside: true },
        }
    }

    pub(super) fn around(site: &Site) -> Self {
        Self { words: vec!["Application"], spans: vec![site.span.clone()], inside: true }
    }

    pub(super) fn changes(changes: &[Change]) -> Self {
        let spans = changes.iter().map(|change| change.site.span.clone()).collect();
        Self { words: Vec::new(), spans, inside: true }
    }

    /// Whether the question needs no tree of a document.
    fn passes_by(&self, text: &str, document: &Range<usize>) -> bool {
        match (self.spans.as_slice(), self.words.first()) {
            ([], Some(word)) => !document::may_hold(text, word),
            (spans, _) => !spans.iter().any(|span| document.contains(&span.start)),
        }
    }

    /// Where in a document that starts at the byte `base` of the file something of it stands, in order.
    fn hits(&self, text: &str, base: usize) -> Vec<usize> {
        let spans = self.spans.iter().filter_map(|span| span.start.checked_sub(base));
        let words = self.words.iter().flat_map(|word| words(text, word));
        let mut hits: Vec<usize> = spans.chain(words).collect();
        hits.sort_unstable();
        hits
    }
}

/// Where `word` stands in `text`, but for where it is part of a longer one: what is asked for is the value of a scalar
/// or a string in the JSON of a comment, and neither goes on at its ends with one of these signs.
fn words<'t>(text: &'t str, word: &'t str) -> impl Iterator<Item = usize> + 't {
    let goes_on = |byte: Option<&u8>| {
        byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'/'))
    };
    let bytes = text.as_bytes();
    text.match_indices(word)
        .map(|(at, _)| at)
        .filter(move |at| !goes_on(at.checked_sub(1).and_then(|before| bytes.get(before))))
        .filter(move |at| !goes_on(bytes.get(at + word.len())))
}

impl<'a> Manifest<'a> {
    /// The answer to `question` from a lean manifest if there is one, else from this one.
    pub(super) fn lean_or_whole<T>(
        &self,
        concern: &Concern<'_>,
        question: impl Fn(&Self) -> Result<T, YamlError>,
    ) -> Result<T, YamlError> {
        match self.lean(concern).map(|lean| question(&lean)) {
            Some(Ok(answer)) => Ok(answer),
            _ => question(self),
        }
    }

    /// This file with less to parse. None where that would save too little.
    fn lean(&self, concern: &Concern<'_>) -> Option<Self> {
        let is_large = |document: &Document<'_>| document.range.len() >= self.large && !document.is_parsed();
        let told = concern.words.iter().all(|word| !word.is_empty() && document::is_literal(word))
            && concern.spans.iter().all(|span| !span.is_empty());
        if !told || !self.documents.iter().any(is_large) {
            return None;
        }
        let documents = self.documents.iter().map(|document| match is_large(document) {
            true => self.leaner(document, concern),
            false => Some(document.clone()),
        });
        Some(Self {
            file: self.file.clone(),
            text: self.text,
            documents: documents.collect::<Option<_>>()?,
            lines: Arc::clone(&self.lines),
            large: usize::MAX,
            spent: AtomicUsize::new(0),
        })
    }

    /// A document with what `concern` does not touch cut out, parsed.
    fn leaner(&self, document: &Document<'a>, concern: &Concern<'_>) -> Option<Document<'a>> {
        let (text, base) = (document.text(self.text), document.range.start);
        if concern.passes_by(text, &document.range) {
            return Some(document.clone());
        }
        let (mut cuts, cut_nodes) =
            document.outline(self.text).cuts(&concern.hits(text, base), concern.inside);
        cuts.iter_mut().for_each(|cut| *cut = cut.start + base..cut.end + base);
        let left = text.len() - cuts.iter().map(Range::len).sum::<usize>();
        // Many questions to one file, or one that concerns most of it, cost more than its tree does: these get the tree.
        let cost = text.len() / 16 + left;
        if cuts.is_empty() || self.spent.fetch_add(cost, Ordering::Relaxed) + cost > text.len() {
            return None;
        }
        let mut excerpt = String::with_capacity(left);
        let mut places = Places::default();
        for part in without(document.range.clone(), &cuts) {
            places.push(excerpt.len(), part.start);
            excerpt.push_str(self.text.get(part).unwrap_or_default());
        }
        let tree = Tree::parse(&excerpt, &places).ok()?.owned();
        // The limit is that of the document.
        (cut_nodes + tree.nodes.len() <= MAX_NODES).then(|| document.lean(cuts, tree))
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod texts;
