//! From an HTTP request to `git http-backend` and back, past the faults that a test asked for.
#![allow(clippy::disallowed_types, reason = "the server is the real git: that is the point of it")]
#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Request as HttpRequest, State};
use axum::http::request::Parts;
use axum::response::Response;
use base64::Engine as _;
use futures_util::{StreamExt as _, stream};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::oneshot::Receiver;
use tokio_rustls::TlsAcceptor;

use super::fault::{self, Answer, Fault};
use super::{Authorization, Request, Shared, locked};
use crate::connection::{Door, Listener};

/// Serves until `stopped` says so, or its sender is gone.
pub(super) fn run(
    listener: std::net::TcpListener,
    acceptor: Option<TlsAcceptor>,
    shared: Arc<Shared>,
    stopped: Receiver<()>,
) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime for the server");
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener).expect("a listener for the runtime");
        let app = Router::new().fallback(handle).with_state(shared);
        let app = app.into_make_service_with_connect_info::<Door>();
        let serve = axum::serve(Listener::new(listener, acceptor), app);
        tokio::select! {
            _ = serve => {}
            _ = stopped => {}
        }
    });
    // Whatever still runs is dropped here, and its children with it.
    runtime.shutdown_timeout(Duration::from_secs(5));
}

/// Answers one request and remembers it.
async fn handle(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(door): ConnectInfo<Door>,
    request: HttpRequest,
) -> Response {
    let (mut parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, usize::MAX).await else {
        return respond(Answer::new(400, "the request broke off"), None);
    };
    let target = parts.uri.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string);
    let line = format!("{} {target}", parts.method);
    let authorization = Authorization::of(&parts.headers);

    let faults = fault::met(&mut locked(&shared.rules), &line);
    let mut answer = None;
    let (mut dropped, mut cut) = (false, None);
    let mut changes = Vec::new();
    for fault in faults {
        match fault {
            Fault::Answer(given) => answer = Some(given),
            Fault::Drop => {
                answer = Some(Answer::new(500, ""));
                dropped = true;
            }
            Fault::DropAnswer => dropped = true,
            Fault::CutAfter(bytes) => cut = Some(bytes),
            Fault::Delay(time) => tokio::time::sleep(time).await,
            Fault::Run(action) => drop(tokio::task::spawn_blocking(move || action()).await),
            Fault::Rewrite(change) => changes.push(change),
        }
    }
    let mut answer = match answer {
        Some(answer) => answer,
        None => serve(&shared, &parts, &body).await,
    };
    for change in changes {
        answer = change(answer);
    }
    parts.headers.remove("authorization");
    locked(&shared.requests).push(Request {
        method: parts.method.to_string(),
        target,
        status: (!dropped).then_some(answer.status),
        body: body.to_vec(),
        sent: cut.map_or(answer.body.len(), |bytes| bytes.min(answer.body.len())),
        authorization,
        headers: parts.headers,
    });
    if dropped {
        door.shut();
    }
    respond(answer, cut)
}

/// What a healthy server says: asks for credentials where they are needed, then git.
async fn serve(shared: &Shared, parts: &Parts, body: &Bytes) -> Answer {
    let query = parts.uri.query().unwrap_or_default();
    let push = query.contains("service=git-receive-pack") || parts.uri.path().ends_with("/git-receive-pack");
    let wanted = if push { &shared.options.push } else { &shared.options.read };
    if let Some((user, password)) = wanted {
        let token = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
        let given = parts.headers.get("authorization").and_then(|value| value.to_str().ok());
        if given != Some(&format!("Basic {token}")) {
            return Answer::new(401, "credentials are needed\n")
                .header("www-authenticate", "Basic realm=\"git\"")
                .header("content-type", "text/plain");
        }
    }
    let user = wanted.as_ref().map(|(user, _)| user.as_str());
    match cgi(shared, parts, body, user).await {
        Ok(answer) => answer,
        Err(error) => Answer::new(500, format!("git http-backend: {error}\n")),
    }
}

/// Runs `git http-backend` for one request, as RFC 3875 and gitprotocol-http(5) say.
async fn cgi(shared: &Shared, parts: &Parts, body: &Bytes, user: Option<&str>) -> io::Result<Answer> {
    let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let mut command = tokio::process::Command::new("git");
    command
        .arg("http-backend")
        .env_clear()
        .envs(crate::git::environment())
        .env("GIT_PROJECT_ROOT", shared.root())
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("PATH_INFO", path_info(shared, parts.uri.path()))
        .env("REQUEST_METHOD", parts.method.as_str())
        .env("QUERY_STRING", parts.uri.query().unwrap_or_default())
        .env("CONTENT_TYPE", header("content-type").unwrap_or_default())
        .env("CONTENT_LENGTH", body.len().to_string())
        .env("REMOTE_ADDR", "127.0.0.1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    if let Some(encoding) = header("content-encoding") {
        command.env("HTTP_CONTENT_ENCODING", encoding);
    }
    if let Some(version) = header("git-protocol").filter(|_| !shared.options.only_v0) {
        command.env("GIT_PROTOCOL", version);
    }
    if let Some(user) = user {
        command.env("REMOTE_USER", user);
    }
    let mut child = command.spawn()?;
    let (Some(mut stdin), Some(mut stdout)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(io::Error::other("a child without pipes"));
    };
    // Git may end before it has read all: that is its right, and its answer says why.
    let write = async {
        let _ = stdin.write_all(body).await;
        drop(stdin);
    };
    let mut output = Vec::new();
    let (read, ()) = tokio::join!(stdout.read_to_end(&mut output), write);
    read?;
    child.wait().await?;
    parse(&output).ok_or_else(|| io::Error::other("an answer without an end of its headers"))
}

/// The path on disk below the root: `/owner/name/info/refs` also finds `owner/name.git`, as on every forge.
fn path_info(shared: &Shared, path: &str) -> String {
    let (repository, rest) = ["/info/refs", "/git-upload-pack", "/git-receive-pack"]
        .iter()
        .find_map(|end| path.strip_suffix(end).map(|repository| (repository, *end)))
        .unwrap_or((path, ""));
    let folder: PathBuf = shared.root().join(format!("{}.git", repository.trim_start_matches('/')));
    if folder.exists() { format!("{repository}.git{rest}") } else { path.to_owned() }
}

/// Splits the output of a CGI program into status, headers and body.
fn parse(output: &[u8]) -> Option<Answer> {
    let end = output.windows(4).position(|bytes| bytes == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(output.get(..end)?).into_owned();
    let mut answer = Answer::new(200, output.get(end + 4..)?);
    for (name, value) in head.lines().filter_map(|line| line.split_once(": ")) {
        if name.eq_ignore_ascii_case("status") {
            answer.status = value.split(' ').next()?.parse().ok()?;
        } else {
            answer = answer.header(name, value);
        }
    }
    Some(answer)
}

/// Sends an answer; with `cut`, its length is announced but only so many bytes follow.
fn respond(answer: Answer, cut: Option<usize>) -> Response {
    let mut response = Response::builder().status(answer.status);
    for (name, value) in &answer.headers {
        response = response.header(name, value);
    }
    let body = match cut {
        None => Body::from(answer.body),
        Some(bytes) => {
            response = response.header("content-length", answer.body.len());
            let all = Bytes::from(answer.body);
            let some = all.slice(..bytes.min(all.len()));
            let broken = stream::once(async {
                // Long enough that the bytes before are sent, not thrown away with the connection.
                tokio::time::sleep(Duration::from_millis(20)).await;
                Err(io::Error::other("cut"))
            });
            Body::from_stream(stream::iter([Ok(some)]).chain(broken))
        }
    };
    response.body(body).expect("headers that a test made up are valid")
}
