//! One field's value, from JSON to protobuf.
//!
//! Promises:
//! 1. `null` is absence, for a field of any type; in a list it is a fault.
//! 2. A default value is left out where absence means the same, so that the output is canonical.
//! 3. A value of the wrong type is refused; nothing is coerced but numbers and strings of digits.
//!
//! Not here: numbers (`number.rs`), hexadecimal and base64 (`text.rs`).

use super::decode::{Body, State};
use super::descriptor::{Field, Kind, Rule};
use super::fault::JsonReason;
use super::number::Number;
use super::text;
use crate::Writer;
use crate::wire::Wire;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::fmt;
use std::mem;

/// Whether a field was there at all.
#[derive(PartialEq, Eq)]
pub(super) enum Given {
    Value,
    Null,
}

/// Decodes text into the bytes it stands for, replacing what the buffer held.
type Decode = fn(&str, &mut Vec<u8>) -> Result<(), JsonReason>;

/// Where a value stands, which decides how it is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// As the field: a default value is left out where that means the same.
    Field,
    /// In a list, with its own tag.
    Element,
    /// In a list of numbers, without a tag.
    Packed,
}

/// Reads one value of a field.
pub(super) struct Value<'a, 'o> {
    pub(super) state: &'a mut State,
    pub(super) out: &'a mut Writer<'o>,
    pub(super) field: &'static Field,
    pub(super) place: Place,
}

impl Value<'_, '_> {
    fn fail<E: Error>(self, reason: JsonReason) -> E {
        self.state.fail(self.field, reason)
    }

    fn mismatch<E: Error>(self) -> E {
        let expected = if self.is_list() { "a list" } else { self.field.kind.spelling() };
        self.fail(JsonReason::Type(expected))
    }

    fn is_list(&self) -> bool {
        self.field.rule == Rule::Repeated && self.place == Place::Field
    }

    fn scalar<E: Error>(self, wire: Result<Wire<'_>, JsonReason>) -> Result<Given, E> {
        if self.is_list() {
            return Err(self.mismatch());
        }
        match wire {
            Ok(wire) => self.write(wire),
            Err(reason) => Err(self.fail(reason)),
        }
    }

    fn write<E: Error>(self, wire: Wire<'_>) -> Result<Given, E> {
        let number = self.field.number;
        match (self.place, wire) {
            (Place::Field, wire) if self.field.leaves_out(wire) => {}
            (Place::Packed, Wire::Varint(value)) => self.out.bare_varint(value),
            (Place::Packed, Wire::Fixed64(value)) => self.out.raw(&value.to_le_bytes()),
            (Place::Packed, Wire::Fixed32(value)) => self.out.raw(&value.to_le_bytes()),
            (_, Wire::Varint(value)) => self.out.varint(number, value),
            (_, Wire::Fixed64(value)) => self.out.fixed64(number, value),
            (_, Wire::Fixed32(value)) => self.out.fixed32(number, value),
            (_, Wire::Bytes(value)) => self.out.bytes(number, value),
        }
        self.state.admit(self.field, self.out.written())?;
        Ok(Given::Value)
    }

    fn encoded<E: Error>(self, text: &str, decode: Decode) -> Result<Given, E> {
        let Value { state, out, field, place } = self;
        let mut bytes = mem::take(&mut state.bytes);
        let wire = decode(text, &mut bytes).map(|()| Wire::Bytes(&bytes));
        let given = Value { state: &mut *state, out, field, place }.scalar(wire);
        state.bytes = bytes;
        given
    }

    fn list<'de, A: SeqAccess<'de>>(self, mut list: A) -> Result<Given, A::Error> {
        let Value { state, out, field, .. } = self;
        if !field.kind.is_number() {
            while list.next_element_seed(Value { state, out, field, place: Place::Element })?.is_some() {}
            return Ok(Given::Value);
        }
        let mut packed = mem::take(&mut state.packed);
        packed.clear();
        let mut numbers = Writer::new(&mut packed);
        while list.next_element_seed(Value { state, out: &mut numbers, field, place: Place::Packed })?.is_some() {}
        if !packed.is_empty() {
            out.bytes(field.number, &packed);
        }
        state.packed = packed;
        state.admit(field, out.written())?;
        Ok(Given::Value)
    }
}

impl<'de> DeserializeSeed<'de> for Value<'_, '_> {
    type Value = Given;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Given, D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// Has a method for every type of JSON, so that serde never makes an error of its own, which would quote the value.
impl<'de> Visitor<'de> for Value<'_, '_> {
    type Value = Given;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.field.kind.spelling())
    }

    fn visit_unit<E: Error>(self) -> Result<Given, E> {
        match self.place {
            Place::Field => Ok(Given::Null),
            Place::Element | Place::Packed => Err(self.fail(JsonReason::NullElement)),
        }
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Given, E> {
        match self.field.kind {
            Kind::Bool => self.scalar(Ok(Wire::Varint(u64::from(value)))),
            _ => Err(self.mismatch()),
        }
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Given, E> {
        let wire = Number::Unsigned(value).to_wire(self.field.kind);
        self.scalar(wire)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Given, E> {
        let wire = Number::Signed(value).to_wire(self.field.kind);
        self.scalar(wire)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Given, E> {
        let wire = Number::Float(value).to_wire(self.field.kind);
        self.scalar(wire)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Given, E> {
        match self.field.kind {
            Kind::String => self.scalar(Ok(Wire::Bytes(text.as_bytes()))),
            Kind::Id => self.encoded(text, text::hex),
            Kind::Bytes => self.encoded(text, text::base64),
            Kind::Enum => Err(self.fail(JsonReason::EnumName)),
            Kind::Bool | Kind::Message(_) => Err(self.mismatch()),
            kind => self.scalar(Number::from_text(kind, text).and_then(|number| number.to_wire(kind))),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Given, A::Error> {
        if self.is_list() { self.list(list) } else { Err(self.mismatch()) }
    }

    fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<Given, A::Error> {
        let Kind::Message(message) = self.field.kind else {
            return Err(self.mismatch());
        };
        if self.is_list() {
            return Err(self.mismatch());
        }
        self.state.descend(self.field)?;
        let body = |inner: &mut Writer<'_>| Body { state: self.state, out: inner, message }.visit_map(object);
        self.out.message(self.field.number, body)?;
        self.state.ascend();
        self.state.admit(self.field, self.out.written())?;
        Ok(Given::Value)
    }
}
