use std::collections::BTreeMap;

use tollgate_disk::Disk;
use tollgate_federation::Signal;
use tollgate_routing::{HopKind, Members, Owners, ROUTING_SEED, Rank, Seen};
use tollgate_runtime::{Clock, TaskGroup};
use tollgate_spool::Lanes;
use tollgate_transport::Local;

use super::*;
use crate::rig::{self, Answer, Counted, Far, local, numbers, spans};

/// One lane with four senders, in paused time.
struct Lane {
    far: Far,
    hop: Arc<Hop>,
    counted: Counted,
    window: Window<Local>,
    done: mpsc::Receiver<Delivered>,
    lanes: Lanes,
    lane: usize,
    tasks: TaskGroup,
    dir: tempfile::TempDir,
}

const HANDOVER: Duration = Duration::from_secs(60);

fn tier(kind: HopKind, nodes: &[&str], clock: Clock) -> Arc<Hop> {
    let hop = Hop::new(kind, Duration::ZERO, Signal::Traces, clock);
    hop.observe(Seen::Nodes(nodes.iter().map(|node| ((*node).to_owned(), "127.0.0.1:1".to_owned())).collect()));
    Arc::new(hop)
}

impl Lane {
    fn to_one() -> Self {
        Self::start(|clock| Arc::new(Hop::to_one("a", Signal::Traces, clock)))
    }

    fn of(kind: HopKind, nodes: &'static [&'static str]) -> Self {
        Self::start(|clock| tier(kind, nodes, clock))
    }

    fn start(hop: impl FnOnce(Clock) -> Arc<Hop>) -> Self {
        let tasks = TaskGroup::new();
        let (far, counted, dir) = (Far::default(), Counted::new(), tempfile::tempdir().unwrap());
        let hop = hop(rig::following(&tasks));
        let delivery = rig::delivery(&far, &hop, &counted, dir.path().join("quarantine"));
        let (sender, done) = mpsc::channel(256);
        let window = Window::new();
        for _ in 0..4 {
            tasks.spawn("sender", Arc::clone(&delivery).run(window.clone(), sender.clone()));
        }
        let mut lanes = Lanes::new();
        let lane = lanes.join(Position::ZERO);
        Self { far, hop, counted, window, done, lanes, lane, tasks, dir }
    }

    fn send(&mut self, owner: &str, load: Local) {
        let ticket = self.lanes.sent(self.lane, Position::ZERO, Position::ZERO).unwrap();
        let bytes = load.bytes();
        self.window.send(Parcel { ticket, owner: owner.into(), load, covers: rig::covers(5), bytes });
    }

    async fn delivered(&mut self) -> Delivered {
        tokio::time::timeout(Duration::from_secs(600), self.done.recv()).await.unwrap().unwrap()
    }

    fn put_aside(&self) -> BTreeMap<String, Vec<u64>> {
        let Ok(files) = std::fs::read_dir(self.dir.path().join("quarantine")) else { return BTreeMap::new() };
        let read = |path: std::path::PathBuf| numbers(&std::fs::read(path).unwrap());
        files
            .map(|file| (file.as_ref().unwrap().file_name().into_string().unwrap(), read(file.unwrap().path())))
            .collect()
    }
}

fn trace_owned_by(node: &str, nodes: &[&str]) -> Vec<u64> {
    let owners = Owners::new(Members::new(nodes.iter().copied()), ROUTING_SEED);
    let owner = |trace: &u64| owners.members().id(owners.owner(&rig::trace_id(*trace)).unwrap()) == Some(node);
    (0..100).filter(owner).collect()
}

fn second_in_rank(trace: u64, nodes: &[&str]) -> String {
    let owners = Owners::new(Members::new(nodes.iter().copied()), ROUTING_SEED);
    let mut rank = Rank::default();
    let second = owners.rank(&rig::trace_id(trace), &mut rank)[1];
    owners.members().id(second).unwrap().to_owned()
}

/// Scenario: the destination is away for a minute. Guarantees: the parcel is tried again until it is through, without a
/// storm, and reported once.
#[tokio::test(start_paused = true)]
async fn what_is_unreachable_is_tried_again_with_backoff() {
    let mut lane = Lane::to_one();
    lane.far.set("a", Answer::Unreachable);
    for number in 0..8 {
        lane.send("a", local(spans([number])));
    }
    tokio::time::sleep(Duration::from_secs(60)).await;
    let attempts = lane.far.attempts("a");
    assert!((10..120).contains(&attempts), "{attempts} attempts in a minute");
    assert!(lane.done.try_recv().is_err());
    lane.far.set("a", Answer::Ok);
    for _ in 0..8 {
        assert_eq!(lane.delivered().await.items, 1);
    }
    assert_eq!(lane.far.taken(), (0..8).collect::<Vec<_>>());
    assert_eq!((lane.counted.items("\"sent\""), lane.counted.items("\"failed\"")), (8, attempts as u64));
}

/// Scenario: four parcels wait for a node, each for a time of its own. Guarantees: when one finds it back, all go.
#[tokio::test(start_paused = true)]
async fn whoever_waited_for_a_node_goes_as_soon_as_it_is_back() {
    let mut lane = Lane::to_one();
    lane.far.set("a", Answer::Unreachable);
    for number in 0..4 {
        lane.send("a", local(spans([number])));
    }
    tokio::time::sleep(Duration::from_secs(60)).await;
    lane.far.set("a", Answer::Ok);
    lane.delivered().await;
    for _ in 1..4 {
        tokio::time::timeout(Duration::from_millis(10), lane.delivered()).await.unwrap();
    }
}

/// Scenario: the backend asks to be left alone for a while. Guarantees: no attempt comes sooner.
#[tokio::test(start_paused = true)]
async fn a_wish_to_wait_is_honoured_up_to_a_bound() {
    let mut lane = Lane::to_one();
    lane.far.set("a", Answer::Retry(Duration::from_secs(3600)));
    lane.send("a", local(spans([1])));
    tokio::time::sleep(LONGEST_WISH - Duration::from_secs(1)).await;
    assert_eq!(lane.far.attempts("a"), 1);
    lane.far.set("a", Answer::Ok);
    lane.delivered().await;
}

/// Scenario: one span of many makes the backend refuse the parcel. Guarantees: that span alone is put aside, durably and
/// counted, and the parcel is done.
#[tokio::test(start_paused = true)]
async fn one_guilty_item_ends_in_quarantine_and_the_rest_arrives() {
    let mut lane = Lane::to_one();
    lane.far.set("a", Answer::GuiltyOf(5));
    lane.send("a", local(spans(0..11)));
    assert_eq!(lane.delivered().await.items, 11);
    assert_eq!(lane.far.taken(), [0, 1, 2, 3, 4, 6, 7, 8, 9, 10]);
    assert_eq!(lane.put_aside().into_values().collect::<Vec<_>>(), [[5]]);
    assert_eq!((lane.counted.items("\"sent\""), lane.counted.items("\"quarantined\"")), (10, 1));
}

/// Scenario: a node comes back after an outage and blames the first thing it is sent. Guarantees: it counts as back.
#[tokio::test(start_paused = true)]
async fn a_node_that_blames_a_parcel_is_reachable() {
    let mut lane = Lane::to_one();
    lane.far.set("a", Answer::Unreachable);
    lane.send("a", local(spans(0..64)));
    tokio::time::sleep(Duration::from_secs(60)).await;
    lane.far.set("a", Answer::GuiltyOf(5));
    tokio::time::sleep(Duration::from_secs(6)).await; // the longest backoff, and then no more of it
    assert_eq!(lane.far.taken().len(), 63);
    lane.delivered().await;
}

/// Scenario: two processes, one after the other, put aside different items of parcels that begin at one position.
/// Guarantees: both stay.
#[tokio::test]
async fn no_item_takes_anothers_place_in_quarantine() {
    let dir = tempfile::tempdir().unwrap();
    for number in [1, 2, 3] {
        let quarantine = Quarantine::new(Disk::real(), dir.path().to_owned());
        quarantine.keep(Position::new(5), &local(spans([number]))).await.unwrap();
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 3);
}

/// Scenario: the quarantine has no room. Guarantees: the lane waits, nothing vanishes, and it goes on when there is room.
#[tokio::test(start_paused = true)]
async fn a_full_quarantine_holds_the_lane() {
    let mut lane = Lane::to_one();
    let folder = lane.dir.path().join("quarantine");
    std::fs::create_dir(&folder).unwrap();
    std::fs::File::create(folder.join("old.binpb")).unwrap().set_len(64 << 20).unwrap();
    lane.far.set("a", Answer::GuiltyOf(1));
    lane.send("a", local(spans([1])));
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert!(lane.done.try_recv().is_err() && lane.counted.items("\"quarantined\"") == 0);
    std::fs::remove_file(folder.join("old.binpb")).unwrap();
    lane.delivered().await;
    assert_eq!(lane.put_aside().into_values().collect::<Vec<_>>(), [[1]]);
}

/// Scenario: the peer refuses us for who we are. Guarantees: held and shown, nothing dropped; it goes on when somebody
/// has mended it.
#[tokio::test(start_paused = true)]
async fn a_refusal_for_who_we_are_holds_until_it_is_mended() {
    let mut lane = Lane::to_one();
    lane.far.set("a", Answer::Held);
    lane.send("a", local(spans([1])));
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!((10..=14).contains(&lane.far.attempts("a")), "{}", lane.far.attempts("a"));
    assert_eq!(lane.counted.read("tollgate_consumer_held", "there"), 1);
    lane.far.set("a", Answer::Ok);
    lane.delivered().await;
    assert_eq!(lane.counted.read("tollgate_consumer_held", "there"), 0);
}

/// Scenario: one of two nodes refuses us, the other does not. Guarantees: the alarm stays on.
#[tokio::test(start_paused = true)]
async fn one_nodes_success_does_not_hide_anothers_refusal() {
    let mut lane = Lane::of(HopKind::Wait { handover_after: HANDOVER }, &["a", "b"]);
    lane.far.set("a", Answer::Held);
    lane.send("a", local(spans([1])));
    tokio::time::sleep(Duration::from_secs(1)).await;
    lane.send("b", local(spans([2])));
    lane.delivered().await;
    assert_eq!(lane.counted.read("tollgate_consumer_held", "there"), 1);
}

/// Scenario: a stateless hop of three loses one node. Guarantees: each trace of its share goes to the second in its own
/// rank, at once, and only once.
#[tokio::test(start_paused = true)]
async fn a_failed_nodes_share_goes_to_the_second_in_rank() {
    const NODES: [&str; 3] = ["a", "b", "c"];
    let mut lane = Lane::of(HopKind::FailOver, &NODES);
    lane.far.set("a", Answer::Unreachable);
    let share = trace_owned_by("a", &NODES);
    lane.send("a", local(spans(share.clone())));
    let delivered = tokio::time::timeout(Duration::from_millis(200), lane.done.recv()).await;
    assert!(delivered.is_ok(), "at once, not after the backoff");
    for trace in share {
        assert!(lane.far.taken_by(&second_in_rank(trace, &NODES)).contains(&trace), "trace {trace}");
    }
    assert_eq!(lane.counted.items("\"sent\""), lane.far.taken().len() as u64);
}

/// Scenario: one of two stateless nodes is draining and asks to be left alone for half a minute. Guarantees: its share
/// does not wait for it.
#[tokio::test(start_paused = true)]
async fn fail_over_does_not_wait_for_a_wish() {
    let mut lane = Lane::of(HopKind::FailOver, &["a", "b"]);
    lane.far.set("a", Answer::Retry(Duration::from_secs(30)));
    lane.send("a", local(spans([1])));
    assert!(tokio::time::timeout(Duration::from_secs(1), lane.done.recv()).await.is_ok());
    assert_eq!(lane.far.taken_by("b"), [1]);
}

/// Scenario: a stateless node swallows connections, so that each attempt takes 15 s. Guarantees: after the first attempts
/// one parcel at a time finds out whether it is back; the others go elsewhere.
#[tokio::test(start_paused = true)]
async fn a_node_that_never_answers_holds_up_one_sender_at_most() {
    let mut lane = Lane::of(HopKind::FailOver, &["a", "b"]);
    lane.far.set("a", Answer::Silence);
    for number in 0..4 {
        lane.send("a", local(spans([number])));
    }
    tokio::time::sleep(Duration::from_secs(16)).await;
    for number in 4..200 {
        lane.send("a", local(spans([number])));
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(lane.far.taken_by("b").len() >= 198, "{}", rig::describe(&lane.far));
    for _ in 0..100 {
        assert!(lane.far.lock().open["a"] <= 1);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// Scenario: an owner that judges whole traces is away for less than `handover_after`, then for longer. Guarantees: no
/// span of its share goes elsewhere before, all do after, and none any more when it is back.
#[tokio::test(start_paused = true)]
async fn the_share_of_a_waiting_hop_moves_only_after_handover() {
    let mut lane = Lane::of(HopKind::Wait { handover_after: HANDOVER }, &["a", "b"]);
    lane.far.set("a", Answer::Unreachable);
    lane.send("a", local(spans([1])));
    tokio::time::sleep(HANDOVER - Duration::from_secs(10)).await;
    assert_eq!(lane.far.attempts("b"), 0);
    lane.far.set("a", Answer::Ok);
    lane.delivered().await;
    assert_eq!(lane.far.taken_by("a"), [1]);

    lane.far.set("a", Answer::Unreachable);
    lane.send("a", local(spans([2])));
    lane.delivered().await;
    assert_eq!(lane.far.taken_by("b"), [2]);

    lane.far.set("a", Answer::Ok);
    let mut number = 3;
    while lane.far.taken_by("a").len() < 2 {
        lane.send("a", local(spans([number])));
        lane.delivered().await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        number += 1;
        assert!(number < 20, "it never gets its share back");
    }
}

/// Scenario: a share moved to another node, which then fails too, while the owner comes back. Guarantees: it goes to the
/// owner, without waiting for the handover of the other.
#[tokio::test(start_paused = true)]
async fn a_share_goes_back_to_its_owner_when_that_is_back_first() {
    let mut lane = Lane::of(HopKind::Wait { handover_after: HANDOVER }, &["a", "b"]);
    lane.far.set("a", Answer::Unreachable);
    lane.far.set("b", Answer::Unreachable);
    lane.send("a", local(spans([1])));
    tokio::time::sleep(HANDOVER + Duration::from_secs(10)).await;
    assert!(lane.far.attempts("b") > 0, "{}", rig::describe(&lane.far));
    lane.far.set("a", Answer::Ok);
    tokio::time::sleep(Duration::from_secs(15)).await;
    assert_eq!(lane.far.taken_by("a"), [1]);
}

/// Scenario: the documents or DNS no longer name the owner. Guarantees: its share goes to who owns it now.
#[tokio::test(start_paused = true)]
async fn the_share_of_a_node_that_left_goes_to_todays_owners() {
    const NODES: [&str; 2] = ["a", "b"];
    let mut lane = Lane::of(HopKind::Wait { handover_after: HANDOVER }, &NODES);
    lane.send("gone", local(spans(0..50)));
    lane.delivered().await;
    for node in NODES {
        assert_eq!(
            lane.far.taken_by(node),
            trace_owned_by(node, &NODES).into_iter().filter(|t| *t < 50).collect::<Vec<_>>()
        );
    }
}

/// Scenario: bytes that cannot be told apart must fail over. Guarantees: they go as a whole, and nothing spins.
#[tokio::test(start_paused = true)]
async fn what_cannot_be_parted_goes_as_a_whole() {
    let lane = Lane::of(HopKind::FailOver, &["a", "b"]);
    lane.hop.failed(&"a".into());
    let broken = Local { items: 3, ..local(spans([1, 2])) };
    let Route::Elsewhere(parts, None) = lane.hop.route(&"a".into(), broken) else { panic!("has nowhere to go") };
    let parts: Vec<_> = parts.into_iter().map(|(node, load)| (node.to_string(), load.items)).collect();
    assert_eq!(parts, [("b".to_owned(), 3)]);
    lane.hop.failed(&"b".into());
    let broken = Local { items: 3, ..local(spans([1, 2])) };
    assert!(matches!(lane.hop.route(&"a".into(), broken), Route::Wait(wait, _) if wait > Duration::ZERO));
}

/// Scenario: a receiver rejects a part, and another claims to have rejected more than it was sent. Guarantees: items sent
/// and rejected add up to those of the parcel.
#[tokio::test(start_paused = true)]
async fn a_partial_success_adds_up() {
    let mut lane = Lane::to_one();
    for rejects in [2, 100] {
        lane.far.set("a", Answer::Rejects(rejects));
        lane.send("a", local(spans(0..5)));
        lane.delivered().await;
    }
    assert_eq!((lane.counted.items("\"sent\""), lane.counted.items("\"rejected\"")), (3, 7));
}

/// Scenario: the window closes while all senders are at work on a dead destination. Guarantees: they end at once.
#[tokio::test(start_paused = true)]
async fn closing_ends_senders_at_work() {
    let mut lane = Lane::to_one();
    lane.far.set("a", Answer::Silence);
    for number in 0..6 {
        lane.send("a", local(spans([number])));
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(lane.tasks.len(), 5, "four senders and the clock");
    lane.window.close();
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(lane.tasks.len(), 1);
}
