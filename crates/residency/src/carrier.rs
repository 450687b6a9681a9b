//! Every place in OTLP that can hold a value, with what it holds.
//!
//! Promises:
//! 1. The list covers each field of the trace, metric and log messages, numbers included.
//! 2. A carrier answers by its own class, by the keys in it, or never crosses; there is no fourth way.
//!
//! Not here: profiles. The federation has no such signal, so no link can carry them.

use std::fmt;

use tollgate_federation::Signal;

use crate::class::Class;

/// What decides the class of a carrier's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// The carrier's values are all of one class.
    One(Class),
    /// A list of attributes: the catalogue tells the class by the key.
    Attributes,
    /// Something that no link lets cross, whatever the rules say.
    Nothing,
}

/// The signals that have a carrier.
#[derive(Clone, Copy)]
enum On {
    All,
    Traces,
    Metrics,
    Logs,
}

macro_rules! carriers {
    ($($(#[$doc:meta])* $name:ident $text:literal $on:ident $holds:expr;)*) => {
        /// A place in OTLP that can hold a value.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Carrier { $($(#[$doc])* $name,)* }

        impl Carrier {
            /// Every carrier, in order of discriminant.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Returns the word that documents and reports use.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// Returns what decides the class of its values.
            #[inline]
            #[must_use]
            pub const fn holds(self) -> Holds {
                match self { $(Self::$name => $holds,)* }
            }

            const fn on(self) -> On {
                match self { $(Self::$name => On::$on,)* }
            }
        }
    };
}

use Class::{Corr, Free, Op};
use Holds::{Attributes, Nothing, One};

carriers! {
    /// Attributes of a resource.
    ResourceAttributes "resource.attributes" All Attributes;
    /// How many resource attributes the sender dropped.
    ResourceDropped "resource.dropped_attributes_count" All One(Op);
    /// References that name attributes as an entity's identity; never rewritten, so never passed.
    ResourceEntityRefs "resource.entity_refs" All Nothing;
    /// Schema URL of a resource.
    ResourceSchemaUrl "resource.schema_url" All One(Op);
    /// Name of an instrumentation scope.
    ScopeName "scope.name" All One(Op);
    /// Version of an instrumentation scope.
    ScopeVersion "scope.version" All One(Op);
    /// Attributes of an instrumentation scope.
    ScopeAttributes "scope.attributes" All Attributes;
    /// How many scope attributes the sender dropped.
    ScopeDropped "scope.dropped_attributes_count" All One(Op);
    /// Schema URL of an instrumentation scope.
    ScopeSchemaUrl "scope.schema_url" All One(Op);
    /// Anything that the walk does not know: unknown fields, unknown members of `AnyValue`.
    Unknown "unknown" All Nothing;

    /// Trace id of a span.
    SpanTraceId "span.trace_id" Traces One(Corr);
    /// Id of a span.
    SpanId "span.span_id" Traces One(Corr);
    /// Id of a span's parent.
    SpanParentId "span.parent_span_id" Traces One(Corr);
    /// W3C trace state of a span; only its OpenTelemetry member can cross.
    SpanTraceState "span.trace_state" Traces One(Corr);
    /// W3C flags of a span.
    SpanFlags "span.flags" Traces One(Op);
    /// Name of a span; crosses only if composed of what crosses, or listed.
    SpanName "span.name" Traces One(Op);
    /// Kind of a span.
    SpanKind "span.kind" Traces One(Op);
    /// Start of a span.
    SpanStart "span.start_time" Traces One(Op);
    /// End of a span.
    SpanEnd "span.end_time" Traces One(Op);
    /// Attributes of a span.
    SpanAttributes "span.attributes" Traces Attributes;
    /// How many attributes, events and links of a span the sender dropped.
    SpanDropped "span.dropped_counts" Traces One(Op);
    /// Status code of a span.
    StatusCode "span.status.code" Traces One(Op);
    /// Status message of a span.
    StatusMessage "span.status.message" Traces One(Free);
    /// Time of an event.
    EventTime "event.time" Traces One(Op);
    /// Name of an event; crosses only if listed.
    EventName "event.name" Traces One(Op);
    /// Attributes of an event.
    EventAttributes "event.attributes" Traces Attributes;
    /// How many attributes of an event the sender dropped.
    EventDropped "event.dropped_attributes_count" Traces One(Op);
    /// Trace id of a link between spans.
    LinkTraceId "link.trace_id" Traces One(Corr);
    /// Span id of a link between spans.
    LinkSpanId "link.span_id" Traces One(Corr);
    /// Trace state of a link between spans; only its OpenTelemetry member can cross.
    LinkTraceState "link.trace_state" Traces One(Corr);
    /// Attributes of a link between spans.
    LinkAttributes "link.attributes" Traces Attributes;
    /// How many attributes of a link the sender dropped.
    LinkDropped "link.dropped_attributes_count" Traces One(Op);
    /// Flags of a link between spans.
    LinkFlags "link.flags" Traces One(Op);

    /// Time of a log record.
    LogTime "log.time" Logs One(Op);
    /// When a log record was seen.
    LogObservedTime "log.observed_time" Logs One(Op);
    /// Severity number of a log record.
    LogSeverityNumber "log.severity_number" Logs One(Op);
    /// Severity text of a log record: a free string.
    LogSeverityText "log.severity_text" Logs One(Free);
    /// Body of a log record, of any type.
    LogBody "log.body" Logs One(Free);
    /// Attributes of a log record.
    LogAttributes "log.attributes" Logs Attributes;
    /// How many attributes of a log record the sender dropped.
    LogDropped "log.dropped_attributes_count" Logs One(Op);
    /// Flags of a log record.
    LogFlags "log.flags" Logs One(Op);
    /// Trace id of a log record.
    LogTraceId "log.trace_id" Logs One(Corr);
    /// Span id of a log record.
    LogSpanId "log.span_id" Logs One(Corr);
    /// Event name of a log record; crosses only if listed.
    LogEventName "log.event_name" Logs One(Op);

    /// Name of a metric.
    MetricName "metric.name" Metrics One(Op);
    /// Description of a metric: text that a person wrote.
    MetricDescription "metric.description" Metrics One(Free);
    /// Unit of a metric.
    MetricUnit "metric.unit" Metrics One(Op);
    /// Metadata attributes of a metric.
    MetricMetadata "metric.metadata" Metrics Attributes;
    /// Temporality and monotonicity of a metric.
    MetricKind "metric.kind" Metrics One(Op);
    /// Attributes of a data point.
    PointAttributes "point.attributes" Metrics Attributes;
    /// Start and end of a data point.
    PointTimes "point.times" Metrics One(Op);
    /// Value of a number point; of one person if the group is that small.
    PointValue "point.value" Metrics One(Op);
    /// Count and sum of a histogram or summary point.
    PointTotals "point.totals" Metrics One(Op);
    /// Smallest and largest value of a histogram point: each one measurement.
    PointExtremes "point.extremes" Metrics One(Op);
    /// Bucket counts, bounds, scale and zero threshold of a histogram point.
    PointBuckets "point.buckets" Metrics One(Op);
    /// Quantiles of a summary point.
    PointQuantiles "point.quantiles" Metrics One(Op);
    /// Flags of a data point.
    PointFlags "point.flags" Metrics One(Op);
    /// Attributes that aggregation left out, kept on an exemplar.
    ExemplarAttributes "exemplar.filtered_attributes" Metrics Attributes;
    /// Time of an exemplar.
    ExemplarTime "exemplar.time" Metrics One(Op);
    /// Value of an exemplar: one measurement.
    ExemplarValue "exemplar.value" Metrics One(Op);
    /// Trace id of an exemplar.
    ExemplarTraceId "exemplar.trace_id" Metrics One(Corr);
    /// Span id of an exemplar.
    ExemplarSpanId "exemplar.span_id" Metrics One(Corr);
}

impl Carrier {
    /// How many carriers there are.
    pub const COUNT: usize = Self::ALL.len();

    /// Says whether messages of this signal have the carrier.
    #[must_use]
    pub const fn is_on(self, signal: Signal) -> bool {
        matches!(
            (self.on(), signal),
            (On::All, _) | (On::Traces, Signal::Traces) | (On::Metrics, Signal::Metrics) | (On::Logs, Signal::Logs)
        )
    }

    /// Returns the class of all its values, where there is one. What never crosses counts as unclassified.
    #[inline]
    #[must_use]
    pub const fn class(self) -> Option<Class> {
        match self.holds() {
            One(class) => Some(class),
            Attributes => None,
            Nothing => Some(Class::Unclassified),
        }
    }
}

impl fmt::Display for Carrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn discriminants_index_the_list_of_all_and_names_differ() {
        let mut names = std::collections::BTreeSet::new();
        for (index, carrier) in Carrier::ALL.iter().enumerate() {
            assert_eq!(*carrier as usize, index);
            assert!(names.insert(carrier.as_str()), "{carrier} twice");
        }
    }

    #[test]
    fn every_signal_has_its_own_carriers_and_the_shared_ones() {
        for signal in Signal::ALL {
            assert!(Carrier::ResourceAttributes.is_on(signal));
        }
        assert!(Carrier::SpanName.is_on(Signal::Traces) && !Carrier::SpanName.is_on(Signal::Logs));
        assert!(Carrier::LogBody.is_on(Signal::Logs) && !Carrier::LogBody.is_on(Signal::Metrics));
        assert!(Carrier::PointValue.is_on(Signal::Metrics) && !Carrier::PointValue.is_on(Signal::Traces));
    }
}
