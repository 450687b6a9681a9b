//! What a condition looks at, as bytes of the wire; a path reads the fields that it needs.

use tollgate_otlp::wire::{Field, Fields, Wire};
use tollgate_otlp::{Fault, SpanId, TraceId};

use super::error::EvaluationError;
use super::paths::{Key, Naming, Owner, Part, Path, Place, What};
use super::trace_state;
use super::values::{Map, Value};

/// One span with what it stands under, or one of its events with all of these.
#[derive(Clone, Copy)]
pub(crate) struct View<'v> {
    /// The body of the `Resource` message.
    pub(crate) resource: &'v [u8],
    pub(crate) resource_schema_url: &'v str,
    /// The body of the `InstrumentationScope` message.
    pub(crate) scope: &'v [u8],
    pub(crate) scope_schema_url: &'v str,
    /// The body of the `Span` message.
    pub(crate) span: &'v [u8],
    pub(crate) event: Option<Event<'v>>,
}

/// The body of an `Event` message and its number in the span, from zero.
#[derive(Clone, Copy)]
pub(crate) struct Event<'v> {
    pub(crate) index: usize,
    pub(crate) body: &'v [u8],
}

impl<'v> View<'v> {
    /// What stands at a place; keys of attributes are not followed here.
    pub(super) fn at(&self, path: &'v Path) -> Result<Value<'v>, EvaluationError> {
        let place = path.place;
        let body = self.body(place.owner)?;
        Ok(match place.what {
            What::Attributes(number) => Value::Map(Map::Wire { body, number }),
            What::Text(number) => Value::Text(text(bytes(body, number)?)?.into()),
            What::Count(number) => Value::Int(i64::from(low_half(varint(body, number)?))),
            What::SchemaUrl => Value::Text(self.schema_url(place).into()),
            What::TraceId => Value::TraceId(TraceId(id(body, 1)?)),
            What::SpanId(number) => Value::SpanId(SpanId(id(body, number)?)),
            What::IdText(number, 16) => Value::Text(TraceId(id(body, number)?).to_string().into()),
            What::IdText(number, _) => Value::Text(SpanId(id(body, number)?).to_string().into()),
            What::TraceState => trace_state_at(text(bytes(body, 3)?)?, &path.keys),
            What::Kind(naming) => kind(low_half(varint(body, 6)?).cast_signed(), naming),
            What::Time(number) => Value::Time(i128::from(fixed64(body, number)?.cast_signed())),
            What::UnixNano(number) => Value::Int(fixed64(body, number)?.cast_signed()),
            What::Messages(number, part) => Value::Part(part, count(body, number)?),
            What::Status => Value::Part(Part::Status, 0),
            What::StatusCode => Value::Int(i64::from(low_half(varint(bytes(body, 15)?, 3)?).cast_signed())),
            What::StatusMessage => Value::Text(text(bytes(bytes(body, 15)?, 2)?)?.into()),
            What::Flags => Value::Int(i64::from(fixed32(body, 16)?)),
            What::EventIndex => Value::Int(self.event_index()?),
        })
    }

    /// Whether the span names no parent.
    pub(super) fn is_root(&self) -> Result<bool, EvaluationError> {
        Ok(id::<8>(self.span, 4)? == [0; 8])
    }

    fn body(&self, owner: Owner) -> Result<&'v [u8], EvaluationError> {
        match owner {
            Owner::Resource => Ok(self.resource),
            Owner::Scope => Ok(self.scope),
            Owner::Span => Ok(self.span),
            Owner::Event => self.event.map(|event| event.body).ok_or(EvaluationError::NoEvent),
        }
    }

    fn schema_url(&self, place: &Place) -> &'v str {
        if place.owner == Owner::Resource { self.resource_schema_url } else { self.scope_schema_url }
    }

    fn event_index(&self) -> Result<i64, EvaluationError> {
        let index = self.event.ok_or(EvaluationError::NoEvent)?.index;
        i64::try_from(index).map_err(|_| EvaluationError::OutOfBounds)
    }
}

/// A header that cannot be read has no keys, so asking it for one is no error.
fn trace_state_at<'v>(header: &'v str, keys: &[Key]) -> Value<'v> {
    match keys.first() {
        Some(Key::Text(key)) => trace_state::value(header, key).map_or(Value::Nil, |value| Value::Text(value.into())),
        _ => Value::Text(header.into()),
    }
}

fn kind(kind: i32, naming: Naming) -> Value<'static> {
    let (word, constant) = match kind {
        0 => ("Unspecified", "SPAN_KIND_UNSPECIFIED"),
        1 => ("Internal", "SPAN_KIND_INTERNAL"),
        2 => ("Server", "SPAN_KIND_SERVER"),
        3 => ("Client", "SPAN_KIND_CLIENT"),
        4 => ("Producer", "SPAN_KIND_PRODUCER"),
        5 => ("Consumer", "SPAN_KIND_CONSUMER"),
        _ => ("", ""),
    };
    match naming {
        Naming::Number => Value::Int(i64::from(kind)),
        Naming::Word => Value::Text(word.into()),
        Naming::Constant => Value::Text(constant.into()),
    }
}

/// The last field of this number, which is the one that counts.
fn last(body: &[u8], number: u32) -> Result<Option<Field<'_>>, Fault> {
    let mut found = None;
    for field in Fields::new(body) {
        let field = field?;
        if field.number == number {
            found = Some(field);
        }
    }
    Ok(found)
}

fn bytes(body: &[u8], number: u32) -> Result<&[u8], Fault> {
    match last(body, number)?.map(|field| field.value) {
        Some(Wire::Bytes(value)) => Ok(value),
        None => Ok(&[]),
        Some(_) => Err(Fault::WireType),
    }
}

fn varint(body: &[u8], number: u32) -> Result<u64, Fault> {
    match last(body, number)?.map(|field| field.value) {
        Some(Wire::Varint(value)) => Ok(value),
        None => Ok(0),
        Some(_) => Err(Fault::WireType),
    }
}

fn fixed64(body: &[u8], number: u32) -> Result<u64, Fault> {
    match last(body, number)?.map(|field| field.value) {
        Some(Wire::Fixed64(value)) => Ok(value),
        None => Ok(0),
        Some(_) => Err(Fault::WireType),
    }
}

fn fixed32(body: &[u8], number: u32) -> Result<u32, Fault> {
    match last(body, number)?.map(|field| field.value) {
        Some(Wire::Fixed32(value)) => Ok(value),
        None => Ok(0),
        Some(_) => Err(Fault::WireType),
    }
}

fn count(body: &[u8], number: u32) -> Result<usize, Fault> {
    let mut count = 0;
    for field in Fields::new(body) {
        count += usize::from(field?.number == number);
    }
    Ok(count)
}

/// An id that is not there is zero.
fn id<const N: usize>(body: &[u8], number: u32) -> Result<[u8; N], EvaluationError> {
    match bytes(body, number)? {
        [] => Ok([0; N]),
        id => id.try_into().map_err(|_| EvaluationError::NotAnId(N)),
    }
}

fn text(bytes: &[u8]) -> Result<&str, Fault> {
    std::str::from_utf8(bytes).map_err(|_| Fault::Utf8)
}

/// Numbers of 32 bits keep the low half of their varint, as every decoder has it.
#[expect(clippy::cast_possible_truncation, reason = "protobuf truncates")]
fn low_half(value: u64) -> u32 {
    value as u32
}
