//! Looks for secrets in what the program wrote: as they are, and as they look on the way.

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};

/// Secrets that must not be found anywhere.
pub(crate) struct Canaries(Vec<(String, String)>);

impl Canaries {
    /// Of each secret, every form in which it is sent or might be printed.
    pub(crate) fn new<'s>(secrets: impl IntoIterator<Item = &'s str>) -> Self {
        let mut forms = Vec::new();
        for secret in secrets {
            assert!(secret.len() > 7, "{secret:?} may be found by chance");
            let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
            let percent: String = secret
                .bytes()
                .map(|byte| match byte {
                    b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => {
                        char::from(byte).to_string()
                    }
                    _ => format!("%{byte:02X}"),
                })
                .collect();
            let bytes: Vec<String> = secret.bytes().map(|byte| byte.to_string()).collect();
            let mut all = vec![
                secret.to_owned(),
                secret.chars().rev().collect(),
                hex.to_uppercase(),
                hex,
                percent.to_lowercase(),
                percent,
                // As a list of numbers, which is how Debug prints bytes.
                bytes.join(", "),
                // As the half that a longer text is cut to.
                secret.chars().take(secret.len().max(14) - 6).collect(),
            ];
            // Within something longer that is base64, such as user:password: at any of the three places in a group.
            for before in 0..3 {
                let text = format!("{}{secret}", "x".repeat(before));
                let encoded = STANDARD_NO_PAD.encode(text);
                let skip = [0, 2, 3][before];
                let whole = encoded.len() - encoded.len() % 4;
                all.push(encoded.get(skip..whole).unwrap().to_owned());
            }
            forms.extend(all.into_iter().map(|form| (secret.to_owned(), form)));
        }
        forms.retain(|(_, form)| form.len() > 7);
        Self(forms)
    }

    /// Asserts that a text that the program wrote holds none of them.
    #[track_caller]
    pub(crate) fn are_not_in(&self, what: &str, text: &str) {
        for (secret, form) in &self.0 {
            if let Some(at) = text.find(form.as_str()) {
                let around: String =
                    text.chars().skip(text[..at].chars().count().saturating_sub(300)).take(700).collect();
                panic!("{what} holds {secret}, as {form}:\n{around}");
            }
        }
    }
}

#[test]
fn a_canary_is_found_in_every_dress() {
    let canaries = Canaries::new(["c4n+ary/Token="]);
    let caught = |text: &str| std::panic::catch_unwind(|| canaries.are_not_in("it", text)).is_err();
    for text in [
        "token c4n+ary/Token=",
        "https://u:c4n%2Bary%2FToken%3D@host",
        "Basic Ym90OmM0bithcnkvVG9rZW49",
        "Basic eDpjNG4rYXJ5L1Rva2VuPQ==",
        "YzRuK2FyeS9Ub2tlbj0=",
        "63346e2b6172792f546f6b656e3d",
        "[99, 52, 110, 43, 97, 114, 121, 47, 84, 111, 107, 101, 110, 61]",
        "=nekoT/yra+n4c",
    ] {
        assert!(caught(text), "{text}");
    }
    assert!(!caught("nothing of the kind: c4n"));
}
