//! What the transcoder must know of one protobuf message: its fields, and how JSON spells each.
//!
//! Promises:
//! 1. A field has one name; both spellings of it (`lowerCamelCase`, `snake_case`) are derived.
//! 2. No message has more than [`MAX_FIELDS`] fields: a table that has does not compile.
//!
//! Not here: the OTLP messages themselves (`tables.rs`).

use crate::wire::Wire;

/// The most fields a message may have, so that what is seen of one message fits the stack.
pub(super) const MAX_FIELDS: usize = 16;

/// One protobuf message.
#[derive(Debug)]
pub(super) struct Descriptor {
    fields: &'static [Field],
}

/// One field of a message.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) number: u32,
    /// The `lowerCamelCase` name, the only one that is written.
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) rule: Rule,
}

/// How a value is encoded in protobuf and spelled in JSON.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Bool,
    Int32,
    Uint32,
    Sint32,
    Fixed32,
    Int64,
    Uint64,
    Fixed64,
    Sfixed64,
    Double,
    Enum,
    String,
    /// Base64 in JSON.
    Bytes,
    /// Bytes that OTLP spells in hexadecimal: trace and span ids.
    Id,
    Message(&'static Descriptor),
}

/// How often a field occurs, and what its absence means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// At most once; a scalar's default value and absence are the same.
    Plain,
    /// At most once; a default value is not absence.
    Optional,
    /// At most one of all such fields of the message: no OTLP message has two oneofs.
    Oneof,
    /// Any number of times; numbers are packed.
    Repeated,
}

impl Descriptor {
    pub(super) const fn new(fields: &'static [Field]) -> Self {
        assert!(fields.len() <= MAX_FIELDS, "a message has too many fields");
        Self { fields }
    }

    pub(super) fn fields(&self) -> &'static [Field] {
        self.fields
    }

    /// Finds the field that a JSON key names, with its place in the table.
    pub(super) fn by_key(&self, key: &str) -> Option<(usize, &'static Field)> {
        self.find(|field| field.is_spelled(key))
    }

    /// Finds the field of a protobuf number, with its place in the table.
    pub(super) fn by_number(&self, number: u32) -> Option<(usize, &'static Field)> {
        self.find(|field| field.number == number)
    }

    fn find(&self, is_it: impl Fn(&Field) -> bool) -> Option<(usize, &'static Field)> {
        self.fields.iter().enumerate().find(|(_, field)| is_it(field))
    }
}

impl Field {
    /// Reports whether `key` is this field's name, in either spelling. The proto3 mapping wants
    /// both to be understood; OTLP allows writing only the first. Ignoring the second as unknown
    /// would lose data without a word.
    fn is_spelled(&self, key: &str) -> bool {
        key == self.name || (key.contains('_') && self.is_spelled_snake_case(key.as_bytes()))
    }

    fn is_spelled_snake_case(&self, key: &[u8]) -> bool {
        let mut key = key.iter();
        let matches = self.name.bytes().all(|letter| {
            let underscored = !letter.is_ascii_uppercase() || key.next() == Some(&b'_');
            underscored && key.next() == Some(&letter.to_ascii_lowercase())
        });
        matches && key.next().is_none()
    }

    /// Reports whether a value may be left out, because it is the default and absence means the same.
    pub(super) fn leaves_out(&self, value: Wire<'_>) -> bool {
        let is_default = match value {
            Wire::Varint(value) | Wire::Fixed64(value) => value == 0,
            Wire::Fixed32(value) => value == 0,
            Wire::Bytes(value) => value.is_empty() && !matches!(self.kind, Kind::Message(_)),
        };
        is_default && self.rule == Rule::Plain
    }

    /// Reports whether the field may have a value of this wire type; numbers of a list may be packed or not.
    pub(super) fn may_hold(&self, value: Wire<'_>) -> bool {
        match (self.kind, value) {
            (Kind::Fixed32, Wire::Fixed32(_)) => true,
            (Kind::Fixed64 | Kind::Sfixed64 | Kind::Double, Wire::Fixed64(_)) => true,
            (Kind::Fixed32 | Kind::Fixed64 | Kind::Sfixed64 | Kind::Double, Wire::Varint(_)) => false,
            (kind, Wire::Varint(_)) => kind.is_number(),
            (kind, Wire::Bytes(_)) => !kind.is_number() || self.rule == Rule::Repeated,
            (_, Wire::Fixed32(_) | Wire::Fixed64(_)) => false,
        }
    }
}

impl Kind {
    /// Reports whether the wire holds a number, so that lists of it are packed.
    pub(super) fn is_number(self) -> bool {
        !matches!(self, Self::String | Self::Bytes | Self::Id | Self::Message(_))
    }

    /// What JSON must give for it.
    pub(super) fn spelling(self) -> &'static str {
        match self {
            Self::Bool => "true or false",
            Self::Int32 | Self::Uint32 | Self::Sint32 | Self::Fixed32 | Self::Enum => "an integer",
            Self::Int64 | Self::Uint64 | Self::Fixed64 | Self::Sfixed64 => "an integer, or a string of its digits",
            Self::Double => "a number, or a string that holds one",
            Self::String => "a string",
            Self::Bytes => "a string of base64",
            Self::Id => "a string of hexadecimal digits",
            Self::Message(_) => "an object",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn field_is_named_in_either_spelling_and_no_other() {
        let field = Field { number: 1, name: "startTimeUnixNano", kind: Kind::Fixed64, rule: Rule::Plain };
        assert!(field.is_spelled("startTimeUnixNano"));
        assert!(field.is_spelled("start_time_unix_nano"));
        for other in
            ["", "_", "start", "start_time", "start_timeUnixNano", "StartTimeUnixNano", "_start_time_unix_nano"]
        {
            assert!(!field.is_spelled(other), "{other}");
        }
        for other in ["start_time_unix_nano_", "start__time_unix_nano", "start_Time_unix_nano", "starttime_unix_nano"] {
            assert!(!field.is_spelled(other), "{other}");
        }
    }
}
