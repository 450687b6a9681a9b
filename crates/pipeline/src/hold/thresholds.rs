//! Kept spans in the mode of trace states: each says by which probability it was kept (`ot=th`).

use tollgate_otlp::wire::Fields;
use tollgate_otlp::{Batch, Item, SpanView, TraceId, Writer, select_rewritten};
use tollgate_sampling::tracestate::{self, Kept};

/// The field of a span that holds its trace state.
const TRACE_STATE: u32 = 3;

/// Appends a request of the spans of another that `keep` wants; `kept` has an entry for each item.
pub(super) fn select(batch: Batch<'_>, keep: impl Fn(usize) -> bool, kept: &[Kept], out: &mut Vec<u8>) {
    let write = |item: &Item<'_>, body: &mut Vec<u8>| {
        let Some(kept) = kept.get(item.number).copied().filter(|_| keep(item.number)) else { return false };
        match item.trace_id().and_then(|trace| after(item.body(), &trace, kept)) {
            None => body.extend_from_slice(item.body()),
            Some(state) => with_state(item.body(), &state, body),
        }
        true
    };
    select_rewritten(batch, write, out);
}

fn after(span: &[u8], trace: &TraceId, kept: Kept) -> Option<String> {
    tracestate::after(SpanView::parse(span).ok()?.trace_state, trace, kept)
}

/// Appends a span with another trace state.
pub(crate) fn with_state(span: &[u8], state: &str, out: &mut Vec<u8>) {
    let others = Fields::new(span).flatten().filter(|field| field.number != TRACE_STATE);
    others.for_each(|field| out.extend_from_slice(field.raw));
    if !state.is_empty() {
        Writer::new(out).string(TRACE_STATE, state);
    }
}

#[cfg(test)]
mod tests {
    use tollgate_config::Set;
    use tollgate_otlp::{Limits, messages, walk_traces};
    use tollgate_sampling::tracestate::Threshold;
    use tollgate_sampling::{PolicySet, Sampler};

    use super::*;
    use crate::hold::tests::{Bench, error, span as span_of};
    use crate::records::KEPT;

    fn message(number: u32, body: &[u8], out: &mut Vec<u8>) {
        Writer::new(out).bytes(number, body);
    }

    fn span(name: &str, state: &str) -> Vec<u8> {
        let mut body = Vec::new();
        message(1, &[0xff; 16], &mut body);
        message(2, &[1; 8], &mut body);
        message(3, state.as_bytes(), &mut body);
        message(5, name.as_bytes(), &mut body);
        body
    }

    /// A request of these spans under one resource and scope.
    fn request(spans: &[Vec<u8>]) -> Vec<u8> {
        let (mut scope, mut resource, mut request) = (Vec::new(), Vec::new(), Vec::new());
        spans.iter().for_each(|span| message(2, span, &mut scope));
        message(2, &scope, &mut resource);
        message(1, &resource, &mut request);
        request
    }

    /// Guarantees: kept spans carry their threshold unless a higher one stands there, and all else of them is as it came.
    #[test]
    fn kept_spans_say_by_which_threshold() {
        let spans =
            [span("kept", ""), span("dropped", ""), span("limited", "ot=th:4;x:y"), span("higher", "v=1,ot=th:c")];
        let payload = request(&spans);
        let walked = walk_traces(&payload, &Limits::default()).unwrap();
        let all = Kept::At(Threshold::ALWAYS);
        let mut out = Vec::new();
        let kept = [all, all, Kept::Unknown, all];
        select(Batch::new(&payload, &walked.index), |item| item != 1, &kept, &mut out);
        let walked = walk_traces(&out, &Limits::default()).unwrap();
        assert!(walked.rejected.is_none());
        let views = Batch::new(&out, &walked.index).items().map(|item| SpanView::parse(item.body()).unwrap());
        let said: Vec<_> = views.map(|view| (view.name, view.trace_state)).collect();
        assert_eq!(said, [("kept", "ot=th:0"), ("limited", "ot=x:y"), ("higher", "v=1,ot=th:c")]);
        let last = messages(&out, 1).flat_map(|group| messages(group, 2)).flat_map(|scope| messages(scope, 2)).last();
        assert_eq!(last, Some(span("higher", "v=1,ot=th:c").as_slice()));
    }

    /// The trace states of all kept spans.
    async fn states(bench: &Bench) -> Vec<String> {
        let records = bench.records().await;
        let kept = records.iter().filter(|record| record.kind == KEPT).flat_map(|record| {
            let index = walk_traces(&record.payload, &Limits::default()).unwrap().index;
            let spans = Batch::new(&record.payload, &index).items();
            spans.map(|item| SpanView::parse(item.body()).unwrap().trace_state.to_owned()).collect::<Vec<_>>()
        });
        kept.collect()
    }

    /// Guarantees: the mode reaches the log of kept spans; without it nothing is written.
    #[tokio::test]
    async fn what_is_kept_leaves_with_its_threshold() {
        let mut bench = Bench::new().await;
        bench.append(&[error(1, 10), span_of(2, 20)]).await;
        bench.settle().await;
        assert_eq!(states(&bench).await, [""]);
        let text = "use_tracestate: true\ntail_sampling: {decision_wait: 5s, policies: [{name: errors, type: status_code, \
                    status_code: {status_codes: [ERROR]}}]}\n";
        let (set, faults) = Set::from_texts([("policies/sampling.yaml", text)]);
        bench.hold.sampler = Sampler::new(PolicySet::load(&set, &faults).unwrap(), 1);
        bench.append(&[error(3, 30), span_of(4, 40)]).await;
        bench.settle().await;
        assert_eq!(states(&bench).await, ["", "ot=th:0"]);
    }
}
