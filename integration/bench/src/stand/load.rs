//! The load: a closed loop of requests over a few connections, the next one sent as soon as one is answered.
//!
//! Promises:
//! 1. What has been sent and not come out at the other end is bounded: who answers before the work is done is throttled too.
//! 2. A request that is refused ends the run: figures of a run that refuses are no figures.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use data_encoding::BASE64_NOPAD;
use http::{HeaderMap, HeaderValue, Request};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tollgate_federation::Manifest;
use tollgate_runtime::{Clock, TaskGroup};

use super::StandError;
use super::flow::Flow;
use super::shape::{PREFIX, Patched, Template};
use super::sink::Framing;

/// The most spans that are on their way: enough for several of the Collector's batches of 8,192.
const ON_THE_WAY: u64 = 65_536;
const ANSWER_WINDOW: u32 = 1 << 20;
/// The Collector writes one with each success.
const EMPTY_PARTIAL_SUCCESS: &[u8] = &[0x0a, 0];
const METHOD: &str = "opentelemetry.proto.collector.trace.v1.TraceService/Export";

/// Where requests go, and how.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    /// None is plain text.
    pub(crate) tls: Option<Arc<ClientConfig>>,
    /// What a tier of Tollgate wants with each request.
    pub(crate) manifest: Option<Manifest>,
    pub(crate) framing: Framing,
}

/// When the load ends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Until {
    Passed(Duration),
    Answered(u64),
}

/// How hard a load presses.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pressure {
    pub(crate) connections: usize,
    /// Requests in flight on each connection. Who has no streams gets a connection for each instead.
    pub(crate) in_flight: usize,
    /// Spans a second; `None` is as many as go through.
    pub(crate) rate: Option<u64>,
    pub(crate) traces: Traces,
}

/// Which traces the spans of a request belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Traces {
    New,
    /// Those of the request before.
    Same,
}

impl Pressure {
    pub(crate) const FULL: Self = Self { connections: 4, in_flight: 4, rate: None, traces: Traces::New };
    /// One request after the other.
    pub(crate) const GENTLE: Self = Self { connections: 1, in_flight: 1, ..Self::FULL };

    /// As over many connections as the full one, at a fixed rate.
    pub(crate) const fn fixed(rate: u64) -> Self {
        Self { rate: Some(rate), ..Self::FULL }
    }

    /// When a request is to be sent that has so many spans before it.
    fn due(self, begun: Duration, spans: u64) -> Option<Duration> {
        let rate = self.rate.filter(|rate| *rate > 0)?;
        Some(begun + Duration::from_secs(spans) / u32::try_from(rate).unwrap_or(u32::MAX))
    }
}

/// How much of what is sent comes out at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Out {
    All,
    /// Health checks are left out on the way.
    WithoutHealthChecks,
    /// Nobody knows beforehand: the loop is closed by the answers alone.
    Sampled,
}

impl Out {
    fn due(self, template: &Template) -> u64 {
        match self {
            Self::All => template.spans(),
            Self::WithoutHealthChecks => template.spans() - template.health_checks(),
            Self::Sampled => 0,
        }
    }
}

/// One run of the load.
pub(crate) struct Load<'t> {
    pub(crate) target: &'t Target,
    pub(crate) templates: &'t [Arc<Template>],
    pub(crate) out: Out,
    pub(crate) pressure: Pressure,
    pub(crate) flow: &'t Flow,
    pub(crate) clock: &'t Clock,
}

impl Load<'_> {
    /// Sends until the end and returns how many spans were answered with success.
    pub(crate) async fn run(&self, until: Until) -> Result<u64, StandError> {
        let counts = Arc::new(Counts { begun: AtomicU64::new(0), answered: AtomicU64::new(0) });
        let (connections, mut slots) = (TaskGroup::new(), JoinSet::new());
        let mut ways = Vec::new();
        for _ in 0..self.pressure.connections {
            ways.extend(self.target.connect(&connections, self.pressure.in_flight).await?);
        }
        let start = self.clock.uptime();
        let (end, most) = match until {
            Until::Passed(duration) => (start + duration, u64::MAX),
            Until::Answered(spans) => (Duration::MAX, spans),
        };
        for (number, mut way) in ways.into_iter().enumerate() {
            let template = Arc::clone(&self.templates[number % self.templates.len()]);
            if let (Some(manifest), Way::Grpc { request, .. }) = (&self.target.manifest, &mut way) {
                request.headers.insert("tollgate-manifest-bin", counting(manifest, template.spans())?);
            }
            let seed = self.clock.now().nanos();
            let slot = Slot {
                due: self.out.due(&template),
                patched: Patched::new(template, seed),
                flow: self.flow.clone(),
                clock: self.clock.clone(),
                counts: Arc::clone(&counts),
                pressure: self.pressure,
                start,
                end,
                most,
            };
            slots.spawn(slot.repeat(way));
        }
        while let Some(ended) = slots.join_next().await {
            ended.map_err(|fault| StandError::Load(fault.to_string()))??;
        }
        connections.abort();
        Ok(counts.answered.load(Ordering::Relaxed))
    }
}

#[derive(Debug)]
struct Counts {
    begun: AtomicU64,
    answered: AtomicU64,
}

/// One request after the other.
struct Slot {
    patched: Patched,
    due: u64,
    flow: Flow,
    clock: Clock,
    counts: Arc<Counts>,
    pressure: Pressure,
    start: Duration,
    end: Duration,
    most: u64,
}

impl Slot {
    async fn repeat(mut self, mut way: Way) -> Result<(), StandError> {
        let spans = self.patched.template().spans();
        loop {
            self.flow.below(ON_THE_WAY).await;
            let begun = self.counts.begun.fetch_add(spans, Ordering::Relaxed);
            if let Some(due) = self.pressure.due(self.start, begun) {
                tokio::time::sleep(due.min(self.end).saturating_sub(self.clock.uptime())).await;
            }
            if self.clock.uptime() >= self.end || begun >= self.most {
                return Ok(());
            }
            self.flow.sending(self.due);
            let request = match self.pressure.traces {
                Traces::New => self.patched.next(),
                Traces::Same => self.patched.last(),
            };
            way.send(request).await?;
            self.counts.answered.fetch_add(spans, Ordering::Relaxed);
        }
    }
}

/// A byte stream, secured or not.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

enum Way {
    Grpc { sender: SendRequest<Full<Bytes>>, request: Box<http::request::Parts> },
    Length(Box<dyn Stream>),
}

impl Way {
    async fn send(&mut self, request: Bytes) -> Result<(), StandError> {
        match self {
            Self::Grpc { sender, request: head } => {
                sender.ready().await?;
                let request = Request::from_parts((**head).clone(), Full::new(request));
                let answer = sender.send_request(request).await?;
                let (head, body) = answer.into_parts();
                let body = body.collect().await?;
                let trailers = body.trailers().cloned().unwrap_or(head.headers);
                accepted(&trailers, &body.to_bytes())
            }
            Self::Length(stream) => {
                // One byte of flags, then the length: the four bytes of the length are the framing.
                stream.write_all(request.get(1..).unwrap_or_default()).await?;
                stream.flush().await?;
                stream.read_u8().await.map(|_| ()).map_err(StandError::Machine)
            }
        }
    }
}

/// Success, and of every span: a partial success would count what was left out.
fn accepted(trailers: &HeaderMap, message: &[u8]) -> Result<(), StandError> {
    let text = |name| trailers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    match text("grpc-status") {
        "0" if matches!(message.get(PREFIX..), None | Some([] | EMPTY_PARTIAL_SUCCESS)) => Ok(()),
        "0" => Err(StandError::Load("some spans were rejected".to_owned())),
        code => Err(StandError::Load(format!("refused: {code} {}", text("grpc-message")))),
    }
}

/// The manifest of a request with so many spans.
fn counting(manifest: &Manifest, spans: u64) -> Result<HeaderValue, StandError> {
    let items = u32::try_from(spans).unwrap_or(u32::MAX);
    let encoded = Manifest { items, ..manifest.clone() }.encode();
    HeaderValue::try_from(BASE64_NOPAD.encode(&encoded)).map_err(|fault| StandError::Load(fault.to_string()))
}

impl Target {
    /// Opens a connection, or as many as there are requests in flight on one.
    async fn connect(&self, connections: &TaskGroup, in_flight: usize) -> Result<Vec<Way>, StandError> {
        if self.framing == Framing::Length {
            let mut ways = Vec::new();
            for _ in 0..in_flight {
                ways.push(Way::Length(self.open().await?));
            }
            return Ok(ways);
        }
        let mut client = http2::Builder::new(TokioExecutor::new());
        client.initial_stream_window_size(ANSWER_WINDOW).initial_connection_window_size(ANSWER_WINDOW);
        let (sender, connection) = client.handshake(TokioIo::new(self.open().await?)).await?;
        connections.spawn("connection", async move {
            // A connection that breaks fails the requests on it.
            let _ = connection.await;
        });
        let head = self.head()?;
        Ok((0..in_flight).map(|_| Way::Grpc { sender: sender.clone(), request: Box::new(head.clone()) }).collect())
    }

    fn head(&self) -> Result<http::request::Parts, StandError> {
        let request = Request::post(format!("http://{}/{METHOD}", self.address));
        let request = request.header("content-type", "application/grpc").header("te", "trailers");
        let request = request.body(()).map_err(|fault| StandError::Load(fault.to_string()))?;
        Ok(request.into_parts().0)
    }

    async fn open(&self) -> Result<Box<dyn Stream>, StandError> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let Some(tls) = &self.tls else { return Ok(Box::new(stream)) };
        let name = ServerName::IpAddress(self.address.ip().into());
        Ok(Box::new(TlsConnector::from(Arc::clone(tls)).connect(name, stream).await?))
    }
}
