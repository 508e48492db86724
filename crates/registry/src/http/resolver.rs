//! Names to addresses, once for each connection: only addresses that may be asked are handed out, and the connection goes
//! to one of these. There is no second look-up that could answer otherwise.

use std::net::SocketAddr;

use image_gitops_core::reach::{Reach, Refused};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// The system's resolver, within a reach.
pub(super) struct Resolver(pub(super) Reach);

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = self.0.clone();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            Ok(within(&reach, name.as_str(), found)?)
        })
    }
}

/// The addresses of a host that may be asked. The port, which is the URL's, does not matter here.
fn within(reach: &Reach, host: &str, found: impl IntoIterator<Item = SocketAddr>) -> Result<Addrs, Refused> {
    let allowed = reach.of_all(host, found.into_iter().map(|address| address.ip()))?;
    Ok(Box::new(allowed.into_iter().map(|address| SocketAddr::new(address, 0))))
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use image_gitops_core::reach::network;

    use super::*;

    /// A name whose address changes with each look-up, as an attacker's name server has it.
    struct Rebinding(Reach, Arc<AtomicUsize>);

    impl Resolve for Rebinding {
        fn resolve(&self, name: Name) -> Resolving {
            let turn = self.1.fetch_add(1, Ordering::SeqCst);
            let address = if turn == 0 { [127, 0, 0, 2] } else { [127, 0, 0, 1] };
            let found = within(&self.0, name.as_str(), [SocketAddr::from((address, 0))]);
            Box::pin(async move { Ok(found?) })
        }
    }

    #[tokio::test]
    async fn a_name_that_changes_its_address_is_checked_at_each_connection_and_looked_up_once() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        // What may be asked is 127.0.0.2, and on the same port of 127.0.0.1 is what may not.
        let allowed = TcpListener::bind("127.0.0.2:0").unwrap();
        let port = allowed.local_addr().unwrap().port();
        let secret = TcpListener::bind(("127.0.0.1", port)).unwrap();
        secret.set_nonblocking(true).unwrap();
        let serving = std::thread::spawn(move || {
            let (mut stream, _) = allowed.accept().unwrap();
            let _ = stream.read(&mut [0; 1024]);
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").unwrap();
        });
        let (reach, looked_up) =
            (Reach::bounded(&[], &[network("127.0.0.2").unwrap()]), Arc::new(AtomicUsize::new(0)));
        let client = reqwest::Client::builder()
            .no_proxy()
            .dns_resolver(Rebinding(reach, looked_up.clone()))
            .build()
            .unwrap();
        let url = format!("http://registry.example:{port}/");
        client.get(&url).send().await.unwrap();
        assert_eq!(looked_up.load(Ordering::SeqCst), 1, "looked up again for the same connection");
        serving.join().unwrap();
        let error = client.get(&url).send().await.unwrap_err();
        let refused = Refused::behind(&error).unwrap();
        assert!(
            refused.to_string().contains("registry.example has the address 127.0.0.1, a loopback address")
        );
        assert!(secret.accept().is_err(), "the address that was refused was connected to");
    }
}
