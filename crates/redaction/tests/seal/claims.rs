//! Resources of one request that say different things of themselves, under rules that ask for it.

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use prost::Message;
use tollgate_federation::{LinkId, Signal};
use tollgate_redaction::Sealer;

use crate::signals::{log_records, logs_of, metrics, metrics_of, opened, sealed};
use crate::sow::Sower;
use crate::world::*;

/// Everything of `cart` is held back that names an operation, and all of `till`.
const RULES: [&str; 2] =
    ["where: {service: cart}, deny: [{attribute: http.route}]", "where: {service: till}, deny: [all]"];

fn sealer(signal: Signal) -> Sealer {
    let rule = |(number, rule): (usize, &&str)| {
        format!("  - {{id: claimed-{number}, origin: EEA, reaching: US, signal: {signal}, {rule}}}\n")
    };
    let rules: String = RULES.iter().enumerate().map(rule).collect();
    let change = |residency: &str| {
        let residency = if signal == Signal::Traces { residency.to_owned() } else { opened(residency, signal, "") };
        residency.replacen("rules:\n", &format!("rules:\n{rules}"), 1)
    };
    let (policy, federation) = documents(change, str::to_owned);
    let (origin, day) = ("EEA".parse().unwrap(), time::macros::date!(2026 - 12 - 01));
    let tables = policy.tables(&federation, LinkId(0), signal, &origin, day).unwrap();
    Sealer::new(tables.at(None).unwrap().clone(), std::sync::Arc::new(ALL_KEYS))
}

fn named(name: &str) -> Vec<KeyValue> {
    vec![text("service.name", name), text("service.version", "1.0")]
}

/// Guarantees: each resource of a request is sealed by what it says itself, whatever stands beside it; one that says nothing
/// clear is held back for all that is asked.
#[test]
fn each_resource_is_sealed_by_what_it_says() {
    let version = || text("service.version", "1.0");
    let said = [
        (named("other"), Some(true)),
        (named("cart"), Some(false)),
        (named("till"), None),
        (named("other"), Some(true)),
        (vec![version()], None),
        ([named("other"), named("other")].concat(), None),
        (vec![attribute("service.name", Value::IntValue(7)), version()], None),
        (named(""), None),
        (named("cart"), Some(false)),
    ];
    let mut sent = request(Vec::new(), Vec::new());
    sent.resource_spans.clear();
    for (number, (resource, _)) in said.iter().enumerate() {
        let mut own = span(vec![text("http.route", "/a"), text("http.request.method", "GET")]);
        own.span_id = vec![u8::try_from(number).unwrap() + 1; 8];
        sent.resource_spans.extend(request(resource.clone(), vec![own]).resource_spans);
    }
    let out = seal(&mut sealer(Signal::Traces), &sent);
    let arrived = decoded(&out.whole().bytes());
    let spans = || arrived.resource_spans.iter().flat_map(|group| &group.scope_spans).flat_map(|scope| &scope.spans);
    for (number, (resource, crosses)) in said.iter().enumerate() {
        let own = spans().find(|span| span.span_id[0] == u8::try_from(number).unwrap() + 1);
        let route = own.map(|span| found(&span.attributes, "http.route").is_some());
        assert_eq!(route, *crosses, "{resource:?}");
        assert!(own.is_none_or(|span| found(&span.attributes, "http.request.method").is_some()));
    }
}

/// Guarantees: metrics and log records are held back by what their resource says too.
#[test]
fn metrics_and_logs_are_held_back_alike() {
    let (mut sealer_of_metrics, mut sealer_of_logs) = (sealer(Signal::Metrics), sealer(Signal::Logs));
    for seed in 0..20 {
        let [other, cart, till] = ["other", "cart", "till"].map(|name| {
            let (mut some, mut logs) = (Sower::new(seed).metrics(), Sower::new(seed).logs());
            for group in &mut some.resource_metrics {
                group.resource.get_or_insert_default().attributes = named(name);
            }
            for group in &mut logs.resource_logs {
                group.resource.get_or_insert_default().attributes = named(name);
            }
            let metric = sealed(&mut sealer_of_metrics, &some.encode_to_vec()).whole();
            let log = sealed(&mut sealer_of_logs, &logs.encode_to_vec()).whole();
            [metrics(&metrics_of(&metric)).len(), log_records(&logs_of(&log)).len()]
        });
        assert!(other[0] > 0 && other[1] > 0);
        assert_eq!([cart, till], [other, [0, 0]]);
    }
}
