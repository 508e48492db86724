//! Real servers for the tests.

mod blocking;
mod connection;
pub mod control_plane;
pub mod cosign;
pub mod demo_repository;
pub mod fleet;
pub mod git;
pub mod git_server;
pub mod measured;
mod process;
pub mod registry_server;
mod tls;
pub mod tools;
