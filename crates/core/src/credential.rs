//! What proves to a server who we are.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use secrecy::{
    ExposeSecret as _, SecretString,
    zeroize::{Zeroize as _, Zeroizing},
};
use serde_json::Value;

/// A credential, as a Secret or the environment gave it. `Debug` never shows its secret part.
#[derive(Clone, Debug, Default)]
pub enum Credential {
    /// No credential: what everybody may read.
    #[default]
    Anonymous,
    /// A name and a password, or a token in the password's place. Sent by HTTP Basic (RFC 7617), to the
    /// server itself or to the token service that it names.
    Basic {
        /// The account. Hosts that look at the token only (GitHub, GHCR) take any name.
        username: String,
        /// The password or personal access token.
        password: SecretString,
    },
    /// A bearer token that the registry takes as it is (`registrytoken` in docker's config).
    Bearer(SecretString),
    /// An OAuth2 refresh token (`identitytoken` in docker's config), exchanged at the registry's token service.
    Refresh(SecretString),
}

impl Credential {
    /// The name sent with a bare token. GitHub's own documentation uses it; others ignore it.
    pub const TOKEN_USER: &'static str = "x-access-token";

    /// A bare token, such as a personal access token: sent as the password of [`Self::TOKEN_USER`].
    pub fn token(token: impl Into<String>) -> Self {
        Self::Basic { username: Self::TOKEN_USER.into(), password: SecretString::from(token.into()) }
    }

    /// A name and a password.
    pub fn basic(username: impl Into<String>, password: impl Into<String>) -> Self {
        Self::Basic { username: username.into(), password: SecretString::from(password.into()) }
    }

    /// Whether nothing would be sent.
    pub fn is_anonymous(&self) -> bool {
        matches!(self, Self::Anonymous)
    }

    /// What HTTP Basic sends for it (RFC 7617): base64 of the name, a colon and the password. `None` for other kinds.
    pub fn basic_value(&self) -> Option<Zeroizing<String>> {
        let Self::Basic { username, password } = self else { return None };
        let password = password.expose_secret();
        // At its full length from the beginning: a text that grows leaves copies behind.
        let mut pair = Zeroizing::new(String::with_capacity(username.len() + 1 + password.len()));
        pair.push_str(username);
        pair.push(':');
        pair.push_str(password);
        Some(Zeroizing::new(STANDARD.encode(pair.as_bytes())))
    }

    /// As [`Self::star_out`], in a text.
    pub fn star_out_text(&self, said: &mut String) {
        let mut bytes = std::mem::take(said).into_bytes();
        self.star_out(&mut bytes);
        // Stars in place of whole texts leave a text.
        *said = String::from_utf8(bytes).unwrap_or_default();
    }

    /// Writes stars over the credential wherever a server repeats it in what it says, as it is or as it was sent. What a
    /// server says ends up in errors, and these in logs and in a status that others read.
    pub fn star_out(&self, said: &mut [u8]) {
        match self {
            Self::Anonymous => {}
            Self::Basic { password, .. } => star_out(password.expose_secret(), said),
            Self::Bearer(token) | Self::Refresh(token) => star_out(token.expose_secret(), said),
        }
        if let Some(value) = self.basic_value() {
            star_out(value.trim_end_matches('='), said);
        }
    }
}

/// Wipes every text in a value that was read from somewhere secret.
pub(crate) fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(values) => values.iter_mut().for_each(wipe),
        Value::Object(fields) => fields.values_mut().for_each(wipe),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The shortest secret that is looked for: a shorter one would be found in words that are none.
const SHORTEST: usize = 6;

/// Writes stars over a secret wherever it stands.
pub fn star_out(secret: &str, said: &mut [u8]) {
    let secret = secret.as_bytes();
    if secret.len() < SHORTEST {
        return;
    }
    let mut at = 0;
    while let Some(found) = said.get(at..at + secret.len()) {
        if found == secret {
            said[at..at + secret.len()].fill(b'*');
            at += secret.len();
        } else {
            at += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_repeats_is_starred_out() {
        let said = |credential: &Credential, text: &str| {
            let mut bytes = text.as_bytes().to_vec();
            credential.star_out(&mut bytes);
            String::from_utf8(bytes).unwrap()
        };
        let bot = Credential::basic("bot", "s3cret");
        assert_eq!(
            said(&bot, "no s3cret s3cret, Basic Ym90OnMzY3JldA=="),
            "no ****** ******, Basic **************=="
        );
        assert_eq!(said(&Credential::Refresh("s3cret".into()), "s3cre s3crets3cret"), "s3cre ************");
        assert_eq!(
            said(&Credential::basic("bot", "a"), "a word"),
            "a word",
            "too short to be told from words"
        );
        assert_eq!(said(&Credential::Anonymous, "s3cret"), "s3cret");
    }

    #[test]
    fn debug_output_never_shows_a_secret() {
        for credential in [
            Credential::token("s3cret"),
            Credential::Bearer("s3cret".into()),
            Credential::Refresh("s3cret".into()),
        ] {
            assert!(!format!("{credential:?}").contains("s3cret"));
        }
    }
}
