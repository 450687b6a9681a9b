//! Metrics and logs stay where they are made, whole; collectors stamp and drop as the documents say.
//!
//! Guarantees: the region's own backends get every metric and log record as it was sent, under a resource that says where
//! it comes from whatever the sender claims; nothing of them is anywhere in another region, not even over a link that
//! names them. Compressed exports work, over gRPC and over HTTP, from the real Python SDK.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test stops where its surroundings fail it; prost is the oracle"
)]

use std::collections::BTreeSet;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use prost::Message;
use serde_json::{Value, json};
use tollgate_federation::Signal;
use tollgate_integration::evidence::shown;
use tollgate_integration::held::{self, attributes_of};
use tollgate_integration::requests::{numbered, request_of, span};
use tollgate_integration::{Attributes, Fleet};
use tollgate_otlp::Writer;
use tollgate_runtime::Clock;
use tollgate_scenario::canary::Canary;
use tollgate_scenario::traffic::Traffic;
use tollgate_testkit::{Client, FakeBackend, Service, Venv, wait_until};
use tonic::codec::CompressionEncoding;

const LIMIT: Duration = Duration::from_secs(30);
const COLLECTOR: &str = "eu-west-collector-eu-west-a-0";
const OTHER_COLLECTOR: &str = "eu-west-collector-eu-west-b-0";
const GATEWAYS: [&str; 2] = ["eu-west-gateway-0", "eu-west-gateway-1"];
const ABROAD: [&str; 4] = ["uk-south-gateway-0", "us-east-gateway-0", "us-east-central-0", "us-east-central-1"];

/// What the collector of `eu-west-a` writes into each resource.
const STAMPED: [(&str, &str); 3] =
    [("deployment.environment.name", "production"), ("k8s.cluster.name", "eu-west-a"), ("cloud.region", "eu-west")];
/// What a sender says instead, and one attribute that is its own business.
const CLAIMED: &str = "deployment.environment.name=test,k8s.cluster.name=elsewhere,cloud.region=us-east,team=blue";

/// Runs the Python SDK once; returns the number of log records it sent.
#[track_caller]
fn python(fleet: &Fleet, protocol: &str, compression: &str, user: &str) -> usize {
    let planned = fleet.planned(COLLECTOR);
    let endpoint = if protocol == "grpc" { planned.otlp_grpc() } else { planned.otlp_http() };
    let mut command = Venv::ready().script("signals.py");
    command.args([format!("--endpoint={}", endpoint.unwrap()), format!("--user={user}"), "--count=3".to_owned()]);
    command.args(["--protocol", protocol, "--compression", compression]).env("OTEL_RESOURCE_ATTRIBUTES", CLAIMED);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["flushed"], true, "{}", String::from_utf8_lossy(&output.stderr));
    usize::try_from(report["logs"].as_u64().unwrap()).unwrap()
}

fn held(fleet: &Fleet, signal: &str) -> Vec<held::Held> {
    GATEWAYS.iter().flat_map(|name| fleet.held(name, "embedded", signal)).collect()
}

fn points<'a>(metrics: &'a [held::Held], name: &str, kind: &str) -> Vec<&'a Value> {
    let of_name = metrics.iter().filter(|metric| metric.text("name") == name);
    of_name.filter_map(|metric| metric.item[kind]["dataPoints"].as_array()).flatten().collect()
}

/// The stamp, whatever was claimed, and all else as the SDK sent it.
#[track_caller]
fn assert_stamped(resource: &Attributes) {
    for (key, value) in STAMPED.iter().chain(&[("team", "blue"), ("service.name", "frontend")]) {
        assert_eq!(resource[*key], *value, "{key}");
    }
}

#[track_caller]
fn assert_logs(fleet: &Fleet, user: &str, expected: usize) {
    let logs = held(fleet, "logs");
    let mail = json!(format!("{user}@kunde.example"));
    let own: Vec<_> = logs.iter().filter(|log| log.attributes.get("user.email") == Some(&mail)).collect();
    let bodies: BTreeSet<_> = own.iter().map(|log| log.item["body"]["stringValue"].as_str().unwrap()).collect();
    let texts: Vec<String> = (0..expected).map(|number| format!("order {number} of {user}")).collect();
    assert_eq!((own.len(), bodies), (expected, texts.iter().map(String::as_str).collect()));
    for log in own {
        assert_eq!((log.text("severityText"), &log.item["severityNumber"]), ("INFO", &json!(9)));
        assert_stamped(&log.resource);
    }
}

#[track_caller]
fn assert_metrics(fleet: &Fleet, user: &str) {
    let metrics = held(fleet, "metrics");
    metrics.iter().for_each(|metric| assert_stamped(&metric.resource));
    let expected: Attributes = [("http.route", "/checkout"), ("user.id", user)]
        .into_iter()
        .map(|(key, value)| (key.to_owned(), json!(value)))
        .collect();
    let orders = points(&metrics, "shop.orders", "sum");
    let orders = orders.into_iter().find(|point| held::attributes(point) == expected);
    assert_eq!(orders.unwrap()["asInt"], "3");
    let durations = points(&metrics, "http.server.request.duration", "histogram");
    assert!(durations.iter().any(|point| point["count"] == "3" && point["bucketCounts"].is_array()));
}

#[test]
fn metrics_and_logs_of_the_python_sdk_arrive_at_home_and_nowhere_else() {
    let mut fleet = Fleet::lay_out();
    // Every link names metrics and logs: only the policy keeps them at home.
    fleet.edit("regions/federation.yaml", |text| text.replace("signals: [traces]", "signals: [traces, metrics, logs]"));
    fleet.start([COLLECTOR].into_iter().chain(GATEWAYS).chain(ABROAD));
    let variants = [("grpc", "gzip"), ("http", "gzip"), ("http", "none")];
    let users = variants.map(|(protocol, compression)| format!("usr-{protocol}-{compression}-5d1e"));
    let sent: Vec<usize> = variants
        .iter()
        .zip(&users)
        .map(|((protocol, compression), user)| python(&fleet, protocol, compression, user))
        .collect();
    fleet.wait_idle(LIMIT);
    for (user, logs) in users.iter().zip(&sent) {
        assert_logs(&fleet, user, *logs);
        assert_metrics(&fleet, user);
    }

    let canaries: Vec<Canary> = users
        .iter()
        .map(|user| Canary { region: "eu-west".to_owned(), kind: "user.id", needle: user.clone() })
        .chain([Canary { region: "eu-west".to_owned(), kind: "user.email", needle: "@kunde.example".to_owned() }])
        .collect();
    let outside = fleet.search(&ABROAD, &canaries);
    assert!(outside.bytes > 0 && outside.hits.is_empty(), "{}", shown(&outside, &canaries));
    let inside = fleet.search(&GATEWAYS, &canaries);
    assert_eq!(inside.found(), canaries.len(), "the search does not find what is there");
    for signal in [Signal::Metrics, Signal::Logs] {
        assert_withheld(&fleet, signal);
        for name in ABROAD {
            assert_eq!(fleet.accepted(name, signal), 0.0, "{name}");
        }
    }
}

/// Each link was offered all that the gateways took in, and withheld it.
#[track_caller]
fn assert_withheld(fleet: &Fleet, signal: Signal) {
    let accepted: f64 = GATEWAYS.iter().map(|name| fleet.accepted(name, signal)).sum();
    assert!(accepted > 0.0);
    for link in ["link/us-east/central", "link/uk-south/gateway"] {
        let of = |outcome| GATEWAYS.iter().map(|name| fleet.items(name, link, signal, outcome)).sum::<f64>();
        let counted = ["offered", "withheld", "sent"].map(of);
        assert_eq!(counted, [accepted, accepted, 0.0], "{signal} on {link}");
    }
}

/// The bodies of items under the resource attributes they arrived with, in an order of their own.
fn sorted(mut items: Vec<(Attributes, Vec<u8>)>) -> Vec<(Attributes, Vec<u8>)> {
    items.sort_by(|one, other| one.1.cmp(&other.1).then_with(|| format!("{:?}", one.0).cmp(&format!("{:?}", other.0))));
    items
}

fn stamp(mut attributes: Attributes, cluster: &str) -> Attributes {
    attributes.extend(STAMPED.map(|(key, value)| (key.to_owned(), json!(value))));
    attributes.insert("k8s.cluster.name".to_owned(), json!(cluster));
    attributes
}

fn sent_metrics(bytes: &[u8], cluster: &str) -> Vec<(Attributes, Vec<u8>)> {
    let mut sent = Vec::new();
    for group in ExportMetricsServiceRequest::decode(bytes).unwrap().resource_metrics {
        let resource = stamp(attributes_of(&group.resource.unwrap().attributes), cluster);
        let metrics = group.scope_metrics.into_iter().flat_map(|scope| scope.metrics);
        sent.extend(metrics.map(|metric| (resource.clone(), metric.encode_to_vec())));
    }
    sent
}

fn sent_logs(bytes: &[u8], cluster: &str) -> Vec<(Attributes, Vec<u8>)> {
    let mut sent = Vec::new();
    for group in ExportLogsServiceRequest::decode(bytes).unwrap().resource_logs {
        let resource = stamp(attributes_of(&group.resource.unwrap().attributes), cluster);
        let records = group.scope_logs.into_iter().flat_map(|scope| scope.log_records);
        sent.extend(records.map(|record| (resource.clone(), record.encode_to_vec())));
    }
    sent
}

#[test]
fn every_metric_and_log_record_reaches_the_regions_backend_as_it_was_sent_and_once() {
    let mut fleet = Fleet::lay_out();
    let backend = FakeBackend::start(fleet.block().socket(100, 0));
    let sink = format!("{{sink: {{otlp_grpc: \"{}\", signals: [metrics, logs], tls: off}}}}", backend.address());
    fleet.add_backends("eu-west/gateway", &sink);
    fleet.start([COLLECTOR, OTHER_COLLECTOR].into_iter().chain(GATEWAYS));
    let (mut metrics, mut logs) = (Vec::new(), Vec::new());
    let mut traffic = Traffic::new(11);
    for _ in 0..5 {
        let batch = traffic.batch(Clock::system().now(), 40);
        for request in batch.requests.into_iter().filter(|request| request.region == "eu-west") {
            let service = match request.signal {
                Signal::Traces => continue,
                Signal::Metrics => {
                    metrics.extend(sent_metrics(&request.bytes, request.cluster));
                    Service::Metrics
                }
                Signal::Logs => {
                    logs.extend(sent_logs(&request.bytes, request.cluster));
                    Service::Logs
                }
            };
            let collector = if request.cluster == "eu-west-a" { COLLECTOR } else { OTHER_COLLECTOR };
            Client::plain(fleet.otlp(collector)).export(service, request.bytes).unwrap();
        }
    }
    fleet.wait_idle(LIMIT);
    let received = backend.metrics().into_iter();
    let received = received.map(|found| (attributes_of(&found.resource.attributes), found.metric.encode_to_vec()));
    assert!(sorted(received.collect()) == sorted(metrics), "metrics differ from what was sent");
    let received = backend.logs().into_iter();
    let received = received.map(|found| (attributes_of(&found.resource.attributes), found.record.encode_to_vec()));
    assert!(sorted(received.collect()) == sorted(logs), "log records differ from what was sent");
}

/// One span a route, under a resource that claims to be from elsewhere.
fn with_routes(routes: &[(&str, Value)]) -> Vec<u8> {
    let now = Clock::system().now().nanos();
    let spans = (1..).zip(routes).map(|(number, (key, value))| {
        span(numbered(number), |span| {
            span.string(5, &format!("{key}={value}"));
            span.fixed64(7, now);
            span.fixed64(8, now + 1);
            match value.as_i64() {
                Some(int) => span.key_int(9, key, int),
                None => span.key_string(9, key, value.as_str().unwrap()),
            }
        })
    });
    let spans: Vec<_> = spans.collect();
    let claim = |resource: &mut Writer<'_>| {
        resource.key_string(1, "service.name", "frontend");
        for (key, value) in CLAIMED.split(',').filter_map(|claim| claim.split_once('=')) {
            resource.key_string(1, key, value);
        }
    };
    request_of(claim, &spans)
}

#[test]
fn health_checks_are_dropped_by_the_collectors_rule_and_nothing_else_is() {
    let mut fleet = Fleet::lay_out();
    fleet.start([COLLECTOR].into_iter().chain(GATEWAYS));
    let probes = ["/health", "/health/live", "/healthz", "/api/v2/health/ready"];
    let others = [
        ("http.route", json!("/checkout")),
        ("http.route", json!("/wealth")),
        ("http.route", json!(7)),
        ("url.path", json!("/health/live")),
        ("x.http.route", json!("/health/live")),
    ];
    let spans: Vec<_> = probes.iter().map(|route| ("http.route", json!(route))).chain(others.clone()).collect();
    let client = Client::plain(fleet.otlp(COLLECTOR)).compressed(CompressionEncoding::Gzip);
    assert!(client.export(Service::Traces, with_routes(&spans)).unwrap().is_empty(), "the sender is told of no loss");

    wait_until(LIMIT, "the region has what is left", || {
        // Nobody runs behind the links here.
        fleet.is_idle(COLLECTOR, "") && GATEWAYS.iter().all(|name| fleet.is_idle(name, "link/"))
    });
    let arrived = held(&fleet, "traces");
    let names: BTreeSet<_> = arrived.iter().map(|span| span.text("name").to_owned()).collect();
    assert_eq!(names, others.iter().map(|(key, value)| format!("{key}={value}")).collect());
    assert_eq!(arrived.len(), others.len());
    arrived.iter().for_each(|span| assert_stamped(&span.resource));
    assert_eq!(fleet.items(COLLECTOR, "gateway", Signal::Traces, "dropped"), probes.len() as f64);
}
