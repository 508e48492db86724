//! Where a repository is.

use std::fmt;
use std::path::{Path, PathBuf};

use url::{Host, Url};

use crate::GitError;

/// The URL of a repository: `https://…`, `http://…` of this machine alone, `file:///…` or an absolute path.
///
/// It never holds a credential, so it may be printed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RemoteUrl(Place);

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Place {
    /// Without a slash at its end.
    Http(Url),
    Folder(PathBuf),
}

impl RemoteUrl {
    /// Validates a URL. A slash at its end is dropped, as git does.
    ///
    /// # Errors
    /// [`GitError::Url`] for other schemes (ssh above all), for plain HTTP to another machine (the credential would go
    /// in clear), for credentials, a query or a fragment in the URL, and for relative paths.
    pub fn parse(text: &str) -> Result<Self, GitError> {
        let refuse = |reason: &str, hint: String| GitError::Url {
            url: redacted(text),
            reason: reason.to_owned(),
            hint,
        };
        let give = || "give a URL such as https://github.com/owner/name".to_owned();
        let is_path = text.starts_with('/');
        if text.chars().any(|c| c.is_control() || (c.is_whitespace() && !is_path)) {
            return Err(refuse("it holds spaces or control characters", give()));
        }
        if is_path {
            return Ok(Self(Place::Folder(PathBuf::from(text))));
        }
        let Some((scheme, _)) = text.split_once("://") else {
            return Err(match ssh_as_https(&redacted(text)) {
                Some(https) => {
                    refuse("SSH is not supported", format!("use {https}, with a token in a Secret"))
                }
                None if text.is_empty() => refuse("it is empty", give()),
                None => refuse("it is neither a URL nor an absolute path", give()),
            });
        };
        let url = Url::parse(text).map_err(|error| refuse(&format!("it is not a URL: {error}"), give()))?;
        match scheme.to_ascii_lowercase().as_str() {
            "https" => {}
            "http" if is_loopback(&url) => {}
            "http" => {
                let https =
                    format!("https://{}", redacted(text).split_once("://").map_or("", |(_, rest)| rest));
                return Err(refuse(
                    "over plain HTTP the credential would go in clear",
                    format!("use {https}"),
                ));
            }
            "file" => {
                return Self::file(&url).ok_or_else(|| refuse("it names no folder of this machine", give()));
            }
            "ssh" | "git+ssh" | "ssh+git" => {
                let https =
                    redacted(&format!("https://{}{}", url.host_str().unwrap_or_default(), url.path()));
                return Err(refuse("SSH is not supported", format!("use {https}, with a token in a Secret")));
            }
            "git" => {
                return Err(refuse(
                    "the git protocol has no encryption and no credentials",
                    "use https".into(),
                ));
            }
            other => return Err(refuse(&format!("the scheme {other} is not supported"), "use https".into())),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refuse(
                "it holds a credential",
                format!(
                    "put the credential in a Secret, and change it: a URL ends up in logs. Then use {}",
                    redacted(text)
                ),
            ));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(refuse("a repository's URL has no query and no fragment", give()));
        }
        if url.path().trim_matches('/').is_empty() {
            return Err(refuse("it names a host but no repository", give()));
        }
        Ok(Self(Place::Http(without_last_slash(url))))
    }

    fn file(url: &Url) -> Option<Self> {
        url.to_file_path().ok().filter(|path| path.is_absolute()).map(|path| Self(Place::Folder(path)))
    }

    /// The host's name or address, without a port. `None` for a repository on disk.
    pub fn host(&self) -> Option<&str> {
        match &self.0 {
            Place::Http(url) => url.host_str(),
            Place::Folder(_) => None,
        }
    }

    /// The server: `https://github.com`, with a port where it is not the usual one. `None` for a repository on disk.
    pub fn server(&self) -> Option<String> {
        match &self.0 {
            Place::Http(url) => Some(url.origin().ascii_serialization()),
            Place::Folder(_) => None,
        }
    }

    /// The folder of a repository on disk. `None` for one behind a URL.
    pub fn folder(&self) -> Option<&Path> {
        match &self.0 {
            Place::Http(_) => None,
            Place::Folder(path) => Some(path),
        }
    }

    pub(crate) fn place(&self) -> &Place {
        &self.0
    }
}

impl fmt::Display for RemoteUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Place::Http(url) => f.write_str(url.as_str()),
            Place::Folder(path) => path.display().fmt(f),
        }
    }
}

/// Whether a URL leads to this machine and to no other.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

pub(crate) fn without_last_slash(mut url: Url) -> Url {
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    url
}

/// `git@host:owner/name` as one would write it for HTTPS.
fn ssh_as_https(text: &str) -> Option<String> {
    let (host, path) = text.split_once(':')?;
    let host = host.rsplit('@').next().filter(|host| !host.is_empty() && !host.contains('/'))?;
    Some(format!("https://{host}/{}", path.trim_start_matches('/')))
}

/// A URL that was refused, without anything that may be secret.
fn redacted(text: &str) -> String {
    let text = text.split(['?', '#']).next().unwrap_or_default();
    let (scheme, rest) = text.split_once("://").map_or(("", text), |(scheme, rest)| (scheme, rest));
    // Up to the last @ of all, not only the authority's: a password may hold a slash that nobody encoded.
    let rest = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    if scheme.is_empty() { rest.to_owned() } else { format!("{scheme}://{rest}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_that_can_be_used_are_kept_as_they_are() {
        for (text, shown, host) in [
            ("https://github.com/o/n", "https://github.com/o/n", Some("github.com")),
            ("https://github.com/o/n.git", "https://github.com/o/n.git", Some("github.com")),
            ("https://git.example:8443/a/b/c/", "https://git.example:8443/a/b/c", Some("git.example")),
            ("HTTPS://GitHub.com/o/n", "https://github.com/o/n", Some("github.com")),
            ("http://127.0.0.1:3000/o/n", "http://127.0.0.1:3000/o/n", Some("127.0.0.1")),
            ("http://localhost/o/n", "http://localhost/o/n", Some("localhost")),
            ("http://[::1]:80/o/n", "http://[::1]/o/n", Some("[::1]")),
            ("/srv/git/app.git", "/srv/git/app.git", None),
            ("file:///srv/git/app.git", "/srv/git/app.git", None),
        ] {
            let url = RemoteUrl::parse(text).unwrap();
            assert_eq!((url.to_string().as_str(), url.host()), (shown, host), "{text}");
            assert_eq!(url.folder().is_some(), host.is_none());
        }
    }

    #[test]
    fn urls_that_cannot_be_used_say_why_and_what_instead() {
        for (text, reason, hint) in [
            ("git@github.com:o/n.git", "SSH", "https://github.com/o/n.git"),
            ("ssh://git@github.com/o/n.git", "SSH", "https://github.com/o/n.git"),
            ("git://example.org/o/n", "no encryption", "https"),
            ("http://git.example/o/n", "in clear", "https://git.example/o/n"),
            ("http://localhost.example/o/n", "in clear", "https://localhost.example/o/n"),
            ("ftp://git.example/o/n", "ftp", "https"),
            ("https://github.com", "no repository", "https://"),
            ("https://github.com/o/n?token=abc", "no query", "https://"),
            ("o/n", "neither", "https://"),
            ("", "empty", "https://"),
            ("https://git.example/o n", "spaces", "https://"),
            ("file://other/srv/git", "no folder", "https://"),
            ("https://", "not a URL", "https://"),
        ] {
            let error = RemoteUrl::parse(text).unwrap_err();
            assert!(error.to_string().contains(reason), "{text}: {error}");
            assert!(error.hint().unwrap().contains(hint), "{text}: {:?}", error.hint());
        }
    }

    #[test]
    fn a_refused_url_is_never_shown_with_its_secret() {
        for text in [
            "https://user:s3cret@github.com/o/n",
            "https://s3cret@github.com/o/n",
            "https://user:s3/cret@github.com/o/n",
            "http://user:s3cret@git.example/o/n",
            "ssh://user:s3cret@git.example/o/n",
            "ftp://user:s3cret@git.example/o/n",
            "https://github.com/o/n?token=s3cret",
            "https://user:s3cret@/o/n",
            "user:s3cret@git.example/o/n",
        ] {
            let error = RemoteUrl::parse(text).unwrap_err();
            let shown = format!("{error} {error:?} {:?}", error.hint());
            assert!(!shown.contains("s3cret") && !shown.contains("s3/cret"), "{shown}");
        }
    }
}
