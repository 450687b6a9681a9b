//! What the tests of this crate share: the example federation, requests, a log in a folder of its own, doors that a test
//! opens and shuts, and counters that can be read.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::Duration;

use tempfile::TempDir;
use tokio::sync::mpsc;
use tollgate_config::ByteSize;
use tollgate_disk::Disk;
use tollgate_federation::{LocalPlace, Manifest, NodeId, Signal};
use tollgate_otlp::{Batch, Limits, SpanView, Writer, walk_traces};
use tollgate_residency::Table;
use tollgate_runtime::{Clock, ManualClock, Metrics, Shutdown, Stopper, TaskGroup, Timestamp};
use tollgate_spool::{ConsumerConfig, Durability, Entry, Name, Position, Spool, SpoolConfig, Start, WhenFull};
use tollgate_transport::{Local, PeerCode, Receipt, SendError, Words};

use crate::documents::Documents;
use crate::load::local::LocalMaker;
use crate::node::counters::{ConsumerCounters, Counters};
use crate::node::in_force::{Borders, Edition, InForce, Publisher};
use crate::node::logs::Division;
use crate::pass::{Pass, Which};
use crate::records::RECEIVED;
use crate::seal::day;
use crate::seal::manifests::Manifests;
use crate::send::consumer::{Consumer, Gather};
use crate::send::delivery::{Covers, Delivery, Door};
use crate::send::hop::Hop;
use crate::send::quarantine::Quarantine;
use crate::send::roster::Roster;
use crate::step::Step;

/// The example federation of the repository.
pub(crate) fn documents() -> Arc<Documents> {
    static LOADED: OnceLock<Arc<Documents>> = OnceLock::new();
    let load = || Arc::new(Documents::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")).unwrap());
    Arc::clone(LOADED.get_or_init(load))
}

/// The example federation, each document changed by `edit`, in a folder of its own.
pub(crate) fn edited(edit: impl Fn(&str, String) -> String) -> (TempDir, Arc<Documents>) {
    let dir = tempfile::tempdir().unwrap();
    for folder in ["regions", "policies"] {
        std::fs::create_dir(dir.path().join(folder)).unwrap();
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(folder);
        for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap).filter(|entry| entry.path().is_file()) {
            let name = format!("{folder}/{}", entry.file_name().to_str().unwrap());
            let text = edit(&name, std::fs::read_to_string(entry.path()).unwrap());
            std::fs::write(dir.path().join(name), text).unwrap();
        }
    }
    let documents = Documents::load(dir.path()).unwrap();
    (dir, Arc::new(documents))
}

pub(crate) fn node(name: &str) -> NodeId {
    name.parse().unwrap()
}

/// A gateway of the example, and a place inside its region.
pub(crate) fn place() -> LocalPlace {
    documents().federation.local_backend(&node("eu-west/gateway/0"), "embedded").unwrap()
}

/// A span of a request under construction. Its trace is its number's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(crate) trace: u64,
    pub(crate) number: u64,
    pub(crate) is_error: bool,
}

/// Spans of these numbers, each a trace of its own.
pub(crate) fn spans(numbers: impl IntoIterator<Item = u64>) -> Vec<u8> {
    let spans = numbers.into_iter().map(|number| Span { trace: number, number, is_error: false });
    request(&spans.collect::<Vec<_>>())
}

/// A trace request.
pub(crate) fn request(spans: &[Span]) -> Vec<u8> {
    envelope(|scope| {
        for span in spans {
            let status = if span.is_error { 2 } else { 1 };
            scope.message(2, |body| {
                identify(body, span.trace, span.number);
                body.string(5, "GET /cart");
                body.fixed64(7, 1);
                body.fixed64(8, 2);
                body.message(15, |body| body.int(3, status));
            });
        }
    })
}

/// A request whose only span carries `bytes` of text.
pub(crate) fn heavy(number: u64, bytes: usize) -> Vec<u8> {
    envelope(|scope| {
        scope.message(2, |body| {
            identify(body, number, number);
            body.string(5, &"x".repeat(bytes));
        });
    })
}

/// A request of any signal: one resource with one scope, which the test fills.
pub(crate) fn envelope(fill: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    let mut bytes = Vec::new();
    Writer::new(&mut bytes).message(1, |resource| {
        resource.message(1, |body| body.key_string(1, "service.name", "shop"));
        resource.message(2, fill);
    });
    bytes
}

/// The ids of a span.
pub(crate) fn identify(span: &mut Writer<'_>, trace: u64, number: u64) {
    span.bytes(1, &trace_id(trace));
    span.bytes(2, &span_id(number));
}

pub(crate) fn trace_id(trace: u64) -> [u8; 16] {
    let mut id = [7; 16];
    id[8..].copy_from_slice(&trace.to_be_bytes());
    id
}

/// Zero is no id.
fn span_id(number: u64) -> [u8; 8] {
    (number + 1).to_be_bytes()
}

/// The numbers of the spans in a request.
pub(crate) fn numbers(request: &[u8]) -> Vec<u64> {
    let walked = walk_traces(request, &Limits::JOINED).unwrap();
    let number = |body: &[u8]| u64::from_be_bytes(SpanView::parse(body).unwrap().span_id.try_into().unwrap()) - 1;
    Batch::new(request, &walked.index).items().map(|item| number(item.body())).collect()
}

/// A trace request as admission stores it.
pub(crate) fn entry(payload: Vec<u8>) -> Entry {
    let mut index = Vec::new();
    walk_traces(&payload, &Limits::default()).unwrap().index.encode(&mut index);
    Entry {
        kind: RECEIVED,
        signal: Name::from("traces"),
        origin: Name::from("EEA"),
        peer: Name::from("eu-west/collector/eu-west-a-0"),
        policy: [0; 32],
        payload: payload.into(),
        index: index.into(),
    }
}

/// A log with one consumer of this name.
pub(crate) fn log(dir: &Path, consumer: &str, clock: &Clock) -> Spool {
    log_on(&Disk::real(), dir, consumer, clock)
}

pub(crate) fn log_on(disk: &Disk, dir: &Path, consumer: &str, clock: &Clock) -> Spool {
    let consumer = ConsumerConfig {
        name: consumer.to_owned(),
        share: ByteSize(128 << 20),
        max_age: Duration::from_secs(72 * 3600),
        when_full: WhenFull::Expire,
        start: Start::Oldest,
    };
    let config = SpoolConfig {
        dir: dir.to_owned(),
        segment_bytes: ByteSize(4 << 20),
        durability: Durability::Os,
        disk: ByteSize(256 << 20),
        recent: ByteSize(1 << 20),
        consumers: vec![consumer],
    };
    Spool::open(config, clock.clone(), disk.clone()).unwrap().0
}

/// Documents that nothing replaces.
pub(crate) fn in_force(documents: &Arc<Documents>) -> InForce {
    publisher(documents).follow()
}

/// Documents that the test replaces.
pub(crate) fn publisher(documents: &Arc<Documents>) -> Publisher {
    Publisher::new(Edition { documents: Arc::clone(documents), previous: Vec::new(), borders: Borders::Open })
}

/// The table of a link for traces of its own region, on the first day of the tests' clocks.
pub(crate) fn table(documents: &Documents, from: &str, to: &str, origin: &str) -> Table {
    let today = day(standing().0.now());
    let link = documents.federation.links_from(from).find(|link| link.to().to_string() == to).unwrap().id();
    documents.policy.table(&documents.federation, link, Signal::Traces, &origin.parse().unwrap(), today).unwrap()
}

/// What travels with a parcel of traces that the example's policy of a link sealed.
pub(crate) fn over_link(from: &str, to: &str, origin: &str, items: u32) -> Manifest {
    let manifest = manifest(from, origin, items);
    let digest = table(&documents(), manifest.node.region().as_str(), to, origin).digest();
    Manifest { policy: digest, in_force: digest, ..manifest }
}

/// What travels with a parcel of traces inside a region.
pub(crate) fn manifest(from: &str, origin: &str, items: u32) -> Manifest {
    Manifest {
        node: from.parse().unwrap(),
        boot: 1,
        parcel: 1,
        origin: origin.parse().unwrap(),
        policy: [0; 32],
        in_force: [0; 32],
        signal: Signal::Traces,
        items,
        interval: (1, 2),
        positions: (1, 2),
        progress: None,
        listener: None,
    }
}

/// A copy of a folder as it is now: what a process that is killed leaves behind.
pub(crate) fn image(dir: &Path) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    copy_into(dir, copy.path());
    copy
}

fn copy_into(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let (path, copy) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            std::fs::create_dir(&copy).unwrap();
            copy_into(&path, &copy);
        } else if entry.file_name() != "LOCK" {
            // A cursor file may be replaced under our hands; then its newer self is listed too.
            drop(std::fs::copy(path, copy));
        }
    }
}

/// A clock that follows tokio's, also where that one is paused.
pub(crate) fn following(tasks: &TaskGroup) -> Clock {
    const STEP: Duration = Duration::from_millis(10);
    let (clock, hand) = Clock::manual(Timestamp::from_nanos(1_800_000_000_000_000_000));
    tasks.spawn("clock", async move {
        loop {
            tokio::time::sleep(STEP).await;
            hand.advance(STEP);
        }
    });
    clock
}

/// A clock that stands still.
pub(crate) fn standing() -> (Clock, ManualClock) {
    Clock::manual(Timestamp::from_nanos(1_800_000_000_000_000_000))
}

/// Polls until it holds.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..10_000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    panic!("never came true: {what}");
}

/// The counters of one consumer and the registry they are read from.
pub(crate) struct Counted {
    pub(crate) metrics: Metrics,
    pub(crate) all: Arc<Counters>,
    pub(crate) consumer: Arc<ConsumerCounters>,
}

impl Counted {
    pub(crate) fn new() -> Self {
        let metrics = Metrics::new();
        let all = Counters::register(&metrics, Division::Central);
        let consumer = all.consumer("there", Signal::Traces);
        Self { metrics, all, consumer }
    }

    /// Items of an outcome.
    pub(crate) fn items(&self, outcome: &str) -> u64 {
        match outcome.trim_start_matches("outcome=").trim_matches('"') {
            "sent" => self.read("otelcol_exporter_sent_spans_total", "exporter=\"there\""),
            "quarantined" => self.read("otelcol_exporter_send_failed_spans_total", "exporter=\"there\""),
            _ => self.read("tollgate_consumer_items_total", outcome),
        }
    }

    /// The sum of all lines of a metric that hold the text.
    pub(crate) fn read(&self, metric: &str, text: &str) -> u64 {
        let lines = self.metrics.encode();
        let lines = lines.lines().filter(|line| line.starts_with(metric) && line.contains(text));
        lines.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum()
    }

    /// What became of all items that were offered.
    pub(crate) fn settled(&self) -> u64 {
        ["sent", "withheld", "dropped", "rejected", "quarantined", "taken_back"]
            .map(|outcome| self.items(&format!("outcome=\"{outcome}\"")))
            .iter()
            .sum()
    }
}

/// What a node answers.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    Ok,
    /// Nothing, for ever.
    Silence,
    Unreachable,
    Retry(Duration),
    Held,
    /// Guilty, if this span is in it.
    GuiltyOf(u64),
    Rejects(u64),
}

/// The far side of every door of a test.
#[derive(Clone, Default)]
pub(crate) struct Far(Arc<Mutex<FarState>>);

#[derive(Default)]
pub(crate) struct FarState {
    /// By node; whoever is not in it answers `Ok`.
    pub(crate) answers: BTreeMap<String, Answer>,
    /// What each node acknowledged, in order.
    pub(crate) taken: Vec<(String, u64)>,
    /// Attempts by node.
    pub(crate) attempts: BTreeMap<String, usize>,
    /// Attempts that are not answered yet, by node.
    pub(crate) open: BTreeMap<String, usize>,
    pub(crate) manifests: Vec<Manifest>,
}

impl Far {
    pub(crate) fn lock(&self) -> MutexGuard<'_, FarState> {
        self.0.lock().unwrap()
    }

    pub(crate) fn set(&self, node: &str, answer: Answer) {
        self.lock().answers.insert(node.to_owned(), answer);
    }

    /// The spans that were acknowledged, sorted; one that came twice stands there twice.
    pub(crate) fn taken(&self) -> Vec<u64> {
        let mut taken: Vec<_> = self.lock().taken.iter().map(|(_, number)| *number).collect();
        taken.sort_unstable();
        taken
    }

    /// The spans that a node acknowledged.
    pub(crate) fn taken_by(&self, node: &str) -> Vec<u64> {
        let mut taken: Vec<_> =
            self.lock().taken.iter().filter(|(by, _)| by == node).map(|(_, number)| *number).collect();
        taken.sort_unstable();
        taken
    }

    pub(crate) fn attempts(&self, node: &str) -> usize {
        self.lock().attempts.get(node).copied().unwrap_or_default()
    }
}

impl Door for Far {
    type Load = Local;

    async fn send(&self, node: &Arc<str>, load: &Local, manifest: &Manifest) -> Result<Receipt, SendError> {
        let answer = {
            let mut far = self.lock();
            *far.attempts.entry(node.to_string()).or_default() += 1;
            *far.open.entry(node.to_string()).or_default() += 1;
            far.manifests.push(manifest.clone());
            far.answers.get(&**node).cloned().unwrap_or(Answer::Ok)
        };
        // An answer takes its time, as it does over a network.
        tokio::time::sleep(Duration::from_millis(1)).await;
        if matches!(answer, Answer::Silence) {
            tokio::time::sleep(Duration::from_secs(15)).await;
        }
        let mut far = self.lock();
        *far.open.entry(node.to_string()).or_default() -= 1;
        let (code, reason) = (PeerCode::Grpc(0), Words::ours("as the test wants"));
        let numbers = || numbers(&load.chunks.concat());
        match answer {
            Answer::GuiltyOf(span) if numbers().contains(&span) => Err(SendError::Guilty { code, reason }),
            Answer::Ok | Answer::GuiltyOf(_) | Answer::Rejects(_) => {
                let node = node.to_string();
                far.taken.extend(numbers().into_iter().map(|number| (node.clone(), number)));
                let rejected = if let Answer::Rejects(items) = answer { items } else { 0 };
                Ok(Receipt { rejected, message: String::new() })
            }
            Answer::Silence | Answer::Unreachable => Err(SendError::Unreachable { reason }),
            Answer::Retry(after) => Err(SendError::Retry { code, after: Some(after), reason }),
            Answer::Held => Err(SendError::Held { code, reason }),
        }
    }
}

/// The delivery of a consumer whose far side is `far`.
pub(crate) fn delivery(far: &Far, hop: &Arc<Hop>, counted: &Counted, quarantine: PathBuf) -> Arc<Delivery<Far>> {
    let home = "EEA".parse().unwrap();
    Arc::new(Delivery {
        door: far.clone(),
        hop: Arc::clone(hop),
        manifests: Manifests::new(node("eu-west/gateway/0"), 1, Signal::Traces, home, 0),
        quarantine: Quarantine::new(Disk::real(), quarantine),
        counters: Arc::clone(&counted.consumer),
    })
}

/// Covers of a parcel that lies in no log.
pub(crate) fn covers(from: u64) -> Covers {
    let arrived = Timestamp::from_nanos(1);
    let (from, to) = (Position::new(from), Position::new(from + 1));
    Covers { origin: Name::from("EEA"), listener: None, from, to, arrived: (arrived, arrived) }
}

pub(crate) fn local(request: Vec<u8>) -> Local {
    let items = numbers(&request).len();
    Local { chunks: vec![request.into()], items, place: place() }
}

/// A consumer that runs.
pub(crate) struct Running {
    tasks: TaskGroup,
    stopper: Stopper,
}

impl Running {
    /// Starts a consumer whose records go to the far side as they are.
    pub(crate) fn start(log: &Spool, far: &Far, hop: &Arc<Hop>, counted: &Counted, dir: &Path) -> Self {
        let maker = LocalMaker::new(place());
        let step = Pass { maker, which: Which::All, ids: None, counters: Arc::clone(&counted.consumer) };
        Self::with(step, log, far, hop, counted, dir)
    }

    pub(crate) fn with<S: Step<Load = Local>>(
        step: S,
        log: &Spool,
        far: &Far,
        hop: &Arc<Hop>,
        counted: &Counted,
        dir: &Path,
    ) -> Self {
        let tasks = TaskGroup::new();
        let (stopper, shutdown) = Shutdown::new();
        let (done, outcomes) = mpsc::channel(8);
        let delivery = delivery(far, hop, counted, dir.join("quarantine"));
        let of_senders = tasks.clone();
        let senders = Box::new(move |_: Arc<str>, window: crate::send::window::Window<Local>| {
            for _ in 0..4 {
                of_senders.spawn("sender", Arc::clone(&delivery).run(window.clone(), done.clone()));
            }
        });
        let log = retaken(log);
        let roster = Roster::restore(&log, Arc::clone(hop), senders);
        let gather = Gather { bytes: 512 << 10, items: u64::MAX, linger: Duration::from_millis(2) };
        let consumer = Consumer::new(log, step, roster, gather, outcomes, Arc::clone(&counted.consumer));
        tasks.spawn("consumer", consumer.run(shutdown));
        Self { tasks, stopper }
    }

    /// Stops it in order.
    pub(crate) async fn stop(self) {
        self.stopper.stop();
        self.tasks.wait(Duration::from_secs(60)).await.unwrap();
    }

    /// Stops it where it stands.
    pub(crate) async fn kill(self) {
        self.tasks.abort();
        self.tasks.wait(Duration::from_secs(60)).await.unwrap();
    }
}

/// The log's consumer.
fn retaken(log: &Spool) -> tollgate_spool::Consumer {
    log.consumer("there").unwrap()
}

/// Where each lane of the consumer stands.
pub(crate) fn cursors(log: &Spool) -> BTreeMap<String, Position> {
    let status = log.status();
    let lanes = status.consumers.iter().flat_map(|consumer| &consumer.lanes);
    lanes.map(|lane| (lane.name.to_string(), lane.position)).collect()
}

/// Everything a failed test wants to show of a far side.
pub(crate) fn describe(far: &Far) -> String {
    let far = far.lock();
    let mut text = String::new();
    let _ = write!(text, "attempts {:?}, open {:?}, taken {}", far.attempts, far.open, far.taken.len());
    text
}
