//! The server behind a fake backend: one thread, one accept loop, gRPC and HTTP on the same connections.

use std::io::Write;
use std::net::TcpListener;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use bytes::{Buf, Bytes};
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use opentelemetry_proto::tonic::collector::logs::v1 as logs;
use opentelemetry_proto::tonic::collector::metrics::v1 as metrics;
use opentelemetry_proto::tonic::collector::trace::v1 as trace;
use prost::Message;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tonic::codec::CompressionEncoding::{Gzip, Zstd};
use tonic::service::Routes;
use tonic::{Code, Status};

use super::received::Arrival;
use super::{Behaviour, Shared};

/// More than any request a test sends.
const LARGEST: usize = 256 << 20;

pub(super) fn run(
    listener: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    shared: Arc<Shared>,
    mut stopped: watch::Receiver<bool>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        listener.set_nonblocking(true).expect("a listener that does not block");
        let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
        let router = router(&shared);
        let mut connections = JoinSet::new();
        loop {
            // Cancel safe: an accept that is not finished has taken no connection.
            let stream = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = stopped.wait_for(|stopped| *stopped) => break,
            };
            if let Ok((stream, _)) = stream {
                connections.spawn(connection(stream, tls.clone(), router.clone(), Arc::clone(&shared)));
            }
        }
    });
}

async fn connection(
    stream: tokio::net::TcpStream,
    tls: Option<Arc<ServerConfig>>,
    router: Router,
    shared: Arc<Shared>,
) {
    let mut behaviour = shared.behaviour.subscribe();
    let served = async {
        match tls {
            None => serve(stream, router).await,
            Some(config) => {
                if let Ok(stream) = TlsAcceptor::from(config).accept(stream).await {
                    serve(stream, router).await;
                }
            }
        }
    };
    // Cancel safe: to be dropped half-way is what killing a connection means.
    tokio::select! {
        () = served => {}
        _ = behaviour.wait_for(|behaviour| *behaviour == Behaviour::Kill) => {}
    }
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin + 'static, router: Router) {
    let server = auto::Builder::new(TokioExecutor::new());
    // How a peer ends its connection is its own affair.
    let _ = server.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router)).await;
}

fn router(shared: &Arc<Shared>) -> Router {
    let sink = || Sink(Arc::clone(shared));
    let traces = trace::trace_service_server::TraceServiceServer::new(sink());
    let traces = traces.accept_compressed(Gzip).accept_compressed(Zstd).max_decoding_message_size(LARGEST);
    let meters = metrics::metrics_service_server::MetricsServiceServer::new(sink());
    let meters = meters.accept_compressed(Gzip).accept_compressed(Zstd).max_decoding_message_size(LARGEST);
    let records = logs::logs_service_server::LogsServiceServer::new(sink());
    let records = records.accept_compressed(Gzip).accept_compressed(Zstd).max_decoding_message_size(LARGEST);
    let grpc = Routes::new(traces).add_service(meters).add_service(records).into_axum_router();
    let http = Router::new()
        .route("/v1/traces", post(http_traces))
        .route("/v1/metrics", post(http_metrics))
        .route("/v1/logs", post(http_logs))
        .layer(axum::extract::DefaultBodyLimit::disable())
        .with_state(Arc::clone(shared));
    grpc.merge(http).layer(middleware::from_fn_with_state(Arc::clone(shared), gate))
}

/// Every request passes here first: it is kept as it came, then the behaviour decides.
async fn gate(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let (mut head, body) = request.into_parts();
    let Ok(body) = body.collect().await.map(|body| body.to_bytes()) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let grpc = is_grpc(&head.headers);
    let Some(message) = message(&head.headers, &body) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let headers = head.headers.iter();
    let headers =
        headers.map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
    shared.received().arrivals.push(Arrival { headers: headers.collect(), message: message.clone() });
    let behaviour = *shared.behaviour.borrow();
    match behaviour {
        Behaviour::Refuse(code) => refusal(code, grpc),
        Behaviour::RefuseWith(poison) if holds(&message, poison) => refusal(Code::InvalidArgument, grpc),
        Behaviour::Accept | Behaviour::RefuseWith(_) if grpc => {
            next.run(Request::from_parts(head, Body::from(body))).await
        }
        Behaviour::Accept | Behaviour::RefuseWith(_) => {
            head.headers.remove(http::header::CONTENT_ENCODING);
            next.run(Request::from_parts(head, Body::from(message))).await
        }
        Behaviour::Hang | Behaviour::Kill => std::future::pending().await,
    }
}

fn refusal(code: Code, grpc: bool) -> Response {
    if grpc { Status::new(code, "refused by the test").into_http() } else { http_status(code).into_response() }
}

fn holds(message: &[u8], poison: &[u8]) -> bool {
    message.windows(poison.len().max(1)).any(|window| window == poison)
}

fn is_grpc(headers: &HeaderMap) -> bool {
    let kind = headers.get(http::header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("application/grpc"))
}

/// The protobuf message of a request, without frame and compression.
fn message(headers: &HeaderMap, body: &Bytes) -> Option<Bytes> {
    let named = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("identity");
    if !is_grpc(headers) {
        return inflate(named("content-encoding"), body.clone());
    }
    let mut frame = body.clone();
    if frame.len() < 5 {
        return None;
    }
    let compressed = frame.get_u8() == 1;
    let length = usize::try_from(frame.get_u32()).ok().filter(|length| *length == frame.len())?;
    let message = frame.split_to(length);
    if compressed { inflate(named("grpc-encoding"), message) } else { Some(message) }
}

fn inflate(encoding: &str, bytes: Bytes) -> Option<Bytes> {
    match encoding {
        "identity" => Some(bytes),
        "gzip" => {
            let mut decoder = flate2::write::GzDecoder::new(Vec::new());
            decoder.write_all(&bytes).ok()?;
            decoder.finish().ok().map(Bytes::from)
        }
        "zstd" => zstd::stream::decode_all(bytes.as_ref()).ok().map(Bytes::from),
        _ => None,
    }
}

fn http_status(code: Code) -> StatusCode {
    match code {
        Code::Ok => StatusCode::OK,
        Code::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
        Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Code::InvalidArgument => StatusCode::BAD_REQUEST,
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::PermissionDenied => StatusCode::FORBIDDEN,
        Code::Unimplemented => StatusCode::NOT_FOUND,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// The generated services end here.
struct Sink(Arc<Shared>);

#[tonic::async_trait]
impl trace::trace_service_server::TraceService for Sink {
    async fn export(
        &self,
        request: tonic::Request<trace::ExportTraceServiceRequest>,
    ) -> Result<tonic::Response<trace::ExportTraceServiceResponse>, Status> {
        self.0.received().traces.push(request.into_inner());
        Ok(tonic::Response::new(Default::default()))
    }
}

#[tonic::async_trait]
impl metrics::metrics_service_server::MetricsService for Sink {
    async fn export(
        &self,
        request: tonic::Request<metrics::ExportMetricsServiceRequest>,
    ) -> Result<tonic::Response<metrics::ExportMetricsServiceResponse>, Status> {
        self.0.received().metrics.push(request.into_inner());
        Ok(tonic::Response::new(Default::default()))
    }
}

#[tonic::async_trait]
impl logs::logs_service_server::LogsService for Sink {
    async fn export(
        &self,
        request: tonic::Request<logs::ExportLogsServiceRequest>,
    ) -> Result<tonic::Response<logs::ExportLogsServiceResponse>, Status> {
        self.0.received().logs.push(request.into_inner());
        Ok(tonic::Response::new(Default::default()))
    }
}

async fn http_traces(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    answer(body, |request| shared.received().traces.push(request))
}

async fn http_metrics(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    answer(body, |request| shared.received().metrics.push(request))
}

async fn http_logs(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    answer(body, |request| shared.received().logs.push(request))
}

/// An empty protobuf message is the reply that says all went well.
#[expect(clippy::disallowed_methods, reason = "a peer that shares no code with ours")]
fn answer<M: Message + Default>(body: Bytes, keep: impl FnOnce(M)) -> Response {
    match M::decode(body) {
        Ok(request) => {
            keep(request);
            ([(http::header::CONTENT_TYPE, "application/x-protobuf")], Bytes::new()).into_response()
        }
        Err(_) => StatusCode::BAD_REQUEST.into_response(),
    }
}
