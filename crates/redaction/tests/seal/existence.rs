//! Guarantees of what a policy says cannot cross for want of what it stands in: sealing leaves out just that.

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::metrics::v1::summary_data_point::ValueAtQuantile;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum,
    Summary, SummaryDataPoint, exemplar,
};
use proptest::prelude::*;
use prost::Message;
use tollgate_federation::Signal;
use tollgate_redaction::Sealer;
use tollgate_residency::Carrier;

use crate::signals::{metrics, metrics_of, opened, sealed};
use crate::world::*;

const STRIPPED: [Carrier; 8] = [
    Carrier::MetricName,
    Carrier::MetricKind,
    Carrier::PointTimes,
    Carrier::PointValue,
    Carrier::PointTotals,
    Carrier::PointQuantiles,
    Carrier::ExemplarTime,
    Carrier::ExemplarValue,
];

/// A gauge, a sum, a histogram and a summary, each with all that it can have, and a metric without data.
fn payload() -> Vec<u8> {
    let exemplars = || {
        let value = Some(exemplar::Value::AsInt(1));
        vec![Exemplar { time_unix_nano: 3, value, ..Exemplar::default() }]
    };
    let number = || NumberDataPoint {
        time_unix_nano: 3,
        value: Some(Number::AsInt(1)),
        exemplars: exemplars(),
        ..NumberDataPoint::default()
    };
    let histogram =
        HistogramDataPoint { time_unix_nano: 3, count: 1, exemplars: exemplars(), ..HistogramDataPoint::default() };
    let quantile_values = vec![ValueAtQuantile { quantile: 0.5, value: 1.0 }];
    let summary = SummaryDataPoint { time_unix_nano: 3, count: 1, quantile_values, ..SummaryDataPoint::default() };
    let data = [
        Some(Data::Gauge(Gauge { data_points: vec![number()] })),
        Some(Data::Sum(Sum { data_points: vec![number()], aggregation_temporality: 2, is_monotonic: true })),
        Some(Data::Histogram(Histogram { data_points: vec![histogram], aggregation_temporality: 2 })),
        Some(Data::Summary(Summary { data_points: vec![summary] })),
        None,
    ];
    let metric = |data| Metric { name: "carts".to_owned(), data, ..Metric::default() };
    let scope_metrics = vec![ScopeMetrics { metrics: data.map(metric).into(), ..ScopeMetrics::default() }];
    let group = ResourceMetrics { scope_metrics, ..ResourceMetrics::default() };
    ExportMetricsServiceRequest { resource_metrics: vec![group] }.encode_to_vec()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Guarantees: a value of a metric is said to be lost exactly where no metric that arrives has room for it.
    #[test]
    fn what_is_said_to_be_lost_is_what_sealing_leaves_out(stripped in prop::sample::subsequence(&STRIPPED[..], 0..4)) {
        let names: Vec<&str> = stripped.iter().map(|carrier| carrier.as_str()).collect();
        let strip = format!(
            "  - {{id: strip, origin: EEA, reaching: US, signal: metrics, require: {{strip: [{}]}}}}",
            names.join(", ")
        );
        let more = if names.is_empty() { "" } else { strip.as_str() };
        let table = table_on(Signal::Metrics, |rules| opened(rules, Signal::Metrics, more), str::to_owned, "EEA", 0);
        let mut sealer = Sealer::new(std::sync::Arc::new(table), std::sync::Arc::new(ALL_KEYS));
        let arrived = metrics_of(&sealed(&mut sealer, &payload()).whole());
        let arrived = metrics(&arrived);
        let any = |has: fn(&Data) -> bool| arrived.iter().filter_map(|metric| metric.data.as_ref()).any(has);
        let has_exemplars = |data: &Data| match data {
            Data::Gauge(one) => one.data_points.iter().any(|point| !point.exemplars.is_empty()),
            Data::Sum(one) => one.data_points.iter().any(|point| !point.exemplars.is_empty()),
            Data::Histogram(one) => one.data_points.iter().any(|point| !point.exemplars.is_empty()),
            _ => false,
        };
        let has_quantiles = |data: &Data| match data {
            Data::Summary(one) => one.data_points.iter().any(|point| !point.quantile_values.is_empty()),
            _ => false,
        };
        let table = sealer.table();
        let stands = |carrier| table.lost(carrier).is_none();
        prop_assert_eq!(table.lost_items().is_none(), !arrived.is_empty(), "{:?}", names);
        prop_assert_eq!(stands(Carrier::PointValue), any(|data| matches!(data, Data::Gauge(_))), "{:?}", names);
        prop_assert_eq!(stands(Carrier::MetricKind), any(|data| matches!(data, Data::Sum(_) | Data::Histogram(_))), "{:?}", names);
        prop_assert_eq!(stands(Carrier::PointExtremes), any(|data| matches!(data, Data::Histogram(_))), "{:?}", names);
        prop_assert_eq!(stands(Carrier::PointTotals), any(|data| matches!(data, Data::Summary(_))), "{:?}", names);
        prop_assert_eq!(stands(Carrier::ExemplarAttributes), any(has_exemplars), "{:?}", names);
        prop_assert_eq!(stands(Carrier::PointQuantiles), any(has_quantiles), "{:?}", names);
    }
}
