//! Why a request, or one item of it, is not accepted. Never carries a value from the payload.

use thiserror::Error;

/// Says why a whole request, or one message read on its own, is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
pub enum Fault {
    /// A field runs past the end of the message that holds it.
    #[error("a field runs past the end of its message")]
    Truncated,
    /// A varint does not fit 64 bits.
    #[error("a varint is longer than 64 bits")]
    Varint,
    /// A field number is zero or beyond what protobuf allows.
    #[error("a field number is out of range")]
    FieldNumber,
    /// A wire type is a group (not part of OTLP) or undefined.
    #[error("a field has a group or undefined wire type")]
    Group,
    /// A field that OTLP defines has another wire type than OTLP gives it.
    #[error("a known field has the wrong wire type")]
    WireType,
    /// A field that may stand once stands twice, so that decoders could read different values.
    #[error("a singular field stands twice")]
    Duplicate,
    /// Two members of one `oneof` are set, so that decoders could read different values.
    #[error("two members of a oneof are set")]
    OneOf,
    /// A string is not UTF-8.
    #[error("a string is not valid utf-8")]
    Utf8,
    /// Messages are nested deeper than [`Limits::depth`](crate::Limits::depth).
    #[error("messages are nested too deeply")]
    Depth,
    /// The request is longer than [`Limits::request_bytes`](crate::Limits::request_bytes).
    #[error("the request is too long")]
    RequestBytes,
    /// There are more items than [`Limits::items`](crate::Limits::items).
    #[error("the request holds too many items")]
    Items,
    /// There are more resources than [`Limits::resources`](crate::Limits::resources).
    #[error("the request holds too many resources")]
    Resources,
    /// There are more scopes than [`Limits::scopes`](crate::Limits::scopes).
    #[error("the request holds too many scopes")]
    Scopes,
    /// There are more attributes than [`Limits::attributes_per_item`](crate::Limits::attributes_per_item).
    #[error("too many attributes")]
    Attributes,
    /// An attribute key is longer than [`Limits::key_bytes`](crate::Limits::key_bytes).
    #[error("an attribute key is too long")]
    KeyBytes,
    /// An encoded index is not well formed, or points outside its payload.
    #[error("the index does not fit its payload")]
    Index,
}

/// Says why one item is left out while the rest of its request goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
pub enum ItemFault {
    /// The item, or the resource or scope that it needs, is not well formed.
    #[error(transparent)]
    Malformed(#[from] Fault),
    /// A trace id is missing, zero where it must not be, or not 16 bytes long.
    #[error("a trace id is not valid")]
    TraceId,
    /// A span id is missing, zero where it must not be, or not 8 bytes long.
    #[error("a span id is not valid")]
    SpanId,
    /// A parent span id is neither empty nor 8 bytes long.
    #[error("a parent span id is not valid")]
    ParentSpanId,
}

/// Counts the items of a request that were left out. Displayed, it is the message of a partial success.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{items} left out; the first because {first}")]
pub struct Rejected {
    /// How many items were left out.
    pub items: u32,
    /// Why the first of them was.
    pub first: ItemFault,
}
