//! Policies as they are written: a tree of conditions on a whole trace.

use std::collections::BTreeSet;

use super::attribute::Matcher;
use super::limits::Rate;
use super::probabilistic::Share;
use crate::ottl::{Condition, ErrorMode};

/// What one policy says.
#[derive(Debug)]
pub(crate) enum Rule {
    Always,
    Latency(Latency),
    SpanCount(SpanCount),
    Share(Share),
    Look(Leaf, Wanted),
    Condition(Conditions),
    SpansLimited(Rate),
    BytesLimited(Rate),
    And(Vec<Rule>),
    Or(Vec<Rule>),
    Not(Box<Rule>),
    Drop(Vec<Rule>),
    Composite(Composite),
}

/// Conditions of which one must hold for a span, or one for an event.
#[derive(Debug, PartialEq)]
pub(crate) struct Conditions {
    pub(crate) mode: ErrorMode,
    pub(crate) span: Vec<Condition>,
    pub(crate) event: Vec<Condition>,
}

/// What is looked for in each span or its resource. Policies that look for the same share the answer.
#[derive(Debug, PartialEq)]
pub(crate) enum Leaf {
    /// By code: whether it is one of those looked for.
    Status([bool; 3]),
    Attribute {
        key: String,
        matcher: Matcher,
    },
    TraceState {
        key: String,
        values: BTreeSet<Box<str>>,
    },
    /// The flag that says that the trace was sampled.
    SampledFlag,
    Condition(Conditions),
    /// The condition with this number had no answer somewhere.
    Unanswered(usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StatusCode {
    Unset,
    Ok,
    Error,
}

/// Whether a policy wants traces with a match, or those without one (`invert_match`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    Match,
    NoMatch,
}

/// A range of trace durations: above `above_ms`, and up to `up_to_ms` if that is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Latency {
    pub(crate) above_ms: u64,
    pub(crate) up_to_ms: Option<u64>,
}

/// A range of numbers of spans, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SpanCount {
    pub(crate) least: u32,
    pub(crate) most: Option<u32>,
}

/// Policies that share a rate of spans; the first that wants a trace is charged.
#[derive(Debug)]
pub(crate) struct Composite {
    pub(crate) total: u64,
    /// Each with the spans a second that it has, in the order in which they are asked.
    pub(crate) subs: Vec<(Rule, u64)>,
}

impl Latency {
    pub(crate) fn contains(self, millis: u64) -> bool {
        millis > self.above_ms && self.up_to_ms.is_none_or(|up_to| millis <= up_to)
    }
}

impl SpanCount {
    pub(crate) fn contains(self, spans: u32) -> bool {
        spans >= self.least && self.most.is_none_or(|most| spans <= most)
    }
}
