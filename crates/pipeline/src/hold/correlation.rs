//! Whether traces join across services and regions, told of a share of them beside the sampler.
//!
//! A trace is looked at `decision_wait_max` after its first span, when its verdict is given and what came late is there too.
//!
//! Promises:
//! 1. A parent counts as missing only if nothing that is known here could have kept it away: no policy, nobody who lags or was
//!    not heard of, no spans that still come. What cannot be told apart is not told apart.
//! 2. Metrics name regions of the documents and nothing else; services, which are values from payloads, stand in a bounded list.
//!
//! Not here: what joins (`tollgate_sampling`), what documents withhold (`sight.rs`), the list (`breaks.rs`).

pub(crate) mod breaks;
mod sight;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tollgate_federation::NodeId;
use tollgate_otlp::Batch;
use tollgate_runtime::Clock;
use tollgate_sampling::{Bounds, Correlated, Correlator, End, Gap, Region, Sampler, Waits};
use tollgate_spool::Record;

use crate::admit::attendance::Attendance;
use crate::hold::correlation::breaks::{Breaks, Kind, Place, Told};
use crate::hold::correlation::sight::{Absence, Sight};
use crate::node::counters::{CorrelationCounters, Counters};
use crate::node::in_force::InForce;

/// Spans that are held at most: about four megabytes.
const MOST: usize = 65_536;
/// What cannot be a region of the documents.
const ELSEWHERE: &str = "(elsewhere)";

/// Follows traces.
pub(crate) struct Correlation {
    correlator: Correlator,
    sight: Sight,
    breaks: Breaks,
    /// By the numbers that the correlator knows them by.
    regions: Vec<Arc<str>>,
    /// From a trace's first span until it is looked at.
    wait: Duration,
    /// A trace that got spans so shortly before that is still under way.
    calm: Duration,
}

/// From a trace's first span until it is looked at, and how long it must have been at rest by then.
fn times(bounds: &Bounds) -> (Duration, Duration) {
    (bounds.decision_wait_max.max(bounds.decision_wait), bounds.decision_wait)
}

/// What is known when traces are looked at.
struct Known<'a> {
    now: Duration,
    waits: Waits,
    /// Regions whose gateways were heard of and are not silent.
    heard: BTreeSet<String>,
    counters: &'a CorrelationCounters,
}

impl Correlation {
    /// Of traces that reach `me`.
    pub(crate) fn new(breaks: Breaks, in_force: InForce, me: &NodeId, sampler: &Sampler, clock: Clock) -> Self {
        let (wait, calm) = times(sampler.policies().bounds());
        let sight = Sight::new(in_force, me.tier(), clock);
        Self { correlator: Correlator::new(MOST), sight, breaks, regions: Vec::new(), wait, calm }
    }

    /// Other policies are in force: traces wait otherwise.
    pub(super) fn wait_for(&mut self, bounds: &Bounds) {
        (self.wait, self.calm) = times(bounds);
    }

    /// A request was folded.
    pub(super) fn take(&mut self, now: Duration, record: &Record, batch: Batch<'_>, sampler: &Sampler) {
        let region = self.region(record);
        self.correlator.take(now, sampler.met(), batch, region);
    }

    /// The region whose gateway sent it.
    fn region(&mut self, record: &Record) -> Region {
        let peer = record.peer.as_str().split('/').next().unwrap_or_default();
        let name = if self.sight.knows(peer) { peer } else { ELSEWHERE };
        let known = self.regions.iter().position(|known| **known == *name).unwrap_or_else(|| {
            self.regions.push(name.into()); // no more than there are regions in all documents that were in force
            self.regions.len() - 1
        });
        Region(u16::try_from(known).unwrap_or(u16::MAX))
    }

    /// Tells of the traces whose time is up.
    pub(super) fn tell(&mut self, now: Duration, waits: Waits, attendance: &Attendance, counters: &Counters) {
        let counters = &counters.correlation;
        self.sight.renew();
        let (sight, regions) = (&self.sight, &self.regions);
        let due = self.correlator.due(now, self.wait, |region| sight.tells_parents(name(regions, region)));
        counters.held(self.correlator.held(), self.correlator.share());
        if due.is_empty() {
            return;
        }
        let awaited = attendance.all().into_iter().filter(|attendee| attendee.is_awaited);
        let heard = awaited.map(|attendee| attendee.node.region().to_string()).collect();
        let known = Known { now, waits, heard, counters };
        let told: Vec<Told> = due.into_iter().map(|one| self.told(one, &known)).collect();
        self.breaks.add(told, self.correlator.share(), self.sight.hidden().map(str::to_owned).collect());
    }

    fn told(&self, correlated: Correlated, known: &Known<'_>) -> Told {
        let Correlated::Whole { trace, arrived: (first, last), regions, roots, began, breaks, joins, entered } =
            correlated
        else {
            known.counters.too_large.inc();
            return Told::TooLarge;
        };
        known.counters.trace(regions.len(), roots);
        for join in &joins {
            known.counters.joined(self.name(join.from.region), self.name(join.to.region), join.spans);
        }
        let waited_for_all = known.now.saturating_sub(first) >= known.waits.whole;
        let is_whole = waited_for_all && known.now.saturating_sub(last) >= self.calm;
        let from = began.as_ref().map(|began| self.place(began));
        let kind = |gap, to: &End| match gap {
            Gap::EntryRoot => Kind::EntryRoot,
            Gap::InnerRoot => Kind::InnerRoot,
            Gap::Orphan(_) if !is_whole => Kind::Orphan(Absence::Unknown),
            Gap::Orphan(parent) => Kind::Orphan(self.sight.absence(parent, self.name(to.region), &known.heard)),
        };
        let breaks = breaks.iter().map(|found| (kind(found.gap, &found.to), self.place(&found.to), found.spans));
        let breaks: Vec<_> = breaks.collect();
        for (kind, to, spans) in &breaks {
            known.counters.broken(kind.as_str(), from.as_ref().map(|from| &*from.region), &to.region, *spans);
        }
        let entered = entered.iter().map(|(end, how)| (self.place(end), *how)).collect();
        Told::Whole { trace, from, breaks, entered }
    }

    fn place(&self, end: &End) -> Place {
        let region = self.regions.get(usize::from(end.region.0)).cloned().unwrap_or_else(|| ELSEWHERE.into());
        Place { service: Arc::clone(&end.service), region }
    }

    fn name(&self, region: Region) -> &str {
        name(&self.regions, region)
    }
}

fn name(regions: &[Arc<str>], region: Region) -> &str {
    regions.get(usize::from(region.0)).map_or(ELSEWHERE, |name| name)
}

#[cfg(test)]
mod tests;
