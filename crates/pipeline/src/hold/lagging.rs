//! What becomes of traces while a sender lags: the wait, its bound, and what is said of verdicts that did not wait.

use tollgate_federation::{Manifest, Presence, Progress};

use super::tests::{Bench, WAIT, error, span};
use super::*;
use crate::admit::attendance::Word;
use crate::rig;

pub(super) const LONGEST: Duration = Duration::from_secs(20);

/// A gateway says that its oldest span has waited for so long.
pub(super) fn hear(bench: &Bench, waited: Duration) {
    let now = bench.clock.now().nanos();
    let oldest_unsent = now - u64::try_from(waited.as_nanos()).unwrap();
    let progress = Some(Progress { oldest_unsent, now, presence: Presence::Stays });
    let word = Word::of(&Manifest { progress, ..rig::manifest("eu-west/gateway/0", "EEA", 0) }).unwrap();
    bench.hold.attendance.heard(&word, bench.received.durable_end());
}

/// The wait passes, and the gateway has nothing more.
async fn sweep(bench: &mut Bench) {
    bench.tick().await.unwrap();
    bench.pass(WAIT);
    hear(bench, Duration::ZERO);
    bench.tick().await.unwrap();
}

fn incomplete(bench: &Bench, cause: &str) -> u64 {
    bench.counted.read("tollgate_sampling_traces_incomplete_total", &format!("cause=\"{cause}\""))
}

/// Scenario: a region is cut off for three times the wait; of a trace it has the error. Guarantees: the verdict waits for it,
/// and the trace is kept whole.
#[tokio::test]
async fn a_trace_waits_for_the_region_that_is_cut_off() {
    let mut bench = Bench::new().await;
    hear(&bench, Duration::ZERO);
    bench.append(&[span(1, 10), span(2, 20)]).await;
    bench.tick().await.unwrap();
    for _ in 0..15 {
        bench.pass(Duration::from_secs(1));
        bench.tick().await.unwrap();
    }
    assert_eq!(bench.hold.sampler.pending(), 2, "nobody knows what the silent one has");
    bench.append(&[error(1, 11)]).await;
    hear(&bench, Duration::from_secs(14));
    bench.tick().await.unwrap();
    assert_eq!(bench.hold.sampler.pending(), 2, "it has more");
    hear(&bench, Duration::ZERO);
    bench.tick().await.unwrap();
    assert_eq!(bench.hold.sampler.pending(), 0);
    sweep(&mut bench).await;
    assert_eq!(bench.kept().await, [10, 11]);
    assert_eq!(incomplete(&bench, "lag"), 0);
}

/// Guarantees: what a sender had said counts only when what it had sent before is folded.
#[tokio::test]
async fn a_word_is_believed_when_what_came_before_it_is_read() {
    let mut bench = Bench::new().await;
    hear(&bench, Duration::ZERO);
    bench.append(&[span(1, 10)]).await;
    bench.tick().await.unwrap();
    bench.pass(WAIT * 2);
    bench.append(&[error(1, 11)]).await;
    hear(&bench, Duration::ZERO);
    bench.hold.judge_and_sweep().await.unwrap();
    assert_eq!(bench.hold.sampler.pending(), 1, "the error lies in the log, unread");
    sweep(&mut bench).await;
    assert_eq!(bench.kept().await, [10, 11]);
}

/// Scenario: a sender that says for ever that it is behind by hours; then one that is gone. Guarantees: verdicts come at
/// `decision_wait_max`, and at `decision_wait` once it is gone; each is marked and counted.
#[tokio::test]
async fn who_lies_or_is_gone_delays_verdicts_by_no_more_than_the_longest_wait() {
    let mut bench = Bench::new().await;
    bench.pass(LONGEST);
    let lie = Duration::from_secs(7200);
    hear(&bench, lie);
    bench.append(&[error(1, 10)]).await;
    bench.tick().await.unwrap();
    bench.pass(LONGEST - Duration::from_secs(1));
    hear(&bench, lie);
    bench.tick().await.unwrap();
    assert_eq!(bench.hold.sampler.pending(), 1);
    bench.pass(Duration::from_secs(1));
    bench.tick().await.unwrap();
    assert_eq!((bench.hold.sampler.pending(), incomplete(&bench, "lag")), (0, 1));
    bench.pass(LONGEST);
    bench.append(&[error(2, 20)]).await;
    bench.tick().await.unwrap();
    bench.pass(WAIT);
    bench.tick().await.unwrap();
    assert_eq!((bench.hold.sampler.pending(), incomplete(&bench, "lag")), (0, 2));
    assert_eq!(bench.kept().await, [10, 20]);
}

/// Scenario: a sender lags, and what waits for it fills the log. Guarantees: traces are judged before the log is full, the
/// tail follows, the receiver refuses nothing, and the verdicts are marked.
#[tokio::test]
async fn a_log_that_fills_ends_the_wait() {
    let mut bench = Bench::new().await;
    hear(&bench, Duration::ZERO);
    bench.pass(LONGEST - Duration::from_secs(3));
    for number in 0..60 {
        // Half a mebibyte each: together more than the log may take.
        let spans: Vec<_> = (0..8_000).map(|span| error(number, number * 10_000 + span)).collect();
        bench.append(&spans).await;
        bench.pass(Duration::from_millis(20));
        bench.tick().await.unwrap();
    }
    assert!(incomplete(&bench, "disk") > 0);
    let (held, share) = bench.hold.received.held();
    assert!(held < share, "{held} of {share} bytes");
}
