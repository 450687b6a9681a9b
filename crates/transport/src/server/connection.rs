//! One accepted connection: handshake, HTTP/1.1 or HTTP/2, and its end.
//!
//! Promises:
//! 1. A change of trust and a shutdown drain the connection: GOAWAY, what runs finishes, and at the hard deadline it closes.
//! 2. Who the peer is stands from the handshake on; nothing that it sends changes it. A node whose certificate has run out
//!    meanwhile is refused.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tollgate_runtime::Shutdown;

use super::ahead::Ahead;
use super::denial::Denial;
use super::front::Front;
use super::listener::{Limits, Security};
use super::prompt::Prompt;
use super::receive::{Peer, Receive};
use super::reply::Reply;
use super::stranger::{HandshakeFault, Stranger};
use crate::tls::{Claim, Generations, Proof};

/// Inter-region links need about a round trip's worth of bytes in flight; the byte budget bounds memory, not the window.
const TIER_STREAM_WINDOW: u32 = 8 << 20;
const TIER_CONNECTION_WINDOW: u32 = 32 << 20;
/// One TLS record carries 16 KiB whatever the frame; larger frames save headers and wake-ups (a quarter of the CPU).
const TIER_FRAME: u32 = 1 << 20;
/// SDKs are close and many, and nobody vouches for them: what is in their windows is in nobody's budget.
pub(crate) const OPEN_STREAM_WINDOW: u32 = 64 << 10;
const OPEN_CONNECTION_WINDOW: u32 = 128 << 10;
/// No more than a window: who sends large requests and may fill it with one frame costs us less than with four.
pub(crate) const OPEN_FRAME: u32 = 64 << 10;

const KEEP_ALIVE: Duration = Duration::from_secs(20);
/// Also how long an HTTP/1.1 connection may idle between requests.
const HEAD_TIMEOUT: Duration = Duration::from_secs(60);
const MAX_HEADERS: u32 = 16 << 10;
/// What HTTP/1.1 reads ahead at the most.
const READ_AHEAD: usize = 64 << 10;
/// What is read of a node's connection at a time: a few records. Rustls asks for one at the most, and where it has nothing
/// left over of the one before, for a quarter of one.
const ENCRYPTED_READ: usize = 64 << 10;

/// Turns an accepted socket into a connection whose peer is known.
#[derive(Clone)]
pub(crate) struct Acceptor {
    security: Arc<Security>,
}

impl Acceptor {
    pub(crate) fn new(security: Security) -> Self {
        Self { security: Arc::new(security) }
    }
}

/// Who is at the other end of a connection.
struct Caller {
    address: SocketAddr,
    peer: Peer,
    /// What a node showed.
    proof: Option<Arc<Proof>>,
}

impl Caller {
    const fn plain(address: SocketAddr) -> Self {
        Self { address, peer: Peer::Plain(address), proof: None }
    }
}

/// What every connection of a listener runs with.
pub(crate) struct Handler<R> {
    pub(crate) front: Arc<Front<R>>,
    pub(crate) acceptor: Acceptor,
    pub(crate) shutdown: Shutdown,
}

impl<R> Clone for Handler<R> {
    fn clone(&self) -> Self {
        Self { front: Arc::clone(&self.front), acceptor: self.acceptor.clone(), shutdown: self.shutdown.clone() }
    }
}

impl<R: Receive> Handler<R> {
    /// Serves one connection to its end.
    pub(crate) async fn run(self, stream: TcpStream, address: SocketAddr) {
        match &*self.acceptor.security {
            Security::Plain => self.exchange(stream, Caller::plain(address), None).await,
            Security::Server(tls) => {
                let (config, generations) = tls.server();
                if let Some(stream) = self.handshake(stream, address, config, &Claim::default()).await {
                    self.exchange(stream, Caller::plain(address), Some(generations)).await;
                }
            }
            Security::Mutual(tls) => {
                let Ok((config, claim, generations)) = tls.server() else {
                    return tracing::error!("tls for a connection cannot be set up");
                };
                let Some(mut stream) = self.handshake(stream, address, config, &claim).await else { return };
                let chain = stream.get_ref().1.peer_certificates();
                let proof = Some(Arc::new(tls.proof(chain)));
                match tls.peer_of(chain) {
                    Ok(node) => {
                        stream.get_mut().0.begin(ENCRYPTED_READ);
                        let caller = Caller { address, peer: Peer::Node(node), proof };
                        self.exchange(stream, caller, Some(generations)).await;
                    }
                    Err(fault) => self.turn_away(address, claim.uri(), &HandshakeFault::Identity(fault)),
                }
            }
        }
    }

    async fn handshake(
        &self,
        stream: TcpStream,
        address: SocketAddr,
        config: Arc<rustls::ServerConfig>,
        claim: &Claim,
    ) -> Option<TlsStream<Ahead<TcpStream>>> {
        let accepting = TlsAcceptor::from(config).accept(Ahead::new(stream));
        let fault = match timeout(self.front.limits.handshake_timeout, accepting).await {
            Ok(Ok(stream)) => return Some(stream),
            Ok(Err(error)) => HandshakeFault::behind(&error),
            Err(_) => HandshakeFault::Silent,
        };
        self.turn_away(address, claim.uri(), &fault);
        None
    }

    fn turn_away(&self, address: SocketAddr, claims: Option<String>, fault: &HandshakeFault) {
        self.front.receiver.turned_away(&Stranger { address, claims }, fault);
    }

    async fn exchange<S>(&self, stream: S, caller: Caller, generations: Option<Generations>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Caller { address, peer, proof } = caller;
        let http = http(&self.front.limits, matches!(peer, Peer::Node(_)));
        let answer = |request: Request<Incoming>| {
            let (front, peer) = (Arc::clone(&self.front), peer.clone());
            let outlived = proof.as_ref().filter(|proof| !proof.holds());
            if let Some(proof) = outlived {
                self.turn_away(address, proof.claimed(), &HandshakeFault::Outlived);
            }
            let refused = outlived.map(|_| Denial::Forbidden(HandshakeFault::Outlived.to_string()));
            async move {
                let answer = match refused {
                    Some(denial) => denial.grpc(),
                    None => front.answer(peer, request).await,
                };
                Ok::<Response<Reply>, Infallible>(answer)
            }
        };
        let stream = TokioIo::new(Prompt::new(stream, self.front.limits.handshake_timeout));
        let mut connection = pin!(http.serve_connection(stream, service_fn(answer)));
        // Cancel safe: the connection is only polled, and polled on below.
        tokio::select! {
            ended = connection.as_mut() => return note(&peer, ended),
            () = self.shutdown.started() => {}
            () = superseded(generations) => {}
        }
        connection.as_mut().graceful_shutdown();
        if let Ok(ended) = timeout(self.front.limits.drain, connection).await {
            note(&peer, ended);
        }
    }
}

/// Waits until the trust that this connection was accepted under is no longer the current one.
async fn superseded(generations: Option<Generations>) {
    match generations {
        Some(mut generations) => generations.superseded().await,
        None => std::future::pending().await,
    }
}

fn note(peer: &Peer, ended: Result<(), Box<dyn std::error::Error + Send + Sync>>) {
    if let Err(error) = ended {
        tracing::debug!(?peer, %error, "a connection broke off");
    }
}

fn http(limits: &Limits, tier: bool) -> auto::Builder<TokioExecutor> {
    let (stream, connection, frame) = if tier {
        (TIER_STREAM_WINDOW, TIER_CONNECTION_WINDOW, TIER_FRAME)
    } else {
        (OPEN_STREAM_WINDOW, OPEN_CONNECTION_WINDOW, OPEN_FRAME)
    };
    let mut http = auto::Builder::new(TokioExecutor::new());
    http.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_headers(64).max_buf_size(READ_AHEAD);
    http.http2()
        .timer(TokioTimer::new())
        .initial_stream_window_size(stream)
        .initial_connection_window_size(connection)
        .max_frame_size(frame)
        .max_concurrent_streams(limits.max_streams)
        .max_header_list_size(MAX_HEADERS)
        .keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE);
    http
}
