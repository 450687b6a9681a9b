//! Adds up what is counted of many verdicts and spans alike: a counter is found by its labels, once for all of them.

use std::collections::BTreeMap;
use std::time::Duration;

use tollgate_sampling::{Decision, Judged, Reason, Sampler, Timing, Verdict, Voted};

use crate::node::counters::{Outcome, SamplingCounters};

/// Counts the verdicts of one round.
pub(super) fn judged(judged: &[Judged], sampler: &Sampler, now: Duration, counters: &SamplingCounters) {
    let mut verdicts: BTreeMap<(Reason, Outcome), u64> = BTreeMap::new();
    let mut votes: BTreeMap<(usize, Outcome), (u64, u64)> = BTreeMap::new();
    let (policies, mut unknown) = (sampler.policies().names().len(), vec![0; sampler.policies().names().len()]);
    for judged in judged {
        *verdicts.entry((judged.verdict.reason, outcome(judged.verdict))).or_default() += 1;
        for policy in 0..policies {
            let outcome = match judged.votes.of(policy) {
                Voted::Keep => Outcome::Sampled,
                Voted::Pass => Outcome::NotSampled,
                Voted::Veto => Outcome::Dropped,
                Voted::Unknown => {
                    unknown.iter_mut().skip(policy).take(1).for_each(|unknown| *unknown += 1);
                    continue;
                }
                Voted::NotAsked => continue,
            };
            let (traces, spans) = votes.entry((policy, outcome)).or_default();
            (*traces, *spans) = (*traces + 1, *spans + u64::from(judged.summary.spans()));
        }
        if let Timing::Early(cause) = judged.timing {
            counters.incomplete(cause);
        }
        counters.too_large.inc_by(u64::from(judged.verdict.reason == Reason::TOO_LARGE));
        counters.judged_after(now.saturating_sub(judged.arrived));
    }
    for ((reason, outcome), traces) in verdicts {
        counters.verdicts(sampler.reason(reason), outcome, traces);
    }
    let mut asked = unknown.clone();
    for ((policy, outcome), (traces, spans)) in votes {
        asked.iter_mut().skip(policy).take(1).for_each(|asked| *asked += traces);
        counters.voted(sampler.policies().names().nth(policy).unwrap_or_default(), outcome, traces, spans);
    }
    for (policy, times) in sampler.policies().names().zip(asked).filter(|(_, times)| *times > 0) {
        counters.asked(policy, times);
    }
    counters.errors.inc_by(unknown.iter().sum());
}

/// Spans and bytes by verdict, until they are counted.
#[derive(Debug, Default)]
pub(super) struct Swept(Vec<(Verdict, u64, u64)>);

impl Swept {
    /// One more span.
    pub(super) fn add(&mut self, verdict: Verdict, bytes: usize) {
        // Spans of one request mostly have one of a few verdicts, and a trace's lie side by side.
        match self.0.iter_mut().rev().find(|(known, ..)| *known == verdict) {
            Some((_, spans, sum)) => (*spans, *sum) = (*spans + 1, *sum + bytes as u64),
            None => self.0.push((verdict, 1, bytes as u64)),
        }
    }

    /// Counts what was added since.
    pub(super) fn count(&mut self, sampler: &Sampler, counters: &SamplingCounters) {
        for (verdict, spans, bytes) in self.0.drain(..) {
            counters.swept(sampler.reason(verdict.reason), outcome(verdict), spans, bytes);
        }
    }
}

/// A policy's name as the reason of a drop is a veto.
fn outcome(verdict: Verdict) -> Outcome {
    match verdict.decision {
        Decision::Keep => Outcome::Sampled,
        Decision::Drop if verdict.reason == Reason::NO_POLICY_MATCHED => Outcome::NotSampled,
        Decision::Drop => Outcome::Dropped,
    }
}
