//! Who we are, told to the registry as it wants to hear it (distribution's token protocol, HTTP Basic).
//!
//! The registry's answer 401 says how. A token is kept until shortly before it expires, per repository, and fetched by
//! one of those who need it while the others wait. A token that is refused before its time is dropped, and the very
//! same request sent again with a new one, once. What is refused with a credential is never tried without.

pub(crate) mod challenge;
mod token;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};

use image_gitops_core::credential::Credential;
use image_gitops_core::image::Repository;
use reqwest::StatusCode;
use reqwest::header::{HeaderValue, WWW_AUTHENTICATE};
use secrecy::ExposeSecret as _;
use secrecy::zeroize::Zeroizing;
use tokio::sync::Mutex;
use tokio::time::timeout_at;
use url::Url;

use crate::error::{RegistryError, Tried};
use crate::http::{Answer, Call, Http, Request};
use crate::{Access, Limits};
use challenge::Challenge;
use token::Grant;

/// A registry, what is known of how it wants to be asked, and the tokens it gave.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) http: Http,
    /// `https://HOST/v2/`.
    pub(crate) base: Url,
    pub(crate) credential: Credential,
    repositories: std::sync::Mutex<HashMap<String, Arc<Mutex<Known>>>>,
}

/// What is known of one repository. Whoever fetches a token holds its lock.
#[derive(Debug, Default)]
struct Known {
    challenge: Option<Challenge>,
    grant: Option<Grant>,
}

/// The host that answers for a registry: Docker Hub's is not the one in its images' names.
pub(crate) fn api_host(registry: &str) -> &str {
    if registry == "docker.io" { "registry-1.docker.io" } else { registry }
}

impl Session {
    pub(crate) fn new(host: &str, access: Access, limits: Limits) -> Result<Self, RegistryError> {
        let http = Http::new(host, &access, limits)?;
        let scheme = if access.insecure { "http" } else { "https" };
        let base = Url::parse(&format!("{scheme}://{}/v2/", api_host(host))).ok();
        // Anything but a host and a port would show up in another part of the URL.
        let plain = |url: &Url| url.path() == "/v2/" && url.username().is_empty() && url.password().is_none();
        let base = base.filter(plain).ok_or_else(|| RegistryError::Settings {
            host: host.to_owned(),
            reason: "it is not a host with or without a port".into(),
        })?;
        http.reachable(&base).map_err(|refused| RegistryError::refused(&format!("ask {host}"), refused))?;
        Ok(Self { http, base, credential: access.credential, repositories: std::sync::Mutex::default() })
    }

    /// Does the work of one call of the public API, within the time that the limits give it.
    pub(crate) async fn within<T>(
        &self,
        attempt: String,
        work: impl AsyncFnOnce(&mut Call) -> Result<T, RegistryError>,
    ) -> Result<T, RegistryError> {
        let mut call = Call::new(attempt, &self.http.limits);
        let deadline = call.deadline();
        let done = timeout_at(deadline, work(&mut call)).await;
        done.unwrap_or_else(|_| Err(self.late(&call)))
    }

    /// The URL of something of a repository: `tags/list`, `manifests/TAG`.
    pub(crate) fn url(&self, repository: &Repository, rest: &str) -> Result<Url, RegistryError> {
        let fail = |reason: String| RegistryError::Settings { host: self.http.host.clone(), reason };
        if repository.registry() != self.http.host {
            return Err(fail(format!("{repository} is kept elsewhere")));
        }
        let url = self.base.join(&format!("{}/{rest}", repository.path()));
        url.map_err(|_| fail(format!("{repository} makes no URL")))
    }

    /// Sends a request with what the registry wants to see. The answer has any status but 401, 429 and 5xx.
    pub(crate) async fn send(
        &self,
        call: &mut Call,
        repository: &Repository,
        mut request: Request,
    ) -> Result<Answer, RegistryError> {
        let known = self.known(repository);
        let used = self.current(call, repository, &known).await?;
        request.authorization.clone_from(&used);
        let mut answer = self.http.send(call, &request).await?;
        // Who a request was redirected to is never told who we are, nor where to ask for that.
        if answer.status == StatusCode::UNAUTHORIZED && answer.origin == self.base.origin() {
            request.authorization = Some(self.renew(call, repository, &known, &answer, used.as_ref()).await?);
            answer = self.http.send(call, &request).await?;
        }
        if answer.status != StatusCode::UNAUTHORIZED {
            return Ok(answer);
        }
        let elsewhere = answer.origin != self.base.origin();
        let words =
            elsewhere.then(|| "it redirects to another host, to which no credential is sent".to_owned());
        Err(self.denied_with(call, words.or_else(|| answer.words().text)))
    }

    pub(crate) fn denied(&self, call: &Call, answer: &Answer) -> RegistryError {
        self.denied_with(call, answer.words().text)
    }

    fn denied_with(&self, call: &Call, words: Option<String>) -> RegistryError {
        let tried = if self.credential.is_anonymous() { Tried::Anonymous } else { Tried::Credential };
        RegistryError::Denied { attempt: call.attempt.clone(), host: self.http.host.clone(), tried, words }
    }

    fn known(&self, repository: &Repository) -> Arc<Mutex<Known>> {
        let mut all = self.repositories.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(all.entry(repository.path().to_owned()).or_default())
    }

    /// The header to send before the registry asks: from the credential itself, or from an earlier challenge.
    async fn current(
        &self,
        call: &mut Call,
        repository: &Repository,
        known: &Mutex<Known>,
    ) -> Result<Option<HeaderValue>, RegistryError> {
        if let Credential::Bearer(token) = &self.credential {
            return self.header(call, "Bearer", token.expose_secret()).map(Some);
        }
        let mut known = known.lock().await;
        if let Some(grant) = known.grant.as_ref().filter(|grant| grant.is_fresh()) {
            return Ok(Some(grant.header.clone()));
        }
        match known.challenge.clone() {
            None => Ok(None),
            Some(challenge) => self.answer(call, repository, &mut known, challenge).await.map(Some),
        }
    }

    /// A header other than `used`, which the registry answered with 401.
    async fn renew(
        &self,
        call: &mut Call,
        repository: &Repository,
        known: &Mutex<Known>,
        answer: &Answer,
        used: Option<&HeaderValue>,
    ) -> Result<HeaderValue, RegistryError> {
        let mut known = known.lock().await;
        // Somebody else was faster.
        let other = |grant: &&Grant| grant.is_fresh() && Some(&grant.header) != used;
        if let Some(grant) = known.grant.as_ref().filter(other) {
            return Ok(grant.header.clone());
        }
        known.grant = None;
        let challenge = Challenge::choose(answer.headers(&WWW_AUTHENTICATE));
        match challenge {
            // A name and password that were refused stay refused, and so does a token that was given to us.
            Some(Challenge::Basic) if used.is_some() => Err(self.denied(call, answer)),
            _ if matches!(self.credential, Credential::Bearer(_)) => Err(self.denied(call, answer)),
            None => Err(self.denied(call, answer)),
            Some(challenge) => self.answer(call, repository, &mut known, challenge).await,
        }
    }

    /// Answers a challenge, and keeps what comes of it.
    async fn answer(
        &self,
        call: &mut Call,
        repository: &Repository,
        known: &mut Known,
        challenge: Challenge,
    ) -> Result<HeaderValue, RegistryError> {
        let grant = match &challenge {
            Challenge::Bearer { realm, service, scope } => {
                let pull = || format!("repository:{}:pull", repository.path());
                let scope = scope.clone().unwrap_or_else(pull);
                self.fetch(call, realm, service.as_deref(), &scope).await?
            }
            Challenge::Basic => match &self.credential {
                Credential::Basic { .. } => Grant::forever(self.basic(call)?),
                Credential::Anonymous => {
                    return Err(self.denied_with(call, Some("it asks for a user name and a password".into())));
                }
                Credential::Bearer(_) | Credential::Refresh(_) => {
                    let words = "it asks for a user name and a password, and a token was given";
                    return Err(self.denied_with(call, Some(words.into())));
                }
            },
        };
        let header = grant.header.clone();
        *known = Known { challenge: Some(challenge), grant: Some(grant) };
        Ok(header)
    }

    /// The header of a name and a password (RFC 7617).
    fn basic(&self, call: &Call) -> Result<HeaderValue, RegistryError> {
        self.header(call, "Basic", &self.credential.basic_value().unwrap_or_default())
    }

    fn header(&self, call: &Call, scheme: &str, secret: &str) -> Result<HeaderValue, RegistryError> {
        let text = Zeroizing::new(format!("{scheme} {secret}"));
        let mut header = HeaderValue::from_str(&text).map_err(|_| {
            self.denied_with(call, Some("the token holds characters that no header can carry".into()))
        })?;
        header.set_sensitive(true);
        Ok(header)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_is_asked_where_its_api_is_and_by_https_unless_told_otherwise() {
        for (host, insecure, repository, url) in [
            ("ghcr.io", false, "ghcr.io/o/n", "https://ghcr.io/v2/o/n/tags/list"),
            ("docker.io", false, "nginx", "https://registry-1.docker.io/v2/library/nginx/tags/list"),
            ("localhost:5000", false, "localhost:5000/n", "https://localhost:5000/v2/n/tags/list"),
            ("localhost:5000", true, "localhost:5000/n", "http://localhost:5000/v2/n/tags/list"),
        ] {
            let access = Access { insecure, ..Access::default() };
            let session = Session::new(host, access, Limits::default()).unwrap();
            let repository = Repository::new(repository).unwrap();
            assert_eq!(session.url(&repository, "tags/list").unwrap().as_str(), url);
        }
    }
}
