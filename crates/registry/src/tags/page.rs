//! The body of one page: `{"name": "owner/name", "tags": ["a", "b"]}`.

use std::fmt;

use serde::de::{Deserializer, Error as _, SeqAccess, Visitor};
use serde::{Deserialize, de};

use crate::http::words::is_page;

/// The most tags of one page, so that a few megabytes of `"",` do not become gigabytes of memory.
const MOST: usize = 1 << 20;

/// `tags` may be null or absent where there are none. Google adds fields of its own.
#[derive(Deserialize)]
struct Body {
    #[serde(default)]
    name: Option<de::IgnoredAny>,
    #[serde(default)]
    tags: Option<Tags>,
}

/// Reads a body, or says what it is instead.
pub(crate) fn parse(body: &[u8], content_type: &str) -> Result<Vec<String>, String> {
    if is_page(body, content_type) {
        return Err("it sends a web page".to_owned());
    }
    let body: Body =
        serde_json::from_slice(body).map_err(|error| format!("it sends no list of tags: {error}"))?;
    match body {
        Body { name: None, tags: None } => Err("it sends no list of tags".to_owned()),
        Body { tags, .. } => Ok(tags.map(|tags| tags.0).unwrap_or_default()),
    }
}

struct Tags(Vec<String>);

impl<'de> Deserialize<'de> for Tags {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Bounded)
    }
}

struct Bounded;

impl<'de> Visitor<'de> for Bounded {
    type Value = Tags;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of tags")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Tags, A::Error> {
        let mut tags = Vec::new();
        while let Some(tag) = sequence.next_element()? {
            if tags.len() == MOST {
                return Err(A::Error::custom(format!("more than {MOST} tags in one page")));
            }
            tags.push(tag);
        }
        Ok(Tags(tags))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_bodies_of_registries_are_understood() {
        let tags = |tags: &[&str]| Some(tags.iter().map(|&tag| tag.to_owned()).collect::<Vec<_>>());
        for (body, read) in [
            (r#"{"name":"o/n","tags":["b","a"]}"#, tags(&["b", "a"])),
            (r#"{"tags":["a"],"child":[],"manifest":{"sha256:0":{"tag":["a"]}},"name":"o/n"}"#, tags(&["a"])),
            (r#"{"name":"o/n","tags":null}"#, tags(&[])),
            (r#"{"name":"o/n"}"#, tags(&[])),
            (r#"{"tags":[]}"#, tags(&[])),
            (r#"{"errors":[]}"#, None),
            ("{}", None),
            ("[]", None),
            ("null", None),
            ("", None),
            (r#"{"name":"o/n","tags":["a""#, None),
            (r#"{"name":"o/n","tags":[1]}"#, None),
            (r#"{"name":"o/n","tags":["a"],"tags":["b"]}"#, None),
            ("<html>", None),
        ] {
            assert_eq!(parse(body.as_bytes(), "application/json").ok(), read, "{body}");
        }
    }

    #[test]
    fn a_page_of_too_many_tags_is_refused_before_it_fills_the_memory() {
        let body = format!(r#"{{"name":"o/n","tags":["a"{}]}}"#, r#","""#.repeat(MOST));
        assert!(parse(body.as_bytes(), "").unwrap_err().contains("more than 1048576 tags in one page"));
    }

    proptest! {
        #[test]
        fn nothing_a_registry_sends_makes_it_panic(body in any::<Vec<u8>>(), text in r#"[{}\[\]":,a-z]*"#) {
            let _ = parse(&body, "");
            let _ = parse(format!(r#"{{"tags":{text}}}"#).as_bytes(), "application/json");
        }

        #[test]
        fn every_tag_of_a_page_is_read(tags in prop::collection::vec("[a-zA-Z0-9_][a-zA-Z0-9._-]{0,20}", 0..50)) {
            let body = serde_json::json!({"name": "o/n", "tags": tags}).to_string();
            prop_assert_eq!(parse(body.as_bytes(), "application/json"), Ok(tags));
        }
    }
}
