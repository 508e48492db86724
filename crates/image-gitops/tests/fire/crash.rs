//! The service dies at every step of a pass, is started again as Kubernetes does, and heals with one commit.
//!
//! The steps come from the program's own list, so that a new one is tested as soon as it is there. A death between two
//! bytes of the push is not a place in the program: there the Git server says when, and the process is killed from outside.

use std::{
    os::unix::process::ExitStatusExt as _,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use image_gitops_tests::{
    git::{self, Git},
    git_server::Fault,
};

use crate::{
    alone,
    base::{self, NEW, Scene},
    failpoint::Failpoint,
    scene::{Cluster, PATIENCE, Service, ready},
};

const PUSH: &str = "POST /legolas49/back-dev-bfirstai/git-receive-pack";
/// How many deaths are died at a time.
const AT_A_TIME: usize = 3;

/// When the program dies.
#[derive(Clone, Copy, Debug)]
enum Death {
    /// By its own hand.
    At(Failpoint),
    /// The server has the whole push, and git has not begun.
    PushReceived,
    /// Git has moved the branch, and the answer is not sent.
    PushLanded,
}

impl Death {
    fn all() -> Vec<Self> {
        let places = Failpoint::ALL.iter().map(|place| Self::At(*place));
        places.chain([Self::PushReceived, Self::PushLanded]).collect()
    }

    fn name(self) -> &'static str {
        match self {
            Self::At(place) => place.name(),
            Self::PushReceived => "push received",
            Self::PushLanded => "push landed",
        }
    }

    /// Runs the program until it is dead, and tells whether it died of this.
    fn of(self, scene: &Scene, mut command: Command) -> bool {
        let pid = Arc::new(AtomicU32::new(0));
        let kill = {
            let pid = pid.clone();
            move || {
                let mut id = 0;
                while id == 0 {
                    id = pid.load(Ordering::SeqCst);
                }
                assert!(Command::new("kill").args(["-9", &id.to_string()]).status().unwrap().success());
                thread::sleep(Duration::from_millis(50)); // until it is dead
            }
        };
        match self {
            Self::At(place) => {
                command.env("IMAGE_GITOPS_FAILPOINT", place.name());
                if place == Failpoint::BranchMoved {
                    let bare = scene.repository.path.clone();
                    scene.server.before(PUSH, move || {
                        git::commit_files(bare, "main", &[("notes.txt", b"a note")], "Take a note");
                    });
                }
            }
            Self::PushReceived => scene.server.before(PUSH, kill),
            Self::PushLanded => scene.server.once(
                PUSH,
                Fault::rewrite(move |answer| {
                    kill();
                    answer
                }),
            ),
        }
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        pid.store(child.id(), Ordering::SeqCst);
        let signal = signal_of(&mut child);
        scene.server.heal();
        signal == Some(if matches!(self, Self::At(_)) { 6 } else { 9 })
    }
}

/// The signal that a program ends by, if it ends and by a signal.
fn signal_of(child: &mut Child) -> Option<i32> {
    let started = Instant::now();
    while started.elapsed() < PATIENCE {
        if let Some(status) = child.try_wait().unwrap() {
            return status.signal();
        }
        thread::sleep(Duration::from_millis(10));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    None
}

/// Asserts that the branch holds [`NEW`] by one commit of ours that changes one line.
#[track_caller]
fn assert_one_commit(scene: &Scene, death: &str) -> String {
    git::fsck(&scene.repository.path);
    let ours = Git::in_dir(&scene.repository.path)
        .args(["log", "--author=image-gitops", "--format=%H", "main"])
        .run();
    let ours: Vec<&str> = ours.lines().collect();
    assert_eq!(ours.len(), 1, "commits of ours after a death at {death}");
    let line = git::one_line_diff(&scene.repository.path, &format!("{}~1", ours[0]), ours[0]);
    assert!(line.new.contains(NEW), "{death}: {line:?}");
    ours[0].to_owned()
}

/// Lets the service die once, starts it again, and waits until all is as it should be.
fn the_service_dies(death: Death) {
    let cluster = Cluster::new();
    cluster.apply_application("");
    cluster.apply_resource("  interval: 10s\n");
    cluster.scene.tag(NEW);
    // A container that is started again is the same pod, which holds its Lease still.
    let serve = |folder: &tempfile::TempDir| {
        let mut command =
            cluster.command(folder, &["--namespace", &cluster.namespace], &cluster.namespace, 0, &[]);
        command.env("POD_NAME", "image-gitops-0");
        command
    };
    let folder = tempfile::tempdir().unwrap();
    let died = death.of(&cluster.scene, serve(&folder));
    assert!(died, "{death:?}: the service did not die there");
    let _again = Service::start(serve(&folder), folder);
    cluster.until_image(NEW);
    let name = death.name();
    let path = cluster.path("back");
    let healed = cluster.plane.wait_until(&path, |back| back["status"]["tag"] == NEW);
    let commit = assert_one_commit(&cluster.scene, name);
    let told = cluster.plane.wait_until(&path, |back| ready(back)["status"] == "True");
    assert_eq!(told["status"]["commit"], commit, "{name}: {healed}");
    assert_eq!(told["status"]["image"], cluster.scene.image(NEW), "{name}");
    assert_eq!(told["status"]["history"][0]["commit"], commit, "{name}");
}

#[test]
fn killed_at_any_step_of_a_pass_the_service_heals_with_one_commit() {
    let _alone = alone();
    let (deaths, next) = (Death::all(), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                while let Some(death) = deaths.get(next.fetch_add(1, Ordering::Relaxed)) {
                    the_service_dies(*death);
                    println!("serve dies at {:<20} one commit, Application and status right", death.name());
                }
            });
        }
    });
}

#[test]
fn killed_at_any_step_of_a_pass_the_command_line_heals_with_one_commit() {
    let _alone = alone();
    let mut died = Vec::new();
    for death in Death::all() {
        let scene = Scene::new();
        scene.tag(NEW);
        if death.of(&scene, scene.command(&["sync", "-f", "policy.yaml"])) {
            died.push(death.name());
            scene.run("sync").is(0, &[]);
            println!("sync dies at {:<20} one commit", death.name());
        }
        // What it never comes to does not keep it from its work either.
        assert_one_commit(&scene, death.name());
        scene.run("sync").is(0, &["up to date"]);
        assert_one_commit(&scene, death.name());
    }
    assert_eq!(
        died,
        [
            "pass-begun",
            "tags-listed",
            "branch-read",
            "decided",
            "commit-made",
            "push-answered",
            "branch-moved",
            "push received",
            "push landed"
        ]
    );
}

#[test]
fn without_a_name_of_a_place_nothing_dies() {
    let scene = Scene::new();
    scene.tag(NEW);
    let mut command = scene.command(&["sync", "-f", "policy.yaml"]);
    base::ran(command.env("IMAGE_GITOPS_FAILPOINT", "nowhere").output().unwrap()).is(0, &["updated"]);
}
