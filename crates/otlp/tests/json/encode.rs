//! What we write, letter by letter.

use crate::oracle::{decode, encode, request_of_span, within};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status, span};
use prost::Message as _;
use tollgate_otlp::json::Message;
use tollgate_otlp::{Fault, Writer, json};

fn request(span: Span) -> Vec<u8> {
    let scope = ScopeSpans { spans: vec![span], ..ScopeSpans::default() };
    let resource = ResourceSpans { scope_spans: vec![scope], ..ResourceSpans::default() };
    ExportTraceServiceRequest { resource_spans: vec![resource] }.encode_to_vec()
}

fn attribute(value: Value) -> String {
    let value = Some(AnyValue { value: Some(value) });
    let attributes = vec![KeyValue { key: "k".to_owned(), value, ..KeyValue::default() }];
    let text = encode(Message::Traces, &request(Span { attributes, ..Span::default() })).unwrap();
    let (before, after) = request_of_span(r#""attributes":[{"key":"k","value":!}]"#)
        .split_once('!')
        .map(|(before, after)| (before.to_owned(), after.to_owned()))
        .unwrap();
    text.strip_prefix(&before).and_then(|rest| rest.strip_suffix(&after)).unwrap().to_owned()
}

/// A traces request whose one span has this body.
fn request_of_body(body: &[u8]) -> Vec<u8> {
    within(&[1, 2, 2], body)
}

#[test]
fn span_is_written_in_the_order_of_field_numbers() {
    let span = Span {
        trace_id: vec![0x5b, 0x8e, 0xff, 0xf7],
        span_id: vec![0xee, 0x01],
        trace_state: "a=b".to_owned(),
        parent_span_id: vec![0x0f],
        name: "say \"hé\"\n".to_owned(),
        kind: 2,
        start_time_unix_nano: 1,
        end_time_unix_nano: u64::MAX,
        dropped_attributes_count: 3,
        events: vec![span::Event { time_unix_nano: 7, ..span::Event::default() }, span::Event::default()],
        links: vec![span::Link { trace_id: vec![0xab], flags: 9, ..span::Link::default() }],
        status: Some(Status { message: String::new(), code: 2 }),
        flags: u32::MAX,
        ..Span::default()
    };
    let expected = request_of_span(concat!(
        r#""traceId":"5b8efff7","spanId":"ee01","traceState":"a=b","parentSpanId":"0f","name":"say \"hé\"\n","#,
        r#""kind":2,"startTimeUnixNano":"1","endTimeUnixNano":"18446744073709551615","droppedAttributesCount":3,"#,
        r#""events":[{"timeUnixNano":"7"},{}],"links":[{"traceId":"ab","flags":9}],"status":{"code":2},"#,
        r#""flags":4294967295"#,
    ));
    assert_eq!(encode(Message::Traces, &request(span)).unwrap(), expected);
}

#[test]
fn value_of_each_type_is_spelled_as_the_mapping_says() {
    let list = ArrayValue { values: vec![AnyValue { value: None }, AnyValue { value: Some(Value::BoolValue(false)) }] };
    for (value, expected) in [
        (Value::StringValue(String::new()), r#"{"stringValue":""}"#),
        (Value::BoolValue(true), r#"{"boolValue":true}"#),
        (Value::IntValue(i64::MIN), r#"{"intValue":"-9223372036854775808"}"#),
        (Value::IntValue(0), r#"{"intValue":"0"}"#),
        (Value::DoubleValue(1.5), r#"{"doubleValue":1.5}"#),
        (Value::DoubleValue(0.1), r#"{"doubleValue":0.1}"#),
        (Value::DoubleValue(-0.0), r#"{"doubleValue":-0.0}"#),
        (Value::DoubleValue(f64::NAN), r#"{"doubleValue":"NaN"}"#),
        (Value::DoubleValue(f64::INFINITY), r#"{"doubleValue":"Infinity"}"#),
        (Value::DoubleValue(f64::NEG_INFINITY), r#"{"doubleValue":"-Infinity"}"#),
        (Value::BytesValue(vec![0xfb, 0xff, 0xfe, 1]), r#"{"bytesValue":"+//+AQ=="}"#),
        (Value::ArrayValue(ArrayValue::default()), r#"{"arrayValue":{}}"#),
        (Value::KvlistValue(KeyValueList::default()), r#"{"kvlistValue":{}}"#),
        (Value::ArrayValue(list), r#"{"arrayValue":{"values":[{},{"boolValue":false}]}}"#),
    ] {
        assert_eq!(attribute(value), expected);
    }
}

#[test]
fn absent_message_is_left_out_and_an_empty_one_is_not() {
    assert_eq!(encode(Message::TracesResponse, &[]).unwrap(), "{}");
    let empty = ExportTraceServiceResponse { partial_success: Some(ExportTracePartialSuccess::default()) };
    assert_eq!(encode(Message::TracesResponse, &empty.encode_to_vec()).unwrap(), r#"{"partialSuccess":{}}"#);
}

#[test]
fn rejected_items_are_counted_in_a_string() {
    let partial = ExportTracePartialSuccess { rejected_spans: 3, error_message: "late".to_owned() };
    let reply = ExportTraceServiceResponse { partial_success: Some(partial) }.encode_to_vec();
    let expected = r#"{"partialSuccess":{"rejectedSpans":"3","errorMessage":"late"}}"#;
    assert_eq!(encode(Message::TracesResponse, &reply).unwrap(), expected);
}

#[test]
fn error_status_is_written() {
    let mut status = Vec::new();
    let mut writer = Writer::new(&mut status);
    writer.int(1, -3);
    writer.string(2, "no");
    assert_eq!(encode(Message::Status, &status).unwrap(), r#"{"code":-3,"message":"no"}"#);
}

#[test]
fn unknown_field_is_left_out() {
    let mut body = Vec::new();
    let mut writer = Writer::new(&mut body);
    writer.string(99, "future");
    writer.string(5, "n");
    writer.varint(100, 1);
    writer.fixed64(17, 1);
    assert_eq!(encode(Message::Traces, &request_of_body(&body)).unwrap(), request_of_span(r#""name":"n""#));
}

#[test]
fn order_on_the_wire_does_not_show() {
    let mut body = Vec::new();
    let mut writer = Writer::new(&mut body);
    writer.message(11, |event| event.string(2, "first"));
    writer.string(5, "n");
    writer.message(13, |link| link.string(3, "s"));
    writer.message(11, |event| event.string(2, "second"));
    writer.bytes(1, &[1]);
    writer.bytes(11, &[]);
    let expected =
        r#""traceId":"01","name":"n","events":[{"name":"first"},{"name":"second"},{}],"links":[{"traceState":"s"}]"#;
    assert_eq!(encode(Message::Traces, &request_of_body(&body)).unwrap(), request_of_span(expected));
}

#[test]
fn list_of_numbers_may_be_packed_or_not_or_both() {
    let mut point = Vec::new();
    let mut writer = Writer::new(&mut point);
    writer.fixed64(6, 1);
    writer.bytes(6, &[2_u64.to_le_bytes(), 3_u64.to_le_bytes()].concat());
    writer.bytes(6, &[]);
    writer.fixed64(6, 4);
    let text = encode(Message::Metrics, &within(&[1, 2, 2, 9, 1], &point)).unwrap();
    assert!(text.contains(r#"{"dataPoints":[{"bucketCounts":["1","2","3","4"]}]}"#), "{text}");
}

#[test]
fn what_decoders_could_read_differently_is_refused() {
    let mut twice = Vec::new();
    let mut writer = Writer::new(&mut twice);
    writer.string(5, "a");
    writer.string(5, "b");
    assert_eq!(encode(Message::Traces, &request_of_body(&twice)), Err(Fault::Duplicate));
    let mut members = Vec::new();
    Writer::new(&mut members).message(9, |pair| {
        pair.message(2, |value| {
            value.string(1, "a");
            value.int(3, 1);
        });
    });
    assert_eq!(encode(Message::Traces, &request_of_body(&members)), Err(Fault::OneOf));
}

#[test]
fn broken_bytes_are_refused() {
    for (body, fault) in [
        (&b"\x28\x01"[..], Fault::WireType),
        (b"\x2d\x00\x00\x00\x00", Fault::WireType),
        (b"\x3a\x00", Fault::WireType),
        (b"\x2a\x01\xff", Fault::Utf8),
        (b"\x2a\x05a", Fault::Truncated),
        (b"\x4a\x02\x0a\x05", Fault::Truncated),
        (b"\x2b", Fault::Group),
    ] {
        assert_eq!(encode(Message::Traces, &request_of_body(body)), Err(fault), "{body:x?}");
    }
}

#[test]
fn output_is_appended_and_left_alone_on_a_fault() {
    let mut out = b"before ".to_vec();
    let good = request(Span { name: "n".to_owned(), ..Span::default() });
    let broken = [good.as_slice(), &[0x0a, 9]].concat();
    assert_eq!(json::encode(Message::Traces, &broken, &mut out), Err(Fault::Truncated));
    assert_eq!(out, b"before ");
    json::encode(Message::TracesResponse, &[], &mut out).unwrap();
    assert_eq!(out, b"before {}");
}

#[test]
fn text_is_one_line() {
    let name = "a\nb\r\u{2028}c\u{85}".to_owned();
    let bytes = request(Span { name, ..Span::default() });
    let text = encode(Message::Traces, &bytes).unwrap();
    assert!(!text.contains(['\n', '\r']), "{text}");
    assert_eq!(decode(Message::Traces, &text).unwrap(), bytes);
}
