//! A collector and a link that the documents thin.
//!
//! Guarantees: the region's own backend has exactly the half of all traces that the collector keeps, central the quarter that
//! the link keeps, which is a part of that half; what is kept says by which threshold; what was left out is counted as dropped,
//! and every sum adds up. A collector that is killed and started again decides alike.
#![expect(clippy::unwrap_used, reason = "a test stops where its surroundings fail it")]

use std::collections::BTreeMap;
use std::time::Duration;

use tollgate_federation::Signal;
use tollgate_integration::Fleet;
use tollgate_integration::fleet::ALL;
use tollgate_integration::requests::{request, span};
use tollgate_otlp::{SpanId, TraceId};
use tollgate_runtime::Clock;
use tollgate_testkit::{Client, FakeBackend, Service, wait_until};

const LIMIT: Duration = Duration::from_secs(90);
const COLLECTOR: &str = "eu-west-collector-eu-west-a-0";
const GATEWAY: &str = "eu-west-gateway-0";
const CENTRAL: [&str; 2] = ["us-east-central-0", "us-east-central-1"];
const LINK: &str = "link/us-east/central";
/// So many traces of two spans each, of evenly spread randomness.
const TRACES: u64 = 128;

/// Two spans of each trace, in two requests, as two services send them.
fn send(fleet: &Fleet, from: u64) {
    let now = Clock::system().now().nanos();
    for part in 0..2 {
        let spans = (0..TRACES).map(|number| {
            let id = (u128::from(from + 1) << 64) | u128::from((number << 49) | 7);
            let ids = (TraceId(id.to_be_bytes()), SpanId((from + 2 * number + part + 1).to_be_bytes()));
            span(ids, |span| {
                span.string(5, "GET");
                span.fixed64(7, now);
                span.fixed64(8, now + 1);
            })
        });
        let spans: Vec<Vec<u8>> = spans.collect();
        Client::plain(fleet.otlp(COLLECTOR)).export(Service::Traces, request(&spans)).unwrap();
    }
}

/// The trace state of each span, by its number.
fn states(backend: &FakeBackend) -> BTreeMap<u64, String> {
    let read = |id: &[u8]| u64::from_be_bytes(id.try_into().unwrap()) - 1;
    backend.spans().into_iter().map(|found| (read(&found.span.span_id), found.span.trace_state)).collect()
}

/// Both spans of each trace from this number on, with this threshold.
fn expected(froms: &[u64], first: u64, threshold: &str) -> BTreeMap<u64, String> {
    let spans = froms.iter().flat_map(|from| (2 * first..2 * TRACES).map(move |number| from + number));
    spans.map(|number| (number, format!("ot=th:{threshold}"))).collect()
}

#[test]
fn a_thinned_collector_and_a_thinned_link_keep_nested_traces_and_say_so() {
    let mut fleet = Fleet::lay_out();
    let [own, abroad] = [100, 101].map(|last| FakeBackend::start(fleet.block().socket(last, 0)));
    let sink = |backend: &FakeBackend| {
        format!("{{sink: {{otlp_grpc: \"{}\", signals: [traces], tls: off}}}}", backend.address())
    };
    fleet.add_backends("eu-west/gateway", &sink(&own));
    fleet.add_backends("us-east/central", &sink(&abroad));
    fleet.sample(ALL);
    fleet.with_one_eu_gateway();
    let half = "    thin: {sampling_percentage: 50}\n    stamp:";
    fleet.edit("regions/eu-west.yaml", |text| text.replacen("    stamp:", half, 1));
    let quarter = "thin: {sampling_percentage: 25, spans_per_second: 1000000}, instruments: {EEA: dpf}";
    fleet.edit("regions/federation.yaml", |text| text.replacen("instruments: {EEA: dpf}", quarter, 1));
    fleet.start([COLLECTOR, GATEWAY].into_iter().chain(CENTRAL));

    send(&fleet, 0);
    let (at_home, beyond) = (expected(&[0], TRACES / 2, "8"), expected(&[0], TRACES * 3 / 4, "c"));
    wait_until(LIMIT, "the half is at home", || states(&own).len() >= at_home.len());
    wait_until(LIMIT, "the quarter is at central's backend", || states(&abroad).len() >= beyond.len());
    assert_eq!((states(&own), states(&abroad)), (at_home, beyond));
    let spans = 2.0 * TRACES as f64;
    for (node, consumer, offered, dropped) in
        [(COLLECTOR, "gateway", spans, spans / 2.0), (GATEWAY, LINK, spans / 2.0, spans / 4.0)]
    {
        let items = |outcome| fleet.items(node, consumer, Signal::Traces, outcome);
        wait_until(LIMIT, "all that is left is acknowledged", || items("sent") >= offered - dropped);
        assert_eq!(["offered", "dropped", "sent", "withheld"].map(items), [offered, dropped, offered - dropped, 0.0]);
        let labels = [format!("consumer=\"{consumer}\""), "reason=\"share\"".to_owned()];
        let labels = labels.each_ref().map(String::as_str);
        assert_eq!(fleet.metric(node, "tollgate_thinning_left_out_spans_total", &labels), Some(dropped));
        assert_eq!(fleet.status(node)["thinning"][consumer]["left_out_spans"]["share"].as_f64(), Some(dropped));
    }
    assert!(fleet.status(CENTRAL[0])["thinning"].is_null(), "nobody asked for it there");

    fleet.kill(COLLECTOR);
    fleet.start([COLLECTOR]);
    send(&fleet, 1000);
    let (at_home, beyond) = (expected(&[0, 1000], TRACES / 2, "8"), expected(&[0, 1000], TRACES * 3 / 4, "c"));
    wait_until(LIMIT, "the half is at home again", || states(&own).len() >= at_home.len());
    wait_until(LIMIT, "the quarter is at central's backend again", || states(&abroad).len() >= beyond.len());
    assert_eq!((states(&own), states(&abroad)), (at_home, beyond));
}
