//! Which spans of a trace join, and which do not: roots beside the first, parents that are not here.
//!
//! Promises:
//! 1. Memory is bounded whatever comes: of traces beyond the bound only a share is followed, chosen by a keyed hash, each of them
//!    whole or not at all.
//! 2. A trace is followed from its first span, or it is not followed.
//! 3. What is not followed costs one comparison a trace and request.
//! 4. The order in which spans come, and spans that come twice, change nothing.
//!
//! Not here: what the documents withhold, and what was found in all (`tollgate_pipeline`).

mod followed;
mod services;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use tollgate_otlp::{Batch, ResourceGroup, TraceId};

use followed::{Followed, Seen};
use services::Services;

pub use followed::{Break, Correlated, End, Entered, Gap, Join, Parent, Region};

/// Spans of one trace that are followed; of a larger trace nothing is told.
const LARGEST: usize = 512;
/// What a trace takes beside its spans, in spans.
const TRACE: usize = 4;
/// Traces told of at a time: whoever asks has other things to do.
const AT_A_TIME: usize = 1024;

/// A trace of a request, as a sampler met it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Met {
    /// The trace.
    pub trace: TraceId,
    /// Its keyed hash.
    pub hash: u64,
    /// Whether it was known.
    pub novelty: Novelty,
}

/// Whether a trace was known before a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Novelty {
    /// Its first spans came with this request.
    New,
    /// It waits for its verdict, or has it.
    Known,
}

/// Follows traces.
#[derive(Debug)]
pub struct Correlator {
    /// What is held at most, in spans.
    most: usize,
    held: usize,
    /// Traces whose hash lies above are not followed.
    limit: u64,
    /// When the limit was moved.
    moved: Duration,
    traces: BTreeMap<TraceId, Followed>,
    /// In order of first arrival. Traces that are not followed any more stay until their time is up.
    queue: VecDeque<(Duration, TraceId)>,
    services: Services,
    wanted: Vec<TraceId>,
}

impl Correlator {
    /// Follows nothing yet, and never more than so many spans.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self {
            most,
            held: 0,
            limit: u64::MAX,
            moved: Duration::ZERO,
            traces: BTreeMap::new(),
            queue: VecDeque::new(),
            services: Services::default(),
            wanted: Vec::new(),
        }
    }

    /// Takes in a request that arrived at `now` (uptime) from a region, with the traces that the sampler met in it.
    pub fn take(&mut self, now: Duration, met: impl Iterator<Item = Met>, batch: Batch<'_>, region: Region) {
        let mut wanted = std::mem::take(&mut self.wanted);
        wanted.clear();
        let limit = self.limit;
        for met in met.filter(|met| met.hash <= limit) {
            match met.novelty {
                Novelty::New => self.begin(now, met),
                Novelty::Known if !self.traces.contains_key(&met.trace) => continue,
                Novelty::Known => {}
            }
            wanted.push(met.trace);
        }
        if !wanted.is_empty() {
            wanted.sort_unstable();
            batch.resources().for_each(|group| self.take_group(now, &wanted, &group, region));
            self.make_room(now);
        }
        self.wanted = wanted;
    }

    fn begin(&mut self, now: Duration, met: Met) {
        // One that was forgotten and comes again while it is followed goes on.
        if let std::collections::btree_map::Entry::Vacant(vacant) = self.traces.entry(met.trace) {
            vacant.insert(Followed::new(met.hash, now));
            self.queue.push_back((now, met.trace));
            self.held += TRACE;
        }
    }

    fn take_group(&mut self, now: Duration, wanted: &[TraceId], group: &ResourceGroup<'_>, region: Region) {
        let mut service = None;
        let mut last: Option<(TraceId, bool)> = None;
        for item in group.scopes().flat_map(|scope| scope.items()) {
            let Some(trace) = item.trace_id() else { continue };
            let is_wanted = match last {
                Some((known, is_wanted)) if known == trace => is_wanted,
                _ => wanted.binary_search(&trace).is_ok(),
            };
            last = Some((trace, is_wanted));
            if !is_wanted {
                continue;
            }
            let service = service.get_or_insert_with(|| self.services.of(group.resource()));
            let Some(followed) = self.traces.get_mut(&trace) else { continue };
            let before = followed.weight();
            if let Some(seen) = Seen::read(item.body(), service, region) {
                followed.add(now, seen, LARGEST);
            }
            self.held = (self.held + followed.weight()).saturating_sub(before);
        }
    }

    /// Follows a smaller share if too much is held: what is followed of it was followed before.
    fn make_room(&mut self, now: Duration) {
        while self.held > self.most && self.limit > 0 {
            (self.limit, self.moved) = (self.limit / 2, now);
            let limit = self.limit;
            self.traces.retain(|_, followed| followed.hash <= limit);
            self.held = self.traces.values().map(|followed| TRACE + followed.weight()).sum();
            let traces = &self.traces;
            self.queue.retain(|(_, trace)| traces.contains_key(trace));
        }
    }

    /// What became of the traces that arrived `wait` ago, in order of arrival. `tells_parents` says of which regions the ids of
    /// parents come: without them every span looks like a root.
    pub fn due(&mut self, now: Duration, wait: Duration, tells_parents: impl Fn(Region) -> bool) -> Vec<Correlated> {
        let mut due = Vec::new();
        while let Some((arrived, trace)) = self.queue.front().copied().filter(|_| due.len() < AT_A_TIME) {
            if now.saturating_sub(arrived) < wait {
                break;
            }
            self.queue.pop_front();
            if let Some(followed) = self.traces.remove(&trace) {
                self.held = self.held.saturating_sub(TRACE + followed.weight());
                due.push(followed.end(trace, &tells_parents));
            }
        }
        // A larger share begins with new traces. It is a while until all that it brings is there.
        if self.limit < u64::MAX && self.held < self.most / 4 && now.saturating_sub(self.moved) >= wait {
            (self.limit, self.moved) = (self.limit * 2 + 1, now);
        }
        self.services.sweep();
        due
    }

    /// The share of traces that is followed, of one.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a share for people")]
    pub fn share(&self) -> f64 {
        (self.limit as f64 + 1.0) / (u64::MAX as f64 + 1.0)
    }

    /// What is held, in spans.
    #[must_use]
    pub fn held(&self) -> usize {
        self.held
    }
}

#[cfg(test)]
mod tests;
