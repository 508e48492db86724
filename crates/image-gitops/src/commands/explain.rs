//! `explain`: every tag, and why it won or lost.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use futures_util::future::join_all;

use super::CommandError;
use crate::{
    cli::Output,
    job::{self, Group},
    pipeline::{self, Explanation},
    report::{Status, json, progress, text},
};

const GREEN: Style = AnsiColor::Green.on_default().bold();
const DIM: Style = Style::new().dimmed();
const BOLD: Style = Style::new().bold();

/// Explains every resource. Fails where something could not be read, after printing what could.
pub(super) async fn run(groups: Vec<Group>, output: Output) -> Result<u8, CommandError> {
    let _lists = job::hold_lists(&groups);
    let work = join_all(groups.into_iter().map(async |group| pipeline::explain(&group).await));
    let explanations = progress::while_waiting("reading registries and branches", work).await;
    let explanations: Vec<Explanation> = explanations.into_iter().flatten().collect();
    let failed = explanations.iter().filter_map(|e| e.failure.as_ref()).any(|f| f.status() == Status::Failed);
    super::ended(print_all(&explanations, output), u8::from(failed))
}

fn print_all(explanations: &[Explanation], output: Output) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    if output == Output::Json {
        return json::pretty(&mut out, &serde_json::json!({ "resources": explanations }));
    }
    for (index, explanation) in explanations.iter().enumerate() {
        if index > 0 {
            writeln!(out)?;
        }
        print(&mut out, explanation)?;
        out.flush()?;
        for problem in &explanation.problems {
            let mut err = anstream::stderr().lock();
            text::error(&mut err, &problem.message, &problem.causes, problem.hint.as_deref())?;
        }
    }
    Ok(())
}

fn print(out: &mut dyn Write, explanation: &Explanation) -> io::Result<()> {
    writeln!(out, "{BOLD}{}{BOLD:#} {}", explanation.resource, explanation.image)?;
    writeln!(out, "  policy: {}", explanation.policy)?;
    for floor in &explanation.floors {
        writeln!(out, "  floor: {} ({})", floor.tag, floor.from)?;
    }
    if let Some(held) = &explanation.held {
        writeln!(out, "  held: {held}")?;
    }
    if let Some(waits) = &explanation.waits {
        writeln!(out, "  waits: {waits}")?;
    }
    let width = explanation.tags.iter().map(|verdict| verdict.tag.len()).max().unwrap_or_default();
    for verdict in &explanation.tags {
        let (mark, style) = if verdict.chosen { ('*', GREEN) } else { (' ', DIM) };
        writeln!(out, "{mark} {:width$}  {style}{}{style:#}", verdict.tag, verdict.reason)?;
    }
    Ok(())
}
