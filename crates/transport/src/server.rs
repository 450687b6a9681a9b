//! Takes OTLP in: listeners, the byte budget at the door, gRPC and HTTP, refusals.

mod ahead;
mod connection;
mod denial;
mod forward;
mod front;
mod gather;
mod grpc;
mod http;
mod linger;
mod listener;
mod prompt;
mod receive;
pub(crate) mod reply;
mod stranger;

pub use denial::{Denial, Unsupported};
pub use listener::{Bound, Limits, Protocols, Security, Service};
pub use receive::{Inbound, Peer, Receive, Transport};
pub use stranger::{HandshakeFault, Stranger};
