//! Reading over HTTP, from `git http-backend` in all its flavours, and from servers that misbehave.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "support/http.rs"]
mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use image_gitops_core::credential::Credential;
use image_gitops_core::reach::{Reach, Refused, network};
use image_gitops_git::{
    Access, Branch, FileMode, GitError, Limits, Outage, Remote, RemoteUrl, Snapshot, Transfer, Tried, Want,
};
use image_gitops_tests::git::{self, Entry, Git};
use image_gitops_tests::git_server::{Answer, Authorization, Fault, Options};
use support::{OLD, PATH, main_branch, once, path, read, remote, remote_with, serve};

fn names(snapshot: &Snapshot) -> Vec<String> {
    snapshot.files.keys().map(ToString::to_string).collect()
}

#[tokio::test]
async fn a_file_costs_its_path_and_the_second_look_one_request() {
    let (server, repository) = serve(Options::default());
    let remote = remote(&repository.url);
    let snapshot = read(&remote, &[PATH]).await.unwrap();
    assert_eq!(snapshot.tip.to_string(), git::rev(&repository.path, "main"));
    assert_eq!(snapshot.files[&path(PATH)].bytes, OLD.as_bytes());
    assert_eq!((snapshot.transfer, snapshot.cost.objects), (Transfer::Lazy, 4));
    let lines: Vec<_> = server.take_requests().iter().map(|request| request.line()).collect();
    assert_eq!(lines[0], "GET /owner/name/info/refs?service=git-upload-pack");
    assert_eq!(
        lines[1..],
        vec!["POST /owner/name/git-upload-pack"; 5][..],
        "ls-refs, commit, root, folder, blob"
    );
    assert_eq!(snapshot.cost.requests, 6);

    let again = read(&remote, &[PATH]).await.unwrap();
    assert_eq!((again.files, again.cost.objects), (snapshot.files, 0));
    assert_eq!(server.take_requests().len(), 1, "ls-refs alone");
    assert_eq!(remote.tip(&main_branch()).await.unwrap(), again.tip);
}

#[tokio::test]
async fn the_cost_grows_with_the_path_and_not_with_the_repository() {
    let (server, _) = serve(Options::default());
    let repository = server.repository("owner/large");
    git::large_repository(&repository.path, "main", 2000, 10);
    let wanted = "dir-0007/sub/file-0003.yaml";
    let snapshot = read(&remote(&repository.url), &[wanted]).await.unwrap();
    assert_eq!(snapshot.files[&path(wanted)].bytes, b"directory: 7\nfile: 3\n");
    assert_eq!(snapshot.cost.objects, 3 + 2, "of 24,002");
}

#[tokio::test]
async fn every_flavour_of_server_gives_the_same_files_and_says_which_way() {
    let all = [
        (Options::default(), Transfer::Lazy),
        (Options::default().config("uploadpack.allowAnySHA1InWant", "true"), Transfer::Lazy),
        (Options::default().config("uploadpack.allowReachableSHA1InWant", "false"), Transfer::Lazy),
        (Options::default().config("protocol.version", "2"), Transfer::Lazy),
        (Options::default().config("uploadpackfilter.tree.allow", "false"), Transfer::Blobless),
        (Options::default().config("uploadpackfilter.allow", "false"), Transfer::Shallow),
        (Options::default().config("uploadpack.allowFilter", "false"), Transfer::Shallow),
        (Options::default().only_v0(), Transfer::Shallow),
        (Options::default().only_v0().config("uploadpack.allowFilter", "false"), Transfer::Shallow),
    ];
    for (options, transfer) in all {
        let shown = format!("{options:?}");
        let (_server, repository) = serve(options);
        let remote = remote(&repository.url);
        for _ in 0..2 {
            let snapshot = read(&remote, &[PATH, "other"]).await.unwrap();
            assert_eq!(snapshot.transfer, transfer, "{shown}");
            assert_eq!(names(&snapshot), [PATH, "other/b.yml"]);
            assert_eq!(snapshot.files[&path(PATH)].bytes, OLD.as_bytes());
        }
        git::commit_files(&repository.path, "main", &[(PATH, "image: b\n")], "second");
        let snapshot = read(&remote, &[PATH]).await.unwrap();
        assert_eq!(snapshot.files[&path(PATH)].bytes, b"image: b\n", "{shown}");
        assert_eq!(snapshot.transfer, transfer, "what worked is remembered: {shown}");
    }
}

#[tokio::test]
async fn files_of_one_level_come_in_one_request() {
    let (server, repository) = serve(Options::default());
    let files =
        [("kubevela/deep/c.yaml", "c\n"), ("kubevela/deep/d.yml", "d\n"), ("kubevela/deep/d.json", "{}")];
    git::commit_files(&repository.path, "main", &files, "more");
    let remote = remote(&repository.url);
    let snapshot = read(&remote, &["kubevela", "other/b.yml"]).await.unwrap();
    assert_eq!(names(&snapshot), [PATH, "kubevela/deep/c.yaml", "kubevela/deep/d.yml", "other/b.yml"]);
    // capabilities, ls-refs, commit, root, {kubevela, other}, {deep, app.yaml, b.yml}, {c.yaml, d.yml}
    assert_eq!((server.take_requests().len(), snapshot.cost.objects), (7, 9));
}

#[tokio::test]
async fn modes_odd_names_and_what_is_in_the_way_are_seen() {
    let (_server, repository) = serve(Options::default());
    let entries = [
        Entry::executable("bin/run.yaml", "x\n"),
        Entry::file("dossier/été à Genève.yaml", "y\n"),
        Entry::symlink("link", "kubevela"),
        Entry::submodule("module", &"1".repeat(40)),
    ];
    git::commit_entries(&repository.path, "main", &entries, "odd");
    let remote = remote(&repository.url);
    let snapshot = read(&remote, &["bin/run.yaml", "dossier/été à Genève.yaml", PATH]).await.unwrap();
    assert_eq!(snapshot.files[&path("bin/run.yaml")].mode, FileMode::Executable);
    assert_eq!(snapshot.files[&path(PATH)].mode, FileMode::Regular);
    assert_eq!(snapshot.files[&path("dossier/été à Genève.yaml")].bytes, b"y\n");
    for (want, kind) in
        [("link/app.yaml", "a symbolic link"), ("module/app.yaml", "a submodule"), ("README.md/x", "a file")]
    {
        let error = read(&remote, &[want]).await.unwrap_err();
        assert!(error.is_about_path() && error.to_string().contains(kind), "{error}");
    }
    let error = remote.snapshot(&main_branch(), &[Want::File(path("kubevela"))]).await.unwrap_err();
    assert!(error.to_string().contains("a folder"), "{error}");
}

#[tokio::test]
async fn what_is_missing_is_told_with_what_there_is() {
    for options in [Options::default(), Options::default().only_v0()] {
        let (server, repository) = serve(options);
        let reader = remote(&repository.url);
        let error = read(&reader, &["kubevela/application.yaml"]).await.unwrap_err();
        assert!(error.is_about_path() && error.to_string().contains("app.yaml, notes.txt"), "{error}");
        let error = reader.tip(&Branch::new("master").unwrap()).await.unwrap_err();
        assert!(matches!(&error, GitError::BranchNotFound { known, .. } if known == &["main"]), "{error}");
        let empty = server.repository("owner/empty");
        let error = read(&remote(&empty.url), &[PATH]).await.unwrap_err();
        assert!(matches!(error, GitError::EmptyRepository { .. }), "{error}");
        let error = read(&remote(&server.url("owner/none")), &[PATH]).await.unwrap_err();
        assert!(matches!(error, GitError::RepositoryNotFound { .. }) && error.hint().is_some(), "{error}");
    }
}

#[tokio::test]
async fn a_branch_whose_name_begins_alike_is_not_taken() {
    let (_server, repository) = serve(Options::default());
    git::commit_files(&repository.path, "main-2", &[(PATH, "image: c\n")], "another branch");
    Git::in_dir(&repository.path).args(["branch", "-D", "main"]).run();
    let error = read(&remote(&repository.url), &[PATH]).await.unwrap_err();
    assert!(matches!(error, GitError::BranchNotFound { .. }), "{error}");
}

#[tokio::test]
async fn a_repository_of_sha256_is_refused_in_clear_words() {
    for options in [Options::default(), Options::default().only_v0()] {
        let (_server, repository) = serve(options);
        std::fs::remove_dir_all(&repository.path).unwrap();
        std::fs::create_dir_all(&repository.path).unwrap();
        let init = ["init", "--quiet", "--bare", "--object-format=sha256", "--initial-branch=main", "."];
        Git::in_dir(&repository.path).args(init).run();
        git::commit_files(&repository.path, "main", &[(PATH, OLD)], "first");
        let error = read(&remote(&repository.url), &[PATH]).await.unwrap_err();
        assert!(
            matches!(error, GitError::Unsupported { .. }) && error.to_string().contains("sha256"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_credential_is_sent_at_once_and_the_lack_of_one_is_told() {
    let (server, repository) = serve(Options::default().private("bot", "s3cret"));
    let bot = remote_with(&repository.url, Credential::basic("bot", "s3cret"), once());
    read(&bot, &[PATH]).await.unwrap();
    let requests = server.take_requests();
    assert!(requests.iter().all(|it| it.status == Some(200) && it.authorization == Authorization::Basic));

    let anonymous =
        read(&remote_with(&repository.url, Credential::Anonymous, once()), &[PATH]).await.unwrap_err();
    assert!(
        matches!(anonymous, GitError::Denied { tried: Tried::Anonymous, status: 401, .. }),
        "{anonymous}"
    );
    assert!(anonymous.hint().unwrap().contains("secretRef"));
    let wrong = remote_with(&repository.url, Credential::basic("bot", "0ther"), once());
    let wrong = read(&wrong, &[PATH]).await.unwrap_err();
    assert!(matches!(wrong, GitError::Denied { tried: Tried::Credential, status: 401, .. }), "{wrong}");
    assert!(!format!("{wrong:?}").contains("0ther"));
    let bearer = remote_with(&repository.url, Credential::Bearer("t0ken".into()), once());
    read(&bearer, &[PATH]).await.unwrap_err();
    assert_eq!(server.take_requests().last().unwrap().authorization, Authorization::Bearer);
}

#[tokio::test]
async fn what_is_not_a_git_server_is_told_apart_from_one_that_is_down() {
    let (server, repository) = serve(Options::default());
    let failure = async |fault: Fault| {
        server.on("info/refs", fault);
        let error =
            read(&remote_with(&repository.url, Credential::Anonymous, once()), &[PATH]).await.unwrap_err();
        server.heal();
        error
    };
    let page = failure(Fault::web_page()).await;
    assert!(matches!(page, GitError::NotGit { .. }) && page.to_string().contains("text/html"), "{page}");
    let login = failure(Fault::redirect(302, "https://login.example/?to=x")).await;
    assert!(
        matches!(login, GitError::NotGit { .. }) && login.to_string().contains("login.example"),
        "{login}"
    );
    let gone = failure(Fault::Drop).await;
    assert!(matches!(gone, GitError::Unreachable { .. }) && gone.is_transient(), "{gone}");
    let down = failure(Fault::status(503, "back soon")).await;
    assert!(down.is_transient() && down.to_string().contains("back soon"), "{down}");
    let denied = failure(Fault::status(403, "suspended account")).await;
    assert!(
        matches!(denied, GitError::Denied { status: 403, .. }) && denied.to_string().contains("suspended"),
        "{denied}"
    );
    let nobody = remote_with("http://127.0.0.1:1/owner/name", Credential::Anonymous, once());
    let nobody = read(&nobody, &[PATH]).await.unwrap_err();
    assert!(matches!(nobody, GitError::Unreachable { outage: Outage::Connect, .. }), "{nobody}");
}

#[tokio::test]
async fn what_may_pass_is_tried_again_and_a_long_wait_is_not_waited_for() {
    let (server, repository) = serve(Options::default());
    server.once("info/refs", Fault::status(502, ""));
    server.once("git-upload-pack", Fault::Drop);
    server.once("POST", Fault::status(429, "slow down"));
    let snapshot = read(&remote(&repository.url), &[PATH]).await.unwrap();
    assert_eq!(snapshot.cost.requests, 6 + 3);
    let limited = Answer::new(429, "").header("retry-after", "3600");
    server.on("info/refs", Fault::Answer(limited));
    server.take_requests();
    let error = read(&remote(&repository.url), &[PATH]).await.unwrap_err();
    let hour = Some(Duration::from_secs(3600));
    assert!(
        matches!(error, GitError::Unavailable { status: 429, retry_after, .. } if retry_after == hour),
        "{error}"
    );
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn an_answer_that_was_cut_is_not_taken_for_a_whole_one() {
    let (server, repository) = serve(Options::default());
    for bytes in [0, 3, 40, 70, 120, 200] {
        server.on("POST", Fault::CutAfter(bytes));
        let error =
            read(&remote_with(&repository.url, Credential::Anonymous, once()), &[PATH]).await.unwrap_err();
        assert!(error.is_transient(), "{bytes}: {error:?}");
        server.heal();
    }
}

#[tokio::test]
async fn a_slow_server_is_given_up_on() {
    let (server, repository) = serve(Options::default());
    server.on("POST", Fault::Delay(Duration::from_secs(60)));
    let limits = Limits { time: Duration::from_secs(1), ..Limits::default() };
    let error =
        read(&remote_with(&repository.url, Credential::Anonymous, limits), &[PATH]).await.unwrap_err();
    assert!(matches!(error, GitError::Unreachable { outage: Outage::Timeout, .. }), "{error}");
}

#[tokio::test]
async fn limits_hold() {
    let (_server, repository) = serve(Options::default());
    git::commit_files(&repository.path, "main", &[(PATH, "x".repeat(5000))], "large");
    for limits in [Limits { answer_bytes: 100, ..once() }, Limits { object_bytes: 4999, ..once() }] {
        let error =
            read(&remote_with(&repository.url, Credential::Anonymous, limits), &[PATH]).await.unwrap_err();
        assert!(matches!(error, GitError::TooLarge { .. }), "{error}");
    }
}

#[tokio::test]
async fn only_the_first_request_is_redirected_and_the_others_go_where_it_led() {
    let (server, repository) = serve(Options::default());
    server.once(
        "GET /old/name/info/refs",
        Fault::redirect(301, "/owner/name/info/refs?service=git-upload-pack"),
    );
    let moved = remote(&server.url("old/name"));
    read(&moved, &[PATH]).await.unwrap();
    let posts: Vec<_> = server.take_requests().into_iter().filter(|it| it.method == "POST").collect();
    assert!(posts.iter().all(|it| it.target == "/owner/name/git-upload-pack"));
    server.once("POST", Fault::redirect(307, "/owner/name/git-upload-pack"));
    let error = read(&remote(&repository.url), &[PATH]).await.unwrap_err();
    assert!(matches!(error, GitError::NotGit { .. }), "{error}");
}

#[tokio::test]
async fn a_credential_does_not_follow_to_another_host() {
    let (server, repository) = serve(Options::default().private("bot", "s3cret"));
    let elsewhere = format!("{}/info/refs?service=git-upload-pack", server.url_by_name("owner/name"));
    server.once("info/refs", Fault::redirect(302, &elsewhere));
    let bot = remote_with(&repository.url, Credential::basic("bot", "s3cret"), once());
    let error = read(&bot, &[PATH]).await.unwrap_err();
    assert!(matches!(error, GitError::Denied { tried: Tried::Withheld, .. }), "{error}");
    let sent: Vec<_> = server.take_requests().iter().map(|it| it.authorization).collect();
    assert_eq!(sent, [Authorization::Basic, Authorization::None]);
}

#[tokio::test]
async fn this_machine_is_not_asked_where_only_the_network_may_be() {
    let (server, _) = serve(Options::default());
    let open = |url: &str, reach: Reach| {
        Remote::new(RemoteUrl::parse(url).unwrap(), Access { reach, ..Access::default() }, once())
    };
    let bounded = || Reach::bounded(&[], &[]);
    let port = server.address().port();
    for host in ["127.0.0.1", "127.1", "0x7f000001", "[::1]"] {
        let error = open(&format!("http://{host}:{port}/owner/name"), bounded()).unwrap_err();
        assert!(matches!(error, GitError::Refused { refused: Refused::Address { .. }, .. }), "{error}");
    }
    for disk in ["/etc", "file:///srv/git/app.git"] {
        let error = open(disk, bounded()).unwrap_err();
        assert!(matches!(error, GitError::Refused { refused: Refused::Disk, .. }), "{error}");
    }
    let listed = Reach::bounded(&["github.com".parse().unwrap()], &[network("127.0.0.0/8").unwrap()]);
    let error = open(&server.url("owner/name"), listed).unwrap_err();
    assert!(matches!(error, GitError::Refused { refused: Refused::Host(_), .. }), "{error}");
    // By a name, only its resolver can tell.
    let named = open(&server.url_by_name("owner/name"), bounded()).unwrap();
    let error = read(&named, &[PATH]).await.unwrap_err();
    assert!(error.to_string().contains("localhost has the address"), "{error}");
    assert!(matches!(error, GitError::Refused { refused: Refused::Address { .. }, .. }), "{error}");
    assert!(!error.is_transient() && error.hint().is_some_and(|hint| hint.contains("--allow-addresses")));
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn no_redirect_leads_out_of_reach() {
    let (server, repository) = serve(Options::default());
    let ends = "info/refs?service=git-upload-pack";
    let only_address = Reach::bounded(&["127.0.0.1".parse().unwrap()], &[network("127.0.0.0/8").unwrap()]);
    let only_this = Reach::bounded(&[], &[network("127.0.0.1").unwrap()]);
    for (reach, to) in [
        (only_address, format!("{}/{ends}", server.url_by_name("owner/name"))),
        (only_this.clone(), format!("http://127.0.0.2:{}/owner/name/{ends}", server.address().port())),
        (only_this, format!("https://169.254.169.254/owner/name/{ends}")),
    ] {
        server.once("info/refs", Fault::redirect(302, &to));
        let access = Access { credential: Credential::token("t"), reach, ..Access::default() };
        let remote = Remote::new(RemoteUrl::parse(&repository.url).unwrap(), access, once()).unwrap();
        let error = read(&remote, &[PATH]).await.unwrap_err();
        assert!(matches!(error, GitError::Refused { .. }), "{to}: {error}");
        assert_eq!(server.take_requests().len(), 1, "{to}");
    }
}

#[tokio::test]
async fn a_private_authority_is_trusted_when_it_is_named() {
    let (server, repository) = serve(Options::default().tls());
    let open = |ca: Option<&str>| {
        let access = Access { ca: ca.map(str::to_owned), ..Access::default() };
        Remote::new(RemoteUrl::parse(&repository.url).unwrap(), access, once())
    };
    read(&open(server.ca_pem()).unwrap(), &[PATH]).await.unwrap();
    let error = read(&open(None).unwrap(), &[PATH]).await.unwrap_err();
    assert!(matches!(error, GitError::Unreachable { outage: Outage::Untrusted, .. }), "{error:?}");
    assert!(!error.is_transient() && error.hint().unwrap().contains("caSecretRef"));
    assert!(matches!(open(Some("not PEM")), Err(GitError::Settings { .. })));
}

#[tokio::test]
async fn a_server_that_changed_is_asked_anew() {
    let (server, repository) = serve(Options::default());
    let remote = remote(&repository.url);
    read(&remote, &[PATH]).await.unwrap();
    server.once("POST", Fault::status(404, "moved"));
    let snapshot = read(&remote, &[PATH]).await.unwrap();
    assert_eq!(snapshot.files[&path(PATH)].bytes, OLD.as_bytes());
}

#[tokio::test]
async fn a_tip_that_is_gone_before_it_is_fetched_is_read_again() {
    let (server, repository) = serve(Options::default());
    let remote = remote(&repository.url);
    remote.tip(&main_branch()).await.unwrap();
    // Between ls-refs and fetch, somebody replaces the branch and the old commit is pruned.
    let bare = repository.path.clone();
    let posts = AtomicUsize::new(0);
    server.on(
        "POST",
        Fault::Run(Arc::new(move || {
            if posts.fetch_add(1, Ordering::SeqCst) == 1 {
                Git::in_dir(&bare).args(["branch", "-D", "main"]).run();
                git::commit_files(&bare, "main", &[(PATH, "image: new\n")], "another root");
                Git::in_dir(&bare).args(["gc", "--quiet", "--prune=now"]).run();
            }
        })),
    );
    let snapshot = read(&remote, &[PATH]).await.unwrap();
    assert_eq!(snapshot.files[&path(PATH)].bytes, b"image: new\n");
}

#[tokio::test]
async fn the_history_is_gits_own_and_costs_commits_alone() {
    let flavours = [
        Options::default().config("uploadpack.allowFilter", "true"),
        Options::default().config("uploadpack.allowFilter", "false"),
        Options::default().config("uploadpack.allowFilter", "true").only_v0(),
        Options::default().config("uploadpack.allowFilter", "false").only_v0(),
    ];
    for options in flavours {
        let (server, repository) = serve(options);
        for number in 0..20 {
            git::commit_files(
                &repository.path,
                "main",
                &[(PATH, format!("image: {number}\n"))],
                &format!("n{number}"),
            );
        }
        let bare = || Git::in_dir(&repository.path);
        let old = git::rev(&repository.path, "main~3");
        bare().args(["branch", "side", &old]).run();
        git::commit_files(&repository.path, "side", &[("side.txt", "x\n")], "side");
        let tree = git::rev(&repository.path, "main^{tree}");
        let merge = bare().args(["commit-tree", &tree, "-p", "main", "-p", "side", "-m", "merge"]).run();
        bare().args(["update-ref", "refs/heads/main", &merge]).run();

        let remote = remote(&repository.url);
        let snapshot = read(&remote, &[PATH]).await.unwrap();
        let theirs = bare().args(["log", "--date-order", "--format=%H", "main"]).run();
        let all = remote.history(&snapshot, 100).await.unwrap();
        let ours: Vec<_> = all.commits.iter().map(|commit| commit.id.to_string()).collect();
        assert_eq!(ours.join("\n"), theirs);
        assert!(all.complete && all.messages().next() == Some("merge\n"));
        assert_eq!(all.commits[1].author, "A Person <person@example.org>");

        server.take_requests();
        assert_eq!(remote.history(&snapshot, 50).await.unwrap(), all);
        assert_eq!(server.take_requests().len(), 0, "remembered");
        let fresh = support::remote(&repository.url);
        let few = fresh.history(&snapshot, 4).await.unwrap();
        assert!(!few.complete && few.commits.len() < 9, "{}", few.commits.len());
        assert_eq!(few.commits[0].id, snapshot.tip);
    }
}

#[tokio::test]
async fn requests_look_like_gits_own() {
    let (server, repository) = serve(Options::default());
    read(&remote(&repository.url), &[PATH]).await.unwrap();
    for request in server.take_requests() {
        assert!(request.header("user-agent").unwrap().starts_with("git/"));
        assert_eq!(request.header("git-protocol"), Some("version=2"));
        if request.method == "POST" {
            assert_eq!(request.header("content-type"), Some("application/x-git-upload-pack-request"));
            assert_eq!(request.header("content-length"), Some(request.received().to_string().as_str()));
            assert_eq!(request.header("transfer-encoding"), None);
        }
    }
}
