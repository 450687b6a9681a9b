use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use tonic::Code;
use tonic::codec::CompressionEncoding;

use super::*;
use crate::client::{Client, Service};
use crate::http;
use crate::loopback::Block;
use crate::wait::wait_until;

const LIMIT: Duration = Duration::from_secs(10);
const NAME: &str = "a name that compression would hide, a name that compression would hide";

fn request() -> Vec<u8> {
    let span = Span { name: NAME.to_owned(), ..Span::default() };
    let scope = ScopeSpans { spans: vec![span], ..ScopeSpans::default() };
    let resource = ResourceSpans { scope_spans: vec![scope], ..ResourceSpans::default() };
    ExportTraceServiceRequest { resource_spans: vec![resource] }.encode_to_vec()
}

fn started() -> (Block, FakeBackend) {
    let block = Block::take();
    let backend = FakeBackend::start(block.socket(1, 0));
    (block, backend)
}

fn names(backend: &FakeBackend) -> Vec<String> {
    backend.spans().into_iter().map(|received| received.span.name).collect()
}

fn contains(raw: &[u8], text: &str) -> bool {
    raw.windows(text.len()).any(|window| window == text.as_bytes())
}

#[test]
fn grpc_is_accepted_in_every_compression_and_kept_inflated() {
    for encoding in [None, Some(CompressionEncoding::Gzip), Some(CompressionEncoding::Zstd)] {
        let (_block, backend) = started();
        let client = Client::plain(backend.address());
        let client = encoding.into_iter().fold(client, Client::compressed);
        client.export_with(Service::Traces, request(), &[("x-scope", "acme")]).unwrap();
        assert_eq!(names(&backend), [NAME]);
        assert!(contains(&backend.raw(), NAME));
        assert!(backend.headers()[0].contains(&("x-scope".to_owned(), "acme".to_owned())));
    }
}

#[test]
fn http_is_accepted_plain_and_gzipped() {
    use std::io::Write;
    let (_block, backend) = started();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(&request()).unwrap();
    let gzip = gzip.finish().unwrap();
    for (headers, body) in [(&[][..], request()), (&[("Content-Encoding", "gzip")][..], gzip)] {
        let reply = http::post(backend.address(), "/v1/traces", "application/x-protobuf", headers, &body).unwrap();
        assert_eq!((reply.status, reply.body.as_slice()), (200, &b""[..]));
    }
    assert_eq!(names(&backend), [NAME, NAME]);
    let reply = http::post(backend.address(), "/v1/traces", "application/x-protobuf", &[], b"\xff\xff").unwrap();
    assert_eq!(reply.status, 400);
}

#[test]
fn a_refusal_says_its_code_and_what_arrived_is_still_kept() {
    let (_block, backend) = started();
    backend.behave(Behaviour::Refuse(Code::ResourceExhausted));
    let refused = Client::plain(backend.address()).export(Service::Traces, request()).unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    let reply = http::post(backend.address(), "/v1/logs", "application/x-protobuf", &[], b"").unwrap();
    assert_eq!(reply.status, 429);
    assert!(backend.spans().is_empty() && backend.requests() == 2 && contains(&backend.raw(), NAME));
}

#[test]
fn only_what_holds_the_poison_is_refused() {
    let (_block, backend) = started();
    let client = Client::plain(backend.address());
    backend.behave(Behaviour::RefuseWith(b"that compression would hide"));
    assert_eq!(client.export(Service::Traces, request()).unwrap_err().code(), Code::InvalidArgument);
    backend.behave(Behaviour::RefuseWith(b"something else"));
    client.export(Service::Traces, request()).unwrap();
    assert_eq!(names(&backend), [NAME]);
}

#[test]
fn killing_ends_requests_that_hang_and_accepting_again_serves_new_ones() {
    let (_block, backend) = started();
    backend.behave(Behaviour::Hang);
    let address = backend.address();
    let hanging = std::thread::spawn(move || Client::plain(address).export(Service::Traces, request()));
    wait_until(LIMIT, "the request arrives", || backend.requests() == 1);
    assert!(!hanging.is_finished());
    backend.behave(Behaviour::Kill);
    assert!(hanging.join().unwrap().is_err());
    assert!(Client::plain(address).export(Service::Traces, request()).is_err());
    backend.behave(Behaviour::Accept);
    Client::plain(address).export(Service::Traces, request()).unwrap();
    assert_eq!(names(&backend), [NAME]);
}

#[test]
fn a_backend_can_go_and_come_back_on_its_address() {
    let (_block, backend) = started();
    let address = backend.address();
    drop(backend);
    assert!(Client::plain(address).export(Service::Traces, request()).is_err());
    let backend = FakeBackend::start(address);
    Client::plain(address).export(Service::Traces, request()).unwrap();
    assert_eq!(names(&backend), [NAME]);
}

#[test]
fn tls_is_spoken_with_those_who_trust_the_certificate() {
    let block = Block::take();
    let made = rcgen::generate_simple_self_signed([block.address(1).to_string()]).unwrap();
    let identity = Identity { cert: made.cert.pem(), key: made.signing_key.serialize_pem() };
    let backend = FakeBackend::start_tls(block.socket(1, 0), &identity);
    Client::tls(backend.address(), &identity.cert, None).export(Service::Traces, request()).unwrap();
    assert_eq!(names(&backend), [NAME]);
    let other = rcgen::generate_simple_self_signed([block.address(1).to_string()]).unwrap().cert.pem();
    assert!(Client::tls(backend.address(), &other, None).export(Service::Traces, request()).is_err());
    assert!(Client::plain(backend.address()).export(Service::Traces, request()).is_err());
}
