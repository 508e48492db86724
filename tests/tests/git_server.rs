//! The Git host of the tests is a real one, as plain git sees it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use image_gitops_tests::git::{self, Entry, Git};
use image_gitops_tests::git_server::{Answer, Authorization, Fault, GitServer, Options, Repository};

const FILES: [(&str, &str); 2] = [("app.yaml", "image: a:1\nport: 80\n"), ("dir/é b.txt", "x\n")];

fn with_a_commit(server: &GitServer) -> Repository {
    let repository = server.repository("owner/name");
    git::commit_files(&repository.path, "main", &FILES, "first");
    repository
}

/// Changes the file of a clone and pushes it; what git said when it failed.
fn push(clone: &std::path::Path, url: &str, content: &str) -> Result<Vec<u8>, String> {
    std::fs::write(clone.join("app.yaml"), content).unwrap();
    Git::in_dir(clone).args(["commit", "--quiet", "--all", "-m", "second"]).run();
    Git::in_dir(clone).args(["push", "--quiet", url, "HEAD:main"]).attempt()
}

#[test]
fn git_clones_and_pushes_over_http() {
    let server = GitServer::start(Options::default());
    let repository = with_a_commit(&server);
    let folder = tempfile::tempdir().unwrap();
    let clone = git::clone(&repository.url, folder.path().join("clone"));
    assert_eq!(std::fs::read(clone.join("dir/é b.txt")).unwrap(), b"x\n");
    push(&clone, &format!("{}.git", repository.url), "image: a:2\nport: 80\n").unwrap();
    git::fsck(&repository.path);
    let line = git::one_line_diff(&repository.path, "main~1", "main");
    assert_eq!((line.old.as_str(), line.new.as_str()), ("image: a:1", "image: a:2"));
    let subjects: Vec<_> = git::log(&repository.path, "main").into_iter().map(|it| it.subject).collect();
    assert_eq!(subjects, ["second", "first"]);
    let requests = server.requests();
    let clone_asked = requests.first().unwrap();
    assert_eq!(clone_asked.line(), "GET /owner/name/info/refs?service=git-upload-pack");
    assert_eq!(clone_asked.header("git-protocol"), Some("version=2"));
    assert_eq!((clone_asked.status, clone_asked.authorization), (Some(200), Authorization::None));
    assert!(
        requests.iter().any(|it| it.line() == "POST /owner/name.git/git-receive-pack" && it.received() > 100)
    );
}

#[test]
fn https_is_for_those_who_trust_the_authority() {
    let server = GitServer::start(Options::default().tls());
    let repository = with_a_commit(&server);
    let ask = |url: &str| Git::in_dir("/").args(["ls-remote", url, "main"]);
    let untrusted = ask(&repository.url).attempt().unwrap_err();
    assert!(untrusted.contains("certificate"), "{untrusted}");
    for url in [repository.url.clone(), server.url_by_name("owner/name")] {
        let said = ask(&url).env("GIT_SSL_CAINFO", server.ca_path().unwrap()).run();
        assert!(said.ends_with("refs/heads/main"), "{said}");
    }
    assert!(server.ca_pem().unwrap().starts_with("-----BEGIN CERTIFICATE-----"));
}

#[test]
fn an_old_server_speaks_v0() {
    let answer_to_the_first = |options| {
        let server = GitServer::start(options);
        let repository = with_a_commit(&server);
        let trace = Git::in_dir("/").args(["ls-remote", &repository.url]).run();
        assert!(trace.contains("refs/heads/main"));
        server.requests().len()
    };
    assert_eq!(answer_to_the_first(Options::default().only_v0()), 1, "v0 lists the refs at once");
    assert_eq!(answer_to_the_first(Options::default()), 2, "v2 first says what it can do");
}

#[test]
fn credentials_are_asked_for() {
    let with_password = |url: &str| url.replace("http://", "http://bot:s3cret@");
    let server = GitServer::start(Options::default().public("bot", "s3cret"));
    let repository = with_a_commit(&server);
    let folder = tempfile::tempdir().unwrap();
    let clone = git::clone(&repository.url, folder.path().join("clone"));
    let refused = push(&clone, &repository.url, "image: a:2\nport: 80\n").unwrap_err();
    assert!(refused.contains("could not read Username"), "{refused}");
    push(&clone, &with_password(&repository.url), "image: a:3\nport: 80\n").unwrap();
    assert!(server.requests().iter().any(|it| it.authorization == Authorization::Basic));

    let server = GitServer::start(Options::default().private("bot", "s3cret"));
    let repository = with_a_commit(&server);
    assert!(Git::in_dir("/").args(["ls-remote", &repository.url]).attempt().is_err());
    assert!(Git::in_dir("/").args(["ls-remote", &with_password(&repository.url)]).attempt().is_ok());
}

#[test]
fn a_hook_refuses_and_a_key_of_the_configuration_counts() {
    let server = GitServer::start(Options::default().config("receive.denyNonFastForwards", "true"));
    let repository = with_a_commit(&server);
    assert_eq!(Git::in_dir(&repository.path).args(["config", "receive.denyNonFastForwards"]).run(), "true");
    git::hook(&repository.path, "pre-receive", "echo 'main is frozen'; exit 1");
    let folder = tempfile::tempdir().unwrap();
    let clone = git::clone(&repository.url, folder.path().join("clone"));
    let refused = push(&clone, &repository.url, "image: a:2\n").unwrap_err();
    assert!(refused.contains("main is frozen"), "{refused}");
}

#[test]
fn faults_show_up_and_heal() {
    let server = GitServer::start(Options::default());
    let repository = with_a_commit(&server);
    let ask = || Git::in_dir("/").args(["ls-remote", &repository.url, "main"]).attempt();
    let info = "GET /owner/name/info/refs";
    let cases = [
        (Fault::status(503, "down"), "503"),
        (Fault::Drop, "Empty reply"),
        (Fault::DropAnswer, "Empty reply"),
        (Fault::CutAfter(20), "transfer closed"),
        (Fault::redirect(302, &server.url("owner/other/info/refs?service=git-upload-pack")), "not found"),
        (Fault::rewrite(|_| Answer::new(404, "")), "not found"),
    ];
    for (fault, word) in cases {
        let name = format!("{fault:?}");
        server.once(info, fault);
        let said = ask().expect_err(&name);
        assert!(said.contains(word), "{name}: {said}");
        ask().expect("it was for one request only");
    }
    server.once(info, Fault::web_page());
    assert_eq!(ask().unwrap(), b"", "git takes a page for an empty repository of the dumb protocol");
    server.on(info, Fault::status(500, ""));
    assert!(ask().is_err() && ask().is_err());
    server.heal();
    assert!(ask().is_ok());
    assert_eq!(server.take_requests().iter().filter(|it| it.status.is_none()).count(), 2);
    assert!(server.requests().is_empty());
}

#[test]
fn a_branch_can_be_moved_between_looking_and_pushing() {
    let server = GitServer::start(Options::default());
    let repository = with_a_commit(&server);
    let folder = tempfile::tempdir().unwrap();
    let clone = git::clone(&repository.url, folder.path().join("clone"));
    let bare = repository.path.clone();
    server.before("POST /owner/name/git-receive-pack", move || {
        git::commit_files(&bare, "main", &[("other", "1")], "somebody else");
    });
    let refused = push(&clone, &repository.url, "image: a:2\n").unwrap_err();
    assert!(refused.contains("failed to update ref") || refused.contains("incorrect old value"), "{refused}");
    assert_eq!(git::log(&repository.path, "main").first().unwrap().subject, "somebody else");
}

#[test]
fn entries_of_every_mode_and_large_repositories_can_be_made() {
    let folder = tempfile::tempdir().unwrap();
    let bare = git::bare_repository(folder.path().join("a.git"));
    let commit = git::commit_files(&bare, "main", &[("old", "1")], "first");
    let entries = [
        Entry::executable("run \"it\".sh", "#!/bin/sh\n"),
        Entry::symlink("link", "run.sh"),
        Entry::submodule("module", &commit),
        Entry::deleted("old"),
    ];
    git::commit_entries(&bare, "main", &entries, "second");
    let modes: Vec<(String, String)> = git::files(&bare, "main");
    let expected = [("120000", "link"), ("160000", "module"), ("100755", "run \"it\".sh")];
    assert_eq!(modes, expected.map(|(mode, path)| (mode.to_owned(), path.to_owned())));
    git::fsck(&bare);
    let large = folder.path().join("large.git");
    git::large_repository(&large, "main", 200, 10);
    assert_eq!(git::files(&large, "main").len(), 2_000);
}

#[tokio::test]
async fn it_runs_beside_an_asynchronous_test() {
    let server = GitServer::start(Options::default());
    assert!(server.base().starts_with("http://127.0.0.1:"));
}
