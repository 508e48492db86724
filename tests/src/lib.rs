//! Real servers for the tests.

pub mod registry_server;
pub mod tools;
pub mod git;
pub mod git_server;
