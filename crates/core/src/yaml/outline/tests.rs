//! What of a text is left out, shape by shape.

use super::*;
use crate::yaml::{excerpt::Places, tree::Tree};

/// The parts that can be left out where nothing is looked for.
fn cut(text: &str) -> Vec<&str> {
    Outline::of(text).cuts(&[], true).0.into_iter().map(|cut| &text[cut]).collect()
}

fn is_yaml(text: &str) -> bool {
    Tree::parse(text, &Places::from(0)).is_ok()
}

#[test]
fn items_are_left_out_from_dash_to_dash() {
    for (what, text, parts) in [
        ("no list", "a: b\nc:\n  d: e\n", vec![]),
        ("one item", "- a\n", vec![]),
        ("the last has no line break", "- a\n- b", vec!["- b"]),
        ("items in a row are one part", "- a\n- b\n- c\n", vec!["- b\n- c\n"]),
        ("dashes", "---\n- a\n- b\n", vec!["- b\n"]),
        ("a deeper list", "a:\n  - b: c\n    d: e\n  - b: f\n    d: g\nh: i\n", vec!["  - b: f\n    d: g\n"]),
        ("a list at the indentation of its key", "a:\n- b\n- c\nd:\n- e\n- f\n", vec!["- c\n", "- f\n"]),
        (
            "blank lines and comments belong to the item before",
            "- a\n- b\n\n# c\n- d\n",
            vec!["- b\n\n# c\n- d\n"],
        ),
        (
            "a comment at an odd column",
            "a:\n  - b\n  - c: d\n # e\n    # f\n    g: h\ni: j\n",
            vec!["  - c: d\n # e\n    # f\n    g: h\n"],
        ),
        ("a list in an item that stays", "- a:\n  - b\n  - c\n", vec!["  - c\n"]),
        ("lists in lists", "- - a\n  - b\n- - c\n", vec!["  - b\n- - c\n"]),
        ("an item on deeper lines", "-\n  a: b\n-\n  c: d\n", vec!["-\n  c: d\n"]),
        ("no value", "- a:\n- b:\n  c:\n- d\n", vec!["- b:\n  c:\n- d\n"]),
        ("an apostrophe", "- a\n- it's\n- b: don't\n", vec!["- it's\n- b: don't\n"]),
        (
            "quotes",
            "- a\n- 'it''s: # x'\n- \"- \\\"b\\\\\" # c\n",
            vec!["- 'it''s: # x'\n- \"- \\\"b\\\\\" # c\n"],
        ),
        ("a colon in a word", "- a\n- b:c\n- d: http://e:1/f\n", vec!["- b:c\n- d: http://e:1/f\n"]),
        ("blanks at the end", "- a  \n- b:  \n    c: d  \n", vec!["- b:  \n    c: d  \n"]),
        ("brackets", "- a\n- [b, {c: 'd, e', f: [1]}]\n- {}\n", vec!["- [b, {c: 'd, e', f: [1]}]\n- {}\n"]),
        ("CR LF", "- a\r\n- b: |\r\n   c\r\n", vec!["- b: |\r\n   c\r\n"]),
        (
            "dashes in a block scalar",
            "- a: |\n    - b\n    - c\n- d: >-\n   - e\n\n      f\n   g\n- h\n",
            vec!["- d: >-\n   - e\n\n      f\n   g\n- h\n"],
        ),
        ("a block scalar as the item", "- a\n- |\n 'b\n \tc\n", vec!["- |\n 'b\n \tc\n"]),
        (
            "a block scalar's end and a comment",
            "- a\n- b: |+\n    c\n\n# d\n- e\n",
            vec!["- b: |+\n    c\n\n# d\n- e\n"],
        ),
    ] {
        assert!(is_yaml(text), "{what}");
        assert_eq!(cut(text), parts, "{what}");
    }
}

#[test]
fn an_item_that_may_hide_a_word_stays_alone() {
    for odd in ["- \"\\x41\"\n", "- a: \"\\/\"\n", "- a # \\u0041\n", "- b:\n  # \\\n  c: d\n"] {
        let text = format!("- a\n- b\n{odd}- c\n");
        assert_eq!(cut(&text), ["- b\n", "- c\n"], "{odd}");
    }
}

#[test]
fn from_the_first_doubt_on_all_stays() {
    for odd in [
        "- &a b\n",
        "- *a\n",
        "- !t b\n",
        "- ? a\n",
        "- <<: {a: b}\n",
        "- \"<<\": {a: b}\n",
        "- a: b: c\n",
        "- a: - b\n",
        "- a\n  b\n",
        "- 'a\n  b'\n",
        "- \"a\n  b\"\n",
        "- [a,\n  b]\n",
        "- {a:\n  b}\n",
        "- [a: b]\n",
        "- {a}\n",
        "- [a,]\n",
        "- [\"a\" \"b\"]\n",
        "- {\"a\":b}\n",
        "- 'a'b\n",
        "- 'a'#b\n",
        "- [a]#b\n",
        "- 'a\n",
        "- |2\n  a\n",
        "- |\n- b\n",
        "- |\n    \n  a\n",
        "- a: |\n    b\n   c\n",
        "- a: |\n    b\n   # c\n",
        "- a:\tb\n",
        "\t- a\n",
        "- a\tb\n",
        "-\ta\n",
        "- a: b\n   c: d\n",
        "- a: b\n c: d\n",
        " - a\n",
        "  a: b\n",
        "a: b\n",
        "a\n",
        "...\n",
        "- @a\n",
        "- `a\n",
        "- %a\n",
        "- a\rb\n",
        "- a\u{2028}b\n",
        "- \u{feff}a\n",
        "- a\u{7f}\n",
        "- a\u{85}b\n",
        "- {{ a }}\n",
        "- a: {{ b }}\n",
        "- a : b\n",
        "-- a: b\n",
        "- ...: b\n",
        "- -: b\n",
        "- \"a\\\n  b\"\n",
        "- # a\n   - b\n  - c\n",
    ] {
        let text = format!("- a\n- b\n{odd}- c\n- d\n");
        let left_out = cut(&text);
        assert!(left_out.is_empty() || left_out == ["- b\n"], "{odd:?}: {left_out:?}");
    }
    for head in [
        "\u{feff}- a\n- b\n",
        "%YAML 1.2\n---\n- a\n- b\n",
        "--- [a]\n- b\n- c\n",
        "{a: b}\n",
        "'a': - b\n- c\n",
    ] {
        assert_eq!(cut(head), Vec::<&str>::new(), "{head:?}");
    }
}

#[test]
fn hits_keep_the_items_around_them() {
    let text = "- a:\n  - b\n  - c\n- d:\n  - e\n  - f\n- g\n";
    let parts = |hits: &[usize], inside| {
        let cuts = Outline::of(text).cuts(hits, inside).0;
        cuts.into_iter().map(|cut| text[cut].replace('\n', "")).collect::<Vec<_>>()
    };
    let at = |sign| text.find(sign).unwrap();
    assert_eq!(parts(&[], true), ["  - c- d:  - e  - f- g"]);
    assert_eq!(parts(&[], false), ["- d:  - e  - f- g"]);
    assert_eq!(parts(&[at('e')], true), ["  - c", "  - f- g"]);
    assert_eq!(parts(&[at('e')], false), ["- g"]);
    assert_eq!(parts(&[at('c'), at('f')], true), ["- g"]);
    assert_eq!(parts(&[at('g')], false), ["- d:  - e  - f"]);
}

#[test]
fn no_limit_of_the_parser_is_passed_by() {
    let deep: String = (0..100).map(|n| format!("{}- a:\n", " ".repeat(n * 2))).collect();
    let comments = "# c\n".repeat(2000);
    let key = "k".repeat(1100);
    for odd in [deep, format!("- b\n{comments}"), format!("- {key}: b\n"), format!("- {{{key}: b}}\n")] {
        let text = format!("- a\n- b\n{odd}- c\n");
        assert!(cut(&text).iter().all(|part| part.len() < 100), "{}", &odd[..20]);
    }
    // Long values are none of it.
    for long in [
        format!("- '{key}'\n"),
        format!("- {key}\n"),
        format!("- [{key}, {key}]\n"),
        format!("- \"{key}\"\n"),
    ] {
        let text = format!("- a\n{long}");
        assert!(is_yaml(&text) && cut(&text) == [long.as_str()], "{}", &long[..20]);
    }
    let nodes = |text: &str| Outline::of(text).cuts(&[], true).1;
    assert!((5..10).contains(&nodes("- a\n- b: c\n  d: [e]\n- f\n")));
}
