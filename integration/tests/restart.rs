//! One of two central nodes goes away for a while and comes back under traffic.
//!
//! Guarantees: every acknowledged span of a kept trace arrives; all spans of a trace are at one central node, all of them
//! or none; a verdict has seen the whole trace; the region's own backends have everything. A node that stops says so
//! first, and refuses retryably.

use std::time::Duration;

use tollgate_integration::{Delivered, Fleet, Ledger, Traffic};
use tollgate_testkit::{Client, Service, http, wait_until};

const EU_COLLECTOR: &str = "eu-west-collector-eu-west-a-0";
const US_COLLECTOR: &str = "us-east-collector-us-east-a-0";
const GATEWAYS: [&str; 3] = ["eu-west-gateway-0", "eu-west-gateway-1", "us-east-gateway-0"];
const CENTRAL: [&str; 2] = ["us-east-central-0", "us-east-central-1"];

const EVERY: Duration = Duration::from_millis(40);
const LIMIT: Duration = Duration::from_secs(40);
/// Errors are kept, the rest is dropped: each span of the ledger's traces knows its fate.
const ERRORS: &str = "    - {name: errors, type: status_code, status_code: {status_codes: [ERROR]}}\n";

/// How long the node is away.
fn away() -> Duration {
    Duration::from_secs(if std::env::var_os("TOLLGATE_FULL").is_some() { 20 } else { 6 })
}

fn fleet() -> Fleet {
    let mut fleet = Fleet::lay_out();
    fleet.sample(ERRORS);
    // As in the example: what comes late because a node was away must still be in time for the verdict.
    fleet.edit("policies/sampling.yaml", |text| text.replace("decision_wait: 1s", "decision_wait: 5s"));
    fleet.start([EU_COLLECTOR, US_COLLECTOR].into_iter().chain(GATEWAYS).chain(CENTRAL));
    fleet
}

fn traffic(fleet: &Fleet, seed: u64) -> Traffic {
    Traffic::start(&[fleet.otlp(EU_COLLECTOR), fleet.otlp(US_COLLECTOR)], EVERY, seed)
}

/// Waits until nothing is on its way any more.
#[track_caller]
fn settle(fleet: &Fleet, ledger: &Ledger) -> Delivered {
    wait_until(LIMIT, "all spans of kept traces arrive", || ledger.outstanding(&fleet.exported(&CENTRAL)) == 0);
    let in_the_regions = || ledger.missing_anywhere(&fleet.exported(&GATEWAYS)).is_empty();
    wait_until(LIMIT, "the regions have everything", in_the_regions);
    // Nobody runs in the UK.
    let is_idle = |node: &&str| fleet.is_idle(node, "uk-south");
    wait_until(LIMIT, "nothing is on its way", || GATEWAYS.iter().chain(&CENTRAL).all(is_idle));
    fleet.exported(&CENTRAL)
}

/// Spans acknowledged from now on.
fn wait_for_traffic(traffic: &Traffic, spans: usize) {
    let before = traffic.acknowledged();
    wait_until(LIMIT, "traffic flows", || traffic.acknowledged() >= before + spans);
}

#[test]
fn stopping_and_starting_a_central_node_loses_repeats_and_splits_nothing() {
    let mut fleet = fleet();
    let traffic = traffic(&fleet, 1);
    wait_for_traffic(&traffic, 200);
    assert!(fleet.stop(CENTRAL[1]).success());
    std::thread::sleep(away());
    wait_for_traffic(&traffic, 200);
    fleet.start([CENTRAL[1]]);
    wait_for_traffic(&traffic, 200);
    let ledger = traffic.stop();
    let delivered = settle(&fleet, &ledger);
    let findings = ledger.check(&delivered);
    println!("{ledger}: {findings}");
    findings.assert_complete();
    assert_eq!(findings.too_late.0, 0, "{findings}");
    assert_eq!(findings.repeated, 0, "{findings}");
    for central in 0..CENTRAL.len() {
        assert!(delivered.spans_at(central) > ledger.spans() / 10, "both nodes have their share");
    }
}

#[test]
fn killing_a_central_node_loses_and_splits_nothing() {
    let mut fleet = fleet();
    let traffic = traffic(&fleet, 2);
    wait_for_traffic(&traffic, 200);
    fleet.kill(CENTRAL[1]);
    std::thread::sleep(away());
    fleet.start([CENTRAL[1]]);
    wait_for_traffic(&traffic, 200);
    let ledger = traffic.stop();
    let findings = ledger.check(&settle(&fleet, &ledger));
    println!("{ledger}: {findings}");
    findings.assert_complete();
    assert_eq!(findings.too_late.0, 0, "{findings}");
}

#[test]
fn a_stopping_node_says_so_and_refuses_retryably_and_keeps_what_it_acknowledged() {
    let mut fleet = Fleet::lay_out();
    fleet.start([EU_COLLECTOR]);
    let client = Client::plain(fleet.otlp(EU_COLLECTOR));
    // Nobody is there to take it, so the node cannot flush its windows and stops as late as it may.
    let traffic = Traffic::start(&[fleet.otlp(EU_COLLECTOR)], EVERY, 3);
    wait_for_traffic(&traffic, 30);
    let admin = fleet.admin(EU_COLLECTOR);
    assert_eq!(http::get(admin, "/readyz").unwrap().status, 200);
    fleet.process(EU_COLLECTOR).terminate();
    wait_until(LIMIT, "readiness goes", || http::get(admin, "/readyz").is_ok_and(|reply| reply.status == 503));
    assert_eq!(http::get(admin, "/livez").unwrap().status, 200);

    let refused = client.export(Service::Traces, Vec::new()).unwrap_err();
    assert_eq!(refused.code(), tonic::Code::Unavailable, "{refused}");
    assert!(!refused.details().is_empty(), "when to come back is not said");
    let otlp_http = fleet.planned(EU_COLLECTOR).otlp_http().unwrap();
    let reply = http::post(otlp_http, "/v1/traces", "application/x-protobuf", &[], b"").unwrap();
    assert_eq!((reply.status, reply.header("retry-after")), (503, Some("1")));
    assert!(fleet.process(EU_COLLECTOR).is_running());
    assert!(fleet.wait_for_end(EU_COLLECTOR).success());

    fleet.start([EU_COLLECTOR].into_iter().chain(GATEWAYS[..2].iter().copied()));
    let ledger = traffic.stop();
    let is_there = || ledger.missing_anywhere(&fleet.exported(&GATEWAYS[..2])).is_empty();
    wait_until(LIMIT, "what was acknowledged arrives", is_there);
}
