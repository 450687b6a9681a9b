//! What holds for whole traces judged one after another: limits and who is charged, vetoes, sizes, and evidence that is cut off.

use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, span};
use prost::Message;

use super::*;
use crate::requests::{Seen, error, id, plain, policies, request, span, with_batch};
use crate::summary::Summary;
use crate::{Judged, Sampler};

const ERRORS: &str = "{name: errors, type: status_code, status_code: {status_codes: [ERROR]}}";
const GOLD: &str = "{name: gold, type: string_attribute, string_attribute: {key: tier, values: [gold]}}";

/// Judges traces that arrive at these milliseconds, each by itself, and says what kept or dropped it.
fn reasons(block: &str, traces: &[(u64, Vec<Seen>)]) -> Vec<(Decision, String)> {
    let mut sampler = Sampler::new(policies(block), 7);
    let mut judged: Vec<Judged> = Vec::new();
    for (millis, spans) in traces {
        let now = Duration::from_millis(*millis);
        judged.extend(sampler.due(now));
        with_batch(&request(spans), |batch| sampler.fold(now, batch));
    }
    judged.extend(sampler.due(Duration::from_secs(1_000_000)));
    let said = |judged: &Judged| (judged.verdict.decision, sampler.reason(judged.verdict.reason).to_owned());
    judged.iter().map(said).collect()
}

fn kept(block: &str, traces: &[(u64, Vec<Seen>)]) -> Vec<bool> {
    reasons(block, traces).into_iter().map(|(decision, _)| decision == Decision::Keep).collect()
}

fn gold(trace: u8) -> Seen {
    Seen { tier: "gold", ..plain(trace) }
}

#[test]
fn a_rate_limit_charges_each_trace_with_its_spans_at_its_verdict() {
    let block =
        "{decision_wait: 1s, policies: [{name: some, type: rate_limiting, rate_limiting: {spans_per_second: 2}}]}";
    let traces: Vec<_> = (0..6).map(|trace| (0, vec![plain(trace)])).collect();
    assert_eq!(kept(block, &traces), [true, true, true, true, false, false], "what two seconds bring, at once");
    let steady: Vec<_> = (0..6).map(|trace| (u64::from(trace) * 1_000, vec![plain(trace); 3])).collect();
    assert_eq!(kept(block, &steady)[..5], [true, true, false, true, true], "of 4, 1 and 2 more, 2, 4, 1 and 2 more");
    let large = [(0, vec![plain(1); 5]), (0, vec![plain(2); 4])];
    assert_eq!(kept(block, &large), [false, true], "what the bucket cannot hold never passes, and is not charged");
    let burst = block.replace("second: 2", "second: 2, burst_capacity: 5");
    assert_eq!(kept(&burst, &large), [true, false]);
}

#[test]
fn every_policy_is_charged_unless_the_first_match_ends_the_vote() {
    let limit = "{name: some, type: rate_limiting, rate_limiting: {spans_per_second: 1, burst_capacity: 1}}";
    let block = format!("{{decision_wait: 1s, policies: [{ERRORS}, {limit}]}}");
    let traces = [(0, vec![error(1)]), (0, vec![plain(2)])];
    assert_eq!(kept(&block, &traces), [true, false], "as for the Collector, also whom another policy wants pays");
    let first = block.replacen('{', "{sample_on_first_match: true, ", 1);
    assert_eq!(kept(&first, &traces), [true, true]);
    let both = format!("{{policies: [{{name: b, type: and, and: {{and_sub_policy: [{ERRORS}, {limit}]}}}}]}}");
    let traces = [(0, vec![plain(2)]), (0, vec![error(1)])];
    assert_eq!(kept(&both, &traces), [false, true], "behind a condition only whom it lets through pays");
}

#[test]
fn the_first_match_ends_the_vote_for_all_but_those_that_may_veto() {
    let drop = format!("{{name: d, type: drop, drop: {{drop_sub_policy: [{GOLD}]}}}}");
    let all = "{name: all, type: always_sample}";
    let gold = Seen { tier: "gold", ..error(1) };
    let traces = [(0, vec![gold]), (0, vec![error(2)]), (0, vec![plain(3)])];
    for veto in [
        drop.clone(),
        format!("{{name: v, type: and, and: {{and_sub_policy: [{ERRORS}, {drop}]}}}}"),
        format!("{{name: v, type: or, or: {{or_sub_policy: [{ERRORS}, {drop}]}}}}"),
        format!("{{name: v, type: not, not: {{not_sub_policy: {drop}}}}}"),
    ] {
        for first in [true, false] {
            let block = format!("{{sample_on_first_match: {first}, decision_wait: 1s, policies: [{all}, {veto}]}}");
            assert_eq!(kept(&block, &traces), [false, true, true], "{block}");
        }
    }
}

fn composite(rest: &str) -> String {
    let subs = format!("composite_sub_policy: [{ERRORS}, {GOLD}, {{name: all, type: always_sample}}]");
    let keys = format!("max_total_spans_per_second: 10, {subs}, {rest}");
    format!("{{decision_wait: 1s, policies: [{{name: c, type: composite, composite: {{{keys}}}}}]}}")
}

#[test]
fn a_composite_shares_its_rate_and_starts_anew_each_second() {
    let shared = composite("rate_allocation: [{policy: errors, percent: 50}, {policy: gold, percent: 30}]");
    let errors = |trace| (0, vec![error(trace); 5]);
    assert_eq!(kept(&shared, &[errors(1), errors(2)]), [true, false]);
    let traces = [(0, vec![gold(1); 4]), (0, vec![gold(2); 3]), (0, vec![plain(3); 3]), (0, vec![plain(4); 2])];
    assert_eq!(kept(&shared, &traces), [false, true, false, true], "who is not named gets the rest, a fifth");
    let later = [errors(1), errors(2), (1_000, vec![error(3); 5])];
    assert_eq!(kept(&shared, &later), [true, false, true]);
}

#[test]
fn the_sum_of_a_composite_is_bounded_and_nobody_else_is_asked() {
    let greedy = composite("rate_allocation: [{policy: errors, percent: 80}, {policy: gold, percent: 80}]");
    let traces = [(0, vec![error(1); 8]), (0, vec![gold(2); 3]), (0, vec![gold(3); 2])];
    assert_eq!(kept(&greedy, &traces), [true, false, true], "the Collector keeps 11 of 10 here");
    let equal = composite("policy_order: [errors]");
    let both = Seen { tier: "gold", ..error(2) };
    let traces = [(0, vec![error(1); 3]), (0, vec![both; 3]), (0, vec![gold(3); 3])];
    assert_eq!(kept(&equal, &traces), [true, false, true], "the first that wants it decides, as for the Collector");
}

#[test]
fn a_composite_asks_in_its_policy_order() {
    let order = composite("policy_order: [all, errors], rate_allocation: [{policy: all, percent: 10}]");
    assert_eq!(
        kept(&order, &[(0, vec![error(1); 2])]),
        [false],
        "all is asked before errors, and has one span a second"
    );
    assert_eq!(kept(&order.replace("[all, errors]", "[errors]"), &[(0, vec![error(1); 2])]), [true]);
}

#[test]
fn a_veto_beats_every_wish_and_is_the_reason() {
    let drop = format!("{{name: no-gold, type: drop, drop: {{drop_sub_policy: [{GOLD}]}}}}");
    let block = format!("{{decision_wait: 1s, policies: [{ERRORS}, {drop}]}}");
    let both = Seen { tier: "gold", ..error(2) };
    let judged = reasons(&block, &[(0, vec![error(1)]), (0, vec![both]), (0, vec![plain(3)])]);
    let expected = [(Decision::Keep, "errors"), (Decision::Drop, "no-gold"), (Decision::Drop, "no policy matched")];
    assert_eq!(judged, expected.map(|(decision, reason)| (decision, reason.to_owned())));
}

#[test]
fn what_could_not_be_read_is_never_held_against_a_trace() {
    let not = |inner: &str| format!("{{name: n, type: not, not: {{not_sub_policy: {inner}}}}}");
    let drop = |inner: &str| format!("{{name: d, type: drop, drop: {{drop_sub_policy: [{inner}]}}}}");
    let never = "{name: never, type: probabilistic, probabilistic: {sampling_percentage: 0}}";
    let decide = |list: &str, spans: &[Seen]| {
        let policies = policies(&format!("policies: [{list}]"));
        let mut summary = policies.observe(&[0x0a]);
        spans.iter().for_each(|seen| summary.merge(&policies.observe(&span(seen).encode_to_vec())));
        let verdict = policies.verdict(&id(1), (&summary).into(), &mut policies.limits(), Duration::ZERO);
        (verdict.decision, verdict.reason)
    };
    let error_of_evaluation = (Decision::Keep, Reason::EVALUATION_ERROR);
    for list in [never.to_owned(), GOLD.to_owned(), not(GOLD), drop(&not(GOLD)), drop(GOLD)] {
        assert_eq!(decide(&list, &[]), error_of_evaluation, "{list}");
    }
    assert_eq!(decide(&drop(GOLD), &[gold(1)]), (Decision::Drop, Reason::policy(0)), "what was read decides alone");
    assert_eq!(decide(&not(GOLD), &[gold(1)]), error_of_evaluation);
    let short = "{name: s, type: latency, latency: {threshold_ms: 0, upper_threshold_ms: 9}}";
    assert_eq!(decide(&drop(short), &[plain(1)]), error_of_evaluation, "it may have lasted longer");
}

#[test]
fn bytes_are_those_of_the_trace_with_its_resources_and_scopes() {
    let spans: Vec<Seen> = (0..40).map(|_| gold(1)).collect();
    // As the Collector keeps them: each resource and scope that has spans of the trace, and these.
    let weight = request(&spans).len() as u64;
    let block = |most: u64| {
        format!(
            "{{decision_wait: 1s, maximum_trace_size_bytes: {most}, policies: [{{name: all, type: always_sample}}]}}"
        )
    };
    let too_large = (Decision::Drop, "larger than maximum_trace_size_bytes".to_owned());
    let once = [(0, spans.clone())];
    assert_eq!(reasons(&block(weight * 95 / 100), &once), std::slice::from_ref(&too_large));
    assert_eq!(kept(&block(weight * 105 / 100), &once), [true]);
    let halves = [(0, spans[..20].to_vec()), (0, spans[20..].to_vec())];
    assert_eq!(reasons(&block(weight * 95 / 100), &halves), [too_large], "the sum of all requests");
    let limit = |burst: u64| {
        let rate = format!("{{bytes_per_second: 1, burst_capacity: {burst}}}");
        format!("{{decision_wait: 1s, policies: [{{name: b, type: bytes_limiting, bytes_limiting: {rate}}}]}}")
    };
    assert_eq!(kept(&limit(weight * 95 / 100), &once), [false]);
    let other = spans.iter().map(|seen| Seen { trace: 2, ..seen.clone() }).collect();
    assert_eq!(kept(&limit(weight * 105 / 100), &[(0, spans), (0, other)]), [true, false]);
}

#[test]
fn a_resource_weighs_once_for_all_its_spans_of_a_trace() {
    let long = "a".repeat(1_000);
    let payload = {
        let resource = Resource { attributes: crate::requests::text("host.name", &long), ..Resource::default() };
        let spans = (0..10).map(|_| Span { trace_state: String::new(), ..span(&plain(1)) }).collect();
        let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
        let resource_spans = vec![ResourceSpans { resource: Some(resource), scope_spans, ..ResourceSpans::default() }];
        ExportTraceServiceRequest { resource_spans }.encode_to_vec()
    };
    let most = payload.len() as u64 * 105 / 100;
    let block = format!("{{maximum_trace_size_bytes: {most}, policies: [{{name: all, type: always_sample}}]}}");
    let mut sampler = Sampler::new(policies(&block), 7);
    with_batch(&payload, |batch| sampler.fold(Duration::ZERO, batch));
    assert_eq!(sampler.due(Duration::from_secs(60))[0].verdict.decision, Decision::Keep);
}

#[test]
fn what_comes_long_after_a_root_is_not_judged_by() {
    let block = format!("{{decision_wait: 9s, decision_wait_after_root_received: 2s, policies: [{ERRORS}]}}");
    let root = |trace| plain(trace);
    let child = |seen: Seen| Seen { parent: 7, ..seen };
    assert_eq!(kept(&block, &[(0, vec![root(1)]), (1_999, vec![child(error(1))])]), [true]);
    assert_eq!(kept(&block, &[(0, vec![root(1)]), (2_000, vec![child(error(1))])]), [false]);
    assert_eq!(kept(&block, &[(0, vec![child(plain(1))]), (8_000, vec![child(error(1))])]), [true], "no root was seen");
    let two_roots = [(0, vec![root(1)]), (1_000, vec![root(1)]), (2_500, vec![error(1)])];
    assert_eq!(kept(&block, &two_roots), [false], "the first root counts");
    let mut sampler = Sampler::new(policies(&block), 7);
    with_batch(&request(&[root(1)]), |batch| sampler.fold(Duration::ZERO, batch));
    assert_eq!(sampler.next_due(), Some(Duration::from_secs(9)), "no verdict is given earlier");
}

fn condition(keys: &str) -> String {
    format!("{{name: c, type: ottl_condition, ottl_condition: {{{keys}}}}}")
}

#[test]
fn one_condition_of_one_span_or_event_keeps_a_trace() {
    let block = |keys: &str| format!("policies: [{}]", condition(keys));
    let traces = [(0, vec![plain(1), gold(1)]), (0, vec![plain(2)])];
    let gold = r#"'attributes["tier"] == "gold"'"#;
    assert_eq!(kept(&block(&format!("span: ['false', {gold}]")), &traces), [true, false]);
    assert_eq!(kept(&block(&format!("spanevent: [{}]", gold.replace("attr", "span.attr"))), &traces), [false, false]);
    let event = |name: &str| span::Event { name: name.to_owned(), ..span::Event::default() };
    let span = Span { events: vec![event("a"), event("b")], ..span(&plain(1)) };
    let scope_spans = vec![ScopeSpans { spans: vec![span], ..ScopeSpans::default() }];
    let resource_spans = vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }];
    let payload = ExportTraceServiceRequest { resource_spans }.encode_to_vec();
    for (name, decision) in [("b", Decision::Keep), ("c", Decision::Drop)] {
        let mut sampler = Sampler::new(policies(&block(&format!("spanevent: ['name == \"{name}\"']"))), 7);
        with_batch(&payload, |batch| sampler.fold(Duration::ZERO, batch));
        assert_eq!(sampler.due(Duration::from_secs(60))[0].verdict.decision, decision, "{name}");
    }
}

/// Guarantees: what a condition cannot answer is counted, and keeps the trace if its mode is to propagate errors.
#[test]
fn a_condition_without_an_answer_keeps_and_counts() {
    let failing = r#"error_mode: propagate, span: ['attributes["tier"] / 0 == 1']"#;
    let never = format!("policies: [{}]", condition(&failing.replace("propagate", "Ignore")));
    let unsaid = format!("policies: [{}]", condition(&failing.replace("error_mode: propagate, ", "")));
    for block in [&never, &unsaid] {
        assert_eq!(kept(block, &[(0, vec![plain(1)])]), [false], "{block}");
    }
    let block = format!("policies: [{}]", condition(failing));
    let judged = reasons(&block, &[(0, vec![plain(1)])]);
    assert_eq!(judged, [(Decision::Keep, "evaluation error".to_owned())]);
    let drop = |inner: &str| format!("{{name: d, type: drop, drop: {{drop_sub_policy: [{inner}]}}}}");
    assert_eq!(kept(&format!("policies: [{}]", drop(&condition(failing))), &[(0, vec![plain(1)])]), [true]);
    let vetoed = format!("policies: [{}, {}]", condition(failing), drop(GOLD));
    assert_eq!(kept(&vetoed, &[(0, vec![plain(1), gold(1)])]), [false], "a veto that is certain stands");
    for (block, errors, passed_over) in [(block, 2, 0), (never, 0, 2), (unsaid, 0, 2)] {
        let mut sampler = Sampler::new(policies(&block), 7);
        let folded = with_batch(&request(&[plain(1), plain(1)]), |batch| sampler.fold(Duration::ZERO, batch));
        assert_eq!((folded.evaluation_errors, folded.passed_over), (errors, passed_over));
    }
}

/// Guarantees: what is not configured takes no memory.
#[test]
fn only_sets_that_need_one_have_a_second_column() {
    let width = |block: &str| policies(block).layout().width();
    let simple = format!("policies: [{ERRORS}, {GOLD}, {{name: s, type: latency, latency: {{threshold_ms: 1}}}}]");
    assert_eq!(width(&simple), 0);
    assert!(policies(&simple).is_narrow());
    assert_eq!(size_of::<Summary>(), 32);
    let look =
        |n: usize| format!("{{name: l{n}, type: string_attribute, string_attribute: {{key: k{n}, values: [v]}}}}, ");
    let many = |count: usize| format!("policies: [{}]", (0..count).map(look).collect::<String>());
    assert_eq!((width(&many(63)), width(&many(64)), width(&many(190))), (0, 1, 3));
    let again = |n: usize| look(5).replace("l5", &format!("again{n}"));
    assert_eq!(
        width(&format!("policies: [{}]", (0..200).map(again).collect::<String>())),
        0,
        "equal looks share a mark"
    );
    assert_eq!(
        width(
            "{decision_wait_after_root_received: 1s, maximum_trace_size_bytes: 9, policies: [{name: a, type: always_sample}]}"
        ),
        2
    );
}

/// Guarantees: a policy whose mark lies in the second column sees resources and spans, in every part of a trace.
#[test]
fn the_hundredth_policy_sees_what_the_first_sees() {
    let look = |n: usize, key: &str, value: &str| {
        format!("{{name: l{n}, type: string_attribute, string_attribute: {{key: {key}, values: [{value}]}}}}, ")
    };
    let others: String = (0..100).map(|n| look(n, &format!("k{n}"), "v")).collect();
    let of_resource = format!("{{decision_wait: 1s, policies: [{others} {}]}}", look(100, "service.name", "shop"));
    assert_eq!(kept(&of_resource, &[(0, vec![plain(1)])]), [true]);
    assert_eq!(kept(&of_resource, &[(0, vec![Seen { service: "", ..plain(1) }])]), [false]);
    let of_span = format!("{{decision_wait: 1s, policies: [{others} {}]}}", look(100, "tier", "gold"));
    assert_eq!(kept(&of_span, &[(0, vec![gold(1)]), (1, vec![plain(1)]), (2, vec![plain(2)])]), [true, false]);
    assert_eq!(kept(&of_span, &[(0, vec![plain(1), plain(2)]), (1, vec![gold(2)])]), [false, true]);
}
