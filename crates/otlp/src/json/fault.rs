//! Why a JSON text is not accepted. Never carries a value from it.

use thiserror::Error;

/// Says where a JSON text is at fault, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("line {line}, column {column}, {}: {reason}", .field.unwrap_or("document"))]
pub struct JsonFault {
    /// The line, from 1.
    pub line: usize,
    /// The byte in the line, from 1, where reading stopped: at or just behind the fault.
    pub column: usize,
    /// The OTLP field that was being read, as OTLP spells it, if it was a field.
    pub field: Option<&'static str>,
    /// What is wrong there.
    pub reason: JsonReason,
}

/// Says why a JSON text is not an OTLP message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
pub enum JsonReason {
    /// The text breaks the grammar of JSON, or a string is not Unicode.
    #[error("not well-formed json")]
    Syntax,
    /// The text ends before the message does.
    #[error("the text ends too early")]
    Truncated,
    /// A value is not of the type that OTLP gives the field.
    #[error("expected {0}")]
    Type(&'static str),
    /// An enum is spelled by its name, which OTLP forbids.
    #[error("an enum must be given by its number")]
    EnumName,
    /// A number does not fit the field, or is a fraction where the field is an integer.
    #[error("a number does not fit the field")]
    Range,
    /// An id is not hexadecimal.
    #[error("not hexadecimal")]
    Hex,
    /// Bytes are not base64.
    #[error("not base64")]
    Base64,
    /// A list holds `null`: only a field can be absent.
    #[error("null stands in a list")]
    NullElement,
    /// One object names a field twice, so that readers could see different values.
    #[error("the field stands twice")]
    Duplicate,
    /// Two members of one `oneof` are set, so that readers could see different values.
    #[error("another member of the same oneof is set already")]
    OneOf,
    /// Messages are nested too deeply.
    #[error("messages are nested too deeply")]
    Depth,
    /// The text, or the message that it makes, is longer than [`Limits::request_bytes`](crate::Limits::request_bytes).
    #[error("the request is too long")]
    RequestBytes,
}
