//! Names in a repository, validated once: of branches, of paths in a tree, of people.

use std::fmt;

use gix::bstr::ByteSlice as _;
use gix::validate::path::{component, component::Options};

use crate::GitError;

/// The longest path that is looked up, in bytes (Linux' `PATH_MAX`).
const LONGEST_PATH: usize = 4096;

fn refuse<T>(kind: &'static str, name: &str, reason: impl Into<String>) -> Result<T, GitError> {
    Err(GitError::Name { kind, name: name.to_owned(), reason: reason.into() })
}

/// The name of a branch, without `refs/heads/`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Branch(String);

impl Branch {
    /// Validates a name by the rules of `git check-ref-format --branch`.
    ///
    /// # Errors
    /// [`GitError::Name`] for names that git would not make, and for full names (`refs/heads/main`).
    pub fn new(name: &str) -> Result<Self, GitError> {
        if let Some(short) = name.strip_prefix("refs/heads/") {
            return refuse("branch", name, format!("give the name alone: {short}"));
        }
        if name.starts_with('-') {
            return refuse("branch", name, "a branch cannot start with a dash");
        }
        let full = format!("refs/heads/{name}");
        match gix::validate::reference::branch_name(full.as_bytes().as_bstr()) {
            Ok(_) if !name.is_empty() => Ok(Self(name.to_owned())),
            Ok(_) => refuse("branch", name, "it is empty"),
            Err(error) => refuse("branch", name, error.to_string()),
        }
    }

    /// The name without `refs/heads/`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The whole name of the reference.
    pub(crate) fn reference(&self) -> String {
        format!("refs/heads/{}", self.0)
    }
}

impl fmt::Display for Branch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A path inside the tree of a commit: names joined by slashes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RepoPath(String);

impl RepoPath {
    /// Validates a path. One slash at its end, as people write folders, is dropped.
    ///
    /// # Errors
    /// [`GitError::Name`] for empty parts, `.`, `..`, a leading slash, control characters, and `.git` in any case or
    /// in a spelling that macOS or Windows takes for it.
    pub fn new(path: &str) -> Result<Self, GitError> {
        let trimmed = path.strip_suffix('/').unwrap_or(path);
        if trimmed.is_empty() {
            return refuse("path", path, "it is empty");
        }
        if trimmed.starts_with('/') {
            return refuse("path", path, "paths start at the root of the repository, without a slash");
        }
        if trimmed.len() > LONGEST_PATH {
            return refuse("path", path, format!("it is longer than {LONGEST_PATH} bytes"));
        }
        if trimmed.chars().any(char::is_control) {
            return refuse("path", path, "it holds control characters");
        }
        let options = Options { protect_windows: false, protect_hfs: true, protect_ntfs: true };
        for part in trimmed.split('/') {
            if let Err(error) = component(part.as_bytes().as_bstr(), None, options) {
                return refuse("path", path, error.to_string());
            }
        }
        Ok(Self(trimmed.to_owned()))
    }

    /// The path, with slashes.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is `other` or lies in the folder `other`.
    pub fn is_at_or_below(&self, other: &Self) -> bool {
        self.0.strip_prefix(&other.0).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// The names on the way, from the root.
    pub(crate) fn parts(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }
}

impl fmt::Display for RepoPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Who writes a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    name: String,
    email: String,
}

impl Identity {
    /// Validates a name and an address. Spaces around them are dropped.
    ///
    /// # Errors
    /// [`GitError::Name`] where one is empty or holds `<`, `>`, a line break or another control character: git could
    /// not read the commit back.
    pub fn new(name: &str, email: &str) -> Result<Self, GitError> {
        Ok(Self { name: checked("name of an author", name)?, email: checked("email of an author", email)? })
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The address.
    pub fn email(&self) -> &str {
        &self.email
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} <{}>", self.name, self.email)
    }
}

fn checked(kind: &'static str, text: &str) -> Result<String, GitError> {
    match text.trim() {
        "" => refuse(kind, text, "it is empty"),
        trimmed if trimmed.chars().any(|c| c.is_control() || c == '<' || c == '>') => {
            refuse(kind, text, "it holds <, > or a control character")
        }
        trimmed => Ok(trimmed.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn branches_follow_the_rules_of_git() {
        for name in ["main", "release/1.2", "feature/été", "a-b_c", "v1.0", "@x"] {
            assert_eq!(Branch::new(name).unwrap().reference(), format!("refs/heads/{name}"));
        }
        for name in [
            "",
            "/",
            "a/",
            "/a",
            "a//b",
            "a..b",
            "a.lock",
            "a/b.lock/c",
            ".a",
            "a/.b",
            "a b",
            "a~b",
            "a^b",
            "a:b",
            "a?b",
            "a*b",
            "a[b",
            "a\\b",
            "a@{b",
            "-a",
            "HEAD",
            "refs/heads/main",
            "a\nb",
            "a\u{7f}",
            "a.",
        ] {
            assert!(Branch::new(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn paths_stay_inside_the_tree_and_outside_of_dot_git() {
        for path in [
            "app.yaml",
            "kubevela/app.yaml",
            "dossier/été/app v1.yaml",
            "a/b/",
            ".github/x",
            "git/x",
            "...",
            "a\\b",
        ] {
            assert_eq!(RepoPath::new(path).unwrap().as_str(), path.trim_end_matches('/'));
        }
        for path in [
            "",
            "/",
            "//",
            "/a",
            "a//b",
            "a/./b",
            "./a",
            "..",
            "a/../b",
            ".git/config",
            "a/.GIT/x",
            ".git",
            "a\nb",
            "git~1/x",
            ".g\u{200c}it/x",
            ".git /x",
            "a\0b",
            ".git::$INDEX_ALLOCATION/x",
        ] {
            assert!(RepoPath::new(path).is_err(), "{path:?}");
        }
        assert!(RepoPath::new(&"a/".repeat(3000)).is_err());
    }

    #[test]
    fn a_path_is_below_its_folders_only() {
        let path = |text| RepoPath::new(text).unwrap();
        assert!(path("a/b/c").is_at_or_below(&path("a/b")));
        assert!(path("a/b").is_at_or_below(&path("a/b")));
        assert!(!path("a/bc").is_at_or_below(&path("a/b")));
        assert!(!path("a").is_at_or_below(&path("a/b")));
    }

    #[test]
    fn identities_can_be_read_back_by_git() {
        assert_eq!(Identity::new(" A é ", "a@b").unwrap().to_string(), "A é <a@b>");
        for (name, email) in
            [("", "a@b"), ("A", " "), ("A <b>", "a@b"), ("A\nB", "a@b"), ("A", "a>b"), ("A\0", "a@b")]
        {
            assert!(Identity::new(name, email).is_err(), "{name:?} {email:?}");
        }
    }
}
