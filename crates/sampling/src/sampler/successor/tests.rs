use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::requests::{Seen, error, id, plain, policies, request, with_batch};
use crate::verdict::Decision;

const ERRORS: &str = "{name: errors, type: status_code, status_code: {status_codes: [ERROR]}}";
const ALL: &str = "{name: all, type: always_sample}";
/// Each span must be counted once.
const THREE: &str = "{name: three, type: span_count, span_count: {min_spans: 3, max_spans: 3}}";
/// It has words of its own for each trace.
const LIMITED: &str = "{name: bytes, type: bytes_limiting, bytes_limiting: {bytes_per_second: 1000000000}}";

fn set(num_traces: usize, list: &str) -> PolicySet {
    policies(&format!("{{decision_wait: 5s, num_traces: {num_traces}, policies: [{list}]}}"))
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A sampler and all that it has folded.
struct Bench {
    sampler: Sampler,
    folded: Vec<(u64, Vec<u8>)>,
}

impl Bench {
    fn new(policies: PolicySet) -> Self {
        Self { sampler: Sampler::new(policies, 7), folded: Vec::new() }
    }

    fn fold(&mut self, now: u64, spans: &[Seen]) {
        let payload = request(spans);
        with_batch(&payload, |batch| self.sampler.fold(seconds(now), batch));
        self.folded.push((now, payload));
    }

    fn fold_again(&mut self, requests: std::ops::Range<usize>) {
        for (now, payload) in &self.folded[requests] {
            with_batch(payload, |batch| self.sampler.fold_again(seconds(*now), batch));
        }
    }

    /// From the beginning.
    fn renew(&mut self, policies: PolicySet) {
        self.sampler.prepare(policies);
        self.fold_again(0..self.folded.len());
        assert!(self.sampler.take_over());
    }

    fn due(&mut self, now: u64) -> Vec<(u8, Decision, String)> {
        let judged = self.sampler.due(seconds(now));
        let said = |judged: &crate::Judged| {
            let reason = self.sampler.reason(judged.verdict.reason).to_owned();
            (judged.trace.0[15], judged.verdict.decision, reason)
        };
        judged.iter().map(said).collect()
    }
}

fn said(trace: u8, decision: Decision, reason: &str) -> (u8, Decision, String) {
    (trace, decision, reason.to_owned())
}

#[test]
fn a_pending_trace_is_judged_by_the_new_policies_on_all_its_spans_and_in_its_time() {
    let mut bench = Bench::new(set(10, ALL));
    bench.fold(0, &[plain(1)]);
    bench.fold(1, &[error(2), plain(2)]);
    assert_eq!(bench.due(5), [said(1, Decision::Keep, "all")]);
    bench.fold(5, &[plain(2), error(3)]);
    bench.renew(set(10, THREE));
    assert_eq!(bench.due(5), []);
    bench.fold(5, &[plain(3)]);
    assert_eq!(bench.due(6), [said(2, Decision::Keep, "three")]);
    assert_eq!(bench.due(10), [said(3, Decision::Drop, "no policy matched")]);
    assert_eq!(bench.sampler.verdict(&id(1)).map(|verdict| bench.sampler.reason(verdict.reason)), Some("all"));
}

#[test]
fn verdicts_that_fall_due_while_the_new_policies_catch_up_are_the_old_ones() {
    let mut bench = Bench::new(set(10, ERRORS));
    bench.fold(0, &[plain(1)]);
    bench.fold(3, &[plain(2)]);
    bench.sampler.prepare(set(10, &format!("{ALL}, {LIMITED}")));
    bench.fold_again(0..1);
    assert_eq!(bench.due(5), [said(1, Decision::Drop, "no policy matched")]);
    bench.fold(6, &[plain(4)]);
    bench.fold_again(1..3);
    assert!(bench.sampler.take_over() && !bench.sampler.take_over());
    assert_eq!(bench.due(20), [said(2, Decision::Keep, "all"), said(4, Decision::Keep, "all")]);
    bench.fold(21, &[error(1)]);
    assert_eq!(bench.sampler.verdict(&id(1)).map(|verdict| verdict.decision), Some(Decision::Drop), "it stands");
}

#[test]
fn the_newest_of_several_sets_wins() {
    let mut bench = Bench::new(set(10, ERRORS));
    bench.fold(0, &[plain(1), error(2)]);
    bench.sampler.prepare(set(10, THREE));
    bench.fold_again(0..1);
    bench.renew(set(10, ALL));
    assert_eq!(bench.due(5), [said(1, Decision::Keep, "all"), said(2, Decision::Keep, "all")]);
}

/// Guarantees: with less room nobody is judged early for it, and new traces find as many as are left; with more, all fit.
#[test]
fn another_num_traces_takes_effect_without_haste() {
    let mut bench = Bench::new(set(4, ERRORS));
    bench.fold(0, &[error(1), plain(2), plain(3), plain(4)]);
    bench.renew(set(2, ERRORS));
    assert_eq!((bench.sampler.pending(), bench.due(1)), (4, vec![]));
    bench.fold(1, &[plain(5)]);
    assert_eq!((bench.sampler.pending(), bench.due(1).len()), (4, 1));
    bench.fold(1, &[plain(6)]);
    assert_eq!((bench.sampler.pending(), bench.due(5).len()), (3, 3));
    let spans: Vec<_> = (10..110).map(plain).collect();
    bench.renew(set(100, ERRORS));
    bench.fold(5, &spans);
    assert_eq!((bench.sampler.pending(), bench.due(5).len()), (100, 2));
    assert!((10..110).all(|trace| bench.sampler.verdict(&id(trace)).is_none()));
    assert_eq!(bench.due(10).len(), 100);
    assert!((10..110).chain(1..7).all(|trace| bench.sampler.verdict(&id(trace)).is_some()));
}

/// Guarantees: what a rate limit has spent stays spent when its policy stays, also under another rate.
#[test]
fn a_rate_limit_goes_on_with_what_it_has_left() {
    let limit = |rate: u64| {
        let own = format!("{{name: l, type: rate_limiting, rate_limiting: {{spans_per_second: {rate}}}}}");
        set(100, &format!("{{name: first, type: rate_limiting, rate_limiting: {{spans_per_second: 0}}}}, {own}"))
    };
    let kept = |due: Vec<(u8, Decision, String)>| due.iter().filter(|one| one.1 == Decision::Keep).count();
    let mut bench = Bench::new(limit(3));
    bench.fold(0, &[plain(1), plain(2)]);
    assert_eq!(kept(bench.due(5)), 2);
    bench.fold(0, &(10..20).map(plain).collect::<Vec<_>>());
    bench.renew(limit(3));
    assert_eq!(kept(bench.due(5)), 4, "of two seconds' worth");
    bench.fold(0, &(20..30).map(plain).collect::<Vec<_>>());
    bench.renew(limit(9));
    assert_eq!(kept(bench.due(5)), 0, "a higher rate fills from now on");
    bench.fold(1, &(30..50).map(plain).collect::<Vec<_>>());
    assert_eq!(kept(bench.due(6)), 9);
}

#[test]
fn evidence_after_a_root_is_cut_off_by_when_it_arrived_first() {
    let block = format!("{{decision_wait: 5s, decision_wait_after_root_received: 2s, policies: [{ERRORS}]}}");
    for (late, decision) in [(1, Decision::Keep), (2, Decision::Drop)] {
        let mut bench = Bench::new(set(10, ALL));
        bench.fold(0, &[plain(1)]);
        bench.fold(late, &[error(1)]);
        bench.renew(policies(&block));
        assert_eq!(bench.due(5)[0].1, decision, "{late}");
    }
}

#[test]
fn a_reason_keeps_its_name_whatever_comes() {
    let mut bench = Bench::new(set(10, ERRORS));
    bench.fold(0, &[error(1)]);
    bench.due(5);
    bench.renew(set(10, &format!("{ALL}, {THREE}")));
    bench.fold(5, &[error(2)]);
    bench.due(10);
    bench.renew(set(10, THREE));
    let reason = |trace| bench.sampler.reason(bench.sampler.verdict(&id(trace)).unwrap().reason);
    assert_eq!([reason(1), reason(2)], ["errors", "all"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Guarantees: whenever the second column is begun and whenever it takes over, each trace gets one verdict; before the
    /// takeover that of a sampler with the old policies, after it that of one with the new policies that has seen everything.
    #[test]
    fn every_trace_is_judged_once_by_one_of_both_on_all_its_spans(
        rounds in vec(vec((0_u8..30, any::<bool>()), 0..6), 4..40),
        begin in 0_usize..40, takes in 0_usize..15, wide in any::<bool>(),
    ) {
        let new = if wide { format!("{THREE}, {LIMITED}") } else { THREE.to_owned() };
        let mut bench = Bench::new(set(100, ERRORS));
        let (mut before, mut after) = (Bench::new(set(100, ERRORS)), Bench::new(set(100, &new)));
        let (begin, mut again, mut took_over) = (begin.min(rounds.len() - 1), 0, false);
        for (now, spans) in rounds.iter().enumerate().chain((rounds.len()..rounds.len() + 6).map(|now| (now, &rounds[0]))) {
            let spans: Vec<_> = spans.iter().map(|(trace, bad)| if *bad { error(*trace) } else { plain(*trace) }).collect();
            let time = now as u64;
            for bench in [&mut bench, &mut before, &mut after] {
                bench.fold(time, &spans);
            }
            if now == begin {
                bench.sampler.prepare(set(100, &new));
            }
            if now >= begin && !took_over {
                let until = if now >= begin + takes { bench.folded.len() } else { again.max(now / 2) };
                bench.fold_again(again..until);
                again = until;
            }
            let judged = bench.due(time);
            let (of_old, of_new) = (before.due(time), after.due(time));
            prop_assert_eq!(&judged, if took_over { &of_new } else { &of_old });
            if now >= begin + takes && !took_over {
                took_over = bench.sampler.take_over();
                prop_assert!(took_over);
            }
        }
        prop_assert!(!took_over || bench.sampler.pending() == after.sampler.pending());
    }
}
