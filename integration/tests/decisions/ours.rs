//! Our own decisions: what `tollgate sampling replay` does, in this process.

use std::collections::HashSet;

use tollgate_otlp::{Batch, TraceId};
use tollgate_sampling::{Decision, PolicySet, Replay};

use crate::policies::Case;
use crate::traffic::Traffic;

/// For each trace, whether it is kept; or why the policies are refused.
pub(crate) fn kept(case: &Case, traffic: &Traffic) -> Result<Vec<bool>, String> {
    let (document, faults) = tollgate_config::parse("policies", &case.text());
    let policies: Option<PolicySet> = document.root(&faults).read();
    let policies = policies.filter(|_| faults.is_empty()).ok_or_else(|| faults.to_string())?;
    let mut replay = Replay::new(policies, 1);
    for request in &traffic.requests {
        replay.fold(Batch::new(&request.payload, &request.index));
    }
    let judged = replay.end();
    assert_eq!(judged.len(), traffic.traces.len());
    let kept = judged.iter().filter(|judged| judged.verdict.decision == Decision::Keep).map(|judged| judged.trace);
    let kept: HashSet<_> = kept.collect();
    Ok(traffic.traces.iter().map(|trace| kept.contains(&TraceId(*trace))).collect())
}
