//! Why a trace was kept or dropped, asked of running central nodes.
//!
//! Guarantees: `tollgate trace why` tells of kept and of dropped traces which spans came from which region, how the policies
//! voted, the verdict and what became of late spans; of others that they are not known. Nothing of a payload is told.
#![expect(clippy::unwrap_used, reason = "a test stops where its surroundings fail it")]

use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tollgate_integration::Fleet;
use tollgate_integration::fleet::ERRORS;
use tollgate_integration::meeting::{CENTRAL, COLLECTORS, Meeting};
use tollgate_integration::requests::{fail, request, span};
use tollgate_otlp::{SpanId, TraceId};
use tollgate_testkit::{Client, Service, binary, wait_until};

const LIMIT: Duration = Duration::from_secs(60);

#[track_caller]
fn send(fleet: &Fleet, collector: &str, (trace, number): (u8, u8), is_error: bool) {
    let ids = (TraceId([trace; 16]), SpanId([number; 8]));
    let span = if is_error { span(ids, fail) } else { span(ids, |_| ()) };
    Client::plain(fleet.otlp(collector)).export(Service::Traces, request(&[span])).unwrap();
}

/// The exit code, and what is said.
fn why(fleet: &Fleet, trace: u8, more: &[&str]) -> (Option<i32>, String) {
    let nodes = CENTRAL.iter().flat_map(|central| ["--node".to_owned(), fleet.admin(central).to_string()]);
    let trace = TraceId([trace; 16]).to_string();
    let output = Command::new(binary()).args(["trace", "why", &trace]).args(nodes).args(more).output().unwrap();
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

/// What the node says that owns the trace.
fn of_owner(fleet: &Fleet, trace: u8) -> Value {
    let (_, text) = why(fleet, trace, &["--output", "json"]);
    let answer: Value = serde_json::from_str(&text).unwrap();
    let mut nodes = answer["nodes"].as_array().unwrap().iter();
    nodes.find(|node| node["state"] != "unknown").cloned().unwrap_or_default()
}

#[test]
fn kept_dropped_and_unknown_traces_are_told_apart_and_explained() {
    let mut fleet = Fleet::lay_out();
    fleet.sample_after(2, ERRORS);
    fleet.start(Meeting::names());
    for trace in [1, 2] {
        send(&fleet, COLLECTORS[0], (trace, 1), trace == 1);
        send(&fleet, COLLECTORS[1], (trace, 2), false);
    }
    wait_until(LIMIT, "both traces are judged", || {
        [(1, "kept"), (2, "dropped")].iter().all(|(trace, state)| of_owner(&fleet, *trace)["state"] == *state)
    });
    let kept = of_owner(&fleet, 1);
    assert_eq!((&kept["verdict"]["reason"], &kept["verdict"]["votes"][0]["vote"]), (&"errors".into(), &"keep".into()));
    let mut from: Vec<_> =
        kept["arrived"].as_array().unwrap().iter().map(|arrived| arrived["origin"].as_str().unwrap()).collect();
    from.sort_unstable();
    assert_eq!(from, ["EEA", "US"], "{kept}");
    assert_eq!(of_owner(&fleet, 2)["verdict"]["reason"], "no policy matched");

    send(&fleet, COLLECTORS[0], (2, 3), true);
    wait_until(LIMIT, "the late span is told of", || {
        let arrived = of_owner(&fleet, 2)["arrived"].to_string();
        arrived.contains("late: followed the verdict and dropped")
    });
    let (code, text) = why(&fleet, 1, &[]);
    assert_eq!(code, Some(0));
    assert!(text.contains(": kept") && text.contains("EEA") && !text.contains("GET"), "{text}");
    assert_eq!(why(&fleet, 9, &[]).0, Some(1), "nobody has seen it");
}
