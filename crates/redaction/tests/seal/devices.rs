//! Guarantees of devices over several hops: who was judged as one stays one, whatever of it crossed.

use std::sync::Arc;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::metrics::v1::{Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics};
use opentelemetry_proto::tonic::resource::v1::Resource;
use proptest::prelude::*;
use prost::Message;
use tollgate_federation::{LinkId, Signal};
use tollgate_redaction::Sealer;

use crate::signals::{logs_of, metrics_of, sealed};
use crate::world::*;

const MARK: &str = "tollgate.resource";
/// Some of a device, some of both kinds, and what a sealer or somebody else says.
const ATTRIBUTES: [(&str, &str); 10] = [
    ("service.name", "app"),
    ("host.name", "zoes-macbook"),
    ("host.ip", "198.51.100.7"),
    ("os.type", "darwin"),
    ("device.manufacturer", "Apple"),
    ("device.id", "7f3a"),
    ("browser.language", "nl"),
    ("app.installation.id", "a8c1"),
    (MARK, "device"),
    (MARK, "zoe"),
];

fn is_marker(key: &str) -> bool {
    key == MARK || ["device.", "browser.", "app.installation.id"].iter().any(|marker| key.starts_with(marker))
}

/// A sealer under rules that let these classes cross raw, for every signal alike.
fn sealer(signal: Signal, classes: &[&str]) -> Sealer {
    let allow: Vec<String> = ["op", "corr"].iter().chain(classes).map(|class| format!("{class}: raw")).collect();
    let rule = |signal| {
        format!(
            "  - {{id: {signal}, origin: EEA, reaching: US, signal: {signal}, allow: {{{}}}, deny: [secret]}}\n",
            allow.join(", ")
        )
    };
    let change = |residency: &str| {
        let (before, _) = residency.split_once("rules:\n").unwrap();
        let rules: String = Signal::ALL.iter().map(rule).collect();
        let (_, after) = residency.split_once("defaults:").unwrap();
        let defaults = after.lines().next().unwrap();
        format!("{before}rules:\n{rules}defaults:{defaults}\n")
    };
    let (policy, federation) = documents(change, str::to_owned);
    let (origin, day) = ("EEA".parse().unwrap(), time::macros::date!(2026 - 12 - 01));
    let table = policy.table(&federation, LinkId(0), signal, &origin, day).unwrap();
    Sealer::new(Arc::new(table), Arc::new(ALL_KEYS))
}

fn payload(signal: Signal, attributes: Vec<KeyValue>) -> Vec<u8> {
    let resource = |attributes| Some(Resource { attributes, ..Resource::default() });
    match signal {
        Signal::Traces => request(attributes, vec![span(Vec::new())]).encode_to_vec(),
        Signal::Metrics => {
            let point = NumberDataPoint { value: Some(Number::AsInt(1)), ..NumberDataPoint::default() };
            let data = Some(Data::Gauge(Gauge { data_points: vec![point] }));
            let metric = Metric { name: "carts".to_owned(), data, ..Metric::default() };
            let scope_metrics = vec![ScopeMetrics { metrics: vec![metric], ..ScopeMetrics::default() }];
            let group = ResourceMetrics { resource: resource(attributes), scope_metrics, ..ResourceMetrics::default() };
            ExportMetricsServiceRequest { resource_metrics: vec![group] }.encode_to_vec()
        }
        Signal::Logs => {
            let scope_logs = vec![ScopeLogs { log_records: vec![LogRecord::default()], ..ScopeLogs::default() }];
            let group = ResourceLogs { resource: resource(attributes), scope_logs, ..ResourceLogs::default() };
            ExportLogsServiceRequest { resource_logs: vec![group] }.encode_to_vec()
        }
    }
}

/// The bytes that arrive, and the resource in them.
fn arrived(sealer: &mut Sealer, payload: &[u8]) -> (Vec<u8>, Resource) {
    let whole = sealed(sealer, payload).whole();
    let resource = match sealer.table().signal() {
        Signal::Traces => decoded(&whole.bytes()).resource_spans.remove(0).resource,
        Signal::Metrics => metrics_of(&whole).resource_metrics.remove(0).resource,
        Signal::Logs => logs_of(&whole).resource_logs.remove(0).resource,
    };
    (whole.bytes().to_vec(), resource.unwrap_or_default())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Guarantees: whatever the first link withholds, nothing crosses two links that would not cross the second by itself,
    /// and a device says that it is one, once, on both.
    #[test]
    fn a_device_is_one_on_every_hop(
        first in prop::sample::subsequence(vec!["direct", "online", "quasi", "free"], 0..4),
        second in prop::sample::subsequence(vec!["direct", "online", "quasi", "free"], 0..4),
        chosen in prop::collection::vec(0..ATTRIBUTES.len(), 1..6),
        signal in prop::sample::select(&Signal::ALL[..]),
    ) {
        let attributes: Vec<_> = chosen.iter().map(|at| text(ATTRIBUTES[*at].0, ATTRIBUTES[*at].1)).collect();
        let is_device = attributes.iter().any(|attribute| is_marker(&attribute.key));
        let sent = payload(signal, attributes);
        let (mut one, mut two) = (sealer(signal, &first), sealer(signal, &second));
        let (between, before) = arrived(&mut one, &sent);
        let (_, after) = arrived(&mut two, &between);
        let (_, directly) = arrived(&mut two, &sent);
        for attribute in &after.attributes {
            prop_assert!(directly.attributes.contains(attribute), "{} after {:?}", attribute.key, first);
        }
        for resource in [before, after, directly] {
            let marks: Vec<_> = resource.attributes.iter().filter(|one| one.key == MARK).collect();
            prop_assert_eq!(marks.len(), usize::from(is_device));
            prop_assert!(marks.iter().all(|mark| **mark == text(MARK, "device")));
        }
    }
}

/// Guarantees: what one sealer said the next one says again and does not count as left out; what else claims to be it is.
#[test]
fn the_mark_of_a_device_is_never_copied() {
    let dropped = |attributes: Vec<KeyValue>| {
        let (_, resource) = arrived(&mut sealer(Signal::Traces, &[]), &payload(Signal::Traces, attributes));
        assert_eq!(resource.attributes, vec![text(MARK, "device")]);
        resource.dropped_attributes_count
    };
    assert_eq!(dropped(vec![text(MARK, "device")]), 0);
    assert_eq!(dropped(vec![text(MARK, "zoe")]), 1);
    assert_eq!(dropped(vec![text(MARK, "device"), text(MARK, "device"), text(MARK, "zoe")]), 2);
    assert_eq!(dropped(vec![text("device.id", "7f3a")]), 1);
}
