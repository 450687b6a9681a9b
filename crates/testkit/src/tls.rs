//! TLS for fake peers: rustls with AWS-LC alone, certificates as PEM.

use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// A certificate chain with its private key, both as PEM.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The chain, the leaf first.
    pub cert: String,
    /// The private key.
    pub key: String,
}

impl Identity {
    fn parse(&self) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes());
        (certificates(&self.cert), key.expect("a private key as PEM"))
    }
}

/// A server that proves itself and asks nobody for a certificate.
pub(crate) fn server(identity: &Identity) -> Arc<ServerConfig> {
    let (chain, key) = identity.parse();
    let builder = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().expect("TLS 1.2 and 1.3");
    let mut config = builder.with_no_client_auth().with_single_cert(chain, key).expect("the key of the certificate");
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Arc::new(config)
}

/// A client that trusts `ca`, and proves itself if it has an identity.
pub(crate) fn client(ca: &str, identity: Option<&Identity>) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(ca) {
        roots.add(certificate).expect("a certificate that can be a root");
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().expect("TLS 1.2 and 1.3");
    let builder = builder.with_root_certificates(roots);
    let mut config = match identity.map(Identity::parse) {
        Some((chain, key)) => builder.with_client_auth_cert(chain, key).expect("the key of the certificate"),
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    Arc::new(config)
}

fn certificates(pem: &str) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(pem.as_bytes()).map(|found| found.expect("a certificate as PEM")).collect()
}
