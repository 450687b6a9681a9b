//! What OTLP v1.11 says of each message that a request can hold: field numbers, kinds, and which exclude each other.
//!
//! Checking is driven by these tables alone, so a new field of OTLP is one line here. Enums are varints of any value,
//! as proto3 has them. Not here: OTLP/JSON names (`json`).

use crate::wire::Layout;

use Kind::{Attribute, Bytes, Fixed32, Fixed64, Key, PackedFixed64, PackedVarint, Text, Varint};

/// What one field holds.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    /// Nothing that OTLP defines: any wire type will do.
    Unknown,
    Varint,
    Fixed64,
    Fixed32,
    Text,
    Bytes,
    TraceId,
    SpanId,
    ParentSpanId,
    /// The key of an attribute: text with a limit of its own.
    Key,
    /// A `KeyValue`: counted, and the one message worth a straight path.
    Attribute,
    Message(&'static Message),
    /// Repeated varints, packed or one by one.
    PackedVarint,
    /// Repeated eight-byte numbers, packed or one by one.
    PackedFixed64,
}

impl Kind {
    /// How encoders lay it out.
    const fn layout(self) -> Option<Layout> {
        match self {
            Self::Unknown => None,
            Varint => Some(Layout::Varint),
            Fixed64 => Some(Layout::Fixed64),
            Fixed32 => Some(Layout::Fixed32),
            _ => Some(Layout::Bytes),
        }
    }
}

/// One field of a message.
#[derive(Clone, Copy)]
pub(crate) struct Slot {
    pub(crate) kind: Kind,
    /// The field's own bit among those seen, if it matters to others or to itself that it was.
    pub(crate) own: u32,
    /// Which fields must not have been seen before this one.
    pub(crate) excludes: u32,
    /// The one byte that the field begins with, as encoders write it; [`NO_TAG`] if it has none.
    tag: u16,
}

/// No byte.
const NO_TAG: u16 = 256;

/// The highest field number of any message below, plus one.
const SLOTS: usize = 17;

/// All fields of one message.
pub(crate) struct Message {
    slots: [Slot; SLOTS],
    /// The tag byte of the repeated attributes, if the message has them.
    pub(crate) attributes: Option<u8>,
}

impl Message {
    /// Finds the field that begins with this byte, if it is a known one of less than 16 with its own wire type.
    #[inline]
    pub(crate) fn usual(&self, tag: u8) -> Option<&Slot> {
        let slot = self.slots.get(usize::from(tag >> 3))?;
        (slot.tag == u16::from(tag)).then_some(slot)
    }

    /// Finds what is known of a field number.
    #[inline]
    pub(crate) fn slot(&self, number: u32) -> &Slot {
        self.slots.get(number as usize).unwrap_or(const { &UNKNOWN })
    }
}

const UNKNOWN: Slot = Slot { kind: Kind::Unknown, own: 0, excludes: 0, tag: NO_TAG };

/// Describes a message: fields that stand once, members of its only `oneof`, and repeated fields.
const fn message(once: &[(usize, Kind)], one_of: &[(usize, Kind)], repeated: &[(usize, Kind)]) -> Message {
    let mut described = Message { slots: [UNKNOWN; SLOTS], attributes: None };
    let mut at = 0;
    while at < once.len() {
        let (number, kind) = once[at];
        described.slots[number] = Slot { kind, own: 1 << number, excludes: 1 << number, tag: tag(number, kind) };
        at += 1;
    }
    let (mut members, mut at) = (0, 0);
    while at < one_of.len() {
        members |= 1 << one_of[at].0;
        at += 1;
    }
    at = 0;
    while at < one_of.len() {
        let (number, kind) = one_of[at];
        described.slots[number] = Slot { kind, own: 1 << number, excludes: members, tag: tag(number, kind) };
        at += 1;
    }
    at = 0;
    while at < repeated.len() {
        let (number, kind) = repeated[at];
        described.slots[number] = Slot { kind, own: 0, excludes: 0, tag: tag(number, kind) };
        if matches!(kind, Attribute) {
            described.attributes = Some(tag_byte(number, Layout::Bytes));
        }
        at += 1;
    }
    described
}

const fn tag(number: usize, kind: Kind) -> u16 {
    match kind.layout() {
        Some(layout) if number < 16 => tag_byte(number, layout) as u16,
        _ => NO_TAG,
    }
}

/// The tag of a field below 16, which takes one byte.
#[expect(clippy::cast_possible_truncation, reason = "evaluated at compile time, where the assertion holds")]
const fn tag_byte(number: usize, layout: Layout) -> u8 {
    assert!(number < 16);
    (number << 3) as u8 | layout as u8
}

const fn nested(message: &'static Message) -> Kind {
    Kind::Message(message)
}

// common.proto and resource.proto
pub(crate) static KEY_VALUE: Message = message(&[(1, Key), (2, nested(&ANY_VALUE)), (3, Varint)], &[], &[]);
static ANY_VALUE: Message = message(
    &[],
    &[
        (1, Text),
        (2, Varint),
        (3, Varint),
        (4, Fixed64),
        (5, nested(&ARRAY_VALUE)),
        (6, nested(&KEY_VALUE_LIST)),
        (7, Bytes),
        (8, Varint),
    ],
    &[],
);
static ARRAY_VALUE: Message = message(&[], &[], &[(1, nested(&ANY_VALUE))]);
static KEY_VALUE_LIST: Message = message(&[], &[], &[(1, Attribute)]);
static ENTITY_REF: Message = message(&[(1, Text), (2, Text)], &[], &[(3, Text), (4, Text)]);
pub(crate) static SCOPE: Message = message(&[(1, Text), (2, Text), (4, Varint)], &[], &[(3, Attribute)]);
pub(crate) static RESOURCE: Message = message(&[(2, Varint)], &[], &[(1, Attribute), (3, nested(&ENTITY_REF))]);

// trace.proto
pub(crate) static SPAN: Message = message(
    &[
        (1, Kind::TraceId),
        (2, Kind::SpanId),
        (3, Text),
        (4, Kind::ParentSpanId),
        (5, Text),
        (6, Varint),
        (7, Fixed64),
        (8, Fixed64),
        (10, Varint),
        (12, Varint),
        (14, Varint),
        (15, nested(&STATUS)),
        (16, Fixed32),
    ],
    &[],
    &[(9, Attribute), (11, nested(&EVENT)), (13, nested(&LINK))],
);
static EVENT: Message = message(&[(1, Fixed64), (2, Text), (4, Varint)], &[], &[(3, Attribute)]);
static LINK: Message =
    message(&[(1, Kind::TraceId), (2, Kind::SpanId), (3, Text), (5, Varint), (6, Fixed32)], &[], &[(4, Attribute)]);
static STATUS: Message = message(&[(2, Text), (3, Varint)], &[], &[]);

// logs.proto
pub(crate) static LOG_RECORD: Message = message(
    &[
        (1, Fixed64),
        (2, Varint),
        (3, Text),
        (5, nested(&ANY_VALUE)),
        (7, Varint),
        (8, Fixed32),
        (9, Kind::TraceId),
        (10, Kind::SpanId),
        (11, Fixed64),
        (12, Text),
    ],
    &[],
    &[(6, Attribute)],
);

// metrics.proto
pub(crate) static METRIC: Message = message(
    &[(1, Text), (2, Text), (3, Text)],
    &[
        (5, nested(&GAUGE)),
        (7, nested(&SUM)),
        (9, nested(&HISTOGRAM)),
        (10, nested(&EXPONENTIAL_HISTOGRAM)),
        (11, nested(&SUMMARY)),
    ],
    &[(12, Attribute)],
);
static GAUGE: Message = message(&[], &[], &[(1, nested(&NUMBER_POINT))]);
static SUM: Message = message(&[(2, Varint), (3, Varint)], &[], &[(1, nested(&NUMBER_POINT))]);
static HISTOGRAM: Message = message(&[(2, Varint)], &[], &[(1, nested(&HISTOGRAM_POINT))]);
static EXPONENTIAL_HISTOGRAM: Message = message(&[(2, Varint)], &[], &[(1, nested(&EXPONENTIAL_POINT))]);
static SUMMARY: Message = message(&[], &[], &[(1, nested(&SUMMARY_POINT))]);
static NUMBER_POINT: Message = message(
    &[(2, Fixed64), (3, Fixed64), (8, Varint)],
    &[(4, Fixed64), (6, Fixed64)],
    &[(7, Attribute), (5, nested(&EXEMPLAR))],
);
static HISTOGRAM_POINT: Message = message(
    &[(2, Fixed64), (3, Fixed64), (4, Fixed64), (5, Fixed64), (10, Varint), (11, Fixed64), (12, Fixed64)],
    &[],
    &[(9, Attribute), (6, PackedFixed64), (7, PackedFixed64), (8, nested(&EXEMPLAR))],
);
static EXPONENTIAL_POINT: Message = message(
    &[
        (2, Fixed64),
        (3, Fixed64),
        (4, Fixed64),
        (5, Fixed64),
        (6, Varint),
        (7, Fixed64),
        (8, nested(&BUCKETS)),
        (9, nested(&BUCKETS)),
        (10, Varint),
        (12, Fixed64),
        (13, Fixed64),
        (14, Fixed64),
    ],
    &[],
    &[(1, Attribute), (11, nested(&EXEMPLAR))],
);
static BUCKETS: Message = message(&[(1, Varint)], &[], &[(2, PackedVarint)]);
static SUMMARY_POINT: Message = message(
    &[(2, Fixed64), (3, Fixed64), (4, Fixed64), (5, Fixed64), (8, Varint)],
    &[],
    &[(7, Attribute), (6, nested(&VALUE_AT_QUANTILE))],
);
static VALUE_AT_QUANTILE: Message = message(&[(1, Fixed64), (2, Fixed64)], &[], &[]);
static EXEMPLAR: Message =
    message(&[(2, Fixed64), (4, Kind::SpanId), (5, Kind::TraceId)], &[(3, Fixed64), (6, Fixed64)], &[(7, Attribute)]);
