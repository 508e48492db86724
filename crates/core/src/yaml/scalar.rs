//! What can be written as the value of a scalar, and in which characters.

use std::sync::LazyLock;

use granit_parser::ScalarStyle;
use regex::Regex;

/// Whether `value` can be a value: only characters of image references, none of which needs an escape in any style.
pub(super) fn writable(value: &str) -> bool {
    let allowed =
        |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'/' | b':' | b'@' | b'+');
    !value.is_empty() && value.bytes().all(allowed)
}

/// `value` in the style of the scalar that it replaces; in double quotes where it would not be a string without.
pub(super) fn rendered(value: &str, style: ScalarStyle) -> String {
    match style {
        ScalarStyle::SingleQuoted => format!("'{value}'"),
        ScalarStyle::Plain if plain_is_a_string(value) => value.to_owned(),
        _ => format!("\"{value}\""),
    }
}

/// Whether a reader of YAML 1.1 (go-yaml, which kubectl and KubeVela use) and one of YAML 1.2 take the plain scalar
/// for a string, wherever it stands.
fn plain_is_a_string(value: &str) -> bool {
    static OTHER_TYPES: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(concat!(
            r"(?ix)^(?: ",
            r" y|yes|n|no|on|off|true|false|null ", // booleans and null, any case
            r"| [0-9]+ | 0[box][0-9a-f]+ ",         // integers, those with leading zeros too
            r"| (?: [0-9]+ (?:\.[0-9]*)? | \.[0-9]+ ) (?: e[-+]?[0-9]+ )? ", // floats
            r"| [0-9]+ (?: :[0-9]{1,2} )+ (?: \.[0-9]* )? ", // base 60
            r"| [0-9]{4}-[0-9]{1,2}-[0-9]{1,2} (?: t[0-9].* )? ", // dates and times
            r")$",
        ))
        .ok()
    });
    // Signs, dots and indicators never start a tag or a reference: quotes are always right for them. A colon at the end
    // would make the scalar a key.
    let starts_well = value.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
    // Readers of YAML 1.1 drop the underscores of numbers.
    let digits = value.starts_with(|c: char| c.is_ascii_digit());
    let bare = if digits { value.replace('_', "") } else { value.to_owned() };
    starts_well && !value.ends_with(':') && OTHER_TYPES.as_ref().is_some_and(|types| !types.is_match(&bare))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_value_that_is_no_string_is_put_in_quotes() {
        for value in [
            "1",
            "1627123456",
            "1.10",
            "0010",
            "08",
            "1e5",
            "12e4567",
            "1.5e-3",
            "1.",
            "0x1f",
            "0X1F",
            "0b101",
            "0o17",
            "1_000",
            "1_",
            "0x_1f",
            "1_0.5",
            "12:30",
            "190:20:30",
            "190:20:30.15",
            "2024-01-01",
            "2024-1-1",
            "2024-01-01T10:00:00Z",
            "true",
            "True",
            "FALSE",
            "yes",
            "No",
            "on",
            "OFF",
            "y",
            "N",
            "null",
            "Null",
            "-",
            "---",
            "-1",
            "+1",
            "+a",
            ".5",
            "...",
            ".inf",
            ".NaN",
            "@a",
            "a:",
            ":a",
            "/a",
        ] {
            assert!(writable(value), "{value}");
            assert_eq!(rendered(value, ScalarStyle::Plain), format!("\"{value}\""));
            assert_eq!(rendered(value, ScalarStyle::SingleQuoted), format!("'{value}'"));
            assert_eq!(rendered(value, ScalarStyle::DoubleQuoted), format!("\"{value}\""));
        }
    }

    #[test]
    fn a_plain_value_that_is_a_string_stays_plain() {
        for value in [
            "main-abc1234-1627123456",
            "ghcr.io/o/n:1.10",
            "nginx",
            "nginx:1.10",
            "1.27.3",
            "v1.10",
            "1.10-alpine",
            "localhost:5000/a:1",
            "a@sha256:00",
            "0123abc",
            "1e5a",
            "2024-01-01-3",
            "20240101-1",
            "12:30/a",
            "trueish",
            "nope",
            "_1",
            "0xyz",
            "latest",
            "1.2.3+build.4",
            "2024.01.01",
            "12:3a",
            "sha256:12",
        ] {
            assert!(writable(value), "{value}");
            assert_eq!(rendered(value, ScalarStyle::Plain), value);
        }
    }

    #[test]
    fn only_the_characters_of_references_are_written() {
        for value in [
            "", " ", "a b", "a\nb", "a#b", "a\"b", "a'b", "a\\b", "{{x}}", "a,b", "é", "a\0", "a\tb", "*a",
            "&a", "%a",
        ] {
            assert!(!writable(value), "{value:?}");
        }
    }
}
