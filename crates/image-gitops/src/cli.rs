//! The command line.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand, ValueEnum};
use image_gitops_core::reach::{self, HostPattern, Network, Reach};

const EXIT_CODES: &str = "\
Exit codes:
  0  updated, or up to date
  1  failed
  2  usage, or a file that cannot be used
  3  refused by policy: no tag is allowed, or the Git server's rules forbid the push
  4  the branch moved too often

Environment:
  GITHUB_TOKEN, GH_TOKEN   for github.com, and for ghcr.io where docker's config has nothing
  DOCKER_CONFIG            the folder of docker's config.json [default: ~/.docker]
  SSL_CERT_FILE            the certificates to trust, instead of the system's
  HTTPS_PROXY, NO_PROXY    as for curl
  NO_COLOR                 no colours
  RUST_LOG                 what is logged, as in image_gitops=debug";

/// Keep the image of a KubeVela Application up to date through Git.
#[derive(Debug, Parser)]
#[command(name = "image-gitops", version, about, after_help = EXIT_CODES, propagate_version = true, max_term_width = 110)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,

    /// Print results as this
    #[arg(long, global = true, value_enum, default_value_t, help_heading = "Output options")]
    pub(crate) output: Output,

    /// When to colour the output
    #[arg(long, global = true, value_enum, default_value_t, help_heading = "Output options")]
    pub(crate) color: Color,

    /// Log more: what is done (-v), and each request (-vv)
    #[arg(short, long, global = true, action = clap::ArgAction::Count, help_heading = "Output options")]
    pub(crate) verbose: u8,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Print the diff that would be committed; write nothing
    Plan(Files),
    /// Update once: choose the tags, commit, push
    Sync(Files),
    /// Keep updating until SIGTERM or Ctrl-C
    Run(Run),
    /// Print every tag and why it won or lost
    Explain(Files),
    /// Try the registry and Git access, and say what to mend
    Check(Files),
    /// Serve the resources of a cluster: keep them up to date, answer workflow steps and webhooks
    Serve(Box<Serve>),
    /// Print the CustomResourceDefinition of the resource
    Crd,
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Files {
    /// A file or folder with ImageGitOps resources, and the Secrets they name; - reads standard input
    #[arg(short, long = "file", required = true, value_name = "FILE", num_args = 1..)]
    pub(crate) files: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) files: Files,

    /// Read the registries this often, whatever the resources say: 30s, 2m, 1h
    #[arg(long, value_name = "TIME", value_parser = interval)]
    pub(crate) interval: Option<Duration>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Serve {
    /// Serve the resources of this namespace only
    #[arg(long, env = "IMAGE_GITOPS_NAMESPACE", value_name = "NAME")]
    pub(crate) namespace: Option<String>,

    /// Serve only the resources whose label image-gitops.dev/instance has this value, not those without the label
    #[arg(long, env = "IMAGE_GITOPS_INSTANCE", value_name = "NAME")]
    pub(crate) instance: Option<String>,

    /// Answer steps and webhooks here
    #[arg(long, env = "IMAGE_GITOPS_LISTEN", value_name = "ADDRESS", default_value = "0.0.0.0:8080")]
    pub(crate) listen: SocketAddr,

    /// Answer /metrics, /healthz and /readyz here
    #[arg(long, env = "IMAGE_GITOPS_ADMIN_LISTEN", value_name = "ADDRESS", default_value = "0.0.0.0:9090")]
    pub(crate) admin_listen: SocketAddr,

    /// Trust the certificates in this file besides the usual ones, for registries and Git alike
    #[arg(long, env = "IMAGE_GITOPS_CA_FILE", value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,

    /// Ask these registries only, and the hosts they send to for a token: ghcr.io, *.example.com, registry.example.com:5000
    #[arg(long, env = "IMAGE_GITOPS_REGISTRY_HOSTS", value_name = "HOST,…", value_delimiter = ',')]
    pub(crate) registry_hosts: Vec<HostPattern>,

    /// Ask these Git servers only; written alike
    #[arg(long, env = "IMAGE_GITOPS_GIT_HOSTS", value_name = "HOST,…", value_delimiter = ',')]
    pub(crate) git_hosts: Vec<HostPattern>,

    /// Ask servers at these addresses too, though they are loopback, link-local or a cloud's metadata: 127.0.0.0/8
    #[arg(
        long,
        env = "IMAGE_GITOPS_ALLOW_ADDRESSES",
        value_name = "NETWORK,…",
        value_delimiter = ',',
        value_parser = reach::network
    )]
    pub(crate) allow_addresses: Vec<Network>,

    /// The address at which steps reach this service [default: its Service in its namespace]
    #[arg(long, env = "IMAGE_GITOPS_URL", value_name = "URL")]
    pub(crate) url: Option<String>,

    /// The Secret with the address and the token of steps, made where it is missing; empty: no steps
    #[arg(
        long,
        env = "IMAGE_GITOPS_CLIENT_SECRET",
        value_name = "NAME",
        default_value = "image-gitops-client"
    )]
    pub(crate) client_secret: String,

    /// The Secret with the token of webhooks, made where it is missing; empty: no webhooks
    #[arg(
        long,
        env = "IMAGE_GITOPS_WEBHOOK_SECRET",
        value_name = "NAME",
        default_value = "image-gitops-webhook"
    )]
    pub(crate) webhook_secret: String,

    /// The Lease that tells which replica polls; empty: this one [default: image-gitops, or image-gitops-INSTANCE]
    #[arg(long, env = "IMAGE_GITOPS_LEASE", value_name = "NAME")]
    pub(crate) lease: Option<String>,

    /// The namespace that this program runs in [default: the service account's]
    #[arg(long, env = "POD_NAMESPACE", value_name = "NAME", hide = true)]
    pub(crate) pod_namespace: Option<String>,

    /// The name of this replica [default: a random one]
    #[arg(long, env = "POD_NAME", value_name = "NAME", hide = true)]
    pub(crate) pod_name: Option<String>,
}

impl Serve {
    /// Which servers the resources may name.
    pub(crate) fn reaches(&self) -> Reaches {
        Reaches {
            registry: Reach::bounded(&self.registry_hosts, &self.allow_addresses),
            git: Reach::bounded(&self.git_hosts, &self.allow_addresses),
        }
    }

    /// The Lease to take part in the election for; `None` where there is none.
    pub(crate) fn lease_name(&self) -> Option<String> {
        match (&self.lease, &self.instance) {
            (Some(name), _) => given(name).map(str::to_owned),
            (None, Some(instance)) => Some(format!("image-gitops-{instance}")),
            (None, None) => Some("image-gitops".into()),
        }
    }
}

/// Which servers may be asked. The default is every server: whoever runs a command on their own machine may ask what the
/// machine may.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reaches {
    pub(crate) registry: Reach,
    pub(crate) git: Reach,
}

/// A name, unless it is empty.
pub(crate) fn given(name: &str) -> Option<&str> {
    Some(name.trim()).filter(|name| !name.is_empty())
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// Lines for people
    #[default]
    Text,
    /// One JSON document; with `run`, one a line
    Json,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

fn interval(text: &str) -> Result<Duration, String> {
    image_gitops_core::resource::parse_interval(text).map_err(|reason| reason.to_string())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
