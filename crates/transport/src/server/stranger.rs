//! Who was turned away before any request of theirs was looked at, and why.
//!
//! Promises:
//! 1. What a stranger claims is shown only where it reads as an identity: one URI, short, of the letters that identities have.
//! 2. Each reason has one short name, which is a label of metrics: never anything that the stranger sent.

use std::io;
use std::net::SocketAddr;

use rustls::{CertificateError, Error as RustlsError};
use thiserror::Error;

use crate::tls::IdentityFault;

/// Somebody who did not prove who they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stranger {
    /// Where they called from.
    pub address: SocketAddr,
    /// The identity that their certificate names, without proving it.
    pub claims: Option<String>,
}

/// Why a connection proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum HandshakeFault {
    /// There was no certificate.
    #[error("it showed no certificate")]
    NoCertificate,
    /// No authority of the region that the certificate names has signed it.
    #[error("no authority of the region that its certificate names has signed it")]
    UnknownIssuer,
    /// The certificate's time is over.
    #[error("its certificate has expired")]
    Expired,
    /// The certificate's time has not come.
    #[error("its certificate is not valid yet")]
    NotValidYet,
    /// The certificate was taken back.
    #[error("its certificate is revoked")]
    Revoked,
    /// The certificate names nobody whom we know.
    #[error(transparent)]
    Identity(IdentityFault),
    /// The certificate was good when the connection began and is not any more.
    #[error("the certificate of this connection proves nothing any more")]
    Outlived,
    /// The peer did not go on.
    #[error("the handshake took too long")]
    Silent,
    /// The peer hung up, as probes of a port do.
    #[error("the connection broke off in the handshake")]
    BrokeOff,
    /// Something else; a library's words, which hold nothing of what was sent.
    #[error("the handshake failed: {0}")]
    Tls(String),
}

impl HandshakeFault {
    /// The fault's short name.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::NoCertificate | Self::Identity(IdentityFault::NoCertificate) => "no_certificate",
            Self::UnknownIssuer => "unknown_issuer",
            Self::Expired => "expired",
            Self::NotValidYet => "not_valid_yet",
            Self::Revoked => "revoked",
            Self::Identity(IdentityFault::UriNames(_)) => "uri_names",
            Self::Identity(IdentityFault::NotANode { .. }) => "not_a_node",
            Self::Identity(IdentityFault::UnknownRegion(_)) => "unknown_region",
            Self::Identity(IdentityFault::Unexpected { .. }) => "unexpected_node",
            Self::Outlived => "outlived",
            Self::Silent => "timeout",
            Self::BrokeOff => "broke_off",
            Self::Tls(_) => "tls",
        }
    }

    /// What ended a handshake: TLS wraps it several times.
    pub(crate) fn behind(error: &io::Error) -> Self {
        if let Some(fault) = IdentityFault::behind(error) {
            return Self::Identity(fault);
        }
        match error.get_ref().and_then(|inner| inner.downcast_ref::<RustlsError>()) {
            Some(RustlsError::NoCertificatesPresented) => Self::NoCertificate,
            Some(RustlsError::InvalidCertificate(CertificateError::UnknownIssuer)) => Self::UnknownIssuer,
            Some(RustlsError::InvalidCertificate(CertificateError::Expired)) => Self::Expired,
            Some(RustlsError::InvalidCertificate(CertificateError::NotValidYet)) => Self::NotValidYet,
            Some(RustlsError::InvalidCertificate(CertificateError::Revoked)) => Self::Revoked,
            Some(error) => Self::Tls(error.to_string()),
            None => match error.kind() {
                io::ErrorKind::UnexpectedEof
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::ConnectionAborted
                | io::ErrorKind::BrokenPipe => Self::BrokeOff,
                kind => Self::Tls(kind.to_string()),
            },
        }
    }
}
