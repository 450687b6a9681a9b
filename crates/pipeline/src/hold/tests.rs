use std::collections::BTreeMap;
use std::path::Path;

use tempfile::TempDir;
use tollgate_config::{ByteSize, Set};
use tollgate_disk::{Disk, Fault, Faults as DiskFaults, Operation, Torn};
use tollgate_runtime::ManualClock;
use tollgate_sampling::PolicySet;
use tollgate_spool::{ConsumerConfig, Durability, Name, Spool, SpoolConfig, Start, WhenFull};

use super::*;
use crate::hold::kept::{JOURNAL, REMEMBER};
use crate::records::{KEPT, VERDICTS};
use crate::rig::{self, Counted, Span, entry, numbers, request};

pub(super) const WAIT: Duration = Duration::from_secs(5);
pub(super) const HISTORY: usize = 100;
const OUT: &str = "out";

/// Tail sampling over one folder. The test turns its wheels by hand: no task runs.
pub(super) struct Bench {
    pub(super) dir: TempDir,
    pub(super) received: Spool,
    kept: Spool,
    out: Consumer,
    pub(super) hold: Hold,
    hand: ManualClock,
    pub(super) counted: Counted,
    pub(super) faults: DiskFaults,
    pub(super) clock: Clock,
}

/// Keeps traces with an error.
pub(super) const ERRORS: &str = "{name: errors, type: status_code, status_code: {status_codes: [ERROR]}}";

pub(super) fn policies(num_traces: usize, policy: &str, own: &str) -> PolicySet {
    waiting(5, num_traces, policy, own)
}

/// The same, for traces that wait so many seconds.
pub(super) fn waiting(seconds: u64, num_traces: usize, policy: &str, own: &str) -> PolicySet {
    let text = format!(
        "tail_sampling:\n  decision_wait: {seconds}s\n  num_traces: {num_traces}\n  policies:\n    \
         - {policy}\n{own}"
    );
    let (set, faults) = Set::from_texts([("policies/sampling.yaml", text.as_str())]);
    let policies = PolicySet::load(&set, &faults);
    assert!(faults.is_empty(), "{faults}");
    policies.unwrap()
}

fn spool(disk: &Disk, dir: &Path, clock: &Clock, consumers: &[&str]) -> Spool {
    let consumer = |name: &&str| ConsumerConfig {
        name: (*name).to_owned(),
        share: ByteSize(24 << 20),
        max_age: Duration::from_secs(72 * 3600),
        // As a node opens its logs: who has one to itself rather refuses.
        when_full: if consumers.len() == 1 { WhenFull::Refuse } else { WhenFull::Expire },
        start: Start::Oldest,
    };
    let config = SpoolConfig {
        dir: dir.to_owned(),
        segment_bytes: ByteSize(2 << 20),
        durability: Durability::Os,
        disk: ByteSize(32 << 20),
        recent: ByteSize(1 << 20),
        consumers: consumers.iter().map(consumer).collect(),
    };
    Spool::open(config, clock.clone(), disk.clone()).unwrap().0
}

impl Bench {
    pub(super) async fn new() -> Self {
        Self::over(tempfile::tempdir().unwrap(), 1000).await
    }

    /// One that writes the name of the policy into what is kept.
    pub(super) async fn recording() -> Self {
        Self::with(tempfile::tempdir().unwrap(), 1000, ERRORS, "record_policy: true\n").await
    }

    pub(super) async fn over(dir: TempDir, num_traces: usize) -> Self {
        Self::with(dir, num_traces, ERRORS, "").await
    }

    pub(super) async fn with(dir: TempDir, num_traces: usize, policy: &str, own: &str) -> Self {
        Self::after(Duration::ZERO, dir, policies(num_traces, policy, own)).await
    }

    /// One that starts so much later than others.
    async fn after(outage: Duration, dir: TempDir, policies: PolicySet) -> Self {
        let (clock, hand) = Clock::manual(rig::standing().0.now().saturating_add(outage));
        let (disk, faults) = Disk::with_faults();
        let received = spool(&Disk::real(), &dir.path().join("traces"), &clock, &["sampler"]);
        let kept = spool(&disk, &dir.path().join("kept"), &clock, &[OUT, JOURNAL]);
        let (out, journal) = (kept.consumer(OUT).unwrap(), kept.consumer(JOURNAL).unwrap());
        let counted = Counted::new();
        let log = KeptLog::new(kept.clone(), journal, clock.clone(), "us-east/central/0", WAIT * 4);
        let attendance = Attendance::new(clock.clone(), Duration::ZERO, WAIT * 4);
        attendance.open();
        let sampler = Sampler::new(policies, 1);
        let (history, counters) = (Some(History::new(HISTORY, clock.clone())), Arc::clone(&counted.all));
        let beside = Beside { attendance, history, correlation: None, clock: clock.clone(), counters };
        let from = received.consumer("sampler").unwrap();
        let hold = Hold::open(from, log, sampler, beside).await.unwrap();
        Self { dir, received, kept, out, hold, hand, counted, faults, clock }
    }

    /// The next process over what this one leaves when it is killed now.
    pub(super) async fn crashed(self) -> Self {
        let left = rig::image(self.dir.path());
        Self::over(left, 1000).await
    }

    /// The same, with another policy.
    pub(super) async fn crashed_into(self, policy: &str) -> Self {
        let left = rig::image(self.dir.path());
        Self::with(left, 1000, policy, "").await
    }

    /// Whether the tail has reached the end.
    pub(super) fn is_swept(&self) -> bool {
        self.hold.tail == self.received.durable_end()
    }

    pub(super) async fn append(&self, spans: &[Span]) {
        self.received.append(entry(request(spans))).await.unwrap();
    }

    /// Time passes while the process looks on.
    pub(super) fn pass(&mut self, time: Duration) {
        let mut left = time;
        while left > Duration::ZERO {
            let step = left.min(attended::STRETCH);
            self.hand.advance(step);
            self.hold.clock.now();
            left -= step;
        }
    }

    /// Time passes while the process stands still.
    pub(super) fn stand_still(&self, time: Duration) {
        self.hand.advance(time);
    }

    /// The head reads all there is, if it may.
    pub(super) async fn fold(&mut self) {
        let (_stopper, shutdown) = Shutdown::new();
        while self.hold.head < self.received.durable_end() && self.hold.has_room() {
            let read = self.hold.received.read(self.hold.head, STRETCH, None).await;
            self.hold.fold(read, &shutdown).await;
        }
    }

    /// One tick, after all that was received is folded.
    pub(super) async fn tick(&mut self) -> Result<(), HoldError> {
        self.fold().await;
        self.hold.judge_and_sweep().await
    }

    /// Time passes until everything has its verdict and is swept.
    pub(super) async fn settle(&mut self) {
        self.tick().await.unwrap();
        self.pass(WAIT);
        self.tick().await.unwrap();
        assert_eq!(self.hold.tail, self.received.durable_end());
    }

    /// The log of kept spans: what each record holds.
    pub(super) async fn records(&self) -> Vec<Record> {
        let (mut at, mut records) = (self.out.floor(), Vec::new());
        while at < self.kept.durable_end() {
            let chunk = self.out.read(at, STRETCH, None).await.unwrap();
            at = chunk.end;
            records.extend(chunk.records);
        }
        records
    }

    /// The numbers of all kept spans, sorted; one that is there twice stands here twice.
    pub(super) async fn kept(&self) -> Vec<u64> {
        let records = self.records().await;
        let mut kept: Vec<u64> =
            records.iter().filter(|record| record.kind == KEPT).flat_map(|record| numbers(&record.payload)).collect();
        kept.sort_unstable();
        kept
    }
}

/// One of three origins in turn.
fn region(number: u64) -> Name {
    Name::from(["EEA", "UK", "US"][usize::try_from(number % 3).unwrap()])
}

pub(super) fn span(trace: u64, number: u64) -> Span {
    Span { trace, number, is_error: false }
}

pub(super) fn error(trace: u64, number: u64) -> Span {
    Span { trace, number, is_error: true }
}

/// A trace whose error comes last is kept whole, another not at all; nothing is swept before its time.
#[tokio::test]
async fn spans_wait_for_their_verdict_and_follow_it() {
    let mut bench = Bench::new().await;
    bench.append(&[span(1, 10), span(2, 20)]).await;
    bench.tick().await.unwrap();
    bench.pass(WAIT / 2);
    bench.append(&[span(2, 21), error(1, 11)]).await;
    bench.tick().await.unwrap();
    assert_eq!(bench.kept().await, [0; 0]);
    bench.pass(WAIT / 2);
    bench.tick().await.unwrap();
    assert_eq!(bench.kept().await, [10, 11]);
    let sampling = |name: &str| bench.counted.read(&format!("tollgate_sampling_spans_{name}_total"), "");
    assert_eq!([sampling("kept"), sampling("dropped"), sampling("unjudged")], [2, 2, 0]);
}

/// The journal of a trace's verdict stands before the first span that it lets through.
#[tokio::test]
async fn a_verdict_stands_before_its_spans() {
    let mut bench = Bench::new().await;
    for trace in 0..50 {
        bench.append(&[error(trace, trace)]).await;
        if trace % 10 == 0 {
            bench.pass(WAIT / 4);
            bench.tick().await.unwrap();
        }
    }
    bench.settle().await;
    let mut judged = Vec::new();
    for record in bench.records().await {
        match record.kind {
            VERDICTS => judged.push(record.payload),
            _ => {
                for number in numbers(&record.payload) {
                    let id = rig::trace_id(number);
                    let journalled = judged.iter().any(|verdicts| verdicts.windows(16).any(|window| window == id));
                    assert!(journalled, "span {number} left before its verdict");
                }
            }
        }
    }
    assert_eq!(bench.kept().await.len(), 50);
}

/// Spans that come after the verdict follow it, kept and dropped ones, also in the next process.
#[tokio::test]
async fn a_late_span_follows_the_verdict() {
    let mut bench = Bench::new().await;
    bench.append(&[error(1, 10), span(2, 20)]).await;
    bench.settle().await;
    bench.append(&[span(1, 11), error(2, 21)]).await;
    bench.settle().await;
    assert_eq!(bench.kept().await, [10, 11]);
    let mut bench = bench.crashed().await;
    bench.append(&[span(1, 12), error(2, 22)]).await;
    bench.settle().await;
    assert_eq!(bench.kept().await, [10, 11, 12]);
}

/// Scenario: killed while a trace waits. Guarantees: it waits anew in the next process, with all its evidence.
#[tokio::test]
async fn a_pending_trace_waits_anew_after_a_restart() {
    let mut bench = Bench::new().await;
    bench.append(&[error(1, 10)]).await;
    bench.tick().await.unwrap();
    bench.pass(WAIT - Duration::from_millis(1));
    bench.tick().await.unwrap();
    let mut bench = bench.crashed().await;
    bench.append(&[span(1, 11)]).await;
    bench.tick().await.unwrap();
    bench.pass(WAIT - Duration::from_millis(1));
    bench.tick().await.unwrap();
    assert_eq!(bench.kept().await, [0; 0]);
    bench.pass(Duration::from_millis(1));
    bench.tick().await.unwrap();
    assert_eq!(bench.kept().await, [10, 11]);
}

/// Scenario: evidence comes too late after a root, then the process is killed; more comes soon after the next one started, an hour
/// later. Guarantees: what was too late still is, and the outage makes nothing late.
#[tokio::test]
async fn what_came_too_late_after_a_root_is_too_late_after_a_restart() {
    let policy = format!("{ERRORS}\n  decision_wait_after_root_received: 2s");
    for (comes_after, keeps) in [(1, true), (3, false)] {
        let mut bench = Bench::with(tempfile::tempdir().unwrap(), 1000, &policy, "").await;
        bench.append(&[span(1, 10), span(2, 20)]).await;
        bench.tick().await.unwrap();
        bench.pass(Duration::from_secs(comes_after));
        bench.append(&[error(1, 11)]).await;
        bench.tick().await.unwrap();
        let left = rig::image(bench.dir.path());
        let mut bench = Bench::after(Duration::from_secs(3600), left, policies(1000, &policy, "")).await;
        bench.append(&[error(2, 21)]).await;
        bench.settle().await;
        let kept = bench.kept().await;
        assert_eq!([10, 20].map(|number| kept.contains(&number)), [keeps, keeps], "{kept:?}");
    }
}

/// Scenario: the process is stopped by a signal while a trace waits, for longer than its wait; the rest of the trace comes
/// when it goes on. Guarantees: the verdict sees it.
#[tokio::test]
async fn standing_still_is_no_time_in_which_evidence_could_have_come() {
    let mut bench = Bench::new().await;
    bench.append(&[span(1, 10)]).await;
    bench.tick().await.unwrap();
    bench.stand_still(WAIT * 3);
    bench.hold.judge_and_sweep().await.unwrap();
    assert_eq!(bench.hold.sampler.pending(), 1, "judged before anybody could say more");
    bench.append(&[error(1, 11)]).await;
    bench.settle().await;
    assert_eq!(bench.kept().await, [10, 11]);
}

/// Scenario: the process ends right after kept spans became durable, before the tail's cursor did. Guarantees: they are
/// not swept a second time.
#[tokio::test]
async fn the_tail_goes_on_behind_the_last_kept_record() {
    let mut bench = Bench::new().await;
    for number in 0..20 {
        bench.append(&[error(number, number)]).await;
    }
    bench.settle().await;
    let left = rig::image(bench.dir.path());
    for file in std::fs::read_dir(left.path().join("traces")).unwrap().map(|file| file.unwrap().path()) {
        if file.file_name().unwrap().to_str().unwrap().contains("cursors") {
            std::fs::remove_file(file).unwrap();
        }
    }
    let mut bench = Bench::over(left, 1000).await;
    assert!(bench.hold.received.cursors().is_empty() && bench.hold.tail == bench.received.durable_end());
    bench.append(&[error(20, 20)]).await;
    bench.settle().await;
    assert_eq!(bench.kept().await, (0..21).collect::<Vec<_>>());
}

/// Scenario: a power loss took swept records from the end of the source, and new ones came in their place. Guarantees: the
/// new ones are sampled.
#[tokio::test]
async fn what_comes_in_the_place_of_lost_records_is_sampled() {
    let mut bench = Bench::new().await;
    for number in 0..20 {
        bench.append(&[error(number, number)]).await;
    }
    bench.settle().await;
    let left = rig::image(bench.dir.path());
    std::fs::remove_dir_all(left.path().join("traces")).unwrap();
    let mut bench = Bench::over(left, 1000).await;
    bench.append(&[error(50, 50)]).await;
    bench.settle().await;
    assert!(bench.kept().await.contains(&50));
}

/// Scenario: the kept log's disk is full for a while, in the middle of a stretch. Guarantees: sampling stands still and
/// goes on; no span is lost, none is there twice, none is counted twice.
#[tokio::test]
async fn a_disk_that_refuses_costs_nothing() {
    for passing in 0..4 {
        let mut bench = Bench::new().await;
        for number in 0..30 {
            let mut record = entry(request(&[error(number, number), span(1000 + number, 1000 + number)]));
            record.origin = region(number);
            bench.received.append(record).await.unwrap();
        }
        bench.tick().await.unwrap();
        bench.pass(WAIT);
        bench.faults.plant(Operation::Write, passing, Fault::Fail(std::io::ErrorKind::StorageFull));
        bench.faults.plant(Operation::Allocate, 0, Fault::Fail(std::io::ErrorKind::StorageFull));
        assert!(bench.tick().await.is_err(), "the fault strikes");
        bench.faults.lift();
        bench.settle().await;
        assert_eq!(bench.kept().await, (0..30).collect::<Vec<_>>());
        let counted = |name: &str| bench.counted.read(&format!("tollgate_sampling_spans_{name}_total"), "");
        assert_eq!([counted("kept"), counted("dropped")], [30, 30]);
    }
}

/// Scenario: the kept log's disk is full for as long as a hundred times the traces that may be pending arrive. Guarantees: what is
/// read and remembered meanwhile is bounded, and when there is room every span follows its verdict: none is kept for want of one.
#[tokio::test]
async fn a_disk_that_is_full_for_long_costs_no_memory_and_no_verdict() {
    let mut bench = Bench::over(tempfile::tempdir().unwrap(), 10).await;
    for operation in [Operation::Write, Operation::Allocate] {
        bench.faults.plant_lasting(operation, Fault::Fail(std::io::ErrorKind::StorageFull));
    }
    for round in 0..100 {
        let spans: Vec<_> = (0..9).map(|number| span(round * 10 + number, round * 10 + number)).collect();
        bench.append(&spans).await;
        bench.append(&[error(round * 10 + 9, round * 10 + 9)]).await;
        assert_eq!(bench.tick().await.is_err(), round > 0);
        bench.pass(WAIT);
        assert!(bench.hold.kept.waiting() < 4_000, "{}", bench.hold.kept.waiting());
    }
    assert!(bench.hold.head < bench.received.durable_end(), "the rest waits where it is");
    bench.faults.lift();
    while !bench.is_swept() {
        bench.tick().await.unwrap();
        bench.pass(WAIT);
    }
    assert_eq!(bench.kept().await, (0..100).map(|round| round * 10 + 9).collect::<Vec<_>>());
    let counted = |name: &str| bench.counted.read(&format!("tollgate_sampling_spans_{name}_total"), "");
    assert_eq!([counted("kept"), counted("dropped"), counted("unjudged")], [100, 900, 0]);
}

/// Scenario: the kept log's disk is full while request after request comes of traces that were judged long ago. Guarantees: what is
/// remembered of where they lie does not grow with them.
#[tokio::test]
async fn a_disk_that_is_full_for_long_costs_no_memory_for_late_spans() {
    let mut bench = Bench::over(tempfile::tempdir().unwrap(), 10).await;
    bench.append(&[error(1, 0)]).await;
    bench.settle().await;
    for operation in [Operation::Write, Operation::Allocate] {
        bench.faults.plant_lasting(operation, Fault::Fail(std::io::ErrorKind::StorageFull));
    }
    for round in 1..200 {
        bench.append(&[span(1, round)]).await;
        let _ = bench.tick().await;
        bench.pass(WAIT);
        assert!(bench.hold.sweeping.len() <= 2, "{round}: {}", bench.hold.sweeping.len());
    }
    bench.faults.lift();
    while !bench.is_swept() {
        let _ = bench.tick().await;
        bench.pass(WAIT);
    }
    assert_eq!(bench.kept().await, (0..200).collect::<Vec<_>>());
}

/// Scenario: the machine dies at any write of a flush. Guarantees: nothing is lost, also where some of the kept records
/// were durable and others were not; what was durable may be there twice.
#[tokio::test]
async fn a_crash_within_a_flush_loses_nothing() {
    let mut partly = 0;
    for passing in 0..6 {
        let mut bench = Bench::new().await;
        for number in 0..30 {
            let mut record = entry(request(&[error(number, number)]));
            record.origin = region(number);
            bench.received.append(record).await.unwrap();
        }
        bench.tick().await.unwrap();
        bench.pass(WAIT);
        bench.faults.plant(Operation::Write, passing, Fault::Crash(Torn::Prefix(100)));
        drop(bench.tick().await);
        let mut bench = bench.crashed().await;
        partly += usize::from((1..30).contains(&bench.kept().await.len()));
        bench.settle().await;
        let mut kept = bench.kept().await;
        kept.dedup();
        assert_eq!(kept, (0..30).collect::<Vec<_>>());
    }
    assert!(partly > 0, "no crash came between two kept records");
}

/// Origin and policy stay with the spans: what comes from two regions is never one record.
#[tokio::test]
async fn kept_spans_keep_their_origin() {
    let mut bench = Bench::new().await;
    for number in 0..20 {
        let mut record = entry(request(&[error(number, number)]));
        record.origin = Name::from(if number % 2 == 0 { "EEA" } else { "UK" });
        record.policy = [u8::try_from(number % 2).unwrap(); 32];
        bench.received.append(record).await.unwrap();
    }
    bench.settle().await;
    let mut seen = BTreeMap::new();
    for record in bench.records().await.into_iter().filter(|record| record.kind == KEPT) {
        assert_eq!(record.policy[0], u8::from(record.origin.as_str() == "UK"));
        seen.entry(record.origin.to_string()).or_insert_with(Vec::new).extend(numbers(&record.payload));
    }
    assert_eq!(seen["EEA"], (0..20).step_by(2).collect::<Vec<_>>());
    assert_eq!(seen["UK"], (1..20).step_by(2).collect::<Vec<_>>());
}

/// A burst of small requests from three regions costs a few writes of the kept log, not one each.
#[tokio::test]
async fn small_requests_are_kept_together() {
    let mut bench = Bench::new().await;
    for number in 0..150 {
        let mut record = entry(request(&[error(number, number)]));
        record.origin = region(number);
        bench.received.append(record).await.unwrap();
        bench.fold().await;
    }
    bench.settle().await;
    assert_eq!(bench.kept().await.len(), 150);
    assert!(bench.kept.status().counts.commits <= 5, "{:?}", bench.kept.status().counts);
}

/// A record whose kept part is large goes alone, so that a record of the source always fits.
#[tokio::test]
async fn large_requests_are_kept_alone() {
    let mut bench = Bench::new().await;
    for number in 0..6 {
        let spans: Vec<_> = (0..10_000).map(|span| error(number, number * 10_000 + span)).collect();
        bench.append(&spans).await;
    }
    bench.settle().await;
    assert_eq!(bench.kept().await, (0..60_000).collect::<Vec<_>>());
    let largest = bench.records().await.iter().map(|record| record.payload.len()).max().unwrap();
    assert!(largest <= STRETCH, "{largest}");
}

/// More traces are pending than there is room for: the oldest is judged early, and counted.
#[tokio::test]
async fn a_trace_judged_early_is_counted() {
    let mut bench = Bench::over(tempfile::tempdir().unwrap(), 2).await;
    bench.append(&[error(1, 1), error(2, 2), error(3, 3)]).await;
    bench.settle().await;
    assert_eq!(bench.counted.read("otelcol_processor_tail_sampling_sampling_trace_dropped_too_early_total", ""), 1);
    assert_eq!(bench.kept().await, [1, 2, 3]);
}

/// A record whose index cannot be read is counted as lost; what comes behind it is sampled.
#[tokio::test]
async fn an_unreadable_record_is_counted() {
    let mut bench = Bench::new().await;
    let mut broken = entry(request(&[error(1, 1)]));
    broken.index = bytes::Bytes::from_static(b"\xff\xff\xff");
    bench.received.append(broken).await.unwrap();
    bench.append(&[error(2, 2)]).await;
    bench.settle().await;
    assert_eq!(bench.kept().await, [2]);
    assert!(bench.counted.read("tollgate_consumer_bytes_total{consumer=\"sampler\"", "corrupt") > 0);
}

/// Verdicts stay on the disk for as long as spans may be late, also when all spans are delivered, and then go.
#[tokio::test]
async fn the_journal_lets_go_of_old_verdicts() {
    let mut bench = Bench::new().await;
    let journal = |bench: &Bench| {
        let status = bench.kept.status();
        let consumer = status.consumers.into_iter().find(|consumer| consumer.name.as_str() == JOURNAL).unwrap();
        consumer.lanes.first().map_or(Position::ZERO, |lane| lane.position)
    };
    bench.append(&[error(1, 1)]).await;
    bench.settle().await;
    bench.pass(REMEMBER - Duration::from_secs(1));
    bench.append(&[error(2, 2)]).await;
    bench.tick().await.unwrap();
    assert_eq!(journal(&bench), Position::ZERO);
    bench.pass(WAIT);
    bench.tick().await.unwrap();
    bench.pass(REMEMBER);
    bench.tick().await.unwrap();
    assert!(journal(&bench) > Position::ZERO);
    bench.kept.close().await;
    let bench = bench.crashed().await;
    assert_eq!(bench.hold.sampler.remembered(), 1, "only the younger verdict is left");
}

/// Scenario: an idle central. Guarantees: no cursor is written over and over.
#[tokio::test]
async fn an_idle_log_moves_no_cursor() {
    let mut bench = Bench::new().await;
    bench.append(&[error(1, 1)]).await;
    bench.settle().await;
    let (tail, saved) = (bench.hold.tail, bench.hold.saved);
    for _ in 0..10 {
        bench.pass(WAIT);
        bench.tick().await.unwrap();
    }
    assert_eq!((bench.hold.tail, bench.hold.saved), (tail, saved));
    assert_eq!(saved, tail);
}
