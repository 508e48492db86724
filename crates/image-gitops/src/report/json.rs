//! Reports as one JSON document, for programs. The field names are part of the command line's contract.

use std::io::{self, Write};

use serde::Serialize;

/// Prints a report as indented JSON.
pub(crate) fn pretty(out: &mut dyn Write, report: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, report)?;
    writeln!(out)
}

/// Prints a report as one line of JSON.
pub(crate) fn line(out: &mut dyn Write, report: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, report)?;
    writeln!(out)
}
