//! The traces of one request, each with what all its spans there tell.
//!
//! Promises:
//! 1. The big table is touched once per trace and request, not per span.
//! 2. Memory is proportional to the distinct traces of the largest request so far, which limits of the walk bound.

use tollgate_otlp::{Batch, TraceId};

use super::hash;
use crate::policy::PolicySet;
use crate::summary::Summary;

/// A scratch table, reused from request to request.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    traces: Vec<Trace>,
    /// Open addressing: one more than a place in `traces`, or zero. The length is a power of two.
    table: Vec<u32>,
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
    /// Forgets the last request and takes in another.
    pub(super) fn gather(&mut self, policies: &PolicySet, secret: u64, batch: Batch<'_>) {
        self.traces.clear();
        self.table.fill(0);
        (self.without_trace, self.unreadable) = (0, 0);
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
                self.add(id, secret, &seen);
            }
        }
    }

    pub(super) fn traces(&self) -> &[Trace] {
        &self.traces
    }

    fn add(&mut self, id: TraceId, secret: u64, seen: &Summary) {
        // Spans of one trace often stand together.
        if let Some(last) = self.traces.last_mut().filter(|last| last.id == id) {
            last.summary.merge(seen);
            return;
        }
        if self.traces.len() * 2 >= self.table.len() {
            self.grow();
        }
        let hash = hash(&id, secret);
        match self.slot(hash, &id) {
            Slot::Taken(trace) => {
                if let Some(trace) = self.traces.get_mut(trace) {
                    trace.summary.merge(seen);
                }
            }
            Slot::Free(slot) => self.push(slot, Trace { id, hash, summary: *seen }),
        }
    }

    fn push(&mut self, slot: usize, trace: Trace) {
        self.traces.push(trace);
        // A request holds fewer than 2^32 items: its index counts them so.
        let place = u32::try_from(self.traces.len()).unwrap_or(u32::MAX);
        if let Some(slot) = self.table.get_mut(slot) {
            *slot = place;
        }
    }

    fn slot(&self, hash: u64, id: &TraceId) -> Slot {
        let mask = self.table.len().wrapping_sub(1);
        let mut at = usize::try_from(hash >> 32).unwrap_or(0) & mask;
        // At most half of the table is taken, so a free slot ends the search.
        while let Some(place) = self.table.get(at).and_then(|place| place.checked_sub(1)) {
            let place = place as usize;
            if self.traces.get(place).is_some_and(|trace| trace.id == *id) {
                return Slot::Taken(place);
            }
            at = (at + 1) & mask;
        }
        Slot::Free(at)
    }

    fn grow(&mut self) {
        let length = (self.table.len() * 2).max(64);
        self.table.clear();
        self.table.resize(length, 0);
        for (place, trace) in std::mem::take(&mut self.traces).into_iter().enumerate() {
            debug_assert_eq!(place, self.traces.len());
            if let Slot::Free(slot) = self.slot(trace.hash, &trace.id) {
                self.push(slot, trace);
            }
        }
    }
}

enum Slot {
    Taken(usize),
    Free(usize),
}
