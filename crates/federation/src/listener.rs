//! By which listener of a collector a service's request came.

use std::fmt;
use std::str::FromStr;

use tollgate_config::{Read, Value};

/// A listener of a collector; each takes one transport and refuses the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Listener {
    /// OTLP/gRPC.
    OtlpGrpc,
    /// OTLP/HTTP.
    OtlpHttp,
}

/// The text names no listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected one of: otlp_grpc, otlp_http")]
pub struct UnknownListener;

impl Listener {
    /// All listeners.
    pub const ALL: [Self; 2] = [Self::OtlpGrpc, Self::OtlpHttp];

    /// The name used in documents and manifests.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OtlpGrpc => "otlp_grpc",
            Self::OtlpHttp => "otlp_http",
        }
    }
}

impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Listener {
    type Err = UnknownListener;

    fn from_str(text: &str) -> Result<Self, UnknownListener> {
        Self::ALL.into_iter().find(|listener| listener.as_str() == text).ok_or(UnknownListener)
    }
}

impl Read for Listener {
    fn read(value: Value<'_>) -> Option<Self> {
        value.choice(&Self::ALL.map(|listener| (listener.as_str(), listener)))
    }
}
