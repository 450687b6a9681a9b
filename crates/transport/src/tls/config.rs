//! TLS as each kind of connection needs it: between tiers, towards services, towards backends.
//!
//! Promises:
//! 1. Between tiers only TLS 1.3 is spoken, and both sides prove who they are.
//! 2. Configurations are made from files that belong together: the key fits the certificate, and the certificate verifies
//!    under the region's own authority, or nothing is swapped.
//! 3. No certificate is trusted beyond its authority or its date: between tiers no session is resumed and a connection is
//!    proved again; towards backends a session is resumed only by the configuration it began with.
//! 4. No authority speaks for two regions, whatever files it lies in.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::CryptoProvider;
use rustls::server::NoServerSessionStorage;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::time_provider::TimeProvider;
use rustls::version::TLS13;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use tollgate_federation::NodeId;
use tollgate_runtime::{Clock, Shutdown, TaskGroup, Timestamp};
use webpki::KeyUsage;

use super::files::{TlsError, authorities, certificates, note, private_key};
use super::identity::{Claim, Expected, IdentityFault, named};
use super::provider::provider;
use super::reload::{Generations, Reloading};
use super::verify::{AnyNode, Authorities, OnlyExpected, Trust};

/// The files that prove who a node is and whom it believes.
#[derive(Clone, Debug)]
pub struct TierFiles {
    /// The trust domain of all identities.
    pub trust_domain: String,
    /// The node's certificate chain, leaf first.
    pub certificate: PathBuf,
    /// The node's private key.
    pub key: PathBuf,
    /// For each region the bundle of its own authorities, with their revocation lists if they publish any.
    pub trust: Vec<(String, PathBuf)>,
}

/// Mutual TLS between tiers; clones share the certificates and their reload.
#[derive(Clone, Debug)]
pub struct TierTls {
    node: NodeId,
    clock: Clock,
    current: Arc<Reloading<Tier>>,
}

/// How long a proof is good for.
const PROVED_FOR: Duration = Duration::from_secs(60);

/// What a client's certificates proved: a connection can be held open for longer than they are valid.
#[derive(Debug)]
pub(crate) struct Proof {
    tls: TierTls,
    chain: Vec<CertificateDer<'static>>,
    /// When they last did, in nanoseconds since the Unix epoch.
    proved: AtomicU64,
}

impl Proof {
    /// Whether they still prove what they did; they are looked at again when the last look is a minute old.
    pub(crate) fn holds(&self) -> bool {
        let now = self.tls.clock.now();
        if now.since(Timestamp::from_nanos(self.proved.load(Ordering::Relaxed))) < PROVED_FOR {
            return true;
        }
        let trust = &self.tls.current.active().value.trust;
        let proves = self.chain.split_first().is_some_and(|(leaf, intermediates)| {
            trust.prove(leaf, intermediates, unix_time(&self.tls.clock), KeyUsage::client_auth()).is_ok()
        });
        if proves {
            self.proved.store(now.nanos(), Ordering::Relaxed);
        }
        proves
    }

    /// What the certificate names, whether it still proves it or not.
    pub(crate) fn claimed(&self) -> Option<String> {
        let claim = Claim::default();
        claim.hear(self.chain.first()?);
        claim.uri()
    }
}

#[derive(Debug)]
struct Tier {
    trust: Arc<Trust>,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    /// Both, as a server shows and uses them.
    own: Arc<SingleCertAndKey>,
    provider: Arc<CryptoProvider>,
}

/// What the files of a node hold.
struct Pieces {
    regions: BTreeMap<String, Authorities>,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Pieces {
    /// Reads them all, or says of each what is wrong with it.
    fn read(files: &TierFiles) -> Result<Self, TlsError> {
        let mut faults = Vec::new();
        let mut regions = BTreeMap::new();
        for (region, bundle) in &files.trust {
            regions.extend(note(&mut faults, authorities(bundle)).map(|found| (region.clone(), found)));
        }
        let chain = note(&mut faults, certificates(&files.certificate));
        let key = note(&mut faults, private_key(&files.key));
        match (chain, key) {
            (Some(chain), Some(key)) if faults.is_empty() => Ok(Self { regions, chain, key }),
            _ => Err(TlsError::Several(faults)),
        }
    }
}

impl TierTls {
    /// Loads the files.
    ///
    /// # Errors
    /// When a file cannot be read, or our own certificate does not prove a node under its own region's authority.
    pub fn load(files: TierFiles, clock: Clock) -> Result<Self, TlsError> {
        let node = {
            let chain = Pieces::read(&files)?.chain;
            named(chain.first().ok_or(IdentityFault::NoCertificate)?, &files.trust_domain)?
        };
        let watched = [files.certificate.clone(), files.key.clone()].into_iter();
        let watched = watched.chain(files.trust.iter().map(|(_, bundle)| bundle.clone())).collect();
        let load = {
            let (node, clock) = (node.clone(), clock.clone());
            move || Tier::load(&files, &node, &clock)
        };
        Ok(Self { node, clock, current: Reloading::start(watched, load)? })
    }

    /// The node that our own certificate names.
    pub const fn node(&self) -> &NodeId {
        &self.node
    }

    /// Looks at the files every 30 seconds until the shutdown; a change drains the connections that began before it.
    pub fn watch(&self, tasks: &TaskGroup, shutdown: Shutdown) {
        self.current.watch(tasks, shutdown);
    }

    /// Looks at the files now; whether something new is in force.
    ///
    /// # Errors
    /// When the files changed but cannot be used; the old ones stay in force.
    pub fn refresh(&self) -> Result<bool, TlsError> {
        self.current.refresh()
    }

    /// How often the certificates changed.
    pub(crate) fn generation(&self) -> u64 {
        self.current.active().generation
    }

    /// The configuration for one connection, and what its peer will have claimed.
    pub(crate) fn server(&self) -> Result<(Arc<ServerConfig>, Claim, Generations), TlsError> {
        let (active, claim) = (self.current.active(), Claim::default());
        let config = active.value.server(claim.clone(), &self.clock)?;
        Ok((Arc::new(config), claim, self.current.generations(&active)))
    }

    /// The configuration that reaches `expected` and nobody else, and its generation.
    pub(crate) fn client(&self, expected: &Expected) -> Result<(Arc<ClientConfig>, u64), TlsError> {
        let active = self.current.active();
        Ok((Arc::new(active.value.client(expected, &self.clock)?), active.generation))
    }

    /// What a connection's certificates proved just now.
    pub(crate) fn proof(&self, chain: Option<&[CertificateDer<'_>]>) -> Proof {
        let chain = chain.unwrap_or_default().iter().map(|certificate| certificate.clone().into_owned()).collect();
        Proof { tls: self.clone(), chain, proved: AtomicU64::new(self.clock.now().nanos()) }
    }

    /// Who the verified certificates of a connection name.
    pub(crate) fn peer_of(&self, chain: Option<&[CertificateDer<'_>]>) -> Result<NodeId, IdentityFault> {
        let leaf = chain.and_then(<[_]>::first).ok_or(IdentityFault::NoCertificate)?;
        named(leaf, &self.current.active().value.trust.trust_domain)
    }
}

impl Tier {
    fn load(files: &TierFiles, node: &NodeId, clock: &Clock) -> Result<Self, TlsError> {
        let provider = provider();
        let Pieces { regions, chain, key } = Pieces::read(files)?;
        refuse_shared(&regions)?;
        let algorithms = provider.signature_verification_algorithms;
        let trust = Arc::new(Trust { trust_domain: files.trust_domain.clone(), regions, algorithms });
        let (leaf, intermediates) = chain.split_first().ok_or(IdentityFault::NoCertificate)?;
        for usage in [KeyUsage::server_auth(), KeyUsage::client_auth()] {
            if trust.prove(leaf, intermediates, unix_time(clock), usage)? != *node {
                return Err(TlsError::IdentityChanged);
            }
        }
        let own = CertifiedKey::from_der(chain.clone(), key.clone_key(), &provider)?;
        Ok(Self { trust, chain, key, own: Arc::new(SingleCertAndKey::from(own)), provider })
    }

    /// Made anew for each connection, because only its own verifier can tell what a refused certificate claimed.
    fn server(&self, claim: Claim, clock: &Clock) -> Result<ServerConfig, TlsError> {
        let verifier = AnyNode { trust: Arc::clone(&self.trust), claim };
        let mut server =
            ServerConfig::builder_with_details(Arc::clone(&self.provider), Arc::new(ClockTime(clock.clone())))
                .with_protocol_versions(&[&TLS13])?
                .with_client_cert_verifier(Arc::new(verifier))
                .with_cert_resolver(Arc::clone(&self.own) as _);
        server.alpn_protocols = vec![b"h2".to_vec()];
        // Who resumes a session shows no certificate, so its date and its revocation would not be looked at.
        server.session_storage = Arc::new(NoServerSessionStorage {});
        server.send_tls13_tickets = 0;
        Ok(server)
    }

    fn client(&self, expected: &Expected, clock: &Clock) -> Result<ClientConfig, TlsError> {
        let verifier = OnlyExpected { trust: Arc::clone(&self.trust), expected: expected.clone() };
        let mut client = ClientConfig::builder_with_details(provider(), Arc::new(ClockTime(clock.clone())))
            .with_protocol_versions(&[&TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_client_auth_cert(self.chain.clone(), self.key.clone_key())?;
        client.alpn_protocols = vec![b"h2".to_vec()];
        client.resumption = Resumption::disabled();
        Ok(client)
    }
}

/// Whoever holds the key of an authority in two bundles could name nodes of either region.
fn refuse_shared(regions: &BTreeMap<String, Authorities>) -> Result<(), TlsError> {
    let mut seen: BTreeMap<&[u8], &String> = BTreeMap::new();
    for (region, authorities) in regions {
        for anchor in &authorities.anchors {
            match seen.insert(anchor.subject_public_key_info.as_ref(), region) {
                Some(other) if other != region => {
                    return Err(TlsError::SharedAuthority { region: region.clone(), other: other.clone() });
                }
                _ => {}
            }
        }
    }
    Ok(())
}

/// Ordinary TLS for services: this server proves itself, they do not.
#[derive(Clone, Debug)]
pub struct ServerTls(Arc<Reloading<Arc<ServerConfig>>>);

impl ServerTls {
    /// Loads a certificate chain and its key.
    ///
    /// # Errors
    /// When a file cannot be read or the two do not belong together.
    pub fn load(certificate: PathBuf, key: PathBuf, clock: Clock) -> Result<Self, TlsError> {
        let load = {
            let (certificate, key) = (certificate.clone(), key.clone());
            move || {
                let mut config = ServerConfig::builder_with_details(provider(), Arc::new(ClockTime(clock.clone())))
                    .with_safe_default_protocol_versions()?
                    .with_no_client_auth()
                    .with_single_cert(certificates(&certificate)?, private_key(&key)?)?;
                config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
                Ok(Arc::new(config))
            }
        };
        Ok(Self(Reloading::start(vec![certificate, key], load)?))
    }

    /// Looks at the files every 30 seconds until the shutdown.
    pub fn watch(&self, tasks: &TaskGroup, shutdown: Shutdown) {
        self.0.watch(tasks, shutdown);
    }

    pub(crate) fn server(&self) -> (Arc<ServerConfig>, Generations) {
        let active = self.0.active();
        (Arc::clone(&active.value), self.0.generations(&active))
    }
}

/// Ordinary TLS towards a backend: it proves its DNS name under a bundle, or under the machine's authorities.
#[derive(Clone, Debug)]
pub struct BackendTrust {
    clock: Clock,
    current: Arc<Reloading<Arc<RootCertStore>>>,
}

impl BackendTrust {
    /// Loads the bundle, or the machine's authorities if there is none.
    ///
    /// # Errors
    /// When there is nothing that could be trusted.
    pub fn load(bundle: Option<PathBuf>, clock: Clock) -> Result<Self, TlsError> {
        let files = bundle.clone().into_iter().collect();
        let load = move || {
            let mut roots = RootCertStore::empty();
            match &bundle {
                Some(bundle) => roots.extend(authorities(bundle)?.anchors),
                None => {
                    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
                }
            }
            if roots.is_empty() { Err(TlsError::NativeAuthorities) } else { Ok(Arc::new(roots)) }
        };
        Ok(Self { clock, current: Reloading::start(files, load)? })
    }

    /// Looks at the bundle every 30 seconds until the shutdown.
    pub fn watch(&self, tasks: &TaskGroup, shutdown: Shutdown) {
        self.current.watch(tasks, shutdown);
    }

    pub(crate) fn generation(&self) -> u64 {
        self.current.active().generation
    }

    /// The configuration for one application protocol, and its generation.
    pub(crate) fn client(&self, protocol: &[u8]) -> Result<(Arc<ClientConfig>, u64), TlsError> {
        let active = self.current.active();
        let provider = provider();
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::clone(&active.value), Arc::clone(&provider)).build();
        let verifier = verifier.map_err(|_| TlsError::NativeAuthorities)?;
        let mut client = ClientConfig::builder_with_details(provider, Arc::new(ClockTime(self.clock.clone())))
            .with_safe_default_protocol_versions()?
            .with_webpki_verifier(verifier)
            .with_no_client_auth();
        client.alpn_protocols = vec![protocol.to_vec()];
        Ok((Arc::new(client), active.generation))
    }
}

/// The process's clock as TLS reads it, so that tests decide what has expired.
#[derive(Debug)]
pub(crate) struct ClockTime(pub(crate) Clock);

impl TimeProvider for ClockTime {
    fn current_time(&self) -> Option<UnixTime> {
        Some(unix_time(&self.0))
    }
}

fn unix_time(clock: &Clock) -> UnixTime {
    UnixTime::since_unix_epoch(std::time::Duration::from_nanos(clock.now().nanos()))
}
