//! What central does with a request: folds it into what is known of its traces, and later copies the spans of those kept.

use std::collections::HashMap;
use std::hint::black_box;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use tollgate_otlp::{Batch, Index, select};
use tollgate_sampling::{Decision, Sampler, Verdict};

use super::codec::decode;
use super::policy;
use super::requests::{Requests, Shape};
use crate::measure::{Pair, Side};

/// Ours reads the record's index; the peer decodes, and folds into a map what the same four policies want to know.
pub(crate) fn observe(shape: Shape) -> Pair<'static> {
    let (mut requests, mut sampler) = (Requests::of(shape), Sampler::new(policy::sampling(), 7));
    let mut now = Duration::ZERO;
    let ours = move || {
        let request = requests.next();
        let index = Index::decode(&request.encoded, request.bytes.len()).unwrap();
        now += Duration::from_millis(10);
        black_box(sampler.fold(now, Batch::new(&request.bytes, &index)));
        black_box(sampler.due(now));
    };
    let (mut requests, mut seen) = (Requests::of(shape), HashMap::new());
    let peer = move || fold(decode(&requests.next().bytes), &mut seen);
    let spans = Requests::of(shape).spans();
    Pair { ours: Side::new(spans, ours), peer: Side::new(spans, peer) }
}

/// Ours asks for each span's verdict and copies; the peer decodes, retains and encodes.
pub(crate) fn sweep(shape: Shape) -> Pair<'static> {
    let (mut requests, mut sampler) = (Requests::of(shape), judged(shape));
    let ours = move || {
        let request = requests.next();
        let index = Index::decode(&request.encoded, request.bytes.len()).unwrap();
        let batch = Batch::new(&request.bytes, &index);
        let keep = |verdict: Option<Verdict>| verdict.is_some_and(|verdict| verdict.decision == Decision::Keep);
        let keep: Vec<bool> = sampler.verdicts(batch).into_iter().map(keep).collect();
        let mut out = Vec::new();
        select(batch, |number| keep.get(number).is_some_and(|keep| *keep), &mut out);
        black_box(out);
    };
    let (mut requests, sampler) = (Requests::of(shape), judged(shape));
    let peer = move || {
        let mut request = decode(&requests.next().bytes);
        for group in &mut request.resource_spans {
            let keep =
                |span: &Span| <[u8; 16]>::try_from(span.trace_id.as_slice()).is_ok_and(|id| is_kept(&sampler, &id));
            group.scope_spans.iter_mut().for_each(|scope| scope.spans.retain(keep));
            group.scope_spans.retain(|scope| !scope.spans.is_empty());
        }
        request.resource_spans.retain(|group| !group.scope_spans.is_empty());
        black_box(request.encode_to_vec());
    };
    let spans = Requests::of(shape).spans();
    Pair { ours: Side::new(spans, ours), peer: Side::new(spans, peer) }
}

fn is_kept(sampler: &Sampler, trace: &[u8; 16]) -> bool {
    sampler.verdict(&tollgate_otlp::TraceId(*trace)).is_some_and(|verdict| verdict.decision == Decision::Keep)
}

/// A sampler that has judged every trace of the rotation.
fn judged(shape: Shape) -> Sampler {
    let (mut requests, mut sampler) = (Requests::of(shape), Sampler::new(policy::sampling(), 7));
    for _ in 0..requests.rotation() {
        let request = requests.next();
        sampler.fold(Duration::ZERO, Batch::new(&request.bytes, &request.index));
    }
    sampler.due(Duration::from_secs(3600));
    sampler
}

/// First start, last end, and whether one span failed.
type Seen = HashMap<Vec<u8>, (u64, u64, bool)>;

fn fold(request: ExportTraceServiceRequest, seen: &mut Seen) {
    let scopes = request.resource_spans.into_iter().flat_map(|group| group.scope_spans);
    for span in scopes.flat_map(|scope| scope.spans) {
        let trace = seen.entry(span.trace_id).or_insert((u64::MAX, 0, false));
        trace.0 = trace.0.min(span.start_time_unix_nano);
        trace.1 = trace.1.max(span.end_time_unix_nano);
        trace.2 |= span.status.is_some_and(|status| status.code == 2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn about_a_tenth_of_the_traces_is_kept() {
        let sampler = judged(Shape::USUAL);
        let mut requests = Requests::of(Shape::USUAL);
        let (mut kept, mut all) = (0, 0);
        for _ in 0..requests.rotation() {
            let request = requests.next();
            for item in Batch::new(&request.bytes, &request.index).items() {
                all += 1;
                kept += usize::from(is_kept(&sampler, &item.trace_id().unwrap().0));
            }
        }
        assert!((all / 20..all / 5).contains(&kept), "{kept} of {all}");
    }
}
