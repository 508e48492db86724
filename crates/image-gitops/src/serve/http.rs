//! What answers over HTTP: steps and webhooks on one port, probes and figures on another.
//!
//! Every answer is JSON but the figures. A request is bounded in size, time and number; what is over a bound is refused
//! before anything is read of it.

mod connections;
mod openapi;
mod rate;
mod step;
mod webhook;

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    response::Response,
    routing::{get, post},
};
use image_gitops_core::step::{StepAnswer, StepState};
use serde::Serialize;
use tokio::{net::TcpListener, sync::Semaphore, time::timeout};

use super::{Keys, ServeError, Service};

/// How many requests are worked on at a time; more are told to come again.
const AT_A_TIME: usize = 256;
/// The time for one request, its body included. KubeVela waits 10 s.
const LONGEST: Duration = Duration::from_secs(5);

/// What the handlers share.
pub(super) struct Endpoint {
    service: Arc<Service>,
    keys: Keys,
    rate: rate::Rate,
    turns: Semaphore,
    runs: step::Runs,
}

/// An answer: a status and a JSON body.
pub(super) struct Answer {
    status: StatusCode,
    body: Vec<u8>,
}

impl Answer {
    fn new(status: StatusCode, body: &impl Serialize) -> Self {
        // A type of ours always serialises; an empty body would be the answer else.
        Self { status, body: serde_json::to_vec(body).unwrap_or_default() }
    }

    /// A refusal, which is final.
    fn failed(status: StatusCode, message: impl Into<String>) -> Self {
        Self::new(status, &StepAnswer::new(Some(StepState::Failed), message))
    }

    /// Not now.
    fn later(status: StatusCode, message: &str) -> Self {
        Self::new(status, &StepAnswer::new(None, message))
    }

    fn into_response(self) -> Response {
        let retry = matches!(self.status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS);
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
        if retry {
            headers.insert(header::RETRY_AFTER, header::HeaderValue::from_static("2"));
        }
        response
    }
}

/// Listens on an address.
pub(super) async fn bind(address: SocketAddr) -> Result<TcpListener, ServeError> {
    let listener = TcpListener::bind(address).await.map_err(|error| ServeError::Listen(address, error))?;
    let bound = listener.local_addr().unwrap_or(address);
    tracing::info!(%bound, "listening");
    Ok(listener)
}

/// Answers steps and webhooks until the service stops.
pub(super) async fn public(
    service: Arc<Service>,
    keys: Keys,
    listener: TcpListener,
) -> Result<(), ServeError> {
    let mut stopping = service.stopping.clone();
    let endpoint = Arc::new(Endpoint {
        service,
        keys,
        rate: rate::Rate::default(),
        turns: Semaphore::new(AT_A_TIME),
        runs: step::Runs::default(),
    });
    let routes = Router::new()
        .route("/v1/step", post(step_route))
        .route("/v1/webhooks/{kind}", post(webhook_route))
        .route("/openapi.json", get(openapi::document))
        .fallback(not_found)
        .method_not_allowed_fallback(not_allowed)
        .with_state(endpoint);
    let ended = async move {
        let _ = stopping.wait_for(|stopping| *stopping).await;
    };
    connections::serve(listener, routes, ended).await;
    Ok(())
}

/// Answers probes and Prometheus until the program ends.
pub(super) async fn admin(service: Arc<Service>, listener: TcpListener) -> Result<(), ServeError> {
    let routes = Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(service);
    connections::serve(listener, routes, std::future::pending()).await;
    Ok(())
}

async fn ready(State(service): State<Arc<Service>>) -> (StatusCode, &'static str) {
    if *service.stopping.borrow() {
        (StatusCode::SERVICE_UNAVAILABLE, "ending\n")
    } else if service.store.is_complete() {
        (StatusCode::OK, "ok\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "the resources of the cluster are not read yet\n")
    }
}

async fn metrics(State(service): State<Arc<Service>>) -> ([(header::HeaderName, &'static str); 1], String) {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], service.metrics.text(*service.leads.borrow()))
}

async fn step_route(State(endpoint): State<Arc<Endpoint>>, request: Request) -> Response {
    let answer = bounded(&endpoint, request, step::MOST_BYTES, async |headers, body| {
        step::answer(&endpoint, &headers, &body).await
    });
    counted(&endpoint, "step", answer.await)
}

async fn webhook_route(
    State(endpoint): State<Arc<Endpoint>>,
    axum::extract::Path(kind): axum::extract::Path<String>,
    request: Request,
) -> Response {
    let answer = bounded(&endpoint, request, webhook::MOST_BYTES, async |headers, body| {
        webhook::answer(&endpoint, &kind, &headers, &body)
    });
    counted(&endpoint, "webhook", answer.await)
}

fn counted(endpoint: &Endpoint, name: &'static str, answer: Answer) -> Response {
    endpoint.service.metrics.request(name, answer.status.as_u16());
    answer.into_response()
}

/// Reads a request within the bounds and has it answered.
async fn bounded(
    endpoint: &Endpoint,
    request: Request,
    most: usize,
    answer: impl AsyncFnOnce(HeaderMap, Bytes) -> Answer,
) -> Answer {
    if !endpoint.rate.admits(Instant::now()) {
        return Answer::later(StatusCode::TOO_MANY_REQUESTS, "too many requests; try again");
    }
    let Ok(_turn) = endpoint.turns.try_acquire() else {
        return Answer::later(StatusCode::SERVICE_UNAVAILABLE, "image-gitops has too much to do; try again");
    };
    let (parts, body) = request.into_parts();
    let work = async {
        match to_bytes(body, most).await {
            Ok(bytes) => answer(parts.headers, bytes).await,
            Err(_) => Answer::failed(
                StatusCode::PAYLOAD_TOO_LARGE,
                format!("the body is larger than {most} bytes, or broke off"),
            ),
        }
    };
    match timeout(LONGEST, work).await {
        Ok(answer) => answer,
        Err(_) => Answer::later(StatusCode::SERVICE_UNAVAILABLE, "image-gitops takes too long; try again"),
    }
}

async fn not_found() -> Response {
    Answer::failed(StatusCode::NOT_FOUND, "there is nothing here; GET /openapi.json lists what there is")
        .into_response()
}

async fn not_allowed() -> Response {
    Answer::failed(
        StatusCode::METHOD_NOT_ALLOWED,
        "not with this method; GET /openapi.json lists what there is",
    )
    .into_response()
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}
