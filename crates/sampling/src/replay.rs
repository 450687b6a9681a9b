//! Judges recorded traffic as if all of it had arrived within one `decision_wait`: the sampler of the data path, and a clock
//! that stands still. As many traces wait as are recorded, whatever `num_traces` says: each is judged once, on all its spans.

use std::time::Duration;

use tollgate_otlp::Batch;

use crate::policy::PolicySet;
use crate::sampler::{Folded, Judged, Sampler};
use crate::verdict::Reason;

/// Policies that are tried on a recording.
#[derive(Debug)]
pub struct Replay {
    sampler: Sampler,
}

impl Replay {
    /// Starts with nothing seen; `secret` is the sampler's.
    pub fn new(policies: PolicySet, secret: u64) -> Self {
        Self { sampler: Sampler::new(policies, secret) }
    }

    /// Takes in a request.
    pub fn fold(&mut self, batch: Batch<'_>) -> Folded {
        self.sampler.let_wait(batch.index.items());
        self.sampler.fold(Duration::ZERO, batch)
    }

    /// Judges all that still waits, in order of first arrival.
    pub fn end(&mut self) -> Vec<Judged> {
        let wait = self.sampler.policies().bounds().decision_wait;
        self.sampler.due(wait)
    }

    /// The name of a verdict's reason.
    pub fn reason(&self, reason: Reason) -> &str {
        self.sampler.reason(reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::requests::{error, id, plain, policies, request, with_batch};
    use crate::verdict::Decision;

    const BLOCK: &str = "policies: [{name: errors, type: status_code, status_code: {status_codes: [ERROR]}}]";

    #[test]
    fn spans_of_one_trace_count_together_wherever_they_are_recorded() {
        let mut replay = Replay::new(policies(BLOCK), 1);
        for spans in [[plain(1), plain(2)], [plain(3), error(1)]] {
            let folded = with_batch(&request(&spans), |batch| replay.fold(batch));
            assert_eq!(folded.pending_spans, 2);
        }
        let judged = replay.end();
        let said: Vec<_> =
            judged.iter().map(|judged| (judged.trace, judged.verdict.decision, judged.summary.spans())).collect();
        assert_eq!(said, [(id(1), Decision::Keep, 2), (id(2), Decision::Drop, 1), (id(3), Decision::Drop, 1)]);
        assert_eq!(replay.reason(judged[0].verdict.reason), "errors");
        assert_eq!(replay.end(), []);
    }

    #[test]
    fn each_trace_is_judged_once_however_many_may_wait() {
        let mut replay = Replay::new(policies(&format!("{{num_traces: 1, {BLOCK}}}")), 1);
        let traces = 1..=200_u8;
        for half in [plain, error] {
            for trace in traces.clone() {
                let folded = with_batch(&request(&[half(trace)]), |batch| replay.fold(batch));
                assert_eq!((folded.judged_early, folded.pending_spans), (0, 1));
            }
        }
        let judged = replay.end();
        assert_eq!(judged.iter().map(|judged| judged.trace).collect::<Vec<_>>(), traces.map(id).collect::<Vec<_>>());
        assert!(judged.iter().all(|judged| judged.summary.spans() == 2 && judged.verdict.decision == Decision::Keep));
    }
}
