//! A sink: accepts OTLP/gRPC over TLS, counts spans, answers, and forgets.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ServerConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tollgate_runtime::TaskGroup;

use super::StandError;
use super::count;
use super::flow::Flow;
use super::shape::PREFIX;

/// What a node announces to other tiers; grpc-go takes no notice of the frame size.
const STREAM_WINDOW: u32 = 8 << 20;
const CONNECTION_WINDOW: u32 = 32 << 20;
const FRAME: u32 = 1 << 20;

/// How messages come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    Grpc,
    /// Four bytes of length, then the message; one byte is the answer.
    Length,
}

/// Listens until it is dropped.
#[derive(Debug)]
pub(crate) struct Sink(TaskGroup);

impl Drop for Sink {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Sink {
    pub(crate) async fn listen(
        address: SocketAddr,
        tls: Arc<ServerConfig>,
        framing: Framing,
        flow: Flow,
    ) -> Result<Self, StandError> {
        let listener = TcpListener::bind(address).await?;
        let (tasks, acceptor) = (TaskGroup::new(), TlsAcceptor::from(tls));
        let connections = tasks.clone();
        tasks.spawn("sink", async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, flow) = (acceptor.clone(), flow.clone());
                connections.spawn("connection", async move {
                    // Whoever hangs up or cannot be understood shows in what is missing at the end.
                    let _ = serve(stream, acceptor, framing, flow).await;
                });
            }
        });
        Ok(Self(tasks))
    }
}

async fn serve(stream: TcpStream, acceptor: TlsAcceptor, framing: Framing, flow: Flow) -> Result<(), StandError> {
    stream.set_nodelay(true)?;
    let stream = acceptor.accept(stream).await?;
    if framing == Framing::Length {
        return by_length(stream, flow).await;
    }
    let service = service_fn(move |request: Request<Incoming>| take(request, flow.clone()));
    let mut server = http2::Builder::new(TokioExecutor::new());
    server.initial_stream_window_size(STREAM_WINDOW).initial_connection_window_size(CONNECTION_WINDOW);
    server.max_frame_size(FRAME).max_concurrent_streams(1024);
    Ok(server.serve_connection(TokioIo::new(stream), service).await?)
}

async fn take(request: Request<Incoming>, flow: Flow) -> Result<Response<Answer>, hyper::Error> {
    let mut body = request.into_body();
    let mut pieces = Vec::new();
    while let Some(frame) = body.frame().await {
        pieces.extend(frame?.into_data());
    }
    let mut left = PREFIX;
    for piece in &mut pieces {
        left -= piece.split_to(left.min(piece.len())).len();
    }
    flow.arrive(count::spans(&pieces), || pieces.concat().into());
    let mut response = Response::new(Answer { data: Some(Bytes::from_static(&[0; PREFIX])), ended: false });
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    Ok(response)
}

async fn by_length(mut stream: TlsStream<TcpStream>, flow: Flow) -> Result<(), StandError> {
    let mut message = Vec::new();
    loop {
        let length = stream.read_u32().await?;
        message.resize(usize::try_from(length).unwrap_or_default(), 0);
        stream.read_exact(&mut message).await?;
        let whole = Bytes::from(std::mem::take(&mut message));
        flow.arrive(count::spans(std::slice::from_ref(&whole)), || Bytes::copy_from_slice(&whole));
        message = whole.into();
        stream.write_all(&[1]).await?;
        stream.flush().await?;
    }
}

/// An empty message, then the status.
struct Answer {
    data: Option<Bytes>,
    ended: bool,
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some(data) = self.data.take() {
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        if std::mem::replace(&mut self.ended, true) {
            return Poll::Ready(None);
        }
        let mut trailers = HeaderMap::with_capacity(1);
        trailers.insert("grpc-status", HeaderValue::from_static("0"));
        Poll::Ready(Some(Ok(Frame::trailers(trailers))))
    }
}
