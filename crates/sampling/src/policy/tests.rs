//! What each policy means, and that order, partition and repetition do not matter.

use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::{Span, Status, span::Event};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use prost::Message;

use super::*;
use crate::requests::{Seen, error, id, plain, policies, span};
use crate::summary::{Mark, Summary};

fn observed(policies: &PolicySet, spans: &[Seen]) -> Summary {
    let mut summary = Summary::default();
    for seen in spans {
        let body = span(seen).encode_to_vec();
        summary.merge(&policies.observe(&body));
    }
    summary
}

fn judged(policies: &PolicySet, trace: u8, summary: &Summary) -> Verdict {
    policies.verdict(&id(trace), summary.into(), &mut policies.limits(), Duration::ZERO)
}

fn kept(block: &str, spans: &[Seen]) -> bool {
    let policies = policies(&format!("policies: [{block}]"));
    let summary = observed(&policies, spans);
    judged(&policies, spans[0].trace, &summary).decision == Decision::Keep
}

const ERRORS: &str = "{name: errors, type: status_code, status_code: {status_codes: [ERROR]}}";
const SLOW: &str = "{name: slow, type: latency, latency: {threshold_ms: 500}}";
const BETWEEN: &str = "{name: between, type: latency, latency: {threshold_ms: 500, upper_threshold_ms: 900}}";
const GOLD: &str = "{name: gold, type: string_attribute, string_attribute: {key: tier, values: [gold]}}";
const NOT_GOLD: &str =
    "{name: not-gold, type: string_attribute, string_attribute: {key: tier, values: [gold], invert_match: true}}";
const NEVER: &str = "{name: never, type: probabilistic, probabilistic: {sampling_percentage: 0}}";

fn lasting(start_ms: u64, end_ms: u64) -> Seen {
    Seen { start_ms, end_ms, ..plain(1) }
}

#[test]
fn always_sample_keeps_everything() {
    assert!(kept("{name: all, type: always_sample}", &[plain(1)]));
    assert!(!kept(NEVER, &[plain(1)]));
}

#[test]
fn one_span_with_the_status_keeps_the_trace() {
    assert!(!kept(ERRORS, &[plain(1), plain(1)]));
    assert!(kept(ERRORS, &[plain(1), error(1), plain(1)]));
    let unset_or_ok = "{name: fine, type: status_code, status_code: {status_codes: [UNSET, OK]}}";
    assert!(!kept(unset_or_ok, &[error(1)]));
    assert!(kept(unset_or_ok, &[error(1), plain(1)]));
    assert!(kept(unset_or_ok, &[Seen { status: 1, ..plain(1) }]));
    assert!(!kept(unset_or_ok, &[Seen { status: 7, ..plain(1) }]), "a code that OpenTelemetry does not define");
}

#[test]
fn latency_runs_from_the_earliest_start_to_the_latest_end() {
    assert!(!kept(SLOW, &[lasting(0, 500)]), "the lower bound is exclusive");
    assert!(kept(SLOW, &[lasting(0, 501)]));
    assert!(kept(SLOW, &[lasting(0, 300), lasting(400, 700)]), "no single span is slow, the trace is");
    assert!(!kept(SLOW, &[lasting(900, 100)]), "a clock that ran backwards is not slow");
}

#[test]
fn latency_with_an_upper_bound_judges_the_final_range() {
    assert!(!kept(BETWEEN, &[lasting(0, 500)]));
    assert!(kept(BETWEEN, &[lasting(0, 900)]), "the upper bound is inclusive");
    assert!(!kept(BETWEEN, &[lasting(0, 901)]));
    // The Collector keeps this one or not by the order of arrival; we judge the whole.
    assert!(!kept(BETWEEN, &[lasting(0, 600), lasting(0, 2_000)]));
}

#[test]
fn latency_truncates_to_milliseconds() {
    let policies = policies(&format!("policies: [{SLOW}]"));
    let summary = |nanos| Summary { min_start: 0, max_end: nanos, ..Summary::default() };
    let decision = |nanos| judged(&policies, 1, &summary(nanos)).decision;
    assert_eq!(decision(500_999_999), Decision::Drop);
    assert_eq!(decision(501_000_000), Decision::Keep);
}

#[test]
fn inverted_matching_wants_traces_in_which_nothing_matches() {
    let gold = Seen { tier: "gold", ..plain(1) };
    let silver = Seen { tier: "silver", ..plain(1) };
    assert!(kept(GOLD, &[plain(1), gold.clone()]));
    assert!(!kept(GOLD, &[plain(1), silver.clone()]));
    assert!(!kept(NOT_GOLD, &[silver.clone(), gold]));
    assert!(kept(NOT_GOLD, &[silver]));
    assert!(kept(NOT_GOLD, &[plain(1)]), "the key is missing");
}

#[test]
fn expressions_match_anywhere_in_a_value() {
    let matching = "{name: e, type: string_attribute, string_attribute: \
                    {key: tier, values: ['^x', 'ol'], enabled_regex_matching: true, cache_max_size: 9}}";
    assert!(kept(matching, &[Seen { tier: "gold", ..plain(1) }]));
    assert!(!kept(matching, &[Seen { tier: "ox", ..plain(1) }]));
}

#[test]
fn a_resource_counts_like_a_span() {
    let policies = policies(&format!("policies: [{}]", GOLD.replace("tier", "service.name")));
    let mut body = Vec::new();
    tollgate_otlp::Writer::new(&mut body).key_string(1, "service.name", "gold");
    let summary = policies.observe_resource(&body);
    assert_eq!(judged(&policies, 1, &summary).decision, Decision::Keep);
    assert_eq!(policies.observe_resource(&[]), Summary::default());
}

#[test]
fn the_first_policy_that_wants_a_trace_is_the_reason() {
    let policies = policies(&format!("policies: [{NEVER}, {ERRORS}, {SLOW}]"));
    let reason = |spans: &[Seen]| judged(&policies, 1, &observed(&policies, spans)).reason;
    let slow = lasting(0, 9_000);
    assert_eq!(reason(&[slow.clone(), error(1)]), Reason::policy(1));
    assert_eq!(reason(&[slow]), Reason::policy(2));
    assert_eq!(reason(&[plain(1)]), Reason::NO_POLICY_MATCHED);
    assert_eq!(policies.names().collect::<Vec<_>>(), ["never", "errors", "slow"]);
}

#[test]
fn what_cannot_be_evaluated_is_kept() {
    let policies = policies(&format!("policies: [{NEVER}, {ERRORS}]"));
    let mut summary = observed(&policies, &[plain(1)]);
    summary.merge(&policies.observe(&[0x0a]));
    let verdict = judged(&policies, 1, &summary);
    assert_eq!(verdict, Verdict { decision: Decision::Keep, reason: Reason::EVALUATION_ERROR });
    summary.merge(&observed(&policies, &[error(1)]));
    assert_eq!(judged(&policies, 1, &summary).reason, Reason::policy(1), "a policy is the better reason");
}

#[test]
fn sizing_follows_the_rate_the_wait_and_a_fifth() {
    let sized = policies(&format!("{{decision_wait: 10s, expected_new_traces_per_sec: 10, policies: [{ERRORS}]}}"));
    assert_eq!(sized.bounds().needed_traces(), 120);
}

/// One block with every kind of policy, and what it decides, written down a second time without summaries.
const EVERY_KIND: &str = "policies:
  - {name: errors, type: status_code, status_code: {status_codes: [ERROR]}}
  - {name: between, type: latency, latency: {threshold_ms: 500, upper_threshold_ms: 900}}
  - {name: gold, type: string_attribute, string_attribute: {key: tier, values: [gold]}}
  - {name: not-silver, type: string_attribute, string_attribute: {key: tier, values: ['^s'], \
     enabled_regex_matching: true, invert_match: true}}";

fn expected_reason(spans: &[Seen]) -> Reason {
    let start = spans.iter().map(|span| span.start_ms).min().unwrap();
    let end = spans.iter().map(|span| span.end_ms).max().unwrap();
    let wants = [
        spans.iter().any(|span| span.status == 2),
        end > start && (501..=900).contains(&(end - start)),
        spans.iter().any(|span| span.tier == "gold"),
        spans.iter().all(|span| !span.tier.starts_with('s')),
    ];
    wants.into_iter().position(|wants| wants).map_or(Reason::NO_POLICY_MATCHED, Reason::policy)
}

fn any_span() -> impl Strategy<Value = Seen> {
    (select(vec![0, 0, 0, 0, 1, 2]), 0_u64..400, 0_u64..1_200, select(vec!["", "gold", "silver", "silver", "silver"]))
        .prop_map(|(status, start_ms, end_ms, tier)| Seen { status, start_ms, end_ms, tier, ..plain(1) })
}

/// A span as an SDK may write it: long and short fields, numbers of every width, keys of all kinds.
fn any_encoded() -> impl Strategy<Value = Span> {
    let text = "[a-z]{0,12}|[a-z]{100,300}";
    let value = prop_oneof![
        3 => prop_oneof![Just("gold".to_owned()), Just(String::new()), text.prop_map(String::from)].prop_map(string),
        1 => any::<i64>().prop_map(any_value::Value::IntValue),
    ];
    let attribute = (select(vec!["tier", "tie", "tiers", "reit", ""]), value).prop_map(|(key, value)| KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    });
    let event = text.prop_map(|name| Event { name, time_unix_nano: 7, ..Event::default() });
    let status = (any::<i32>(), text).prop_map(|(code, message)| Status { code, message });
    let status = prop::option::of(prop_oneof![Just(error_status()), status]);
    let own = (text, any::<i32>(), any::<u64>(), any::<u64>(), any::<u32>());
    (own, vec(attribute, 0..6), vec(event, 0..3), status).prop_map(|(own, attributes, events, status)| {
        let (name, kind, start_time_unix_nano, end_time_unix_nano, flags) = own;
        let own = Span { name, kind, start_time_unix_nano, end_time_unix_nano, flags, ..span(&plain(1)) };
        Span { attributes, events, status, ..own }
    })
}

fn string(text: String) -> any_value::Value {
    any_value::Value::StringValue(text)
}

fn error_status() -> Status {
    Status { code: 2, message: String::new() }
}

proptest! {
    #[test]
    fn one_pass_sees_what_a_decoder_sees(encoded in any_encoded()) {
        let policies = policies(&format!("policies: [{ERRORS}, {GOLD}]"));
        let seen = policies.observe(&encoded.encode_to_vec());
        prop_assert_eq!((seen.min_start, seen.max_end), (encoded.start_time_unix_nano, encoded.end_time_unix_nano));
        prop_assert_eq!(seen.marks.contains(Mark::of(0).bit), encoded.status.is_some_and(|status| status.code == 2));
        let tier = encoded.attributes.iter().find(|attribute| attribute.key == "tier");
        let value = tier.and_then(|tier| tier.value.clone()?.value);
        prop_assert_eq!(seen.marks.contains(Mark::of(1).bit), value == Some(string("gold".to_owned())));
        prop_assert!(!seen.is_unreadable());
    }

    #[test]
    fn no_bytes_make_the_pass_panic(body in vec(any::<u8>(), 0..80)) {
        policies(&format!("policies: [{GOLD}]")).observe(&body);
    }
}

proptest! {
    #[test]
    fn every_order_partition_and_repetition_gives_the_same_verdict(
        spans in vec((any_span(), 0_usize..4, 0_u64..), 1..12), repeated in 0_usize..4,
    ) {
        let policies = policies(EVERY_KIND);
        let mut shuffled = spans.clone();
        shuffled.sort_by_key(|(_, _, key)| *key);
        let mut parts: [Vec<Seen>; 4] = Default::default();
        for (seen, part, _) in shuffled {
            parts[part].push(seen);
        }
        parts[(repeated + 1) % 4] = [parts[repeated].clone(), parts[(repeated + 1) % 4].clone()].concat();
        let mut summary = Summary::default();
        parts.iter().for_each(|part| summary.merge(&observed(&policies, part)));
        let spans: Vec<Seen> = spans.into_iter().map(|(seen, _, _)| seen).collect();
        prop_assert_eq!(judged(&policies, 1, &summary).reason, expected_reason(&spans));
    }

    #[test]
    fn without_upper_bounds_and_inversion_more_evidence_never_drops(
        spans in vec(any_span(), 1..8), more in vec(any_span(), 0..8), trace: u8,
    ) {
        let block = format!("policies: [{ERRORS}, {SLOW}, {GOLD}, \
                             {{name: half, type: probabilistic, probabilistic: {{sampling_percentage: 50}}}}]");
        let policies = policies(&block);
        let less = judged(&policies, trace, &observed(&policies, &spans));
        let all = judged(&policies, trace, &observed(&policies, &[spans, more].concat()));
        prop_assert!(all.decision >= less.decision);
    }
}
