//! Other sampling policies come into force while traces wait.
//!
//! A third reader starts behind everything that has its verdict and folds the log again, for the new policies alone, until it
//! stands where the head does; then they take over, between two rounds of verdicts.
//!
//! Promises:
//! 1. Until then all is as before: verdicts, how long they are waited for, and what kept spans carry are those of the policies
//!    in force. From then on all is the new ones', and what they judge by is every span of every pending trace.
//! 2. What a trace waits counts from its first arrival, under the old policies and the new.
//! 3. The head does not outrun this reader, however much arrives, and this reader does not hold up verdicts.
//! 4. Of several changes the last wins. A process that ends before they took over starts with the new policies.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tollgate_otlp::Batch;
use tollgate_sampling::{Moment, PolicySet};
use tollgate_spool::{Position, Record};

use super::patience::Patience;
use super::{Hold, STRETCH, TICK};
use crate::documents::Documents;
use crate::node::in_force::InForce;
use crate::records;

/// How far the reader for policies that are to come into force has come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Renewal {
    at: Position,
    /// Where the head stood when it had its last turn.
    head: Position,
}

/// What one turn of this reader may take: this time, and longer if it has read less than this.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    pub(super) time: Duration,
    pub(super) bytes: usize,
}

impl Default for Pace {
    fn default() -> Self {
        Self { time: TICK, bytes: STRETCH }
    }
}

/// Whoever waits for other sampling policies.
pub(crate) struct Following {
    in_force: InForce,
    documents: Arc<Documents>,
}

impl Following {
    /// From these documents on.
    pub(crate) fn new(in_force: InForce, documents: Arc<Documents>) -> Self {
        Self { in_force, documents }
    }

    /// Waits for documents with other sampling policies. Cancel safe.
    pub(super) async fn changed(&mut self) -> PolicySet {
        loop {
            self.in_force.changed().await;
            let documents = Arc::clone(&self.in_force.take().documents);
            let before = std::mem::replace(&mut self.documents, documents);
            if !self.documents.samples_otherwise(&before) {
                continue;
            }
            match self.documents.sampling() {
                Ok(policies) => return policies,
                Err(faults) => tracing::error!("the sampling policies stay as they are:\n{faults}"),
            }
        }
    }
}

impl Hold {
    /// Other policies are to come into force.
    pub(super) fn renew(&mut self, policies: PolicySet) {
        tracing::info!(bytes = self.head.since(self.due), "other sampling policies read what waits for a verdict");
        self.sampler.prepare(policies);
        // Of what lies before this every trace has its verdict.
        self.renewal = Some(Renewal { at: self.due, head: self.head });
    }

    /// Folds again, for policies that are to come into force, what they have not seen yet.
    pub(super) async fn catch_up(&mut self) {
        let Some(Renewal { at, head }) = self.renewal else { return };
        let begun = Instant::now();
        let mut at = at.max(self.due);
        // Twice what the head has read since, so that it is reached at last.
        let least = self.head.since(head).saturating_mul(2).saturating_add(self.pace.bytes as u64);
        let enough = Position::new(at.value().saturating_add(least));
        while at < self.head && (at < enough || begun.elapsed() < self.pace.time) {
            at = match self.received.read(at, self.pace.bytes, Some(self.head)).await {
                Ok(chunk) => {
                    chunk.records.iter().for_each(|record| self.fold_again(record));
                    chunk.end
                }
                Err(error) => match records::resume(&error) {
                    Some(resume) => resume, // the tail meets the same gap and counts it
                    None => {
                        tracing::error!(%error, "other sampling policies cannot read the log; trying again");
                        break;
                    }
                },
            };
        }
        self.renewal = Some(Renewal { at, head: self.head });
        let behind = if at < self.head { self.head.since(at) } else { 0 };
        self.counters.sampling.renewal_behind.set(i64::try_from(behind).unwrap_or(i64::MAX));
    }

    fn fold_again(&mut self, record: &Record) {
        let next = self.folded.partition_point(|stretch| stretch.until <= record.position);
        let folded_at = self.folded.get(next).map(|stretch| stretch.at);
        if let (Some(now), Ok(Some(index))) = (folded_at, records::payload_index(record)) {
            let arrived = self.recorded.at(record.arrival, now);
            self.sampler.fold_again(Moment { now, arrived }, Batch::new(&record.payload, &index));
        }
    }

    /// Puts the new policies in force if they have seen what the old ones have. All verdicts were handed out before.
    pub(super) fn take_over(&mut self) {
        let has_caught_up = self.renewal.is_some_and(|renewal| renewal.at >= self.head);
        if !has_caught_up || !self.sampler.take_over() {
            return;
        }
        self.renewal = None;
        let policies = self.sampler.policies();
        self.patience = Patience::new(policies.bounds());
        self.attendance.wait_for(policies.bounds().decision_wait_max);
        self.kept.wait_for(policies.bounds().decision_wait_max);
        self.history.iter().for_each(|history| history.renew(policies));
        self.correlation.iter_mut().for_each(|correlation| correlation.wait_for(policies.bounds()));
        self.counters.sampling.renewals.inc();
        tracing::info!("other sampling policies are in force");
    }
}

#[cfg(test)]
mod tests;
