//! Sends OTLP out: two typed doors, gRPC and HTTP behind them, and what a refusal means.

mod channel;
mod connect;
pub(crate) mod deflate;
pub(crate) mod exporter;
mod grpc;
mod http;
mod outcome;
mod retry_after;
mod sender;
mod words;

pub use channel::Channel;
pub use connect::{ConnectError, Peering};
pub use exporter::{Exporter, HeaderFault, Headers, Options};
pub use http::HttpChannel;
pub use outcome::{PeerCode, SendError};
pub use sender::{LinkSender, Local, LocalSender};
pub use words::Words;
