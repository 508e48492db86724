//! What to change, decided from values alone.
//!
//! **Invariant:** this crate performs no I/O. It has no network, Git, cluster, clock, environment or file access;
//! its manifest proves it. Bytes and lists come in, a decision goes out.
//!
//! The vocabulary: a [`image::Repository`] holds [`image::Tag`]s; [`select::Rules`] order them; a [`yaml::Manifest`] is
//! a file of the user in which one scalar names an image.

pub mod age;
pub mod body;
pub mod credential;
pub mod decide;
pub mod docker_config;
pub mod explain;
pub mod harm;
pub mod health;
pub mod image;
pub mod message;
pub mod platform;
pub mod policy;
pub mod reach;
pub mod reason;
pub mod resource;
pub mod schedule;
pub mod secret;
pub mod select;
pub mod signature;
pub mod spec;
pub mod step;
pub mod tags;
pub mod wait;
pub mod webhook;
pub mod yaml;
