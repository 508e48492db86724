//! Plain git as the oracle: what a user would see in the repository our code wrote to.
//!
//! Every run has a scrubbed environment (no user or system configuration, fixed names, no prompts), so a test says the
//! same on every machine. All functions panic on failure with git's own words: they are for tests only.
#![allow(clippy::disallowed_types, reason = "the tests, and only they, ask the real git what it thinks")]
#![allow(clippy::panic, clippy::expect_used, reason = "a test fails by panicking")]

use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The first commit's time; each further commit of a branch is a minute later, so that "newest first" means something.
const EPOCH: u64 = 1_700_000_000;

/// The environment of every git of the tests, the server's included: nothing of the machine's or the user's.
pub(crate) fn environment() -> Vec<(&'static str, OsString)> {
    let mut all: Vec<(&'static str, OsString)> = [
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("GIT_CONFIG_NOSYSTEM", "1"),
        ("GIT_TERMINAL_PROMPT", "0"),
        ("GIT_AUTHOR_NAME", "A Person"),
        ("GIT_AUTHOR_EMAIL", "person@example.org"),
        ("GIT_COMMITTER_NAME", "A Person"),
        ("GIT_COMMITTER_EMAIL", "person@example.org"),
        ("HOME", "/nonexistent"),
        ("LC_ALL", "C.UTF-8"),
    ]
    .into_iter()
    .map(|(name, value)| (name, OsString::from(value)))
    .collect();
    all.extend(std::env::var_os("PATH").map(|path| ("PATH", path)));
    all
}

/// One run of git.
#[derive(Debug)]
pub struct Git {
    command: Command,
    input: Vec<u8>,
}

impl Git {
    /// Git run in `folder` (a bare repository, a clone or any folder).
    pub fn in_dir(folder: impl AsRef<Path>) -> Self {
        let mut command = Command::new("git");
        command.current_dir(folder).env_clear().envs(environment());
        Self { command, input: Vec::new() }
    }

    /// Adds arguments.
    pub fn args<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.command.args(arguments);
        self
    }

    /// Sets a variable of the environment.
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// What git reads from its standard input.
    pub fn input(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.input = bytes.into();
        self
    }

    /// Runs git and returns its output without the last line break.
    ///
    /// # Panics
    /// When git fails.
    pub fn run(self) -> String {
        let bytes = self.bytes();
        String::from_utf8_lossy(&bytes).trim_end_matches('\n').to_owned()
    }

    /// Runs git and returns its output as it is.
    ///
    /// # Panics
    /// When git fails.
    pub fn bytes(self) -> Vec<u8> {
        let what = format!("{:?}", self.command.get_args().collect::<Vec<_>>());
        self.attempt().unwrap_or_else(|why| panic!("git {what} failed:\n{why}"))
    }

    /// Runs git: its output, or what it said on standard error when it failed.
    pub fn attempt(mut self) -> Result<Vec<u8>, String> {
        self.command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = self.command.spawn().map_err(|e| format!("cannot run git: {e}"))?;
        let mut stdin = child.stdin.take().ok_or("git has no standard input")?;
        let input = std::mem::take(&mut self.input);
        // Another thread writes: git may fill its output before it has read all of its input.
        let writer = std::thread::spawn(move || stdin.write_all(&input));
        let output = child.wait_with_output().map_err(|e| e.to_string())?;
        // A broken pipe means that git ended early; its own words say why.
        let _ = writer.join();
        if output.status.success() {
            Ok(output.stdout)
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }
}

/// Makes an empty bare repository at `path` whose default branch is `main`.
pub fn bare_repository(path: impl AsRef<Path>) -> PathBuf {
    let path = path.as_ref().to_owned();
    std::fs::create_dir_all(&path).expect("the folder of the repository can be made");
    Git::in_dir(&path).args(["init", "--quiet", "--bare", "--initial-branch=main", "."]).run();
    path
}

/// One change of a commit: what lies at a path from then on.
#[derive(Debug, Clone)]
pub struct Entry {
    path: String,
    content: Content,
}

#[derive(Debug, Clone)]
enum Content {
    Blob { mode: &'static str, bytes: Vec<u8> },
    Commit(String),
    Nothing,
}

impl Entry {
    /// A regular file.
    pub fn file(path: &str, bytes: impl AsRef<[u8]>) -> Self {
        Self::blob(path, "100644", bytes.as_ref())
    }

    /// A file that may be executed.
    pub fn executable(path: &str, bytes: impl AsRef<[u8]>) -> Self {
        Self::blob(path, "100755", bytes.as_ref())
    }

    /// A symbolic link to `target`.
    pub fn symlink(path: &str, target: &str) -> Self {
        Self::blob(path, "120000", target.as_bytes())
    }

    /// A submodule (a gitlink) at `commit`, 40 hex digits.
    pub fn submodule(path: &str, commit: &str) -> Self {
        Self { path: path.to_owned(), content: Content::Commit(commit.to_owned()) }
    }

    /// Nothing: the path is deleted.
    pub fn deleted(path: &str) -> Self {
        Self { path: path.to_owned(), content: Content::Nothing }
    }

    fn blob(path: &str, mode: &'static str, bytes: &[u8]) -> Self {
        Self { path: path.to_owned(), content: Content::Blob { mode, bytes: bytes.to_vec() } }
    }

    fn write(&self, stream: &mut Vec<u8>) {
        let path = quoted(&self.path);
        let line = match &self.content {
            Content::Blob { mode, bytes } => {
                let head = format!("M {mode} inline {path}\ndata {}\n", bytes.len());
                stream.extend_from_slice(head.as_bytes());
                stream.extend_from_slice(bytes);
                "\n".to_owned()
            }
            Content::Commit(id) => format!("M 160000 {id} {path}\n"),
            Content::Nothing => format!("D {path}\n"),
        };
        stream.extend_from_slice(line.as_bytes());
    }
}

/// A path as `git fast-import` reads it, whatever its characters.
fn quoted(path: &str) -> String {
    format!("\"{}\"", path.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

/// Commits regular files on top of `branch` (made when absent) and returns the commit's id.
pub fn commit_files(
    bare: impl AsRef<Path>,
    branch: &str,
    files: &[(&str, impl AsRef<[u8]>)],
    message: &str,
) -> String {
    let entries: Vec<Entry> = files.iter().map(|(path, bytes)| Entry::file(path, bytes)).collect();
    commit_entries(bare, branch, &entries, message)
}

/// Commits entries of any mode on top of `branch` (made when absent) and returns the commit's id. Where somebody else is
/// faster, it goes on top of theirs.
///
/// # Panics
/// When git cannot do it.
pub fn commit_entries(bare: impl AsRef<Path>, branch: &str, entries: &[Entry], message: &str) -> String {
    for _ in 0..20 {
        match try_to_commit(bare.as_ref(), branch, entries, message) {
            Err(why) if why.contains("Not updating") || why.contains("cannot lock") => {}
            done => return done.unwrap_or_else(|why| panic!("git fast-import failed:\n{why}")),
        }
    }
    panic!("{branch} moves all the time")
}

fn try_to_commit(bare: &Path, branch: &str, entries: &[Entry], message: &str) -> Result<String, String> {
    let reference = format!("refs/heads/{branch}");
    let old = Git::in_dir(bare).args(["rev-parse", "--verify", "--quiet", &reference]).attempt().ok();
    let old = old.map(|id| String::from_utf8_lossy(&id).trim().to_owned());
    let before = match &old {
        Some(id) => Git::in_dir(bare).args(["rev-list", "--count", id]).run().parse().unwrap_or(0),
        None => 0,
    };
    let time = EPOCH + 60 * before;
    let mut stream = format!(
        "commit {reference}\nmark :1\ncommitter A Person <person@example.org> {time} +0000\ndata {}\n{message}\n",
        message.len()
    )
    .into_bytes();
    if let Some(id) = old {
        stream.extend_from_slice(format!("from {id}\n").as_bytes());
    }
    for entry in entries {
        entry.write(&mut stream);
    }
    // The id of what was made, not of the branch's tip, which may be somebody else's by now.
    stream.extend_from_slice(b"get-mark :1\n");
    let said = Git::in_dir(bare).args(["fast-import", "--quiet"]).input(stream).attempt()?;
    Ok(String::from_utf8_lossy(&said).trim().to_owned())
}

/// Commits `directories` × `files` small files (`dir-0007/sub/file-0003.yaml`), all in one commit of `branch`, as one pack.
pub fn large_repository(bare: impl AsRef<Path>, branch: &str, directories: usize, files: usize) -> String {
    let bare = bare_repository(bare);
    let mut stream = format!(
        "commit refs/heads/{branch}\ncommitter A Person <person@example.org> {EPOCH} +0000\ndata 5\nlarge\n"
    );
    for directory in 0..directories {
        for file in 0..files {
            let body = format!("directory: {directory}\nfile: {file}\n");
            let path = format!("dir-{directory:04}/sub/file-{file:04}.yaml");
            // Writing to a String cannot fail.
            let _ = write!(stream, "M 100644 inline {path}\ndata {}\n{body}\n", body.len());
        }
    }
    Git::in_dir(&bare).args(["fast-import", "--quiet"]).input(stream).run();
    rev(&bare, &format!("refs/heads/{branch}"))
}

/// The id that a revision names.
pub fn rev(bare: impl AsRef<Path>, revision: &str) -> String {
    Git::in_dir(bare).args(["rev-parse", "--verify", revision]).run()
}

/// Checks every object of the repository as strictly as git can.
///
/// # Panics
/// When git finds anything to complain about.
pub fn fsck(bare: impl AsRef<Path>) {
    let said = Git::in_dir(bare).args(["fsck", "--full", "--strict", "--no-dangling", "--no-progress"]).run();
    assert!(said.is_empty(), "git fsck is not content:\n{said}");
}

/// A commit as `git log` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logged {
    /// 40 hex digits.
    pub id: String,
    /// `Name <email>` of the author.
    pub author: String,
    /// `Name <email>` of the committer.
    pub committer: String,
    /// The first line.
    pub subject: String,
    /// The whole message, trailers included.
    pub message: String,
}

/// The commits of a branch, newest first.
pub fn log(bare: impl AsRef<Path>, branch: &str) -> Vec<Logged> {
    let format = "--format=%H%x00%an <%ae>%x00%cn <%ce>%x00%s%x00%B%x01";
    let all = Git::in_dir(bare).args(["log", format, branch, "--"]).run();
    all.split('\u{1}')
        .map(str::trim_start)
        .filter(|commit| !commit.is_empty())
        .map(|commit| {
            let mut fields = commit.split('\0').map(str::to_owned);
            let mut next = || fields.next().unwrap_or_default();
            Logged { id: next(), author: next(), committer: next(), subject: next(), message: next() }
        })
        .collect()
}

/// The bytes of a file at a revision.
pub fn show(bare: impl AsRef<Path>, revision: &str, path: &str) -> Vec<u8> {
    Git::in_dir(bare).args(["cat-file", "blob", &format!("{revision}:{path}")]).bytes()
}

/// `(mode, path)` of every file at a revision, in git's order; paths as they are, not quoted.
pub fn files(bare: impl AsRef<Path>, revision: &str) -> Vec<(String, String)> {
    let all = Git::in_dir(bare).args(["ls-tree", "-r", "-z", revision]).run();
    all.split('\0')
        .filter_map(|line| line.split_once('\t'))
        .map(|(head, path)| (head.split(' ').next().unwrap_or_default().to_owned(), path.to_owned()))
        .collect()
}

/// One changed line of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedLine {
    /// The file's path.
    pub path: String,
    /// The line before.
    pub old: String,
    /// The line after.
    pub new: String,
}

/// The one line in which two revisions differ.
///
/// # Panics
/// When anything else than exactly one line of one file changed (another mode, another file, a final newline).
pub fn one_line_diff(bare: impl AsRef<Path>, old: &str, new: &str) -> ChangedLine {
    let arguments = ["-c", "core.quotePath=false", "diff", "--unified=0", "--no-renames", "--no-color"];
    let diff = Git::in_dir(bare).args(arguments).args([old, new]).run();
    let starting = |prefix: &str, but: &str| -> Vec<String> {
        let lines = diff.lines().filter(|line| line.starts_with(prefix) && !line.starts_with(but));
        lines.map(|line| line.chars().skip(1).collect()).collect()
    };
    let (removed, added) = (starting("-", "--- "), starting("+", "+++ "));
    let paths: Vec<_> = diff.lines().filter_map(|line| line.strip_prefix("+++ b/")).collect();
    let quiet = !diff.contains("\nold mode ") && !diff.contains("\n\\ No newline");
    match (paths.as_slice(), removed.as_slice(), added.as_slice()) {
        ([path], [old], [new]) if quiet => ChangedLine {
            path: (*path).trim_end_matches('\t').to_owned(),
            old: old.clone(),
            new: new.clone(),
        },
        _ => panic!("one line should differ, but the difference is:\n{diff}"),
    }
}

/// Clones `url` into a new folder `to`, with a working tree.
pub fn clone(url: &str, to: impl AsRef<Path>) -> PathBuf {
    let to = to.as_ref().to_owned();
    Git::in_dir("/").args(["clone", "--quiet", url]).args([&to]).run();
    to
}

/// Writes an executable hook (a shell script without its first line) into a repository.
pub fn hook(bare: impl AsRef<Path>, name: &str, script: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = bare.as_ref().join("hooks");
    std::fs::create_dir_all(&folder).expect("the folder of hooks can be made");
    let file = folder.join(name);
    std::fs::write(&file, format!("#!/bin/sh\n{script}\n")).expect("the hook can be written");
    let executable = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(&file, executable).expect("the hook can be made executable");
}

/// Sets `key` of the repository's own configuration.
pub fn config(bare: impl AsRef<Path>, key: &str, value: &str) {
    Git::in_dir(bare).args(["config", key, value]).run();
}
