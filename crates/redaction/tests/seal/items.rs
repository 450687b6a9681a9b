//! Single facts about metrics and log records, each with the smallest message that shows it.

use std::sync::Arc;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValueList};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, Gauge, Histogram, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, number_data_point,
};
use opentelemetry_proto::tonic::trace::v1::{Span, Status};
use prost::Message;
use tollgate_federation::Signal;
use tollgate_otlp::Writer;
use tollgate_redaction::{Route, Sealed, SealedBatch, Sealer, Withheld};
use tollgate_residency::{Class, Form};

use crate::signals::{self, log_records, logs_of, metrics, metrics_of, opened, sealed, table};
use crate::sow::Sower;
use crate::world::*;

fn request_of_metrics(metrics: Vec<Metric>) -> ExportMetricsServiceRequest {
    let scope_metrics = vec![ScopeMetrics { metrics, ..ScopeMetrics::default() }];
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics { scope_metrics, ..ResourceMetrics::default() }],
    }
}

fn request_of_logs(log_records: Vec<LogRecord>) -> ExportLogsServiceRequest {
    let scope_logs = vec![ScopeLogs { log_records, ..ScopeLogs::default() }];
    ExportLogsServiceRequest { resource_logs: vec![ResourceLogs { scope_logs, ..ResourceLogs::default() }] }
}

fn sealed_metrics(sealer: &mut Sealer, sent: Vec<Metric>) -> (Vec<Metric>, SealedBatch) {
    let payload = request_of_metrics(sent).encode_to_vec();
    let arrived = metrics_of(&sealed(sealer, &payload).whole());
    (metrics(&arrived).into_iter().cloned().collect(), sealed(sealer, &payload))
}

fn sealed_logs(sealer: &mut Sealer, sent: Vec<LogRecord>) -> Vec<LogRecord> {
    let arrived = logs_of(&sealed(sealer, &request_of_logs(sent).encode_to_vec()).whole());
    log_records(&arrived).into_iter().cloned().collect()
}

fn point(attributes: &[(&str, &str)], value: i64) -> NumberDataPoint {
    NumberDataPoint {
        attributes: attributes.iter().map(|(key, value)| text(key, value)).collect(),
        time_unix_nano: 7,
        value: Some(number_data_point::Value::AsInt(value)),
        ..NumberDataPoint::default()
    }
}

fn gauge(name: &str, data_points: Vec<NumberDataPoint>) -> Metric {
    Metric { name: name.to_owned(), data: Some(Data::Gauge(Gauge { data_points })), ..Metric::default() }
}

/// The list of rules with one more for a signal.
fn with_rule(signal: Signal, more: &str) -> Sealer {
    let rule = format!("  - {{id: more, origin: EEA, reaching: US, signal: {signal}, {more}}}\n");
    let table = table_on(signal, |residency| opened(residency, signal, &rule), str::to_owned, "EEA", 0);
    Sealer::new(Arc::new(table), Arc::new(ALL_KEYS))
}

/// The sealer of rules that let free text cross.
fn talkative(signal: Signal) -> Sealer {
    let change = |residency: String| {
        let residency = residency.replace("deny: [secret, free, special,", "deny: [secret, special,");
        residency.replace("      op: raw\n", "      op: raw\n      free: raw\n").replace("[special, free]", "special")
    };
    Sealer::new(table(signal, change), Arc::new(ALL_KEYS))
}

/// Of every metric that was sown the attributes and words are taken out, and what is left must arrive as it is.
fn bare(mut metric: Metric) -> Metric {
    (metric.description, metric.metadata) = (String::new(), Vec::new());
    if metric.unit.contains('@') {
        metric.unit.clear();
    }
    let exemplars = |list: &mut Vec<Exemplar>| list.iter_mut().for_each(|one| one.filtered_attributes.clear());
    macro_rules! bare {
        ($data:expr, with_exemplars) => {
            $data.data_points.iter_mut().for_each(|point| {
                point.attributes.clear();
                exemplars(&mut point.exemplars);
            })
        };
    }
    match metric.data.as_mut().unwrap() {
        Data::Gauge(data) => bare!(data, with_exemplars),
        Data::Sum(data) => bare!(data, with_exemplars),
        Data::Histogram(data) => bare!(data, with_exemplars),
        Data::ExponentialHistogram(data) => bare!(data, with_exemplars),
        Data::Summary(data) => data.data_points.iter_mut().for_each(|point| point.attributes.clear()),
    }
    metric
}

#[test]
fn every_number_id_and_point_of_a_metric_arrives_as_it_was_sent() {
    let mut kinds = std::collections::BTreeSet::new();
    for seed in 0..60 {
        let sent = Sower::new(seed).metrics();
        let arrived = metrics_of(&sealed(&mut signals::sealer(Signal::Metrics), &sent.encode_to_vec()).whole());
        let bare_of = |request| metrics(request).into_iter().cloned().map(bare).collect::<Vec<_>>();
        assert_eq!(bare_of(&arrived), bare_of(&sent));
        kinds.extend(
            metrics(&arrived).iter().map(|metric| format!("{:?}", metric.data).split('(').nth(1).map(str::to_owned)),
        );
    }
    assert_eq!(kinds.len(), 5);
}

#[test]
fn points_that_can_no_longer_be_told_apart_stay_points_of_their_own() {
    let sent = |user: &str, value| point(&[("http.route", "/pay"), ("user.name", user)], value);
    let (arrived, batch) = sealed_metrics(
        &mut signals::sealer(Signal::Metrics),
        vec![gauge("carts", vec![sent("jane", 3), sent("joe", 4)])],
    );
    let left = |value| point(&[("http.route", "/pay")], value);
    let metadata = vec![attribute("tollgate.dropped_attributes_count", Value::IntValue(2))];
    assert_eq!(arrived, [Metric { metadata, ..gauge("carts", vec![left(3), left(4)]) }]);
    assert_eq!((batch.counts().items_out, batch.counts().values(Class::Direct, Form::Absent)), (1, 2));
}

/// Guarantees: what two borders left out is told as a sum, which is a number of 32 bits whatever a sender claims; where nothing
/// was left out, nobody says so.
#[test]
fn a_metric_says_how_many_attributes_did_not_cross() {
    let claim = |count| vec![attribute("tollgate.dropped_attributes_count", count)];
    let sent = |metadata| Metric { metadata, ..gauge("carts", vec![point(&[("user.name", "jane")], 3)]) };
    let most = i64::from(u32::MAX);
    for (claimed, told) in [
        (claim(Value::IntValue(70)), 71),
        (claim(Value::IntValue(i64::MAX)), most),
        ([claim(Value::IntValue(most)), claim(Value::IntValue(most))].concat(), most),
        (claim(Value::IntValue(-7)), 2),
        (claim(Value::StringValue("70".to_owned())), 2),
        (vec![], 1),
    ] {
        let (arrived, _) = sealed_metrics(&mut signals::sealer(Signal::Metrics), vec![sent(claimed)]);
        let metadata = claim(Value::IntValue(told));
        assert_eq!(arrived, [Metric { metadata, ..gauge("carts", vec![point(&[], 3)]) }]);
    }
    let whole = gauge("open", vec![point(&[("http.route", "/pay")], 3)]);
    let (arrived, _) = sealed_metrics(&mut signals::sealer(Signal::Metrics), vec![whole.clone()]);
    assert_eq!(arrived, [whole]);
}

#[test]
fn a_pseudonym_keeps_points_apart() {
    let sent = |user: &str| point(&[("user.id", user)], 1);
    let (arrived, _) =
        sealed_metrics(&mut signals::sealer(Signal::Metrics), vec![gauge("carts", vec![sent("jane"), sent("joe")])]);
    let Some(Data::Gauge(data)) = &arrived[0].data else { panic!("another kind") };
    let names: Vec<_> = data.data_points.iter().map(|point| found(&point.attributes, "user.id").unwrap()).collect();
    assert!(names.iter().all(|name| name.starts_with("tg1.")) && names[0] != names[1]);
}

#[test]
fn what_a_rule_strips_does_not_cross_and_the_rest_does() {
    let mut sealer = with_rule(Signal::Metrics, "require: {strip: [exemplars, point.extremes]}");
    let mut exemplars = 0;
    for seed in 0..40 {
        let sent = Sower::new(seed).metrics();
        let mut expected: Vec<_> = metrics(&sent).into_iter().cloned().map(bare).collect();
        for metric in &mut expected {
            match metric.data.as_mut().unwrap() {
                Data::Gauge(Gauge { data_points }) | Data::Sum(Sum { data_points, .. }) => {
                    exemplars += data_points.iter_mut().flat_map(|point| point.exemplars.drain(..)).count();
                }
                Data::Histogram(data) => data.data_points.iter_mut().for_each(|point| {
                    point.exemplars.clear();
                    (point.min, point.max) = (None, None);
                }),
                Data::ExponentialHistogram(data) => data.data_points.iter_mut().for_each(|point| {
                    point.exemplars.clear();
                    (point.min, point.max) = (None, None);
                }),
                Data::Summary(_) => {}
            }
        }
        let arrived = metrics_of(&sealed(&mut sealer, &sent.encode_to_vec()).whole());
        assert_eq!(metrics(&arrived).into_iter().cloned().map(bare).collect::<Vec<_>>(), expected);
    }
    assert!(exemplars > 0, "nothing was there to be stripped");
}

#[test]
fn a_metric_without_what_makes_it_one_is_withheld() {
    let mut sealer = with_rule(Signal::Metrics, "require: {strip: [point.value]}");
    let histogram = Data::Histogram(Histogram { aggregation_temporality: 2, ..Histogram::default() });
    let counted = Metric { name: "paid".to_owned(), data: Some(histogram), ..Metric::default() };
    let (arrived, batch) = sealed_metrics(&mut sealer, vec![gauge("carts", vec![point(&[], 3)]), counted.clone()]);
    assert_eq!(arrived, [counted]);
    assert_eq!(batch.counts().withheld_for(Withheld::Identity), 1);
    assert_eq!(batch.counts().values(Class::Op, Form::Absent), 0, "nothing is counted of what did not cross");
}

#[test]
fn a_metric_is_withheld_whose_name_is_no_name_or_tells_something() {
    let names = ["", "jane@example.org", "cart of jane", "7up", "ip.203.0.113.7", "ärger", &"a".repeat(257)];
    let (arrived, batch) =
        sealed_metrics(&mut signals::sealer(Signal::Metrics), names.map(|name| gauge(name, vec![])).to_vec());
    // A name that is empty is not there at all.
    assert_eq!(arrived, [gauge("", vec![])]);
    assert_eq!(batch.counts().withheld_for(Withheld::Identity), 6);
    for name in ["http.server.request.duration", "_up", "node_cpu:rate5m", "Shop.Carts/open-1"] {
        let (arrived, _) = sealed_metrics(&mut signals::sealer(Signal::Metrics), vec![gauge(name, vec![])]);
        assert_eq!(arrived, [gauge(name, vec![])]);
    }
}

#[test]
fn units_cross_as_ucum_spells_them() {
    let unit = |unit: &str| Metric { unit: unit.to_owned(), ..gauge("carts", vec![]) };
    for (sent, crosses) in [
        ("By", true),
        ("{request}/s", true),
        ("%", true),
        ("[degF]", true),
        ("jane@example.org", false),
        ("for jane", false),
        ("{+49 30 1234567}", false),
        (&*"s".repeat(64), false),
    ] {
        let (arrived, _) = sealed_metrics(&mut signals::sealer(Signal::Metrics), vec![unit(sent)]);
        assert_eq!(arrived, [unit(if crosses { sent } else { "" })]);
    }
}

fn said(body: &str) -> Option<AnyValue> {
    Some(AnyValue { value: Some(Value::StringValue(body.to_owned())) })
}

fn record() -> LogRecord {
    LogRecord {
        time_unix_nano: 7,
        observed_time_unix_nano: 8,
        severity_number: 17,
        flags: 1,
        trace_id: vec![1; 16],
        span_id: vec![2; 8],
        ..LogRecord::default()
    }
}

#[test]
fn a_log_record_crosses_without_its_words() {
    let sent = LogRecord {
        severity_text: "ERROR".to_owned(),
        body: said("paid"),
        attributes: vec![text("http.route", "/pay"), text("user.email", "jane@example.org"), text("acme.x", "jane")],
        dropped_attributes_count: 2,
        event_name: "exception".to_owned(),
        ..record()
    };
    let expected = LogRecord {
        attributes: vec![text("http.route", "/pay")],
        dropped_attributes_count: 4,
        event_name: "exception".to_owned(),
        ..record()
    };
    let unlisted = LogRecord { event_name: "jane.left".to_owned(), ..record() };
    let withheld = LogRecord { event_name: "withheld".to_owned(), ..record() };
    let arrived = sealed_logs(&mut signals::sealer(Signal::Logs), vec![sent, unlisted, record()]);
    assert_eq!(arrived, [expected, withheld, record()]);
}

#[test]
fn numbers_that_mean_nothing_do_not_cross() {
    let sent = LogRecord { severity_number: 25, flags: 0xdead_be01, ..record() };
    let arrived = sealed_logs(&mut signals::sealer(Signal::Logs), vec![sent]);
    assert_eq!(arrived, [LogRecord { severity_number: 0, flags: 1, ..record() }]);
    let sum = |temporality, flags| Metric {
        name: "paid".to_owned(),
        data: Some(Data::Sum(Sum {
            data_points: vec![NumberDataPoint { flags, ..point(&[], 3) }],
            aggregation_temporality: temporality,
            is_monotonic: true,
        })),
        ..Metric::default()
    };
    let (arrived, _) = sealed_metrics(&mut signals::sealer(Signal::Metrics), vec![sum(7, 0xdead_beef)]);
    assert_eq!(arrived, [sum(0, 1)]);
}

/// Guarantees: where a policy lets free text cross, bodies cross that are flat, unless somebody is found in them.
#[test]
fn a_body_crosses_where_free_text_may_and_nobody_is_found_in_it() {
    let any = |value| Some(AnyValue { value: Some(value) });
    let list = |texts: &[&str]| {
        let values = texts.iter().map(|text| said(text).unwrap()).collect();
        any(Value::ArrayValue(ArrayValue { values }))
    };
    let pair = KeyValueList { values: vec![text("user", "zq")] };
    let nested = ArrayValue { values: vec![AnyValue { value: Some(Value::KvlistValue(pair.clone())) }] };
    for (body, crosses) in [
        (said("the cart of the third customer was empty"), true),
        (any(Value::IntValue(7)), true),
        (list(&["cart", "is empty"]), true),
        (said("no mail to jane@example.org"), false),
        (said("from 203.0.113.7"), false),
        (any(Value::IntValue(4_111_111_111_111_111)), false),
        (list(&["4111 1111", "1111 1111"]), false),
        (any(Value::BytesValue(b"zq".to_vec())), false),
        (any(Value::KvlistValue(pair)), false),
        (any(Value::ArrayValue(nested)), false),
    ] {
        let sent = LogRecord { body, severity_text: "ERROR".to_owned(), ..record() };
        let expected = LogRecord { body: sent.body.clone().filter(|_| crosses), ..sent.clone() };
        assert_eq!(sealed_logs(&mut talkative(Signal::Logs), vec![sent]), [expected]);
    }
    let failed = |message: &str| Span {
        status: Some(Status { message: message.to_owned(), code: 2 }),
        ..span(vec![text("http.request.method", "GET")])
    };
    for (message, crosses) in [("the cart was empty", true), ("no mail to jane@example.org", false)] {
        let arrived = sealed_span(&mut talkative(Signal::Traces), failed(message));
        assert_eq!(arrived, failed(if crosses { message } else { "" }));
    }
    let described = |description: &str| Metric { description: description.to_owned(), ..gauge("carts", vec![]) };
    let sent = vec![described("how many carts, as the shop counts them"), described("ask jane@example.org")];
    let (arrived, _) = sealed_metrics(&mut talkative(Signal::Metrics), sent.clone());
    assert_eq!(arrived, [sent[0].clone(), described("")]);
}

/// One log record or metric, field by field.
fn by_hand(write: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    let mut out = Vec::new();
    Writer::new(&mut out).message(1, |group| group.message(2, |scope| scope.message(2, write)));
    out
}

#[test]
fn an_empty_text_is_as_good_as_none() {
    let log = by_hand(|log| [3, 12].into_iter().for_each(|number| log.string(number, "")));
    let arrived = logs_of(&sealed(&mut signals::sealer(Signal::Logs), &log).whole());
    assert_eq!(log_records(&arrived), [&LogRecord::default()]);
    let metric = by_hand(|metric| [1, 2, 3].into_iter().for_each(|number| metric.string(number, "")));
    let arrived = metrics_of(&sealed(&mut signals::sealer(Signal::Metrics), &metric).whole());
    assert_eq!(metrics(&arrived), [&Metric::default()]);
}

/// Guarantees: what two readers could understand in two ways, and what cannot be read, withholds its item, even where the
/// index was made of other bytes.
#[test]
fn what_is_ambiguous_or_unreadable_is_withheld() {
    let metric = |data: &dyn Fn(&mut Writer<'_>)| by_hand(|metric| (metric.string(1, "carts"), data(metric)).1);
    let twice =
        |number: u32| move |metric: &mut Writer<'_>| (metric.message(number, |_| {}), metric.message(7, |_| {})).1;
    let point = |write: &dyn Fn(&mut Writer<'_>)| metric(&|metric| metric.message(5, |gauge| gauge.message(1, write)));
    for (signal, payload) in [
        (Signal::Metrics, metric(&twice(7))),
        (Signal::Metrics, metric(&twice(5))),
        (Signal::Metrics, metric(&|metric| metric.varint(5, 1))),
        (Signal::Metrics, metric(&|metric| metric.string(1, "other"))),
        (Signal::Metrics, point(&|point| (point.double(4, 0.5), point.fixed64(6, 7)).1)),
        (Signal::Metrics, point(&|point| point.varint(3, 1))),
        (Signal::Metrics, point(&|point| point.message(5, |exemplar| exemplar.bytes(4, &[1; 7])))),
        (Signal::Metrics, metric(&|metric| metric.message(9, |one| one.message(1, |point| point.bytes(6, &[1; 9]))))),
        (Signal::Metrics, metric(&|metric| metric.message(10, |one| one.message(1, |point| point.varint(6, 1 << 40))))),
        (Signal::Logs, by_hand(|log| (log.message(5, |_| {}), log.message(5, |_| {})).1)),
        (Signal::Logs, by_hand(|log| log.bytes(9, &[1; 15]))),
        (Signal::Logs, by_hand(|log| log.bytes(3, &[0xff]))),
        (Signal::Logs, by_hand(|log| log.fixed64(2, 9))),
    ] {
        // The heads of three messages stand before the item; one with nothing known in it lies in the same place.
        let sound = by_hand(|item| item.bytes(99, &vec![0; payload.len() - 6 - 3]));
        assert_eq!(sound.len(), payload.len());
        let index = signals::walk(signal, &sound).unwrap().index;
        let out = signals::sealer(signal).seal(&payload, &index, ARRIVAL);
        assert_eq!(out.counts().withheld_for(Withheld::Malformed), 1, "{signal} {payload:02x?}");
        assert_eq!(out.counts().items_out, 0, "{signal} {payload:02x?}");
        assert!(out.whole().is_empty());
    }
}

fn parts_of(batch: SealedBatch) -> Vec<Option<Sealed>> {
    batch.split(2, |route| match route {
        Route::Trace(trace) => Some(usize::from(trace.as_bytes()[0] == 1)),
        Route::Resource(number) => Some(number % 2),
    })
}

/// Guarantees: a log record follows its trace, whatever else has no trace follows the resource as it came; nothing is lost
/// or doubled, also when what was sealed is taken apart again.
#[test]
fn items_are_parted_by_trace_or_by_the_resource_they_came_with() {
    let logs = |time| LogRecord { time_unix_nano: time, ..LogRecord::default() };
    let group = |first: u64| request_of_logs(vec![logs(first), LogRecord { time_unix_nano: first + 1, ..record() }]);
    let sent =
        ExportLogsServiceRequest { resource_logs: (1..4).flat_map(|turn| group(10 * turn).resource_logs).collect() };
    let batch = || sealed(&mut signals::sealer(Signal::Logs), &sent.encode_to_vec());
    let times = |sealed: &Option<Sealed>| -> Vec<u64> {
        let arrived = logs_of(sealed.as_ref().unwrap());
        log_records(&arrived).into_iter().map(|record| record.time_unix_nano).collect()
    };
    let parts = parts_of(batch());
    assert_eq!(parts.iter().map(times).collect::<Vec<_>>(), [vec![10, 30], vec![11, 20, 21, 31]]);
    let again = batch().whole().rearrange(3, |batch| (0..batch.index.items()).map(|item| Some(item / 2)).collect());
    let again: Vec<_> = again.unwrap().iter().map(times).collect();
    assert_eq!(again, [[10, 11], [20, 21], [30, 31]]);
    let kept = batch().whole().rearrange(1, |_| vec![Some(0); 5]).unwrap_err();
    assert_eq!(kept.items(), 6, "an item without a part is a reason to leave all together");
    let metrics = ExportMetricsServiceRequest {
        resource_metrics: ["a", "b", "c"]
            .into_iter()
            .flat_map(|name| request_of_metrics(vec![gauge(name, vec![])]).resource_metrics)
            .collect(),
    };
    let batch = sealed(&mut signals::sealer(Signal::Metrics), &metrics.encode_to_vec());
    assert_eq!(parts_of(batch).iter().flatten().map(Sealed::items).collect::<Vec<_>>(), [2, 1]);
}
