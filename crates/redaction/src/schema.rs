//! Metrics and log records as OTLP v1.11 has them: which carrier answers for each field, and what of it may cross at all.
//!
//! Promises:
//! 1. A field that stands in no table is unknown, and nothing of it is ever written.
//! 2. Every carrier of metrics and logs stands in a table, so that no field is answered by another's carrier.
//!
//! Not here: how they are read and written (`item.rs`), and spans, whose speed is measured (`span.rs`).

use tollgate_residency::Carrier;

use Carrier::{
    ExemplarAttributes, ExemplarSpanId, ExemplarTime, ExemplarTraceId, ExemplarValue, LogAttributes, LogBody,
    LogDropped, LogEventName, LogFlags, LogObservedTime, LogSeverityNumber, LogSeverityText, LogSpanId, LogTime,
    LogTraceId, MetricDescription, MetricKind, MetricMetadata, MetricName, MetricUnit, PointAttributes, PointBuckets,
    PointExtremes, PointFlags, PointQuantiles, PointTimes, PointTotals, PointValue,
};
use Encoding::{Bits, Enum, Fixed32Bits, Fixed64, Packed64, PackedVarints, Sint32};
use Field::{Attributes, Dropped, Each, Id, Number, One, Text, Value};
use Spelling::{Free, Listed, Name, Unit};

/// What one field holds.
#[derive(Clone, Copy)]
pub(crate) enum Field {
    /// Nothing that OTLP defines.
    Unknown,
    /// A number, or many.
    Number(Carrier, Encoding),
    /// A text that crosses only if it is spelt so.
    Text(Carrier, Spelling),
    /// A value of any type that may hold anything.
    Value(Carrier),
    /// An id of so many bytes, or of none.
    Id(Carrier, usize),
    /// One attribute of a list.
    Attributes(Carrier),
    /// How many attributes of that list the sender dropped.
    Dropped(Carrier),
    /// A message without which there is no sense in what it stands in.
    One(&'static Message),
    /// Messages, any of which may be left out.
    Each(&'static Message),
}

/// How a number lies on the wire, and what of it means anything: what does not could hold anything.
#[derive(Clone, Copy)]
pub(crate) enum Encoding {
    Fixed64,
    /// Flags, of which these bits are defined.
    Fixed32Bits(u32),
    Bits(u64),
    /// An enum or a boolean up to this one.
    Enum(u64),
    Sint32,
    Packed64,
    PackedVarints,
}

/// How a text must be spelt to cross.
#[derive(Clone, Copy)]
pub(crate) enum Spelling {
    /// The name of a metric. Without it there is no metric.
    Name,
    /// A unit of measurement.
    Unit,
    /// Listed in the catalogue among the names of events; where it is not, a placeholder stands for it.
    Listed,
    /// Text that may hold anything.
    Free,
}

/// The highest field number of any message below, plus one.
const SLOTS: usize = 15;

/// All fields of one message.
pub(crate) struct Message {
    fields: [Field; SLOTS],
    /// The members of its only `oneof`, a bit for each number.
    one_of: u32,
    /// What must cross of it, or nothing of it does.
    pub(crate) needs: &'static [Carrier],
    /// Its list of attributes.
    pub(crate) list: Option<(u32, Carrier)>,
    /// Where it counts those of them that are missing.
    pub(crate) dropped: Option<(u32, Carrier)>,
}

impl Message {
    /// What is known of a field number.
    #[inline]
    pub(crate) fn field(&self, number: u32) -> Field {
        self.fields.get(number as usize).copied().unwrap_or(Field::Unknown)
    }

    /// Which numbers, a bit for each, must not have been seen before this known one.
    #[inline]
    pub(crate) fn excludes(&self, number: u32) -> u32 {
        match self.field(number) {
            Field::Unknown | Attributes(_) | Each(_) | Number(_, Packed64 | PackedVarints) => 0,
            _ if self.one_of & 1 << number != 0 => self.one_of,
            _ => 1 << number,
        }
    }

    /// The messages, one of which holds what it is about.
    pub(crate) fn kinds(&self) -> impl Iterator<Item = &'static Self> {
        self.fields.into_iter().filter_map(|field| if let One(message) = field { Some(message) } else { None })
    }

    const fn without_choice(needs: &'static [Carrier], fields: &[(u32, Field)]) -> Self {
        Self::new(needs, fields, &[])
    }

    const fn new(needs: &'static [Carrier], fields: &[(u32, Field)], one_of: &[u32]) -> Self {
        let mut message = Self { fields: [Field::Unknown; SLOTS], one_of: 0, needs, list: None, dropped: None };
        let mut at = 0;
        while at < fields.len() {
            let (number, field) = fields[at];
            message.fields[number as usize] = field;
            match field {
                Attributes(carrier) => message.list = Some((number, carrier)),
                Dropped(carrier) => message.dropped = Some((number, carrier)),
                _ => {}
            }
            at += 1;
        }
        at = 0;
        while at < one_of.len() {
            message.one_of |= 1 << one_of[at];
            at += 1;
        }
        message
    }
}

/// `SEVERITY_NUMBER_FATAL4`, `AGGREGATION_TEMPORALITY_CUMULATIVE` and `true`.
const SEVERITY: Encoding = Enum(24);
const TEMPORALITY: Encoding = Enum(2);
const BOOLEAN: Encoding = Enum(1);
/// `LOG_RECORD_FLAGS_TRACE_FLAGS_MASK` and `DATA_POINT_FLAGS_NO_RECORDED_VALUE_MASK`.
const TRACE_FLAGS: Encoding = Fixed32Bits(0xff);
const POINT_FLAGS: Encoding = Bits(1);

pub(crate) static LOG_RECORD: Message = Message::without_choice(
    &[],
    &[
        (1, Number(LogTime, Fixed64)),
        (2, Number(LogSeverityNumber, SEVERITY)),
        (3, Text(LogSeverityText, Free)),
        (5, Value(LogBody)),
        (6, Attributes(LogAttributes)),
        (7, Dropped(LogDropped)),
        (8, Number(LogFlags, TRACE_FLAGS)),
        (9, Id(LogTraceId, 16)),
        (10, Id(LogSpanId, 8)),
        (11, Number(LogObservedTime, Fixed64)),
        (12, Text(LogEventName, Listed)),
    ],
);

pub(crate) static METRIC: Message = Message::new(
    &[MetricName],
    &[
        (1, Text(MetricName, Name)),
        (2, Text(MetricDescription, Free)),
        (3, Text(MetricUnit, Unit)),
        (5, One(&GAUGE)),
        (7, One(&SUM)),
        (9, One(&HISTOGRAM)),
        (10, One(&EXPONENTIAL_HISTOGRAM)),
        (11, One(&SUMMARY)),
        (12, Attributes(MetricMetadata)),
    ],
    &[5, 7, 9, 10, 11],
);
static GAUGE: Message = Message::without_choice(&[PointTimes, PointValue], &[(1, Each(&NUMBER_POINT))]);
static SUM: Message = Message::without_choice(
    &[MetricKind, PointTimes, PointValue],
    &[(1, Each(&NUMBER_POINT)), (2, Number(MetricKind, TEMPORALITY)), (3, Number(MetricKind, BOOLEAN))],
);
static HISTOGRAM: Message = Message::without_choice(
    &[MetricKind, PointTimes, PointTotals],
    &[(1, Each(&HISTOGRAM_POINT)), (2, Number(MetricKind, TEMPORALITY))],
);
/// Its count is the sum of its buckets: it is wrong without them.
static EXPONENTIAL_HISTOGRAM: Message = Message::without_choice(
    &[MetricKind, PointTimes, PointTotals, PointBuckets],
    &[(1, Each(&EXPONENTIAL_POINT)), (2, Number(MetricKind, TEMPORALITY))],
);
static SUMMARY: Message = Message::without_choice(&[PointTimes, PointTotals], &[(1, Each(&SUMMARY_POINT))]);

static NUMBER_POINT: Message = Message::new(
    &[],
    &[
        (2, Number(PointTimes, Fixed64)),
        (3, Number(PointTimes, Fixed64)),
        (4, Number(PointValue, Fixed64)),
        (5, Each(&EXEMPLAR)),
        (6, Number(PointValue, Fixed64)),
        (7, Attributes(PointAttributes)),
        (8, Number(PointFlags, POINT_FLAGS)),
    ],
    &[4, 6],
);
static HISTOGRAM_POINT: Message = Message::without_choice(
    &[],
    &[
        (2, Number(PointTimes, Fixed64)),
        (3, Number(PointTimes, Fixed64)),
        (4, Number(PointTotals, Fixed64)),
        (5, Number(PointTotals, Fixed64)),
        (6, Number(PointBuckets, Packed64)),
        (7, Number(PointBuckets, Packed64)),
        (8, Each(&EXEMPLAR)),
        (9, Attributes(PointAttributes)),
        (10, Number(PointFlags, POINT_FLAGS)),
        (11, Number(PointExtremes, Fixed64)),
        (12, Number(PointExtremes, Fixed64)),
    ],
);
static EXPONENTIAL_POINT: Message = Message::without_choice(
    &[],
    &[
        (1, Attributes(PointAttributes)),
        (2, Number(PointTimes, Fixed64)),
        (3, Number(PointTimes, Fixed64)),
        (4, Number(PointTotals, Fixed64)),
        (5, Number(PointTotals, Fixed64)),
        (6, Number(PointBuckets, Sint32)),
        (7, Number(PointBuckets, Fixed64)),
        (8, One(&BUCKETS)),
        (9, One(&BUCKETS)),
        (10, Number(PointFlags, POINT_FLAGS)),
        (11, Each(&EXEMPLAR)),
        (12, Number(PointExtremes, Fixed64)),
        (13, Number(PointExtremes, Fixed64)),
        (14, Number(PointBuckets, Fixed64)),
    ],
);
static BUCKETS: Message =
    Message::without_choice(&[], &[(1, Number(PointBuckets, Sint32)), (2, Number(PointBuckets, PackedVarints))]);
static SUMMARY_POINT: Message = Message::without_choice(
    &[],
    &[
        (2, Number(PointTimes, Fixed64)),
        (3, Number(PointTimes, Fixed64)),
        (4, Number(PointTotals, Fixed64)),
        (5, Number(PointTotals, Fixed64)),
        (6, Each(&QUANTILE)),
        (7, Attributes(PointAttributes)),
        (8, Number(PointFlags, POINT_FLAGS)),
    ],
);
static QUANTILE: Message = Message::without_choice(
    &[PointQuantiles],
    &[(1, Number(PointQuantiles, Fixed64)), (2, Number(PointQuantiles, Fixed64))],
);
static EXEMPLAR: Message = Message::new(
    &[ExemplarTime, ExemplarValue],
    &[
        (2, Number(ExemplarTime, Fixed64)),
        (3, Number(ExemplarValue, Fixed64)),
        (4, Id(ExemplarSpanId, 8)),
        (5, Id(ExemplarTraceId, 16)),
        (6, Number(ExemplarValue, Fixed64)),
        (7, Attributes(ExemplarAttributes)),
    ],
    &[3, 6],
);

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use tollgate_federation::Signal;

    use super::*;

    fn carriers(message: &'static Message, found: &mut BTreeSet<Carrier>) {
        for field in message.fields {
            match field {
                Field::Unknown => {}
                Number(carrier, _) | Text(carrier, _) | Value(carrier) | Id(carrier, _) => drop(found.insert(carrier)),
                Attributes(carrier) | Dropped(carrier) => drop(found.insert(carrier)),
                One(message) | Each(message) => carriers(message, found),
            }
        }
    }

    /// Guarantees: each field is answered by a carrier of its own signal, and no carrier is forgotten.
    #[test]
    fn every_carrier_of_a_signal_and_no_other_stands_in_its_tables() {
        for (signal, message) in [(Signal::Metrics, &METRIC), (Signal::Logs, &LOG_RECORD)] {
            let mut found = BTreeSet::new();
            carriers(message, &mut found);
            let own = |carrier: &Carrier| carrier.is_on(signal) && !carrier.is_on(Signal::Traces);
            assert_eq!(found, Carrier::ALL.iter().copied().filter(own).collect(), "{signal}");
        }
    }
}
