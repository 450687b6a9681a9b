use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use tempfile::TempDir;
use tollgate_federation::Signal;
use tollgate_routing::{Epochs, HopKind, Members, Owners, ROUTING_SEED, Seen};
use tollgate_runtime::Clock;
use tollgate_spool::{Position, Spool};
use tollgate_transport::Local;

use super::*;
use crate::load::local::LocalMaker;
use crate::pass::{Pass, Which};
use crate::rig::{self, Answer, Counted, Far, Running, cursors, entry, heavy, spans, until};
use crate::send::hop::Hop;
use crate::step::Share;

mod leaving;

/// A log, a far side and a hop; the consumer between them is started and stopped by the test.
struct Bench {
    dir: TempDir,
    log: Spool,
    far: Far,
    hop: Arc<Hop>,
    counted: Counted,
}

fn hop_to(nodes: &[&str]) -> Arc<Hop> {
    let hop =
        Hop::new(HopKind::Wait { handover_after: Duration::MAX }, Duration::ZERO, Signal::Traces, Clock::system());
    see(&hop, nodes);
    Arc::new(hop)
}

fn see(hop: &Hop, nodes: &[&str]) {
    hop.observe(Seen::Nodes(nodes.iter().map(|node| ((*node).to_owned(), "127.0.0.1:1".to_owned())).collect()));
}

fn owner(number: u64, nodes: &[&str]) -> String {
    let owners = Owners::new(Members::new(nodes.iter().copied()), ROUTING_SEED);
    owners.members().id(owners.owner(&rig::trace_id(number)).unwrap()).unwrap().to_owned()
}

fn owned_by(node: &str, nodes: &[&str], numbers: impl IntoIterator<Item = u64>) -> Vec<u64> {
    numbers.into_iter().filter(|number| owner(*number, nodes) == node).collect()
}

impl Bench {
    fn new(nodes: &[&str]) -> Self {
        Self::over(tempfile::tempdir().unwrap(), nodes)
    }

    fn over(dir: TempDir, nodes: &[&str]) -> Self {
        let log = rig::log(&dir.path().join("log"), "there", &Clock::system());
        Self { log, far: Far::default(), hop: hop_to(nodes), counted: Counted::new(), dir }
    }

    /// The same folder in the next process.
    async fn reopened(self, nodes: &[&str]) -> Self {
        self.log.close().await;
        let Self { dir, far, log, .. } = self;
        drop(log);
        Self { far, ..Self::over(dir, nodes) }
    }

    fn run(&self) -> Running {
        Running::start(&self.log, &self.far, &self.hop, &self.counted, self.dir.path())
    }

    /// One record for each span.
    async fn append(&self, numbers: impl IntoIterator<Item = u64>) {
        for number in numbers {
            self.log.append(entry(spans([number]))).await.unwrap();
        }
    }

    async fn all_passed(&self) {
        let end = self.log.durable_end();
        until("all cursors stand at the end", || cursors(&self.log).values().all(|cursor| *cursor == end)).await;
    }
}

/// Scenario: three nodes share a log. Guarantees: every item reaches its owner, nobody else and no second time, and what
/// was offered is what was sent.
#[tokio::test]
async fn every_item_reaches_its_owner_alone() {
    const NODES: [&str; 3] = ["a", "b", "c"];
    let bench = Bench::new(&NODES);
    let running = bench.run();
    bench.append(0..100).await;
    bench.log.append(entry(spans(100..200))).await.unwrap();
    until("200 items", || bench.far.taken().len() == 200).await;
    for node in NODES {
        assert_eq!(bench.far.taken_by(node), owned_by(node, &NODES, 0..200));
    }
    bench.all_passed().await;
    assert_eq!((bench.counted.items("\"offered\""), bench.counted.items("\"sent\"")), (200, 200));
    running.stop().await;
}

/// Scenario: the destination does not answer, then does. Guarantees: its cursor stands at the first item that is not
/// acknowledged, and then passes.
#[tokio::test]
async fn a_cursor_never_passes_what_is_not_acknowledged() {
    let bench = Bench::new(&["a", "b"]);
    bench.far.set("a", Answer::Silence);
    bench.append(0..40).await;
    let first = owned_by("a", &["a", "b"], 0..40)[0];
    let running = bench.run();
    until("b has its share", || bench.far.taken_by("b").len() == owned_by("b", &["a", "b"], 0..40).len()).await;
    let end = bench.log.durable_end();
    until("b's cursor passes", || cursors(&bench.log)["b"] == end).await;
    let held = cursors(&bench.log)["a"];
    let record = Position::new(end.value() / 40 * first);
    assert!(held <= record.max(Position::new(end.value() / 20)) && held < end, "{held} of {end}");
    running.kill().await;
}

/// Scenario: one of two destinations stands still for more than its window. Guarantees: the other gets all of its share
/// meanwhile; memory is bounded; the one that fell behind gets all of its share later; nothing is counted twice.
#[tokio::test]
async fn a_lane_without_credit_falls_behind_and_rejoins() {
    const NODES: [&str; 2] = ["a", "b"];
    let bench = Bench::new(&NODES);
    bench.far.set("a", Answer::Unreachable);
    let running = bench.run();
    for number in 0..60 {
        bench.log.append(entry(heavy(number, 400 << 10))).await.unwrap();
    }
    let of_b = owned_by("b", &NODES, 0..60);
    until("b has its share", || bench.far.taken_by("b") == of_b).await;
    let waiting = bench.counted.items("\"offered\"") - of_b.len() as u64;
    assert!(waiting < 16, "{waiting} items of 400 KiB wait in a window of 4 MiB");
    bench.far.set("a", Answer::Ok);
    until("a has its share", || bench.far.taken_by("a") == owned_by("a", &NODES, 0..60)).await;
    bench.all_passed().await;
    assert_eq!((bench.counted.items("\"offered\""), bench.counted.items("\"sent\"")), (60, 60));
    running.stop().await;
}

/// Scenario: the members change while records of before are not sent. Guarantees: records of before go to the lanes that
/// owned them, later ones by the new set; the lane of the node that left goes when it has nothing left.
#[tokio::test]
async fn a_change_of_members_begins_at_a_position() {
    let bench = Bench::new(&["a", "b"]);
    let running = bench.run();
    bench.append(0..50).await;
    until("the first 50", || bench.far.taken().len() == 50).await;
    bench.all_passed().await;
    see(&bench.hop, &["a", "c"]);
    until("c has a lane", || cursors(&bench.log).contains_key("c")).await;
    bench.append(50..100).await;
    until("the next 50", || bench.far.taken().len() == 100).await;
    let of = |node, nodes: [&str; 2], numbers| owned_by(node, &nodes, numbers);
    assert_eq!(bench.far.taken_by("b"), of("b", ["a", "b"], 0..50));
    assert_eq!(bench.far.taken_by("c"), of("c", ["a", "c"], 50..100));
    bench.all_passed().await;
    until("b's lane is gone", || !cursors(&bench.log).contains_key("b")).await;
    running.stop().await;
}

/// Scenario: an idle log whose next tier is replaced node by node. Guarantees: no lane stays behind.
#[tokio::test]
async fn an_idle_log_keeps_no_lane_of_who_left() {
    let bench = Bench::new(&["a0"]);
    let running = bench.run();
    for number in 1..5 {
        let name = format!("a{number}");
        see(&bench.hop, &[&name]);
        until("the lane is there", || cursors(&bench.log).contains_key(&name)).await;
    }
    assert_eq!(cursors(&bench.log).into_keys().collect::<Vec<_>>(), ["a4"]);
    bench.append(0..3).await;
    until("delivered", || bench.far.taken_by("a4") == [0, 1, 2]).await;
    running.stop().await;
}

/// Scenario: killed while a destination stood still, after the others had taken their share. Guarantees: the next process
/// sends what was not acknowledged, and of the rest no more than a window again.
#[tokio::test]
async fn a_restart_sends_what_was_not_acknowledged() {
    const NODES: [&str; 2] = ["a", "b"];
    let bench = Bench::new(&NODES);
    bench.far.set("a", Answer::Unreachable);
    let running = bench.run();
    bench.append(0..200).await;
    let of_b = owned_by("b", &NODES, 0..200);
    until("b has its share", || bench.far.taken_by("b") == of_b).await;
    until("b's cursor is saved", || cursors(&bench.log)["b"] == bench.log.durable_end()).await;
    running.kill().await;
    let bench = bench.reopened(&NODES).await;
    bench.far.set("a", Answer::Ok);
    let running = bench.run();
    until("a has its share", || bench.far.taken_by("a") == owned_by("a", &NODES, 0..200)).await;
    assert_eq!(bench.far.taken_by("b"), of_b, "what was acknowledged does not come again");
    running.stop().await;
}

/// Scenario: the members change while all lanes stand behind the last change that is journalled, as after a crash.
/// Guarantees: the change is taken in, and who joined gets a share.
#[tokio::test]
async fn a_change_after_a_crash_is_taken_in() {
    let bench = Bench::new(&["a", "b"]);
    bench.append(0..20).await;
    {
        let log = bench.log.consumer("there").unwrap();
        let mut epochs = Epochs::new(ROUTING_SEED);
        epochs.begin(0, Members::new(["a"])).unwrap();
        epochs.begin(bench.log.durable_end().value(), Members::new(["a", "b"])).unwrap();
        let mut journal = Vec::new();
        epochs.encode(&mut journal);
        log.set_journal(journal.into());
        log.advance("a", Position::ZERO);
        log.advance("b", Position::ZERO);
    }
    let bench = bench.reopened(&["a", "c"]).await;
    let running = bench.run();
    until("the old records", || bench.far.taken_by("a").len() == 20).await;
    bench.append(20..60).await;
    until("the new records", || bench.far.taken().len() == 60).await;
    assert_eq!(bench.far.taken_by("c"), owned_by("c", &["a", "c"], 20..60));
    running.stop().await;
}

/// Scenario: the journal names a node that has left, and its cursor is missing. Guarantees: nothing that it owned is passed
/// over.
#[tokio::test]
async fn a_member_whose_cursor_is_missing_gets_its_share() {
    const NODES: [&str; 2] = ["a", "b"];
    let bench = Bench::new(&NODES);
    bench.append(0..40).await;
    {
        let log = bench.log.consumer("there").unwrap();
        let mut epochs = Epochs::new(ROUTING_SEED);
        epochs.begin(0, Members::new(NODES)).unwrap();
        epochs.begin(bench.log.durable_end().value(), Members::new(["a"])).unwrap();
        let mut journal = Vec::new();
        epochs.encode(&mut journal);
        log.set_journal(journal.into());
        log.advance("a", Position::ZERO);
    }
    let bench = bench.reopened(&["a"]).await;
    let running = bench.run();
    until("all 40", || bench.far.taken() == (0..40).collect::<Vec<_>>()).await;
    running.stop().await;
}

/// Scenario: cursors without a readable journal, and nobody is known yet. Guarantees: no record is passed before there is
/// somebody to own it; then all that is still there is sent.
#[tokio::test]
async fn nothing_is_passed_while_nobody_owns_it() {
    for journal in [&b""[..], b"from another release"] {
        let bench = Bench::new(&[]);
        bench.append(0..40).await;
        {
            let log = bench.log.consumer("there").unwrap();
            log.set_journal(bytes::Bytes::from_static(journal));
            log.advance("a", Position::ZERO);
            log.advance("b", bench.log.durable_end());
        }
        let bench = bench.reopened(&[]).await;
        let running = bench.run();
        tokio::task::yield_now().await;
        see(&bench.hop, &["a", "c"]);
        until("all 40", || bench.far.taken().len() == 40).await;
        bench.all_passed().await;
        running.stop().await;
    }
}

/// Scenario: a record is damaged on the disk while one lane is far behind it. Guarantees: that lane still gets what lies
/// before the damage, all others go on behind it, and the bytes are counted.
#[tokio::test]
async fn damage_costs_no_lane_what_lies_before_it() {
    const NODES: [&str; 2] = ["a", "b"];
    let bench = Bench::new(&NODES);
    let mut positions = Vec::new();
    for number in 0..30 {
        positions.push(bench.log.append(entry(heavy(number, 500 << 10))).await.unwrap());
    }
    let bench = bench.reopened(&NODES).await;
    damage(&bench.dir.path().join("log"), 20);
    bench.far.set("a", Answer::Unreachable);
    let running = bench.run();
    until("b meets the damage", || bench.counted.read("tollgate_consumer_bytes", "corrupt") > 0).await;
    assert!(cursors(&bench.log)["a"] < positions[10]);
    bench.far.set("a", Answer::Ok);
    until("a has all before the damage", || bench.far.taken_by("a").len() >= owned_by("a", &NODES, 0..20).len()).await;
    bench.append([90, 91, 92]).await;
    until("all go on", || bench.far.taken().ends_with(&[90, 91, 92])).await;
    assert!((0..20).all(|number| bench.far.taken().contains(&number)));
    running.stop().await;
}

/// Flips a bit of the span with this number on the disk.
fn damage(log: &Path, number: u64) {
    let wanted = rig::trace_id(number);
    for file in std::fs::read_dir(log).unwrap().map(|entry| entry.unwrap().path()) {
        let Ok(bytes) = std::fs::read(&file) else { continue };
        if let Some(at) = bytes.windows(16).position(|window| window == wanted) {
            let file = std::fs::OpenOptions::new().write(true).open(file).unwrap();
            return file.write_all_at(&[bytes[at] ^ 1], at as u64).unwrap();
        }
    }
    panic!("the span is not on the disk");
}

/// Scenario: a record was written by a release whose index this one cannot read. Guarantees: it is counted as lost, and
/// what comes behind it arrives.
#[tokio::test]
async fn a_record_without_a_usable_index_is_counted() {
    let bench = Bench::new(&["a"]);
    let mut broken = entry(spans([1]));
    broken.index = bytes::Bytes::from_static(b"\xff\xff\xff");
    bench.log.append(broken).await.unwrap();
    bench.append([2]).await;
    let running = bench.run();
    until("what comes behind it", || bench.far.taken() == [2]).await;
    assert!(bench.counted.read("tollgate_consumer_bytes", "corrupt") > 0);
    running.stop().await;
}

/// Records of two origins never share a parcel, and each parcel's manifest says where its data comes from.
#[tokio::test]
async fn origins_never_share_a_parcel() {
    let bench = Bench::new(&["a"]);
    for number in 0..20 {
        let mut record = entry(spans([number]));
        record.origin = Name::from(if number % 2 == 0 { "EEA" } else { "UK" });
        bench.log.append(record).await.unwrap();
    }
    let running = bench.run();
    until("all 20", || bench.far.taken().len() == 20).await;
    running.stop().await;
    let by_origin = |origin: &str| {
        let far = bench.far.lock();
        far.manifests.iter().filter(|m| m.origin.to_string() == origin).map(|m| u64::from(m.items)).sum::<u64>()
    };
    assert_eq!((by_origin("EEA"), by_origin("UK")), (10, 10));
}

/// A step that makes everything anew when it is told to.
struct Renewing {
    pass: Pass,
    due: Arc<AtomicBool>,
}

impl Step for Renewing {
    type Load = Local;

    fn run(&mut self, record: &Record, batch: Batch<'_>, share: &Share<'_>) -> Vec<Option<Local>> {
        self.pass.run(record, batch, share)
    }

    fn renew(&mut self) -> bool {
        self.due.swap(false, Ordering::AcqRel)
    }

    fn renews_in(&self) -> Option<Duration> {
        Some(Duration::from_millis(20))
    }
}

/// Scenario: the policy changes while parcels wait for a destination that is away. Guarantees: none of them is sent any
/// more; their records are made anew and arrive; the counters add up.
#[tokio::test]
async fn what_must_not_be_sent_any_more_is_taken_back() {
    let bench = Bench::new(&["a"]);
    bench.far.set("a", Answer::Unreachable);
    let due = Arc::new(AtomicBool::new(false));
    let pass = Pass {
        maker: LocalMaker::new(rig::place()),
        which: Which::All,
        ids: None,
        counters: Arc::clone(&bench.counted.consumer),
    };
    let step = Renewing { pass, due: Arc::clone(&due) };
    let running = Running::with(step, &bench.log, &bench.far, &bench.hop, &bench.counted, bench.dir.path());
    bench.append(0..30).await;
    until("all is on its way", || bench.counted.items("\"offered\"") == 30).await;
    due.store(true, Ordering::Release);
    until("all is made anew", || bench.counted.items("\"offered\"") == 60).await;
    assert_eq!(bench.counted.items("\"taken_back\""), 30);
    bench.far.set("a", Answer::Ok);
    until("all arrives", || bench.far.taken() == (0..30).collect::<Vec<_>>()).await;
    bench.all_passed().await;
    assert_eq!(bench.counted.settled(), 60);
    running.stop().await;
}

/// Scenario: SIGTERM with a parcel that is still being filled. Guarantees: it is sent, and the cursor passes it.
#[tokio::test]
async fn stopping_sends_what_is_under_way() {
    let bench = Bench::new(&["a"]);
    let running = bench.run();
    bench.append(0..20).await;
    until("it is read", || bench.counted.items("\"offered\"") == 20).await;
    running.stop().await;
    assert_eq!(bench.far.taken(), (0..20).collect::<Vec<_>>());
    assert_eq!(cursors(&bench.log)["a"], bench.log.durable_end());
}

/// Scenario: SIGTERM while the destination is dead. Guarantees: everything ends after the flush; the rest stays in the log.
#[tokio::test(start_paused = true)]
async fn stopping_leaves_the_rest_in_the_log() {
    let bench = Bench::new(&["a"]);
    bench.far.set("a", Answer::Unreachable);
    let running = bench.run();
    bench.append(0..20).await;
    until("it is read", || bench.counted.items("\"offered\"") == 20).await;
    let began = Instant::now();
    running.stop().await;
    assert!((FLUSH..FLUSH + Duration::from_secs(1)).contains(&began.elapsed()), "{:?}", began.elapsed());
    assert_eq!(cursors(&bench.log)["a"], Position::ZERO);
}
