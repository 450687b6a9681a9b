//! Which message lies under which field: where unknown fields can be put.

use tollgate_federation::Signal;

/// The messages of a request.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    Request(Signal),
    Group(Signal),
    ScopeGroup(Signal),
    Resource,
    Scope,
    Span,
    Event,
    Link,
    Status,
    LogRecord,
    Metric,
    Numbers,
    Histogram,
    Exponential,
    Summary,
    NumberPoint,
    HistogramPoint,
    ExponentialPoint,
    SummaryPoint,
    Leaf,
    Exemplar,
    KeyValue,
    AnyValue,
    Array,
    KvList,
}

impl Kind {
    pub(super) fn child(self, number: u32) -> Option<Self> {
        Some(match (self, number) {
            (Self::Request(signal), 1) => Self::Group(signal),
            (Self::Group(_), 1) => Self::Resource,
            (Self::Group(signal), 2) => Self::ScopeGroup(signal),
            (Self::ScopeGroup(_), 1) => Self::Scope,
            (Self::ScopeGroup(Signal::Traces), 2) => Self::Span,
            (Self::ScopeGroup(Signal::Metrics), 2) => Self::Metric,
            (Self::ScopeGroup(Signal::Logs), 2) => Self::LogRecord,
            (Self::Span, 11) => Self::Event,
            (Self::Span, 13) => Self::Link,
            (Self::Span, 15) => Self::Status,
            (Self::Metric, 5 | 7) => Self::Numbers,
            (Self::Metric, 9) => Self::Histogram,
            (Self::Metric, 10) => Self::Exponential,
            (Self::Metric, 11) => Self::Summary,
            (Self::Numbers, 1) => Self::NumberPoint,
            (Self::Histogram, 1) => Self::HistogramPoint,
            (Self::Exponential, 1) => Self::ExponentialPoint,
            (Self::Summary, 1) => Self::SummaryPoint,
            (Self::ExponentialPoint, 8 | 9) | (Self::SummaryPoint, 6) => Self::Leaf,
            (Self::NumberPoint, 5) | (Self::HistogramPoint, 8) | (Self::ExponentialPoint, 11) => Self::Exemplar,
            (Self::Resource, 1) | (Self::Scope, 3) | (Self::Span, 9) | (Self::Event, 3) => Self::KeyValue,
            (Self::Link, 4) | (Self::KvList, 1) | (Self::LogRecord, 6) | (Self::Metric, 12) => Self::KeyValue,
            (Self::NumberPoint | Self::SummaryPoint | Self::Exemplar, 7) => Self::KeyValue,
            (Self::HistogramPoint, 9) | (Self::ExponentialPoint, 1) => Self::KeyValue,
            (Self::KeyValue, 2) | (Self::Array, 1) | (Self::LogRecord, 5) => Self::AnyValue,
            (Self::AnyValue, 5) => Self::Array,
            (Self::AnyValue, 6) => Self::KvList,
            _ => return None,
        })
    }
}
