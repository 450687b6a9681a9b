//! Reads certificates, keys and revocation lists from PEM files.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, TrustAnchor};
use thiserror::Error;
use tollgate_disk::{PrivateError, may_pass, open_private};
use webpki::{CertRevocationList, OwnedCertRevocationList, anchor_from_trusted_cert};
use zeroize::Zeroizing;

use super::identity::IdentityFault;
use super::verify::Authorities;

/// Why certificates cannot be used.
#[derive(Debug, Error)]
pub enum TlsError {
    /// Several things are wrong; one a line.
    #[error("{}", .0.iter().map(Self::to_string).collect::<Vec<_>>().join("\n"))]
    Several(Vec<Self>),
    /// A file cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Others can read a private key.
    #[error("{path} {source}")]
    Exposed {
        /// The file.
        path: PathBuf,
        /// How.
        source: PrivateError,
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

impl TlsError {
    /// Whether a later attempt may succeed although nobody has changed a file: dates come and go, and machines recover.
    pub fn may_pass(&self) -> bool {
        use rustls::CertificateError::{Expired, NotValidYet};
        match self {
            Self::Several(all) => all.iter().all(Self::may_pass),
            Self::Read { source, .. } => may_pass(source),
            Self::Unfit(rustls::Error::InvalidCertificate(fault)) => matches!(fault, Expired | NotValidYet),
            Self::Exposed { .. } | Self::Content { .. } | Self::SharedAuthority { .. } | Self::NativeAuthorities => {
                false
            }
            Self::Identity(_) | Self::IdentityChanged | Self::Unfit(_) => false,
        }
    }
}

/// Keeps what was read, or notes why it was not.
pub(super) fn note<T>(faults: &mut Vec<TlsError>, outcome: Result<T, TlsError>) -> Option<T> {
    outcome.map_err(|fault| faults.push(fault)).ok()
}

/// The certificates of a file, leaf first.
pub(super) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    sections(path, "certificate")
}

/// The private key of a file.
pub(super) fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let unreadable = |source| TlsError::Read { path: path.to_owned(), source };
    let mut file = open_private(path).map_err(|error| match error {
        PrivateError::Io(source) => unreadable(source),
        source => TlsError::Exposed { path: path.to_owned(), source },
    })?;
    let mut pem = Zeroizing::new(Vec::new());
    file.read_to_end(&mut pem).map_err(unreadable)?;
    PrivateKeyDer::from_pem_slice(&pem).map_err(|_| TlsError::Content { path: path.to_owned(), what: "private key" })
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
