//! Walking and splitting, beside prost with the types that everyone generates.

use std::hint::black_box;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use tollgate_otlp::{Batch, Index, Limits, Part, TraceId, split, walk_traces};

use super::requests::{Requests, Shape};
use crate::measure::{Pair, Side};

const PARTS: usize = 4;

/// Ours checks every byte and notes where everything lies.
pub(crate) fn walk(shape: Shape) -> Pair<'static> {
    let (mut ours, mut peers) = (Requests::of(shape), Requests::of(shape));
    Pair {
        ours: Side::new(ours.spans(), move || drop(black_box(walk_traces(&ours.next().bytes, &Limits::default())))),
        peer: Side::new(peers.spans(), move || drop(black_box(decode(&peers.next().bytes)))),
    }
}

/// The least that reading a request could cost.
pub(crate) fn walk_and_floor(shape: Shape) -> Pair<'static> {
    let mut requests = Requests::of(shape);
    Pair {
        ours: walk(shape).ours,
        peer: Side::new(requests.spans(), move || drop(black_box(requests.next().bytes.to_vec()))),
    }
}

/// What a consumer does with a record of the log: reads its index, and copies.
pub(crate) fn split_record(shape: Shape) -> Pair<'static> {
    let mut requests = Requests::of(shape);
    let ours = move || {
        let request = requests.next();
        let index = Index::decode(&request.encoded, request.bytes.len()).unwrap();
        black_box(parted(&request.bytes, &index));
    };
    Pair { ours: Side::new(Requests::of(shape).spans(), ours), peer: prost_split(shape) }
}

/// The same from bytes that nobody has seen before.
pub(crate) fn walk_and_split(shape: Shape) -> Pair<'static> {
    let mut requests = Requests::of(shape);
    let ours = move || {
        let request = requests.next();
        let walked = walk_traces(&request.bytes, &Limits::default()).unwrap();
        black_box(parted(&request.bytes, &walked.index));
    };
    Pair { ours: Side::new(Requests::of(shape).spans(), ours), peer: prost_split(shape) }
}

pub(crate) fn split_and_floor(shape: Shape) -> Pair<'static> {
    Pair { ours: split_record(shape).ours, peer: walk_and_floor(shape).peer }
}

#[expect(clippy::disallowed_methods, reason = "prost is the peer here")]
pub(crate) fn decode(bytes: &[u8]) -> ExportTraceServiceRequest {
    ExportTraceServiceRequest::decode(bytes).unwrap()
}

/// Stands for rendezvous hashing, which both sides would pay alike.
fn owner(trace: &[u8]) -> usize {
    trace.last().map_or(0, |last| usize::from(*last) % PARTS)
}

fn parted(bytes: &[u8], index: &Index) -> Vec<Part> {
    let mut parts: Vec<Part> =
        (0..PARTS).map(|_| Part { bytes: Vec::with_capacity(bytes.len() / PARTS * 5 / 4), items: 0 }).collect();
    split(Batch::new(bytes, index), &mut parts, |_, TraceId(trace)| Some(owner(&trace)));
    parts
}

fn prost_split(shape: Shape) -> Side<'static> {
    let mut requests = Requests::of(shape);
    Side::new(requests.spans(), move || {
        let parts = prost_parted(decode(&requests.next().bytes));
        parts.iter().for_each(|part| drop(black_box(part.encode_to_vec())));
    })
}

/// Moves spans; clones a resource and a scope once for each part that gets spans of them.
fn prost_parted(request: ExportTraceServiceRequest) -> [ExportTraceServiceRequest; PARTS] {
    let mut parts: [ExportTraceServiceRequest; PARTS] = Default::default();
    for group in request.resource_spans {
        let mut open = [false; PARTS];
        for scope in group.scope_spans {
            let mut spans: [Vec<Span>; PARTS] = Default::default();
            scope.spans.into_iter().for_each(|span| spans[owner(&span.trace_id)].push(span));
            for (part, spans) in spans.into_iter().enumerate().filter(|(_, spans)| !spans.is_empty()) {
                let resources = &mut parts[part].resource_spans;
                if !std::mem::replace(&mut open[part], true) {
                    let (resource, schema_url) = (group.resource.clone(), group.schema_url.clone());
                    resources.push(ResourceSpans { resource, scope_spans: Vec::new(), schema_url });
                }
                let (scope, schema_url) = (scope.scope.clone(), scope.schema_url.clone());
                resources.last_mut().unwrap().scope_spans.push(ScopeSpans { scope, spans, schema_url });
            }
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_split_alike() {
        let mut requests = Requests::of(Shape::usual(100));
        let request = requests.next();
        let ours = parted(&request.bytes, &request.index);
        let theirs = prost_parted(decode(&request.bytes));
        for (ours, theirs) in ours.iter().zip(&theirs) {
            assert_eq!(decode(&ours.bytes), *theirs);
            assert_eq!(ours.bytes.len(), theirs.encoded_len());
        }
    }

    #[test]
    fn spans_of_a_trace_lie_apart() {
        let mut requests = Requests::of(Shape::usual(100));
        let request = requests.next();
        let ids: Vec<_> = Batch::new(&request.bytes, &request.index).items().map(|item| item.trace_id()).collect();
        assert!(ids.windows(2).all(|pair| pair[0] != pair[1]));
    }
}
