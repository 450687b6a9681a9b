//! What is large: one trace of a million spans, and half a day of traffic.

use super::tests::{Bench, WAIT, error, span};
use super::*;
use crate::rig::{entry, request};

/// Scenario: one trace of a million spans, in a hundred requests over a minute, beside traces of one span. Guarantees: each of
/// those is judged in its time and swept within the second after; the huge one is one summary, and delays nobody.
#[tokio::test]
async fn a_trace_of_a_million_spans_delays_nobody() {
    let mut bench = Bench::new().await;
    let huge = request(&(0..10_000).map(|number| span(1, number)).collect::<Vec<_>>());
    for round in 0..100 {
        bench.received.append(entry(huge.clone())).await.unwrap();
        bench.append(&[error(100 + round, 100_000 + round)]).await;
        bench.tick().await.unwrap();
        bench.pass(Duration::from_millis(600));
        assert!(bench.hold.sampler.pending() <= 11, "nine rounds are within the wait");
        let behind = bench
            .hold
            .clock
            .now()
            .saturating_sub(bench.hold.folded.front().map_or(Duration::MAX, |stretch| stretch.at));
        assert!(behind <= WAIT + Duration::from_millis(1200), "the tail is {behind:?} behind");
    }
    bench.settle().await;
    assert_eq!(bench.kept().await, (0..100).map(|round| 100_000 + round).collect::<Vec<_>>());
    assert_eq!(bench.counted.read("tollgate_sampling_spans_dropped_total", ""), 1_000_000);
}

/// Guarantees: after hours of traffic nothing that is remembered is more than it was after the first of them.
#[tokio::test]
async fn twelve_hours_of_traffic_leave_memory_as_it_was() {
    let mut bench = Bench::new().await;
    let mut sizes = Vec::new();
    for round in 0..(12 * 180) {
        let spans: Vec<_> = (0..20).map(|number| span(round * 20 + number, round * 20 + number)).collect();
        bench.append(&spans).await;
        bench.append(&[error(round * 20, round)]).await;
        super::lagging::hear(&bench, Duration::ZERO);
        bench.tick().await.unwrap();
        bench.pass(Duration::from_secs(20));
        bench.tick().await.unwrap();
        if round % 180 == 179 {
            let hold = &bench.hold;
            sizes.push([
                hold.sampler.pending(),
                hold.sampler.remembered(),
                hold.folded.len(),
                hold.kept.journalled(),
                hold.attendance.words(),
            ]);
        }
    }
    assert_eq!(bench.hold.sampler.remembered(), 10_000, "as many as the bound says");
    // By the sixth hour everything that has a bound has reached it.
    let (first, later) = sizes[5..].split_first().unwrap();
    assert!(later.iter().all(|sizes| sizes.iter().zip(first).all(|(size, first)| size <= first)), "{sizes:?}");
    let (held, share) = bench.hold.received.held();
    assert!(held < share / 8, "{held} bytes of {share} wait for nobody");
}

/// Scenario: very many traces are due at one moment, as when a link that lagged is given up. Guarantees: no record of verdicts is
/// larger than any log takes, each trace is judged once, and its spans follow.
#[tokio::test]
async fn verdicts_of_very_many_traces_at_once_fit_any_log() {
    let traces = 2 * JOURNALLED as u64 + 5;
    let mut bench = Bench::over(tempfile::tempdir().unwrap(), 100_000).await;
    let numbers: Vec<u64> = (1..=traces).collect();
    for some in numbers.chunks(10_000) {
        let spans: Vec<_> = some.iter().map(|number| span(*number, *number)).collect();
        bench.received.append(entry(request(&spans))).await.unwrap();
    }
    bench.append(&[error(0, 7)]).await;
    bench.settle().await;
    let records = bench.records().await;
    let verdicts: Vec<_> = records.iter().filter(|record| record.kind == crate::records::VERDICTS).collect();
    assert_eq!(verdicts.len(), 3);
    assert!(verdicts.iter().all(|record| record.payload.len() < STRETCH));
    assert_eq!(bench.kept().await, [7]);
    assert_eq!(bench.counted.read("tollgate_sampling_spans_dropped_total", ""), traces);
}
