//! Another set of policies takes over: a second column of summaries fills beside the first, by folding again what the first
//! has folded, and takes its place when it has seen the same.
//!
//! Promises:
//! 1. Until then verdicts are those of the set in force; from then on those of the other. No trace has two, none is lost.
//! 2. Order, first arrivals and given verdicts stay; only what pending traces are judged by is exchanged.
//! 3. Nothing that is pending is judged early because `num_traces` is smaller now, and no verdict is forgotten because fewer
//!    are to be remembered: the memory that there is stays until the process ends.
//! 4. A rate limit goes on with what it has left, so that no reload gives more than the rate does.

use std::collections::VecDeque;

use tollgate_otlp::Batch;

use super::gather::Gathered;
use super::{Moment, Place, Sampler, nanos};
use crate::policy::PolicySet;
use crate::summary::{Column, Summary};

/// What another set of policies has seen of the traces that are pending, in their order.
#[derive(Debug)]
pub(super) struct Successor {
    policies: PolicySet,
    summaries: VecDeque<Summary>,
    column: Column,
    gathered: Gathered,
}

impl Successor {
    fn new(policies: PolicySet, pending: usize) -> Self {
        let mut column =
            Column::with_room(policies.layout(), policies.bounds().num_traces.max(pending).saturating_add(1));
        (0..pending).for_each(|_| column.push(&[]));
        let summaries = std::iter::repeat_n(Summary::default(), pending).collect();
        Self { policies, summaries, column, gathered: Gathered::default() }
    }

    /// A trace is pending, of which nothing is folded again yet.
    pub(super) fn push(&mut self) {
        self.summaries.push_back(Summary::default());
        self.column.push(&[]);
    }

    /// The oldest pending trace was judged.
    pub(super) fn pop(&mut self) {
        self.summaries.pop_front();
        self.column.pop();
    }
}

impl Sampler {
    /// Begins to fill a second column for these policies, in place of any other that was being filled. Now call
    /// [`Sampler::fold_again`] with everything in which spans of pending traces may be, from the oldest on and each request
    /// once, then [`Sampler::take_over`].
    pub fn prepare(&mut self, policies: PolicySet) {
        self.successor = Some(Box::new(Successor::new(policies, self.pending.len())));
    }

    /// Takes in for the second column what [`Sampler::fold`] took in, with the moment at which it arrived.
    pub fn fold_again(&mut self, at: impl Into<Moment>, batch: Batch<'_>) {
        let arrived = nanos(at.into().arrived);
        let Some(mut successor) = self.successor.take() else { return };
        let Successor { policies, summaries, column, gathered } = &mut *successor;
        gathered.gather(policies, self.secret, arrived, batch);
        self.index.warm(gathered.traces().iter().map(|trace| trace.hash));
        let wait = policies.bounds().wait_after_root;
        for (number, trace) in gathered.traces().iter().enumerate() {
            // A verdict that was given stands, whatever these policies think of the trace.
            let Some(Place::Pending(at)) = self.place(trace.hash, &trace.id) else { continue };
            if column.is_in_time(at, arrived, wait.map(nanos)) {
                summaries.iter_mut().skip(at).take(1).for_each(|summary| summary.merge(&trace.summary));
                column.merge(at, gathered.words(number));
            }
        }
        self.successor = Some(successor);
    }

    /// Puts the policies in force for which the second column was filled; returns whether it did. Verdicts that were given
    /// early must be handed out before: their votes are those of the policies until now.
    pub fn take_over(&mut self) -> bool {
        let Some(successor) = self.successor.take_if(|_| self.early.is_empty()) else { return false };
        let Successor { policies, summaries, column, gathered } = *successor;
        for (pending, summary) in self.pending.iter_mut().zip(summaries) {
            pending.summary = summary;
        }
        self.limits = policies.limits_after(&self.policies, &self.limits);
        self.reasons.put_in_force(&policies);
        (self.policies, self.column, self.gathered) = (policies, column, gathered);
        self.make_place();
        true
    }
}

#[cfg(test)]
mod tests;
