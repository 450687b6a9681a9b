//! What a fake backend got, in the order of its arrival.

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::metrics::v1::Metric;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;

/// A span with all that stood above it in its request.
#[derive(Clone, Debug)]
pub struct ReceivedSpan {
    /// Its resource.
    pub resource: Resource,
    /// Its scope.
    pub scope: InstrumentationScope,
    /// The span itself.
    pub span: Span,
}

/// A log record with all that stood above it in its request.
#[derive(Clone, Debug)]
pub struct ReceivedLog {
    /// Its resource.
    pub resource: Resource,
    /// Its scope.
    pub scope: InstrumentationScope,
    /// The record itself.
    pub record: LogRecord,
}

/// A metric with all that stood above it in its request.
#[derive(Clone, Debug)]
pub struct ReceivedMetric {
    /// Its resource.
    pub resource: Resource,
    /// Its scope.
    pub scope: InstrumentationScope,
    /// The metric itself.
    pub metric: Metric,
}

/// The string that an attribute holds, if there is one of that key and it is a string.
pub fn text_of<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a str> {
    let found = attributes.iter().find(|attribute| attribute.key == key)?;
    match found.value.as_ref()?.value.as_ref()? {
        any_value::Value::StringValue(text) => Some(text),
        _ => None,
    }
}

/// One request as it came, its message inflated.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) message: Bytes,
}

#[derive(Debug, Default)]
pub(crate) struct Received {
    pub(crate) arrivals: Vec<Arrival>,
    pub(crate) traces: Vec<ExportTraceServiceRequest>,
    pub(crate) metrics: Vec<ExportMetricsServiceRequest>,
    pub(crate) logs: Vec<ExportLogsServiceRequest>,
}

impl Received {
    pub(crate) fn raw(&self) -> Vec<u8> {
        let mut raw = Vec::new();
        for arrival in &self.arrivals {
            for (name, value) in &arrival.headers {
                raw.extend_from_slice(format!("{name}: {value}\n").as_bytes());
            }
            raw.extend_from_slice(&arrival.message);
            raw.push(b'\n');
        }
        raw
    }

    pub(crate) fn spans(&self) -> Vec<ReceivedSpan> {
        let mut all = Vec::new();
        for group in self.traces.iter().flat_map(|request| &request.resource_spans) {
            for scoped in &group.scope_spans {
                all.extend(scoped.spans.iter().map(|span| ReceivedSpan {
                    resource: group.resource.clone().unwrap_or_default(),
                    scope: scoped.scope.clone().unwrap_or_default(),
                    span: span.clone(),
                }));
            }
        }
        all
    }

    pub(crate) fn logs(&self) -> Vec<ReceivedLog> {
        let mut all = Vec::new();
        for group in self.logs.iter().flat_map(|request| &request.resource_logs) {
            for scoped in &group.scope_logs {
                all.extend(scoped.log_records.iter().map(|record| ReceivedLog {
                    resource: group.resource.clone().unwrap_or_default(),
                    scope: scoped.scope.clone().unwrap_or_default(),
                    record: record.clone(),
                }));
            }
        }
        all
    }

    pub(crate) fn metrics(&self) -> Vec<ReceivedMetric> {
        let mut all = Vec::new();
        for group in self.metrics.iter().flat_map(|request| &request.resource_metrics) {
            for scoped in &group.scope_metrics {
                all.extend(scoped.metrics.iter().map(|metric| ReceivedMetric {
                    resource: group.resource.clone().unwrap_or_default(),
                    scope: scoped.scope.clone().unwrap_or_default(),
                    metric: metric.clone(),
                }));
            }
        }
        all
    }
}
