//! Reports as lines for people.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};

use super::{FileDiff, GroupReport, JobReport, Status};

const GREEN: Style = AnsiColor::Green.on_default();
const YELLOW: Style = AnsiColor::Yellow.on_default();
const RED: Style = AnsiColor::Red.on_default();
const CYAN: Style = AnsiColor::Cyan.on_default();
const BOLD: Style = Style::new().bold();

/// How an error looks, wherever it comes from: what was attempted, why it failed, what to do.
pub(crate) fn error(
    out: &mut dyn Write,
    message: &str,
    causes: &[String],
    hint: Option<&str>,
) -> io::Result<()> {
    writeln!(out, "{RED}{BOLD}error:{RED:#}{BOLD:#} {message}")?;
    for cause in causes {
        writeln!(out, "{BOLD}cause:{BOLD:#} {cause}")?;
    }
    if let Some(hint) = hint {
        writeln!(out, "{CYAN}{BOLD}hint:{CYAN:#}{BOLD:#} {hint}")?;
    }
    Ok(())
}

/// Prints one pass: outcomes to `out`, failures to `err`. With `diff`, what changes is shown line by line.
pub(crate) fn group(
    out: &mut dyn Write,
    err: &mut dyn Write,
    report: &GroupReport,
    diff: bool,
) -> io::Result<()> {
    for resource in &report.resources {
        job(out, err, resource)?;
    }
    if diff {
        for file in &report.diffs {
            writeln!(out)?;
            file_diff(out, file)?;
        }
    }
    let subject = report.message.lines().next().unwrap_or_default();
    if let Some(commit) = &report.commit {
        writeln!(
            out,
            "{GREEN}{BOLD}commit{GREEN:#}{BOLD:#} {} on {} of {}",
            commit.id, report.branch, report.repository
        )?;
        writeln!(out, "  {subject}")?;
        for line in &commit.server {
            writeln!(out, "  remote: {line}")?;
        }
    } else if diff && !report.diffs.is_empty() {
        writeln!(out)?;
        writeln!(out, "{BOLD}would commit{BOLD:#} to {} of {}", report.branch, report.repository)?;
        writeln!(out, "  {subject}")?;
    }
    Ok(())
}

fn job(out: &mut dyn Write, err: &mut dyn Write, report: &JobReport) -> io::Result<()> {
    let (style, word) = match report.status {
        Status::Updated => (GREEN, "updated"),
        Status::Planned => (YELLOW, "would update"),
        Status::UpToDate => (GREEN, "up to date"),
        Status::Held => (YELLOW, "held"),
        Status::Waiting => (YELLOW, "waiting"),
        Status::Suspended => (YELLOW, "suspended"),
        Status::Refused => (RED, "refused"),
        Status::Moved => (RED, "moved"),
        Status::Failed => (RED, "failed"),
    };
    writeln!(out, "{style}{BOLD}{word}{style:#}{BOLD:#} {}", report.resource)?;
    let current = report.current.join(", ");
    match &report.tag {
        Some(tag) if matches!(report.status, Status::Updated | Status::Planned) => {
            let current = if current.is_empty() { "no tag" } else { &current };
            writeln!(out, "  {}: {current} -> {tag}", report.image)?;
        }
        Some(tag) if report.status == Status::Waiting => {
            writeln!(out, "  {}: {current}, and not yet {tag}", report.image)?;
        }
        Some(tag) => writeln!(out, "  {}: {current}, and not {tag}", report.image)?,
        None if !current.is_empty() => writeln!(out, "  {}: {current}", report.image)?,
        None => {}
    }
    if let Some(tags) = report.tags {
        writeln!(out, "  {} of {} tags allowed, {}", tags.matched, tags.total, report.policy)?;
    }
    if !report.places.is_empty() {
        writeln!(out, "  {}", report.places.join(", "))?;
    }
    for note in &report.notes {
        writeln!(out, "  {YELLOW}note:{YELLOW:#} {note}")?;
    }
    let Some(message) = &report.message else { return Ok(()) };
    match report.status {
        Status::Held | Status::Waiting | Status::Suspended => writeln!(out, "  {message}"),
        _ => {
            out.flush()?;
            error(err, message, &report.causes, report.hint.as_deref())
        }
    }
}

/// Prints a unified diff, coloured as git does.
pub(crate) fn file_diff(out: &mut dyn Write, file: &FileDiff) -> io::Result<()> {
    for line in file.diff.split_inclusive('\n') {
        let (text, end) = match line.strip_suffix('\n') {
            Some(text) => (text, "\n"),
            None => (line, "\n"),
        };
        let style = match text.as_bytes().first() {
            _ if text.starts_with("---") || text.starts_with("+++") => BOLD,
            Some(b'+') => GREEN,
            Some(b'-') => RED,
            Some(b'@') => CYAN,
            _ => Style::new(),
        };
        write!(out, "{style}{text}{style:#}{end}")?;
    }
    Ok(())
}
