//! In the mode of trace states: the thresholds that kept spans carry count all that were there, on average.

use std::collections::BTreeMap;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message;
use tollgate_config::Set;
use tollgate_otlp::TraceId;

use crate::requests::with_batch;
use crate::tracestate::{self, Kept, Randomness, Threshold};
use crate::{Decision, PolicySet, Reason, Sampler, Verdict};

fn sampler(policies: &str) -> Sampler {
    let text = format!("use_tracestate: true\ntail_sampling: {{decision_wait: 1s, policies: [{policies}]}}\n");
    let (set, faults) = Set::from_texts([("policies/sampling.yaml", text.as_str())]);
    let policies = PolicySet::load(&set, &faults);
    assert!(faults.is_empty(), "{faults}");
    Sampler::new(policies.unwrap(), 7)
}

/// What is known of a trace before it is sampled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Class {
    failed: bool,
    gold: bool,
}

fn request(id: [u8; 16], class: Class, state: &str) -> Vec<u8> {
    let tier = AnyValue { value: Some(any_value::Value::StringValue(if class.gold { "gold" } else { "" }.to_owned())) };
    let span = Span {
        trace_id: id.to_vec(),
        span_id: vec![1; 8],
        trace_state: state.to_owned(),
        start_time_unix_nano: 1,
        end_time_unix_nano: 2,
        attributes: vec![KeyValue { key: "tier".to_owned(), value: Some(tier), ..KeyValue::default() }],
        status: Some(Status { code: if class.failed { 2 } else { 0 }, message: String::new() }),
        ..Span::default()
    };
    let scope_spans = vec![ScopeSpans { spans: vec![span], ..ScopeSpans::default() }];
    let resource_spans = vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }];
    ExportTraceServiceRequest { resource_spans }.encode_to_vec()
}

/// The trace state with which a trace of one span leaves, if it is kept.
fn leaves_with(sampler: &mut Sampler, id: [u8; 16], class: Class, state: &str, now: Duration) -> Option<String> {
    with_batch(&request(id, class, state), |batch| sampler.fold(now, batch));
    let judged = sampler.due(now + Duration::from_secs(1));
    let [judged] = judged.as_slice() else { panic!("one trace") };
    if judged.verdict.decision == Decision::Drop {
        return None;
    }
    let kept = sampler.kept_by(judged.verdict).unwrap();
    Some(tracestate::after(state, &TraceId(id), kept).unwrap_or_else(|| state.to_owned()))
}

fn threshold(state: &str) -> Option<Threshold> {
    let (_, digits) = state.split_once("th:")?;
    Threshold::parse(digits.split([';', ',']).next()?)
}

/// Numbers that are the same in every run.
struct Random(u128);

impl Random {
    fn next(&mut self) -> u128 {
        self.0 = self.0.wrapping_mul(0x2360_ed05_1fc6_5da4_4385_df64_9fcc_f645).wrapping_add(0x5851_f42d_4c95_7f2d);
        // The low bits of such a sequence are not random.
        self.0 ^ self.0 >> 64
    }
}

const SHARES: &str = "{name: errors, type: status_code, status_code: {status_codes: [ERROR]}}, \
    {name: rest, type: probabilistic, probabilistic: {sampling_percentage: 10}}, \
    {name: gold, type: and, and: {and_sub_policy: [\
        {name: g, type: string_attribute, string_attribute: {key: tier, values: [gold]}}, \
        {name: s, type: probabilistic, probabilistic: {sampling_percentage: 50}}]}}";

/// Guarantees: what an SDK kept by a quarter and central by class adds up to what there was, in each class.
#[test]
fn adjusted_counts_are_unbiased() {
    const TRACES: u32 = 40_000;
    let (mut sampler, mut random) = (sampler(SHARES), Random(1));
    let head = Threshold::of_ratio(0.25).unwrap();
    let mut classes: BTreeMap<(Class, bool), (f64, f64, f64)> = BTreeMap::new();
    for number in 0..TRACES {
        let id = random.next().to_be_bytes();
        let class = Class { failed: number % 20 == 0, gold: number % 3 == 0 };
        let at_sdk = number % 2 == 0;
        let of_class = classes.entry((class, at_sdk)).or_default();
        of_class.0 += 1.0;
        let state = if at_sdk { format!("v=1,ot=th:{}", head.digits()) } else { String::new() };
        if at_sdk && !head.keeps(Randomness::of(&TraceId(id))) {
            continue;
        }
        let now = Duration::from_secs(10 * u64::from(number));
        if let Some(left) = leaves_with(&mut sampler, id, class, &state, now) {
            let threshold = threshold(&left).unwrap();
            assert!(threshold.keeps(Randomness::of(&TraceId(id))), "a threshold is true of what carries it");
            assert!(!at_sdk || (threshold >= head && left.contains("v=1")));
            let count = threshold.adjusted_count();
            of_class.1 += count;
            of_class.2 += count * (count - 1.0);
        }
    }
    for (class, (there, counted, variance)) in classes {
        let error = (counted - there).abs();
        assert!(error <= 4.0 * variance.sqrt() + 1e-6, "{class:?}: {counted} of {there}");
    }
}

#[test]
fn shares_go_by_the_randomness_that_a_span_states() {
    let mut sampler = sampler("{name: half, type: probabilistic, probabilistic: {sampling_percentage: 50}}");
    let class = Class { failed: false, gold: false };
    let mut leaves = |last: u8, state: &str, second: u64| {
        let mut id = [9; 16];
        id[9] = last;
        leaves_with(&mut sampler, id, class, state, Duration::from_secs(second))
    };
    assert_eq!(leaves(0x80, "", 10).as_deref(), Some("ot=th:8"));
    assert_eq!(leaves(0x7f, "", 20), None);
    assert_eq!(leaves(0x7e, "ot=rv:80000000000000", 30).as_deref(), Some("ot=th:8;rv:80000000000000"));
    assert_eq!(leaves(0x81, "ot=rv:7fffffffffffff", 40), None);
}

#[test]
fn what_is_no_probability_erases_the_threshold() {
    let limit = "{name: l, type: rate_limiting, rate_limiting: {spans_per_second: 100}}";
    let errors = "{name: errors, type: status_code, status_code: {status_codes: [ERROR]}}";
    let share = "{name: s, type: probabilistic, probabilistic: {sampling_percentage: 50}}";
    let not = |inner: &str| format!("{{name: n, type: not, not: {{not_sub_policy: {inner}}}}}");
    let drop = |inner: &str| format!("{{name: d, type: drop, drop: {{drop_sub_policy: [{inner}]}}}}");
    let (failed, fine) = (Class { failed: true, gold: false }, Class { failed: false, gold: false });
    // Its randomness is all ones, but for what a negated share keeps.
    let (high, low) = ([0xff; 16], [1; 16]);
    for (policies, id, class, expected) in [
        (limit.to_owned(), high, fine, ""),
        (format!("{limit}, {errors}"), high, failed, "ot=th:4"),
        (format!("{limit}, {errors}"), high, fine, ""),
        (not(share), low, fine, ""),
        (format!("{errors}, {}", drop(&not(share))), high, failed, ""),
        (format!("{errors}, {}", drop(&not(errors))), high, failed, "ot=th:4"),
        (format!("{errors}, {share}"), high, fine, "ot=th:8"),
        (format!("{errors}, {share}"), high, failed, "ot=th:4"),
    ] {
        let state = if id == high { "ot=th:4" } else { "ot=th:0" };
        let left = leaves_with(&mut sampler(&policies), id, class, state, Duration::from_secs(9));
        assert_eq!(left.as_deref(), Some(expected), "{policies}");
    }
    assert_eq!(leaves_with(&mut sampler(share), low, fine, "", Duration::from_secs(9)), None);
    let by_hash = crate::requests::policies(&format!("policies: [{share}]"));
    let keep = |reason| Verdict { decision: Decision::Keep, reason };
    let by_hash = Sampler::new(by_hash, 7);
    assert_eq!(by_hash.kept_by(keep(Reason::NO_POLICY_MATCHED)), None, "off unless asked for");
    assert_eq!(sampler(share).kept_by(keep(Reason::EVALUATION_ERROR)), Some(Kept::Unknown));
}

/// Guarantees: a threshold is known of a verdict in the next process too, also where no policy of its set has it.
#[test]
fn a_threshold_outlives_the_process_and_its_policy() {
    let mut before = sampler("{name: half, type: probabilistic, probabilistic: {sampling_percentage: 50}}");
    let class = Class { failed: false, gold: false };
    with_batch(&request([0xff; 16], class, ""), |batch| before.fold(Duration::ZERO, batch));
    let mut journal = Vec::new();
    let judged = before.due(Duration::from_secs(1));
    before.journal(&judged, &mut journal);
    for policies in ["{name: half, type: probabilistic, probabilistic: {sampling_percentage: 50}}", SHARES] {
        let mut after = sampler(policies);
        after.recover(&journal, Duration::ZERO).unwrap();
        let verdict = after.verdict(&TraceId([0xff; 16])).unwrap();
        assert_eq!(after.kept_by(verdict), before.kept_by(judged[0].verdict), "{policies}");
        assert_eq!(after.reason(verdict.reason), "half");
        let again = after.verdict(&TraceId([0xff; 16]));
        after.recover(&journal, Duration::ZERO).unwrap();
        assert_eq!(after.verdict(&TraceId([0xff; 16])), again, "what is read twice changes nothing");
    }
}
