//! All three signals over a border that rules open for them, with a marker in every place of every message.
//!
//! Guarantees: only the markers that the rules let cross are anywhere on the far side, in the spools, files, logs, metrics
//! and pages of its processes and in the bytes its backend got; the same search finds all of them at home. Every number,
//! time, id and point arrives as it was sent, stripped exemplars do not. What a link was offered crossed or was withheld,
//! and was counted by signal; another link that no rule opens let nothing through.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where its surroundings fail it")]

#[path = "../../crates/redaction/tests/seal/sow.rs"]
mod sow;

use std::collections::BTreeSet;
use std::time::Duration;

use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{Exemplar, Metric};
use prost::Message;
use sow::{Kind, Sower};
use tollgate_federation::Signal;
use tollgate_integration::Fleet;
use tollgate_integration::evidence::{search_bytes, shown};
use tollgate_integration::fleet::ALL;
use tollgate_scenario::canary::Canary;
use tollgate_testkit::{Client, FakeBackend, Service, wait_until};

const LIMIT: Duration = Duration::from_secs(60);
const COLLECTOR: &str = "eu-west-collector-eu-west-a-0";
const GATEWAYS: [&str; 2] = ["eu-west-gateway-0", "eu-west-gateway-1"];
const HOME: [&str; 3] = [COLLECTOR, GATEWAYS[0], GATEWAYS[1]];
const CENTRAL: [&str; 2] = ["us-east-central-0", "us-east-central-1"];
const ABROAD: [&str; 4] = ["uk-south-gateway-0", "us-east-gateway-0", "us-east-central-0", "us-east-central-1"];
/// Requests of each signal.
const REQUESTS: usize = 12;

/// What the example lets cross of traces from the EEA to the US, for another signal.
fn opened(residency: &str, signal: Signal, more: &str) -> String {
    let traces = residency.split_once("  - id: eea-us-traces\n").unwrap().1.split_once("\n\n").unwrap().0;
    let rule = traces.replacen("signal: traces", &format!("signal: {signal}{more}"), 1);
    let closed = format!("  - {{id: eea-us-{signal}, origin: EEA, reaching: US, signal: {signal}, deny: [all]}}");
    residency.replace(&closed, &format!("  - id: eea-us-{signal}\n{rule}\n"))
}

/// Every link names metrics and logs; rules open the one to central, whose backend keeps every byte.
fn fleet() -> (Fleet, FakeBackend) {
    let fleet = Fleet::lay_out();
    fleet.edit("regions/federation.yaml", |text| text.replace("signals: [traces]", "signals: [traces, metrics, logs]"));
    fleet.edit("policies/residency.yaml", |text| {
        let strip = "\n    require: {strip: [exemplars]}";
        opened(&opened(&text, Signal::Metrics, strip), Signal::Logs, "")
    });
    let backend = FakeBackend::start(fleet.block().socket(100, 0));
    let sink =
        format!("{{sink: {{otlp_grpc: \"{}\", signals: [traces, metrics, logs], tls: off}}}}", backend.address());
    fleet.add_backends("us-east/central", &sink);
    fleet.sample(ALL);
    (fleet, backend)
}

/// What was sent, of metrics and logs without attributes and words: the numbers, times and ids that must arrive.
#[derive(Default)]
struct Sent {
    metrics: Vec<Metric>,
    logs: Vec<LogRecord>,
    spans: usize,
    /// All exemplars, in words.
    exemplars: String,
}

fn exemplars(metric: &Metric) -> Vec<&Exemplar> {
    match metric.data.as_ref().unwrap() {
        Data::Gauge(data) => data.data_points.iter().flat_map(|point| &point.exemplars).collect(),
        Data::Sum(data) => data.data_points.iter().flat_map(|point| &point.exemplars).collect(),
        Data::Histogram(data) => data.data_points.iter().flat_map(|point| &point.exemplars).collect(),
        Data::ExponentialHistogram(data) => data.data_points.iter().flat_map(|point| &point.exemplars).collect(),
        Data::Summary(_) => Vec::new(),
    }
}

fn bare_metric(mut metric: Metric) -> Metric {
    (metric.description, metric.unit, metric.metadata) = (String::new(), String::new(), Vec::new());
    let clear = |exemplars: &mut Vec<Exemplar>| exemplars.clear();
    macro_rules! bare {
        ($data:expr $(, $exemplars:ident)?) => {
            $data.data_points.iter_mut().for_each(|point| {
                point.attributes.clear();
                $(clear(&mut point.$exemplars);)?
            })
        };
    }
    match metric.data.as_mut().unwrap() {
        Data::Gauge(data) => bare!(data, exemplars),
        Data::Sum(data) => bare!(data, exemplars),
        Data::Histogram(data) => bare!(data, exemplars),
        Data::ExponentialHistogram(data) => bare!(data, exemplars),
        Data::Summary(data) => bare!(data),
    }
    metric
}

fn bare_log(record: LogRecord) -> LogRecord {
    LogRecord {
        severity_text: String::new(),
        body: None,
        attributes: Vec::new(),
        dropped_attributes_count: 0,
        event_name: String::new(),
        ..record
    }
}

/// In an order of their own.
fn sorted<M: Message>(messages: impl IntoIterator<Item = M>) -> Vec<Vec<u8>> {
    let mut encoded: Vec<_> = messages.into_iter().map(|message| message.encode_to_vec()).collect();
    encoded.sort();
    encoded
}

fn send(fleet: &Fleet, sower: &mut Sower) -> Sent {
    let client = Client::plain(fleet.otlp(COLLECTOR));
    let mut sent = Sent::default();
    for _ in 0..REQUESTS {
        let metrics = sower.metrics();
        let scopes = metrics.resource_metrics.iter().flat_map(|group| &group.scope_metrics);
        let all: Vec<_> = scopes.flat_map(|scope| &scope.metrics).collect();
        sent.exemplars.extend(all.iter().map(|metric| format!("{:?}", exemplars(metric))));
        sent.metrics.extend(all.into_iter().cloned().map(bare_metric));
        let request = sower.with_unknown_fields(&metrics.encode_to_vec(), Kind::Request(Signal::Metrics));
        client.export(Service::Metrics, request).unwrap();
        let logs = sower.logs();
        let scopes = logs.resource_logs.iter().flat_map(|group| &group.scope_logs);
        sent.logs.extend(scopes.flat_map(|scope| scope.log_records.iter().cloned()).map(bare_log));
        let request = sower.with_unknown_fields(&logs.encode_to_vec(), Kind::Request(Signal::Logs));
        client.export(Service::Logs, request).unwrap();
        let traces = sower.request();
        let scopes = traces.resource_spans.iter().flat_map(|group| &group.scope_spans);
        sent.spans += scopes.map(|scope| scope.spans.len()).sum::<usize>();
        let request = sower.with_unknown_fields(&traces.encode_to_vec(), Kind::Request(Signal::Traces));
        client.export(Service::Traces, request).unwrap();
    }
    // What would cross elsewhere is stripped with the exemplar that it stands on.
    let open = std::mem::take(&mut sower.open);
    let (stripped, open): (Vec<_>, Vec<_>) = open.into_iter().partition(|marker| sent.exemplars.contains(marker));
    assert!(stripped.len() > 20, "{stripped:?}");
    sower.open = open;
    sower.closed.extend(stripped);
    sent
}

fn canaries(markers: &[String]) -> Vec<Canary> {
    let canary = |needle: &String| Canary { region: "eu-west".to_owned(), kind: "marker", needle: needle.clone() };
    markers.iter().map(canary).collect()
}

#[track_caller]
fn assert_only_permitted_markers_crossed(fleet: &Fleet, backend: &FakeBackend, sower: &Sower) {
    let (closed, open) = (canaries(&sower.closed), canaries(&sower.open));
    assert!(closed.len() > 1_000 && open.len() > 100, "{} and {}", closed.len(), open.len());
    let outside = fleet.search(&ABROAD, &closed);
    assert!(outside.bytes > 0 && outside.hits.is_empty(), "{}", shown(&outside, &closed));
    let at_backend = search_bytes("the backend of central", &backend.raw(), &closed);
    assert!(at_backend.bytes > 0 && at_backend.hits.is_empty(), "{}", shown(&at_backend, &closed));
    assert_eq!(search_bytes("the backend of central", &backend.raw(), &open).found(), open.len());
    assert_eq!(fleet.search(&HOME, &closed).found(), closed.len(), "the search does not find what is there");
}

#[track_caller]
fn assert_counted(fleet: &Fleet, signal: Signal, expected: usize) {
    let at = |names: &[&str], consumer: &str, outcome: &str| -> f64 {
        names.iter().map(|name| fleet.items(name, consumer, signal, outcome)).sum()
    };
    let expected = expected as f64;
    let counted = |link: &str| ["offered", "sent", "withheld"].map(|outcome| at(&GATEWAYS, link, outcome));
    assert_eq!(counted("link/us-east/central"), [expected, expected, 0.0], "{signal}");
    assert_eq!(counted("link/uk-south/gateway"), [expected, 0.0, expected], "{signal}");
    assert_eq!(CENTRAL.iter().map(|name| fleet.accepted(name, signal)).sum::<f64>(), expected, "{signal}");
    assert_eq!(fleet.accepted("uk-south-gateway-0", signal), 0.0, "{signal}");
}

#[test]
fn of_every_signal_only_what_rules_open_crosses_and_all_of_that_arrives() {
    let (mut fleet, backend) = fleet();
    fleet.start([COLLECTOR].into_iter().chain(GATEWAYS).chain(ABROAD));
    let mut sower = Sower::new(5);
    let sent = send(&fleet, &mut sower);
    let arrived = || [backend.metrics().len(), backend.logs().len(), backend.spans().len()];
    let expected = [sent.metrics.len(), sent.logs.len(), sent.spans];
    wait_until(LIMIT, "all metrics, logs and spans arrive", || {
        arrived().iter().zip(&expected).all(|(one, all)| one >= all)
    });
    fleet.wait_idle(LIMIT);

    assert_only_permitted_markers_crossed(&fleet, &backend, &sower);
    assert_counted(&fleet, Signal::Metrics, sent.metrics.len());
    assert_counted(&fleet, Signal::Logs, sent.logs.len());
    let metrics = || backend.metrics().into_iter().map(|found| found.metric);
    assert!(metrics().all(|metric| exemplars(&metric).is_empty()));
    assert!(sorted(metrics().map(bare_metric)) == sorted(sent.metrics), "metrics differ from what was sent");
    let logs = backend.logs().into_iter().map(|found| bare_log(found.record));
    assert!(sorted(logs) == sorted(sent.logs), "log records differ from what was sent");
    let policies: BTreeSet<_> = backend.logs().iter().map(|found| format!("{:?}", found.scope.attributes)).collect();
    assert!(policies.iter().all(|said| said.contains("tollgate.policy")), "{policies:?}");
}
