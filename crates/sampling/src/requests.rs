//! Requests and policies for this crate's tests, made with the generated types and not with our own writer.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message;
use tollgate_otlp::{Batch, Limits, TraceId, walk_traces};

use crate::PolicySet;

/// What the policies can see of a span.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Seen {
    pub(crate) trace: u8,
    pub(crate) status: i32,
    pub(crate) start_ms: u64,
    pub(crate) end_ms: u64,
    /// `service.name` of the resource; none if empty.
    pub(crate) service: &'static str,
    /// `tier` of the span; none if empty.
    pub(crate) tier: &'static str,
    /// The span id of the parent; a root if zero.
    pub(crate) parent: u8,
}

/// A span of this trace that no policy wants.
pub(crate) fn plain(trace: u8) -> Seen {
    Seen { trace, status: 0, start_ms: 1_000, end_ms: 1_001, service: "shop", tier: "", parent: 0 }
}

/// A span of this trace with an error.
pub(crate) fn error(trace: u8) -> Seen {
    Seen { status: 2, ..plain(trace) }
}

pub(crate) fn id(trace: u8) -> TraceId {
    let mut id = [0xa5; 16];
    id[15] = trace;
    TraceId(id)
}

/// Reads a block of policies with a short wait.
pub(crate) fn policies(block: &str) -> PolicySet {
    let (document, faults) = tollgate_config::parse("sampling.yaml", block);
    let read = document.root(&faults).read();
    assert!(faults.is_empty(), "{faults}");
    read.unwrap()
}

/// The bytes of a request, one resource for each span.
pub(crate) fn request(spans: &[Seen]) -> Vec<u8> {
    let resource_spans = spans.iter().map(resource_spans).collect();
    ExportTraceServiceRequest { resource_spans }.encode_to_vec()
}

/// Walks a request and hands it over.
pub(crate) fn with_batch<T>(payload: &[u8], take: impl FnOnce(Batch<'_>) -> T) -> T {
    let walked = walk_traces(payload, &Limits::default()).unwrap();
    assert!(walked.rejected.is_none());
    take(Batch::new(payload, &walked.index))
}

pub(crate) fn span(seen: &Seen) -> Span {
    Span {
        trace_id: id(seen.trace).as_bytes().to_vec(),
        span_id: vec![1; 8],
        parent_span_id: if seen.parent == 0 { Vec::new() } else { vec![seen.parent; 8] },
        start_time_unix_nano: seen.start_ms * 1_000_000,
        end_time_unix_nano: seen.end_ms * 1_000_000,
        attributes: text("tier", seen.tier),
        status: Some(Status { code: seen.status, message: String::new() }),
        ..Span::default()
    }
}

fn resource_spans(seen: &Seen) -> ResourceSpans {
    let resource = Resource { attributes: text("service.name", seen.service), ..Resource::default() };
    let scope_spans = vec![ScopeSpans { spans: vec![span(seen)], ..ScopeSpans::default() }];
    ResourceSpans { resource: Some(resource), scope_spans, ..ResourceSpans::default() }
}

pub(crate) fn text(key: &str, value: &str) -> Vec<KeyValue> {
    if value.is_empty() {
        return Vec::new();
    }
    let value = AnyValue { value: Some(any_value::Value::StringValue(value.to_owned())) };
    vec![KeyValue { key: key.to_owned(), value: Some(value), ..KeyValue::default() }]
}
