//! Fuzzing on the stable toolchain: targets that read what others send, a corpus of real input for each, and mutations
//! of it from a seed. `make test` reads a fixed number, `make fuzz CASES=…` as many as one has time for.

pub mod corpus;
pub mod growth;
pub mod mutate;
pub mod run;
pub mod targets;

use peak_alloc::PeakAlloc;

/// Counts what a target takes.
#[global_allocator]
pub static MEMORY: PeakAlloc = PeakAlloc;
