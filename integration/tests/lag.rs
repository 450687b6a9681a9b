//! A region is cut off from central for longer than a trace waits for its verdict, and has the only errors.
//!
//! Guarantees: verdicts wait for the region as long as `decision_wait_max` says, whether its gateways stand still or die; its
//! errors count, and traces are kept whole, at one central node; also where central is restarted meanwhile. Who is waited for and by how much it lags shows in the metrics.
#![expect(clippy::unwrap_used, reason = "a test stops where its surroundings fail it")]

use std::time::Duration;

use tollgate_integration::Fleet;
use tollgate_integration::ledger::Span;
use tollgate_integration::meeting::{CENTRAL, COLLECTORS, GATEWAYS, Meeting};
use tollgate_integration::requests::{fail, request, span};
use tollgate_otlp::{SpanId, TraceId};
use tollgate_testkit::{Client, Service, wait_until};

const LIMIT: Duration = Duration::from_secs(60);
const DECISION_WAIT: u64 = 2;
/// Longer than anything here takes.
const PATIENCE: &str = "decision_wait_max: 10m\n";
const TRACES: u8 = 40;
const PENDING: &str = "otelcol_processor_tail_sampling_sampling_traces_on_memory";
const INCOMPLETE: &str = "tollgate_sampling_traces_incomplete_total";
const LAG: &str = "tollgate_sender_lag_seconds";

fn spans(number: u8) -> impl Iterator<Item = Span> {
    (1..=TRACES).map(move |trace| (TraceId([trace; 16]), SpanId([number; 8])))
}

#[track_caller]
fn send(fleet: &Fleet, collector: &str, spans: Vec<Vec<u8>>) {
    Client::plain(fleet.otlp(collector)).export(Service::Traces, request(&spans)).unwrap();
}

fn sum(fleet: &Fleet, metric: &str) -> f64 {
    CENTRAL.iter().filter_map(|central| fleet.metric(central, metric, &[])).sum()
}

/// How far behind central nodes think that a sender is, the least and the most; nothing until both have heard of it.
fn lag(fleet: &Fleet, gateway: &str) -> Option<(f64, f64)> {
    let node = fleet.planned(gateway).node.to_string();
    let of = |central: &&str| fleet.metric(central, LAG, &[&format!("\"{node}\"")]);
    let lags: Vec<f64> = CENTRAL.iter().filter_map(of).collect();
    (lags.len() == CENTRAL.len()).then(|| (lags[0].min(lags[1]), lags[0].max(lags[1])))
}

/// Starts the meeting with nothing under way, and everybody heard of.
fn start() -> Meeting {
    let mut fleet = Fleet::lay_out();
    fleet
        .sample_after(DECISION_WAIT, "    - {name: errors, type: status_code, status_code: {status_codes: [ERROR]}}\n");
    fleet.edit("policies/sampling.yaml", |text| text + PATIENCE);
    fleet.start(Meeting::names());
    let is_heard = |gateway: &&str| lag(&fleet, gateway).is_some_and(|(_, most)| most < 2.0);
    wait_until(LIMIT, "everybody is heard of, and nobody lags", || GATEWAYS.iter().all(is_heard));
    Meeting { fleet }
}

/// Of each trace one span reaches central; the error waits in the region that is cut off. Longer than the wait goes by.
fn part(fleet: &Fleet) {
    send(fleet, COLLECTORS[0], spans(2).map(|ids| span(ids, fail)).collect());
    send(fleet, COLLECTORS[1], spans(1).map(|ids| span(ids, |_| ())).collect());
    wait_until(LIMIT, "each trace waits at central", || sum(fleet, PENDING) >= f64::from(TRACES));
    std::thread::sleep(Duration::from_secs(DECISION_WAIT * 3));
    assert!(sum(fleet, PENDING) >= f64::from(TRACES), "judged without the region that is cut off");
    let behind = |gateway: &&str| lag(fleet, gateway).is_some_and(|(least, _)| least > DECISION_WAIT as f64);
    assert!(GATEWAYS[..2].iter().all(behind), "{:?}", GATEWAYS.map(|gateway| lag(fleet, gateway)));
}

#[track_caller]
fn assert_whole(fleet: &Fleet) {
    assert_whole_of(fleet, &GATEWAYS);
}

/// The same, where these gateways run.
#[track_caller]
fn assert_whole_of(fleet: &Fleet, gateways: &[&str]) {
    let all: Vec<Span> = spans(1).chain(spans(2)).collect();
    let is_there = || {
        let delivered = fleet.exported(&CENTRAL);
        all.iter().all(|span| !delivered.places_of(span).is_empty())
    };
    wait_until(LIMIT, "each trace is kept, with both spans", is_there);
    let delivered = fleet.exported(&CENTRAL);
    assert!(all.iter().all(|(trace, _)| delivered.places_of_trace(trace).len() == 1), "a trace is split");
    assert_eq!(sum(fleet, INCOMPLETE), 0.0, "nobody was judged early");
    let caught_up = |gateway: &&str| lag(fleet, gateway).is_some_and(|(_, most)| most < 2.0);
    wait_until(LIMIT, "nobody lags any more", || gateways.iter().all(caught_up));
}

#[test]
fn errors_of_a_region_whose_gateways_stand_still_count() {
    let mut meeting = start();
    GATEWAYS[..2].iter().for_each(|gateway| meeting.fleet.process(gateway).pause());
    part(&meeting.fleet);
    GATEWAYS[..2].iter().for_each(|gateway| meeting.fleet.process(gateway).resume());
    assert_whole(&meeting.fleet);
}

#[test]
fn errors_of_a_region_whose_gateways_die_and_come_back_count() {
    let mut meeting = start();
    GATEWAYS[..2].iter().for_each(|gateway| meeting.fleet.kill(gateway));
    part(&meeting.fleet);
    meeting.fleet.start(GATEWAYS[..2].iter().copied());
    assert_whole(&meeting.fleet);
}

/// Scenario: the region is cut off already when central is killed and started. Guarantees: it waits for whom it has yet to hear of.
#[test]
fn errors_of_a_region_that_is_cut_off_while_central_restarts_count() {
    let mut meeting = start();
    let remembers = |central: &&str| {
        let senders = meeting.fleet.folder().join(&meeting.fleet.planned(central).data).join("senders");
        let senders = std::fs::read_to_string(senders).unwrap_or_default();
        let known: Vec<_> = senders.lines().collect();
        GATEWAYS.iter().all(|gateway| known.contains(&&*meeting.fleet.planned(gateway).node.to_string()))
    };
    wait_until(LIMIT, "central remembers who sends", || CENTRAL.iter().all(remembers));
    GATEWAYS[..2].iter().chain(&CENTRAL).for_each(|node| meeting.fleet.kill(node));
    meeting.fleet.start(CENTRAL);
    part(&meeting.fleet);
    meeting.fleet.start(GATEWAYS[..2].iter().copied());
    assert_whole(&meeting.fleet);
}

/// Scenario: a gateway is stopped in order, with nothing left. Guarantees: from then on nobody waits for it, as nothing comes from it;
/// when it is started again, it is one of those who are waited for.
#[test]
fn a_gateway_that_said_goodbye_is_not_waited_for() {
    let mut meeting = start();
    let gateway = GATEWAYS[0];
    meeting.fleet.stop(gateway);
    let knows = |fleet: &Fleet, central: &str| {
        let node = fleet.planned(gateway).node.to_string();
        fleet.metric(central, LAG, &[&format!("\"{node}\"")]).is_some()
    };
    wait_until(LIMIT, "central does not miss it", || !CENTRAL.iter().any(|central| knows(&meeting.fleet, central)));
    send(&meeting.fleet, COLLECTORS[0], spans(2).map(|ids| span(ids, fail)).collect());
    send(&meeting.fleet, COLLECTORS[1], spans(1).map(|ids| span(ids, |_| ())).collect());
    assert_whole_of(&meeting.fleet, &GATEWAYS[1..]);
    meeting.fleet.start([gateway]);
    wait_until(LIMIT, "central hears of it", || CENTRAL.iter().all(|central| knows(&meeting.fleet, central)));
}
