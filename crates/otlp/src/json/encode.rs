//! Protobuf to JSON, in one pass and without a tree: each value goes straight into the output.
//!
//! Promises:
//! 1. Equal messages give equal texts: fields stand in the table's order, whatever order the wire has.
//! 2. The text is one line. A number of 64 bits is a string, an enum is a number, an id is lower-case hexadecimal.
//! 3. What protobuf decoders could read differently is refused: a singular field that stands twice, two members of
//!    a oneof. Fields that OTLP does not define are left out.

use super::descriptor::{Descriptor, Field, Kind, MAX_FIELDS, Rule};
use super::number::unzigzag;
use super::{MAX_LEVEL, Message, text};
use crate::Fault;
use crate::wire::{self, Fields, Wire};
use serde::Serialize;
use std::mem;

/// Transcodes one protobuf message to JSON and appends it to `out`, which is left as it was on a fault.
///
/// # Errors
/// Why the bytes are not such a message. What a walk admits is one, once [`select`](crate::select()) has left out the
/// items that it rejected.
pub fn encode(message: Message, protobuf: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
    let start = out.len();
    let encoded = Encoder { out: &mut *out, level: 0 }.object(message.descriptor(), protobuf);
    if encoded.is_err() {
        out.truncate(start);
    }
    encoded
}

struct Encoder<'a> {
    out: &'a mut Vec<u8>,
    level: usize,
}

/// Where one field lies in a body: its value, or for a list the stretch from its first to its last element.
#[derive(Clone, Copy)]
struct Place<'a> {
    value: Wire<'a>,
    start: usize,
    end: usize,
}

/// The places of a message's fields, in the table's order.
type Places<'a> = [Option<Place<'a>>; MAX_FIELDS];

impl Encoder<'_> {
    fn object(&mut self, message: &'static Descriptor, body: &[u8]) -> Result<(), Fault> {
        let places = survey(message, body)?;
        self.out.push(b'{');
        let mut separator = "\"";
        for (field, place) in message.fields().iter().zip(places) {
            let Some(place) = place.filter(|place| !field.leaves_out(place.value)) else {
                continue;
            };
            self.out.extend_from_slice(separator.as_bytes());
            self.out.extend_from_slice(field.name.as_bytes());
            self.out.extend_from_slice(b"\":");
            separator = ",\"";
            match field.rule {
                Rule::Repeated => self.list(field, body.get(place.start..place.end).unwrap_or_default())?,
                Rule::Plain | Rule::Optional | Rule::Oneof => self.value(field.kind, place.value)?,
            }
        }
        self.out.push(b'}');
        Ok(())
    }

    /// Writes the elements that lie in a stretch of the body, perhaps with other fields between them.
    fn list(&mut self, field: &Field, stretch: &[u8]) -> Result<(), Fault> {
        self.out.push(b'[');
        let start = self.out.len();
        for element in Fields::new(stretch) {
            let element = element?;
            if element.number != field.number {
                continue;
            }
            match element.value {
                Wire::Bytes(packed) if field.kind.is_number() => self.packed(field.kind, packed)?,
                value => {
                    self.value(field.kind, value)?;
                    self.out.push(b',');
                }
            }
        }
        if self.out.len() > start {
            self.out.pop();
        }
        self.out.push(b']');
        Ok(())
    }

    fn packed(&mut self, kind: Kind, mut numbers: &[u8]) -> Result<(), Fault> {
        while !numbers.is_empty() {
            let value;
            (value, numbers) = packed_number(kind, numbers)?;
            self.value(kind, value)?;
            self.out.push(b',');
        }
        Ok(())
    }

    fn value(&mut self, kind: Kind, value: Wire<'_>) -> Result<(), Fault> {
        match (kind, value) {
            (Kind::Bool, Wire::Varint(value)) => self.plain(value != 0),
            (Kind::Int32 | Kind::Enum, Wire::Varint(value)) => self.plain(low_half(value).cast_signed()),
            (Kind::Uint32, Wire::Varint(value)) => self.plain(low_half(value)),
            (Kind::Sint32, Wire::Varint(value)) => self.plain(unzigzag(low_half(value))),
            (Kind::Fixed32, Wire::Fixed32(value)) => self.plain(value),
            (Kind::Int64, Wire::Varint(value)) => self.quoted(value.cast_signed()),
            (Kind::Uint64, Wire::Varint(value)) => self.quoted(value),
            (Kind::Fixed64, Wire::Fixed64(value)) => self.quoted(value),
            (Kind::Sfixed64, Wire::Fixed64(value)) => self.quoted(value.cast_signed()),
            (Kind::Double, Wire::Fixed64(bits)) => self.double(f64::from_bits(bits)),
            (Kind::String, Wire::Bytes(value)) => self.plain(str::from_utf8(value).map_err(|_| Fault::Utf8)?),
            (Kind::Bytes, Wire::Bytes(value)) => self.text(|out| text::write_base64(value, out)),
            (Kind::Id, Wire::Bytes(value)) => self.text(|out| text::write_hex(value, out)),
            (Kind::Message(message), Wire::Bytes(body)) => return self.nested(message, body),
            _ => return Err(Fault::WireType),
        }
        Ok(())
    }

    fn nested(&mut self, message: &'static Descriptor, body: &[u8]) -> Result<(), Fault> {
        if self.level == MAX_LEVEL {
            return Err(Fault::Depth);
        }
        self.level += 1;
        self.object(message, body)?;
        self.level -= 1;
        Ok(())
    }

    fn double(&mut self, value: f64) {
        if value.is_finite() {
            self.plain(value);
        } else if value.is_nan() {
            self.plain("NaN");
        } else {
            self.plain(if value > 0.0 { "Infinity" } else { "-Infinity" });
        }
    }

    fn quoted(&mut self, integer: impl Serialize) {
        self.text(|out| plain(integer, out));
    }

    fn text(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        self.out.push(b'"');
        write(self.out);
        self.out.push(b'"');
    }

    fn plain(&mut self, scalar: impl Serialize) {
        plain(scalar, self.out);
    }
}

fn plain(scalar: impl Serialize, out: &mut Vec<u8>) {
    #[expect(clippy::expect_used, reason = "only the writer could fail, and it is memory")]
    serde_json::to_writer(out, &scalar).expect("writing to memory succeeds");
}

/// Finds every known field of a body in one pass over it.
fn survey<'a>(message: &Descriptor, body: &'a [u8]) -> Result<Places<'a>, Fault> {
    let mut places: Places<'a> = [None; MAX_FIELDS];
    let (mut end, mut oneof) = (0, false);
    for found in Fields::new(body) {
        let found = found?;
        let start = end;
        end += found.raw.len();
        let Some((at, field)) = message.by_number(found.number) else {
            continue;
        };
        if !field.may_hold(found.value) {
            return Err(Fault::WireType);
        }
        let Some(place) = places.get_mut(at) else {
            continue;
        };
        match (place, field.rule) {
            (Some(place), Rule::Repeated) => place.end = end,
            (Some(_), _) => return Err(Fault::Duplicate),
            (None, Rule::Oneof) if mem::replace(&mut oneof, true) => return Err(Fault::OneOf),
            (place @ None, _) => *place = Some(Place { value: found.value, start, end }),
        }
    }
    Ok(places)
}

fn packed_number(kind: Kind, numbers: &[u8]) -> Result<(Wire<'_>, &[u8]), Fault> {
    match kind {
        Kind::Fixed64 | Kind::Sfixed64 | Kind::Double => {
            let (value, rest) = numbers.split_first_chunk().ok_or(Fault::Truncated)?;
            Ok((Wire::Fixed64(u64::from_le_bytes(*value)), rest))
        }
        Kind::Fixed32 => {
            let (value, rest) = numbers.split_first_chunk().ok_or(Fault::Truncated)?;
            Ok((Wire::Fixed32(u32::from_le_bytes(*value)), rest))
        }
        _ => wire::varint(numbers).map(|(value, rest)| (Wire::Varint(value), rest)),
    }
}

/// Decoders read an integer of 32 bits from the low half of the varint.
fn low_half(value: u64) -> u32 {
    #[expect(clippy::cast_possible_truncation, reason = "as every protobuf decoder does")]
    let low = value as u32;
    low
}
