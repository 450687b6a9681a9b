//! OTLP in and out: gRPC and HTTP, mutual TLS and identities, the answer to every request, DNS, the admin listener.
//!
//! Promises:
//! 1. No request holds more memory than the byte budget gave it, and none waits for ever.
//! 2. Who a peer is comes from a certificate under its own region's authority, and from nothing it sends.
//! 3. Only sealed batches leave over a link; only what is proved local leaves unsealed.
//! 4. Every answer says whether to come back; every answer received is one of: sent, again, held, guilty.
//!
//! Not here: who may send what (`tollgate_pipeline` asks `tollgate_federation`), when to retry (`tollgate_routing`).

mod answer;
mod client;
mod dns;
mod inflate;
mod paths;
mod server;
#[cfg(test)]
mod tests;
mod tls;

pub mod admin;

pub use answer::Receipt;
pub use client::{
    Channel, ConnectError, Exporter, HeaderFault, Headers, HttpChannel, LinkSender, Local, LocalSender, Options,
    PeerCode, Peering, SendError, Words,
};
pub use dns::{Answer, Dns, ResolveError};
pub use server::{
    Bound, Denial, HandshakeFault, Inbound, Limits, Peer, Protocols, Receive, Security, Service, Stranger, Transport,
    Unsupported,
};
pub use tls::{BackendTrust, Expected, IdentityFault, ServerTls, TierFiles, TierTls, TlsError, provider};
