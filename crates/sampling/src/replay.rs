//! Judges recorded traffic as if all of it had arrived within one `decision_wait`: the sampler of the data path, and a clock
//! that stands still.

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

    /// Takes in a request. Verdicts come early where more traces are recorded than `num_traces` allows to wait.
    pub fn fold(&mut self, batch: Batch<'_>) -> (Folded, Vec<Judged>) {
        let folded = self.sampler.fold(Duration::ZERO, batch);
        let early = if folded.judged_early > 0 { self.sampler.due(Duration::ZERO) } else { Vec::new() };
        (folded, early)
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
            let (folded, early) = with_batch(&request(&spans), |batch| replay.fold(batch));
            assert_eq!((folded.pending_spans, early), (2, vec![]));
        }
        let judged = replay.end();
        let said: Vec<_> =
            judged.iter().map(|judged| (judged.trace, judged.verdict.decision, judged.summary.spans())).collect();
        assert_eq!(said, [(id(1), Decision::Keep, 2), (id(2), Decision::Drop, 1), (id(3), Decision::Drop, 1)]);
        assert_eq!(replay.reason(judged[0].verdict.reason), "errors");
        assert_eq!(replay.end(), []);
    }

    #[test]
    fn more_traces_than_may_wait_are_judged_early_and_in_order() {
        let mut replay = Replay::new(policies(&format!("{{num_traces: 2, {BLOCK}}}")), 1);
        let (folded, early) = with_batch(&request(&[plain(1), error(2), plain(3)]), |batch| replay.fold(batch));
        assert_eq!(folded.judged_early, 1);
        assert_eq!(early.iter().map(|judged| judged.trace).collect::<Vec<_>>(), [id(1)]);
        assert_eq!(replay.end().iter().map(|judged| judged.trace).collect::<Vec<_>>(), [id(2), id(3)]);
    }
}
