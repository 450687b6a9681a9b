//! OTLP/HTTP: protobuf and JSON in, protobuf out, errors in the format of the request.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tollgate_federation::{Compression, Signal};

use super::support::{Recorder, Server, options, payload, send, service};
use crate::client::deflate::compress;
use crate::{Denial, Exporter, HttpChannel, Limits, Options, Peering, Receipt, Security, SendError, Unsupported};

struct Answer {
    code: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

async fn post(server: &Server, path: &str, headers: &[(&'static str, &str)], body: impl Into<Bytes>) -> Answer {
    call(server, Method::POST, path, headers, body).await
}

async fn call(
    server: &Server,
    method: Method,
    path: &str,
    headers: &[(&'static str, &str)],
    body: impl Into<Bytes>,
) -> Answer {
    let stream = TcpStream::connect(server.address).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    let mut request = Request::new(Full::new(body.into()));
    (*request.method_mut(), *request.uri_mut()) = (method, path.parse().unwrap());
    request.headers_mut().insert("host", "test".parse().unwrap());
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    let answer = async {
        let (head, body) = sender.send_request(request).await.unwrap().into_parts();
        Answer { code: head.status, headers: head.headers, body: body.collect().await.unwrap().to_bytes() }
    };
    tokio::select! {
        answer = answer => answer,
        ended = connection => panic!("the connection ended first: {ended:?}"),
    }
}

const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");
const JSON: (&str, &str) = ("content-type", "application/json; charset=utf-8");

#[tokio::test]
async fn protobuf_is_taken_with_every_compression() {
    let server = Server::plain().await;
    for (compression, name) in
        [(Compression::None, "identity"), (Compression::Gzip, "gzip"), (Compression::Zstd, "zstd")]
    {
        let body = compress(compression, &[payload(2)]).concat();
        let answer = post(&server, "/v1/traces", &[PROTOBUF, ("content-encoding", name)], body).await;
        assert_eq!((answer.code, answer.body), (StatusCode::OK, Bytes::new()));
        assert_eq!(answer.headers["content-type"], "application/x-protobuf");
    }
    assert_eq!(server.recorder.payloads(), [payload(2), payload(2), payload(2)]);
}

#[tokio::test]
async fn every_signal_has_its_path() {
    let server = Server::plain().await;
    for path in ["/v1/traces", "/v1/metrics", "/v1/logs"] {
        assert_eq!(post(&server, path, &[PROTOBUF], "").await.code, StatusCode::OK);
    }
    let signals: Vec<Signal> = server.recorder.seen.lock().unwrap().iter().map(|seen| seen.signal).collect();
    assert_eq!(signals, Signal::ALL);
}

#[tokio::test]
async fn json_arrives_as_protobuf_and_is_answered_in_json() {
    let answer = Ok(Receipt { rejected: 1, message: "one".into() });
    let server = Server::start(service(Security::Plain), Recorder::answering(answer)).await;
    let id = |byte: &str, length: usize| byte.repeat(length);
    let text = format!(
        r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"traceId":"{}","spanId":"{}"}}]}}]}}]}}"#,
        id("01", 16),
        id("01", 8)
    );
    for (body, encoding) in [
        (Bytes::from(text.clone()), "identity"),
        (compress(Compression::Gzip, &[Bytes::from(text)]).concat().into(), "gzip"),
    ] {
        let answer = post(&server, "/v1/traces", &[JSON, ("content-encoding", encoding)], body).await;
        assert_eq!(answer.code, StatusCode::OK);
        let json: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(json, serde_json::json!({"partialSuccess": {"rejectedSpans": "1", "errorMessage": "one"}}));
    }
    let seen = server.recorder.payloads();
    let decoded = tollgate_otlp::walk_traces(&seen[0], &tollgate_otlp::Limits::default()).unwrap();
    assert_eq!((decoded.index.items(), seen[0] == seen[1]), (1, true));
}

#[tokio::test]
async fn errors_speak_the_format_of_the_request() {
    let denial = Denial::Exhausted { retry_after: Duration::from_millis(1500) };
    let server = Server::start(service(Security::Plain), Recorder::answering(Err(denial))).await;
    let answer = post(&server, "/v1/traces", &[JSON], "{}").await;
    assert_eq!((answer.code, &answer.headers["retry-after"]), (StatusCode::TOO_MANY_REQUESTS, &"2".parse().unwrap()));
    let json: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!((&json["code"], &json["message"]), (&8.into(), &"no room for more data now".into()));
    let answer = post(&server, "/v1/traces", &[PROTOBUF], "").await;
    assert_eq!(answer.headers["content-type"], "application/x-protobuf");
    let status = crate::answer::RpcStatus::decode(&answer.body);
    assert_eq!((status.code, status.retry_after), (8, Some(Duration::from_millis(1500))));
}

#[tokio::test]
async fn what_is_not_otlp_is_told_so() {
    let server = Server::plain().await;
    let code = |answer: Answer| answer.code.as_u16();
    assert_eq!(code(post(&server, "/v1/profiles", &[PROTOBUF], "").await), 404);
    assert_eq!(code(post(&server, "/", &[PROTOBUF], "").await), 404);
    assert_eq!(code(call(&server, Method::GET, "/v1/traces", &[PROTOBUF], "").await), 405);
    assert_eq!(code(post(&server, "/v1/traces", &[("content-type", "text/plain")], "").await), 415);
    assert_eq!(code(post(&server, "/v1/traces", &[PROTOBUF, ("content-encoding", "br")], "").await), 415);
    assert_eq!(code(post(&server, "/v1/traces", &[PROTOBUF, ("content-encoding", "gzip")], "nonsense").await), 400);
    assert_eq!(code(post(&server, "/v1/traces", &[JSON], "{").await), 400);
    assert!(server.recorder.payloads().is_empty());
}

/// Guarantees: whoever speaks something else is told what is spoken, in headers, and in words of the format they sent.
#[tokio::test]
async fn what_would_have_been_taken_is_said() {
    let server = Server::plain().await;
    let answer = call(&server, Method::PUT, "/v1/traces", &[JSON], "{}").await;
    let json: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(
        (&answer.headers["allow"], &json["message"]),
        (&"POST".parse().unwrap(), &"only POST is taken here".into())
    );
    let answer = post(&server, "/v1/trace", &[PROTOBUF], "").await;
    let status = crate::answer::RpcStatus::decode(&answer.body);
    assert!(answer.code == StatusCode::NOT_FOUND && status.message.contains("/v1/traces"), "{status:?}");
    let answer = call(&server, Method::GET, "/", &[], "").await;
    assert_eq!(answer.headers["content-type"], "text/plain; charset=utf-8");
    assert!(answer.body.starts_with(b"nothing is taken here"), "{:?}", answer.body);
    let answer = post(&server, "/v1/logs", &[("content-type", "text/plain")], "x").await;
    assert_eq!(answer.headers["accept"], "application/x-protobuf, application/json");
    let answer = post(&server, "/v1/logs", &[PROTOBUF, ("content-encoding", "br")], "x").await;
    assert_eq!(answer.headers["accept-encoding"], "gzip, zstd, identity");
}

/// Writes head and body before it reads a byte, as most HTTP libraries do.
async fn blindly(server: &Server, head: &str, body: usize) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(server.address).await?;
    stream.write_all(format!("{head}\r\nhost: test\r\ncontent-length: {body}\r\n\r\n").as_bytes()).await?;
    stream.write_all(&vec![b' '; body]).await?;
    let mut answer = vec![0; 4096];
    let read = stream.read(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer[..read]).into_owned())
}

/// Scenario: a client writes megabytes that are refused by their head alone. Guarantees: it sees the refusal and no broken
/// pipe, which it would take for a fault of the network and try again.
#[tokio::test]
async fn who_writes_all_before_reading_sees_the_refusal() {
    let mut service = service(Security::Plain);
    service.limits = Limits { max_message: 4 << 20, ..service.limits };
    let server = Server::start(service, Arc::default()).await;
    let kind = "content-type: application/x-protobuf";
    for (head, code) in [
        (format!("POST /v1/traces HTTP/1.1\r\n{kind}"), "413"),
        ("POST /v1/traces HTTP/1.1\r\ncontent-type: text/plain".to_owned(), "415"),
        (format!("POST /v1/traces HTTP/1.1\r\ncontent-encoding: br\r\n{kind}"), "415"),
        (format!("POST /v1/spans HTTP/1.1\r\n{kind}"), "404"),
        (format!("PUT /v1/traces HTTP/1.1\r\n{kind}"), "405"),
    ] {
        let answer = blindly(&server, &head, 12 << 20).await.unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {code}")), "{head}: {answer}");
    }
    assert_eq!(server.budget.used(), 0);
}

/// Guarantees: what a refused sender may still send is bounded, and who asks before sending is answered at once.
#[tokio::test]
async fn a_refused_body_is_not_read_for_ever() {
    let mut service = service(Security::Plain);
    service.limits = Limits { max_message: 1 << 20, ..service.limits };
    let server = Server::start(service, Arc::default()).await;
    let head = "POST /v1/traces HTTP/1.1\r\ncontent-type: application/x-protobuf";
    assert!(blindly(&server, head, 64 << 20).await.is_err(), "64 MiB are more than anybody may have meant");
    let mut asking = TcpStream::connect(server.address).await.unwrap();
    let head = format!("{head}\r\nhost: test\r\ncontent-length: 2000000\r\nexpect: 100-continue\r\n\r\n");
    asking.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    asking.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
}

#[tokio::test]
async fn too_large_and_bombs_are_413() {
    let mut service = service(Security::Plain);
    service.limits = Limits { max_message: 1 << 20, ..service.limits };
    let server = Server::start(service, Arc::default()).await;
    let bomb = vec![b' '; 16 << 20];
    for (compression, name) in [(Compression::Gzip, "gzip"), (Compression::Zstd, "zstd")] {
        let bomb = compress(compression, &[Bytes::from(bomb.clone())]).concat();
        for kind in [PROTOBUF, JSON] {
            let answer = post(&server, "/v1/traces", &[kind, ("content-encoding", name)], bomb.clone()).await;
            assert_eq!(answer.code, StatusCode::PAYLOAD_TOO_LARGE);
        }
    }
    assert_eq!(server.budget.used(), 0);
}

#[tokio::test]
async fn our_client_posts_with_every_compression_over_one_connection() {
    let server = Server::plain().await;
    let url = format!("http://{}", server.address).parse().unwrap();
    let channel = HttpChannel::new(&url, Peering::Plain).unwrap();
    for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
        let exporter = Exporter::http(channel.clone(), Options { compression, ..options() });
        send(&exporter, &[payload(1), payload(2)]).await.unwrap();
    }
    let merged = Bytes::from([payload(1), payload(2)].concat());
    assert_eq!(server.recorder.payloads(), [merged.clone(), merged.clone(), merged]);
    let peers: Vec<_> = server.recorder.seen.lock().unwrap().iter().map(|seen| seen.peer.clone()).collect();
    assert!(peers.iter().all(|peer| *peer == peers[0]), "one connection: {peers:?}");
}

#[tokio::test]
async fn closed_idle_connection_is_not_used_again() {
    let server = Server::plain().await;
    let url = format!("http://{}", server.address).parse().unwrap();
    let exporter = Exporter::http(HttpChannel::new(&url, Peering::Plain).unwrap(), options());
    send(&exporter, &[payload(1)]).await.unwrap();
    server.stopper.stop();
    server.tasks.wait(Duration::from_secs(5)).await.unwrap();
    let gone = send(&exporter, &[payload(1)]).await.unwrap_err();
    assert!(gone.to_string().contains("cannot connect"), "{gone}");
}

#[tokio::test]
async fn our_two_ends_agree_on_every_http_refusal() {
    let wait = Duration::from_secs(3);
    for (denial, kind) in [
        (Denial::Malformed("a".into()), "refused for its content: HTTP 400"),
        (Denial::TooLarge { limit: 3 }, "refused for its content: HTTP 413"),
        (Denial::Exhausted { retry_after: wait }, "to be sent again: HTTP 429"),
        (Denial::Unavailable { retry_after: wait }, "to be sent again: HTTP 503"),
        (Denial::Forbidden("b".into()), "held: HTTP 403"),
        (Denial::Unsupported(Unsupported::Encoding), "held: HTTP 415"),
        (Denial::Internal("d".into()), "to be sent again: HTTP 500"),
    ] {
        let server = Server::start(service(Security::Plain), Recorder::answering(Err(denial.clone()))).await;
        let url = format!("http://{}", server.address).parse().unwrap();
        let exporter = Exporter::http(HttpChannel::new(&url, Peering::Plain).unwrap(), options());
        let error = send(&exporter, &[payload(1)]).await.unwrap_err();
        assert!(error.to_string().starts_with(kind), "{denial:?}: {error}");
        if let SendError::Retry { after, .. } = error {
            assert_eq!(after, denial.retry_after());
        }
    }
}

#[tokio::test]
async fn answer_that_closes_the_connection_is_an_answer() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/otlp", listener.local_addr().unwrap()).parse().unwrap();
    let exporter = Exporter::http(HttpChannel::new(&url, Peering::Plain).unwrap(), options());
    for _ in 0..20 {
        let chunks = [payload(1)];
        let closing = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 4096];
            let read = stream.read(&mut request).await.unwrap();
            assert!(request[..read].starts_with(b"POST /otlp/v1/traces HTTP/1.1\r\n"));
            let answer =
                b"HTTP/1.1 429 Slow\r\nretry-after: 4\r\nconnection: close\r\ncontent-length: 2\r\n\r\n\x08\x08";
            stream.write_all(answer).await.unwrap();
        };
        let (sent, ()) = tokio::join!(send(&exporter, &chunks), closing);
        let error = sent.unwrap_err();
        let told = matches!(error, SendError::Retry { after: Some(after), .. } if after == Duration::from_secs(4));
        assert!(told, "{error}");
    }
}

#[tokio::test]
async fn connection_that_closes_without_an_answer_is_unreachable() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let exporter = Exporter::http(HttpChannel::new(&url, Peering::Plain).unwrap(), options());
    for cut in [&b""[..], b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n\x0a\x03"] {
        let chunks = [payload(1)];
        let closing = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            assert!(stream.read(&mut [0; 4096]).await.unwrap() > 0);
            stream.write_all(cut).await.unwrap();
        };
        let (sent, ()) = tokio::join!(send(&exporter, &chunks), closing);
        assert!(matches!(sent, Err(SendError::Unreachable { .. })), "{sent:?}");
    }
}
