//! Packs in memory (gitformat-pack): what a server sends, and what a push sends.
//!
//! The reader is our own, and not gix-pack's, for three reasons: it unpacks each entry once, its limits are those of this
//! crate and hold before anything is allocated, and it cannot panic, whatever a server sends.

mod delta;
mod read;
mod write;

pub(crate) use read::{PackError, read};
pub(crate) use write::write;
