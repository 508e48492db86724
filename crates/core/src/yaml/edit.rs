//! Splice, parse again, prove.

use std::{collections::BTreeMap, ops::Range};

use granit_parser::ScalarStyle;

use super::{
    Change, Manifest, YamlError, YamlReason,
    document::{self, Document},
    excerpt::Places,
    scalar,
    tree::{Kind, Node, Step, Stop, Tree, walk},
};

/// New bytes for one scalar.
struct Splice<'c> {
    span: Range<usize>,
    /// The number of its node in its document's tree.
    node: usize,
    value: &'c str,
    bytes: String,
}

impl<'a> Manifest<'a> {
    pub(super) fn spliced(&self, changes: &[Change]) -> Result<Vec<u8>, YamlError> {
        let splices = self.splices(changes)?;
        let mut edited = String::with_capacity(self.text.len() + 256);
        for document in &self.documents {
            let own: Vec<&Splice<'_>> =
                splices.range(document.range.clone()).map(|(_, splice)| splice).collect();
            self.splice(&mut edited, document.range.clone(), &own);
            if !own.is_empty() {
                self.prove(document, &own)?;
            }
        }
        Ok(edited.into_bytes())
    }

    /// Appends the bytes `range` of the file with `splices` made, those of them that lie there.
    fn splice(&self, edited: &mut String, range: Range<usize>, splices: &[&Splice<'_>]) {
        let mut copied = range.start;
        for splice in splices.iter().filter(|splice| range.contains(&splice.span.start)) {
            edited.push_str(self.text.get(copied..splice.span.start).unwrap_or_default());
            edited.push_str(&splice.bytes);
            copied = splice.span.end;
        }
        edited.push_str(self.text.get(copied..range.end).unwrap_or_default());
    }

    /// Parses `document` with `splices` made, and fails where that does anything but what they say.
    ///
    /// Parts without a tree are left out here too. They start and end with lines, so no document can start at a seam.
    fn prove(&self, document: &Document<'a>, splices: &[&Splice<'_>]) -> Result<(), YamlError> {
        let mut new = String::with_capacity(document.range.len());
        let (mut places, mut grown) = (Places::default(), 0);
        for part in document.parts() {
            let start = new.len();
            places.push(start, part.start.saturating_add_signed(grown));
            self.splice(&mut new, part.clone(), splices);
            grown += (new.len() - start) as isize - part.len() as isize;
        }
        let proven = document::split(&new).len() == 1
            && only_these_changed(self.tree(document)?, &new, &places, splices);
        if proven { Ok(()) } else { Err(self.fail(document.range.start, YamlReason::NotProven)) }
    }

    /// What to replace, in the order of the file: every change checked against the file, and none that changes nothing.
    fn splices<'c>(&self, changes: &'c [Change]) -> Result<BTreeMap<usize, Splice<'c>>, YamlError> {
        let mut wanted: BTreeMap<usize, &Change> = BTreeMap::new();
        for change in changes {
            let start = change.site.span.start;
            if !scalar::writable(&change.value) {
                return Err(self.fail(start, YamlReason::Value(change.value.clone())));
            }
            match wanted.insert(start, change) {
                Some(other) if other.value != change.value => {
                    let (first, second) = (other.value.clone(), change.value.clone());
                    return Err(self.fail(start, YamlReason::Conflict { first, second }));
                }
                _ => {}
            }
        }
        let mut splices = BTreeMap::new();
        for (start, change) in wanted {
            let site = &change.site;
            let stale = || self.fail(start, YamlReason::Stale(site.value.clone()));
            let (document, node) = self.node_at(&site.span).ok_or_else(stale)?;
            let tree = self.tree(document)?;
            // The caller may have made the site up: it is looked at as if it had just been found.
            let found = self.site(tree, node, site.part, "the value")?;
            let Some(Kind::Scalar(style)) = tree.kind(node).filter(|_| found.value == site.value) else {
                return Err(stale());
            };
            if change.value != found.value {
                let bytes = scalar::rendered(&change.value, style);
                splices.insert(start, Splice { span: found.span, node, value: &change.value, bytes });
            }
        }
        Ok(splices)
    }
}

/// Whether `new` parses to the very nodes of `old`, each at its place, but for the values of `splices`.
fn only_these_changed(old: &Tree<'_>, new: &str, places: &Places, splices: &[&Splice<'_>]) -> bool {
    let mut grown = 0;
    let shifts = splices.iter().map(|splice| {
        grown += splice.bytes.len() as isize - splice.span.len() as isize;
        (splice.span.end, grown)
    });
    let mut proof = Proof { old, splices, shifts: shifts.collect(), seen: 0, comments: 0, open: Vec::new() };
    let walked = walk(new, places, |step| if proof.takes(&step) { Ok(()) } else { Err(Stop::Refused) });
    walked.is_ok() && proof.seen == old.nodes.len() && proof.comments == old.comments.len()
}

/// Walks over the old tree while the new text is parsed.
struct Proof<'p> {
    old: &'p Tree<'p>,
    splices: &'p [&'p Splice<'p>],
    /// By how much the text after an offset moved.
    shifts: Vec<(usize, isize)>,
    seen: usize,
    comments: usize,
    open: Vec<usize>,
}

impl Proof<'_> {
    fn takes(&mut self, step: &Step<'_>) -> bool {
        match step {
            Step::Comment(_) => {
                self.comments += 1;
                true
            }
            Step::End => self.open.pop().is_some_and(|node| self.old.next(node) == self.seen),
            Step::Node { kind, value, span, tag, anchored } => {
                let at = self.seen;
                self.seen += 1;
                let Some(node) = self.old.node(at) else { return false };
                if matches!(kind, Kind::Map | Kind::Seq) {
                    self.open.push(at);
                }
                let splice = self.splices.binary_search_by_key(&at, |splice| splice.node).ok();
                let same_value = match splice.and_then(|found| self.splices.get(found)) {
                    Some(splice) => **value == *splice.value && style_kept(*kind, node.kind),
                    None => *value == node.value && *kind == node.kind,
                };
                same_value
                    && *anchored == node.anchored
                    && tag.as_deref() == self.old.tag(at)
                    && (span.start as usize, span.end as usize) == self.moved(node)
            }
        }
    }

    /// Where a node of the old text must stand in the new.
    fn moved(&self, node: &Node<'_>) -> (usize, usize) {
        let moved = |offset: usize| {
            let passed = self.shifts.partition_point(|(end, _)| *end <= offset);
            let shift =
                passed.checked_sub(1).and_then(|last| self.shifts.get(last)).map_or(0, |(_, shift)| *shift);
            offset.saturating_add_signed(shift)
        };
        (moved(node.span().start), moved(node.span().end))
    }
}

/// A scalar keeps its style, or is put in double quotes where it was plain.
fn style_kept(new: Kind, old: Kind) -> bool {
    new == old || (old == Kind::Scalar(ScalarStyle::Plain) && new == Kind::Scalar(ScalarStyle::DoubleQuoted))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether `new` passes as `old` with the value `v1` replaced by `v2`.
    fn proven(old: &str, new: &str) -> bool {
        let manifest = Manifest::parse("f", old.as_bytes()).unwrap();
        let document = &manifest.documents[0];
        let tree = manifest.tree(document).unwrap();
        let node = tree.nodes.iter().position(|node| node.value == "v1").unwrap();
        let splice = Splice { span: tree.nodes[node].span(), node, value: "v2", bytes: "v2".into() };
        only_these_changed(tree, new, &Places::from(0), &[&splice])
    }

    #[test]
    fn a_text_in_which_more_changed_than_the_value_does_not_pass() {
        let old = "a: &x v1 # c\nb: [*x, !t d]\ne: {f: g}\n";
        assert!(proven(old, "a: &x v2 # c\nb: [*x, !t d]\ne: {f: g}\n"));
        for (what, new) in [
            ("nothing changed", old),
            ("another value", "a: &x v3 # c\nb: [*x, !t d]\ne: {f: g}\n"),
            ("another style", "a: &x 'v2' # c\nb: [*x, !t d]\ne: {f: g}\n"),
            ("a comment went", "a: &x v2    \nb: [*x, !t d]\ne: {f: g}\n"),
            ("a comment came", "a: &x v2 # c\nb: [*x, !t d]\ne: {f: g} #\n"),
            ("an anchor went", "a:    v2 # c\nb: [ x, !t d]\ne: {f: g}\n"),
            ("an alias became a value", "a: &x v2 # c\nb: [xx, !t d]\ne: {f: g}\n"),
            ("a tag changed", "a: &x v2 # c\nb: [*x, !u d]\ne: {f: g}\n"),
            ("a tag went", "a: &x v2 # c\nb: [*x,    d]\ne: {f: g}\n"),
            ("another scalar changed", "a: &x v2 # c\nb: [*x, !t d]\ne: {f: h}\n"),
            ("a key changed", "a: &x v2 # c\nb: [*x, !t d]\ne: {h: g}\n"),
            ("a scalar moved", "a: &x v2 # c\nb: [*x, !t d]\ne:  {f: g}\n"),
            ("a list became a mapping", "a: &x v2 # c\nb: {*x : !t d}\ne: {f: g}\n"),
            ("a key came", "a: &x v2 # c\nb: [*x, !t d]\ne: {f: g}\nh: i\n"),
            ("a key went", "a: &x v2 # c\nb: [*x, !t d]\n"),
            ("no YAML", "a: &x v2 # c\nb: [*x, !t d\ne: {f: g}\n"),
        ] {
            assert!(!proven(old, new), "{what}");
        }
    }
}
