//! Many writers of one branch at once: ours, and plain git as people and CI use it.

use std::{
    process::Stdio,
    sync::Barrier,
    thread,
    time::{Duration, Instant},
};

use image_gitops_tests::git::{self, Git};

use crate::{
    alone,
    base::{NEW, OLD, Scene, ran},
};

const OURS: usize = 20;
const THEIRS: usize = 5;
/// How many commits each writer of plain git makes.
const COMMITS: usize = 4;

/// Clones, commits, and pushes until it lands, as `git pull --rebase && git push` does. Gives the time that each took.
fn write_by_git(scene: &Scene, clone: &std::path::Path, writer: usize) -> Vec<Duration> {
    let git = |arguments: &[&str]| Git::in_dir(clone).args(arguments).attempt();
    let write = |n: usize| {
        let started = Instant::now();
        std::fs::write(clone.join(format!("notes-{writer}.txt")), format!("note {n}\n")).unwrap();
        git(&["add", "."]).unwrap();
        git(&["commit", "--quiet", "-m", &format!("Note {n} of writer {writer}")]).unwrap();
        while git(&["push", "--quiet", "origin", "HEAD:main"]).is_err() {
            assert!(started.elapsed() < Duration::from_secs(300), "writer {writer} cannot push");
            git(&["pull", "--quiet", "--rebase", "origin", "main"]).unwrap();
        }
        started.elapsed()
    };
    git::clone(&scene.repository.url, clone);
    (0..COMMITS).map(write).collect()
}

/// The times in words: the middle one and the last but one of a hundred.
fn quantiles(name: &str, times: &mut [Duration]) {
    times.sort();
    let at = |part: usize| times[(times.len() * part).div_ceil(100).clamp(1, times.len()) - 1].as_millis();
    println!("{name}: {} landed, p50 {} ms, p99 {} ms", times.len(), at(50), at(99));
}

#[test]
fn twenty_writers_of_ours_and_five_of_plain_git_all_land_on_one_branch() {
    let _alone = alone();
    let scene = Scene::new();
    scene.tag(NEW);
    let names: Vec<String> = (0..OURS).map(|n| format!("app{n}")).collect();
    for name in &names {
        scene.commit(&format!("kubevela/{name}.yaml"), &scene.application(OLD), "Describe the application");
        let policy = scene.policy(name, "").replace("backoffice-dev.yaml", &format!("{name}.yaml"));
        scene.write(&format!("{name}.yaml"), &policy);
    }
    let before = scene.tip();
    let clones = tempfile::tempdir().unwrap();
    let start = Barrier::new(OURS + THEIRS);
    let (mut ours, mut theirs) = thread::scope(|scope| {
        let (scene, start) = (&scene, &start);
        let sync = |name: &String| {
            let mut command = scene.command(&["sync", "-f", &format!("{name}.yaml")]);
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
            scope.spawn(move || {
                start.wait();
                let started = Instant::now();
                ran(command.output().unwrap()).is(0, &["updated"]);
                started.elapsed()
            })
        };
        let ours: Vec<_> = names.iter().map(sync).collect();
        let write = |writer: usize| {
            let clone = clones.path().join(writer.to_string());
            scope.spawn(move || {
                start.wait();
                write_by_git(scene, &clone, writer)
            })
        };
        let theirs: Vec<_> = (0..THEIRS).map(write).collect();
        let ours: Vec<Duration> = ours.into_iter().map(|writer| writer.join().unwrap()).collect();
        let theirs: Vec<Duration> = theirs.into_iter().flat_map(|writer| writer.join().unwrap()).collect();
        (ours, theirs)
    });

    let bare = &scene.repository.path;
    git::fsck(bare);
    let range = format!("{before}..main");
    let parents = Git::in_dir(bare).args(["log", "--format=%P", &range]).run();
    assert!(parents.lines().all(|parents| !parents.contains(' ')), "a merge: history is not linear");
    assert_eq!(parents.lines().count(), OURS + THEIRS * COMMITS, "commits on the branch");
    let subjects = Git::in_dir(bare).args(["log", "--format=%s", &range]).run();
    let count = |what: &str| subjects.lines().filter(|subject| subject.contains(what)).count();
    assert_eq!(count("Auto-update image"), OURS);
    for writer in 0..THEIRS {
        for n in 0..COMMITS {
            assert_eq!(count(&format!("Note {n} of writer {writer}")), 1);
        }
        let note = git::show(bare, "main", &format!("notes-{writer}.txt"));
        assert_eq!(note, format!("note {}\n", COMMITS - 1).into_bytes());
    }
    for name in &names {
        let file = git::show(bare, "main", &format!("kubevela/{name}.yaml"));
        assert_eq!(String::from_utf8(file).unwrap(), scene.application(NEW), "{name}");
    }
    quantiles("image-gitops", &mut ours);
    quantiles("git", &mut theirs);
}
