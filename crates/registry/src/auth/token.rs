//! The token service: a scope and perhaps a credential in, a token out.
//!
//! By GET with Basic credentials, or anonymously ([token]); by POST where the credential is a refresh token ([OAuth2]).
//!
//! [token]: https://distribution.github.io/distribution/spec/auth/token/
//! [OAuth2]: https://distribution.github.io/distribution/spec/auth/oauth/

use std::time::Duration;

use image_gitops_core::credential::Credential;
use reqwest::header::HeaderValue;
use reqwest::{Method, StatusCode};
use secrecy::ExposeSecret as _;
use secrecy::zeroize::{Zeroize as _, Zeroizing};
use serde::Deserialize;
use tokio::time::Instant;
use url::Url;
use url::form_urlencoded::Serializer;

use super::Session;
use crate::error::RegistryError;
use crate::http::{Call, Request};

/// The most bytes of a token service's answer. (Tokens of Azure run to 4 kB.)
const ANSWER_BYTES: usize = 256 << 10;
/// How long a token lasts of which that is not said (token protocol, "expires_in").
const UNTOLD_LIFE: Duration = Duration::from_secs(60);
/// The longest that a token is kept, whatever is said.
const LONGEST_LIFE: Duration = Duration::from_secs(24 * 3600);

/// A header that a registry lets in, for a while.
#[derive(Debug)]
pub(super) struct Grant {
    pub(super) header: HeaderValue,
    until: Option<Instant>,
}

impl Grant {
    /// One that does not expire: a name and a password.
    pub(super) fn forever(header: HeaderValue) -> Self {
        Self { header, until: None }
    }

    pub(super) fn is_fresh(&self) -> bool {
        self.until.is_none_or(|until| Instant::now() < until)
    }
}

#[derive(Deserialize)]
struct Given {
    #[serde(default)]
    token: Option<String>,
    #[serde(default)]
    access_token: Option<String>,
    #[serde(default)]
    expires_in: Option<f64>,
}

impl Session {
    /// Gets a token for `scope` from the service at `realm`.
    pub(super) async fn fetch(
        &self,
        call: &mut Call,
        realm: &str,
        service: Option<&str>,
        scope: &str,
    ) -> Result<Grant, RegistryError> {
        let url = self.realm(call, realm)?;
        let request = self.token_request(call, url.clone(), service, scope)?;
        let asked = Instant::now();
        let mut answer = self.http.send(call, &request).await?;
        let given = match answer.status {
            StatusCode::OK => serde_json::from_slice::<Given>(&answer.body).ok(),
            // 400 is how OAuth2 refuses a credential (RFC 6749, section 5.2).
            StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                return Err(self.denied(call, &answer));
            }
            status => {
                let words = answer.words().text.map(|words| format!(" ({words})")).unwrap_or_default();
                let reason = format!("answers {} when asked for a token{words}", status.as_u16());
                return Err(self.http.protocol(call, &url, reason));
            }
        };
        answer.body.zeroize();
        let life = given.as_ref().and_then(|given| given.expires_in);
        let token = given
            .and_then(|given| given.token.or(given.access_token))
            .map(Zeroizing::new)
            .filter(|token| !token.is_empty());
        let token = token.ok_or_else(|| self.http.protocol(call, &url, "gives no token in its answer"))?;
        Ok(Grant { header: self.header(call, "Bearer", &token)?, until: Some(asked + usable(life)) })
    }

    /// The token service's address: HTTPS, wherever it is, unless plain HTTP was asked for.
    fn realm(&self, call: &Call, realm: &str) -> Result<Url, RegistryError> {
        let allowed = |url: &Url| {
            let scheme = url.scheme() == "https" || (url.scheme() == "http" && self.http.insecure);
            scheme && url.has_host() && url.username().is_empty() && url.password().is_none()
        };
        Url::parse(realm).ok().filter(allowed).ok_or_else(|| {
            // Without what may be secret in it.
            let shown =
                realm.rsplit('@').next().unwrap_or_default().split(['?', '#']).next().unwrap_or_default();
            let shown: String = shown.chars().filter(|c| !c.is_control()).take(100).collect();
            self.http.protocol(
                call,
                &self.base,
                format!("names a token service that is not HTTPS: {shown:?}"),
            )
        })
    }

    fn token_request(
        &self,
        call: &Call,
        mut url: Url,
        service: Option<&str>,
        scope: &str,
    ) -> Result<Request, RegistryError> {
        let mut request = Request {
            method: Method::GET,
            url: url.clone(),
            accept: "application/json",
            authorization: None,
            form: None,
            answer_bytes: ANSWER_BYTES.min(self.http.limits.answer_bytes),
        };
        if let Credential::Refresh(token) = &self.credential {
            let mut form = Serializer::new(String::new());
            form.append_pair("grant_type", "refresh_token").append_pair("client_id", "image-gitops");
            form.extend_pairs(service.map(|service| ("service", service))).append_pair("scope", scope);
            form.append_pair("refresh_token", token.expose_secret());
            request.method = Method::POST;
            request.form = Some(Zeroizing::new(form.finish()));
            return Ok(request);
        }
        url.query_pairs_mut()
            .extend_pairs(service.map(|service| ("service", service)))
            .append_pair("scope", scope);
        request.url = url;
        if let Credential::Basic { .. } = &self.credential {
            request.authorization = Some(self.basic(call)?);
        }
        Ok(request)
    }
}

/// How long to use a token that lives for so many seconds: less a tenth, so that it does not expire on the way.
fn usable(seconds: Option<f64>) -> Duration {
    let life = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()).unwrap_or(UNTOLD_LIFE);
    life.min(LONGEST_LIFE).mul_f64(0.9)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_token_is_dropped_before_it_expires() {
        assert_eq!(usable(Some(300.0)), Duration::from_secs(270));
        assert_eq!(usable(None), Duration::from_secs(54));
        assert_eq!(usable(Some(0.0)), Duration::ZERO);
    }

    proptest! {
        #[test]
        fn any_life_of_a_token_is_taken(seconds in any::<f64>(), body in any::<Vec<u8>>()) {
            prop_assert!(usable(Some(seconds)) <= LONGEST_LIFE);
            let _ = serde_json::from_slice::<Given>(&body);
        }
    }
}
