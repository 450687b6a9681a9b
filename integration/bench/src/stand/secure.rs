//! TLS of load and sink: mutual, 1.3, and AES-128-GCM first as the senders of both sides have it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::WebPkiClientVerifier;
use rustls::version::TLS13;
use rustls::{CipherSuite, ClientConfig, RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::StandError;

/// A certificate with its key, and whom its holder believes.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) cert: PathBuf,
    pub(crate) key: PathBuf,
    pub(crate) trust: PathBuf,
}

impl Identity {
    pub(crate) fn client(&self) -> Result<Arc<ClientConfig>, StandError> {
        let builder = ClientConfig::builder_with_provider(provider()).with_protocol_versions(&[&TLS13])?;
        let builder = builder.with_root_certificates(self.roots()?);
        let mut config = builder.with_client_auth_cert(certificates(&self.cert)?, self.private_key()?)?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Arc::new(config))
    }

    /// A server that lets nobody in without a certificate.
    pub(crate) fn server(&self) -> Result<Arc<ServerConfig>, StandError> {
        self.serving(|builder| builder)
    }

    /// A server that takes a certificate and does without one: a backend over a link is not shown any.
    pub(crate) fn lenient_server(&self) -> Result<Arc<ServerConfig>, StandError> {
        self.serving(rustls::server::ClientCertVerifierBuilder::allow_unauthenticated)
    }

    fn serving(
        &self,
        how: fn(rustls::server::ClientCertVerifierBuilder) -> rustls::server::ClientCertVerifierBuilder,
    ) -> Result<Arc<ServerConfig>, StandError> {
        let verifier = WebPkiClientVerifier::builder_with_provider(self.roots()?.into(), provider());
        let verifier = how(verifier).build().map_err(|fault| StandError::Certificates(fault.to_string()))?;
        let builder = ServerConfig::builder_with_provider(provider()).with_protocol_versions(&[&TLS13])?;
        let builder = builder.with_client_cert_verifier(verifier);
        let mut config = builder.with_single_cert(certificates(&self.cert)?, self.private_key()?)?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Arc::new(config))
    }

    fn roots(&self) -> Result<RootCertStore, StandError> {
        let mut roots = RootCertStore::empty();
        for certificate in certificates(&self.trust)? {
            roots.add(certificate)?;
        }
        Ok(roots)
    }

    fn private_key(&self) -> Result<PrivateKeyDer<'static>, StandError> {
        PrivateKeyDer::from_pem_file(&self.key).map_err(|fault| StandError::Certificates(fault.to_string()))
    }
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, StandError> {
    let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect);
    read.map_err(|fault| StandError::Certificates(fault.to_string()))
}

fn provider() -> Arc<CryptoProvider> {
    let mut provider = aws_lc_rs::default_provider();
    provider.cipher_suites.sort_by_key(|suite| suite.suite() != CipherSuite::TLS13_AES_128_GCM_SHA256);
    Arc::new(provider)
}
