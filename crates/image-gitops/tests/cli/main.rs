//! The program against a real registry and a real Git server. One file a subject; [`scene`] is what they share.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_types, reason = "runs the program that it tests")]

mod canary;
mod credentials;
mod faults;
mod people;
mod places;
mod run;
mod scene;
mod secrets;
mod signed;
mod sync;
mod takeover;
mod updates;
mod usage;
