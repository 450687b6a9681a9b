//! One of two central nodes goes away for a while and comes back under traffic.
//!
//! Guarantees: every acknowledged span of a kept trace arrives; all spans of a trace are at one central node, all of them
//! or none; a verdict has seen the whole trace; the region's own backends have everything. A node that stops says so
//! first, and refuses retryably.

use std::time::Duration;

use tollgate_integration::meeting::{CENTRAL, COLLECTORS, GATEWAYS};
use tollgate_integration::{Fleet, Meeting, Traffic};
use tollgate_testkit::{Client, Service, http, wait_until};

const LIMIT: Duration = Duration::from_secs(40);
/// As in the example: what comes late because a node was away must still be in time for the verdict.
const DECISION_WAIT: u64 = 5;

/// How long the node is away.
fn away() -> Duration {
    Duration::from_secs(if std::env::var_os("TOLLGATE_FULL").is_some() { 20 } else { 6 })
}

#[test]
fn stopping_and_starting_a_central_node_loses_repeats_and_splits_nothing() {
    let mut meeting = Meeting::start(DECISION_WAIT);
    let traffic = meeting.traffic(1);
    traffic.flow(200);
    assert!(meeting.fleet.stop(CENTRAL[1]).success());
    std::thread::sleep(away());
    traffic.flow(200);
    meeting.fleet.start([CENTRAL[1]]);
    traffic.flow(200);
    let findings = meeting.end(traffic);
    findings.assert_in_time();
    assert_eq!(findings.repeated, 0, "{findings}");
    let delivered = meeting.fleet.exported(&CENTRAL);
    for central in 0..CENTRAL.len() {
        assert!(delivered.spans_at(central) > delivered.spans() / 5, "both nodes have their share");
    }
}

#[test]
fn killing_a_central_node_loses_and_splits_nothing() {
    let mut meeting = Meeting::start(DECISION_WAIT);
    let traffic = meeting.traffic(2);
    traffic.flow(200);
    meeting.fleet.kill(CENTRAL[1]);
    std::thread::sleep(away());
    meeting.fleet.start([CENTRAL[1]]);
    traffic.flow(200);
    meeting.end(traffic).assert_in_time();
}

#[test]
fn a_stopping_node_says_so_and_refuses_retryably_and_keeps_what_it_acknowledged() {
    let mut fleet = Fleet::lay_out();
    let (collector, gateways) = (COLLECTORS[0], &GATEWAYS[..2]);
    fleet.start([collector]);
    let client = Client::plain(fleet.otlp(collector));
    // Nobody is there to take it, so the node cannot flush its windows and stops as late as it may.
    let traffic = Traffic::start(&[fleet.otlp(collector)], Duration::from_millis(40), 3);
    traffic.flow(30);
    let admin = fleet.admin(collector);
    assert!(fleet.is_ready(collector));
    fleet.process(collector).terminate();
    wait_until(LIMIT, "readiness goes", || http::get(admin, "/readyz").is_ok_and(|reply| reply.status == 503));
    assert_eq!(http::get(admin, "/livez").unwrap().status, 200);

    let refused = client.export(Service::Traces, Vec::new()).unwrap_err();
    assert_eq!(refused.code(), tonic::Code::Unavailable, "{refused}");
    assert!(!refused.details().is_empty(), "when to come back is not said");
    let otlp_http = fleet.planned(collector).otlp_http().unwrap();
    let reply = http::post(otlp_http, "/v1/traces", "application/x-protobuf", &[], b"").unwrap();
    assert_eq!((reply.status, reply.header("retry-after")), (503, Some("1")));
    assert!(fleet.process(collector).is_running());
    assert!(fleet.wait_for_end(collector).success());

    fleet.start([collector].into_iter().chain(gateways.iter().copied()));
    let ledger = traffic.stop();
    let is_there = || ledger.missing_anywhere(&fleet.exported(gateways)).is_empty();
    wait_until(LIMIT, "what was acknowledged arrives", is_there);
}
