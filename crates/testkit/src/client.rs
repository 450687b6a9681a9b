//! An OTLP/gRPC client for raw bytes: it sends what an SDK would never send, and shows the answer as it is.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes};
use http::HeaderMap;
use http::uri::PathAndQuery;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio_rustls::TlsConnector;
use tonic::codec::{Codec, CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::metadata::MetadataMap;
use tonic::transport::{Channel, Endpoint, Uri};
use tonic::{Request, Status};
use tower::{ServiceExt, service_fn};

use crate::tls::{self, Identity};

const LIMIT: Duration = Duration::from_secs(15);

/// The OTLP service that is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// Traces.
    Traces,
    /// Metrics.
    Metrics,
    /// Logs.
    Logs,
}

/// A connection of its own to one server, opened at the first call.
#[derive(Debug)]
pub struct Client {
    runtime: Runtime,
    channel: Channel,
    compression: Option<CompressionEncoding>,
}

impl Client {
    /// A client in plain text.
    pub fn plain(server: SocketAddr) -> Self {
        Self::new(server, None)
    }

    /// A client that trusts `ca`, and proves itself if it has an identity.
    pub fn tls(server: SocketAddr, ca: &str, identity: Option<&Identity>) -> Self {
        Self::new(server, Some(tls::client(ca, identity)))
    }

    /// The same client, compressing what it sends.
    #[must_use]
    pub fn compressed(mut self, encoding: CompressionEncoding) -> Self {
        self.compression = Some(encoding);
        self
    }

    /// Sends one request and waits for its answer.
    ///
    /// # Errors
    /// The status of the server, or what the connection came to.
    pub fn export(&self, service: Service, message: impl Into<Bytes>) -> Result<Bytes, Status> {
        self.export_with(service, message, &[])
    }

    /// Sends one request with metadata; binary values, of names that end in `-bin`, are given as base64.
    ///
    /// # Errors
    /// The status of the server, or what the connection came to.
    #[track_caller]
    pub fn export_with(
        &self,
        service: Service,
        message: impl Into<Bytes>,
        metadata: &[(&'static str, &str)],
    ) -> Result<Bytes, Status> {
        let mut headers = HeaderMap::new();
        for (name, value) in metadata {
            headers.insert(*name, value.parse().expect("metadata in ASCII"));
        }
        let mut request = Request::new(message.into());
        *request.metadata_mut() = MetadataMap::from_headers(headers);
        request.set_timeout(LIMIT);
        self.runtime.block_on(async {
            let mut client = tonic::client::Grpc::new(self.channel.clone());
            if let Some(encoding) = self.compression {
                client = client.send_compressed(encoding);
            }
            client.ready().await.map_err(|fault| Status::unavailable(fault.to_string()))?;
            Ok(client.unary(request, service.path(), Raw).await?.into_inner())
        })
    }

    /// Posts what no library would send, under any path, as a gRPC request; the HTTP status, and the gRPC status if there is one.
    ///
    /// # Errors
    /// What the connection came to.
    pub fn post(
        &self,
        path: &str,
        headers: &[(&'static str, &str)],
        body: impl Into<Bytes>,
    ) -> Result<(u16, Option<Status>), tonic::transport::Error> {
        let mut request = http::Request::post(path).header("content-type", "application/grpc");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = tonic::body::Body::new(Full::new(body.into()));
        let request = request.body(body).expect("a request");
        self.runtime.block_on(async {
            let (head, body) = self.channel.clone().oneshot(request).await?.into_parts();
            let trailers = body.collect().await.ok().and_then(|body| body.trailers().cloned());
            let status = Status::from_header_map(&head.headers);
            Ok((head.status.as_u16(), status.or_else(|| Status::from_header_map(&trailers?))))
        })
    }

    fn new(server: SocketAddr, tls: Option<Arc<ClientConfig>>) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a runtime");
        let endpoint = Endpoint::from_shared(format!("http://{server}")).expect("a socket address is a URI");
        let connector = service_fn(move |_: Uri| connect(server, tls.clone()));
        let channel = {
            let _entered = runtime.enter();
            endpoint.timeout(LIMIT).connect_with_connector_lazy(connector)
        };
        Self { runtime, channel, compression: None }
    }
}

impl Service {
    pub(crate) fn path(self) -> PathAndQuery {
        PathAndQuery::from_static(match self {
            Self::Traces => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
            Self::Metrics => "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
            Self::Logs => "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
        })
    }
}

/// A plain or a TLS connection behind one type.
trait Stream: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin {}
impl<T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin> Stream for T {}

async fn connect(server: SocketAddr, tls: Option<Arc<ClientConfig>>) -> std::io::Result<TokioIo<Box<dyn Stream>>> {
    let stream = TcpStream::connect(server).await?;
    stream.set_nodelay(true)?; // as SDKs do
    let Some(config) = tls else {
        return Ok(TokioIo::new(Box::new(stream)));
    };
    let name = ServerName::IpAddress(server.ip().into());
    let stream = TlsConnector::from(config).connect(name, stream).await?;
    Ok(TokioIo::new(Box::new(stream)))
}

/// Messages as the bytes they are.
#[derive(Clone, Copy, Debug)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, message: Bytes, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.put(message);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, message: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(message.copy_to_bytes(message.remaining())))
    }
}
