//! A destination and how it is spoken to. Only the typed doors of `sender.rs` can send through it.

use std::time::Duration;

use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use thiserror::Error;
use tokio::time::timeout;
use tollgate_federation::{Compression, Manifest, Signal};

use super::channel::Channel;
use super::grpc;
use super::http::HttpChannel;
use super::outcome::SendError;
use crate::answer::Receipt;

/// Headers for every request to a destination. Values may be secrets: they are never printed.
#[derive(Clone, Debug, Default)]
pub struct Headers(pub(crate) HeaderMap);

/// A header that cannot be sent.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("header {name:?} is not one that http can send")]
pub struct HeaderFault {
    /// Its name.
    pub name: String,
}

impl Headers {
    /// Takes names and values.
    ///
    /// # Errors
    /// When a name or a value holds what headers cannot.
    pub fn new<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, HeaderFault> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            let fault = || HeaderFault { name: name.to_owned() };
            let mut value = HeaderValue::from_str(value).map_err(|_| fault())?;
            value.set_sensitive(true);
            headers.append(HeaderName::from_bytes(name.as_bytes()).map_err(|_| fault())?, value);
        }
        Ok(Self(headers))
    }
}

/// How a destination is spoken to.
#[derive(Clone, Debug)]
pub struct Options {
    /// Sent with every request.
    pub headers: Headers,
    /// How requests are compressed.
    pub compression: Compression,
    /// How long one request may take, with connecting.
    pub timeout: Duration,
}

/// A destination, ready to be put behind a door.
#[derive(Clone, Debug)]
pub struct Exporter {
    way: Way,
    options: Options,
}

#[derive(Clone, Debug)]
enum Way {
    Grpc(Channel),
    Http(HttpChannel),
}

/// One request on its way out.
#[derive(Clone, Copy)]
pub(crate) struct Outgoing<'a> {
    pub(crate) signal: Signal,
    pub(crate) chunks: &'a [Bytes],
    pub(crate) manifest: Option<&'a Manifest>,
}

impl Exporter {
    /// Speaks OTLP/gRPC.
    pub const fn grpc(channel: Channel, options: Options) -> Self {
        Self { way: Way::Grpc(channel), options }
    }

    /// Speaks OTLP/HTTP with protobuf.
    pub const fn http(channel: HttpChannel, options: Options) -> Self {
        Self { way: Way::Http(channel), options }
    }

    /// Sends one request. A manifest goes to nodes of this federation only: to others it would tell our inner life.
    pub(crate) async fn export(&self, outgoing: Outgoing<'_>) -> Result<Receipt, SendError> {
        let outgoing = Outgoing { manifest: outgoing.manifest.filter(|_| self.leads_to_a_node()), ..outgoing };
        let sending = async {
            match &self.way {
                Way::Grpc(channel) => grpc::call(channel, &self.options, outgoing).await,
                Way::Http(channel) => channel.post(&self.options, outgoing).await,
            }
        };
        let limit = self.options.timeout;
        timeout(limit, Box::pin(sending)).await.unwrap_or_else(|_| Err(SendError::silent(limit)))
    }

    fn leads_to_a_node(&self) -> bool {
        match &self.way {
            Way::Grpc(channel) => channel.leads_to_a_node(),
            Way::Http(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_values_are_never_printed() {
        let headers = Headers::new([("api-key", "hunter2")]).unwrap();
        assert!(!format!("{headers:?}").contains("hunter2"));
        assert_eq!(Headers::new([("a b", "x")]).unwrap_err(), HeaderFault { name: "a b".into() });
        let fault = Headers::new([("api-key", "hunter2\n")]).unwrap_err();
        assert!(!format!("{fault} {fault:?}").contains("hunter2"));
    }
}
