//! Writes YAML of every style by chance, and knows where each scalar of it lies.

/// Bytes of chance; when they run out, every choice is the first.
pub(crate) struct Chance<'c>(std::slice::Iter<'c, u8>);

impl<'c> Chance<'c> {
    pub(crate) fn new(bytes: &'c [u8]) -> Self {
        Self(bytes.iter())
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.0.next().map_or(0, |byte| usize::from(*byte) % n)
    }

    pub(crate) fn one<'t>(&mut self, of: &[&'t str]) -> &'t str {
        of[self.below(of.len())]
    }

    fn often(&mut self) -> bool {
        self.below(3) == 1
    }
}

/// A scalar of the generated text.
#[derive(Clone, Debug)]
pub(crate) struct Leaf {
    /// Below the component, in the grammar of field paths.
    pub(crate) path: String,
    /// Below the root of the document, as a JSON pointer.
    pub(crate) pointer: String,
    /// Whether it may be changed: it has a value, and that lies on one line.
    pub(crate) editable: bool,
}

pub(crate) struct Yaml {
    pub(crate) text: String,
    /// Which of the documents is the Application.
    pub(crate) document: usize,
    pub(crate) leaves: Vec<Leaf>,
}

struct Writer<'c> {
    chance: Chance<'c>,
    text: String,
    leaves: Vec<Leaf>,
    serial: usize,
}

const PLAIN: [&str; 14] = [
    "nginx:1.2",
    "ghcr.io/acme/web:main-abc-1",
    "1.10",
    "true",
    "a b  c",
    "x#y",
    "größe",
    "12:30",
    "-x",
    "http://x/y?z=1",
    "0x1f",
    "a'b",
    "null-ish",
    "日本",
];
const SINGLE: [&str; 6] = ["'nginx:1.2'", "'it''s'", "'a # b'", "'k: v'", "'{\"x\"}'", "' \\n '"];
const DOUBLE: [&str; 7] = [
    "\"nginx:1.2\"",
    "\"a \\\"b\\\"\"",
    "\"\\u00e9\\t\\x41\"",
    "\"a # b\"",
    "\"k: v\"",
    "\"it's\"",
    "\"[*a]\"",
];
const COMMENTS: [&str; 7] = [
    " # a comment",
    "   #",
    "\t# tab",
    " # image: x:1",
    " # {\"$imagepolicy\": \"ns:web\"}",
    " # größe 🤖",
    " # 'quote \"",
];

impl Writer<'_> {
    fn line_end(&mut self) {
        if self.chance.often() {
            let comment = self.chance.one(&COMMENTS);
            self.text.push_str(comment);
        }
        self.text.push('\n');
        if self.chance.below(6) == 1 {
            let line = self.chance.one(&["", "# between", "      # far", "  ", "#"]);
            self.text.push_str(line);
            self.text.push('\n');
        }
    }

    fn leaf(&mut self, path: &str, pointer: &str, editable: bool) {
        self.leaves.push(Leaf { path: path.to_owned(), pointer: pointer.to_owned(), editable });
    }

    /// An anchor that nothing uses, or a tag that says what is so anyway.
    fn properties(&mut self) {
        if self.chance.below(8) == 1 {
            self.serial += 1;
            let anchor = format!("&a{} ", self.serial);
            self.text.push_str(&anchor);
        }
        if self.chance.below(8) == 1 {
            self.text.push_str("!!str ");
        }
    }

    /// A scalar on one line.
    fn inline(&mut self, path: &str, pointer: &str) {
        self.properties();
        let styles: [&[&str]; 3] = [&PLAIN, &SINGLE, &DOUBLE];
        let style = styles[self.chance.below(3)];
        let text = self.chance.one(style);
        self.text.push_str(text);
        self.leaf(path, pointer, true);
    }

    /// A key of its own, written somehow; the path and pointer to its value.
    fn key(&mut self, path: &str, pointer: &str) -> (String, String) {
        self.serial += 1;
        let serial = self.serial;
        match self.chance.below(5) {
            0 | 1 => {
                self.text.push_str(&format!("k{serial}"));
                (format!("{path}.k{serial}"), format!("{pointer}/k{serial}"))
            }
            2 => {
                self.text.push_str(&format!("\"k {serial}\""));
                (format!("{path}[\"k {serial}\"]"), format!("{pointer}/k {serial}"))
            }
            3 => {
                self.text.push_str(&format!("'a.b/{serial}'"));
                (format!("{path}['a.b/{serial}']"), format!("{pointer}/a.b~1{serial}"))
            }
            _ => {
                self.text.push_str(&format!("größe-{serial}"));
                (format!("{path}.größe-{serial}"), format!("{pointer}/größe-{serial}"))
            }
        }
    }

    /// A value behind `key:` or `-`, and the end of its last line. `indent` is that of the key or dash.
    fn value(&mut self, indent: usize, depth: usize, path: &str, pointer: &str, in_list: bool) {
        let deeper = indent + 1 + self.chance.below(4);
        let pad = " ".repeat(deeper);
        match if depth > 5 { 0 } else { self.chance.below(13) } {
            0..=3 => {
                let blanks = self.chance.one(&[" ", "   ", " \t"]);
                self.text.push_str(blanks);
                self.inline(path, pointer);
                self.line_end();
            }
            4 | 5 => {
                self.line_end();
                self.map(deeper, depth, path, pointer);
            }
            6 => {
                // A list may stand at the indent of its key.
                let at = if in_list || self.chance.often() { deeper } else { indent };
                self.line_end();
                self.list(at, depth, path, pointer);
            }
            7 => {
                self.text.push(' ');
                self.flow(depth, path, pointer, &pad);
                self.line_end();
            }
            8 => {
                let head = self
                    .chance
                    .one(&[" |", " >", " |-", " >+", " |2-"])
                    .replace('2', &(deeper - indent).to_string());
                self.text.push_str(&head);
                self.text.push_str(&format!("\n{pad}image: x:1 # no comment\n\n{pad}  ---\n{pad}'\"{{[\n"));
                self.leaf(path, pointer, false);
            }
            9 => {
                let lines = self.chance.one(&[
                    "two\n@lines",
                    "'two\n@lines'",
                    "\"two\n\n@lines\"",
                    "\"two\\\n@ lines\"",
                ]);
                self.text.push(' ');
                self.text.push_str(&lines.replace('@', &pad));
                self.leaf(path, pointer, false);
                self.text.push('\n');
            }
            10 => {
                let nothing = self.chance.one(&["", " ~", " null", " \"\"", " ''"]);
                self.text.push_str(nothing);
                self.leaf(path, pointer, false);
                self.line_end();
            }
            11 => {
                // The value on a line of its own.
                self.line_end();
                self.text.push_str(&pad);
                self.inline(path, pointer);
                self.line_end();
            }
            _ => {
                self.text.push(' ');
                self.inline(path, pointer);
                self.text.push('\n');
            }
        }
    }

    fn map(&mut self, indent: usize, depth: usize, path: &str, pointer: &str) {
        let pairs = if depth == 0 { self.chance.below(20) } else { self.chance.below(5) };
        for _ in 0..=pairs {
            self.text.push_str(&" ".repeat(indent));
            self.pair(indent, depth, path, pointer);
        }
    }

    fn pair(&mut self, indent: usize, depth: usize, path: &str, pointer: &str) {
        let (path, pointer) = self.key(path, pointer);
        let colon = self.chance.one(&[":", " :"]);
        self.text.push_str(colon);
        self.value(indent, depth + 1, &path, &pointer, false);
    }

    fn list(&mut self, indent: usize, depth: usize, path: &str, pointer: &str) {
        for item in 0..=self.chance.below(3) {
            let (path, pointer) = (format!("{path}[{item}]"), format!("{pointer}/{item}"));
            self.text.push_str(&" ".repeat(indent));
            self.text.push('-');
            if depth < 5 && self.chance.often() {
                // `- key: value`, the next keys below the first.
                self.text.push_str("   ");
                self.pair(indent + 4, depth, &path, &pointer);
                if self.chance.often() {
                    self.map(indent + 4, depth + 1, &path, &pointer);
                }
            } else {
                self.value(indent, depth + 1, &path, &pointer, true);
            }
        }
    }

    fn flow(&mut self, depth: usize, path: &str, pointer: &str, pad: &str) {
        let map = self.chance.often();
        self.text.push_str(if map { "{" } else { "[" });
        for item in 0..self.chance.below(4) {
            if item > 0 {
                self.text.push(',');
            }
            let space = self.chance.one(&[" ", "  ", "@", " # in flow@"]).replace('@', &format!("\n{pad}"));
            self.text.push_str(&space);
            let (path, pointer) = if map {
                let found = self.key(path, pointer);
                self.text.push_str(": ");
                found
            } else {
                (format!("{path}[{item}]"), format!("{pointer}/{item}"))
            };
            if depth < 5 && self.chance.often() {
                self.flow(depth + 1, &path, &pointer, pad);
            } else {
                self.inline(&path, &pointer);
            }
        }
        let space = self.chance.one(&["", " ", "@"]).replace('@', &format!("\n{pad}"));
        self.text.push_str(&space);
        self.text.push_str(if map { "}" } else { "]" });
    }
}

/// A file with the Application `shop` and its component `web`, whose `properties` hold everything that chance gives,
/// and other documents around it.
pub(crate) fn file(bytes: &[u8]) -> Yaml {
    let mut writer =
        Writer { chance: Chance::new(bytes), text: String::new(), leaves: Vec::new(), serial: 0 };
    let others = [
        "a: b\n",
        "kind: ConfigMap\nmetadata: {name: shop}\n",
        "- 1\n- 'x'\n",
        "note: |\n  text\n",
        "--- word\n",
    ];
    let chance = &mut writer.chance;
    let (line_break, bom, cut) =
        (chance.one(&["\n", "\r\n", "\n", "\r"]), chance.below(4) == 1, chance.below(4) == 1);
    let mut document = 0;
    if chance.often() {
        let other = chance.one(&others);
        let end = chance.one(&["---\n", "--- # next\n", "...\n---\n", "...\n# between\n--- \n"]);
        writer.text = format!("{other}{end}");
        document = 1;
    }
    writer.text.push_str(
        "apiVersion: core.oam.dev/v1beta1\nkind: Application\nmetadata: {name: shop}\nspec:\n  components:\n",
    );
    writer.text.push_str("  - name: web\n    properties:");
    if writer.chance.below(8) == 1 {
        writer.text.push(' ');
        writer.flow(0, "properties", "/spec/components/0/properties", "        ");
        writer.line_end();
    } else {
        writer.line_end();
        writer.map(6, 0, "properties", "/spec/components/0/properties");
    }
    if writer.chance.often() {
        let other = writer.chance.one(&others);
        let start = if other.starts_with("---") { "" } else { "---\n" };
        writer.text.push_str(&format!("{start}{other}"));
    }
    let mut text = writer.text.replace('\n', line_break);
    // Without its final line break, a block scalar at the end has another value for some readers.
    if cut && writer.leaves.last().is_none_or(|leaf| leaf.editable) {
        text.truncate(text.len() - line_break.len());
    }
    if bom {
        text.insert(0, '\u{feff}');
    }
    Yaml { text, document, leaves: writer.leaves }
}
