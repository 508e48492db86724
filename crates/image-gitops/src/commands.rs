//! What each command does. A new command: a file here, a variant in [`crate::cli::Command`], a row in the reference.

mod check;
mod explain;
mod keep;
mod once;

use std::{io, process::ExitCode};

use clap::CommandFactory as _;

use crate::{
    cli::{Cli, Command, Files, Output},
    credentials::{Ambient, CredentialError},
    input::{Input, InputError},
    job::{self, Group, JobError},
    pipeline::Mode,
    report::{chain, json, text},
    serve::{self, ServeError},
};

/// Why a command ended before its work began, or could not tell what it did.
#[derive(Debug, thiserror::Error)]
enum CommandError {
    #[error(transparent)]
    Input(#[from] InputError),
    #[error(transparent)]
    Credential(#[from] CredentialError),
    #[error(transparent)]
    Job(#[from] JobError),
    #[error(transparent)]
    Serve(#[from] ServeError),
    #[error("cannot write the output")]
    Output(#[from] io::Error),
    #[error("cannot start the runtime")]
    Runtime(#[source] io::Error),
}

impl CommandError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Input(error) => Some(error.hint()),
            Self::Credential(error) => Some(error.hint()),
            Self::Job(error) => error.hint(),
            Self::Serve(error) => error.hint(),
            Self::Output(_) | Self::Runtime(_) => None,
        }
    }

    fn exit_code(&self) -> u8 {
        match self {
            Self::Input(_) | Self::Credential(_) | Self::Job(_) => 2,
            Self::Serve(_) | Self::Output(_) | Self::Runtime(_) => 1,
        }
    }
}

/// Runs the command and gives its exit code. Errors are printed.
pub(crate) fn run(cli: Cli) -> ExitCode {
    let output = cli.output;
    let result = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2) // waiting for two servers is all there is to do
        .enable_all()
        .build()
        .map_err(CommandError::Runtime)
        .and_then(|runtime| runtime.block_on(dispatch(cli)));
    match result {
        Ok(code) => ExitCode::from(code),
        // `image-gitops run | head`: nobody reads on.
        Err(CommandError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            let (message, causes, hint) = (error.to_string(), chain(&error), error.hint());
            // Nothing is left to report to when standard output or error itself is gone.
            let _ = match output {
                Output::Text => text::error(&mut anstream::stderr(), &message, &causes, hint.as_deref()),
                Output::Json => {
                    let error = serde_json::json!({ "message": message, "causes": causes, "hint": hint });
                    json::line(&mut io::stdout(), &serde_json::json!({ "error": error }))
                }
            };
            ExitCode::from(error.exit_code())
        }
    }
}

/// The code to end with once everything is printed. A reader that closed the pipe (`image-gitops explain | head`) has seen
/// enough: the outcome stays what it is.
fn ended(printed: io::Result<()>, code: u8) -> Result<u8, CommandError> {
    match printed {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(code),
    }
}

async fn dispatch(cli: Cli) -> Result<u8, CommandError> {
    match cli.command {
        Command::Plan(files) => once::run(groups(&files)?, Mode::Plan, cli.output).await,
        Command::Sync(files) => once::run(groups(&files)?, Mode::Sync, cli.output).await,
        Command::Run(run) => keep::run(groups(&run.files)?, run.interval, cli.output).await,
        Command::Explain(files) => explain::run(groups(&files)?, cli.output).await,
        Command::Check(files) => check::run(groups(&files)?, cli.output).await,
        Command::Serve(options) => Ok(serve::run(*options).await?),
        Command::Crd => {
            let crd = serde_saphyr::to_string(&image_gitops_kube::crd()).map_err(io::Error::other)?;
            io::Write::write_all(&mut io::stdout(), crd.as_bytes())?;
            Ok(0)
        }
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "image-gitops", &mut script);
            io::Write::write_all(&mut io::stdout(), &script)?;
            Ok(0)
        }
    }
}

fn groups(files: &Files) -> Result<Vec<Group>, CommandError> {
    let input = Input::read(&files.files)?;
    let ambient = Ambient::read()?;
    Ok(job::groups(&input, &ambient)?)
}
