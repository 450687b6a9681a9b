//! Tail sampling at gateways, for a trace backend of their own region.
//!
//! Guarantees: a backend that asks for it gets the traces that its region's gateways keep, each whole and from one gateway,
//! wherever its spans came in; every other backend and every link gets everything as before. What waits for its verdict
//! outlives `kill -9` of its gateway, and what comes while that is away waits for it.
#![allow(clippy::unwrap_used, reason = "a test stops where its surroundings fail it")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tollgate_integration::Fleet;
use tollgate_integration::fleet::ERRORS;
use tollgate_integration::requests::{fail, request, span};
use tollgate_otlp::{SpanId, TraceId};
use tollgate_testkit::{Client, Service, wait_until};

const LIMIT: Duration = Duration::from_secs(90);
const COLLECTORS: [&str; 2] = ["eu-west-collector-eu-west-a-0", "eu-west-collector-eu-west-b-0"];
const GATEWAYS: [&str; 2] = ["eu-west-gateway-0", "eu-west-gateway-1"];
const TRACES: usize = 40;
/// Every so many traces one has an error.
const FAILING: usize = 4;
/// Spans of each trace, each sent by itself.
const SPANS: usize = 3;
const PENDING: &str = "otelcol_processor_tail_sampling_sampling_traces_on_memory";

fn span_of(trace: usize, number: usize) -> Vec<u8> {
    let trace_id = (0x5eed_u128 << 64) + trace as u128 + 1;
    let span_id = trace * SPANS + number + 1;
    let ids = (TraceId(trace_id.to_be_bytes()), SpanId((span_id as u64).to_be_bytes()));
    span(ids, |span| {
        // Its first span: however late the others come, they follow the verdict.
        if trace.is_multiple_of(FAILING) && number == 0 {
            fail(span);
        }
    })
}

/// Sends one span of each trace, by one collector after the other.
fn send(fleet: &Fleet, number: usize) {
    for (collector, parity) in COLLECTORS.into_iter().zip(0..) {
        let spans: Vec<_> =
            (0..TRACES).filter(|trace| trace % 2 == parity).map(|trace| span_of(trace, number)).collect();
        Client::plain(fleet.otlp(collector)).export(Service::Traces, request(&spans)).unwrap();
    }
}

/// The ids of the spans of each trace in a backend, and the gateways that they came from.
fn held(fleet: &Fleet, backend: &str) -> BTreeMap<String, (BTreeSet<String>, BTreeSet<&'static str>)> {
    let mut traces: BTreeMap<_, (BTreeSet<_>, BTreeSet<_>)> = BTreeMap::new();
    for gateway in GATEWAYS {
        for held in fleet.held(gateway, backend, "traces") {
            let (spans, gateways) = traces.entry(held.text("traceId").to_owned()).or_default();
            spans.insert(held.text("spanId").to_owned());
            gateways.insert(gateway);
        }
    }
    traces
}

fn spans(fleet: &Fleet, backend: &str) -> usize {
    held(fleet, backend).values().map(|(spans, _)| spans.len()).sum()
}

#[test]
fn a_backend_of_the_region_gets_the_traces_that_its_gateways_keep() {
    let mut fleet = Fleet::lay_out();
    fleet.sample_after(3, ERRORS);
    let file = "{file: {}, signals: [traces]";
    fleet.add_backends("eu-west/gateway", &format!("{{few: {file}, sampled: true}}, everything: {file}}}}}"));
    fleet.start(COLLECTORS.into_iter().chain(GATEWAYS));
    send(&fleet, 0);
    send(&fleet, 1);
    let first = TRACES * (SPANS - 1);
    wait_until(LIMIT, "the first spans are at their gateways", || spans(&fleet, "everything") == first);
    fleet.kill(GATEWAYS[0]);
    send(&fleet, SPANS - 1);
    let of_the_other = |(_, gateways): &&(BTreeSet<String>, BTreeSet<&str>)| gateways.contains(GATEWAYS[1]);
    let is_there =
        |traces: &BTreeMap<_, _>| traces.values().filter(of_the_other).all(|(spans, _)| spans.len() == SPANS);
    wait_until(LIMIT, "what the other gateway judges reaches it", || is_there(&held(&fleet, "everything")));
    fleet.start([GATEWAYS[0]]);

    wait_until(LIMIT, "all spans are at their gateways", || spans(&fleet, "everything") == (TRACES * SPANS));

    let failing = TRACES / FAILING;
    wait_until(LIMIT, "the traces with errors are kept", || spans(&fleet, "few") == failing * SPANS);
    let pending = |gateway: &&str| fleet.metric(gateway, PENDING, &[]);
    wait_until(LIMIT, "no trace waits any more", || GATEWAYS.iter().filter_map(pending).sum::<f64>() == 0.0);
    let kept = held(&fleet, "few");
    assert_eq!(kept.len(), failing);
    assert!(kept.values().all(|(spans, gateways)| (spans.len(), gateways.len()) == (SPANS, 1)), "{kept:?}");
    let gateways: BTreeSet<_> = kept.values().flat_map(|(_, gateways)| gateways).collect();
    assert_eq!(gateways.len(), GATEWAYS.len(), "both gateways judge");
    let waits = fleet.items(GATEWAYS[1], "link/us-east/central", tollgate_federation::Signal::Traces, "offered");
    assert!(waits > 0.0, "the link is offered everything as before");
}
