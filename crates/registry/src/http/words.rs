//! What a registry says in the body of an error.
//!
//! Registries send `{"errors":[{"code","message"}]}` (distribution-spec, "Error Codes"), token services OAuth2's
//! `{"error","error_description"}` (RFC 6749, section 5.2) or `{"details"}`, proxies plain text or a page.

use serde::Deserialize;

/// The most characters of a registry's words that are repeated.
const LONGEST: usize = 300;

#[derive(Deserialize)]
struct Envelope {
    #[serde(default)]
    errors: Option<Vec<Item>>,
    #[serde(default)]
    error: Option<serde_json::Value>,
    #[serde(default)]
    error_description: Option<String>,
    #[serde(default)]
    details: Option<String>,
    #[serde(default)]
    message: Option<String>,
}

#[derive(Deserialize)]
struct Item {
    #[serde(default)]
    code: Option<serde_json::Value>,
    #[serde(default)]
    message: Option<String>,
}

/// What was said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Words {
    /// For people: one line without control characters, cut where it is long.
    pub(crate) text: Option<String>,
    /// Whether a registry said it, as opposed to whatever else answers HTTP.
    pub(crate) of_a_registry: bool,
    /// Whether its code says that this reader is not let in.
    pub(crate) denied: bool,
}

impl Words {
    /// Reads the body of an error.
    pub(crate) fn of(body: &[u8], content_type: &str) -> Self {
        if let Ok(envelope) = serde_json::from_slice::<Envelope>(body) {
            return Self::of_envelope(envelope);
        }
        if is_page(body, content_type) {
            return Self::default();
        }
        let text = String::from_utf8_lossy(body.get(..4 * LONGEST).unwrap_or(body));
        Self { text: one_line(&text), ..Self::default() }
    }

    fn of_envelope(envelope: Envelope) -> Self {
        let of_a_registry = envelope.errors.is_some();
        let mut denied = false;
        let mut parts = Vec::new();
        for item in envelope.errors.unwrap_or_default().iter().take(3) {
            let code = item.code.as_ref().and_then(|code| code.as_str()).unwrap_or_default();
            denied |= code.eq_ignore_ascii_case("denied") || code.eq_ignore_ascii_case("unauthorized");
            let message = item.message.as_deref().unwrap_or_default();
            parts.push(match (code, message) {
                ("", message) => message.to_owned(),
                (code, "") => code.to_owned(),
                (code, message) => format!("{code}: {message}"),
            });
        }
        let error = envelope.error.and_then(|error| error.as_str().map(str::to_owned));
        parts.extend(
            [error, envelope.error_description, envelope.details, envelope.message].into_iter().flatten(),
        );
        parts.retain(|part| !part.is_empty());
        Self { text: one_line(&parts.join("; ")), of_a_registry, denied }
    }
}

/// Whether an answer is a web page.
pub(crate) fn is_page(body: &[u8], content_type: &str) -> bool {
    let start = body.trim_ascii_start();
    content_type.to_ascii_lowercase().starts_with("text/html") || start.starts_with(b"<")
}

/// What goes into a message: what a registry sends must not draw on a terminal, nor start a new line of a log.
fn one_line(text: &str) -> Option<String> {
    let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let clean = clean.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut short: String = clean.chars().take(LONGEST).collect();
    if short.len() < clean.len() {
        short.push('…');
    }
    (!short.is_empty()).then_some(short)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_words_of_registries_token_services_and_proxies_are_found() {
        for (body, content_type, text, of_a_registry, denied) in [
            (
                r#"{"errors":[{"code":"DENIED","message":"requested access to the resource is denied"}]}"#,
                "application/json",
                Some("DENIED: requested access to the resource is denied"),
                true,
                true,
            ),
            (
                r#"{"errors":[{"code":"NAME_UNKNOWN","message":"repository name not known to registry","detail":{"name":"a"}}]}"#,
                "",
                Some("NAME_UNKNOWN: repository name not known to registry"),
                true,
                false,
            ),
            (r#"{"errors":[{"code":"A"},{"message":"b"}]}"#, "", Some("A; b"), true, false),
            (r#"{"errors":[{"code":404,"message":"x"}]}"#, "", Some("x"), true, false),
            (r#"{"errors":null}"#, "", None, false, false),
            (
                r#"{"error":"invalid_grant","error_description":"expired"}"#,
                "",
                Some("invalid_grant; expired"),
                false,
                false,
            ),
            (
                r#"{"details":"incorrect username or password"}"#,
                "",
                Some("incorrect username or password"),
                false,
                false,
            ),
            ("upstream\r\n\x1b[31mfailed\n", "text/plain", Some("upstream [31mfailed"), false, false),
            ("<html><h1>Sign in</h1></html>", "text/html; charset=utf-8", None, false, false),
            ("  <!DOCTYPE html>", "", None, false, false),
            ("", "", None, false, false),
        ] {
            let words = Words::of(body.as_bytes(), content_type);
            assert_eq!(words, Words { text: text.map(str::to_owned), of_a_registry, denied }, "{body}");
        }
    }

    #[test]
    fn long_words_are_cut() {
        let words = Words::of("é ".repeat(5000).as_bytes(), "text/plain").text.unwrap();
        assert_eq!(words.chars().count(), LONGEST + 1);
        assert!(words.ends_with('…'), "{words}");
    }

    proptest! {
        #[test]
        fn whatever_the_body_words_are_one_line(body in any::<Vec<u8>>(), text in ".*") {
            for body in [&body[..], text.as_bytes(), format!(r#"{{"message":{text:?}}}"#).as_bytes()] {
                let words = Words::of(body, "text/plain");
                prop_assert!(words.text.is_none_or(|text| !text.chars().any(char::is_control)));
            }
        }
    }
}
