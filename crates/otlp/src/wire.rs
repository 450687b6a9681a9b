//! The protobuf wire format: varints, tags and the fields of one message body.
//!
//! Promises:
//! 1. Every read is bounds-checked; broken bytes are a [`Fault`], never a panic.
//! 2. Groups and field number zero are refused: OTLP has neither, and decoders disagree about them.
//! 3. `Debug` shows no value, so that none reaches a log by accident.
//! 4. A value's padding is accepted (`0x80 0x00` is zero), as every decoder does; more than 64 bits are not.
//!
//! `inline(always)` stands where a view is read: it joins the match on the layout with the reader's own.

use std::fmt;

use crate::Fault;

/// Highest field number that protobuf allows.
const MAX_FIELD_NUMBER: u32 = (1 << 29) - 1;

/// One field's value as it lies on the wire.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Wire<'a> {
    /// Wire type 0: integers, booleans, enums.
    Varint(u64),
    /// Wire type 1: `fixed64`, `sfixed64`, `double`.
    Fixed64(u64),
    /// Wire type 2: strings, bytes, messages, packed numbers.
    Bytes(&'a [u8]),
    /// Wire type 5: `fixed32`, `sfixed32`, `float`.
    Fixed32(u32),
}

/// One field of a message.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Field<'a> {
    /// The field number, at least 1.
    pub number: u32,
    /// The value.
    pub value: Wire<'a>,
    /// The whole field: tag, length if it has one, and value.
    pub raw: &'a [u8],
}

impl fmt::Debug for Field<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.value {
            Wire::Varint(_) => "varint",
            Wire::Fixed64(_) => "fixed64",
            Wire::Bytes(_) => "bytes",
            Wire::Fixed32(_) => "fixed32",
        };
        write!(f, "field {}: {kind}, {} bytes", self.number, self.raw.len())
    }
}

impl<'a> Field<'a> {
    /// Reads the first field of a body and returns it with what follows.
    ///
    /// # Errors
    /// Any fault of the wire format itself.
    #[inline(always)]
    pub fn read(body: &'a [u8]) -> Result<(Self, &'a [u8]), Fault> {
        let (number, layout, rest) = tag(body)?;
        let (value, rest) = value(layout, rest)?;
        let (raw, rest) = body.split_at(body.len() - rest.len());
        Ok((Self { number, value, raw }, rest))
    }
}

/// Iterates over the fields of a message body in wire order; after a fault it ends.
#[derive(Clone)]
pub struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    /// Starts at the first field of a body.
    #[inline]
    #[must_use]
    pub fn new(body: &'a [u8]) -> Self {
        Self { rest: body }
    }

    /// Returns what has not been read yet.
    #[inline]
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Field<'a>, Fault>;

    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        match Field::read(self.rest) {
            Ok((field, rest)) => {
                self.rest = rest;
                Some(Ok(field))
            }
            Err(fault) => {
                self.rest = &[];
                Some(Err(fault))
            }
        }
    }
}

/// Reads a varint and returns it with what follows.
///
/// # Errors
/// [`Fault::Truncated`] or [`Fault::Varint`].
#[inline]
pub fn varint(bytes: &[u8]) -> Result<(u64, &[u8]), Fault> {
    match bytes {
        // Tags, most lengths and most numbers take one byte; lengths of spans take two.
        [low @ 0..=0x7f, rest @ ..] => Ok((u64::from(*low), rest)),
        [low, high @ 0..=0x7f, rest @ ..] => Ok((u64::from(low & 0x7f) | u64::from(*high) << 7, rest)),
        _ => long_varint(bytes),
    }
}

fn long_varint(bytes: &[u8]) -> Result<(u64, &[u8]), Fault> {
    let mut value = 0;
    for (at, byte) in bytes.iter().enumerate() {
        // The tenth byte has room for one bit.
        if at == 9 && *byte > 1 {
            return Err(Fault::Varint);
        }
        value |= u64::from(byte & 0x7f) << (7 * at);
        if *byte < 0x80 {
            return Ok((value, bytes.get(at + 1..).unwrap_or_default()));
        }
    }
    Err(Fault::Truncated)
}

/// Reads a length and returns as many bytes, with what follows.
///
/// # Errors
/// [`Fault::Truncated`] or [`Fault::Varint`].
#[inline]
pub fn delimited(bytes: &[u8]) -> Result<(&[u8], &[u8]), Fault> {
    let (length, rest) = varint(bytes)?;
    usize::try_from(length).ok().and_then(|length| rest.split_at_checked(length)).ok_or(Fault::Truncated)
}

/// How many bytes a varint takes in its shortest form, which is the one that [`Writer`](crate::Writer) writes.
#[inline]
#[must_use]
pub const fn varint_len(value: u64) -> usize {
    // Nine sixty-fourths is one seventh, rounded as needed over the range of 1 to 64 bits.
    ((64 - (value | 1).leading_zeros()) as usize * 9 + 64) / 64
}

/// How many bytes a length-delimited field takes: tag, length and value.
#[inline]
#[must_use]
pub const fn framed_len(number: u32, value: usize) -> usize {
    varint_len((number as u64) << 3) + varint_len(value as u64) + value
}

/// How a field's value is laid out, by wire type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    Varint = 0,
    Fixed64 = 1,
    Bytes = 2,
    Fixed32 = 5,
}

/// Reads a tag: field number and layout, with what follows.
#[inline]
pub(crate) fn tag(bytes: &[u8]) -> Result<(u32, Layout, &[u8]), Fault> {
    match bytes {
        // Numbers 1 to 15 take one byte.
        [tag @ 0x08..=0x7f, rest @ ..] => Ok((u32::from(tag >> 3), layout(tag & 7)?, rest)),
        _ => long_tag(bytes),
    }
}

fn long_tag(bytes: &[u8]) -> Result<(u32, Layout, &[u8]), Fault> {
    let (tag, rest) = varint(bytes)?;
    let layout = layout(tag.to_le_bytes()[0] & 7)?;
    match u32::try_from(tag >> 3) {
        Ok(number @ 1..=MAX_FIELD_NUMBER) => Ok((number, layout, rest)),
        _ => Err(Fault::FieldNumber),
    }
}

#[inline]
fn layout(wire_type: u8) -> Result<Layout, Fault> {
    match wire_type {
        0 => Ok(Layout::Varint),
        1 => Ok(Layout::Fixed64),
        2 => Ok(Layout::Bytes),
        5 => Ok(Layout::Fixed32),
        _ => Err(Fault::Group),
    }
}

#[inline(always)]
fn value(layout: Layout, bytes: &[u8]) -> Result<(Wire<'_>, &[u8]), Fault> {
    match layout {
        Layout::Varint => varint(bytes).map(|(number, rest)| (Wire::Varint(number), rest)),
        Layout::Bytes => delimited(bytes).map(|(value, rest)| (Wire::Bytes(value), rest)),
        Layout::Fixed64 => {
            let (value, rest) = bytes.split_first_chunk().ok_or(Fault::Truncated)?;
            Ok((Wire::Fixed64(u64::from_le_bytes(*value)), rest))
        }
        Layout::Fixed32 => {
            let (value, rest) = bytes.split_first_chunk().ok_or(Fault::Truncated)?;
            Ok((Wire::Fixed32(u32::from_le_bytes(*value)), rest))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Writer;

    #[test]
    fn varint_reads_back_at_every_width() {
        for bits in 0..64 {
            for value in [1_u64 << bits, (1 << bits) - 1, u64::MAX >> (63 - bits)] {
                let mut bytes = Vec::new();
                Writer::new(&mut bytes).bare_varint(value);
                assert_eq!(bytes.len(), varint_len(value), "{value}");
                assert_eq!(varint(&bytes), Ok((value, &[][..])));
            }
        }
    }

    #[test]
    fn padded_varint_is_read_and_overlong_is_refused() {
        assert_eq!(varint(&[0x80, 0x80, 0x00, 7]), Ok((0, &[7][..])));
        assert_eq!(varint(&[0xff; 10]), Err(Fault::Varint));
        assert_eq!(varint(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2]), Err(Fault::Varint));
        assert_eq!(varint(&[0xff; 9]), Err(Fault::Truncated));
        assert_eq!(varint(&[]), Err(Fault::Truncated));
    }

    #[test]
    fn group_zero_and_giant_field_numbers_are_refused() {
        for group in [3, 4, 6, 7] {
            assert_eq!(Field::read(&[1 << 3 | group, 0]), Err(Fault::Group));
        }
        assert_eq!(Field::read(&[0, 0]), Err(Fault::FieldNumber));
        let mut bytes = Vec::new();
        Writer::new(&mut bytes).bare_varint(u64::from(MAX_FIELD_NUMBER + 1) << 3);
        assert_eq!(Field::read(&bytes), Err(Fault::FieldNumber));
    }

    #[test]
    fn field_knows_its_own_bytes() {
        let body = [0x0a, 2, b'h', b'i', 0x10, 5];
        let fields: Vec<_> = Fields::new(&body).collect::<Result<_, _>>().unwrap();
        assert_eq!(fields[0], Field { number: 1, value: Wire::Bytes(b"hi"), raw: &body[..4] });
        assert_eq!(fields[1], Field { number: 2, value: Wire::Varint(5), raw: &body[4..] });
    }

    #[test]
    fn iteration_ends_after_a_fault() {
        let mut fields = Fields::new(&[0x0a, 9, 0]);
        assert_eq!(fields.next(), Some(Err(Fault::Truncated)));
        assert_eq!(fields.next(), None);
    }
}
