//! Where the first request may be sent on to. As in git, only that one, and only to the same request of another
//! repository: the later ones go where it led.

use url::Url;

use crate::url::is_loopback;

/// The most redirects that are followed.
pub(super) const MOST: usize = 5;

/// The first request to a repository.
pub(super) fn first_request(repository: &Url, service: &str) -> Url {
    let mut url = repository.clone();
    url.set_path(&format!("{}/info/refs", repository.path()));
    url.set_query(Some(&format!("service={service}")));
    url
}

/// The repository that an answer to the first request leads to, or what is wrong with it, as a sentence about "it".
pub(super) fn follow(from: &Url, location: Option<&str>, service: &str) -> Result<Url, String> {
    let to = location.and_then(|location| from.join(location).ok()).ok_or("it redirects to nowhere")?;
    let safe = match to.scheme() {
        "https" => true,
        "http" => from.scheme() == "http" && is_loopback(&to),
        _ => false,
    };
    if !safe || !to.username().is_empty() || to.password().is_some() {
        return Err("it redirects to a URL that is not safe to follow".into());
    }
    let query = format!("service={service}");
    match to.path().strip_suffix("/info/refs").filter(|_| to.query() == Some(query.as_str())) {
        Some(path) => {
            let mut repository = to.clone();
            repository.set_path(path);
            repository.set_query(None);
            repository.set_fragment(None);
            Ok(repository)
        }
        None => Err(format!("it redirects to a web page ({})", shown(to))),
    }
}

/// A URL without what may be secret.
fn shown(mut url: Url) -> Url {
    url.set_query(None);
    url.set_fragment(None);
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_request_of_a_safe_place_is_followed() {
        let service = "git-upload-pack";
        let ends = "/info/refs?service=git-upload-pack";
        for (from, to, result) in [
            ("https://a/o/n", format!("https://b/o/n.git{ends}"), Some("https://b/o/n.git")),
            ("https://a/o/n", format!("/p/m{ends}"), Some("https://a/p/m")),
            ("https://a/o/n", format!("http://a/o/n{ends}"), None),
            ("http://localhost/o/n", format!("http://127.0.0.1/o/n{ends}"), Some("http://127.0.0.1/o/n")),
            ("http://localhost/o/n", format!("http://a/o/n{ends}"), None),
            ("http://localhost/o/n", format!("https://a/o/n{ends}"), Some("https://a/o/n")),
            ("https://a/o/n", format!("https://u:p@a/o/n{ends}"), None),
            ("https://a/o/n", "https://a/login?to=x".to_owned(), None),
            ("https://a/o/n", "https://a/o/n/info/refs?service=git-receive-pack".to_owned(), None),
            ("https://a/o/n", "https://".to_owned(), None),
        ] {
            let from = first_request(&Url::parse(from).unwrap(), service);
            let followed = follow(&from, Some(&to), service).ok().map(|url| url.to_string());
            assert_eq!(followed.as_deref(), result, "{from} -> {to}");
        }
        assert!(follow(&Url::parse("https://a/").unwrap(), None, service).is_err());
    }
}
