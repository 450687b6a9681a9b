//! Whatever comes in: no panic, every item counted once, and what comes out is a request.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use proptest::prelude::*;
use prost::Message;
use tollgate_otlp::wire::Fields;
use tollgate_otlp::{Limits, Writer, walk_traces};
use tollgate_redaction::{Counts, Route, Sealed};
use tollgate_residency::{Class, Form};

use crate::sow::Sower;
use crate::world::*;

/// The trace of an item that has one.
pub(crate) fn trace_of(route: Route) -> [u8; 16] {
    let Route::Trace(trace) = route else { return [0; 16] };
    *trace.as_bytes()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_item_crosses_or_is_counted(seed: u64, flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12)) {
        let mut sower = Sower::new(seed);
        let mut payload = sower.request().encode_to_vec();
        // The index of the sound bytes is used for the broken ones too, as after a bit flip on disk.
        let index = walked(&payload);
        for (at, byte) in flips {
            let at = at.index(payload.len());
            payload[at] = byte;
        }
        let walked_again = walk_traces(&payload, &Limits::default()).ok().map(|walked| walked.index);
        for index in [Some(index), walked_again].into_iter().flatten() {
            let out = example().seal(&payload, &index, ARRIVAL);
            let counts = *out.counts();
            prop_assert_eq!(counts.items_in, index.items() as u64);
            prop_assert_eq!(counts.items_in, counts.items_out + counts.withheld());
            let whole = out.whole();
            prop_assert_eq!(whole.items(), counts.items_out);
            let arrived = decoded(&whole.bytes());
            let scopes = arrived.resource_spans.iter().flat_map(|resource| &resource.scope_spans);
            prop_assert_eq!(scopes.map(|scope| scope.spans.len() as u64).sum::<u64>(), counts.items_out);
        }
    }

    #[test]
    fn parts_together_are_the_whole(seed: u64, parts in 1_usize..5) {
        let mut sower = Sower::new(seed);
        let sent = sower.request();
        let whole = seal(&mut example(), &sent).whole();
        let split = seal(&mut example(), &sent).split(parts, |route| Some(usize::from(trace_of(route)[0]) % parts));
        prop_assert_eq!(split.len(), parts);
        prop_assert_eq!(split.iter().flatten().map(|part| part.items()).sum::<u64>(), whole.items());
        prop_assert!(split.iter().flatten().all(|part| !part.is_empty()));
    }
}

fn name_first(span: &Span) -> Vec<u8> {
    let body = span.encode_to_vec();
    let (name, rest): (Vec<_>, Vec<_>) = Fields::new(&body).map(Result::unwrap).partition(|field| field.number == 5);
    name.iter().chain(&rest).flat_map(|field| field.raw).copied().collect()
}

/// The same request with the name in front of each span, as no encoder writes it.
fn disordered(sent: &ExportTraceServiceRequest) -> Vec<u8> {
    let mut out = Vec::new();
    for group in &sent.resource_spans {
        Writer::new(&mut out).message(1, |resource_spans| {
            resource_spans.bytes(1, &group.resource.clone().unwrap_or_default().encode_to_vec());
            for scope in &group.scope_spans {
                resource_spans.message(2, |scope_spans| {
                    scope_spans.bytes(1, &scope.scope.clone().unwrap_or_default().encode_to_vec());
                    scope.spans.iter().for_each(|span| scope_spans.bytes(2, &name_first(span)));
                    scope_spans.string(3, &scope.schema_url);
                });
            }
            resource_spans.string(3, &group.schema_url);
        });
    }
    out
}

proptest! {
    /// Guarantees: what is read at one go is sealed as what is read field by field.
    #[test]
    fn order_of_fields_makes_no_difference(seed: u64) {
        let sent = Sower::new(seed).request();
        let disordered = disordered(&sent);
        let usual = seal(&mut example(), &sent);
        let other = example().seal(&disordered, &walked(&disordered), ARRIVAL);
        prop_assert_eq!(usual.counts(), other.counts());
        prop_assert_eq!(usual.whole().bytes(), other.whole().bytes());
    }
}

#[test]
fn what_is_too_large_to_be_copied_arrives_in_the_same_order() {
    let spans = |trace: u8| {
        (0..400_u16).map(move |number| Span {
            trace_id: vec![trace; 16],
            span_id: u64::from(number + 1).to_be_bytes().to_vec(),
            ..span(vec![text("http.route", &"/a".repeat(60))])
        })
    };
    let sent = request(vec![text("service.name", "checkout")], spans(1).chain(spans(2)).chain(spans(3)).collect());
    let whole = seal(&mut example(), &sent).whole();
    assert_eq!(whole.chunks().len(), 1, "what goes to one place stays where it was written");
    let ids = |sealed: &Sealed| -> Vec<_> {
        let arrived = decoded(&sealed.bytes());
        let scopes = arrived.resource_spans.into_iter().flat_map(|group| group.scope_spans);
        scopes.flat_map(|scope| scope.spans).map(|span| (span.trace_id, span.span_id)).collect()
    };
    let expected: Vec<_> = sent.resource_spans[0].scope_spans[0]
        .spans
        .iter()
        .map(|span| (span.trace_id.clone(), span.span_id.clone()))
        .collect();
    assert_eq!(ids(&whole), expected);
    let parts = seal(&mut example(), &sent).split(2, |route| Some(usize::from(trace_of(route)[0] == 2)));
    let part = |which: usize| ids(parts[which].as_ref().unwrap());
    assert!(parts[0].as_ref().unwrap().chunks().len() > 1, "spans lie beside each other and stay there");
    assert_eq!([&part(0)[..400], &part(1), &part(0)[400..]].concat(), expected);
}

#[test]
fn values_are_counted_by_class_and_form() {
    let attributes =
        vec![text("http.route", "/a"), text("user.id", "jane"), text("user.email", "jane"), text("acme.x", "jane")];
    let out = seal(&mut example(), &request(vec![], vec![span(attributes)]));
    let counts = out.counts();
    assert_eq!(counts.values(Class::Direct, Form::Keyed), 1);
    assert_eq!(counts.values(Class::Direct, Form::Absent), 1);
    assert_eq!(counts.values(Class::Unclassified, Form::Absent), 1);
    // Route, kind and two times; the name `GET` has nothing to be composed of, and trace and span id are `corr`.
    assert_eq!(counts.values(Class::Op, Form::Raw), 4);
    assert_eq!(counts.values(Class::Op, Form::Absent), 1);
    assert_eq!(counts.values(Class::Corr, Form::Raw), 2);
    let mut twice = Counts::default();
    twice.add(counts);
    twice.add(counts);
    assert_eq!((twice.items_in, twice.values(Class::Direct, Form::Keyed)), (2, 2));
}
