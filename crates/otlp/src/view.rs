//! Reads a span and its attributes in place.
//!
//! Promises:
//! 1. Everything is borrowed; parsing allocates nothing and looks no deeper than one message.
//! 2. A body that walked clean parses, and every attribute of it is seen. On any other, a fault or a gap, no panic.
//! 3. `Debug` shows no value, so that none reaches a log by accident.

use std::fmt;

use crate::{
    Fault,
    wire::{Fields, Wire, delimited},
};

/// One span's own fields.
#[derive(Clone, Copy)]
pub struct SpanView<'a> {
    /// 16 bytes.
    pub trace_id: &'a [u8],
    /// 8 bytes.
    pub span_id: &'a [u8],
    /// 8 bytes; empty for a root.
    pub parent_span_id: &'a [u8],
    /// W3C `tracestate`.
    pub trace_state: &'a str,
    /// W3C trace flags in the low byte.
    pub flags: u32,
    /// The operation's name.
    pub name: &'a str,
    /// `SpanKind`.
    pub kind: i32,
    /// Start, in nanoseconds since the Unix epoch.
    pub start_unix_nano: u64,
    /// End, in nanoseconds since the Unix epoch.
    pub end_unix_nano: u64,
    /// `StatusCode`: 0 unset, 1 ok, 2 error.
    pub status_code: i32,
    /// The status's description.
    pub status_message: &'a str,
    body: &'a [u8],
}

impl<'a> SpanView<'a> {
    /// Reads a `Span` message.
    ///
    /// # Errors
    /// A [`Fault`] of the wire format, a known field's wire type, or text that is not UTF-8.
    pub fn parse(body: &'a [u8]) -> Result<Self, Fault> {
        let mut span = Self::empty(body);
        for field in Fields::new(body) {
            let field = field?;
            match (field.number, field.value) {
                (1, Wire::Bytes(id)) => span.trace_id = id,
                (2, Wire::Bytes(id)) => span.span_id = id,
                (3, Wire::Bytes(state)) => span.trace_state = text(state)?,
                (4, Wire::Bytes(id)) => span.parent_span_id = id,
                (5, Wire::Bytes(name)) => span.name = text(name)?,
                (6, Wire::Varint(kind)) => span.kind = enumeration(kind),
                (7, Wire::Fixed64(nanos)) => span.start_unix_nano = nanos,
                (8, Wire::Fixed64(nanos)) => span.end_unix_nano = nanos,
                (15, Wire::Bytes(status)) => span.status(status)?,
                (16, Wire::Fixed32(flags)) => span.flags = flags,
                (1..=8 | 15 | 16, _) => return Err(Fault::WireType),
                _ => {}
            }
        }
        Ok(span)
    }

    /// Iterates over the span's own attributes.
    pub fn attributes(&self) -> impl Iterator<Item = KeyValueView<'a>> + use<'a> {
        attributes(self.body, 9)
    }

    /// Iterates over the bodies of the span's `Event` messages.
    pub fn events(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        messages(self.body, 11)
    }

    /// Iterates over the bodies of the span's `Link` messages.
    pub fn links(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        messages(self.body, 13)
    }

    /// Returns the body that was parsed.
    #[must_use]
    pub fn body(&self) -> &'a [u8] {
        self.body
    }

    fn empty(body: &'a [u8]) -> Self {
        Self {
            trace_id: &[],
            span_id: &[],
            parent_span_id: &[],
            trace_state: "",
            flags: 0,
            name: "",
            kind: 0,
            start_unix_nano: 0,
            end_unix_nano: 0,
            status_code: 0,
            status_message: "",
            body,
        }
    }

    fn status(&mut self, body: &'a [u8]) -> Result<(), Fault> {
        for field in Fields::new(body) {
            let field = field?;
            match (field.number, field.value) {
                (2, Wire::Bytes(message)) => self.status_message = text(message)?,
                (3, Wire::Varint(code)) => self.status_code = enumeration(code),
                (2 | 3, _) => return Err(Fault::WireType),
                _ => {}
            }
        }
        Ok(())
    }
}

impl fmt::Debug for SpanView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpanView").field("bytes", &self.body.len()).finish_non_exhaustive()
    }
}

/// Iterates over the attributes that `body` (of a resource, scope, span, event ...) holds under this field number.
///
/// One that cannot be read is passed over: a body that walked clean has none such.
pub fn attributes(body: &[u8], number: u32) -> impl Iterator<Item = KeyValueView<'_>> {
    raw_attributes(body, number).filter_map(|raw| KeyValueView::parse(raw).ok())
}

/// Iterates over the same attributes as [`attributes`] without looking at keys as text or at values at all: the way
/// for hot paths, which look keys up as bytes and rarely need the value.
pub fn raw_attributes(body: &[u8], number: u32) -> impl Iterator<Item = RawAttribute<'_>> {
    messages(body, number).filter_map(|body| RawAttribute::parse(body).ok())
}

/// Iterates over the bodies of all messages that `body` holds under this field number.
pub fn messages(body: &[u8], number: u32) -> impl Iterator<Item = &[u8]> {
    Fields::new(body).map_while(Result::ok).filter_map(move |field| match field.value {
        Wire::Bytes(message) if field.number == number => Some(message),
        _ => None,
    })
}

/// One `KeyValue`, split but not read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RawAttribute<'a> {
    /// The key's bytes.
    pub key: &'a [u8],
    /// The body of the `AnyValue` message; empty if there is none. See [`ValueView::parse`].
    pub value: &'a [u8],
}

impl<'a> RawAttribute<'a> {
    /// Splits a `KeyValue` message.
    ///
    /// # Errors
    /// A [`Fault`] of the wire format or of a known field's wire type.
    #[inline]
    pub fn parse(body: &'a [u8]) -> Result<Self, Fault> {
        // What every encoder writes; anything else goes the general way.
        if let [0x0a, rest @ ..] = body
            && let Ok((key, [0x12, rest @ ..])) = delimited(rest)
            && let Ok((value, [])) = delimited(rest)
        {
            return Ok(Self { key, value });
        }
        let mut pair = Self { key: &[], value: &[] };
        for field in Fields::new(body) {
            let field = field?;
            match (field.number, field.value) {
                (1, Wire::Bytes(key)) => pair.key = key,
                (2, Wire::Bytes(value)) => pair.value = value,
                (1 | 2, _) => return Err(Fault::WireType),
                _ => {}
            }
        }
        Ok(pair)
    }
}

/// One attribute.
#[derive(Clone, Copy, PartialEq)]
pub struct KeyValueView<'a> {
    /// The attribute's name.
    pub key: &'a str,
    /// The attribute's value.
    pub value: ValueView<'a>,
}

impl<'a> KeyValueView<'a> {
    /// Reads a split `KeyValue`.
    ///
    /// # Errors
    /// As [`ValueView::parse`], or a key that is not UTF-8.
    pub fn parse(raw: RawAttribute<'a>) -> Result<Self, Fault> {
        Ok(Self { key: text(raw.key)?, value: ValueView::parse(raw.value)? })
    }
}

/// One `AnyValue`.
#[derive(Clone, Copy, PartialEq)]
pub enum ValueView<'a> {
    /// No value is set, or one that only profiles have.
    Empty,
    /// `string_value`.
    String(&'a str),
    /// `bool_value`.
    Bool(bool),
    /// `int_value`.
    Int(i64),
    /// `double_value`.
    Double(f64),
    /// The body of an `ArrayValue`: `AnyValue`s under field 1.
    Array(&'a [u8]),
    /// The body of a `KeyValueList`: `KeyValue`s under field 1.
    KvList(&'a [u8]),
    /// `bytes_value`.
    Bytes(&'a [u8]),
}

impl<'a> ValueView<'a> {
    /// Reads an `AnyValue` message.
    ///
    /// # Errors
    /// A [`Fault`] of the wire format, a known field's wire type, or text that is not UTF-8.
    pub fn parse(body: &'a [u8]) -> Result<Self, Fault> {
        let mut read = Self::Empty;
        for field in Fields::new(body) {
            let field = field?;
            read = match (field.number, field.value) {
                (1, Wire::Bytes(value)) => Self::String(text(value)?),
                (2, Wire::Varint(value)) => Self::Bool(value != 0),
                (3, Wire::Varint(value)) => Self::Int(value.cast_signed()),
                (4, Wire::Fixed64(value)) => Self::Double(f64::from_bits(value)),
                (5, Wire::Bytes(value)) => Self::Array(value),
                (6, Wire::Bytes(value)) => Self::KvList(value),
                (7, Wire::Bytes(value)) => Self::Bytes(value),
                (1..=7, _) => return Err(Fault::WireType),
                _ => read,
            };
        }
        Ok(read)
    }
}

impl fmt::Debug for RawAttribute<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawAttribute").finish_non_exhaustive()
    }
}

impl fmt::Debug for KeyValueView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyValueView").field("value", &self.value).finish_non_exhaustive()
    }
}

impl fmt::Debug for ValueView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "Empty",
            Self::String(_) => "String(..)",
            Self::Bool(_) => "Bool(..)",
            Self::Int(_) => "Int(..)",
            Self::Double(_) => "Double(..)",
            Self::Array(_) => "Array(..)",
            Self::KvList(_) => "KvList(..)",
            Self::Bytes(_) => "Bytes(..)",
        })
    }
}

#[inline]
fn text(bytes: &[u8]) -> Result<&str, Fault> {
    std::str::from_utf8(bytes).map_err(|_| Fault::Utf8)
}

/// Enums and other 32-bit numbers keep the low half of their varint, as every decoder has it.
#[expect(clippy::cast_possible_truncation, reason = "protobuf truncates")]
fn enumeration(value: u64) -> i32 {
    value as i32
}
