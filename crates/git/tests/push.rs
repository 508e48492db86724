//! Pushing over HTTP to `git http-backend`, with plain git as the judge of what arrived.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "support/http.rs"]
mod support;

use std::path::Path;

use image_gitops_core::credential::Credential;
use image_gitops_git::{Branch, Commit, GitError, ObjectId, Pushed, Want};
use image_gitops_tests::git::{self, Entry, Git};
use image_gitops_tests::git_server::{Answer, Authorization, Fault, Options};
use support::{
    NEW, OLD, PATH, assert_sound, edited, main_branch, once, path, prepared, read, remote, remote_with, serve,
};

const RECEIVE: &str = "POST /owner/name/git-receive-pack";

fn id(bare: &Path, revision: &str) -> ObjectId {
    ObjectId::from_hex(git::rev(bare, revision).as_bytes()).unwrap()
}

/// Where the branch moved to, of a push that came too late.
fn moved_to(result: Result<Pushed, GitError>) -> Option<ObjectId> {
    match result {
        Err(GitError::Moved { now, .. }) => now,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_push_is_one_sound_commit_whichever_way_the_branch_was_read() {
    for options in [
        Options::default(),
        Options::default().config("uploadpackfilter.tree.allow", "false"),
        Options::default().config("uploadpack.allowFilter", "false"),
        Options::default().only_v0(),
        Options::default().config("receive.fsckObjects", "true").config("transfer.fsckObjects", "true"),
        Options::default().config("receive.unpackLimit", "1"),
    ] {
        let (server, repository) = serve(options);
        let old = git::rev(&repository.path, "main");
        let remote = remote(&repository.url);
        let commit = prepared(&remote, NEW).await;
        server.take_requests();
        let pushed = remote.push(commit).await.unwrap();
        assert_sound(&repository, &old, &pushed);
        let requests = server.take_requests();
        assert_eq!(requests.len(), 2, "an advertisement and the push");
        let sent = requests[1].received();
        assert!(sent < 1500, "blob, two trees and a commit are not {sent} bytes");
    }
}

#[tokio::test]
async fn what_we_pushed_is_not_fetched_back() {
    let (_server, repository) = serve(Options::default());
    let remote = remote(&repository.url);
    let pushed = remote.push(prepared(&remote, NEW).await).await.unwrap();
    let snapshot = read(&remote, &[PATH]).await.unwrap();
    assert_eq!((snapshot.tip, snapshot.cost.objects), (pushed.commit, 0));
    assert_eq!(snapshot.files[&path(PATH)].bytes, NEW.as_bytes());
}

#[tokio::test]
async fn neighbours_of_every_kind_stay_as_they_are() {
    let (_server, repository) = serve(Options::default());
    let entries = [
        Entry::executable(PATH, OLD),
        Entry::executable("kubevela/run.sh", "#!/bin/sh\n"),
        Entry::symlink("kubevela/link", "app.yaml"),
        Entry::submodule("kubevela/module", &"1".repeat(40)),
        Entry::file("kubevela/été à Genève.yaml", "x\n"),
        Entry::file("kubevela.yaml", "sorts between\n"),
        Entry::file("kubevela/app.yaml.d/x", "x\n"),
        Entry::file("kubevela/\u{fffd}\u{1f916}", "x\n"),
    ];
    let old = git::commit_entries(&repository.path, "main", &entries, "odd");
    let remote = remote(&repository.url);
    let pushed = remote.push(prepared(&remote, NEW).await).await.unwrap();
    assert_sound(&repository, &old, &pushed);
}

#[tokio::test]
async fn several_files_make_one_commit() {
    let (_server, repository) = serve(Options::default());
    let files =
        [("a/b/c/d.yaml", "image: a:1\n"), ("été/ü.yaml", "image: a:1\n"), ("root.yaml", "image: a:1\n")];
    git::commit_files(&repository.path, "main", &files, "more");
    let remote = remote(&repository.url);
    let names = ["a/b/c/d.yaml", "été/ü.yaml", "root.yaml", PATH];
    let snapshot = read(&remote, &names).await.unwrap();
    let changes: Vec<_> = names.iter().map(|name| (*name, "image: a:2\n")).collect();
    let pushed = remote.push(edited(&snapshot, &changes)).await.unwrap();
    git::fsck(&repository.path);
    assert_eq!(git::rev(&repository.path, "main~1"), snapshot.tip.to_string());
    let changed = Git::in_dir(&repository.path)
        .args(["-c", "core.quotePath=false", "diff", "--name-only", "main~1", "main"])
        .run();
    assert_eq!(changed, "a/b/c/d.yaml\nkubevela/app.yaml\nroot.yaml\nété/ü.yaml");
    for name in names {
        assert_eq!(git::show(&repository.path, &pushed.commit.to_string(), name), b"image: a:2\n");
    }
}

#[tokio::test]
async fn a_branch_with_slashes_is_pushed_to() {
    let (_server, repository) = serve(Options::default());
    Git::in_dir(&repository.path).args(["branch", "release/1.x", "main"]).run();
    let remote = remote(&repository.url);
    let snapshot =
        remote.snapshot(&Branch::new("release/1.x").unwrap(), &[Want::File(path(PATH))]).await.unwrap();
    let pushed = remote.push(edited(&snapshot, &[(PATH, NEW)])).await.unwrap();
    assert_eq!(git::rev(&repository.path, "release/1.x"), pushed.commit.to_string());
    assert_eq!(git::rev(&repository.path, "main"), snapshot.tip.to_string());
}

#[tokio::test]
async fn nothing_to_push() {
    let (_server, repository) = serve(Options::default());
    let snapshot = read(&remote(&repository.url), &[PATH]).await.unwrap();
    let me = image_gitops_git::Identity::new("A", "a@example.org").unwrap();
    let same = snapshot.commit(&[(path(PATH), OLD.as_bytes().to_vec())], &me, &me, 0, "x");
    assert!(matches!(same, Err(GitError::NothingToCommit { .. })));
}

#[tokio::test]
async fn forward_unexpectedly_moved() {
    let (server, repository) = serve(Options::default());
    let remote = remote(&repository.url);
    let commit = prepared(&remote, NEW).await;
    git::commit_files(&repository.path, "main", &[("README.md", "somebody else\n")], "second");
    let theirs = id(&repository.path, "main");
    server.take_requests();
    assert_eq!(moved_to(remote.push(commit).await), Some(theirs));
    assert_eq!(id(&repository.path, "main"), theirs);
    assert_eq!(server.take_requests().len(), 1, "no pack is sent for nothing");
    // Decide again, build again.
    let pushed = remote.push(prepared(&remote, NEW).await).await.unwrap();
    assert_sound(&repository, &theirs.to_string(), &pushed);
}

#[tokio::test]
async fn sideways_unexpectedly_moved() {
    let (_server, repository) = serve(Options::default());
    git::commit_files(&repository.path, "main", &[("README.md", "2\n")], "second");
    let remote = remote(&repository.url);
    let commit = prepared(&remote, NEW).await;
    Git::in_dir(&repository.path).args(["update-ref", "refs/heads/main", "main~1"]).run();
    let theirs = git::commit_files(&repository.path, "main", &[("README.md", "3\n")], "forced");
    assert_eq!(moved_to(remote.push(commit).await).unwrap().to_string(), theirs);
    assert_eq!(git::rev(&repository.path, "main"), theirs);
}

#[tokio::test]
async fn unexpectedly_deleted() {
    let (_server, repository) = serve(Options::default());
    git::commit_files(&repository.path, "other", &[("README.md", "2\n")], "other");
    let remote = remote(&repository.url);
    let commit = prepared(&remote, NEW).await;
    Git::in_dir(&repository.path).args(["branch", "-D", "main"]).run();
    assert_eq!(moved_to(remote.push(commit).await), None);
    let branches = Git::in_dir(&repository.path).args(["branch", "--format=%(refname:short)"]).run();
    assert_eq!(branches, "other", "a deleted branch is not made anew");
}

#[tokio::test]
async fn moved_at_the_worst_moment() {
    for deleted in [false, true] {
        let (server, repository) = serve(Options::default());
        let remote = remote(&repository.url);
        let commit = prepared(&remote, NEW).await;
        let bare = repository.path.clone();
        // After the advertisement, before the push.
        server.before(RECEIVE, move || {
            if deleted {
                Git::in_dir(&bare).args(["branch", "-D", "main"]).run();
            } else {
                git::commit_files(&bare, "main", &[("README.md", "somebody else\n")], "second");
            }
        });
        let now = moved_to(remote.push(commit).await);
        let theirs = (!deleted).then(|| id(&repository.path, "main"));
        assert_eq!(now, theirs);
        git::fsck(&repository.path);
    }
}

#[tokio::test]
async fn of_two_pushes_at_once_one_lands() {
    let (_server, repository) = serve(Options::default());
    let (one, two) = (remote(&repository.url), remote(&repository.url));
    let (first, second) = (prepared(&one, NEW).await, prepared(&two, "image: other\n").await);
    let (first, second) = tokio::join!(one.push(first), two.push(second));
    let (won, lost) = if first.is_ok() { (first, second) } else { (second, first) };
    assert_eq!(git::rev(&repository.path, "main"), won.unwrap().commit.to_string());
    assert!(matches!(lost, Err(GitError::Moved { .. })), "{lost:?}");
    git::fsck(&repository.path);
}

#[tokio::test]
async fn rejected_by_a_hook_with_its_words() {
    for name in ["pre-receive", "update"] {
        let (_server, repository) = serve(Options::default());
        let words =
            "printf 'GH006: \\033[31mProtected branch\\033[0m update failed\\nask an owner\\n' >&2; exit 1";
        git::hook(&repository.path, name, words);
        let remote = remote(&repository.url);
        let error = remote.push(prepared(&remote, NEW).await).await.unwrap_err();
        let GitError::PolicyRefused { reason, messages, .. } = &error else { panic!("{error:?}") };
        assert!(reason.contains("hook declined"), "{reason}");
        assert_eq!(messages[..2], ["GH006: Protected branch update failed", "ask an owner"]);
        assert!(error.to_string().contains("ask an owner") && !error.is_transient());
        git::fsck(&repository.path);
        assert_eq!(git::log(&repository.path, "main").len(), 1);
    }
}

#[tokio::test]
async fn a_hook_is_heard_when_it_lets_the_push_pass() {
    let (_server, repository) = serve(Options::default());
    git::hook(&repository.path, "post-receive", "echo 'see https://git.example/checks/1'");
    let remote = remote(&repository.url);
    let pushed = remote.push(prepared(&remote, NEW).await).await.unwrap();
    assert_eq!(pushed.messages, ["see https://git.example/checks/1"]);
}

#[tokio::test]
async fn rejected_by_remote_configuration() {
    for (key, value) in [("receive.hideRefs", "refs/heads/main"), ("transfer.hideRefs", "!refs/heads/x")] {
        let (_server, repository) = serve(Options::default());
        let remote = remote(&repository.url);
        let commit = prepared(&remote, NEW).await;
        git::config(&repository.path, key, value);
        let hidden = key == "receive.hideRefs";
        match remote.push(commit).await {
            Err(GitError::PolicyRefused { reason, .. }) if hidden => {
                assert!(reason.contains("hide"), "{reason}")
            }
            Ok(_) if !hidden => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_push_whose_answer_is_lost_is_looked_up_in_the_branch() {
    for fault in [
        Fault::DropAnswer,
        Fault::CutAfter(0),
        Fault::CutAfter(9),
        Fault::rewrite(|answer| Answer { status: 502, ..answer }),
    ] {
        let (server, repository) = serve(Options::default());
        let old = git::rev(&repository.path, "main");
        let remote = remote(&repository.url);
        let commit = prepared(&remote, NEW).await;
        server.once(RECEIVE, fault.clone());
        let pushed = remote.push(commit).await.unwrap_or_else(|error| panic!("{fault:?}: {error:?}"));
        assert_sound(&repository, &old, &pushed);
    }
}

#[tokio::test]
async fn a_push_that_never_arrived_is_no_success_and_can_be_sent_again() {
    let (server, repository) = serve(Options::default());
    let old = git::rev(&repository.path, "main");
    let remote = remote(&repository.url);
    let commit = prepared(&remote, NEW).await;
    server.once(RECEIVE, Fault::Drop);
    let error = remote.push(commit.clone()).await.unwrap_err();
    assert!(matches!(error, GitError::Unreachable { .. }) && error.is_transient(), "{error}");
    assert_eq!(git::rev(&repository.path, "main"), old);
    let pushed = remote.push(commit.clone()).await.unwrap();
    assert_sound(&repository, &old, &pushed);
    assert_eq!(
        remote.push(commit).await.unwrap().commit,
        pushed.commit,
        "the same commit twice is one commit"
    );
    assert_eq!(git::log(&repository.path, "main").len(), 2);
}

#[tokio::test]
async fn a_lost_answer_and_somebody_elses_push_is_told_as_moved() {
    let (server, repository) = serve(Options::default());
    let remote = remote(&repository.url);
    let commit = prepared(&remote, NEW).await;
    let bare = repository.path.clone();
    server.before(RECEIVE, move || {
        git::commit_files(&bare, "main", &[("README.md", "somebody else\n")], "second");
    });
    server.once(RECEIVE, Fault::DropAnswer);
    assert_eq!(moved_to(remote.push(commit).await), Some(id(&repository.path, "main")));
}

#[tokio::test]
async fn a_branch_that_is_locked_is_tried_again_and_then_given_back() {
    let (server, repository) = serve(Options::default());
    let old = git::rev(&repository.path, "main");
    let lock = repository.path.join("refs/heads/main.lock");
    let remote = remote(&repository.url);
    let commit = prepared(&remote, NEW).await;
    std::fs::write(&lock, "").unwrap();
    let error = remote.push(commit.clone()).await.unwrap_err();
    assert!(matches!(error, GitError::Locked { .. }) && error.is_transient(), "{error}");
    let posts = server.take_requests().iter().filter(|it| it.line() == RECEIVE).count();
    assert_eq!(posts, 3);
    // The lock goes away while we try.
    let held = lock.clone();
    server.once(
        RECEIVE,
        Fault::rewrite(move |answer| {
            std::fs::remove_file(&held).unwrap();
            answer
        }),
    );
    let pushed = remote.push(commit).await.unwrap();
    assert_sound(&repository, &old, &pushed);
}

#[tokio::test]
async fn who_may_read_but_not_push_is_told_so() {
    let (server, repository) = serve(Options::default().public("bot", "s3cret"));
    let commit: Commit = prepared(&remote(&repository.url), NEW).await;
    let anonymous = remote_with(&repository.url, Credential::Anonymous, once());
    let error = anonymous.push(commit.clone()).await.unwrap_err();
    assert!(matches!(error, GitError::Denied { status: 401, .. }), "{error}");
    assert!(anonymous.check_push(&main_branch()).await.is_err());
    let bot = remote_with(&repository.url, Credential::basic("bot", "s3cret"), once());
    bot.check_push(&main_branch()).await.unwrap();
    server.on(
        "service=git-receive-pack",
        Fault::status(403, "remote: Permission to owner/name.git denied to bot."),
    );
    let error = bot.push(commit.clone()).await.unwrap_err();
    assert!(matches!(error, GitError::Denied { status: 403, .. }), "{error}");
    assert!(error.to_string().contains("Permission to owner/name.git denied"), "{error}");
    assert!(error.hint().unwrap().contains("contents: write"));
    server.heal();
    git::config(&repository.path, "http.receivepack", "false");
    assert!(matches!(bot.push(commit).await, Err(GitError::Denied { .. })));
    assert_eq!(git::log(&repository.path, "main").len(), 1);
}

#[tokio::test]
async fn a_check_sends_nothing_and_finds_a_missing_branch() {
    let (server, repository) = serve(Options::default().private("bot", "s3cret"));
    let bot = remote_with(&repository.url, Credential::basic("bot", "s3cret"), once());
    bot.check_push(&main_branch()).await.unwrap();
    let requests = server.take_requests();
    assert_eq!(requests.len(), 1);
    assert_eq!((requests[0].authorization, requests[0].header("git-protocol")), (Authorization::Basic, None));
    let error = bot.check_push(&Branch::new("master").unwrap()).await.unwrap_err();
    assert!(matches!(error, GitError::BranchNotFound { .. }), "{error}");
}

#[tokio::test]
async fn a_redirect_of_the_push_leads_to_the_other_repository() {
    let (server, repository) = serve(Options::default());
    let old = git::rev(&repository.path, "main");
    for service in ["git-upload-pack", "git-receive-pack"] {
        let target = format!("/owner/name/info/refs?service={service}");
        server.on(&format!("GET /old/name/info/refs?service={service}"), Fault::redirect(301, &target));
    }
    let remote = remote(&server.url("old/name"));
    let pushed = remote.push(prepared(&remote, NEW).await).await.unwrap();
    assert_sound(&repository, &old, &pushed);
}

#[tokio::test]
async fn a_deep_path_costs_its_depth() {
    let (server, _) = serve(Options::default());
    let repository = server.repository("owner/large");
    git::large_repository(&repository.path, "main", 500, 10);
    let file = "dir-0007/sub/file-0003.yaml";
    git::commit_files(&repository.path, "main", &[(file, OLD)], "second");
    let old = git::rev(&repository.path, "main");
    let remote = remote(&repository.url);
    let snapshot = read(&remote, &[file]).await.unwrap();
    let pushed = remote.push(edited(&snapshot, &[(file, NEW)])).await.unwrap();
    assert_sound(&repository, &old, &pushed);
    let push = server
        .requests()
        .into_iter()
        .find(|it| it.line().contains("POST /owner/large/git-receive-pack"))
        .unwrap();
    let at = push.body.windows(4).position(|window| window == b"PACK").unwrap();
    assert_eq!(push.body[at + 8..at + 12], [0, 0, 0, 5], "blob, three trees, commit");
}

/// The body of the one push that a server saw.
fn body_of(server: &image_gitops_tests::git_server::GitServer) -> Vec<u8> {
    let pushed = server.requests().into_iter().find(|request| request.line().contains(RECEIVE));
    pushed.expect("a push was sent").body
}

/// The same as [`assert_sound`], for a file that is too long to be compared in a message.
fn assert_one_line(bare: &Path, old: &str, pushed: &Pushed) {
    git::fsck(bare);
    assert_eq!(id(bare, "main"), pushed.commit);
    assert_eq!(git::one_line_diff(bare, old, "main").new, "image: ghcr.io/o/n:2");
}

#[tokio::test]
async fn a_line_in_a_large_file_beside_a_thousand_folders_is_pushed_as_a_few_bytes() {
    for config in ["1", "100"] {
        let (server, repository) = serve(Options::default().config("receive.unpackLimit", config));
        let lines: String =
            (0..40_000_u32).map(|n| format!("line {}\n", n.wrapping_mul(2_654_435_761))).collect();
        let [large, edit] = [OLD, NEW].map(|text| format!("{lines}{text}{lines}"));
        let folders: Vec<String> = (0..1000).map(|n| format!("folder-{n}/file")).collect();
        let mut files: Vec<(&str, &[u8])> =
            folders.iter().map(|name| (name.as_str(), name.as_bytes())).collect();
        files.push((PATH, large.as_bytes()));
        git::commit_files(&repository.path, "main", &files, "many folders");
        let old = git::rev(&repository.path, "main");
        let remote = remote(&repository.url);
        let pushed = remote.push(prepared(&remote, &edit).await).await.unwrap();
        assert_one_line(&repository.path, &old, &pushed);
        let sent = body_of(&server).len();
        assert!(sent < 1500, "{sent} bytes");
    }
}

#[tokio::test]
async fn a_server_that_takes_no_thin_packs_gets_whole_objects() {
    let (server, repository) = serve(Options::default());
    // Only hidden options of git make it say so: the advertisement is altered instead.
    server.on(
        "service=git-receive-pack",
        Fault::rewrite(|answer| {
            let text = String::from_utf8(answer.body.clone()).unwrap();
            let (before, after) = text.split_once("report-status ").unwrap();
            // Of the same length, so that the pkt-line's header stays true.
            let after = after.replacen("delete-refs ", "no-thin     ", 1);
            Answer { body: format!("{before}report-status {after}").into_bytes(), ..answer }
        }),
    );
    let remote = remote(&repository.url);
    let lines: String = (0..500).map(|n| format!("line {n}\n")).collect();
    let old =
        git::commit_files(&repository.path, "main", &[(PATH, format!("{lines}{OLD}").as_bytes())], "longer");
    let pushed = remote.push(prepared(&remote, &format!("{lines}{NEW}")).await).await.unwrap();
    assert_one_line(&repository.path, &old, &pushed);
    let body = body_of(&server);
    let at = body.windows(4).position(|window| window == b"PACK").unwrap();
    let folder = repository.path.join("whole");
    std::fs::create_dir(&folder).unwrap();
    git::bare_repository(&folder);
    // Git itself completes no pack into a repository that has none of its bases.
    let indexed = Git::in_dir(&folder).args(["index-pack", "--stdin"]).input(&body[at..]).attempt();
    assert!(indexed.is_ok(), "{indexed:?}");
}
