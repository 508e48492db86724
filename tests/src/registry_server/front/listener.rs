//! Connections that can be closed without an answer, with and without TLS.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use axum::extract::connect_info::Connected;
use axum::serve::IncomingStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::registry_server::tls::ServerCertificate;

/// The connection that a request came by.
#[derive(Clone, Debug, Default)]
pub(super) struct Connection(Arc<AtomicBool>);

impl Connection {
    /// Closes it: what is written to it from now on fails.
    pub(super) fn reset(&self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl Connected<IncomingStream<'_, Listener>> for Connection {
    fn connect_info(stream: IncomingStream<'_, Listener>) -> Self {
        stream.remote_addr().clone()
    }
}

/// What TLS connections are accepted with.
pub(super) fn acceptor(certificate: &ServerCertificate) -> TlsAcceptor {
    let key = PrivateKeyDer::Pkcs8(certificate.key_der.clone().into());
    let chain = vec![CertificateDer::from(certificate.certificate_der.clone())];
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions of TLS that ring knows")
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .expect("a certificate that fits its key");
    TlsAcceptor::from(Arc::new(config))
}

/// A listener of [`Socket`]s.
pub(super) struct Listener {
    socket: TcpListener,
    tls: Option<TlsAcceptor>,
}

impl Listener {
    pub(super) fn new(socket: TcpListener, tls: Option<TlsAcceptor>) -> Self {
        Self { socket, tls }
    }
}

impl axum::serve::Listener for Listener {
    type Io = Socket;
    type Addr = Connection;

    async fn accept(&mut self) -> (Socket, Connection) {
        loop {
            let Ok((stream, _)) = self.socket.accept().await else {
                continue;
            };
            let stream: Pin<Box<dyn Stream>> = match &self.tls {
                None => Box::pin(stream),
                // A client that does not trust the certificate hangs up here: wait for the next one.
                Some(tls) => match tls.accept(stream).await {
                    Ok(stream) => Box::pin(stream),
                    Err(_) => continue,
                },
            };
            let connection = Connection::default();
            return (Socket { stream, connection: connection.clone() }, connection);
        }
    }

    fn local_addr(&self) -> io::Result<Connection> {
        let _: SocketAddr = self.socket.local_addr()?;
        Ok(Connection::default())
    }
}

/// TCP or TLS over it.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send {}
impl<T: AsyncRead + AsyncWrite + Send> Stream for T {}

/// A stream whose writes fail once its connection was reset.
pub(super) struct Socket {
    stream: Pin<Box<dyn Stream>>,
    connection: Connection,
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.stream.as_mut().poll_read(cx, buf)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.connection.0.load(Ordering::SeqCst) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        self.stream.as_mut().poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.as_mut().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.as_mut().poll_shutdown(cx)
    }
}
