//! The messages of OTLP 1.10: traces, metrics and logs, requests and responses.
//!
//! Promises:
//! 1. Every field of the official definition is here, and nothing else: a test compares them.
//! 2. Fields stand in the order of their numbers, which is the order that encoders write.
//!
//! Not here: profiles, which are still in development.

use super::descriptor::Kind::{
    Bool, Bytes, Double, Enum, Fixed32, Fixed64, Id, Int32, Int64, Message, Sfixed64, Sint32, String, Uint32, Uint64,
};
use super::descriptor::{Descriptor, Field, Kind, Rule};

const fn one(number: u32, name: &'static str, kind: Kind) -> Field {
    Field { number, name, kind, rule: Rule::Plain }
}

const fn optional(number: u32, name: &'static str, kind: Kind) -> Field {
    Field { number, name, kind, rule: Rule::Optional }
}

const fn oneof(number: u32, name: &'static str, kind: Kind) -> Field {
    Field { number, name, kind, rule: Rule::Oneof }
}

const fn many(number: u32, name: &'static str, kind: Kind) -> Field {
    Field { number, name, kind, rule: Rule::Repeated }
}

// Common.

static ANY_VALUE: Descriptor = Descriptor::new(&[
    oneof(1, "stringValue", String),
    oneof(2, "boolValue", Bool),
    oneof(3, "intValue", Int64),
    oneof(4, "doubleValue", Double),
    oneof(5, "arrayValue", Message(&ARRAY_VALUE)),
    oneof(6, "kvlistValue", Message(&KEY_VALUE_LIST)),
    oneof(7, "bytesValue", Bytes),
    oneof(8, "stringValueStrindex", Int32),
]);

static ARRAY_VALUE: Descriptor = Descriptor::new(&[many(1, "values", Message(&ANY_VALUE))]);

static KEY_VALUE_LIST: Descriptor = Descriptor::new(&[many(1, "values", Message(&KEY_VALUE))]);

static KEY_VALUE: Descriptor =
    Descriptor::new(&[one(1, "key", String), one(2, "value", Message(&ANY_VALUE)), one(3, "keyStrindex", Int32)]);

static SCOPE: Descriptor = Descriptor::new(&[
    one(1, "name", String),
    one(2, "version", String),
    many(3, "attributes", Message(&KEY_VALUE)),
    one(4, "droppedAttributesCount", Uint32),
]);

static ENTITY_REF: Descriptor = Descriptor::new(&[
    one(1, "schemaUrl", String),
    one(2, "type", String),
    many(3, "idKeys", String),
    many(4, "descriptionKeys", String),
]);

static RESOURCE: Descriptor = Descriptor::new(&[
    many(1, "attributes", Message(&KEY_VALUE)),
    one(2, "droppedAttributesCount", Uint32),
    many(3, "entityRefs", Message(&ENTITY_REF)),
]);

// Traces.

pub(super) static TRACES: Descriptor = Descriptor::new(&[many(1, "resourceSpans", Message(&RESOURCE_SPANS))]);

static RESOURCE_SPANS: Descriptor = Descriptor::new(&[
    one(1, "resource", Message(&RESOURCE)),
    many(2, "scopeSpans", Message(&SCOPE_SPANS)),
    one(3, "schemaUrl", String),
]);

static SCOPE_SPANS: Descriptor =
    Descriptor::new(&[one(1, "scope", Message(&SCOPE)), many(2, "spans", Message(&SPAN)), one(3, "schemaUrl", String)]);

static SPAN: Descriptor = Descriptor::new(&[
    one(1, "traceId", Id),
    one(2, "spanId", Id),
    one(3, "traceState", String),
    one(4, "parentSpanId", Id),
    one(5, "name", String),
    one(6, "kind", Enum),
    one(7, "startTimeUnixNano", Fixed64),
    one(8, "endTimeUnixNano", Fixed64),
    many(9, "attributes", Message(&KEY_VALUE)),
    one(10, "droppedAttributesCount", Uint32),
    many(11, "events", Message(&EVENT)),
    one(12, "droppedEventsCount", Uint32),
    many(13, "links", Message(&LINK)),
    one(14, "droppedLinksCount", Uint32),
    one(15, "status", Message(&STATUS)),
    one(16, "flags", Fixed32),
]);

static EVENT: Descriptor = Descriptor::new(&[
    one(1, "timeUnixNano", Fixed64),
    one(2, "name", String),
    many(3, "attributes", Message(&KEY_VALUE)),
    one(4, "droppedAttributesCount", Uint32),
]);

static LINK: Descriptor = Descriptor::new(&[
    one(1, "traceId", Id),
    one(2, "spanId", Id),
    one(3, "traceState", String),
    many(4, "attributes", Message(&KEY_VALUE)),
    one(5, "droppedAttributesCount", Uint32),
    one(6, "flags", Fixed32),
]);

static STATUS: Descriptor = Descriptor::new(&[one(2, "message", String), one(3, "code", Enum)]);

// Metrics.

pub(super) static METRICS: Descriptor = Descriptor::new(&[many(1, "resourceMetrics", Message(&RESOURCE_METRICS))]);

static RESOURCE_METRICS: Descriptor = Descriptor::new(&[
    one(1, "resource", Message(&RESOURCE)),
    many(2, "scopeMetrics", Message(&SCOPE_METRICS)),
    one(3, "schemaUrl", String),
]);

static SCOPE_METRICS: Descriptor = Descriptor::new(&[
    one(1, "scope", Message(&SCOPE)),
    many(2, "metrics", Message(&METRIC)),
    one(3, "schemaUrl", String),
]);

static METRIC: Descriptor = Descriptor::new(&[
    one(1, "name", String),
    one(2, "description", String),
    one(3, "unit", String),
    oneof(5, "gauge", Message(&GAUGE)),
    oneof(7, "sum", Message(&SUM)),
    oneof(9, "histogram", Message(&HISTOGRAM)),
    oneof(10, "exponentialHistogram", Message(&EXPONENTIAL_HISTOGRAM)),
    oneof(11, "summary", Message(&SUMMARY)),
    many(12, "metadata", Message(&KEY_VALUE)),
]);

static GAUGE: Descriptor = Descriptor::new(&[many(1, "dataPoints", Message(&NUMBER_POINT))]);

static SUM: Descriptor = Descriptor::new(&[
    many(1, "dataPoints", Message(&NUMBER_POINT)),
    one(2, "aggregationTemporality", Enum),
    one(3, "isMonotonic", Bool),
]);

static HISTOGRAM: Descriptor =
    Descriptor::new(&[many(1, "dataPoints", Message(&HISTOGRAM_POINT)), one(2, "aggregationTemporality", Enum)]);

static EXPONENTIAL_HISTOGRAM: Descriptor =
    Descriptor::new(&[many(1, "dataPoints", Message(&EXPONENTIAL_POINT)), one(2, "aggregationTemporality", Enum)]);

static SUMMARY: Descriptor = Descriptor::new(&[many(1, "dataPoints", Message(&SUMMARY_POINT))]);

static NUMBER_POINT: Descriptor = Descriptor::new(&[
    one(2, "startTimeUnixNano", Fixed64),
    one(3, "timeUnixNano", Fixed64),
    oneof(4, "asDouble", Double),
    many(5, "exemplars", Message(&EXEMPLAR)),
    oneof(6, "asInt", Sfixed64),
    many(7, "attributes", Message(&KEY_VALUE)),
    one(8, "flags", Uint32),
]);

static HISTOGRAM_POINT: Descriptor = Descriptor::new(&[
    one(2, "startTimeUnixNano", Fixed64),
    one(3, "timeUnixNano", Fixed64),
    one(4, "count", Fixed64),
    optional(5, "sum", Double),
    many(6, "bucketCounts", Fixed64),
    many(7, "explicitBounds", Double),
    many(8, "exemplars", Message(&EXEMPLAR)),
    many(9, "attributes", Message(&KEY_VALUE)),
    one(10, "flags", Uint32),
    optional(11, "min", Double),
    optional(12, "max", Double),
]);

static EXPONENTIAL_POINT: Descriptor = Descriptor::new(&[
    many(1, "attributes", Message(&KEY_VALUE)),
    one(2, "startTimeUnixNano", Fixed64),
    one(3, "timeUnixNano", Fixed64),
    one(4, "count", Fixed64),
    optional(5, "sum", Double),
    one(6, "scale", Sint32),
    one(7, "zeroCount", Fixed64),
    one(8, "positive", Message(&BUCKETS)),
    one(9, "negative", Message(&BUCKETS)),
    one(10, "flags", Uint32),
    many(11, "exemplars", Message(&EXEMPLAR)),
    optional(12, "min", Double),
    optional(13, "max", Double),
    one(14, "zeroThreshold", Double),
]);

static BUCKETS: Descriptor = Descriptor::new(&[one(1, "offset", Sint32), many(2, "bucketCounts", Uint64)]);

static SUMMARY_POINT: Descriptor = Descriptor::new(&[
    one(2, "startTimeUnixNano", Fixed64),
    one(3, "timeUnixNano", Fixed64),
    one(4, "count", Fixed64),
    one(5, "sum", Double),
    many(6, "quantileValues", Message(&QUANTILE)),
    many(7, "attributes", Message(&KEY_VALUE)),
    one(8, "flags", Uint32),
]);

static QUANTILE: Descriptor = Descriptor::new(&[one(1, "quantile", Double), one(2, "value", Double)]);

static EXEMPLAR: Descriptor = Descriptor::new(&[
    one(2, "timeUnixNano", Fixed64),
    oneof(3, "asDouble", Double),
    one(4, "spanId", Id),
    one(5, "traceId", Id),
    oneof(6, "asInt", Sfixed64),
    many(7, "filteredAttributes", Message(&KEY_VALUE)),
]);

// Logs.

pub(super) static LOGS: Descriptor = Descriptor::new(&[many(1, "resourceLogs", Message(&RESOURCE_LOGS))]);

static RESOURCE_LOGS: Descriptor = Descriptor::new(&[
    one(1, "resource", Message(&RESOURCE)),
    many(2, "scopeLogs", Message(&SCOPE_LOGS)),
    one(3, "schemaUrl", String),
]);

static SCOPE_LOGS: Descriptor = Descriptor::new(&[
    one(1, "scope", Message(&SCOPE)),
    many(2, "logRecords", Message(&LOG_RECORD)),
    one(3, "schemaUrl", String),
]);

static LOG_RECORD: Descriptor = Descriptor::new(&[
    one(1, "timeUnixNano", Fixed64),
    one(2, "severityNumber", Enum),
    one(3, "severityText", String),
    one(5, "body", Message(&ANY_VALUE)),
    many(6, "attributes", Message(&KEY_VALUE)),
    one(7, "droppedAttributesCount", Uint32),
    one(8, "flags", Fixed32),
    one(9, "traceId", Id),
    one(10, "spanId", Id),
    one(11, "observedTimeUnixNano", Fixed64),
    one(12, "eventName", String),
]);

// Responses.

pub(super) static TRACES_RESPONSE: Descriptor = Descriptor::new(&[one(1, "partialSuccess", Message(&TRACES_PARTIAL))]);

static TRACES_PARTIAL: Descriptor = Descriptor::new(&[one(1, "rejectedSpans", Int64), one(2, "errorMessage", String)]);

pub(super) static METRICS_RESPONSE: Descriptor =
    Descriptor::new(&[one(1, "partialSuccess", Message(&METRICS_PARTIAL))]);

static METRICS_PARTIAL: Descriptor =
    Descriptor::new(&[one(1, "rejectedDataPoints", Int64), one(2, "errorMessage", String)]);

pub(super) static LOGS_RESPONSE: Descriptor = Descriptor::new(&[one(1, "partialSuccess", Message(&LOGS_PARTIAL))]);

static LOGS_PARTIAL: Descriptor =
    Descriptor::new(&[one(1, "rejectedLogRecords", Int64), one(2, "errorMessage", String)]);

/// `google.rpc.Status`, the body of an OTLP/HTTP error. Its `details` are `Any` messages, which
/// have a JSON form of their own; OTLP gives them no meaning outside gRPC, so they are unknown here.
pub(super) static STATUS_OF_CALL: Descriptor = Descriptor::new(&[one(1, "code", Int32), one(2, "message", String)]);

#[cfg(test)]
mod tests;
