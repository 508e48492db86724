//! How time and memory grow with inputs that are made to be expensive: at one, two, four and eight times a size.

use std::{fmt::Write as _, time::Instant};

use crate::{MEMORY, targets::Target};

mod worst;

/// The four sizes.
const TIMES: [usize; 4] = [1, 2, 4, 8];
/// The least time of so many is taken.
const RUNS: usize = 3;

/// How one target took one kind of input.
#[derive(Debug)]
pub struct Growth {
    /// The target.
    pub target: &'static str,
    /// What the input is.
    pub input: &'static str,
    /// Bytes of the input, microseconds and bytes of memory that it took, at each of the sizes.
    pub points: [(usize, f64, usize); 4],
}

impl Growth {
    /// The exponent of the time: 1 is linear, 2 quadratic.
    pub fn time(&self) -> f64 {
        let [(small, first, _), _, _, (large, last, _)] = self.points;
        (last / first.max(1.0)).ln() / (large as f64 / small as f64).ln()
    }

    /// The exponent of the memory.
    pub fn memory(&self) -> f64 {
        let [(small, _, first), _, _, (large, _, last)] = self.points;
        (last.max(4096) as f64 / first.max(4096) as f64).ln() / (large as f64 / small as f64).ln()
    }
}

/// Measures every input that is made to be expensive.
pub fn measure(targets: &[Target]) -> Vec<Growth> {
    let of = |name| targets.iter().find(|(target, _)| *target == name);
    let known = worst::INPUTS.iter().filter_map(|case| Some((case, of(case.0)?)));
    known
        .map(|(&(target, input, make), &(_, read))| {
            let points = TIMES.map(|times| {
                let bytes = make(times);
                let mut least = f64::INFINITY;
                let mut memory = 0;
                for _ in 0..RUNS {
                    MEMORY.reset_peak_usage();
                    let before = MEMORY.current_usage();
                    let started = Instant::now();
                    read(&bytes);
                    least = least.min(started.elapsed().as_secs_f64() * 1e6);
                    memory = MEMORY.peak_usage().saturating_sub(before);
                }
                (bytes.len(), least, memory)
            });
            Growth { target, input, points }
        })
        .collect()
}

/// The table that `make bench` prints.
pub fn table(all: &[Growth]) -> String {
    let mut text = String::from(
        "| target | input | bytes, 1× and 8× | time, 1× and 8× | grows as n to the | memory, 1× and 8× | grows as n to the |\n\
         | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    for growth in all {
        let [(small, first, little), _, _, (large, last, much)] = growth.points;
        let _ = writeln!(
            text,
            "| {} | {} | {} / {} kB | {:.2} / {:.2} ms | {:.2} | {} / {} kB | {:.2} |",
            growth.target,
            growth.input,
            small / 1000,
            large / 1000,
            first / 1000.0,
            last / 1000.0,
            growth.time(),
            little / 1000,
            much / 1000,
            growth.memory(),
        );
    }
    text
}
