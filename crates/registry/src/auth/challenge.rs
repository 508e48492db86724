//! `WWW-Authenticate`: how a registry wants to be asked (RFC 9110, section 11.6.1; distribution's token protocol).

use crate::http::parameter;

/// What a registry accepts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Challenge {
    /// A token of the service at `realm`.
    Bearer {
        /// The token service's URL, as sent.
        realm: String,
        /// The name of the registry there.
        service: Option<String>,
        /// What the token must allow: `repository:owner/name:pull`.
        scope: Option<String>,
    },
    /// Name and password with every request.
    Basic,
}

impl Challenge {
    /// The challenge to answer, of all that an answer's headers hold: a token's where one is offered, because it sends
    /// the password to fewer places.
    pub(crate) fn choose<'a>(headers: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let all: Vec<Parsed> = headers.into_iter().flat_map(parse).collect();
        let bearer = all.iter().filter(|c| c.scheme.eq_ignore_ascii_case("bearer")).find_map(|c| {
            let realm = c.parameter("realm")?.to_owned();
            let service = c.parameter("service").map(str::to_owned);
            Some(Self::Bearer { realm, service, scope: c.parameter("scope").map(str::to_owned) })
        });
        let basic = || all.iter().any(|c| c.scheme.eq_ignore_ascii_case("basic")).then_some(Self::Basic);
        bearer.or_else(basic)
    }
}

/// One challenge: its scheme and parameters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Parsed {
    scheme: String,
    parameters: Vec<(String, String)>,
}

impl Parsed {
    fn parameter(&self, name: &str) -> Option<&str> {
        let found = self.parameters.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }
}

/// Splits a header into challenges. Commas part challenges and parameters alike: a word that is followed by `=` is a
/// parameter of the challenge before it, and any other is a scheme.
fn parse(header: &str) -> Vec<Parsed> {
    let mut challenges: Vec<Parsed> = Vec::new();
    let mut rest = header;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if rest.is_empty() {
            return challenges;
        }
        let end = rest.find([' ', '\t', ',', '=', '"']).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        let after = after.trim_start_matches([' ', '\t']);
        if let Some(value) = after.strip_prefix('=') {
            let (value, after) = parameter::value(value, &[' ', '\t', ',']);
            if let Some(challenge) = challenges.last_mut() {
                challenge.parameters.push((word.to_owned(), value));
            }
            rest = after;
        } else if word.is_empty() {
            // A quote where nothing can be quoted.
            let mut characters = rest.chars();
            characters.next();
            rest = characters.as_str();
        } else {
            challenges.push(Parsed { scheme: word.to_owned(), parameters: Vec::new() });
            rest = after;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bearer(realm: &str, service: Option<&str>, scope: Option<&str>) -> Option<Challenge> {
        Some(Challenge::Bearer {
            realm: realm.into(),
            service: service.map(str::to_owned),
            scope: scope.map(str::to_owned),
        })
    }

    #[test]
    fn the_challenges_of_registries_are_understood() {
        let pull = Some("repository:o/n:pull");
        for (headers, challenge) in [
            (
                &[r#"Bearer realm="https://ghcr.io/token",service="ghcr.io",scope="repository:o/n:pull""#][..],
                bearer("https://ghcr.io/token", Some("ghcr.io"), pull),
            ),
            (
                &[r#"bearer REALM = "https://t/" , Scope=repository:o/n:pull , error="invalid_token""#],
                bearer("https://t/", None, pull),
            ),
            (
                &[r#"Bearer realm="https://t/",scope="repository:o/n:pull,push repository:o/m:pull""#],
                bearer("https://t/", None, Some("repository:o/n:pull,push repository:o/m:pull")),
            ),
            (
                &[r#"Basic realm="a, \"b\", Bearer", Bearer realm="https://t/""#],
                bearer("https://t/", None, None),
            ),
            (&[r#"Basic realm="r""#, r#"Bearer realm="https://t/""#], bearer("https://t/", None, None)),
            (&[r#"Negotiate abc==, Basic realm="r", charset="UTF-8""#], Some(Challenge::Basic)),
            (&["Basic"], Some(Challenge::Basic)),
            (&[r#"Bearer service="no realm", Basic realm="x""#], Some(Challenge::Basic)),
            (&[r#"Bearer realm="""#], None),
            (&["Digest realm=x"], None),
            (&[], None),
        ] {
            assert_eq!(Challenge::choose(headers.iter().copied()), challenge, "{headers:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_a_registry_sends_makes_it_panic(header in ".*", likely in r#"[Ba-z=", \\]*"#) {
            let _ = Challenge::choose([header.as_str(), likely.as_str()]);
        }

        #[test]
        fn what_is_quoted_is_read_back(realm in "[ -~]{1,40}", service in "[ -~]{1,20}", before in "[a-z]{1,8}") {
            let quote = |text: &str| text.replace('\\', r"\\").replace('"', "\\\"");
            let header = format!(
                r#"{before}x realm="{}", Bearer service="{}" , realm="{}""#,
                quote(&service), quote(&service), quote(&realm)
            );
            prop_assert_eq!(Challenge::choose([header.as_str()]), bearer(&realm, Some(&service), None));
        }
    }
}
