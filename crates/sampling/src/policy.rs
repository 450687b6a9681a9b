//! The policies of one `tail_sampling` block: what they look for in a span, and how they judge a whole trace.
//!
//! Promises:
//! 1. A trace is kept if any policy wants it, as for the Collector; the first in the list is the reason.
//! 2. A verdict depends on the summary and the trace id alone, so on no order of spans and on no clock.
//! 3. A trace of which something could not be evaluated is kept.
//!
//! Not here: the block's syntax (`policy/read.rs`), reading spans (`policy/span.rs`), when a trace is judged (`sampler.rs`).

mod attribute;
mod limits;
mod pattern;
mod probabilistic;
pub(crate) mod read;
mod span;

use std::time::Duration;

use tollgate_otlp::TraceId;

use attribute::{Matcher, WatchedKeys};
use probabilistic::Share;

pub use limits::Limits;

use crate::summary::{Evidence, Layout, Marks, Summary};
use crate::verdict::{Decision, Reason, Verdict};

/// The policies and bounds of one `tail_sampling` block.
#[derive(Debug)]
pub struct PolicySet {
    bounds: Bounds,
    policies: Box<[Policy]>,
    /// By status code: the policies that look for it.
    status: [Marks; 3],
    watched: WatchedKeys,
}

/// How long and for how many traces evidence and verdicts are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// From a trace's first span to its verdict.
    pub decision_wait: Duration,
    /// How long evidence still counts after a root arrived; always if `None`.
    pub wait_after_root: Option<Duration>,
    /// How many traces may be pending; above it the oldest is judged early.
    pub num_traces: usize,
    /// How many verdicts are remembered for late spans.
    pub remembered: usize,
    /// The rate that the operator expects; 0 if not said.
    pub expected_new_traces_per_sec: u64,
}

impl Bounds {
    /// How many traces will be pending at the expected rate, with a fifth to spare; 0 if no rate was said.
    pub fn needed_traces(&self) -> u64 {
        let traces = u128::from(self.expected_new_traces_per_sec) * self.decision_wait.as_millis() * 12 / 10_000;
        u64::try_from(traces).unwrap_or(u64::MAX)
    }
}

/// A policy as it is written.
#[derive(Debug)]
enum Rule {
    AlwaysSample,
    Latency(Latency),
    StatusCode(Vec<StatusCode>),
    StringAttribute { key: String, matcher: Matcher, wanted: Wanted },
    Probabilistic(Share),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StatusCode {
    Unset,
    Ok,
    Error,
}

/// Whether a policy wants traces with a match, or those without one (`invert_match`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Match,
    NoMatch,
}

/// A range of trace durations: above `above_ms`, and up to `up_to_ms` if that is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Latency {
    above_ms: u64,
    up_to_ms: Option<u64>,
}

/// A policy as it votes.
#[derive(Debug)]
struct Policy {
    name: Box<str>,
    vote: Vote,
}

#[derive(Debug)]
enum Vote {
    Always,
    Latency(Latency),
    Mark(Marks, Wanted),
    Share(Share),
}

impl PolicySet {
    /// Takes at most [`Marks::POLICIES`] rules; the reader refuses more.
    fn new(bounds: Bounds, rules: Vec<(String, Rule)>) -> Self {
        let mut status = [Marks::default(); 3];
        let mut watched = WatchedKeys::default();
        let mut policies = Vec::with_capacity(rules.len());
        for (place, (name, rule)) in rules.into_iter().enumerate() {
            let mark = Marks::of(place);
            let vote = match rule {
                Rule::AlwaysSample => Vote::Always,
                Rule::Latency(latency) => Vote::Latency(latency),
                Rule::Probabilistic(share) => Vote::Share(share),
                Rule::StatusCode(codes) => {
                    for code in codes {
                        status[code as usize] = status[code as usize].with(mark);
                    }
                    Vote::Mark(mark, Wanted::Match)
                }
                Rule::StringAttribute { key, matcher, wanted } => {
                    watched.watch(key, mark, matcher);
                    Vote::Mark(mark, wanted)
                }
            };
            policies.push(Policy { name: name.into_boxed_str(), vote });
        }
        Self { bounds, policies: policies.into_boxed_slice(), status, watched }
    }

    /// How long and for how many traces the block says to wait.
    pub fn bounds(&self) -> &Bounds {
        &self.bounds
    }

    /// The names of the policies, in the order in which they vote.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.policies.iter().map(|policy| &*policy.name)
    }

    /// The rate limits of this set with nothing spent.
    pub fn limits(&self) -> Limits {
        Limits::default()
    }

    pub(crate) fn layout(&self) -> Layout {
        Layout::default()
    }

    /// What the body of a `Resource` message tells of every trace that has spans below it.
    pub fn observe_resource(&self, resource: &[u8]) -> Summary {
        Summary::of_marks(self.watched.of_resource(resource))
    }

    /// Judges a trace by all that was seen of it.
    ///
    /// Rate limits are charged, so a trace is judged once; `now` is uptime.
    pub fn verdict(&self, trace: &TraceId, evidence: Evidence<'_>, _limits: &mut Limits, _now: Duration) -> Verdict {
        let summary = evidence.summary;
        let wants = |policy: &Policy| policy.vote.wants(trace, summary);
        if let Some(place) = self.policies.iter().position(wants) {
            return Verdict { decision: Decision::Keep, reason: Reason::policy(place) };
        }
        if summary.is_unreadable() {
            return Verdict { decision: Decision::Keep, reason: Reason::EVALUATION_ERROR };
        }
        Verdict { decision: Decision::Drop, reason: Reason::NO_POLICY_MATCHED }
    }
}

impl Vote {
    fn wants(&self, trace: &TraceId, summary: &Summary) -> bool {
        match self {
            Self::Always => true,
            Self::Latency(latency) => latency.contains(summary.extent_millis()),
            Self::Mark(mark, wanted) => summary.marks.contains(*mark) == (*wanted == Wanted::Match),
            Self::Share(share) => share.contains(trace),
        }
    }
}

impl Latency {
    fn contains(self, millis: u64) -> bool {
        millis > self.above_ms && self.up_to_ms.is_none_or(|up_to| millis <= up_to)
    }
}

#[cfg(test)]
mod tests;
