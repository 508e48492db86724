//! The description of the endpoint for programs.

use axum::{body::Body, http::header, response::Response};

/// The document; `docs/reference/openapi.json` is the same file.
const DOCUMENT: &str = include_str!("../../../../../docs/reference/openapi.json");

/// Serves the document.
pub(super) async fn document() -> Response {
    let mut response = Response::new(Body::from(DOCUMENT));
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    response
}
