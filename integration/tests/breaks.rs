//! Where traces of three regions do not join, asked of running central nodes.
//!
//! Guarantees: a parent that policy accounts for, one that is truly missing and a context that was lost on the way each show in
//! their place, by service in `tollgate trace breaks` and by region in the metrics; once the documents let the spans of every
//! region come, what is not there is missing. Metrics, and the listener for them, name no service.
#![expect(clippy::unwrap_used, reason = "a test stops where its surroundings fail it")]

use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tollgate_integration::Fleet;
use tollgate_integration::fleet::ALL;
use tollgate_integration::meeting::{CENTRAL, Meeting};
use tollgate_integration::requests::{request_of, span};
use tollgate_otlp::{SpanId, TraceId};
use tollgate_runtime::Clock;
use tollgate_testkit::{Client, Service, binary, http, wait_until};

const LIMIT: Duration = Duration::from_secs(60);
const EU: (&str, &str) = ("eu-west-collector-eu-west-a-0", "planted-cart");
const UK: (&str, &str) = ("uk-south-collector-uk-south-a-0", "planted-pay");
const US: (&str, &str) = ("us-east-collector-us-east-a-0", "planted-mail");
/// Nothing of the UK comes to the US.
const SHUT: &str = "  - {id: shut, origin: UK, reaching: US, signal: traces, deny: [all]}\n";

/// Kinds of spans, and flags that say where the parent is.
const SERVER: u64 = 2;
const CLIENT: u64 = 3;
const LOCAL: u32 = 0x101;
const REMOTE: u32 = 0x301;

/// One span of a service.
fn send(fleet: &Fleet, (collector, service): (&str, &str), trace: u8, ids: (u8, u8), (kind, flags): (u64, u32)) {
    let now = Clock::system().now().nanos();
    let body = span((TraceId([trace; 16]), SpanId([ids.0; 8])), |span| {
        if ids.1 > 0 {
            span.bytes(4, &[ids.1; 8]);
        }
        span.string(5, "GET");
        span.varint(6, kind);
        span.fixed64(7, now);
        span.fixed64(8, now + 1);
        span.fixed32(16, flags);
    });
    let request = request_of(|resource| resource.key_string(1, "service.name", service), &[body]);
    Client::plain(fleet.otlp(collector)).export(Service::Traces, request).unwrap();
}

fn breaks(fleet: &Fleet, more: &[&str]) -> String {
    let nodes = CENTRAL.iter().flat_map(|central| ["--node".to_owned(), fleet.admin(central).to_string()]);
    let output = Command::new(binary()).args(["trace", "breaks"]).args(nodes).args(more).output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

fn pages(fleet: &Fleet) -> Vec<Value> {
    let answer: Value = serde_json::from_str(&breaks(fleet, &["--output", "json"])).unwrap();
    answer["nodes"].as_array().unwrap().clone()
}

/// How many spans are told of as broken so, between these ends.
fn told(fleet: &Fleet, kind: &str, from: (&str, &str), to: (&str, &str)) -> u64 {
    let is_end = |end: &Value, (collector, service): (&str, &str)| {
        end["service"] == service && collector.starts_with(end["region"].as_str().unwrap_or("?"))
    };
    let pages = pages(fleet);
    let entries = pages.iter().flat_map(|page| page["breaks"].as_array().unwrap());
    let found =
        entries.filter(|entry| entry["kind"] == kind && is_end(&entry["from"], from) && is_end(&entry["to"], to));
    found.map(|entry| entry["spans"].as_u64().unwrap()).sum()
}

fn looked_at(fleet: &Fleet) -> u64 {
    pages(fleet).iter().map(|page| page["traces"].as_u64().unwrap()).sum()
}

/// Sends traces until what was sent shows: on a machine that stands still, what may have been under way is not judged.
#[track_caller]
fn send_until(fleet: &Fleet, trace: &mut u8, traces: u8, round: impl Fn(u8), shows: impl Fn() -> bool) {
    let shown = (0..4).any(|_| {
        let expected = looked_at(fleet) + u64::from(traces);
        round(*trace);
        *trace += traces;
        wait_until(LIMIT, "all traces are looked at", || looked_at(fleet) >= expected);
        shows()
    });
    assert!(shown, "not told:\n{}", breaks(fleet, &[]));
}

#[test]
fn what_was_withheld_what_is_missing_and_where_context_was_lost_are_told_apart() {
    let mut fleet = Fleet::lay_out();
    fleet.sample(ALL);
    fleet.edit("policies/residency.yaml", |text| text.replacen("rules:\n", &format!("rules:\n{SHUT}"), 1));
    fleet.with_one_eu_gateway();
    let names: Vec<&str> =
        Meeting::names().filter(|name| *name != "eu-west-gateway-1").chain([UK.0, "uk-south-gateway-0"]).collect();
    fleet.start(names.iter().copied());
    let mut trace = 1;
    let round = |trace: u8| {
        // From the EU by way of the UK, whose spans the policy keeps there, into the US.
        send(&fleet, EU, trace, (1, 0), (CLIENT, LOCAL));
        send(&fleet, UK, trace, (2, 1), (SERVER, REMOTE));
        send(&fleet, US, trace, (3, 2), (SERVER, REMOTE));
        // What carries the id of the trace on and not that of the parent.
        send(&fleet, EU, trace + 1, (1, 0), (CLIENT, LOCAL));
        send(&fleet, US, trace + 1, (2, 0), (SERVER, REMOTE));
        // A span in between was never exported.
        send(&fleet, EU, trace + 2, (1, 0), (CLIENT, LOCAL));
        send(&fleet, EU, trace + 2, (3, 2), (CLIENT, LOCAL));
        // The same service called with a parent, and by way of a proxy that strips it.
        send(&fleet, EU, trace + 3, (1, 0), (CLIENT, LOCAL));
        send(&fleet, US, trace + 3, (2, 1), (SERVER, REMOTE));
        send(&fleet, US, trace + 4, (1, 0), (SERVER, REMOTE));
    };
    let shows = || {
        let entered = breaks(&fleet, &[]).contains("planted-mail (us-east) was entered ");
        let expected = [("parent_withheld", EU, US), ("entry_root", EU, US), ("parent_missing", EU, EU)];
        expected.iter().all(|(kind, from, to)| told(&fleet, kind, *from, *to) > 0) && entered
    };
    send_until(&fleet, &mut trace, 5, round, shows);
    assert_eq!(told(&fleet, "parent_missing", EU, US), 0, "policy accounts for it");
    assert!(pages(&fleet).iter().any(|page| page["regions_withheld"] == serde_json::json!(["uk-south"])));

    let text = breaks(&fleet, &[]);
    assert!(text.contains("planted-cart (eu-west) -> planted-mail (us-east)"), "{text}");
    let count = |kind: &str| {
        let labels = [&*format!("kind=\"{kind}\""), "from=\"eu-west\"", "to=\"us-east\""];
        CENTRAL.iter().filter_map(|name| fleet.metric(name, "tollgate_correlation_breaks_total", &labels)).sum::<f64>()
    };
    assert!(count("parent_withheld") >= 1.0 && count("entry_root") >= 1.0);
    for central in CENTRAL {
        let metrics = fleet.planned(central).metrics();
        assert!(
            !http::get(metrics, "/metrics").unwrap().text().contains("planted"),
            "a service is a value of a payload"
        );
        assert_eq!(http::get(metrics, "/breaks").unwrap().status, 404, "not where metrics are read");
    }

    fleet.edit("policies/residency.yaml", |text| text.replacen(SHUT, "", 1));
    fleet.reload(&names);
    let round = |trace: u8| {
        send(&fleet, EU, trace, (1, 0), (CLIENT, LOCAL));
        send(&fleet, US, trace, (3, 2), (SERVER, REMOTE));
    };
    send_until(&fleet, &mut trace, 1, round, || told(&fleet, "parent_missing", EU, US) > 0);
}
