//! What to change, decided from values alone.
//!
//! **Invariant:** this crate performs no I/O. It has no network, Git, cluster, clock, environment or file access;
//! its manifest proves it. Bytes and lists come in, a decision goes out.
//!
//! The vocabulary: a [`image::Repository`] holds [`image::Tag`]s; [`tags::Rules`] order them; a [`yaml::Manifest`] is
//! a file of the user in which one scalar names an image.

pub mod credential;
pub mod image;
