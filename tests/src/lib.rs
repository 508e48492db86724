//! Real servers for the tests.

mod connection;
pub mod demo_repository;
pub mod git;
pub mod git_server;
pub mod registry_server;
mod tls;
pub mod tools;
