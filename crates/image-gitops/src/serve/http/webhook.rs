//! Webhooks: a hint that something was pushed, never a word that is believed. What is true, the registry says.

use axum::http::{HeaderMap, StatusCode};
use image_gitops_core::webhook::{Kind, parse};
use serde_json::json;

use super::{Answer, Endpoint, text};
use crate::serve::branches::{self, By};

/// The largest body that is read. GitHub sends up to 25 MB of other events; those of packages have some 20 kB.
pub(super) const MOST_BYTES: usize = 1 << 20;

/// Checks who sends it, and asks for a pass over each branch that names the image. The same one again asks again, which
/// changes nothing.
pub(super) fn answer(endpoint: &Endpoint, kind: &str, headers: &HeaderMap, body: &[u8]) -> Answer {
    let Some(key) = &endpoint.keys.webhook else {
        return Answer::failed(
            StatusCode::NOT_FOUND,
            "this instance takes no webhooks (--webhook-secret is empty)",
        );
    };
    let (kind, signature) = match kind {
        "ghcr" => (Kind::Ghcr, Some("x-hub-signature-256")),
        "registry" => (Kind::Distribution, None),
        "generic" => (Kind::Generic, Some("x-image-gitops-signature")),
        _ => {
            return Answer::failed(
                StatusCode::NOT_FOUND,
                "there are webhooks for ghcr, registry and generic",
            );
        }
    };
    let signed =
        signature.and_then(|name| text(headers, name)).is_some_and(|header| key.verify(header, body));
    let bears =
        kind != Kind::Ghcr && text(headers, "authorization").is_some_and(|header| key.verify_bearer(header));
    if !signed && !bears {
        let message =
            "the signature or token is missing or wrong: both sides need the token of the webhook's Secret";
        return Answer::failed(StatusCode::UNAUTHORIZED, message);
    }
    let hints = match parse(kind, text(headers, "x-github-event"), body) {
        Ok(hints) => hints,
        Err(error) => {
            return Answer::failed(StatusCode::BAD_REQUEST, format!("{error} ({})", error.hint()));
        }
    };
    let service = &endpoint.service;
    let mut asked = 0;
    for stored in hints.iter().flat_map(|hint| service.store.of_image(&hint.repository)) {
        tracing::info!(resource = %stored.id, "asked by a webhook to look now");
        asked += usize::from(branches::ask(service, &stored, By::Request).is_some());
    }
    let message = match asked {
        0 => "no resource watches this image",
        _ => "looking now",
    };
    Answer::new(StatusCode::ACCEPTED, &json!({ "message": message, "resources": asked }))
}
