//! Kept spans are larger than they came where they say a threshold or a policy: whatever that makes of a request, logs take it.

use tollgate_otlp::Writer;

use super::kept::NAMED;
use super::tests::{Bench, ERRORS, error};
use super::*;
use crate::records::KEPT;
use crate::rig::{entry, trace_id};

/// Spans of a request that almost fills a segment.
const MOST: u64 = 30_000;

/// One policy for each of these traces, and one for all that have an error.
fn each(traces: u64) -> String {
    let id = |trace| data_encoding::HEXLOWER.encode(&trace_id(trace));
    let each = (0..traces).map(|trace| {
        let condition = format!("trace_id.string == \"{}\"", id(trace));
        format!("{{name: of-{trace}, type: ottl_condition, ottl_condition: {{span: ['{condition}']}}}}\n    - ")
    });
    each.collect::<String>() + ERRORS
}

/// A span of each of so many traces under a resource of so many bytes.
fn below(resource: usize, traces: u64) -> Vec<u8> {
    let mut out = Vec::new();
    Writer::new(&mut out).message(1, |spans| {
        spans.message(1, |resource_of| resource_of.key_string(1, "note", &"x".repeat(resource)));
        spans.message(2, |scope| {
            for trace in 0..traces {
                scope.message(2, |span| {
                    span.bytes(1, &trace_id(trace));
                    span.bytes(2, &[1; 8]);
                });
            }
        });
    });
    out
}

async fn kept(bench: &Bench) -> Vec<Record> {
    bench.records().await.into_iter().filter(|record| record.kind == KEPT).collect()
}

fn names(records: &[Record]) -> usize {
    let key = b"tailsampling.policy";
    records.iter().map(|record| record.payload.windows(key.len()).filter(|window| window == key).count()).sum()
}

/// Scenario: a request that fills a segment by itself, and more with what its kept spans say. Guarantees: it is written in parts,
/// nothing of it twice, and a crash goes on behind it.
#[tokio::test]
async fn what_outgrows_a_segment_is_kept_in_parts() {
    for own in ["use_tracestate: true\n", "record_policy: true\n", ""] {
        let policy = each(3);
        let mut bench = Bench::with(tempfile::tempdir().unwrap(), 30_000, &policy, own).await;
        bench.append(&(0..MOST).map(|number| error(number % 9_000, number)).collect::<Vec<_>>()).await;
        bench.settle().await;
        assert_eq!(bench.kept().await, (0..MOST).collect::<Vec<_>>(), "{own}");
        assert_eq!(kept(&bench).await.len() > 1, own.starts_with("use"), "{own}");
        let bench = bench.crashed().await;
        assert!(bench.is_swept() && bench.hold.sampler.pending() == 0, "{own}");
    }
}

/// Guarantees: what policies share is written once for each of them, also where a segment would not hold all of that; but not where
/// a request would leave by many times its size.
#[tokio::test]
async fn names_cost_no_more_than_a_bound() {
    let (resource, own) = (1 << 20, "record_policy: true\n");
    for (traces, named) in [(4, 4), (5, 0)] {
        let mut bench = Bench::with(tempfile::tempdir().unwrap(), 100, &each(traces), own).await;
        assert_eq!(resource * usize::try_from(traces).unwrap() > resource + NAMED - (1 << 19), named == 0);
        bench.received.append(entry(below(resource, traces))).await.unwrap();
        bench.settle().await;
        let records = kept(&bench).await;
        assert_eq!(names(&records), named);
        let size: usize = records.iter().map(|record| record.payload.len()).sum();
        assert!(size > resource && size < resource + NAMED, "{size}");
    }
}
