//! OTLP/HTTP (protobuf) towards a backend, over HTTP/1.1 connections that are kept and used again.
//!
//! Promises:
//! 1. As many requests run at once as are sent; idle connections are kept for the next ones, at most [`MOST_IDLE`].
//! 2. A connection is used again only after its answer was read whole, and only under the certificates of now.

use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HOST, USER_AGENT};
use http::{HeaderValue, Method, Request, Response};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{Connection, SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tollgate_federation::{HostPort, HttpUrl};

use super::connect::{Peering, Stream};
use super::deflate::compress;
use super::exporter::{Options, Outgoing};
use super::grpc::{Chunks, MAX_ANSWER};
use super::outcome::{SendError, of_http};
use super::retry_after::retry_after;
use super::words::Words;
use crate::answer::Receipt;
use crate::{inflate, paths};

const MOST_IDLE: usize = 8;

/// An OTLP/HTTP destination; clones share its connections.
#[derive(Clone, Debug)]
pub struct HttpChannel(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    address: HostPort,
    host: HeaderValue,
    base: String,
    peering: Peering,
    idle: Mutex<Vec<Link>>,
}

/// A connection and the handle that sends on it; it makes progress only while a request is waited for.
struct Link {
    sender: SendRequest<Chunks>,
    connection: Connection<TokioIo<Box<dyn Stream>>, Chunks>,
    generation: u64,
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link").field("generation", &self.generation).finish_non_exhaustive()
    }
}

impl HttpChannel {
    /// Names a destination by the base URL that `/v1/traces` and its like are appended to; nothing is connected yet.
    ///
    /// `None` when the URL's host and port are not ones that can be connected to.
    pub fn new(url: &HttpUrl, peering: Peering) -> Option<Self> {
        let (port, rest) = match url.as_str().strip_prefix("https://") {
            Some(rest) => (443, rest),
            None => (80, url.as_str().strip_prefix("http://")?),
        };
        let (authority, base) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let address = authority.parse().or_else(|_| format!("{authority}:{port}").parse()).ok()?;
        let host = HeaderValue::from_str(authority).ok()?;
        Some(Self(Arc::new(Inner { address, host, base: base.to_owned(), peering, idle: Mutex::default() })))
    }

    /// Posts a request and waits for the answer; the caller bounds the time.
    pub(crate) async fn post(&self, options: &Options, outgoing: Outgoing<'_>) -> Result<Receipt, SendError> {
        let chunks = compress(options.compression, outgoing.chunks);
        let mut link = match self.idle().await {
            Some(link) => link,
            None => self.open().await?,
        };
        let request = self.request(options, &outgoing, chunks)?;
        let (head, body, open) = link.exchange(request).await?;
        if open {
            self.keep(link);
        }
        of_http(head.status, retry_after(&head.headers), &body)
    }

    async fn open(&self) -> Result<Link, SendError> {
        let inner = &self.0;
        let route = inner.peering.route(&inner.address, b"http/1.1");
        let (route, generation) = route.map_err(|error| SendError::unreachable(&error))?;
        let stream = route.open().await.map_err(|error| SendError::unreachable(&error))?;
        let (sender, connection) =
            handshake(TokioIo::new(stream)).await.map_err(|error| SendError::unreachable(&error))?;
        Ok(Link { sender, connection, generation })
    }

    /// An idle connection that the peer has not closed meanwhile.
    async fn idle(&self) -> Option<Link> {
        let generation = self.0.peering.generation();
        loop {
            let mut link = self.0.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()?;
            // Polled once: what the peer did while nobody listened, such as closing, is seen now.
            let ended = std::future::poll_fn(|cx| {
                std::task::Poll::Ready(std::pin::Pin::new(&mut link.connection).poll(cx).is_ready())
            });
            if !ended.await && link.generation >= generation && link.sender.is_ready() {
                return Some(link);
            }
        }
    }

    fn keep(&self, link: Link) {
        let mut idle = self.0.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < MOST_IDLE {
            idle.push(link);
        }
    }

    fn request(
        &self,
        options: &Options,
        outgoing: &Outgoing<'_>,
        chunks: Vec<Bytes>,
    ) -> Result<Request<Chunks>, SendError> {
        let mut request = Request::new(Chunks::new(chunks));
        *request.method_mut() = Method::POST;
        let uri = format!("{}{}", self.0.base, paths::path(outgoing.signal));
        *request.uri_mut() = uri.parse().map_err(|_| broken("the path of the destination is not one"))?;
        let headers = request.headers_mut();
        headers.insert(USER_AGENT, HeaderValue::from_static("tollgate"));
        headers.extend(options.headers.0.clone());
        headers.insert(HOST, self.0.host.clone());
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
        if let Some(name) = inflate::name(options.compression) {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static(name));
        }
        Ok(request)
    }
}

impl Link {
    /// Sends a request and reads the answer; says whether the connection is still open.
    async fn exchange(&mut self, request: Request<Chunks>) -> Result<(http::response::Parts, Bytes, bool), SendError> {
        let Self { sender, connection, .. } = self;
        let mut answer = pin!(async {
            let response = sender.send_request(request).await.map_err(|error| SendError::unreachable(&error))?;
            read(response).await
        });
        // Cancel safe: whatever is dropped here is dropped with the whole connection.
        let (answer, open) = tokio::select! {
            biased;
            answer = &mut answer => (answer, true),
            // It may have ended because the answer is complete and says so: then the answer is there already.
            _ = connection => (answer.await, false),
        };
        answer.map(|(head, body)| (head, body, open))
    }
}

async fn read(response: Response<Incoming>) -> Result<(http::response::Parts, Bytes), SendError> {
    let (head, body) = response.into_parts();
    match Limited::new(body, MAX_ANSWER).collect().await {
        Ok(body) => Ok((head, body.to_bytes())),
        Err(_) => Err(broken("the answer broke off or is too long")),
    }
}

fn broken(text: &str) -> SendError {
    SendError::Unreachable { reason: Words::ours(text) }
}
