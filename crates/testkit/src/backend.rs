//! A backend that keeps what it gets and behaves as badly as a test wants.
//!
//! Promises:
//! 1. OTLP/gRPC (the generated services, gzip and zstd) and OTLP/HTTP (protobuf, gzip) on one address, plain or TLS.
//! 2. Every byte of every request is kept, also of those it refused: what arrived has arrived.
//! 3. Its behaviour changes at once and for requests already under way too, where that is possible.

mod received;
mod serve;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::watch;

use received::Received;
pub use received::{ReceivedLog, ReceivedMetric, ReceivedSpan, text_of};

use crate::tls::Identity;

/// What the backend does with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// Keeps it and says so.
    Accept,
    /// Answers with this gRPC code, or the HTTP status that means the same.
    Refuse(tonic::Code),
    /// Refuses for good, with INVALID_ARGUMENT, whatever holds these bytes; keeps the rest.
    RefuseWith(&'static [u8]),
    /// Reads it and never answers.
    Hang,
    /// Closes the connection, and every one that comes.
    Kill,
}

/// A backend on an address of its own. It stops listening when this value goes.
#[derive(Debug)]
pub struct FakeBackend {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

/// What the connections share with the test.
#[derive(Debug)]
pub(crate) struct Shared {
    received: Mutex<Received>,
    behaviour: watch::Sender<Behaviour>,
}

impl FakeBackend {
    /// Listens in plain text; port 0 takes a free one.
    #[track_caller]
    pub fn start(address: SocketAddr) -> Self {
        Self::listen(address, None)
    }

    /// Listens with TLS.
    #[track_caller]
    pub fn start_tls(address: SocketAddr, identity: &Identity) -> Self {
        Self::listen(address, Some(identity))
    }

    #[track_caller]
    fn listen(address: SocketAddr, identity: Option<&Identity>) -> Self {
        let listener = std::net::TcpListener::bind(address);
        let listener = listener.unwrap_or_else(|fault| panic!("cannot listen on {address}: {fault}"));
        let address = listener.local_addr().expect("a listener has an address");
        let (behaviour, _) = watch::channel(Behaviour::Accept);
        let shared = Arc::new(Shared { received: Mutex::default(), behaviour });
        let (stop, stopped) = watch::channel(false);
        let (tls, state) = (identity.map(crate::tls::server), Arc::clone(&shared));
        let thread = std::thread::spawn(move || serve::run(listener, tls, state, stopped));
        Self { address, shared, stop, thread: Some(thread) }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes what it does from now on.
    pub fn behave(&self, behaviour: Behaviour) {
        self.shared.behaviour.send_replace(behaviour);
    }

    /// All spans it accepted, in the order of their arrival.
    pub fn spans(&self) -> Vec<ReceivedSpan> {
        self.shared.received().spans()
    }

    /// All log records it accepted.
    pub fn logs(&self) -> Vec<ReceivedLog> {
        self.shared.received().logs()
    }

    /// All metrics it accepted.
    pub fn metrics(&self) -> Vec<ReceivedMetric> {
        self.shared.received().metrics()
    }

    /// How many requests arrived, whatever became of them.
    pub fn requests(&self) -> usize {
        self.shared.received().arrivals.len()
    }

    /// The headers (gRPC: metadata) of each request that arrived, names in lower case.
    pub fn headers(&self) -> Vec<Vec<(String, String)>> {
        self.shared.received().arrivals.iter().map(|arrival| arrival.headers.clone()).collect()
    }

    /// All bodies that arrived, inflated, with their headers: what a search for planted values must look at.
    pub fn raw(&self) -> Vec<u8> {
        self.shared.received().raw()
    }
}

impl Drop for FakeBackend {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take() {
            // A panic of the server thread has been printed; a second one here would hide it.
            let _ = thread.join();
        }
    }
}

impl Shared {
    pub(crate) fn received(&self) -> MutexGuard<'_, Received> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
