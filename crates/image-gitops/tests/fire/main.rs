//! The program under fire: every fault that is known, random ones without end, a death at every step, and many writers.
//!
//! `docs/reliability.md` says what each of these shows. `make fire` runs them for longer, and from another seed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(
    clippy::disallowed_types,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "runs the program that it tests, and prints what came of it"
)]

#[allow(dead_code, reason = "the command line's tests use more of it")]
#[path = "../cli/scene.rs"]
mod base;
#[cfg(debug_assertions)]
mod crash;
mod cycles;
#[allow(dead_code, reason = "the program uses more of it")]
#[path = "../../src/failpoint.rs"]
mod failpoint;
mod matrix;
mod races;
#[allow(dead_code, unused_imports, reason = "the service's tests use more of it")]
#[path = "../serve/scene.rs"]
mod scene;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// One suite at a time: each makes a load of its own, and none is about the load of another.
fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}
