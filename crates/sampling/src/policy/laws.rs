//! Laws that hold for all policies and traces, judged through the sampler, beside a plain evaluator.

use std::fmt::Write as _;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use tollgate_otlp::TraceId;

use super::reference::{PlainSpan, Spec, is_kept, request, rising, span, spec};
use crate::requests::{policies, with_batch};
use crate::{Decision, Sampler};

/// A list of policies, with so many before it that look for things no span has.
fn block(specs: &[Spec], padding: usize) -> String {
    let mut block = String::from("{decision_wait: 5s, policies: [");
    for number in 0..padding {
        let looks_for = format!("{{key: absent.{number}, values: [v]}}");
        write!(block, "{{name: a{number}, type: string_attribute, string_attribute: {looks_for}}}, ").unwrap();
    }
    for (number, spec) in specs.iter().enumerate() {
        write!(block, "{{name: p{number}, {}}}, ", spec.yaml()).unwrap();
    }
    block + "]}"
}

/// What a sampler decides of a trace that comes in these requests.
fn decides_keep(block: &str, id: [u8; 16], requests: &[Vec<PlainSpan>]) -> bool {
    let mut sampler = Sampler::new(policies(block), 7);
    for (number, spans) in requests.iter().enumerate() {
        let now = Duration::from_millis(number as u64);
        with_batch(&request(id, spans), |batch| sampler.fold(now, batch));
    }
    let judged = sampler.due(Duration::from_secs(9));
    assert_eq!((judged.len(), judged[0].trace), (1, TraceId(id)));
    judged[0].verdict.decision == Decision::Keep
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Guarantees: every type without a limit, nested at will, means what it says, whatever the order of spans and however
    /// they are parted into requests, and whether marks fit the summary or not.
    #[test]
    fn any_policies_judge_any_trace_as_a_plain_evaluator_does(
        specs in vec(spec(), 1..5), spans in vec((span(), 0_usize..3, any::<u32>()), 1..7), id: [u8; 16],
        padding in prop_oneof![2 => Just(0_usize), 1 => 60_usize..70, 1 => 120_usize..140],
    ) {
        let plain: Vec<PlainSpan> = spans.iter().map(|(span, ..)| span.clone()).collect();
        let mut shuffled = spans;
        shuffled.sort_by_key(|(.., key)| *key);
        let mut parts = vec![Vec::new(); 3];
        shuffled.into_iter().for_each(|(span, part, _)| parts[part].push(span));
        parts.retain(|part| !part.is_empty());
        let block = block(&specs, padding);
        prop_assert_eq!(decides_keep(&block, id, &parts), is_kept(&specs, &plain, &id), "{}", block);
    }

    #[test]
    fn without_vetoes_negation_and_upper_bounds_more_evidence_never_drops(
        specs in vec(rising(), 1..4), spans in vec(span(), 1..5), more in vec(span(), 0..5), id: [u8; 16],
    ) {
        let block = block(&specs, 0);
        let less = decides_keep(&block, id, std::slice::from_ref(&spans));
        prop_assert!(!less || decides_keep(&block, id, &[spans, more]));
    }
}
