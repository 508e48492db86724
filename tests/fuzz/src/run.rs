//! Runs a target over its corpus and over inputs made from it.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    time::{Duration, Instant},
};

use fastrand::Rng;

use crate::{MEMORY, corpus, mutate::mutate, targets::Target};

/// The most memory that reading one input may take, beside a thousand times its length: a compiled pattern (1 MiB, and
/// what compiling it takes), an object of a pack as its header announces it.
const MOST_MEMORY: usize = 48 << 20;

/// What came of a target.
#[derive(Debug)]
pub struct Ran {
    /// Inputs read.
    pub inputs: u64,
    /// The most memory that one took, in bytes.
    pub memory: usize,
    /// The longest that one took.
    pub slowest: Duration,
}

/// Why a target failed.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// It panicked, or took too much memory.
    #[error("{target} {why}; the input is kept in {}", path.display())]
    Input {
        /// The target's name.
        target: &'static str,
        /// What it did.
        why: String,
        /// Where its input is.
        path: PathBuf,
    },
    /// The corpus cannot be read or written.
    #[error(transparent)]
    Corpus(#[from] io::Error),
}

/// Reads every input of the corpus, and `cases` made from it.
///
/// # Errors
/// The first input that makes the target panic or take too much memory, which is kept in the corpus.
pub fn run(&(target, read): &Target, cases: u64, seed: u64) -> Result<Ran, Failed> {
    let corpus = corpus::read(target)?;
    let mut rng = Rng::with_seed(seed);
    let mut ran = Ran { inputs: 0, memory: 0, slowest: Duration::ZERO };
    let made = (0..cases).map(|_| mutate(&mut rng, &corpus));
    for input in corpus.iter().cloned().chain(made) {
        MEMORY.reset_peak_usage();
        let before = MEMORY.current_usage();
        let started = Instant::now();
        let panicked = catch_unwind(AssertUnwindSafe(|| read(&input))).is_err();
        ran.slowest = ran.slowest.max(started.elapsed());
        let memory = MEMORY.peak_usage().saturating_sub(before);
        ran.memory = ran.memory.max(memory);
        ran.inputs += 1;
        let why = match memory > MOST_MEMORY + 1000 * input.len() {
            _ if panicked => "panicked".to_owned(),
            true => format!("took {memory} bytes of memory for {} bytes", input.len()),
            false => continue,
        };
        return Err(Failed::Input { target, why, path: corpus::keep(target, &input)? });
    }
    Ok(ran)
}
