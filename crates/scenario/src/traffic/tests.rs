#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests: prost is the oracle")]

use std::collections::BTreeSet;
use std::path::Path;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use tollgate_federation::{FederationDraft, Origin};
use tollgate_residency::{Action, Carrier, Policy, Resource};

use super::*;
use crate::canary::{Report, Search};
use crate::example::DOCUMENTS;

const NOW: Timestamp = Timestamp::from_nanos(1_800_000_000_000_000_000);

fn spans(request: &Request) -> Vec<Span> {
    let decoded = ExportTraceServiceRequest::decode(request.bytes.as_slice()).unwrap();
    let scopes = decoded.resource_spans.into_iter().flat_map(|resource| resource.scope_spans);
    scopes.flat_map(|scope| scope.spans).collect()
}

#[test]
fn the_same_seed_gives_the_same_traffic() {
    let bytes = |seed| {
        let batch = Traffic::new(seed).batch(NOW, 20);
        batch.requests.into_iter().map(|request| request.bytes).collect::<Vec<_>>()
    };
    assert_eq!(bytes(7), bytes(7));
    assert_ne!(bytes(7), bytes(8));
}

#[test]
fn every_request_decodes_and_has_the_items_it_claims() {
    for request in Traffic::new(1).batch(NOW, 100).requests {
        let bytes = request.bytes.as_slice();
        let items = match request.signal {
            Signal::Traces => spans(&request).len(),
            Signal::Logs => {
                let decoded = ExportLogsServiceRequest::decode(bytes).unwrap();
                let scopes = decoded.resource_logs.into_iter().flat_map(|resource| resource.scope_logs);
                scopes.map(|scope| scope.log_records.len()).sum()
            }
            Signal::Metrics => {
                let decoded = ExportMetricsServiceRequest::decode(bytes).unwrap();
                let scopes = decoded.resource_metrics.into_iter().flat_map(|resource| resource.scope_metrics);
                scopes.map(|scope| scope.metrics.len()).sum()
            }
        };
        assert_eq!(items, request.items);
        assert!(items > 0);
    }
}

#[test]
fn every_request_passes_the_walk_that_a_collector_does() {
    let limits = tollgate_otlp::Limits::default();
    for request in Traffic::new(9).batch(NOW, 200).requests {
        let walk = match request.signal {
            Signal::Traces => tollgate_otlp::walk_traces,
            Signal::Metrics => tollgate_otlp::walk_metrics,
            Signal::Logs => tollgate_otlp::walk_logs,
        };
        let walked = walk(&request.bytes, &limits).unwrap();
        assert!(walked.rejected.is_none(), "{:?}", walked.rejected);
    }
}

#[test]
fn a_batch_reaches_every_cluster_with_every_signal_once() {
    let requests = Traffic::new(2).batch(NOW, 100).requests;
    let ways: BTreeSet<_> = requests.iter().map(|request| (request.cluster, request.signal.as_str())).collect();
    assert_eq!((ways.len(), requests.len()), (12, 12));
}

#[test]
fn traces_are_whole_over_all_clusters() {
    let batch = Traffic::new(3).batch(NOW, 60);
    let traces = batch.requests.iter().filter(|request| request.signal == Signal::Traces);
    let spans: Vec<Span> = traces.clone().flat_map(spans).collect();
    let ids: Vec<_> = traces.flat_map(|request| request.spans.clone()).collect();
    assert_eq!(ids.len(), spans.len());
    for story in &batch.stories {
        let own: Vec<_> = spans.iter().filter(|span| span.trace_id == story.trace.as_bytes()).collect();
        let ids: BTreeSet<_> = own.iter().map(|span| span.span_id.clone()).collect();
        assert_eq!((own.len(), ids.len()), (story.spans, story.spans));
        let roots = own.iter().filter(|span| span.parent_span_id.is_empty()).count();
        assert_eq!(roots, 1);
        assert!(own.iter().all(|span| span.parent_span_id.is_empty() || ids.contains(&span.parent_span_id)));
        let failed = own.iter().any(|span| span.status.as_ref().is_some_and(|status| status.code == 2));
        assert_eq!(failed, story.outcome == Outcome::Failed);
        let slowest = own.iter().map(|span| span.end_time_unix_nano - span.start_time_unix_nano).max().unwrap();
        assert_eq!(slowest > 500_000_000, story.outcome == Outcome::Slow);
    }
}

#[test]
fn every_outcome_and_a_crossing_trace_come_soon() {
    let batch = Traffic::new(4).batch(NOW, 200);
    for wanted in [Outcome::Usual, Outcome::Slow, Outcome::Failed, Outcome::HealthCheck] {
        assert!(batch.stories.iter().any(|story| story.outcome == wanted), "{wanted:?}");
    }
    let traces_of = |cluster: &str| -> BTreeSet<TraceId> {
        let requests = batch.requests.iter().filter(|request| request.cluster == cluster);
        requests.flat_map(|request| &request.spans).map(|(trace, _)| *trace).collect()
    };
    assert!(traces_of("eu-west-a").intersection(&traces_of("us-east-a")).count() > 20);
    assert!(traces_of("uk-south-a").intersection(&traces_of("us-east-a")).count() > 5);
}

#[test]
fn canaries_are_unique_and_none_contains_another() {
    let canaries = Traffic::new(5).canaries();
    let inside = |one: &Canary| canaries.iter().filter(|other| other.needle.contains(&one.needle)).count();
    assert_eq!(canaries.len(), 2 * PEOPLE * 6);
    assert!(canaries.iter().all(|canary| canary.needle.len() >= 14 && inside(canary) == 1));
}

#[test]
fn every_canary_is_planted_in_its_own_region_and_nowhere_else() {
    let mut traffic = Traffic::new(6);
    let canaries = traffic.canaries();
    let search = Search::new(&canaries).unwrap();
    let mut planted = BTreeSet::new();
    for request in traffic.batch(NOW, 2000).requests {
        let mut report = Report::default();
        search.read(Path::new(request.cluster), request.bytes.as_slice(), &mut report).unwrap();
        for hit in report.hits {
            assert_eq!(canaries[hit.canary].region, request.region);
            planted.insert(hit.canary);
        }
    }
    assert_eq!(planted.len(), canaries.len());
}

/// The attributes of a span with the carriers that hold them.
fn attributes(span: &Span) -> Vec<(Carrier, &KeyValue)> {
    fn of(carrier: Carrier, attributes: &[KeyValue]) -> impl Iterator<Item = (Carrier, &KeyValue)> {
        attributes.iter().map(move |attribute| (carrier, attribute))
    }
    let events = span.events.iter().flat_map(|event| of(Carrier::EventAttributes, &event.attributes));
    let links = span.links.iter().flat_map(|link| of(Carrier::LinkAttributes, &link.attributes));
    of(Carrier::SpanAttributes, &span.attributes).chain(events).chain(links).collect()
}

/// The keys of a region's traces that stand beside a planted value, by where they stand.
fn planted_keys(region: &str) -> BTreeSet<(Carrier, String)> {
    let mut traffic = Traffic::new(10);
    let search = Search::new(&traffic.canaries()).unwrap();
    let is_planted = |attribute: &KeyValue| {
        let mut report = Report::default();
        search.read(Path::new(&attribute.key), attribute.encode_to_vec().as_slice(), &mut report).unwrap();
        report.found() > 0
    };
    let requests = traffic.batch(NOW, 300).requests.into_iter();
    let traces = requests.filter(|request| request.signal == Signal::Traces && request.region == region);
    let spans: Vec<Span> = traces.flat_map(|request| spans(&request)).collect();
    let all = spans.iter().flat_map(attributes).filter(|(_, attribute)| is_planted(attribute));
    all.map(|(carrier, attribute)| (carrier, attribute.key.clone())).collect()
}

#[test]
fn no_link_lets_an_attribute_with_a_planted_value_cross_as_it_is() {
    let (set, faults) = tollgate_config::Set::from_texts(DOCUMENTS);
    let draft = FederationDraft::read(&set, &faults);
    let policy = Policy::read(&set, &draft, &faults).unwrap();
    let federation = draft.whole().unwrap();
    let today = time::macros::date!(2026 - 06 - 01);
    for link in federation.links() {
        let origin = Origin::of(federation.region(link.from()).unwrap().regime().clone());
        let table = policy.table(&federation, link.id(), Signal::Traces, &origin, today).unwrap();
        let keys = planted_keys(link.from());
        assert!(keys.len() > 12, "{keys:?}");
        for (carrier, key) in keys {
            let cell = table.attribute(carrier, key.as_bytes(), Resource::Server);
            assert_ne!(cell.action, Action::Raw, "{} to {}: {key}", link.from(), link.to());
        }
    }
}
