//! A certificate for 127.0.0.1 and localhost, signed by an authority that nobody knows.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};

/// A server's certificate, its key, and the certificate of the authority that signed it, all as PEM.
pub(super) struct ServerCertificate {
    pub(super) certificate_pem: String,
    pub(super) key_pem: String,
    pub(super) key_der: Vec<u8>,
    pub(super) certificate_der: Vec<u8>,
    pub(super) ca_pem: String,
}

impl ServerCertificate {
    pub(super) fn generate() -> Self {
        let mut authority = CertificateParams::default();
        authority.distinguished_name.push(DnType::CommonName, "Authority of a test registry");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let authority_key = KeyPair::generate().expect("a key");
        let ca_pem = authority.self_signed(&authority_key).expect("a certificate signed by itself").pem();
        let issuer = Issuer::new(authority, authority_key);

        let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
        let key = KeyPair::generate().expect("a key");
        let certificate = CertificateParams::new(names)
            .expect("valid names")
            .signed_by(&key, &issuer)
            .expect("a signed certificate");
        Self {
            certificate_pem: certificate.pem(),
            key_pem: key.serialize_pem(),
            key_der: key.serialize_der(),
            certificate_der: certificate.der().to_vec(),
            ca_pem,
        }
    }
}
