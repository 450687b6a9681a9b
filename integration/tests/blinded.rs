//! Trace ids that cross blinded, over real borders.
//!
//! Guarantees: with one word changed in the rules and one key copied to every gateway, a trace with spans from three regions
//! arrives whole at one central node, its parents where they were, under ids that nobody sent. The ids that were sent are in
//! no spool, file, log or page of another region. Without the key nothing crosses, and that shows.
#![allow(clippy::unwrap_used, reason = "a test stops where its surroundings fail it")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::time::Duration;

use tollgate_federation::Signal;
use tollgate_integration::Fleet;
use tollgate_integration::evidence::shown;
use tollgate_integration::fleet::ALL;
use tollgate_integration::held::Held;
use tollgate_integration::requests::{numbered, request, span};
use tollgate_otlp::{SpanId, TraceId};
use tollgate_runtime::Clock;
use tollgate_scenario::canary::Canary;
use tollgate_testkit::{Client, Service, binary, wait_until};

const LIMIT: Duration = Duration::from_secs(90);
const COLLECTORS: [&str; 3] =
    ["eu-west-collector-eu-west-a-0", "uk-south-collector-uk-south-a-0", "us-east-collector-us-east-a-0"];
const GATEWAYS: [&str; 4] = ["eu-west-gateway-0", "eu-west-gateway-1", "uk-south-gateway-0", "us-east-gateway-0"];
const CENTRAL: [&str; 2] = ["us-east-central-0", "us-east-central-1"];
const TRACES: usize = 12;

/// An id that can be searched for: it is text.
fn trace_id(number: usize) -> String {
    format!("kx-{number:02}-trace-{number:02}qz")
}

/// The spans of one trace are each in a region of their own.
fn span_id(collector: &str, number: usize) -> String {
    format!("{}-s{number:04}", collector.get(..2).unwrap())
}

/// One span of each trace from each region; the first region's is the root of the others.
fn send(fleet: &Fleet) {
    let id = |text: String| text.into_bytes();
    for collector in COLLECTORS {
        let spans: Vec<_> = (0..TRACES)
            .map(|number| {
                let ids =
                    (id(trace_id(number)).try_into().unwrap(), id(span_id(collector, number)).try_into().unwrap());
                let now = Clock::system().now().nanos();
                span((TraceId(ids.0), SpanId(ids.1)), |span| {
                    if collector != COLLECTORS[0] {
                        span.bytes(4, &id(span_id(COLLECTORS[0], number)));
                    }
                    span.string(5, "GET");
                    span.fixed64(7, now);
                    span.fixed64(8, now + 1);
                    span.key_string(9, "http.route", &format!("/r{number}"));
                })
            })
            .collect();
        Client::plain(fleet.otlp(collector)).export(Service::Traces, request(&spans)).unwrap();
    }
}

/// The ids of all spans, and both halves of those of their traces.
fn markers() -> Vec<Canary> {
    let needle =
        |region: &str, needle: &str| Canary { region: region.to_owned(), kind: "id", needle: needle.to_owned() };
    let of_trace = |number: usize| {
        let trace = trace_id(number);
        let spans = COLLECTORS.map(|collector| needle(collector.get(..2).unwrap(), &span_id(collector, number)));
        spans.into_iter().chain([&trace[..8], &trace[8..]].map(|part| needle("", part))).collect::<Vec<_>>()
    };
    (0..TRACES).flat_map(of_trace).collect()
}

/// Makes the key in one region and copies its folder to the others, as an operator does.
fn give_keys(fleet: &Fleet) {
    for gateway in GATEWAYS {
        let region = gateway.split("-gateway").next().unwrap();
        let key = format!("keys:\n  ids:\n    dir: keys/{region}/ids\n");
        fleet.edit(&format!("nodes/{gateway}.yaml"), |text| text.replace("keys:\n", &key));
    }
    let run = |arguments: &[&str], gateway: &str| {
        let node_file = format!("nodes/{gateway}.yaml");
        let mut command = Command::new(binary());
        command.arg("keys").args(arguments).args(["--set", ".", "--node-file", &node_file]);
        let made = command.current_dir(fleet.folder()).output().unwrap();
        assert!(made.status.success(), "{made:?}");
    };
    let keys = fleet.folder().join("keys");
    run(&["new", "ids"], GATEWAYS[0]);
    run(&["rotate"], GATEWAYS[3]);
    assert!(!keys.join("us-east/ids").exists(), "no region makes roots of its own by a daily job");
    for region in ["uk-south", "us-east"] {
        let to = keys.join(region).join("ids");
        fs::create_dir(&to).unwrap();
        fs::set_permissions(&to, Permissions::from_mode(0o700)).unwrap();
        for file in fs::read_dir(keys.join("eu-west/ids")).unwrap().map(Result::unwrap) {
            fs::copy(file.path(), to.join(file.file_name())).unwrap();
        }
    }
}

/// Central writes what it keeps to files.
fn fleet() -> Fleet {
    let fleet = Fleet::lay_out();
    fleet.sample(ALL);
    fleet.edit("policies/residency.yaml", |text| text.replace("corr: raw", "corr: {blind: ids}"));
    fleet
}

/// What each central node has kept.
fn kept(fleet: &Fleet) -> [Vec<Held>; 2] {
    CENTRAL.map(|name| fleet.held(name, "embedded", "traces"))
}

#[test]
fn a_trace_of_three_regions_is_one_trace_abroad_under_ids_that_nobody_sent() {
    let mut fleet = fleet();
    give_keys(&fleet);
    fleet.start(COLLECTORS.into_iter().chain(GATEWAYS).chain(CENTRAL));
    send(&fleet);
    wait_until(LIMIT, "all spans arrive", || kept(&fleet).iter().flatten().count() == TRACES * COLLECTORS.len());
    fleet.wait_idle(LIMIT);

    let mut traces: BTreeMap<String, Vec<(usize, Held)>> = BTreeMap::new();
    for (node, held) in kept(&fleet).into_iter().enumerate() {
        for held in held {
            traces.entry(held.text("traceId").to_owned()).or_default().push((node, held));
        }
    }
    assert_eq!(traces.len(), TRACES);
    for (trace, spans) in &traces {
        assert_eq!((trace.len(), spans.len()), (32, COLLECTORS.len()));
        let of = |pick: &dyn Fn(&(usize, Held)) -> String| spans.iter().map(pick).collect::<BTreeSet<_>>();
        assert_eq!(of(&|(node, _)| node.to_string()).len(), 1, "all of a trace is at one node");
        assert_eq!(of(&|(_, held)| held.attributes["http.route"].to_string()).len(), 1, "what was one trace is one");
        assert_eq!(of(&|(_, held)| held.text("traceState").to_owned()).len(), 1, "one trace has one randomness");
        let (roots, children): (Vec<_>, Vec<_>) =
            spans.iter().partition(|(_, held)| held.text("parentSpanId").is_empty());
        let root = roots[0].1.text("spanId");
        assert_eq!((roots.len(), children.iter().all(|(_, held)| held.text("parentSpanId") == root)), (1, true));
    }
    let nodes: BTreeSet<usize> = traces.values().flatten().map(|(node, _)| *node).collect();
    assert_eq!(nodes.len(), CENTRAL.len(), "the traces are shared out");

    let markers = markers();
    let at_central = fleet.search(&CENTRAL, &markers);
    assert!(at_central.bytes > 1000 && at_central.hits.is_empty(), "{}", shown(&at_central, &markers));
    let at_home = fleet.search(&GATEWAYS[..2], &markers);
    let found: BTreeSet<_> = at_home.hits.iter().map(|hit| hit.canary).collect();
    let from_eu = markers.iter().filter(|marker| ["eu", ""].contains(&&*marker.region)).count();
    assert_eq!(found.len(), from_eu, "the search finds what is there");
    // What the UK's own services send has the same trace ids; the ids of EU spans are their own parents' there.
    let own: Vec<Canary> = markers.iter().filter(|marker| marker.region == "us").cloned().collect();
    let elsewhere = fleet.search(&["uk-south-gateway-0", "eu-west-gateway-0"], &own);
    assert!(elsewhere.hits.is_empty(), "{}", shown(&elsewhere, &own));
}

#[test]
fn without_the_key_no_span_crosses_and_that_shows() {
    let mut fleet = fleet();
    fleet.start([COLLECTORS[0], COLLECTORS[2]].into_iter().chain(GATEWAYS).chain(CENTRAL));
    let spans: Vec<_> = (0..TRACES as u64).map(|number| span(numbered(number + 1), |_| {})).collect();
    for collector in [COLLECTORS[0], COLLECTORS[2]] {
        Client::plain(fleet.otlp(collector)).export(Service::Traces, request(&spans)).unwrap();
    }
    let withheld = |names: &[&str], consumer| -> f64 {
        names.iter().map(|name| fleet.items(name, consumer, Signal::Traces, "withheld")).sum()
    };
    wait_until(LIMIT, "the link withholds them", || withheld(&GATEWAYS[..2], "link/us-east/central") == TRACES as f64);
    wait_until(LIMIT, "the region's own too", || withheld(&GATEWAYS[3..], "central") == TRACES as f64);
    let missing = |name: &&str| fleet.metric(name, "tollgate_sealed_keys_missing_total", &["us-east/central"]);
    assert_eq!(GATEWAYS[..2].iter().filter_map(missing).sum::<f64>(), TRACES as f64);
    fleet.wait_idle(LIMIT);
    assert!(kept(&fleet).iter().all(Vec::is_empty));
    let log = fleet.process(GATEWAYS[3]).log();
    assert!(log.contains("ids"), "{log}");
}
