//! A field below a component: `properties.image`, `traits[type=sidecar].properties.image`, `properties["a.b"]`.

use std::fmt;

use serde_json::Value;

/// Why a text is not a path to a field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a path: {reason}")]
pub struct FieldPathError {
    /// What was given.
    pub text: String,
    /// What is wrong with it, and what to write.
    pub reason: &'static str,
}

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Hop {
    /// The value of this key.
    Key(String),
    /// The item of this number, from 0.
    Index(usize),
    /// The one item whose `key` has this value.
    Where { key: String, value: String },
}

impl fmt::Display for Hop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) if key.contains(['.', '[', ']', '"', '\'', '=', ' ']) => write!(f, "[{key:?}]"),
            Self::Key(key) => write!(f, ".{key}"),
            Self::Index(index) => write!(f, "[{index}]"),
            Self::Where { key, value } => write!(f, "[{key}={value}]"),
        }
    }
}

/// A path to a field, validated.
///
/// Keys are joined by dots; a key with dots in it is quoted (`properties."a.b"`, `properties['a.b']`). An item of a
/// list is chosen by its number from 0 (`[0]`) or by the value of a key (`[name=web]`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldPath(pub(super) Vec<Hop>);

impl FieldPath {
    /// Parses a path.
    pub fn new(text: &str) -> Result<Self, FieldPathError> {
        Self::hops(text).map(Self).map_err(|reason| FieldPathError { text: text.to_owned(), reason })
    }

    fn hops(text: &str) -> Result<Vec<Hop>, &'static str> {
        if text.is_empty() {
            return Err("it is empty; write something like properties.image");
        }
        if text.len() > 1024 {
            return Err("it is longer than 1024 bytes");
        }
        if text.starts_with('/') {
            return Err("join keys by dots, as in properties.image");
        }
        if text.starts_with('$') {
            return Err("leave out the leading $: a path starts at the component, as in properties.image");
        }
        let mut hops = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let (hop, after) = match rest.strip_prefix('[') {
                Some(inside) => bracket(inside)?,
                None => {
                    let rest = if hops.is_empty() {
                        rest
                    } else {
                        rest.strip_prefix('.').ok_or("after ] or a quoted key comes a dot, a [ or the end")?
                    };
                    let (key, after) = key(rest, &['.', '['])?;
                    (Hop::Key(key), after)
                }
            };
            hops.push(hop);
            rest = after;
        }
        Ok(hops)
    }

    /// The JSON pointer (RFC 6901) of the field in `component`, a component of an Application as the cluster holds it;
    /// `None` where it has no such field.
    pub fn pointer(&self, component: &Value) -> Option<String> {
        let mut at = component;
        let mut pointer = String::new();
        for hop in &self.0 {
            let token = match hop {
                Hop::Key(key) => key.replace('~', "~0").replace('/', "~1"),
                Hop::Index(index) => index.to_string(),
                Hop::Where { key, value } => {
                    let fits = |item: &Value| item.get(key).and_then(Value::as_str) == Some(value);
                    at.as_array()?.iter().position(fits)?.to_string()
                }
            };
            pointer.push('/');
            pointer.push_str(&token);
            at = component.pointer(&pointer)?;
        }
        Some(pointer)
    }

    /// Whether the last key is `tag`: then the field holds only the tag.
    pub(super) fn ends_in_tag(&self) -> bool {
        matches!(self.0.last(), Some(Hop::Key(key)) if key == "tag")
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text: String = self.0.iter().map(ToString::to_string).collect();
        f.write_str(text.strip_prefix('.').unwrap_or(&text))
    }
}

/// A key in quotes, or up to one of `ends`.
fn key<'t>(text: &'t str, ends: &[char]) -> Result<(String, &'t str), &'static str> {
    let (key, rest) = match text.chars().next() {
        Some(quote @ ('"' | '\'')) => {
            text.get(1..).and_then(|inside| inside.split_once(quote)).ok_or("a quote is not closed")?
        }
        _ => {
            let (key, rest) = text.split_at(text.find(ends).unwrap_or(text.len()));
            if key.contains(['"', '\'', '[', ']', '*', '=']) || key.contains(char::is_whitespace) {
                return Err(
                    "keys with quotes, brackets, '=', '*' or spaces are written in quotes; there are no wildcards",
                );
            }
            (key, rest)
        }
    };
    if key.is_empty() {
        return Err("a key is empty; a key with dots in it is written in quotes");
    }
    Ok((key.to_owned(), rest))
}

/// What follows a `[`: `0]`, `name=web]`, `"a.b"]`.
fn bracket(text: &str) -> Result<(Hop, &str), &'static str> {
    const CLOSE: &str = "a [ is not closed by ]";
    let quoted = text.starts_with(['"', '\'']);
    let (word, rest) = key(text, &[']', '='])?;
    if let Some(rest) = rest.strip_prefix('=') {
        let (value, rest) = key(rest, &[']'])?;
        return Ok((Hop::Where { key: word, value }, rest.strip_prefix(']').ok_or(CLOSE)?));
    }
    let rest = rest.strip_prefix(']').ok_or(CLOSE)?;
    if quoted {
        return Ok((Hop::Key(word), rest));
    }
    let index =
        word.parse().map_err(|_| "between [ and ] stands a number from 0, key=value, or a key in quotes")?;
    Ok((Hop::Index(index), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_points_into_a_component_of_any_type() {
        let component = serde_json::json!({
            "properties": { "image": "a:1", "a/b": "a:1", "objects": [
                { "kind": "ConfigMap" },
                { "kind": "Deployment", "spec": { "containers": [{ "name": "web", "image": "a:1" }] } },
            ]},
            "traits": [{ "type": "scaler" }, { "type": "sidecar", "properties": { "image": "b:1" } }],
        });
        for (path, pointer) in [
            ("properties.image", Some("/properties/image")),
            ("properties.\"a/b\"", Some("/properties/a~1b")),
            (
                "properties.objects[kind=Deployment].spec.containers[name=web].image",
                Some("/properties/objects/1/spec/containers/0/image"),
            ),
            ("properties.objects[1].kind", Some("/properties/objects/1/kind")),
            ("traits[type=sidecar].properties.image", Some("/traits/1/properties/image")),
            ("properties.objects[2].kind", None),
            ("traits[type=other].properties.image", None),
            ("properties.image.tag", None),
        ] {
            assert_eq!(FieldPath::new(path).unwrap().pointer(&component).as_deref(), pointer, "{path}");
        }
    }

    #[test]
    fn a_path_is_split_into_its_hops() {
        let key = |k: &str| Hop::Key(k.into());
        let item = |k: &str, v: &str| Hop::Where { key: k.into(), value: v.into() };
        for (text, hops, shown) in [
            ("image", vec![key("image")], "image"),
            ("properties.image", vec![key("properties"), key("image")], "properties.image"),
            (
                "traits[0].properties.image",
                vec![key("traits"), Hop::Index(0), key("properties"), key("image")],
                "traits[0].properties.image",
            ),
            (
                "traits[type=sidecar].image",
                vec![key("traits"), item("type", "sidecar"), key("image")],
                "traits[type=sidecar].image",
            ),
            ("a[name='x]y'][1]", vec![key("a"), item("name", "x]y"), Hop::Index(1)], "a[name=x]y][1]"),
            ("p.\"a.b\".c", vec![key("p"), key("a.b"), key("c")], "p[\"a.b\"].c"),
            ("p['a.b']", vec![key("p"), key("a.b")], "p[\"a.b\"]"),
            ("p[\"a.b\"].c", vec![key("p"), key("a.b"), key("c")], "p[\"a.b\"].c"),
            ("bild-1_é", vec![key("bild-1_é")], "bild-1_é"),
        ] {
            let path = FieldPath::new(text).unwrap();
            assert_eq!(path.0, hops, "{text}");
            assert_eq!(path.to_string(), shown);
        }
    }

    #[test]
    fn a_text_that_is_no_path_is_refused_with_its_reason() {
        for text in [
            "", ".", "a.", ".a", "a..b", "/a/b", "$.a", "a[", "a[]", "a[x]", "a[-1]", "a[1", "a[x=", "a[=y]",
            "a[1]b", "a[*]", "a.*", "a b", "\"a", "a.\"b\"c", "a]", "p['a.b]", "a=b", "a[''].b",
        ] {
            let error = FieldPath::new(text).expect_err(text);
            assert!(error.to_string().contains(error.reason));
        }
        assert!(FieldPath::new(&"a".repeat(1025)).is_err());
    }
}
