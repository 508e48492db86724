//! `plan` and `sync`: one pass over every branch.

use std::io;

use futures_util::future::join_all;
use serde::Serialize;

use super::CommandError;
use crate::{
    cli::Output,
    job::{self, Group},
    pipeline::{self, Mode},
    report::{self, GroupReport, json, progress, text},
};

#[derive(Serialize)]
struct Document<'r> {
    branches: &'r [GroupReport],
}

/// Runs one pass over every branch, whose connections end with it, and prints them in the order of the files.
pub(super) async fn run(groups: Vec<Group>, mode: Mode<'_>, output: Output) -> Result<u8, CommandError> {
    let _lists = job::hold_lists(&groups);
    let passes = join_all(groups.into_iter().map(async |group| pipeline::pass(&group, mode).await));
    let reports = progress::while_waiting("reading registries and branches", passes).await;
    super::ended(print(&reports, mode, output), report::exit_code(&reports))
}

fn print(reports: &[GroupReport], mode: Mode<'_>, output: Output) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    match output {
        Output::Json => json::pretty(&mut out, &Document { branches: reports }),
        Output::Text => {
            let mut err = anstream::stderr().lock();
            reports
                .iter()
                .try_for_each(|report| text::group(&mut out, &mut err, report, matches!(mode, Mode::Plan)))
        }
    }
}
