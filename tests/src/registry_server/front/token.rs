//! The token service, with GHCR's manners.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, Method, Uri, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::{Answer, Front, Shared, locked};

/// A token that was given out.
pub(super) struct Token {
    text: String,
    /// The repository it may read; `None`: any.
    repository: Option<String>,
    until: Instant,
    uses: usize,
}

impl Shared {
    /// Lets a request for `path` through, or says how to ask.
    pub(super) fn admit(&self, path: &str, headers: &HeaderMap) -> Result<(), Answer> {
        let repository = repository_of(path).unwrap_or_default();
        let given =
            headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let given = given.strip_prefix("Bearer ").unwrap_or_default();
        let limit = self.options.uses.unwrap_or(usize::MAX);
        for token in locked(&self.tokens).iter_mut() {
            let allowed = token.repository.as_deref().is_none_or(|name| name == repository);
            if token.text == given && allowed && token.until > Instant::now() && token.uses < limit {
                token.uses += 1;
                return Ok(());
            }
        }
        let challenge = format!(
            r#"Bearer realm="{}/token",service="ghcr.io",scope="repository:{repository}:pull""#,
            self.base
        );
        let body = r#"{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}"#;
        Err(Answer::json(401, body).header("www-authenticate", &challenge))
    }

    /// Answers `/token`: by GET with or without Basic credentials, by POST with an OAuth2 refresh token.
    pub(super) fn token(&self, method: &Method, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Answer {
        let post = method == Method::POST;
        let form = if post { body } else { uri.query().unwrap_or_default().as_bytes() };
        let field = |name: &str| {
            url::form_urlencoded::parse(form)
                .find(|(key, _)| key == name)
                .map(|(_, value)| value.into_owned())
        };
        let scope = field("scope").unwrap_or_default();
        let name = scope.split(':').nth(1).unwrap_or_default();
        let reader = if post {
            if field("grant_type").as_deref() != Some("refresh_token")
                || field("refresh_token").as_deref() != Some(Front::REFRESH)
                || field("client_id").is_none()
            {
                return Answer::json(
                    401,
                    r#"{"error":"invalid_grant","error_description":"the token is not known"}"#,
                );
            }
            true
        } else {
            match password(headers) {
                Some(password) if password == Front::TOKEN => true,
                Some(_) => return denied("denied"),
                None => false,
            }
        };
        if !reader && name.contains("private") {
            return denied("requested access to the resource is denied");
        }
        let mut tokens = locked(&self.tokens);
        static GIVEN: AtomicUsize = AtomicUsize::new(1);
        let text = format!("opaque-{}", GIVEN.fetch_add(1, Ordering::Relaxed));
        tokens.push(Token {
            text: text.clone(),
            repository: (!reader).then(|| name.to_owned()),
            until: Instant::now() + Duration::from_secs(self.options.expires_in.unwrap_or(60)),
            uses: 0,
        });
        let mut answer = json!({self.options.field: text});
        if let Some(seconds) = self.options.expires_in {
            answer["expires_in"] = json!(seconds);
        }
        Answer::json(200, &answer.to_string())
    }
}

fn denied(message: &str) -> Answer {
    Answer::json(403, &json!({"errors": [{"code": "DENIED", "message": message}]}).to_string())
}

fn password(headers: &HeaderMap) -> Option<String> {
    let given = headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Basic ")?;
    let given = String::from_utf8(STANDARD.decode(given).ok()?).ok()?;
    given.split_once(':').map(|(_, password)| password.to_owned())
}

/// `owner/name` of `/v2/owner/name/tags/list`.
fn repository_of(path: &str) -> Option<&str> {
    let path = path.strip_prefix("/v2/")?;
    ["/tags/", "/manifests/", "/blobs/"].iter().find_map(|part| path.split_once(part)).map(|(name, _)| name)
}
