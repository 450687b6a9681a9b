//! Turns policies as written into what looks into spans, what votes, and what each trace must remember for it.

use std::collections::BTreeSet;

use super::closer::Closer;
use super::limits::Limits;
use super::look::Look;
use super::rule::{Conditions, Leaf, Rule, Wanted};
use super::vote::{Shared, Vote};
use crate::ottl::ErrorMode;
use crate::summary::{Layout, Mark};
use crate::tracestate::Threshold;

/// Gives out marks, buckets and words.
#[derive(Debug)]
pub(super) struct Compiler {
    leaves: Vec<Leaf>,
    pub(super) thresholds: BTreeSet<Threshold>,
    pub(super) limits: Limits,
    pub(super) layout: Layout,
}

/// What looks into each span.
#[derive(Debug, Default)]
pub(super) struct Looks {
    /// Whose marks fit the summary.
    pub(super) first: Look,
    /// Each with the marks of one word.
    pub(super) more: Box<[Look]>,
    pub(super) closer: Closer,
}

impl Default for Compiler {
    fn default() -> Self {
        let (limits, layout) = (Limits::default(), Layout::default());
        Self { leaves: Vec::new(), thresholds: BTreeSet::from([Threshold::ALWAYS]), limits, layout }
    }
}

impl Compiler {
    pub(super) fn vote(&mut self, rule: Rule) -> Vote {
        match rule {
            Rule::Always => Vote::Always,
            Rule::Latency(latency) => Vote::Latency(latency),
            Rule::SpanCount(count) => Vote::SpanCount(count),
            Rule::Share(share) => {
                self.thresholds.extend(share.consistently());
                Vote::Share(share)
            }
            Rule::Look(leaf, wanted) => Vote::Mark(self.mark(leaf), wanted),
            Rule::Condition(conditions) => self.condition(conditions),
            Rule::SpansLimited(rate) => Vote::Spans(self.limits.add_bucket(rate)),
            Rule::BytesLimited(rate) => {
                self.layout.bytes = true;
                Vote::Bytes(self.limits.add_bucket(rate))
            }
            Rule::And(rules) => Vote::And(self.votes(rules)),
            Rule::Or(rules) => Vote::Or(self.votes(drops_first(rules))),
            Rule::Not(rule) => Vote::Not(Box::new(self.vote(*rule))),
            Rule::Drop(rules) => Vote::Drop(self.votes(rules)),
            Rule::Composite(composite) => {
                let number = self.limits.add_composite(composite.subs.len());
                let subs = composite.subs.into_iter().map(|(rule, own)| (self.vote(rule), own)).collect();
                Vote::Composite(Shared { number, total: composite.total, subs })
            }
        }
    }

    fn votes(&mut self, rules: Vec<Rule>) -> Box<[Vote]> {
        rules.into_iter().map(|rule| self.vote(rule)).collect()
    }

    fn condition(&mut self, conditions: Conditions) -> Vote {
        let mode = conditions.mode;
        let place = self.place(Leaf::Condition(conditions));
        match mode {
            ErrorMode::Propagate => Vote::Condition(Mark::of(place), self.mark(Leaf::Unanswered(place))),
            ErrorMode::Ignore | ErrorMode::Silent => Vote::Mark(Mark::of(place), Wanted::Match),
        }
    }

    fn mark(&mut self, leaf: Leaf) -> Mark {
        Mark::of(self.place(leaf))
    }

    /// Equal leaves share a place.
    fn place(&mut self, leaf: Leaf) -> usize {
        let known = self.leaves.iter().position(|known| *known == leaf);
        known.unwrap_or_else(|| {
            self.leaves.push(leaf);
            self.leaves.len() - 1
        })
    }

    /// What looks for all that marks were given out for.
    pub(super) fn looks(&mut self) -> Looks {
        let mut looks = Looks::default();
        let mut more = Vec::new();
        for (place, leaf) in std::mem::take(&mut self.leaves).into_iter().enumerate() {
            let mark = Mark::of(place);
            if mark.group > more.len() {
                more.push(Look::default());
            }
            let look = mark.group.checked_sub(1).and_then(|group| more.get_mut(group)).unwrap_or(&mut looks.first);
            match leaf {
                Leaf::Status(codes) => look.status(codes, mark.bit),
                Leaf::Attribute { key, matcher } => look.watched.watch(key, mark.bit, matcher),
                Leaf::TraceState { key, values } => looks.closer.trace_state(key, values, mark),
                Leaf::SampledFlag => looks.closer.sampled_flag(mark),
                Leaf::Condition(conditions) => looks.closer.condition(conditions, mark),
                Leaf::Unanswered(condition) => looks.closer.unanswered(Mark::of(condition), mark),
            }
        }
        self.layout.marks = more.len();
        looks.more = more.into_boxed_slice();
        looks
    }
}

/// A veto is asked for before anybody's wish: the order of the others stays.
pub(super) fn drops_first<T: IsDrop>(rules: Vec<T>) -> Vec<T> {
    let (mut drops, others): (Vec<T>, Vec<T>) = rules.into_iter().partition(IsDrop::is_drop);
    drops.extend(others);
    drops
}

pub(super) trait IsDrop {
    fn is_drop(&self) -> bool;
}

impl IsDrop for Rule {
    fn is_drop(&self) -> bool {
        matches!(self, Self::Drop(_))
    }
}

impl IsDrop for (String, Rule) {
    fn is_drop(&self) -> bool {
        self.1.is_drop()
    }
}
