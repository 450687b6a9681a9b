//! One region's development authority and what it signs, the odd ones that tests want too.
//!
//! Promises:
//! 1. A usual leaf carries exactly one URI, and works for an hour-old clock: it is backdated.
//! 2. Nothing here is random but keys and serial numbers: the same names and times every time.

use std::fs;
use std::io::Write;
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use time::OffsetDateTime;
use tollgate_runtime::Timestamp;

const HOUR: Duration = Duration::from_secs(3600);
const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

/// A certificate could not be made or written.
#[derive(Debug, thiserror::Error)]
pub enum CertError {
    /// The name, the address or the time cannot stand in a certificate.
    #[error("cannot make a certificate: {0}")]
    Mint(#[from] rcgen::Error),
    /// The clock shows a time that certificates cannot say.
    #[error("the clock shows a time beyond what a certificate can say")]
    Clock,
    /// The file system refused.
    #[error("cannot write {path}: {source}")]
    Write {
        /// The file or folder.
        path: std::path::PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// When a certificate counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validity {
    /// From an hour ago, for a year.
    Usual,
    /// From two hours ago until an hour ago.
    Expired,
    /// From an hour ahead, for a year.
    NotYet,
}

/// What one certificate says.
#[derive(Clone, Debug)]
pub struct Leaf {
    /// The URI names; a node has exactly one.
    pub uris: Vec<String>,
    /// Where the node listens, for clients that are not Tollgate.
    pub addresses: Vec<IpAddr>,
    /// Names under which it is reached.
    pub names: Vec<String>,
    /// When it counts.
    pub validity: Validity,
}

/// A certificate with its private key, as PEM.
#[derive(Clone)]
pub struct Issued {
    /// The certificate.
    pub cert: String,
    /// Its private key.
    pub key: String,
}

/// Signs for one region.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    cert: String,
    now: Timestamp,
}

impl Leaf {
    /// A certificate for the node that has this SPIFFE URI.
    pub fn node(uri: impl Into<String>) -> Self {
        Self { uris: vec![uri.into()], addresses: Vec::new(), names: Vec::new(), validity: Validity::Usual }
    }
}

impl Authority {
    /// A new authority with a key of its own.
    ///
    /// # Errors
    /// When the region's name or the time cannot stand in a certificate.
    pub fn new(region: &str, now: Timestamp) -> Result<Self, CertError> {
        let mut params = CertificateParams::default();
        params.distinguished_name = common_name(&format!("{region} development authority"));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        (params.not_before, params.not_after) = span(now, Validity::Usual)?;
        let key = KeyPair::generate()?;
        let cert = params.self_signed(&key)?.pem();
        Ok(Self { issuer: Issuer::new(params, key), cert, now })
    }

    /// The authority's own certificate: the region's trust bundle.
    pub fn cert(&self) -> &str {
        &self.cert
    }

    /// The authority's private key.
    pub fn key(&self) -> String {
        self.issuer.key().serialize_pem()
    }

    /// Signs a certificate with a new ECDSA P-256 key.
    ///
    /// # Errors
    /// When a name cannot stand in a certificate.
    pub fn issue(&self, leaf: &Leaf) -> Result<Issued, CertError> {
        let mut params = CertificateParams::default();
        params.distinguished_name = common_name(leaf.uris.first().map_or("no name", String::as_str));
        params.subject_alt_names = alternative_names(leaf)?;
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        (params.not_before, params.not_after) = span(self.now, leaf.validity)?;
        let key = KeyPair::generate()?;
        let cert = params.signed_by(&key, &self.issuer)?.pem();
        Ok(Issued { cert, key: key.serialize_pem() })
    }
}

impl Issued {
    /// Writes `BASE.pem` and `BASE.key`, the key readable by its owner alone.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn write(&self, folder: &Path, base: &str) -> Result<(), CertError> {
        write_public(&folder.join(format!("{base}.pem")), &self.cert)?;
        write_secret(&folder.join(format!("{base}.key")), self.key.as_bytes(), 0o600)
    }
}

pub(crate) fn write_public(path: &Path, text: &str) -> Result<(), CertError> {
    fs::write(path, text).map_err(|source| CertError::Write { path: path.to_owned(), source })
}

/// Writes a file that only its owner may read from its first byte on.
pub(crate) fn write_secret(path: &Path, bytes: &[u8], mode: u32) -> Result<(), CertError> {
    let failed = |source| CertError::Write { path: path.to_owned(), source };
    // A file of an earlier run may be read-only, or readable by others.
    match fs::remove_file(path) {
        Err(fault) if fault.kind() != std::io::ErrorKind::NotFound => return Err(failed(fault)),
        _ => {}
    }
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(path).map_err(failed)?;
    file.write_all(bytes).map_err(failed)
}

fn alternative_names(leaf: &Leaf) -> Result<Vec<SanType>, CertError> {
    let mut names = Vec::new();
    for uri in &leaf.uris {
        names.push(SanType::URI(Ia5String::try_from(uri.as_str())?));
    }
    for name in &leaf.names {
        names.push(SanType::DnsName(Ia5String::try_from(name.as_str())?));
    }
    names.extend(leaf.addresses.iter().map(|address| SanType::IpAddress(*address)));
    Ok(names)
}

fn common_name(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

fn span(now: Timestamp, validity: Validity) -> Result<(OffsetDateTime, OffsetDateTime), CertError> {
    let now = OffsetDateTime::from_unix_timestamp_nanos(i128::from(now.nanos())).map_err(|_| CertError::Clock)?;
    Ok(match validity {
        Validity::Usual => (now - HOUR, now + YEAR),
        Validity::Expired => (now - 2 * HOUR, now - HOUR),
        Validity::NotYet => (now + HOUR, now + YEAR),
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use rustls_pki_types::pem::PemObject;
    use rustls_pki_types::{CertificateDer, UnixTime};

    use super::*;

    const NOW: Timestamp = Timestamp::from_nanos(1_800_000_000_000_000_000);
    const URI: &str = "spiffe://acme.example/region/eu-west/gateway/0";

    fn verify(leaf: &Issued, authority: &Authority, at: Duration) -> Result<Vec<String>, webpki::Error> {
        let root = CertificateDer::from_pem_slice(authority.cert().as_bytes()).unwrap();
        let anchor = webpki::anchor_from_trusted_cert(&root).unwrap();
        let cert = CertificateDer::from_pem_slice(leaf.cert.as_bytes()).unwrap();
        let end = webpki::EndEntityCert::try_from(&cert)?;
        let time = UnixTime::since_unix_epoch(at);
        for usage in [webpki::KeyUsage::server_auth(), webpki::KeyUsage::client_auth()] {
            let algorithms = webpki::ALL_VERIFICATION_ALGS;
            end.verify_for_usage(algorithms, &[anchor.to_owned()], &[], time, usage, None, None)?;
        }
        Ok(end.valid_uri_names().map(str::to_owned).collect())
    }

    fn now() -> Duration {
        Duration::from_nanos(NOW.nanos())
    }

    #[test]
    fn a_node_certificate_counts_under_its_own_authority_and_carries_one_uri() {
        let authority = Authority::new("eu-west", NOW).unwrap();
        let mut leaf = Leaf::node(URI);
        leaf.addresses.push("127.1.2.3".parse().unwrap());
        leaf.names.push("gateway.example".to_owned());
        let issued = authority.issue(&leaf).unwrap();
        assert_eq!(verify(&issued, &authority, now()).unwrap(), [URI]);
    }

    #[test]
    fn it_is_backdated_one_hour() {
        let authority = Authority::new("eu-west", NOW).unwrap();
        let issued = authority.issue(&Leaf::node(URI)).unwrap();
        assert!(verify(&issued, &authority, now() - Duration::from_secs(3590)).is_ok());
        assert!(verify(&issued, &authority, now() - Duration::from_secs(3610)).is_err());
    }

    #[test]
    fn another_authority_of_the_same_name_does_not_vouch_for_it() {
        let (own, other) = (Authority::new("eu-west", NOW).unwrap(), Authority::new("eu-west", NOW).unwrap());
        let issued = own.issue(&Leaf::node(URI)).unwrap();
        assert!(verify(&issued, &other, now()).is_err());
    }

    #[test]
    fn odd_ones_are_odd_in_one_thing_only() {
        let authority = Authority::new("eu-west", NOW).unwrap();
        let with = |validity| Leaf { validity, ..Leaf::node(URI) };
        let expired = authority.issue(&with(Validity::Expired)).unwrap();
        assert!(matches!(verify(&expired, &authority, now()), Err(webpki::Error::CertExpired { .. })));
        let early = authority.issue(&with(Validity::NotYet)).unwrap();
        assert!(matches!(verify(&early, &authority, now()), Err(webpki::Error::CertNotValidYet { .. })));
        let mut two = Leaf::node(URI);
        two.uris.push("spiffe://acme.example/region/us-east/central/0".to_owned());
        let two = authority.issue(&two).unwrap();
        assert_eq!(verify(&two, &authority, now()).unwrap().len(), 2);
    }

    #[test]
    fn a_key_is_readable_by_its_owner_alone_even_over_an_open_one() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("node.key"), "open to all").unwrap();
        let authority = Authority::new("eu-west", NOW).unwrap();
        authority.issue(&Leaf::node(URI)).unwrap().write(folder.path(), "node").unwrap();
        let mode = fs::metadata(folder.path().join("node.key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
