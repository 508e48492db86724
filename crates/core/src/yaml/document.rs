//! The documents of a file, told apart by their bytes.
//!
//! A line that starts with `---` and a blank or its end starts a document wherever it stands: YAML 1.2.2 forbids it
//! inside every scalar (`c-forbidden`, section 9.1.2), and anchors and tag handles do not reach over it. So documents
//! can be parsed one by one, and one that cannot hold a name need not be parsed to look for it.

use std::{
    ops::Range,
    sync::{Arc, OnceLock},
};

use super::{
    error::YamlReason,
    excerpt::{Places, without},
    outline::Outline,
    tree::{MAX_NODES, Stop, Tree},
};

/// What a document turned out to be: its nodes, or where and why it is not YAML.
type Parsed<'a> = Result<Tree<'a>, (usize, Box<YamlReason>)>;

/// Mostly one document. Those that follow `...` without a `---` are not told apart: the parser does that.
#[derive(Clone, Debug)]
pub(super) struct Document<'a> {
    pub(super) range: Range<usize>,
    /// What of the file its tree lacks.
    cuts: Vec<Range<usize>>,
    parsed: OnceLock<Arc<Parsed<'a>>>,
    outline: OnceLock<Arc<Outline>>,
}

impl<'a> Document<'a> {
    fn new(range: Range<usize>) -> Self {
        Self { range, cuts: Vec::new(), parsed: OnceLock::new(), outline: OnceLock::new() }
    }

    /// The same document, but for the parts `cuts` of the file, with its tree.
    pub(super) fn lean(&self, cuts: Vec<Range<usize>>, tree: Tree<'a>) -> Self {
        Self { cuts, parsed: OnceLock::from(Arc::new(Ok(tree))), ..Self::new(self.range.clone()) }
    }

    pub(super) fn text<'t>(&self, file: &'t str) -> &'t str {
        file.get(self.range.clone()).unwrap_or_default()
    }

    pub(super) fn tree(&self, file: &'a str) -> &Parsed<'a> {
        self.parsed.get_or_init(|| {
            let text = self.text(file);
            Arc::new(Tree::parse(text, &Places::from(self.range.start)).map_err(|stop| {
                let (offset, reason) = explain(stop, text, self.range.start);
                (offset, Box::new(reason))
            }))
        })
    }

    pub(super) fn is_parsed(&self) -> bool {
        self.parsed.get().is_some()
    }

    /// What of the file its tree is of.
    pub(super) fn parts(&self) -> impl Iterator<Item = Range<usize>> {
        without(self.range.clone(), &self.cuts)
    }

    pub(super) fn outline(&self, file: &str) -> &Outline {
        self.outline.get_or_init(|| Arc::new(Outline::of(self.text(file))))
    }
}

/// Where and why a document cannot be used.
fn explain(stop: Stop, text: &str, base: usize) -> (usize, YamlReason) {
    match stop {
        Stop::Syntax(error) => {
            // What is not YAML and has braces in pairs is a template; its author wants to be told so.
            match text.find("{{") {
                Some(at) => (base + at, YamlReason::Template),
                None => (
                    base + error.marker().byte_offset().unwrap_or(0),
                    YamlReason::Syntax(error.kind().to_string()),
                ),
            }
        }
        Stop::TooManyNodes => (base, YamlReason::TooManyNodes { most: MAX_NODES }),
        Stop::Refused => (base, YamlReason::Syntax("an alias without its anchor".into())),
    }
}

/// Cuts a file before each line that starts a document.
pub(super) fn split<'a>(text: &str) -> Vec<Document<'a>> {
    // A directive stands before the `---` of its document: such files are left in one piece.
    let directive = |text: &str| {
        text.starts_with(['%', '\u{feff}']) && text.trim_start_matches('\u{feff}').starts_with('%')
            || ["\n%", "\r%", "\n\u{feff}%", "\r\u{feff}%"].iter().any(|start| text.contains(start))
    };
    if text.contains('%') && directive(text) {
        return vec![Document::new(0..text.len())];
    }
    let bytes = text.as_bytes();
    let starts_document = |at: &usize| {
        let line_start = *at == 0 || matches!(bytes.get(at - 1), Some(b'\n' | b'\r'));
        line_start && matches!(bytes.get(at + 3), None | Some(b' ' | b'\t' | b'\n' | b'\r'))
    };
    let mut documents = Vec::new();
    let mut start = 0;
    for cut in text.match_indices("---").map(|(at, _)| at).filter(starts_document) {
        if cut > start {
            documents.push(Document::new(start..cut));
        }
        start = cut;
    }
    documents.push(Document::new(start..text.len()));
    documents
}

/// Whether a scalar of `text` can have the value `word`. Only the escapes of a double-quoted scalar can hide its
/// characters: those by number, the slash, and an escaped end of line. Folding a line leaves a space or a break.
pub(super) fn may_hold(text: &str, word: &str) -> bool {
    !is_literal(word)
        || text.contains(word)
        || text
            .match_indices('\\')
            .any(|(at, _)| hides(text.as_bytes().get(at + 1..).unwrap_or_default(), word))
}

/// Whether what follows a backslash can spell a part of `word`: one of its characters, and the next one behind it.
fn hides(escape: &[u8], word: &str) -> bool {
    let digits = match escape.first() {
        Some(b'\n' | b'\r') => return true,
        Some(b'/') => 0,
        Some(b'x') => 2,
        Some(b'u') => 4,
        Some(b'U') => 8,
        _ => return false,
    };
    let code = escape.get(1..=digits).and_then(|digits| std::str::from_utf8(digits).ok());
    let spelled = match code {
        Some("") => u32::from(b'/'),
        Some(code) if code.bytes().all(|digit| digit.is_ascii_hexdigit()) => {
            u32::from_str_radix(code, 16).unwrap_or_default()
        }
        // No escape: the parser is to say so.
        _ => return true,
    };
    let next = escape.get(digits + 1);
    word.bytes().enumerate().any(|(at, byte)| {
        let goes_on = |wanted: &u8| matches!(next, Some(byte) if byte == wanted || *byte == b'\\');
        u32::from(byte) == spelled && word.as_bytes().get(at + 1).is_none_or(goes_on)
    })
}

/// Whether `word` stands in a text as it is where no escape hides it.
pub(super) fn is_literal(word: &str) -> bool {
    word.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'"' | b'\'' | b'\\'))
}

/// Whether a file can name `word`, an Application's name or a marker's policy: cheap, to choose among many files which
/// to [parse](super::Manifest::parse). A file that is not UTF-8 never does.
pub fn mentions(bytes: &[u8], word: &str) -> bool {
    std::str::from_utf8(bytes).is_ok_and(|text| may_hold(text, word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_may_be_hidden_by_escapes_only() {
        for text in
            ["a: shop", "a: \"sh\\x6fp\"", "a: \"sh\\u006fp\"", "a: \"sh\\\n  op\"", "a: \"sh\\U0000006fp\""]
        {
            assert!(may_hold(text, "shop"), "{text}");
            assert!(mentions(text.as_bytes(), "shop"), "{text}");
        }
        for text in ["a: sho p", "a: \"sh\\nop\"", "sh\nop", "a: \"sh\\top\"", "SHOP", ""] {
            assert!(!may_hold(text, "shop"), "{text}");
        }
        // An escape of a character that the word has not, or has only before another one.
        for text in ["a: \"\\u0041\"", "a: \"\\x68i\"", "a: \"\\x6f\"", "a: \"\\U0001f600\"", "a: \"\\/\""] {
            assert!(!may_hold(text, "shop"), "{text}");
        }
        for text in
            ["a: \"sh\\x6f\\x70\"", "a: \"sho\\x70\"", "a: \"\\x73hop\"", "a: \"\\xzz\"", "a: \"\\u00"]
        {
            assert!(may_hold(text, "shop"), "{text}");
        }
        assert!(may_hold("a: \"a\\/b\"", "a/b"));
        assert!(may_hold("a: a b", "a b"), "a word with a blank can be folded from two lines");
        assert!(!mentions(b"shop\xff", "shop"));
    }

    #[test]
    fn a_file_is_cut_at_its_dashes() {
        for (text, parts) in [
            ("", vec![""]),
            ("a", vec!["a"]),
            ("---\na\n--- b\n---", vec!["---\na\n", "--- b\n", "---"]),
            ("a\r\n---\r\nb", vec!["a\r\n", "---\r\nb"]),
            ("a\r---\tb", vec!["a\r", "---\tb"]),
            ("a\n ---\n----\n---b\n", vec!["a\n ---\n----\n---b\n"]),
            ("\u{feff}---\na\n---\nb", vec!["\u{feff}---\na\n", "---\nb"]),
            ("a\n...\n%YAML 1.2\n---\nb", vec!["a\n...\n%YAML 1.2\n---\nb"]),
            ("a: 5%\n---\nb", vec!["a: 5%\n", "---\nb"]),
        ] {
            assert_eq!(split(text).iter().map(|d| d.text(text)).collect::<Vec<_>>(), parts, "{text:?}");
        }
    }
}
