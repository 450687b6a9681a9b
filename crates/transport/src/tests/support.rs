//! What the tests share: servers on free ports, authorities, payloads.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType, date_time_ymd};
use tollgate_federation::{Manifest, NodeId, Signal};
use tollgate_runtime::{ByteBudget, Clock, ManualClock, Shutdown, Stopper, TaskGroup, Timestamp};

use crate::client::exporter::Outgoing;
use crate::{
    Bound, Channel, Denial, Exporter, HandshakeFault, Headers, Inbound, Limits, Options, Peer, Peering, Protocols,
    Receipt, Receive, Security, SendError, Service, Stranger, TierFiles, TierTls,
};

/// What a [`Recorder`] saw.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Seen {
    pub(super) signal: Signal,
    pub(super) payload: Bytes,
    pub(super) peer: Peer,
    pub(super) manifest: Option<Manifest>,
}

/// Takes everything, or answers as it was told.
#[derive(Default)]
pub(super) struct Recorder {
    pub(super) seen: Mutex<Vec<Seen>>,
    pub(super) refused: Mutex<Vec<Denial>>,
    pub(super) turned_away: Mutex<Vec<(Stranger, HandshakeFault)>>,
    pub(super) answer: Mutex<Option<Result<Receipt, Denial>>>,
    pub(super) slow: Mutex<Duration>,
    pub(super) draining: std::sync::atomic::AtomicBool,
    pub(super) threads: Mutex<Vec<std::thread::ThreadId>>,
}

impl Receive for Recorder {
    async fn receive(&self, inbound: Inbound) -> Result<Receipt, Denial> {
        let Inbound { signal, transport: _, payload, peer, manifest, permit } = inbound;
        assert!(permit.bytes() >= payload.len() as u64, "what is held is covered");
        self.threads.lock().unwrap().push(std::thread::current().id());
        let slow = *self.slow.lock().unwrap();
        tokio::time::sleep(slow).await;
        self.seen.lock().unwrap().push(Seen { signal, payload, peer, manifest });
        self.answer.lock().unwrap().clone().unwrap_or_else(|| Ok(Receipt::default()))
    }

    fn draining(&self) -> bool {
        self.draining.load(std::sync::atomic::Ordering::Relaxed)
    }

    fn refused(&self, _: Signal, denial: &Denial) {
        self.refused.lock().unwrap().push(denial.clone());
    }

    fn turned_away(&self, stranger: &Stranger, fault: &HandshakeFault) {
        self.turned_away.lock().unwrap().push((stranger.clone(), fault.clone()));
    }
}

impl Recorder {
    pub(super) fn answering(answer: Result<Receipt, Denial>) -> Arc<Self> {
        Arc::new(Self { answer: Mutex::new(Some(answer)), ..Self::default() })
    }

    /// What the next stranger claimed, and why it was turned away: a peer learns of its failure before we do.
    pub(super) async fn stranger(&self) -> (Option<String>, &'static str) {
        let waiting = async {
            loop {
                if let Some((stranger, fault)) = self.turned_away.lock().unwrap().pop() {
                    return (stranger.claims, fault.reason());
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), waiting).await.expect("somebody is turned away")
    }

    pub(super) fn payloads(&self) -> Vec<Bytes> {
        self.seen.lock().unwrap().iter().map(|seen| seen.payload.clone()).collect()
    }
}

/// A running listener.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    pub(super) recorder: Arc<Recorder>,
    pub(super) budget: ByteBudget,
    pub(super) tasks: TaskGroup,
    pub(super) stopper: Stopper,
    pub(super) shutdown: Shutdown,
}

pub(super) fn service(security: Security) -> Service {
    Service {
        security,
        protocols: Protocols { grpc: true, http: true },
        limits: Limits { drain: Duration::from_millis(500), ..Limits::default() },
        budget: ByteBudget::new(64 << 20),
        arriving: ByteBudget::new(64 << 20),
        workers: Vec::new(),
    }
}

impl Server {
    pub(super) async fn start(service: Service, recorder: Arc<Recorder>) -> Self {
        let bound = Bound::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let (stopper, shutdown) = Shutdown::new();
        let (address, budget, tasks) = (bound.local_addr(), service.budget.clone(), TaskGroup::new());
        tasks.spawn("listener", bound.serve(service, Arc::clone(&recorder), tasks.clone(), shutdown.clone()));
        Self { address, recorder, budget, tasks, stopper, shutdown }
    }

    pub(super) async fn plain() -> Self {
        Self::start(service(Security::Plain), Arc::default()).await
    }

    pub(super) fn channel(&self, peering: Peering) -> Channel {
        Channel::new(self.address.to_string().parse().unwrap(), peering)
    }
}

pub(super) fn options() -> Options {
    Options {
        headers: Headers::default(),
        compression: tollgate_federation::Compression::None,
        timeout: Duration::from_secs(10),
    }
}

/// Sends traces past the typed doors, which need a proof that tests of the wire do not have.
pub(super) async fn send(exporter: &Exporter, chunks: &[Bytes]) -> Result<Receipt, SendError> {
    exporter.export(Outgoing { signal: Signal::Traces, chunks, manifest: None }).await
}

/// A request of `spans` spans.
pub(super) fn request(spans: u8) -> ExportTraceServiceRequest {
    let span = |number: u8| Span { trace_id: vec![number; 16], span_id: vec![number; 8], ..Span::default() };
    let scope = ScopeSpans { spans: (1..=spans).map(span).collect(), ..ScopeSpans::default() };
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans { scope_spans: vec![scope], ..ResourceSpans::default() }],
    }
}

pub(super) fn payload(spans: u8) -> Bytes {
    request(spans).encode_to_vec().into()
}

pub(super) fn manifest(node: &str) -> Manifest {
    Manifest {
        node: node.parse().unwrap(),
        boot: 1,
        parcel: 2,
        origin: "EEA".parse().unwrap(),
        policy: [7; 32],
        in_force: [7; 32],
        signal: Signal::Traces,
        items: 3,
        interval: (4, 5),
        positions: (6, 7),
        progress: None,
        listener: None,
    }
}

pub(super) const TRUST_DOMAIN: &str = "acme.example";

/// A certificate authority.
pub(super) struct Authority {
    pub(super) certificate: String,
    pub(super) issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(super) fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap().pem();
        Self { certificate, issuer: Issuer::new(params, key) }
    }

    /// A certificate with these URI names, valid from 2026 to 2030, and its key.
    pub(super) fn issue(&self, uris: &[&str], serial: u8) -> (String, String) {
        let mut params = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
        params.subject_alt_names.extend(uris.iter().map(|uri| SanType::URI((*uri).try_into().unwrap())));
        params.not_before = date_time_ymd(2026, 1, 1);
        params.not_after = date_time_ymd(2030, 1, 1);
        params.serial_number = Some(vec![serial].into());
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (certificate.pem(), key.serialize_pem())
    }
}

/// Seconds from the epoch to the first of July 2028, in the middle of what certificates here are valid for.
const MID_2028: u64 = 1_846_022_400;

pub(super) fn clock() -> (Clock, ManualClock) {
    Clock::manual(Timestamp::from_nanos(MID_2028 * 1_000_000_000))
}

/// A folder with the files of one node.
pub(super) struct Files {
    pub(super) dir: tempfile::TempDir,
    pub(super) clock: Clock,
    pub(super) hand: ManualClock,
    trust: Vec<(String, PathBuf)>,
}

impl Files {
    pub(super) fn new(authorities: &[(&str, &Authority)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut trust = Vec::new();
        for (region, authority) in authorities {
            let path = dir.path().join(format!("{region}.pem"));
            std::fs::write(&path, &authority.certificate).unwrap();
            trust.push(((*region).to_owned(), path));
        }
        let (clock, hand) = clock();
        Self { dir, clock, hand, trust }
    }

    pub(super) fn put(&self, name: &str, text: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    pub(super) fn put_pair(&self, (certificate, key): &(String, String)) {
        self.put("node.pem", certificate);
        self.put("node.key", key);
    }

    pub(super) fn files(&self) -> TierFiles {
        TierFiles {
            trust_domain: TRUST_DOMAIN.to_owned(),
            certificate: self.dir.path().join("node.pem"),
            key: self.dir.path().join("node.key"),
            trust: self.trust.clone(),
        }
    }

    pub(super) fn load(&self) -> TierTls {
        TierTls::load(self.files(), self.clock.clone()).unwrap()
    }
}

pub(super) fn uri(node: &str) -> String {
    node.parse::<NodeId>().unwrap().spiffe(TRUST_DOMAIN)
}

/// A node with a certificate of this authority.
pub(super) fn node(name: &str, authority: &Authority, trusted: &[(&str, &Authority)]) -> (TierTls, Files) {
    let files = Files::new(trusted);
    files.put_pair(&authority.issue(&[&uri(name)], 1));
    (files.load(), files)
}
