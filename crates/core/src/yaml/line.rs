//! One line of block YAML, read without a parser: the few shapes that mean one thing only.
//!
//! What is accepted here, `granit_parser` accepts too, and in the same meaning: `outline` relies on it to leave lines
//! out of what is parsed. So every doubtful sign is refused, and a shape is added here only together with its tests.
//! Anchors, aliases, tags, explicit keys, merge keys and scalars of several lines but `|` and `>` have no shape.

/// How deep brackets may nest on one line.
const DEPTH: usize = 8;

/// The longest key, in bytes. The parser takes 1024 characters.
const KEY: usize = 512;

/// What an entry has for its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// Nothing on this line: the value follows on deeper lines, or there is none.
    Open,
    /// All of it.
    Whole,
    /// The head of a block scalar.
    Block,
}

/// What stands on a line behind its indentation and dashes: `key: value`, `key:`, `value` or nothing.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) key: bool,
    pub(super) value: Value,
    /// The most nodes that the value is.
    pub(super) nodes: usize,
    pub(super) comment: bool,
    /// Whether a backslash may hide a word, so that the line has to be read by the parser.
    pub(super) hides: bool,
}

/// Whether all characters are such that the parser takes them for text: no controls, no breaks of other standards, no
/// byte order mark. `tabs` says whether a tab is one of them.
pub(super) fn is_text(line: &str, tabs: bool) -> bool {
    let ascii = |odd: bool, byte: &u8| odd | !(b' '..0x7f).contains(byte);
    // Without an early end, so that many bytes are looked at at once.
    if !line.as_bytes().iter().fold(false, ascii) {
        return true;
    }
    line.chars().all(|c| match c {
        '\t' => tabs,
        ' '..='~' => true,
        '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => false,
        c => c >= '\u{a0}',
    })
}

/// Reads what stands behind indentation and dashes. `line` is [text](is_text) without tabs and without a line break.
pub(super) fn entry(line: &str) -> Option<Entry> {
    let bytes = line.as_bytes();
    let colon = match bytes.first()? {
        b'\'' | b'"' => {
            let (end, escapes) = quoted(bytes)?;
            // A quoted `<<` may be a merge key, and an escape may spell anything.
            let plain_words = !escapes && !bytes.get(..end)?.contains(&b'<');
            let colon = matches!(bytes.get(end..)?, [b':'] | [b':', b' ', ..]);
            (colon && plain_words).then_some(end)
        }
        // These may start a value, but hardly a key: `-- x: y`, `...: z`.
        b'-' | b'.' => None,
        byte if starts_plain(*byte) => plain(bytes).1.then_some(plain(bytes).0),
        _ => None,
    };
    let Some(colon) = colon else { return value(bytes) };
    if colon > KEY || bytes.get(..colon)?.ends_with(b" ") {
        return None;
    }
    let value = value(bytes.get(colon + 1..)?.trim_ascii_start())?;
    Some(Entry { key: true, ..value })
}

/// Reads a value up to the end of its line: a scalar, brackets, the head of a block scalar, or none.
fn value(bytes: &[u8]) -> Option<Entry> {
    let entry = |value, nodes| Entry { key: false, value, nodes, comment: false, hides: false };
    let (end, found) = match bytes.first() {
        None | Some(b'#') => (0, entry(Value::Open, 1)),
        Some(b'\'' | b'"') => {
            let (end, hides) = quoted(bytes)?;
            (end, Entry { hides, ..entry(Value::Whole, 1) })
        }
        Some(b'[' | b'{') => {
            let mut flow = Flow { bytes, at: 0, nodes: 0 };
            flow.collection(0)?;
            (flow.at, entry(Value::Whole, flow.nodes))
        }
        Some(b'|' | b'>') => {
            let end = if matches!(bytes.get(1), Some(b'-' | b'+')) { 2 } else { 1 };
            (end, entry(Value::Block, 1))
        }
        Some(byte) if starts_plain(*byte) || (*byte == b'-' && starts_after_dash(bytes.get(1))) => {
            match plain(bytes) {
                (end, false) => (end, entry(Value::Whole, 1)),
                // `a: b: c`
                (_, true) => return None,
            }
        }
        _ => return None,
    };
    let rest = bytes.get(end..)?;
    let comment = rest.trim_ascii_start();
    match comment.first() {
        None => Some(found),
        // A `#` right behind something else starts no comment.
        Some(b'#') if end == 0 || rest.starts_with(b" ") => {
            Some(Entry { comment: true, hides: found.hides || comment.contains(&b'\\'), ..found })
        }
        Some(_) => None,
    }
}

/// Signs with which a plain scalar may start wherever it stands, and nothing else can.
fn starts_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || byte >= 0x80
        || matches!(byte, b'_' | b'/' | b'.' | b'$' | b'~' | b'(' | b'+')
}

/// Whether what follows a dash makes both the start of a plain scalar, like `-c` and `--flag`.
fn starts_after_dash(byte: Option<&u8>) -> bool {
    byte.is_some_and(|byte| *byte == b'-' || starts_plain(*byte))
}

/// Where a plain scalar ends, blanks at its end included, and whether a colon ends it.
fn plain(bytes: &[u8]) -> (usize, bool) {
    let mut before = b'x';
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b':' if matches!(bytes.get(at + 1), None | Some(b' ')) => return (at, true),
            b'#' if before == b' ' => return (at - 1, false),
            _ => before = *byte,
        }
    }
    (bytes.len(), false)
}

/// Where a quoted scalar ends that starts here, behind its closing quote, and whether it has escapes that may hide a
/// word; `document::may_hold` says which can.
fn quoted(bytes: &[u8]) -> Option<(usize, bool)> {
    let quote = bytes.first()?;
    let mut hides = false;
    let mut at = 1;
    loop {
        let byte = bytes.get(at)?;
        at += 1;
        match byte {
            b'\'' if byte == quote && bytes.get(at) == Some(&b'\'') => at += 1,
            b'\\' if *quote == b'"' => {
                hides |= !matches!(bytes.get(at)?, b'n' | b't' | b'r' | b'0' | b'"' | b'\\');
                at += 1;
            }
            _ if byte == quote => return Some((at, hides)),
            _ => {}
        }
    }
}

/// Brackets on one line, with values in them that are words or quoted.
struct Flow<'b> {
    bytes: &'b [u8],
    at: usize,
    nodes: usize,
}

impl Flow<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn blanks(&mut self) {
        while self.peek() == Some(b' ') {
            self.at += 1;
        }
    }

    fn collection(&mut self, depth: usize) -> Option<()> {
        let map = self.peek()? == b'{';
        let close = if map { b'}' } else { b']' };
        self.at += 1;
        self.nodes += 1;
        self.blanks();
        if self.peek()? == close {
            self.at += 1;
            return Some(());
        }
        loop {
            if map {
                let key = self.at;
                self.scalar()?;
                if self.at - key > KEY || !self.bytes.get(self.at..)?.starts_with(b": ") {
                    return None;
                }
                self.at += 2;
                self.blanks();
            }
            match self.peek()? {
                b'[' | b'{' if depth < DEPTH => self.collection(depth + 1)?,
                _ => self.scalar()?,
            }
            self.blanks();
            let sign = self.peek()?;
            self.at += 1;
            match sign {
                b',' => self.blanks(),
                _ if sign == close => return Some(()),
                _ => return None,
            }
        }
    }

    /// A quoted scalar without hiding escapes, or a plain one without indicators; the place behind it.
    fn scalar(&mut self) -> Option<()> {
        self.nodes += 1;
        let bytes = self.bytes.get(self.at..)?;
        match bytes {
            [b'\'' | b'"', ..] => {
                let (end, hides) = quoted(bytes)?;
                self.at += end;
                return (!hides && !bytes.get(..end)?.contains(&b'<')).then_some(());
            }
            [b'-', next, ..] if starts_plain(*next) => {}
            [first, ..] if starts_plain(*first) => {}
            _ => return None,
        }
        let inside = |byte: u8| starts_plain(byte) || matches!(byte, b')' | b'-' | b'=' | b'@');
        while let Some(byte) = self.peek() {
            // One blank or colon between two others belongs to the scalar.
            let joins = matches!(byte, b' ' | b':');
            let next = self.bytes.get(self.at + 1).copied();
            if !(inside(byte) || joins && next.is_some_and(inside)) {
                break;
            }
            self.at += 1;
        }
        Some(())
    }
}
