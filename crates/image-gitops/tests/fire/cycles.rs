//! Random faults, events and deaths from a seed; after each cycle, plain git is asked whether anything is wrong.
//!
//! A cycle: people and CI do something, faults are set, the program runs and may be killed; then the faults stop and it runs
//! once more, which is one interval. [`oracle`] judges what lies on the branch after both runs.

mod faults;
mod oracle;
mod world;

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Instant,
};

use crate::alone;
use world::World;

/// How many cycles one repository lives through. A failure is replayed from the beginning of its repository.
const LIFE: usize = 20;
/// How many repositories are worked on at a time: most of the time goes by in waits that the program makes between its tries.
const AT_A_TIME: usize = 12;

/// What came of all cycles.
#[derive(Default)]
struct Totals {
    cycles: usize,
    faults: BTreeMap<&'static str, usize>,
    deaths: usize,
    ours: usize,
    theirs: usize,
    wrong: usize,
    doubled: usize,
    lost: usize,
    failures: Vec<String>,
}

impl Totals {
    fn add(&mut self, world: &World, failed: Option<String>) {
        self.cycles += world.cycles;
        self.deaths += world.deaths;
        for (kind, count) in &world.faults {
            *self.faults.entry(kind).or_default() += count;
        }
        let judged = &world.oracle.judged;
        self.ours += judged.ours;
        self.theirs += judged.theirs;
        self.wrong += judged.wrong.len();
        self.doubled += judged.doubled.len();
        self.lost += judged.lost.len();
        self.failures.extend(failed);
    }

    fn table(&self) -> String {
        let mut text = format!("\n{:>7}  cycles\n", self.cycles);
        for (name, count) in &self.faults {
            let _ = writeln!(text, "{count:>7}  requests met: {name}");
        }
        for (name, count) in [
            ("deaths of the program", self.deaths),
            ("commits of other people", self.theirs),
            ("commits of ours", self.ours),
            ("wrong", self.wrong),
            ("doubled", self.doubled),
            ("lost", self.lost),
        ] {
            let _ = writeln!(text, "{count:>7}  {name}");
        }
        text
    }
}

/// Lives on from its seed with a program that is not started again.
fn live_on(seed: u64, cycles: usize) -> (World, Option<String>) {
    let mut world = World::new(seed);
    let mut kept = world.keep();
    let lived = (0..cycles).try_for_each(|_| world.kept_cycle(&mut kept)).and_then(|()| world.end());
    let failed = lived.err().map(|why| format!("seed {seed}: {why}\n  {}", world.told.join("\n  ")));
    (world, failed)
}

/// A failure under way must not end the lives beside it; its message is printed where it happens.
fn cycled(cycle: impl FnOnce() -> Result<(), String>) -> Result<(), String> {
    let panicked = |_| Err("a panic, whose message stands above".to_owned());
    catch_unwind(AssertUnwindSafe(cycle)).unwrap_or_else(panicked)
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().filter(|text| !text.is_empty()).map(|text| text.parse().expect(name))
}

/// One repository's life from its seed. What is wrong comes back in words, with what happened before it.
fn live(seed: u64, cycles: usize) -> (World, Option<String>) {
    let mut world = World::new(seed);
    for _ in 0..cycles {
        if let Err(why) = cycled(|| world.cycle()) {
            let told = world.told.join("\n  ");
            let failed = format!("{why}\n  {told}\nreplay it with: make fire SEED={seed} CYCLES={cycles}");
            return (world, Some(failed));
        }
    }
    let failed = world.end().err();
    let failed = failed.map(|why| format!("{why}\nreplay it with: make fire SEED={seed} CYCLES={cycles}"));
    (world, failed)
}

#[test]
fn a_thousand_cycles_of_random_faults_leave_no_commit_wrong_doubled_or_lost() {
    let _alone = alone();
    let seed = number("FIRE_SEED").unwrap_or(1);
    let cycles = number("FIRE_CYCLES").map_or(1000, |cycles| usize::try_from(cycles).unwrap());
    let lives = cycles.div_ceil(LIFE);
    println!("seed {seed}, {cycles} cycles");
    let (started, next, totals) = (Instant::now(), AtomicUsize::new(0), Mutex::new(Totals::default()));
    thread::scope(|scope| {
        for _ in 0..AT_A_TIME.min(lives) {
            scope.spawn(|| {
                loop {
                    let turn = next.fetch_add(1, Ordering::Relaxed);
                    if turn >= lives || totals.lock().unwrap().failures.len() >= 3 {
                        return;
                    }
                    let length = LIFE.min(cycles - turn * LIFE);
                    let (world, failed) = live(seed.wrapping_add(turn as u64), length);
                    totals.lock().unwrap().add(&world, failed);
                }
            });
        }
    });
    let totals = totals.into_inner().unwrap();
    println!("{}in {} s", totals.table(), started.elapsed().as_secs());
    assert!(totals.failures.is_empty(), "{}", totals.failures.join("\n\n"));
    assert_eq!((totals.wrong, totals.doubled, totals.lost), (0, 0, 0));
    assert_eq!(totals.cycles, cycles);
    assert!(cycles < 100 || totals.ours > cycles / 4 && totals.deaths > 0, "nothing was tested");
}

#[test]
fn a_program_that_runs_on_has_the_newest_tag_in_git_within_one_interval_after_the_faults() {
    let _alone = alone();
    const LIVES: u64 = 12;
    const CYCLES: usize = 3;
    let seed = number("FIRE_SEED").unwrap_or(1);
    let totals = Mutex::new(Totals::default());
    thread::scope(|scope| {
        for life in 0..LIVES {
            let totals = &totals;
            scope.spawn(move || {
                let (world, failed) = live_on(seed.wrapping_add(1_000_000 + life), CYCLES);
                totals.lock().unwrap().add(&world, failed);
            });
        }
    });
    let totals = totals.into_inner().unwrap();
    println!("{}", totals.table());
    assert!(totals.failures.is_empty(), "{}", totals.failures.join("\n\n"));
    assert_eq!(totals.cycles, CYCLES * LIVES as usize);
}
