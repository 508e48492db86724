//! One repository with its registry: what CI and people do there, and the program that runs between the two.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::{Child, Output, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use fastrand::Rng;
use image_gitops_tests::{
    git::{self, Git},
    git_server::Options,
    registry_server::FrontOptions,
};

use super::{
    faults,
    oracle::{self, Oracle},
};
use crate::base::{FILE, IMAGE, OLD, Scene};

/// Places at which the program may be made to end; see `src/failpoint.rs`.
const DEATHS: [&str; 7] =
    ["pass-begun", "tags-listed", "branch-read", "decided", "commit-made", "push-answered", "branch-moved"];

/// The shortest interval, and the tenth that it may be longer.
const INTERVAL: Duration = Duration::from_secs(11);
/// What a pass may still take that was under way when the faults stopped.
const UNDER_WAY: Duration = Duration::from_secs(8);

/// A program that runs on. It is killed when it is dropped.
pub(super) struct Kept(Child);

impl Drop for Kept {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(super) struct World {
    rng: Rng,
    scene: Scene,
    /// What the registry lists.
    listed: BTreeSet<String>,
    highest: u64,
    /// The commits that people made.
    people: Arc<Mutex<Vec<String>>>,
    pub(super) oracle: Oracle,
    pub(super) cycles: usize,
    pub(super) deaths: usize,
    pub(super) faults: BTreeMap<&'static str, usize>,
    /// What happened so far, in words.
    pub(super) told: Vec<String>,
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let front = FrontOptions {
            page: rng.choice([None, Some(3), Some(10)]).flatten(),
            uses: rng.choice([None, None, Some(2)]).flatten(),
            ..FrontOptions::default()
        };
        let options = if rng.u8(..4) == 0 { Options::default().only_v0() } else { Options::default() };
        let scene = Scene::with(options, front);
        let tip = scene.tip();
        let oracle = Oracle::new(scene.repository.path.clone(), tip.clone(), OLD);
        Self {
            rng,
            scene,
            listed: BTreeSet::from([OLD.to_owned()]),
            highest: 1_627_123_456,
            people: Arc::new(Mutex::new(vec![tip])),
            oracle,
            cycles: 0,
            deaths: 0,
            faults: BTreeMap::new(),
            told: Vec::new(),
        }
    }

    fn tell(&mut self, what: impl Into<String>) {
        self.told.push(format!("{}: {}", self.cycles, what.into()));
    }

    /// One cycle; an error says what is wrong with what it left behind.
    pub(super) fn cycle(&mut self) -> Result<(), String> {
        self.cycles += 1;
        for _ in 0..self.rng.usize(1..3) {
            self.event();
        }
        let (names, dead) = self.set_faults();
        let died = self.run_and_perhaps_die()?;
        self.deaths += usize::from(died);
        let met = [self.scene.front.heal(), self.scene.server.heal()].concat();
        for (name, count) in names.into_iter().zip(met) {
            *self.faults.entry(name).or_default() += count;
        }
        self.oracle.judge(&self.listed, &dead);
        self.oracle.verdict()?;

        if self.rng.u8(..4) == 0 {
            self.take_a_note();
        }
        let healed = self.scene.run("sync");
        self.tell(format!("healed, ended with {}", healed.code));
        let nothing_allowed = !self.listed.iter().any(|tag| oracle::key(tag).is_some());
        if healed.code != if nothing_allowed { 3 } else { 0 } {
            return Err(format!(
                "ended with {} though all is well: {}{}",
                healed.code, healed.out, healed.err
            ));
        }
        self.oracle.judge(&self.listed, &[]);
        self.oracle.judge_newest(&self.listed);
        self.oracle.verdict()
    }

    /// Starts the program to run on until it is dropped, with the shortest interval.
    pub(super) fn keep(&self) -> Kept {
        let mut command = self.scene.command(&["run", "-f", "policy.yaml", "--interval", "10s"]);
        Kept(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }

    /// A cycle of a program that runs on: the newest tag must be in Git within one interval after the faults.
    pub(super) fn kept_cycle(&mut self, kept: &mut Kept) -> Result<(), String> {
        self.cycles += 1;
        let before = self.listed.clone();
        for _ in 0..self.rng.usize(1..3) {
            self.event();
        }
        // Whatever was listed since the last cycle may have been taken, at any moment.
        let may_be_taken: BTreeSet<String> = before.union(&self.listed).cloned().collect();
        let (names, _) = self.set_faults();
        std::thread::sleep(Duration::from_millis(self.rng.u64(7_000..13_000)));
        let met = [self.scene.front.heal(), self.scene.server.heal()].concat();
        for (name, count) in names.into_iter().zip(met) {
            *self.faults.entry(name).or_default() += count;
        }
        let healed = Instant::now();
        loop {
            self.oracle.judge(&may_be_taken, &[]);
            self.oracle.verdict()?;
            if let Some(status) = kept.0.try_wait().unwrap() {
                return Err(format!("the program ended with {status}"));
            }
            if self.oracle.awaited(&self.listed).is_none() {
                return Ok(());
            }
            if healed.elapsed() > INTERVAL + UNDER_WAY {
                self.oracle.judge_newest(&self.listed);
                return self.oracle.verdict();
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// Looks at the whole branch.
    pub(super) fn end(&mut self) -> Result<(), String> {
        self.oracle.judge_end(&self.people.lock().unwrap());
        self.oracle.verdict()
    }

    /// CI or a person does something.
    fn event(&mut self) {
        match self.rng.u8(..16) {
            0..=6 => {
                self.highest += self.rng.u64(1..100_000);
                let tag = self.tag(self.highest.into());
                self.push(tag);
            }
            7 => {
                let older = self.rng.u64(1..self.highest);
                let tag = self.tag(older.into());
                self.push(tag);
            }
            8 => {
                let junk =
                    ["latest", "_old", "main-ABC1234-9999999999", "main-abc1234-99999999999x", "buildcache"];
                let junk = junk[self.rng.usize(..junk.len())].to_owned();
                self.push(junk);
            }
            9 => {
                let signature = format!("sha256-{:064x}.sig", self.rng.u128(..));
                self.push(signature);
            }
            10 if self.listed.len() > 1 => {
                let index = self.rng.usize(..self.listed.len());
                let Some(gone) = self.listed.iter().nth(index).cloned() else { return };
                self.tell(format!("the registry loses {gone}"));
                self.listed.remove(&gone);
                self.scene.registry.untag(IMAGE, &gone);
            }
            11 => self.take_a_note(),
            12 => {
                let file = self.scene.file();
                let port = self.rng.u16(1..).to_string();
                let lines = file.lines().map(|line| match line.trim_start().starts_with("port: ") {
                    true => format!("        port: {port}\n"),
                    false => format!("{line}\n"),
                });
                self.person("Move to another port", &lines.collect::<String>());
            }
            13 => self.choose_by_hand(),
            _ => self.revert(),
        }
    }

    fn tag(&mut self, number: u128) -> String {
        format!("main-{:07x}-{number}", self.rng.u32(..0x1000_0000))
    }

    fn push(&mut self, tag: String) {
        // Two tags of one number would both be the newest.
        let taken = |other: &String| oracle::key(other).is_some() && oracle::key(other) == oracle::key(&tag);
        if self.listed.iter().any(taken) {
            return;
        }
        self.tell(format!("CI pushes {tag}"));
        self.scene.tag(&tag);
        self.listed.insert(tag);
    }

    fn person(&mut self, message: &str, file: &str) {
        self.tell(format!("a person: {message}"));
        if file != self.scene.file() {
            let id = self.scene.commit(FILE, file, message);
            self.people.lock().unwrap().push(id);
        }
    }

    fn take_a_note(&mut self) {
        let note = self.rng.u64(..).to_string();
        self.tell("a person takes a note");
        let id = self.scene.commit("notes.txt", &note, "Take a note");
        self.people.lock().unwrap().push(id);
    }

    /// A person writes a tag that they choose.
    fn choose_by_hand(&mut self) {
        let listed: Vec<&String> = self.listed.iter().collect();
        let tag = match self.rng.u8(..4) {
            0 => "hotfix".to_owned(),
            _ => listed[self.rng.usize(..listed.len())].clone(),
        };
        let file = self.scene.file().replace(&format!(":{} ", self.oracle.standing), &format!(":{tag} "));
        self.person(&format!("choose {tag}"), &file);
    }

    /// A person undoes our last commit, as `git revert` does where it is the newest.
    fn revert(&mut self) {
        let bare = self.scene.repository.path.clone();
        let author = Git::in_dir(&bare).args(["log", "-1", "--format=%an", "main"]).run();
        if author == "image-gitops" {
            let before = String::from_utf8(git::show(&bare, "main~1", FILE)).unwrap();
            self.person("revert", &before);
        }
    }

    /// Sets faults; gives their names, in the order in which `heal` counts them, and the tags that have no manifest.
    fn set_faults(&mut self) -> (Vec<&'static str>, Vec<String>) {
        let (mut at_registry, mut at_git) = (Vec::new(), Vec::new());
        let mut tags: Vec<String> = self.listed.iter().cloned().collect();
        tags.sort_by_key(|tag| oracle::key(tag));
        for _ in 0..self.rng.usize(1..4) {
            if self.rng.bool() {
                at_registry.push(faults::at_registry(&mut self.rng, &tags));
            } else {
                let somebody = self.somebody();
                at_git.push(faults::at_git(&mut self.rng, somebody));
            }
        }
        // The registry's first fault that fits a request is the one that it meets: a tag that is gone is always gone.
        at_registry.sort_by_key(|fault| !fault.is_gone());
        let dead =
            at_registry.iter().filter(|fault| fault.is_gone()).filter_map(|_| tags.last().cloned()).collect();
        let mut names = Vec::new();
        for fault in at_registry {
            self.tell(format!("{} at {} {:?}", fault.name, fault.pattern, fault.times));
            names.push(fault.name);
            self.scene.front.times(fault.times.unwrap_or(usize::MAX), &fault.pattern, fault.fault);
        }
        for fault in at_git {
            self.tell(format!("{} at {} {:?}", fault.name, fault.pattern, fault.times));
            names.push(fault.name);
            self.scene.server.times(fault.times.unwrap_or(usize::MAX), fault.pattern, fault.fault);
        }
        (names, dead)
    }

    /// Somebody who commits while the program works: a note, or another image in the very line.
    fn somebody(&mut self) -> Arc<dyn Fn() + Send + Sync> {
        let (bare, people) = (self.scene.repository.path.clone(), self.people.clone());
        let tag = self.listed.iter().nth(self.rng.usize(..self.listed.len())).cloned().unwrap_or_default();
        let (note, image) = (self.rng.u64(..).to_string(), self.rng.u8(..3) == 0);
        Arc::new(move || {
            let file = String::from_utf8(git::show(&bare, "main", FILE)).unwrap();
            let lines = file.lines().map(|line| match line.split_once("bfirstai:") {
                Some((image, _)) => format!("{image}bfirstai:{tag}   # kept up to date\n"),
                None => format!("{line}\n"),
            });
            let chosen: String = lines.collect();
            let (path, text) = match image && chosen != file {
                true => (FILE, chosen.as_bytes()),
                false => ("notes.txt", note.as_bytes()),
            };
            let id = git::commit_files(&bare, "main", &[(path, text)], "In between");
            people.lock().unwrap().push(id);
        })
    }

    /// Runs the program, which may be killed at a moment or a place. Tells whether it was.
    fn run_and_perhaps_die(&mut self) -> Result<bool, String> {
        let mut command = self.scene.command(&["sync", "-f", "policy.yaml"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut after = None;
        match self.rng.u8(..10) {
            0 | 1 => drop(command.env("IMAGE_GITOPS_FAILPOINT", DEATHS[self.rng.usize(..DEATHS.len())])),
            2 => after = Some(Duration::from_millis(self.rng.u64(1..400))),
            _ => {}
        }
        let mut child = command.spawn().unwrap();
        if let Some(time) = after {
            std::thread::sleep(time);
            child.kill().unwrap();
        }
        let Output { status, stderr, .. } = child.wait_with_output().unwrap();
        self.tell(format!("ended with {status}"));
        match status.code() {
            None => Ok(true),
            Some(0 | 1 | 3 | 4) => Ok(false),
            Some(code) => Err(format!("ended with {code}: {}", String::from_utf8_lossy(&stderr))),
        }
    }
}
