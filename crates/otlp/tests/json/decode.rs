//! What a sender may write, and what it means.

use crate::oracle::{attribute, decode, metric, prost, request_of_span, span, span_fault};
use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsServiceRequest, ExportLogsServiceResponse};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceResponse;
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Point;
use opentelemetry_proto::tonic::trace::v1::Span;
use tollgate_otlp::json::{self, JsonReason, Message};
use tollgate_otlp::{Limits, json::JsonFault};

fn text(key: &str, value: &str) -> KeyValue {
    let value = Some(AnyValue { value: Some(Value::StringValue(value.to_owned())) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

#[test]
fn request_of_the_specification_is_understood() {
    let text_of_request = r#"{
      "resourceSpans": [{
        "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]},
        "scopeSpans": [{
          "scope": {"name": "library", "version": "1.0.0"},
          "spans": [{
            "traceId": "5B8EFFF798038103D269B633813FC60C",
            "spanId": "EEE19B7EC3C1B174",
            "parentSpanId": "EEE19B7EC3C1B173",
            "name": "GET /basket",
            "startTimeUnixNano": "1544712660000000000",
            "endTimeUnixNano": "1544712661000000000",
            "kind": 2,
            "attributes": [{"key": "http.route", "value": {"stringValue": "/basket"}}]
          }]
        }]
      }]
    }"#;
    let mut request: ExportTraceServiceRequest = prost(&decode(Message::Traces, text_of_request).unwrap()).unwrap();
    let mut group = request.resource_spans.remove(0);
    assert_eq!(group.resource.unwrap().attributes, [text("service.name", "shop")]);
    let mut scope = group.scope_spans.remove(0);
    assert_eq!(scope.scope.unwrap().version, "1.0.0");
    let expected = Span {
        trace_id: 0x5b8e_fff7_9803_8103_d269_b633_813f_c60c_u128.to_be_bytes().to_vec(),
        span_id: 0xeee1_9b7e_c3c1_b174_u64.to_be_bytes().to_vec(),
        parent_span_id: 0xeee1_9b7e_c3c1_b173_u64.to_be_bytes().to_vec(),
        name: "GET /basket".to_owned(),
        kind: 2,
        start_time_unix_nano: 1_544_712_660_000_000_000,
        end_time_unix_nano: 1_544_712_661_000_000_000,
        attributes: vec![text("http.route", "/basket")],
        ..Span::default()
    };
    assert_eq!(scope.spans.remove(0), expected);
}

#[test]
fn log_of_the_specification_is_understood() {
    let json = r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"1544712660300000000",
        "observedTimeUnixNano":"1544712660300000000","severityNumber":10,"severityText":"Information",
        "traceId":"5B8EFFF798038103D269B633813FC60C","spanId":"EEE19B7EC3C1B174",
        "body":{"stringValue":"ordered"},"eventName":"order"}]}]}]}"#;
    let mut request: ExportLogsServiceRequest = prost(&decode(Message::Logs, json).unwrap()).unwrap();
    let record = request.resource_logs.remove(0).scope_logs.remove(0).log_records.remove(0);
    assert_eq!((record.severity_number, record.event_name.as_str()), (10, "order"));
    assert_eq!(record.body.unwrap().value, Some(Value::StringValue("ordered".to_owned())));
    assert_eq!(record.span_id, [0xee, 0xe1, 0x9b, 0x7e, 0xc3, 0xc1, 0xb1, 0x74]);
}

#[test]
fn id_is_hexadecimal_of_any_case() {
    assert_eq!(span(r#""traceId":"00fFAb""#).unwrap().trace_id, [0, 0xff, 0xab]);
    assert_eq!(span(r#""links":[{"spanId":"aA"}]"#).unwrap().links[0].span_id, [0xaa]);
    assert_eq!(span(r#""traceId":"""#).unwrap().trace_id, b"");
    for id in ["0", "0g", "W47/95gDgQPSabYzgT/GDA==", " 00", "0x00"] {
        assert_eq!(span_fault(&format!(r#""spanId":"{id}""#)), JsonReason::Hex, "{id}");
    }
}

#[test]
fn length_of_an_id_is_not_judged_here() {
    assert_eq!(span(&format!(r#""traceId":"{}""#, "ab".repeat(40))).unwrap().trace_id, [0xab; 40]);
}

#[test]
fn enum_is_its_number_and_never_its_name() {
    assert_eq!(span(r#""kind":3"#).unwrap().kind, 3);
    assert_eq!(span(r#""kind":3.0"#).unwrap().kind, 3);
    assert_eq!(span(r#""kind":-7"#).unwrap().kind, -7);
    assert_eq!(span(r#""status":{"code":2}"#).unwrap().status.unwrap().code, 2);
    assert_eq!(span_fault(r#""kind":"SPAN_KIND_CLIENT""#), JsonReason::EnumName);
    assert_eq!(span_fault(r#""kind":"3""#), JsonReason::EnumName);
    assert_eq!(span_fault(r#""kind":2147483648"#), JsonReason::Range);
}

#[test]
fn int64_is_a_string_or_a_number_and_exact() {
    for value in [0, 1, -1, i64::MIN, i64::MAX, (1 << 53) + 1] {
        let expected = Some(Value::IntValue(value));
        assert_eq!(attribute(&format!(r#"{{"intValue":{value}}}"#)).unwrap(), expected);
        assert_eq!(attribute(&format!(r#"{{"intValue":"{value}"}}"#)).unwrap(), expected);
    }
    for value in ["9223372036854775808", "-9223372036854775809", "1e19", "1.5", "1e-1"] {
        assert_eq!(attribute(&format!(r#"{{"intValue":{value}}}"#)).unwrap_err().reason, JsonReason::Range);
        assert_eq!(attribute(&format!(r#"{{"intValue":"{value}"}}"#)).unwrap_err().reason, JsonReason::Range);
    }
}

#[test]
fn nanoseconds_are_exact_up_to_the_last() {
    for value in [0, 1, u64::MAX, 1_700_000_000_123_456_789] {
        assert_eq!(span(&format!(r#""startTimeUnixNano":{value}"#)).unwrap().start_time_unix_nano, value);
        assert_eq!(span(&format!(r#""startTimeUnixNano":"{value}""#)).unwrap().start_time_unix_nano, value);
    }
    for value in ["-1", "18446744073709551616", "0.5"] {
        assert_eq!(span_fault(&format!(r#""endTimeUnixNano":"{value}""#)), JsonReason::Range, "{value}");
    }
}

#[test]
fn whole_number_may_have_a_fraction_of_zero_or_an_exponent() {
    for value in ["1000", "1000.0", "1e3", "1E+3", "10000e-1", r#""1e3""#, r#""1000.0""#] {
        let read = attribute(&format!(r#"{{"intValue":{value}}}"#)).unwrap();
        assert_eq!(read, Some(Value::IntValue(1000)), "{value}");
        assert_eq!(span(&format!(r#""droppedLinksCount":{value}"#)).unwrap().dropped_links_count, 1000, "{value}");
    }
    assert_eq!(span_fault(r#""droppedLinksCount":4294967296"#), JsonReason::Range);
    assert_eq!(span_fault(r#""droppedLinksCount":-1"#), JsonReason::Range);
}

#[test]
fn double_is_a_number_or_a_string_of_one() {
    for (json, expected) in [
        ("1.5", 1.5),
        (r#""1.5""#, 1.5),
        ("2", 2.0),
        ("-3", -3.0),
        (r#""-3""#, -3.0),
        ("1e300", 1e300),
        ("0.1", 0.1),
        ("5e-324", 5e-324),
        (r#""Infinity""#, f64::INFINITY),
        (r#""-Infinity""#, f64::NEG_INFINITY),
    ] {
        assert_eq!(attribute(&format!(r#"{{"doubleValue":{json}}}"#)).unwrap(), Some(Value::DoubleValue(expected)));
    }
    let nan = attribute(r#"{"doubleValue":"NaN"}"#).unwrap();
    assert!(matches!(nan, Some(Value::DoubleValue(value)) if value.is_nan()));
    for json in [r#""nan""#, r#""inf""#, r#""""#, r#"" 1""#, "true", "[]", "{}"] {
        let fault = attribute(&format!(r#"{{"doubleValue":{json}}}"#)).unwrap_err();
        assert!(matches!(fault.reason, JsonReason::Type(_)), "{json}: {fault}");
    }
}

#[test]
fn histogram_with_infinity_and_quoted_bounds_keeps_its_points() {
    let json = r#""histogram":{"aggregationTemporality":2,"dataPoints":[{"count":"3","sum":"4.5","min":0,
        "max":"Infinity","bucketCounts":["1",2,"0"],"explicitBounds":["10",20.5],"attributes":null}]}"#;
    let Some(Data::Histogram(histogram)) = metric(json).unwrap() else { panic!("no histogram") };
    let point = &histogram.data_points[0];
    assert_eq!((point.count, point.sum, point.min, point.max), (3, Some(4.5), Some(0.0), Some(f64::INFINITY)));
    assert_eq!((&*point.bucket_counts, &*point.explicit_bounds), (&[1, 2, 0][..], &[10.0, 20.5][..]));
}

#[test]
fn gauge_of_nan_keeps_its_value() {
    let Some(Data::Gauge(gauge)) = metric(r#""gauge":{"dataPoints":[{"asDouble":"NaN"},{"asInt":"-4"}]}"#).unwrap()
    else {
        panic!("no gauge")
    };
    assert!(matches!(gauge.data_points[0].value, Some(Point::AsDouble(value)) if value.is_nan()));
    assert_eq!(gauge.data_points[1].value, Some(Point::AsInt(-4)));
}

#[test]
fn exponential_histogram_keeps_signed_scale_and_offsets() {
    let json = r#""exponentialHistogram":{"dataPoints":[{"scale":-3,"zeroThreshold":0.25,"zeroCount":"7",
        "negative":{"offset":-2147483648,"bucketCounts":["1","300"]}}]}"#;
    let Some(Data::ExponentialHistogram(histogram)) = metric(json).unwrap() else { panic!("no histogram") };
    let point = &histogram.data_points[0];
    assert_eq!((point.scale, point.zero_threshold, point.zero_count), (-3, 0.25, 7));
    let negative = point.negative.as_ref().unwrap();
    assert_eq!((negative.offset, &*negative.bucket_counts), (i32::MIN, &[1, 300][..]));
    assert_eq!(point.positive, None);
}

#[test]
fn empty_array_map_and_value_stay_what_they_are() {
    let array = Some(Value::ArrayValue(ArrayValue::default()));
    let map = Some(Value::KvlistValue(KeyValueList::default()));
    assert_eq!(attribute(r#"{"arrayValue":{}}"#).unwrap(), array);
    assert_eq!(attribute(r#"{"arrayValue":{"values":[]}}"#).unwrap(), array);
    assert_eq!(attribute(r#"{"arrayValue":{"values":null}}"#).unwrap(), array);
    assert_eq!(attribute(r#"{"kvlistValue":{}}"#).unwrap(), map);
    assert_eq!(attribute(r#"{"stringValue":""}"#).unwrap(), Some(Value::StringValue(String::new())));
    assert_eq!(attribute(r#"{"boolValue":false}"#).unwrap(), Some(Value::BoolValue(false)));
    assert_eq!(attribute(r#"{"intValue":"0"}"#).unwrap(), Some(Value::IntValue(0)));
    assert_eq!(attribute(r#"{"bytesValue":""}"#).unwrap(), Some(Value::BytesValue(Vec::new())));
    assert_eq!(attribute("{}").unwrap(), None);
}

#[test]
fn explicit_null_is_absence() {
    let nulls = r#""traceId":null,"kind":null,"startTimeUnixNano":null,"name":null,"attributes":null,"events":null,
        "status":null,"flags":null,"droppedEventsCount":null"#;
    assert_eq!(span(nulls).unwrap(), Span::default());
    assert_eq!(
        attribute(r#"{"stringValue":null,"intValue":"1","arrayValue":null}"#).unwrap(),
        Some(Value::IntValue(1))
    );
    assert_eq!(attribute("null").unwrap(), None);
    assert_eq!(decode(Message::Traces, r#"{"resourceSpans":null}"#).unwrap(), b"");
}

#[test]
fn null_in_a_list_is_refused() {
    assert_eq!(span_fault(r#""attributes":[null]"#), JsonReason::NullElement);
    let fault = metric(r#""histogram":{"dataPoints":[{"bucketCounts":[1,null]}]}"#).unwrap_err();
    assert_eq!((fault.field, fault.reason), (Some("bucketCounts"), JsonReason::NullElement));
}

#[test]
fn bytes_are_base64_of_either_alphabet_padded_or_not() {
    let expected = Some(Value::BytesValue(vec![0xfb, 0xff, 0xfe, 0x01]));
    for spelling in ["+//+AQ==", "-__-AQ==", "+//+AQ", "-__-AQ"] {
        assert_eq!(attribute(&format!(r#"{{"bytesValue":"{spelling}"}}"#)).unwrap(), expected, "{spelling}");
    }
    for spelling in ["+//+AQ=", "+//+AQ===", "A", "====", "=", "+_8=", "AR==", "A A="] {
        let fault = attribute(&format!(r#"{{"bytesValue":"{spelling}"}}"#)).unwrap_err();
        assert_eq!(fault.reason, JsonReason::Base64, "{spelling}");
    }
}

#[test]
fn entity_reference_needs_no_schema_url() {
    let json = r#"{"resourceSpans":[{"resource":{"entityRefs":[{"type":"host","idKeys":["host.id",""]}]}}]}"#;
    let mut request: ExportTraceServiceRequest = prost(&decode(Message::Traces, json).unwrap()).unwrap();
    let entity = request.resource_spans.remove(0).resource.unwrap().entity_refs.remove(0);
    assert_eq!((entity.r#type.as_str(), entity.id_keys), ("host", vec!["host.id".to_owned(), String::new()]));
}

#[test]
fn unknown_field_is_ignored_whatever_it_holds() {
    for unknown in ["null", "-1.5e3", r#""\u00e9""#, r#"[[{"name":"x"}],{"traceId":1}]"#, r#"{"kind":{"kind":[]}}"#] {
        let json = format!(r#""future":{unknown},"name":"n","future":{unknown},"Name":"m","":0"#);
        assert_eq!(span(&json).unwrap(), Span { name: "n".to_owned(), ..Span::default() }, "{unknown}");
    }
}

#[test]
fn proto_names_are_understood_so_that_nothing_is_lost() {
    let read = span(r#""trace_id":"ab","start_time_unix_nano":"5","trace_state":"a=b""#).unwrap();
    assert_eq!((read.trace_id, read.start_time_unix_nano, read.trace_state.as_str()), (vec![0xab], 5, "a=b"));
    assert_eq!(attribute(r#"{"kvlist_value":{}}"#).unwrap(), Some(Value::KvlistValue(KeyValueList::default())));
}

#[test]
fn field_that_stands_twice_is_refused() {
    for twice in [
        r#""name":"a","name":"a""#,
        r#""name":"a","name":null"#,
        r#""name":null,"name":"a""#,
        r#""traceId":"ab","trace_id":"cd""#,
        r#""attributes":[],"attributes":[]"#,
        r#""n\u0061me":"a","name":"b""#,
    ] {
        assert_eq!(span_fault(twice), JsonReason::Duplicate, "{twice}");
    }
}

#[test]
fn two_members_of_a_oneof_are_refused() {
    assert_eq!(attribute(r#"{"stringValue":"","intValue":"1"}"#).unwrap_err().reason, JsonReason::OneOf);
    assert_eq!(attribute(r#"{"arrayValue":{},"kvlistValue":{}}"#).unwrap_err().reason, JsonReason::OneOf);
    assert_eq!(metric(r#""gauge":{},"name":"n","sum":{}"#).unwrap_err().reason, JsonReason::OneOf);
    let point = r#""gauge":{"dataPoints":[{"asInt":"1","asDouble":1}]}"#;
    assert_eq!(metric(point).unwrap_err().field, Some("asDouble"));
}

#[test]
fn wrong_type_is_refused_and_named() {
    for (members, expected) in [
        (r#""name":1"#, "a string"),
        (r#""name":{}"#, "a string"),
        (r#""kind":true"#, "an integer"),
        (r#""kind":[1]"#, "an integer"),
        (r#""status":[]"#, "an object"),
        (r#""status":"OK""#, "an object"),
        (r#""attributes":{}"#, "a list"),
        (r#""attributes":"x""#, "a list"),
        (r#""attributes":[[]]"#, "an object"),
        (r#""spanId":7"#, "a string of hexadecimal digits"),
        (r#""startTimeUnixNano":"soon""#, "an integer, or a string of its digits"),
    ] {
        assert_eq!(span_fault(members), JsonReason::Type(expected), "{members}");
    }
    assert_eq!(attribute(r#"{"boolValue":"true"}"#).unwrap_err().reason, JsonReason::Type("true or false"));
    assert_eq!(metric(r#""gauge":{"dataPoints":{}}"#).unwrap_err().reason, JsonReason::Type("a list"));
    assert_eq!(decode(Message::Traces, "[]").unwrap_err().reason, JsonReason::Type("an object"));
    assert_eq!(decode(Message::Traces, "null").unwrap_err().reason, JsonReason::Type("an object"));
}

#[test]
fn string_is_taken_exactly() {
    let json = r#""name":"\u0041\n\"\\\/\ud83d\ude00é\u0000""#;
    assert_eq!(span(json).unwrap().name, "A\n\"\\/😀é\0");
}

#[test]
fn text_that_is_not_json_is_refused() {
    for (text, reason) in [
        ("", JsonReason::Truncated),
        ("{", JsonReason::Truncated),
        (r#"{"resourceSpans":["#, JsonReason::Truncated),
        ("{} {}", JsonReason::Syntax),
        ("{,}", JsonReason::Syntax),
        (r#"{"resourceSpans":[],}"#, JsonReason::Syntax),
        ("{resourceSpans:[]}", JsonReason::Syntax),
        (r#"{"resourceSpans":[{"schemaUrl":"\ud800"}]}"#, JsonReason::Syntax),
        (r#"{"future":NaN}"#, JsonReason::Syntax),
    ] {
        assert_eq!(decode(Message::Traces, text).unwrap_err().reason, reason, "{text}");
    }
    let broken = b"{\"resourceSpans\":[{\"schemaUrl\":\"\xff\"}]}";
    let fault = json::decode(Message::Traces, broken, &Limits::default()).unwrap_err();
    assert_eq!(fault.reason, JsonReason::Syntax);
}

#[test]
fn fault_says_where_and_nothing_of_what() {
    let text = request_of_span("\n\"name\": \"n\",\n  \"spanId\": \"jane@example.com\"");
    let fault = decode(Message::Traces, &text).unwrap_err();
    assert_eq!(fault, JsonFault { line: 3, column: 30, field: Some("spanId"), reason: JsonReason::Hex });
    assert_eq!(fault.to_string(), "line 3, column 30, spanId: not hexadecimal");
    let fault = decode(Message::Traces, "\n[1]").unwrap_err();
    assert_eq!(fault.to_string(), "line 2, column 0, document: expected an object");
}

#[test]
fn partial_success_counts_as_string_or_number() {
    let json = r#"{"partialSuccess":{"rejectedSpans":"3","errorMessage":"too old"}}"#;
    let reply: ExportTraceServiceResponse = prost(&decode(Message::TracesResponse, json).unwrap()).unwrap();
    let partial = reply.partial_success.unwrap();
    assert_eq!((partial.rejected_spans, partial.error_message.as_str()), (3, "too old"));
    let json = r#"{"partialSuccess":{"rejectedDataPoints":3}}"#;
    let reply: ExportMetricsServiceResponse = prost(&decode(Message::MetricsResponse, json).unwrap()).unwrap();
    assert_eq!(reply.partial_success.unwrap().rejected_data_points, 3);
    let json = r#"{"partialSuccess":{"rejectedLogRecords":"9223372036854775807"}}"#;
    let reply: ExportLogsServiceResponse = prost(&decode(Message::LogsResponse, json).unwrap()).unwrap();
    assert_eq!(reply.partial_success.unwrap().rejected_log_records, i64::MAX);
}

#[test]
fn empty_response_is_success() {
    for json in ["{}", r#"{"partialSuccess":null}"#] {
        assert_eq!(decode(Message::TracesResponse, json).unwrap(), b"");
    }
}

#[test]
fn error_status_is_read_without_its_details() {
    let json = r#"{"code":8,"message":"slow down","details":[{"@type":"type.example/RetryInfo","retryDelay":"5s"}]}"#;
    assert_eq!(decode(Message::Status, json).unwrap(), b"\x08\x08\x12\x09slow down");
}
