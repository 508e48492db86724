//! Texts by chance: lists and mappings in each other, Applications with many components, and damage.

use proptest::prelude::*;

#[path = "../../../tests/edit_properties/generate.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod generate;

pub(super) use generate::Chance;

/// What stands behind a key or dash on its line.
const VALUES: [&str; 44] = [
    "web",
    "app-1",
    "a b",
    "ghcr.io/acme/web:v1",
    "it's",
    "a: b",
    "a:b",
    "a:",
    "'it''s'",
    "'a: b'",
    "\"a # b\"",
    "\"a\\n\"",
    "\"\\x77eb\"",
    "\"\\q\"",
    "'open",
    "\"open",
    "{}",
    "[]",
    "{a: b, c: 'd'}",
    "[1, -c, \"x, y\"]",
    "[a: b]",
    "{a: [b, {c: d}]}",
    "[a, b",
    "{a}",
    "{{ .x }}",
    "[web]",
    "x # web",
    "x #c: d",
    "x#y",
    "*a",
    "&a x",
    "!!str x",
    "--flag",
    "- x",
    "-",
    "~",
    "größe",
    "a\u{2028}b",
    "a  b   ",
    "# only",
    "@x",
    "%x",
    "a]",
    "<<",
];

const KEYS: [&str; 12] =
    ["name", "image", "kind", "a b", "\"q.r/s\"", "'k'", "x", "<<", "\"<<\"", "? x", "größe", "y "];

/// Those with a shape.
const TAME: [&str; 16] = [
    "web",
    "app-1",
    "a b # c",
    "ghcr.io/acme/web:v1",
    "it's",
    "'it''s'",
    "'a: b'",
    "\"a # b\"",
    "\"a\\n\"",
    "{}",
    "[]",
    "{a: b, c: 'd'}",
    "[1, -c, \"x, y\"]",
    "--flag",
    "größe",
    "\"\\x77eb\"",
];

const OTHERS: [&str; 11] =
    ["plain words", "'quoted'", "...", "---", "\t", "%TAG", "[a]", "]", "- ", "-  -", "}"];

/// Lines that fit each other more often than not: lists, mappings and block scalars in each other.
pub(super) fn lines(chance: &mut Chance<'_>) -> String {
    let line_break = chance.one(&["\n", "\n", "\n", "\r\n"]);
    let step = [2, 1, 4][chance.below(3)];
    let wild = [0, 0, 1, 4][chance.below(4)];
    let mut text = String::new();
    // The columns of what is open, and whether each is a list.
    let mut open = vec![(0, chance.below(2) == 0)];
    for _ in 0..6 + chance.below(40) {
        while open.len() > 1 && chance.below(3) == 1 {
            open.pop();
        }
        let (column, list) = open.last().copied().unwrap_or_default();
        let odd = chance.below(16) < wild;
        let pad = " ".repeat(if odd { chance.below(8) } else { column });
        let value = if odd { chance.one(&VALUES) } else { chance.one(&TAME) };
        let key = if odd { chance.one(&KEYS) } else { chance.one(&KEYS[..7]) };
        let (inner, inner_list) = (column + step, chance.below(2) == 0);
        let line = match chance.below(if odd { 12 } else { 9 }) {
            0..2 if list => {
                open.push((column + 2, false));
                format!("{pad}- {key}: {value}")
            }
            2 if list => {
                open.extend([(column + 2, false), (column + 2 + step, inner_list)]);
                format!("{pad}- {key}: # more")
            }
            3 if list => {
                open.push((column + 2, true));
                format!("{pad}- - {value}")
            }
            4 if list => format!("{pad}- >-{line_break}{pad} {value}{line_break}{pad} \tx"),
            5 if list => format!("{pad}- {value}"),
            0 => {
                open.push((inner, inner_list));
                format!("{pad}{key}:")
            }
            1 => {
                open.push((column, true));
                format!("{pad}{key}:{line_break}{pad}- {value}")
            }
            2 => format!("{pad}{key}: |{line_break}{pad}   - web{line_break}{line_break}{pad}   {value}"),
            3..=5 => format!("{pad}{key}: {value}"),
            6 => chance.one(&["", "  ", "# web", "      # far", "#"]).to_owned(),
            7 if list => format!("{pad}-"),
            7 => format!("{pad}{key}:"),
            8 => format!("{pad}# \\ {value}"),
            9 => format!("{pad}{value}"),
            10 => format!("{pad}{key}: |+"),
            _ => chance.one(&OTHERS).to_owned(),
        };
        text.push_str(&line);
        text.push_str(line_break);
    }
    text
}

/// The list of components of an Application, most of them of the shapes that people write.
pub(super) fn components(chance: &mut Chance<'_>) -> String {
    let mut text = String::from(
        "apiVersion: core.oam.dev/v1beta1\nkind: Application\nmetadata:\n  name: shop\n  annotations:\n    \
         app.oam.dev/publishVersion: v1\nspec:\n  components:\n",
    );
    let web = chance.below(6);
    for item in 0..6 {
        let name = if item == web { "web".to_owned() } else { format!("c{item}") };
        let image = chance.one(&[
            "'x:1'",
            "x:1",
            "\"x:1\"",
            "x:1 # {\"$imagepolicy\": \"ns:web\"}",
            "x:1 # image-gitops: pinned",
        ]);
        let more = match chance.below(12) {
            0 => chance.one(&[
                "      cmd:\n      - |\n        x\n       # c\n",
                "      v: *a\n",
                "      v: &a x\n",
                "      b: 'two\n        lines'\n",
                "      image: y\n",
                "    - name: web\n",
                "      x: [\n",
                "      e: |\n",
            ]),
            1..7 => chance.one(&[
                "      args: [--a, b]\n",
                "      cmd:\n      - sh\n      - -c\n      - |\n        x\n      # c\n",
                "  # web\n",
                "      s: |\n        - name: web\n\n      t: >-\n        x\n\n",
                "      e: \"\\u0077eb\"\n",
                "      e:\n",
            ]),
            _ => "",
        };
        text.push_str(&format!("    - name: {name}\n      image: {image}\n      list:\n        - n: a\n          image: z:1\n        - n: b\n          image: z:2\n{more}"));
    }
    if chance.below(3) == 1 {
        text.push_str(chance.one(&[
            "  policies:\n  - a: b\n  - c\n",
            "status: {}\n",
            "...\n",
            "---\na: b\n",
            "  x: *a\n",
        ]));
    }
    text
}

fn damaged(mut text: String, damage: &[(prop::sample::Index, u8, String)]) -> String {
    for (at, kind, sign) in damage {
        let at = (0..=at.index(text.len() + 1)).rev().find(|at| text.is_char_boundary(*at)).unwrap();
        match kind {
            0 => text.insert_str(at, sign),
            1 => text.truncate(at),
            _ => text.replace_range(at..text[at..].chars().next().map_or(at, |c| at + c.len_utf8()), sign),
        }
    }
    text
}

pub(super) fn text() -> impl Strategy<Value = String> {
    let sign = prop_oneof![
        "[-\\[\\]{}&*!|>'\"%@#,?: \n\r\t\\\\a1\u{feff}\u{2028}\u{85}\u{7f}é<]{1,2}",
        prop::sample::select(vec![
            "\n", "\n- ", "- ", "  ", ": ", " #", "\n  ", "web", "\\x", "---\n", "...\n", "|\n"
        ])
        .prop_map(str::to_owned),
    ];
    let damage = prop::collection::vec((any::<prop::sample::Index>(), 0..4u8, sign), 0..4);
    (prop::collection::vec(any::<u8>(), 0..300), 0..4u8, damage).prop_map(|(chance, kind, damage)| {
        let text = match kind {
            0 => generate::file(&chance).text,
            1 => components(&mut Chance::new(&chance)),
            _ => lines(&mut Chance::new(&chance)),
        };
        damaged(text, &damage)
    })
}
