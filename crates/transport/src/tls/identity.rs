//! The identity in a certificate: its one SPIFFE URI, and whether that is the one we want.
//!
//! Promises:
//! 1. A certificate with no URI name or with more than one names nobody.
//! 2. What a certificate claims without proving it is kept only if it reads as an identity: it is shown to people.

use std::sync::{Arc, OnceLock};

use rustls::{CertificateError, OtherError};
use rustls_pki_types::CertificateDer;
use thiserror::Error;
use tollgate_federation::{NodeId, TierId};
use webpki::EndEntityCert;

/// Why a certificate does not prove the identity that is needed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum IdentityFault {
    /// The peer showed no certificate, or one that cannot be read.
    #[error("there is no certificate that can be read")]
    NoCertificate,
    /// There must be exactly one URI name.
    #[error("the certificate has {0} uri names, not one")]
    UriNames(usize),
    /// The URI name is not that of a node of this trust domain.
    #[error("the certificate's uri names no node of trust domain {trust_domain}")]
    NotANode {
        /// The trust domain that was expected.
        trust_domain: String,
    },
    /// No authority is known for the region that the certificate names.
    #[error("no authority is trusted to speak for the region of {0}")]
    UnknownRegion(NodeId),
    /// A node proved itself, but not the one that was called.
    #[error("{found} answered where {expected} was called")]
    Unexpected {
        /// Who was called.
        expected: Expected,
        /// Who answered.
        found: NodeId,
    },
}

/// Who a client wants to reach.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Expected {
    /// Any node of a tier: where one address stands for all of them, or before a node's address is known to be its.
    Tier(TierId),
    /// Exactly one node.
    Node(NodeId),
}

impl Expected {
    /// Whether this node is the one, or one of those, that are wanted.
    pub fn admits(&self, node: &NodeId) -> bool {
        match self {
            Self::Tier(tier) => node.tier() == *tier,
            Self::Node(wanted) => node == wanted,
        }
    }
}

impl std::fmt::Display for Expected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tier(tier) => write!(f, "a node of {tier}"),
            Self::Node(node) => node.fmt(f),
        }
    }
}

impl IdentityFault {
    /// The fault behind a failed handshake, if it was one of identity: TLS wraps it several times.
    pub(crate) fn behind(error: &std::io::Error) -> Option<Self> {
        match error.get_ref()?.downcast_ref::<rustls::Error>()? {
            rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(inner))) => {
                inner.downcast_ref::<Self>().cloned()
            }
            _ => None,
        }
    }
}

/// The longest claim that is kept.
const LONGEST_CLAIM: usize = 255;

/// The identity that a certificate of one connection names, whether or not it proves it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Claim(Arc<OnceLock<String>>);

impl Claim {
    pub(super) fn hear(&self, certificate: &CertificateDer<'_>) {
        let Ok(certificate) = EndEntityCert::try_from(certificate) else { return };
        let mut uris = certificate.valid_uri_names();
        if let (Some(uri), None) = (uris.next(), uris.next())
            && reads_as_identity(uri)
        {
            // A connection shows one certificate: the first is it.
            let _ = self.0.set(uri.to_owned());
        }
    }

    pub(crate) fn uri(&self) -> Option<String> {
        self.0.get().cloned()
    }
}

fn reads_as_identity(uri: &str) -> bool {
    let rest = uri.strip_prefix("spiffe://").filter(|_| uri.len() <= LONGEST_CLAIM);
    rest.is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._/".contains(&byte)))
}

/// Reads who a certificate names; whether it may do so is for `verify.rs` to say.
pub(super) fn named(certificate: &CertificateDer<'_>, trust_domain: &str) -> Result<NodeId, IdentityFault> {
    let certificate = EndEntityCert::try_from(certificate).map_err(|_| IdentityFault::NoCertificate)?;
    let uris: Vec<&str> = certificate.valid_uri_names().collect();
    let [uri] = uris[..] else { return Err(IdentityFault::UriNames(uris.len())) };
    NodeId::from_spiffe(uri, trust_domain)
        .map_err(|_| IdentityFault::NotANode { trust_domain: trust_domain.to_owned() })
}
