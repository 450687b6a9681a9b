//! Reads certificates, keys and revocation lists from PEM files.

use std::path::{Path, PathBuf};

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, TrustAnchor};
use thiserror::Error;
use webpki::{CertRevocationList, OwnedCertRevocationList, anchor_from_trusted_cert};

use super::identity::IdentityFault;
use super::verify::Authorities;

/// Why certificates cannot be used.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file is not what it should be.
    #[error("{path} holds no usable {what}")]
    Content {
        /// The file.
        path: PathBuf,
        /// What was looked for.
        what: &'static str,
    },
    /// One authority could speak for two regions.
    #[error("the bundles of {other} and {region} hold the same authority: each region needs one of its own")]
    SharedAuthority {
        /// A region.
        region: String,
        /// The other region.
        other: String,
    },
    /// The machine's own authorities cannot be read.
    #[error("the machine's certificate authorities cannot be read")]
    NativeAuthorities,
    /// The node's own certificate does not prove an identity.
    #[error("our own certificate: {0}")]
    Identity(#[from] IdentityFault),
    /// The node's own identity changed while it ran.
    #[error("our own certificate names another node than the one that is running")]
    IdentityChanged,
    /// The pieces do not fit: a key of another certificate, a chain that does not verify.
    #[error("our own certificate: {0}")]
    Unfit(#[from] rustls::Error),
}

/// The certificates of a file, leaf first.
pub(super) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    sections(path, "certificate")
}

/// The private key of a file.
pub(super) fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(&read(path)?)
        .map_err(|_| TlsError::Content { path: path.to_owned(), what: "private key" })
}

/// The authorities of a bundle; a bundle may hold revocation lists (`X509 CRL`) next to the certificates.
pub(super) fn authorities(path: &Path) -> Result<Authorities, TlsError> {
    let unusable = |what| TlsError::Content { path: path.to_owned(), what };
    let anchors: Result<Vec<TrustAnchor<'static>>, _> =
        certificates(path)?.iter().map(|der| anchor_from_trusted_cert(der).map(|anchor| anchor.to_owned())).collect();
    let lists: Vec<CertificateRevocationListDer<'static>> = CertificateRevocationListDer::pem_slice_iter(&read(path)?)
        .collect::<Result<_, _>>()
        .map_err(|_| unusable("revocation list"))?;
    let revoked: Result<Vec<_>, _> =
        lists.iter().map(|der| OwnedCertRevocationList::from_der(der).map(CertRevocationList::from)).collect();
    Ok(Authorities {
        anchors: anchors.map_err(|_| unusable("certificate authority"))?,
        revoked: revoked.map_err(|_| unusable("revocation list"))?,
    })
}

fn sections<T: PemObject>(path: &Path, what: &'static str) -> Result<Vec<T>, TlsError> {
    let unusable = || TlsError::Content { path: path.to_owned(), what };
    let found: Vec<T> = T::pem_slice_iter(&read(path)?).collect::<Result<_, _>>().map_err(|_| unusable())?;
    if found.is_empty() { Err(unusable()) } else { Ok(found) }
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|source| TlsError::Read { path: path.to_owned(), source })
}
