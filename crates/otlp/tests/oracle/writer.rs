//! What the writer constructs is byte for byte what prost encodes.

use opentelemetry_proto::tonic::{
    common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList, any_value::Value},
    metrics::v1::{HistogramDataPoint, exponential_histogram_data_point::Buckets},
    trace::v1::{Span, Status},
};
use proptest::prelude::*;
use prost::Message;
use tollgate_otlp::Writer;

use crate::generate;

fn any_value(writer: &mut Writer<'_>, any: &AnyValue) {
    match &any.value {
        None => {}
        Some(Value::StringValue(text)) => writer.string(1, text),
        Some(Value::BoolValue(flag)) => writer.varint(2, u64::from(*flag)),
        Some(Value::IntValue(number)) => writer.int(3, *number),
        Some(Value::DoubleValue(number)) => writer.double(4, *number),
        Some(Value::ArrayValue(ArrayValue { values })) => writer.message(5, |array| {
            values.iter().for_each(|value| array.message(1, |any| any_value(any, value)));
        }),
        Some(Value::KvlistValue(KeyValueList { values })) => {
            writer.message(6, |list| values.iter().for_each(|pair| key_value(list, 1, pair)));
        }
        Some(Value::BytesValue(bytes)) => writer.bytes(7, bytes),
        Some(Value::StringValueStrindex(index)) => writer.int(8, i64::from(*index)),
    }
}

fn key_value(writer: &mut Writer<'_>, number: u32, pair: &KeyValue) {
    writer.message(number, |writer| {
        if !pair.key.is_empty() {
            writer.string(1, &pair.key);
        }
        if let Some(value) = &pair.value {
            writer.message(2, |any| any_value(any, value));
        }
    });
}

/// A span as this crate's writer encodes it: fields in prost's order, defaults left out.
fn span(span: &Span) -> Vec<u8> {
    let mut out = Vec::new();
    let mut writer = Writer::new(&mut out);
    writer.bytes(1, &span.trace_id);
    writer.bytes(2, &span.span_id);
    if !span.name.is_empty() {
        writer.string(5, &span.name);
    }
    if span.kind != 0 {
        writer.int(6, i64::from(span.kind));
    }
    if span.start_time_unix_nano != 0 {
        writer.fixed64(7, span.start_time_unix_nano);
    }
    span.attributes.iter().for_each(|pair| key_value(&mut writer, 9, pair));
    if let Some(Status { message, code }) = &span.status {
        writer.message(15, |status| {
            if !message.is_empty() {
                status.string(2, message);
            }
            if *code != 0 {
                status.int(3, i64::from(*code));
            }
        });
    }
    if span.flags != 0 {
        writer.fixed32(16, span.flags);
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn writer_encodes_as_prost_does(generated in generate::span()) {
        let kept = Span {
            trace_state: String::new(),
            parent_span_id: Vec::new(),
            end_time_unix_nano: 0,
            dropped_attributes_count: 0,
            dropped_events_count: 0,
            dropped_links_count: 0,
            events: Vec::new(),
            links: Vec::new(),
            ..generated
        };
        prop_assert_eq!(span(&kept), kept.encode_to_vec());
    }

    #[test]
    fn short_forms_of_attributes_equal_the_long_one(key in "[a-z]{1,150}", text in "\\PC{1,150}", number in any::<i64>()) {
        let (mut short, mut long) = (Vec::new(), Vec::new());
        let mut writer = Writer::new(&mut short);
        writer.key_string(9, &key, &text);
        writer.key_int(9, &key, number);
        writer.key_any(9, &key, &[0x10, 1]);
        for value in [Value::StringValue(text), Value::IntValue(number), Value::BoolValue(true)] {
            let value = Some(AnyValue { value: Some(value) });
            key_value(&mut Writer::new(&mut long), 9, &KeyValue { key: key.clone(), value, ..KeyValue::default() });
        }
        prop_assert_eq!(short, long);
    }

    #[test]
    fn packed_and_zigzag_numbers_encode_as_prost_does(offset in any::<i32>(), counts in prop::collection::vec(any::<u64>(), 1..9)) {
        let buckets = Buckets { offset, bucket_counts: counts.clone() };
        let mut out = Vec::new();
        let mut writer = Writer::new(&mut out);
        if offset != 0 {
            writer.sint(1, i64::from(offset));
        }
        writer.message(2, |packed| counts.iter().for_each(|count| packed.bare_varint(*count)));
        prop_assert_eq!(&out, &buckets.encode_to_vec());
        out.clear();
        let point = HistogramDataPoint { bucket_counts: counts.clone(), ..HistogramDataPoint::default() };
        Writer::new(&mut out).bytes(6, &counts.iter().flat_map(|count| count.to_le_bytes()).collect::<Vec<_>>());
        prop_assert_eq!(out, point.encode_to_vec());
    }
}
