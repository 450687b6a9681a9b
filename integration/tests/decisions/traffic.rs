//! Random traces in several requests, of several resources, with everything on their spans that policies can ask for.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message;
use tollgate_otlp::{Index, Limits, walk_traces};

use crate::dice::Dice;

pub(crate) const TRACES: usize = 200;
const REQUESTS: usize = 10;
const SECOND: u64 = 1_000_000_000;

/// Requests in the order in which they are sent.
pub(crate) struct Traffic {
    pub(crate) requests: Vec<Request>,
    /// Every trace id, in order of their making.
    pub(crate) traces: Vec<[u8; 16]>,
    pub(crate) seen: Vec<Seen>,
}

/// A request as it is sent, with where everything in it lies.
pub(crate) struct Request {
    pub(crate) payload: Vec<u8>,
    pub(crate) index: Index,
}

/// One span and what it stands under.
pub(crate) struct Seen {
    pub(crate) resource: ResourceSpans,
    pub(crate) scope: ScopeSpans,
    pub(crate) span: Span,
}

impl Traffic {
    pub(crate) fn random(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let resources: Vec<_> = (0..6).map(|_| resource(&mut dice)).collect();
        let scopes: Vec<_> = (0..4).map(|number| scope(&mut dice, number)).collect();
        let mut requests = vec![ExportTraceServiceRequest::default(); REQUESTS];
        let (mut traces, mut seen) = (Vec::new(), Vec::new());
        for _ in 0..TRACES {
            let trace = dice.bytes();
            traces.push(trace);
            // Some lie in one request and some in many, so that the late ones come when much else has come.
            let (first, reach) = (dice.below(REQUESTS), 1 + dice.below(REQUESTS));
            for number in 0..1 + dice.below(7) {
                let request = (first + dice.below(reach)) % REQUESTS;
                let (resource, scope) = (dice.of(&resources).clone(), dice.of(&scopes).clone());
                let span = span(&mut dice, &trace, number);
                add(&mut requests[request], resource.clone(), scope.clone(), span.clone());
                seen.push(Seen { resource, scope, span });
            }
        }
        Self { requests: requests.iter().map(walked).collect(), traces, seen }
    }
}

fn walked(request: &ExportTraceServiceRequest) -> Request {
    let payload = request.encode_to_vec();
    let walked = walk_traces(&payload, &Limits::default()).expect("a request");
    assert!(walked.rejected.is_none());
    Request { payload, index: walked.index }
}

/// Below the last resource and scope if they are the same.
fn add(request: &mut ExportTraceServiceRequest, resource: ResourceSpans, scope: ScopeSpans, span: Span) {
    let same = |last: &&mut ResourceSpans| last.resource == resource.resource && last.schema_url == resource.schema_url;
    if request.resource_spans.last_mut().filter(same).is_none() {
        request.resource_spans.push(resource);
    }
    let Some(last) = request.resource_spans.last_mut() else { return };
    if last.scope_spans.last().is_none_or(|last| last.scope != scope.scope) {
        last.scope_spans.push(scope);
    }
    if let Some(last) = last.scope_spans.last_mut() {
        last.spans.push(span);
    }
}

fn resource(dice: &mut Dice) -> ResourceSpans {
    let mut attributes = vec![pair("service.name", text(dice, &["shop", "payment", "checkout"]))];
    for (key, value) in [
        ("text.where", text(dice, &["eu-west-1", "us-east-2", ""])),
        ("num.replica", int(dice, &[1, 2, 30])),
        ("flag.canary", flag(dice)),
    ] {
        if !dice.one_in(3) {
            attributes.push(pair(key, value));
        }
    }
    let resource = Resource { attributes, dropped_attributes_count: dice.below(3) as u32, ..Resource::default() };
    let schema_url = dice.text(&["", "https://example.test/1.2"]);
    let resource = Some(resource).filter(|_| !dice.one_in(8));
    ResourceSpans { resource, scope_spans: Vec::new(), schema_url }
}

fn scope(dice: &mut Dice, number: usize) -> ScopeSpans {
    let scope = InstrumentationScope {
        name: format!("tracer-{number}"),
        version: dice.text(&["", "1.2.3"]),
        attributes: if number == 0 { Vec::new() } else { vec![pair("mixed", mixed(dice, 1))] },
        dropped_attributes_count: number as u32,
    };
    ScopeSpans { scope: Some(scope), spans: Vec::new(), schema_url: dice.text(&["", "https://example.test/scope"]) }
}

fn span(dice: &mut Dice, trace: &[u8; 16], number: usize) -> Span {
    let start = 1_700_000_000 * SECOND + dice.next() % (2 * SECOND);
    let is_root = number == 0 && !dice.one_in(5);
    let status =
        Status { code: *dice.of(&[0, 0, 0, 1, 2, 2, 3]), message: dice.text(&["", "boom <1> & \"2\"", "timeout"]) };
    Span {
        trace_id: trace.to_vec(),
        span_id: dice.bytes::<8>().to_vec(),
        trace_state: dice.text(&["", "", "a=1", "vendor=x y,a=2", "A=1", "a=1,a=2", "ot=th:8;rv:1,b=4", "broken"]),
        parent_span_id: if is_root { Vec::new() } else { dice.bytes::<8>().to_vec() },
        flags: *dice.of(&[0, 0, 1, 257, 0x300]),
        name: dice.text(&["GET /users", "GET /users/42", "POST /orders", "SELECT", "héllo WÖRLD", "someName2Go", ""]),
        kind: *dice.of(&[0, 1, 2, 3, 4, 5, 6, -1]),
        start_time_unix_nano: start,
        end_time_unix_nano: start + *dice.of(&[0, 1, 20, 400, 2_000]) * 1_000_000 + dice.next() % 1_000_000,
        attributes: attributes(dice),
        dropped_attributes_count: dice.below(3) as u32,
        events: (0..dice.below(4).saturating_sub(1)).map(|_| event(dice, start)).collect(),
        dropped_events_count: dice.below(3) as u32,
        links: vec![Link::default(); dice.below(3)],
        dropped_links_count: dice.below(2) as u32,
        status: if dice.one_in(4) { None } else { Some(status) },
    }
}

fn event(dice: &mut Dice, start: u64) -> Event {
    Event {
        time_unix_nano: start + dice.next() % SECOND,
        name: dice.text(&["exception", "retry", ""]),
        attributes: if dice.one_in(2) { Vec::new() } else { vec![pair("mixed", mixed(dice, 2))] },
        dropped_attributes_count: dice.below(2) as u32,
    }
}

/// Keys that policies of a type ask for have values of that type; `mixed` has any.
fn attributes(dice: &mut Dice) -> Vec<KeyValue> {
    let mut all = vec![
        pair("text.tier", text(dice, &["gold", "silver", ""])),
        pair("text.path", text(dice, &["/users/42", "/health", "/orders", "a+b@example.test"])),
        pair("num.status", int(dice, &[200, 404, 500, 503, -7])),
        pair("num.size", int(dice, &[1, 10, 100_000, i64::MAX])),
        pair("flag.cached", flag(dice)),
        pair("mixed", mixed(dice, 2)),
        pair("other", mixed(dice, 2)),
        pair("key", text(dice, &["mixed", "other", "none"])),
    ];
    all.retain(|_| !dice.one_in(3));
    if dice.one_in(6) {
        all.extend(all.first().cloned());
    }
    all
}

const TEXTS: &[&str] = &[
    "",
    "1",
    "42",
    "2.5",
    "true",
    "abc",
    "ABC",
    "GET /users",
    "<&>\n\"é",
    " 42",
    "+42",
    "-0",
    "1e3",
    "0x1F",
    "1_000",
    "007",
    "9223372036854775808",
    "NaN",
    "inf",
    "-Infinity",
    "fooBarBaz",
    "HTTPServer2Go",
    "snake_case_x",
    "ǅ ß İ",
    "a\u{2028}b\u{7f}",
    "deadbeef00112233",
    "{\"a\":1}",
    "T",
];
const DOUBLES: &[f64] = &[
    0.0,
    1.0,
    2.5,
    -0.5,
    42.0,
    1e300,
    1e-7,
    123_456_789.125,
    -0.0,
    f64::NAN,
    f64::INFINITY,
    f64::NEG_INFINITY,
    1e21,
    1e20,
    0.1,
    9_223_372_036_854_775_807.0,
    -2.0,
    5e-324,
];

/// A value of any type, nested so deep at most.
fn mixed(dice: &mut Dice, depth: usize) -> AnyValue {
    let value = match dice.below(if depth == 0 { 9 } else { 13 }) {
        0 => return AnyValue { value: None },
        1 | 2 => Value::StringValue(dice.text(TEXTS)),
        3 | 4 => Value::IntValue(*dice.of(&[0, 1, 42, -3, 500, i64::MIN, i64::MAX])),
        5 => Value::DoubleValue(*dice.of(DOUBLES)),
        6 => Value::BoolValue(dice.one_in(2)),
        7 => Value::BytesValue(dice.of(&[&b""[..], b"\x01", b"\xde\xad\xbe\xef", b"12345678"]).to_vec()),
        8 => Value::IntValue(dice.below(4) as i64),
        9 | 10 => {
            Value::ArrayValue(ArrayValue { values: (0..dice.below(4)).map(|_| mixed(dice, depth - 1)).collect() })
        }
        _ => {
            let keys = ["a", "b", "z"];
            let values = keys.iter().filter(|_| dice.one_in(2)).collect::<Vec<_>>();
            let values = values.into_iter().map(|key| pair(key, mixed(dice, depth - 1))).collect();
            Value::KvlistValue(KeyValueList { values })
        }
    };
    AnyValue { value: Some(value) }
}

fn pair(key: &str, value: AnyValue) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(value), ..KeyValue::default() }
}

fn text(dice: &mut Dice, of: &[&str]) -> AnyValue {
    AnyValue { value: Some(Value::StringValue(dice.text(of))) }
}

fn int(dice: &mut Dice, of: &[i64]) -> AnyValue {
    AnyValue { value: Some(Value::IntValue(*dice.of(of))) }
}

fn flag(dice: &mut Dice) -> AnyValue {
    AnyValue { value: Some(Value::BoolValue(dice.one_in(2))) }
}
