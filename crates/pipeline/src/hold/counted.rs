//! What tail sampling counts, as a dashboard made for the Collector reads it.

use tollgate_otlp::TraceId;

use super::tests::{Bench, ERRORS, WAIT, error, span};
use crate::rig;

/// Guarantees: votes, verdicts, late spans, and what of which reason went where, under the Collector's names where the
/// meaning is its.
#[tokio::test]
async fn verdicts_votes_and_late_spans_are_counted_as_the_collector_counts_them() {
    let mut bench = Bench::new().await;
    bench.append(&[error(1, 10), span(1, 11), span(2, 20)]).await;
    bench.settle().await;
    bench.pass(WAIT);
    bench.append(&[span(1, 12), error(2, 21), span(3, 30)]).await;
    bench.settle().await;
    let of = |name: &str, text: &str| bench.counted.read(name, text);
    let collectors = |name: &str, text: &str| of(&format!("otelcol_processor_tail_sampling_{name}"), text);
    let kept = "policy=\"errors\",sampled=\"true\",decision=\"sampled\"";
    let dropped = "policy=\"errors\",sampled=\"false\",decision=\"not_sampled\"";
    assert_eq!([kept, dropped].map(|labels| collectors("count_traces_sampled_total", labels)), [1, 2]);
    assert_eq!([kept, dropped].map(|labels| collectors("count_spans_sampled_total", labels)), [2, 2]);
    assert_eq!(collectors("global_count_traces_sampled_total", "sampled=\"false\",decision=\"not_sampled\""), 2);
    assert_eq!(collectors("sampling_policy_execution_count_total", "policy=\"errors\""), 3);
    assert_eq!(collectors("new_trace_id_received_total", ""), 3);
    let late = ["true", "false"].map(|sampled| format!("sampled=\"{sampled}\""));
    assert_eq!(late.each_ref().map(|labels| collectors("early_releases_from_cache_decision_total", labels)), [1, 1]);
    assert_eq!(collectors("sampling_late_span_age_count", ""), 2);
    assert_eq!(collectors("sampling_trace_removal_age_count", ""), 3);
    assert!(collectors("sampling_decision_timer_latency_count", "") >= 2);
    let reasons = ["errors", "no policy matched"].map(|reason| format!("reason=\"{reason}\""));
    assert_eq!(reasons.each_ref().map(|reason| of("tollgate_sampling_verdicts_total", reason)), [1, 2]);
    assert_eq!(reasons.each_ref().map(|reason| of("tollgate_sampling_reason_spans_total", reason)), [3, 3]);
    assert!(reasons.each_ref().iter().all(|reason| of("tollgate_sampling_reason_bytes_total", reason) > 3 * 16));
}

/// Guarantees: of however many policies every one is counted, and told of in the history.
#[tokio::test]
async fn every_policy_votes_and_is_counted() {
    let policies: Vec<_> = (0..130).map(|number| ERRORS.replace("name: errors", &format!("name: p{number}"))).collect();
    let mut bench = Bench::with(tempfile::tempdir().unwrap(), 1000, &policies.join("\n    - "), "").await;
    bench.append(&[error(1, 10), span(2, 20)]).await;
    bench.settle().await;
    for number in [0, 63, 64, 129] {
        let labels = format!("policy=\"p{number}\",sampled=\"true\",decision=\"sampled\"");
        let counted = bench.counted.read("otelcol_processor_tail_sampling_count_traces_sampled_total", &labels);
        assert_eq!(counted, 1, "{labels}");
        let asked = "otelcol_processor_tail_sampling_sampling_policy_execution_count_total";
        assert_eq!(bench.counted.read(asked, &format!("policy=\"p{number}\"")), 2);
    }
    let why = bench.hold.history.as_ref().unwrap().why(&TraceId(rig::trace_id(1)));
    let votes = why["verdict"]["votes"].as_array().unwrap();
    assert_eq!(votes.len(), 130);
    assert!(votes.iter().all(|vote| vote["vote"] == "keep"), "{why}");
}

/// Guarantees: a policy that is called like a reason is told apart from it, also by the next process, and spans name it as
/// the document does.
#[tokio::test]
async fn a_policy_called_like_a_reason_is_told_apart_from_it() {
    let policy = ERRORS.replace("name: errors", "name: no policy matched");
    let mut bench = Bench::with(tempfile::tempdir().unwrap(), 1000, &policy, "record_policy: true\n").await;
    bench.append(&[error(1, 10), span(2, 20)]).await;
    bench.settle().await;
    for (reason, sampled) in [("policy: no policy matched", true), ("no policy matched", false)] {
        let labels = format!("reason=\"{reason}\",sampled=\"{sampled}\"");
        assert_eq!(bench.counted.read("tollgate_sampling_verdicts_total", &labels), 1, "{labels}");
    }
    let records = bench.records().await;
    assert!(records.iter().any(|record| record.payload.windows(18).any(|window| window == b"\x11no policy matched")));
    let bench = bench.crashed_into(&policy).await;
    let reason =
        |trace| bench.hold.history.as_ref().unwrap().why(&TraceId(rig::trace_id(trace)))["verdict"]["reason"].clone();
    assert_eq!([reason(1), reason(2)], ["policy: no policy matched", "no policy matched"]);
}

/// Guarantees: a condition that cannot be evaluated on a span is counted, whatever its `error_mode` makes of it.
#[tokio::test]
async fn conditions_that_fail_are_counted() {
    for (mode, then) in [("propagate", "no_answer"), ("ignore", "passed_over"), ("silent", "passed_over")] {
        let condition = "'attributes[\"none\"] / 0 == 1'";
        let policy =
            format!("{{name: c, type: ottl_condition, ottl_condition: {{error_mode: {mode}, span: [{condition}]}}}}");
        let mut bench = Bench::with(tempfile::tempdir().unwrap(), 1000, &policy, "").await;
        bench.append(&[span(1, 10), span(1, 11), span(2, 20)]).await;
        bench.settle().await;
        let labels = format!("then=\"{then}\"");
        assert_eq!(bench.counted.read("tollgate_sampling_condition_failures_total", &labels), 3, "{mode}");
    }
}

/// Guarantees: with `record_policy` kept spans name the policy that kept them, and none is lost or doubled.
#[tokio::test]
async fn kept_spans_name_their_policy_if_asked_to() {
    let mut bench = Bench::recording().await;
    bench.append(&[error(1, 10), span(1, 11), span(2, 20), error(3, 30)]).await;
    bench.settle().await;
    assert_eq!(bench.kept().await, [10, 11, 30]);
    let records = bench.records().await;
    let named = records.iter().filter(|record| {
        let payload = &record.payload;
        payload.windows(6).any(|window| window == b"errors")
            && payload.windows(19).any(|window| window == b"tailsampling.policy")
    });
    assert_eq!(named.count(), records.iter().filter(|record| record.kind == crate::records::KEPT).count());
}
