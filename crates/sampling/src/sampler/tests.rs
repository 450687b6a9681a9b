//! When traces are judged, what is remembered, and that a small model of both agrees.

mod crowd;

use std::collections::VecDeque;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::Coverage;
use crate::requests::{Seen, error, id, plain, policies, request, with_batch};

const ERRORS: &str = "{name: errors, type: status_code, status_code: {status_codes: [ERROR]}}";
const SECRET: u64 = 0x5eed;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Waits 5 s, judges by errors alone.
fn sampler(num_traces: usize, remembered: usize) -> Sampler {
    let block = format!(
        "{{decision_wait: 5s, num_traces: {num_traces}, decision_cache: {{sampled_cache_size: {remembered}}}, \
         policies: [{ERRORS}]}}"
    );
    Sampler::new(policies(&block), SECRET)
}

fn fold(sampler: &mut Sampler, now: u64, spans: &[Seen]) -> Folded {
    with_batch(&request(spans), |batch| sampler.fold(seconds(now), batch))
}

fn due(sampler: &mut Sampler, now: u64) -> Vec<(u8, Decision)> {
    sampler.due(seconds(now)).iter().map(|judged| (judged.trace.0[15], judged.verdict.decision)).collect()
}

fn decision(sampler: &Sampler, trace: u8) -> Option<Decision> {
    sampler.verdict(&id(trace)).map(|verdict| verdict.decision)
}

#[test]
fn a_trace_is_judged_decision_wait_after_its_first_span() {
    let mut sampler = sampler(10, 10);
    fold(&mut sampler, 1, &[plain(1)]);
    assert_eq!(sampler.next_due(), Some(seconds(6)));
    fold(&mut sampler, 5, &[error(1)]);
    assert_eq!(due(&mut sampler, 5), []);
    assert_eq!(decision(&sampler, 1), None);
    assert_eq!(due(&mut sampler, 6), [(1, Decision::Keep)]);
    assert_eq!(decision(&sampler, 1), Some(Decision::Keep));
    assert_eq!((sampler.pending(), sampler.remembered(), sampler.next_due()), (0, 1, None));
}

/// Guarantees: while somebody lags traces wait for longer; one that is judged before everybody had a say is marked.
#[test]
fn a_verdict_waits_for_who_lags_and_says_when_it_did_not() {
    let mut sampler = sampler(10, 10);
    fold(&mut sampler, 1, &[plain(1)]);
    fold(&mut sampler, 4, &[plain(2)]);
    let waits = |due, whole| Waits { due: seconds(due), whole: seconds(whole), cause: Cause::Lag };
    assert!(sampler.judge(seconds(8), waits(8, 8)).is_empty());
    let judged = sampler.judge(seconds(9), waits(8, 9));
    assert_eq!((judged.len(), judged[0].timing), (1, Timing::Early(Cause::Lag)));
    assert!(sampler.judge(seconds(3), waits(0, 0)).is_empty(), "a clock that steps back judges nobody");
    let judged = sampler.judge(seconds(10), waits(5, 6));
    assert_eq!((judged.len(), judged[0].timing), (1, Timing::Due));
}

#[test]
fn traces_are_judged_in_order_of_first_arrival() {
    let mut sampler = sampler(10, 10);
    fold(&mut sampler, 1, &[plain(3), plain(1)]);
    fold(&mut sampler, 2, &[plain(2), error(3)]);
    let expected = [(3, Decision::Keep), (1, Decision::Drop), (2, Decision::Drop)];
    assert_eq!(due(&mut sampler, 7), expected);
}

#[test]
fn late_spans_follow_the_verdict_and_do_not_change_it() {
    let mut sampler = sampler(10, 10);
    fold(&mut sampler, 0, &[plain(1), error(2)]);
    due(&mut sampler, 5);
    let folded = fold(&mut sampler, 6, &[error(1), error(1), plain(2)]);
    let late_by = vec![seconds(1); 2];
    assert_eq!(folded, Folded { late_dropped: 2, late_kept: 1, late_by, ..Folded::default() });
    assert_eq!(decision(&sampler, 1), Some(Decision::Drop));
    assert_eq!(due(&mut sampler, 60), []);
}

#[test]
fn the_oldest_is_judged_early_when_too_many_are_pending() {
    let mut sampler = sampler(2, 10);
    let folded = fold(&mut sampler, 0, &[error(1), plain(2), plain(3)]);
    assert_eq!((folded.new_traces, folded.judged_early), (3, 1));
    assert_eq!(sampler.pending(), 2);
    assert_eq!(decision(&sampler, 1), Some(Decision::Keep));
    let judged = sampler.due(seconds(0));
    assert_eq!(judged.len(), 1);
    assert_eq!((judged[0].trace, judged[0].timing), (id(1), Timing::Early(Cause::Room)));
    assert_eq!(sampler.due(seconds(5))[0].timing, Timing::Due);
}

#[test]
fn the_oldest_verdict_is_forgotten_and_its_trace_starts_anew() {
    let mut sampler = sampler(10, 2);
    fold(&mut sampler, 0, &[error(1), plain(2), plain(3)]);
    due(&mut sampler, 5);
    assert_eq!(sampler.remembered(), 2);
    assert_eq!(decision(&sampler, 1), None);
    assert_eq!(decision(&sampler, 2), Some(Decision::Drop));
    assert_eq!(fold(&mut sampler, 6, &[plain(1)]).new_traces, 1);
}

#[test]
fn one_huge_trace_costs_what_a_small_one_costs() {
    let mut sampler = sampler(10, 10);
    let payload = request(&vec![plain(1); 20_000]);
    for _ in 0..3 {
        with_batch(&payload, |batch| sampler.fold(seconds(0), batch));
    }
    fold(&mut sampler, 0, &[plain(2)]);
    assert_eq!(sampler.pending(), 2);
    let judged = sampler.due(seconds(5));
    assert_eq!(judged[0].summary.spans(), 60_000);
    assert_eq!(judged[1].trace, id(2));
}

#[test]
fn a_pending_trace_costs_less_than_a_hundred_bytes_and_a_remembered_one_less_than_forty() {
    // A bucket of the index holds seven entries and is three fifths full: 15.3 bytes an entry.
    let index = 64.0 / 7.0 / 0.6;
    assert!(size_of::<Pending>() as f64 + index < 100.0);
    assert!(size_of::<Remembered>() as f64 + index < 40.0);
}

#[test]
fn whoever_does_not_know_the_secret_cannot_choose_buckets() {
    let mut hashes: Vec<u64> = (0..=255).map(|trace| hash(&id(trace), SECRET)).collect();
    assert!((0..=255).all(|trace| hashes[usize::from(trace)] != hash(&id(trace), SECRET + 1)));
    hashes.sort_unstable();
    hashes.dedup();
    assert_eq!(hashes.len(), 256);
}

#[test]
fn reasons_are_named() {
    let mut sampler = sampler(10, 10);
    fold(&mut sampler, 0, &[error(1), plain(2)]);
    let judged = sampler.due(seconds(5));
    let reasons: Vec<_> = judged.iter().map(|judged| sampler.reason(judged.verdict.reason)).collect();
    assert_eq!(reasons, ["errors", "no policy matched"]);
}

#[test]
fn a_restart_keeps_every_verdict_with_its_reason() {
    let mut before = sampler(10, 10);
    fold(&mut before, 0, &[error(1), plain(2)]);
    let judged = before.due(seconds(5));
    let mut journal = Vec::new();
    before.journal(&judged, &mut journal);

    let block = "policies: [{name: other, type: always_sample}]";
    let mut after = Sampler::new(policies(block), 99);
    assert_eq!(after.recover(&journal, seconds(0)), Ok(2));
    assert_eq!(after.recover(&journal, seconds(0)), Ok(2), "a journal that is read twice changes nothing");
    assert_eq!(after.remembered(), 2);
    let folded = fold(&mut after, 1, &[plain(1), error(2)]);
    assert_eq!((folded.late_kept, folded.late_dropped, folded.new_traces), (1, 1, 0));
    let reason = after.verdict(&id(1)).map(|verdict| after.reason(verdict.reason));
    assert_eq!(reason, Some("errors"), "a policy that is gone by now");
    assert_eq!(after.recover(&[&[9], &journal[..]].concat(), seconds(0)), Err(JournalFault::Version(9)));
}

#[test]
fn a_verdict_from_elsewhere_stands_for_a_pending_trace_and_is_not_given_again() {
    let mut sampler = sampler(10, 10);
    fold(&mut sampler, 0, &[plain(1), plain(2)]);
    let keep = Verdict { decision: Decision::Keep, reason: Reason::EARLIER_POLICY };
    sampler.restore(id(1), keep, seconds(1));
    sampler.restore(id(3), keep, seconds(1));
    assert_eq!((decision(&sampler, 1), decision(&sampler, 3)), (Some(Decision::Keep), Some(Decision::Keep)));
    assert_eq!(due(&mut sampler, 60), [(2, Decision::Drop)]);
    assert_eq!(sampler.remembered(), 3);
}

#[test]
fn a_restored_verdict_only_rises() {
    let mut sampler = sampler(10, 10);
    let verdict = |decision| Verdict { decision, reason: Reason::EARLIER_POLICY };
    for (given, stands) in
        [(Decision::Drop, Decision::Drop), (Decision::Keep, Decision::Keep), (Decision::Drop, Decision::Keep)]
    {
        sampler.restore(id(1), verdict(given), seconds(0));
        assert_eq!(decision(&sampler, 1), Some(stands));
    }
}

#[test]
fn names_from_journals_are_bounded() {
    let mut sampler = sampler(10, 10);
    let names: Vec<String> = (0..3_000).map(|n| format!("policy {n}")).collect();
    let (decision, coverage) = (Decision::Keep, Coverage::Complete);
    let entry = |reason| Entry { trace: id(1), decision, reason, coverage, threshold: None };
    let entries: Vec<_> = names.iter().map(|name| entry(name)).collect();
    let mut journal = Vec::new();
    Entry::encode(&entries, &mut journal);
    sampler.recover(&journal, seconds(0)).unwrap();
    assert_eq!(sampler.reasons.brought("policy 2999", None), Reason::EARLIER_POLICY);
    assert_eq!(sampler.reason(Reason::EARLIER_POLICY), "an earlier policy");
}

#[test]
fn a_span_that_cannot_be_read_keeps_its_trace_and_is_counted() {
    let mut sampler = sampler(10, 10);
    let mut payload = request(&[plain(1)]);
    let walked = tollgate_otlp::walk_traces(&payload, &tollgate_otlp::Limits::default()).unwrap();
    // The bytes rot after the walk: the span's last field, an empty status, claims to be longer than what is there.
    let last = payload.len() - 1;
    payload[last] = 0x7f;
    let folded = sampler.fold(seconds(0), Batch::new(&payload, &walked.index));
    assert_eq!((folded.unreadable, folded.pending_spans), (1, 1));
    let judged = sampler.due(seconds(5));
    assert_eq!(judged[0].verdict, Verdict { decision: Decision::Keep, reason: Reason::EVALUATION_ERROR });
    assert!(judged[0].summary.is_unreadable());
}

#[test]
fn a_clock_read_out_of_order_does_not_break_the_queue() {
    let mut sampler = sampler(10, 10);
    fold(&mut sampler, 9, &[plain(1)]);
    fold(&mut sampler, 1, &[plain(2)]);
    assert_eq!(due(&mut sampler, 13), []);
    assert_eq!(due(&mut sampler, 14).len(), 2);
    assert!(sampler.due(Duration::MAX).is_empty());
}

/// What may happen to a sampler.
#[derive(Debug, Clone)]
enum Step {
    Fold(Vec<(u8, bool)>),
    Pass(u64),
    Judge,
    Restore(u8, bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => vec((0_u8..24, any::<bool>()), 1..12).prop_map(Step::Fold),
        2 => (0_u64..4).prop_map(Step::Pass),
        2 => Just(Step::Judge),
        1 => (0_u8..24, any::<bool>()).prop_map(|(trace, keep)| Step::Restore(trace, keep)),
    ]
}

/// The same rules over plain lists.
#[derive(Debug, Default)]
struct Model {
    now: u64,
    /// Trace, arrival, whether an error was seen, restored verdict.
    pending: VecDeque<(u8, u64, bool, Option<bool>)>,
    remembered: VecDeque<(u8, bool)>,
    judged: Vec<(u8, bool)>,
}

impl Model {
    const TRACES: usize = 5;
    const REMEMBERED: usize = 7;

    fn fold(&mut self, spans: &[(u8, bool)]) {
        let mut traces: Vec<(u8, bool)> = Vec::new();
        for (trace, error) in spans {
            match traces.iter_mut().find(|(known, _)| known == trace) {
                Some((_, seen)) => *seen |= error,
                None => traces.push((*trace, *error)),
            }
        }
        for (trace, error) in traces {
            if let Some(pending) = self.pending.iter_mut().find(|pending| pending.0 == trace) {
                pending.2 |= error;
            } else if !self.remembered.iter().any(|(known, _)| *known == trace) {
                self.push((trace, self.now, error, None));
            }
        }
    }

    fn push(&mut self, pending: (u8, u64, bool, Option<bool>)) {
        while self.pending.len() >= Self::TRACES {
            self.judge_oldest();
        }
        self.pending.push_back(pending);
    }

    fn judge_oldest(&mut self) {
        let (trace, _, error, restored) = self.pending.pop_front().unwrap();
        if restored.is_none() {
            self.judged.push((trace, error));
        }
        self.remember(trace, restored.unwrap_or(error));
    }

    fn remember(&mut self, trace: u8, keep: bool) {
        self.remembered.push_back((trace, keep));
        if self.remembered.len() > Self::REMEMBERED {
            self.remembered.pop_front();
        }
    }

    fn due(&mut self) -> Vec<(u8, bool)> {
        while self.pending.front().is_some_and(|(_, arrived, ..)| arrived + 5 <= self.now) {
            self.judge_oldest();
        }
        std::mem::take(&mut self.judged)
    }

    fn restore(&mut self, trace: u8, keep: bool) {
        if let Some((_, known)) = self.remembered.iter_mut().find(|(known, _)| *known == trace) {
            *known |= keep;
        } else if let Some(pending) = self.pending.iter_mut().find(|pending| pending.0 == trace) {
            pending.3 = Some(pending.3.unwrap_or(false) | keep);
        } else if self.pending.is_empty() {
            self.remember(trace, keep);
        } else {
            self.push((trace, self.now, false, Some(keep)));
        }
    }

    fn verdict(&self, trace: u8) -> Option<bool> {
        let remembered = self.remembered.iter().find(|(known, _)| *known == trace).map(|(_, keep)| *keep);
        remembered.or_else(|| self.pending.iter().find(|pending| pending.0 == trace).and_then(|pending| pending.3))
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn the_sampler_does_what_plain_lists_do(steps in vec(step(), 1..60)) {
        let (mut sampler, mut model) = (sampler(Model::TRACES, Model::REMEMBERED), Model::default());
        for step in steps {
            match step {
                Step::Fold(spans) => {
                    model.fold(&spans);
                    let seen = |&(trace, failed): &(u8, bool)| if failed { error(trace) } else { plain(trace) };
                    fold(&mut sampler, model.now, &spans.iter().map(seen).collect::<Vec<_>>());
                }
                Step::Pass(passed) => model.now += passed,
                Step::Judge => {
                    let judged = due(&mut sampler, model.now);
                    let kept: Vec<_> = judged.into_iter().map(|(t, decision)| (t, decision == Decision::Keep)).collect();
                    prop_assert_eq!(kept, model.due());
                }
                Step::Restore(trace, keep) => {
                    let decision = if keep { Decision::Keep } else { Decision::Drop };
                    let verdict = Verdict { decision, reason: Reason::EARLIER_POLICY };
                    sampler.restore(id(trace), verdict, seconds(model.now));
                    model.restore(trace, keep);
                }
            }
            prop_assert_eq!(sampler.pending(), model.pending.len());
            prop_assert_eq!(sampler.remembered(), model.remembered.len());
            // Those of a request and those asked for one by one; each trace twice, apart and side by side.
            let all: Vec<u8> = (0..24).chain((0..24).flat_map(|trace| [trace; 2])).collect();
            let payload = request(&all.iter().map(|trace| plain(*trace)).collect::<Vec<_>>());
            let verdicts = with_batch(&payload, |batch| sampler.verdicts(batch));
            prop_assert_eq!(verdicts.len(), all.len());
            for (trace, verdict) in all.into_iter().zip(verdicts) {
                let keep = decision(&sampler, trace).map(|decision| decision == Decision::Keep);
                prop_assert_eq!(keep, model.verdict(trace));
                prop_assert_eq!(verdict, sampler.verdict(&id(trace)));
            }
        }
    }
}

/// Guarantees: whoever follows traces learns which of a request were not known before it, to be judged or judged.
#[test]
fn traces_that_were_known_before_are_told_apart() {
    use crate::Novelty::{Known, New};
    let mut sampler = sampler(10, 10);
    let mut met = |now, traces: &[u8]| {
        due(&mut sampler, now);
        fold(&mut sampler, now, &traces.iter().map(|trace| plain(*trace)).collect::<Vec<_>>());
        sampler.met().map(|met| (met.trace, met.novelty)).collect::<Vec<_>>()
    };
    assert_eq!(met(0, &[1, 2, 1]), [(id(1), New), (id(2), New)]);
    assert_eq!(met(1, &[2, 3]), [(id(2), Known), (id(3), New)]);
    assert_eq!(met(9, &[4, 1, 2]), [(id(4), New), (id(1), Known), (id(2), Known)]);
}
