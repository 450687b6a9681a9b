//! How a policy votes on a whole trace.
//!
//! Promises:
//! 1. What part of a trace could not be read is never held against it: a vote that needs it is `Unknown`, also when negated,
//!    unless what was read decides alone.
//! 2. Sub-policies are asked in order, and none after the answer is certain, so that a rate limit behind other conditions is
//!    charged only for traces that meet them.

use std::time::Duration;

use tollgate_otlp::TraceId;

use super::limits::{Allowance, Limits};
use super::probabilistic::Share;
use super::rule::{Latency, SpanCount, Wanted};
use crate::summary::{Evidence, Layout, Mark};
use crate::tracestate::Randomness;

/// A policy, ready to vote.
#[derive(Debug)]
pub(crate) enum Vote {
    Always,
    Latency(Latency),
    SpanCount(SpanCount),
    Share(Share),
    Mark(Mark, Wanted),
    /// A mark, and the one of what had no answer.
    Condition(Mark, Mark),
    /// The number of a bucket that pays for each span.
    Spans(usize),
    /// The number of a bucket that pays for each byte.
    Bytes(usize),
    And(Box<[Vote]>),
    Or(Box<[Vote]>),
    Not(Box<Vote>),
    Drop(Box<[Vote]>),
    Composite(Shared),
}

/// The sub-policies of a composite, each with its share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) number: usize,
    pub(crate) total: u64,
    pub(crate) subs: Box<[(Vote, u64)]>,
}

/// One vote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ballot {
    /// The policy does not want the trace.
    Pass,
    /// It might, had all of the trace been read.
    Unknown,
    Keep,
    /// The trace is dropped whoever wants it.
    Veto,
}

/// Whether a policy may cast a veto.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Vetoes {
    Never,
    Perhaps,
}

/// The trace that is voted on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Case<'a> {
    pub(crate) trace: &'a TraceId,
    pub(crate) evidence: Evidence<'a>,
    pub(crate) layout: Layout,
    pub(crate) now: Duration,
}

impl Vote {
    pub(crate) fn cast(&self, case: &Case<'_>, limits: &mut Limits) -> Ballot {
        match self {
            Self::Share(share) => Ballot::of(case.is_in(share)),
            Self::Spans(bucket) => Ballot::of(limits.take(*bucket, case.evidence.summary.spans().into(), case.now)),
            Self::Bytes(bucket) => Ballot::of(limits.take(*bucket, case.bytes(), case.now)),
            Self::And(subs) => all(subs, case, limits),
            Self::Or(subs) => any(subs, case, limits),
            Self::Not(sub) => match sub.cast(case, limits) {
                Ballot::Keep => Ballot::Pass,
                Ballot::Pass => Ballot::Keep,
                other => other,
            },
            Self::Drop(subs) => match all(subs, case, limits) {
                Ballot::Keep | Ballot::Veto => Ballot::Veto,
                other => other,
            },
            Self::Composite(shared) => shared.cast(case, limits),
            Self::Always | Self::Latency(_) | Self::SpanCount(_) | Self::Mark(..) | Self::Condition(..) => {
                self.certain(case)
            }
        }
    }

    pub(crate) fn vetoes(&self) -> Vetoes {
        let any = |subs: &[Self]| subs.iter().any(|sub| sub.vetoes() == Vetoes::Perhaps);
        let may = match self {
            Self::Drop(_) => true,
            Self::And(subs) | Self::Or(subs) => any(subs),
            Self::Not(sub) => sub.vetoes() == Vetoes::Perhaps,
            Self::Composite(shared) => shared.subs.iter().any(|(sub, _)| sub.vetoes() == Vetoes::Perhaps),
            _ => false,
        };
        if may { Vetoes::Perhaps } else { Vetoes::Never }
    }

    /// The vote of a policy that depends on what was seen alone; of any other that it passes.
    pub(crate) fn certain(&self, case: &Case<'_>) -> Ballot {
        match self {
            Self::Always => Ballot::Keep,
            Self::Latency(latency) => case.latency(*latency),
            Self::SpanCount(count) => Ballot::of(count.contains(case.evidence.summary.spans())),
            Self::Mark(mark, wanted) => case.mark(*mark, *wanted),
            Self::Condition(mark, unanswered) => match case.mark(*mark, Wanted::Match) {
                Ballot::Pass if case.has(*unanswered) => Ballot::Unknown,
                ballot => ballot,
            },
            _ => Ballot::Pass,
        }
    }
}

/// Wants what all of them want.
fn all(subs: &[Vote], case: &Case<'_>, limits: &mut Limits) -> Ballot {
    let mut ballot = Ballot::Keep;
    for sub in subs {
        match sub.cast(case, limits) {
            Ballot::Keep => {}
            Ballot::Unknown => ballot = Ballot::Unknown,
            certain @ (Ballot::Pass | Ballot::Veto) => return certain,
        }
    }
    ballot
}

/// Wants what one of them wants.
fn any(subs: &[Vote], case: &Case<'_>, limits: &mut Limits) -> Ballot {
    let mut ballot = Ballot::Pass;
    for sub in subs {
        match sub.cast(case, limits) {
            Ballot::Pass => {}
            Ballot::Unknown => ballot = Ballot::Unknown,
            certain @ (Ballot::Keep | Ballot::Veto) => return certain,
        }
    }
    ballot
}

impl Shared {
    /// The first that wants the trace is charged; if its share or the whole is used up, no other is asked, as for the
    /// Collector.
    fn cast(&self, case: &Case<'_>, limits: &mut Limits) -> Ballot {
        for (place, (sub, own)) in self.subs.iter().enumerate() {
            match sub.cast(case, limits) {
                Ballot::Pass => {}
                Ballot::Keep => {
                    let allowed = Allowance { own: *own, total: self.total };
                    let spans = case.evidence.summary.spans().into();
                    return Ballot::of(limits.charge(self.number, place, spans, allowed, case.now));
                }
                other => return other,
            }
        }
        Ballot::Pass
    }
}

impl Ballot {
    fn of(wanted: bool) -> Self {
        if wanted { Self::Keep } else { Self::Pass }
    }
}

impl Case<'_> {
    /// By the hash of the id, or by the randomness that goes with it where that is asked for.
    fn is_in(&self, share: &Share) -> bool {
        let Some(place) = self.layout.randomness_at() else { return share.contains(self.trace) };
        let stated = self.evidence.words.get(place).filter(|word| **word != Layout::NEVER);
        let randomness = stated.map_or_else(|| Randomness::of(self.trace), |word| Randomness(*word));
        share.consistently().is_some_and(|threshold| threshold.keeps(randomness))
    }

    fn latency(&self, latency: Latency) -> Ballot {
        let summary = self.evidence.summary;
        let contained = latency.contains(summary.extent_millis());
        // Without an upper bound what was not read can only make a slow trace slower.
        let is_certain = !summary.is_unreadable() || (contained && latency.up_to_ms.is_none());
        if is_certain { Ballot::of(contained) } else { Ballot::Unknown }
    }

    fn mark(&self, mark: Mark, wanted: Wanted) -> Ballot {
        let set = self.has(mark);
        if !set && self.evidence.summary.is_unreadable() {
            return Ballot::Unknown;
        }
        Ballot::of(set == (wanted == Wanted::Match))
    }

    fn has(&self, mark: Mark) -> bool {
        match mark.group.checked_sub(1) {
            None => self.evidence.summary.marks.contains(mark.bit),
            Some(word) => self.evidence.words.get(word).is_some_and(|word| mark.is_in(*word)),
        }
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.layout.bytes_at().and_then(|place| self.evidence.words.get(place)).copied().unwrap_or_default()
    }
}
