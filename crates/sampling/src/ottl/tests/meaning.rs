//! One line for each rule. What the Collector itself answers is recorded in `tests/recorded`.

use super::fixture::{Bodies, event_holds, holds};
use crate::ottl::{Condition, Context, ErrorMode, EvaluationError, View};

fn all_hold(conditions: &[&str]) {
    for condition in conditions {
        assert_eq!(holds(condition), Ok(true), "{condition}");
    }
}

fn none_holds(conditions: &[&str]) {
    for condition in conditions {
        assert_eq!(holds(condition), Ok(false), "{condition}");
    }
}

#[test]
fn every_path_of_a_span_is_read() {
    all_hold(&[
        r#"name == "GET /users" and span.name == name"#,
        "kind == SPAN_KIND_SERVER and kind == 2",
        r#"kind.string == "Server" and kind.deprecated_string == "SPAN_KIND_SERVER""#,
        r#"status.code == STATUS_CODE_ERROR and status.message == "boom <1>""#,
        "start_time_unix_nano == 1000000000 and end_time_unix_nano == 3500000000",
        r#"end_time - start_time == Duration("2.5s") and start_time < end_time"#,
        "trace_id == TraceID(0x0102030405060708090a0b0c0d0e0f10)",
        r#"trace_id.string == "0102030405060708090a0b0c0d0e0f10""#,
        r#"span_id == SpanID("0102030405060708") and span_id.string == "0102030405060708""#,
        r#"parent_span_id == SpanID(0x0909090909090909) and parent_span_id.string == "0909090909090909""#,
        r#"trace_state == "a=1,vendor=x y" and trace_state["vendor"] == "x y" and trace_state["no"] == """#,
        "flags == 257 and dropped_attributes_count == 4 and dropped_events_count == 5 and dropped_links_count == 6",
        "Len(events) == 2 and Len(links) == 1 and events == events and status == status and events != links",
        r#"resource.attributes["service.name"] == "shop" and resource.dropped_attributes_count == 7"#,
        r#"resource.schema_url == "https://example.test/resource" and scope.schema_url == "https://example.test/scope""#,
        r#"instrumentation_scope.name == "tracer" and scope.version == "1.2" and scope.dropped_attributes_count == 2"#,
        r#"instrumentation_scope.attributes["lib"] == true"#,
        "not IsRootSpan()",
    ]);
}

#[test]
fn every_path_of_an_event_is_read() {
    for condition in [
        r#"name == "exception" and spanevent.name == name and span.name == "GET /users""#,
        r#"attributes["exception.type"] == "Timeout" and span.attributes["exception.type"] == nil"#,
        "time_unix_nano == 2500000000 and dropped_attributes_count == 3 and event_index == 1",
        r#"time - span.start_time == Duration("1500ms")"#,
        r#"resource.attributes["service.name"] == "shop" and scope.name == "tracer""#,
    ] {
        assert_eq!(event_holds(condition), Ok(true), "{condition}");
    }
}

#[test]
fn keys_lead_into_maps_and_lists() {
    all_hold(&[
        r#"attributes["map"]["z"] == 1 and attributes["list"][1] == "two" and attributes["list"][2][0] == 3"#,
        r#"attributes["twice"] == 1"#,
        r#"attributes[attributes["key"]] == "Hello, World""#,
        r#"attributes["list"][attributes["twice"] - 1] == 1"#,
        r#"attributes["no"]["deeper"][3] == nil and attributes["map"]["no"] == nil"#,
        r#"Len(attributes["map"]) == 3 and Len(attributes["list"]) == 3 and Len(attributes["text"]) == 12"#,
    ]);
    for (condition, error) in [
        (r#"attributes["list"][3] == 1"#, EvaluationError::OutOfBounds),
        (r#"attributes["list"][-1] == 1"#, EvaluationError::OutOfBounds),
        (r#"attributes["list"]["a"] == 1"#, EvaluationError::KeyType),
        (r#"attributes["map"][0] == 1"#, EvaluationError::KeyType),
        (r#"attributes[0] == 1"#, EvaluationError::KeyType),
        (r#"attributes["int"]["a"] == 1"#, EvaluationError::NotIndexable("an integer")),
        (r#"attributes["nothing"]["a"] == 1"#, EvaluationError::NotIndexable("nil")),
    ] {
        assert_eq!(holds(condition), Err(error), "{condition}");
    }
}

#[test]
fn unlike_types_are_unequal_and_in_no_order() {
    all_hold(&[
        r#"attributes["int"] != "500" and not (attributes["int"] < "a") and not (attributes["int"] >= "a")"#,
        r#"attributes["bool"] != 1 and attributes["bytes"] != "dead" and attributes["text"] != 0x00"#,
        r#"attributes["list"] != attributes["map"] and trace_id != trace_id.string and start_time != 1000000000"#,
    ]);
}

#[test]
fn integers_and_floats_compare_and_calculate() {
    all_hold(&[
        r#"attributes["int"] == 500.0 and attributes["double"] < 3 and 2 < attributes["double"]"#,
        r#"attributes["int"] / 3 == 166 and attributes["minus"] / 2 == -1 and 1 + 2 * 3 == 7"#,
        r#"(1 + 2) * 3 == 9 and -(attributes["minus"]) == 3 and +5 - -5 == 10 and 7 / 2.0 == 3.5"#,
        r#"attributes["nan"] != attributes["nan"] and not (attributes["nan"] <= 1) and not (attributes["nan"] > 1)"#,
        r#"9223372036854775807 + attributes["twice"] < 0"#,
    ]);
    assert_eq!(holds(r#"1 / (attributes["twice"] - 1) == 1"#), Err(EvaluationError::DivisionByZero));
    assert_eq!(holds(r#"1 / 0.0 == 1"#), Err(EvaluationError::DivisionByZero));
    assert_eq!(holds(r#"attributes["text"] + 1 == 1"#), Err(EvaluationError::Arithmetic("text", "an integer")));
    assert_eq!(
        holds(r#"-attributes["text"] == 1"#),
        Err(EvaluationError::Type { expected: "a number", found: "text" })
    );
}

#[test]
fn nil_is_like_nil_and_empty_bytes_only() {
    all_hold(&[
        r#"attributes["no"] == nil and attributes["nothing"] == nil and nil == nil and nil <= nil and nil >= nil"#,
        r#"attributes["no_bytes"] == nil and attributes["no_bytes"] == attributes["no"]"#,
        r#"attributes["empty"] != nil and nil != attributes["int"] and trace_id != nil and resource.attributes != nil"#,
    ]);
    none_holds(&[r#"nil < nil"#, r#"attributes["no"] < 1"#, r#"attributes["no"] >= """#, r#"1 > nil"#]);
}

#[test]
fn text_bytes_and_booleans_have_an_order() {
    all_hold(&[
        r#"attributes["text"] > "Hello" and "a" < "b" and "Z" < "a""#,
        r#"attributes["bytes"] == 0xDEAD and attributes["bytes"] > 0xde and 0x01 < 0x02"#,
        r#"attributes["bool"] > false and true >= true and attributes["bool"] == true"#,
    ]);
}

#[test]
fn maps_and_lists_are_alike_in_every_part_or_not_at_all() {
    all_hold(&[
        r#"attributes["list"] == [1, "two", [3]] and attributes["list"] != [1, "two"] and attributes["list"] != [1.0, "two", [3]]"#,
        r#"attributes["map"] == {"a": "<&>", "bytes": 0x0102, "z": 1} and attributes["map"] != {"a": "<&>"}"#,
        r#"attributes["map"] == attributes["map"] and attributes != resource.attributes and attributes["nan"] != [1]"#,
        r#"[1, attributes["int"]] == [1, 500] and [] == [] and {} == {}"#,
    ]);
    none_holds(&[r#"attributes["list"] < [1]"#, r#"attributes["map"] >= attributes["map"]"#]);
}

#[test]
fn what_is_decided_is_not_evaluated_further() {
    let failing = r#"(attributes["list"][9] == 1)"#;
    for (condition, expected) in [
        (format!("name == nil and {failing}"), Ok(false)),
        (format!("name != nil or {failing}"), Ok(true)),
        (format!("{failing} and false"), Ok(false)),
        (format!("{failing} or (1 == 1)"), Ok(true)),
        (format!("{failing} and name == nil"), Err(EvaluationError::OutOfBounds)),
        (format!("not {failing}"), Err(EvaluationError::OutOfBounds)),
    ] {
        assert_eq!(holds(&condition), expected, "{condition}");
    }
}

#[test]
fn types_are_told() {
    all_hold(&[
        r#"IsString(attributes["text"]) and not IsString(attributes["int"]) and not IsString(attributes["no"])"#,
        r#"IsInt(attributes["int"]) and not IsInt(attributes["double"]) and IsDouble(attributes["double"])"#,
        r#"IsBool(attributes["bool"]) and IsMap(attributes["map"]) and IsMap(resource.attributes)"#,
        r#"IsList(attributes["list"]) and IsList(events) and IsList([1]) and not IsList(attributes["map"])"#,
    ]);
}

#[test]
fn text_is_searched_joined_and_recast() {
    all_hold(&[
        r#"IsMatch(name, "^GET /\\w+$") and IsMatch(attributes["int"], "^5") and not IsMatch(attributes["no"], ".*")"#,
        r#"IsMatch(target=name, pattern="users") and HasPrefix(name, "GET") and HasSuffix(suffix="users", target=name)"#,
        r#"ConvertCase(name, "lower") == "get /users" and ConvertCase("HTTPServer2Go", "snake") == "http_server_2_go""#,
        r#"ConvertCase("some_name-of2it", "camel") == "SomeNameOf2It" and ConvertCase("\u00df\u0130", "upper") == "\u00df\u0130""#,
        r#"Concat(["a", attributes["int"], attributes["no"], attributes["bool"]], "-") == "a-500-<nil>-true""#,
    ]);
    let error = EvaluationError::Type { expected: "text", found: "nil" };
    assert_eq!(holds(r#"HasPrefix(attributes["no"], "a")"#), Err(error));
}

#[test]
fn values_become_text_and_numbers() {
    all_hold(&[
        r#"String(attributes["map"]) == "{\"a\":\"\\u003c\\u0026\\u003e\",\"bytes\":\"AQI=\",\"z\":1}""#,
        r#"String(attributes["list"]) == "[1,\"two\",[3]]" and String(attributes["double"]) == "2.5""#,
        r#"String(attributes["bytes"]) == "dead" and String(attributes["large"]) == "1e+300" and String(nil) == nil"#,
        r#"Int(attributes["number"]) == 42 and Int(attributes["double"]) == 2 and Int(attributes["text"]) == nil"#,
        r#"Int(attributes["large"]) < 0 and Int(attributes["bool"]) == 1 and Double(attributes["number"]) == 42.0"#,
        r#"Double(attributes["int"]) == 500 and Double(attributes["no"]) == nil"#,
    ]);
    assert_eq!(holds(r#"Double(attributes["text"]) == 1"#), Err(EvaluationError::NotANumber));
    assert_eq!(holds(r#"SpanID(attributes["text"]) == span_id"#), Err(EvaluationError::NotAnId(8)));
}

#[test]
fn an_error_ends_the_conditions_only_if_it_is_propagated_or_bytes_are_broken() {
    let conditions = [r#"attributes["list"][9] == 1"#, "kind == 2"];
    let conditions = conditions.map(|condition| Condition::parse(condition, Context::Span).unwrap());
    let bodies = Bodies::of_everything();
    let (view, broken) = (bodies.view(), View { span: &[0x4a], ..bodies.view() });
    for mode in [ErrorMode::Ignore, ErrorMode::Silent] {
        let mut passed_over = 0;
        assert_eq!(mode.any(&conditions, &view, &mut passed_over), Ok(true));
        assert_eq!(mode.any(&conditions[..1], &view, &mut passed_over), Ok(false));
        assert!(matches!(mode.any(&conditions, &broken, &mut passed_over), Err(EvaluationError::Unreadable(_))));
        assert_eq!(passed_over, 2);
    }
    let mut passed_over = 0;
    assert_eq!(ErrorMode::Propagate.any(&conditions, &view, &mut passed_over), Err(EvaluationError::OutOfBounds));
    assert_eq!(passed_over, 0);
}
