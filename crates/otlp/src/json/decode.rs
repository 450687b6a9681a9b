//! JSON to protobuf, in one pass and without a tree: each value goes straight into the output.
//!
//! Promises:
//! 1. What readers could take differently is refused: a field that stands twice, two members of a oneof.
//! 2. Unknown fields are skipped without recursion, whatever they hold.
//!
//! Not here: one field's value (`value.rs`), which fields there are (`tables.rs`).

use super::descriptor::{Descriptor, Field, Rule};
use super::fault::{JsonFault, JsonReason};
use super::value::{Given, Place, Value};
use super::{MAX_LEVEL, Message};
use crate::{Limits, Writer};
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde_json::error::Category;
use std::fmt;
use std::mem;

/// Spans, log records and metrics lie this many levels below the request; [`Limits::depth`] counts from there.
const ITEM_LEVEL: usize = 3;

/// Transcodes one JSON message to protobuf.
///
/// # Errors
/// Where and why the text is not such a message, or breaks a limit.
pub fn decode(message: Message, json: &[u8], limits: &Limits) -> Result<Vec<u8>, JsonFault> {
    let mut state = State::new(limits);
    if json.len() > limits.request_bytes {
        return Err(JsonFault { line: 1, column: 1, field: None, reason: JsonReason::RequestBytes });
    }
    // Names, quotes and ids make JSON two to three times as long as protobuf.
    let mut protobuf = Vec::with_capacity(json.len() / 2);
    let mut text = serde_json::Deserializer::from_slice(json);
    Body { state: &mut state, out: &mut Writer::new(&mut protobuf), message: message.descriptor() }
        .deserialize(&mut text)
        .and_then(|()| text.end())
        .map_err(|error| state.fault(&error))?;
    Ok(protobuf)
}

/// What all readers of one text share.
pub(super) struct State {
    max_level: usize,
    max_bytes: usize,
    level: usize,
    /// Set before an error is returned through serde, whose own errors may carry values.
    fault: Option<(&'static str, JsonReason)>,
    /// Bytes of an id or a bytes value while they are decoded.
    pub(super) bytes: Vec<u8>,
    /// Packed numbers until their length is known.
    pub(super) packed: Vec<u8>,
}

impl State {
    fn new(limits: &Limits) -> Self {
        Self {
            max_level: limits.depth.saturating_add(ITEM_LEVEL).min(MAX_LEVEL),
            max_bytes: limits.request_bytes,
            level: 0,
            fault: None,
            bytes: Vec::new(),
            packed: Vec::new(),
        }
    }

    pub(super) fn descend<E: Error>(&mut self, field: &'static Field) -> Result<(), E> {
        if self.level == self.max_level {
            return Err(self.fail(field, JsonReason::Depth));
        }
        self.level += 1;
        Ok(())
    }

    pub(super) fn ascend(&mut self) {
        self.level -= 1;
    }

    /// Checks the length after each value, because small texts make long messages: a packed `0,` is eight bytes.
    pub(super) fn admit<E: Error>(&mut self, field: &'static Field, written: usize) -> Result<(), E> {
        if written > self.max_bytes {
            return Err(self.fail(field, JsonReason::RequestBytes));
        }
        Ok(())
    }

    pub(super) fn fail<E: Error>(&mut self, field: &'static Field, reason: JsonReason) -> E {
        self.fault = Some((field.name, reason));
        E::custom(reason)
    }

    fn fault(&self, error: &serde_json::Error) -> JsonFault {
        let of_the_text = match error.classify() {
            Category::Eof => JsonReason::Truncated,
            // Values report their own faults, so that only the request itself can be of the wrong type.
            Category::Data => JsonReason::Type("an object"),
            Category::Syntax | Category::Io => JsonReason::Syntax,
        };
        let (field, reason) = self.fault.map_or((None, of_the_text), |(field, reason)| (Some(field), reason));
        JsonFault { line: error.line(), column: error.column(), field, reason }
    }
}

/// Reads one object as the body of a message.
pub(super) struct Body<'a, 'o> {
    pub(super) state: &'a mut State,
    pub(super) out: &'a mut Writer<'o>,
    pub(super) message: &'static Descriptor,
}

impl<'de> DeserializeSeed<'de> for Body<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Body<'_, '_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        let (mut seen, mut oneof) = (0_u16, false);
        while let Some(key) = object.next_key_seed(Key { message: self.message })? {
            let Some((at, field)) = key else {
                object.next_value::<IgnoredAny>()?;
                continue;
            };
            if seen & 1 << at != 0 {
                return Err(self.state.fail(field, JsonReason::Duplicate));
            }
            seen |= 1 << at;
            let value = Value { state: self.state, out: self.out, field, place: Place::Field };
            let given = object.next_value_seed(value)?;
            if given == Given::Value && field.rule == Rule::Oneof && mem::replace(&mut oneof, true) {
                return Err(self.state.fail(field, JsonReason::OneOf));
            }
        }
        Ok(())
    }
}

/// Reads an object's key as the field it names, if the message has it.
struct Key {
    message: &'static Descriptor,
}

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Option<(usize, &'static Field)>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key {
    type Value = Option<(usize, &'static Field)>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a field name")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<Self::Value, E> {
        Ok(self.message.by_key(key))
    }
}
