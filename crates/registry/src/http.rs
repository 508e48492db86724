//! One request and its answer: within bounds, and tried again while it fails in a way that may pass.

pub(crate) mod parameter;
mod redirect;
mod resolver;
pub(crate) mod wait;
pub(crate) mod words;

use std::time::{Duration, SystemTime};

use image_gitops_core::credential::{Credential, star_out};
use image_gitops_core::reach::{Reach, Refused};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Certificate, Method, StatusCode};
use secrecy::zeroize::Zeroizing;
use tokio::time::Instant;
use url::{Origin, Url};

use crate::error::{RegistryError, outage};
use crate::{Access, Limits};
use words::Words;

/// The longest wait that a registry did not ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// A client for one registry, with the certificates it trusts and the bounds it keeps.
#[derive(Debug)]
pub(crate) struct Http {
    client: reqwest::Client,
    /// The registry, as the user names it; for messages.
    pub(crate) host: String,
    pub(crate) insecure: bool,
    pub(crate) limits: Limits,
    reach: Reach,
    credential: Credential,
}

/// What one call of the public API attempts, and what it has used.
pub(crate) struct Call {
    /// `list the tags of ghcr.io/owner/name`.
    pub(crate) attempt: String,
    /// Requests sent.
    pub(crate) requests: usize,
    deadline: Instant,
    bytes_left: usize,
}

impl Call {
    pub(crate) fn new(attempt: String, limits: &Limits) -> Self {
        let now = Instant::now();
        let deadline =
            now.checked_add(limits.total_time).unwrap_or_else(|| now + Duration::from_secs(24 * 3600));
        Self { attempt, requests: 0, deadline, bytes_left: limits.total_bytes }
    }

    pub(crate) fn deadline(&self) -> Instant {
        self.deadline
    }
}

/// What to send. Only GET and HEAD follow redirects.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) accept: &'static str,
    pub(crate) authorization: Option<HeaderValue>,
    /// `application/x-www-form-urlencoded`.
    pub(crate) form: Option<Zeroizing<String>>,
    /// The most bytes of its answer.
    pub(crate) answer_bytes: usize,
}

/// A whole answer.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    /// Who gave it: after a redirect, perhaps somebody else than was asked.
    pub(crate) origin: Origin,
}

impl Answer {
    /// A header's value, where it is text.
    pub(crate) fn header(&self, name: &HeaderName) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// All values of a header that are text.
    pub(crate) fn headers(&self, name: &HeaderName) -> impl Iterator<Item = &str> {
        self.headers.get_all(name).iter().filter_map(|value| value.to_str().ok())
    }

    pub(crate) fn content_type(&self) -> &str {
        self.header(&CONTENT_TYPE).unwrap_or_default()
    }

    pub(crate) fn words(&self) -> Words {
        Words::of(&self.body, self.content_type())
    }

    fn retry_after(&self) -> Option<Duration> {
        wait::asked(self.header(&RETRY_AFTER), &self.body, SystemTime::now())
    }
}

impl Http {
    /// A client that trusts the system's certificates (or those of `SSL_CERT_FILE`) and the ones given.
    pub(crate) fn new(host: &str, access: &Access, limits: Limits) -> Result<Self, RegistryError> {
        let fail = |reason: String| RegistryError::Settings { host: host.to_owned(), reason };
        // reqwest panics where no provider is installed. An error here says that one is already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("image-gitops/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .https_only(!access.insecure)
            .connect_timeout(Duration::from_secs(10))
            .read_timeout(Duration::from_secs(30));
        if let Some(pem) = &access.ca {
            let certificates = Certificate::from_pem_bundle(pem.as_bytes())
                .ok()
                .filter(|certificates| !certificates.is_empty())
                .ok_or_else(|| {
                    fail("the authority's certificate is not PEM (-----BEGIN CERTIFICATE-----)".into())
                })?;
            builder = builder.tls_certs_merge(certificates);
        }
        if access.reach.is_bounded() {
            builder = builder.dns_resolver(resolver::Resolver(access.reach.clone()));
        }
        let client = builder.build().map_err(|error| {
            let cause = std::iter::successors(Some(&error as &dyn std::error::Error), |e| e.source()).last();
            fail(format!(
                "the client cannot be set up: {}",
                cause.map(ToString::to_string).unwrap_or_default()
            ))
        })?;
        Ok(Self {
            client,
            host: host.to_owned(),
            insecure: access.insecure,
            limits,
            reach: access.reach.clone(),
            credential: access.credential.clone(),
        })
    }

    /// Sends a request and returns its answer: of any status but those that may pass (429 and 5xx), for which it was
    /// sent again as often as the limits allow.
    pub(crate) async fn send(&self, call: &mut Call, request: &Request) -> Result<Answer, RegistryError> {
        let mut pause = self.limits.pause;
        for _ in 1..self.limits.attempts {
            let failure = match self.once(call, request).await {
                Ok(answer) => return Ok(answer),
                Err(failure) if !failure.is_transient() => return Err(failure),
                Err(failure) => failure,
            };
            let wait = match failure {
                RegistryError::Throttled { retry_after: Some(asked), .. } => spread_after(asked),
                RegistryError::Throttled { .. } => spread(pause.saturating_mul(5)),
                _ => spread(pause),
            };
            if wait >= call.deadline.saturating_duration_since(Instant::now()) {
                return Err(failure);
            }
            tracing::debug!(registry = self.host, wait_ms = wait.as_millis(), "{failure}; trying again");
            tokio::time::sleep(wait).await;
            pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
        }
        self.once(call, request).await
    }

    /// Sends a request once, and on to where it is redirected.
    async fn once(&self, call: &mut Call, request: &Request) -> Result<Answer, RegistryError> {
        let mut request = request.clone();
        for _ in 0..=redirect::MOST {
            let answer = self.exchange(call, &request).await?;
            let host = self.name(&request.url);
            match answer.status {
                StatusCode::TOO_MANY_REQUESTS => {
                    let retry_after = answer.retry_after();
                    return Err(RegistryError::Throttled {
                        attempt: call.attempt.clone(),
                        host,
                        retry_after,
                    });
                }
                StatusCode::SERVICE_UNAVAILABLE if answer.retry_after().is_some() => {
                    let retry_after = answer.retry_after();
                    return Err(RegistryError::Throttled {
                        attempt: call.attempt.clone(),
                        host,
                        retry_after,
                    });
                }
                status if status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED => {
                    let (status, words) = (status.as_u16(), answer.words().text);
                    return Err(RegistryError::Unavailable {
                        attempt: call.attempt.clone(),
                        host,
                        status,
                        words,
                    });
                }
                status if status.is_redirection() => {
                    redirect::follow(&mut request, &answer, self.insecure)
                        .map_err(|reason| self.protocol(call, &request.url, reason))?
                }
                _ => return Ok(answer),
            }
        }
        Err(self.protocol(call, &request.url, format!("redirects more than {} times", redirect::MOST)))
    }

    /// Sends one request and reads its answer, as far as the limits allow.
    async fn exchange(&self, call: &mut Call, request: &Request) -> Result<Answer, RegistryError> {
        self.reachable(&request.url).map_err(|refused| RegistryError::refused(&call.attempt, refused))?;
        call.requests += 1;
        tracing::debug!(method = %request.method, host = request.url.host_str(), path = request.url.path(), "request");
        let mut builder = self.client.request(request.method.clone(), request.url.clone());
        builder = builder.header(ACCEPT, request.accept);
        if let Some(authorization) = &request.authorization {
            builder = builder.header(AUTHORIZATION, authorization.clone());
        }
        if let Some(form) = &request.form {
            builder = builder
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(form.as_str().to_owned());
        }
        let lost = |attempt: &str, error: reqwest::Error| match Refused::behind(&error) {
            Some(refused) => RegistryError::refused(attempt, refused.clone()),
            None => RegistryError::Unreachable {
                attempt: attempt.to_owned(),
                host: self.name(&request.url),
                outage: outage(&error),
                source: Some(error.without_url()),
            },
        };
        let mut response = builder.send().await.map_err(|error| lost(&call.attempt, error))?;
        let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| lost(&call.attempt, error))? {
            if body.len() + chunk.len() > request.answer_bytes {
                return Err(self.too_large(call, format!("{} bytes in one answer", request.answer_bytes)));
            }
            let Some(left) = call.bytes_left.checked_sub(chunk.len()) else {
                return Err(self.too_large(call, format!("{} bytes in all", self.limits.total_bytes)));
            };
            call.bytes_left = left;
            body.extend_from_slice(&chunk);
        }
        if !status.is_success() {
            self.credential.star_out(&mut body);
            let sent =
                request.authorization.as_ref().and_then(|header| header.to_str().ok()?.split_once(' '));
            star_out(sent.map_or("", |(_, token)| token), &mut body);
        }
        Ok(Answer { status, headers, body, origin: request.url.origin() })
    }

    /// Whether a URL may be asked, as far as its host and port tell.
    pub(crate) fn reachable(&self, url: &Url) -> Result<(), Refused> {
        self.reach.host(url.host_str().unwrap_or_default(), url.port_or_known_default())
    }

    /// How messages name the host of a URL: the registry by the user's name for it.
    fn name(&self, url: &Url) -> String {
        let host = host_of(url);
        if host == crate::auth::api_host(&self.host) { self.host.clone() } else { host }
    }

    pub(crate) fn too_large(&self, call: &Call, limit: String) -> RegistryError {
        RegistryError::TooLarge { attempt: call.attempt.clone(), limit }
    }

    pub(crate) fn protocol(&self, call: &Call, url: &Url, reason: impl Into<String>) -> RegistryError {
        RegistryError::Protocol { attempt: call.attempt.clone(), host: self.name(url), reason: reason.into() }
    }
}

/// `ghcr.io`, `127.0.0.1:5000`.
fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// Around a pause: half to one and a half of it, so that many who failed together do not return together.
fn spread(pause: Duration) -> Duration {
    pause.min(LONGEST_PAUSE).mul_f64(0.5 + fastrand::f64())
}

/// After the time that was asked for, never before it.
fn spread_after(asked: Duration) -> Duration {
    let extra = (asked / 10).clamp(Duration::from_millis(50), Duration::from_secs(5));
    asked.saturating_add(extra.mul_f64(fastrand::f64()))
}
