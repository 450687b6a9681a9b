//! What prost writes walks clean and is found whole; what a walk accepts of anything, prost reads.

use opentelemetry_proto::tonic::{
    collector::{
        logs::v1::ExportLogsServiceRequest, metrics::v1::ExportMetricsServiceRequest,
        trace::v1::ExportTraceServiceRequest,
    },
    logs::v1::LogRecord,
    metrics::v1::Metric,
    trace::v1::Span,
};
use proptest::{prelude::*, test_runner::TestCaseResult};
use prost::Message;
use tollgate_otlp::{Batch, Fault, Limits, TraceId, Walked, select, walk_logs, walk_metrics, walk_traces};

use crate::generate::{self, Damage, damage, damages};

type Walk = fn(&[u8], &Limits) -> Result<Walked, Fault>;

/// What prost and the index say of one item: what it travels under, itself, and its trace.
type Seen<T> = (Vec<u8>, String, Vec<u8>, String, T, Option<TraceId>);

fn seen<T: Message + Default>(payload: &[u8], walked: &Walked) -> Vec<Seen<T>> {
    let mut seen = Vec::new();
    for resource in Batch::new(payload, &walked.index).resources() {
        for scope in resource.scopes() {
            seen.extend(scope.items().map(|item| {
                (
                    resource.resource().to_vec(),
                    resource.schema_url().to_owned(),
                    scope.scope().to_vec(),
                    scope.schema_url().to_owned(),
                    T::decode(item.body()).unwrap(),
                    item.trace_id(),
                )
            }));
        }
    }
    seen
}

/// The trace id as this crate should see it.
fn trace(id: &[u8]) -> Option<TraceId> {
    id.try_into().ok().map(TraceId).filter(|id| id.0 != [0; 16])
}

fn encoded<T: Message>(message: &Option<T>) -> Vec<u8> {
    message.as_ref().map(Message::encode_to_vec).unwrap_or_default()
}

macro_rules! expected {
    ($request:expr, $resources:ident, $scopes:ident, $items:ident, $trace:expr) => {{
        let mut expected = Vec::new();
        for r in &$request.$resources {
            for s in &r.$scopes {
                for item in &s.$items {
                    let (resource, scope) = (encoded(&r.resource), encoded(&s.scope));
                    let trace = $trace(item);
                    expected.push((resource, r.schema_url.clone(), scope, s.schema_url.clone(), item.clone(), trace));
                }
            }
        }
        expected
    }};
}

/// Never panics, and after selecting all that was accepted prost reads exactly as many items.
fn survives<T: Message + Default>(
    walk: Walk,
    bytes: Vec<u8>,
    damages: &[Damage],
    count: impl Fn(&T) -> usize,
) -> TestCaseResult {
    let bytes = damage(bytes, damages);
    let Ok(walked) = walk(&bytes, &Limits::default()) else { return Ok(()) };
    let mut chosen = Vec::new();
    let copied = select(Batch::new(&bytes, &walked.index), |_| true, &mut chosen);
    prop_assert_eq!(copied, walked.index.items());
    let read = T::decode(chosen.as_slice());
    prop_assert!(read.is_ok(), "accepted, but prost says {:?}", read.err());
    prop_assert_eq!(count(&read.unwrap()), copied);
    // What was selected is accepted again, whole.
    let again = walk(&chosen, &Limits::default());
    prop_assert_eq!(again.map(|again| (again.index.items(), again.rejected)), Ok((copied, None)));
    Ok(())
}

fn spans(request: &ExportTraceServiceRequest) -> usize {
    request.resource_spans.iter().flat_map(|r| &r.scope_spans).map(|s| s.spans.len()).sum()
}

fn metrics(request: &ExportMetricsServiceRequest) -> usize {
    request.resource_metrics.iter().flat_map(|r| &r.scope_metrics).map(|s| s.metrics.len()).sum()
}

fn log_records(request: &ExportLogsServiceRequest) -> usize {
    request.resource_logs.iter().flat_map(|r| &r.scope_logs).map(|s| s.log_records.len()).sum()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn every_span_is_found_with_its_trace_under_its_resource_and_scope(request in generate::traces()) {
        let bytes = request.encode_to_vec();
        let walked = walk_traces(&bytes, &Limits::default()).unwrap();
        prop_assert_eq!(walked.rejected, None);
        let expected = expected!(request, resource_spans, scope_spans, spans, |span: &Span| trace(&span.trace_id));
        prop_assert_eq!(seen::<Span>(&bytes, &walked), expected);
    }

    #[test]
    fn every_metric_is_found_under_its_resource_and_scope(request in generate::metrics()) {
        let bytes = request.encode_to_vec();
        let walked = walk_metrics(&bytes, &Limits::default()).unwrap();
        prop_assert_eq!(walked.rejected, None);
        let expected = expected!(request, resource_metrics, scope_metrics, metrics, |_: &Metric| None);
        prop_assert_eq!(seen::<Metric>(&bytes, &walked), expected);
    }

    #[test]
    fn every_log_record_is_found_with_its_trace_under_its_resource_and_scope(request in generate::logs()) {
        let bytes = request.encode_to_vec();
        let walked = walk_logs(&bytes, &Limits::default()).unwrap();
        prop_assert_eq!(walked.rejected, None);
        let expected =
            expected!(request, resource_logs, scope_logs, log_records, |log: &LogRecord| trace(&log.trace_id));
        prop_assert_eq!(seen::<LogRecord>(&bytes, &walked), expected);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn damaged_traces_are_refused_or_readable(request in generate::traces(), damages in damages()) {
        survives(walk_traces, request.encode_to_vec(), &damages, spans)?;
    }

    #[test]
    fn damaged_metrics_are_refused_or_readable(request in generate::metrics(), damages in damages()) {
        survives(walk_metrics, request.encode_to_vec(), &damages, metrics)?;
    }

    #[test]
    fn damaged_logs_are_refused_or_readable(request in generate::logs(), damages in damages()) {
        survives(walk_logs, request.encode_to_vec(), &damages, log_records)?;
    }

    #[test]
    fn arbitrary_bytes_are_refused_or_readable(bytes in prop::collection::vec(prop_oneof![0_u8..32, any::<u8>()], 0..80)) {
        survives(walk_traces, bytes.clone(), &[], spans)?;
        survives(walk_metrics, bytes.clone(), &[], metrics)?;
        survives(walk_logs, bytes, &[], log_records)?;
    }
}
