//! What happened on the way, from the errors below reqwest's.

use std::error::Error;
use std::time::{Duration, SystemTime};

use crate::error::Outage;

pub(super) fn of(error: &reqwest::Error) -> Outage {
    let untrusted = std::iter::successors(error.source(), |cause| (*cause).source())
        .any(|cause| matches!(tls_error(cause), Some(rustls::Error::InvalidCertificate(_))));
    if untrusted {
        Outage::Untrusted
    } else if error.is_timeout() {
        Outage::Timeout
    } else if error.is_connect() {
        Outage::Connect
    } else {
        Outage::Cut
    }
}

/// The TLS error in an error. Those of [`std::io`] hide theirs from `source`, and come one in another.
fn tls_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    if let Some(tls) = error.downcast_ref() {
        return Some(tls);
    }
    tls_error(error.downcast_ref::<std::io::Error>()?.get_ref()?)
}

/// The wait that a `Retry-After` header asks for, in seconds or until a date (RFC 9110, section 10.2.3).
pub(in crate::http) fn retry_after(value: &str) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(SystemTime::now()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_comes_in_seconds_or_as_a_date() {
        assert_eq!(retry_after(" 7 "), Some(Duration::from_secs(7)));
        assert_eq!(retry_after("Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::ZERO));
        assert_eq!(retry_after("soon"), None);
    }
}
