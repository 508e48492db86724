//! The whole list of a repository's tags, page by page (distribution-spec, "Listing Tags").
//!
//! The next page is where the answer's `Link` says. Only the query of that link is used, on the address of the list
//! itself: a registry (or somebody who plays one) cannot send us, and our token, anywhere else; and registries that
//! get the path wrong, as Artifactory does behind a repository prefix, are understood.
//!
//! A page that holds exactly as many tags as were asked for and has no `Link` may not be the last: GHCR once forgot
//! it. Then the tags after the last one are asked for, until none comes that is new.

pub(crate) mod link;
pub(crate) mod page;

use std::collections::HashSet;

use image_gitops_core::image::{Repository, Tag};
use reqwest::header::LINK;
use reqwest::{Method, StatusCode};
use url::Url;

use crate::auth::Session;
use crate::error::RegistryError;
use crate::http::{Answer, Call, Request};

/// All tags of a repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TagList {
    /// Each tag once, in the order of their bytes.
    pub tags: Vec<Tag>,
    /// How many entries were no tags by the specification's grammar.
    pub invalid: usize,
    /// How many pages the list came in.
    pub pages: usize,
    /// How many requests it took, those for tokens and those that were repeated included.
    pub requests: usize,
}

/// See [`crate::Registry::tags`].
pub(crate) async fn list(session: &Session, repository: &Repository) -> Result<TagList, RegistryError> {
    let mut list = session
        .within(format!("list the tags of {repository}"), async |call| {
            let mut list = pages(session, call, repository).await?;
            list.requests = call.requests;
            Ok(list)
        })
        .await?;
    list.tags.sort_unstable();
    list.tags.dedup();
    tracing::debug!(%repository, tags = list.tags.len(), pages = list.pages, requests = list.requests, "listed");
    Ok(list)
}

/// Reads pages until the last.
async fn pages(
    session: &Session,
    call: &mut Call,
    repository: &Repository,
) -> Result<TagList, RegistryError> {
    let limits = &session.http.limits;
    let mut list = TagList::default();
    let mut asked = HashSet::new();
    let mut url = session.url(repository, "tags/list")?;
    if limits.page_size > 0 {
        url.query_pairs_mut().append_pair("n", &limits.page_size.to_string());
    }
    // Whether this page was asked for without the registry having pointed to it.
    let mut guessed = false;
    loop {
        if !asked.insert(url.query().unwrap_or_default().to_owned()) {
            return Err(session.http.protocol(
                call,
                &url,
                "points from one page of the list to an earlier one",
            ));
        }
        if list.pages == limits.pages {
            return Err(session.http.too_large(call, format!("{} pages", limits.pages)));
        }
        let answer = session.send(call, repository, request(session, &url)).await?;
        if list.pages == 0 && url.query().is_some() && dislikes_the_size(answer.status) {
            url.set_query(None);
            continue;
        }
        let page = page_of(session, call, repository, &answer)?;
        list.pages += 1;
        let size = page.len().to_string();
        let last = page.last().cloned().filter(|_| size_asked(&url) == Some(page.len()));
        let known = if guessed { sorted(&mut list.tags) } else { 0 };
        list.take(page);
        if list.tags.len() > limits.tags {
            return Err(session.http.too_large(call, format!("{} tags", limits.tags)));
        }
        if guessed && !has_new(&list.tags, known) {
            return Ok(list);
        }
        if let Some(target) = link::next(answer.headers(&LINK)) {
            let query = cursor(&url, target).map_err(|reason| session.http.protocol(call, &url, reason))?;
            url.set_query(Some(&query));
            guessed = false;
        } else if let Some(last) = last {
            url.query_pairs_mut().clear().append_pair("n", &size).append_pair("last", &last);
            guessed = true;
        } else {
            return Ok(list);
        }
    }
}

impl TagList {
    fn take(&mut self, tags: Vec<String>) {
        for tag in tags {
            match Tag::new(tag) {
                Ok(tag) => self.tags.push(tag),
                Err(_) => self.invalid += 1,
            }
        }
    }
}

fn request(session: &Session, url: &Url) -> Request {
    Request {
        method: Method::GET,
        url: url.clone(),
        accept: "application/json",
        authorization: None,
        form: None,
        answer_bytes: session.http.limits.answer_bytes,
    }
}

/// Statuses with which registries refuse an `n` that is too large for them.
fn dislikes_the_size(status: StatusCode) -> bool {
    matches!(status, StatusCode::BAD_REQUEST | StatusCode::METHOD_NOT_ALLOWED | StatusCode::PAYLOAD_TOO_LARGE)
}

/// The `n` of a page's address.
fn size_asked(url: &Url) -> Option<usize> {
    let n = url.query_pairs().find(|(name, _)| name == "n");
    n.and_then(|(_, n)| n.parse().ok()).filter(|n| *n > 0)
}

/// Sorts what is known so far, so that [`has_new`] can search in it.
fn sorted(tags: &mut [Tag]) -> usize {
    tags.sort_unstable();
    tags.len()
}

/// Whether any tag after the first `known` ones, which are sorted, is not among these.
fn has_new(tags: &[Tag], known: usize) -> bool {
    tags.split_at_checked(known)
        .is_some_and(|(old, new)| new.iter().any(|tag| old.binary_search(tag).is_err()))
}

/// The query of the page that a `Link` points to from `page`, or what is wrong with it, as a predicate.
pub(crate) fn cursor(page: &Url, target: &str) -> Result<String, String> {
    let next = page.join(target).map_err(|_| "points to a next page that is no URL".to_owned())?;
    // Behind a proxy that ends TLS, a registry may believe that it speaks plain HTTP. That is not followed, only read.
    let same_port = next.port_or_known_default() == page.port_or_known_default()
        || (next.scheme() == "http"
            && page.scheme() == "https"
            && next.port().is_none()
            && page.port().is_none());
    let same_scheme = next.scheme() == page.scheme() || next.scheme() == "http";
    if next.host() != page.host() || !same_port || !same_scheme {
        return Err("points to another host for the next page of the list".to_owned());
    }
    if !next.path().ends_with("/tags/list") {
        return Err("points to something else for the next page of the list".to_owned());
    }
    Ok(next.query().unwrap_or_default().to_owned())
}

/// The tags of a page that was asked for.
fn page_of(
    session: &Session,
    call: &Call,
    repository: &Repository,
    answer: &Answer,
) -> Result<Vec<String>, RegistryError> {
    if answer.status != StatusCode::OK {
        return Err(session.refused(call, repository, answer));
    }
    page::parse(&answer.body, answer.content_type()).map_err(|reason| session.no_registry(call, reason))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_the_query_of_a_link_to_the_same_registry_is_used() {
        for (page, target, query) in [
            ("https://r.io/v2/o/n/tags/list?n=2", "/v2/o/n/tags/list?n=2&last=b", Some("n=2&last=b")),
            ("https://r.io/v2/o/n/tags/list", "?last=b", Some("last=b")),
            ("https://r.io/v2/o/n/tags/list", "https://r.io/v2/o/n/tags/list?last=b", Some("last=b")),
            ("https://r.io/v2/o/n/tags/list", "https://R.IO:443/v2/o/n/tags/list?last=b", Some("last=b")),
            // Artifactory leaves out the repository's prefix.
            ("https://r.io/v2/docker/o/n/tags/list", "/v2/o/n/tags/list?last=b", Some("last=b")),
            // A registry that does not know of the TLS before it.
            ("https://r.io/v2/o/n/tags/list", "http://r.io/v2/o/n/tags/list?last=b", Some("last=b")),
            (
                "https://r.io:8443/v2/o/n/tags/list",
                "http://r.io:8443/v2/o/n/tags/list?last=b",
                Some("last=b"),
            ),
            ("https://r.io/v2/o/n/tags/list", "//other.io/v2/o/n/tags/list?last=b", None),
            ("https://r.io/v2/o/n/tags/list", "https://r.io:8443/v2/o/n/tags/list?last=b", None),
            ("https://r.io:8443/v2/o/n/tags/list", "http://r.io/v2/o/n/tags/list?last=b", None),
            ("http://r.io/v2/o/n/tags/list", "https://r.io/v2/o/n/tags/list?last=b", None),
            ("https://r.io/v2/o/n/tags/list", "ftp://r.io:443/v2/o/n/tags/list?last=b", None),
            ("https://r.io/v2/o/n/tags/list", "/v2/_catalog?last=b", None),
            ("https://r.io/v2/o/n/tags/list", "https://", None),
        ] {
            let found = cursor(&Url::parse(page).unwrap(), target);
            assert_eq!(found.ok().as_deref(), query, "{target}");
        }
    }

    proptest! {
        #[test]
        fn no_link_leads_to_another_host(target in ".*", host in "[a-z.]{1,10}", path in "[a-z/@:?#]{0,20}") {
            let page = Url::parse("https://r.io/v2/o/n/tags/list?n=2").unwrap();
            let _ = cursor(&page, &target);
            if host != "r.io" {
                let foreign = format!("https://{host}{path}/tags/list?last=b");
                let same = Url::parse(&foreign).is_ok_and(|url| url.host_str() == Some("r.io"));
                prop_assert!(cursor(&page, &foreign).is_err() || same, "{}", foreign);
            }
        }
    }
}
