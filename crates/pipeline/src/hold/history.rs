//! What is remembered of traces so that somebody who asks why one was kept or dropped gets an answer.
//!
//! Two rings: verdicts with the votes that led to them, and which request brought how many spans of which trace. Nothing is
//! looked up while they fill; a question reads them through.
//!
//! Promises:
//! 1. Memory is bounded by the number of traces that the configuration says, whatever their size and number of spans.
//! 2. What is not known any more is told apart from what never was here as far as that can be known.
//! 3. No payload: ids, numbers, names of nodes and policies.

mod answer;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tollgate_otlp::TraceId;
use tollgate_runtime::{Clock, Timestamp};
use tollgate_sampling::{Coverage, Decision, Entry, Judged, PolicySet, Sampler, Timing, Votes};
use tollgate_spool::{Name, Record};

pub(super) use answer::time;

/// Requests with spans of one trace that there is room for, on average.
const REQUESTS: usize = 8;
/// Senders and origins that are told apart.
const SOURCES: usize = 1024;

/// So many bytes the history of so many traces takes at most.
pub(crate) fn bytes(traces: usize) -> u64 {
    (traces as u64).saturating_mul((size_of::<Given>() + REQUESTS * size_of::<Arrival>()) as u64)
}

/// What is remembered of traces; clones share it.
#[derive(Clone, Debug)]
pub(crate) struct History(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// For how many; none if that is zero.
    traces: AtomicUsize,
    clock: Clock,
    kept: Mutex<Kept>,
}

#[derive(Debug)]
struct Kept {
    /// Since when it is known that what is not here did not happen, but for what fell off an end that is full.
    began: Timestamp,
    verdicts: VecDeque<Given>,
    arrivals: VecDeque<Arrival>,
    sources: Vec<Source>,
    /// Of the set in force, by their places in the list; empty until it has judged something.
    policies: Arc<[Box<str>]>,
    /// Verdicts name them by number.
    reasons: Vec<Arc<str>>,
}

/// Where a request came from.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Source {
    peer: Name,
    origin: Name,
}

/// Spans of one trace in one request.
#[derive(Clone, Copy, Debug)]
struct Arrival {
    trace: TraceId,
    at: Timestamp,
    /// When it was taken in: what comes after the verdict is late.
    folded: Timestamp,
    spans: u32,
    source: u32,
}

/// A verdict.
#[derive(Clone, Debug)]
struct Given {
    trace: TraceId,
    at: Timestamp,
    decision: Decision,
    reason: u32,
    known: Known,
}

/// How a verdict is known.
#[derive(Clone, Debug)]
enum Known {
    /// It was given by this process, by these policies.
    Here { policies: Arc<[Box<str>]>, votes: Votes, timing: Timing, waited: Duration, spans: u32 },
    /// It was read from the journal of the process before.
    Journal(Coverage),
}

impl History {
    /// For so many traces; none if that is zero.
    pub(crate) fn new(traces: usize, clock: Clock) -> Self {
        let (verdicts, arrivals, sources, reasons) = (VecDeque::new(), VecDeque::new(), Vec::new(), Vec::new());
        let kept = Kept { began: clock.now(), verdicts, arrivals, sources, policies: Arc::default(), reasons };
        Self(Arc::new(Shared { traces: AtomicUsize::new(traces), clock, kept: Mutex::new(kept) }))
    }

    /// Whether anything is remembered.
    pub(crate) fn is_kept(&self) -> bool {
        self.most() > 0
    }

    fn most(&self) -> usize {
        self.0.traces.load(Ordering::Relaxed)
    }

    /// Other policies are in force; with them the history may be of another length.
    pub(super) fn renew(&self, policies: &PolicySet) {
        let (before, most) = (self.most(), policies.own().history);
        let mut kept = self.lock();
        kept.policies = Arc::default();
        kept.began = match before {
            0 => self.0.clock.now(),
            _ => self.verdicts_since(&kept).max(self.arrivals_since(&kept)),
        };
        let (verdicts, arrivals) = (kept.verdicts.len(), kept.arrivals.len());
        kept.verdicts.drain(..verdicts.saturating_sub(most));
        kept.arrivals.drain(..arrivals.saturating_sub(most.saturating_mul(REQUESTS)));
        self.0.traces.store(most, Ordering::Relaxed);
    }

    /// A request was folded: it brought so many spans of each of these traces.
    pub(super) fn arrived(&self, record: &Record, traces: impl Iterator<Item = (TraceId, u32)>) {
        if !self.is_kept() {
            return;
        }
        let (most, folded) = (self.most().saturating_mul(REQUESTS), self.0.clock.now());
        let mut kept = self.lock();
        let source = kept.source(record);
        for (trace, spans) in traces {
            if kept.arrivals.len() >= most {
                kept.arrivals.pop_front();
            }
            kept.arrivals.push_back(Arrival { trace, at: record.arrival, folded, spans, source });
        }
    }

    /// Verdicts were given.
    pub(super) fn judged(&self, judged: &[Judged], sampler: &Sampler, now: Duration) {
        if !self.is_kept() {
            return;
        }
        let (at, most) = (self.0.clock.now(), self.most());
        let mut kept = self.lock();
        if kept.policies.is_empty() {
            kept.policies = sampler.policies().names().map(Box::from).collect();
        }
        for judged in judged {
            let reason = kept.reason(sampler.reason(judged.verdict.reason));
            let Judged { trace, timing, .. } = *judged;
            let votes = judged.votes.clone();
            let (waited, spans) = (now.saturating_sub(judged.arrived), judged.summary.spans());
            let known = Known::Here { policies: Arc::clone(&kept.policies), votes, timing, waited, spans };
            kept.give(most, Given { trace, at, decision: judged.verdict.decision, reason, known });
        }
    }

    /// Verdicts were read from the journal, which got them at this time.
    pub(super) fn recovered(&self, journal: &[u8], at: Timestamp) {
        if !self.is_kept() {
            return;
        }
        let entries = Entry::decode(journal).unwrap_or_default(); // a fault is told where they are restored
        let mut kept = self.lock();
        for entry in entries {
            let reason = kept.reason(entry.reason);
            let Entry { trace, decision, coverage, .. } = entry;
            kept.give(self.most(), Given { trace, at, decision, reason, known: Known::Journal(coverage) });
        }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn give(&mut self, most: usize, given: Given) {
        if self.verdicts.len() >= most {
            self.verdicts.pop_front();
        }
        self.verdicts.push_back(given);
    }

    /// The number of a source; of those for which there is no room all have the last one.
    fn source(&mut self, record: &Record) -> u32 {
        let is_it = |source: &Source| source.peer == record.peer && source.origin == record.origin;
        let known = self.sources.iter().position(is_it).unwrap_or_else(|| {
            if self.sources.len() < SOURCES {
                let last = self.sources.len() + 1 == SOURCES;
                let other = || Source { peer: Name::from("another sender"), origin: Name::from("") };
                let own = || Source { peer: record.peer.clone(), origin: record.origin.clone() };
                self.sources.push(if last { other() } else { own() });
            }
            self.sources.len() - 1
        });
        u32::try_from(known).unwrap_or(u32::MAX)
    }

    fn reason(&mut self, name: &str) -> u32 {
        let known = self.reasons.iter().position(|known| **known == *name).unwrap_or_else(|| {
            self.reasons.push(name.into()); // no more than there were policies, and names that a sampler takes from journals
            self.reasons.len() - 1
        });
        u32::try_from(known).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests;
