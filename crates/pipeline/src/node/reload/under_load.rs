//! Reloads while records come in, are sealed and are sent: what each parcel says of itself is what it is.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;
use tollgate_disk::Disk;
use tollgate_federation::{Manifest, Role, Signal};
use tollgate_otlp::{Batch, Limits, SpanView, Writer, walk_traces};
use tollgate_redaction::{Epoch, Keys, RootKey, Sealed};
use tollgate_runtime::{Stopper, TaskGroup};
use tollgate_spool::Spool;
use tollgate_transport::{Receipt, SendError};

use super::*;
use crate::rig::{self, Counted, node, numbers};
use crate::seal::manifests::Manifests;
use crate::seal::{Basis, Seal};
use crate::send::consumer::{Consumer, Gather};
use crate::send::delivery::{Delivery, Door};
use crate::send::hop::Hop;
use crate::send::quarantine::Quarantine;
use crate::send::roster::Roster;
use crate::send::window::Window;

const COUNTRY: &str = "geo.country.iso_code";
const ALLOWS_COUNTRY: &str = "quasi: {only: {geo.country.iso_code: raw}}";
const ALLOWS_NONE: &str = "quasi: {only: {}}";
const RECORDS: usize = 600;

struct NoKeys;

impl Keys for NoKeys {
    fn root(&self, _: &str, _: Epoch) -> Option<RootKey> {
        None
    }
}

type Parcels = Vec<(Manifest, Vec<u8>)>;

/// Keeps every parcel that it is given.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Parcels>>);

impl Door for Kept {
    type Load = Sealed;

    async fn send(&self, _: &Arc<str>, load: &Sealed, manifest: &Manifest) -> Result<Receipt, SendError> {
        tokio::time::sleep(Duration::from_millis(1)).await;
        self.0.lock().unwrap().push((manifest.clone(), load.bytes().to_vec()));
        Ok(Receipt::default())
    }
}

impl Kept {
    fn numbers(&self) -> BTreeSet<u64> {
        self.0.lock().unwrap().iter().flat_map(|(_, bytes)| numbers(bytes)).collect()
    }
}

/// A span that says where its user is.
fn abroad(number: u64) -> Vec<u8> {
    rig::envelope(|scope: &mut Writer<'_>| {
        scope.message(2, |span| {
            rig::identify(span, number, number);
            span.string(5, "GET");
            span.key_string(9, COUNTRY, "DE");
        });
    })
}

/// How many spans of a request say where their users are, of how many.
fn abroad_of(request: &[u8]) -> (usize, usize) {
    let walked = walk_traces(request, &Limits::JOINED).unwrap();
    let says = |body| SpanView::parse(body).unwrap().attributes().any(|attribute| attribute.key == COUNTRY);
    let said: Vec<_> = Batch::new(request, &walked.index).items().map(|item| says(item.body())).collect();
    (said.iter().filter(|said| **said).count(), said.len())
}

/// The consumer of a link, whose parcels are kept.
fn consume(log: &Spool, in_force: InForce, archive: &Arc<Archive>, kept: &Kept, dir: &Path) -> (TaskGroup, Stopper) {
    let (tasks, counted, clock) = (TaskGroup::new(), Counted::new(), rig::standing().0);
    let federation = Arc::clone(&in_force.edition().documents.federation);
    let mut links = federation.links_from("eu-west");
    let link = links.find(|link| link.to().to_string() == "us-east/central").unwrap();
    let basis = Basis { in_force, archive: Arc::clone(archive), keys: Arc::new(NoKeys), clock: clock.clone() };
    let step = Seal::new(basis, link, Signal::Traces, Arc::clone(&counted.consumer));
    let hop = Arc::new(Hop::to_one("there", Signal::Traces, clock));
    let (done, outcomes) = mpsc::channel(8);
    let delivery = Arc::new(Delivery {
        door: kept.clone(),
        hop: Arc::clone(&hop),
        manifests: Manifests::new(node("eu-west/gateway/0"), 1, Signal::Traces, "EEA".parse().unwrap(), 0),
        quarantine: Quarantine::new(Disk::real(), dir.join("quarantine")),
        counters: Arc::clone(&counted.consumer),
    });
    let of_senders = tasks.clone();
    let senders = Box::new(move |_: Arc<str>, window: Window<Sealed>| {
        of_senders.spawn("sender", Arc::clone(&delivery).run(window, done.clone()));
    });
    let consumer = log.consumer("there").unwrap();
    let roster = Roster::restore(&consumer, hop, senders);
    let gather = Gather { bytes: 4096, items: 20, linger: Duration::from_millis(2) };
    let consumer = Consumer::new(consumer, step, roster, gather, outcomes, Arc::clone(&counted.consumer));
    let (stopper, shutdown) = Shutdown::new();
    tasks.spawn("consumer", consumer.run(shutdown));
    (tasks, stopper)
}

/// Changes the documents and reloads, again and again.
struct Operator {
    number: usize,
    reloader: Arc<Reloader>,
    appended: Arc<AtomicUsize>,
}

impl Operator {
    /// How often other documents came into force.
    fn change_until_all_came_in(&self, policy: &Path, texts: &[String; 2]) -> usize {
        let mut adopted = 0;
        for text in texts.iter().cycle() {
            if self.appended.load(Ordering::Relaxed) == RECORDS {
                break;
            }
            // As an editor does it: nobody reads half a document.
            let new = policy.with_extension(format!("new-{}", self.number));
            std::fs::write(&new, text).unwrap();
            std::fs::rename(&new, policy).unwrap();
            // Refused if the other operator changed them while they were read: then the old ones stay.
            adopted += usize::from(matches!(self.reloader.reload(), Ok(Reloaded::Adopted)));
        }
        adopted
    }
}

/// Scenario: two operators change the documents and reload, again and again and at the same time, while records come in
/// and are sealed and sent. Guarantees: every parcel names one of the two policies and its items are what exactly that one
/// makes of them; everything arrives; nothing that came in under the stricter one is released by the wider.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_parcel_is_sealed_by_exactly_the_policy_that_it_names() {
    let ((folder, wide), dir) = (rig::edited(|_, text| text), tempfile::tempdir().unwrap());
    let policy = folder.path().join("policies/residency.yaml");
    let text = std::fs::read_to_string(&policy).unwrap();
    let narrow_text = text.replace(ALLOWS_COUNTRY, ALLOWS_NONE);
    assert_ne!(text, narrow_text);
    let (_narrow_folder, narrow) = rig::edited(|name, text| match name {
        "policies/residency.yaml" => text.replace(ALLOWS_COUNTRY, ALLOWS_NONE),
        _ => text,
    });
    let tables = [&wide, &narrow].map(|set| rig::table(set, "eu-west", "us-east/central", "EEA").digest());
    let archive = Arc::new(Archive::new(&Disk::real(), dir.path().join("documents")));
    let counters = Counted::new();
    let first = archive.adopt(&wide).unwrap();
    let reload = counters.all.reload.clone();
    let me = node("eu-west/gateway/0");
    assert_eq!(me.role(), Role::Gateway);
    let reloader = Arc::new(Reloader::new(me, Arc::clone(&archive), first, Clock::system(), reload));
    let log = rig::log(&dir.path().join("log"), "there", &Clock::system());
    let kept = Kept::default();
    let (tasks, _stopper) = consume(&log, reloader.follow(), &archive, &kept, dir.path());

    let appended = Arc::new(AtomicUsize::new(0));
    let texts = [text, narrow_text];
    let operator = |number| {
        let operator = Operator { number, reloader: Arc::clone(&reloader), appended: Arc::clone(&appended) };
        let (policy, texts) = (policy.clone(), texts.clone());
        std::thread::spawn(move || operator.change_until_all_came_in(&policy, &texts))
    };
    let operators = [operator(0), operator(1)];
    let mut strictly = BTreeSet::new();
    for number in 0..RECORDS as u64 {
        let policy = reloader.follow().edition().documents.federation.digest();
        strictly.extend((policy == narrow.federation.digest()).then_some(number));
        log.append(tollgate_spool::Entry { policy, ..rig::entry(abroad(number)) }).await.unwrap();
        tokio::time::sleep(Duration::from_millis(5)).await;
        appended.fetch_add(1, Ordering::Relaxed);
    }
    let adopted = operators.map(|operator| operator.join().unwrap());
    assert!(adopted.iter().sum::<usize>() >= 2, "{adopted:?}");
    rig::until("all arrives", || kept.numbers().len() == RECORDS).await;
    tasks.abort();

    for (manifest, bytes) in &*kept.0.lock().unwrap() {
        let (said, all) = abroad_of(bytes);
        assert!(tables.contains(&manifest.policy) && tables.contains(&manifest.in_force));
        assert_eq!((said, all), (if manifest.policy == tables[0] { all } else { 0 }, manifest.items as usize));
        assert!(said == 0 || numbers(bytes).iter().all(|number| !strictly.contains(number)));
        assert!(manifest.in_force == tables[0] || said == 0, "what is in force lets through no less than what sealed");
    }
    assert!(!strictly.is_empty() && strictly.len() < RECORDS, "{} of {RECORDS}", strictly.len());
}
