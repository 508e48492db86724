//! What proves to a server who we are.

use secrecy::SecretString;

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
}

#[cfg(test)]
mod tests {
    use super::*;

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
