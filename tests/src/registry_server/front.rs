//! A fake before the real registry: only for what the real one cannot do.
//!
//! The OCI distribution registry has no GHCR tokens (opaque, short-lived, one answer for absent and private), sends one
//! form of `Link` only, and never fails on demand. This front does: it answers the challenge and `/token` as GHCR does,
//! passes every other request on to the real registry, and alters, delays or breaks answers where a test asks for it.

mod token;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::connection::{Door, Listener};
use crate::tls::ServerCertificate;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::Response;
use futures_util::stream;
use tokio::sync::oneshot;

use super::RegistryServer;

/// How the front behaves all the time.
#[derive(Clone, Debug)]
pub struct FrontOptions {
    /// Speak HTTPS with a certificate of [`Front::ca_pem`], for `127.0.0.1` and `localhost`.
    pub tls: bool,
    /// Ask for a token, as GHCR does. Names that hold `private` are served to [`Front::TOKEN`] only.
    pub tokens: bool,
    /// At most so many tags a page, whatever `n` asks for, as GHCR does without `n`. `None`: as the registry does.
    pub page: Option<usize>,
    /// The `expires_in` of a token, in seconds; `None` leaves it out. The token itself is taken for as long.
    pub expires_in: Option<u64>,
    /// A token is refused after so many requests, as if it had expired early. `None`: never.
    pub uses: Option<usize>,
    /// The name of the token's field: `token`, or `access_token` as OAuth2 has it.
    pub field: &'static str,
}

impl Default for FrontOptions {
    fn default() -> Self {
        Self { tls: false, tokens: true, page: None, expires_in: Some(300), uses: None, field: "token" }
    }
}

/// An answer that the registry did not give.
#[derive(Clone, Debug)]
pub struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Answer {
    /// An answer of JSON.
    pub fn json(status: u16, body: &str) -> Self {
        Self::bytes(status, body.as_bytes()).header("content-type", "application/json")
    }

    /// An answer without headers.
    pub fn bytes(status: u16, body: &[u8]) -> Self {
        Self { status, headers: Vec::new(), body: body.to_vec() }
    }

    /// Adds a header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

type RewriteLink = Arc<dyn Fn(&str) -> Vec<String> + Send + Sync>;

/// What happens to a request.
#[derive(Clone)]
pub enum Fault {
    /// This answer; the registry does not see the request.
    Answer(Answer),
    /// The connection is closed without an answer.
    Reset,
    /// The registry's answer breaks off after so many bytes of its body.
    CutAfter(usize),
    /// The answer never comes.
    Hang,
    /// The request waits this long before the registry sees it.
    Delay(Duration),
    /// The registry's answer without the header of this name.
    Without(&'static str),
    /// The registry's answer, its `Link` header replaced by those that the function makes of it (`</v2/…>; rel="next"`).
    Link(RewriteLink),
}

impl Fault {
    /// Replaces the registry's `Link` by others.
    pub fn link(rewrite: impl Fn(&str) -> Vec<String> + Send + Sync + 'static) -> Self {
        Self::Link(Arc::new(rewrite))
    }

    /// An answer of JSON.
    pub fn json(status: u16, body: &str) -> Self {
        Self::Answer(Answer::json(status, body))
    }
}

/// One request that the front saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// `GET /v2/owner/name/tags/list?n=1000`.
    pub line: String,
    /// The scheme of its credential: `none`, `Basic` or `Bearer`.
    pub authorization: String,
    /// Its `User-Agent`.
    pub user_agent: String,
    /// Its `Accept`.
    pub accept: String,
    /// The status of the answer; 0 where there was none.
    pub status: u16,
}

struct Rule {
    pattern: String,
    left: Option<usize>,
    met: usize,
    fault: Fault,
}

struct Shared {
    options: FrontOptions,
    base: String,
    upstream: String,
    http: reqwest::Client,
    rules: Mutex<Vec<Rule>>,
    requests: Mutex<Vec<Request>>,
    tokens: Mutex<Vec<token::Token>>,
}

/// A running front. Dropping it ends it.
pub struct Front {
    shared: Arc<Shared>,
    host: String,
    ca: Option<String>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Front {
    /// The personal access token that reads everything. Any user name goes with it.
    pub const TOKEN: &str = "ghp_ReadsEverything";
    /// The OAuth2 refresh token that reads everything.
    pub const REFRESH: &str = "rt_ReadsEverything";

    /// Puts a front before `server`, which has neither TLS nor a password.
    ///
    /// # Panics
    /// When a port, a thread or a certificate cannot be had.
    pub fn before(server: &RegistryServer, options: FrontOptions) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let certificate = options.tls.then(ServerCertificate::generate);
        let acceptor = certificate.as_ref().map(ServerCertificate::acceptor);
        let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        socket.set_nonblocking(true).expect("a listener that tokio can take");
        let host = socket.local_addr().expect("the address of a bound listener").to_string();
        let scheme = if options.tls { "https" } else { "http" };
        let shared = Arc::new(Shared {
            base: format!("{scheme}://{host}"),
            upstream: server.url(),
            options,
            http: reqwest::Client::builder().no_proxy().build().expect("an HTTP client"),
            rules: Mutex::default(),
            requests: Mutex::default(),
            tokens: Mutex::default(),
        });
        let (stop, stopped) = oneshot::channel();
        let router = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        let serve = move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let socket =
                    tokio::net::TcpListener::from_std(socket).expect("a listener that tokio can take");
                let service = router.into_make_service_with_connect_info::<Door>();
                tokio::select! {
                    _ = async { axum::serve(Listener::new(socket, acceptor), service).await } => {}
                    _ = stopped => {}
                }
            });
        };
        let thread = std::thread::spawn(serve);
        Self { shared, host, ca: certificate.map(|c| c.ca_pem), stop: Some(stop), thread: Some(thread) }
    }

    /// What stands before the first slash of an image's name: `127.0.0.1:PORT`.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// `http://127.0.0.1:PORT`, or `https://`.
    pub fn url(&self) -> &str {
        &self.shared.base
    }

    /// The certificate of the authority that signed the front's, as PEM. `None` without TLS.
    pub fn ca_pem(&self) -> Option<&str> {
        self.ca.as_deref()
    }

    /// Every request whose [`Request::line`] contains `pattern` meets `fault`, until [`Front::heal`].
    pub fn on(&self, pattern: &str, fault: Fault) {
        self.rule(pattern, None, fault);
    }

    /// The next `times` requests whose [`Request::line`] contains `pattern` meet `fault`.
    pub fn times(&self, times: usize, pattern: &str, fault: Fault) {
        self.rule(pattern, Some(times), fault);
    }

    /// The next request whose [`Request::line`] contains `pattern` meets `fault`.
    pub fn once(&self, pattern: &str, fault: Fault) {
        self.times(1, pattern, fault);
    }

    fn rule(&self, pattern: &str, left: Option<usize>, fault: Fault) {
        locked(&self.shared.rules).push(Rule { pattern: pattern.to_owned(), left, met: 0, fault });
    }

    /// Forgets all faults, and tells how many requests met each, in the order in which they were asked for.
    pub fn heal(&self) -> Vec<usize> {
        std::mem::take(&mut *locked(&self.shared.rules)).iter().map(|rule| rule.met).collect()
    }

    /// Refuses every token given so far.
    pub fn expire_tokens(&self) {
        locked(&self.shared.tokens).clear();
    }

    /// The requests so far, in the order of their answers.
    pub fn requests(&self) -> Vec<Request> {
        locked(&self.shared.requests).clone()
    }

    /// How many requests had a [`Request::line`] that contains `pattern`.
    pub fn count(&self, pattern: &str) -> usize {
        self.requests().iter().filter(|request| request.line.contains(pattern)).count()
    }

    /// Forgets the requests so far.
    pub fn forget_requests(&self) {
        locked(&self.shared.requests).clear();
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A test that panicked while it held the lock must not hide its own message behind a second panic.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn answer(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(door): ConnectInfo<Door>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let line = format!("{method} {uri}");
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let authorization = text(header::AUTHORIZATION).split(' ').next().filter(|scheme| !scheme.is_empty());
    let mut request = Request {
        line,
        authorization: authorization.unwrap_or("none").to_owned(),
        user_agent: text(header::USER_AGENT).to_owned(),
        accept: text(header::ACCEPT).to_owned(),
        status: 0,
    };
    let fault = shared.fault(&request.line);
    let response = match fault {
        Some(Fault::Answer(answer)) => Some(respond(answer)),
        Some(Fault::Reset) => {
            door.shut();
            None
        }
        Some(Fault::Hang) => {
            locked(&shared.requests).push(request);
            return std::future::pending().await;
        }
        Some(Fault::Delay(time)) => {
            tokio::time::sleep(time).await;
            Some(shared.pass(&method, &uri, &headers, body, None).await)
        }
        altered => Some(shared.pass(&method, &uri, &headers, body, altered).await),
    };
    request.status = response.as_ref().map_or(0, |response| response.status().as_u16());
    locked(&shared.requests).push(request);
    response.unwrap_or_default()
}

impl Shared {
    /// What the first rule that fits does to this request.
    fn fault(&self, line: &str) -> Option<Fault> {
        let mut rules = locked(&self.rules);
        let rule = rules.iter_mut().find(|rule| rule.left != Some(0) && line.contains(&rule.pattern))?;
        if let Some(left) = &mut rule.left {
            *left -= 1;
        }
        rule.met += 1;
        Some(rule.fault.clone())
    }

    /// The token service's answer, or the registry's.
    async fn pass(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        body: Bytes,
        altered: Option<Fault>,
    ) -> Response {
        if uri.path() == "/token" {
            return respond(self.token(method, uri, headers, &body));
        }
        if self.options.tokens
            && let Err(challenge) = self.admit(uri.path(), headers)
        {
            return respond(challenge);
        }
        let url = format!("{}{}", self.upstream, self.paged(uri));
        let accept = headers.get_all(header::ACCEPT).iter().cloned();
        let accept: HeaderMap = accept.map(|value| (header::ACCEPT, value)).collect();
        let answer = self.http.request(method.clone(), url).headers(accept).body(body).send().await;
        let answer = answer.expect("the registry behind the front answers");
        let (status, mut headers) = (answer.status(), answer.headers().clone());
        let bytes = answer.bytes().await.expect("the registry behind the front answers in full");
        headers.remove(header::TRANSFER_ENCODING);
        headers.remove(header::CONNECTION);
        let mut body = Body::from(bytes.clone());
        match altered {
            Some(Fault::Without(name)) => drop(headers.remove(name)),
            Some(Fault::Link(rewrite)) => {
                if let Some(link) = headers.remove(header::LINK) {
                    for one in rewrite(link.to_str().expect("a Link in ASCII")) {
                        headers.append(header::LINK, HeaderValue::from_str(&one).expect("a header"));
                    }
                }
            }
            Some(Fault::CutAfter(length)) => {
                let part = bytes.slice(..length.min(bytes.len()));
                let broken = std::io::Error::other("cut by the test");
                body = Body::from_stream(stream::iter([Ok(part), Err(broken)]));
            }
            _ => {}
        }
        let mut response = Response::new(body);
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        response
    }

    /// The path and query to ask the registry for: with no more tags a page than the options say.
    fn paged(&self, uri: &Uri) -> String {
        let Some(page) = self.options.page.filter(|_| uri.path().ends_with("/tags/list")) else {
            return uri.to_string();
        };
        let mut query: Vec<(String, String)> =
            url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
        let asked = query.iter().find(|(name, _)| name == "n").and_then(|(_, n)| n.parse().ok());
        query.retain(|(name, _)| name != "n");
        query.push(("n".to_owned(), asked.unwrap_or(page).min(page).to_string()));
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
        format!("{}?{query}", uri.path())
    }
}

fn respond(answer: Answer) -> Response {
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = StatusCode::from_u16(answer.status).expect("a status");
    for (name, value) in answer.headers {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a header's name");
        response.headers_mut().append(name, HeaderValue::from_str(&value).expect("a header's value"));
    }
    response
}
