//! A process that stands still: the kernel takes connections and bytes for it, and nobody answers.
//!
//! Guarantees: every acknowledged span of a kept trace arrives and no trace is split, also when the process goes on after
//! longer than any request is waited for; what it does not own flows on meanwhile, and its senders stay well. What a
//! stateless process does not take goes to another one.

use std::time::Duration;

use tollgate_integration::ledger::Span;
use tollgate_integration::meeting::{CENTRAL, COLLECTORS, GATEWAYS};
use tollgate_integration::requests::{fail, request, span};
use tollgate_integration::{Fleet, Meeting};
use tollgate_otlp::{SpanId, TraceId};
use tollgate_runtime::Clock;
use tollgate_testkit::{Client, Service, wait_until};

const LIMIT: Duration = Duration::from_secs(60);
/// As in the example: what comes late because a node stood still must still be in time for the verdict.
const DECISION_WAIT: u64 = 5;
/// What a sound lane may have in front of it at any time: a few requests.
const BOUND: u64 = 64 << 10;
/// What windows and parcels may take while a lane waits.
const GROWTH: u64 = 64 << 20;

/// Between tiers an answer is waited for 15 s, and after 40 s without a word the connection is given up too.
fn stall() -> Duration {
    Duration::from_secs(if std::env::var_os("TOLLGATE_FULL").is_some() { 45 } else { 17 })
}

/// The consumer of a gateway that leads to central: over a link, or at home.
fn to_central(gateway: &str) -> &'static str {
    if gateway.starts_with("us-east") { "traces/central" } else { "traces/link/us-east/central" }
}

/// Nothing but the lanes to the node that stands still is behind, and the gateway is well.
#[track_caller]
fn assert_others_flow(fleet: &Fleet, gateway: &str, stalled: &str) {
    assert!(fleet.is_ready(gateway), "{gateway}");
    let lanes = fleet.lane_lags(gateway, to_central(gateway));
    let late = lanes.iter().find(|(node, lag)| *node != stalled && **lag > BOUND);
    assert_eq!(late, None, "{gateway}: {lanes:?}");
    let lags = fleet.lags(gateway);
    let late = lags.iter().find(|(name, lag)| name.contains("backend") && **lag > BOUND);
    assert_eq!(late, None, "{gateway}: {lags:?}");
}

#[test]
fn a_central_node_that_stands_still_holds_up_its_own_traces_only_and_loses_and_splits_nothing() {
    let mut meeting = Meeting::start(DECISION_WAIT);
    let traffic = meeting.traffic(1);
    traffic.flow(200);
    let before = GATEWAYS.map(|gateway| meeting.fleet.peak_memory(gateway));
    let (clock, stalled) = (Clock::system(), "1");
    meeting.fleet.process(CENTRAL[1]).pause();
    let end = clock.uptime() + stall();
    while clock.uptime() < end {
        let delivered = || meeting.fleet.exported(&CENTRAL).spans_at(0);
        let there = delivered();
        traffic.flow(50);
        wait_until(LIMIT, "the other node's traces flow on", || delivered() > there);
        for gateway in GATEWAYS {
            assert_others_flow(&meeting.fleet, gateway, stalled);
        }
    }
    let lag = |gateway: &str| meeting.fleet.lane_lags(gateway, to_central(gateway))[stalled];
    assert!(GATEWAYS.iter().all(|gateway| lag(gateway) > BOUND), "it stood still, and its share waits in the log");
    meeting.fleet.process(CENTRAL[1]).resume();
    traffic.flow(200);
    meeting.end(traffic).assert_in_time();
    for (gateway, before) in GATEWAYS.into_iter().zip(before) {
        let grown = meeting.fleet.peak_memory(gateway).saturating_sub(before);
        assert!(grown < GROWTH, "{gateway}: {} MiB more", grown >> 20);
    }
}

/// Scenario: of each trace one span is at central when that stops where it stands; the other one, an error, waits at a
/// gateway until it goes on. Guarantees: the time in which it stood still is no time in which the error could have come.
#[test]
fn a_trace_that_waited_while_central_stood_still_is_judged_by_what_comes_after() {
    const TRACES: u8 = 40;
    let mut meeting = Meeting::start(DECISION_WAIT);
    let spans = |number: u8| (1..=TRACES).map(move |trace| (TraceId([trace; 16]), SpanId([number; 8])));
    let send = |fleet: &Fleet, collector: &str, spans: Vec<Vec<u8>>| {
        Client::plain(fleet.otlp(collector)).export(Service::Traces, request(&spans)).unwrap();
    };
    send(&meeting.fleet, COLLECTORS[1], spans(1).map(|ids| span(ids, |_| ())).collect());
    wait_until(LIMIT, "each trace waits at central", || pending(&meeting.fleet) >= f64::from(TRACES));
    CENTRAL.iter().for_each(|central| meeting.fleet.process(central).pause());
    send(&meeting.fleet, COLLECTORS[0], spans(2).map(|ids| span(ids, fail)).collect());
    std::thread::sleep(Duration::from_secs(DECISION_WAIT + 2));
    CENTRAL.iter().for_each(|central| meeting.fleet.process(central).resume());
    let all: Vec<Span> = spans(1).chain(spans(2)).collect();
    let is_there = || {
        let delivered = meeting.fleet.exported(&CENTRAL);
        all.iter().all(|span| !delivered.places_of(span).is_empty())
    };
    wait_until(LIMIT, "each trace is kept, with both spans", is_there);
}

/// How many traces wait for their verdict.
fn pending(fleet: &Fleet) -> f64 {
    let pending =
        |central: &&str| fleet.metric(central, "otelcol_processor_tail_sampling_sampling_traces_on_memory", &[]);
    CENTRAL.iter().filter_map(pending).sum()
}

#[test]
fn what_a_gateway_that_stands_still_does_not_take_goes_to_the_other_one() {
    let mut meeting = Meeting::start(1);
    let (alive, stalled) = (GATEWAYS[0], GATEWAYS[1]);
    let before = meeting.traffic(2);
    before.flow(200);
    // It stops with nothing of its own, so that all that comes later must come by the other one.
    let before = before.stop();
    meeting.settle(&[&before]);
    assert!(meeting.fleet.exported(&[stalled]).spans() > 0, "it had its share");
    meeting.fleet.process(stalled).pause();
    let meanwhile = meeting.traffic(3);
    meanwhile.flow(400);
    let meanwhile = meanwhile.stop();
    let others = [alive, GATEWAYS[2]];
    let is_there = || meanwhile.missing_anywhere(&meeting.fleet.exported(&others)).is_empty();
    wait_until(LIMIT, "the regions have everything while it stands still", is_there);
    let outstanding = || meanwhile.outstanding(&meeting.fleet.exported(&CENTRAL));
    wait_until(LIMIT, "central has everything while it stands still", || outstanding() == 0);
    meeting.fleet.process(stalled).resume();
    let after = meeting.traffic(4);
    after.flow(400);
    let after = after.stop();
    let ledgers = [&before, &meanwhile, &after];
    let delivered = meeting.settle(&ledgers);
    let elsewhere = after.missing_anywhere(&meeting.fleet.exported(&[stalled]));
    assert!(elsewhere.len() < after.spans(), "it has its share again");
    for ledger in ledgers {
        let findings = ledger.check(&delivered);
        println!("{ledger}: {findings}");
        findings.assert_complete();
    }
}
