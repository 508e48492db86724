//! `image-gitops`: keep the image of a KubeVela Application up to date through Git.

mod cli;
mod commands;
mod credentials;
mod failpoint;
mod input;
mod job;
mod pipeline;
mod report;
mod serve;
mod telemetry;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    telemetry::init(&cli);
    commands::run(cli)
}
