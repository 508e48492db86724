//! A repository on disk, with plain git as the oracle: what we write it must find sound, and what it forbids we refuse.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![cfg(unix)]

use std::error::Error as _;
use std::path::{Path, PathBuf};

use futures_util::future::join_all;
use image_gitops_git::{
    Access, Branch, Commit, GitError, Identity, Limits, Pushed, Remote, RemoteUrl, RepoPath, Snapshot,
    Transfer, Want,
};
use image_gitops_tests::git::{self, Entry, Git};

const APP: &str = "kubevela/back office/été.yaml";
const OLD: &str = "# keep\r\nimage: a:1 # here\nport: 80";

struct Place {
    folder: tempfile::TempDir,
    bare: PathBuf,
}

/// A bare repository with one commit on `main`.
fn place() -> Place {
    let folder = tempfile::tempdir().unwrap();
    let bare = git::bare_repository(folder.path().join("name.git"));
    let entries = [
        Entry::file(APP, OLD),
        Entry::file("kubevela/other.yaml", "a: b\n"),
        Entry::executable("run.yaml", "image: a:1\n"),
        Entry::symlink("link.yaml", APP),
        Entry::submodule("module", "ce013625030ba8dba906f756967f9e9ca394464a"),
    ];
    git::commit_entries(&bare, "main", &entries, "first");
    Place { folder, bare }
}

fn main_branch() -> Branch {
    Branch::new("main").unwrap()
}

fn path(text: &str) -> RepoPath {
    RepoPath::new(text).unwrap()
}

fn remote(place: impl AsRef<Path>) -> Remote {
    at(place.as_ref().to_str().unwrap())
}

fn at(url: &str) -> Remote {
    Remote::new(RemoteUrl::parse(url).unwrap(), Access::default(), Limits::default()).unwrap()
}

async fn read(remote: &Remote, file: &str) -> Result<Snapshot, GitError> {
    remote.snapshot(&main_branch(), &[Want::File(path(file))]).await
}

fn commit(snapshot: &Snapshot, file: &str, content: &str) -> Commit {
    let robot = Identity::new("robot", "robot@example.org").unwrap();
    let change = [(path(file), content.as_bytes().to_vec())];
    snapshot.commit(&change, &robot, &robot, 1_800_000_000, "🤖 Auto-update image: a:2").unwrap()
}

/// Reads the file, changes its image and pushes: the whole of what the program does.
async fn update(remote: &Remote) -> Result<Pushed, GitError> {
    let snapshot = read(remote, APP).await?;
    let new = String::from_utf8(snapshot.files[&path(APP)].bytes.clone()).unwrap().replace("a:1", "a:2");
    remote.push(commit(&snapshot, APP, &new)).await
}

/// What an error says, with its causes.
fn said(error: &GitError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text = format!("{text}: {next}");
        cause = next.source();
    }
    text
}

#[tokio::test]
async fn one_line_changes_and_git_finds_everything_sound() {
    let place = place();
    let remote = remote(&place.bare);
    let before = git::rev(&place.bare, "main");
    let snapshot = read(&remote, APP).await.unwrap();
    assert_eq!((snapshot.tip.to_string(), snapshot.transfer), (before.clone(), Transfer::Local));
    assert_eq!(remote.tip(&main_branch()).await.unwrap(), snapshot.tip);
    remote.check_push(&main_branch()).await.unwrap();
    assert_eq!(git::rev(&place.bare, "main"), before, "asking whether one may push changes nothing");

    let pushed = update(&remote).await.unwrap();
    assert_eq!(pushed.messages, Vec::<String>::new());
    git::fsck(&place.bare);
    let line = git::one_line_diff(&place.bare, &before, "main");
    assert_eq!((line.path.as_str(), line.old.as_str()), (APP, "image: a:1 # here"));
    assert_eq!(line.new, "image: a:2 # here");
    assert_eq!(git::show(&place.bare, "main", APP), OLD.replace("a:1", "a:2").as_bytes());
    let log = git::log(&place.bare, "main");
    assert_eq!(log[0].id, pushed.commit.to_string());
    assert_eq!(
        (log[0].author.as_str(), log[0].subject.as_str()),
        ("robot <robot@example.org>", "🤖 Auto-update image: a:2")
    );
    assert_eq!(log[1].id, before);
    assert_eq!(
        git::files(&place.bare, "main"),
        git::files(&place.bare, &before),
        "no mode and no name changed"
    );
    let clone = git::clone(place.bare.to_str().unwrap(), place.folder.path().join("clone"));
    assert_eq!(std::fs::read(clone.join(APP)).unwrap(), OLD.replace("a:1", "a:2").as_bytes());
    let left: Vec<_> = below(&place.bare)
        .into_iter()
        .filter(|name| name.contains("tmp") || name.ends_with(".lock"))
        .collect();
    assert_eq!(left, Vec::<String>::new(), "no temporary file is left");
}

/// The names of all files below a folder.
fn below(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let name = |path: PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
    entries.flat_map(|path| if path.is_dir() { below(&path) } else { vec![name(path)] }).collect()
}

#[tokio::test]
async fn every_spelling_of_the_place_leads_to_it() {
    let place = place();
    let odd = place.folder.path().join("dépôt 100%.git");
    std::fs::rename(&place.bare, &odd).unwrap();
    let folder = place.folder.path().to_str().unwrap();
    for url in [
        format!("file://{folder}/d%C3%A9p%C3%B4t%20100%25.git"),
        format!("file://localhost{folder}/d%C3%A9p%C3%B4t%20100%25"),
        format!("{folder}/dépôt 100%.git"),
        format!("{folder}/dépôt 100%"),
    ] {
        assert!(at(&url).tip(&main_branch()).await.is_ok(), "{url}");
    }
    update(&at(&format!("file://{folder}/d%C3%A9p%C3%B4t%20100%25.git"))).await.unwrap();
    git::fsck(&odd);
}

#[tokio::test]
async fn packed_references_packed_objects_and_borrowed_objects_are_read() {
    let place = place();
    Git::in_dir(&place.bare).args(["gc", "--quiet"]).run();
    assert!(!place.bare.join("refs/heads/main").exists(), "the reference is packed");
    let borrower = place.folder.path().join("borrower.git");
    Git::in_dir("/").args(["clone", "--quiet", "--bare", "--shared"]).args([&place.bare, &borrower]).run();
    for bare in [&place.bare, &borrower] {
        let old = git::rev(bare, "main");
        update(&remote(bare)).await.unwrap();
        git::fsck(bare);
        assert_eq!(git::one_line_diff(bare, &old, "main").new, "image: a:2 # here");
    }
}

#[tokio::test]
async fn what_is_missing_is_said_as_for_any_other_remote() {
    let place = place();
    let local = remote(&place.bare);
    git::commit_files(&place.bare, "other", &[("x", "1")], "x");
    match local.tip(&Branch::new("absent").unwrap()).await {
        Err(GitError::BranchNotFound { known, .. }) => assert_eq!(known, ["main", "other"]),
        other => panic!("{other:?}"),
    }
    let empty = git::bare_repository(place.folder.path().join("empty.git"));
    assert!(matches!(remote(&empty).tip(&main_branch()).await, Err(GitError::EmptyRepository { .. })));
    assert!(matches!(read(&local, "kubevela/absent.yaml").await, Err(GitError::PathNotFound { .. })));
    for (file, kind) in
        [("link.yaml", "a symbolic link"), ("module", "a submodule"), ("kubevela", "a folder")]
    {
        match read(&local, file).await {
            Err(GitError::PathKind { kind: found, .. }) => assert_eq!(found, kind),
            other => panic!("{file}: {other:?}"),
        }
    }
    let folder = local.snapshot(&main_branch(), &[Want::Folder(path("kubevela"))]).await.unwrap();
    let paths: Vec<_> = folder.files.keys().map(RepoPath::as_str).collect();
    assert_eq!(paths, [APP, "kubevela/other.yaml"]);
}

#[tokio::test]
async fn what_is_no_repository_is_said_in_clear_words() {
    let place = place();
    let folder = place.folder.path();
    std::fs::create_dir(folder.join("plain")).unwrap();
    std::fs::write(folder.join("file"), "").unwrap();
    let sha256 = folder.join("sha256.git");
    Git::in_dir(folder).args(["init", "--quiet", "--bare", "--object-format=sha256", "sha256.git"]).run();
    let reftable = git::bare_repository(folder.join("reftable.git"));
    git::config(&reftable, "core.repositoryFormatVersion", "1");
    git::config(&reftable, "extensions.refStorage", "reftable");
    for (name, words) in [
        (folder.join("absent"), "no such folder"),
        (folder.join("plain"), "not a Git repository"),
        (folder.join("file"), "it is a file"),
        (sha256, "named by sha256"),
        (reftable, "stored as reftable"),
    ] {
        let error = remote(&name).tip(&main_branch()).await.unwrap_err();
        let text = said(&error);
        assert!(text.contains(words) && text.contains(name.to_str().unwrap()), "{text}");
        assert!(!error.is_transient());
        assert!(matches!(error, GitError::Unsupported { .. }) || error.hint().is_some(), "{text}");
    }
}

#[tokio::test]
async fn a_branch_that_moved_stays_where_it_is() {
    let place = place();
    let remote = remote(&place.bare);
    let snapshot = read(&remote, APP).await.unwrap();
    let stale = commit(&snapshot, APP, "image: a:3\n");
    let theirs = git::commit_files(&place.bare, "main", &[("new", "1")], "somebody else");
    match remote.push(stale.clone()).await {
        Err(GitError::Moved { expected, now, .. }) => {
            assert_eq!((expected, now.unwrap().to_string()), (snapshot.tip, theirs.clone()));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(git::rev(&place.bare, "main"), theirs);
    Git::in_dir(&place.bare).args(["update-ref", "-d", "refs/heads/main"]).run();
    assert!(matches!(remote.push(stale).await, Err(GitError::Moved { now: None, .. })));
    assert_eq!(
        Git::in_dir(&place.bare).args(["branch", "--list"]).run(),
        "",
        "a deleted branch is not made again"
    );
}

#[tokio::test]
async fn of_two_writers_at_once_exactly_one_wins() {
    for round in 0..20 {
        let place = place();
        if round % 2 == 1 {
            Git::in_dir(&place.bare).args(["pack-refs", "--all"]).run();
        }
        let one = remote(&place.bare);
        let snapshot = read(&one, APP).await.unwrap();
        let pushes = ["image: a:2\n", "image: a:3\n"].map(|content| {
            let (remote, commit) = (remote(&place.bare), commit(&snapshot, APP, content));
            async move { (commit.id, remote.push(commit).await) }
        });
        let mut winners = Vec::new();
        // Both wait for a thread of their own, so the two do race.
        for push in join_all(pushes).await {
            match push {
                (id, Ok(pushed)) => {
                    assert_eq!(pushed.commit, id);
                    winners.push(id.to_string());
                }
                (_, Err(GitError::Moved { expected, now, .. })) => {
                    assert_eq!(expected, snapshot.tip);
                    assert_ne!(now, Some(snapshot.tip));
                }
                (_, Err(other)) => panic!("{}", said(&other)),
            }
        }
        assert_eq!(winners, [git::rev(&place.bare, "main")]);
    }
}

#[tokio::test]
async fn eight_writers_beside_git_itself_lose_nothing() {
    let place = place();
    git::commit_files(&place.bare, "main", &[("list.yaml", "")], "a list");
    let done = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    // Git itself writes another file of the branch and packs the references, over and over, as a busy server does.
    let busy = std::thread::spawn({
        let (bare, done) = (place.bare.clone(), std::sync::Arc::clone(&done));
        move || {
            let mut landed = 0;
            while !done.load(std::sync::atomic::Ordering::SeqCst) {
                Git::in_dir(&bare).args(["pack-refs", "--all", "--prune"]).attempt().ok();
                let old = git::rev(&bare, "refs/heads/main");
                let tree = git::rev(&bare, &format!("{old}^{{tree}}"));
                let new = Git::in_dir(&bare).args(["commit-tree", "-p", &old, "-m", "git", &tree]).run();
                landed += usize::from(
                    Git::in_dir(&bare).args(["update-ref", "refs/heads/main", &new, &old]).attempt().is_ok(),
                );
            }
            landed
        }
    });
    let write = async |writer: usize| {
        let remote = remote(&place.bare);
        for entry in 0..3 {
            loop {
                let snapshot = read(&remote, "list.yaml").await.unwrap();
                let mut list = String::from_utf8(snapshot.files[&path("list.yaml")].bytes.clone()).unwrap();
                list.push_str(&format!("- writer {writer} entry {entry}\n"));
                match remote.push(commit(&snapshot, "list.yaml", &list)).await {
                    Ok(_) => break,
                    Err(GitError::Moved { .. } | GitError::Locked { .. }) => {}
                    Err(other) => panic!("{}", said(&other)),
                }
            }
        }
    };
    join_all((0..8).map(write)).await;
    done.store(true, std::sync::atomic::Ordering::SeqCst);
    let by_git = busy.join().unwrap();
    git::fsck(&place.bare);
    let list = String::from_utf8(git::show(&place.bare, "main", "list.yaml")).unwrap();
    let mut lines: Vec<_> = list.lines().collect();
    lines.sort_unstable();
    lines.dedup();
    assert_eq!(lines.len(), 24, "{list}");
    assert_eq!(git::log(&place.bare, "main").len(), 2 + 24 + by_git, "git's commits are all there as well");
}

#[tokio::test]
async fn a_lock_that_stays_is_told_and_can_be_tried_again() {
    let place = place();
    let lock = place.bare.join("refs/heads/main.lock");
    std::fs::write(&lock, "").unwrap();
    let remote = remote(&place.bare);
    let error = update(&remote).await.unwrap_err();
    assert!(matches!(error, GitError::Locked { .. }) && error.is_transient(), "{}", said(&error));
    assert_eq!(git::log(&place.bare, "main").len(), 1);
    std::fs::remove_file(&lock).unwrap();
    update(&remote).await.unwrap();
}

#[tokio::test]
async fn a_hook_that_could_refuse_is_taken_as_a_no() {
    for name in ["pre-receive", "update", "reference-transaction"] {
        let place = place();
        let local = remote(&place.bare);
        git::hook(&place.bare, name, "exit 0");
        let asked = local.check_push(&main_branch()).await.unwrap_err();
        let pushed = update(&local).await.unwrap_err();
        for error in [asked, pushed] {
            assert!(matches!(error, GitError::PolicyRefused { .. }), "{}", said(&error));
            assert!(said(&error).contains(name) && error.hint().unwrap().contains("bare repository"));
        }
        assert_eq!(git::log(&place.bare, "main").len(), 1);
        use std::os::unix::fs::PermissionsExt as _;
        let hook = place.bare.join("hooks").join(name);
        std::fs::set_permissions(hook, std::fs::Permissions::from_mode(0o644)).unwrap();
        update(&local).await.expect("git runs no hook that is not executable");
    }
}

#[tokio::test]
async fn hooks_that_come_after_are_named_and_others_do_not_matter() {
    let place = place();
    for name in ["post-receive", "post-update", "pre-push", "proc-receive", "push-to-checkout", "commit-msg"]
    {
        git::hook(&place.bare, name, "touch ran");
    }
    let pushed = update(&remote(&place.bare)).await.unwrap();
    let named: Vec<_> = pushed.messages.iter().filter_map(|message| message.split(' ').nth(2)).collect();
    assert_eq!(named, ["post-receive", "post-update"], "{:?}", pushed.messages);
    assert!(!place.bare.join("ran").exists());
}

#[tokio::test]
async fn hooks_are_looked_for_where_git_looks() {
    let place = place();
    git::config(&place.bare, "core.hooksPath", "elsewhere");
    std::fs::create_dir(place.bare.join("elsewhere")).unwrap();
    git::hook(&place.bare, "update", "exit 1");
    std::fs::rename(place.bare.join("hooks/update"), place.bare.join("elsewhere/update")).unwrap();
    assert!(matches!(update(&remote(&place.bare)).await, Err(GitError::PolicyRefused { .. })));
    std::fs::rename(place.bare.join("elsewhere/update"), place.bare.join("hooks/update")).unwrap();
    update(&remote(&place.bare)).await.expect("git does not look there");
    // With a list of references, git hands some of them to this hook.
    let place = self::place();
    git::hook(&place.bare, "proc-receive", "exit 1");
    git::config(&place.bare, "receive.procReceiveRefs", "refs/heads");
    assert!(matches!(update(&remote(&place.bare)).await, Err(GitError::PolicyRefused { .. })));
}

#[tokio::test]
async fn no_working_tree_is_left_behind_its_branch() {
    let place = place();
    let clone = git::clone(place.bare.to_str().unwrap(), place.folder.path().join("clone"));
    for spelling in [clone.clone(), clone.join(".git")] {
        let error = update(&remote(&spelling)).await.unwrap_err();
        assert!(matches!(error, GitError::PolicyRefused { .. }), "{}", said(&error));
        assert!(said(&error).contains("checked out"), "{}", said(&error));
    }
    Git::in_dir(&clone).args(["checkout", "--quiet", "-b", "work"]).run();
    update(&remote(&clone)).await.expect("nobody looks at main now");
    git::fsck(&clone);
    Git::in_dir(&clone).args(["worktree", "add", "--quiet", "../tree", "main"]).run();
    let refused = remote(&clone).check_push(&main_branch()).await.unwrap_err();
    assert!(said(&refused).contains("tree"), "{}", said(&refused));
    git::config(&clone, "receive.denyCurrentBranch", "ignore");
    remote(&clone).check_push(&main_branch()).await.expect("the owner of the repository allows it");
}

#[tokio::test]
async fn a_linked_working_tree_of_a_bare_repository_counts_too() {
    let place = place();
    Git::in_dir(&place.bare).args(["worktree", "add", "--quiet", "../tree", "main"]).run();
    assert!(matches!(update(&remote(&place.bare)).await, Err(GitError::PolicyRefused { .. })));
}

#[tokio::test]
async fn the_history_is_the_one_git_shows() {
    let place = place();
    for n in 0..5 {
        git::commit_files(&place.bare, "main", &[("n", n.to_string())], &format!("commit {n}"));
    }
    let tree = git::rev(&place.bare, "main^{tree}");
    let side = Git::in_dir(&place.bare).args(["commit-tree", "-p", "main~3", "-m", "side", &tree]).run();
    let merge =
        Git::in_dir(&place.bare).args(["commit-tree", "-p", "main", "-p", &side, "-m", "merge", &tree]).run();
    Git::in_dir(&place.bare).args(["update-ref", "refs/heads/main", &merge]).run();
    let local = remote(&place.bare);
    let snapshot = read(&local, APP).await.unwrap();
    let all = local.history(&snapshot, 64).await.unwrap();
    let expected = Git::in_dir(&place.bare).args(["rev-list", "--date-order", "main"]).run();
    let ids: Vec<_> = all.commits.iter().map(|commit| commit.id.to_string()).collect();
    assert_eq!((ids.join("\n"), all.complete), (expected, true));
    let near = local.history(&snapshot, 2).await.unwrap();
    assert_eq!((near.commits.len(), near.complete), (3, false), "the merge and its two parents");

    let shallow = place.folder.path().join("shallow.git");
    let url = format!("file://{}", place.bare.display());
    Git::in_dir("/").args(["clone", "--quiet", "--bare", "--depth=2", &url]).args([&shallow]).run();
    let local = remote(&shallow);
    let history = local.history(&read(&local, APP).await.unwrap(), 64).await.unwrap();
    assert_eq!((history.commits.len(), history.complete), (3, false));
    update(&local).await.unwrap();
}

#[tokio::test]
async fn the_reflog_says_who_pushed_where_git_would_keep_one() {
    let place = place();
    update(&remote(&place.bare)).await.unwrap();
    assert!(!place.bare.join("logs").exists(), "a bare repository keeps none by itself");
    let place = self::place();
    git::config(&place.bare, "core.logAllRefUpdates", "true");
    update(&remote(&place.bare)).await.unwrap();
    let log = Git::in_dir(&place.bare).args(["log", "-g", "-1", "--format=%gn <%ge> %gs %H", "main"]).run();
    assert_eq!(log, format!("robot <robot@example.org> push {}", git::rev(&place.bare, "main")));
}

#[tokio::test]
async fn a_symbolic_branch_moves_the_one_behind_it() {
    let place = place();
    Git::in_dir(&place.bare).args(["branch", "-m", "main", "trunk"]).run();
    Git::in_dir(&place.bare).args(["symbolic-ref", "refs/heads/main", "refs/heads/trunk"]).run();
    let pushed = update(&remote(&place.bare)).await.unwrap();
    assert_eq!(git::rev(&place.bare, "trunk"), pushed.commit.to_string());
    assert_eq!(Git::in_dir(&place.bare).args(["symbolic-ref", "refs/heads/main"]).run(), "refs/heads/trunk");
}

#[tokio::test]
async fn what_was_replaced_locally_is_read_as_everybody_else_reads_it() {
    let place = place();
    let old = git::rev(&place.bare, &format!("main:{APP}"));
    let other =
        Git::in_dir(&place.bare).args(["hash-object", "-w", "--stdin"]).input("image: evil:1\n").run();
    Git::in_dir(&place.bare).args(["replace", &old, &other]).run();
    let snapshot = read(&remote(&place.bare), APP).await.unwrap();
    assert_eq!(snapshot.files[&path(APP)].bytes, OLD.as_bytes());
}

#[tokio::test]
async fn objects_above_the_limit_and_objects_that_are_gone_are_told() {
    let place = place();
    let url = RemoteUrl::parse(place.bare.to_str().unwrap()).unwrap();
    let limits = Limits { object_bytes: 1 << 20, ..Limits::default() };
    let small = Remote::new(url, Access::default(), limits).unwrap();
    git::commit_files(&place.bare, "main", &[("big.yaml", vec![b'a'; 2 << 20])], "big");
    assert!(matches!(read(&small, "big.yaml").await, Err(GitError::TooLarge { .. })));
    let id = git::rev(&place.bare, &format!("main:{APP}"));
    let (head, tail) = id.split_at(2);
    std::fs::remove_file(place.bare.join("objects").join(head).join(tail)).unwrap();
    let error = read(&small, APP).await.unwrap_err();
    assert!(said(&error).contains(&id) && error.hint().unwrap().contains("fsck"), "{}", said(&error));
}

#[tokio::test]
async fn the_neighbours_of_a_shared_repository_can_still_push() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = place();
    let objects = place.bare.join("objects");
    std::fs::set_permissions(&objects, std::fs::Permissions::from_mode(0o2775)).unwrap();
    let known: Vec<_> = std::fs::read_dir(&objects).unwrap().map(|entry| entry.unwrap().path()).collect();
    update(&remote(&place.bare)).await.unwrap();
    let new: Vec<_> = std::fs::read_dir(&objects).unwrap().map(|entry| entry.unwrap().path()).collect();
    let new: Vec<_> = new.into_iter().filter(|folder| !known.contains(folder)).collect();
    assert!(!new.is_empty());
    for folder in new {
        assert_eq!(std::fs::metadata(&folder).unwrap().permissions().mode() & 0o7777, 0o2775, "{folder:?}");
    }
}

/// Set in the run of this program as somebody without rights.
const NOBODY: &str = "IMAGE_GITOPS_TEST_REPOSITORY";

/// Who runs the tests may be root, whom nothing is denied: then this program runs itself as nobody.
#[tokio::test]
async fn without_rights_nothing_is_written_and_the_reason_is_told() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    if let Ok(bare) = std::env::var(NOBODY) {
        return read_but_not_write(Path::new(&bare)).await;
    }
    let place = place();
    let mode = std::fs::Permissions::from_mode;
    std::fs::set_permissions(place.folder.path(), mode(0o755)).unwrap();
    if std::fs::metadata("/proc/self").unwrap().uid() != 0 {
        for folder in ["objects", "refs/heads"] {
            std::fs::set_permissions(place.bare.join(folder), mode(0o555)).unwrap();
        }
        read_but_not_write(&place.bare).await;
        for folder in ["objects", "refs/heads"] {
            std::fs::set_permissions(place.bare.join(folder), mode(0o755)).unwrap();
        }
        return;
    }
    // The program is copied to where everybody may read it.
    let program = place.folder.path().join("program");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let name = "without_rights_nothing_is_written_and_the_reason_is_told";
    as_nobody(&program, name, &place.bare);
    assert_eq!(git::log(&place.bare, "main").len(), 1);
    git::fsck(&place.bare);
}

#[expect(clippy::disallowed_types, reason = "the program of the tests itself, as another user")]
fn as_nobody(program: &Path, test: &str, bare: &Path) {
    use std::os::unix::process::CommandExt as _;
    const ID: u32 = 65534;
    let mut command = std::process::Command::new(program);
    let run =
        command.args(["--exact", test, "--nocapture"]).env(NOBODY, bare).current_dir("/").uid(ID).gid(ID);
    let output = run.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"));
}

async fn read_but_not_write(bare: &Path) {
    let remote = remote(bare);
    let snapshot = read(&remote, APP).await.expect("everybody may read");
    let asked = remote.check_push(&main_branch()).await.unwrap_err();
    let pushed = remote.push(commit(&snapshot, APP, "image: a:2\n")).await.unwrap_err();
    for error in [asked, pushed] {
        assert!(matches!(error, GitError::Disk { .. }), "{}", said(&error));
        assert!(said(&error).contains("ermission denied"), "{}", said(&error));
        assert!(error.hint().unwrap().contains("read and write"), "{:?}", error.hint());
    }
    let locked = std::fs::File::create_new(bare.join("refs/heads/main.lock"));
    assert!(locked.is_err(), "the test is one of rights only if there are none");
}
