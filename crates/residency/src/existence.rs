//! What must cross for a value to have something to stand in: a span without its ids is none, and neither is a metric without
//! points.
//!
//! A policy may allow a value and withhold what holds it; then sealing writes neither, and reports say why.
//!
//! Not here: how sealing leaves out what has no ground to stand on (`tollgate_redaction`).

use std::fmt;

use tollgate_federation::Signal;

use crate::carrier::Carrier;

use Carrier::{
    ExemplarTime, ExemplarValue, LinkSpanId, LinkTraceId, MetricKind, MetricName, PointQuantiles, PointTimes,
    PointTotals, PointValue, SpanId, SpanTraceId,
};

/// What does not cross, and what it would need to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// What does not cross: a span, a metric, a part of one.
    pub what: &'static str,
    /// What it cannot be without, and what does not cross.
    pub without: Vec<Carrier>,
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let without: Vec<&str> = self.without.iter().map(|carrier| carrier.as_str()).collect();
        write!(f, "no {} crosses without {}", self.what, without.join(" and "))
    }
}

/// Something that crosses only with all of these.
type Whole = (&'static str, &'static [Carrier]);

const SPAN: Whole = ("span", &[SpanTraceId, SpanId]);
const LINK: Whole = ("link", &[SpanTraceId, SpanId, LinkTraceId, LinkSpanId]);
const NUMBERS: Whole = ("metric", &[MetricName, PointTimes, PointValue]);
const SUM: Whole = ("sum", &[MetricName, PointTimes, PointValue, MetricKind]);
const HISTOGRAM: Whole = ("histogram", &[MetricName, PointTimes, PointTotals, MetricKind]);
const SUMMARY: Whole = ("metric", &[MetricName, PointTimes, PointTotals]);
const QUANTILE: Whole = ("quantile", &[MetricName, PointTimes, PointTotals, PointQuantiles]);
const OF_NUMBERS: Whole = ("exemplar", &[MetricName, PointTimes, PointValue, ExemplarTime, ExemplarValue]);
const OF_HISTOGRAMS: Whole =
    ("exemplar", &[MetricName, PointTimes, PointTotals, MetricKind, ExemplarTime, ExemplarValue]);

/// Any of these is enough for a value of the carrier; where there is none, nothing is needed.
fn any_of(carrier: Carrier, signal: Signal) -> &'static [Whole] {
    match (signal, carrier) {
        (
            Signal::Traces,
            LinkTraceId
            | LinkSpanId
            | Carrier::LinkTraceState
            | Carrier::LinkAttributes
            | Carrier::LinkDropped
            | Carrier::LinkFlags,
        ) => &[LINK],
        (Signal::Traces, _) => &[SPAN],
        (Signal::Metrics, PointValue) => &[NUMBERS],
        (Signal::Metrics, PointTotals) => &[SUMMARY],
        (Signal::Metrics, MetricKind) => &[SUM, HISTOGRAM],
        (Signal::Metrics, Carrier::PointExtremes | Carrier::PointBuckets) => &[HISTOGRAM],
        (Signal::Metrics, PointQuantiles) => &[QUANTILE],
        (
            Signal::Metrics,
            Carrier::ExemplarAttributes
            | ExemplarTime
            | ExemplarValue
            | Carrier::ExemplarTraceId
            | Carrier::ExemplarSpanId,
        ) => &[OF_NUMBERS, OF_HISTOGRAMS],
        (Signal::Metrics, _) => &[NUMBERS, SUMMARY],
        (Signal::Logs, _) => &[],
    }
}

/// Says what a value of this carrier would stand in, if that does not cross.
pub(crate) fn lost(carrier: Carrier, signal: Signal, crosses: impl Fn(Carrier) -> bool) -> Option<Lost> {
    let missing = |(what, needs): &Whole| {
        let without: Vec<Carrier> = needs.iter().copied().filter(|needed| !crosses(*needed)).collect();
        Lost { what, without }
    };
    any_of(carrier, signal)
        .iter()
        .map(missing)
        .min_by_key(|lost| lost.without.len())
        .filter(|lost| !lost.without.is_empty())
}

/// Says what the items of a signal are without, if none of them can cross.
pub(crate) fn lost_items(signal: Signal, crosses: impl Fn(Carrier) -> bool) -> Option<Lost> {
    lost(Carrier::ResourceAttributes, signal, crosses)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn without(stripped: &[Carrier], carrier: Carrier) -> Option<String> {
        lost(carrier, Signal::Metrics, |needed| !stripped.contains(&needed)).map(|lost| lost.to_string())
    }

    /// Guarantees: a value of a metric is lost exactly where every kind of metric that has it is.
    #[test]
    fn a_value_of_metrics_stands_as_long_as_one_kind_with_it_does() {
        assert_eq!(without(&[PointValue], Carrier::PointAttributes), None, "histograms have attributes too");
        assert_eq!(without(&[PointTotals], MetricName), None);
        assert_eq!(
            without(&[PointValue, PointTotals], MetricName).as_deref(),
            Some("no metric crosses without point.value")
        );
        assert_eq!(
            without(&[MetricKind], Carrier::PointExtremes).as_deref(),
            Some("no histogram crosses without metric.kind")
        );
        assert_eq!(
            without(&[ExemplarTime], Carrier::ExemplarTraceId).as_deref(),
            Some("no exemplar crosses without exemplar.time")
        );
        assert_eq!(without(&[], Carrier::ExemplarTraceId), None);
        assert_eq!(lost(Carrier::LogBody, Signal::Logs, |_| false), None, "a log record needs nothing");
        assert_eq!(
            lost(Carrier::LinkFlags, Signal::Traces, |needed| needed != LinkSpanId).map(|lost| lost.what),
            Some("link")
        );
    }
}
