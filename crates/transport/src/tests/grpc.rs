//! OTLP/gRPC: round trips with the generated client and server, limits, refusals.

use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_client::LogsServiceClient;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_client::MetricsServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use tokio::net::TcpListener;
use tollgate_federation::{Compression, Signal};
use tollgate_runtime::{ByteBudget, TaskGroup};
use tonic::codec::CompressionEncoding;
use tonic::{Code, Request, Response, Status};

use super::support::{Recorder, Server, manifest, options, payload, request, send, service};
use crate::answer::RpcStatus;
use crate::client::exporter::Outgoing;
use crate::{Channel, Denial, Exporter, Limits, Options, Peer, Peering, Receipt, Security, SendError, Unsupported};

const EVERY: [Compression; 3] = [Compression::None, Compression::Gzip, Compression::Zstd];

async fn client(server: &Server) -> TraceServiceClient<tonic::transport::Channel> {
    TraceServiceClient::connect(format!("http://{}", server.address)).await.unwrap()
}

#[tokio::test]
async fn generated_client_is_understood_with_every_compression() {
    let server = Server::plain().await;
    for encoding in [None, Some(CompressionEncoding::Gzip), Some(CompressionEncoding::Zstd)] {
        let mut client = client(&server).await;
        if let Some(encoding) = encoding {
            client = client.send_compressed(encoding);
        }
        let answer = client.export(request(3)).await.unwrap().into_inner();
        assert_eq!(answer, ExportTraceServiceResponse::default());
    }
    assert_eq!(server.recorder.payloads(), [payload(3), payload(3), payload(3)]);
    assert!(matches!(server.recorder.seen.lock().unwrap()[0].peer, Peer::Plain(_)));
    assert_eq!(server.budget.used(), 0);
}

#[tokio::test]
async fn every_signal_has_its_method() {
    let server = Server::plain().await;
    let url = format!("http://{}", server.address);
    client(&server).await.export(request(0)).await.unwrap();
    let mut metrics = MetricsServiceClient::connect(url.clone()).await.unwrap();
    metrics.export(ExportMetricsServiceRequest::default()).await.unwrap();
    let mut logs = LogsServiceClient::connect(url).await.unwrap();
    logs.export(ExportLogsServiceRequest::default()).await.unwrap();
    let signals: Vec<Signal> = server.recorder.seen.lock().unwrap().iter().map(|seen| seen.signal).collect();
    assert_eq!(signals, Signal::ALL);
}

#[tokio::test]
async fn partial_success_reaches_the_generated_client() {
    let answer = Ok(Receipt { rejected: 2, message: "two zero ids".into() });
    let server = Server::start(service(Security::Plain), Recorder::answering(answer)).await;
    let partial = client(&server).await.export(request(3)).await.unwrap().into_inner().partial_success.unwrap();
    let expected = ExportTracePartialSuccess { rejected_spans: 2, error_message: "two zero ids".into() };
    assert_eq!(partial, expected);
}

#[tokio::test]
async fn refusals_reach_the_generated_client_with_retry_info() {
    let wait = Duration::from_millis(2500);
    for (denial, code, after) in [
        (Denial::Exhausted { retry_after: wait }, Code::ResourceExhausted, Some(wait)),
        (Denial::Unavailable { retry_after: wait }, Code::Unavailable, Some(wait)),
        (Denial::Malformed("no".into()), Code::InvalidArgument, None),
        (Denial::Forbidden("us-east/central/0 may not send to eu-west/gateway/0".into()), Code::PermissionDenied, None),
    ] {
        let server = Server::start(service(Security::Plain), Recorder::answering(Err(denial.clone()))).await;
        let status = client(&server).await.export(request(1)).await.unwrap_err();
        assert_eq!((status.code(), status.message()), (code, denial.to_string().as_str()));
        assert_eq!(RpcStatus::decode(status.details()).retry_after, after);
    }
}

#[tokio::test]
async fn too_large_and_bombs_are_never_retryable() {
    let mut service = service(Security::Plain);
    service.limits = Limits { max_message: 1000, ..service.limits };
    let server = Server::start(service, Arc::default()).await;
    for encoding in [None, Some(CompressionEncoding::Gzip), Some(CompressionEncoding::Zstd)] {
        let mut client = client(&server).await;
        if let Some(encoding) = encoding {
            client = client.send_compressed(encoding);
        }
        let status = client.export(request(200)).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{encoding:?}: {status:?}");
        assert!(client.export(request(5)).await.is_ok(), "the connection goes on");
    }
    assert_eq!(*server.recorder.refused.lock().unwrap(), vec![Denial::TooLarge { limit: 1000 }; 3]);
}

#[tokio::test]
async fn draining_server_refuses_retryably() {
    let server = Server::plain().await;
    server.recorder.draining.store(true, std::sync::atomic::Ordering::Relaxed);
    let status = client(&server).await.export(request(1)).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(RpcStatus::decode(status.details()).retry_after.is_some());
    assert!(server.recorder.payloads().is_empty());
}

/// Guarantees: a manifest that is none is a fault of the parcel; one of another release is not, and its sender comes back.
#[tokio::test]
async fn a_broken_manifest_is_refused_for_good_and_one_of_another_release_is_not() {
    let server = Server::plain().await;
    let known = manifest("eu-west/gateway/0").encode()[0];
    for (bytes, code) in [(vec![known], Code::InvalidArgument), (vec![u8::MAX, 0], Code::Unavailable)] {
        let mut request = Request::new(request(1));
        let value = tonic::metadata::MetadataValue::from_bytes(&bytes);
        request.metadata_mut().insert_bin("tollgate-manifest-bin", value);
        let status = client(&server).await.export(request).await.unwrap_err();
        assert_eq!(status.code(), code, "{status:?}");
        let comes_back = RpcStatus::decode(status.details()).retry_after.is_some();
        assert_eq!(comes_back, code == Code::Unavailable, "{status:?}");
    }
}

#[tokio::test]
async fn manifest_is_read_and_goes_to_nodes_only() {
    let server = Server::plain().await;
    let wanted = manifest("eu-west/gateway/0");
    let mut request = Request::new(request(1));
    let value = tonic::metadata::MetadataValue::from_bytes(&wanted.encode());
    request.metadata_mut().insert_bin("tollgate-manifest-bin", value);
    client(&server).await.export(request).await.unwrap();
    let exporter = Exporter::grpc(server.channel(Peering::Plain), options());
    let chunks = [payload(1)];
    exporter.export(Outgoing { signal: Signal::Traces, chunks: &chunks, manifest: Some(&wanted) }).await.unwrap();
    let seen = server.recorder.seen.lock().unwrap();
    assert_eq!(seen[0].manifest.as_ref(), Some(&wanted));
    assert_eq!(seen[1].manifest, None, "plain text leads to no node");
}

#[tokio::test]
async fn unknown_method_and_compression_are_unimplemented() {
    let server = Server::plain().await;
    let call = |path: &'static str, encoding: &'static str| {
        let channel = server.channel(Peering::Plain);
        async move {
            use tower::ServiceExt;
            let mut request = http::Request::new(tonic::body::Body::empty());
            *request.method_mut() = http::Method::POST;
            *request.uri_mut() = http::Uri::from_static(path);
            request.headers_mut().insert("content-type", "application/grpc".parse().unwrap());
            request.headers_mut().insert("grpc-encoding", encoding.parse().unwrap());
            let response = channel.current().unwrap().oneshot(request).await.unwrap();
            response.headers()["grpc-status"].to_str().unwrap().to_owned()
        }
    };
    assert_eq!(call("/tollgate.Nothing/Export", "identity").await, "12");
    assert_eq!(call(crate::paths::method(Signal::Traces), "snappy").await, "12");
}

/// A receiver as others generate it.
#[derive(Clone, Default)]
struct Generated {
    seen: Arc<Mutex<Vec<ExportTraceServiceRequest>>>,
    answer: Option<Status>,
}

#[tonic::async_trait]
impl TraceService for Generated {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        assert_eq!(request.metadata().get("x-scope-orgid").unwrap(), "acme");
        self.seen.lock().unwrap().push(request.into_inner());
        match &self.answer {
            Some(status) => Err(status.clone()),
            None => Ok(Response::new(ExportTraceServiceResponse {
                partial_success: Some(ExportTracePartialSuccess { rejected_spans: 1, error_message: String::new() }),
            })),
        }
    }
}

async fn generated(service: &Generated, tasks: &TaskGroup) -> Channel {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = TraceServiceServer::new(service.clone())
        .accept_compressed(CompressionEncoding::Gzip)
        .accept_compressed(CompressionEncoding::Zstd);
    let incoming = tonic::transport::server::TcpIncoming::from(listener);
    tasks.spawn("generated server", async move {
        tonic::transport::Server::builder().add_service(service).serve_with_incoming(incoming).await.unwrap();
    });
    Channel::new(address.to_string().parse().unwrap(), Peering::Plain)
}

fn to_backend(compression: Compression) -> Options {
    Options { headers: crate::Headers::new([("X-Scope-OrgID", "acme")]).unwrap(), compression, ..options() }
}

#[tokio::test]
async fn generated_server_understands_us_with_every_compression() {
    let (service, tasks) = (Generated::default(), TaskGroup::new());
    let channel = generated(&service, &tasks).await;
    for compression in EVERY {
        let exporter = Exporter::grpc(channel.clone(), to_backend(compression));
        // Two requests back to back are one.
        let receipt = send(&exporter, &[payload(1), payload(2)]).await.unwrap();
        assert_eq!(receipt, Receipt { rejected: 1, message: String::new() });
    }
    let merged =
        ExportTraceServiceRequest { resource_spans: [request(1).resource_spans, request(2).resource_spans].concat() };
    assert_eq!(*service.seen.lock().unwrap(), [merged.clone(), merged.clone(), merged]);
    tasks.abort();
}

#[tokio::test]
async fn refusals_of_a_generated_server_are_understood() {
    let retry = RpcStatus { code: 8, message: "slow down".into(), retry_after: Some(Duration::from_secs(9)) };
    let status = Status::with_details(Code::ResourceExhausted, "slow down", retry.encode().into());
    let (service, tasks) = (Generated { answer: Some(status), ..Generated::default() }, TaskGroup::new());
    let exporter = Exporter::grpc(generated(&service, &tasks).await, to_backend(Compression::None));
    let error = send(&exporter, &[payload(1)]).await.unwrap_err();
    assert!(matches!(error, SendError::Retry { after: Some(after), .. } if after == Duration::from_secs(9)), "{error}");
    tasks.abort();
}

#[tokio::test]
async fn our_two_ends_agree_on_every_refusal() {
    let wait = Duration::from_millis(2500);
    for (denial, kind) in [
        (Denial::Malformed("a".into()), "refused for its content"),
        (Denial::TooLarge { limit: 3 }, "refused for its content"),
        (Denial::Exhausted { retry_after: wait }, "to be sent again"),
        (Denial::Unavailable { retry_after: wait }, "to be sent again"),
        (Denial::Forbidden("b".into()), "held"),
        (Denial::Unsupported(Unsupported::Encoding), "held"),
        (Denial::Internal("d".into()), "to be sent again"),
    ] {
        let server = Server::start(service(Security::Plain), Recorder::answering(Err(denial.clone()))).await;
        let exporter = Exporter::grpc(server.channel(Peering::Plain), options());
        let error = send(&exporter, &[payload(1)]).await.unwrap_err();
        assert!(error.to_string().starts_with(kind), "{denial:?}: {error}");
        if let SendError::Retry { after, .. } = error {
            assert_eq!(after, denial.retry_after());
        }
    }
}

#[tokio::test]
async fn missing_and_silent_destinations_are_unreachable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let channel = Channel::new(address.to_string().parse().unwrap(), Peering::Plain);
    let exporter = Exporter::grpc(channel, Options { timeout: Duration::from_millis(200), ..options() });
    let silent = send(&exporter, &[payload(1)]).await.unwrap_err();
    assert_eq!(silent.to_string(), "unreachable: no answer within 200ms");
    drop(listener);
    let gone = Channel::new(address.to_string().parse().unwrap(), Peering::Plain);
    let gone = send(&Exporter::grpc(gone, options()), &[payload(1)]).await.unwrap_err();
    assert!(gone.to_string().contains("cannot connect"), "{gone}");
}

#[tokio::test]
async fn words_with_which_a_backend_goes_away_are_not_shown() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let words = b"bad value \"x\\ ada@example.org";
    // RFC 9113 section 6.8: last stream 0, ENHANCE_YOUR_CALM, then whatever the peer wants to say.
    let length = u8::try_from(8 + words.len()).unwrap();
    let goaway = [&[0, 0, length, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 11][..], words].concat();
    let going_away = async {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(b"\0\0\0\x04\0\0\0\0\0").await.unwrap();
            // Behind the settings comes the request.
            let mut read = 0;
            while read < 200 {
                read += stream.read(&mut [0; 1024]).await.unwrap();
            }
            stream.write_all(&goaway).await.unwrap();
            let _ = stream.read(&mut [0; 1024]).await;
        }
    };
    let channel = Channel::new(address.to_string().parse().unwrap(), Peering::Plain);
    let (exporter, chunks) = (Exporter::grpc(channel, options()), [payload(1)]);
    tokio::select! {
        () = going_away => {}
        sent = send(&exporter, &chunks) => {
            let error = sent.unwrap_err();
            assert!(matches!(error, SendError::Unreachable { .. }), "{error}");
            let shown = format!("{error} {error:?}");
            assert!(shown.contains("excessive load") && !shown.contains("ada"), "{shown}");
        }
    }
}

#[tokio::test]
async fn half_sent_messages_on_real_connections_end_at_the_deadline() {
    let mut service = service(Security::Plain);
    service.limits.body_deadline = Duration::from_millis(300);
    service.budget = ByteBudget::new(256 << 10);
    let server = Server::start(service, Arc::default()).await;
    let mut open = Vec::new();
    for _ in 0..200 {
        let stream = tokio::net::TcpStream::connect(server.address).await.unwrap();
        let head = "POST /v1/traces HTTP/1.1\r\nhost: a\r\ncontent-type: application/x-protobuf\r\ncontent-length: 32768\r\n\r\n";
        let mut stream = stream;
        tokio::io::AsyncWriteExt::write_all(&mut stream, head.as_bytes()).await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut stream, &[0; 100]).await.unwrap();
        open.push(stream);
    }
    for mut stream in open {
        let mut answer = [0; 12];
        tokio::io::AsyncReadExt::read_exact(&mut stream, &mut answer).await.unwrap();
        assert!(matches!(&answer, b"HTTP/1.1 429" | b"HTTP/1.1 503"), "{answer:?}");
        assert!(server.budget.used() <= 256 << 10);
    }
    assert_eq!(server.recorder.refused.lock().unwrap().len(), 200);
    client(&server).await.export(request(1)).await.unwrap();
}

#[tokio::test]
async fn requests_beyond_the_seats_are_refused_before_they_take_anything() {
    let mut service = service(Security::Plain);
    service.arriving = ByteBudget::new(200 << 10); // one seat
    let server = Server::start(service, Arc::default()).await;
    let mut silent = tokio::net::TcpStream::connect(server.address).await.unwrap();
    let head =
        "POST /v1/traces HTTP/1.1\r\nhost: a\r\ncontent-type: application/x-protobuf\r\ncontent-length: 9\r\n\r\n";
    tokio::io::AsyncWriteExt::write_all(&mut silent, head.as_bytes()).await.unwrap();
    while server.budget.used() == 0 {
        tokio::task::yield_now().await;
    }
    let refused = client(&server).await.export(request(1)).await.unwrap_err();
    assert_eq!((refused.code(), server.budget.used()), (Code::ResourceExhausted, 9));
    // Whoever says nothing while others are refused gives way.
    let mut answer = [0; 12];
    tokio::io::AsyncReadExt::read_exact(&mut silent, &mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 503");
    client(&server).await.export(request(1)).await.unwrap();
    assert_eq!(server.recorder.payloads().len(), 1);
}

#[tokio::test]
async fn large_requests_arrive_whole() {
    let server = Server::plain().await;
    let exporter = Exporter::grpc(server.channel(Peering::Plain), options());
    let chunks: Vec<Bytes> = (0..3).map(|byte| Bytes::from(vec![byte; 3 << 20])).collect();
    send(&exporter, &chunks).await.unwrap();
    assert_eq!(server.recorder.payloads(), [Bytes::from(chunks.concat())]);
}
