//! Ids that cross blinded: one line of a rule, and one key that several regions hold.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, exemplar, number_data_point,
};
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::Link;
use proptest::prelude::*;
use prost::Message;
use tollgate_federation::Signal;
use tollgate_otlp::{Batch, TraceId};
use tollgate_redaction::{AtHome, Route, SealedBatch, Sealer, Withheld};
use tollgate_residency::{Class, Form, Table};

use crate::signals::{log_records, logs_of, metrics, metrics_of, opened, sealed};
use crate::sow::Sower;
use crate::world::*;

const KEYS: Roots = Roots { names: &["user", "session", "ids"] };
const TO_CENTRAL: [(&str, u16); 2] = [("EEA", 0), ("UK", 1)];

fn blinding(residency: &str) -> String {
    residency.replace("corr: raw", "corr: {blind: ids}")
}

fn sealer_of(link: (&str, u16), keys: Roots) -> Sealer {
    static TABLES: LazyLock<[Arc<Table>; 2]> =
        LazyLock::new(|| TO_CENTRAL.map(|(origin, link)| Arc::new(table_with(blinding, origin, link))));
    let table = TO_CENTRAL.iter().position(|one| *one == link).and_then(|at| TABLES.get(at)).unwrap();
    Sealer::new(Arc::clone(table), Arc::new(keys))
}

/// A trace with a root, its child and a link to another trace, in which one span has the id of the child.
fn trace() -> [Span; 3] {
    let of = |trace: u8, id: u8, parent: &[u8]| Span {
        trace_id: (0..16).map(|at| trace ^ (at * 7)).collect(),
        span_id: vec![id; 8],
        parent_span_id: parent.to_vec(),
        trace_state: if id == 0xa1 { "ot=th:8,vendor=jane".to_owned() } else { String::new() },
        ..span(Vec::new())
    };
    let other = of(0xc0, 0xb2, &[]);
    let link = Link {
        trace_id: other.trace_id.clone(),
        span_id: other.span_id.clone(),
        trace_state: "vendor=jane".to_owned(),
        ..Link::default()
    };
    [of(0x40, 0xa1, &[]), Span { links: vec![link], ..of(0x40, 0xb2, &[0xa1; 8]) }, other]
}

fn spans(request: &ExportTraceServiceRequest) -> Vec<Span> {
    let scopes = request.resource_spans.iter().flat_map(|group| &group.scope_spans);
    scopes.flat_map(|scope| scope.spans.clone()).collect()
}

fn request_of(spans: &[Span]) -> ExportTraceServiceRequest {
    request(vec![text("service.name", "checkout")], spans.to_vec())
}

fn is_in(bytes: &[u8], needle: &[u8]) -> bool {
    let hex = data_encoding::HEXLOWER.encode(needle);
    bytes.windows(needle.len()).any(|window| window == needle)
        || bytes.windows(hex.len()).any(|window| window.eq_ignore_ascii_case(hex.as_bytes()))
}

/// What a trace looks like but for its ids.
fn structure(spans: &[Span]) -> Vec<(usize, Option<usize>, Vec<usize>)> {
    let place = |trace: &[u8], id: &[u8]| spans.iter().position(|span| span.trace_id == trace && span.span_id == id);
    let of_trace = |span: &Span| spans.iter().position(|other| other.trace_id == span.trace_id).unwrap();
    let links = |span: &Span| span.links.iter().map(|link| place(&link.trace_id, &link.span_id).unwrap()).collect();
    spans.iter().map(|span| (of_trace(span), place(&span.trace_id, &span.parent_span_id), links(span))).collect()
}

/// Guarantees: what two regions blind under copies of one key is one trace, with its parents and links; nothing of the ids
/// that came is left but the digits that sampling needs; and it is routed by the id that it has abroad.
#[test]
fn a_trace_of_two_regions_stays_one_trace_under_other_ids() {
    let sent = trace();
    let [eea, uk] = TO_CENTRAL.map(|link| seal(&mut sealer_of(link, KEYS), &request_of(&sent)));
    let routes = |batch: SealedBatch| {
        let mut routes = Vec::new();
        let whole = batch.split(1, |route| {
            routes.push(route);
            Some(0)
        });
        (routes, whole.into_iter().flatten().next().unwrap())
    };
    assert_eq!((eea.counts().values(Class::Corr, Form::Keyed), eea.counts().values(Class::Corr, Form::Raw)), (12, 0));
    let ((by, eea), (also, uk)) = (routes(eea), routes(uk));
    let [eea, uk] = [eea, uk].map(|sealed| (spans(&decoded(&sealed.bytes())), sealed.bytes()));
    assert_eq!((structure(&eea.0), &by), (structure(&sent), &also));
    for (one, other) in eea.0.iter().zip(&uk.0) {
        let ids = |span: &Span| (span.trace_id.clone(), span.span_id.clone(), span.trace_state.clone());
        assert_eq!((ids(one), &one.parent_span_id, &one.links), (ids(other), &other.parent_span_id, &other.links));
    }
    for (span, route) in eea.0.iter().zip(by) {
        assert_eq!(route, Route::Trace(TraceId(span.trace_id.clone().try_into().unwrap())));
    }
    for id in sent.iter().flat_map(|span| [&span.trace_id[..], &span.trace_id[..8], &span.trace_id[8..], &span.span_id])
    {
        assert!(!is_in(&eea.1, id) && !is_in(&uk.1, id), "{id:02x?}");
    }
    assert_ne!(eea.0[1].span_id, eea.0[2].span_id, "equal ids of two traces");
    let rv = |span: &Span| data_encoding::HEXLOWER.encode(&[&[0x40 ^ 63, 0x40 ^ 70], &span.trace_id[11..]].concat());
    assert_eq!(eea.0[0].trace_state, format!("ot=th:8;rv:{}", rv(&eea.0[0])));
    assert_eq!(eea.0[1].trace_state, format!("ot=rv:{}", rv(&eea.0[0])), "one trace, one randomness");
    assert!(eea.0[0].parent_span_id.is_empty() && eea.0[1].links[0].trace_state.is_empty());
}

#[test]
fn without_the_key_no_span_crosses_and_each_is_counted() {
    let mut sealer = sealer_of(TO_CENTRAL[0], ALL_KEYS);
    let out = seal(&mut sealer, &request_of(&trace()));
    let counts = *out.counts();
    assert_eq!((counts.withheld_for(Withheld::KeyMissing), counts.keys_missing, counts.items_out), (3, 3, 0));
    assert!(out.whole().is_empty());
}

/// Guarantees: what stays in its region has the ids that it would have crossed with, and is otherwise what was sent.
#[test]
fn a_span_that_stays_at_home_gets_the_same_ids_and_keeps_the_rest() {
    let table = table_with(blinding, "EEA", 0);
    let mut at_home = AtHome::new(table.blinding().unwrap().clone());
    let mut sent = trace();
    for span in &mut sent {
        span.attributes = vec![text("user.email", "jane@example.org")];
        span.name = "jane's".to_owned();
    }
    let payload = request_of(&sent).encode_to_vec();
    let index = walked(&payload);
    let batch = Batch::new(&payload, &index);
    assert!(at_home.request(batch, ARRIVAL, &ALL_KEYS).is_none());
    let home = decoded(&at_home.request(batch, ARRIVAL, &KEYS).unwrap());
    let abroad = decoded(&seal(&mut sealer_of(TO_CENTRAL[0], KEYS), &request_of(&sent)).whole().bytes());
    for ((home, abroad), sent) in spans(&home).into_iter().zip(spans(&abroad)).zip(sent) {
        assert_eq!(
            (&home.trace_id, &home.span_id, &home.parent_span_id),
            (&abroad.trace_id, &abroad.span_id, &abroad.parent_span_id)
        );
        let (own, vendor) = home.trace_state.split_once(",vendor=").unwrap_or((&home.trace_state, "jane"));
        assert_eq!((own, vendor), (&*abroad.trace_state, "jane"));
        let links = home.links.iter().zip(&sent.links);
        let links = links.map(|(home, sent)| Link {
            trace_id: sent.trace_id.clone(),
            span_id: sent.span_id.clone(),
            ..home.clone()
        });
        let again = Span {
            trace_id: sent.trace_id.clone(),
            span_id: sent.span_id.clone(),
            parent_span_id: sent.parent_span_id.clone(),
            trace_state: sent.trace_state.clone(),
            links: links.collect(),
            ..home.clone()
        };
        assert_eq!(again, sent);
    }
}

/// Guarantees: log records and exemplars point at the spans as these are called abroad; without the key, or without a
/// trace, they point nowhere and cross.
#[test]
fn logs_and_exemplars_follow_the_spans() {
    let sent = trace();
    let abroad = spans(&decoded(&seal(&mut sealer_of(TO_CENTRAL[0], KEYS), &request_of(&sent)).whole().bytes()));
    let expected = (abroad[0].trace_id.clone(), abroad[0].span_id.clone());
    let sealer = |signal, keys| {
        let change = |residency: &str| blinding(&opened(residency, signal, ""));
        Sealer::new(Arc::new(table_on(signal, change, str::to_owned, "EEA", 0)), Arc::new(keys))
    };
    let logs = |keys: Roots, trace_id: &[u8]| {
        let record =
            LogRecord { trace_id: trace_id.to_vec(), span_id: sent[0].span_id.clone(), ..LogRecord::default() };
        let scope_logs = vec![ScopeLogs { log_records: vec![record], ..ScopeLogs::default() }];
        let resource_logs = vec![ResourceLogs { scope_logs, ..ResourceLogs::default() }];
        let payload = ExportLogsServiceRequest { resource_logs }.encode_to_vec();
        let out = sealed(&mut sealer(Signal::Logs, keys), &payload);
        let missing = out.counts().keys_missing;
        let arrived = logs_of(&out.whole());
        let record = log_records(&arrived)[0];
        ((record.trace_id.clone(), record.span_id.clone()), missing)
    };
    let nowhere = (Vec::new(), Vec::new());
    assert_eq!(logs(KEYS, &sent[0].trace_id), (expected.clone(), 0));
    assert_eq!(logs(ALL_KEYS, &sent[0].trace_id), (nowhere.clone(), 2));
    assert_eq!(logs(KEYS, &[]), (nowhere.clone(), 0));
    let points = |keys: Roots| {
        let exemplars = vec![Exemplar {
            trace_id: sent[0].trace_id.clone(),
            span_id: sent[0].span_id.clone(),
            time_unix_nano: 7,
            value: Some(exemplar::Value::AsInt(1)),
            ..Exemplar::default()
        }];
        let value = Some(number_data_point::Value::AsInt(1));
        let data_points = vec![NumberDataPoint { exemplars, value, time_unix_nano: 7, ..NumberDataPoint::default() }];
        let metric = Metric {
            name: "http.server.request.duration".to_owned(),
            data: Some(Data::Gauge(Gauge { data_points })),
            ..Metric::default()
        };
        let scope_metrics = vec![ScopeMetrics { metrics: vec![metric], ..ScopeMetrics::default() }];
        let resource_metrics = vec![ResourceMetrics { scope_metrics, ..ResourceMetrics::default() }];
        let payload = ExportMetricsServiceRequest { resource_metrics }.encode_to_vec();
        let arrived = metrics_of(&sealed(&mut sealer(Signal::Metrics, keys), &payload).whole());
        let Some(Data::Gauge(gauge)) = &metrics(&arrived)[0].data else { panic!("another kind") };
        let exemplars: BTreeSet<_> = gauge.data_points[0]
            .exemplars
            .iter()
            .map(|exemplar| (exemplar.trace_id.clone(), exemplar.span_id.clone()))
            .collect();
        exemplars
    };
    assert_eq!((points(KEYS), points(ALL_KEYS)), (BTreeSet::from([expected]), BTreeSet::from([nowhere])));
}

/// Takes out what blinding changes: ids, states, and the digest of the policy.
fn without_ids(mut request: ExportTraceServiceRequest) -> ExportTraceServiceRequest {
    for scope in request.resource_spans.iter_mut().flat_map(|group| &mut group.scope_spans) {
        let own = scope.scope.iter_mut().flat_map(|scope| &mut scope.attributes);
        own.filter(|attribute| attribute.key == "tollgate.policy").for_each(|attribute| attribute.value = None);
        for span in &mut scope.spans {
            span.links.iter_mut().for_each(|link| {
                (link.trace_id, link.span_id, link.trace_state) = Default::default();
            });
            (span.trace_id, span.span_id, span.parent_span_id, span.trace_state) = Default::default();
        }
    }
    request
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Guarantees: blinding changes ids and nothing else of what crosses, whatever is sent, and no id comes out that went in.
    #[test]
    fn blinding_changes_ids_and_nothing_else(seed: u64) {
        let sent = Sower::new(seed).request();
        let raw = decoded(&seal(&mut example(), &sent).whole().bytes());
        let blinded = seal(&mut sealer_of(TO_CENTRAL[0], KEYS), &sent).whole().bytes();
        for span in spans(&raw) {
            let links = span.links.iter().flat_map(|link| [link.trace_id.clone(), link.span_id.clone()]);
            let ids = [span.trace_id.clone(), span.span_id.clone(), span.parent_span_id.clone()].into_iter().chain(links);
            for id in ids.filter(|id| id.iter().any(|byte| *byte != 0)) {
                prop_assert!(!is_in(&blinded, &id), "{:02x?}", id);
            }
        }
        let spans_of = spans(&decoded(&blinded));
        prop_assert_eq!(spans_of.iter().map(|span| span.parent_span_id.len()).collect::<Vec<_>>(),
            spans(&raw).iter().map(|span| span.parent_span_id.len()).collect::<Vec<_>>());
        prop_assert_eq!(without_ids(decoded(&blinded)), without_ids(raw));
    }
}

/// Guarantees: no id that crosses blinded crosses in clear beside it, neither in attributes nor in names, in any case, of its
/// own span or of another of the request, however often the same text stands there; other texts stay.
#[test]
fn no_id_stands_in_clear_beside_a_blinded_one() {
    let mut sent = trace();
    let hex = |id: &[u8]| data_encoding::HEXLOWER.encode(id);
    let (id, other, parent) = (hex(&sent[0].trace_id), hex(&sent[2].trace_id), hex(&sent[1].parent_span_id));
    for span in &mut sent {
        span.attributes = vec![
            text("http.route", &format!("/traces/{id}")),
            text("rpc.method", &id.to_uppercase()),
            text("error.type", &format!("E.{other}")),
            text("rpc.service", &parent),
            text("k8s.pod.name", "0123456789abcdef"),
        ];
    }
    let mut request = request_of(&sent);
    let group = &mut request.resource_spans[0];
    group.resource.as_mut().unwrap().attributes.push(text("service.version", &format!("1.0-{other}")));
    let scope = group.scope_spans[0].scope.get_or_insert_default();
    (scope.name, scope.version) = (format!("lib.{id}"), "1.0".to_owned());
    let out = seal(&mut sealer_of(("EEA", 0), KEYS), &request).whole();
    for span in spans(&decoded(&out.bytes())) {
        assert_eq!(span.attributes, vec![text("k8s.pod.name", "0123456789abcdef")]);
        assert_eq!(span.dropped_attributes_count, 4);
    }
    for id in sent.iter().flat_map(|span| [&span.trace_id, &span.span_id]) {
        assert!(!is_in(&out.bytes(), id), "{id:02x?}");
    }
    let raw = seal(&mut Sealer::new(Arc::new(table_with(str::to_owned, "EEA", 0)), Arc::new(KEYS)), &request).whole();
    assert!(spans(&decoded(&raw.bytes())).iter().all(|span| span.attributes.len() == 5), "ids that are not blinded");
}
