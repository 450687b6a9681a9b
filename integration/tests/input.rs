//! Whatever is sent to a collector gets the OTLP error that is right for it, costs no more than it may, and leaves the process
//! well. One bad item does not sink its batch.
#![expect(clippy::unwrap_used, reason = "a test stops where its surroundings fail it")]
#![expect(clippy::disallowed_methods, reason = "answers are read by other code than they are written with")]

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message;
use serde_json::{Value, json};
use tollgate_integration::Fleet;
use tollgate_integration::requests::{self, request, request_of};
use tollgate_otlp::Writer;
use tollgate_testkit::http::{self, Reply};
use tollgate_testkit::{Client, Service, wait_until};
use tonic::Code;
use tonic::codec::CompressionEncoding;

/// Headers of one request.
type Headers<'a> = &'a [(&'static str, &'a str)];

const LIMIT: Duration = Duration::from_secs(20);
const COLLECTOR: &str = "eu-west-collector-eu-west-a-0";
const GATEWAY: &str = "eu-west-gateway-0";
const PROTOBUF: &str = "application/x-protobuf";
const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";
const TRACES: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
/// What a collector takes at the most, inflated.
const LARGEST: usize = 16 << 20;
/// The memory budget of the scaffold's node files.
const BUDGET: u64 = 128 << 20;

/// A collector under test.
struct Target {
    fleet: Fleet,
    idle: u64,
}

impl Target {
    fn start() -> Self {
        let mut fleet = Fleet::lay_out();
        fleet.start([COLLECTOR]);
        let idle = fleet.peak_memory(COLLECTOR);
        Self { fleet, idle }
    }

    fn grpc(&self) -> SocketAddr {
        self.fleet.otlp(COLLECTOR)
    }

    fn http(&self) -> SocketAddr {
        self.fleet.planned(COLLECTOR).otlp_http().unwrap()
    }

    fn post(&self, path: &str, kind: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        http::post(self.http(), path, kind, headers, body).unwrap()
    }

    /// Ready, serving, and never beyond its memory budget.
    #[track_caller]
    fn assert_well(mut self) {
        assert!(self.fleet.process(COLLECTOR).is_running(), "it ended:\n{}", self.fleet.process(COLLECTOR).log());
        assert!(self.fleet.is_ready(COLLECTOR));
        assert!(Client::plain(self.grpc()).export(Service::Traces, request(&[span(1)])).unwrap().is_empty());
        let reply = self.post("/v1/traces", PROTOBUF, &[], &request(&[span(2)]));
        assert_eq!((reply.status, reply.body.len()), (200, 0), "{}", reply.text());
        let grown = self.fleet.peak_memory(COLLECTOR).saturating_sub(self.idle);
        assert!(grown < BUDGET, "{} MiB more than when it started", grown >> 20);
    }
}

/// The body of a span that is good.
fn span(number: u64) -> Vec<u8> {
    span_with(number, |span| span.string(5, "GET"))
}

/// The body of a span with nothing but its ids and what else is written.
fn span_with(number: u64, more: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    requests::span(requests::numbered(number), more)
}

/// The body of an `AnyValue` below this many lists.
fn nested(depth: usize) -> Vec<u8> {
    let mut value = vec![0x10, 1]; // a bool
    for _ in 0..depth {
        let mut list = Vec::new();
        Writer::new(&mut list).message(5, |array| array.bytes(1, &value));
        value = list;
    }
    value
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::stream::encode_all(bytes, 1).unwrap()
}

/// A gRPC message with its five bytes of head.
fn framed(flag: u8, message: &[u8]) -> Vec<u8> {
    [&[flag], &u32::try_from(message.len()).unwrap().to_be_bytes()[..], message].concat()
}

#[test]
fn grpc_tells_each_wrong_message_from_a_retryable_refusal() {
    let target = Target::start();
    let client = Client::plain(target.grpc());
    let good = request(&[span(1)]);
    for (what, message, text) in [
        ("garbage", vec![0xff; 64], "not valid OTLP"),
        ("truncated", good[..good.len() - 3].to_vec(), "not valid OTLP: a field runs past the end"),
        ("wrong type", vec![0x08, 1], "not valid OTLP: a known field has the wrong wire type"),
        ("too large", vec![0; LARGEST + 1], "larger than 16777216 bytes"),
    ] {
        let refused = client.export(Service::Traces, message).expect_err(what);
        assert_eq!(refused.code(), Code::InvalidArgument, "{what}: {refused}");
        assert!(refused.message().contains(text) && refused.details().is_empty(), "{what}: {refused}");
    }
    for encoding in [CompressionEncoding::Gzip, CompressionEncoding::Zstd] {
        let bomb = Client::plain(target.grpc()).compressed(encoding).export(Service::Traces, vec![0; 64 << 20]);
        let refused = bomb.expect_err("a bomb");
        assert_eq!(refused.code(), Code::InvalidArgument, "{encoding:?}: {refused}");
        assert!(refused.message().contains("larger than 16777216 bytes"), "{encoding:?}: {refused}");
    }
    for service in [Service::Traces, Service::Metrics, Service::Logs] {
        assert!(client.export(service, Vec::new()).unwrap().is_empty(), "an empty request is a request");
    }
    target.assert_well();
}

#[test]
fn grpc_frames_that_no_library_sends_are_refused() {
    let target = Target::start();
    let client = Client::plain(target.grpc());
    let good = request(&[span(1)]);
    let mut longer = framed(0, &good);
    longer[4] += 1;
    let mut shorter = framed(0, &good);
    shorter[4] -= 1;
    let encoded = |name| [("grpc-encoding", name)];
    let cases: [(&str, &str, Headers<'_>, Vec<u8>, Code); 13] = [
        ("nothing", TRACES, &[], Vec::new(), Code::InvalidArgument),
        ("half a head", TRACES, &[], vec![0, 0], Code::InvalidArgument),
        ("declared longer", TRACES, &[], longer, Code::InvalidArgument),
        ("declared shorter", TRACES, &[], shorter, Code::InvalidArgument),
        ("two messages", TRACES, &[], [framed(0, &good), framed(0, &good)].concat(), Code::InvalidArgument),
        ("unknown flag", TRACES, &[], framed(7, &good), Code::InvalidArgument),
        ("four gigabytes declared", TRACES, &[], vec![0, 0xff, 0xff, 0xff, 0xff, 1], Code::InvalidArgument),
        ("compressed, it does not say how", TRACES, &[], framed(1, &gzip(&good)), Code::InvalidArgument),
        ("not gzip", TRACES, &encoded("gzip"), framed(1, &good), Code::InvalidArgument),
        ("half a gzip", TRACES, &encoded("gzip"), framed(1, &gzip(&good)[..20]), Code::InvalidArgument),
        ("not zstd", TRACES, &encoded("zstd"), framed(1, &good), Code::InvalidArgument),
        ("unknown compression", TRACES, &encoded("br"), framed(1, &good), Code::Unimplemented),
        ("unknown method", "/grpc.health.v1.Health/Check", &[], framed(0, &good), Code::Unimplemented),
    ];
    for (what, path, headers, body, code) in cases {
        let (http, status) = client.post(path, headers, body).expect(what);
        let status = status.expect(what);
        assert_eq!((http, status.code()), (200, code), "{what}: {status}");
        assert!(!status.message().is_empty(), "{what}");
    }
    let (ok, status) = client.post(TRACES, &encoded("gzip"), framed(1, &gzip(&good))).unwrap();
    assert_eq!((ok, status.unwrap().code()), (200, Code::Ok), "the same hand does it right");
    target.assert_well();
}

#[test]
fn http_answers_each_wrong_request_with_its_status_in_its_own_format() {
    let target = Target::start();
    let good = request(&[span(1)]);
    let (zipped, bomb) = ([("content-encoding", "gzip")], vec![b' '; 64 << 20]);
    let deep = "[".repeat(200_000);
    let cases: [(&str, &str, Headers<'_>, Vec<u8>, u16); 17] = [
        ("garbage", PROTOBUF, &[], vec![0xff; 64], 400),
        ("truncated", PROTOBUF, &[], good[..good.len() - 3].to_vec(), 400),
        ("too large", PROTOBUF, &[], vec![0; LARGEST + 1], 413),
        ("gzip bomb", PROTOBUF, &zipped, gzip(&bomb), 413),
        ("zstd bomb", PROTOBUF, &[("content-encoding", "zstd")], zstd(&bomb), 413),
        ("not gzip", PROTOBUF, &zipped, good.clone(), 400),
        ("half a gzip", PROTOBUF, &zipped, gzip(&good)[..20].to_vec(), 400),
        ("unknown compression", PROTOBUF, &[("content-encoding", "br")], good.clone(), 415),
        ("protobuf as json", JSON, &[], good.clone(), 400),
        ("nothing as json", JSON, &[], Vec::new(), 400),
        ("half a json", JSON, &[], b"{\"resourceSpans\":[".to_vec(), 400),
        ("wrong type", JSON, &[], b"{\"resourceSpans\":7}".to_vec(), 400),
        ("deep json", JSON, &[], deep.clone().into_bytes(), 400),
        ("deep unknown field", JSON, &[], format!("{{\"unknown\":{deep}").into_bytes(), 400),
        ("json bomb", JSON, &zipped, gzip(&bomb), 413),
        ("wrong content type", "text/plain", &[], good.clone(), 415),
        ("no content type", "", &[], good.clone(), 415),
    ];
    for (what, kind, headers, body, status) in cases {
        let reply = target.post("/v1/traces", kind, headers, &body);
        assert_eq!(reply.status, status, "{what}: {}", reply.text());
        // Who does not speak OTLP is told in words.
        let format = if [PROTOBUF, JSON].contains(&kind) { kind } else { TEXT };
        assert_eq!(reply.header("content-type"), Some(format), "{what}");
        assert!(!message_of(&reply).is_empty(), "{what}: an error says why");
        assert_eq!(reply.header("retry-after"), None, "{what}: nothing makes it right later");
    }
    for path in ["/", "/v1/profiles", "/v1/traces/", TRACES] {
        assert_eq!(target.post(path, PROTOBUF, &[], &good).status, 404, "{path}");
    }
    let wrong_method = http::get(target.http(), "/v1/traces").unwrap();
    assert_eq!((wrong_method.status, wrong_method.header("allow")), (405, Some("POST")));
    for path in ["/v1/traces", "/v1/metrics", "/v1/logs"] {
        let empty = target.post(path, PROTOBUF, &[], &[]);
        assert_eq!((empty.status, empty.body.as_slice()), (200, &b""[..]), "an empty request is a request");
        let empty = target.post(path, JSON, &[], b"{}");
        assert_eq!((empty.status, empty.text().as_str()), (200, "{}"));
    }
    target.assert_well();
}

/// The message of a `google.rpc.Status`, in either format, or a bare one.
fn message_of(reply: &Reply) -> String {
    #[derive(Message)]
    struct Status {
        #[prost(string, tag = "2")]
        message: String,
    }
    match reply.header("content-type") {
        Some(JSON) => {
            let json: Value = serde_json::from_slice(&reply.body).unwrap();
            json["message"].as_str().unwrap_or_default().to_owned()
        }
        Some(TEXT) => reply.text(),
        _ => Status::decode(reply.body.as_slice()).unwrap().message,
    }
}

#[test]
fn what_is_no_http_at_all_ends_its_own_connection_only() {
    let target = Target::start();
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let frames: [&[u8]; 5] = [
        &[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3], // the beginning of a TLS handshake
        b"SSH-2.0-OpenSSH_9.6\r\n",
        &[&preface[..], &[0xff; 400]].concat(), // a frame of 16 MiB of an unknown type
        &[&preface[..], &[0, 0, 4, 1, 4, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff]].concat(), // headers that no table has
        &[&preface[..], &[0, 0, 0, 0, 0, 0, 0, 0, 0]].concat(), // data of a stream that cannot be
    ];
    let mut open = Vec::new();
    for address in [target.grpc(), target.http()] {
        for _ in 0..20 {
            for frame in frames {
                let mut stream = TcpStream::connect(address).unwrap();
                stream.write_all(frame).unwrap();
                open.push(stream);
            }
        }
    }
    target.assert_well();
}

/// Spans that are bad each in its own way, and what says so.
fn bad_spans() -> Vec<(&'static str, Vec<u8>)> {
    let with_ids = |trace: &[u8], id: &[u8]| {
        let mut body = Vec::new();
        let mut span = Writer::new(&mut body);
        span.bytes(1, trace);
        span.bytes(2, id);
        body
    };
    vec![
        ("a trace id is not valid", with_ids(&[0; 16], &[1; 8])),
        ("a trace id is not valid", with_ids(&[1; 15], &[1; 8])),
        ("a span id is not valid", with_ids(&[1; 16], &[0; 8])),
        ("a span id is not valid", with_ids(&[1; 16], &[])),
        ("a parent span id is not valid", span_with(999, |span| span.bytes(4, &[1; 3]))),
        ("not valid utf-8", span_with(999, |span| span.bytes(5, &[0xff, 0xfe]))),
        ("past the end", span_with(999, |span| span.bytes(9, &[0x0a, 40, 1]))),
        ("wrong wire type", span_with(999, |span| span.varint(5, 1))),
        ("nested too deeply", span_with(999, |span| span.key_any(9, "deep", &nested(10_000)))),
        (
            "stands twice",
            span_with(999, |span| {
                span.string(5, "GET");
                span.string(5, "POST");
            }),
        ),
    ]
}

#[test]
fn one_bad_span_does_not_sink_the_other_ninety_nine() {
    let mut target = Target::start();
    target.fleet.start([GATEWAY]);
    let client = Client::plain(target.grpc());
    let mut expected = BTreeSet::new();
    for (number, (why, bad)) in (1..).zip(bad_spans()) {
        let ids = (0..99).map(|place| 1000 * number + place).collect::<Vec<u64>>();
        let mut spans: Vec<_> = ids.iter().map(|id| span(*id)).collect();
        spans.insert(37, bad);
        expected.extend(ids.iter().map(|id| format!("{id:016x}")));
        let request = request(&spans);
        let answer = if number % 2 == 0 {
            client.export(Service::Traces, request).unwrap().to_vec()
        } else {
            let reply = target.post("/v1/traces", PROTOBUF, &[], &request);
            assert_eq!(reply.status, 200, "{why}: {}", reply.text());
            reply.body
        };
        let partial = ExportTraceServiceResponse::decode(answer.as_slice()).unwrap().partial_success.unwrap();
        assert_eq!(partial.rejected_spans, 1, "{why}: {}", partial.error_message);
        assert!(partial.error_message.contains(why), "{why}: {}", partial.error_message);
    }
    let files = target.fleet.files(GATEWAY, "embedded", "traces");
    let arrived = || span_ids(&files);
    wait_until(LIMIT, "all good spans are at the gateway's backend", || arrived().len() >= expected.len());
    assert_eq!(arrived(), expected, "and nothing else");
    target.assert_well();
}

fn span_ids(folder: &std::path::Path) -> BTreeSet<String> {
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    let text: String = files.map(|file| fs::read_to_string(file.path()).unwrap_or_default()).collect();
    let ids = text.split("\"spanId\":\"").skip(1).filter_map(|rest| rest.split('"').next());
    ids.map(str::to_owned).collect()
}

#[test]
fn one_bad_span_of_json_is_told_in_json() {
    let target = Target::start();
    let span = |trace: &str| json!({"traceId": trace, "spanId": "0102030405060708", "name": "GET"});
    let good = "0102030405060708090a0b0c0d0e0f10";
    let request = json!({"resourceSpans": [{"scopeSpans": [{"spans": [span(good), span("0102")]}]}]});
    let reply = target.post("/v1/traces", JSON, &[], request.to_string().as_bytes());
    assert_eq!((reply.status, reply.header("content-type")), (200, Some(JSON)), "{}", reply.text());
    let answer: Value = serde_json::from_slice(&reply.body).unwrap();
    assert_eq!(answer["partialSuccess"]["rejectedSpans"], "1", "64-bit integers are strings: {answer}");
    assert!(answer["partialSuccess"]["errorMessage"].as_str().unwrap().contains("trace id"), "{answer}");
    target.assert_well();
}

#[test]
fn deep_nesting_costs_its_span_or_its_request_and_nothing_else() {
    let target = Target::start();
    let client = Client::plain(target.grpc());
    let deep = nested(100_000);
    let in_span = request(&[span(1), span_with(2, |span| span.key_any(9, "deep", &deep))]);
    let answer = client.export(Service::Traces, in_span).unwrap();
    let partial = ExportTraceServiceResponse::decode(answer).unwrap().partial_success.unwrap();
    assert_eq!(partial.rejected_spans, 1, "{}", partial.error_message);
    // No span can do without its resource.
    let in_resource = request_of(|resource| resource.key_any(1, "deep", &deep), &[span(1)]);
    let refused = client.export(Service::Traces, in_resource).unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
    let value = format!("{}{{\"intValue\":\"1\"}}{}", "{\"arrayValue\":{\"values\":[".repeat(5000), "]}}".repeat(5000));
    let span = format!(
        r#"{{"traceId":"{}","spanId":"{}","attributes":[{{"key":"deep","value":{value}}}]}}"#,
        "1".repeat(32),
        "1".repeat(16)
    );
    let request = format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{span}]}}]}}]}}"#);
    let reply = target.post("/v1/traces", JSON, &[], request.as_bytes());
    assert_eq!(reply.status, 400, "{}", reply.text());
    assert!(message_of(&reply).contains("deep"), "{}", message_of(&reply));
    target.assert_well();
}
