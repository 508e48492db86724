//! The items of a document's lists, found by indentation alone, where that tells them.
//!
//! The parser needs 25 ns for a byte; this needs one. It reads lines from the first on and stops at the first that has
//! no shape in `line` or does not fit the indentation: from there on the document belongs to the parser. Up to there:
//!
//! 1. The lines are YAML, and their meaning is the obvious one. At the start of each line the parser's state is given by
//!    the stack of open blocks with their indentation, kept here as `Frame`s, and by whether the last key or dash waits
//!    for its value. No quote, bracket or plain scalar reaches over a line's end, and no anchor or tag is pending.
//! 2. An item runs from the line of its dash to the next line that closes it: a dash at its column, or less indentation.
//!    Before the item's first line and behind its last the parser is in the same state: in the same list, between items.
//!    So leaving the item out takes its nodes out of the tree and changes no other node but its place in the file.
//! 3. The first item of a list is never left out, so that a list remains one.
//!
//! A line is read completely before the stop, so an item may end at a line that is not accepted: it is kept then.

use std::ops::Range;

use super::line::{self, Value};

/// The deepest nesting; the parser's limit is 255.
const DEPTH: usize = 64;

/// The most lines of comments in a row; `tree` has the parser's limit.
const COMMENTS: usize = 1000;

/// The most items that are kept in mind.
const ITEMS: usize = 300_000;

/// An item of a list.
#[derive(Debug)]
struct Item {
    start: usize,
    end: usize,
    /// The first item that does not lie in this one.
    next: usize,
    /// How many nodes it has at most.
    nodes: usize,
    /// Whether the parser need not see it, if it does not hold what is looked for.
    plain: bool,
}

/// The items of a document, each before those inside it.
#[derive(Debug, Default)]
pub(super) struct Outline {
    items: Vec<Item>,
}

impl Outline {
    pub(super) fn of(text: &str) -> Self {
        let mut scan = Scan::default();
        let mut at = 0;
        for line in text.split_inclusive('\n') {
            if scan.line(at, line).is_none() {
                scan.stop(at);
                break;
            }
            at += line.len();
        }
        scan.finish(text.len())
    }

    /// What of the document need not be parsed to see all that touches one of `hits`, which are in order, and how many
    /// nodes that has at most. Lists in an item with a hit stay whole unless `inside`.
    pub(super) fn cuts(&self, hits: &[usize], inside: bool) -> (Vec<Range<usize>>, usize) {
        let mut cuts: Vec<Range<usize>> = Vec::new();
        let (mut nodes, mut hit, mut at) = (0, 0, 0);
        while let Some(item) = self.items.get(at) {
            while hits.get(hit).is_some_and(|hit| *hit < item.start) {
                hit += 1;
            }
            let is_hit = hits.get(hit).is_some_and(|hit| *hit < item.end);
            if item.plain && !is_hit {
                nodes += item.nodes;
                match cuts.last_mut() {
                    Some(last) if last.end == item.start => last.end = item.end,
                    _ => cuts.push(item.start..item.end),
                }
            }
            at = if inside && (is_hit || !item.plain) { at + 1 } else { item.next };
        }
        (cuts, nodes)
    }
}

/// An open mapping or list.
struct Frame {
    indent: usize,
    /// Of a list, the number of its open item.
    item: Option<usize>,
}

/// An open block scalar.
struct Block {
    /// The indentation of what it belongs to, and of its text, as soon as there is any.
    parent: usize,
    indent: Option<usize>,
    /// The longest line of blanks before its text.
    blanks: usize,
}

#[derive(Default)]
struct Scan {
    items: Vec<Item>,
    frames: Vec<Frame>,
    block: Option<Block>,
    /// Whether the last key or dash has no value yet.
    open: bool,
    started: bool,
    nodes: usize,
    comments: usize,
}

impl Scan {
    /// Takes one line, with its line break, that starts at the byte `at`; `None` where it is not understood.
    fn line(&mut self, at: usize, line: &str) -> Option<()> {
        let line = line.strip_suffix('\n').map_or(line, |line| line.strip_suffix('\r').unwrap_or(line));
        let rest = line.trim_start_matches(' ');
        let indent = line.len() - rest.len();
        if self.in_block(indent, rest)? || rest.is_empty() {
            return Some(());
        }
        if !line::is_text(rest, false) {
            return None;
        }
        if rest.starts_with('#') {
            self.comments += 1;
            if rest.contains('\\') {
                self.keep_open_items();
            }
            return (self.comments < COMMENTS).then_some(());
        }
        if at == 0 && rest.trim_end() == "---" && indent == 0 {
            return Some(());
        }
        while self.frames.last().is_some_and(|frame| frame.indent > indent) {
            self.close(at);
            self.open = false;
        }
        let (mut column, mut rest) = (indent, rest);
        let mut dashes = 0;
        while let Some(behind) =
            rest.strip_prefix('-').filter(|rest| rest.is_empty() || rest.starts_with(' '))
        {
            self.dash(at, column)?;
            rest = behind.trim_start_matches(' ');
            column = line.len() - rest.len();
            dashes += 1;
        }
        let entry = match rest {
            "" => None,
            _ => Some(line::entry(rest)?),
        };
        self.comments = 0;
        let Some(entry) = entry else { return Some(()) };
        if entry.key {
            self.key(at, column)?;
            self.nodes += 1;
        } else if dashes == 0 {
            return None;
        }
        self.nodes += entry.nodes;
        self.comments = usize::from(entry.comment);
        if entry.hides {
            self.keep_open_items();
        }
        self.open = entry.value == Value::Open;
        if entry.value == Value::Block {
            self.block = Some(Block { parent: self.frames.last()?.indent, indent: None, blanks: 0 });
        }
        Some(())
    }

    /// Whether a line is text of a block scalar. Closes the scalar at the first line that is not.
    fn in_block(&mut self, indent: usize, rest: &str) -> Option<bool> {
        let Some(block) = &mut self.block else { return Some(false) };
        if rest.is_empty() {
            if block.indent.is_none() {
                block.blanks = block.blanks.max(indent);
            }
            return Some(true);
        }
        match block.indent {
            Some(text) if indent >= text => {}
            Some(_) if indent <= block.parent => {
                self.block = None;
                return Some(false);
            }
            None if indent > block.parent && block.blanks <= indent && !rest.starts_with('\t') => {
                block.indent = Some(indent);
            }
            // Less than the first line has, or no text at all.
            _ => return None,
        }
        line::is_text(rest, true).then_some(true)
    }

    /// A dash at this column: the next item of a list, or the first of one that is the value of what is open.
    fn dash(&mut self, at: usize, column: usize) -> Option<()> {
        let next = match self.frames.last() {
            Some(Frame { indent, item: Some(item) }) if *indent == column => Some(*item),
            // A list may stand at the indentation of its key.
            Some(Frame { indent, .. }) if *indent <= column && self.open => None,
            None if !self.started => None,
            _ => return None,
        };
        let item = self.items.len();
        self.items.push(Item { start: at, end: at, next: item, nodes: self.nodes, plain: next.is_some() });
        match next {
            Some(last) => {
                self.end_item(last, at, item);
                if let Some(frame) = self.frames.last_mut() {
                    frame.item = Some(item);
                }
            }
            None => self.push(column, Some(item))?,
        }
        self.nodes += 1;
        self.open = true;
        (item < ITEMS).then_some(())
    }

    /// A key at this column: the next of a mapping, or the first of one that is the value of what is open.
    fn key(&mut self, at: usize, column: usize) -> Option<()> {
        let is_map =
            |frame: Option<&Frame>| frame.is_some_and(|frame| frame.indent == column && frame.item.is_none());
        if is_map(self.frames.last()) {
            return Some(());
        }
        if is_map(self.frames.iter().rev().nth(1)) && self.frames.last().is_some_and(|f| f.indent == column) {
            self.close(at);
            return Some(());
        }
        match self.frames.last() {
            Some(frame) if frame.indent < column && self.open => self.push(column, None),
            None if !self.started => self.push(column, None),
            _ => None,
        }
    }

    fn push(&mut self, indent: usize, item: Option<usize>) -> Option<()> {
        self.started = true;
        self.frames.push(Frame { indent, item });
        (self.frames.len() <= DEPTH).then_some(())
    }

    /// Closes the innermost mapping or list before the byte `at`.
    fn close(&mut self, at: usize) {
        if let Some(item) = self.frames.pop().and_then(|frame| frame.item) {
            self.end_item(item, at, self.items.len());
        }
    }

    fn end_item(&mut self, item: usize, end: usize, next: usize) {
        let nodes = self.nodes;
        if let Some(item) = self.items.get_mut(item) {
            item.end = end;
            item.next = next;
            item.nodes = nodes - item.nodes;
        }
    }

    fn keep_open_items(&mut self) {
        for item in self.frames.iter().filter_map(|frame| frame.item) {
            if let Some(item) = self.items.get_mut(item) {
                item.plain = false;
            }
        }
    }

    /// Leaves the rest, from the line at the byte `at` on, to the parser.
    fn stop(&mut self, at: usize) {
        self.block = None;
        self.keep_open_items();
        for item in self.items.iter_mut().filter(|item| item.end >= at) {
            item.plain = false;
        }
    }

    fn finish(mut self, end: usize) -> Outline {
        // A block scalar without text.
        if self.block.as_ref().is_some_and(|block| block.indent.is_none()) {
            self.keep_open_items();
        }
        while !self.frames.is_empty() {
            self.close(end);
        }
        Outline { items: self.items }
    }
}

#[cfg(test)]
mod tests;
