//! A marker in every place: what may not cross must not come out, not even as a part of something else.

use std::collections::BTreeSet;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::trace::v1::Span;
use proptest::prelude::*;
use prost::Message;

use tollgate_federation::Signal;

use crate::signals::{self, sealed};
use crate::sow::{Kind, Sower};
use crate::world::*;

/// Every marker that stands anywhere in these bytes.
fn markers(bytes: &[u8]) -> BTreeSet<String> {
    let marker = |window: &&[u8]| {
        window.starts_with(b"zq") && window.ends_with(b"x") && window[2..7].iter().all(u8::is_ascii_digit)
    };
    bytes.windows(8).filter(marker).map(|found| String::from_utf8(found.to_vec()).unwrap()).collect()
}

/// A request of any signal, encoded.
pub(crate) fn encoded(sower: &mut Sower, signal: Signal) -> Vec<u8> {
    match signal {
        Signal::Traces => sower.request().encode_to_vec(),
        Signal::Metrics => sower.metrics().encode_to_vec(),
        Signal::Logs => sower.logs().encode_to_vec(),
    }
}

/// A marker comes out where the rules let it cross, and nowhere else.
fn check(signal: Signal, seed: u64) -> Result<(), TestCaseError> {
    let mut sower = Sower::new(seed);
    let request = encoded(&mut sower, signal);
    let payload = sower.with_unknown_fields(&request, Kind::Request(signal));
    prop_assert_eq!(markers(&payload).len(), sower.open.len() + sower.closed.len());
    let out = sealed(&mut signals::sealer(signal), &payload);
    prop_assert_eq!(out.counts().withheld(), 0);
    prop_assert_eq!(markers(&out.whole().bytes()), sower.open.iter().cloned().collect());
    Ok(())
}

proptest! {
    // Together 10,000 messages a run.
    #![proptest_config(ProptestConfig::with_cases(3_334))]

    #[test]
    fn only_permitted_markers_of_traces_come_out(seed: u64) {
        check(Signal::Traces, seed)?;
    }

    #[test]
    fn only_permitted_markers_of_metrics_come_out(seed: u64) {
        check(Signal::Metrics, seed)?;
    }

    #[test]
    fn only_permitted_markers_of_logs_come_out(seed: u64) {
        check(Signal::Logs, seed)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_arrives_equals_what_was_sent_wherever_it_is_operational(seed: u64) {
        let mut sower = Sower::new(seed);
        let sent = sower.request();
        let arrived = decoded(&seal(&mut example(), &sent).whole().bytes());
        prop_assert_eq!(shape(&arrived), shape(&sent));
        let sent = spans(&sent);
        for (arrived, sent) in spans(&arrived).into_iter().zip(sent) {
            let times = |span: &Span| (span.start_time_unix_nano, span.end_time_unix_nano, span.kind, span.flags);
            let ids = |span: &Span| (span.trace_id.clone(), span.span_id.clone(), span.parent_span_id.clone());
            prop_assert_eq!((times(arrived), ids(arrived)), (times(sent), ids(sent)));
            for attribute in &arrived.attributes {
                let transformed = found(&arrived.attributes, &attribute.key).is_some_and(|text| text.starts_with("tg1."));
                prop_assert!(transformed || sent.attributes.contains(attribute));
            }
            let lost = sent.attributes.len() - arrived.attributes.len();
            prop_assert_eq!(arrived.dropped_attributes_count as usize, lost);
        }
    }
}

fn spans(request: &ExportTraceServiceRequest) -> Vec<&Span> {
    let scopes = request.resource_spans.iter().flat_map(|resource| &resource.scope_spans);
    scopes.flat_map(|scope| &scope.spans).collect()
}

/// How many of everything there are, attributes apart.
fn shape(request: &ExportTraceServiceRequest) -> Vec<Vec<(usize, usize)>> {
    let spans = |resource: &opentelemetry_proto::tonic::trace::v1::ResourceSpans| {
        let spans = resource.scope_spans.iter().flat_map(|scope| &scope.spans);
        spans.map(|span| (span.events.len(), span.links.len())).collect()
    };
    request.resource_spans.iter().map(spans).collect()
}

#[test]
fn known_keys_alone_decide_and_not_their_order() {
    let list = |keys: &[&str]| keys.iter().map(|key| text(key, "zq")).collect::<Vec<KeyValue>>();
    let one = sealed_span(&mut example(), span(list(&["http.route", "acme.a", "user.name", "error.type"])));
    assert_eq!(one.attributes, list(&["http.route", "error.type"]));
    let two = sealed_span(&mut example(), span(list(&["error.type", "user.name", "acme.a", "http.route"])));
    assert_eq!(two.attributes, list(&["error.type", "http.route"]));
}
