//! Every behaviour of registries and Git hosts that is known, played against the program: `matrix.yaml`.

mod table;
mod webhooks;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant, SystemTime},
};

use image_gitops_tests::{
    git::{self, Entry, Git},
    git_server::{Fault as GitFault, Options},
    registry_server::{Answer, Fault as RegistryFault, FrontOptions},
};

use crate::alone;
use crate::base::{FILE, IMAGE, NEW, NEWER, OLD, Scene};
use table::{Act, Case, Expect, Fault, Step, seconds};

/// How many scenes are played at a time.
const AT_A_TIME: usize = 6;
const MOVED_FILE: &str = "kubevela/moved.yaml";

/// A name of `matrix.yaml` as the registry knows it.
fn tag(name: &str) -> String {
    match name {
        "OLD" => OLD.to_owned(),
        "NEW" => NEW.to_owned(),
        "NEWER" => NEWER.to_owned(),
        "LONG" => "x".repeat(128),
        "SIGNATURE" => format!("sha256-{}.sig", "a".repeat(64)),
        "SBOM" => format!("sha256-{}", "b".repeat(64)),
        other => other.to_owned(),
    }
}

/// A text of `matrix.yaml` with names of tags and times in it.
fn text(text: &str) -> String {
    let soon = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(2));
    text.replace("IN-TWO-SECONDS", &soon).replace("NEWER", NEWER).replace("NEW", NEW).replace("OLD", OLD)
}

fn scene(case: &Case) -> Scene {
    let front = FrontOptions { page: case.page, uses: case.token_uses, ..FrontOptions::default() };
    let scene = Scene::with(Options::default(), front);
    if case.older > 0 {
        scene
            .registry
            .tag_many(IMAGE, (0..case.older).map(|n| format!("main-0000000-{}", 1_000_000_000 + n)));
    }
    if case.digest {
        let digest = format!("{OLD}@sha256:{}", "0".repeat(64));
        scene.commit(FILE, &scene.application(&digest), "Name the digest");
    }
    if case.folder {
        scene.write(
            "policy.yaml",
            &scene.policy("back", "").replace(&format!("path: {FILE}"), "path: kubevela"),
        );
    }
    if let Some(platforms) = &case.platforms {
        let policy = scene
            .policy("back", "")
            .replace("extract: '$ts'", &format!("extract: '$ts', platforms: [{platforms}]"));
        scene.write("policy.yaml", &policy);
    }
    if let Some(hook) = &case.hook {
        git::hook(&scene.repository.path, "pre-receive", hook);
    }
    scene
}

fn act(bare: &Path, act: Act) {
    let file = || String::from_utf8(git::show(bare, "main", FILE)).unwrap();
    let commit = |text: &str, message: &str| drop(git::commit_files(bare, "main", &[(FILE, text)], message));
    match act {
        Act::Note => drop(git::commit_files(bare, "main", &[("notes.txt", "a note")], "Take a note")),
        Act::Port => commit(&file().replace("3000", "3001"), "Move to another port"),
        Act::Take => commit(&file().replace(OLD, NEW), "Update by hand"),
        Act::Rename => {
            let entries = [Entry::deleted(FILE), Entry::file(MOVED_FILE, file())];
            git::commit_entries(bare, "main", &entries, "Rename the file");
        }
        Act::ForcePush => {
            let root = Git::in_dir(bare).args(["commit-tree", "main^{tree}", "-m", "Begin anew"]).run();
            Git::in_dir(bare).args(["update-ref", "refs/heads/main", &root]).run();
        }
        Act::DeleteBranch => drop(Git::in_dir(bare).args(["update-ref", "-d", "refs/heads/main"]).run()),
    }
}

fn at_registry(fault: &Fault) -> RegistryFault {
    let answer = |answer: Answer| {
        let headers = fault.headers.iter();
        RegistryFault::Answer(headers.fold(answer, |answer, (name, value)| answer.header(name, &text(value))))
    };
    if let Some(list) = &fault.list {
        let tags: Vec<String> = list.iter().map(|name| tag(name)).collect();
        return answer(Answer::json(200, &serde_json::json!({ "name": IMAGE, "tags": tags }).to_string()));
    }
    match fault {
        Fault { status: Some(status), body, .. } => answer(Answer::json(*status, body)),
        Fault { without: Some(_), .. } => RegistryFault::Without("link"),
        Fault { reset: true, .. } => RegistryFault::Reset,
        Fault { cut: Some(bytes), .. } => RegistryFault::CutAfter(*bytes),
        _ => panic!("a fault of the registry that does nothing, at {}", fault.at),
    }
}

fn at_git(fault: &Fault) -> (&'static str, GitFault) {
    let at = match fault.at.as_str() {
        "push" => "POST /legolas49/back-dev-bfirstai/git-receive-pack",
        "fetch" => "POST /legolas49/back-dev-bfirstai/git-upload-pack",
        "push-door" => "service=git-receive-pack",
        "fetch-door" => "service=git-upload-pack",
        other => panic!("git knows no {other}"),
    };
    let fault = match fault {
        Fault { status: Some(status), body, .. } => GitFault::status(*status, body),
        Fault { refuse: Some(reason), .. } => GitFault::refusal("main", reason),
        Fault { delay: Some(time), .. } => GitFault::Delay(seconds(time)),
        Fault { drop_answer: true, .. } => GitFault::DropAnswer,
        _ => panic!("a fault of git that does nothing, at {}", fault.at),
    };
    (at, fault)
}

/// The commits of ours on the branch.
fn ours(bare: &Path) -> usize {
    let count =
        Git::in_dir(bare).args(["rev-list", "--count", "--author=image-gitops", "main", "--"]).attempt();
    count.map_or(0, |count| String::from_utf8_lossy(&count).trim().parse().unwrap())
}

fn play(case: &Case) {
    let scene = scene(case);
    for step in &case.steps {
        play_step(&scene, step);
    }
}

fn play_step(scene: &Scene, step: &Step) {
    let bare = scene.repository.path.clone();
    step.ci.iter().for_each(|name| scene.tag(&tag(name)));
    step.index.iter().for_each(|name| drop(scene.registry.push_index(IMAGE, &tag(name))));
    step.attested.iter().for_each(|name| drop(scene.registry.push_attested(IMAGE, &tag(name))));
    step.torn.iter().for_each(|name| drop(scene.registry.push_torn(IMAGE, &tag(name))));
    step.lose.iter().for_each(|name| scene.registry.untag(IMAGE, &tag(name)));
    step.person.into_iter().for_each(|person| act(&bare, person));
    if let Some(meanwhile) = step.meanwhile {
        let bare = bare.clone();
        scene
            .server
            .before("POST /legolas49/back-dev-bfirstai/git-receive-pack", move || act(&bare, meanwhile));
    }
    for fault in &step.registry {
        scene.front.times(fault.times.unwrap_or(usize::MAX), &text(&fault.at), at_registry(fault));
    }
    for fault in &step.git {
        let (at, fault_of_git) = at_git(fault);
        scene.server.times(fault.times.unwrap_or(usize::MAX), at, fault_of_git);
    }
    scene.front.forget_requests();
    let (before, started) = (ours(&bare), Instant::now());
    let Expect { code, reason, tag: expected, ours: made, says, requests, takes } = &step.expect;
    let ran = scene.run_with(&["sync", "-f", "policy.yaml", "--output", "json"]);
    let took = started.elapsed();
    let met = [scene.front.heal(), scene.server.heal()].concat();

    let said = format!("{}{}", ran.out, ran.err);
    assert!(met.iter().all(|met| *met > 0), "a fault was never met: {met:?}");
    assert_eq!(ran.code, *code, "{said}");
    assert_eq!(ran.json()["branches"][0]["resources"][0]["reason"], *reason, "{said}");
    says.iter().for_each(|text| assert!(said.contains(text), "it did not say {text:?} but {said}"));
    for (what, count) in requests {
        assert_eq!(scene.front.count(what), *count, "requests for {what}: {:#?}", scene.front.requests());
    }
    takes.iter().for_each(|least| assert!(took >= seconds(least), "it took {took:?} only"));
    git::fsck(&bare);
    if let Some(expected) = expected {
        let files = git::files(&bare, "main");
        let (_, path) = files.iter().find(|(_, path)| path == FILE || path == MOVED_FILE).unwrap();
        let file = String::from_utf8(git::show(&bare, "main", path)).unwrap();
        let line = file.lines().find(|line| line.contains("image: ")).unwrap();
        let expected = scene.image(&tag(expected));
        assert!(line.contains(&format!("{expected} ")) || line.contains(&format!("{expected}@")), "{line}");
    }
    assert_eq!(ours(&bare) - before, *made, "commits of ours");
    if *made == 1 {
        git::one_line_diff(&bare, "main~1", "main");
    }
}

#[test]
fn every_behaviour_in_the_table_has_the_reaction_that_it_should_have() {
    let _alone = alone();
    let rows = table::read();
    let numbers: Vec<u8> = rows.iter().map(|row| row.row).collect();
    assert_eq!(numbers, (1..=13).collect::<Vec<_>>());
    let played: Vec<(u8, &Case)> =
        rows.iter().flat_map(|row| row.scenes.iter().map(|case| (row.row, case))).collect();
    let (next, failed) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let fail = |row: u8, name: &str, what: Box<dyn std::any::Any + Send>| {
        let why = what.downcast_ref::<String>().cloned().unwrap_or_default();
        failed.lock().unwrap().push((row, name.to_owned(), why));
    };
    thread::scope(|scope| {
        scope.spawn(|| {
            if let Err(what) = catch_unwind(webhooks::play) {
                fail(12, "the service", what);
            }
        });
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                while let Some((row, case)) = played.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(what) = catch_unwind(AssertUnwindSafe(|| play(case))) {
                        fail(*row, &case.name, what);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    for row in &rows {
        println!("{:>2}  {}\n    {}", row.row, row.behaviour, row.reaction);
        let names = row.scenes.iter().map(|case| case.name.as_str());
        for name in names.chain((row.row == 12).then_some("the service")) {
            let failure = failed.iter().find(|(number, other, _)| *number == row.row && other == name);
            println!("      {} {name}", if failure.is_some() { "FAIL" } else { "ok  " });
            if let Some((.., why)) = failure {
                println!("{why}");
            }
        }
    }
    assert!(failed.is_empty(), "{} scenes failed", failed.len());
}
