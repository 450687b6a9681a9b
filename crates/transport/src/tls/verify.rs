//! Verifies certificates of tiers: chain under the named region's own authority first, then the identity.
//!
//! Promises:
//! 1. A certificate that names a region counts only under that region's own authorities, never under another's.
//! 2. DNS names bind nothing here: only the SPIFFE URI does.
//! 3. A revoked certificate is refused, and so is everything under a revocation list that is out of date.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, TrustAnchor, UnixTime};
use tollgate_federation::NodeId;
use webpki::{
    CertRevocationList, EndEntityCert, ExpirationPolicy, KeyUsage, RevocationCheckDepth, RevocationOptions,
    RevocationOptionsBuilder, UnknownStatusPolicy,
};

use super::identity::{Claim, Expected, IdentityFault, named};

/// The authorities of one region, and what they revoked.
#[derive(Debug)]
pub(super) struct Authorities {
    pub(super) anchors: Vec<TrustAnchor<'static>>,
    pub(super) revoked: Vec<CertRevocationList<'static>>,
}

/// Who is trusted to speak for which region.
#[derive(Debug)]
pub(super) struct Trust {
    pub(super) trust_domain: String,
    pub(super) regions: BTreeMap<String, Authorities>,
    pub(super) algorithms: WebPkiSupportedAlgorithms,
}

impl Trust {
    /// Who this certificate proves its holder to be.
    pub(super) fn prove(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
        usage: KeyUsage,
    ) -> Result<NodeId, Error> {
        let node = named(certificate, &self.trust_domain).map_err(fault)?;
        let Some(authorities) = self.regions.get(node.region().as_str()) else {
            return Err(fault(IdentityFault::UnknownRegion(node)));
        };
        let certificate = EndEntityCert::try_from(certificate).map_err(chain_error)?;
        let lists: Vec<&CertRevocationList<'_>> = authorities.revoked.iter().collect();
        certificate
            .verify_for_usage(
                self.algorithms.all,
                &authorities.anchors,
                intermediates,
                now,
                usage,
                revocation(&lists),
                None,
            )
            .map_err(chain_error)?;
        Ok(node)
    }
}

/// A bundle in mid-rotation has an authority without a list, so an unknown status passes; a list that is out of date does
/// not, because it may be what an attacker keeps us on.
fn revocation<'a>(lists: &'a [&'a CertRevocationList<'a>]) -> Option<RevocationOptions<'a>> {
    let options = RevocationOptionsBuilder::new(lists).ok()?;
    let options = options
        .with_depth(RevocationCheckDepth::EndEntity)
        .with_status_policy(UnknownStatusPolicy::Allow)
        .with_expiration_policy(ExpirationPolicy::Enforce);
    Some(options.build())
}

fn fault(fault: IdentityFault) -> Error {
    Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(fault))))
}

fn chain_error(error: webpki::Error) -> Error {
    Error::InvalidCertificate(match error {
        webpki::Error::CertExpired { .. } => CertificateError::Expired,
        webpki::Error::CertNotValidYet { .. } => CertificateError::NotValidYet,
        webpki::Error::CertRevoked => CertificateError::Revoked,
        webpki::Error::UnknownIssuer => CertificateError::UnknownIssuer,
        other => CertificateError::Other(OtherError(Arc::new(other))),
    })
}

/// On a server: any node that its own region's authority vouches for. What it may do is decided for each request, because
/// in TLS 1.3 a client cannot see why its certificate was refused.
#[derive(Debug)]
pub(super) struct AnyNode {
    pub(super) trust: Arc<Trust>,
    /// What the certificate says before it is looked at.
    pub(super) claim: Claim,
}

/// On a client: only the node, or a node of the tier, that was called.
#[derive(Debug)]
pub(super) struct OnlyExpected {
    pub(super) trust: Arc<Trust>,
    pub(super) expected: Expected,
}

impl ClientCertVerifier for AnyNode {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        // No hints: a node has one certificate.
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.claim.hear(end_entity);
        self.trust.prove(end_entity, intermediates, now, KeyUsage::client_auth())?;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.trust.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.trust.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.trust.algorithms.supported_schemes()
    }
}

impl ServerCertVerifier for OnlyExpected {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let found = self.trust.prove(end_entity, intermediates, now, KeyUsage::server_auth())?;
        if !self.expected.admits(&found) {
            return Err(fault(IdentityFault::Unexpected { expected: self.expected.clone(), found }));
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.trust.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.trust.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.trust.algorithms.supported_schemes()
    }
}
