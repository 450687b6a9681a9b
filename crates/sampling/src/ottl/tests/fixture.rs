//! One span with everything on it, made with the generated types and not with our own writer.

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{Span, Status};
use prost::Message;

use crate::ottl::{Condition, Context, EvaluationError, View};

/// The bodies that a view borrows.
pub(super) struct Bodies {
    resource: Vec<u8>,
    scope: Vec<u8>,
    span: Vec<u8>,
    event: Vec<u8>,
}

impl Bodies {
    pub(super) fn of_everything() -> Self {
        let event = Event {
            time_unix_nano: 2_500_000_000,
            name: "exception".to_owned(),
            attributes: vec![pair("exception.type", text("Timeout"))],
            dropped_attributes_count: 3,
        };
        Self {
            resource: resource().encode_to_vec(),
            scope: scope().encode_to_vec(),
            span: span(event.clone()).encode_to_vec(),
            event: event.encode_to_vec(),
        }
    }

    pub(super) fn view(&self) -> View<'_> {
        View {
            resource: &self.resource,
            resource_schema_url: "https://example.test/resource",
            scope: &self.scope,
            scope_schema_url: "https://example.test/scope",
            span: &self.span,
            event: Some(crate::ottl::Event { index: 1, body: &self.event }),
        }
    }
}

/// Asks a condition of a span about the span with everything on it.
pub(super) fn holds(condition: &str) -> Result<bool, EvaluationError> {
    ask(condition, Context::Span)
}

/// Asks a condition of an event about that span's event.
pub(super) fn event_holds(condition: &str) -> Result<bool, EvaluationError> {
    ask(condition, Context::SpanEvent)
}

fn ask(condition: &str, context: Context) -> Result<bool, EvaluationError> {
    let parsed = Condition::parse(condition, context).unwrap_or_else(|error| panic!("{condition}: {error}"));
    parsed.holds(&Bodies::of_everything().view())
}

fn resource() -> Resource {
    let attributes = vec![pair("service.name", text("shop")), pair("host", text("a"))];
    Resource { attributes, dropped_attributes_count: 7, ..Resource::default() }
}

fn scope() -> InstrumentationScope {
    InstrumentationScope {
        name: "tracer".to_owned(),
        version: "1.2".to_owned(),
        attributes: vec![pair("lib", any(Value::BoolValue(true)))],
        dropped_attributes_count: 2,
    }
}

fn span(event: Event) -> Span {
    Span {
        trace_id: (1..=16).collect(),
        span_id: (1..=8).collect(),
        trace_state: "a=1,vendor=x y".to_owned(),
        parent_span_id: vec![9; 8],
        flags: 257,
        name: "GET /users".to_owned(),
        kind: 2,
        start_time_unix_nano: 1_000_000_000,
        end_time_unix_nano: 3_500_000_000,
        attributes: attributes(),
        dropped_attributes_count: 4,
        events: vec![event.clone(), event],
        dropped_events_count: 5,
        links: vec![Link::default()],
        dropped_links_count: 6,
        status: Some(Status { code: 2, message: "boom <1>".to_owned() }),
    }
}

fn attributes() -> Vec<KeyValue> {
    let inner = vec![pair("z", int(1)), pair("a", text("<&>")), pair("bytes", any(Value::BytesValue(vec![1, 2])))];
    vec![
        pair("text", text("Hello, World")),
        pair("empty", text("")),
        pair("int", int(500)),
        pair("minus", int(-3)),
        pair("double", any(Value::DoubleValue(2.5))),
        pair("nan", any(Value::DoubleValue(f64::NAN))),
        pair("large", any(Value::DoubleValue(1e300))),
        pair("bool", any(Value::BoolValue(true))),
        pair("bytes", any(Value::BytesValue(vec![0xde, 0xad]))),
        pair("no_bytes", any(Value::BytesValue(vec![]))),
        pair("nothing", AnyValue { value: None }),
        pair("twice", int(1)),
        pair("twice", int(2)),
        pair("key", text("text")),
        pair("number", text("42")),
        pair("list", list(vec![int(1), text("two"), list(vec![int(3)])])),
        pair("map", any(Value::KvlistValue(KeyValueList { values: inner }))),
    ]
}

fn pair(key: &str, value: AnyValue) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(value), ..KeyValue::default() }
}

fn any(value: Value) -> AnyValue {
    AnyValue { value: Some(value) }
}

fn text(text: &str) -> AnyValue {
    any(Value::StringValue(text.to_owned()))
}

fn int(int: i64) -> AnyValue {
    any(Value::IntValue(int))
}

fn list(values: Vec<AnyValue>) -> AnyValue {
    any(Value::ArrayValue(ArrayValue { values }))
}
