//! What expressions evaluate to: borrowed from the span and from the condition.

use std::borrow::Cow;

use tollgate_otlp::wire::{Field, Fields, Wire};
use tollgate_otlp::{RawAttribute, SpanId, TraceId, ValueView};

use super::error::EvaluationError;
use super::paths::Part;

/// A value of one of the Collector's types.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value<'v> {
    Nil,
    Bool(bool),
    Int(i64),
    Double(f64),
    Text(Cow<'v, str>),
    Bytes(&'v [u8]),
    /// Nanoseconds since the epoch; sums reach further than a timestamp does.
    Time(i128),
    /// Nanoseconds.
    Duration(i64),
    Map(Map<'v>),
    List(List<'v>),
    TraceId(TraceId),
    SpanId(SpanId),
    /// And how many there are of it.
    Part(Part, usize),
}

/// Keys with values; of two equal keys the first counts.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Map<'v> {
    /// `KeyValue`s under this field of a message.
    Wire {
        body: &'v [u8],
        number: u32,
    },
    Made(Vec<(&'v str, Value<'v>)>),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum List<'v> {
    /// The body of an `ArrayValue`.
    Wire(&'v [u8]),
    Made(Vec<Value<'v>>),
}

impl<'v> Value<'v> {
    /// Reads the body of an `AnyValue`.
    pub(super) fn any(body: &'v [u8]) -> Result<Self, EvaluationError> {
        Ok(match ValueView::parse(body)? {
            ValueView::Empty => Self::Nil,
            ValueView::String(text) => Self::Text(text.into()),
            ValueView::Bool(value) => Self::Bool(value),
            ValueView::Int(value) => Self::Int(value),
            ValueView::Double(value) => Self::Double(value),
            ValueView::Array(body) => Self::List(List::Wire(body)),
            ValueView::KvList(body) => Self::Map(Map::Wire { body, number: 1 }),
            ValueView::Bytes(bytes) => Self::Bytes(bytes),
        })
    }

    /// What a person calls its type.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::Nil => "nil",
            Self::Bool(_) => "a boolean",
            Self::Int(_) => "an integer",
            Self::Double(_) => "a float",
            Self::Text(_) => "text",
            Self::Bytes(_) => "bytes",
            Self::Time(_) => "a time",
            Self::Duration(_) => "a duration",
            Self::Map(_) => "a map",
            Self::List(_) => "a list",
            Self::TraceId(_) => "a trace id",
            Self::SpanId(_) => "a span id",
            Self::Part(Part::Events, _) => "events",
            Self::Part(Part::Links, _) => "links",
            Self::Part(Part::Status, _) => "a status",
        }
    }

    /// How many bytes, entries or items it has.
    pub(super) fn length(&self) -> Result<usize, EvaluationError> {
        match self {
            Self::Text(text) => Ok(text.len()),
            Self::Bytes(bytes) => Ok(bytes.len()),
            Self::Map(map) => map.length(),
            Self::List(list) => list.length(),
            Self::Part(Part::Events | Part::Links, count) => Ok(*count),
            other => Err(EvaluationError::NoLength(other.type_name())),
        }
    }
}

impl<'v> Map<'v> {
    /// A map that a condition writes out. It holds what an attribute can hold and no more.
    pub(super) fn made(pairs: Vec<(&'v str, Value<'v>)>) -> Result<Self, EvaluationError> {
        let mut made: Vec<(&str, Value<'_>)> = Vec::with_capacity(pairs.len());
        for (key, value) in pairs {
            storable(&value)?;
            // Of two equal keys the condition means the last.
            made.retain(|(known, _)| *known != key);
            made.push((key, value));
        }
        Ok(Self::Made(made))
    }

    pub(super) fn get(&self, key: &str) -> Result<Option<Value<'v>>, EvaluationError> {
        match self {
            Self::Wire { body, number } => {
                let found = wire_attributes(body, *number)
                    .find(|pair| pair.as_ref().map_or(true, |attribute| attribute.key == key.as_bytes()));
                found.map(|attribute| Value::any(attribute?.value)).transpose()
            }
            Self::Made(pairs) => Ok(pairs.iter().find(|(known, _)| *known == key).map(|(_, value)| value.clone())),
        }
    }

    pub(super) fn length(&self) -> Result<usize, EvaluationError> {
        match self {
            Self::Wire { body, number } => {
                wire_attributes(body, *number).try_fold(0, |length, attribute| attribute.map(|_| length + 1))
            }
            Self::Made(pairs) => Ok(pairs.len()),
        }
    }

    /// All pairs, equal keys too.
    pub(super) fn pairs(&self) -> impl Iterator<Item = Result<(&'v str, Value<'v>), EvaluationError>> {
        let (wire, made) = match self {
            Self::Wire { body, number } => (Some(wire_attributes(body, *number)), None),
            Self::Made(pairs) => (None, Some(pairs.clone())),
        };
        let wire = wire.into_iter().flatten().map(|attribute| {
            let attribute = attribute?;
            let key = std::str::from_utf8(attribute.key).map_err(|_| tollgate_otlp::Fault::Utf8)?;
            Ok((key, Value::any(attribute.value)?))
        });
        wire.chain(made.into_iter().flatten().map(Ok))
    }
}

fn wire_attributes(body: &[u8], number: u32) -> impl Iterator<Item = Result<RawAttribute<'_>, EvaluationError>> {
    Fields::new(body).filter_map(move |field| match field {
        Ok(Field { number: found, value: Wire::Bytes(pair), .. }) if found == number => {
            Some(RawAttribute::parse(pair).map_err(EvaluationError::from))
        }
        Ok(_) => None,
        Err(fault) => Some(Err(fault.into())),
    })
}

fn storable(value: &Value<'_>) -> Result<(), EvaluationError> {
    match value {
        Value::Nil | Value::Bool(_) | Value::Int(_) | Value::Double(_) => Ok(()),
        Value::Text(_) | Value::Bytes(_) | Value::Map(_) => Ok(()),
        Value::List(List::Made(items)) => items.iter().try_for_each(storable),
        other => Err(EvaluationError::NotStorable(other.type_name())),
    }
}

impl<'v> List<'v> {
    pub(super) fn iter(&self) -> impl Iterator<Item = Result<Value<'v>, EvaluationError>> {
        let (wire, made) = match self {
            Self::Wire(body) => (Some(Fields::new(body)), None),
            Self::Made(items) => (None, Some(items.clone())),
        };
        let wire = wire.into_iter().flatten().filter_map(|field| match field {
            Ok(Field { number: 1, value: Wire::Bytes(item), .. }) => Some(Value::any(item)),
            Ok(_) => None,
            Err(fault) => Some(Err(fault.into())),
        });
        wire.chain(made.into_iter().flatten().map(Ok))
    }

    pub(super) fn item(&self, index: i64) -> Result<Value<'v>, EvaluationError> {
        let index = usize::try_from(index).map_err(|_| EvaluationError::OutOfBounds)?;
        self.iter().nth(index).ok_or(EvaluationError::OutOfBounds)?
    }

    pub(super) fn length(&self) -> Result<usize, EvaluationError> {
        match self {
            Self::Wire(_) => self.iter().try_fold(0, |length, item| item.map(|_| length + 1)),
            Self::Made(items) => Ok(items.len()),
        }
    }
}
