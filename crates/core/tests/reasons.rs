//! Every reason has its row in the troubleshooting pages, in their order, and no row is of a reason that is none.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::{fs, path::PathBuf};

use image_gitops_core::reason::{self, Reason};

/// The reasons that a page explains: each is a heading, or the first cell of a row, that is one word of code.
fn explained(page: &str) -> Vec<&str> {
    let word = |line| {
        let line: &str = str::trim(line);
        let cell = match line.strip_prefix('|') {
            Some(row) => row.split('|').next()?,
            None => line.strip_prefix('#')?.trim_start_matches('#'),
        };
        let word = cell.trim().strip_prefix('`')?.strip_suffix('`')?;
        let is_reason = word.starts_with(|c: char| c.is_ascii_uppercase())
            && word.chars().all(|c| c.is_ascii_alphanumeric());
        is_reason.then_some(word)
    };
    page.lines().filter_map(word).collect()
}

#[test]
fn every_reason_is_explained_once_and_no_other() {
    let all: Vec<&str> = reason::ALL.iter().copied().map(Reason::as_str).collect();
    for page in ["troubleshooting.md", "fr/troubleshooting.md"] {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(page);
        assert_eq!(explained(&fs::read_to_string(path).unwrap()), all, "docs/{page}");
    }
}

#[test]
fn a_heading_and_a_row_count_and_a_message_does_not() {
    let page = "## `Held`\n| `UpToDate` | all is well |\n| `held …` | 0 |\n| what | `Updated` |\nsee `Suspended`\n# Held\n";
    assert_eq!(explained(page), ["Held", "UpToDate"]);
}
