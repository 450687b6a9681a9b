//! TLS of load, sink and floor: mutual, 1.3, with the cryptography of the nodes, which is AES-128-GCM with both peers.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::server::WebPkiClientVerifier;
use rustls::version::TLS13;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tollgate_transport::provider;

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
        self.client_with(provider())
    }

    pub(crate) fn client_with(&self, provider: Arc<CryptoProvider>) -> Result<Arc<ClientConfig>, StandError> {
        let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(&[&TLS13])?;
        let builder = builder.with_root_certificates(self.roots()?);
        let mut config = builder.with_client_auth_cert(certificates(&self.cert)?, self.private_key()?)?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Arc::new(config))
    }

    /// A server that lets nobody in without a certificate.
    pub(crate) fn server(&self) -> Result<Arc<ServerConfig>, StandError> {
        self.server_with(provider())
    }

    pub(crate) fn server_with(&self, provider: Arc<CryptoProvider>) -> Result<Arc<ServerConfig>, StandError> {
        self.serving(provider, |builder| builder)
    }

    /// A server that takes a certificate and does without one: a backend over a link is not shown any.
    pub(crate) fn lenient_server(&self) -> Result<Arc<ServerConfig>, StandError> {
        self.serving(provider(), rustls::server::ClientCertVerifierBuilder::allow_unauthenticated)
    }

    fn serving(
        &self,
        provider: Arc<CryptoProvider>,
        how: fn(rustls::server::ClientCertVerifierBuilder) -> rustls::server::ClientCertVerifierBuilder,
    ) -> Result<Arc<ServerConfig>, StandError> {
        let verifier = WebPkiClientVerifier::builder_with_provider(self.roots()?.into(), Arc::clone(&provider));
        let verifier = how(verifier).build().map_err(|fault| StandError::Certificates(fault.to_string()))?;
        let builder = ServerConfig::builder_with_provider(provider).with_protocol_versions(&[&TLS13])?;
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
