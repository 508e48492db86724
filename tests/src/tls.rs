//! A server's certificate, signed by an authority that nobody but the test knows.
#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// A certificate for `127.0.0.1` and `localhost`, its key, and the certificate of the authority, all as PEM.
#[derive(Debug)]
pub(crate) struct ServerCertificate {
    pub(crate) certificate_pem: String,
    pub(crate) key_pem: String,
    pub(crate) ca_pem: String,
    certificate: CertificateDer<'static>,
    key: Vec<u8>,
}

impl ServerCertificate {
    /// Makes an authority and has it sign a certificate.
    pub(crate) fn generate() -> Self {
        let mut authority = CertificateParams::default();
        authority.distinguished_name.push(DnType::CommonName, "Authority of a test");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let authority_key = KeyPair::generate().expect("a key");
        let ca_pem = authority.self_signed(&authority_key).expect("a certificate signed by itself").pem();
        let issuer = Issuer::new(authority, authority_key);

        let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(names).expect("valid names");
        let certificate = params.signed_by(&key, &issuer).expect("a signed certificate");
        Self {
            certificate_pem: certificate.pem(),
            key_pem: key.serialize_pem(),
            ca_pem,
            certificate: certificate.der().clone(),
            key: key.serialize_der(),
        }
    }

    /// What accepts TLS connections with it.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        let key = PrivateKeyDer::Pkcs8(self.key.clone().into());
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions of TLS that ring knows")
            .with_no_client_auth()
            .with_single_cert(vec![self.certificate.clone()], key)
            .expect("a certificate that fits its key");
        TlsAcceptor::from(Arc::new(config))
    }
}
