//! What is fuzzed here: everything that reads what a registry sends. For the runner in `tests/fuzz` alone.

use std::time::SystemTime;

use url::Url;

use crate::auth::challenge::Challenge;
use crate::http::{wait, words::Words};
use crate::tags::{cursor, link, page};

/// A name, and what reads the bytes. Nothing comes out: it must not panic, take long or take much memory.
pub type Target = (&'static str, fn(&[u8]));

/// What reads a registry's headers and bodies.
pub const TARGETS: &[Target] = &[
    ("link", |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let page = Url::parse("https://ghcr.io/v2/owner/name/tags/list");
        if let (Some(target), Ok(page)) = (link::next(text.lines()), page) {
            let _ = cursor(&page, target);
        }
    }),
    ("www-authenticate", |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let _ = Challenge::choose(text.lines());
    }),
    ("retry-after", |bytes| {
        let _ = wait::asked(Some(&String::from_utf8_lossy(bytes)), &[], SystemTime::UNIX_EPOCH);
    }),
    ("retry-after-body", |bytes| {
        let _ = wait::asked(None, bytes, SystemTime::UNIX_EPOCH);
    }),
    ("tags-page", |bytes| {
        let _ = page::parse(bytes, "application/json");
    }),
    ("words-of-registry", |bytes| {
        let _ = Words::of(bytes, "application/json");
        let _ = Words::of(bytes, "text/plain");
    }),
];
