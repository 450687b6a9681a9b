//! Views read what prost reads.

use opentelemetry_proto::tonic::{
    common::v1::{AnyValue, KeyValue, any_value::Value},
    trace::v1::{
        Span,
        span::{Event, Link},
    },
};
use proptest::prelude::*;
use prost::Message;
use tollgate_otlp::{KeyValueView, SpanView, ValueView, attributes, messages, raw_attributes};

use crate::generate::{self, damage, damages};

/// Rebuilds prost's value from a view, all the way down.
fn value(view: ValueView<'_>) -> AnyValue {
    use opentelemetry_proto::tonic::common::v1::{ArrayValue, KeyValueList};
    let value = match view {
        ValueView::Empty => None,
        ValueView::String(text) => Some(Value::StringValue(text.to_owned())),
        ValueView::Bool(flag) => Some(Value::BoolValue(flag)),
        ValueView::Int(number) => Some(Value::IntValue(number)),
        ValueView::Double(number) => Some(Value::DoubleValue(number)),
        ValueView::Bytes(bytes) => Some(Value::BytesValue(bytes.to_vec())),
        ValueView::Array(body) => {
            let values = messages(body, 1).map(|any| value(ValueView::parse(any).unwrap())).collect();
            Some(Value::ArrayValue(ArrayValue { values }))
        }
        ValueView::KvList(body) => {
            Some(Value::KvlistValue(KeyValueList { values: attributes(body, 1).map(pair).collect() }))
        }
    };
    AnyValue { value }
}

fn pair(view: KeyValueView<'_>) -> KeyValue {
    KeyValue { key: view.key.to_owned(), value: Some(value(view.value)), ..KeyValue::default() }
}

/// A view does not tell a missing value from an empty one.
fn with_values(mut pairs: Vec<KeyValue>) -> Vec<KeyValue> {
    for pair in &mut pairs {
        fill(pair.value.get_or_insert_default());
        fn fill(any: &mut AnyValue) {
            match &mut any.value {
                Some(Value::KvlistValue(list)) => list.values = with_values(std::mem::take(&mut list.values)),
                Some(Value::ArrayValue(array)) => array.values.iter_mut().for_each(fill),
                _ => {}
            }
        }
    }
    pairs
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn span_view_reads_what_prost_reads(span in generate::span()) {
        let body = span.encode_to_vec();
        let view = SpanView::parse(&body).unwrap();
        prop_assert_eq!(view.trace_id, &span.trace_id);
        prop_assert_eq!(view.span_id, &span.span_id);
        prop_assert_eq!(view.parent_span_id, &span.parent_span_id);
        prop_assert_eq!(view.trace_state, &span.trace_state);
        prop_assert_eq!(view.name, &span.name);
        prop_assert_eq!((view.flags, view.kind), (span.flags, span.kind));
        prop_assert_eq!(view.start_unix_nano, span.start_time_unix_nano);
        prop_assert_eq!(view.end_unix_nano, span.end_time_unix_nano);
        let status = span.status.clone().unwrap_or_default();
        prop_assert_eq!((view.status_code, view.status_message), (status.code, status.message.as_str()));
        prop_assert_eq!(view.events().map(|event| Event::decode(event).unwrap()).collect::<Vec<_>>(), span.events);
        prop_assert_eq!(view.links().map(|link| Link::decode(link).unwrap()).collect::<Vec<_>>(), span.links);
        let keys: Vec<_> = raw_attributes(&body, 9).map(|raw| raw.key.to_vec()).collect();
        prop_assert_eq!(keys, span.attributes.iter().map(|pair| pair.key.clone().into_bytes()).collect::<Vec<_>>());
        prop_assert_eq!(view.attributes().map(pair).collect::<Vec<_>>(), with_values(span.attributes));
    }

    #[test]
    fn damaged_span_is_a_fault_or_reads_as_prost_reads_it(span in generate::span(), damages in damages()) {
        let body = damage(span.encode_to_vec(), &damages);
        let Ok(view) = SpanView::parse(&body) else { return Ok(()) };
        view.attributes().for_each(drop);
        if let Ok(span) = Span::decode(body.as_slice()) {
            prop_assert_eq!(view.name, &span.name);
            prop_assert_eq!((view.flags, view.kind), (span.flags, span.kind));
        }
    }

    #[test]
    fn debug_shows_no_value(span in generate::span()) {
        let body = span.encode_to_vec();
        let view = SpanView::parse(&body).unwrap();
        let shown = format!("{view:?}");
        prop_assert_eq!(shown, format!("SpanView {{ bytes: {}, .. }}", body.len()));
    }
}
