//! Where a request may be sent on to.
//!
//! Some registries send readers to another host (`registry.k8s.io` does). A credential never goes along to another
//! origin, nothing goes from HTTPS to plain HTTP, and a form (which holds a credential) goes nowhere.

use reqwest::Method;
use reqwest::header::LOCATION;
use url::Url;

use super::{Answer, Request};

/// The most redirects of one request.
pub(super) const MOST: usize = 5;

/// Changes a request to go where its answer points, or says what is wrong with that, as a predicate.
pub(super) fn follow(request: &mut Request, answer: &Answer, insecure: bool) -> Result<(), String> {
    if request.method != Method::GET && request.method != Method::HEAD {
        return Err(format!("redirects a {} ({})", request.method, answer.status.as_u16()));
    }
    let target = answer.header(&LOCATION).and_then(|location| request.url.join(location).ok());
    let target = target.ok_or_else(|| format!("redirects to nowhere ({})", answer.status.as_u16()))?;
    if let Some(reason) = forbidden(&request.url, &target, insecure) {
        return Err(format!("redirects {reason}"));
    }
    if target.origin() != request.url.origin() {
        request.authorization = None;
    }
    request.url = target;
    Ok(())
}

/// What is wrong with going from one URL to another.
fn forbidden(from: &Url, to: &Url, insecure: bool) -> Option<&'static str> {
    match to.scheme() {
        _ if !to.username().is_empty() || to.password().is_some() => Some("to a URL with a password"),
        "https" => None,
        "http" if from.scheme() == "https" => Some("from HTTPS to plain HTTP"),
        "http" if insecure => None,
        _ => Some("to something that is not HTTPS"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leaves_https_and_no_password_comes_from_a_redirect() {
        let url = |text: &str| Url::parse(text).unwrap();
        for (from, to, insecure, allowed) in [
            ("https://a/v2/", "https://b/v2/", false, true),
            ("https://a/v2/", "http://a/v2/", false, false),
            ("https://a/v2/", "http://a/v2/", true, false),
            ("http://a/v2/", "http://b/v2/", true, true),
            ("http://a/v2/", "https://b/v2/", true, true),
            ("https://a/v2/", "ftp://a/v2/", true, false),
            ("https://a/v2/", "https://u:p@a/v2/", false, false),
        ] {
            assert_eq!(forbidden(&url(from), &url(to), insecure).is_none(), allowed, "{from} -> {to}");
        }
    }
}
