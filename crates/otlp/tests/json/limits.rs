//! What no text and no bytes can make us do.

use crate::oracle::{attribute, decode, encode, metric, request_of_span, span, within};
use tollgate_otlp::json::{self, JsonReason, Message};
use tollgate_otlp::{Fault, Limits};

/// An attribute whose value is an array in an array, so many times.
fn nested(arrays: usize) -> String {
    let open = r#"{"arrayValue":{"values":["#.repeat(arrays);
    let value = format!("{open}{{}}{}", "]}}".repeat(arrays));
    request_of_span(&format!(r#""attributes":[{{"key":"k","value":{value}}}]"#))
}

#[test]
fn brackets_without_end_do_not_deepen_the_stack() {
    for bracket in ["[", r#"{"a":"#, r#"{"resourceSpans":["#] {
        let brackets = bracket.repeat(100_000);
        assert!(decode(Message::Traces, &brackets).is_err());
        assert!(decode(Message::Traces, &format!(r#"{{"resourceSpans":{brackets}"#)).is_err());
        assert!(attribute(&brackets).is_err());
        assert!(span(&format!(r#""kind":{brackets}"#)).is_err());
        assert!(metric(&format!(r#""histogram":{{"dataPoints":[{{"bucketCounts":{brackets}"#)).is_err());
    }
}

#[test]
fn unknown_field_may_nest_without_end() {
    let unknown = format!(r#""future":{}{},"name":"n""#, "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(span(&unknown).unwrap().name, "n");
}

#[test]
fn depth_counts_messages_inside_the_item() {
    // Key-value pair and value are two; each array is two more.
    for depth in [2, 4, 10, 64] {
        let limits = Limits { depth, ..Limits::default() };
        let most = (depth - 2) / 2;
        json::decode(Message::Traces, nested(most).as_bytes(), &limits).unwrap();
        let fault = json::decode(Message::Traces, nested(most + 1).as_bytes(), &limits).unwrap_err();
        assert_eq!(fault.reason, JsonReason::Depth);
    }
}

#[test]
fn depth_beyond_what_json_readers_take_is_refused_both_ways() {
    let limits = Limits { depth: usize::MAX, ..Limits::default() };
    let deepest = json::decode(Message::Traces, nested(37).as_bytes(), &limits).unwrap();
    assert_eq!(encode(Message::Traces, &deepest).unwrap(), nested(37));
    let fault = json::decode(Message::Traces, nested(38).as_bytes(), &limits).unwrap_err();
    assert_eq!(fault.reason, JsonReason::Depth);
}

#[test]
fn bytes_nested_without_end_do_not_deepen_the_stack() {
    let mut value = Vec::new();
    while value.len() < 100_000 {
        value = within(&[5, 1], &value);
    }
    let request = within(&[1, 1, 1, 2], &value);
    assert_eq!(encode(Message::Traces, &request), Err(Fault::Depth));
}

#[test]
fn text_longer_than_a_request_is_not_read() {
    let limits = Limits { request_bytes: 10, ..Limits::default() };
    assert_eq!(json::decode(Message::Traces, b"{        }", &limits).unwrap(), b"");
    let fault = json::decode(Message::Traces, b"{         }", &limits).unwrap_err();
    assert_eq!(fault.reason, JsonReason::RequestBytes);
}

#[test]
fn short_text_cannot_make_a_longer_request() {
    let zeros = "0,".repeat(10_000);
    let text = format!(
        r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{{"histogram":{{"dataPoints":[{{"bucketCounts":[{zeros}0]}}]}}}}]}}]}}]}}"#
    );
    let limits = Limits { request_bytes: 40_000, ..Limits::default() };
    assert!(text.len() < limits.request_bytes);
    let fault = json::decode(Message::Metrics, text.as_bytes(), &limits).unwrap_err();
    assert_eq!((fault.field, fault.reason), (Some("bucketCounts"), JsonReason::RequestBytes));
}
