//! Very many traces at once: as many as the sizing is for, and ten times as many.

use std::collections::BTreeSet;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans};
use prost::Message;

use super::super::*;
use crate::requests::{error, plain, policies, span, with_batch};

/// A million where time does not matter; enough for every table to be far beyond its first size otherwise.
fn many() -> u64 {
    if std::env::var_os("TOLLGATE_FULL").is_some() { 1_000_000 } else { 180_000 }
}

/// Traces of one request.
const TOGETHER: usize = 10_000;
const REMEMBERED: u64 = 1_000;

/// Waits 30 s, and needs a second column of three words a trace.
fn sampler(num_traces: u64) -> Sampler {
    let block = format!(
        "{{decision_wait: 30s, num_traces: {num_traces}, decision_wait_after_root_received: 1h, \
         decision_cache: {{sampled_cache_size: {REMEMBERED}}}, policies: [\
         {{name: errors, type: status_code, status_code: {{status_codes: [ERROR]}}}}, \
         {{name: some, type: and, and: {{and_sub_policy: [\
         {{name: failed, type: status_code, status_code: {{status_codes: [ERROR]}}}}, \
         {{name: few, type: bytes_limiting, bytes_limiting: {{bytes_per_second: 1}}}}]}}}}]}}"
    );
    Sampler::new(policies(&block), 0x5eed)
}

fn id(number: u64) -> TraceId {
    TraceId((u128::from(number) << 64 | 1).to_be_bytes())
}

/// One span of each of these traces; of every tenth an error where `failing` says so.
fn fold(sampler: &mut Sampler, now: Duration, numbers: std::ops::Range<u64>, failing: Failing) -> Folded {
    let mut all = Folded::default();
    let numbers: Vec<u64> = numbers.collect();
    for some in numbers.chunks(TOGETHER) {
        let one = |number: &u64| {
            let fails = failing == Failing::EveryTenth && number.is_multiple_of(10);
            let mut span = span(&if fails { error(1) } else { plain(1) });
            span.trace_id = id(*number).as_bytes().to_vec();
            span
        };
        let scope_spans = vec![ScopeSpans { spans: some.iter().map(one).collect(), ..ScopeSpans::default() }];
        let resource_spans = vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }];
        let payload = ExportTraceServiceRequest { resource_spans }.encode_to_vec();
        let folded = with_batch(&payload, |batch| sampler.fold(now, batch));
        all.new_traces += folded.new_traces;
        all.judged_early += folded.judged_early;
        all.late_kept += folded.late_kept;
        all.late_dropped += folded.late_dropped;
        all.pending_spans += folded.pending_spans;
    }
    all
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Failing {
    Nobody,
    EveryTenth,
}

/// What the tables have taken from the allocator.
fn bytes(sampler: &Sampler) -> u64 {
    let pending = sampler.pending.capacity() * size_of::<Pending>();
    let remembered = sampler.remembered.capacity() * size_of::<Remembered>();
    (pending + remembered + sampler.index.bytes() + sampler.column.bytes()) as u64
}

/// What the configuration says that they take.
fn promised(sampler: &Sampler, traces: u64) -> u64 {
    let (pending, remembered) = sampler.policies().bytes_per_trace();
    // Room for one more of each, and what is left of a cache line.
    (traces + 1) * pending + (REMEMBERED + 1) * remembered + 64
}

/// Guarantees: as many traces as `num_traces` wait at once in no more memory than `check` says, whatever more arrives of them; each
/// is judged once, in its time, on all its spans, in the order of arrival, and no more of them at a time than asked for.
#[test]
fn as_many_traces_as_configured_wait_and_are_each_judged_on_all_their_spans() {
    let (traces, mut sampler) = (many(), sampler(many()));
    let promised = promised(&sampler, traces);
    assert!(bytes(&sampler) <= promised, "{} bytes, {promised} promised", bytes(&sampler));
    for (now, failing) in [(1, Failing::Nobody), (20, Failing::EveryTenth)] {
        let folded = fold(&mut sampler, Duration::from_secs(now), 0..traces, failing);
        assert_eq!((folded.pending_spans, folded.judged_early), (traces, 0));
        assert_eq!(sampler.pending() as u64, traces);
        assert!(bytes(&sampler) <= promised, "{} bytes, {promised} promised", bytes(&sampler));
    }
    let mut judged = Vec::new();
    loop {
        let some = sampler.judge_some(Duration::from_secs(31), Waits::of(Duration::from_secs(30)), 1_000);
        judged.extend_from_slice(&some);
        assert!(some.len() <= 1_000);
        if some.is_empty() {
            break;
        }
    }
    assert!(judged.iter().map(|judged| judged.trace).eq((0..traces).map(id)));
    assert!(judged.iter().all(|judged| judged.summary.spans() == 2 && judged.timing == Timing::Due));
    let kept = judged.iter().filter(|judged| judged.verdict.decision == Decision::Keep);
    assert!(kept.map(|judged| judged.trace).eq((0..traces).step_by(10).map(id)));
    assert_eq!((sampler.pending(), sampler.remembered() as u64), (0, REMEMBERED));
    assert!(bytes(&sampler) <= promised, "{} bytes, {promised} promised", bytes(&sampler));
}

/// Scenario: ten times as many traces as `num_traces` arrive within the wait. Guarantees: memory stays as it was, each trace has
/// one verdict, those before their time are counted and say so, and what comes of a trace that is still remembered follows it.
#[test]
fn a_burst_of_ten_times_the_sizing_costs_no_memory_and_no_verdict() {
    let (traces, room) = (many(), many() / 10);
    let mut sampler = sampler(room);
    let promised = promised(&sampler, room);
    let (mut judged, mut early) = (Vec::new(), 0);
    for from in (0..traces).step_by(TOGETHER) {
        let now = Duration::from_millis(from * 20_000 / traces);
        let folded = fold(&mut sampler, now, from..from + TOGETHER as u64, Failing::EveryTenth);
        early += folded.judged_early;
        judged.extend(sampler.due(now));
        assert!(sampler.pending() as u64 <= room);
        assert!(bytes(&sampler) <= promised, "{} bytes, {promised} promised", bytes(&sampler));
    }
    assert_eq!((judged.len() as u64, early), (traces - room, traces - room));
    assert!(judged.iter().all(|judged| judged.timing == Timing::Early(Cause::Room)));
    let last = traces - room - REMEMBERED..traces - room;
    let folded = fold(&mut sampler, Duration::from_secs(21), last, Failing::EveryTenth);
    assert_eq!((folded.late_kept, folded.late_dropped, folded.new_traces), (REMEMBERED / 10, REMEMBERED * 9 / 10, 0));
    judged.extend(sampler.due(Duration::from_secs(60)));
    assert_eq!(judged.iter().map(|judged| judged.trace).collect::<BTreeSet<_>>().len() as u64, traces);
    let keeps = |judged: &&Judged| judged.verdict.decision == Decision::Keep;
    assert!(judged.iter().filter(keeps).map(|judged| judged.trace).eq((0..traces).step_by(10).map(id)));
}
