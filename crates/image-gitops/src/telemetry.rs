//! Logs, on standard error. Text here; the service in a cluster writes JSON.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

use crate::cli::{Cli, Color, Command};

/// Starts logging: warnings only, more with `-v`, or what `RUST_LOG` says. Also settles when output is coloured.
pub(crate) fn init(cli: &Cli) {
    let choice = match cli.color {
        Color::Auto => anstream::ColorChoice::Auto,
        Color::Always => anstream::ColorChoice::Always,
        Color::Never => anstream::ColorChoice::Never,
    };
    choice.write_global();
    let ansi = match cli.color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => {
            std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
        }
    };
    // The service has nobody who looks on: what it does stands in its log.
    let serves = matches!(cli.command, Command::Serve(_));
    let level = match cli.verbose + u8::from(serves) {
        0 => "warn",
        1 => "image_gitops=info,image_gitops_git=info,image_gitops_kube=info,image_gitops_registry=info,warn",
        _ => {
            "image_gitops=debug,image_gitops_git=debug,image_gitops_kube=debug,image_gitops_registry=debug,warn"
        }
    };
    let mut filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    // Whatever RUST_LOG says: where the API server's answer cannot be read, this prints all of it, and it may be a Secret.
    if let Ok(silent) = "kube_client::client=off".parse() {
        filter = filter.add_directive(silent);
    }
    let log =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    if serves && !std::io::stderr().is_terminal() {
        log.json().flatten_event(true).with_current_span(true).with_span_list(false).init();
    } else {
        log.with_ansi(ansi).init();
    }
}
