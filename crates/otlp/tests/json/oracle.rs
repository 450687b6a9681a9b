//! Reads our protobuf with prost, and makes protobuf for us to read.

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as Prost;
use tollgate_otlp::json::{self, JsonFault, JsonReason, Message};
use tollgate_otlp::{Fault, Limits, Writer};

pub(crate) fn decode(message: Message, text: &str) -> Result<Vec<u8>, JsonFault> {
    json::decode(message, text.as_bytes(), &Limits::default())
}

pub(crate) fn encode(message: Message, protobuf: &[u8]) -> Result<String, Fault> {
    let mut text = Vec::new();
    json::encode(message, protobuf, &mut text)?;
    Ok(String::from_utf8(text).unwrap())
}

pub(crate) fn prost<T: Prost + Default>(protobuf: &[u8]) -> Result<T, prost::DecodeError> {
    #[expect(clippy::disallowed_methods, reason = "prost is the oracle here")]
    T::decode(protobuf)
}

/// A body inside messages, each in the field of the one before.
pub(crate) fn within(fields: &[u32], body: &[u8]) -> Vec<u8> {
    fields.iter().rev().fold(body.to_vec(), |inner, number| {
        let mut outer = Vec::new();
        Writer::new(&mut outer).bytes(*number, &inner);
        outer
    })
}

/// A traces request whose one span has these JSON members.
pub(crate) fn request_of_span(members: &str) -> String {
    format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{{members}}}]}}]}}]}}"#)
}

/// The span that these JSON members make.
pub(crate) fn span(members: &str) -> Result<Span, JsonFault> {
    let protobuf = decode(Message::Traces, &request_of_span(members))?;
    let mut request: ExportTraceServiceRequest = prost(&protobuf).unwrap();
    Ok(request.resource_spans.remove(0).scope_spans.remove(0).spans.remove(0))
}

/// Why these members make no span.
pub(crate) fn span_fault(members: &str) -> JsonReason {
    span(members).unwrap_err().reason
}

/// The value that an attribute's JSON makes, if it makes one.
pub(crate) fn attribute(value: &str) -> Result<Option<Value>, JsonFault> {
    let span = span(&format!(r#""attributes":[{{"key":"k","value":{value}}}]"#))?;
    Ok(span.attributes.into_iter().next().unwrap().value.and_then(|any| any.value))
}

/// The data of the one metric that has these JSON members.
pub(crate) fn metric(members: &str) -> Result<Option<Data>, JsonFault> {
    let text = format!(r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{{{members}}}]}}]}}]}}"#);
    let mut request: ExportMetricsServiceRequest = prost(&decode(Message::Metrics, &text)?).unwrap();
    Ok(request.resource_metrics.remove(0).scope_metrics.remove(0).metrics.remove(0).data)
}
