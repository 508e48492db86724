//! Requests and answers of smart HTTP (gitprotocol-http): who is asked, with what, how often, and what its status means.

pub(super) mod outage;
mod redirect;
mod resolver;

use std::time::Duration;

use image_gitops_core::credential::Credential;
use image_gitops_core::reach::{Reach, Refused};
use reqwest::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Certificate, Method, RequestBuilder, StatusCode};
use secrecy::ExposeSecret as _;
use tokio::time::Instant;
use url::Url;

use super::{USER_AGENT, words};
use crate::error::{Outage, Tried};
use crate::remote::{Access, Limits};
use crate::url::Place;
use crate::{Cost, GitError, Pushed, RemoteUrl};

/// The pause before the second try; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// The longest pause that a server may ask for; for a longer one, the call fails and says so.
const LONGEST_PAUSE: Duration = Duration::from_secs(20);

/// The two programs of Git that a server runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    /// Reading. Asked for in protocol v2.
    UploadPack,
    /// Pushing. There is no v2 of it.
    ReceivePack,
}

impl Service {
    fn name(self) -> &'static str {
        match self {
            Self::UploadPack => "git-upload-pack",
            Self::ReceivePack => "git-receive-pack",
        }
    }
}

/// Where a service is, once redirects are followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Door {
    /// The repository's URL, without a slash at its end.
    url: Url,
    /// Whether it is on the host that the credential is for.
    own: bool,
}

/// One call of the public API: what it attempts, until when, and what it has cost.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) attempt: String,
    pub(super) cost: Cost,
    deadline: Instant,
}

impl Call {
    pub(super) fn fail(&self, error: super::wire::WireError) -> GitError {
        error.of(&self.attempt)
    }
}

/// An answer that has arrived whole.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    fn header(&self, name: &HeaderName) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    fn words(&self) -> String {
        words::of_body(self.header(&CONTENT_TYPE), &self.body)
    }
}

/// How to ask again.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    /// As often as the limits allow: the request changes nothing.
    Yes,
    /// Never: the request may have been obeyed although its answer is lost.
    No,
}

/// A client for one repository.
#[derive(Debug)]
pub(super) struct Transport {
    client: reqwest::Client,
    url: Url,
    credential: Credential,
    limits: Limits,
    reach: Reach,
}

impl Transport {
    pub(super) fn new(url: &RemoteUrl, access: Access, limits: &Limits) -> Result<Self, GitError> {
        let fail = |reason: &str| GitError::Settings { url: url.to_string(), reason: reason.to_owned() };
        let Place::Http(base) = url.place() else { return Err(fail("it is not behind HTTP")) };
        match &access.credential {
            Credential::Basic { username, .. } if username.contains(':') => {
                return Err(fail("a user's name cannot hold a colon"));
            }
            Credential::Refresh(_) => {
                return Err(fail("a refresh token is for registries; Git takes a token or a password"));
            }
            _ => {}
        }
        reachable(&access.reach, base)
            .map_err(|refused| GitError::refused(&format!("use {url}"), refused))?;
        // reqwest panics where no provider is installed. An error here says that one is already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(10))
            .read_timeout(Duration::from_secs(60))
            // The next pass comes later than any server would wait for it.
            .pool_idle_timeout(Duration::from_secs(10));
        if base.scheme() == "http" {
            // Plain HTTP is for this machine only: a proxy would see the credential.
            builder = builder.no_proxy();
        }
        if let Some(pem) = &access.ca {
            let certificates = Certificate::from_pem_bundle(pem.as_bytes()).unwrap_or_default();
            if certificates.is_empty() {
                return Err(fail("the authority's certificate is not PEM (-----BEGIN CERTIFICATE-----)"));
            }
            builder = builder.tls_certs_merge(certificates);
        }
        if access.reach.is_bounded() {
            builder = builder.dns_resolver(resolver::Resolver(access.reach.clone()));
        }
        let client =
            builder.build().map_err(|_| fail("the HTTP client cannot be set up with these certificates"))?;
        Ok(Self {
            client,
            url: base.clone(),
            credential: access.credential,
            limits: limits.clone(),
            reach: access.reach,
        })
    }

    /// A result without the credential, where the server repeats it in what it says.
    pub(super) fn discreet<T>(&self, result: Result<T, GitError>) -> Result<T, GitError> {
        result.map_err(|mut error| {
            error.said_mut().into_iter().for_each(|said| self.credential.star_out_text(said));
            error
        })
    }

    /// The same of a push, which a server may comment on when it takes it too.
    pub(super) fn discreet_push(&self, result: Result<Pushed, GitError>) -> Result<Pushed, GitError> {
        let mut pushed = self.discreet(result)?;
        pushed.messages.iter_mut().for_each(|said| self.credential.star_out_text(said));
        Ok(pushed)
    }

    /// Begins a call.
    pub(super) fn call(&self, attempt: String) -> Call {
        Call { attempt, cost: Cost::default(), deadline: Instant::now() + self.limits.time }
    }

    /// What a service says first, and where it is.
    pub(super) async fn advertisement(
        &self,
        call: &mut Call,
        service: Service,
    ) -> Result<(Door, Vec<u8>), GitError> {
        let mut door = Door { url: self.url.clone(), own: true };
        for _ in 0..=redirect::MOST {
            let url = redirect::first_request(&door.url, service.name());
            let request = || {
                let request = self.client.request(Method::GET, url.clone()).header(CACHE_CONTROL, "no-cache");
                self.dressed(request, &door, service)
            };
            let answer = self.send(call, request, Again::Yes).await?;
            if answer.status.is_redirection() {
                let target = answer.header(&reqwest::header::LOCATION);
                let next = redirect::follow(&url, target, service.name())
                    .map_err(|reason| GitError::NotGit { attempt: call.attempt.clone(), reason })?;
                door = Door { own: door.own && next.origin() == self.url.origin(), url: next };
                continue;
            }
            let kind = format!("application/x-{}-advertisement", service.name());
            return Ok((door.clone(), self.checked(call, answer, &door, &kind)?));
        }
        let reason = format!("it redirects more than {} times", redirect::MOST);
        Err(GitError::NotGit { attempt: call.attempt.clone(), reason })
    }

    /// The answer to a request of a service.
    pub(super) async fn rpc(
        &self,
        call: &mut Call,
        door: &Door,
        service: Service,
        body: Vec<u8>,
        again: Again,
    ) -> Result<Vec<u8>, GitError> {
        let mut url = door.url.clone();
        url.set_path(&format!("{}/{}", door.url.path(), service.name()));
        let answered = format!("application/x-{}-result", service.name());
        let request = || {
            self.dressed(self.client.request(Method::POST, url.clone()), door, service)
                .header(CONTENT_TYPE, format!("application/x-{}-request", service.name()))
                .header(ACCEPT, &answered)
                .body(body.clone())
        };
        let answer = self.send(call, request, again).await?;
        self.checked(call, answer, door, &answered)
    }

    fn dressed(&self, request: RequestBuilder, door: &Door, service: Service) -> RequestBuilder {
        let request = match service {
            Service::UploadPack => request.header("Git-Protocol", HeaderValue::from_static("version=2")),
            Service::ReceivePack => request,
        };
        match &self.credential {
            Credential::Basic { username, password } if door.own => {
                request.basic_auth(username, Some(password.expose_secret()))
            }
            Credential::Bearer(token) if door.own => request.bearer_auth(token.expose_secret()),
            _ => request,
        }
    }

    fn tried(&self, door: &Door) -> Tried {
        match self.credential.is_anonymous() {
            true => Tried::Anonymous,
            false if door.own => Tried::Credential,
            false => Tried::Withheld,
        }
    }

    /// The body of an answer of the right kind.
    fn checked(&self, call: &Call, answer: Answer, door: &Door, kind: &str) -> Result<Vec<u8>, GitError> {
        let attempt = call.attempt.clone();
        let status = answer.status.as_u16();
        match status {
            200 => {}
            401 | 403 => {
                return Err(GitError::Denied {
                    attempt,
                    tried: self.tried(door),
                    status,
                    words: answer.words(),
                });
            }
            404 | 410 => {
                return Err(GitError::RepositoryNotFound {
                    attempt,
                    tried: self.tried(door),
                    words: answer.words(),
                });
            }
            413 => {
                let reason = "it takes no request of this size (413)".into();
                return Err(GitError::Protocol { attempt, reason });
            }
            _ => {
                return Err(GitError::NotGit { attempt, reason: format!("it answers with status {status}") });
            }
        }
        match answer.header(&CONTENT_TYPE).map(|found| found.split(';').next().unwrap_or_default().trim()) {
            Some(found) if found.eq_ignore_ascii_case(kind) => Ok(answer.body),
            found => {
                let found = words::line(found.unwrap_or("nothing").as_bytes());
                Err(GitError::NotGit { attempt, reason: format!("it sends {found} where {kind} is due") })
            }
        }
    }

    /// Sends a request, again if that may help: the answer of any status but those that may pass.
    async fn send(
        &self,
        call: &mut Call,
        request: impl Fn() -> RequestBuilder,
        again: Again,
    ) -> Result<Answer, GitError> {
        let mut tries = 1;
        loop {
            let result = tokio::time::timeout_at(call.deadline, self.once(call, request())).await;
            let timed_out = |attempt: &str| GitError::Unreachable {
                attempt: attempt.to_owned(),
                outage: Outage::Timeout,
                source: None,
            };
            let error = match result {
                Err(_) => return Err(timed_out(&call.attempt)),
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(error)) => error,
            };
            let asked = match &error {
                GitError::Unavailable { retry_after, .. } => *retry_after,
                _ => None,
            };
            let pause = asked
                .unwrap_or_else(|| FIRST_PAUSE * 2_u32.saturating_pow(tries - 1))
                .mul_f64(1.0 + fastrand::f64() / 4.0);
            let helps = error.is_transient() && again == Again::Yes && tries < self.limits.attempts;
            if !helps || pause > LONGEST_PAUSE || Instant::now() + pause >= call.deadline {
                return Err(error);
            }
            tracing::debug!(error = &error as &dyn std::error::Error, ?pause, "trying again");
            tokio::time::sleep(pause).await;
            tries += 1;
        }
    }

    async fn once(&self, call: &mut Call, request: RequestBuilder) -> Result<Answer, GitError> {
        call.cost.requests += 1;
        let attempt = &call.attempt;
        let lost = |error: reqwest::Error| match Refused::behind(&error) {
            Some(refused) => GitError::refused(attempt, refused.clone()),
            None => GitError::Unreachable {
                attempt: attempt.clone(),
                outage: outage::of(&error),
                source: Some(Box::new(error.without_url())),
            },
        };
        let (client, request) = request.build_split();
        let request = request.map_err(lost)?;
        // Here, where every request goes out: the first one, one that was redirected, and those that follow it.
        reachable(&self.reach, request.url()).map_err(|refused| GitError::refused(attempt, refused))?;
        let mut response = client.execute(request).await.map_err(lost)?;
        let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(lost)? {
            if body.len() + chunk.len() > self.limits.answer_bytes {
                let limit = format!("{} MiB in one answer", self.limits.answer_bytes >> 20);
                return Err(GitError::TooLarge { attempt: call.attempt.clone(), limit });
            }
            body.extend_from_slice(&chunk);
        }
        call.cost.bytes += body.len() as u64;
        tracing::debug!(
            path = response.url().path(),
            status = status.as_u16(),
            bytes = body.len(),
            "answered"
        );
        if !status.is_success() {
            self.credential.star_out(&mut body);
        }
        let answer = Answer { status, headers, body };
        if status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() {
            return Err(GitError::Unavailable {
                attempt: call.attempt.clone(),
                status: status.as_u16(),
                retry_after: answer.header(&RETRY_AFTER).and_then(outage::retry_after),
                words: answer.words(),
            });
        }
        Ok(answer)
    }
}

/// Whether a URL may be asked, as far as its host and port tell.
fn reachable(reach: &Reach, url: &Url) -> Result<(), Refused> {
    reach.host(url.host_str().unwrap_or_default(), url.port_or_known_default())
}
