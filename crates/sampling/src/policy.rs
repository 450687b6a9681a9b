//! The policies of one `tail_sampling` block: what they look for in a span, and how they judge a whole trace.
//!
//! Promises:
//! 1. A trace is kept if any policy wants it and none vetoes it, as for the Collector; the first in the list is the reason.
//! 2. Without rate limits a verdict depends on the evidence and the trace id alone, so on no order of spans and on no clock.
//! 3. A trace of which something could not be evaluated is kept, unless a policy vetoes it for what was.
//!
//! Not here: the block's syntax (`policy/read.rs`), reading spans (`policy/look.rs`), when a trace is judged (`sampler.rs`).

mod ask;
mod attribute;
mod closer;
mod compile;
mod inclusion;
mod limits;
mod look;
mod observe;
mod own;
pub(crate) mod pattern;
mod probabilistic;
pub(crate) mod read;
mod rule;
mod vote;
mod votes;

use std::ops::Range;
use std::time::Duration;

use tollgate_config::At;
use tollgate_otlp::TraceId;

use compile::{Compiler, Looks, drops_first};
use inclusion::Inclusion;
use rule::Rule;
use vote::{Ballot, Case, Vetoes, Vote};

pub use ask::Ask;
pub(crate) use closer::Failed;
pub use limits::Limits;
use limits::Places;
pub(crate) use observe::{Surroundings, Words};
pub use own::{Consistency, Own, RecordPolicy};
pub use votes::{Voted, Votes};

use crate::summary::{Evidence, Layout};
use crate::tracestate::Threshold;
use crate::verdict::{Decision, Reason, Verdict};

/// The policies and bounds of one `tail_sampling` block.
#[derive(Debug)]
pub struct PolicySet {
    bounds: Bounds,
    notes: Vec<Note>,
    own: Own,
    asks: Vec<Ask>,
    /// Those by which a trace may be kept, each once.
    thresholds: Vec<Threshold>,
    policies: Box<[Policy]>,
    looks: Looks,
    layout: Layout,
    /// With nothing spent.
    limits: Limits,
    /// Whether no policy is asked after one that wants the trace, but for those that may veto.
    ends_at_first_match: bool,
}

/// How long and for how many traces evidence and verdicts are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// From a trace's first span to its verdict.
    pub decision_wait: Duration,
    /// How long evidence still counts after a root arrived; always if `None`.
    pub wait_after_root: Option<Duration>,
    /// For a link that lags, a verdict waits up to this long after a trace's first span.
    pub decision_wait_max: Duration,
    /// How many traces may be pending; above it the oldest is judged early.
    pub num_traces: usize,
    /// How many verdicts are remembered for late spans.
    pub remembered: usize,
    /// The rate that the operator expects; 0 if not said.
    pub expected_new_traces_per_sec: u64,
    /// A trace with more bytes is dropped, whatever policies say; no bound if `None`.
    pub max_trace_bytes: Option<u64>,
}

/// Something that loads, and means another thing here than for the Collector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Where it stands.
    pub at: At,
    /// What happens here.
    pub text: String,
}

/// What reading a block found besides policies.
#[derive(Debug, Default)]
struct Remarks {
    notes: Vec<Note>,
    asks: Vec<Ask>,
}

impl Bounds {
    /// How many traces will be pending at the expected rate, with a fifth to spare; 0 if no rate was said.
    pub fn needed_traces(&self) -> u64 {
        self.needed_in(self.decision_wait)
    }

    /// The same while a link lags for as long as it is waited for.
    pub fn needed_traces_in_lag(&self) -> u64 {
        self.needed_in(self.decision_wait_max)
    }

    fn needed_in(&self, wait: Duration) -> u64 {
        let traces = u128::from(self.expected_new_traces_per_sec) * wait.as_millis() * 12 / 10_000;
        u64::try_from(traces).unwrap_or(u64::MAX)
    }
}

/// A policy as it votes.
#[derive(Debug)]
struct Policy {
    name: Box<str>,
    vote: Vote,
    vetoes: Vetoes,
    /// Its own of all rate limits: from here to where the next policy's begin.
    limits: Places,
}

impl PolicySet {
    fn new(bounds: Bounds, ends_at_first_match: bool, rules: Vec<(String, Rule)>, remarks: Remarks) -> Self {
        let Remarks { notes, asks } = remarks;
        let mut compiler = Compiler::default();
        compiler.layout.bytes = bounds.max_trace_bytes.is_some();
        compiler.layout.root = bounds.wait_after_root.is_some();
        let policies = drops_first(rules).into_iter().map(|(name, rule)| {
            let first = compiler.limits.places();
            let vote = compiler.vote(rule);
            Policy { name: name.into_boxed_str(), vetoes: vote.vetoes(), vote, limits: first }
        });
        let policies = policies.collect();
        let looks = compiler.looks();
        let Compiler { limits, layout, thresholds, .. } = compiler;
        let thresholds = thresholds.into_iter().collect();
        Self {
            bounds,
            own: Own::default(),
            notes,
            asks,
            thresholds,
            policies,
            looks,
            layout,
            limits,
            ends_at_first_match,
        }
    }

    /// How long and for how many traces the block says to wait.
    pub fn bounds(&self) -> &Bounds {
        &self.bounds
    }

    /// What is said beside the block.
    pub fn own(&self) -> &Own {
        &self.own
    }

    /// What of the block means another thing here than for the Collector.
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    /// What the policies read of spans.
    pub fn asks(&self) -> &[Ask] {
        &self.asks
    }

    /// So many bytes of memory a pending trace takes at most, and a remembered one.
    pub fn bytes_per_trace(&self) -> (u64, u64) {
        (crate::sampler::PENDING_BYTES + 8 * self.layout.width() as u64, crate::sampler::REMEMBERED_BYTES)
    }

    /// So many bytes of memory all of both take at most.
    pub fn memory(&self) -> u64 {
        let (pending, remembered) = self.bytes_per_trace();
        let bytes = |count: usize, each: u64| (count as u64).saturating_mul(each);
        bytes(self.bounds.num_traces, pending).saturating_add(bytes(self.bounds.remembered, remembered))
    }

    /// The names of the policies, in the order in which they vote: those that veto first, then as they stand.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.policies.iter().map(|policy| &*policy.name)
    }

    /// The rate limits of this set with nothing spent.
    pub fn limits(&self) -> Limits {
        self.limits.clone()
    }

    /// The rate limits of this set after another was in force: what a policy of the same name had left it still has, up to what
    /// it may have now.
    pub(crate) fn limits_after(&self, before: &Self, left: &Limits) -> Limits {
        let mut limits = self.limits();
        for (place, policy) in self.policies.iter().enumerate() {
            let Some(same) = before.policies.iter().position(|other| other.name == policy.name) else { continue };
            limits.go_on(self.limits_of(place), left, before.limits_of(same));
        }
        limits
    }

    fn limits_of(&self, policy: usize) -> Range<Places> {
        let first = |place: usize| self.policies.get(place).map_or(self.limits.places(), |policy| policy.limits);
        first(policy)..first(policy + 1)
    }

    pub(crate) fn layout(&self) -> Layout {
        self.layout
    }

    /// Those by which a trace may be kept, by the places that reasons have.
    pub(crate) fn thresholds(&self) -> &[Threshold] {
        &self.thresholds
    }

    fn at_threshold(&self, reason: Reason, case: &Case<'_>) -> Reason {
        if self.own.sampling == Consistency::Hash {
            return reason;
        }
        let all = self.policies.iter().map(|policy| policy.vote.inclusion(case)).fold(Inclusion::Never, Inclusion::or);
        let Inclusion::From(threshold) = all else { return reason };
        let place = self.thresholds.iter().position(|known| *known == threshold);
        place.map_or(reason, |place| reason.at_threshold(place))
    }

    /// Judges a trace by all that was seen of it.
    ///
    /// Rate limits are charged, so a trace is judged once; `now` is uptime.
    pub fn verdict(&self, trace: &TraceId, evidence: Evidence<'_>, limits: &mut Limits, now: Duration) -> Verdict {
        self.vote(trace, evidence, limits, now, &mut Votes::default())
    }

    /// The same, and notes how each policy voted.
    pub(crate) fn vote(
        &self,
        trace: &TraceId,
        evidence: Evidence<'_>,
        limits: &mut Limits,
        now: Duration,
        votes: &mut Votes,
    ) -> Verdict {
        let case = Case { trace, evidence, layout: self.layout, now };
        if self.bounds.max_trace_bytes.is_some_and(|most| case.bytes() > most) {
            return Verdict { decision: Decision::Drop, reason: Reason::TOO_LARGE };
        }
        let (mut keeps, mut unknown) = (None, evidence.summary.is_unreadable());
        for (place, policy) in self.policies.iter().enumerate() {
            if keeps.is_some() && self.ends_at_first_match && policy.vetoes == Vetoes::Never {
                continue;
            }
            let ballot = policy.vote.cast(&case, limits);
            votes.note(place, ballot);
            match ballot {
                Ballot::Veto => return Verdict { decision: Decision::Drop, reason: Reason::policy(place) },
                Ballot::Keep => keeps = keeps.or(Some(place)),
                Ballot::Unknown => unknown = true,
                Ballot::Pass => {}
            }
        }
        let (decision, reason) = match keeps {
            Some(place) => (Decision::Keep, self.at_threshold(Reason::policy(place), &case)),
            None if unknown => (Decision::Keep, Reason::EVALUATION_ERROR),
            None => (Decision::Drop, Reason::NO_POLICY_MATCHED),
        };
        Verdict { decision, reason }
    }
}

#[cfg(test)]
mod counts;
#[cfg(test)]
mod laws;
#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod whole_traces;
