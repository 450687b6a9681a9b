//! Far more than the sizing is for, at once: what is done about it, in this order.
//!
//! 1. Traces are judged before their time: the window shortens.
//! 2. What the log cannot take is refused, so that it comes again.
//! 3. Nothing that was taken is lost, and nothing is held but what the bounds say.

use tollgate_spool::AppendError;

use super::tests::{Bench, error, span};
use super::*;
use crate::rig::{Span, entry, heavy, request};

const NUM_TRACES: u64 = 1000;
const EARLY: &str = "otelcol_processor_tail_sampling_sampling_trace_dropped_too_early_total";
const INCOMPLETE: &str = "tollgate_sampling_traces_incomplete_total";
const ROUND: Duration = Duration::from_millis(100);

/// The first span of the traces of one round behind the second one of those before; every tenth trace has an error, in its
/// second span.
fn round(number: u64) -> Vec<Span> {
    let traces = |round: u64| round * NUM_TRACES..(round + 1) * NUM_TRACES;
    let second = |trace: u64| Span { is_error: trace.is_multiple_of(10), ..span(trace, 2 * trace + 1) };
    let seconds = number.checked_sub(1).into_iter().flat_map(traces).map(second);
    seconds.chain(traces(number).map(|trace| span(trace, 2 * trace))).collect()
}

/// Scenario: thirty times as many traces as `num_traces` within less than the wait. Guarantees: those that wait stay within the
/// bound, each is judged early and counted as that, and every span of every trace follows its verdict: those of traces with an
/// error are all kept, of the others none is.
#[tokio::test]
async fn a_burst_of_many_times_the_sizing_is_judged_early_and_stays_whole() {
    const ROUNDS: u64 = 30;
    let mut bench = Bench::over(tempfile::tempdir().unwrap(), 1000).await;
    for number in 0..ROUNDS {
        bench.append(&round(number)).await;
        bench.tick().await.unwrap();
        bench.pass(ROUND);
        assert!(bench.hold.sampler.pending() as u64 <= NUM_TRACES);
    }
    bench.settle().await;
    let traces = ROUNDS * NUM_TRACES;
    let count = |name: &str, text: &str| bench.counted.read(name, text);
    assert_eq!(count("tollgate_sampling_spans_unjudged_total", ""), 0);
    // Of the last round only the first spans came.
    let errors = (0..traces - NUM_TRACES).step_by(10).flat_map(|trace| [2 * trace, 2 * trace + 1]);
    assert_eq!(bench.kept().await, errors.collect::<Vec<_>>());
    assert_eq!(count(EARLY, ""), traces - NUM_TRACES);
    assert_eq!(count(INCOMPLETE, "cause=\"num_traces\""), traces - NUM_TRACES);
    assert_eq!(count("tollgate_sampling_verdicts_total", ""), traces);
}

/// Scenario: thirty times as many traces as `num_traces` lie in the log before any of them is read, and are read at once. Guarantees:
/// they are judged early as well: reading them does not stand still until a wait ends.
#[tokio::test]
async fn a_burst_that_is_read_at_once_does_not_hold_up_what_is_behind_it() {
    let mut bench = Bench::over(tempfile::tempdir().unwrap(), 1000).await;
    for number in 0..30 {
        bench.append(&round(number)).await;
    }
    let (_stopper, shutdown) = Shutdown::new();
    while bench.hold.head < bench.received.durable_end() {
        assert!(bench.hold.clock.now() < Duration::from_secs(2), "{:?}", bench.hold.head);
        for _ in 0..10 {
            if bench.hold.has_room() && bench.hold.head < bench.received.durable_end() {
                let read = bench.hold.received.read(bench.hold.head, STRETCH, None).await;
                bench.hold.fold(read, &shutdown).await;
                bench.pass(Duration::from_millis(1));
            }
        }
        bench.hold.judge_and_sweep().await.unwrap();
        bench.pass(TICK);
    }
    bench.settle().await;
    assert_eq!(bench.counted.read("tollgate_sampling_spans_unjudged_total", ""), 0);
    let errors = (0..29 * NUM_TRACES).step_by(10).flat_map(|trace| [2 * trace, 2 * trace + 1]);
    assert_eq!(bench.kept().await, errors.collect::<Vec<_>>());
}

/// Scenario: ten times what the log takes, much more between two looks than ever. Guarantees: traces that wait in a log that fills
/// are judged sooner; what still does not fit is refused, so that it comes again; all that was taken has its verdict, and what
/// has an error is kept whole and once.
#[tokio::test]
async fn a_burst_of_many_times_the_disk_shortens_the_wait_then_is_refused_and_loses_nothing() {
    const TRACES: u64 = 900;
    const ERRORS: u64 = 30;
    let mut bench = Bench::new().await;
    let (mut refused, mut waits) = (0, Vec::new());
    for trace in 0..TRACES {
        // The error comes in a request of its own, first: how late the rest may be nobody knows.
        let error = trace.is_multiple_of(ERRORS).then(|| request(&[error(trace, TRACES + trace)]));
        let requests: Vec<_> = error.into_iter().chain([heavy(trace, 256 << 10)]).collect();
        for payload in requests {
            while let Err(why) = bench.received.append(entry(payload.clone())).await {
                assert!(matches!(why, AppendError::Full { .. }), "{why}");
                refused += 1;
                assert!(refused < 1000, "nothing gets through any more");
                bench.tick().await.unwrap();
                bench.pass(TICK);
            }
        }
        if trace % 40 == 0 {
            bench.tick().await.unwrap();
            bench.pass(TICK);
            waits.extend((refused == 0).then_some(bench.hold.waits.due));
        }
    }
    assert!(refused > 0, "the log took all of it");
    assert!(waits.is_sorted_by(|one, next| one >= next) && waits.last() < waits.first(), "{waits:?}");
    bench.settle().await;
    let errors = (0..TRACES).step_by(30).flat_map(|trace| [trace, TRACES + trace]);
    let expected: BTreeSet<u64> = errors.collect();
    assert_eq!(bench.kept().await, expected.into_iter().collect::<Vec<_>>());
    let count = |name: &str, text: &str| bench.counted.read(name, text);
    assert_eq!(count("tollgate_sampling_spans_unjudged_total", ""), 0);
    assert_eq!(count("tollgate_sampling_spans_dropped_total", ""), TRACES - TRACES / ERRORS);
    assert!(count(INCOMPLETE, "cause=\"disk\"") > 0);
    assert_eq!(count("tollgate_consumer_bytes_total{consumer=\"sampler\"", "expired"), 0);
}
