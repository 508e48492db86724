//! Real servers for the tests.

pub mod registry_server;
pub mod tools;
