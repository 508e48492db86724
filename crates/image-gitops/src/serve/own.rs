//! What the service has of its own: certificates from a file, keys from Secrets that it makes, a name.

use image_gitops_core::signature::Key;

use super::{Keys, ServeError, Service};
use crate::cli;

/// Refuses a certificate file that is there but cannot be read, before anything else is done.
pub(super) fn check_ca(options: &cli::Serve) -> Result<(), ServeError> {
    if let Some(path) = &options.ca_file
        && let Err(error) = std::fs::read_to_string(path)
    {
        if error.kind() != std::io::ErrorKind::NotFound {
            return Err(ServeError::Ca(path.clone(), error));
        }
        tracing::warn!(path = %path.display(), "there is no file with certificates; the usual ones are trusted");
    }
    Ok(())
}

/// The certificates to trust besides the usual ones, as the file holds them now.
pub(super) fn ca(options: &cli::Serve) -> Option<String> {
    std::fs::read_to_string(options.ca_file.as_ref()?).ok().filter(|text| !text.trim().is_empty())
}

/// The keys of steps and webhooks. Their Secrets are made where they are missing.
pub(super) async fn keys(service: &Service, namespace: &str) -> Result<Keys, ServeError> {
    let options = &service.options;
    let mut keys = Keys { step: None, webhook: None };
    let named = |name: &str| format!("{namespace}/{name}");
    let default_url = format!("http://image-gitops.{namespace}:{}", options.listen.port());
    let url = options.url.as_deref().unwrap_or(&default_url);
    if let Some(name) = cli::given(&options.client_secret) {
        let token = service.secrets.own(name, &[("url", url)]).await?;
        keys.step = Some(Key::new(&token).map_err(|error| ServeError::Token(named(name), error))?);
    }
    if let Some(name) = cli::given(&options.webhook_secret) {
        let token = service.secrets.own(name, &[]).await?;
        keys.webhook = Some(Key::new(&token).map_err(|error| ServeError::Token(named(name), error))?);
    }
    Ok(keys)
}

/// A name for this replica where no pod has given it one.
pub(super) fn random_name() -> String {
    format!("image-gitops-{:06x}", fastrand::u32(..0x0100_0000))
}
