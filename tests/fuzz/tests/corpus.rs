//! A fixed number of inputs for every target. One test: memory is counted for the whole process.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test fails by panicking")]

use image_gitops_fuzz::{run::run, targets};

/// Inputs of each target, beside its corpus.
const CASES: u64 = 2000;

#[test]
fn no_input_makes_a_parser_panic_or_take_much_memory() {
    let targets = targets::all();
    for target in &targets {
        let ran = run(target, CASES, 1).unwrap_or_else(|failed| panic!("{failed}"));
        println!("{:22} {} inputs, at most {} kB of memory", target.0, ran.inputs, ran.memory / 1000);
    }
    assert!(targets.len() > 25);
}
