//! The keys of ours in `policies/sampling.yaml`, beside the Collector's block.
//!
//! Promises:
//! 1. What is not said follows from the block, so that a block alone is a whole document.
//! 2. Verdicts are remembered for as long as a link may lag behind and the tail behind that.

use std::time::Duration;

use tollgate_config::{Fields, Located};

use super::Bounds;
use super::read::{MAX_TRACES, or_default};

/// Unless said otherwise, a link that lags is waited for this many times as long as a trace is anyway: the memory that this
/// takes is in proportion to what was planned for.
const WAITS: u32 = 4;
/// A verdict that comes later than this helps nobody who looks for the trace.
const LONGEST: Duration = Duration::from_secs(3600);
/// Traces whose history is kept unless said otherwise: about ten megabytes.
const HISTORY: usize = 20_000;
/// More would be a second memory of all traces.
const MOST_HISTORY: usize = 10_000_000;

/// Whether kept spans name the policy that kept them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RecordPolicy {
    /// They go out as they came.
    #[default]
    Off,
    /// Their scope names it, as with the Collector's gate `recordpolicy`.
    On,
}

/// By what a share of all traces is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Consistency {
    /// By the Collector's hash of the trace id; trace states go out as they came.
    #[default]
    Hash,
    /// By the randomness that goes with the trace, as with the Collector's gate `usetracestate`; kept spans say the
    /// threshold.
    TraceState,
}

/// What the document says beside the block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Own {
    /// How many traces the history answers for.
    pub history: usize,
    /// Whether kept spans name their policy.
    pub record_policy: RecordPolicy,
    /// What decides about shares, and whether kept spans say by which probability they were kept.
    pub sampling: Consistency,
}

impl Default for Own {
    fn default() -> Self {
        Self { history: HISTORY, record_policy: RecordPolicy::Off, sampling: Consistency::Hash }
    }
}

/// How long a lagging link is waited for if the document does not say it.
pub(super) fn default_wait_max(decision_wait: Duration) -> Duration {
    decision_wait.saturating_mul(WAITS)
}

/// Reads the keys of ours; those that bound something go into the bounds.
pub(super) fn read(fields: &mut Fields<'_>, bounds: Option<&mut Bounds>) -> Option<Own> {
    let wait_max: Option<Located<Duration>> = fields.optional("decision_wait_max");
    let history = or_default(fields, "history", Located { value: HISTORY, at: fields.mapping().at() });
    let record = or_default(fields, "record_policy", false);
    let trace_state = or_default(fields, "use_tracestate", false);
    let faults = fields.mapping().faults();
    if let Some(bounds) = bounds {
        match wait_max {
            Some(longest) if (bounds.decision_wait..=LONGEST.max(bounds.decision_wait)).contains(&longest.value) => {
                bounds.decision_wait_max = longest.value;
            }
            Some(longest) => faults.report(&longest.at, "out of range, expected from decision_wait to 1h"),
            None => {}
        }
        bounds.remembered = bounds.remembered.max(needed_verdicts(bounds));
    }
    let history = history.filter(|history| {
        let fits = history.value <= MOST_HISTORY;
        if !fits {
            faults.report(&history.at, format_args!("out of range, expected 0 to {MOST_HISTORY}"));
        }
        fits
    });
    let record_policy = if record? { RecordPolicy::On } else { RecordPolicy::Off };
    let sampling = if trace_state? { Consistency::TraceState } else { Consistency::Hash };
    Some(Own { history: history?.value, record_policy, sampling })
}

/// Verdicts that are given while a link lags for the longest time, and while the tail waits behind it, at the rate that
/// `num_traces` is enough for. Where that is short, verdicts are still needed until the tail has come past their spans: those
/// on what was pending when the last of these spans came and on what came since, and half as many to spare.
pub(super) fn needed_verdicts(bounds: &Bounds) -> usize {
    let wait = bounds.decision_wait.as_millis().max(1) * 12;
    let needed = bounds.num_traces as u128 * bounds.decision_wait_max.as_millis() * 2 * 10 / wait;
    let swept = bounds.num_traces.saturating_mul(4);
    usize::try_from(needed).unwrap_or(MAX_TRACES).max(swept).min(MAX_TRACES)
}

#[cfg(test)]
mod tests {
    use tollgate_config::Set;

    use super::*;
    use crate::PolicySet;

    fn load(own: &str) -> Result<PolicySet, String> {
        let block = "tail_sampling: {decision_wait: 5s, num_traces: 1200, decision_cache: {sampled_cache_size: 10}, \
                     policies: [{name: all, type: always_sample}]}";
        let text = format!("{block}\n{own}\n");
        let (set, faults) = Set::from_texts([("policies/sampling.yaml", text.as_str())]);
        PolicySet::load(&set, &faults).filter(|_| faults.is_empty()).ok_or_else(|| faults.to_string())
    }

    #[test]
    fn a_block_alone_is_a_whole_document() {
        let set = load("").unwrap();
        assert_eq!((set.bounds().decision_wait_max, *set.own()), (Duration::from_secs(20), Own::default()));
    }

    #[test]
    fn what_is_said_holds() {
        let set = load("decision_wait_max: 2m\nhistory: 7\nrecord_policy: true").unwrap();
        assert_eq!(set.bounds().decision_wait_max, Duration::from_secs(120));
        let sampling = Consistency::Hash;
        assert_eq!(*set.own(), Own { history: 7, record_policy: RecordPolicy::On, sampling });
    }

    /// Guarantees: at the rate that fills `num_traces`, a verdict is remembered for twice the longest wait.
    #[test]
    fn verdicts_outlive_the_longest_wait() {
        let bounds = *load("decision_wait_max: 10m").unwrap().bounds();
        let rate = 1200 * 10 / 12 / 5;
        assert_eq!(bounds.remembered, rate * 2 * 600);
        assert!(load("").unwrap().bounds().remembered >= rate * 2 * 20);
        let small = "decision_wait_max: 5s\n";
        assert!(load(small).unwrap().bounds().remembered >= 4 * 1200, "the tail needs them");
    }

    #[test]
    fn what_makes_no_sense_is_a_fault() {
        for (own, said) in [
            ("decision_wait_max: 4s", "expected from decision_wait to 1h"),
            ("decision_wait_max: 2h", "expected from decision_wait to 1h"),
            ("history: 10000001", "expected 0 to 10000000"),
            ("record_policies: true", "unknown key"),
        ] {
            let faults = load(own).unwrap_err();
            assert!(faults.contains("policies/sampling.yaml:2:") && faults.contains(said), "{faults}");
        }
    }
}
