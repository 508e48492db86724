//! `run`: a pass over every branch, again and again, until a signal ends it.

use std::time::Duration;

use jiff::Timestamp;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::{mpsc, watch},
    task::JoinSet,
    time::sleep,
};

use super::CommandError;
use crate::{
    cli::Output,
    job::Group,
    pipeline::{self, Mode},
    report::{GroupReport, json, text},
    serve,
};

/// Keeps every branch up to date. Each has its own rhythm: the shortest interval of its resources, or `interval`.
///
/// A signal ends it at once, but for a push that was sent: that one is waited for, so that its result is known and told.
pub(super) async fn run(
    groups: Vec<Group>,
    interval: Option<Duration>,
    output: Output,
) -> Result<u8, CommandError> {
    let (stop, stopped) = watch::channel(false);
    let (reports, mut inbox) = mpsc::channel(16);
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut loops = JoinSet::new();
    for group in groups {
        let shortest = group.jobs.iter().map(|job| job.resource.interval).min();
        let interval = interval.or(shortest).unwrap_or(image_gitops_core::resource::DEFAULT_INTERVAL);
        tracing::info!(repository = %group.url, branch = %group.branch, ?interval, "watching");
        loops.spawn(keep(group, interval, stopped.clone(), reports.clone()));
    }
    drop(reports);
    let mut printer = Printer { output, last: Vec::new() };
    loop {
        tokio::select! {
            report = inbox.recv() => match report {
                Some(report) => printer.print(report)?,
                None => return Ok(0), // every loop has ended
            },
            _ = terminate.recv() => ended(&stop, "SIGTERM"),
            _ = interrupt.recv() => ended(&stop, "Ctrl-C"),
        }
    }
}

fn ended(stop: &watch::Sender<bool>, by: &str) {
    tracing::info!(by, "ending");
    stop.send_replace(true);
}

async fn keep(
    group: Group,
    interval: Duration,
    mut stopped: watch::Receiver<bool>,
    reports: mpsc::Sender<GroupReport>,
) {
    while !*stopped.borrow() {
        let report = tokio::select! {
            biased;
            report = pipeline::pass(&group, Mode::Sync) => report,
            () = ended_outside_a_push(&group, stopped.clone()) => return,
        };
        let wakes: Vec<Timestamp> = report.resources.iter().filter_map(|resource| resource.wake).collect();
        if reports.send(report).await.is_err() {
            return;
        }
        // A tenth more or less, so that many instances do not ask a registry in step.
        let wait = interval.mul_f64(0.9 + 0.2 * fastrand::f64());
        let wait = wakes.into_iter().map(serve::until).chain([wait]).min().unwrap_or(interval);
        tokio::select! {
            () = sleep(wait) => {}
            _ = stopped.changed() => {}
        }
    }
}

/// Waits for the end of everything, and for the end of the push that is under way by then.
async fn ended_outside_a_push(group: &Group, mut stopped: watch::Receiver<bool>) {
    // An error says that nobody can stop us any more, which only happens when all has ended.
    let _ = stopped.wait_for(|stopped| *stopped).await;
    let _no_push = group.pushing.lock().await;
}

/// Prints what a pass came to, unless it is what the pass before came to as well.
struct Printer {
    output: Output,
    last: Vec<GroupReport>,
}

impl Printer {
    fn print(&mut self, report: GroupReport) -> Result<(), CommandError> {
        let same =
            |other: &GroupReport| other.repository == report.repository && other.branch == report.branch;
        let known = self.last.iter().any(|other| same(other) && other.resources == report.resources);
        if report.commit.is_none() && known {
            return Ok(());
        }
        let mut out = anstream::stdout().lock();
        match self.output {
            Output::Json => json::line(&mut out, &report)?,
            Output::Text => text::group(&mut out, &mut anstream::stderr().lock(), &report, false)?,
        }
        self.last.retain(|other| !same(other));
        self.last.push(report);
        Ok(())
    }
}
