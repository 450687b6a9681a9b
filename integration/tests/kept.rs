//! A node that is restarted onto documents with a fault, and a reload that is asked for on the admin listener.
//!
//! Guarantees: its region's own paths run on the last documents that were in force; nothing crosses a border, and nothing of
//! what waits there is lost; status, metrics and log say why. Once the documents are mended, a reload opens the links.
#![expect(clippy::unwrap_used, reason = "a test stops where its surroundings fail it")]

use std::time::Duration;

use serde_json::Value;
use tollgate_federation::Signal;
use tollgate_integration::Fleet;
use tollgate_integration::fleet::ALL;
use tollgate_integration::requests::{numbered, request, span};
use tollgate_runtime::Clock;
use tollgate_testkit::{Client, FakeBackend, Service, http, wait_until};

const LIMIT: Duration = Duration::from_secs(90);
const COLLECTOR: &str = "eu-west-collector-eu-west-a-0";
const GATEWAY: &str = "eu-west-gateway-0";
const CENTRAL: [&str; 2] = ["us-east-central-0", "us-east-central-1"];
const LINK: &str = "link/us-east/central";
const RESIDENCY: &str = "policies/residency.yaml";

fn send(fleet: &Fleet, number: u64) {
    let now = Clock::system().now().nanos();
    let one = span(numbered(number), |span| {
        span.string(5, "GET");
        span.fixed64(7, now);
        span.fixed64(8, now + 1);
    });
    Client::plain(fleet.otlp(COLLECTOR)).export(Service::Traces, request(&[one])).unwrap();
}

fn has(backend: &FakeBackend, number: u64) -> bool {
    backend.spans().iter().any(|found| found.span.span_id == number.to_be_bytes())
}

/// Asks for a reload; the answer's code and what it says.
fn reload(fleet: &Fleet) -> (u16, Value) {
    let reply = http::post(fleet.admin(GATEWAY), "/-/reload", "text/plain", &[], &[]).unwrap();
    (reply.status, serde_json::from_slice(&reply.body).unwrap())
}

#[test]
fn a_restart_onto_documents_with_a_fault_serves_the_region_and_opens_the_links_once_they_are_mended() {
    let mut fleet = Fleet::lay_out();
    let [own, abroad] = [100, 101].map(|last| FakeBackend::start(fleet.block().socket(last, 0)));
    let sink = |backend: &FakeBackend| {
        format!("{{sink: {{otlp_grpc: \"{}\", signals: [traces], tls: off}}}}", backend.address())
    };
    fleet.add_backends("eu-west/gateway", &sink(&own));
    fleet.add_backends("us-east/central", &sink(&abroad));
    fleet.sample(ALL);
    fleet.with_one_eu_gateway();
    fleet.start([COLLECTOR, GATEWAY].into_iter().chain(CENTRAL));
    send(&fleet, 1);
    wait_until(LIMIT, "all ways are open", || has(&own, 1) && has(&abroad, 1));
    let before = fleet.status(GATEWAY)["documents"].clone();

    fleet.stop(GATEWAY);
    fleet.edit(RESIDENCY, |text| text.replace("op: raw", "op: cooked"));
    fleet.start([GATEWAY]);
    let status = fleet.status(GATEWAY);
    assert_eq!((&status["links"], &status["documents"]), (&"closed".into(), &before));
    let faults = status["documents_refused"]["faults"].to_string();
    assert!(faults.contains("policies/residency.yaml:") && faults.contains("cooked"), "{faults}");
    for metric in ["tollgate_links_closed", "tollgate_documents_refused"] {
        assert_eq!(fleet.metric(GATEWAY, metric, &[]), Some(1.0), "{metric}");
    }
    assert!(fleet.process(GATEWAY).log().contains("with all links closed"));
    send(&fleet, 2);
    wait_until(LIMIT, "the region's own path runs", || has(&own, 2));
    wait_until(LIMIT, "what would cross waits", || fleet.lags(GATEWAY).get(&format!("traces/{LINK}")) > Some(&0));

    let (code, refused) = reload(&fleet);
    assert_eq!((code, &refused["outcome"], &refused["reason"]), (422, &"refused".into(), &"invalid".into()));
    assert!(refused["faults"].to_string().contains("policies/residency.yaml:"), "{refused}");
    assert_eq!(fleet.status(GATEWAY)["links"], "closed");
    let metrics = fleet.planned(GATEWAY).metrics();
    assert_eq!(http::post(metrics, "/-/reload", "text/plain", &[], &[]).unwrap().status, 405, "not where metrics are");
    assert_eq!(fleet.items(GATEWAY, LINK, Signal::Traces, "sent"), 0.0);
    assert!(!has(&abroad, 2));

    fleet.edit(RESIDENCY, |text| text.replace("op: cooked", "op: raw"));
    let (code, opened) = reload(&fleet);
    assert_eq!((code, &opened["outcome"], &opened["documents"]), (200, &"opened".into(), &before));
    wait_until(LIMIT, "what waited crosses", || has(&abroad, 2));
    assert_eq!(reload(&fleet).1["outcome"], "unchanged");
    let status = fleet.status(GATEWAY);
    assert_eq!((&status["links"], &status["documents_refused"]), (&"open".into(), &Value::Null));
    assert_eq!(fleet.metric(GATEWAY, "tollgate_links_closed", &[]), Some(0.0));
    assert_eq!(fleet.items(GATEWAY, LINK, Signal::Traces, "withheld"), 0.0);
}
