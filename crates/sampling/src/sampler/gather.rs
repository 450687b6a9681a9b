//! The traces of one request, told apart in a small table, so that the big one is touched once per trace and not per span.
//!
//! Promises:
//! 1. Memory is proportional to the items of the largest request so far, which limits of the walk bound.
//! 2. Whoever does not know the secret cannot choose which traces share a place in the table.

use tollgate_otlp::{Batch, TraceId};

use super::hash;
use crate::policy::{Failed, PolicySet, Words};
use crate::summary::Summary;

mod closely;

/// A scratch table, reused from request to request.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    traces: Vec<Trace>,
    /// Open addressing: one more than a place in `traces`, or zero. The length is a power of two.
    table: Vec<u32>,
    /// How many words each trace has in the second column, and these words.
    width: usize,
    words: Vec<u64>,
    /// For each trace the scope that it was last met in, counted from one.
    met: Vec<usize>,
    pub(super) observed: Words,
    /// Spans that name no trace; the walk lets none through.
    pub(super) without_trace: u64,
    /// Spans that could not be read.
    pub(super) unreadable: u64,
}

/// What one request tells of one trace.
#[derive(Debug, Clone, Copy)]
pub(super) struct Trace {
    pub(super) id: TraceId,
    pub(super) hash: u64,
    pub(super) summary: Summary,
}

impl Gathered {
    /// Forgets the last request and takes in what another tells.
    pub(super) fn gather(&mut self, policies: &PolicySet, secret: u64, now: u64, batch: Batch<'_>) {
        self.begin(batch);
        if !policies.is_narrow() {
            return self.gather_closely(policies, secret, now, batch);
        }
        let mut last = 0;
        for group in batch.resources() {
            let resource = policies.observe_resource(group.resource());
            for item in group.scopes().flat_map(|scope| scope.items()) {
                let Some(id) = item.trace_id() else {
                    self.without_trace += 1;
                    continue;
                };
                let mut seen = policies.observe(item.body());
                seen.merge(&resource);
                self.unreadable += u64::from(seen.is_unreadable());
                last = self.place(last, id, secret);
                if let Some(trace) = self.traces.get_mut(last) {
                    trace.summary.merge(&seen);
                }
            }
        }
    }

    /// Forgets the last request and tells the traces of another apart: for each item, which of [`Gathered::traces`] it
    /// belongs to, if any.
    pub(super) fn number(&mut self, secret: u64, batch: Batch<'_>) -> Vec<Option<usize>> {
        self.begin(batch);
        let mut last = 0;
        let mut place = |id| {
            last = self.place(last, id, secret);
            last
        };
        batch.items().map(|item| item.trace_id().map(&mut place)).collect()
    }

    /// In order of their first item.
    pub(super) fn traces(&self) -> &[Trace] {
        &self.traces
    }

    /// What the second column takes of one of the traces.
    pub(super) fn words(&self, trace: usize) -> &[u64] {
        let start = trace * self.width;
        self.words.get(start..start + self.width).unwrap_or_default()
    }

    fn begin(&mut self, batch: Batch<'_>) {
        (self.without_trace, self.unreadable) = (0, 0);
        self.traces.clear();
        self.words.clear();
        self.met.clear();
        self.observed.failed = Failed::default();
        self.table.clear();
        // At most half of the table will be taken, so a free slot ends every search.
        self.table.resize((batch.index.items() * 2).next_power_of_two(), 0);
    }

    /// The place of a trace, which is new if this is its first item.
    #[inline]
    fn place(&mut self, last: usize, id: TraceId, secret: u64) -> usize {
        // Spans of one trace often stand together.
        match self.traces.get(last) {
            Some(trace) if trace.id == id => last,
            _ => self.look_up(id, secret),
        }
    }

    fn look_up(&mut self, id: TraceId, secret: u64) -> usize {
        let mask = self.table.len().wrapping_sub(1);
        let hash = hash(&id, secret);
        let mut at = usize::try_from(hash >> 32).unwrap_or(0) & mask;
        while let Some(place) = self.table.get(at).and_then(|place| place.checked_sub(1)) {
            let place = place as usize;
            if self.traces.get(place).is_some_and(|trace| trace.id == id) {
                return place;
            }
            at = (at + 1) & mask;
        }
        let place = self.traces.len();
        self.traces.push(Trace { id, hash, summary: Summary::default() });
        if let Some(slot) = self.table.get_mut(at) {
            // A request holds fewer than 2^32 items: its index counts them so.
            *slot = u32::try_from(self.traces.len()).unwrap_or(u32::MAX);
        }
        place
    }
}
