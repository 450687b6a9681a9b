//! What a consumer says last to those who wait for it.

use std::sync::Mutex;

use tollgate_disk::Disk;
use tollgate_federation::{Manifest, Presence};
use tollgate_runtime::TaskGroup;
use tollgate_spool::Entry;
use tollgate_transport::{Receipt, SendError};

use super::*;
use crate::seal::manifests::{Manifests, Teller};
use crate::send::delivery::{Delivery, Door};
use crate::send::quarantine::Quarantine;

/// A far side; while it is told goodbye, a request comes in.
struct Receiving {
    far: Far,
    log: Spool,
    comes: Mutex<Option<Entry>>,
}

impl Door for Receiving {
    type Load = Local;

    async fn send(&self, node: &Arc<str>, load: &Local, manifest: &Manifest) -> Result<Receipt, SendError> {
        if presence(manifest) == Presence::Leaves {
            let entry = self.comes.lock().unwrap().take();
            if let Some(entry) = entry {
                self.log.append(entry).await.unwrap();
            }
        }
        self.far.send(node, load, manifest).await
    }
}

fn presence(manifest: &Manifest) -> Presence {
    manifest.progress.unwrap().presence
}

/// Sends three spans and stops; returns what each node was told, and the log.
async fn told(comes: Option<Entry>, leaving: Option<Leaving>) -> (TempDir, Spool, Vec<Manifest>) {
    let (dir, clock, nodes) = (tempfile::tempdir().unwrap(), Clock::system(), ["one"]);
    let log = rig::log(&dir.path().join("log"), "there", &clock);
    let (far, hop, counted) = (Far::default(), hop_to(&nodes), Counted::new());
    let teller = Teller { clock: clock.clone(), leaving: leaving.clone(), upstream: None };
    let manifests = Manifests::new(rig::node("eu-west/gateway/0"), 1, Signal::Traces, "EEA".parse().unwrap(), 0);
    let delivery = Arc::new(Delivery {
        door: Receiving { far: far.clone(), log: log.clone(), comes: Mutex::new(comes) },
        hop: Arc::clone(&hop),
        manifests: manifests.telling(Some(teller)),
        quarantine: Quarantine::new(Disk::real(), dir.path().join("quarantine")),
        counters: Arc::clone(&counted.consumer),
    });
    let (tasks, (stopper, shutdown), (done, outcomes)) = (TaskGroup::new(), Shutdown::new(), mpsc::channel(8));
    let of_senders = tasks.clone();
    let senders = Box::new(move |_: Arc<str>, window: crate::send::window::Window<Local>| {
        of_senders.spawn("sender", Arc::clone(&delivery).run(window, done.clone()));
    });
    let consumer = log.consumer("there").unwrap();
    let roster = Roster::restore(&consumer, hop, senders);
    let gather = Gather { bytes: 512 << 10, items: u64::MAX, linger: Duration::from_millis(2) };
    let maker = LocalMaker::new(rig::place());
    let step = Pass { maker, which: Which::Home, ids: None, counters: Arc::clone(&counted.consumer) };
    let consumer = Consumer::new(consumer, step, roster, gather, outcomes, Arc::clone(&counted.consumer));
    tasks.spawn("consumer", consumer.pulsing(Some(clock), leaving).run(shutdown));
    for number in 0..3 {
        log.append(entry(spans([number]))).await.unwrap();
    }
    until("all is sent", || far.taken().len() == 3).await;
    stopper.stop();
    tasks.wait(Duration::from_secs(60)).await.unwrap();
    let manifests = far.lock().manifests.clone();
    (dir, log, manifests)
}

/// Guarantees: the last word of a consumer that has sent everything is goodbye, and no word before it.
#[tokio::test]
async fn who_has_nothing_left_says_goodbye() {
    let (_dir, log, told) = told(None, Some(Leaving::default())).await;
    let (last, before) = told.split_last().unwrap();
    assert_eq!((presence(last), last.items, last.positions.1), (Presence::Leaves, 0, log.durable_end().value()));
    assert!(before.iter().all(|manifest| presence(manifest) == Presence::Stays));
}

/// Scenario: a request that was being received when the process was told to stop is stored while goodbye is said. Guarantees: that is
/// taken back.
#[tokio::test]
async fn who_gets_something_after_all_takes_the_goodbye_back() {
    let (_dir, log, told) = told(Some(entry(spans([3]))), Some(Leaving::default())).await;
    let [.., goodbye, last] = &told[..] else { panic!("{told:?}") };
    assert_eq!([goodbye, last].map(presence), [Presence::Leaves, Presence::Stays]);
    assert!(last.positions.1 < log.durable_end().value(), "what came is not sent yet");
}

/// Guarantees: who must be waited for, because others hold what they have for it, never says goodbye.
#[tokio::test]
async fn who_is_waited_for_says_no_goodbye() {
    let (_dir, _log, told) = told(None, None).await;
    assert!(!told.is_empty() && told.iter().all(|manifest| presence(manifest) == Presence::Stays));
}
