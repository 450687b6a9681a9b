//! Ten times as many traces as central is sized for, at once.
//!
//! Guarantees: what was acknowledged is judged, some of it before its time and counted as that; traces with an error are
//! delivered, each whole, of the others nothing is, and no span goes without a verdict. Central's memory stays bounded.

use std::collections::BTreeSet;
use std::time::Duration;

use tollgate_integration::Fleet;
use tollgate_integration::fleet::ERRORS;
use tollgate_integration::requests::{fail, request, span};
use tollgate_otlp::{SpanId, TraceId};
use tollgate_testkit::{Client, FakeBackend, Service, wait_until};

const LIMIT: Duration = Duration::from_secs(90);
const COLLECTOR: &str = "eu-west-collector-eu-west-a-0";
const NODES: [&str; 3] = [COLLECTOR, "eu-west-gateway-0", "eu-west-gateway-1"];
const CENTRAL: [&str; 2] = ["us-east-central-0", "us-east-central-1"];
/// Of each of two central nodes.
const NUM_TRACES: usize = 300;
const TRACES: usize = 2 * NUM_TRACES * 10;
/// Traces of one request.
const TOGETHER: usize = 100;
/// Every so many traces one has an error, in its first span.
const FAILING: usize = 20;
/// What central may grow by beyond what it has when it is idle: its budget for requests.
const MEMORY: u64 = 128 << 20;

fn span_of(trace: usize, number: usize) -> Vec<u8> {
    let trace_id = (0xb0_u128 << 120) | (trace as u128).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let ids = (TraceId(trace_id.to_be_bytes()), SpanId((2 * trace as u64 + number as u64 + 1).to_be_bytes()));
    span(ids, |span| {
        if trace.is_multiple_of(FAILING) && number == 0 {
            fail(span);
        }
    })
}

fn counted(fleet: &Fleet, name: &str) -> f64 {
    CENTRAL.iter().filter_map(|central| fleet.metric(central, name, &[])).sum()
}

#[test]
fn a_burst_of_ten_times_the_sizing_keeps_every_trace_whole() {
    let mut fleet = Fleet::lay_out();
    let backend = FakeBackend::start(fleet.block().socket(100, 0));
    let sink = format!("{{sink: {{otlp_grpc: \"{}\", signals: [traces], tls: off}}}}", backend.address());
    fleet.add_backends("us-east/central", &sink);
    fleet.sample_after(5, ERRORS);
    let sized = format!("num_traces: {NUM_TRACES}");
    fleet.edit("policies/sampling.yaml", |text| text.replace("num_traces: 100000", &sized));
    fleet.start(NODES.into_iter().chain(CENTRAL));
    let idle = CENTRAL.map(|central| fleet.peak_memory(central));

    let client = Client::plain(fleet.otlp(COLLECTOR));
    for round in 0..=TRACES / TOGETHER {
        let of = |round: usize| (round * TOGETHER..(round + 1) * TOGETHER).filter(|trace| *trace < TRACES);
        let seconds = round.checked_sub(1).into_iter().flat_map(of).map(|trace| span_of(trace, 1));
        let spans: Vec<_> = seconds.chain(of(round).map(|trace| span_of(trace, 0))).collect();
        client.export(Service::Traces, request(&spans)).unwrap();
    }
    let spans = 2.0 * TRACES as f64;
    let swept = || ["kept", "dropped"].map(|of| counted(&fleet, &format!("tollgate_sampling_spans_{of}_total")));
    wait_until(LIMIT, "all is judged and swept", || swept().iter().sum::<f64>() >= spans);
    assert_eq!(counted(&fleet, "tollgate_sampling_spans_unjudged_total"), 0.0);
    let early = counted(&fleet, "otelcol_processor_tail_sampling_sampling_trace_dropped_too_early_total");
    assert!(early > 0.0, "the burst was none");
    let [kept, _] = swept();
    let arrived = || -> BTreeSet<u64> {
        backend.spans().iter().map(|found| u64::from_be_bytes(found.span.span_id[..].try_into().unwrap()) - 1).collect()
    };
    wait_until(LIMIT, "what is kept is delivered", || arrived().len() as f64 >= kept);
    let (firsts, seconds): (Vec<u64>, Vec<u64>) = arrived().into_iter().partition(|span| span % 2 == 0);
    let [firsts, seconds] = [firsts, seconds].map(|spans| spans.into_iter().map(|span| span / 2).collect::<Vec<_>>());
    assert_eq!(firsts, seconds, "a trace is split");
    let errors = TRACES / FAILING;
    assert!(firsts.iter().all(|trace| trace.is_multiple_of(FAILING as u64)));
    // Where a second span overtakes a first one, an early verdict may not see the error.
    assert!(firsts.len() * 10 >= errors * 9, "{} of {errors}", firsts.len());
    for (central, idle) in CENTRAL.iter().zip(idle) {
        let grown = fleet.peak_memory(central).saturating_sub(idle);
        assert!(grown < MEMORY, "{central}: {} MiB more than when idle", grown >> 20);
    }
}
