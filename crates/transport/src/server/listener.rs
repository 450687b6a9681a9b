//! One address that OTLP is taken in at: accepts connections and gives each a task of its own.
//!
//! Promises:
//! 1. A slow or silent handshake holds up nobody else, and ends at its timeout.
//! 2. On shutdown no connection is accepted any more and open ones finish what they carry.
//! 3. When the process is out of descriptors or connections, accepting pauses; it never ends.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tollgate_runtime::{ByteBudget, Shutdown, TaskGroup};

use super::connection::{Acceptor, Handler};
use super::front::Front;
use super::receive::Receive;
use crate::tls::{ServerTls, TierTls};

/// How connections of a listener are secured.
#[derive(Clone, Debug)]
pub enum Security {
    /// Plain text. Said aloud in the documents.
    Plain,
    /// TLS with this server's certificate; clients prove nothing.
    Server(ServerTls),
    /// Mutual TLS 1.3 between tiers.
    Mutual(TierTls),
}

/// What is spoken on a listener; both on one port is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protocols {
    /// OTLP/gRPC.
    pub grpc: bool,
    /// OTLP/HTTP with protobuf or JSON.
    pub http: bool,
}

/// The bounds of a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The largest request, in bytes, on the wire and inflated.
    pub max_message: usize,
    /// How long a request may take to arrive and find room.
    pub body_deadline: Duration,
    /// How long a TLS handshake or the head of a request may take.
    pub handshake_timeout: Duration,
    /// The most requests at once on one HTTP/2 connection.
    pub max_streams: u32,
    /// The most connections at once.
    pub max_connections: usize,
    /// How long a connection may take to finish after it was told to.
    pub drain: Duration,
    /// When a sender that was refused for now is asked to come back.
    pub retry_after: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_message: 16 << 20,
            body_deadline: Duration::from_secs(10),
            handshake_timeout: Duration::from_secs(5),
            max_streams: 256,
            max_connections: 4096,
            drain: Duration::from_secs(10),
            retry_after: Duration::from_secs(1),
        }
    }
}

/// What a listener does with its connections.
#[derive(Clone, Debug)]
pub struct Service {
    /// How they are secured.
    pub security: Security,
    /// What is spoken on them.
    pub protocols: Protocols,
    /// Their bounds.
    pub limits: Limits,
    /// Where the memory for requests comes from.
    pub budget: ByteBudget,
    /// What may have arrived of requests that nobody has read yet; it bounds how many arrive at the same time.
    pub arriving: ByteBudget,
    /// Who runs them, the least loaded first; none means the runtime that accepts.
    pub workers: Vec<Handle>,
}

/// An address that is bound and not yet served.
#[derive(Debug)]
pub struct Bound {
    listener: TcpListener,
    address: SocketAddr,
}

impl Bound {
    /// Binds an address; port 0 takes a free one.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub async fn bind(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    /// The address that is really bound.
    pub const fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Accepts connections until the shutdown; they run in `tasks` and finish on their own.
    pub async fn serve<R: Receive>(self, service: Service, receiver: Arc<R>, tasks: TaskGroup, shutdown: Shutdown) {
        let Service { security, protocols, limits, budget, arriving, workers } = service;
        let front = Arc::new(Front { receiver, protocols, limits, budget, arriving });
        let handler = Handler { front, acceptor: Acceptor::new(security), shutdown: shutdown.clone() };
        let workers = Balance::over(workers);
        self.each_connection(limits.max_connections, &shutdown, |stream, peer, slot| {
            let (handler, place) = (handler.clone(), workers.least());
            let task = async move {
                let _slot = (slot, place.load);
                if let Ok(stream) = TcpStream::from_std(stream) {
                    handler.run(stream, peer).await;
                }
            };
            match place.worker {
                Some(worker) => tasks.spawn_on(&worker, "connection", task),
                None => tasks.spawn("connection", task),
            }
        })
        .await;
    }

    /// Calls `start` with each accepted connection and its slot, until the shutdown.
    pub(crate) async fn each_connection(
        self,
        most: usize,
        shutdown: &Shutdown,
        start: impl Fn(std::net::TcpStream, SocketAddr, OwnedSemaphorePermit),
    ) {
        let slots = Arc::new(Semaphore::new(most));
        loop {
            // Cancel safe: a slot or a connection that was not handed over is simply not taken.
            let accepted = tokio::select! {
                biased;
                () = shutdown.started() => return,
                accepted = self.accept(&slots) => accepted,
            };
            match accepted {
                Ok((stream, peer, slot)) => start(stream, peer, slot),
                // The peer gave up before it was accepted.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    tracing::warn!(address = %self.address, %error, "cannot accept connections");
                    // Out of descriptors: the error stays until something closes, so trying at once would spin.
                    shutdown.sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    async fn accept(
        &self,
        slots: &Arc<Semaphore>,
    ) -> io::Result<(std::net::TcpStream, SocketAddr, OwnedSemaphorePermit)> {
        let slot = Arc::clone(slots).acquire_owned().await.map_err(io::Error::other)?;
        let (stream, peer) = self.listener.accept().await?;
        // Fails only where the peer is gone already, which serving it will find out.
        let _ = stream.set_nodelay(true);
        // A worker's event queue takes it over, so it leaves this one's.
        Ok((stream.into_std()?, peer, slot))
    }
}

/// Spreads connections over workers; SO_REUSEPORT would skew with the few peers that tiers have.
struct Balance(Vec<(Handle, Arc<AtomicUsize>)>);

struct Place {
    worker: Option<Handle>,
    load: Option<Load>,
}

struct Load(Arc<AtomicUsize>);

impl Drop for Load {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Balance {
    fn over(workers: Vec<Handle>) -> Self {
        Self(workers.into_iter().map(|worker| (worker, Arc::default())).collect())
    }

    fn least(&self) -> Place {
        let least = self.0.iter().min_by_key(|(_, load)| load.load(Ordering::Relaxed));
        let load = least.map(|(_, load)| {
            load.fetch_add(1, Ordering::Relaxed);
            Load(Arc::clone(load))
        });
        Place { worker: least.map(|(worker, _)| worker.clone()), load }
    }
}
