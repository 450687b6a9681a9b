//! What a condition can ask for by name, and where it lies in a message.
//!
//! Promises:
//! 1. A path is looked up when the condition is read; none is unknown when a span arrives.

use std::fmt;

use super::Context;
use super::error::SyntaxFault;
use super::syntax::{Expression, quoted};

/// A named place with the keys behind it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Path {
    pub(super) place: &'static Place,
    /// Only attributes and the trace state take keys.
    pub(super) keys: Vec<Key>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Key {
    Text(String),
    Index(i64),
    /// What it is, the span says.
    Computed(Expression),
}

/// The message that a path begins at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    Resource,
    Scope,
    Span,
    Event,
}

/// One name of one message.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) owner: Owner,
    name: &'static str,
    pub(super) what: What,
}

/// How to find it there; numbers are those of protobuf fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Attributes(u32),
    Text(u32),
    Count(u32),
    SchemaUrl,
    TraceId,
    SpanId(u32),
    /// The id in this field as hexadecimal digits.
    IdText(u32, usize),
    TraceState,
    Kind(Naming),
    Time(u32),
    UnixNano(u32),
    Messages(u32, Part),
    Status,
    StatusCode,
    StatusMessage,
    Flags,
    EventIndex,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Naming {
    Number,
    /// `Server`
    Word,
    /// `SPAN_KIND_SERVER`
    Constant,
}

/// What the Collector has as a value that can be compared with itself and not much more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Events,
    Links,
    Status,
}

const fn of(owner: Owner, name: &'static str, what: What) -> Place {
    Place { owner, name, what }
}

static PLACES: [Place; 39] = [
    of(Owner::Resource, "attributes", What::Attributes(1)),
    of(Owner::Resource, "dropped_attributes_count", What::Count(2)),
    of(Owner::Resource, "schema_url", What::SchemaUrl),
    of(Owner::Scope, "name", What::Text(1)),
    of(Owner::Scope, "version", What::Text(2)),
    of(Owner::Scope, "attributes", What::Attributes(3)),
    of(Owner::Scope, "dropped_attributes_count", What::Count(4)),
    of(Owner::Scope, "schema_url", What::SchemaUrl),
    of(Owner::Span, "trace_id", What::TraceId),
    of(Owner::Span, "trace_id.string", What::IdText(1, 16)),
    of(Owner::Span, "span_id", What::SpanId(2)),
    of(Owner::Span, "span_id.string", What::IdText(2, 8)),
    of(Owner::Span, "trace_state", What::TraceState),
    of(Owner::Span, "parent_span_id", What::SpanId(4)),
    of(Owner::Span, "parent_span_id.string", What::IdText(4, 8)),
    of(Owner::Span, "name", What::Text(5)),
    of(Owner::Span, "kind", What::Kind(Naming::Number)),
    of(Owner::Span, "kind.string", What::Kind(Naming::Word)),
    of(Owner::Span, "kind.deprecated_string", What::Kind(Naming::Constant)),
    of(Owner::Span, "start_time", What::Time(7)),
    of(Owner::Span, "start_time_unix_nano", What::UnixNano(7)),
    of(Owner::Span, "end_time", What::Time(8)),
    of(Owner::Span, "end_time_unix_nano", What::UnixNano(8)),
    of(Owner::Span, "attributes", What::Attributes(9)),
    of(Owner::Span, "dropped_attributes_count", What::Count(10)),
    of(Owner::Span, "events", What::Messages(11, Part::Events)),
    of(Owner::Span, "dropped_events_count", What::Count(12)),
    of(Owner::Span, "links", What::Messages(13, Part::Links)),
    of(Owner::Span, "dropped_links_count", What::Count(14)),
    of(Owner::Span, "status", What::Status),
    of(Owner::Span, "status.code", What::StatusCode),
    of(Owner::Span, "status.message", What::StatusMessage),
    of(Owner::Span, "flags", What::Flags),
    of(Owner::Event, "time", What::Time(1)),
    of(Owner::Event, "time_unix_nano", What::UnixNano(1)),
    of(Owner::Event, "name", What::Text(2)),
    of(Owner::Event, "attributes", What::Attributes(3)),
    of(Owner::Event, "dropped_attributes_count", What::Count(4)),
    of(Owner::Event, "event_index", What::EventIndex),
];

/// The words that begin a path and say whose it is.
const OWNERS: [(&str, Owner); 5] = [
    ("resource", Owner::Resource),
    ("instrumentation_scope", Owner::Scope),
    ("scope", Owner::Scope),
    ("span", Owner::Span),
    ("spanevent", Owner::Event),
];

impl Path {
    /// The path of these names; a first name that says whose it is may be left out for the context's own message.
    pub(super) fn of(names: &[&str], keys: Vec<Key>, context: Context) -> Result<Self, SyntaxFault> {
        let own = match context {
            Context::Span => Owner::Span,
            Context::SpanEvent => Owner::Event,
        };
        let named = names.split_first().filter(|(_, rest)| !rest.is_empty()).and_then(|(first, rest)| {
            let (_, owner) = OWNERS.iter().find(|(name, _)| name == first)?;
            // A span has no one event.
            (*owner != Owner::Event || context == Context::SpanEvent).then_some((*owner, rest))
        });
        if names.first() == Some(&"otelcol") {
            return Err(SyntaxFault::UnsupportedPath("otelcol"));
        }
        let (owner, rest) = named.unwrap_or((own, names));
        if rest.first() == Some(&"cache") {
            return Err(SyntaxFault::UnsupportedPath("cache"));
        }
        let name = rest.join(".");
        let mut places = PLACES.iter().filter(|place| place.owner == owner);
        let Some(place) = places.clone().find(|place| place.name == name) else {
            let near = tollgate_config::nearest(&name, places.by_ref().map(|place| place.name));
            return Err(SyntaxFault::Path { path: names.join("."), near });
        };
        match (place.what, keys.as_slice()) {
            (What::Attributes(_), _) | (What::TraceState, [] | [Key::Text(_)]) | (_, []) => Ok(Self { place, keys }),
            (What::TraceState, _) => Err(SyntaxFault::TraceStateKey),
            _ => Err(SyntaxFault::Keys(place.name)),
        }
    }

    /// Every place, for tests.
    #[cfg(test)]
    pub(super) fn all() -> impl Iterator<Item = &'static Place> {
        PLACES.iter()
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let owner = OWNERS.iter().find(|(_, owner)| *owner == self.place.owner).map_or("span", |(name, _)| name);
        write!(f, "{owner}.{}", self.place.name)?;
        self.keys.iter().try_for_each(|key| {
            f.write_str("[")?;
            match key {
                Key::Text(text) => quoted(f, text)?,
                Key::Index(index) => write!(f, "{index}")?,
                Key::Computed(expression) => write!(f, "{expression}")?,
            }
            f.write_str("]")
        })
    }
}
