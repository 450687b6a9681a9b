//! An index survives the disk, and no index from a disk does harm.

use proptest::prelude::*;
use prost::Message;
use tollgate_otlp::{Batch, Fault, Index, Limits, Part, select, split, walk_logs, walk_metrics, walk_traces};

use crate::generate::{self, damage, damages};

fn encoded(index: &Index) -> Vec<u8> {
    let mut bytes = Vec::new();
    index.encode(&mut bytes);
    bytes
}

/// Touches everything that an index leads to.
fn use_all(payload: &[u8], index: &Index) {
    let batch = Batch::new(payload, index);
    for resource in batch.resources() {
        let _ = (resource.resource(), resource.schema_url());
        for scope in resource.scopes() {
            let _ = (scope.scope(), scope.schema_url());
            scope.items().for_each(|item| {
                let _ = (item.body(), item.field(), item.trace_id());
            });
        }
    }
    let mut out = Vec::new();
    select(batch, |_| true, &mut out);
    let mut parts = vec![Part::default(); 3];
    split(batch, &mut parts, |number, _| Some(number % 4));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn index_reads_back(
        traces in generate::traces(), metrics in generate::metrics(), logs in generate::logs(), cut in 1_usize..40
    ) {
        let (traces, metrics, logs) = (traces.encode_to_vec(), metrics.encode_to_vec(), logs.encode_to_vec());
        let limits = Limits::default();
        for (payload, walked) in [
            (&traces, walk_traces(&traces, &limits)),
            (&metrics, walk_metrics(&metrics, &limits)),
            (&logs, walk_logs(&logs, &limits)),
        ] {
            let index = walked.unwrap().index;
            let bytes = encoded(&index);
            prop_assert_eq!(Index::decode(&bytes, payload.len()), Ok(index.clone()));
            let shorter = bytes.len().saturating_sub(cut);
            prop_assert_eq!(Index::decode(&bytes[..shorter], payload.len()), Err(Fault::Index));
            let items: usize = Batch::new(payload, &index).items().map(|item| item.field().len()).sum();
            if let Some(too_short) = items.checked_sub(1) {
                prop_assert_eq!(Index::decode(&bytes, too_short), Err(Fault::Index));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn damaged_index_is_refused_or_harmless(request in generate::traces(), damages in damages()) {
        let payload = request.encode_to_vec();
        let bytes = damage(encoded(&walk_traces(&payload, &Limits::default()).unwrap().index), &damages);
        if let Ok(index) = Index::decode(&bytes, payload.len()) {
            use_all(&payload, &index);
            use_all(&payload[..payload.len() / 2], &index);
            let mut out = Vec::new();
            select(Batch::new(&payload, &index), |_| true, &mut out);
            // Ranges of one kind do not overlap, so no byte is copied more than once for each of the three kinds;
            // each group adds a head of at most six bytes, and takes at least one byte of the index.
            prop_assert!(out.len() <= 3 * payload.len() + 6 * bytes.len());
        }
    }

    #[test]
    fn arbitrary_index_is_refused_or_harmless(mut bytes in prop::collection::vec(0_u8..6, 0..60)) {
        bytes.insert(0, 1);
        let payload = [7; 100];
        if let Ok(index) = Index::decode(&bytes, payload.len()) {
            use_all(&payload, &index);
        }
    }
}

#[test]
fn index_of_usual_spans_takes_two_percent() {
    let request = generate_usual();
    let payload = request.encode_to_vec();
    let index = walk_traces(&payload, &Limits::default()).unwrap().index;
    let share = encoded(&index).len() * 100 / payload.len();
    assert!(share < 2, "{share} %");
}

/// 8 resources of 125 spans of about 300 bytes.
fn generate_usual() -> opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest {
    use opentelemetry_proto::tonic::{
        collector::trace::v1::ExportTraceServiceRequest,
        trace::v1::{ResourceSpans, ScopeSpans, Span},
    };
    let span = |number: u8| Span {
        trace_id: vec![number; 16],
        span_id: vec![number; 8],
        name: "x".repeat(250),
        ..Span::default()
    };
    let scope = ScopeSpans { spans: (1..=125).map(span).collect(), ..ScopeSpans::default() };
    let resource = ResourceSpans { scope_spans: vec![scope], ..ResourceSpans::default() };
    ExportTraceServiceRequest { resource_spans: vec![resource; 8] }
}
