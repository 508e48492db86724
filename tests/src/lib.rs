//! Real servers for the tests.

pub mod demo_repository;
pub mod git;
pub mod git_server;
pub mod registry_server;
pub mod tools;
