//! What the server remembers of a request.

use axum::http::HeaderMap;

/// How a request said who it is. The credential itself is in no log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authorization {
    /// No header.
    None,
    /// `Basic`.
    Basic,
    /// `Bearer`.
    Bearer,
    /// Anything else.
    Other,
}

impl Authorization {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let scheme = headers.get("authorization").map(|value| value.to_str().unwrap_or_default());
        match scheme.map(|value| value.split(' ').next().unwrap_or_default()) {
            None => Self::None,
            Some(scheme) if scheme.eq_ignore_ascii_case("basic") => Self::Basic,
            Some(scheme) if scheme.eq_ignore_ascii_case("bearer") => Self::Bearer,
            Some(_) => Self::Other,
        }
    }
}

/// One request and what it got.
#[derive(Debug, Clone)]
pub struct Request {
    /// `GET` or `POST`.
    pub method: String,
    /// Path and query, as sent.
    pub target: String,
    /// The status answered; `None` when the connection was dropped instead.
    pub status: Option<u16>,
    /// What the request carried.
    pub body: Vec<u8>,
    /// Length of the answer's body in bytes.
    pub sent: usize,
    /// How it said who it is.
    pub authorization: Authorization,
    /// The headers, without `Authorization`.
    pub headers: HeaderMap,
}

impl Request {
    /// `METHOD /path?query`: what patterns of faults are looked for in.
    pub fn line(&self) -> String {
        format!("{} {}", self.method, self.target)
    }

    /// A header's value, or nothing.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Length of the request's body in bytes.
    pub fn received(&self) -> usize {
        self.body.len()
    }
}
