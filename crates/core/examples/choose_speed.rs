//! How long it takes to choose among 100,000 tags, in milliseconds: the best and the median of some runs.
//!
//! `cargo run --release -p image-gitops-core --example choose_speed`
#![allow(clippy::print_stdout, reason = "this program's output is its purpose")]

use std::{error::Error, time::Instant};

use image_gitops_core::{image::Tag, policy::Policy, select::Rules, tags::TagFilter};

const TAGS: u64 = 100_000;
const RUNS: usize = 15;

fn main() -> Result<(), Box<dyn Error>> {
    // A registry lists them in no useful order: a fixed permutation stands for it.
    let shuffled = |n: u64| n.wrapping_mul(7_919) % TAGS;
    let builds: Vec<Tag> = (0..TAGS)
        .map(shuffled)
        .map(|n| {
            Tag::new(format!("main-{:07x}-{}", n.wrapping_mul(2_654_435_761) & 0xfff_ffff, 1_627_123_456 + n))
        })
        .collect::<Result<_, _>>()?;
    let versions: Vec<Tag> = (0..TAGS)
        .map(shuffled)
        .map(|n| Tag::new(format!("v{}.{}.{}", n / 10_000, n / 100 % 100, n % 100)))
        .collect::<Result<_, _>>()?;
    let numerical = Rules {
        filter: TagFilter::new(Some("^main-[a-f0-9]{7}-(?P<ts>[0-9]+)$"), Some("$ts"), &[])?,
        policy: Policy::new(None, None, None)?,
    };
    let semver = Rules {
        filter: TagFilter::new(None, None, &[])?,
        policy: Policy::new(Some("semver"), None, Some(">=1.0.0 <9.0.0"))?,
    };
    for (name, rules, tags) in [("numerical", numerical, builds), ("semver", semver, versions)] {
        let mut times = Vec::new();
        for _ in 0..RUNS {
            let start = Instant::now();
            let selection = rules.select(&tags, &[]);
            times.push(start.elapsed().as_secs_f64() * 1000.0);
            selection.newest.ok_or("no tag was chosen")?;
        }
        times.sort_by(f64::total_cmp);
        let (best, median) = (times.first().ok_or("no run")?, times.get(RUNS / 2).ok_or("no run")?);
        println!("{name} {TAGS} tags: best {best:.1} ms, median {median:.1} ms");
    }
    Ok(())
}
