//! What an answer means that is neither a success nor a challenge.

use image_gitops_core::image::Repository;
use reqwest::StatusCode;

use crate::auth::Session;
use crate::error::{Outage, RegistryError};
use crate::http::words::is_page;
use crate::http::{Answer, Call};

impl Session {
    /// What an answer that is neither success nor a challenge means.
    pub(crate) fn refused(&self, call: &Call, repository: &Repository, answer: &Answer) -> RegistryError {
        let words = answer.words();
        match answer.status {
            StatusCode::FORBIDDEN => self.denied(call, answer),
            status if status.is_client_error() && words.denied => self.denied(call, answer),
            StatusCode::NOT_FOUND | StatusCode::OK if is_page(&answer.body, answer.content_type()) => {
                self.no_registry(call, format!("it sends a web page ({})", answer.status.as_u16()))
            }
            StatusCode::NOT_FOUND => RegistryError::NotFound {
                attempt: call.attempt.clone(),
                host: repository.registry().to_owned(),
                words: words.text,
            },
            status if words.of_a_registry => {
                let words = words.text.unwrap_or_default();
                self.http.protocol(call, &self.base, format!("answers {}: {words}", status.as_u16()))
            }
            status => {
                let words = words.text.map(|words| format!(" ({words})")).unwrap_or_default();
                self.no_registry(call, format!("it answers {}{words}", status.as_u16()))
            }
        }
    }

    pub(crate) fn no_registry(&self, call: &Call, mut reason: String) -> RegistryError {
        self.credential.star_out_text(&mut reason);
        RegistryError::NotARegistry { attempt: call.attempt.clone(), host: self.http.host.clone(), reason }
    }

    /// The whole call took too long.
    pub(crate) fn late(&self, call: &Call) -> RegistryError {
        RegistryError::Unreachable {
            attempt: call.attempt.clone(),
            host: self.http.host.clone(),
            outage: Outage::Timeout,
            source: None,
        }
    }
}
