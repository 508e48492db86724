//! `fuzz [CASES] [SEED] [TARGET]` reads mutations of the corpus; `fuzz growth` prints how time and memory grow.
#![allow(clippy::print_stdout, reason = "what it is for")]

use std::{env, process::ExitCode};

use image_gitops_fuzz::{growth, run::run, targets};

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == "growth") {
        print!("{}", growth::table(&growth::measure(&targets::all())));
        return ExitCode::SUCCESS;
    }
    let number = |at: usize| arguments.get(at).and_then(|text| text.parse().ok());
    let (cases, seed) = (number(0).unwrap_or(100_000), number(1).unwrap_or_else(|| fastrand::u64(..)));
    println!("{cases} inputs of each target; again with: fuzz {cases} {seed}");
    let chosen = |name: &str| arguments.get(2).is_none_or(|wanted| wanted == name);
    for target in targets::all().iter().filter(|(name, _)| chosen(name)) {
        match run(target, cases, seed) {
            Ok(ran) => println!(
                "{:22} {:9} inputs, none panicked; at most {:6} kB of memory and {:7.2} ms",
                target.0,
                ran.inputs,
                ran.memory / 1000,
                ran.slowest.as_secs_f64() * 1000.0
            ),
            Err(failed) => {
                println!("FAILED: {failed}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}
