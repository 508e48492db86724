//! The nodes of a document, in one flat list, with the bytes that each spans.
//!
//! Aliases stay leaves, so an alias bomb costs nothing; depth is bounded by the parser's limits and no function here
//! recurses, so neither does a bomb of brackets.

use std::{borrow::Cow, iter, ops::Range};

use granit_parser::{Event, Parser, ScalarStyle, ScanError};

use super::excerpt::Places;

/// The most nodes that one document may have: [`Tree`] needs some 60 bytes for each. An object as large as Kubernetes
/// takes (1.5 MB) has some 200,000.
pub(super) const MAX_NODES: usize = 1_000_000;

/// The most lines of comments in a row: the parser holds each back, in some 200 bytes. Its own limit, 96, is below what
/// files have.
const MAX_COMMENTS: usize = 100_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Scalar(ScalarStyle),
    Map,
    Seq,
    /// The node that the alias stands for.
    Alias(u32),
}

/// A node, in the order of the file. Keys and values of a mapping alternate.
#[derive(Debug)]
pub(super) struct Node<'a> {
    pub(super) kind: Kind,
    /// The value of a scalar, unescaped and folded.
    pub(super) value: Cow<'a, str>,
    /// Bytes in the file. Empty where a value is left out.
    start: u32,
    end: u32,
    /// The first node that does not belong to this one.
    next: u32,
    /// The collection around this node; the node itself where there is none.
    parent: u32,
    /// Whether this is a key of a mapping, or in one.
    pub(super) in_key: bool,
    pub(super) anchored: bool,
    /// Whether some alias stands for this node.
    pub(super) aliased: bool,
}

impl Node<'_> {
    pub(super) fn span(&self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

#[derive(Debug, Default)]
pub(super) struct Tree<'a> {
    pub(super) nodes: Vec<Node<'a>>,
    /// The nodes that carry a tag, in order, with the tag as written.
    tags: Vec<(u32, Box<str>)>,
    /// The bytes of each comment in the file, in order.
    pub(super) comments: Vec<Range<u32>>,
}

/// What the parser meets, without what it does not matter for us.
pub(super) enum Step<'a> {
    Node { kind: Kind, value: Cow<'a, str>, span: Range<u32>, tag: Option<Box<str>>, anchored: bool },
    End,
    Comment(Range<u32>),
}

/// Why a walk ended early.
pub(super) enum Stop {
    Syntax(ScanError),
    TooManyNodes,
    /// The walker had seen enough.
    Refused,
}

/// Walks over the YAML stream `text`, whose bytes have these `places` in the file.
pub(super) fn walk<'a>(
    text: &'a str,
    places: &Places,
    mut visit: impl FnMut(Step<'a>) -> Result<(), Stop>,
) -> Result<(), Stop> {
    let options = granit_parser::options! { max_buffered_comment_events: MAX_COMMENTS };
    // The parser numbers anchors from 1 in the order in which they are defined.
    let mut anchors: Vec<u32> = Vec::new();
    let mut count: u32 = 0;
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event.map_err(Stop::Syntax)?;
        let (kind, value, anchor, tag) = match event {
            Event::Scalar(value, style, anchor, tag) => (Kind::Scalar(style), value, anchor, tag),
            Event::SequenceStart(_, anchor, tag) => (Kind::Seq, Cow::Borrowed(""), anchor, tag),
            Event::MappingStart(_, anchor, tag) => (Kind::Map, Cow::Borrowed(""), anchor, tag),
            Event::Alias(id) => {
                let target =
                    id.checked_sub(1).and_then(|at| anchors.get(at)).copied().ok_or(Stop::Refused)?;
                (Kind::Alias(target), Cow::Borrowed(""), 0, None)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                visit(Step::End)?;
                continue;
            }
            Event::Comment(..) => {
                visit(Step::Comment(placed(span.byte_range().unwrap_or_default(), places)))?;
                continue;
            }
            _ => continue,
        };
        if anchor > 0 {
            anchors.resize(anchor, count);
        }
        let tag = tag.map(|tag| tag.original().into_boxed_str());
        let mut range = span.byte_range().unwrap_or_default();
        if matches!(kind, Kind::Scalar(ScalarStyle::Literal | ScalarStyle::Folded)) {
            // The parser counts the blanks before what follows to the scalar.
            let blanks =
                text.get(range.clone()).map_or(0, |text| text.len() - text.trim_end_matches(' ').len());
            range.end -= blanks;
        }
        visit(Step::Node { kind, value, span: placed(range, places), tag, anchored: anchor > 0 })?;
        count += 1;
        if count as usize > MAX_NODES {
            return Err(Stop::TooManyNodes);
        }
    }
    Ok(())
}

fn placed(range: Range<usize>, places: &Places) -> Range<u32> {
    let range = places.of(range);
    let offset = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    offset(range.start)..offset(range.end)
}

impl<'a> Tree<'a> {
    pub(super) fn parse(text: &'a str, places: &Places) -> Result<Self, Stop> {
        struct Open {
            node: u32,
            map: bool,
            children: u32,
        }
        let mut tree = Self::default();
        let mut open: Vec<Open> = Vec::new();
        walk(text, places, |step| {
            let at = u32::try_from(tree.nodes.len()).unwrap_or(u32::MAX);
            match step {
                Step::Comment(span) => tree.comments.push(span),
                Step::End => {
                    if let Some(node) = open.pop().and_then(|open| tree.nodes.get_mut(open.node as usize)) {
                        node.next = at;
                    }
                }
                Step::Node { kind, value, span, tag, anchored } => {
                    let (parent, key) = open.last_mut().map_or((at, false), |parent| {
                        parent.children += 1;
                        (parent.node, parent.map && parent.children % 2 == 1)
                    });
                    let in_key = key || tree.nodes.get(parent as usize).is_some_and(|node| node.in_key);
                    if let Kind::Alias(target) = kind
                        && let Some(target) = tree.nodes.get_mut(target as usize)
                    {
                        target.aliased = true;
                    }
                    if let Some(tag) = tag {
                        tree.tags.push((at, tag));
                    }
                    let Range { start, end } = span;
                    tree.nodes.push(Node {
                        kind,
                        value,
                        start,
                        end,
                        next: at + 1,
                        parent,
                        in_key,
                        anchored,
                        aliased: false,
                    });
                    if matches!(kind, Kind::Map | Kind::Seq) {
                        open.push(Open { node: at, map: kind == Kind::Map, children: 0 });
                    }
                }
            }
            Ok(())
        })?;
        // Comments that were held back come late.
        tree.comments.sort_unstable_by_key(|span| span.start);
        Ok(tree)
    }

    /// The same tree with values of its own.
    pub(super) fn owned(self) -> Tree<'static> {
        let own = |node: Node<'_>| Node { value: Cow::Owned(node.value.into_owned()), ..node };
        let nodes = self.nodes.into_iter().map(own).collect();
        Tree { nodes, tags: self.tags, comments: self.comments }
    }

    pub(super) fn node(&self, at: usize) -> Option<&Node<'a>> {
        self.nodes.get(at)
    }

    pub(super) fn kind(&self, at: usize) -> Option<Kind> {
        self.node(at).map(|node| node.kind)
    }

    /// The first byte of a node in the file.
    pub(super) fn start(&self, at: usize) -> usize {
        self.node(at).map_or(0, |node| node.start as usize)
    }

    pub(super) fn next(&self, at: usize) -> usize {
        self.node(at).map_or(usize::MAX, |node| node.next as usize)
    }

    pub(super) fn tag(&self, at: usize) -> Option<&str> {
        let found = self.tags.binary_search_by_key(&at, |(node, _)| *node as usize).ok()?;
        self.tags.get(found).map(|(_, tag)| &**tag)
    }

    /// The scalar whose bytes are `span`.
    pub(super) fn scalar_at(&self, span: &Range<usize>) -> Option<usize> {
        let first = self.nodes.partition_point(|node| (node.start as usize) < span.start);
        let here = self
            .nodes
            .iter()
            .enumerate()
            .skip(first)
            .take_while(|(_, node)| node.start as usize == span.start);
        here.filter(|(_, node)| node.span() == *span && matches!(node.kind, Kind::Scalar(_)))
            .map(|(at, _)| at)
            .next()
    }

    /// The root of each document.
    pub(super) fn roots(&self) -> impl Iterator<Item = usize> {
        iter::successors(Some(0), |at| Some(self.next(*at))).take_while(|at| *at < self.nodes.len())
    }

    /// The nodes directly inside a collection; of a mapping: key, value, key, value.
    pub(super) fn children(&self, at: usize) -> impl Iterator<Item = usize> {
        let end = match self.kind(at) {
            Some(Kind::Map | Kind::Seq) => self.next(at),
            _ => 0,
        };
        iter::successors(Some(at + 1), |at| Some(self.next(*at))).take_while(move |at| *at < end)
    }

    /// The pairs of a mapping: key and value. Nothing for other nodes.
    pub(super) fn pairs(&self, at: usize) -> impl Iterator<Item = (usize, usize)> {
        let end = if self.kind(at) == Some(Kind::Map) { self.next(at) } else { 0 };
        let pair = |key: usize| (key, self.next(key));
        iter::successors(Some(pair(at + 1)), move |(_, value)| Some(pair(self.next(*value))))
            .take_while(move |(_, value)| *value < end)
    }

    /// This node and the collections around it, outwards.
    pub(super) fn outwards(&self, at: usize) -> impl Iterator<Item = usize> {
        iter::successors(Some(at), |at| {
            self.node(*at).map(|node| node.parent as usize).filter(|parent| parent != at)
        })
    }

    /// What an alias stands for; any other node itself.
    pub(super) fn resolved(&self, at: usize) -> usize {
        match self.kind(at) {
            Some(Kind::Alias(target)) => target as usize,
            _ => at,
        }
    }

    /// The value of a scalar, or of the scalar that an alias stands for.
    pub(super) fn string(&self, at: usize) -> Option<&str> {
        let node = self.node(self.resolved(at))?;
        matches!(node.kind, Kind::Scalar(_)).then_some(&*node.value)
    }

    /// The values that a mapping gives `key`, with the nodes of the keys. More than one is an error of the file.
    pub(super) fn values(&self, map: usize, key: &str) -> impl Iterator<Item = (usize, usize)> {
        self.pairs(map).filter(move |(at, _)| self.string(*at) == Some(key))
    }

    /// The value that `<<` brings into a mapping for `key`, with the node of the `<<`. Merges in what is merged are
    /// not followed.
    pub(super) fn merged(&self, map: usize, key: &str) -> Option<(usize, usize)> {
        self.values(map, "<<").find_map(|(at, source)| {
            let source = self.resolved(source);
            let maps = iter::once(source)
                .chain(self.children(source).filter(|_| self.kind(source) == Some(Kind::Seq)));
            let value = maps.flat_map(|map| self.values(self.resolved(map), key)).next()?;
            Some((at, value.1))
        })
    }
}
