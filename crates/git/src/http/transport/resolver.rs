//! Names to addresses, once for each connection: only addresses that may be asked are handed out, and the connection goes
//! to one of these. There is no second look-up that could answer otherwise. (`crates/registry` has the same few lines:
//! adapters do not depend on each other, and what is decided here is decided in `core`.)

use std::net::SocketAddr;

use image_gitops_core::reach::Reach;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// The system's resolver, within a reach.
pub(super) struct Resolver(pub(super) Reach);

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = self.0.clone();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed = reach.of_all(name.as_str(), found.map(|address| address.ip()))?;
            // The port is the URL's.
            let addresses: Addrs = Box::new(allowed.into_iter().map(|address| SocketAddr::new(address, 0)));
            Ok(addresses)
        })
    }
}
