//! What a listener hands over, and what it asks of whoever takes it.

use std::fmt;
use std::net::SocketAddr;

use bytes::Bytes;
use tollgate_federation::{Manifest, NodeId, Signal};
use tollgate_runtime::Permit;

use super::denial::Denial;
use super::stranger::{HandshakeFault, Stranger};
use crate::answer::Receipt;

/// Who sent a request, as far as the connection proves it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Peer {
    /// Somebody at this address; without mutual TLS nothing is proved.
    Plain(SocketAddr),
    /// The node that its certificate, under its own region's authority, names.
    Node(NodeId),
}

/// How a request came in, by the name that metrics know it under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// OTLP/gRPC.
    Grpc,
    /// OTLP/HTTP.
    Http,
}

impl Transport {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Grpc => "grpc",
            Self::Http => "http",
        }
    }
}

/// One export request as it came in: inflated protobuf, not yet looked into.
pub struct Inbound {
    /// The signal that the method or path names.
    pub signal: Signal,
    /// How it came.
    pub transport: Transport,
    /// The encoded `Export*ServiceRequest`; JSON has been transcoded.
    pub payload: Bytes,
    /// Who sent it.
    pub peer: Peer,
    /// What the sender says of the parcel; between tiers there is always one.
    pub manifest: Option<Manifest>,
    /// The payload's share of the byte budget: it goes where the payload goes.
    pub permit: Permit,
}

/// Shows no payload, so that none reaches a log by accident.
impl fmt::Debug for Inbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (signal, bytes) = (self.signal, self.payload.len());
        write!(f, "{signal} of {bytes} bytes from {:?}", self.peer)
    }
}

/// Takes requests in.
pub trait Receive: Send + Sync + 'static {
    /// Takes one request. `Ok` promises the sender that it need not send it again.
    fn receive(&self, inbound: Inbound) -> impl Future<Output = Result<Receipt, Denial>> + Send;

    /// Whether requests are refused, retryably, before their body is read.
    fn draining(&self) -> bool {
        false
    }

    /// Is told of each request that the listener itself refused; what `receive` refused is not repeated.
    fn refused(&self, _signal: Signal, _denial: &Denial) {}

    /// Is told of each connection that proved nothing, and of each request on one that proves nothing any more.
    fn turned_away(&self, _stranger: &Stranger, _fault: &HandshakeFault) {}
}
