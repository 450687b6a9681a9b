//! OTLP/JSON: to and from the protobuf encoding, straight from one text to the other.
//!
//! Promises:
//! 1. Nothing is lost: a value is transcoded exactly, or the whole text is refused with line and column. Only fields
//!    that OTLP does not define are left out.
//! 2. What [`encode()`] writes, [`decode()`] reads back as the same message, to the same bytes if its fields stood in
//!    the order of their numbers.
//! 3. No text and no bytes can cause a panic or a deep stack, and no text makes a request beyond
//!    [`Limits::request_bytes`](crate::Limits::request_bytes).
//! 4. A fault never carries a value.
//!
//! Not here: whether the message makes sense (ids' lengths, counts, keys): the walk checks what comes out.

mod decode;
mod descriptor;
mod encode;
mod fault;
mod number;
mod tables;
mod text;
mod value;

pub use decode::decode;
pub use encode::encode;
pub use fault::{JsonFault, JsonReason};

/// Names the message to transcode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Message {
    /// `ExportTraceServiceRequest`, and `TracesData`, which is the same.
    Traces,
    /// `ExportMetricsServiceRequest`, and `MetricsData`, which is the same.
    Metrics,
    /// `ExportLogsServiceRequest`, and `LogsData`, which is the same.
    Logs,
    /// `ExportTraceServiceResponse`.
    TracesResponse,
    /// `ExportMetricsServiceResponse`.
    MetricsResponse,
    /// `ExportLogsServiceResponse`.
    LogsResponse,
    /// `google.rpc.Status` without its details: the body of every OTLP/HTTP error.
    Status,
}

/// The deepest level of messages, the request being level 0. Many JSON readers, ours too, give up at 128 levels of
/// objects and arrays; OTLP needs at most 123 of those for this many messages.
const MAX_LEVEL: usize = 79;

impl Message {
    fn descriptor(self) -> &'static descriptor::Descriptor {
        match self {
            Self::Traces => &tables::TRACES,
            Self::Metrics => &tables::METRICS,
            Self::Logs => &tables::LOGS,
            Self::TracesResponse => &tables::TRACES_RESPONSE,
            Self::MetricsResponse => &tables::METRICS_RESPONSE,
            Self::LogsResponse => &tables::LOGS_RESPONSE,
            Self::Status => &tables::STATUS_OF_CALL,
        }
    }
}
